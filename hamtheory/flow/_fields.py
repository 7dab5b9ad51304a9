"""The vector fields: one flow in three coordinate systems."""

import abc
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Bool, Float

from .._array import Array
from .._types import Number
from ..geometry import AbstractGeometry, Hypentropy
from ..metrics import (
    Certificate,
    certify,
    nearest_coordinates,
    relative_distance_to_least_squares,
    relative_stationarity,
)
from ..problem import LinearRegression


class AbstractFlow(eqx.Module):
    """A flow in some coordinates: what the integrator needs to know of it."""

    problem: eqx.AbstractVar[LinearRegression]

    @abc.abstractmethod
    def initial(self) -> Any:
        """The state at t = 0."""

    @abc.abstractmethod
    def velocity(self, t: Number, state: Any) -> Any:
        """The time derivative of the state."""

    @abc.abstractmethod
    def theta(self, state: Any) -> Float[Array, " d"]:
        """The parameter vector at a state."""

    @abc.abstractmethod
    def sign_factors(self, state: Any) -> Float[Array, "factors d"]:
        """Linear functionals of the state, the product of whose signs is that of θ."""

    @abc.abstractmethod
    def sign_noise(self, state: Any) -> Float[Array, "factors d"]:
        """The sizes up to which these may be nothing but rounding."""

    @abc.abstractmethod
    def certificate(self, state: Any) -> Certificate:
        """How close the state is to the Bregman projection of the start on the interpolators."""

    @abc.abstractmethod
    def residual(self, state: Any) -> Float[Array, ""]:
        """What costs little to know of the violation: a lower bound of it."""

    @abc.abstractmethod
    def violation(self, state: Any) -> Float[Array, ""]:
        """How far the state is from the limit, relative; the flow has converged when this is at most its tolerance."""

    @abc.abstractmethod
    def is_at_rest(self, state: Any) -> Bool[Array, ""]:
        """Whether the flow has ended elsewhere: at the minimum over the points that it can reach."""

    @abc.abstractmethod
    def has_projection(self) -> Bool[Array, ""]:
        """Whether the limit is a Bregman projection of the start: it is, unless there is weight decay."""

    @abc.abstractmethod
    def fastest_rate(self) -> Float[Array, ""]:
        """An upper estimate of the fastest rate of decay, in inverse time: where a logarithmic time axis begins."""

    @abc.abstractmethod
    def absolute_scale(self) -> Any:
        """The unit of the absolute tolerance, a pytree like the state (or its prefix)."""


def fastest_rate(problem: LinearRegression, geo: AbstractGeometry, theta0: Float[Array, " d"]) -> Float[Array, ""]:
    """`λ_max(XXᵀ)/n` times the inverse metric at the natural size of θ."""
    size, _ = natural_scales(problem, geo, theta0)
    metric = jnp.max(geo.inverse_metric(jnp.full_like(theta0, size)))
    return jnp.square(jnp.max(problem.row_space.singular_values)) / problem.n * metric


def natural_scales(problem: LinearRegression, geo: AbstractGeometry, theta0: Float[Array, " d"]):
    """The sizes of θ, and of its image under the mirror map, to be expected along a flow."""
    space = problem.row_space
    nearest = theta0 + (space.target - space.project(theta0)) @ space.basis
    size = jnp.maximum(jnp.max(jnp.abs(nearest)), jnp.max(jnp.abs(theta0)))
    size = jnp.where(size > 0, size, 1)
    return size, jnp.max(geo.mirror_map(jnp.full_like(theta0, size)))


class PrimalFlow(AbstractFlow):
    """`dθ/dt = −g_t⁻¹(θ) ⊙ ∇f(θ) − cθ` in θ itself: d numbers, any weight decay."""

    problem: LinearRegression
    geo: AbstractGeometry
    theta0: Float[Array, " d"]
    weight_decay: Float[Array, ""]

    def initial(self):
        return self.theta0

    def velocity(self, t, state):
        geo, rate = self.geo.decayed(t, self.weight_decay)
        return -geo.inverse_metric(state) * self.problem.gradient(state) - rate * state

    def theta(self, state):
        return state

    def sign_factors(self, state):
        return state[None]

    def sign_noise(self, state):
        return jnp.zeros_like(state)[None]

    def certificate(self, state):
        coordinates = nearest_coordinates(self.problem, self.geo, state, self.theta0)
        return certify(self.problem, self.geo, state, self.theta0, coordinates)

    def residual(self, state):
        return jnp.where(self.weight_decay > 0, 0, relative_distance_to_least_squares(self.problem, state))

    def violation(self, state):
        stationarity = relative_stationarity(self.problem, self.geo, state, self.weight_decay)
        return jnp.where(self.weight_decay > 0, stationarity, self.certificate(state).violation)

    def is_at_rest(self, state):
        return jnp.asarray(False)  # the metric is positive: it rests at its limit alone

    def has_projection(self):
        return self.weight_decay == 0

    def fastest_rate(self):
        return fastest_rate(self.problem, self.geo, self.theta0)

    def absolute_scale(self):
        # An error of one dual unit at zero, where the metric, and with it what a given error in θ means, is smallest.
        size, mirrored = natural_scales(self.problem, self.geo, self.theta0)
        return jnp.minimum(size, mirrored * self.geo.inverse_metric(jnp.zeros_like(self.theta0)))


class DualFlow(AbstractFlow):
    """`dν/dt = −(Xθ − y)/n` with `θ = (R*)′(R′(θ₀) + Xᵀν)`: at most n numbers instead of d, no weight decay.

    The state is λ with `Xᵀν = Qᵀλ`, in the orthonormal basis Q of the row space: `dλ/dt = −s²(Qθ − b)/n`. The
    invariant `R′(θ) − R′(θ₀) ∈ row(X)` holds exactly, so that every consistent integrator ends at the same limit.
    """

    problem: LinearRegression
    geo: AbstractGeometry
    theta0: Float[Array, " d"]
    origin: Float[Array, " d"]  # R′(θ₀)

    def __init__(self, problem: LinearRegression, geo: AbstractGeometry, theta0: Float[Array, " d"]):
        self.problem, self.geo, self.theta0 = problem, geo, theta0
        self.origin = geo.mirror_map(theta0)

    def initial(self):
        return jnp.zeros_like(self.problem.row_space.target)

    def velocity(self, t, state):
        space = self.problem.row_space
        return -jnp.square(space.singular_values) * (space.project(self.theta(state)) - space.target) / self.problem.n

    def theta(self, state):
        return self.geo.inverse_mirror_map(self._mirrored(state))

    def _mirrored(self, state):
        return self.origin + state @ self.problem.row_space.basis

    def sign_factors(self, state):
        return self._mirrored(state)[None]

    def sign_noise(self, state):
        return 8 * jnp.finfo(state.dtype).eps * (jnp.abs(self.origin) + jnp.linalg.norm(state))[None]

    def certificate(self, state):
        return certify(self.problem, self.geo, self.theta(state), self.theta0, state)

    def residual(self, state):
        return relative_distance_to_least_squares(self.problem, self.theta(state))

    def violation(self, state):
        return self.certificate(state).violation

    def is_at_rest(self, state):
        return jnp.asarray(False)  # the metric is positive: it rests at its limit alone

    def has_projection(self):
        return jnp.asarray(True)

    def fastest_rate(self):
        return fastest_rate(self.problem, self.geo, self.theta0)

    def absolute_scale(self):
        return natural_scales(self.problem, self.geo, self.theta0)[1]


class ProductFlow(AbstractFlow):
    """Gradient flow on the factors of θ = m⊙w: `dm/dt = −(w ⊙ ∇f + 2βm)`, `dw/dt = −(m ⊙ ∇f + 2βw)`.

    The state is (m + w, m − w), which decouple: `ds/dt = −(∇f + 2β)s`, `dv/dt = (∇f − 2β)v`. Their product is m² − w²,
    so that rounding, which is relative to each of them, does not touch the imbalance, however small it is.

    A coordinate with m₀ = w₀ = 0 never moves; `reachable` is the problem without its column. A balanced coordinate,
    |m₀| = |w₀|, has γ = 0 for ever: one of the two stays exactly zero, in every integrator. Its Bregman divergence is
    the limit γ → 0 on the orthant that it cannot leave.
    """

    problem: LinearRegression
    reachable: LinearRegression
    geo: Hypentropy
    m0: Float[Array, " d"]
    w0: Float[Array, " d"]
    weight_decay: Float[Array, ""]

    def __init__(self, problem: LinearRegression, m0, w0, weight_decay):
        alive = (m0 != 0) | (w0 != 0)
        self.problem = problem
        self.reachable = LinearRegression(jnp.where(alive[None, :], problem.X, 0), problem.y)
        gamma = jnp.abs((m0 - w0) * (m0 + w0)) / 2
        self.geo = Hypentropy(gamma=jnp.maximum(gamma, jnp.finfo(m0.dtype).tiny))
        self.m0, self.w0, self.weight_decay = m0, w0, weight_decay

    def initial(self):
        return self.m0 + self.w0, self.m0 - self.w0

    def _sum_and_difference(self, state):
        # An implicit method's linear algebra may let a zero drift by its rounding.
        return tuple(jnp.where(first == 0, 0, now) for first, now in zip(self.initial(), state, strict=True))

    def factors(self, state):
        """m and w."""
        s, v = self._sum_and_difference(state)
        return (s + v) / 2, (s - v) / 2

    def _balanced(self):
        return jnp.abs(self.m0) == jnp.abs(self.w0)

    def velocity(self, t, state):
        s, v = self._sum_and_difference(state)
        gradient = self.problem.gradient(self.theta(state))
        return -(gradient + 2 * self.weight_decay) * s, (gradient - 2 * self.weight_decay) * v

    def theta(self, state):
        m, w = self.factors(state)
        return m * w

    def sign_factors(self, state):
        start = jnp.stack([self.m0, self.w0])
        return jnp.where(self._balanced()[None], start, jnp.stack(self.factors(state)))

    def sign_noise(self, state):
        return jnp.zeros_like(jnp.stack(state))

    def certificate(self, state):
        theta0, theta = self.m0 * self.w0, self.theta(state)
        coordinates = nearest_coordinates(self.reachable, self.geo, theta, theta0)
        certificate = certify(self.reachable, self.geo, theta, theta0, coordinates)
        residual = relative_distance_to_least_squares(self.problem, theta)
        return eqx.tree_at(lambda c: c.residual, certificate, residual)

    def residual(self, state):
        return jnp.where(self.weight_decay > 0, 0, relative_distance_to_least_squares(self.problem, self.theta(state)))

    def violation(self, state):
        stationarity = relative_stationarity(self.problem, self.geo, self.theta(state), self.weight_decay)
        return jnp.where(self.weight_decay > 0, stationarity, self.certificate(state).violation)

    def is_at_rest(self, state):
        # A balanced coordinate keeps its sign, and a dead one its zero: the flow minimises over what is left.
        theta, balanced = self.theta(state), self._balanced()
        sign, gradient = jnp.sign(self.m0 * self.w0), self.problem.gradient(theta)
        step = theta - gradient
        shrunk = jnp.sign(step) * jnp.maximum(jnp.abs(step) - 2 * self.weight_decay, 0)
        target = jnp.where(balanced & (shrunk * sign <= 0), 0, shrunk)
        scale = jnp.max(jnp.abs(self.problem.gradient(jnp.zeros_like(theta))))
        # Where nothing is in the way, it moves by at least what is missing over the condition number of X.
        s = self.problem.row_space.singular_values
        condition = jnp.max(s) / jnp.min(jnp.where(s > 0, s, jnp.inf))
        residual = relative_distance_to_least_squares(self.problem, theta)
        missing = jnp.where(self.weight_decay > 0, self.violation(state), residual)
        return jnp.max(jnp.abs(theta - target)) <= 1e-3 * scale * missing / (condition * theta.size**0.5)

    def has_projection(self):
        return self.weight_decay == 0

    def fastest_rate(self):
        return fastest_rate(self.problem, self.geo, self.m0 * self.w0)

    def absolute_scale(self):
        # An imbalanced entry is at zero where the sum and the difference of its factors are of one size.
        size, _ = natural_scales(self.problem, self.geo, self.m0 * self.w0)
        first, second = jnp.abs(self.m0 + self.w0), jnp.abs(self.m0 - self.w0)
        start = jnp.where(self._balanced(), jnp.maximum(first, second), jnp.sqrt(first) * jnp.sqrt(second))
        return jnp.minimum(jnp.sqrt(size), jnp.where(start > 0, start, jnp.sqrt(size)))
