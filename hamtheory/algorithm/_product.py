"""Gradient descent on the factors of θ = m⊙w."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from .._array import Array
from .._types import Parameter
from .._validate import count, finite, is_traced, nonnegative, per_coordinate, positive, real_array, start
from ..geometry import Hypentropy
from ._base import AbstractAlgorithm, refused_if

_STAYS = (
    "ProductGD cannot leave m = w = 0: give gamma > 0 (imbalanced factors, which can change the sign of θ), or a "
    "theta0 that is not 0"
)
_TWO_STARTS = "theta0 must be left out for ProductGD with m0 and w0: the start is m0 * w0"


class ProductState(NamedTuple):
    """The state of `ProductGD`.

    Attributes:
        m: A factor, (d,), with a leading axis of saves in a result.
        w: The other factor, (d,), with a leading axis of saves in a result.
        since: With resets, the number of steps since the last one; else None.
    """

    m: Float[Array, "*saves d"]
    w: Float[Array, "*saves d"]
    since: Int[Array, "*saves"] | None


class ProductGD(AbstractAlgorithm):
    """Gradient descent on the factors of θ = m⊙w, with the penalty `β(‖m‖² + ‖w‖²)`, and Sign-In if asked for.

    `m ← m − η(w∇f + 2βm)` and `w ← w − η(m∇f + 2βw)`, at once. The start is `m₀ = √(√(θ₀² + γ²) + γ)`, `w₀ = θ₀/m₀`:
    m₀w₀ = θ₀ and m₀² − w₀² = 2γ. From γ = 0, the balanced start, the flow changes no sign.

    Args:
        weight_decay: β ≥ 0, a scalar or (d,).
        gamma: γ ≥ 0, a scalar or (d,): half the imbalance |m₀² − w₀²| of the start, as in `Hypentropy`.
        m0: The factor m itself, (d,), with `w0` in place of `gamma` and of the `theta0` of `run`.
        w0: The factor w itself, (d,), with `m0`.
        reset_every: After each so many steps, m and w are replaced at the same θ by those of the imbalance
            `reset_gamma` (Sign-In); left out: never.
        reset_gamma: More than 0. Its default is 0.5: the paper resets its β = m² − w², which is 2γ, to 1.

    Raises:
        ValueError: For bad arguments, and for a start with m = w = 0 everywhere, where it would stay.

    References:
        [woodworth2020kernel], [jacobs2025mask]; the resets: [gadhikar2025signin].

    ```python
    >>> import hamtheory as ht
    >>> problem = ht.LinearRegression([[1.0, 2.0]], [2.0])
    >>> end = ht.run(problem, ht.ProductGD(gamma=0.01), learning_rate=0.01, steps=1000)
    >>> end.theta.round(2).tolist(), end.ms[-1].shape
    ([0.07, 0.96], (2,))

    ```
    """

    follows = Hypentropy
    weight_decay: Float[Array, "..."]
    gamma: Float[Array, "..."]
    m0: Float[Array, "..."] | None
    w0: Float[Array, "..."] | None
    reset_every: Int[Array, ""] | None
    reset_gamma: Float[Array, "..."]

    def __init__(
        self,
        weight_decay: Parameter = 0.0,
        *,
        gamma: Parameter = 0.0,
        m0: Parameter | None = None,
        w0: Parameter | None = None,
        reset_every: int | None = None,
        reset_gamma: Parameter = 0.5,
    ):
        if (m0 is None) != (w0 is None):
            raise ValueError("give both m0 and w0, or neither")
        self.weight_decay = nonnegative(weight_decay, "weight_decay")
        self.gamma, self.reset_gamma = nonnegative(gamma, "gamma"), positive(reset_gamma, "reset_gamma")
        self.m0 = None if m0 is None else finite(real_array(m0, "m0"), "m0")
        self.w0 = None if w0 is None else finite(real_array(w0, "w0"), "w0")
        if m0 is not None and not is_traced(self.gamma) and np.any(np.asarray(self.gamma) != 0):
            raise ValueError("give either gamma, or m0 and w0, which have an imbalance of their own")
        self.reset_every = None if reset_every is None else jnp.asarray(count(reset_every, "reset_every"))

    def init(self, problem, theta0):
        per_coordinate(problem.d, weight_decay=self.weight_decay, gamma=self.gamma, reset_gamma=self.reset_gamma)
        since = None if self.reset_every is None else jnp.zeros_like(self.reset_every)
        if self.m0 is None:
            m, w = factors(theta0, self.gamma)
        else:
            m, w = (start(f, problem.d, problem.dtype, name) for f, name in ((self.m0, "m0"), (self.w0, "w0")))
            m = refused_if(jnp.any(theta0 != 0), m, _TWO_STARTS)
        return ProductState(refused_if(jnp.all((m == 0) & (w == 0)), m, _STAYS), w, since)

    def step(self, state, gradient, learning_rate):
        m, w, since = state
        m, w = (
            m - learning_rate * (w * gradient + 2 * self.weight_decay * m),
            w - learning_rate * (m * gradient + 2 * self.weight_decay * w),
        )
        if self.reset_every is not None:
            since = (since + 1) % self.reset_every
            reset = factors(m * w, self.reset_gamma)
            m, w = (jnp.where(since == 0, new, old) for new, old in zip(reset, (m, w), strict=True))
        return ProductState(m, w, since)

    def theta(self, state):
        return state.m * state.w

    @classmethod
    def along(cls, geo: Any, weight_decay=0.0):
        return cls(weight_decay, gamma=geo.gamma)

    def of_flow(self):
        return Hypentropy(self.gamma)


def factors(theta, gamma):
    """`m > 0` and w of the product θ with `m² − w² = 2γ`; both zero where θ and γ are."""
    gamma = jnp.broadcast_to(gamma, theta.shape)
    m = jnp.sqrt(jnp.hypot(theta, gamma) + gamma)
    # Balanced to the last digit, or rounding would be an imbalance, and let θ change its sign.
    return m, jnp.where(gamma == 0, jnp.sign(theta) * m, theta / jnp.where(m == 0, 1, m))
