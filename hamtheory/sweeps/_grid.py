"""Lists of numbers and of seeds, written out or as a rule."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._validate import count

Number = int | float
Values = "Number | Sequence[Number] | Mapping[str, Any] | Grid"


@dataclass(frozen=True)
class Grid:
    """`count` numbers from `start` to `stop`, both included, evenly spaced (`scale="lin"`) or in ratio (`"log"`).

    Errors: `ValueError` for an unknown scale, ends that are not finite, or for "log" not positive, and a count below 1;
      `TypeError` for what is no number.
    Source: own.

    ```python
    >>> import hamtheory as ht
    >>> ht.sweeps.Grid(0.1, 10.0, 3, scale="log").values().tolist()
    [0.1, 1.0, 10.0]

    ```
    """

    start: float
    stop: float
    count: int
    scale: str = "lin"

    def __post_init__(self):
        for name in ("start", "stop"):
            object.__setattr__(self, name, number(getattr(self, name), f"grid {name}"))
        object.__setattr__(self, "count", count(self.count, "grid count"))
        if self.scale not in ("lin", "log"):
            raise ValueError(f"grid scale must be 'lin' or 'log'; got {self.scale!r}")
        if self.scale == "log" and not (self.start > 0 and self.stop > 0):
            raise ValueError(f"a grid with scale 'log' needs positive ends; got {self.start:g} to {self.stop:g}")

    def values(self) -> np.ndarray:
        """The numbers, (count,), in float64."""
        space = np.linspace if self.scale == "lin" else np.geomspace
        return space(self.start, self.stop, self.count)


@dataclass(frozen=True)
class Seeds:
    """`count` consecutive seeds from `start`.

    Errors: `ValueError` for a negative start, or a count below 1; `TypeError` for what is no integer.
    Source: own.

    ```python
    >>> import hamtheory as ht, numpy as np
    >>> ht.sweeps.Seeds(10, 3).at(np.arange(3)).tolist()
    [10, 11, 12]

    ```
    """

    start: int
    count: int

    def __post_init__(self):
        object.__setattr__(self, "start", count(self.start, "seeds start", least=0))
        object.__setattr__(self, "count", count(self.count, "seeds count"))

    def __len__(self) -> int:
        return self.count

    def at(self, index: np.ndarray) -> np.ndarray:
        """The seeds at these places, of any shape; of the same shape."""
        return self.start + np.asarray(index, np.int64)


@dataclass(frozen=True)
class ListedSeeds:
    """Seeds in any order."""

    listed: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.listed)

    def at(self, index: np.ndarray) -> np.ndarray:
        return np.asarray(self.listed, np.int64)[index]


def number(value: Any, name: str) -> float:
    """`value` as a finite float, or an error that names it."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name} must be a number; got {value!r}")
    if not math.isfinite(value):
        raise ValueError(f"{name} must be finite; got {value!r}")
    return float(value)


def grid(value: Any, name: str) -> "tuple[float, ...] | Grid":
    """A number, a list of numbers, or a table with start, stop, count and scale, as what a spec keeps of it."""
    if isinstance(value, Grid):
        return value
    if isinstance(value, Mapping):
        return Grid(**fields(value, Grid, name))
    if isinstance(value, (Sequence, np.ndarray)) and not isinstance(value, str):
        if len(value) == 0:
            raise ValueError(f"{name} must hold at least one number; got none")
        return tuple(number(entry, f"{name}[{i}]") for i, entry in enumerate(value))
    return (number(value, name),)


def seeds(value: Any, name: str) -> "Seeds | ListedSeeds":
    """A seed, a list or a range of seeds, or a table with start and count."""
    if isinstance(value, (Seeds, ListedSeeds)):
        return value
    if isinstance(value, Mapping):
        return Seeds(**fields(value, Seeds, name))
    if isinstance(value, range) and value.step == 1 and len(value):
        return Seeds(value.start, len(value))
    if isinstance(value, (Sequence, np.ndarray)) and not isinstance(value, str):
        if len(value) == 0:
            raise ValueError(f"{name} must hold at least one seed; got none")
        return ListedSeeds(tuple(count(entry, f"{name}[{i}]", least=0) for i, entry in enumerate(value)))
    return Seeds(count(value, name, least=0), 1)


def numbers(value: "tuple[float, ...] | Grid") -> np.ndarray:
    """The numbers of what `grid` returns, in float64."""
    return value.values() if isinstance(value, Grid) else np.asarray(value, float)


def fields(table: Mapping[str, Any], kind: type, name: str) -> dict[str, Any]:
    """`table` as the arguments of a dataclass, or an error that names what is missing or unknown."""
    from dataclasses import MISSING, fields as fields_of

    known = {field.name: field for field in fields_of(kind) if field.init}
    needed = [key for key, field in known.items() if field.default is MISSING and field.default_factory is MISSING]
    unknown = [key for key in table if key not in known]
    if unknown:
        raise ValueError(f"{name} has no {', '.join(map(repr, unknown))}; it has: {', '.join(known)}")
    missing = [key for key in needed if key not in table]
    if missing:
        raise ValueError(f"{name} needs {', '.join(map(repr, missing))}; got {', '.join(table) or 'nothing'}")
    return dict(table)
