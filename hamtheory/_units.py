"""Units in which a problem has numbers of moderate size.

With `X = a X̂`, `θ = c θ̂` and `y = a c ŷ` the flow of `g⁻¹(c θ̂) = κ ĝ⁻¹(θ̂)` is that of ĝ⁻¹ in the time `t̂ = a²κ t`, with
weight decay `β̂ = β/(a²κ)`; its limit is the same, `R = (c²/κ) R̂`, and `ν = c/(aκ) ν̂`. The squares and products that a
solver forms then stay in the range of numbers, and what it certifies is not the zero that they would underflow to.
"""

from typing import Any

import numpy as np

from ._array import Array, Struct, quiet, replaced
from .geometry import AbstractGeometry
from .problem import LinearRegression

_COMFORTABLE = {np.dtype(np.float32): 1e6, np.dtype(np.float64): 1e60}  # and the inverse: nothing has to be done


class Units(Struct):
    """The units of X, of θ, and of the inverse metric: a, c and κ, powers of two if anything but 1."""

    X: float
    theta: float
    metric: float

    @property
    def time(self) -> float:
        """`t̂ / t`."""
        return _product(self.X, self.X, self.metric)

    @property
    def value(self) -> float:
        """Of R, of the divergence and of the duality gap without weight decay."""
        return _product(self.theta, self.theta, 1 / self.metric)

    @property
    def loss(self) -> float:
        """Of the loss, and of the duality gap with weight decay."""
        return _product(self.X, self.theta, self.X, self.theta)


def _product(*factors: float) -> float:
    """The product, infinite or the smallest normal number where it leaves the range: what it multiplies is no zero."""
    with quiet():
        exponent = float(np.sum(np.log2(factors)))
        return float(np.exp2(min(exponent, 1024.0))) if exponent > -1022 else float(np.finfo(float).tiny)


def scaled(value: Array, unit: float) -> Array:
    """`value · unit`, but no zero for what is none."""
    with quiet():
        product = value * unit
        return np.where((product == 0) & (value != 0), np.finfo(np.asarray(value).dtype).tiny, product)[()]


def in_units(
    problem: LinearRegression, geo: AbstractGeometry, theta0: np.ndarray
) -> tuple[Units, LinearRegression, AbstractGeometry, np.ndarray]:
    """The units, with the problem, the geometry and the start in them; all as they are if they are comfortable."""
    space = problem.row_space
    nearest = theta0 + (space.target - space.project(theta0)) @ space.basis
    size = _power_of_two(max(np.abs(nearest).max(), np.abs(theta0).max()), problem.dtype)
    length = _power_of_two(float(np.max(space.singular_values)), problem.dtype)
    if size == length == 1:
        return Units(1.0, 1.0, 1.0), problem, geo, theta0
    with quiet():
        moved = replaced(
            problem,
            X=problem.X / problem.dtype.type(length),
            y=problem.y / problem.dtype.type(length) / problem.dtype.type(size),
            row_space=replaced(
                space,
                singular_values=space.singular_values / problem.dtype.type(length),
                target=space.target / problem.dtype.type(size),
                distance=space.distance / problem.dtype.type(length) / problem.dtype.type(size),
            ),
        )
    other, metric = geo.in_units(size)
    return Units(length, size, metric), moved, other, theta0 / problem.dtype.type(size)


def _power_of_two(size: Any, dtype: Any) -> float:
    most = _COMFORTABLE[np.dtype(dtype)]
    if not np.isfinite(size) or size == 0 or 1 / most <= float(size) <= most:
        return 1.0
    return float(np.exp2(np.round(np.log2(float(size)))))
