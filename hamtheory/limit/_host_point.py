"""A point near the path of `_host_path`: θ and its residual, the matrix of a Newton step, and how wrong θ is.

The notation is that of the module there.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .._array import kept
from ..geometry import AbstractExponentialGeometry
from ..problem import LinearRegression
from ._host_newton import Vector, doubled, gram_of, squared_columns

_EUCLIDEAN = 60.0  # where ln(α|θ|) is below minus this, the geometry is Euclidean in every digit
EPS = float(np.finfo(np.float64).eps)
ON_THE_WAY = math.sqrt(EPS)  # the floor of the weights before the target
largest = np.maximum.reduce  # what `max` does, for a third of the time
_LARGEST_LOG = 0.8 * math.log(np.finfo(np.float64).max)


def columns_of(basis: np.ndarray) -> tuple[Vector | None, Vector, bool]:
    """Which columns of Q are not zero, if any is; the logarithms of their squared norms; whether all are seen while
    the weights are equal."""
    squares = squared_columns(basis)
    seen = None if squares.all() else squares.nonzero()[0]
    logs = np.log(squares if seen is None else squares[seen])
    even = bool(logs.min(initial=0.0) - logs.max(initial=-math.inf) > math.log(ON_THE_WAY))
    return seen, logs, even


@functools.lru_cache(64)
def log_weight_at_rest(profile: Callable) -> float:
    return float(profile(np.zeros(1))[1][0])


class Point:
    """`shift`: ℓ minus its target. `eta`: η. `current`: whether it has been evaluated; `factor`: of H, None if that is
    of another shift.

    Everything is in units of `2**exponent2`, in which the nearest interpolator is of size 1, without what X does not
    see.
    """

    def __init__(self, problem: LinearRegression, geo: AbstractExponentialGeometry, theta0: Vector, straight: bool):
        space, self.problem, self.theta0 = problem.row_space, problem, theta0
        rank = int(space.rank)
        basis, target, start = doubled(space.basis)[:rank], doubled(space.target)[:rank], doubled(theta0)
        self.seen, self.columns, self.even = kept(space, "_columns", lambda: columns_of(basis))  # for many limits
        if self.seen is not None:
            seen, start = basis[:, self.seen], start[self.seen]
            basis = np.ascontiguousarray(seen) if isinstance(seen, np.ndarray) else seen
        self.basis, self.gram = basis, gram_of(basis)
        self.moved = bool(start.any())
        if self.moved:
            projected = basis @ start
            nearest = (target - projected) @ basis + start
            size = float(max(np.abs(nearest).max(initial=0.0), np.abs(start).max()))
        else:
            projected, size = np.zeros(rank), float(kept(space, "largest", lambda: np.abs(space.nearest).max()))
        self.farthest, size = size, size if 0 < size < math.inf else 1.0
        self.exponent2 = math.frexp(size)[1]
        self.farthest = math.ldexp(self.farthest, -self.exponent2)
        self.start, self.target = np.ldexp(start, -self.exponent2), np.ldexp(target, -self.exponent2)
        self.log_unit, self.log_natural = self.exponent2 * math.log(2), math.log(math.ldexp(size, -self.exponent2))
        self.scale = math.sqrt(float(self.target @ self.target))
        if self.moved:
            projected = np.ldexp(projected, -self.exponent2)
            self.scale += math.sqrt(float(projected @ projected))
        self.scale = self.scale if self.scale > 0 else 1.0
        self.straight, self.eta, self.evaluations = straight, np.zeros(rank), 0
        self._aim(geo)
        self.shift = min(0.0, -self.log_size)
        self.current, self.factor = False, None

    def _aim(self, geo: AbstractExponentialGeometry) -> None:
        """Set the target; what is Euclidean in every digit is followed where it just is."""
        self.given = geo
        sparsity = float(geo.log_sparsity) + self.log_unit
        self.by = max(-_EUCLIDEAN - self.log_natural - sparsity, 0.0)
        self.sparsity = sparsity + self.by
        self.log_size = self.log_natural + self.sparsity
        self.profile = geo.profile
        if self.moved:
            self.geo = geo.shifted(self.log_unit + self.by)
            self.at_end: Any = self.geo.exponent(self.start)

    def origin(self) -> tuple[Vector | float, Vector | float]:
        """The exponent of the start at this point of the path, and its slope."""
        if not self.moved:
            return 0.0, 0.0
        if not self.straight:
            s = self.geo.shifted(self.shift).exponent(self.start)
            return s, self.profile(s)[0]
        if self.log_size <= 0:
            return self.at_end, 0.0
        drift = self.at_end / max(self.log_size, EPS)
        return self.at_end + self.shift * drift, drift

    def evaluate(self) -> None:
        """s, θ, ln(dθ/ds) and the residual at this point."""
        self.origins = self.origin()
        self.s = np.dot(self.eta, self.basis)
        if self.moved:
            self.s += self.origins[0]
        self.size = np.abs(self.s)
        relative, self.log_weight = self.profile(self.s)
        self.log_weight = self.log_weight - (self.sparsity + self.shift)
        self.weight = np.exp(self.log_weight)
        self.theta = relative * self.weight
        self.residual = np.dot(self.basis, self.theta)
        self.residual -= self.target
        self.norm = math.sqrt(np.dot(self.residual, self.residual))  # NaN or infinite if any entry is
        self.evaluations += 1
        self.current = True

    def factorise(self, floor: float) -> None:
        """Cholesky's factor of H, with the weights, when they are `squared`, raised to the floor `low`."""
        self.squared = self.log_weight + self.columns
        top = float(largest(self.squared))
        self.low = top + math.log(floor)
        self.lowest = float(self.squared.min())
        if self.lowest >= self.low:
            root = self.log_weight - top
        else:
            root = np.maximum(self.squared, self.low)
            root -= self.columns
            root -= top
        root *= 0.5
        self.factor = self.gram.solver(np.exp(root, out=root))
        # With y = 0 nothing is ever large: keep 0 from being multiplied by an infinity.
        self.largest = math.exp(min(-top, _LARGEST_LOG))

    def solve(self, rhs: np.ndarray) -> np.ndarray:
        assert self.factor is not None
        found = self.factor(rhs)
        found *= self.largest
        return found

    def look_ahead(self) -> None:
        """Newton's step on η, the s that it leads to, and by how much it changes |s|."""
        self.newton = self.solve(self.residual)
        np.negative(self.newton, out=self.newton)
        self.ahead = np.dot(self.newton, self.basis)
        self.ahead += self.s
        self.change = np.abs(self.ahead)
        self.change -= self.size

    def floor(self) -> float:
        """That of the weights at the target, where the rounding of s, a few ε·ℓ, is what remains invisible."""
        return max(4096 * EPS, 8 * EPS * self.log_size)

    def errors(self, low: float) -> tuple[float, Vector, Vector | float]:
        """By how much ln|θ| is wrong, at most and everywhere: for an exponential, exactly. What is `below` the floor
        may be wrong there, not above it; 0.0 if nothing is."""
        below: Any = 0.0
        if self.lowest >= low:
            wrong = np.maximum(self.change, -1)  # another sign: infinitely wrong
        else:
            below = low - self.squared
            np.maximum(below, 0, out=below)
            least = np.sign(below)
            least -= 1  # of what is visible, −1; of what is not, 0
            wrong = self.change - below
            np.maximum(wrong, least, out=wrong)
        np.abs(np.log1p(wrong, out=wrong), out=wrong)
        error = float(largest(wrong))
        if math.isnan(error) or not math.isfinite(self.norm):
            wrong[:], error = np.inf, math.inf
        return error, wrong, below
