"""The geometry of diagonal networks of any depth, u^L − v^L."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from .._array import Array, custom_jvp, namespace, quiet, replaced, static
from .._types import Number, Parameter, Scalars
from .._validate import count, is_traced
from ._base import AbstractGeometry
from ._horizon import Horizon
from ._hypentropy import Hypentropy
from ._numerics import asinh_quotient, sinh_times
from ._parameter import positive_or_log

STEPS = 3  # of Halley's iteration: it starts within 0.1 of L·x, of which two make 1e-14 at any depth (measured)

NO_DECAY = (
    "weight_decay must be 0 for DiagonalNetwork: weight decay shrinks its scale with time, and whether its flow has "
    "ended is then not a function of theta alone"
)


class DiagonalNetwork(AbstractGeometry):
    """The geometry of θ = u^L − v^L, a diagonal linear network of depth L: `g⁻¹(θ) = L² (u^(2L−2) + v^(2L−2))`.

    Gradient flow on u, v > 0 from u = v = a keeps `u^(2−L) + v^(2−L) = 2a^(2−L)`, so that θ determines u and v. With
    `z = R′(θ)/bound` in (−1, 1) and `bound = 1/(L(L−2)a^(L−2))`, for L > 2,

        u = a (1 − z)^(−1/(L−2)),    v = a (1 + z)^(−1/(L−2)),    R* = (u² + v² − 2a²)/(2L),    R = θR′ − R*,

    that is `R(θ) = a² q_L(θ/a^L) / (L(L−2))` with Woodworth's potential, `q_L′ = h_L⁻¹`,
    `h_L(z) = (1 − z)^(−L/(L−2)) − (1 + z)^(−L/(L−2))`. L = 2 is `Hypentropy(gamma=2a²)` in half the time, with
    `bound = ∞`. As a → ∞, R becomes the squared L2 norm, as a → 0, the L1 norm, both up to scale; for L > 2 the latter
    as fast as a power, `|θ| − R/bound = O(a^(L−2))`.

    g⁻¹, R′ and R are exact to rounding. The way back from μ, for L > 2, cannot be: at θ ≫ a^L it depends on
    `1 − |z| = (a/u)^(L−2)`. The relative error of (R*)′ is `L/(L−2) · eps/(1 − |z|)`, that of R*
    `2/(L−2) · eps/(1 − |z|)`, and where `1 − |z|` is below eps, R′ rounds to its bound, from which there is none.

    Weight decay `β(‖u‖² + ‖v‖²)` moves a to `a e^(−2βt)`, and where the flow ends is no function of θ alone: refused.

    Args:
        depth: The integer L ≥ 2.
        scale: a > 0; a scalar, or an array that broadcasts against θ. Its power a^L, the unit of θ, must be within the
            range of its dtype.
        log_scale: ln a, instead of `scale`; within ±10⁵.

    Attributes:
        depth: L.
        parameter: What was given, of `scale` and `log_scale`.
        logarithmic: Whether that is the logarithm.

    Raises:
        ValueError: Unless exactly one of `scale` and `log_scale` is given; for one that is not positive and finite, or
            a logarithm beyond ±10⁵; where a^L leaves the range; and for L < 2.
        TypeError: If L is no integer.

    References:
        [woodworth2020kernel], Section 5.

    ```python
    >>> import hamtheory as ht
    >>> float(ht.DiagonalNetwork(depth=3, scale=2.0).inverse_metric(0.0))
    288.0
    >>> float(ht.DiagonalNetwork(depth=3, scale=2.0).mirror_bound())
    0.166667

    ```
    """

    name: ClassVar[str] = "network"
    formula: ClassVar[str] = "L^2 (u^(2L-2) + v^(2L-2))"
    example: ClassVar[Mapping[str, Any]] = {"depth": 3, "scale": 1e-2}
    depth: int = static()
    parameter: Float[Array, "..."]
    logarithmic: bool = static()

    def __init__(self, depth: int, scale: Parameter | None = None, *, log_scale: Parameter | None = None):
        self.depth = count(depth, "depth", 2)
        parameter, self.logarithmic = positive_or_log(scale, log_scale, "scale")
        self.parameter = _with_a_unit(self.depth, parameter, self.logarithmic)

    @property
    def scale(self) -> Scalars:
        """a."""
        with quiet():
            return namespace(self.parameter).exp(self.parameter) if self.logarithmic else self.parameter

    @property
    def log_scale(self) -> Scalars:
        """ln a."""
        return self.parameter if self.logarithmic else namespace(self.parameter).log(self.parameter)

    def inverse_metric(self, theta: Scalars) -> Scalars:
        xp = namespace(theta)
        a = self.scale.astype(theta.dtype)
        if self.depth == 2:
            return 4 * xp.hypot(theta, 2 * xp.square(a))
        return _inverse_metric(self.depth, theta, a)

    def mirror_map(self, theta: Scalars) -> Scalars:
        xp = namespace(theta)
        a = self.scale.astype(theta.dtype)
        if self.depth == 2:
            gamma = 2 * xp.square(a)
            return asinh_quotient(theta, gamma, xp.log(gamma)) / 4
        return _mirror_map(self.depth, theta, a)

    def inverse_mirror_map(self, mu: Scalars) -> Scalars:
        xp = namespace(mu)
        a = self.scale.astype(mu.dtype)
        if self.depth == 2:
            gamma = 2 * xp.square(a)
            return sinh_times(gamma, xp.log(gamma), 4 * mu)
        inside, z = self._relative_to_bound(mu, a)
        power = self.depth / (self.depth - 2)
        theta = a**self.depth * (xp.expm1(-power * xp.log1p(-z)) - xp.expm1(-power * xp.log1p(z)))
        return xp.where(inside, theta, xp.nan)

    def potential(self, theta: Scalars) -> Scalars:
        xp = namespace(theta)
        a = self.scale.astype(theta.dtype)
        if self.depth == 2:
            gamma = 2 * xp.square(a)
            return theta * (self.mirror_map(theta) - theta / (4 * (gamma + xp.hypot(theta, gamma))))
        return _potential(self.depth, theta, a)

    def conjugate(self, mu: Scalars) -> Scalars:
        xp = namespace(mu)
        a = self.scale.astype(mu.dtype)
        if self.depth == 2:
            return xp.square(sinh_times(a, xp.log(a), 2 * mu))
        inside, z = self._relative_to_bound(mu, a)
        p = self.depth - 2
        upper, lower = xp.log1p(-z), xp.log1p(z)
        far = _half_squares(-xp.log1p(-xp.square(z)) / p, (lower - upper) / p, a) / self.depth
        near = xp.abs(z) < xp.sqrt(xp.finfo(z.dtype).eps) / 8  # there R* is quadratic to rounding; z² may underflow
        return xp.where(inside, xp.where(near, xp.square(a * z / p), far), xp.nan)

    def mirror_bound(self) -> Scalars:
        return np.float64(np.inf) if self.depth == 2 else _mirror_bound(self.depth, self.scale)

    def horizon(self) -> Horizon:
        if self.depth > 2:
            raise Horizon.refused(repr(self), f"g⁻¹ grows like |θ|^{2 - 2 / self.depth:.4g}")
        return Horizon(1.0)

    def power_barrier(self) -> tuple[int, float] | None:
        if self.depth == 2 or np.ndim(self.parameter):
            return None
        return self.depth, float(self.log_scale)

    def proportional(self) -> tuple[AbstractGeometry, Number] | None:
        if self.depth > 2 or np.ndim(self.parameter):
            return None
        other = Hypentropy.at_log(np.log(2.0).astype(self.parameter.dtype) + 2 * self.log_scale)
        return other, 2.0 * namespace(self.parameter).exp(other.log_rescaling)

    def in_units(self, size: float) -> tuple[AbstractGeometry, float]:
        # Homogeneity: with a^L in units of c, θ is too, and g⁻¹ in units of c^(2 − 2/L).
        log = self.log_scale - np.log(size) / self.depth
        if self.depth * np.max(np.abs(log)) > _largest_log_of_unit(self.parameter.dtype):
            return super().in_units(size)
        moved = replaced(self, parameter=log.astype(self.parameter.dtype), logarithmic=True)
        return moved, float(np.exp2((2 - 2 / self.depth) * np.log2(size)))

    def _relative_to_bound(self, mu, a):
        """Where |μ| is below the bound, and the quotient z there (0 elsewhere); below 1, rounding included."""
        xp = namespace(mu, a)
        bound = _mirror_bound(self.depth, a)
        inside = xp.abs(mu) < xp.minimum(bound, self.mirror_bound().astype(mu.dtype))  # from a in its own dtype
        return inside, xp.where(inside, mu, 0) / bound

    def decayed(self, t: Number, weight_decay: Number) -> "tuple[DiagonalNetwork, Number]":
        """This geometry, without weight decay.

        Args:
            t: The time, on which nothing depends.
            weight_decay: 0.

        Returns:
            The geometry, and the rate 0.

        Raises:
            ValueError: For any other weight decay than 0.
        """
        return self, _none(weight_decay, weight_decay)

    def stationarity(self, theta: Scalars, gradient: Scalars, weight_decay: Number) -> Scalars:
        """The gradient, of the shape of `theta`.

        Args:
            theta: θ.
            gradient: `∇f(theta)`, of the shape of `theta`.
            weight_decay: 0.

        Returns:
            The gradient.

        Raises:
            ValueError: For any other weight decay than 0.
        """
        return _none(weight_decay, gradient)

    def arguments(self) -> dict[str, Any]:
        return {"depth": self.depth, "log_scale" if self.logarithmic else "scale": self.parameter}


def _with_a_unit(depth, parameter, logarithmic):
    """The parameter, if a^L is a normal number of its dtype."""
    message = "scale**depth, the unit of theta, must be within the range of"
    largest = _largest_log_of_unit(parameter.dtype)
    if is_traced(parameter):
        import equinox as eqx
        import jax.numpy as jnp

        log = parameter if logarithmic else jnp.log(parameter)
        return eqx.error_if(parameter, depth * jnp.abs(log) > largest, f"{message} {parameter.dtype}")
    log = np.asarray(parameter, float) if logarithmic else np.log(np.asarray(parameter, float))
    if np.any(depth * np.abs(log) > largest):
        worst = log.flat[np.argmax(np.abs(log))]
        raise ValueError(f"{message} {parameter.dtype}; got scale = exp({worst:g}) and depth = {depth}")
    return parameter


def _largest_log_of_unit(dtype):
    return -np.log(float(np.finfo(np.dtype(dtype)).tiny))


def _none(weight_decay, value):
    """`value`, if there is no weight decay."""
    if is_traced(weight_decay):
        import equinox as eqx

        return eqx.error_if(value, weight_decay != 0, NO_DECAY)
    if float(weight_decay) != 0:
        raise ValueError(f"{NO_DECAY}; got {float(weight_decay):g}")
    return value


# For L > 2, as functions of the depth L, of θ or μ, and of a. Derivatives in a follow from those in θ by homogeneity:
# if a is multiplied by s and θ by s^L, then u and v are multiplied by s, μ by s^(2−L), R and R* by s².


def _mirror_bound(depth, a):
    return 1 / (depth * (depth - 2) * a ** (depth - 2))


def _half_squares(m, h, a):
    """`(u² + v²)/2 − a²` from `u = a e^((m+h)/2)`, `v = a e^((m−h)/2)`, m ≥ 0: a sum of positive terms."""
    xp = namespace(m, h, a)
    return xp.square(a) * xp.expm1(m) + 2 * xp.exp(m) * xp.square(a * xp.sinh(h / 2))


def _solve(depth, size, a):
    """The excess `x = ln(u/a)` with `θ/a^L = e^(Lx) − (v/a)^L` for θ = `size` ≥ 0, with z(x) and θ/a^L itself.

    Halley's iteration from `asinh(θ/2a^L)/L`, which is exact at both ends. Every term is an `expm1` of one sign, so
    that x has a small relative error however small θ is.
    """
    xp = namespace(size, a)
    p, half = depth - 2, depth // 2
    target = size / a**half / a ** (depth - half)  # in this order nothing overflows that the quotient does not
    target = xp.minimum(target, xp.finfo(target.dtype).eps ** -3.5)  # beyond, z = 1 to rounding, and all is known
    ends = xp.log1p(target) / depth

    def halley(x):
        z = -xp.expm1(-p * x)
        grown, shrunk = xp.expm1(depth * x), xp.expm1(-depth / p * xp.log1p(z))
        slope = (1 - z) / (1 + z)  # of ln(a/v)
        first = depth * (1 + grown + (1 + shrunk) * slope)
        second = depth * (depth * (1 + grown) - (1 + shrunk) * slope * (depth * slope + 2 * p / (1 + z)))
        newton = (grown - shrunk - target) / first
        return xp.clip(x - newton / (1 - newton * second / (2 * first)), ends / 2, ends)

    x = xp.arcsinh(target / 2) / depth
    for _ in range(STEPS):
        x = halley(x)
    return x, -xp.expm1(-p * x), target


@custom_jvp.of(static=1)
def _factors(depth, theta, a):
    """u and v."""
    xp = namespace(theta, a)
    size = xp.abs(theta)
    _, z, target = _solve(depth, size, a)
    small = a * xp.exp(-xp.log1p(z) / (depth - 2))
    # The larger one again from θ and the smaller one, on which it hardly depends: exp(x) would magnify rounding by x.
    power, near = xp.exp(-depth / (depth - 2) * xp.log1p(z)), target < 1
    power = xp.where(near, target + power, size * (1 + power / xp.where(near, 1, target)))
    root = power ** (1 / depth)
    root = root - (root - power / root ** (depth - 1)) / depth  # the exponent 1/L is rounded, and so is the logarithm
    large = root * xp.where(near, a, 1)
    return xp.where(theta >= 0, large, small), xp.where(theta >= 0, small, large)


@_factors.defjvp
def _(depth, primals, tangents):
    # du/A + dv/B = 2 da/a^(L−1) and A du − B dv = dθ/L with A = u^(L−1), B = v^(L−1), whose squares may overflow.
    (theta, a), (dtheta, da) = primals, tangents
    xp = namespace(theta, a)
    u, v = _factors(depth, theta, a)
    upper, lower = u ** (depth - 1), v ** (depth - 1)
    most = xp.maximum(upper, lower)
    along = dtheta / (depth * most)
    across = 2 * xp.minimum(upper, lower) / a ** (depth - 1) * da
    upper, lower = upper / most, lower / most
    norm = xp.square(upper) + xp.square(lower)
    return (u, v), ((upper * along + lower * across) / norm, (upper * across - lower * along) / norm)


def _inverse_metric(depth, theta, a):
    xp = namespace(theta, a)
    u, v = _factors(depth, theta, a)
    return xp.square(depth * u ** (depth - 1)) + xp.square(depth * v ** (depth - 1))


@custom_jvp.of(static=1)
def _mirror_map(depth, theta, a):
    xp = namespace(theta, a)
    _, z, _ = _solve(depth, xp.abs(theta), a)
    return xp.sign(theta) * z * _mirror_bound(depth, a)


@_mirror_map.defjvp
def _(depth, primals, tangents):
    (theta, a), (dtheta, da) = primals, tangents
    xp = namespace(theta, a)
    mu, metric = _mirror_map(depth, theta, a), _inverse_metric(depth, theta, a)
    quotient = theta / xp.maximum(metric, xp.finfo(metric.dtype).tiny)  # the metric at 0 may underflow
    return mu, dtheta / metric - ((depth - 2) * mu + depth * quotient) * (da / a)


@custom_jvp.of(static=1)
def _potential(depth, theta, a):
    xp = namespace(theta, a)
    size, p = xp.abs(theta), depth - 2
    x, z, target = _solve(depth, size, a)
    y = xp.log1p(z) / p
    m = xp.where(z < 0.5, -xp.log1p(-xp.square(z)) / p, x - y)
    # θR′: a large bound times a small z may leave the range, and so may a^L.
    product = xp.where(target < 1, (a * target) * (a * z) / (depth * p), size * (z * _mirror_bound(depth, a)))
    # R* is at most half of the product, because R′ is concave for θ > 0: the difference loses no more than two bits.
    far = product - _half_squares(m, x + y, a) / depth
    return xp.where(target < xp.sqrt(xp.finfo(target.dtype).eps) / 8, product / 2, far)


@_potential.defjvp
def _(depth, primals, tangents):
    (theta, a), (dtheta, da) = primals, tangents
    value, mu = _potential(depth, theta, a), _mirror_map(depth, theta, a)
    return value, mu * dtheta - (depth * theta * mu - 2 * value) * (da / a)
