"""What a caption claims, and what each claim rests on: a piece of it, `{piece}(id, ...)`, in the caption itself.

The ids are those of entries of the ledger that state it; or one that begins with the figure's name, of what was
measured and no theorem states. Tests say which ids they hold, by the marker `claim`: what was measured has one
at least.
"""

import ast
import importlib
import re
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import NamedTuple

from . import NAMES

ROOT = Path(__file__).resolve().parent.parent
_PIECE = re.compile(r"\{([^{}]+)\}\(([^()]+)\)")


class Claim(NamedTuple):
    """A piece of a caption that could be false.

    Attributes:
        says: The piece, verbatim.
        ids: What it rests on.
        before: The rest of its sentence, before it.
        after: The rest of its sentence, after it.
    """

    says: str
    ids: tuple[str, ...]
    before: str
    after: str

    def is_measured(self, figure: str) -> bool:
        """Whether no theorem states it."""
        return self.ids[0].startswith(f"{figure}.")


def caption_of(name: str) -> str:
    """The caption of a figure, as it is read."""
    return _plain(_marked(name))


@cache
def claims_of(name: str) -> tuple[Claim, ...]:
    """The claims of a figure, in the order of its caption."""
    found, marked = [], _marked(name)
    for piece in _PIECE.finditer(marked):
        before, after = _plain(marked[: piece.start()]), _plain(marked[piece.end() :])
        text = before + piece[1] + after
        stop = text.find(". ", len(before) + len(piece[1]) - 1)
        end = text[len(before) + len(piece[1]) : stop + 1 if stop >= 0 else None]
        found.append(Claim(piece[1], tuple(piece[2].split(", ")), before[before.rfind(". ") + 1 :].lstrip(), end))
    return tuple(found)


def figures_of(key: str) -> list[str]:
    """The figures that claim what an entry of the ledger states, in the order of the index page."""
    return [name for name in NAMES if any(key in claim.ids for claim in claims_of(name))]


@cache
def checks() -> dict[str, tuple[str, ...]]:
    """The tests that hold what has an id, as pytest takes them from the root of the repository."""
    found = defaultdict(list)
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        functions = [node for node in ast.parse(file.read_text("utf-8")).body if isinstance(node, ast.FunctionDef)]
        for node in functions:
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.claim":
                    for argument in mark.args:
                        found[ast.literal_eval(argument)].append(f"{file.relative_to(ROOT).as_posix()}::{node.name}")
    return {key: tuple(tests) for key, tests in found.items()}


def _marked(name: str) -> str:
    return importlib.import_module(f".{name}", __package__).CAPTION


def _plain(marked: str) -> str:
    return _PIECE.sub(r"\1", marked)
