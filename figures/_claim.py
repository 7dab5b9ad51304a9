"""What a caption claims, and what each claim rests on."""

import importlib
from collections.abc import Mapping
from typing import NamedTuple

from . import NAMES, dataset_of


class Claim(NamedTuple):
    """A piece of a caption that could be false. It rests on theorems, or else was measured.

    Fields:
      `says`: the piece, verbatim.
      `theorems`: the ids of the entries of the ledger that state it. None: it was measured, no theorem states it.
      `id`: of what was measured, `figure.name`.
      `tests`: what asserts it of data: functions of the figure's file in `tests/experiments/`, or `path::function`.
        What was measured has one at least.
    """

    says: str
    theorems: tuple[str, ...] = ()
    id: str = ""
    tests: tuple[str, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        """Where it is found in the ledger."""
        return self.theorems or (self.id,)

    def context(self, caption: str) -> tuple[str, str]:
        """What comes before and after it in its sentence."""
        begin = caption.index(self.says)
        end = begin + len(self.says)
        stop = caption.find(". ", end - 1)
        return caption[caption[:begin].rfind(". ") + 1 : begin].lstrip(), caption[end : stop + 1 if stop >= 0 else None]

    def checks(self, figure: str) -> tuple[str, ...]:
        """Its tests, as pytest takes them from the root of the repository."""
        home = f"tests/experiments/test_{dataset_of(figure)}.py"
        return tuple(test if "::" in test else f"{home}::{test}" for test in self.tests)


def claims() -> dict[str, tuple[Claim, ...]]:
    """The claims of every figure, by its name, in the order of the index page."""
    return {name: importlib.import_module(f".{name}", __package__).CLAIMS for name in NAMES}


def measured(found: Mapping[str, tuple[Claim, ...]]) -> dict[str, list[Claim]]:
    """Of all claims those that no theorem states, by figure; figures without any are left out."""
    chosen = {name: [claim for claim in own if not claim.theorems] for name, own in found.items()}
    return {name: own for name, own in chosen.items() if own}
