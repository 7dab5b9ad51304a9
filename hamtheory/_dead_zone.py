"""A problem in a geometry with a dead zone, in the units in which its limit and its flow are found."""

from typing import Any

import numpy as np

from ._array import Array
from ._products import refuse_products


class DeadZone:
    """`θ = size · ρ z`, `z = (u − h)₊ + (u + l)₋`, u the mirror coordinates less those of the start.

    With `δ = D ρ²`, in units where the nearest interpolator is of size 1. At a part f of λ, h and l are
    `f·T(1 ∓ s₀) ∓ v`, v of the start and s₀ its signs.

    Args:
        problem: A regression of NumPy's arrays.
        geo: A geometry with a `dead_zone` and a `delta`.
        theta0: θ₀, (d,).

    Attributes:
        matrix: `Q diag(ρ)`, (rank, d): `Xθ = y` is `matrix z = target`.
        target: b, (rank,).
        largest: D.
        reach: The largest T.
    """

    def __init__(self, problem: Any, geo: Any, theta0: Array):
        refuse_products(problem, f"the limits and flows of {type(geo).__name__}")
        space, shape = problem.row_space, (problem.d,)
        rank, start = int(space.rank), np.asarray(theta0, np.float64)
        basis, target = (np.asarray(array, np.float64)[:rank] for array in (space.basis, space.target))
        nearest = start + (target - basis @ start) @ basis
        self.size = float(max(np.max(np.abs(nearest)), np.max(np.abs(start)))) or 1.0
        delta = np.broadcast_to(np.asarray(geo.delta, np.float64), shape)
        self.largest = float(np.max(delta))
        self.root = np.sqrt(delta / self.largest)
        zone = self.root * self.largest * np.broadcast_to(np.asarray(geo.dead_zone(), np.float64), shape) / self.size
        self.signs, self.start = np.sign(start), start / self.size / self.root
        self.high_slope, self.low_slope = zone * (1 - self.signs), zone * (1 + self.signs)
        self.reach = float(np.max(zone))
        self.matrix, self.target = basis * self.root, target / self.size

    def thresholds(self, part: float = 1.0) -> tuple[Array, Array]:
        """h and l at a part of λ."""
        return part * self.high_slope - self.start, part * self.low_slope + self.start
