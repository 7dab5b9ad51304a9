"""The coordinates of steepest flows on factors: one number for each entry of θ, by which its factors are conserved.

Of the factors w_i of an entry, `|w_i|^q − |w_j|^q` is constant, and with weight decay it shrinks like `e^(−qρt)`. All
of them follow from the smallest one, z: `|w_j|^q = |z|^q + c_j e^(−qρt)`, and w_j ≠ 0 keeps its sign. Along
`ds = −φ(∇f) dt`, with `φ(x) = sign(x)|x|^(q−1)`,

    dz/ds = φ(∏ w_j),    dθ/ds = Σ_i ∏_{j≠i} |w_j|^q = 1/R″(θ).

Where t others are as small as z (c_j = 0), `dz/ds ~ |z|^e` at zero, e = (q − 1)t. If e < 1, z passes zero, and as the
limit of an imbalance that vanishes it goes on: `sign(z)|z|^(1−e)` takes its place, which passes at a positive speed. If
e ≥ 1, z never arrives there, and ln |z| takes its place.
"""

from typing import Any, NamedTuple

import numpy as np

Array = Any

_SMALLEST = 1e-200  # of a z that passes zero, the unit of its error
_HALVINGS = 200


def power(x: Array, exponent: Array) -> Array:
    """`sign(x)|x|^exponent`."""
    return np.copysign(np.abs(x) ** exponent, x)


class Point(NamedTuple):
    """θ and what moves it, at a state y, (..., d) each.

    `speed`: dy/ds; `bend`: d(dy/ds)/dy; `slope`: dθ/dy; `metric`: dθ/ds.
    """

    theta: Array
    speed: Array
    bend: Array
    slope: Array
    metric: Array


class Factors:
    """The factors of θ, (L, d) at t = 0, under the exponent q and the decay `dw/dt = … − ρw`.

    Attributes:
        start: The state at t = 0, (d,).
        is_free: Where an entry can change its sign, (d,).
        is_dead: Where it never moves, two factors being zero, (d,).
        is_ambiguous: Where two factors are zero and could leave it, in more than one way, (d,).
    """

    def __init__(self, factors: Array, q: float, rate: float = 0.0):
        self.q, self.rate, self.count = q, rate, len(factors)
        self.first = np.argmin(np.abs(factors), axis=0)
        rest = np.arange(1, self.count)[:, None]
        self._rest = rest - (rest <= self.first)  # the rows of the others, (L − 1, d)
        z = np.take_along_axis(factors, self.first[None], 0)[0]
        others = np.take_along_axis(factors, self._rest, 0)
        self._signs = np.sign(others)
        self._overall = np.prod(np.where(self._signs == 0, 1, self._signs), axis=0)
        self._gaps = _gaps(np.abs(others), np.abs(z), q)
        ties = np.sum(self._gaps == 0, axis=0)
        self._untied = np.prod(np.where(self._gaps > 0, self._gaps, 1.0) ** (1 / q), axis=0)
        self._count_untied = self.count - 1 - ties
        self._power = -np.where((q - 1) * ties < 1, 1 - (q - 1) * ties, 1.0) / (1 + ties)
        self._e = (q - 1) * ties
        self.is_free = self._e < 1
        self.is_dead = (ties > 0) & (z == 0) & ~self.is_free
        self.is_ambiguous = (ties > 0) & (z == 0) & self.is_free
        self._kappa = np.where(self.is_free, 1 - self._e, 1.0)
        self._is_plain = bool(np.all(self._e == 0))
        self._sign = np.where(z == 0, 1.0, np.sign(z))
        logs = np.log(np.where(z == 0, 1.0, np.abs(z)))
        self.start = np.where(self.is_free, power(z, self._kappa), logs)
        self._floor = np.min(np.where(self._gaps > 0, self._gaps, np.inf), axis=0, initial=np.inf)
        self._floor = np.where(np.isfinite(self._floor) & (ties == 0), self._floor, 1.0)

    def _decayed(self, t: Array) -> Array:
        """`e^(−qρt)`, with an axis for the entries."""
        return np.exp(-self.q * self.rate * np.asarray(t, float))[..., None] if self.rate else 1.0

    def smallest(self, state: Array) -> Array:
        """z at a state."""
        if self._is_plain:
            return state
        bound = np.where(self.is_free, 0.0, state)
        z = np.where(self.is_free, power(state, 1 / self._kappa), self._sign * np.exp(bound))
        return np.where(self.is_dead, 0.0, z)

    def _sizes(self, t: Array, z: Array) -> list[Array]:
        """|w_j| of the others."""
        raised, decayed = np.abs(z) ** self.q, self._decayed(t)
        return [(raised + gap * decayed) ** (1 / self.q) for gap in self._gaps]

    def _moved(self, t: Array, state: Array) -> tuple[Array, Array, list[Array], Array]:
        """θ, dy/ds, |w_j| and z."""
        z = self.smallest(state)
        sizes = self._sizes(t, z)
        if self._is_plain:
            others = _product(sizes)
            return self._overall * others * z, self._overall * others ** (self.q - 1), sizes, z
        untied = _product([np.where(gap > 0, size, 1.0) for gap, size in zip(self._gaps, sizes, strict=True)])
        # Of ties, dy/ds has the factor κ, or with the logarithm sign(z)|z|^(e − 1).
        tied = np.where(self.is_free, self._kappa, self._sign * np.where(self.is_free, 1.0, np.abs(z)) ** (self._e - 1))
        speed = np.where(self.is_dead, 0.0, self._overall * untied ** (self.q - 1) * tied)
        return self._overall * _product(sizes) * z, speed, sizes, z

    def moved(self, t: Array, state: Array) -> tuple[Array, Array]:
        """θ and dy/ds, (..., d) each."""
        return self._moved(t, state)[:2]

    def theta(self, t: Array, state: Array) -> Array:
        """θ, (..., d)."""
        return self._moved(t, state)[0]

    def metric(self, t: Array, state: Array) -> Array:
        """dθ/ds, (..., d)."""
        _, _, sizes, z = self._moved(t, state)
        return self._metric(sizes, np.abs(z))

    def balanced(self, theta: Array) -> Array:
        """dθ/ds of factors of one size, the least that it can be at this θ."""
        return self.count * np.abs(theta) ** (self.q * (self.count - 1) / self.count)

    def _metric(self, sizes: list[Array], size: Array) -> Array:
        metric = np.broadcast_to(_product(sizes) ** self.q, np.shape(size))
        for i in range(len(sizes)):
            metric = metric + (size * _product(sizes[:i] + sizes[i + 1 :])) ** self.q
        return np.where(self.is_dead, 0.0, metric) if self.is_dead.any() else metric

    def at(self, t: Array, state: Array) -> Point:
        """All that a linearisation asks of a state."""
        theta, speed, sizes, z = self._moved(t, state)
        size, q = np.abs(z), self.q
        # dln|θ|/dln|z| = 1 + Σ |z|^q/|w_j|^q, and of the speed, likewise.
        shares = sum((_ratio(size**q, other**q) for other in sizes), np.zeros_like(z))
        pairs = zip(self._gaps, sizes, strict=True)
        own = sum((np.where(gap > 0, _ratio(power(z, q - 1), other**q), 0.0) for gap, other in pairs), np.zeros_like(z))
        inner = np.where(self.is_free, size ** (1 - self._kappa) / self._kappa, z)  # dz/dy
        slope = self._overall * _product(sizes) * (1 + shares) * inner
        bend = (q - 1) * speed * own * inner + np.where(self.is_free, 0.0, (self._e - 1) * speed)
        if self.is_dead.any():
            slope = np.where(self.is_dead, 0.0, slope)
        return Point(theta, speed, bend, slope, self._metric(sizes, size))

    def decay(self, state: Array) -> Array:
        """What weight decay takes off dy/dt."""
        return self.rate * np.where(self.is_free, self._kappa * state, 1.0)

    def decay_slope(self) -> Array:
        """The derivative of `decay`."""
        return self.rate * np.where(self.is_free, self._kappa, 0.0)

    def unit(self, t: float) -> Array:
        """The state at which θ is 1, or 1 if that is less: where the other factors are large, a small one."""
        untied = self._untied * self._decayed(t) ** (self._count_untied / self.q)
        return np.minimum(untied**self._power, 1.0)

    def state_of(self, t: Array, theta: Array) -> Array:
        """The state with this θ, (times, d), at times, (times,); of entries that can change their sign."""
        size = np.abs(theta)
        low, high = np.zeros((np.size(t), size.size)), size ** (1 / self.count)
        for _ in range(_HALVINGS):
            z = (low + high) / 2
            below = _product(self._sizes(t, z)) * z < size
            low, high = np.where(below, z, low), np.where(below, high, z)
        return power(np.copysign(high, self._overall * theta), self._kappa)

    def weights(self, t: float, state: Array) -> Array:
        """Of relative errors: in units of the state, but of a z that passes zero those in which dz/ds changes there."""
        if self.count == 1:
            return 1 / np.maximum(np.abs(state), 1.0)
        floor = np.minimum((self._floor * self._decayed(t)) ** (1 / self.q), self.unit(t))
        unit = np.maximum(np.abs(state), np.maximum(floor, _SMALLEST))
        return 1 / np.where(self.is_free, unit, 1.0)

    def factors(self, t: Array, state: Array) -> Array:
        """w, (L, ..., d)."""
        z = self.smallest(state)
        found = np.empty((self.count, *np.shape(z)))
        np.put_along_axis(found, np.broadcast_to(self.first, np.shape(z))[None], z[None], 0)
        for row, sign, size in zip(self._rest, self._signs, self._sizes(t, z), strict=True):
            np.put_along_axis(found, np.broadcast_to(row, np.shape(z))[None], (sign * size)[None], 0)
        return found


def _gaps(large: Array, small: Array, q: float) -> Array:
    """`large^q − small^q`, to full relative accuracy."""
    safe = np.where(large > 0, large, 1.0)
    with np.errstate(divide="ignore"):  # of a small one that is 0, or next to the large one nothing
        return large**q * -np.expm1(q * np.log1p((small - safe) / safe))


def _product(sizes: list[Array]) -> Any:
    found: Any = 1.0
    for size in sizes:
        found = found * size
    return found


def _ratio(above: Array, below: Array) -> Array:
    """1 where both are zero: of ties at z = 0, whose sizes are z."""
    return np.where(below > 0, above / np.where(below > 0, below, 1.0), 1.0)
