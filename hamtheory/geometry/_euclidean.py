"""Gradient descent's geometry."""

import jax.numpy as jnp

from .._types import Parameter
from ._base import AbstractStaticGeometry, Scalars
from ._numerics import floating


class Euclidean(AbstractStaticGeometry):
    """The geometry of gradient descent: `g⁻¹(θ) = 1`, `R(θ) = θ²/2`.

    Its limit from θ₀ is the interpolator closest to θ₀ in the Euclidean norm.
    Source: [gunasekar2018characterizing].

    ```python
    >>> import hamtheory as ht
    >>> float(ht.Euclidean().potential(3.0))
    4.5

    ```
    """

    def inverse_metric(self, theta: Parameter) -> Scalars:
        return jnp.ones_like(floating(theta))

    def mirror_map(self, theta: Parameter) -> Scalars:
        return floating(theta)

    def inverse_mirror_map(self, mu: Parameter) -> Scalars:
        return floating(mu)

    def potential(self, theta: Parameter) -> Scalars:
        return jnp.square(floating(theta)) / 2

    def conjugate(self, mu: Parameter) -> Scalars:
        return jnp.square(floating(mu)) / 2

    def mirror_bound(self) -> Scalars:
        return jnp.asarray(jnp.inf)
