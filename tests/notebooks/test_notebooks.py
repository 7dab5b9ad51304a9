"""The notebooks run from top to bottom, open with a picture, and name theorems that there are."""

import ast
import re

import pytest

pytest.importorskip("markdown_it", reason="the extra `docs` is not installed: make docs")
pytest.importorskip("latex2mathml", reason="the extra `docs` is not installed: make docs")

import jax

import hamtheory as ht
from docs import notebooks

PATHS = notebooks.files()
HEADER = "# ---\n# jupyter:\n#   jupytext:\n#     text_representation:\n#       format_name: percent\n# ---\n\n"
TOPICS = "|".join(sorted({key.partition(".")[0] for key in ht.theorem.ledger()}))
_LONG = ("3_", "4_", "5_")
_MARKS = [pytest.mark.slow if path.stem.startswith(_LONG) else () for path in PATHS]
each = pytest.mark.parametrize(
    "path", [pytest.param(path, marks=marks, id=path.stem) for path, marks in zip(PATHS, _MARKS, strict=True)]
)


def is_setup(source):
    """Whether a cell only imports, configures JAX and reads the variable that makes the notebook small."""
    return all(
        isinstance(node, ast.Import | ast.ImportFrom)
        or re.fullmatch(r"jax\.config\.update\(.*\)|SMOKE = .*", ast.unparse(node))
        for node in ast.parse(source).body
    )


def draws(source):
    return "plt.subplots(" in source or "plt.figure(" in source


def test_there_are_five():
    assert [path.stem[:2] for path in PATHS] == ["1_", "2_", "3_", "4_", "5_"]


@each
def test_runs_without_a_warning_and_opens_with_a_picture(path, tmp_path, monkeypatch):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(jax.config.jax_compilation_cache_dir))
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")
    outputs, complaints = notebooks.execute_apart(path, tmp_path, smoke=True)
    assert complaints == []
    found = notebooks.cells(path.read_text())
    code = [number for number, cell in enumerate(found) if not cell.markdown]
    assert list(outputs) == code
    first = next(number for number in code if not is_setup(found[number].source))
    assert outputs[first].figures and all((tmp_path / name).stat().st_size > 10_000 for name in outputs[first].figures)
    for number in code:
        assert bool(outputs[number].figures) == draws(found[number].source)
        assert len(outputs[number].printed.splitlines()) <= 6
    assert sum(len(output.printed) for output in outputs.values()) > 0


@each
def test_is_a_short_story_in_the_percent_format(path):
    text = path.read_text()
    found = notebooks.cells(text)
    assert notebooks.title(path) and len(found[0].source.splitlines()) <= 8
    assert len([line for line in text.splitlines() if line]) <= 150
    assert sum("SMOKE = " in cell.source for cell in found) == 1
    assert sum(line.count("assert ") for cell in found if not cell.markdown for line in cell.source.splitlines()) >= 4
    for cell in found:
        if not cell.markdown:
            ast.parse(cell.source)
    prose = "\n".join(cell.source for cell in found if cell.markdown)
    assert re.search(r"\b[Pp]roved\b", prose) and re.search(r"\b[Ss]een\b", prose)


@each
def test_names_theorems_that_there_are(path):
    prose = "\n".join(cell.source for cell in notebooks.cells(path.read_text()) if cell.markdown)
    named = re.findall(rf"`((?:{TOPICS})\.[a-z0-9-]+)`", prose)
    assert named and set(named) <= set(ht.theorem.ledger())


def test_cells_are_read():
    text = HEADER + "# %% [markdown]\n# # A title\n#\n# Text.\n\n# %%\na = 1  # %% no mark\n\nb = 2\n\n"
    assert notebooks.cells(text) == [(9, True, "# A title\n\nText."), (14, False, "a = 1  # %% no mark\n\nb = 2")]


@pytest.mark.parametrize(
    "text, said",
    [
        ("# %%\na = 1\n", "line 1: the header"),
        ("# ---\n# jupyter:\n# ---\n\n# %%\na = 1\n", "format_name: percent"),
        (HEADER + "a = 1\n\n# %%\nb = 1\n", "line 8: text before the first cell"),
        (HEADER + "# %%markdown\n# b\n", "line 8: a cell begins with"),
        (HEADER + "# %% [markdown]\nb\n", "line 9: a line of Markdown"),
        (HEADER + "# %%\n\n# %%\na = 1\n", "line 8: an empty cell"),
    ],
)
def test_what_is_no_notebook_is_refused(text, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        notebooks.cells(text)


@pytest.mark.parametrize(
    "code, said",
    [
        ("a = 1\n\n\nassert a == 2\n", "line 11: AssertionError  in  assert a == 2"),
        ("import warnings\nwarnings.warn('so so')\n", "line 9: UserWarning: so so"),
        ("def f():\n    return g()\n\n\nf()\n", "line 9: NameError: name 'g' is not defined"),
        ("a = = 1\n", "line 8: SyntaxError"),
    ],
)
def test_a_notebook_that_fails_says_where(code, said, tmp_path):
    path = tmp_path / "story.py"
    path.write_text(HEADER[:-1] + "# %%\n" + code)
    with pytest.raises(RuntimeError, match=re.escape(said)):
        notebooks.execute(path, tmp_path)


def test_what_it_prints_and_draws_is_kept(tmp_path):
    path = tmp_path / "story.py"
    path.write_text(
        HEADER + "# %% [markdown]\n# # A\n\n# %%\nprint('one')\n\n# %%\nimport matplotlib.pyplot as plt\n\n"
        "figure, axes = plt.subplots()\nplt.show()\n"
    )
    outputs = notebooks.execute(path, tmp_path)
    assert outputs == {1: ("one\n", []), 2: ("", ["2-0.png"])}
    assert (tmp_path / "2-0.png").read_bytes().startswith(b"\x89PNG")
