"""The site builds without a warning, holds everything public, loads nothing from elsewhere, and can be searched."""

import re
from collections import Counter
from html.parser import HTMLParser

import chromium
import pytest

pytest.importorskip("mkdocs_bibtex", reason="the extra `docs` is not installed: make docs")

from markdown import Markdown
from mkdocs.commands.build import build
from mkdocs.config import load_config

import hamtheory as ht
from docs import formulas, hooks
from figures import NAMES as FIGURES
from figures._claim import checks, claims_of

QUESTIONS = sorted(hooks.HERE.glob("questions/[0-9]*.md"))


class Page(HTMLParser):
    """The anchors of a page, its links, and what it loads."""

    def __init__(self, text):
        super().__init__()
        self.anchors, self.links, self.loaded = set(), set(), set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.anchors.add(found.get("id"))
        self.links.add(found.get("href") if tag == "a" else None)
        self.loaded.add(found.get("href") if tag == "link" else None if tag == "a" else found.get("src"))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the site, without notebooks and proofs executed; a warning stops it, as it does `make docs`."""
    config = load_config(str(hooks.ROOT / "mkdocs.yml"), site_dir=str(tmp_path_factory.mktemp("site")))
    config.extra["execute"] = False
    config.plugins.on_startup(command="build", dirty=False)
    build(config)
    return type(hooks.ROOT)(config.site_dir)


@pytest.fixture(scope="module")
def pages(site):
    return {path.relative_to(site).as_posix(): Page(path.read_text()) for path in site.rglob("*.html")}


@pytest.mark.slow
def test_all_pages_are_there(pages):
    generated = {f"{name}.html" for name in ("interactive", "gallery", "ledger", "cli", "references", "404")}
    generated |= {f"reference/{room}.html" for room in (*hooks.ROOMS, "torch")}
    assert set(pages) == generated | {
        uri.replace(".md", ".html") for uri in [*hooks.TEXTS.values(), *hooks.NOTEBOOKS.values()]
    }


@pytest.mark.slow
def test_nothing_is_loaded_from_elsewhere(site, pages):
    for name, page in pages.items():
        assert not [address for address in page.loaded if re.match(r"(https?:)?//", address or "")], name
    for path in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*[\"']?(https?:)?//", path.read_text()), path


@pytest.mark.slow
def test_every_public_name_is_in_the_reference(pages):
    listed = {name.written for room in hooks.ROOMS for name in hooks.names(room)}
    assert listed >= {f"ht.{name}" for name in dir(ht) if not isinstance(getattr(ht, name), type(ht))}
    for room in hooks.ROOMS:
        for name in hooks.names(room):
            assert {name.written, name.path} <= pages[f"reference/{room}.html"].anchors, name
    of_torch = {f"hamtheory.torch.{name}" for name in hooks.OF_TORCH}
    assert "hamtheory.torch.HAM" in of_torch and of_torch <= pages["reference/torch.html"].anchors
    assert "../reference/torch.html#hamtheory.torch.HAM" in pages["guide/training.html"].links


@pytest.mark.slow
def test_theorems_figures_and_claims_link_each_other(pages):
    gallery, ledger = pages["gallery.html"], pages["ledger.html"]
    assert ledger.anchors >= set(ht.theorem.ledger()) and gallery.anchors >= set(FIGURES)
    for name in FIGURES:
        for claim in claims_of(name):
            assert ledger.anchors >= set(claim.ids) and f"gallery.html#{name}" in ledger.links
            assert gallery.links >= {f"ledger.html#{key}" for key in claim.ids}


def test_the_ledger_says_how_each_is_known():
    theorems = ht.theorem.ledger()
    text = hooks._rendered("ledger", proofs={key: [] for key in theorems}, verdicts={}, keys="none")
    labels, published = (Counter(getattr(t, name) for t in theorems.values()) for name in ("label", "as_published"))
    intro = " ".join(text.partition("| theorem |")[0].split())
    assert f"{len(theorems)} statements: {labels['proved']} are proved symbolically, " in intro
    assert f" {labels['proved in a special case']} in a special case, which is named, " in intro
    assert f" and {labels['checked numerically']} are checked alone. {published['erratum']} correct an erratum" in intro
    assert f" and {published['false']} what is false as published; {published['own']} are our own, " in intro
    for key, theorem in theorems.items():
        [row] = [line.split(" | ") for line in text.splitlines() if line.startswith(f"| [`{key}`]")]
        special = (theorem.special or "").replace("|", "&#124;")
        assert row[2] == theorem.label + (f": {special}" if special else "")
        assert row[4].strip("*| ") == theorem.as_published


@pytest.mark.slow
def test_the_ledger_names_the_tests_of_what_was_measured(site):
    text = (site / "ledger.html").read_text()
    for name in FIGURES:
        for claim in claims_of(name):
            if claim.is_measured(name):
                assert all(test.rpartition("::")[2] in text for test in checks()[claim.ids[0]])


@pytest.mark.slow
def test_all_formulas_have_been_converted(site):
    assert (site / "ledger.html").read_text().count("<math") > len(ht.theorem.ledger())
    assert not [path for path in site.rglob("*.html") if 'class="arithmatex"' in path.read_text()]


@pytest.mark.slow
@pytest.mark.skipif(chromium.program() is None, reason="no Chromium or Chrome found (Debian: apt install chromium)")
def test_the_search_box_works_from_a_file(site):
    with chromium.browser() as tab:
        tab.open(site / "index.html", "?q=duality+gap")
        tab.wait("document.querySelectorAll('.md-search-result__link').length > 3")
        assert not [
            address for address in tab.requests if not address.startswith(("file:", "data:", "about:", "blob:"))
        ]


def test_names_and_keys_become_links(caplog):
    links = hooks.Links({"a2020b": ("a2020b", "A | B"), "F1": ("flows", "F")}, {"solve_limit": "ht.solve_limit"})
    text = "`ht.solve_limit(problem, geo)`, [a2020b], [F1], `solve_limits`, `theta`, [`solve_limit`](x.html)"
    html = Markdown(extensions=[links]).convert(text)
    assert re.findall(r'identifier="([^"]*)"', html) == ["ht.solve_limit", "a2020b", "flows"]
    Markdown(extensions=[links]).convert("[nobody1999nothing]")
    assert "nobody1999nothing" in caplog.text


def test_what_cannot_be_converted_is_an_error():
    assert "<mfrac>" in formulas.mathml(r"\tfrac{1}{\alpha}")
    with pytest.raises(ValueError, match="unknowncommand"):
        formulas.mathml(r"\unknowncommand{x}")


def test_long_statements_are_broken_outside_of_groups():
    long = r"a_1 + a_2 + a_3 + a_4 + a_5 + a_6 + a_7 + a_8 + a_9 + b_1 + b_2 + b_3 = 0"
    assert formulas.lines(rf"{long} \quad {long}") == [long, long]
    assert formulas.lines(rf"{long} \text{{if \quad so}}") == [rf"{long} \text{{if \quad so}}"]
    assert formulas.lines(r"a \quad b") == [r"a \quad b"]


def test_questions_are_eight_and_have_all_parts():
    assert len(QUESTIONS) == 8
    for path in QUESTIONS:
        text = path.read_text()
        for part in ("**The question.**", "**The experiment.**", "python -m experiments", "**The figure", "![",
                     "## The answer", "## The evidence", "## What remains open"):  # fmt: skip
            assert part in text, (path.name, part)


@pytest.mark.slow
def test_what_numbers_are_is_not_shown(site):
    text = (site / "questions" / "2-noise.html").read_text()
    assert "3.6 after" in text and "label_noise.hyp_star" not in text


def test_tests_and_theorems_that_questions_name_are_there():
    theorems = ht.theorem.ledger()
    topics = "|".join({key.split(".")[0] for key in theorems} - {"flow", "geometry", "signs"})  # those are modules, too
    for path in QUESTIONS:
        for key in re.findall(rf"`((?:{topics})\.[\w-]+)`", path.read_text()):
            assert key in theorems, (path.name, key)
        for name in re.findall(r"`((?:tests/\w+/)?test_\w+\.py)`", path.read_text()):
            assert list(hooks.ROOT.glob(name if "/" in name else f"tests/*/{name}")), (path.name, name)
        for name in re.findall(r"`(test_\w+)`", path.read_text()):
            assert any(f"def {name}(" in test.read_text() for test in hooks.ROOT.glob("tests/experiments/*.py")), name


def test_a_glossary_of_the_standard_terms():
    rows = [line for line in (hooks.HERE / "glossary.md").read_text().splitlines() if line.startswith("| ")]
    terms = [line.split("|")[1].strip() for line in rows if "---" not in line and not line.startswith("| term")]
    assert 25 <= len(terms) <= 45 and len(set(terms)) == len(terms)
