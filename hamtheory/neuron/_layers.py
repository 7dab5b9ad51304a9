"""Geometries as those of layers: what each contributes to the invariant of a neuron, and to a compiled flow."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from .._array import Array
from .._types import Parameter, Scalars
from .._validate import is_traced
from ..geometry import AbstractGeometry, refuse_dead_zone


class Balanced(eqx.Module):
    """The balanced flow of m⊙w, m² = w²: `h(θ) = 2|θ|`, the limit γ → 0 of `Hypentropy(γ)`.

    Its inverse metric vanishes at zero, where it has no mirror map, so it is a metric of `Neuron` and `Teacher` but no
    geometry. No parameter ever changes its sign.

    References:
        [jacobs2026ham], [gadhikar2025signin].

    ```python
    >>> import hamtheory as ht
    >>> float(ht.neuron.Balanced().inverse_metric(-3.0))
    6.0

    ```
    """

    def inverse_metric(self, theta: Parameter) -> Scalars:
        """`2|θ|`.

        Args:
            theta: θ, of any shape.

        Returns:
            `h(θ)`, of the same shape.
        """
        return 2 * jnp.abs(jnp.asarray(theta, float))

    def moment(self, theta: Parameter) -> Scalars:
        """`|θ|/2`.

        Args:
            theta: θ, of any shape.

        Returns:
            `∫₀^|θ| s/h(s) ds`, of the same shape.
        """
        return jnp.abs(jnp.asarray(theta, float)) / 2

    def hyperbola(self) -> tuple[float, float, float]:
        """`c = γ = 0`, `κ = 1`.

        Returns:
            c, κ and γ.
        """
        return 0.0, 1.0, 0.0

    @property
    def log_rescaling(self) -> float:
        """0: its unit of time is that of the flow."""
        return 0.0


Layer = AbstractGeometry | Balanced


class _Family(eqx.Module):
    """`h(s) = c + 2√((κs)² + γ²)`: gradient descent, HAM and m⊙w in one, so that their flows compile once."""

    c: Float[Array, "..."]
    kappa: Float[Array, "..."]
    gamma: Float[Array, "..."]

    def inverse_metric(self, theta: Parameter) -> Scalars:
        return self.c + 2 * jnp.hypot(self.kappa * theta, self.gamma)


Metric = Layer | _Family  # of which a flow asks for no more than `inverse_metric`


def checked(layer: Any, name: str) -> Layer:
    """The layer, if it is one, and in the unit of time of the other one."""
    if not isinstance(layer, (AbstractGeometry, Balanced)):
        raise TypeError(f"{name} must be a geometry, such as ht.HAM(alpha=5.0), or ht.neuron.Balanced(); got {layer!r}")
    refuse_dead_zone(layer, name)
    excess = layer.log_rescaling
    if not is_traced(excess) and np.any(np.asarray(excess) > 0):
        raise ValueError(
            f"{name} = {type(layer).__name__} with a parameter beyond exp(284) has a unit of time of its own, and "
            f"two layers must have the same one; got log_rescaling = {np.max(np.asarray(excess)):g}"
        )
    return layer


def merged(layer: Layer, dtype) -> Metric:
    """The layer as a member of the family that gradient descent, HAM and m⊙w share; another geometry is itself."""
    shape = layer.hyperbola()
    return layer if shape is None else _Family(*(jnp.asarray(x, dtype) for x in shape))


@eqx.filter_jit
def moment(layer: Layer, x: Float[Array, "..."]) -> Float[Array, "..."]:
    """`I(x) = ∫₀^|x| s/h(s) ds`: what a layer contributes to the invariant. Strictly increasing in |x|."""
    return layer.moment(x)
