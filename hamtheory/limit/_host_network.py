"""Limits of the flows of diagonal networks of depth L ≥ 3 from zero, at any scale.

With θ = θ⁺ − θ⁻, θ± = u^L, v^L, p = L − 2, q = p/L and z = R′(θ)/bound = Qᵀν, the limit is where

    Q(θ⁺ − θ⁻) = b,    s± = 1 ∓ Qᵀν > 0,    s± (θ±)^q = a^p:

basis pursuit as a linear programme, with a power in place of the logarithm in its barrier. As a → 0 the slacks of the
support are (a/u)^p, far below the rounding of z, so that no method which goes through R′ can see them. Here every pair
(θ, s) stays on its curve: where θ is larger than s in units of the data (a *basic* column) θ is the unknown and s
follows, elsewhere s = 1 ∓ Qᵀν is and θ follows. ln a is lowered from where no column is basic, in steps that grow.

References:
    R is that of [woodworth2020kernel].
"""

import math

import numpy as np

from .._array import quiet
from .._products import refuse_products
from ..geometry import AbstractGeometry
from ..metrics import Certificate
from ..problem import LinearRegression
from ._host_newton import Ended, HostLimit, Vector

_EPS = float(np.finfo(float).eps)
_ITERATIONS = 12  # of Newton's method from one scale to the next
_ARRIVED, _GOOD = 1e-11, 1e-8  # the relative change of θ and s at which it ends, and which rounding may leave


def is_hidden(geo: AbstractGeometry, size: float, tol: float) -> bool:
    """Whether the way through R′ loses more than a hundredth of the tolerance at entries of this size."""
    barrier = geo.power_barrier()
    if barrier is None:
        return False
    depth, log_scale = barrier
    return (depth - 2) / depth * (math.log(size) - depth * log_scale) > math.log(1e-2 * tol / _EPS)


class Network:
    """The method for one constraint `Qθ = b` and one depth: a scale, ν, and ln θ of the basic columns (else NaN)."""

    def __init__(self, basis: np.ndarray, target: Vector, depth: int):
        self.basis, self.target, self.depth = basis, target, depth
        self.columns = np.concatenate([basis, -basis], axis=1)
        self.power, self.ratio = depth - 2, (depth - 2) / depth
        self.unit = float(np.max(np.abs(target @ basis)))
        self.log_scale = math.log(self.unit) / depth + 1.0
        self.nu = target * self.power / (2 * depth) * math.exp(-depth * self.log_scale)  # θ = 2L/p a^L z there, about
        self.log_theta = np.full(self.columns.shape[1], np.nan)
        self.steps = 0

    def evaluate(self) -> tuple[np.ndarray, Vector, Vector, Vector]:
        """Which columns are basic, ln θ, ln s, and what the basic ones lack of `s = 1 ∓ Qᵀν`."""
        log_tau, basic = self.power * self.log_scale, ~np.isnan(self.log_theta)
        slack = 1 - self.nu @ self.columns
        log_s = np.where(basic, log_tau - self.ratio * self.log_theta, np.log(slack))
        log_theta = np.where(basic, self.log_theta, (log_tau - log_s) / self.ratio)
        return basic, log_theta, log_s, np.where(basic, slack - np.exp(log_s), 0.0)

    def advance(self) -> tuple[float, float]:
        """A step of Newton's method, short enough to keep θ and s positive: its length, the largest relative change."""
        basic, log_theta, log_s, dual = self.evaluate()
        theta = np.exp(log_theta)
        inside, outside = self.columns[:, basic], self.columns[:, ~basic]
        rows, k = len(self.target), inside.shape[1]
        turn = np.linalg.qr(inside, mode="complete")[0] if k else np.eye(rows)
        r = min(k, rows)
        seen, unseen = turn[:, :r], turn[:, r:]
        log_weight = log_theta[~basic] - log_s[~basic] - math.log(self.ratio)  # dθ/ds
        top = float(np.max(log_weight, initial=-np.inf))
        gram = (outside * np.exp(log_weight - top)) @ outside.T if outside.size else np.zeros((rows, rows))
        scale = math.exp(top) if outside.size else 0.0
        missing = self.target - inside @ theta[basic] - outside @ theta[~basic]
        # Basic: −A_Bᵀ dν + diag(q s/θ) dθ = −dual. In the range of A_B: A_B dθ + G dν = what is missing. Out of it, the
        # same in units of the largest weight, where b is zero up to rounding.
        system, right = np.zeros((k + rows, k + rows)), np.zeros(k + rows)
        system[:k, :k], system[:k, k : k + r] = (
            np.diag(np.exp(log_s[basic] - log_theta[basic]) * self.ratio),
            (-inside.T @ seen),
        )
        right[:k] = -dual[basic]
        system[k : k + r, :k] = seen.T @ inside
        system[k : k + r, k : k + r], system[k : k + r, k + r :] = (
            scale * (seen.T @ gram @ seen),
            scale * (seen.T @ gram @ unseen),
        )
        right[k : k + r] = seen.T @ missing
        if r < rows:
            rest = unseen.T @ self.target
            if np.linalg.norm(rest) <= 1e3 * _EPS * np.linalg.norm(self.target):
                rest = np.zeros(rows - r)
            small = outside @ np.exp(log_theta[~basic] - top)
            system[k + r :, k : k + r], system[k + r :, k + r :] = unseen.T @ gram @ seen, unseen.T @ gram @ unseen
            right[k + r :] = (rest / scale if scale > 0 else 0.0) - unseen.T @ small
        lengths = 1 / np.max(np.abs(system), axis=1)
        try:
            step = np.linalg.solve(system * lengths[:, None], right * lengths)
        except np.linalg.LinAlgError:
            return 0.0, math.inf
        along = turn @ step[k:]
        grown, opened = step[:k] / theta[basic], -(along @ outside) / np.exp(log_s[~basic])
        if not (np.isfinite(grown).all() and np.isfinite(opened).all()):
            return 0.0, math.inf
        worst = max(float(np.max(-grown, initial=0)), float(np.max(-opened, initial=0)))
        length = 1.0 if worst < 0.9 else 0.9 / worst
        self.nu = self.nu + length * along
        moved = self.log_theta.copy()
        moved[basic] = log_theta[basic] + np.log1p(length * grown)
        self.log_theta = moved
        self.steps += 1
        return length, max(float(np.max(np.abs(grown), initial=0)), float(np.max(np.abs(opened), initial=0)))

    def correct(self, iterations: int = _ITERATIONS) -> int:
        """Newton's method at this scale: how many steps it took, 0 if it did not converge."""
        length = change = 0.0
        for i in range(iterations):
            length, change = self.advance()
            if length == 1 and change < _ARRIVED:
                return i + 1
            if length == 0:
                return 0
        return iterations if length == 1 and change < _GOOD else 0

    def repartition(self) -> None:
        """θ is the unknown where it is larger than the slack, as in the optimal partition of the programme."""
        _, log_theta, log_s, _ = self.evaluate()
        basic = (log_theta - math.log(self.unit) > log_s) & (log_s < math.log(0.5))
        self.log_theta = np.where(basic, log_theta, np.nan)

    def follow(self, log_scale: float, max_steps: int) -> bool:
        """Go to this scale: whether it was reached."""
        self.log_scale = max(log_scale, self.log_scale)
        if not self.correct(30):
            return False
        self.repartition()
        step = 0.5
        while self.log_scale > log_scale and self.steps < max_steps:
            before = self.log_scale, self.nu, self.log_theta
            self.log_scale = max(self.log_scale - step, log_scale)
            taken = self.correct()
            if taken:
                self.repartition()
                step *= 3 if taken <= 5 else 1.5 if taken <= 8 else 1
                continue
            self.log_scale, self.nu, self.log_theta = before
            step /= 4
            if step < 1e-6:
                return False
        return self.log_scale <= log_scale

    def prove(self) -> tuple[Vector, float, float]:
        """θ, the gap between R(θ)/bound and the dual value of a feasible point near ν, and the first of the two."""
        d = self.basis.shape[1]
        _, log_theta, log_s, _ = self.evaluate()
        theta, unit = np.exp(log_theta), math.exp(self.depth * self.log_scale)
        shrink = 1 / (1 + 4 * _EPS + max(0.0, float(np.max(self.nu @ self.columns)) - 1))
        slack = np.maximum(1 - shrink * (self.nu @ self.columns), _EPS)
        # R*/bound = (p/2) a^p (u² + v² − 2a²), and a^p (u² − a²) = a^L (s^(−2/p) − 1).
        conjugate = self.power / 2 * np.sum(unit * np.expm1(-2 / self.power * np.log(slack)))
        grown = np.sum(unit * np.expm1(2 / self.depth * (log_theta - self.depth * self.log_scale)))
        value = float(np.sum(theta * (1 - np.exp(log_s))) - self.power / 2 * grown)
        gap = value - float(self.target @ self.nu * shrink - conjugate)
        return theta[:d] - theta[d:], gap, value


def network(problem: LinearRegression, geo: AbstractGeometry, tol: float, max_steps: int) -> HostLimit:
    """The limit from zero of a geometry with a `power_barrier`."""
    refuse_products(problem, f"the limits of {type(geo).__name__} at this scale")
    space, rank, barrier = problem.row_space, int(problem.rank), geo.power_barrier()
    assert barrier is not None
    depth, log_scale = barrier
    basis, target = np.asarray(space.basis, float)[:rank], np.asarray(space.target, float)[:rank]
    with quiet():
        method = Network(basis, target, depth)
        reached = method.follow(log_scale, max_steps)
        theta, gap, value = method.prove()
        missing = space.singular_values[:rank] * (basis @ theta - target)
        bound = float(geo.mirror_bound())
        certificate = Certificate(
            np.float64(np.linalg.norm(missing) / (np.linalg.norm(problem.y) or 1.0)),
            np.float64(gap * bound),
            np.float64(abs(gap) / value if value > 0 else 0.0 if gap == 0 else np.nan),
        )
        ended: Ended = "max_steps" if method.steps >= max_steps else "stalled"
        if not np.isfinite(theta).all():
            ended = "nonfinite"
        elif reached and certificate.violation <= tol:
            ended = "converged"
        return HostLimit(theta, method.nu * bound, certificate, method.steps, method.steps, ended)
