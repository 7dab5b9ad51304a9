"""Does a geometry keep its promises? For authors of new ones."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike

from ._base import AbstractGeometry
from ._divergence import divergence_terms


def check_geometry(geo: AbstractGeometry, theta: ArrayLike | None = None, *, rtol: float = 1e-7) -> None:
    """Check that the methods of a geometry belong together, by the identities between them.

    g⁻¹ is even and positive; R′ is odd, its derivative is 1/g⁻¹; (R*)′ inverts it, with derivative g⁻¹; R and R* have
    the right derivatives and satisfy Fenchel's equality `R(θ) + R*(R′(θ)) = θ R′(θ)`; the Bregman divergence is
    `½ (θ − θ₀)² / g⁻¹` to leading order. Derivatives come from automatic differentiation.

    Arguments: `geo`: any geometry. `theta`: where, of any shape that broadcasts against its parameters; left out: ±10^k
      for k from −6 to 3, and 0. `rtol`: the largest relative error.
    Errors: `AssertionError` naming the first identity that fails; `ValueError` without float64.
    Source: own.

    ```python
    >>> import jax
    >>> jax.config.update("jax_enable_x64", True)
    >>> import hamtheory as ht
    >>> class Wrong(ht.Euclidean):
    ...     def potential(self, theta):
    ...         return abs(theta)
    >>> ht.geometry.check_geometry(ht.HAM(alpha=5.0))
    >>> ht.geometry.check_geometry(Wrong())
    Traceback (most recent call last):
    ...
    AssertionError: Wrong: dR/dθ = R′ fails: ...

    ```
    """
    if theta is None:
        scale = 10.0 ** np.arange(-6, 4)
        theta = np.concatenate([-scale[::-1], [0.0], scale])
    theta = jnp.asarray(theta, float)
    if theta.dtype != jnp.float64:
        raise ValueError("check_geometry needs float64: jax.config.update('jax_enable_x64', True)")
    mu = geo.mirror_map(theta)
    derivative = lambda f, x: jax.jvp(f, (x,), (jnp.ones_like(x),))[1]  # noqa: E731
    metric = geo.inverse_metric(theta)

    def same(what, got, want, absolute: ArrayLike = 0.0):
        error = jnp.max(jnp.abs(got - want) - rtol * jnp.abs(want) - absolute)
        assert bool(error <= 0), f"{type(geo).__name__}: {what} fails: got {got}, want {want} at theta = {theta}"

    assert bool(jnp.all(metric > 0)), f"{type(geo).__name__}: the inverse metric must be positive; got {metric}"
    same("g⁻¹(−θ) = g⁻¹(θ)", geo.inverse_metric(-theta), metric)
    same("R′(−θ) = −R′(θ)", geo.mirror_map(-theta), -mu)
    same("R″ = 1/g⁻¹", derivative(geo.mirror_map, theta) * metric, jnp.ones_like(theta))
    same("(R*)′(R′(θ)) = θ", geo.inverse_mirror_map(mu), theta)
    same("(R*)″ = g⁻¹", derivative(geo.inverse_mirror_map, mu), metric)
    same("dR/dθ = R′", derivative(geo.potential, theta), mu)
    same("dR*/dμ = θ", derivative(geo.conjugate, mu), theta)
    same("R + R* = θR′", geo.potential(theta) + geo.conjugate(mu), theta * mu)
    step = 1e-7 * theta
    leading = jnp.square(step) / 2 / metric
    same("D_R(θ + h, θ) = ½h²/g⁻¹", divergence_terms(geo, theta + step, theta), leading, absolute=1e-6 * leading)
