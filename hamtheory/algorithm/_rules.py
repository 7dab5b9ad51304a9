"""HAM's rules, and the exponentiated gradient."""

import abc
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from .._array import Array
from .._types import Parameter
from .._validate import is_traced, nonnegative, per_coordinate, positive
from ..geometry import HAM, LinearizedBregman
from ._base import AbstractAlgorithm, refused_if
from ._bases import GD, AbstractBase, as_base


class Exponentiated(AbstractAlgorithm):
    """Exponentiated gradient: `θ ← θ exp(−η(2 sign(θ)∇f(θ) + 4β))`.

    One step of `ProductGD` with weight decay β from the balanced start `m₀ = sign(θ₀) w₀ = √|θ₀|`, up to O(η²). No
    entry changes its sign or leaves zero.

    Args:
        beta: β ≥ 0, the weight decay; a scalar, or (d,).
        clip: More than 0: the exponent is clipped to ±`clip`; a scalar, or (d,). Left out: it is not.

    Raises:
        ValueError: For bad arguments, and for a start at zero, where it would stay.

    References:
        [jacobs2026ham], Theorem 3.1.

    ```python
    >>> import hamtheory as ht
    >>> problem = ht.LinearRegression([[1.0, 2.0]], [2.0])
    >>> ht.run(problem, ht.Exponentiated(), [0.1, 0.1], learning_rate=0.1, steps=200).theta.round(3).tolist()
    [0.292, 0.854]

    ```
    """

    beta: Float[Array, "..."]
    clip: Float[Array, "..."] | None

    def __init__(self, beta: Parameter = 0.0, *, clip: Parameter | None = None):
        self.beta = nonnegative(beta, "beta")
        self.clip = None if clip is None else positive(clip, "clip")

    def init(self, problem, theta0):
        per_coordinate(problem.d, beta=self.beta, clip=self.clip)
        return refused_if(
            jnp.all(theta0 == 0),
            theta0,
            "theta0 must not be 0 for Exponentiated, which multiplies θ; give a start such as np.full(d, 1e-3)",
        )

    def step(self, state, gradient, learning_rate):
        return _scaled(state, -learning_rate * (2 * jnp.sign(state) * gradient + 4 * self.beta), self.clip)

    def theta(self, state):
        return state


class AbstractHyperbolic(AbstractAlgorithm):
    """The step of a base to `θ½ = θ − η p`, and a hyperbolic one: `θ ← θ½ exp(−η(α s ⊙ ∇f(θ) + β))`, s signs."""

    follows = HAM
    alpha: Float[Array, "..."]
    beta: Float[Array, "..."]
    gradient_below: Float[Array, "..."] | None
    clip: Float[Array, "..."] | None
    base: AbstractBase

    def __init__(
        self,
        alpha: Parameter,
        beta: Parameter = 0.0,
        *,
        gradient_below: Parameter | None = None,
        clip: Parameter | None = None,
        base: Any = None,
    ):
        self.base = GD() if base is None else as_base(base)
        self.alpha, self.beta = positive(alpha, "alpha"), nonnegative(beta, "beta")
        self.gradient_below = None if gradient_below is None else nonnegative(gradient_below, "gradient_below")
        self.clip = None if clip is None else positive(clip, "clip")

    @abc.abstractmethod
    def signs(self, theta: Float[Array, " d"], half: Float[Array, " d"]) -> Float[Array, " d"]:
        """The signs of the hyperbolic step.

        Args:
            theta: θ before the gradient step, (d,).
            half: θ after it, (d,).

        Returns:
            The signs, (d,).
        """

    def init(self, problem, theta0):
        below = self.gradient_below
        per_coordinate(problem.d, alpha=self.alpha, beta=self.beta, gradient_below=below, clip=self.clip)
        if not (below is None or is_traced(below) or np.any(np.asarray(below) > 0)):
            theta0 = refused_if(
                jnp.all(theta0 == 0),
                theta0,
                "theta0 must not be 0 with gradient_below=0: the hyperbolic step alone multiplies θ; give a start such "
                "as np.full(d, 1e-3)",
            )
        return self.base.init(problem, theta0)

    def step(self, state, gradient, learning_rate):
        theta, moved = self.base.theta(state), self.base.step(state, gradient, learning_rate)
        half = self.base.theta(moved)
        if self.gradient_below is not None:
            half = jnp.where(jnp.abs(theta) < self.gradient_below, half, theta)
        exponent = -learning_rate * (self.alpha * self.signs(theta, half) * gradient + self.beta)
        return self.base.at(moved, _scaled(half, exponent, self.clip))

    def theta(self, state):
        return self.base.theta(state)

    @classmethod
    def along(cls, geo: Any, weight_decay=0.0):
        return cls(geo.alpha, weight_decay)

    def of_flow(self):
        self.base.of_flow()  # HAM's theory is that of a gradient step
        return HAM(self.alpha)

    def mirror_drift(self, theta):
        self.base.mirror_drift(theta)
        return self.alpha * jnp.sign(theta) / (1 + self.alpha * jnp.abs(theta))


class HYP(AbstractHyperbolic):
    """HAM with the signs before the gradient step: `θ½ = θ − η∇f(θ)`, `θ ← θ½ exp(−η(α sign(θ)∇f(θ) + β))`.

    Where the gradient step crosses zero, this factor pulls the entry back to it, and that of `HAMStep`, larger by
    `exp(2ηα|∇f|)`, pushes it on. Consistent with the flow of `HAM(alpha)` with weight decay β, to first order in η.

    Args:
        alpha: α > 0; a scalar, or (d,).
        beta: β ≥ 0, the weight decay; a scalar, or (d,).
        gradient_below: At least 0: the gradient step is taken only where |θ| is below; 0: nowhere, which leaves the
            hyperbolic step alone; left out: everywhere.
        clip: More than 0: the exponent is clipped to ±`clip`, as in the authors' code (5); left out: it is not.

    Raises:
        ValueError: For bad arguments, and for the hyperbolic step alone from zero, where it would stay.

    References:
        [jacobs2026ham].

    ```python
    >>> import hamtheory as ht
    >>> problem = ht.LinearRegression([[1.0, 2.0]], [2.0])
    >>> ht.run(problem, ht.HYP(alpha=20.0), learning_rate=0.01, steps=200).theta.round(2).tolist()
    [0.18, 0.91]

    ```
    """

    __init__ = AbstractHyperbolic.__init__  # for type checkers, to which a class without one is a plain dataclass

    def signs(self, theta, half):
        return jnp.sign(theta)


class HAMStep(AbstractHyperbolic):
    """HAM as published (HYP*), which keeps no copy of θ: `θ½ = θ − η∇f(θ)`, `θ ← θ½ exp(−η(α sign(θ½)∇f(θ) + β))`.

    Consistent with the flow of `HAM(alpha)` with weight decay β, to first order in η. Near a limit it is stable for
    `η λ_max(X diag(1 + α|θ|) Xᵀ)/n < 2`.

    Args:
        alpha: As for `HYP`.
        beta: As for `HYP`.
        gradient_below: As for `HYP`.
        clip: As for `HYP`.
        base: As for `HYP`. By `optax.adam(1.0)` this is `ht.optim.ham(optax.adam(η), η)`.

    Raises:
        TypeError: As for `HYP`.
        ValueError: As for `HYP`.

    References:
        [jacobs2026ham], Algorithm 1; its flow: Theorems 4.2 and B.6.

    ```python
    >>> import hamtheory as ht
    >>> problem = ht.LinearRegression([[1.0, 2.0]], [2.0])
    >>> ht.run(problem, ht.HAMStep(alpha=20.0), learning_rate=0.01, steps=200).theta.round(2).tolist()
    [0.16, 0.92]

    ```
    """

    __init__ = AbstractHyperbolic.__init__

    def signs(self, theta, half):
        return jnp.where(half < 0, -jnp.ones_like(half), jnp.ones_like(half))  # of a half at 0 it does not matter


class LinearizedBregmanStep(AbstractAlgorithm):
    """The linearized Bregman iteration: `μ ← μ − η∇f(θ)`, `θ = δ soft(μ, λ)`.

    Euler's method for the flow of `LinearizedBregman(lam, delta)`, in its own coordinates: the state is μ, from R′(θ₀),
    of an entry at 0 the middle of the dead zone. It is gradient descent on the dual of the limit, and so converges to
    it, whatever λ, for `η < 2n/(δ λ_max(XXᵀ))`. Near the limit, with the support S, it is stable for
    `η < 2n/(δ λ_max(X_S X_Sᵀ))`, which is more.

    Args:
        lam: λ ≥ 0; a scalar, or (d,).
        delta: δ > 0; a scalar, or (d,).

    Raises:
        ValueError: For bad arguments.

    References:
        [yin2008bregman]; its convergence, [cai2009linearized], [yin2010analysis].

    ```python
    >>> import hamtheory as ht
    >>> problem = ht.LinearRegression([[1.0, 2.0]], [2.0])
    >>> ht.run(problem, ht.LinearizedBregmanStep(lam=1.0), learning_rate=0.1, steps=200).theta.round(2).tolist()
    [0.0, 1.0]

    ```
    """

    follows = LinearizedBregman
    lam: Float[Array, "..."]
    delta: Float[Array, "..."]

    def __init__(self, lam: Parameter, delta: Parameter = 1.0):
        self.lam, self.delta = nonnegative(lam, "lam"), positive(delta, "delta")

    def init(self, problem, theta0):
        per_coordinate(problem.d, lam=self.lam, delta=self.delta)
        return self.lam * jnp.sign(theta0) + theta0 / self.delta

    def step(self, state, gradient, learning_rate):
        return state - learning_rate * gradient

    def theta(self, state):
        return self.delta * (jnp.maximum(state - self.lam, 0) + jnp.minimum(state + self.lam, 0))

    @classmethod
    def along(cls, geo: Any, weight_decay=0.0):
        if weight_decay:
            raise ValueError("weight_decay must be 0 for the linearized Bregman iteration")
        return cls(geo.lam, geo.delta)

    def of_flow(self):
        return LinearizedBregman(self.lam, self.delta)


def _scaled(theta, exponent, clip):
    return theta * jnp.exp(exponent if clip is None else jnp.clip(exponent, -clip, clip))
