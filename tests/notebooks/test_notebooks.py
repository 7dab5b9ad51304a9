"""The notebooks run from top to bottom, open with a picture, and name theorems that there are."""

import ast
import base64
import gc
import re
import warnings

import pytest

pytest.importorskip("mkdocs_bibtex", reason="the extra `docs` is not installed: make docs")

import jax
import jupytext
from nbclient.exceptions import CellExecutionError

import hamtheory as ht
from docs import hooks

PATHS = list(hooks.NOTEBOOKS)
HEADER = "# ---\n# jupyter:\n#   jupytext:\n#     text_representation:\n#       format_name: percent\n# ---\n\n"
TOPICS = "|".join(sorted({key.partition(".")[0] for key in ht.theorem.ledger()}))
each = pytest.mark.parametrize("path", PATHS, ids=[path.stem for path in PATHS])
LONG = [pytest.mark.slow if path.stem.startswith(("2_", "3_", "4_", "5_")) else () for path in PATHS]


@pytest.fixture
def closed():
    """What the kernel's client leaves open is collected here, where nobody minds."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def cells(path, kind):
    return [cell for cell in jupytext.read(path).cells if cell.cell_type == kind]


def pictures(cell):
    return [output.data["image/png"] for output in cell.outputs if "image/png" in output.get("data", {})]


def printed(cell):
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


def is_setup(source):
    """Whether a cell only imports, configures JAX and reads the variable that makes the notebook small."""
    return all(
        isinstance(node, ast.Import | ast.ImportFrom)
        or re.fullmatch(r"jax\.config\.update\(.*\)|SMOKE = .*", ast.unparse(node))
        for node in ast.parse(source).body
    )


def test_there_are_five():
    assert [path.stem[:2] for path in PATHS] == ["1_", "2_", "3_", "4_", "5_"]


@pytest.mark.usefixtures("closed")
@pytest.mark.parametrize(
    "path", [pytest.param(path, marks=marks, id=path.stem) for path, marks in zip(PATHS, LONG, strict=True)]
)
def test_runs_without_a_warning_and_opens_with_a_picture(path, monkeypatch):
    monkeypatch.setenv("HAMTHEORY_SMOKE", "1")
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(jax.config.jax_compilation_cache_dir))
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")
    code = [cell for cell in hooks.executed(path).cells if cell.cell_type == "code"]
    first = next(cell for cell in code if not is_setup(cell.source))
    assert pictures(first) and all(len(base64.b64decode(png)) > 10_000 for png in pictures(first))
    for cell in code:
        assert bool(pictures(cell)) == ("plt.subplots(" in cell.source or "plt.figure(" in cell.source)
        assert len(printed(cell).splitlines()) <= 6
    assert any(printed(cell) for cell in code)


@each
def test_is_a_short_story_in_the_percent_format(path):
    text, first = path.read_text(), jupytext.read(path).cells[0]
    assert text.startswith("# ---\n") and "format_name: percent" in text
    assert first.cell_type == "markdown" and first.source.startswith("# ") and len(first.source.splitlines()) <= 8
    assert len([line for line in text.splitlines() if line]) <= 150
    assert sum("SMOKE = " in cell.source for cell in cells(path, "code")) == 1
    assert sum(line.count("assert ") for cell in cells(path, "code") for line in cell.source.splitlines()) >= 4
    prose = "\n".join(cell.source for cell in cells(path, "markdown"))
    assert re.search(r"\b[Pp]roved\b", prose) and re.search(r"\b[Ss]een\b", prose)


@each
def test_names_theorems_that_there_are(path):
    prose = "\n".join(cell.source for cell in cells(path, "markdown"))
    named = re.findall(rf"`((?:{TOPICS})\.[a-z0-9-]+)`", prose)
    assert named and set(named) <= set(ht.theorem.ledger())


@pytest.mark.usefixtures("closed")
@pytest.mark.parametrize(
    "code, said",
    [
        ("a = 1\n\n\nassert a == 2\n", "AssertionError"),
        ("import warnings\nwarnings.warn('so so')\n", "so so"),
    ],
)
def test_a_notebook_that_fails_or_warns_is_an_error(code, said, tmp_path):
    path = tmp_path / "story.py"
    path.write_text(HEADER + "# %%\n" + code)
    with pytest.raises(CellExecutionError, match=said):
        hooks.executed(path)
