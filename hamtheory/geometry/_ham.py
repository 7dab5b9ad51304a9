"""HAM's geometry."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._types import Parameter
from ._base import AbstractStaticGeometry, Scalars
from ._numerics import expm1_over, floating, log1p_over, odd
from ._parameter import positive_or_log
from ._quadrature import taylor_remainder


class HAM(AbstractStaticGeometry):
    """The geometry of Hyperbolic Aware Minimization: `g⁻¹(θ) = 1 + α|θ|`.

    `R(θ) = [(1 + α|θ|) ln(1 + α|θ|) − α|θ|] / α²`: θ²/2 as α → 0, and `α R / ln α → |θ|` as α → ∞.

    Arguments: `alpha` > 0, or its natural logarithm `log_alpha`; a scalar, or an array that broadcasts against θ.
    Source: [jacobs2026ham], Theorem 4.2 (the flow) and Theorem 4.6 (the two ends).

    ```python
    >>> import hamtheory as ht
    >>> float(ht.HAM(alpha=2.0).inverse_metric(-3.0))
    7.0

    ```
    """

    parameter: Float[Array, "..."]
    logarithmic: bool = eqx.field(static=True)

    def __init__(self, alpha: Parameter | None = None, *, log_alpha: Parameter | None = None):
        self.parameter, self.logarithmic = positive_or_log(alpha, log_alpha, "alpha")

    @property
    def alpha(self) -> Scalars:
        return jnp.exp(self.parameter) if self.logarithmic else self.parameter

    @property
    def log_alpha(self) -> Scalars:
        return self.parameter if self.logarithmic else jnp.log(self.parameter)

    def inverse_metric(self, theta: Parameter) -> Scalars:
        theta = floating(theta)
        return 1 + self.alpha.astype(theta.dtype) * jnp.abs(theta)

    def mirror_map(self, theta: Parameter) -> Scalars:
        theta = floating(theta)
        alpha = self.alpha.astype(theta.dtype)
        return odd(lambda x: log1p_over(alpha, x), theta)

    def inverse_mirror_map(self, mu: Parameter) -> Scalars:
        mu = floating(mu)
        alpha = self.alpha.astype(mu.dtype)
        return odd(lambda x: expm1_over(alpha, x), mu)

    def potential(self, theta: Parameter) -> Scalars:
        x = jnp.abs(floating(theta))
        alpha = self.alpha.astype(x.dtype)
        near = alpha * x < 1
        small = taylor_remainder(lambda s: 1 / (1 + alpha * s), jnp.zeros_like(x), jnp.where(near, x, 0))
        x = jnp.where(near, 1 / alpha, x)
        large = x * ((1 + 1 / (alpha * x)) * log1p_over(alpha, x) - 1 / alpha)
        return jnp.where(near, small, large)

    def conjugate(self, mu: Parameter) -> Scalars:
        x = jnp.abs(floating(mu))
        alpha = self.alpha.astype(x.dtype)
        near = alpha * x < 1
        small = taylor_remainder(lambda s: jnp.exp(alpha * s), jnp.zeros_like(x), jnp.where(near, x, 0))
        x = jnp.where(near, 1 / alpha, x)
        return jnp.where(near, small, (expm1_over(alpha, x) - x) / alpha)

    def mirror_bound(self) -> Scalars:
        return jnp.asarray(jnp.inf)
