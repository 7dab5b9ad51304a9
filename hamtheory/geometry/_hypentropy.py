"""The geometry of the pointwise overparameterisation m*w."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from .._array import Array, choose, namespace, quiet, replaced, static
from .._types import Number, Parameter, Scalars
from ._base import AbstractExponentialGeometry
from ._horizon import Horizon
from ._numerics import asinh_quotient, contracted, odd, sinh_times
from ._parameter import largest_unscaled_log, multiplied, positive_or_log, split, with_log
from ._penalty import Penalty

BALANCED = (
    ": gamma = 0 is the balanced flow of m*w, whose inverse metric vanishes at zero, so that it has no mirror "
    "potential on all of R^d; integrate it in its own parameters with product_flow(problem, m0, w0)"
)


class Hypentropy(AbstractExponentialGeometry):
    """The geometry of θ = m⊙w (hypentropy): `g⁻¹(θ) = 2√(θ² + γ²)` with `γ = |m₀² − w₀²|/2`.

    `R(θ) = ½[θ asinh(θ/γ) − √(θ² + γ²) + γ]`: the squared L2 norm as γ → ∞, the L1 norm as γ → 0, both up to scale.
    With weight decay `β(‖m‖² + ‖w‖²)` it moves: `dθ/dt = −2√(θ² + γ_t²) ⊙ ∇f − 4βθ`, `γ_t = γ e^(−4βt)`, and the
    limit is the lasso with penalty `2β‖θ‖₁`.

    As γ → 0 nothing has to be scaled, but below e⁻⁷⁰⁸ the inverse metric at θ = 0 is no number of float64 and rounds to
    0. Beyond γ = e²⁸⁴ (e³⁵ in float32) the unit of time changes: R, R′ and R* are multiplied, g⁻¹ is divided by
    `exp(log_rescaling)`, σ = γ e⁻²⁸⁴.

    Args:
        gamma: γ > 0; a scalar, or an array that broadcasts against θ. γ = 0 is the balanced flow: see `product_flow`.
        log_gamma: ln γ, instead of `gamma`; within ±10⁵.

    Attributes:
        parameter: What was given, of `gamma` and `log_gamma`.
        logarithmic: Whether that is the logarithm.

    Raises:
        ValueError: Unless exactly one of `gamma` and `log_gamma` is given; for one that is not positive and finite; and
            for a logarithm beyond ±10⁵.

    References:
        [woodworth2020kernel], [ghai2020exponentiated]; with weight decay [jacobs2025mask], [jacobs2025mirror].

    ```python
    >>> import hamtheory as ht
    >>> float(ht.Hypentropy(gamma=4.0).inverse_metric(3.0))
    10.0

    ```
    """

    name: ClassVar[str] = "mw"
    formula: ClassVar[str] = "2 sqrt(theta^2 + gamma^2)"
    example: ClassVar[Mapping[str, Any]] = {"gamma": 1e-3}
    parameter: Float[Array, "..."]
    logarithmic: bool = static()

    def __init__(self, gamma: Parameter | None = None, *, log_gamma: Parameter | None = None):
        self.parameter, self.logarithmic = positive_or_log(gamma, log_gamma, "gamma", BALANCED)

    @property
    def gamma(self) -> Scalars:
        """γ; 0 where it is below the smallest number, which `log_gamma` never is."""
        with quiet():
            return namespace(self.parameter).exp(self.parameter) if self.logarithmic else self.parameter

    @property
    def log_gamma(self) -> Scalars:
        """ln γ."""
        return self.parameter if self.logarithmic else namespace(self.parameter).log(self.parameter)

    def _split(self, dtype):
        """γ within the range, the logarithm of the factor that is missing above, and the logarithm of the first."""
        gamma, excess, log = split(self, dtype)
        return gamma, excess, log - excess

    def inverse_metric(self, theta: Scalars) -> Scalars:
        xp = namespace(theta)
        gamma, excess, log = self._split(theta.dtype)
        exact = xp.abs(xp.log(gamma) - log) <= 1e-10
        return 2 * xp.hypot(theta * xp.exp(-excess), xp.where(exact, gamma, xp.exp(log)))

    def mirror_map(self, theta: Scalars) -> Scalars:
        xp = namespace(theta)
        gamma, excess, log = self._split(theta.dtype)
        return choose(
            excess > 0,
            lambda: contracted(xp.arcsinh, xp.where(excess > 0, theta / gamma, 1), excess) / 2,
            lambda: asinh_quotient(theta, gamma, log) / 2,
        )

    def inverse_mirror_map(self, mu: Scalars) -> Scalars:
        xp = namespace(mu)
        gamma, excess, log = self._split(mu.dtype)
        return choose(
            excess > 0,
            lambda: gamma * contracted(xp.sinh, xp.where(excess > 0, 2 * mu, 0), excess),
            lambda: sinh_times(gamma, log, xp.where(excess > 0, 0, 2 * mu)),
        )

    def potential(self, theta: Scalars) -> Scalars:
        xp = namespace(theta)
        gamma, excess, _ = self._split(theta.dtype)
        # θ/(γ + √(θ² + γ²)), in the unit of time of the mirror map.
        most = xp.sqrt(xp.finfo(theta.dtype).max)
        ratio = xp.clip(theta / gamma * xp.exp(-excess), -most, most)
        share = xp.where(excess > 0, theta / gamma, ratio) / (1 + xp.hypot(xp.ones_like(ratio), ratio))
        return theta / 2 * (2 * self.mirror_map(theta) - share)

    def conjugate(self, mu: Scalars) -> Scalars:
        xp = namespace(mu)
        gamma, excess, log = self._split(mu.dtype)
        root = choose(
            excess > 0,
            lambda: xp.sqrt(gamma) * contracted(xp.sinh, xp.where(excess > 0, mu, 0), excess),
            lambda: sinh_times(xp.sqrt(gamma), log / 2, xp.where(excess > 0, 0, mu)),
        )
        return xp.square(root)

    def moment(self, theta: Scalars) -> Scalars:
        xp = namespace(theta)
        gamma, excess, _ = self._split(theta.dtype)
        scaled = theta * xp.exp(-excess)
        larger = xp.hypot(scaled, gamma) + gamma
        return theta * (scaled / xp.where(larger > 0, larger, 1)) / 2

    def hyperbola(self) -> tuple[Scalars, Scalars, Scalars]:
        return np.float64(0.0), np.float64(1.0), self.gamma

    def mirror_bound(self) -> Scalars:
        return np.float64(np.inf)

    def horizon(self) -> Horizon:
        return Horizon(1.0)

    def passage_time(self, a: Scalars, y: Scalars) -> Scalars:
        xp = namespace(a, y, self.parameter)
        a, y, gamma, excess, log = xp.broadcast_arrays(*map(xp.asarray, (a, y, *split(self, a.dtype))))
        with quiet():
            unit = xp.exp(-excess)
            rho, root = xp.hypot(y * unit, gamma), xp.hypot(a * unit, gamma)
            growth = 1 + a * (gamma / (gamma + root)) / y
            return asinh_quotient(rho * (a / (a + y)) * growth, gamma, log - excess) / (2 * rho)

    def log_decaying_scale(self) -> Scalars | None:
        log = self.log_gamma
        return log if np.all(np.asarray(log) < largest_unscaled_log(log.dtype)) else None

    def in_units(self, size: float) -> "tuple[Hypentropy, float]":
        return multiplied(self, 1 / size), size

    def penalty(self, weight_decay: Number, dtype: Any) -> Penalty:
        xp = namespace(weight_decay)
        beta = xp.asarray(weight_decay, dtype)[()]
        return Penalty(2 * beta, xp.zeros_like(beta)[()], xp.full_like(beta, np.inf)[()])

    def decayed(self, t: Number, weight_decay: Number) -> "tuple[Hypentropy, Number]":
        shift = 4 * weight_decay * t
        moved = self.parameter - shift
        if not self.logarithmic:
            moved = self.parameter * namespace(self.parameter, shift).exp(-shift)
        return replaced(self, parameter=moved), 4 * weight_decay

    def stationarity(self, theta: Scalars, gradient: Scalars, weight_decay: Number) -> Scalars:
        # The prox residual of the lasso f + 2 beta |theta|_1, in units of theta for a unit step.
        xp = namespace(theta, gradient)
        step = theta - gradient
        return theta - xp.sign(step) * xp.maximum(xp.abs(step) - 2 * weight_decay, 0)

    @classmethod
    def at_log(cls, log: Parameter) -> "Hypentropy":
        return Hypentropy(log_gamma=log)

    @property
    def log_rescaling(self) -> Scalars:
        return split(self, self.parameter.dtype)[1]

    @property
    def log_sparsity(self) -> Scalars:
        """`ln(2/γ)`: where HAM with this `ln α` has the same potential up to scale, to the next order of the L1 end."""
        return self.parameter.dtype.type(np.log(2.0)) - self.log_gamma

    def shifted(self, by: Number) -> "Hypentropy":
        return with_log(self, self.log_gamma - by)

    def exponent(self, theta: Scalars) -> Scalars:
        """`s = asinh(θ/γ)`, elementwise.

        Args:
            theta: θ, of any shape that broadcasts against γ.

        Returns:
            `s` of each entry.
        """
        gamma, _, log = self._split(theta.dtype)
        return asinh_quotient(theta, gamma, log)

    def from_exponent(self, s: Scalars) -> Scalars:
        """`θ = γ sinh(s)`, elementwise.

        Args:
            s: Exponents, of any shape that broadcasts against γ.

        Returns:
            `θ` of each entry.
        """
        xp, log = namespace(s), self.log_gamma.astype(s.dtype) - s.dtype.type(np.log(2.0))
        return odd(lambda x: -xp.expm1(-2 * x) * xp.exp(x + log), s)

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
        return xp.tanh(s), size + xp.log1p(xp.exp(-2 * size))

    def log_weight(self, s: Scalars) -> Scalars:
        """`ln √(θ² + γ²) = ln γ + ln cosh(s)`, elementwise.

        Args:
            s: Exponents, of any shape that broadcasts against γ.

        Returns:
            `ln dθ/ds` of each entry.
        """
        xp = namespace(s)
        size = xp.abs(s)
        return size + xp.log1p(xp.exp(-2 * size)) + (self.log_gamma.astype(s.dtype) - s.dtype.type(np.log(2.0)))

    def log_exponent_unit(self, dtype) -> Scalars:
        _, excess, _ = split(self, dtype)
        return excess - np.dtype(dtype).type(np.log(2.0))

    def arguments(self) -> dict[str, Any]:
        return {"log_gamma" if self.logarithmic else "gamma": self.parameter}
