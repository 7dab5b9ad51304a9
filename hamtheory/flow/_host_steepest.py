"""Steepest flows of exponent q in (1, 2] on the factors of θ, as the host integrates them.

With the coordinates of `_host_factors` the flow is `dy/dt = −(dy/ds) φ(∇f) − decay`: d numbers, whatever the number of
factors. For q < 2 the force φ has an infinite slope where a partial derivative vanishes, which a flow passes, follows
closely, or reaches for good, at the interpolators, in finite time. It is integrated with `g (g² + δ²)^(q/2 − 1)`, δ
being far below the tolerance: what that changes, while |g| ≲ δ, is of the size of δ.
"""

import abc
import math
from functools import cache
from typing import Any

import numpy as np

from ..problem import BinaryClassification
from ._host_collocation import Collocation, _radau
from ._host_factors import Factors
from ._host_flows import Flow, euclidean, natural_gradient
from ._host_jacobians import DiagonalPlusLowRank

Array = Any

_SMOOTHED = 1e-2  # times the tolerance, δ
_REST = 1e-8  # the force, relative to its terms, at which a flow of classes has come to rest


def force(g: Array, q: float, delta: float) -> tuple[Array, Array]:
    """`φ(g)`, smoothed, and its derivative."""
    if q == 2:
        return g, np.ones_like(g)
    square = g * g + delta * delta
    scale = square ** (q / 2 - 1)
    return g * scale, scale * (1 + (q - 2) * (g * g) / square)


def inverse_force(pushed: Array, q: float, delta: float) -> Array:
    """`φ⁻¹`, of the smoothed φ: Newton's method in ln(|g|/δ), of which ln |φ| has a slope from q − 1 to 1."""
    goal = np.log(np.maximum(np.abs(pushed), np.finfo(float).tiny)) - (q - 1) * math.log(delta)
    at = np.where(goal < 0, goal, goal / (q - 1))
    for _ in range(20):
        share = 1 / (1 + np.exp(-2 * at))
        change = (goal - at - (q / 2 - 1) * np.logaddexp(0, 2 * at)) / (1 + (q - 2) * share)
        at = at + change
        if not np.any(np.abs(change) > 1e-13 * (1 + np.abs(at))):
            break
    return np.copysign(delta * np.exp(at), pushed)


class Following(Collocation):
    """Collocation for a force whose slope has no bound: each entry is solved for by the flatter of two equations.

    Where a partial derivative follows the others it is a small and steep function of the velocity, which is smooth.
    Newton's method then is that of `∇f = φ⁻¹(…)` instead of `dy/dt = F(y)`; linearised they are the same.
    """

    _NEWTON = 1e-3  # the velocity has to be known as well: its error would be taken for one of the step

    field: Any  # a `Steepest`

    def step(self):
        if self._linear is not None and self.field.has_turned(self.h, self.t, self.state):
            self._linear = None
        return super().step()

    def _missing(self, times, increments, h, method):
        residual, velocities = super()._missing(times, increments, h, method)
        followed = self.field.is_followed(h)
        if followed.any():
            own = _inverse(self.stages) @ increments / h
            missing = velocities - own
            missing[:, followed] = self.field.missing_force(times, self.state + increments, own, followed)
            residual = h * (method.integrals @ missing)
        return residual, velocities

    def _ended(self, velocities, increments, change, h):
        ended, followed = super()._ended(velocities, increments, change, h), self.field.is_followed(h)
        return np.where(followed, _inverse(self.stages) @ increments / h, ended) if followed.any() else ended


@cache
def _inverse(stages: int) -> Array:
    return np.linalg.inv(_radau(stages).integrals)


class Steepest(abc.ABC):
    """`dw_i/dt = −φ(∇f ⊙ ∏_{j≠i} w_j) − ρw_i`; of one factor also `−α|θ| ⊙ ∇f`. The state is y of `Factors`."""

    q: float
    alpha: float
    delta: float
    tolerance: float
    factors: Factors
    latest = 0.0  # a time not far behind

    @abc.abstractmethod
    def gradient(self, theta: Array) -> Array:
        """∇f, (..., d), all in the units of the flow."""

    @abc.abstractmethod
    def factor(self, theta: Array) -> Array:
        """B, (..., d) with `BᵀB` the Hessian of f, or near to it."""

    @abc.abstractmethod
    def value(self, theta: Array) -> Array:
        """f, (...)."""

    def hyperbolic(self, theta: Array) -> Array:
        """The strength of the hyperbolic step, (..., d): α|θ|."""
        return self.alpha * np.abs(theta)

    @property
    def integrator(self) -> type[Collocation]:
        return Collocation if self.q == 2 else Following

    def initial(self) -> Array:
        return self.factors.start

    def velocity(self, t, state):
        theta, speed = self.factors.moved(t, state)
        gradient = self.gradient(theta)
        velocity = -speed * force(gradient, self.q, self.delta)[0]
        if self.alpha:
            velocity = velocity - self.hyperbolic(theta) * gradient
        return velocity - self.factors.decay(state) if self.factors.rate else velocity

    def linearise(self, t, state):
        point = self.factors.at(t, state)
        gradient, factor = self.gradient(point.theta), self.factor(point.theta)
        pushed, slope = force(gradient, self.q, self.delta)
        self._curvature = np.einsum("ij,ij->j", factor, factor)
        self._rates, self._gain = point.speed * slope * point.slope * self._curvature, point.speed * slope
        diagonal, left = point.bend * pushed, self._gain
        if self.alpha:
            diagonal = diagonal + self.alpha * np.sign(point.theta) * gradient
            left = left + self.hyperbolic(point.theta)
        if self.factors.rate:
            diagonal = diagonal + self.factors.decay_slope()
        return DiagonalPlusLowRank(diagonal, left, factor, point.slope)

    def is_followed(self, h: float) -> Array:
        """Where, in a step h, a partial derivative follows the others: it is the faster one, (d,)."""
        return h * self._rates > 1

    def has_turned(self, h: float, t: float, state: Array) -> bool:
        """Whether the rates are no longer those of the last linearisation."""
        point = self.factors.at(t, state)
        slope = force(self.gradient(point.theta), self.q, self.delta)[1]
        now = point.speed * slope * point.slope * self._curvature
        return bool(np.any(h * np.abs(now - self._rates) > 0.5 * (1 + h * np.minimum(now, self._rates))))

    def missing_force(self, t: Array, state: Array, velocity: Array, which: Array) -> Array:
        """What `dy/dt = F(y)` misses, to first order, by how far ∇f is from φ⁻¹ of the velocity; of some entries."""
        theta, speed = self.factors.moved(t, state)
        gradient = self.gradient(theta)
        if self.factors.rate:
            velocity = velocity + self.factors.decay(state)
        if self.alpha:
            velocity = velocity + self.hyperbolic(theta) * gradient
        pushed = -velocity[:, which] / np.broadcast_to(speed, velocity.shape)[:, which]
        return self._gain[which] * (inverse_force(pushed, self.q, self.delta) - gradient[:, which])

    def weights(self, state):
        return self.factors.weights(self.latest, state) / self.tolerance

    def norm(self, weighted):
        return float(np.max(np.abs(weighted)))

    def error(self, error, weights):
        return self.norm(error * weights)

    def moves(self, t: Array, state: Array) -> tuple[Array, Array, Array]:
        """`φ(∇f)`, −dθ/dt and `−∇f · dθ/dt`, (..., d), (..., d) and (...)."""
        theta = self.factors.theta(t, state)
        gradient = self.gradient(theta)
        pushed = force(gradient, self.q, self.delta)[0]
        moved = self.factors.metric(t, state) * pushed + self.factors.count * self.factors.rate * theta
        if self.alpha:
            moved = moved + self.hyperbolic(theta) * gradient
        return pushed, moved, np.sum(gradient * moved, axis=-1)

    def first_step(self):
        speed = self.norm(self.velocity(0.0, self.initial()) * self.factors.weights(0.0, self.initial()))
        return min(0.01 / speed if speed > 0 else 1.0, 0.1)


class SteepestFlow(Steepest, Flow):
    """Of a regression; factors are in the unit `size^(1/L)`."""

    has_projection = False

    def __init__(self, problem, factors: Array, q: float, alpha: float, rate: float, tolerance: float):
        Flow.__init__(self, problem, np.prod(factors, axis=0), tolerance)
        count = len(factors)
        self.q, self.delta = q, _SMOOTHED * tolerance
        self.factor_unit = self.size ** (1 / count)
        size, strength = math.log(self.size), 2 * math.log(self.strength)
        log_time = (1 - (count - 1) * (q - 1)) / count * size - (q - 1) * (strength + size)
        self.time_unit = math.exp(log_time) if abs(log_time) < 700 else math.nan
        self.alpha = alpha * math.exp(size + (2 - q) * (strength + size)) if alpha else 0.0
        self.factors = Factors(factors / self.factor_unit, q, rate * self.time_unit)
        self.autonomous = rate == 0
        self.start = self.factors.start

    def gradient(self, theta):
        return natural_gradient(self, theta)

    def factor(self, theta):
        return self.lift

    def value(self, theta):
        missing = theta @ self.lift_t - self.target
        return np.sum(missing * missing, axis=-1) / 2

    def linearise(self, t, state):
        self.latest = float(t)
        return Steepest.linearise(self, t, state)

    def points(self, t, state):
        return self.factors.theta(t, state) * self.size

    def physical_state(self, state):
        return state

    def signals(self, t, state):
        return self.factors.smallest(state), 0.0

    def residual(self, state, velocity):
        return 0.0 if self.factors.rate else self.missing(self.factors.theta(0.0, state))

    def missing(self, theta: Array) -> float:
        """`‖Xθ − Py‖ / ‖y‖`."""
        return self._residual_unit * euclidean(self.lift @ theta - self.target)

    def stationarity(self, t: float, state: Array) -> float:
        """With weight decay: how fast θ moves, over how fast the decay alone would move it; now, or at this θ once the
        factors are balanced."""
        pushed, moved, _ = self.moves(t, state)
        theta = self.factors.theta(t, state)
        then = moved + (self.factors.balanced(theta) - self.factors.metric(t, state)) * pushed
        return float(np.max(np.maximum(np.abs(moved), np.abs(then))) / (self.factors.count * self.factors.rate))

    def least_stationarity(self) -> float:
        """About what rounding of ∇f leaves of it where the force balances the decay."""
        decay = self.factors.count * self.factors.rate
        held = max(self.delta, math.exp(min(math.log(decay) / (self.q - 1), 700)))
        return float(np.finfo(float).eps) * held ** (self.q - 2) / decay

    def is_at_rest(self, theta):
        # An entry that cannot change its sign, or is dead: the flow minimises over what is left.
        if self.factors.rate or self.factors.is_free.all():
            return False
        theta = theta / self.size
        step = theta - self.gradient(theta)
        sign = np.where(self.factors.is_dead, 0.0, np.sign(self.theta0))
        target = np.where(~self.factors.is_free & (step * sign <= 0), 0, step)
        scale = np.max(np.abs(self.target @ self.lift))
        condition = 1 / np.min(self.relative, initial=1.0)
        allowed = 1e-3 * scale * self.missing(theta) / (condition * theta.size**0.5)
        return bool(np.max(np.abs(theta - target)) <= allowed)

    def has_settled(self, t, state, velocity):
        return not self.factors.rate and self.residual(state, velocity) <= 0.1 * self.tolerance * self.relative[-1]

    def fastest_rate(self):
        return max(1.0, self.alpha)


class SteepestClassFlow(Steepest):
    """Of a classification, in the clock `s = ∫ L^(q−1) dt`, by the gradient of ln L, which does not underflow.

    θ is in the unit `size`, that of margins of about 1, factors in that of `size^(1/L)`, and s in `size^(q/L)`.
    """

    def __init__(self, problem: BinaryClassification, factors: Array, q: float, alpha: float, tolerance: float):
        rows = np.asarray(problem.signed, float)
        largest = float(np.max(np.abs(rows)))
        theta0 = np.prod(factors, axis=0)
        size = 1 / (largest * float(np.mean(np.sum(np.abs(rows / largest), axis=1))))
        self.size = max(size, float(np.max(np.abs(theta0))))
        self.problem, self.rows, self.q = problem, rows * self.size, q
        self.tolerance, self.delta = tolerance, _SMOOTHED * tolerance
        self.factor_unit = self.size ** (1 / len(factors))
        self.clock_unit = self.size ** (q / len(factors))
        self.alpha = alpha * self.size ** (q - 1)
        self.factors = Factors(factors / self.factor_unit, q)

    def _margins(self, theta: Array) -> Array:
        return theta @ self.rows.T

    def gradient(self, theta):
        return -self.problem.weights_at(self._margins(theta)) @ self.rows

    def factor(self, theta):
        # Of ln L; of the logistic loss nearly, and in the limit, as of the exponential one.
        margins = self._margins(theta)
        curved = self.curved(margins)
        share = curved / max(float(np.sum(curved)), np.finfo(float).tiny)
        return np.sqrt(curved)[:, None] * (self.rows - share @ self.rows)

    def curved(self, margins: Array) -> Array:
        """`ℓ″(m_i)/Σ_j ℓ(m_j)`."""
        q = self.problem.weights_at(margins)
        return q if self.problem.loss_name == "exponential" else q * -np.expm1(self.problem.log_slopes(margins))

    def value(self, theta):
        return self.problem.log_loss_at(self._margins(theta))

    def rests(self, theta: Array) -> bool:
        """Whether the forces of the samples cancel: of classes that cannot be separated, at the minimum of the loss."""
        q = self.problem.weights_at(self._margins(theta))
        terms = np.linalg.norm(q @ np.abs(self.rows))
        return bool(np.isfinite(terms) and np.linalg.norm(q @ self.rows) <= _REST * terms)

    def hyperbolic(self, theta):
        weight = np.exp((2 - self.q) * self.value(theta))[..., None] if self.q < 2 else 1.0
        return self.alpha * np.abs(theta) * weight
