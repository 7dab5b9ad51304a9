"""Blocks of geometries: a family over grids of its parameters."""

import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .._grid import Grid, grid
from ..geometry import AbstractGeometry, arguments_of, believe, name_of, named, refuse_dead_zone
from ._block import settle, table_of


@dataclass(frozen=True)
class Geometries:
    """A family of geometries over a grid of its parameter, or over all combinations of several.

    Attributes:
        family: What `ht.geometry.named` takes: gd, ham, mw, network, formula, or a class of your own.
        parameters: What makes a geometry of that class, by name: each number is a number, a list, or a grid.

    Raises:
        ValueError: For an unknown family, parameters that it does not have, or at which there is no geometry.
        TypeError: For what is no number.

    ```python
    >>> import hamtheory as ht, numpy as np
    >>> block = ht.sweeps.Geometries("ham", {"alpha": {"start": 1.0, "stop": 100.0, "count": 3, "scale": "log"}})
    >>> len(block), block.at(np.array([1]))["alpha"].tolist()
    (3, [10.0])
    >>> ht.sweeps.Geometries.of(ht.DiagonalNetwork(depth=3, scale=[0.1, 1.0])).parameters
    {'depth': 3, 'scale': (0.1, 1.0)}

    ```
    """

    family: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        own = arguments_of(named(self.family))
        unknown = [name for name in self.parameters if own is not None and name not in own]
        if unknown:
            has = ", ".join(own) if own else "no parameter"
            raise ValueError(f"geometry {self.family} has no {', '.join(map(repr, unknown))}; it has: {has}")
        is_number = lambda name, value: (own or {}).get(name, not isinstance(value, str))  # noqa: E731
        given = {
            name: grid(value, f"{self.family}'s {name}") if is_number(name, value) else value
            for name, value in self.parameters.items()
        }
        settle(self, parameters=given)
        try:
            inspect.signature(named(self.family)).bind(**given)
        except TypeError as error:
            raise ValueError(f"geometry {self.family}: {error}; got {', '.join(given) or 'nothing'}") from None
        refuse_dead_zone(self.build(self.at(np.arange(len(self)))), "sweep")
        believe(self.build(self.at(np.unique(np.linspace(0, len(self) - 1, 64).astype(int)))))

    @classmethod
    def of(cls, geo: AbstractGeometry) -> "Geometries":
        """The block of a geometry, whose arrays are grids.

        Args:
            geo: The geometry.

        Returns:
            The block.

        Raises:
            ValueError: For an array with more than one axis.
        """
        found = {}
        for name, value in geo.arguments().items():
            if np.ndim(value) > 1:
                raise ValueError(f"{name} of {geo.name} must be a number or have one axis; got shape {np.shape(value)}")
            found[name] = np.asarray(value).tolist() if hasattr(value, "dtype") else value
        return cls(name_of(type(geo)), found)

    def __len__(self) -> int:
        return math.prod(self.shape)

    @property
    def numbers(self) -> "dict[str, tuple[float, ...] | Grid]":
        """The grids, by the names of the parameters."""
        return {name: value for name, value in self.parameters.items() if isinstance(value, (tuple, Grid))}

    @property
    def fixed(self) -> dict[str, Any]:
        """The arguments that are no numbers of a grid: those that all geometries of the block have."""
        return {name: value for name, value in self.parameters.items() if name not in self.numbers}

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the grids of the parameters."""
        return tuple(map(len, self.numbers.values()))

    @property
    def key(self) -> tuple[Any, ...]:
        """What geometries must share to be computed side by side."""
        return self.family, tuple(self.fixed.items()), tuple(self.numbers)

    @property
    def label(self) -> str:
        """One word for the block."""
        fixed = [str(value) for value in self.fixed.values() if not isinstance(value, str)]
        return "-".join([named(self.family).name, *fixed])

    def variable(self, name: str) -> str:
        """What data sets call a parameter.

        Args:
            name: Of the parameter.

        Returns:
            `parameter`, or `log_parameter`, of those that a geometry takes either way, like α or ln α; `parameter_NAME`
                otherwise.
        """
        own, plain = arguments_of(named(self.family)) or {}, name.removeprefix("log_")
        either = plain in own and f"log_{plain}" in own
        return ("log_" * name.startswith("log_") + "parameter") if either else f"parameter_{name}"

    def at(self, index: np.ndarray) -> dict[str, np.ndarray]:
        """The parameters of the geometries at these places.

        Args:
            index: The places, of any shape.

        Returns:
            Of each parameter, by name, an array of the same shape, in float64.
        """
        places = np.unravel_index(index, self.shape) if self.shape else ()
        found = zip(self.numbers.items(), places, strict=True)
        return {name: np.asarray(np.asarray(value)[place]) for (name, value), place in found}

    def build(self, values: Mapping[str, Any]) -> AbstractGeometry:
        """The geometries at these values of the parameters, as one.

        Args:
            values: Of each parameter of a grid, by name.

        Returns:
            A geometry.

        Raises:
            ValueError: As the class raises it.
            TypeError: As the class raises it.
        """
        return named(self.family)(**self.fixed, **values)


def geometries_of(table: Any, name: str) -> Geometries:
    """A block of geometries, from a geometry or a table with its `family`; parameters may stand at the top level."""
    if isinstance(table, Geometries):
        return table
    if isinstance(table, AbstractGeometry):
        return Geometries.of(table)
    table = dict(table_of(table, name))
    if "family" not in table:
        raise ValueError(f"{name} needs 'family'; got {', '.join(table) or 'nothing'}")
    family, inner = table.pop("family"), dict(table_of(table.pop("parameters", {}), f"{name} parameters"))
    return Geometries(family, inner | table)
