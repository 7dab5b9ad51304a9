"""What a reproduction is: a set-up with its origin, a claim, and comparisons that decide the verdict."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Numbers = Mapping[str, np.ndarray]
Origin = Literal["claim", "text", "figure", "code"]
OUTCOMES = ("reproduced", "differs", "set-up not stated")
SCALES = ("default", "smoke", "full")


def stated(value: Any, where: str = "") -> Any:
    """A field of a configuration whose value the source states.

    Args:
        value: The value, as the source has it.
        where: The place in the source, if it is not that of the figure.

    Returns:
        The field of a dataclass.

    ```python
    >>> import dataclasses
    >>> import hamtheory as ht
    >>> @dataclasses.dataclass(frozen=True)
    ... class Config:
    ...     n: int = ht.reproduce.stated(40)
    >>> Config().n
    40

    ```
    """
    return dataclasses.field(default=value, metadata={"kind": "stated", "why": where, "theirs": value})


def unstated(value: Any, why: str = "") -> Any:
    """A field of a configuration that the source leaves open, with a value of our own.

    Args:
        value: Ours.
        why: Why this one.

    Returns:
        The field of a dataclass.

    ```python
    >>> import dataclasses
    >>> import hamtheory as ht
    >>> @dataclasses.dataclass(frozen=True)
    ... class Config:
    ...     d: int = ht.reproduce.unstated(1000, "the size in a later paper")
    >>> Config().d
    1000

    ```
    """
    return dataclasses.field(default=value, metadata={"kind": "not stated", "why": why})


def chosen(value: Any, why: str = "") -> Any:
    """A field of a configuration that is about effort or accuracy, and on which the claim does not depend.

    Args:
        value: Ours.
        why: What it is.

    Returns:
        The field of a dataclass.

    ```python
    >>> import dataclasses
    >>> import hamtheory as ht
    >>> @dataclasses.dataclass(frozen=True)
    ... class Config:
    ...     seeds: int = ht.reproduce.chosen(3)
    >>> Config().seeds
    3

    ```
    """
    return dataclasses.field(default=value, metadata={"kind": "ours", "why": why})


@dataclass(frozen=True)
class Comparison:
    """One number of ours beside what the source says of it.

    Attributes:
        says: What is compared, in words.
        theirs: What the source has, in its number or its words.
        origin: Where that is from: "claim", a law, an order or a limit that the source states in general; or a number
            of its "text", read off its "figure", or set in its "code".
        ours: Our number.
        low: The least that agrees.
        high: The largest that agrees.
        tolerance: What this range is made of, in words.
        why: What a disagreement comes from, as far as it is known.

    Raises:
        ValueError: For an unknown origin, and for a range that is empty or is all numbers.

    ```python
    >>> import hamtheory as ht
    >>> slope = ht.reproduce.Comparison(says="slope", theirs="2", origin="claim", ours=2.1, low=1.8, high=2.2)
    >>> slope.holds, slope.range
    (True, 'from 1.8 to 2.2')

    ```
    """

    says: str
    theirs: str
    origin: Origin
    ours: float
    low: float = -math.inf
    high: float = math.inf
    tolerance: str = ""
    why: str = ""

    def __post_init__(self):
        if self.origin not in ("claim", "text", "figure", "code"):
            raise ValueError(f"origin must be claim, text, figure or code, got {self.origin!r}")
        if not self.low <= self.high or (math.isinf(self.low) and math.isinf(self.high)):
            raise ValueError(f"low and high must bound a range that can be left, got [{self.low}, {self.high}]")

    @property
    def holds(self) -> bool:
        """Whether our number is in the range; NaN is not."""
        return bool(self.low <= self.ours <= self.high)

    @property
    def range(self) -> str:
        """The range, in words."""
        if math.isinf(self.low):
            return f"at most {self.high:.3g}"
        return f"at least {self.low:.3g}" if math.isinf(self.high) else f"from {self.low:.3g} to {self.high:.3g}"


@dataclass(frozen=True)
class Verdict:
    """What the comparisons come to.

    Attributes:
        outcome: "reproduced", where all of them hold; "differs", where a claim fails, or a number although the whole
            set-up is known; "set-up not stated", where all claims hold, and a number fails that may depend on what
            the source does not state.
        because: What fails, and why; empty if nothing does.
        comparisons: Those that were made. Numbers of the source are compared in its own set-up alone.
    """

    outcome: str
    because: str
    comparisons: tuple[Comparison, ...]

    @property
    def compared(self) -> str:
        """With how many claims and numbers of the source it was compared, in words."""
        claims = sum(one.origin == "claim" for one in self.comparisons)
        counts = {"claim": claims, "number": len(self.comparisons) - claims}
        return ", ".join(f"{count} {name}{'s' * (count > 1)}" for name, count in counts.items() if count)


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """A published figure, how it is computed, and what it is compared with.

    Attributes:
        name: As in `hamtheory reproduce NAME`.
        source: The key in references.bib.
        place: The number of the figure, and of the statement behind it.
        title: In a few words.
        claim: What the source says that the figure shows, in one sentence.
        config: The default configuration, a frozen dataclass of fields made by `stated`, `unstated` and `chosen`.
        smoke: One of a few seconds, in which the claims hold too.
        full: One with all instances.
        compute: Of a configuration: the numbers, arrays by name.
        compare: Of a configuration and the numbers: the comparisons, of which one at least is with a claim.
        draw: Draws the numbers of a configuration on an empty figure of matplotlib.
        caption: What is drawn.
        size: Of the figure, in inches.

    Raises:
        ValueError: For a field of the configuration that does not say where it is from.

    ```python
    >>> import hamtheory as ht
    >>> one = ht.reproduce.gallery()["ham-crossing"]
    >>> one.source, one.verdict(one.config, one.compute(one.config)).outcome
    ('jacobs2026ham', 'reproduced')

    ```
    """

    name: str
    source: str
    place: str
    title: str
    claim: str
    config: Any
    smoke: Any
    full: Any
    compute: Callable[[Any], dict[str, np.ndarray]]
    compare: Callable[[Any, Numbers], list[Comparison]]
    draw: Callable[[Any, Any, Numbers], None]
    caption: str
    size: tuple[float, float] = (6.75, 2.6)

    def __post_init__(self):
        for field in dataclasses.fields(self.config):
            if "kind" not in field.metadata:
                raise ValueError(f"config of {self.name}: {field.name} must be stated, unstated or chosen")

    def at(self, scale: str) -> Any:
        """The configuration of a scale.

        Args:
            scale: "default", "smoke" or "full".

        Returns:
            The configuration.

        Raises:
            ValueError: For another scale.
        """
        if scale not in SCALES:
            raise ValueError(f"scale must be one of {', '.join(SCALES)}, got {scale!r}")
        return self.config if scale == "default" else getattr(self, scale)

    def setup(self, config: Any) -> list[tuple[str, str, str]]:
        """The set-up of a configuration: name, value and origin of each of its numbers.

        Args:
            config: The configuration.

        Returns:
            The rows of a table.
        """
        rows = []
        for field in dataclasses.fields(config):
            value, kind, why = getattr(config, field.name), field.metadata["kind"], field.metadata["why"]
            if kind == "stated" and value != field.metadata["theirs"]:
                kind, why = "ours", f"theirs: {_written(field.metadata['theirs'])}"
            rows.append((field.name, _written(value), f"{kind}: {why}" if why else kind))
        return rows

    def open(self, config: Any) -> list[str]:
        """What the source does not state of the set-up.

        Args:
            config: The configuration.

        Returns:
            The names.
        """
        return [field.name for field in dataclasses.fields(config) if field.metadata["kind"] == "not stated"]

    def verdict(self, config: Any, numbers: Numbers) -> Verdict:
        """What the numbers come to.

        Args:
            config: The configuration that they are of.
            numbers: Those of `compute`.

        Returns:
            The verdict, computed by the ranges of the comparisons alone.

        Raises:
            ValueError: Without a comparison with a claim.
        """
        made = tuple(one for one in self.compare(config, numbers) if one.origin == "claim" or self._is_theirs(config))
        if not any(one.origin == "claim" for one in made):
            raise ValueError(f"compare of {self.name} must compare with a claim")
        failed = [one for one in made if not one.holds]
        of_claims = any(one.origin == "claim" for one in failed)
        outcome = "reproduced" if not failed else "differs"
        if failed and not of_claims and self.open(config):
            outcome = "set-up not stated"
        return Verdict(outcome, "; ".join(map(_failure, failed)), made)

    def _is_theirs(self, config: Any) -> bool:
        """Whether all that the source states is as there."""
        fields = [field for field in dataclasses.fields(config) if field.metadata["kind"] == "stated"]
        return all(getattr(config, field.name) == field.metadata["theirs"] for field in fields)


def _failure(one: Comparison) -> str:
    reason = f" ({one.why})" if one.why else ""
    return f"{one.says}: {one.ours:.3g}, theirs {one.theirs}{reason}"


def _written(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_written, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
