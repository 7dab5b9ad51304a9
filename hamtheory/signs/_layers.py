"""Geometries as those of layers: what each contributes to the invariant of a neuron, and to a compiled flow."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._types import Parameter
from .._validate import is_traced
from ..geometry import HAM, AbstractGeometry, Euclidean, Hypentropy
from ..geometry._base import Scalars
from ..geometry._numerics import floating, log1p_over
from ..geometry._parameter import split
from ..geometry._quadrature import taylor_remainder
from ._octaves import integral_from_zero


class Balanced(eqx.Module):
    """The balanced flow of m⊙w, m² = w²: `h(θ) = 2|θ|`, the limit γ → 0 of `Hypentropy(γ)`.

    Its inverse metric vanishes at zero, where it has no mirror map, so it is a metric of `Neuron` and `Teacher` but no
    geometry. No parameter ever changes its sign.

    Source: [jacobs2026ham], [gadhikar2025signin].

    ```python
    >>> import hamtheory as ht
    >>> float(ht.signs.Balanced().inverse_metric(-3.0))
    6.0

    ```
    """

    def inverse_metric(self, theta: Parameter) -> Scalars:
        """`2|θ|`."""
        return 2 * jnp.abs(floating(theta))


Layer = AbstractGeometry | Balanced


class _Family(eqx.Module):
    """`h(s) = c + 2√((κs)² + γ²)`: gradient descent, HAM and m⊙w in one, so that their flows compile once."""

    c: Float[Array, "..."]
    kappa: Float[Array, "..."]
    gamma: Float[Array, "..."]

    def inverse_metric(self, theta: Parameter) -> Scalars:
        return self.c + 2 * jnp.hypot(self.kappa * floating(theta), self.gamma)


Metric = Layer | _Family  # of which a flow asks for no more than `inverse_metric`


def checked(layer: Layer, name: str) -> Layer:
    """The layer, if it is one, and in the unit of time of the other one."""
    if not isinstance(layer, (AbstractGeometry, Balanced)):
        raise TypeError(f"{name} must be a geometry, such as ht.HAM(alpha=5.0), or ht.signs.Balanced(); got {layer!r}")
    if isinstance(layer, (HAM, Hypentropy)) and not is_traced(layer.parameter):
        excess = layer.log_rescaling
        if jnp.any(excess > 0):
            raise ValueError(
                f"{name} = {type(layer).__name__} with a parameter beyond exp(284) has a unit of time of its own, and "
                f"two layers must have the same one; got log_rescaling = {jnp.max(excess):g}"
            )
    return layer


def merged(layer: Layer, dtype) -> Metric:
    """The layer as a member of the family that gradient descent, HAM and m⊙w share; another geometry is itself."""
    if isinstance(layer, (Euclidean, Balanced)):
        c, kappa, gamma = (1.0, 0.0, 0.0) if isinstance(layer, Euclidean) else (0.0, 1.0, 0.0)
    elif isinstance(layer, HAM):
        c, kappa, gamma = 1.0, layer.alpha / 2, 0.0
    elif isinstance(layer, Hypentropy):
        c, kappa, gamma = 0.0, 1.0, layer.gamma
    else:
        return layer
    return _Family(*(jnp.asarray(x, dtype) for x in (c, kappa, gamma)))


@eqx.filter_jit
def moment(layer: Layer, x: Float[Array, "..."]) -> Float[Array, "..."]:
    """`I(x) = ∫₀^|x| s/h(s) ds`: what a layer contributes to the invariant. Strictly increasing in |x|.

    Euclidean x²/2, HAM |x|/α − ln(1 + α|x|)/α², Hypentropy ½(√(x² + γ²) − γ), Balanced |x|/2; each without
    cancellation. Any other geometry by quadrature.
    """
    x = jnp.abs(x)
    if isinstance(layer, Euclidean):
        return jnp.square(x) / 2
    if isinstance(layer, Balanced):
        return x / 2
    if isinstance(layer, HAM):
        alpha, _, _ = split(layer.parameter, layer.logarithmic, x.dtype)
        near = alpha * x < 1  # x² ∫ u/(1 + αxu) du = x² ∫ (1 − u)/(1 + αx(1 − u)) du
        inside = jnp.where(near, x, 0)
        small = taylor_remainder(lambda s: 1 / (1 + alpha * (inside - s)), jnp.zeros_like(inside), inside)
        outside = jnp.where(near, 1 / alpha, x)
        return jnp.where(near, small, (outside - log1p_over(alpha, outside, jnp.zeros_like(outside))) / alpha)
    if isinstance(layer, Hypentropy):
        gamma = layer.gamma.astype(x.dtype)
        larger = jnp.hypot(x, gamma) + gamma
        return x * (x / jnp.where(larger > 0, larger, 1)) / 2
    x = jnp.broadcast_to(x, jnp.broadcast_shapes(x.shape, jax.eval_shape(layer.inverse_metric, x).shape))
    return integral_from_zero(lambda s: s / layer.inverse_metric(s), x)
