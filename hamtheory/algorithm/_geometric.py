"""The two textbook discretisations of the flow of any geometry."""

from typing import Any

import jax
import jax.numpy as jnp

from ..geometry import AbstractGeometry, refuse_dead_zone
from ._base import AbstractAlgorithm


class _Geometric(AbstractAlgorithm):
    follows = AbstractGeometry
    geometry: AbstractGeometry

    def __init__(self, geometry: AbstractGeometry):
        if not isinstance(geometry, AbstractGeometry):
            raise TypeError(f"geometry must be one such as ht.HAM(alpha=100.0); got {geometry!r}")
        refuse_dead_zone(geometry, type(self).__name__)
        self.geometry = geometry

    def init(self, problem, theta0):
        return theta0

    def theta(self, state):
        return state

    @classmethod
    def along(cls, geo: Any, weight_decay=0.0):
        if weight_decay:
            raise ValueError(f"weight_decay must be 0 for {cls.__name__}")
        return cls(geo)

    def of_flow(self):
        return self.geometry


class MirrorDescent(_Geometric):
    """Mirror descent: `R′(θ⁺) = R′(θ) − η∇f(θ)`, Euler's method in mirror coordinates.

    R′(θ) − R′(θ₀) stays in the row space of X whatever the step size and the mini-batches: if it converges to an
    interpolator, that is the limit of the flow.

    Args:
        geometry: Any.

    Raises:
        TypeError: If `geometry` is none.

    References:
        [nemirovski1983problem]; for HAM: [jacobs2026ham].

    ```python
    >>> import hamtheory as ht
    >>> problem = ht.LinearRegression([[1.0, 2.0]], [2.0])
    >>> rule = ht.algorithm.MirrorDescent(ht.HAM(alpha=20.0))
    >>> ht.run(problem, rule, learning_rate=0.01, steps=200).theta.round(2).tolist()
    [0.17, 0.92]

    ```
    """

    def step(self, state, gradient, learning_rate):
        return self.geometry.inverse_mirror_map(self.geometry.mirror_map(state) - learning_rate * gradient)

    def mirror_drift(self, theta):
        return jnp.zeros_like(theta)


class NaturalGradient(_Geometric):
    """The natural gradient step `θ⁺ = θ − ηg⁻¹(θ)⊙∇f(θ)`, Euler's method in θ.

    Args:
        geometry: Any.

    Raises:
        TypeError: If `geometry` is none.

    References:
        [amari1998natural]; for HAM: [jacobs2026ham].

    ```python
    >>> import hamtheory as ht
    >>> problem = ht.LinearRegression([[1.0, 2.0]], [2.0])
    >>> rule = ht.algorithm.NaturalGradient(ht.HAM(alpha=20.0))
    >>> ht.run(problem, rule, learning_rate=0.01, steps=200).theta.round(2).tolist()
    [0.2, 0.9]

    ```
    """

    def step(self, state, gradient, learning_rate):
        return state - learning_rate * self.geometry.inverse_metric(state) * gradient

    def mirror_drift(self, theta):
        # −dg⁻¹/dθ, entry by entry
        return -jax.jvp(self.geometry.inverse_metric, (theta,), (jnp.ones_like(theta),))[1]
