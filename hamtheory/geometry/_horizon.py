"""What a potential looks like from far away: the norm whose margin its flow maximises on separable data."""

from typing import Any

import numpy as np
from jaxtyping import Float

from .._array import Array, Struct, conjugate_exponent, is_jax, leaves, namespace, p_norm, quiet, static
from .._types import Vectors

_OCTAVES = 1000


class Horizon(Struct):
    """The shape of the level sets of `Σ R(θ_i)` at infinity: the unit ball of its `gauge`, a norm ℓ_ρ.

    If `g⁻¹(θ) ~ c|θ|^s` with s ≤ 1, then `R″ ~ |θ|^(−s)/c`, and the level sets grow to those of `Σ|θ_i|^ρ/c_i`,
    ρ = 2 − s. On separable data the mirror flow of R converges in direction to where the margin over this norm is
    largest (`ht.solve_margin`). Only the growth of g⁻¹ matters: HAM and m⊙w have ℓ₁ for every α and γ.

    Attributes:
        s: The growth exponent, `lim θ (g⁻¹)′/g⁻¹`: at most 1, −∞ if g⁻¹ falls faster than every power.
        rho: `2 − s`, from 1 to ∞.
        weights: `1/c_i` up to a common factor, (d,); None: all alike.
        error: An estimate of the error of `s`; 0 where it is exact.

    References:
        [pesme2024implicit].

    ```python
    >>> import hamtheory as ht
    >>> horizon = ht.HAM(alpha=100.0).horizon()
    >>> horizon.rho, float(horizon.gauge([3.0, -4.0]))
    (1.0, 7.0)

    ```
    """

    s: Any = static()
    rho: Any = static()
    weights: Float[Array, " d"] | None
    error: float = static()

    def __init__(self, s: Any, weights: Any = None, error: float = 0.0):
        self.s, self.rho, self.weights, self.error = s, 2 - s, weights, error

    def gauge(self, theta: Vectors) -> Float[Array, "*batch"]:
        """`φ_∞(θ) = (Σ w_i |θ_i|^ρ)^(1/ρ)`.

        Args:
            theta: θ, (..., d).

        Returns:
            The norm, (...).
        """
        xp = namespace(theta, self.weights)
        theta = xp.asarray(theta, float if not hasattr(theta, "dtype") else None)
        return p_norm(theta * self.units(xp), float(self.rho))

    def dual_gauge(self, mu: Vectors) -> Float[Array, "*batch"]:
        """The dual norm, `max { ⟨μ, θ⟩ : φ_∞(θ) ≤ 1 }`.

        Args:
            mu: μ, (..., d).

        Returns:
            The norm, (...).
        """
        xp = namespace(mu, self.weights)
        mu = xp.asarray(mu, float if not hasattr(mu, "dtype") else None)
        return p_norm(mu / self.units(xp), conjugate_exponent(float(self.rho)))

    @staticmethod
    def refused(what: str, reason: str) -> ValueError:
        """The error of a geometry without a horizon.

        Args:
            what: The geometry, in a text.
            reason: How it is known.

        Returns:
            The error.
        """
        return ValueError(
            f"{what} has no horizon, as its mirror map is bounded: {reason}. Its flow leaves for infinity while the "
            "dual point stays finite, and what direction it takes depends on more than the growth of the metric"
        )

    def units(self, xp: Any = np) -> Float[Array, "..."]:
        """`w_i^(1/ρ)`: ℓ_ρ of `units · θ` is the gauge of θ.

        Args:
            xp: The module of the arrays.

        Returns:
            The factors, a scalar or (d,).
        """
        if self.weights is None:
            return xp.ones(())
        return xp.asarray(self.weights) ** (1 / float(self.rho))


def numerical_horizon(geo: Any) -> Horizon:
    """From values of g⁻¹ up to the end of the range of numbers."""
    if is_jax(geo):
        raise TypeError("the horizon must be asked of a geometry with concrete parameters, not of arrays of JAX's")
    sizes = {np.size(leaf) for leaf in leaves(geo)}
    if sizes - {1}:
        raise ValueError(f"{geo!r} must have scalar parameters: only classes that say so have a horizon with weights")
    bound = float(np.max(geo.mirror_bound()))
    if np.isfinite(bound):
        raise Horizon.refused(repr(geo), f"by {bound:.4g}")
    s, error, power = growth(geo.inverse_metric)
    if error > 0.05:
        raise ValueError(f"{geo!r} shows no horizon: d ln g⁻¹/d ln θ still changes by {error:.2g} far out")
    if s > 1 + error:
        raise Horizon.refused(repr(geo), f"g⁻¹ grows like |θ|^{s:.4g}")
    if s > 1 - error and power > 1.02:  # the integral of 1/g⁻¹ converges
        raise Horizon.refused(repr(geo), f"g⁻¹ grows like |θ| ln(|θ|)^{power:.3g}")
    return Horizon(min(s, 1.0), error=error)


def growth(function: Any) -> tuple[float, float, float]:
    """s and k with `f(θ) ~ θ^s ln(θ)^k` at infinity, of a positive f: s, an estimate of its error, and k."""
    with quiet():
        logs = np.log(np.ravel(function(2.0 ** np.arange(_OCTAVES))))
    usable = np.isfinite(logs) & (np.abs(logs) < 700)
    last = int(np.argmin(usable)) - 1 if not usable.all() else _OCTAVES - 1
    if last < 3:
        raise ValueError("g⁻¹ must be in the range of numbers for some θ above 8; its growth cannot be seen")
    slopes = np.diff(logs[: last + 1]) / np.log(2)
    end, before = slopes[-1], slopes[-2]
    if last < 40 and abs(end) > 1.5 * abs(before) > 0:  # it doubles with θ: an exponential
        return float(np.copysign(np.inf, end)), 0.0, 0.0
    middle = slopes[last // 2 - 1]
    error = float(abs(end - middle))
    if error < 1e-9:
        return round(float(end), 12), error, 0.0
    # A power of the logarithm leaves k/ln θ in the slope.
    return float(2 * end - middle), error, float((middle - end) * last * np.log(2))
