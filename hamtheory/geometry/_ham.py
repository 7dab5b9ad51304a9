"""HAM's geometry."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from .._array import Array, choose, namespace, quiet, static
from .._types import Number, Parameter, Scalars
from ._base import AbstractExponentialGeometry
from ._horizon import Horizon
from ._numerics import expm1_over, log1p_over, odd
from ._parameter import largest_unscaled_log, multiplied, positive_or_log, split, with_log
from ._penalty import Penalty
from ._quadrature import padded, taylor_remainder

_POINTS, _LENGTHS = np.polynomial.legendre.leggauss(6)
_NODES, _WEIGHTS = (1 + _POINTS) / 2, _LENGTHS * (1 - _POINTS) / 4  # of ∫₀¹ (1 − u) du


class HAM(AbstractExponentialGeometry):
    """The geometry of Hyperbolic Aware Minimization: `g⁻¹(θ) = 1 + α|θ|`.

    `R(θ) = [(1 + α|θ|) ln(1 + α|θ|) − α|θ|] / α²`: θ²/2 as α → 0, and `α R / ln α → |θ|` as α → ∞.

    Beyond α = e²⁸⁴ (e³⁵ in float32) R underflows and g⁻¹ overflows, and every method is that of the flow in another
    unit of time: R, R′ and R* are multiplied, g⁻¹ is divided by `exp(log_rescaling)`, which makes them those of
    `g⁻¹ = 1/σ + e²⁸⁴|θ|`, σ = α e⁻²⁸⁴. Limits, gaps relative to the divergence and shapes do not depend on it.

    Args:
        alpha: α > 0; a scalar, or an array that broadcasts against θ.
        log_alpha: ln α, instead of `alpha`; within ±10⁵.

    Attributes:
        parameter: What was given, of `alpha` and `log_alpha`.
        logarithmic: Whether that is the logarithm.

    Raises:
        ValueError: Unless exactly one of `alpha` and `log_alpha` is given; for one that is not positive and finite; and
            for a logarithm beyond ±10⁵.

    References:
        [jacobs2026ham], Theorem 4.2 (the flow) and Theorem 4.6 (the two ends).

    ```python
    >>> import hamtheory as ht
    >>> float(ht.HAM(alpha=2.0).inverse_metric(-3.0))
    7.0

    ```
    """

    formula: ClassVar[str] = "1 + alpha |theta|"
    example: ClassVar[Mapping[str, Any]] = {"alpha": 100.0}
    parameter: Float[Array, "..."]
    logarithmic: bool = static()

    def __init__(self, alpha: Parameter | None = None, *, log_alpha: Parameter | None = None):
        self.parameter, self.logarithmic = positive_or_log(alpha, log_alpha, "alpha")

    @property
    def alpha(self) -> Scalars:
        """α; infinite where it is out of the range of numbers, which `log_alpha` never is."""
        with quiet():
            return namespace(self.parameter).exp(self.parameter) if self.logarithmic else self.parameter

    @property
    def log_alpha(self) -> Scalars:
        """ln α."""
        return self.parameter if self.logarithmic else namespace(self.parameter).log(self.parameter)

    def inverse_metric(self, theta: Scalars) -> Scalars:
        xp = namespace(theta)
        alpha, excess, _ = split(self, theta.dtype)
        return xp.exp(-excess) + alpha * xp.abs(theta)

    def mirror_map(self, theta: Scalars) -> Scalars:
        alpha, excess, _ = split(self, theta.dtype)
        return odd(lambda x: log1p_over(alpha, x, excess), theta)

    def inverse_mirror_map(self, mu: Scalars) -> Scalars:
        alpha, excess, _ = split(self, mu.dtype)
        return odd(lambda x: expm1_over(alpha, x, excess), mu)

    def potential(self, theta: Scalars) -> Scalars:
        xp = namespace(theta)
        alpha, excess, _ = split(self, theta.dtype)
        x = xp.abs(theta)
        if xp is np and (np.ndim(alpha) == 0 or np.all(excess == 0)):
            # With z = α|θ| it is [(1 + z) ln(1 + z) − z]/α², and z²/α² ∫ (1 − u)/(1 + zu) du where that cancels.
            z = np.asarray(alpha * x)
            if np.all(excess == 0):
                unit, log = 1.0, np.asarray(np.log1p(z))
            else:
                unit, log = np.exp(-excess), np.asarray(np.logaddexp(0, np.log(z) + excess))
            values = np.asarray(((z + unit) * log - z) / alpha / alpha)
            near = log < 0.05
            if near.any():
                some = z[near] if np.all(excess == 0) else np.expm1(log[near])
                integral = np.dot(1 / (1 + some[..., None] * _NODES), _WEIGHTS)
                some = some / (alpha if np.ndim(alpha) == 0 else np.broadcast_to(alpha, z.shape)[near])
                values[near] = some * some * integral * unit
            return values[()]
        near = (alpha * x < 1) & ((excess == 0) | (x == 0))
        x = xp.broadcast_to(x, near.shape)

        def small():
            some = xp.where(near, x, 0)
            return taylor_remainder(lambda s: 1 / (1 + alpha * s), xp.zeros_like(x), some, xp.ndim(alpha))

        def large():
            some = xp.where(near, 1 / alpha, x)
            return some * ((1 + xp.exp(-excess) / (alpha * some)) * log1p_over(alpha, some, excess) - 1 / alpha)

        return choose(near, small, large)

    def conjugate(self, mu: Scalars) -> Scalars:
        xp = namespace(mu)
        alpha, excess, _ = split(self, mu.dtype)
        x = xp.abs(mu)
        near = alpha * x < 1
        x = xp.broadcast_to(x, near.shape)

        def small():
            some = xp.where(near, x, 0)
            remainder = taylor_remainder(lambda s: xp.exp(alpha * s), xp.zeros_like(x), some, xp.ndim(alpha))
            return remainder * xp.exp(-excess)

        def large():
            some = xp.where(near, 1 / alpha, x)
            return (expm1_over(alpha, some, excess) - some * xp.exp(-excess)) / alpha

        return choose(near, small, large)

    def moment(self, theta: Scalars) -> Scalars:
        xp = namespace(theta)
        alpha, excess, _ = split(self, theta.dtype)
        x = xp.abs(theta)
        near = (alpha * x < 1) & ((excess == 0) | (x == 0))  # x² ∫ (1 − u)/(1 + αx(1 − u)) du
        x = xp.broadcast_to(x, near.shape)

        def small():
            some = xp.where(near, x, 0)
            density = lambda s: 1 / (1 + alpha * (padded(some, s.ndim) - s))  # noqa: E731
            return taylor_remainder(density, xp.zeros_like(x), some, xp.ndim(alpha))

        def large():
            some = xp.where(near, 1 / alpha, x)
            return (some - xp.exp(-excess) * log1p_over(alpha, some, excess)) / alpha

        return choose(near, small, large)

    def hyperbola(self) -> tuple[Scalars, Scalars, Scalars]:
        return np.float64(1.0), self.alpha / 2, np.float64(0.0)

    def mirror_bound(self) -> Scalars:
        return np.float64(np.inf)

    def horizon(self) -> Horizon:
        log = self.log_alpha
        return Horizon(1.0, namespace(log).exp(log.min() - log) if np.size(log) > 1 else None)

    def passage_time(self, a: Scalars, y: Scalars) -> Scalars:
        # In the unit of time of the geometry, with g⁻¹ = origin + α s: T = ln(x) / (α y − origin), where x is
        # (1 + s α/origin) / (1 + s/y) at s = a, 1 + a positive product if the denominator is positive; so is 1/x if
        # not.
        xp = namespace(a, y, self.parameter)
        a, y, alpha, excess = xp.broadcast_arrays(*map(xp.asarray, (a, y, *split(self, a.dtype)[:2])))
        with quiet():
            origin = xp.exp(-excess)
            slower = alpha * y < origin
            above = log1p_over(xp.where(slower, 1, alpha * y - origin), a / (y + a), excess)
            below = log1p_over(xp.where(slower, origin - alpha * y, 1) / y, a / (origin + alpha * a), 0) / y
            return xp.where(slower, below, above)

    def in_units(self, size: float) -> "tuple[HAM, float]":
        return multiplied(self, size), 1.0

    def penalty(self, weight_decay: Number, dtype: Any) -> Penalty | None:
        if np.ndim(self.parameter):
            return None
        xp = namespace(self.parameter, weight_decay)
        beta, log = xp.asarray(weight_decay, dtype)[()], self.log_alpha.astype(dtype)
        with quiet():
            return Penalty(xp.exp(xp.log(beta) - log), xp.exp(-log), beta)

    def decayed(self, t: Number, weight_decay: Number) -> "tuple[HAM, Number]":
        return self, weight_decay * namespace(self.parameter).exp(-self.log_rescaling)

    def stationarity(self, theta: Scalars, gradient: Scalars, weight_decay: Number) -> Scalars:
        # β θ/(1 + α|θ|), whatever the unit of time.
        metric = self.inverse_metric(theta)
        xp = namespace(metric)
        ratio = xp.where(theta == 0, 0, theta / xp.where(theta == 0, 1, metric))
        return gradient + weight_decay * xp.exp(-self.log_rescaling).astype(theta.dtype) * ratio

    @classmethod
    def at_log(cls, log: Parameter) -> "HAM":
        return HAM(log_alpha=log)

    @property
    def log_rescaling(self) -> Scalars:
        return split(self, self.parameter.dtype)[1]

    @property
    def log_sparsity(self) -> Scalars:
        """`ln α`."""
        return self.log_alpha

    def shifted(self, by: Number) -> "HAM":
        return with_log(self, self.log_alpha + by)

    def exponent(self, theta: Scalars) -> Scalars:
        """`s = sign(θ) ln(1 + α|θ|)`, elementwise.

        Args:
            theta: θ, of any shape that broadcasts against α.

        Returns:
            `s` of each entry.
        """
        alpha, excess, _ = split(self, theta.dtype)
        return odd(lambda x: alpha * log1p_over(alpha, x, excess), theta)

    def from_exponent(self, s: Scalars) -> Scalars:
        """`θ = sign(s) (e^(|s| − ln α) − 1/α)`, elementwise.

        Args:
            s: Exponents, of any shape that broadcasts against α.

        Returns:
            `θ` of each entry.
        """
        xp, log = namespace(s), self.log_alpha.astype(s.dtype)
        return odd(lambda x: -xp.expm1(-x) * xp.exp(x - log), s)

    @staticmethod
    def profile(s: Scalars) -> tuple[Scalars, Scalars]:
        """`Θ/Θ′` and `ln Θ′` of `θ = e^(−ℓ) Θ(s)`, elementwise.

        Args:
            s: Exponents, of any shape.

        Returns:
            `Θ/Θ′` and `ln Θ′`, of each entry.
        """
        xp = namespace(s)
        size = xp.abs(s)
        return xp.copysign(xp.expm1(-size), s), size

    def log_weight(self, s: Scalars) -> Scalars:
        """`ln(|θ| + 1/α) = |s| − ln α`, elementwise.

        Args:
            s: Exponents, of any shape that broadcasts against α.

        Returns:
            `ln dθ/ds` of each entry.
        """
        return namespace(s).abs(s) - self.log_alpha.astype(s.dtype)

    def log_exponent_unit(self, dtype) -> Scalars:
        _, _, log = split(self, dtype)
        return -namespace(log).minimum(log, largest_unscaled_log(dtype))

    def arguments(self) -> dict[str, Any]:
        return {"log_alpha" if self.logarithmic else "alpha": self.parameter}
