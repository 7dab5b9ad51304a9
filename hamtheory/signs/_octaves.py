"""Integrals from zero, on octaves: accurate whatever the scales at which the integrand changes."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..geometry._quadrature import NODES, WEIGHTS

FINEST = 64  # panels an octave
AGREED = 128  # units of rounding by which the last two quadratures may differ


def integral_from_zero(density: Callable[[Array], Array], upper: Float[Array, "..."]) -> Float[Array, "..."]:
    """`∫₀ˣ density(s) ds` of a positive density for every x ≥ 0 in `upper`; NaN where 64 panels an octave are too few.

    On octaves of s from x down to the smallest numbers, panels of which are halved until two results agree to 128
    units of rounding. The density keeps the shape of `upper`.
    """
    limits = jnp.finfo(upper.dtype)
    octaves = limits.maxexp - limits.minexp
    nodes, weights = jnp.asarray(NODES, upper.dtype), jnp.asarray(WEIGHTS, upper.dtype)

    def integral(panels):
        """By `panels` an octave, from the smallest to the largest."""
        step = jnp.exp2(-1 / panels.astype(upper.dtype))

        def add(i, total):
            left = panels * octaves - 1 - i
            top = upper * jnp.exp2(-(left.astype(upper.dtype)) / panels.astype(upper.dtype))
            values = jax.vmap(lambda u: density(top * (step + (1 - step) * u)))(nodes)
            return total + top * (1 - step) * jnp.tensordot(weights, values, axes=1)

        last = upper * 2.0**-octaves
        return jax.lax.fori_loop(0, panels * octaves, add, last * density(last))

    def agree(coarse, fine):
        return jnp.abs(fine - coarse) <= AGREED * limits.eps * fine

    def refine(state):
        panels, _, fine = state
        return 2 * panels, fine, integral(2 * panels)

    unresolved = lambda state: (state[0] < FINEST) & ~jnp.all(agree(*state[1:]))  # noqa: E731
    first = jnp.asarray(1)
    _, coarse, fine = jax.lax.while_loop(unresolved, refine, (2 * first, integral(first), integral(2 * first)))
    return jnp.where(agree(coarse, fine), fine, jnp.nan)
