"""What the public functions accept: JAX and NumPy arrays, and plain sequences of numbers."""

from collections.abc import Sequence

from jaxtyping import ArrayLike, Real

Number = float | Real[ArrayLike, ""]
Vector = Real[ArrayLike, " d"] | Sequence[float]  # one entry a column of X
Samples = Real[ArrayLike, " n"] | Sequence[float]  # one entry a row of X
Matrix = Real[ArrayLike, "n d"] | Sequence[Sequence[float]]
Vectors = Real[ArrayLike, "*#batch d"] | Sequence
Times = Real[ArrayLike, " times"] | Sequence[float]
Parameter = Real[ArrayLike, "..."] | Sequence
