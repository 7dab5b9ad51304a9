"""What there is to know of the sign flips of each entry, along any path."""

import numpy as np
from jaxtyping import Bool, Int, Shaped

from ._array import Array, Struct, namespace


class Flips(Struct):
    """The sign flips of every entry along a path; see `hamtheory.signs`.

    A zero has no sign of its own: an entry keeps the last one that it had. So leaving a start at zero is no flip. All
    fields are of the shape of θ, with leading axes of instances or saves.

    Attributes:
        initial: The first sign that an entry had, −1 or 1, int8; 0 if it has been zero throughout.
        sign: The last sign that it had, of the same values.
        gross: How often it has flipped, int32.
        first: When it did so first: a time, NaN if never, along a flow; a number of steps, −1 if never, along a run.
        last: When it did so last, of the same kind.

    References:
        Counted in [jacobs2026ham], Fig. 2.
    """

    initial: Int[Array, "*shape"]
    sign: Int[Array, "*shape"]
    gross: Int[Array, "*shape"]
    first: Shaped[Array, "*shape"]
    last: Shaped[Array, "*shape"]

    @property
    def never(self) -> Bool[Array, "*shape"]:
        """Whether an entry has never flipped."""
        return self.gross == 0

    @property
    def net(self) -> Bool[Array, "*shape"]:
        """Whether an entry has another sign than at first: an odd number of flips."""
        return self.gross % 2 == 1

    @property
    def flipped_back(self) -> Bool[Array, "*shape"]:
        """Whether an entry has flipped, and has its first sign again."""
        return (self.gross > 0) & ~self.net


def sign_of(values: Array) -> Array:
    return namespace(values).sign(values).astype(np.int8)


def unflipped(signs: Array, never: Array) -> Flips:
    """Before anything has happened. `never`: the time or step that says so."""
    xp = namespace(signs, never)
    count, when = xp.zeros(signs.shape, np.int32), xp.broadcast_to(never, signs.shape)
    return Flips(signs, signs, count, when, when)


def observed(flips: Flips, values: Array, step: Array) -> Flips:
    """The flips after another step, which led to these values."""
    xp = namespace(values)
    now = sign_of(values)
    sign = xp.where(now == 0, flips.sign, now)
    flipped = flips.sign * sign < 0
    return Flips(
        initial=xp.where(flips.initial == 0, sign, flips.initial),
        sign=sign,
        gross=flips.gross + flipped.astype(np.int32),
        first=xp.where(flipped & (flips.gross == 0), step, flips.first),
        last=xp.where(flipped, step, flips.last),
    )
