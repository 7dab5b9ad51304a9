"""First-passage times in one dimension: when a coordinate that has the wrong sign reaches zero."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._types import Parameter
from .._validate import positive
from ..geometry import HAM, AbstractGeometry, Euclidean, Hypentropy
from ..geometry._numerics import asinh_quotient, log1p_over
from ..geometry._parameter import split
from ._octaves import integral_from_zero


def first_passage_time(geometry: AbstractGeometry, a: Parameter, y: Parameter) -> Float[Array, "..."]:
    """The time at which the flow of `f = (θ − y)²/2` in one dimension, started at θ₀ = −a < 0 < y, reaches zero.

    `T = ∫₀^a ds / (g⁻¹(s) (y + s))`. In closed form, of positive terms, for

        Euclidean     T = ln(1 + a/y)
        HAM           T = ln(1 + (αy − 1) a/(y + a)) / (αy − 1)
        Hypentropy    T = asinh((ρ/γ) a/(a + y) (1 + (a/y) γ/(γ + √(a² + γ²)))) / 2ρ,    ρ = √(y² + γ²)

    HAM's is a/(y + a) at αy = 1, and ~ ln(αa)/(αy) as α → ∞; that of m⊙w ~ ln(2ay/(γ(a + y)))/(2y) as γ → 0. The
    balanced flow of m⊙w, γ = 0, never arrives: T = ∞. Every other geometry is integrated by quadrature of its inverse
    metric, on octaves of s from a down to the smallest numbers.

    Arguments: `geometry`, any; `a` > 0, the distance from zero at the start, and `y` > 0, the target, broadcast against
      each other and against the geometry's parameters.
    Returns: T, of the common shape and of the dtype of `a` and `y`, in the time of the flow as `solve_flow` has it. Far
      out (HAM beyond α = e²⁸⁴) geometries change the unit of time, and so that of T: the logarithm of the time without
      this change is `ln T − geometry.log_rescaling`.
    Accuracy: closed forms, a few units of rounding. Quadrature: panels of octaves are halved until two results agree to
      128 units of rounding; NaN where 64 panels an octave are too few, as for a metric that oscillates.
    Errors: `ValueError` where `a` or `y` is not positive and finite.
    Source: own derivation; for the flow of HAM: [jacobs2026ham], of m⊙w: [woodworth2020kernel].

    ```python
    >>> import hamtheory as ht
    >>> round(float(ht.signs.first_passage_time(ht.HAM(alpha=50.0), 0.7, 1.0)), 4)
    0.0623
    >>> round(float(ht.signs.first_passage_time(ht.Euclidean(), 0.7, 1.0)), 4)
    0.5306

    ```
    """
    a, y = positive(a, "a"), positive(y, "y")
    dtype = jnp.result_type(a, y)
    a, y = jnp.broadcast_arrays(a.astype(dtype), y.astype(dtype))
    if isinstance(geometry, Euclidean):
        return log1p_over(1 / y, a, 0) / y
    if isinstance(geometry, HAM):
        return _ham(*jnp.broadcast_arrays(a, y, *split(geometry.parameter, geometry.logarithmic, dtype)))
    if isinstance(geometry, Hypentropy):
        return _hypentropy(*jnp.broadcast_arrays(a, y, *split(geometry.parameter, geometry.logarithmic, dtype)))
    return _by_quadrature(geometry, a, y)


def _ham(a, y, alpha, excess, _):
    # In the unit of time of the geometry, with g⁻¹ = origin + α s: T = ln(x) / (α y − origin), where x is
    # (1 + s α/origin) / (1 + s/y) at s = a, 1 + a positive product if the denominator is positive; so is 1/x if not.
    origin = jnp.exp(-excess)
    slower = alpha * y < origin
    above = log1p_over(jnp.where(slower, 1, alpha * y - origin), a / (y + a), excess)
    below = log1p_over(jnp.where(slower, origin - alpha * y, 1) / y, a / (origin + alpha * a), 0) / y
    return jnp.where(slower, below, above)


def _hypentropy(a, y, gamma, excess, log):
    unit = jnp.exp(-excess)
    rho, root = jnp.hypot(y * unit, gamma), jnp.hypot(a * unit, gamma)
    growth = 1 + a * (gamma / (gamma + root)) / y
    return asinh_quotient(rho * (a / (a + y)) * growth, gamma, log - excess) / (2 * rho)


@eqx.filter_jit
def _by_quadrature(geometry, a, y):
    shape = jnp.broadcast_shapes(a.shape, jax.eval_shape(geometry.inverse_metric, a).shape)
    a, y = jnp.broadcast_to(a, shape), jnp.broadcast_to(y, shape)
    return integral_from_zero(lambda s: 1 / geometry.inverse_metric(s) / (y + s), a)
