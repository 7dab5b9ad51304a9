"""`hamtheory reproduce`. Nothing heavy is imported before there is work to do."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import tyro

from . import _names

if TYPE_CHECKING:
    from ..reproduce import Reproduced


@dataclass(frozen=True)
class Reproduce:
    description: ClassVar[str] = f"""{_names.Reproduce.description}

Each has its source, its set-up with what of it the source states, the claim, our numbers beside theirs, a figure and a
verdict that is computed: reproduced, differs, or set-up not stated. What was computed with the same code before is not
computed again.

examples:
  hamtheory reproduce --list
  hamtheory reproduce
  hamtheory reproduce woodworth-error even2023sgd --out reproduced

Exit code 0: all were computed, whatever the verdicts. Exit code 1: one could not be. Exit code 2: bad input."""

    names: Annotated[
        tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="[NAME ...]", help_behavior_hint="")
    ] = ()
    """Reproductions, or sources by their keys; all of them if there is none."""
    out: Annotated[Path, tyro.conf.arg(metavar="PATH")] = Path("reproduced")
    """The folder of the numbers, the figures and the pages."""
    list: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """List the reproductions, and compute nothing."""
    full: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """With all instances and seeds."""
    smoke: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """In seconds, to try."""
    quiet: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """No progress bar."""

    def run(self, words: "list[str]") -> int:
        """Do what the command line `words` asks for: 0, or 1 if one could not be computed."""
        if self.full and self.smoke:
            raise ValueError("full and smoke exclude each other: give one of them")
        from ..reproduce import gallery, reproduce

        if self.list:
            for one in gallery().values():
                print(f"{one.name:22s} {one.source:28s} {one.place:32s} {one.title}")
            return 0
        scale = "full" if self.full else "smoke" if self.smoke else "default"
        made = reproduce(self.names, out=self.out, scale=scale, progress=not self.quiet)
        print("\n".join([f"{'figure':22s} {'s':>6s}  {'compared with':20s}  verdict", *map(_line, made)]))
        print(f"{_counts(made)}; {self.out / 'index.html'}")
        failed = [one for one in made if one.failure]
        for one in failed:
            print(f"error: {one.reproduction.name}: {one.failure}", file=sys.stderr)
        return 1 if failed else 0


def _line(one: "Reproduced") -> str:
    because = one.failure or (one.verdict.because if one.verdict else "")
    compared = one.verdict.compared if one.verdict else ""
    head = f"{one.reproduction.name:22s} {one.seconds:6.1f}  {compared:20s}  {one.outcome}"
    return f"{head}: {because}" if because else head


def _counts(made: "list[Reproduced]") -> str:
    outcomes = [one.outcome for one in made]
    return ", ".join(f"{outcomes.count(outcome)} {outcome}" for outcome in dict.fromkeys(outcomes))
