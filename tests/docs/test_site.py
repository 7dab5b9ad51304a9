"""The site builds without a complaint, holds everything public, and loads nothing from elsewhere."""

import importlib
import re

import pytest

pytest.importorskip("markdown_it", reason="the extra `docs` is not installed: make docs")
pytest.importorskip("latex2mathml", reason="the extra `docs` is not installed: make docs")

from html.parser import HTMLParser

import hamtheory as ht
from docs import bibliography, code, formulas, links, markdown, reference, site
from figures._claim import figures_of

ROOMS = [room for room in reference.ROOMS if room != "result"]


class Ids(HTMLParser):
    """The anchors of a page."""

    def __init__(self, text):
        super().__init__()
        self.found = set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found |= {value for name, value in attrs if name == "id"}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The whole site, but for the help of all commands but two, and without running its code."""
    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(site, "COMMANDS", ((), ("verify",)))
        complaints = site.build(folder, run=False)
    return folder, complaints


def test_nothing_is_wrong_with_it(built):
    assert not built[1]


def test_every_page_is_there_and_in_the_navigation(built):
    for address in site.pages():
        assert (built[0] / address).is_file(), address
        assert f'href="{address}"' in (built[0] / "index.html").read_text(), address


def test_nothing_is_loaded_from_elsewhere(built):
    for path in [*built[0].rglob("*.html"), *built[0].rglob("*.css")]:
        text = path.read_text()
        assert not re.search(
            r"<(script|link|img|iframe|source|object|embed)\b[^>]*(src|href|data)=[\"']?(https?:)?//", text
        ), path
        assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest|importScripts", text), path


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_name_is_in_the_reference(built, room):
    anchors = Ids((built[0] / f"reference/{room}.html").read_text()).found
    module = importlib.import_module(f"hamtheory.{room}")
    names = getattr(module, "__all__", None) or [n for n in dir(module) if re.match(r"[A-Za-z]", n)]
    for name in names:
        value = getattr(module, name)
        if not isinstance(value, type(ht)) and (
            room != "metrics" or getattr(value, "__module__", "") == module.__name__
        ):
            written = f"ht.{name}" if getattr(ht, name, None) is value else f"ht.{room}.{name}"
            assert written in anchors, written


def test_every_name_at_the_top_is_in_the_reference():
    written = {name.written for name in reference.names()}
    for name in dir(ht):
        if not name.startswith("_") and not isinstance(getattr(ht, name), type(ht)):
            assert f"ht.{name}" in written, name


def test_theorems_and_figures_name_each_other(built):
    gallery, ledger = ((built[0] / f"{name}.html").read_text() for name in ("gallery", "ledger"))
    for key in ht.theorem.ledger():
        assert key in Ids(ledger).found
        for name in figures_of(key):
            assert f'href="ledger.html#{key}"' in gallery and f'href="gallery.html#{name}"' in ledger


def test_questions_are_seven_and_have_all_parts():
    assert len(site.QUESTIONS) == 7
    for path in site.QUESTIONS.values():
        text = path.read_text()
        for part in ("**The question.**", "**The experiment.**", "python -m experiments", "**The figure", "![",
                     "## The answer", "## The evidence", "## What remains open"):  # fmt: skip
            assert part in text, (path.name, part)


def test_tests_and_theorems_that_questions_name_are_there():
    theorems = ht.theorem.ledger()
    topics = "|".join({key.split(".")[0] for key in theorems} - {"flow", "geometry", "signs"})  # those are modules, too
    for path in site.QUESTIONS.values():
        for key in re.findall(rf"`((?:{topics})\.[\w-]+)`", path.read_text()):
            assert key in theorems, (path.name, key)
        for name in re.findall(r"`((?:tests/\w+/)?test_\w+\.py)`", path.read_text()):
            assert list(site.ROOT.glob(name if "/" in name else f"tests/*/{name}")), (path.name, name)
        for name in re.findall(r"`(test_\w+)`", path.read_text()):
            assert any(f"def {name}(" in test.read_text() for test in site.ROOT.glob("tests/experiments/*.py")), name


@pytest.mark.parametrize("path", [path for path in site.QUESTIONS.values() if "```python" in path.read_text()])
def test_code_of_questions_runs(path, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert code.execute(path) == []


def test_a_glossary_of_the_standard_terms():
    rows = [line for line in (site.HERE / "glossary.md").read_text().splitlines() if line.startswith("| ")]
    terms = [line.split("|")[1].strip() for line in rows if "---" not in line and not line.startswith("| term")]
    assert 25 <= len(terms) <= 45 and len(set(terms)) == len(terms)


def test_a_few_pages_alone(tmp_path):
    assert site.build(tmp_path, only=["index.html", "questions/6-hyp-and-its-published-form.html"], run=False) == []
    assert sorted(path.name for path in tmp_path.rglob("*.html")) == ["6-hyp-and-its-published-form.html", "index.html"]


def complaints_of(tmp_path, **pages):
    for name, text in pages.items():
        (tmp_path / f"{name}.html").write_text(text)
    return links.check(tmp_path)


@pytest.mark.parametrize(
    "page, said",
    [
        ('<a href="b.html">', "ends nowhere"),
        ('<a href="#b">', "anchor that is not there"),
        ('<p id="b"><p id="b">', "two anchors"),
        ('<img src="https://example.org/a.png">', "loads"),
        ('<link href="//example.org/a.css">', "loads"),
        ('<img src="a.png">', "is not there"),
    ],
)
def test_dead_links_and_foreign_files_are_found(tmp_path, page, said):
    [complaint] = complaints_of(tmp_path, a=page)
    assert said in complaint


def test_good_links_pass(tmp_path):
    text = '<a href="b.html#c">x</a> <a href="https://example.org">y</a> <img src="data:image/png;base64,">'
    assert complaints_of(tmp_path, a=text, b='<p id="c">') == []


def test_what_cannot_be_converted_is_an_error():
    assert "<mfrac>" in formulas.mathml(r"\tfrac{1}{\alpha}")
    with pytest.raises(ValueError, match="unknowncommand"):
        formulas.mathml(r"\unknowncommand{x}")
    with pytest.raises(ValueError, match="left over"):
        markdown.render("a $ b", markdown.Names(), formulas=True)
    assert markdown.render("[nobody1999nothing]", markdown.Names()).unknown == ["nobody1999nothing"]


def test_long_statements_are_broken_outside_of_groups():
    long = r"a_1 + a_2 + a_3 + a_4 + a_5 + a_6 + a_7 + a_8 + a_9 + b_1 + b_2 + b_3 = 0"
    assert formulas.lines(rf"{long} \quad {long}") == [long, long]
    assert formulas.lines(rf"{long} \text{{if \quad so}}") == [rf"{long} \text{{if \quad so}}"]
    assert formulas.lines(r"a \quad b") == [r"a \quad b"]


def test_sections_of_docstrings():
    text = (
        "One line.\n\nArguments:\n  `a`: a number,\n    or two.\n  `b`: another.\nReturns: it,\n  in words.\nErrors: 0."
    )
    html = markdown.render(markdown.from_docstring(text), markdown.Names()).html
    assert html.count("<li>") == 2 and "or two." in html
    for section in ("Arguments", "Returns", "Errors"):
        assert f"<strong>{section}.</strong>" in html
    assert "<p><strong>Returns.</strong> it,\nin words.</p>" in html


def test_names_become_links():
    names = markdown.Names({"a2020b": ("references.html#a2020b", "A")}, {"solve_limit": "limit.html#ht.solve_limit"})
    names.code["ham.ito-drift"] = "ledger.html#ham.ito-drift"
    text = "`ht.solve_limit(problem, geo)` and [a2020b], `solve_limits`, `theta`, `ham.ito-drift`, `ham.ito-drift-2`"
    html = markdown.render(text, names).html
    assert html.count("<a ") == 3 and 'href="limit.html#ht.solve_limit"' in html and '#ham.ito-drift"' in html


def test_references_are_read_whole():
    path = site.ROOT / "references.bib"
    entries = bibliography.read(path)
    assert len(entries) == path.read_text().count("\n@")
    for key, entry in entries.items():
        assert entry.get("author") and entry.get("title"), key
        assert not re.search(r"[{}\\]", bibliography.html(key, entry)), key


@pytest.mark.parametrize(
    "printed, shown, agree",
    [
        ("norm 6.47 at 2e-08", "norm 6.47 at 3e-08", True),
        ("norm 6.48", "norm 6.47", True),
        ("norm 6.52", "norm 6.47", False),
        ("gap 1e-17", "gap 1e-9", False),
        ("gap 1", "distance 1", False),
        ("1 2", "1", False),
    ],
)
def test_outputs_are_compared_in_the_digits_that_are_shown(printed, shown, agree):
    assert code.same(printed, shown) is agree


@pytest.mark.parametrize(
    "command, said",
    [
        ("hamtheory limit data.npz --alpha 100", None),
        ("hamtheory limit data.npz --alfa 100", "alfa"),
        ("hamtheory nothing", "unknown command"),
        ("make figures", None),
        ("make nothing", "no target nothing"),
        ("python -m experiments duel", None),
        ("python -m experiments nothing", "there is no nothing"),
        ("python -m experiments.duel", None),
        ("python -m experiments.nothing", "no module"),
    ],
)
def test_commands_are_read(command, said):
    found = code.commands(f"```\n{command}    # a note\n```\n")
    assert bool(found) is bool(said)
    assert not said or said in found[0]


def test_a_page_whose_code_fails_says_where(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A page\n\n```python\na = 1\n```\n\n```python\nprint(a + b)\n```\n")
    [complaint] = code.execute(page)
    assert "line 8" in complaint and "NameError" in complaint
    page.write_text("```python\nprint(6.5)\n```\n\n```\n7.5\n```\n")
    assert "the output is another" in code.execute(page)[0]
