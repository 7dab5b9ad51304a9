"""Limits of a geometry with a dead zone: a semismooth Newton method on their dual, for one problem, in NumPy.

With `δ = D ρ²` and `A = Q diag(ρ)` the dual function is `Σ ½(u − h)₊² + ½(u + l)₋² − bᵀx`, `u = Aᵀx`, in units where
the nearest interpolator is of size 1: convex, and quadratic on every piece of one support. Its gradient is `Az − b`,
`z = (u − h)₊ + (u + l)₋`, with `θ = ρz`.

A step is Newton's of the piece, if the gradient is in the range of the columns in the support, and otherwise that of
the piece with a multiple of 1 added; either goes to the minimum along its line, over all pieces. There are finitely
many of these, and from the right one a step is exact. Far out a piece is nearly flat: h and l are followed by factors
of ten, from where the quadratic term still counts; and once a certificate says that θ is basis pursuit's solution, in
one step.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._array import quiet
from .._dead_zone import DeadZone
from ..metrics import certified
from ..problem import LinearRegression
from ._basis_pursuit import least_level
from ._host_newton import Ended, HostLimit, Vector, doubled, scaled_norm

_EPS = float(np.finfo(np.float64).eps)
_FLAT = 1e-3  # of 1, the most that is added to the matrix of a piece
_SINGULAR = 1e-12  # relative, of the squares of singular values
_STAGE = 10.0  # by which h and l grow
_FAR = 1e4  # h and l over the size of θ, beyond which digits of θ are lost
_REFITS = 2
_LEAST = 4096 * _EPS  # an entry below it, relative to θ or to λδ, is what rounding leaves of 0
_ROUNDING = 1e-12


def soft(u: Vector, high: Vector, low: Vector) -> Vector:
    """`(u − h)₊ + (u + l)₋`."""
    return np.maximum(u - high, 0) + np.minimum(u + low, 0)


@dataclass
class Dual:
    """The dual function with a matrix A and a target b, of size about 1; `steps` counts those taken.

    Args:
        matrix: A, (r, d).
        target: b, (r,).
    """

    matrix: np.ndarray
    target: Vector
    steps: int = 0

    def minimise(self, x: Vector, high: Vector, low: Vector, max_steps: int) -> tuple[Vector, Vector, bool]:
        """x where the dual function is least, z there, and whether the gradient is 0 to rounding."""
        finite = [np.max(np.abs(side[np.isfinite(side)]), initial=1.0) for side in (high, low)]
        scale = scaled_norm(self.target) or 1.0
        floor = 32 * _EPS * math.sqrt(len(x)) * max(finite)
        while True:
            u = x @ self.matrix
            z = soft(u, high, low)
            gradient = self.matrix @ z - self.target
            size = scaled_norm(gradient)
            if size <= floor * scale:
                return x, z, True
            if self.steps >= max_steps or not math.isfinite(size):
                return x, z, False
            self.steps += 1
            step = self._direction(z != 0, gradient, floor * scale, size / scale)
            moved = x + self._along(u, step, high, low) * step
            if np.array_equal(moved, x):
                return x, z, False
            x = moved

    def _direction(self, support: np.ndarray, gradient: Vector, rounding: float, size: float) -> Vector:
        """Newton's step of the piece, where it has one."""
        left, squares = spectrum(self.matrix[:, support])
        along = left.T @ gradient
        rest = gradient - left @ along
        if scaled_norm(rest) <= rounding:
            return -(left @ (along / squares))
        added = _FLAT * min(1.0, size)
        return -(left @ (along / (squares + added)) + rest / added)

    def _along(self, u: Vector, step: Vector, high: Vector, low: Vector) -> float:
        """Where the dual function is least along a step: the root of its slope, which is piecewise linear."""
        by, gain = step @ self.matrix, float(self.target @ step)
        slope = lambda s: float(by @ soft(u + s * by, high, low)) - gain  # noqa: E731
        with quiet():
            kinks = np.concatenate([(high - u) / by, (-low - u) / by])
        kinks = np.sort(kinks[np.isfinite(kinks) & (kinks > 0)])
        first, last = 0, kinks.size
        while first < last:
            middle = (first + last) // 2
            first, last = (first, middle) if slope(kinks[middle]) > 0 else (middle + 1, last)
        left = float(kinks[first - 1]) if first else 0.0
        right = float(kinks[first]) if first < kinks.size else left + 1.0
        below, above = slope(left), slope(right)
        return left - below * (right - left) / (above - below) if above > below else right

    def refitted(self, z: Vector) -> Vector:
        """z with `Az = b` to rounding, by the least change of its support; as it was, if that changes a sign."""
        support = z != 0
        for _ in range(_REFITS):
            left, squares = spectrum(self.matrix[:, support])
            missing = left @ ((left.T @ (self.target - self.matrix @ z)) / squares)
            moved = np.where(support, z + missing @ self.matrix, 0.0)
            if not np.array_equal(np.sign(moved), np.sign(z)):
                break
            z = moved
        return z


def spectrum(columns: np.ndarray) -> tuple[np.ndarray, Vector]:
    """The left singular vectors with the squares of the singular values, those above rounding."""
    if columns.shape[1] <= columns.shape[0]:
        left, values, _ = np.linalg.svd(columns, full_matrices=False)
        squares = np.square(values)
    else:
        squares, left = np.linalg.eigh(columns @ columns.T)
    kept = squares > _SINGULAR * np.max(squares, initial=0.0)
    return left[:, kept], squares[kept]


class _Path:
    """The limits of the parts of λ, from where the quadratic term counts to all of it."""

    def __init__(self, zone: DeadZone):
        self.zone, self.reach = zone, zone.reach
        self.dual = Dual(zone.matrix, zone.target)

    def follow(self, max_steps: int) -> tuple[Vector, Vector, bool]:
        """x and z at the whole of λ, and whether it was reached."""
        x, part = np.zeros(len(self.dual.target)), min(1.0, 1 / self.reach) if self.reach else 1.0
        while True:
            x, z, done = self.dual.minimise(x, *self.zone.thresholds(part), max_steps)
            z = np.where(np.abs(z) > _LEAST * max(part * self.reach, 1.0), z, 0.0)
            if part == 1 or not done:
                return x, z, done
            if part * self.reach >= _FAR and (rate := self._rate(z)) is not None:
                return x + (1 - part) * rate, z, True
            longer = min(1.0, _STAGE * part)
            x, part = x * (longer / part), longer

    def _rate(self, z: Vector) -> Vector | None:
        """The rate at which x grows with f while z stays as it is, for good, from zero; None if there is none."""
        if self.zone.start.any() or not (self.zone.high_slope > 0).all():
            return None
        columns, signs = self.dual.matrix * (self.reach / self.zone.high_slope), np.sign(z)
        try:
            rate, _ = least_level(columns, signs)
        except RuntimeError:
            return None
        support = z != 0
        left, squares = spectrum(columns[:, support])
        missing = columns[:, support] @ (signs[support] - rate @ columns[:, support])
        u = np.abs((rate := rate + left @ ((left.T @ missing) / squares)) @ columns)
        exact = np.abs(u[support] - 1).max(initial=0.0) <= _ROUNDING
        return rate * self.reach if exact and u[~support].max(initial=0.0) <= 1 else None


def sparse(problem: LinearRegression, geo: Any, theta0: Vector, tol: float, max_steps: int) -> HostLimit:
    """The limit from θ₀ of a geometry with a `dead_zone` and a `delta`."""
    zone = DeadZone(problem, geo, theta0)
    path = _Path(zone)
    x, z, done = path.follow(max_steps)
    z = path.dual.refitted(z)
    theta = (zone.size * zone.root * z).astype(problem.dtype, copy=False)
    coordinates = np.zeros_like(problem.row_space.target)
    coordinates[: len(x)] = x * (zone.size / zone.largest)
    certificate, misfit = certified(problem, geo, doubled(theta), doubled(theta0), doubled(coordinates))
    ended: Ended = "converged"
    if not certificate.violation <= tol:
        ended = "stalled" if done or path.dual.steps < max_steps else "max_steps"
        ended = ended if np.isfinite(theta).all() else "nonfinite"
    return HostLimit(theta, coordinates, certificate, path.dual.steps, path.dual.steps, ended, misfit)
