"""What the public functions accept: arrays of NumPy and of JAX, pandas' tables, and plain sequences of numbers.

These are checked, shapes and all, where annotations are checked at run time. To a static type checker all of them are
whatever becomes an array, which the first lines of a function make of them.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from jaxtyping import Float, Real

from ._array import Array

Scalars = Float[Array, "..."]

if TYPE_CHECKING:
    Number = Vector = Samples = Matrix = Vectors = Times = Parameter = Any
    Instants = Trajectory = Course = Any
else:
    Number = float | Real[Any, ""]
    Vector = Real[Any, " d"] | Sequence[float]  # one entry a column of X
    Samples = Real[Any, " n"] | Sequence[float]  # one entry a row of X
    Matrix = Real[Any, "n d"] | Sequence[Sequence[float]]
    Vectors = Real[Any, "*#batch d"] | Sequence
    Times = Real[Any, " times"] | Sequence[float]
    Parameter = float | Real[Any, "..."] | Sequence
    # What results of one have, and those of many may not.
    Instants = Float[Any, " saves"] | None
    Trajectory = Float[Any, "saves d"] | None
    Course = Float[Any, "*instances saves"] | None
