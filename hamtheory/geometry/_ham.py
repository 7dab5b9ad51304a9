"""HAM's geometry."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._types import Number, Parameter
from ._base import AbstractExponentialGeometry, Scalars
from ._numerics import expm1_over, floating, log1p_over, odd
from ._parameter import largest_unscaled_log, positive_or_log, split, with_log
from ._quadrature import taylor_remainder


class HAM(AbstractExponentialGeometry):
    """The geometry of Hyperbolic Aware Minimization: `g⁻¹(θ) = 1 + α|θ|`.

    `R(θ) = [(1 + α|θ|) ln(1 + α|θ|) − α|θ|] / α²`: θ²/2 as α → 0, and `α R / ln α → |θ|` as α → ∞.

    Arguments: `alpha` > 0, or its natural logarithm `log_alpha` (within ±10⁵); a scalar, or an array that broadcasts
      against θ. What was given is `parameter`; `logarithmic`: whether as a logarithm.
    Scaling: beyond α = e²⁸⁴ (e³⁵ in float32) R underflows and g⁻¹ overflows, and every method is that of the flow in
      another unit of time: R, R′ and R* are multiplied, g⁻¹ is divided by `exp(log_rescaling)`, which makes them those
      of `g⁻¹ = 1/σ + e²⁸⁴|θ|`, σ = α e⁻²⁸⁴. Limits, gaps relative to the divergence and shapes do not depend on it.
    Errors: `ValueError` unless exactly one of `alpha` and `log_alpha` is given, for one that is not positive and
      finite, and for a logarithm beyond ±10⁵.
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
        """α; infinite where it is out of the range of numbers, which `log_alpha` never is."""
        return jnp.exp(self.parameter) if self.logarithmic else self.parameter

    @property
    def log_alpha(self) -> Scalars:
        """ln α."""
        return self.parameter if self.logarithmic else jnp.log(self.parameter)

    def inverse_metric(self, theta: Parameter) -> Scalars:
        theta = floating(theta)
        alpha, excess, _ = split(self.parameter, self.logarithmic, theta.dtype)
        return jnp.exp(-excess) + alpha * jnp.abs(theta)

    def mirror_map(self, theta: Parameter) -> Scalars:
        theta = floating(theta)
        alpha, excess, _ = split(self.parameter, self.logarithmic, theta.dtype)
        return odd(lambda x: log1p_over(alpha, x, excess), theta)

    def inverse_mirror_map(self, mu: Parameter) -> Scalars:
        mu = floating(mu)
        alpha, excess, _ = split(self.parameter, self.logarithmic, mu.dtype)
        return odd(lambda x: expm1_over(alpha, x, excess), mu)

    def potential(self, theta: Parameter) -> Scalars:
        x = jnp.abs(floating(theta))
        alpha, excess, _ = split(self.parameter, self.logarithmic, x.dtype)
        near = (alpha * x < 1) & ((excess == 0) | (x == 0))
        small = taylor_remainder(lambda s: 1 / (1 + alpha * s), jnp.zeros_like(x), jnp.where(near, x, 0))
        x = jnp.where(near, 1 / alpha, x)
        large = x * ((1 + jnp.exp(-excess) / (alpha * x)) * log1p_over(alpha, x, excess) - 1 / alpha)
        return jnp.where(near, small, large)

    def conjugate(self, mu: Parameter) -> Scalars:
        x = jnp.abs(floating(mu))
        alpha, excess, _ = split(self.parameter, self.logarithmic, x.dtype)
        near = alpha * x < 1
        small = taylor_remainder(lambda s: jnp.exp(alpha * s), jnp.zeros_like(x), jnp.where(near, x, 0))
        x = jnp.where(near, 1 / alpha, x)
        large = (expm1_over(alpha, x, excess) - x * jnp.exp(-excess)) / alpha
        return jnp.where(near, small * jnp.exp(-excess), large)

    def mirror_bound(self) -> Scalars:
        return jnp.asarray(jnp.inf)

    def decayed(self, t: Number, weight_decay: Number) -> "tuple[HAM, Number]":
        return self, weight_decay * jnp.exp(-self.log_rescaling)

    def stationarity(self, theta: Array, gradient: Array, weight_decay: Number) -> Scalars:
        # β θ/(1 + α|θ|), whatever the unit of time.
        metric = self.inverse_metric(theta)
        ratio = jnp.where(theta == 0, 0, theta / jnp.where(theta == 0, 1, metric))
        return gradient + weight_decay * jnp.exp(-self.log_rescaling).astype(theta.dtype) * ratio

    @classmethod
    def at_log(cls, log: Parameter) -> "HAM":
        return HAM(log_alpha=log)

    @property
    def log_rescaling(self) -> Scalars:
        return split(self.parameter, self.logarithmic, self.parameter.dtype)[1]

    @property
    def log_sparsity(self) -> Scalars:
        """`ln α`."""
        return self.log_alpha

    def shifted(self, by: Number) -> "HAM":
        return with_log(self, self.log_alpha + by)

    def exponent(self, theta: Array) -> Scalars:
        """`s = sign(θ) ln(1 + α|θ|)`, elementwise."""
        alpha, excess, _ = split(self.parameter, self.logarithmic, theta.dtype)
        return odd(lambda x: alpha * log1p_over(alpha, x, excess), theta)

    def from_exponent(self, s: Array) -> Scalars:
        """`θ = sign(s) (e^(|s| − ln α) − 1/α)`, elementwise."""
        log = self.log_alpha.astype(s.dtype)

        def size(x):
            near = x < 1
            far = jnp.exp(jnp.where(near, 1, x) - log) - jnp.exp(-log)
            return jnp.where(near, jnp.expm1(jnp.where(near, x, 0)) * jnp.exp(-log), far)

        return odd(size, s)

    def log_weight(self, s: Array) -> Scalars:
        """`ln(|θ| + 1/α) = |s| − ln α`, elementwise."""
        return jnp.abs(s) - self.log_alpha.astype(s.dtype)

    def log_exponent_unit(self, dtype) -> Scalars:
        _, _, log = split(self.parameter, self.logarithmic, dtype)
        return -jnp.minimum(log, largest_unscaled_log(dtype))
