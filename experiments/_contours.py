"""Grids, and level sets of functions that increase along every ray, shared by the experiments."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


def grid(reach: float, count: int) -> Float[Array, " count"]:
    """Evenly spaced numbers from −reach to reach, exactly symmetric; 0 is one of them if `count` is odd."""
    return reach * jnp.asarray(np.linspace(-1, 1, count) - np.linspace(1, -1, count)) / 2


def circle(count: int) -> Float[Array, " count"]:
    """Angles from 0 to 2π, both included; a `count` of 4k + 1 includes the axes."""
    return jnp.linspace(0, 2 * jnp.pi, count)


def directions(angles: Float[Array, " angles"]) -> Float[Array, "angles 2"]:
    """Unit vectors at the angles."""
    return jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=-1)


@eqx.filter_jit
def level_radii(
    function: Callable, level: Float[Array, ""], angles: Float[Array, " angles"]
) -> tuple[Float[Array, " angles"], Float[Array, ""]]:
    """The radius at which `function`, increasing along rays from its minimum at 0, attains `level`, for every angle.

    Compiled once for a function and its arrays: pass `equinox.Partial(f, ...)`, not a new lambda for each level set.
    The upper end of the bracket is doubled until it is outside, then bisected to rounding. Returns the radii and the
    certificate: the largest relative deviation from the level on the contour.
    """
    along = jax.vmap(lambda radius, direction: function(radius * direction))
    rays = directions(angles)

    def inside(radii):
        return along(radii, rays) < level

    def bisect(_, bracket):
        low, high = bracket
        middle = (low + high) / 2
        within = inside(middle)
        return jnp.where(within, middle, low), jnp.where(within, high, middle)

    outer = jax.lax.fori_loop(0, 60, lambda _, r: jnp.where(inside(r), 2 * r, r), jnp.full_like(angles, 1e-3))
    low, high = jax.lax.fori_loop(0, 80, bisect, (jnp.zeros_like(outer), outer))
    radii = (low + high) / 2
    return radii, jnp.max(jnp.abs(along(radii, rays) / level - 1))
