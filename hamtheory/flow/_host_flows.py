"""The flows as the host integrates them: one problem at a time, in NumPy, with their Jacobians.

Every flow is integrated in *natural units*, in which the state, the time and the velocity are of order one whatever
the units of X, y and θ; `physical_state` and `time_unit` lead back. Velocities and points take any leading axes.
"""

import abc
import math
from typing import Any

import numpy as np

from .._array import quiet
from .._products import weighted_gram
from ._host_jacobians import Symmetric

Array = Any


class Flow(abc.ABC):
    """What the integrators need to know of a flow.

    `time_unit`: t over natural time. `size`: the natural size of θ, its unit.
    """

    time_unit: float
    autonomous = True
    has_projection = True

    def __init__(self, problem: Any, theta0: Array, tolerance: float):
        space, rank = problem.row_space, int(problem.rank)
        self.problem, self.theta0, self.tolerance = problem, np.asarray(theta0, float), tolerance
        s = np.asarray(space.singular_values[:rank], float)
        basis = space.basis[:rank]
        self.basis = np.ascontiguousarray(basis, float) if isinstance(basis, np.ndarray) else basis
        target = np.asarray(space.target[:rank], float)
        nearest = self.theta0 + (target - self.basis @ self.theta0) @ self.basis
        self.size = float(max(np.max(np.abs(nearest)), np.max(np.abs(self.theta0)))) or 1.0
        stiffest = float(np.max(s, initial=0)) or 1.0
        self.relative = s / stiffest
        self.lift = self.relative[:, None] * self.basis  # (rank, d)
        self.lift_t = self.lift.T
        self.target = self.relative * (target / self.size)
        self.strength = stiffest / math.sqrt(problem.n)  # the fastest rate of gradient descent, under a root
        self._residual_unit = stiffest * self.size / (euclidean(problem.y) or 1.0)
        self.start = np.zeros(rank)

    def initial(self) -> Array:
        return self.start

    @abc.abstractmethod
    def velocity(self, t: Array, state: Array) -> Array: ...

    @abc.abstractmethod
    def linearise(self, t: float, state: Array) -> Any: ...

    @abc.abstractmethod
    def weights(self, state: Array) -> Array:
        """Of the errors in the state: together they are within the tolerance if their `norm` is at most one."""

    @abc.abstractmethod
    def norm(self, weighted: Array) -> float: ...

    def error(self, error: Array, weights: Array) -> float:
        """The norm of an error; tighter, if it costs more."""
        return self.norm(error * weights)

    @abc.abstractmethod
    def points(self, t: Array, state: Array) -> Array:
        """θ, (..., d), at states (..., m) in natural units, and natural times (...)."""

    @abc.abstractmethod
    def physical_state(self, state: Array) -> Array: ...

    @abc.abstractmethod
    def signals(self, t: Array, state: Array) -> tuple[Array, Array]:
        """What has the sign of θ and is a polynomial where the state is one, (..., d), and its rounding error, (d,)."""

    @abc.abstractmethod
    def residual(self, state: Array, velocity: Array) -> float:
        """`‖Xθ − Py‖ / ‖y‖`, from what is there already; 0 where that is no criterion."""

    def is_at_rest(self, theta: Array) -> bool:
        """Whether the flow has ended elsewhere than at its limit: never, where the metric is positive."""
        return False

    def has_settled(self, t: float, state: Array, velocity: Array) -> bool:
        """Whether all that is yet to come is within the tolerance."""
        return False

    @abc.abstractmethod
    def fastest_rate(self) -> float: ...

    @abc.abstractmethod
    def first_step(self) -> float: ...

    def slowest_rate(self) -> float:
        """That of the direction in which X is smallest, in natural units."""
        return self.fastest_rate() * float(np.min(self.relative, initial=1.0)) ** 2


class _RowSpaceFlow(Flow):
    """A flow in row-space coordinates λ, scaled so that its Jacobian is symmetric: a gradient flow in r dimensions.

    `θ = θ(R′(θ₀) + Qᵀλ)` and `dλ/dt = −s²(Qθ − b)/n`: the state is x with `λ = mirror_size · (s/s₁) x`. The invariant
    `R′(θ) − R′(θ₀) ∈ row(X)` holds exactly, so that every consistent integrator ends at the same limit.
    """

    def _finish(self, mirror_size: float, metric: float, origin: Array) -> None:
        """`mirror_size` of R′(θ) and `metric`, g⁻¹(θ), at a θ of natural size."""
        self.mirror_size, self.metric = mirror_size, metric
        self.origin = origin if np.any(origin) else None
        self.time_unit = mirror_size / self.size / self.strength / self.strength
        # Errors are those of θ, relative to its size: what an error in λ makes of it where θ is large.
        self._error_unit = mirror_size * metric / self.size

    def mirrored(self, state: Array) -> Array:
        mirrored = (state * self.mirror_size) @ self.lift
        return mirrored if self.origin is None else mirrored + self.origin

    def velocity(self, t, state):
        return self.target - self.points(t, state) @ self.lift_t * (1 / self.size)

    def linearise(self, t, state):
        metric = self._metric(t, state) * (self.mirror_size / self.size)
        return Symmetric(weighted_gram(self.lift, metric), self.lift.shape[1])

    @abc.abstractmethod
    def _metric(self, t: Any, state: Array) -> Any:
        """g⁻¹ at a state, (d,)."""

    def weights(self, state):
        # Under weight decay λ grows without bound, and its rounding with it.
        rounding = 8 * np.finfo(float).eps * euclidean(self.relative * state) * self._error_unit
        return self.relative * (self._error_unit / max(self.tolerance, rounding))

    def norm(self, weighted):
        if weighted.ndim == 1:
            return euclidean(weighted)
        return math.sqrt(np.max(np.einsum("ij,ij->i", weighted, weighted)))

    def error(self, error, weights):
        return float(np.max(np.abs(error @ self.lift)) * np.max(weights, initial=0))

    def physical_state(self, state):
        return state * (self.relative * self.mirror_size)

    def signals(self, t, state):
        mirrored = self.mirrored(state)
        size = np.max(np.abs(self.physical_state(state)), initial=0) * math.sqrt(max(self.relative.size, 1))
        origin = 0.0 if self.origin is None else np.abs(self.origin)
        return mirrored, 8 * np.finfo(float).eps * (origin + size)

    def residual(self, state, velocity):
        return self._residual_unit * euclidean(velocity)

    def has_settled(self, t, state, velocity):
        if not self.residual(state, velocity) <= 10 * self.tolerance:
            return False
        jacobian = self.linearise(t, state)
        return jacobian.is_finite() and self.error(jacobian.inverse(velocity), self.weights(state)) <= 0.1

    def fastest_rate(self):
        return self.metric * self.mirror_size / self.size

    def first_step(self):
        speed = euclidean(self.relative * self.velocity(0.0, self.start))
        return min(0.01 / speed if speed > 0 else 1.0, 0.1 / self.fastest_rate())


class DualFlow(_RowSpaceFlow):
    """`dν/dt = −(Xθ − y)/n` with `θ = (R*)′(R′(θ₀) + Xᵀν)`: at most n numbers instead of d, no weight decay.

    Its states are λ with `Xᵀν = Qᵀλ`, in the orthonormal basis Q of the row space.
    """

    def __init__(self, problem: Any, geo: Any, theta0: Array, tolerance: float = 1e-9):
        super().__init__(problem, theta0, tolerance)
        self.geo = geo
        mirrored, metric = geo.scales(np.full(problem.d, self.size))
        origin = np.asarray(geo.mirror_map(self.theta0), float)
        self._finish(max(float(np.max(mirrored)), float(np.max(np.abs(origin)))), float(np.max(metric)), origin)

    def points(self, t, state):
        return self.geo.inverse_mirror_map(self.mirrored(state))

    def _metric(self, t, state):
        return self.geo.inverse_metric(self.points(t, state))


class ExponentialDualFlow(_RowSpaceFlow):
    """The flow of θ = m⊙w with weight decay β in dual coordinates, exact: r numbers, whatever β.

    `θ_t = γ_t sinh(z₀ + 2Qᵀλ)`, `γ_t = γ₀ e^(−4βt)`, with λ as without decay. An entry with γ₀ = 0 is the limit
    `θ₀ exp(±2Qᵀλ − 4βt)` and never flips, exactly. Evaluated as `½ e^(ln γ_t + |z|) (1 − e^(−2|z|))`: γ may be far out
    of the range of numbers, and nothing cancels.
    """

    def __init__(self, problem, theta0, log_gamma, start, balanced, weight_decay, tolerance):
        """`log_gamma`: ln γ₀; of a balanced entry ln |θ₀|. `start`: z₀; there the sign of θ₀."""
        super().__init__(problem, theta0, tolerance)
        self.weight_decay = float(weight_decay)
        self.autonomous, self.has_projection = self.weight_decay == 0, self.weight_decay == 0
        shape = (problem.d,)
        self.log_gamma, self.balanced = np.broadcast_to(log_gamma, shape), np.broadcast_to(balanced, shape)
        self.balanced_sign = np.where(self.balanced, start, 0.0) if np.any(self.balanced) else None
        alive = np.isfinite(self.log_gamma)
        distance = math.log(self.size) - self.log_gamma[alive]
        far = np.maximum(distance, 0) + math.log(2)
        mirrored = np.where(self.balanced[alive] | (distance > 30), far, np.arcsinh(np.exp(np.minimum(distance, 30))))
        metric = 2 * np.hypot(1, np.exp(np.minimum(-distance, 300))) * self.size
        origin = np.where(self.balanced, 0.0, start) / 2
        mirror_size = max(float(np.max(mirrored, initial=0)) / 2, float(np.max(np.abs(origin)))) or 1.0
        self._finish(mirror_size, float(np.max(metric, initial=0)) or self.size, origin)
        self._rate = 4 * self.weight_decay * self.time_unit

    @classmethod
    def of_geometry(cls, problem: Any, geo: Any, theta0: Array, weight_decay: float, tolerance: float = 1e-9):
        """Of the hypentropy `geo` with its `log_gamma`."""
        theta0 = np.asarray(theta0, float)
        return cls(problem, theta0, geo.log_gamma, 2 * geo.mirror_map(theta0), False, weight_decay, tolerance)

    def _exponents(self, t, state):
        """|z|, ln γ_t and the sign of θ."""
        z = 2 * self.mirrored(state)
        log = self.log_gamma if self._rate == 0 else self.log_gamma - self._rate * np.asarray(t)[..., None]
        size, sign = np.abs(z), z
        if self.balanced_sign is not None:
            size = np.where(self.balanced, self.balanced_sign * z, size)
            sign = np.where(self.balanced, self.balanced_sign, sign)
        return size, log, sign

    def points(self, t, state):
        size, log, sign = self._exponents(t, state)
        one_side = np.expm1(-2 * size)
        if self.balanced_sign is not None:
            one_side = np.where(self.balanced, -2.0, one_side)
        return np.copysign(np.exp(log + size) * (-0.5 * one_side), sign)

    def _metric(self, t, state):
        size, log, _ = self._exponents(t, state)
        both = 1 + np.exp(-2 * size)
        return np.exp(log + size) * (both if self.balanced_sign is None else np.where(self.balanced, 2.0, both))

    def signals(self, t, state):
        signals, noise = super().signals(t, state)
        if self.balanced_sign is not None:
            signals, noise = np.where(self.balanced, self.balanced_sign, signals), np.where(self.balanced, 0.0, noise)
        return signals, noise

    def residual(self, state, velocity):
        return super().residual(state, velocity) if self.weight_decay == 0 else 0.0

    def has_settled(self, t, state, velocity):
        return self.weight_decay == 0 and self.balanced_sign is None and super().has_settled(t, state, velocity)


class ProductFlow(ExponentialDualFlow):
    """Gradient flow on the factors of θ = m⊙w, `dm/dt = −(w ⊙ ∇f + 2βm)`, `dw/dt = −(m ⊙ ∇f + 2βw)`.

    With λ, `m ± w = (m₀ ± w₀) exp(±Qᵀλ − 2βt)`: their signs and the imbalance are exact, whatever the integrator. A
    balanced entry, |m₀| = |w₀|, cannot change its sign; one with m₀ = w₀ = 0 never moves.
    """

    def __init__(self, problem: Any, m0: Array, w0: Array, weight_decay: float = 0.0, tolerance: float = 1e-9):
        self.m0, self.w0 = np.asarray(m0, float), np.asarray(w0, float)
        self.sum, self.difference = self.m0 + self.w0, self.m0 - self.w0
        theta0 = self.m0 * self.w0
        balanced = (self.sum == 0) | (self.difference == 0)
        with quiet():
            logs = np.log(np.abs(self.sum)), np.log(np.abs(self.difference))
            both = np.maximum(*logs)
            log_gamma = np.where(balanced, 2 * both - math.log(4), logs[0] + logs[1] - math.log(2))
            start = np.where(balanced, np.where(self.difference == 0, 1.0, -1.0), logs[0] - logs[1])
        super().__init__(problem, theta0, log_gamma, start, balanced, weight_decay, tolerance)

    def sums(self, t: Array, states: Array) -> tuple[Array, Array]:
        """m + w and m − w at physical times and states λ, (times, d) each."""
        with quiet():
            half = states @ self.basis
            decay = 2 * self.weight_decay * np.asarray(t)[..., None]
            return self.sum * np.exp(half - decay), self.difference * np.exp(-half - decay)

    def is_at_rest(self, theta):
        # A balanced coordinate keeps its sign, and a dead one its zero: the flow minimises over what is left.
        if self.balanced_sign is None:
            return False
        theta = theta / self.size
        step = theta - natural_gradient(self, theta)
        penalty = 2 * self.weight_decay / self.size / self.strength / self.strength
        shrunk = np.sign(step) * np.maximum(np.abs(step) - penalty, 0)
        sign = np.where(np.isfinite(self.log_gamma), self.balanced_sign, 0.0)
        target = np.where(self.balanced & (shrunk * sign <= 0), 0, shrunk)
        scale = np.max(np.abs(self.target @ self.lift))
        residual = self._residual_unit * euclidean(self.lift @ theta - self.target)
        missing = residual
        if self.weight_decay > 0:
            missing = np.max(np.abs(theta - shrunk)) / (scale or 1.0)
        condition = 1 / np.min(self.relative, initial=1.0)
        return bool(np.max(np.abs(theta - target)) <= 1e-3 * scale * missing / (condition * theta.size**0.5))


def natural_gradient(flow: Flow, state: Array) -> Array:
    """∇f in natural units."""
    return (state @ flow.lift_t - flow.target) @ flow.lift


def euclidean(vector: Array) -> float:
    """The Euclidean norm; the squares neither overflow nor underflow."""
    largest = float(np.max(np.abs(vector), initial=0))
    if not (0 < largest < math.inf):
        return largest
    return largest * float(np.linalg.norm(np.asarray(vector) * (1 / largest) if largest > 1e-300 else vector / largest))
