"""Units in which a problem has numbers of moderate size.

With `X = a X̂`, `θ = c θ̂` and `y = a c ŷ` the flow of `g⁻¹(c θ̂) = κ ĝ⁻¹(θ̂)` is that of ĝ⁻¹ in the time `t̂ = a²κ t`, with
weight decay `β̂ = β/(a²κ)`; its limit is the same, `R = (c²/κ) R̂`, and `ν = c/(aκ) ν̂`. The squares and products that a
solver forms then stay in the range of numbers, and what it certifies is not the zero that they would underflow to.

A geometry that changes its unit of time (its `log_rescaling`) does so elsewhere in other units: of what is reported, R
and R′, and the inverse of its times, are multiplied by the quotient of both factors, 1/ρ.
"""

from typing import Any

import numpy as np

from ._array import Array, Struct, kept, quiet, replaced
from ._products import divided, has_products
from .geometry import AbstractGeometry
from .problem import LinearRegression

_COMFORTABLE = {np.dtype(np.float32): 1e6, np.dtype(np.float64): 1e60}  # and the inverse: nothing has to be done


class Units(Struct):
    """The units of X, of θ, and of the inverse metric: a, c and κ, powers of two if anything but 1; and ρ."""

    X: float
    theta: float
    metric: float
    rescaling: float

    @property
    def time(self) -> float:
        """`t̂ / t`."""
        return _product(self.X, self.X, self.metric, self.rescaling)

    @property
    def decay(self) -> float:
        """`β / β̂`, which is no matter of a geometry's own unit of time."""
        return _product(self.X, self.X, self.metric)

    @property
    def mirror(self) -> float:
        """Of R′."""
        return _product(self.theta, _inverse(self.metric), _inverse(self.rescaling))

    @property
    def value(self) -> float:
        """Of R, of the divergence and of the duality gap without weight decay."""
        return _product(self.theta, self.theta, _inverse(self.metric), _inverse(self.rescaling))

    @property
    def loss(self) -> float:
        """Of the loss, and of the duality gap with weight decay."""
        return _product(self.X, self.theta, self.X, self.theta)


_ONE = Units(1.0, 1.0, 1.0, 1.0)


def _inverse(unit: float) -> float:
    """Infinite of a unit that has underflown: what is scaled by it then is known to be nothing less."""
    return 1 / unit if unit else np.inf


def _product(*factors: float) -> float:
    """The product, infinite or the smallest normal number where it leaves the range: what it multiplies is no zero."""
    if factors.count(1.0) == len(factors):
        return 1.0
    with quiet():
        exponent = float(np.sum(np.log2(factors)))
        return float(np.exp2(min(exponent, 1024.0))) if exponent > -1022 else float(np.finfo(float).tiny)


def scaled(value: Array, unit: float) -> Array:
    """`value · unit`, but no zero for what is none."""
    if unit == 1:
        return value
    with quiet():
        return _no_zero(np.where(value == 0, value, value * unit), value)


def _no_zero(product: Array, value: Array) -> Array:
    """The product, or the smallest normal number where it has underflown."""
    return np.where((product == 0) & (value != 0), np.finfo(np.asarray(value).dtype).tiny, product)[()]


def in_units(
    problem: LinearRegression, geo: AbstractGeometry, theta0: np.ndarray
) -> tuple[Units, LinearRegression, AbstractGeometry, np.ndarray]:
    """The units, with the problem, the geometry and the start in them; all as they are if they are comfortable."""
    space = problem.row_space
    if theta0.any():
        nearest = theta0 + (space.target - space.project(theta0)) @ space.basis
        largest = max(np.abs(nearest).max(), np.abs(theta0).max())
    else:
        largest = kept(space, "_largest", lambda: np.abs(space.nearest).max())
    size = _power_of_two(largest, problem.dtype)
    length = _power_of_two(kept(space, "_length", lambda: np.max(space.singular_values)), problem.dtype)
    if size == length == 1:
        return _ONE, problem, geo, theta0
    with quiet():
        unit = problem.dtype.type(length)
        moved = replaced(
            problem,
            X=divided(problem.X, unit) if has_products(problem.X) else problem.X / unit,
            y=_no_zero(problem.y / problem.dtype.type(length) / problem.dtype.type(size), problem.y),
            row_space=replaced(
                space,
                singular_values=space.singular_values / problem.dtype.type(length),
                target=space.target / problem.dtype.type(size),
                distance=space.distance / problem.dtype.type(length) / problem.dtype.type(size),
            ),
        )
    units, other = of_geometry(length, size, geo)
    return units, moved, other, theta0 / problem.dtype.type(size)


def of_geometry(length: float, size: float, geo: AbstractGeometry) -> tuple[Units, AbstractGeometry]:
    """The units with those of X and θ given, and the geometry in them."""
    if size == 1:
        return Units(length, 1.0, 1.0, 1.0), geo
    other, metric = geo.in_units(size)
    with quiet():
        rescaling = float(np.exp(np.max(other.log_rescaling) - np.max(geo.log_rescaling)))
    return Units(length, size, metric, rescaling), other


def _power_of_two(size: Any, dtype: Any) -> float:
    most = _COMFORTABLE[dtype]
    if 1 / most <= size <= most or not np.isfinite(size) or size == 0:
        return 1.0
    return float(np.exp2(np.round(np.log2(float(size)))))
