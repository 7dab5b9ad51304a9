"""What there is to know of the sign flips of each entry, along any path."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Int, Shaped

from ._array import Array


class Flips(eqx.Module):
    """The sign flips of every entry along a path; see `hamtheory.signs`.

    A zero has no sign of its own: an entry keeps the last one that it had. So leaving a start at zero is no flip.
    `initial`, `sign`: the first and the last sign that an entry had, −1 or 1, int8; 0 if it has been zero throughout.
    `gross`: how often it has flipped, int32. `first`, `last`: when it did so first and last: times, NaN if never, along
    a flow; numbers of steps, −1 if never, along a run. All of the shape of θ, with leading axes of lanes or saves.
    Source: own; counted in [jacobs2026ham], Fig. 2.
    """

    initial: Int[Array | np.ndarray, "*shape"]
    sign: Int[Array | np.ndarray, "*shape"]
    gross: Int[Array | np.ndarray, "*shape"]
    first: Shaped[Array | np.ndarray, "*shape"]
    last: Shaped[Array | np.ndarray, "*shape"]

    @property
    def never(self) -> Bool[Array | np.ndarray, "*shape"]:
        """Whether an entry has never flipped."""
        return self.gross == 0

    @property
    def net(self) -> Bool[Array | np.ndarray, "*shape"]:
        """Whether an entry has another sign than at first: an odd number of flips."""
        return self.gross % 2 == 1

    @property
    def flipped_back(self) -> Bool[Array | np.ndarray, "*shape"]:
        """Whether an entry has flipped, and has its first sign again."""
        return (self.gross > 0) & ~self.net


def sign_of(values: Array) -> Array:
    return jnp.sign(values).astype(jnp.int8)


def unflipped(signs: Array, never: Array) -> Flips:
    """Before anything has happened. `never`: the time or step that says so."""
    count, when = jnp.zeros(signs.shape, jnp.int32), jnp.broadcast_to(never, signs.shape)
    return Flips(signs, signs, count, when, when)


def observed(flips: Flips, values: Array, step: Array) -> Flips:
    """The flips after another step, which led to these values."""
    now = sign_of(values)
    sign = jnp.where(now == 0, flips.sign, now)
    flipped = flips.sign * sign < 0
    return Flips(
        initial=jnp.where(flips.initial == 0, sign, flips.initial),
        sign=sign,
        gross=flips.gross + flipped.astype(jnp.int32),
        first=jnp.where(flipped & (flips.gross == 0), step, flips.first),
        last=jnp.where(flipped, step, flips.last),
    )
