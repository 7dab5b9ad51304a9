"""Examples run as a reader runs them: in float32, unless they switch float64 on; those of a page in a row."""

import contextlib
import importlib.util
import io
import math
import re
import shlex
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path

import jax
import pytest
from sybil import Document, Example, Region, Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown.lexers import FencedCodeBlockLexer

_READER = {"jax_enable_x64": False, "jax_numpy_rank_promotion": "allow", "jax_numpy_dtype_promotion": "standard"}
# What needs PyTorch is run by an interpreter that has it: tests/torch, and the blocks of pages that import it.
collect_ignore = ["hamtheory/torch.py", "tests/torch/checks.py"]
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")


@contextlib.contextmanager
def _as_a_reader():
    before = {name: getattr(jax.config, name) for name in _READER}
    for name, value in _READER.items():
        jax.config.update(name, value)
    yield
    for name, value in before.items():
        jax.config.update(name, value)


@pytest.fixture(autouse=True)
def _docstring(request):
    with _as_a_reader() if isinstance(request.node, pytest.DoctestItem) else contextlib.nullcontext():
        yield


def same(printed: str, shown: str) -> bool:
    """Whether words agree, numbers in the digits that are shown, and those with an exponent, errors, in their order."""
    if _NUMBER.sub("#", printed).split() != _NUMBER.sub("#", shown).split():
        return False
    for got, want in zip(_NUMBER.findall(printed), _NUMBER.findall(shown), strict=True):
        digits = len(want.partition(".")[2])
        if "e" in want and float(got) and not 1e-3 < abs(float(got) / float(want)) < 1e3:
            return False
        if "e" not in want and not math.isclose(float(got), float(want), abs_tol=1.5 * 10.0**-digits):
            return False
    return True


def _python(example: Example) -> None:
    if "import torch" in example.parsed:
        return
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        try:
            PythonEvaluator()(example)
        except Exception:  # as text: Sybil cannot show one that has a cause
            raise AssertionError(traceback.format_exc()) from None
    example.namespace["printed"] = printed.getvalue()


def _shown(example: Example) -> None:
    """What the block before has printed; or commands, which are not run, but must be there."""
    printed = example.namespace.pop("printed", "")
    if printed:
        assert same(printed, example.parsed), printed
        return
    for line in re.findall(r"^(?:\.venv/bin/)?((?:hamtheory|make|python) .*)$", example.parsed, re.M):
        match shlex.split(line, comments=True):
            case ["hamtheory", *words]:
                importlib.import_module("hamtheory.cli").parse(words)  # not before the tests check its types
            case ["make", *targets]:
                made = (Path(__file__).parent / "Makefile").read_text(encoding="utf-8")
                assert all("=" in target or f"\n{target}:" in made for target in targets), line
            case ["python", "-m", "experiments" | "figures" as folder, name, *_]:
                assert name == "all" or name.startswith("--") or importlib.util.find_spec(f"{folder}.{name}"), line
            case ["python", "-m", module, *_]:
                assert importlib.util.find_spec(module), line


def _blocks(document: Document) -> Iterator[Region]:
    """The blocks of Python, and those without a language."""
    for region in FencedCodeBlockLexer("python|", mapping={"language": "language", "source": "source"})(document):
        region.parsed = region.lexemes["source"]
        region.evaluator = _python if region.lexemes["language"] else _shown
        yield region


def _open(namespace: dict) -> None:
    stack = namespace["leave"] = contextlib.ExitStack()
    stack.enter_context(_as_a_reader())
    stack.enter_context(contextlib.chdir(stack.enter_context(tempfile.TemporaryDirectory())))


pytest_collect_file = Sybil(
    parsers=[_blocks],
    patterns=["README.md", "CONTRIBUTING.md", "docs/*.md", "docs/*/*.md"],
    setup=_open,
    teardown=lambda namespace: namespace["leave"].close(),
).pytest()


def pytest_collection_modifyitems(items):
    """Pages of the documentation train networks and sweep: the front page alone is for every run."""
    for item in items:
        if item.path.suffix == ".md" and "docs" in item.path.parts:
            item.add_marker(pytest.mark.slow)
