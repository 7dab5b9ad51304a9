"""What blocks of a sweep share: how one is made of a table, and its seeds."""

import abc
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from .._grid import fields
from ..problem import BinaryClassification, LinearRegression


class Block(abc.ABC):
    """Problems or starts of one kind, one of them, or one a seed.

    Attributes:
        kind: What tables call it.
        seeds: The seeds; a block of one has none.
    """

    kind: ClassVar[str]
    seeds: Any

    def __len__(self) -> int:
        return len(self.seeds) if hasattr(self, "seeds") else 1

    def seed_of(self, index: np.ndarray) -> np.ndarray:
        """The seeds at these places.

        Args:
            index: The places, of any shape.

        Returns:
            Of the same shape; -1 where nothing is random.
        """
        own = getattr(self, "seeds", range(-1, 0))
        return own.start + np.asarray(index, np.int64) if isinstance(own, range) else np.asarray(own, np.int64)[index]


def of_kind(table: Any, kinds: dict[str, type], name: str) -> Any:
    """The block of a table with its `kind`, or an error that names what is wrong."""
    table = dict(table_of(table, name))
    kind = table.pop("kind", None)
    if kind not in kinds:
        raise ValueError(f"{name} needs a kind, one of {', '.join(map(repr, kinds))}; got {kind!r}")
    return kinds[kind](**fields(table, kinds[kind], name))


def table_of(value: Any, name: str) -> Mapping[str, Any]:
    """The value, if it is a table."""
    if not isinstance(value, Mapping):
        hint = ""
        if isinstance(value, (LinearRegression, BinaryClassification)):
            hint = '; write its X and y to an .npz, and give {"kind": "file", "path": ...}, or take ht.solve_limits'
        raise TypeError(f"{name} must be a table of names and values; got {value!r}{hint}")
    return value


def settle(block: Any, **values: Any) -> None:
    """Set fields of a frozen block, while it is made."""
    for name, value in values.items():
        object.__setattr__(block, name, value)
