"""The gradient flow of a polynomial G, by its Taylor series: a table of θ = G(w(τ)), from which a mirror map follows.

Along `dw/dτ = ∇G(w)` it is `dθ/dτ = |∇G|²`: the time τ is the mirror map of the geometry with `g⁻¹ = |∇G|²`, and
θ(τ) is its inverse. Series of polynomials need products only, and are summed where their last terms are below rounding.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from sympy.polys.rings import PolyElement

from .._array import quiet
from ._polynomials import gradient

Point = Sequence[float] | np.ndarray

_ORDER = 28
_EPS = float(np.finfo(float).eps)
_LONGEST = 256.0  # in units of |w|/|∇G|
_FASTER = 8.0  # than the length of a panel: the unit of the next one
_SLOTS = 8  # of a panel, in which θ is looked up
_MOST_PANELS = 6000
_LARGEST, _LEAST = 1e200, 1e-200  # of θ, beyond which the curve is not followed; powers of θ stay within the range
_FAR = 1e60  # where θ comes this far, it comes as far as one wants
_ALMOST = 1e-13  # of |∇G|² elsewhere: where it is less, rounding decides on which side of a critical point the curve is
_N = np.arange(_ORDER + 1)


class Program:
    """∇G as products of two factors each, in which a series is put term by term."""

    def __init__(self, polynomial: PolyElement):
        count = len(polynomial.ring.gens)
        self.count = count
        self._places: dict[tuple[int, ...], int] = {(0,) * count: count}
        self._places |= {tuple(int(j == i) for j in range(count)): i for i in range(count)}
        self._products: list[tuple[int, int]] = []
        self._parts = [
            [(float(c), self._place(m)) for m, c in part.terms()] if part else [] for part in gradient(polynomial)
        ]

    def _place(self, powers):
        if powers not in self._places:
            half = tuple(p // 2 for p in powers)
            if not any(half):
                half = tuple(int(j == next(i for i, p in enumerate(powers) if p)) for j in range(self.count))
            rest = tuple(p - q for p, q in zip(powers, half, strict=True))
            self._products.append((self._place(half), self._place(rest)))
            self._places[powers] = self.count + len(self._products)
        return self._places[powers]

    def series(self, w, unit):
        """The coefficients of w(unit · s), (variables, order + 1)."""
        table = np.zeros((self.count + 1 + len(self._products), _ORDER + 1))
        table[: self.count, 0], table[self.count, 0] = w, 1.0
        for n in range(_ORDER + 1):
            for place, (a, b) in enumerate(self._products, self.count + 1):
                table[place, n] = table[a, : n + 1] @ table[b, n::-1]
            if n < _ORDER:
                for i, part in enumerate(self._parts):
                    slope = sum(c * table[place, n] for c, place in part)
                    table[i, n + 1] = unit * slope / (n + 1)
        return table[: self.count]

    def field(self, w):
        """∇G."""
        values = [*w, 1.0]
        for a, b in self._products:
            values.append(values[a] * values[b])
        return np.array([sum(c * values[place] for c, place in part) for part in self._parts], float)


class _Side:
    """The curve from its anchor on in one direction, panel by panel: in each, powers of x from 0 to 1."""

    def __init__(self, program, value, w, theta, sign, floor=0.0):
        self.program, self.value, self.sign, self.floor = program, value, sign, floor
        self.w, self.ended, self.end = w, False, math.nan
        self.thetas, self.taus, self.potentials, self.conjugates = [theta], [0.0], [0.0], [0.0]
        self.coefficients, self.lengths, self.points = [], [], []
        self._stacked = -1
        self._small = 0

    def extend(self, enough: Callable[["_Side"], bool]) -> None:
        while not self.ended and not enough(self):
            with quiet():
                self._panel()

    @property
    def has_arrived(self) -> bool:
        """Whether τ no longer changes, to rounding, as θ goes on: at its bound."""
        return len(self.taus) > 2 and abs(self.taus[-1] - self.taus[-2]) <= _EPS / 2 * abs(self.taus[-1])

    def _panel(self):
        w, theta = self.w, self.thetas[-1]
        field = self.program.field(w)
        speed = float(np.sqrt(field @ field))
        if not np.isfinite(speed) or abs(theta) > _LARGEST:
            return self._stop(self.sign * math.inf)
        if speed < _LEAST:
            return self._stop(theta)
        if speed**2 < self.floor or (self.thetas[0] != 0 and abs(theta) < _LEAST):
            return self._stop(0.0)
        unit = self.sign * (float(np.sqrt(w @ w)) or 1.0) / speed
        if self.lengths:  # where some variables are far smaller than others, those say in what time they change
            unit = self.sign * min(abs(unit), _FASTER * abs(self.lengths[-1]))
        for _ in range(20):
            series = self.program.series(w, unit)
            grown = _grown(series) / unit
            if np.isfinite(series).all() and np.isfinite(grown).all():
                break
            unit /= 1e3
        else:
            return self._stop(self.sign * math.inf)
        length = _length(np.vstack([series, grown]))
        powers = length**_N
        return self._keep(series * powers, grown * powers, unit * length)

    def _keep(self, series, grown, length):
        theta, tau = self.thetas[-1], self.taus[-1]
        gained = float(grown.sum())
        w = series.sum(axis=1)
        if not (np.isfinite(gained) and np.isfinite(w).all() and math.isfinite(length)):
            return self._stop(self.sign * math.inf)
        coefficients = grown.copy()
        coefficients[0] = theta
        self.coefficients.append(coefficients)
        self.lengths.append(length)
        self.points.append(series)
        self.thetas.append(self._theta(theta + gained, abs(theta) + abs(gained), w))
        self.taus.append(tau + length)
        self.potentials.append(self.potentials[-1] + tau * gained + length * float((grown * _N / (_N + 1)).sum()))
        self.conjugates.append(self.conjugates[-1] + length * float((coefficients / (_N + 1)).sum()))
        self.w = w
        self._small = self._small + 1 if abs(gained) <= _EPS * abs(theta) else 0
        if self._small >= 3 or len(self.lengths) >= _MOST_PANELS:
            self._stop(self.thetas[-1])

    def _theta(self, summed, size, w):
        """θ at the end of a panel: of its sum and of G there, what rounding has spoiled less."""
        value, terms = self.value(w)
        return value if terms < size and self.sign * (value - self.thetas[-1]) > 0 else summed

    def _stop(self, end):
        self.ended, self.end = True, end

    def stacked(self):
        """The panels as arrays."""
        if self._stacked != len(self.lengths):
            self._stacked = len(self.lengths)
            self.a_theta, self.a_tau = np.array(self.thetas), np.array(self.taus)
            self.a_potential, self.a_conjugate = np.array(self.potentials), np.array(self.conjugates)
            self.a_coefficients = np.array(self.coefficients).reshape(-1, _ORDER + 1)
            self.a_length = np.array(self.lengths)
            slots = np.arange(_SLOTS) / _SLOTS
            inside = np.polynomial.polynomial.polyval(slots, self.a_coefficients.T)
            self.slots = np.append(inside.ravel(), self.a_theta[-1:])
        return self

    @quiet()
    def where_theta(self, theta):
        """The panels and the places x in them where θ is."""
        k = np.searchsorted(self.sign * self.slots, self.sign * theta, side="right") - 1
        k = np.clip(k, 0, self.slots.size - 2)
        panel = k // _SLOTS
        low, high = (k % _SLOTS) / _SLOTS, (k % _SLOTS + 1) / _SLOTS
        c = self.a_coefficients[panel].T.copy()
        missing = theta - c[0]
        c[0] = 0.0
        left, right = self.slots[k] - self.a_theta[panel], self.slots[k + 1] - self.a_theta[panel]
        x = low + (high - low) * np.clip((missing - left) / np.where(right != left, right - left, 1), 0, 1)
        for _ in range(60):
            value, slope = _with_slope(c, x)
            over = self.sign * (value - missing) > 0
            low, high = np.where(over, low, np.minimum(x, high)), np.where(over, np.maximum(x, low), high)
            step = x - (value - missing) / slope
            inside = (step >= low) & (step <= high)
            fresh = np.where(inside, step, (low + high) / 2)
            moved = np.abs(fresh - x)
            x = fresh
            if not np.any(moved > 4 * _EPS * x):
                break
        return panel, x

    def where_tau(self, tau):
        panel = np.searchsorted(self.sign * self.a_tau, self.sign * tau, side="right") - 1
        panel = np.clip(panel, 0, self.a_length.size - 1)
        return panel, np.clip((tau - self.a_tau[panel]) / self.a_length[panel], 0.0, 1.0)

    def inverse_metric(self, panel, x):
        return _with_slope(self.a_coefficients[panel].T, x)[1] / self.a_length[panel]

    def mirror_map(self, panel, x):
        return self.a_tau[panel] + self.a_length[panel] * x

    def theta(self, panel, x):
        return _with_slope(self.a_coefficients[panel].T, x)[0]

    def potential(self, panel, x):
        """The integral of τ dθ."""
        c = self.a_coefficients[panel].T.copy()
        c[0] = 0.0
        gained = _with_slope(c, x)[0]
        weighted = _with_slope(c * (_N / (_N + 1))[:, None], x)[0] * x
        return self.a_potential[panel] + self.a_tau[panel] * gained + self.a_length[panel] * weighted

    def conjugate(self, panel, x):
        """The integral of θ dτ."""
        c = self.a_coefficients[panel].T / (_N + 1)[:, None]
        return self.a_conjugate[panel] + self.a_length[panel] * x * _with_slope(c, x)[0]

    moment = conjugate


class Curve:
    """The integral curve of ∇G through a point: θ and, as functions of it, τ, g⁻¹, R and R*.

    It is anchored, τ = R = R* = 0, where θ = 0 if it comes there, and else at the point.

    Attributes:
        anchor: θ at the anchor.
    """

    def __init__(self, polynomial: PolyElement, w: Point):
        self._terms = [(float(c), np.array(m)) for m, c in polynomial.terms()]
        self._program = Program(polynomial)
        w, theta, floor = self._at_zero(np.array(w, float))
        self.anchor, self._w = theta, w
        self._sides = [_Side(self._program, self._value, w, theta, sign, floor) for sign in (-1.0, 1.0)]

    @staticmethod
    def slope(polynomial: PolyElement, w: Point) -> np.ndarray:
        """∇G at w."""
        return Program(polynomial).field(np.array(w, float))

    def _value(self, w):
        """G, and the sum of the absolute values of its terms."""
        terms = [c * np.prod(w**m) for c, m in self._terms]
        return math.fsum(terms), sum(map(abs, terms))

    def _at_zero(self, w):
        """Where the curve has θ = 0, and 0; the point itself, and its θ, if it does not come there; and the |∇G|² down
        to which it can be followed."""
        theta = self._value(w)[0]
        if theta == 0:
            return w, 0.0, 0.0
        side = _Side(self._program, self._value, w, theta, -math.copysign(1.0, theta))
        side.extend(lambda s: s.sign * s.thetas[-1] > 0)
        if side.sign * side.thetas[-1] <= 0:
            return w, theta, 0.0
        panel, x = side.stacked().where_theta(np.zeros(1))
        speeds = [
            coefficients[1] / length for coefficients, length in zip(side.coefficients, side.lengths, strict=True)
        ]
        point = np.polynomial.polynomial.polyval(float(x[0]), side.points[int(panel[0])].T)
        for _ in range(3):  # what rounding has left
            field = self._program.field(point)
            point = point - self._value(point)[0] * field / (field @ field)
        if field @ field <= _ALMOST * max(speeds):
            return w, theta, _ALMOST * max(speeds)
        return point, 0.0, 0.0

    @property
    def domain(self) -> tuple[float, float]:
        """Between which θ the curve is: the ends are infinite, or critical values of G."""
        ends = []
        for side in self._sides:
            side.extend(lambda s: s.sign * s.thetas[-1] > _FAR * max(1.0, abs(self.anchor)))
            ends.append(side.end if side.ended else side.sign * math.inf)
        return ends[0], ends[1]

    @property
    def range(self) -> tuple[float, float]:
        """Between which τ the curve is: infinite, or when it has left for infinity."""
        ends = []
        for side, end in zip(self._sides, self.domain, strict=True):
            fast = math.isinf(end) and abs(side.taus[-1] - side.taus[-2]) <= 1e-6 * abs(side.taus[-1])
            ends.append(side.taus[-1] if fast else side.sign * math.inf)
        return ends[0], ends[1]

    def expansion(self, count: int) -> np.ndarray:
        """The first coefficients of θ(τ) − θ at the anchor."""
        return _grown(self._program.series(self._w, 1.0))[1 : count + 1]

    def of_theta(self, what: str, theta: np.ndarray) -> np.ndarray:
        """The "inverse_metric", "mirror_map", "potential" or "moment" at θ, (m,); NaN outside of the domain."""
        found = np.full(theta.shape, np.nan)
        for side, mask in self._split(theta - self.anchor):
            some = theta[mask]
            farthest = float(np.max(side.sign * some, initial=-math.inf, where=np.isfinite(some)))
            side.extend(lambda s: s.lengths and s.sign * s.thetas[-1] > farthest)  # noqa: B023
            if side.lengths:
                panel, x = side.stacked().where_theta(some)
                good = side.sign * (some - side.a_theta[-1]) <= 0
                found[mask] = np.where(good, getattr(side, what)(panel, x), np.nan)
        return found

    def of_tau(self, what: str, tau: np.ndarray) -> np.ndarray:
        """ "theta" or "conjugate" at τ, (m,); NaN beyond the range."""
        found = np.full(tau.shape, np.nan)
        for side, mask in self._split(tau):
            some = tau[mask]
            farthest = float(np.max(side.sign * some, initial=-math.inf, where=np.isfinite(some)))
            side.extend(lambda s: s.lengths and (s.sign * s.taus[-1] > farthest or s.has_arrived))  # noqa: B023
            if not side.lengths:
                continue
            panel, x = side.stacked().where_tau(some)
            beyond = side.sign * (some - side.a_tau[-1])
            # Towards a critical value there is no end of τ.
            rest = side.sign * beyond * (side.a_theta[-1] if what == "conjugate" else 0.0)
            settled = np.isfinite(some) & (math.isfinite(side.end) if side.ended else False)
            last = side.a_conjugate[-1] if what == "conjugate" else side.a_theta[-1]
            far = np.where(settled, last + rest, np.nan)
            found[mask] = np.where(beyond <= 0, getattr(side, what)(panel, x), far)
        return found

    def _split(self, x):
        """Each side that is asked, and where."""
        for side, mask in zip(self._sides, (x < 0, x >= 0), strict=True):
            if mask.any():
                yield side, mask


def _grown(series):
    """The coefficients of what θ gains, `∫|dw/ds|² ds`."""
    squares = sum(np.convolve(slope, slope)[:_ORDER] for slope in series[:, 1:] * _N[1:])
    return np.append(0.0, squares / _N[1:])


def _with_slope(c, x):
    """`Σ c_n xⁿ` and its derivative."""
    value, slope = c[-1].copy(), np.zeros_like(x)
    for coefficient in c[-2::-1]:
        slope *= x
        slope += value
        value *= x
        value += coefficient
    return value, slope


def _length(series):
    """How far the rows of a series can be summed: their last terms are below rounding."""
    size, length = np.abs(series), _LONGEST
    for _ in range(200):
        terms = size * length**_N
        big, tail = terms[:, :-3].max(axis=1), terms[:, -3:].max(axis=1)
        if np.isfinite(terms).all() and np.all(tail <= _EPS / 4 * big):
            break
        with np.errstate(all="ignore"):
            ratio = np.min((_EPS / 4 * big / tail) ** (1 / _ORDER), where=tail > 0, initial=1.0)
        length *= min(max(float(ratio), 0.1), 0.97) if np.isfinite(ratio) else 0.1
    for _ in range(12):  # where terms cancel, as those of a decay, digits are lost
        terms = series * length**_N
        if np.all(np.abs(terms.sum(axis=1)) >= 0.1 * np.abs(terms).max(axis=1)):
            break
        length *= 0.8
    return length
