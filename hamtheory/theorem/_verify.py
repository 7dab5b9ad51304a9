"""Verification: every proof simplified to zero, every check on fresh random instances."""

import math
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import tqdm

from .._validate import count
from ._ledger import chosen
from ._theorem import Theorem, is_refuted, is_zero


@dataclass(frozen=True)
class Verdict:
    """What verification found of an entry.

    Attributes:
        id: That of the entry.
        title: That of the entry.
        source: That of the entry.
        as_published: That of the entry: "yes", "in part", "own", "erratum" or "false".
        label: That of the entry, "proved", "proved in a special case" or "checked numerically"; "not proved" if one of
            its `steps` did not simplify to 0, the one in `failed_step`.
        special: The special case of the statement that is proved; None if the proof is of all of it, or there is none.
        steps: The number of steps of the derivation.
        failed_step: What the step says that did not simplify to 0, or what was raised; None if there is none.
        seeds: The number of instances.
        error: The worst over them; it holds if that is at most `tolerance`.
        tolerance: That of the entry.
        error_without: The worst error without a hypothesis.
        mutations: Their number.
        caught: Of how many mutations the check fails; None if not asked for.
        escaped: The names of the others.
        refuted: Of how many mutations numbers show that a step of the proof is false; None if not asked for, or
            without a proof. (A step that merely does not simplify shows nothing.)
        seconds: Of time.
    """

    id: str
    title: str
    source: str
    as_published: str
    label: str
    special: str | None
    steps: int
    failed_step: str | None
    seeds: int
    error: float
    tolerance: float
    error_without: float
    mutations: int
    caught: int | None
    escaped: tuple[str, ...]
    refuted: int | None
    seconds: float

    @property
    def holds(self) -> bool:
        """Whether the entry is as it should be: true, and able to fail."""
        sound = self.label != "not proved" and self.error <= self.tolerance < self.error_without
        return sound and not self.escaped and self.refuted != 0


def verify(
    ids: Sequence[str] | None = None,
    *,
    seeds: int = 3,
    mutations: bool = False,
    first_seed: int = 0,
    progress: bool = True,
) -> list[Verdict]:
    """Verify entries of the ledger: simplify their proofs to zero, and check them on random instances.

    Args:
        ids: Of entries, or topics; None: all.
        seeds: Instances of each.
        mutations: Also make each statement false, and see that this is caught.
        first_seed: The seed of the first instance.
        progress: Show a bar.

    Returns:
        A `Verdict` each, in the order of `ids`, and of all or a topic in reading order; in float64, whatever the caller
        has.

    Raises:
        ValueError: For an unknown id.

    ```python
    >>> import hamtheory as ht
    >>> [verdict] = ht.theorem.verify(["geometry.ham"], seeds=1, progress=False)
    >>> verdict.holds, verdict.label
    (True, 'proved')

    ```
    """
    return list(verdicts(ids, seeds=seeds, mutations=mutations, first_seed=first_seed, progress=progress))


def verdicts(
    ids: Sequence[str] | None = None,
    *,
    seeds: int = 3,
    mutations: bool = False,
    first_seed: int = 0,
    progress: bool = True,
) -> Iterator[Verdict]:
    """The verdicts of `verify`, one by one.

    Args:
        ids: As in `verify`.
        seeds: As in `verify`.
        mutations: As in `verify`.
        first_seed: As in `verify`.
        progress: As in `verify`.

    Yields:
        A `Verdict` each, as in `verify`.

    Raises:
        ValueError: For an unknown id.

    ```python
    >>> import hamtheory as ht
    >>> [verdict.holds for verdict in ht.theorem.verdicts(["ham.flow"], seeds=1, progress=False)]
    [True]

    ```
    """
    theorems, seeds = chosen(ids), count(seeds, "seeds")
    first_seed = count(first_seed, "first_seed", least=0)
    with tqdm.tqdm(theorems, unit="theorem", leave=False, disable=None if progress else True, file=sys.stderr) as bar:
        for theorem in bar:
            bar.set_postfix_str(theorem.id)
            with jax.enable_x64(True):
                yield _verdict(theorem, range(first_seed, first_seed + seeds), mutations)


def _verdict(theorem: Theorem, seeds: range, mutations: bool) -> Verdict:
    """What came of an entry. Whatever it raises is a failure, and no reason not to look at the next one."""
    started = time.monotonic()
    try:
        found = _looked_at(theorem, seeds, mutations)
    except Exception as error:
        found = {
            "label": "not proved",
            "steps": 0,
            "failed_step": f"raised {type(error).__name__}: {error}",
            "error": math.inf,
            "error_without": math.nan,
            "caught": 0 if mutations else None,
            "escaped": tuple(theorem.mutations) if mutations else (),
            "refuted": None,
        }
    return Verdict(
        id=theorem.id,
        title=theorem.title,
        source=theorem.source,
        as_published=theorem.as_published,
        special=theorem.special,
        seeds=len(seeds),
        tolerance=theorem.tolerance,
        mutations=len(theorem.mutations),
        seconds=round(time.monotonic() - started, 2),
        **found,
    )


def _looked_at(theorem: Theorem, seeds: range, mutations: bool) -> dict[str, Any]:
    steps = theorem.steps()
    failed = next((step.says for step in steps if not is_zero(step.zero)), None)
    escaped = tuple(name for name in theorem.mutations if not caught(theorem, name, seeds)) if mutations else ()
    return {
        "label": theorem.label if failed is None else "not proved",
        "steps": len(steps),
        "failed_step": failed,
        "error": max(theorem.error(seed) for seed in seeds),
        "error_without": max(theorem.error_without(seed) for seed in seeds),
        "caught": len(theorem.mutations) - len(escaped) if mutations else None,
        "escaped": escaped,
        "refuted": sum(refuted(theorem, name) for name in theorem.mutations) if mutations and theorem.prove else None,
    }


def caught(theorem: Theorem, mutation: str, seeds: range) -> bool:
    """Whether the check of a mutation fails on one of the instances."""
    return any(theorem.error(seed, mutation) > theorem.tolerance for seed in seeds)


def refuted(theorem: Theorem, mutation: str) -> bool:
    """Whether numbers show that a step of the proof of a mutation is false."""
    return any(is_refuted(step.zero) for step in theorem.steps(mutation))
