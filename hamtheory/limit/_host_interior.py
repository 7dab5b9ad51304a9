"""Limits under weight decay: ridge, lasso, and HAM's penalty between them, by one primal-dual interior-point method.

With weight decay β the flows end where `f + P` is smallest, whatever their start: for gradient descent P is the ridge
penalty `½β‖θ‖²`, for m⊙w `2β‖θ‖₁`, for HAM `βΨ_α`, `Ψ_α = Σ(α|θ| − ln(1 + α|θ|))/α²`. The last one in the units
`λ = β/α`, `μ = 1/α` is

    P(θ) = λ Σ |θ| − μ ln(1 + |θ|/μ),    P′ = λa,    a = θ/(μ + |θ|),

which is the lasso's penalty λ‖θ‖₁ with a logarithmic barrier on the dual constraint |a| ≤ 1, as it is usual in linear
programming, with 1/α in the role of the barrier's parameter. So HAM's limits, as α grows, *are* the central path of an
interior-point method for the lasso, and its techniques apply: keep θ and `a = Qᵀρ` as separate unknowns, linearise

    b − Qθ = λ S⁻¹ρ,    |θ| (1 − |a|) = μ|a|,    S = s²/n,

stay inside |a| < 1, and lower μ from where the problem is nearly quadratic. One Cholesky factorisation of an r × r
matrix a step, about 8 steps at α|θ| ~ 100 and 15 for the lasso itself. λ = 0 is no special case (an interpolator).
The units are those in which X and the nearest interpolator are of size 1.

What was tried instead, and lost: docs/decisions/weight-decay.md.

References:
    [jacobs2026ham], [jacobs2025mask]; the method, [wright1997primal], [chan1999nonlinear].
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._array import quiet
from ..geometry import AbstractGeometry, Penalty
from ..metrics import relative_stationarity
from ..problem import LinearRegression
from ._host_newton import Ended, Vector, doubled, gram_of, scaled_norm, squared_columns

_BOUNDARY = 0.99  # the part of the way to |a| = 1 that a step may go
_RIDGE = 1e12  # beyond this μ, in units of θ, the penalty is quadratic in every digit
_LASSO = 1e-11  # below this μ, in units of θ, the path is left for its end
_STIFFEST = 1e12  # the largest weight of a column, over what determines the least eigenvalue of the matrix
_PATIENCE = 60  # steps at the end of the path without a better certificate
_EPS = float(np.finfo(np.float64).eps)
_LEAST_SLACK = 256 * _EPS  # one below rounding would leave no room for what rounding does to the rest


@dataclass(frozen=True)
class Point:
    """An interior point: θ, the dual coordinates ρ, the slacks `1 ∓ a`, and the barrier's current parameter."""

    theta: Vector
    rho: Vector
    upper: Vector
    lower: Vector
    barrier: float


@dataclass(frozen=True)
class HostRegularised:
    """A limit under weight decay: θ, (d,); the dual point ν, (n,); how far it is proven, the effort, how it ended.

    `duality_gap`: of `min f + P`; `relative_gap`: over its value; `stationarity`: the relative violation of the
    optimality condition. `point`: where a similar problem may start.
    """

    theta: Vector
    dual: Vector
    duality_gap: float
    relative_gap: float
    stationarity: float
    steps: int
    ended: Ended
    point: Point


class Interior:
    """The method for one problem, geometry and penalty: where to start, a step, and what it proves.

    `slope`, `end`: the penalty's λ and μ.
    """

    def __init__(self, problem: LinearRegression, geo: AbstractGeometry, penalty: Penalty, weight_decay: float):
        space, self.problem, self.geo, self.weight_decay = problem.row_space, problem, geo, weight_decay
        self.rank = rank = int(space.rank)
        self.basis = doubled(space.basis)[:rank]
        self.gram = gram_of(self.basis)
        self.singular, self.target = doubled(space.singular_values)[:rank], doubled(space.target)[:rank]
        size = float(np.max(np.abs(self.target @ self.basis), initial=0.0))
        self.unit = math.frexp(size if 0 < size < math.inf else 1.0)[1]
        self.unit_of_x = math.frexp(float(np.max(self.singular, initial=0.0)) or 1.0)[1]
        self.size = math.ldexp(size, -self.unit) if size > 0 else 1.0
        self.target, self.singular = np.ldexp(self.target, -self.unit), np.ldexp(self.singular, -self.unit_of_x)
        self.spectrum = np.square(self.singular) / problem.n
        self.columns = squared_columns(self.basis)
        self._bound(penalty)
        self.soft = self.slope / self.spectrum
        self.softest = float(np.min(self.soft, initial=math.inf))

    def _bound(self, penalty: Penalty) -> None:
        """μ and λ within the range of numbers, and the minimiser the same to rounding: ridge is where μ is far above θ,
        at λ/μ = β; a slope λ that is lost in the rounding of ∇f is that rounding."""
        barrier = float(np.ldexp(float(penalty.barrier), -self.unit))
        self.end, of_x = min(barrier, _RIDGE * self.size), -2 * self.unit_of_x
        if barrier > self.end:
            slope = float(np.ldexp(float(penalty.curvature), of_x)) * self.end
        else:
            slope = float(np.ldexp(np.ldexp(float(penalty.slope), -self.unit), of_x))
        steepest = float(np.max(np.abs((self.spectrum * self.target) @ self.basis), initial=0.0))
        self.slope = max(slope, 256 * _EPS * steepest)

    def cold(self) -> Point:
        """The start of the path: θ = 0, a = 0, and a barrier of the size of θ."""
        d = self.problem.d
        return Point(np.zeros(d), np.zeros(self.rank), np.ones(d), np.ones(d), self.size)

    def warm(self, solution: Point) -> Point:
        """The solution of a similar problem, moved into the interior."""
        a = 0.9 * (solution.lower - solution.upper) / 2
        return Point(solution.theta, 0.9 * solution.rho, 1 - a, 1 + a, 1e-2 * self.size)

    def _lowered(self, barrier: float, factor: float) -> float:
        lower = max(barrier * factor, self.end)
        return self.end if lower < _LASSO * self.size else lower

    def step(self, point: Point) -> Point:
        """Newton's step for both equations, within the bounds of a, and a lower barrier if it went far enough."""
        theta, barrier, basis = point.theta, point.barrier, self.basis
        tiny = np.finfo(np.float64).tiny
        slack = np.maximum(np.where(theta >= 0, point.upper, point.lower), tiny)
        total = np.maximum(barrier + np.abs(theta), tiny)
        # The complementarity |θ|(1 − a s) = μ a s, and the first equation.
        missing = (barrier * (point.rho @ basis) - theta * slack) / total
        residual = self.target - basis @ theta - self.soft * point.rho
        weights = total / slack
        decisive = np.partition(weights * self.columns, -self.rank)[-self.rank]
        largest = _STIFFEST * max(decisive, self.softest) / np.where(self.columns > 0, self.columns, 1)
        np.minimum(weights, largest, out=weights)
        matrix = self.gram.matrix(np.sqrt(weights))
        diagonal = matrix.reshape(-1)[:: self.rank + 1]
        diagonal += self.soft
        # Dependent columns can leave it singular to rounding, whatever the weights.
        diagonal += 32 * _EPS * diagonal.max()
        rho_step = self.gram.solve(self.gram.factorise(matrix), residual - basis @ (weights * missing))
        a_step = rho_step @ basis
        theta_step = weights * (a_step + missing)
        room = np.where(a_step > 0, point.upper, point.lower) / np.abs(a_step)  # infinite for a step of 0
        t = min(1.0, _BOUNDARY * float(np.min(room)))
        return Point(
            # Only a has bounds. A wrong sign of θ, with a at the other bound, can only be left by a whole step.
            theta=theta + theta_step,
            rho=point.rho + t * rho_step,
            upper=np.maximum(point.upper - t * a_step, _LEAST_SLACK),
            lower=np.maximum(point.lower + t * a_step, _LEAST_SLACK),
            barrier=self._lowered(barrier, 0.1 if t > 0.9 else 0.5) if t > 0.3 else barrier,
        )

    def reported(self, point: Point) -> Vector:
        """θ; where |a| is clearly below 1 and μ is small, from the dual: `θ = μa/(1 − |a|)`, 0 for the lasso."""
        if self.end >= 1e-4 * self.size:
            return point.theta
        slack = np.minimum(point.upper, point.lower)
        by_dual = slack > 1e-6
        return np.where(by_dual, self.end * (point.rho @ self.basis) / np.where(by_dual, slack, 1), point.theta)

    def gap(self, theta: Vector, point: Point) -> tuple[float, float]:
        """The duality gap, and the gap over `f + P` at θ.

        The dual problem is `max yᵀν − (n/2)‖ν‖² − P*(Xᵀν)`, at the ν with `Xᵀν = λa`. With `r = (y − Xθ)/n` the
        difference of the values is

            (n/2)‖r − ν‖² + Σ P(θ) + P*(Xᵀν) − θXᵀν,   the terms being   λμ (w − 1 − ln w) + λ|θ|(|a| − a sign θ),

        `w = (1 + |θ|/μ)(1 − |a|)`: nothing cancels. For μ = 0 they are `λ|θ|(1 − a sign θ)`. Where `r − ν` is nothing
        but the rounding of Xθ, it counts as zero.
        """
        n, slope, barrier = self.problem.n, self.slope, self.end
        fitted = self.singular * (self.basis @ theta - self.target)  # of the removable residual
        mismatch = scaled_norm(-fitted / n - slope * point.rho / self.singular)
        y = np.ldexp(doubled(self.problem.y), -self.unit - self.unit_of_x)
        rounding = 16 * float(np.finfo(self.problem.dtype).eps) * scaled_norm(y) / n
        gap = 0.0 if mismatch <= rounding else n * mismatch**2 / 2
        x, value = np.abs(theta), float(np.sum(np.square(fitted))) / (2 * n)
        if barrier > 0:
            a, slack, ratio = point.rho @ self.basis, np.minimum(point.upper, point.lower), x / barrier
            size = np.abs(a)
            excess = np.where(size < 0.5, ratio - size * (1 + ratio), (1 + ratio) * slack - 1)  # w − 1
            smooth = np.where(np.abs(excess) < 1e-4, np.square(excess) / 2, excess - np.log1p(excess))
            gap += slope * float(np.sum(barrier * smooth + x * (size - a * np.sign(theta))))
            small = x * (ratio / 2 * (1 - 2 * ratio / 3))
            value += slope * float(np.sum(np.where(ratio < 1e-4, small, x - barrier * np.log1p(ratio))))
        else:
            gap += slope * float(np.sum(x * np.where(theta >= 0, point.upper, point.lower)))
            value += slope * float(np.sum(x))
        return gap, gap / (value if value > 0 else 1.0)

    def in_units(self, theta: Vector) -> Vector:
        return np.ldexp(theta, self.unit).astype(self.problem.dtype, copy=False)

    def dual(self, point: Point) -> Vector:
        """ν. What is out of the range of X belongs to it and to both values, and to neither Xᵀν nor the gap."""
        space, y = self.problem.row_space, doubled(self.problem.y)
        left = doubled(space.left)[:, : self.rank]
        inside = np.ldexp(left @ (self.slope * point.rho / self.singular), self.unit + self.unit_of_x)
        return (inside + (y - left @ (left.T @ y)) / self.problem.n).astype(self.problem.dtype, copy=False)

    def prove(self, point: Point) -> tuple[float, float, float, float]:
        """The violation, and what it is the largest of: stationarity and relative gap; with the gap."""
        theta = self.reported(point)
        at = self.in_units(theta)
        stationarity = float(relative_stationarity(self.problem, self.geo, at, self.weight_decay))
        gap, relative = self.gap(theta, point)
        return float(np.maximum(stationarity, relative)), stationarity, relative, gap

    def solve(self, start: Point, tol: float, max_steps: int) -> HostRegularised:
        """Minimise `f + P` from a point of the interior, until the stationarity condition holds to `tol`."""
        with quiet():
            point, steps, waited, proof = start, 0, 0, None
            ended: Ended = "max_steps"
            least = math.inf
            if self.rank == 0:  # θ = 0, and nothing to solve for
                point, ended, max_steps = self.cold(), "converged", 0
            while steps < max_steps and waited < _PATIENCE:
                at_end = point.barrier <= self.end
                point, steps, proof = self.step(point), steps + 1, None
                if not at_end:
                    continue
                proof = self.prove(point)
                if proof[0] <= tol:
                    # The method converges quadratically: one step more is worth all digits.
                    polished, steps = self.step(point), steps + 1
                    better, ended = self.prove(polished), "converged"
                    if better[0] < proof[0]:
                        point, proof = polished, better
                    break
                waited = 0 if proof[0] < 0.9 * least else waited + 1
                least = min(least, proof[0])
            _, stationarity, relative, gap = proof or self.prove(point)
            theta = self.in_units(self.reported(point))
            if not np.isfinite(theta).all():
                ended = "nonfinite"
            elif waited >= _PATIENCE:
                ended = "stalled"
            gap = float(np.ldexp(gap, 2 * (self.unit + self.unit_of_x)))
            return HostRegularised(theta, self.dual(point), gap, relative, stationarity, steps, ended, point)


def regularised(
    problem: LinearRegression,
    geo: AbstractGeometry,
    penalty: Penalty,
    weight_decay: float,
    tol: float,
    max_steps: int,
) -> HostRegularised:
    """The minimiser of `f + P`, from the centre."""
    with quiet():
        method = Interior(problem, geo, penalty, weight_decay)
    return method.solve(method.cold(), tol, max_steps)


def regularised_path(
    problem: LinearRegression,
    geo: AbstractGeometry,
    penalty: Callable[[float], Penalty],
    weight_decays: Any,
    tol: float,
    max_steps: int,
) -> Iterator[HostRegularised]:
    """The minimisers for many strengths, from the largest down, each from the one before."""
    point = None
    for weight_decay in weight_decays:
        with quiet():
            method = Interior(problem, geo, penalty(weight_decay), float(weight_decay))
        found = method.solve(method.warm(point) if point else method.cold(), tol, max_steps)
        if point and found.ended != "converged":
            # A start near a solution can be near the boundary elsewhere: then the way from the centre is the safer one.
            found = method.solve(method.cold(), tol, max_steps)
        point = found.point
        yield found
