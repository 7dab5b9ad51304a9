"""What the public functions accept: arrays of NumPy and of JAX, pandas' tables, and plain sequences of numbers."""

from collections.abc import Sequence
from typing import Any

from jaxtyping import Real

Number = float | Real[Any, ""]
Vector = Real[Any, " d"] | Sequence[float]  # one entry a column of X
Samples = Real[Any, " n"] | Sequence[float]  # one entry a row of X
Matrix = Real[Any, "n d"] | Sequence[Sequence[float]]
Vectors = Real[Any, "*#batch d"] | Sequence
Times = Real[Any, " times"] | Sequence[float]
Parameter = float | Real[Any, "..."] | Sequence
