"""What declarations are written in: numbers, lists of numbers and of seeds, written out or as a rule, and tables."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields as fields_of
from typing import Any

import numpy as np

from ._validate import count

_LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True)
class Grid:
    """`count` numbers from `start` to `stop`, both included, evenly spaced (`scale="lin"`) or in ratio (`"log"`).

    A table stays a rule, as the numbers of one may differ by rounding from one machine to the next.

    Attributes:
        start: The first number; positive for `"log"`.
        stop: The last number; positive for `"log"`.
        count: How many, at least 1.
        scale: `"lin"` or `"log"`.

    Raises:
        ValueError: For an unknown scale, ends that are not finite, or for "log" not positive, and a count below 1.
        TypeError: For what is no number.

    ```python
    >>> import hamtheory as ht, numpy as np
    >>> np.asarray(ht.sweeps.Grid(0.1, 10.0, 3, scale="log")).tolist()
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

    def __len__(self) -> int:
        return self.count

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        space = np.linspace if self.scale == "lin" else np.geomspace
        return space(self.start, self.stop, self.count).astype(dtype or float)


def number(value: Any, name: str) -> float:
    """`value` as a finite float, or an error that names it."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name} must be a number; got {value!r}")
    if not math.isfinite(value):
        raise ValueError(f"{name} must be finite; got {value!r}")
    return float(value)


def grid(value: Any, name: str) -> "tuple[float, ...] | Grid":
    """A number, a list of numbers, or a table with start, stop, count and scale, as what a spec keeps of it."""
    if isinstance(value, Mapping):
        return Grid(**fields(value, Grid, name))
    if isinstance(value, Grid) or not _is_list(value, name):
        return value if isinstance(value, Grid) else (number(value, name),)
    return tuple(number(entry, f"{name}[{i}]") for i, entry in enumerate(value))


def seeds(value: Any, name: str) -> "tuple[int, ...] | range":
    """A seed, a list or a range of seeds, or a table with start and count."""
    if isinstance(value, Mapping):
        known = {"start": 0, "count": 1} | dict(value)
        if len(known) > 2:
            raise ValueError(f"{name} has start and count; got {', '.join(value)}")
        start = count(known["start"], f"{name} start", least=0)
        value = range(start, start + count(known["count"], f"{name} count"))
    if not _is_list(value, name):
        value = (value,)
    if not (isinstance(value, range) and value.step == 1):
        value = tuple(count(entry, f"{name}[{i}]", least=0) for i, entry in enumerate(value))
    largest = max(value[-1], value[0]) if isinstance(value, range) else max(value)
    if value[0] < 0 or largest > _LARGEST_SEED:
        raise ValueError(f"{name} must be from 0 to {_LARGEST_SEED}; got {value[0] if value[0] < 0 else largest}")
    return value


def fields(table: Mapping[str, Any], kind: type, name: str) -> dict[str, Any]:
    """`table` as the arguments of a dataclass, or an error that names what is missing or unknown."""
    known = {field.name: field for field in fields_of(kind) if field.init}
    needed = [key for key, field in known.items() if field.default is MISSING and field.default_factory is MISSING]
    unknown = [key for key in table if key not in known]
    if unknown:
        raise ValueError(f"{name} has no {', '.join(map(repr, unknown))}; it has: {', '.join(known)}")
    missing = [key for key in needed if key not in table]
    if missing:
        raise ValueError(f"{name} needs {', '.join(map(repr, missing))}; got {', '.join(table) or 'nothing'}")
    return dict(table)


def as_table(declared: Any) -> dict[str, Any]:
    """A dataclass as JSON and TOML have it, with its `kind` if it has one: what makes the same one again."""
    table = {"kind": declared.kind} if hasattr(declared, "kind") else {}
    return table | {key: _plain(value) for key, value in vars(declared).items() if value is not None and value != {}}


def blocks_at(sizes: Any, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The block of each number along an axis of blocks, and its place in it."""
    ends = np.cumsum(sizes)
    block = np.searchsorted(ends, index, side="right")
    return block, index - (ends - np.asarray(sizes))[block]


def _plain(value: Any) -> Any:
    if isinstance(value, Grid):
        return dict(vars(value))
    if isinstance(value, range):
        return {"start": value.start, "count": len(value)}
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, tuple):
        return [as_table(entry) if hasattr(entry, "__dataclass_fields__") else entry for entry in value]
    return value


def _is_list(value: Any, name: str) -> bool:
    found = isinstance(value, (Sequence, np.ndarray)) and not isinstance(value, str)
    if found and len(value) == 0:
        raise ValueError(f"{name} must hold at least one entry; got none")
    return found
