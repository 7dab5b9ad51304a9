"""`hamtheory verify`. Nothing heavy is imported before there is work to do."""

import dataclasses
import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import tyro

from . import _names

if TYPE_CHECKING:
    from ..theorem import Verdict

_LABELS = ("proved", "proved in a special case", "checked numerically")
_HEAD = f"{'theorem':34s} {'worst error':>12s} {'tolerance':>10s} {'caught':>7s} {'s':>6s}"


@dataclass(frozen=True)
class Verify:
    description: ClassVar[str] = f"""{_names.Verify.description}

An entry holds if all steps of its derivation simplify to zero, if its error stays
within the tolerance on random instances, and if it does not once a hypothesis is
left out; with --mutations, if each false version of it is caught too, and if numbers
refute a step of the derivation of one at least. What is behind "proved in a special
case" is all that the derivation shows: of the rest there is the check alone.

examples:
  hamtheory verify
  hamtheory verify geometry ham.flow --seeds 20
  hamtheory verify --mutations --json > ledger.json

Exit code 0: all of them hold. Exit code 1: one does not. Exit code 2: bad input."""

    ids: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="[ID ...]", help_behavior_hint="")] = ()
    """Entries, or topics; all of them if there is none."""
    seeds: int = 3
    """How many random instances of each."""
    seed: int = 0
    """The first one's."""
    mutations: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """Also make each statement false, and see that this is caught."""
    json: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """Print the verdicts as JSON."""
    quiet: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """No progress bar."""

    def run(self, words: list[str]) -> int:
        """Do what the command line `words` asks for: 0, or 1 if an entry does not hold."""
        from ..theorem import verdicts

        how = {"seeds": self.seeds, "mutations": self.mutations, "first_seed": self.seed, "progress": not self.quiet}
        found: list[Verdict] = []
        for verdict in verdicts(self.ids, **how):
            if not self.json:
                print("\n".join(([] if found else [_HEAD, "-" * len(_HEAD)]) + [_line(verdict)]), flush=True)
            found.append(verdict)
        if self.json:
            print(json.dumps([dataclasses.asdict(v) | {"holds": v.holds} for v in found], indent=1))
        else:
            print(_summary(found))
        wrong = [verdict for verdict in found if not verdict.holds]
        for verdict in wrong:
            print(f"error: {verdict.id}: {_reason(verdict)}", file=sys.stderr)
        return 1 if wrong else 0


def _line(verdict: "Verdict") -> str:
    caught = "" if verdict.caught is None else f"{verdict.caught}/{verdict.mutations}"
    known = verdict.label + (f": {verdict.special}" if verdict.label == "proved in a special case" else "")
    note = {"erratum": "; the source has an erratum", "false": "; false as published"}.get(verdict.as_published, "")
    return (
        f"{verdict.id:34s} {verdict.error:12.1e} {verdict.tolerance:10.0e} {caught:>7s} "
        f"{verdict.seconds:6.1f}  {'holds' if verdict.holds else 'FAILS'}, {known}{note}"
    )


def _summary(found: list["Verdict"]) -> str:
    holding = [verdict for verdict in found if verdict.holds]
    known = ", ".join(f"{sum(verdict.label == label for verdict in holding)} {label}" for label in _LABELS)
    errata, false = (sum(verdict.as_published == what for verdict in found) for what in ("erratum", "false"))
    seconds = sum(verdict.seconds for verdict in found)
    return (
        f"{len(holding)} of {len(found)} hold: {known}; "
        f"{errata} correct an erratum, {false} what is false as published; {seconds:.0f} s"
    )


def _reason(verdict: "Verdict") -> str:
    if verdict.failed_step and not verdict.steps:
        return f"it {verdict.failed_step}"
    if verdict.failed_step:
        return f"the step {verdict.failed_step!r} of its derivation does not simplify to zero"
    if verdict.error > verdict.tolerance:
        return f"its error is {verdict.error:.2e}, above {verdict.tolerance:.0e}"
    if verdict.error_without <= verdict.tolerance:
        return "its check passes without one of the hypotheses"
    if verdict.escaped:
        return f"its check passes for the false statement {verdict.escaped[0]!r}"
    return "no number refutes the proof of any of its false versions"
