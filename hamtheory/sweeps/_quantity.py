"""What a sweep can compute: the interface, and the list of what there is."""

import abc
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar

import numpy as np

from .._grid import fields
from ._batch import Batch
from ._declaration import Variable
from ._geometries import Geometries


class Quantity(abc.ABC):
    """Something that can be computed of every instance.

    A subclass is a frozen dataclass whose fields are its settings, with a `name`, decorated with `register`. A setting
    that is None in a spec is filled in by `settled`.
    """

    name: ClassVar[str]
    curves: ClassVar[bool] = False  #: whether the grid of a geometry is a dimension `point` of one instance
    classes: ClassVar[bool] = False  #: whether it is one of classifications, not of regressions
    ensembles: ClassVar[bool] = False  #: whether it is one of ensembles, of which nothing is drawn
    few: ClassVar[int] = 0  #: of that many answers for a kind of problem, the host is done before JAX has compiled

    @abc.abstractmethod
    def variables(self) -> dict[str, Variable]:
        """What `compute` returns, by name; without `status`, which every quantity has.

        Returns:
            A variable for each name.
        """

    @abc.abstractmethod
    def compute(self, instances: Batch) -> dict[str, np.ndarray]:
        """The variables and the `status` of the instances.

        A failure is data: a status, never an exception, and never a change to another instance.

        Args:
            instances: The instances.

        Returns:
            Arrays of (instances, ...), by name; `theta` too, which is stored if asked for.

        Raises:
            ValueError: For a quantity whose settings `settled` has not filled in.
        """

    def settled(self, dtype: str) -> "Quantity":
        """This quantity with every setting filled in for a precision.

        Args:
            dtype: "float64" or "float32".

        Returns:
            A quantity of the same class.

        Raises:
            ValueError: For a setting that is wrong, or out of reach of the precision.
            TypeError: For a setting that is wrong.
        """
        return self

    def check(self, geometries: Sequence[Geometries], starts: Sequence[Any]) -> None:  # noqa: B027
        """Refuse geometries and starts of which this quantity does not exist.

        Args:
            geometries: The blocks of geometries of a spec.
            starts: The blocks of starts of a spec.

        Raises:
            ValueError: Where it does not exist.
        """

    def check_problems(self, problems: Sequence[Any]) -> None:
        """Refuse problems of which this quantity does not exist.

        Args:
            problems: The blocks of problems of a spec.

        Raises:
            ValueError: Where it does not exist.
        """
        for block in problems:
            if not block.drawn:
                raise ValueError(
                    f"problems must be drawn or read for the quantity {self.name!r}; got {block.label!r}, of which "
                    "there are predictions alone"
                )

    def dims(self) -> tuple[str, ...]:
        """The dimensions of the status and of θ, besides those of an instance and of its columns.

        Returns:
            Their names.
        """
        return ("point",) if self.curves else ()

    def coordinates(self) -> dict[str, tuple[Variable, np.ndarray]]:
        """Labels of the dimensions that this quantity adds.

        Returns:
            By their name: a variable, and its values, (length,).
        """
        return {}

    def sizes(self, geometries: Sequence[Geometries]) -> dict[str, int]:
        """The lengths of the dimensions that this quantity adds.

        Args:
            geometries: The blocks of geometries of a spec.

        Returns:
            The lengths, by name.
        """
        return {name: len(values) for name, (_, values) in self.coordinates().items()}


QUANTITIES: dict[str, type[Quantity]] = {}
_Kind = TypeVar("_Kind", bound=type[Quantity])


def register(kind: _Kind) -> _Kind:
    """Let specs name this quantity.

    Args:
        kind: A subclass of `Quantity` with a `name`.

    Returns:
        The same class: it is a decorator.
    """
    QUANTITIES[kind.name] = kind
    return kind


def quantity_of(value: Any) -> Quantity:
    """A quantity from itself, its name, or a table with its name and settings."""
    if isinstance(value, Quantity):
        return value
    table = {"name": value} if isinstance(value, str) else value
    if not isinstance(table, Mapping):
        raise TypeError(f"quantity must be a name, a table or a Quantity; got {value!r}")
    name = table.get("name")
    if name not in QUANTITIES:
        raise ValueError(f"quantity must be one of {', '.join(map(repr, QUANTITIES))}; got {name!r}")
    settings = {key: entry for key, entry in table.items() if key != "name"}
    return QUANTITIES[name](**fields(settings, QUANTITIES[name], f"quantity {name}"))
