"""What the honesty tests compare with: residuals and gaps in 120 digits, by formulas of their own.

Nothing of the library is called here. A geometry is two functions, R′ and its inverse, and the Bregman divergence, in a
form of which no more digits cancel than there are to spare. The numbers of float64 are exact in mpmath, whose exponents
are not bounded.
"""

from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np

mp = mpmath.MPContext()
mp.dps = 120
EPS, TINY = mp.mpf(2) ** -52, mp.mpf(2) ** -1022
DIGITS = 400  # for R* of numbers down to 1e-150, a difference of numbers of size 1
CAP = 0.4 * float(np.log(np.finfo(float).max))  # beyond this logarithm, geometries change the unit of R


def vector(array):
    return [mp.mpf(float(entry)) for entry in np.ravel(array)]


def dot(a, b):
    return mp.fsum(x * y for x, y in zip(a, b, strict=True))


def length(a):
    return mp.sqrt(mp.fsum(x * x for x in a))


def divergences(geos, theta, other):
    return mp.fsum(geo.divergence(a, b) for geo, a, b in zip(geos, theta, other, strict=True))


class Flat:
    """Gradient descent. `unit`: R of the library over R."""

    unit = mp.mpf(1)
    bound = mp.inf

    def shrinks(self, pulled):
        """By what ν may be multiplied to be inside again."""
        beyond = max(max(abs(p) for p in pulled) / self.bound, 1)
        return [1] if self.bound == mp.inf else [1, *(1 / (beyond + 2**k * EPS) for k in (1, 3, 6))]

    def mirror(self, theta):
        return theta

    def back(self, mu):
        return mu

    def metric(self, theta):
        return mp.mpf(1)

    def divergence(self, theta, other):
        return (theta - other) ** 2 / 2


@dataclass
class Ham(Flat):
    """`g⁻¹ = 1 + α|θ|`."""

    log_alpha: Any

    def __post_init__(self):
        self.alpha = mp.exp(mp.mpf(self.log_alpha))
        self.unit = mp.exp(max(mp.mpf(self.log_alpha) - CAP, 0))

    def mirror(self, theta):
        return mp.sign(theta) * mp.log1p(self.alpha * abs(theta)) / self.alpha

    def back(self, mu):
        return mp.sign(mu) * mp.expm1(self.alpha * abs(mu)) / self.alpha

    def metric(self, theta):
        return 1 + self.alpha * abs(theta)

    def _same_side(self, theta, other):
        """`y[(1 + u) ln(1 + u) − u]/α²` with y = 1 + α|θ′| and u the relative change of 1 + α|θ|."""
        y = self.metric(other)
        u = self.alpha * (abs(theta) - abs(other)) / y
        if abs(u) < mp.mpf(10) ** -8:
            bracket = mp.fsum((-1) ** k * u**k / (k * (k - 1)) for k in range(2, 18))
        else:
            bracket = (1 + u) * mp.log(self.metric(theta) / y) - u
        return y * bracket / self.alpha**2

    def divergence(self, theta, other):
        if theta * other >= 0:
            return self._same_side(theta, other)
        to_zero, from_zero = self._same_side(mp.mpf(0), other), self._same_side(theta, mp.mpf(0))
        return from_zero + to_zero + abs(self.mirror(other)) * abs(theta)


@dataclass
class Hyperbolic(Flat):
    """`g⁻¹ = c √(θ² + γ²)`: m⊙w with c = 2, a diagonal network of depth 2 with c = 4."""

    log_gamma: Any
    c: int = 2

    def __post_init__(self):
        self.gamma = mp.exp(mp.mpf(self.log_gamma))
        self.unit = mp.exp(max(mp.mpf(self.log_gamma) - CAP, 0)) if self.c == 2 else mp.mpf(1)

    def root(self, theta):
        return mp.sqrt(theta**2 + self.gamma**2)

    def mirror(self, theta):
        return mp.asinh(theta / self.gamma) / self.c

    def back(self, mu):
        return self.gamma * mp.sinh(self.c * mu)

    def metric(self, theta):
        return self.c * self.root(theta)

    def divergence(self, theta, other):
        # asinh a − asinh b = asinh(a √(1 + b²) − b √(1 + a²)), and the difference of the roots, without cancellation.
        a, b = theta / self.gamma, other / self.gamma
        roots = mp.sqrt(1 + a * a), mp.sqrt(1 + b * b)
        if theta * other > 0:
            change = mp.asinh((a - b) * (a + b) / (a * roots[1] + b * roots[0]))
        else:
            change = mp.asinh(a) - mp.asinh(b)
        return (theta * change - (theta - other) * (theta + other) / (self.root(theta) + self.root(other))) / self.c


class Fenchel(Flat):
    """A geometry of which `mirror`, `back` and the conjugate are known: `D = R*(μ′) − R*(μ) − θ(μ′ − μ)`."""

    def conjugate(self, mu):
        raise NotImplementedError

    def divergence(self, theta, other):
        with mp.workdps(DIGITS):
            mu, moved = self.mirror(theta), self.mirror(other)
            return self.conjugate(moved) - self.conjugate(mu) - theta * (moved - mu)


@dataclass
class Network(Fenchel):
    """`θ = u^L − v^L` for L > 2, in `z = R′/bound`: `θ/a^L = (1 − z)^(−q) − (1 + z)^(−q)`, q = L/(L − 2)."""

    depth: int
    log_scale: Any

    def __post_init__(self):
        self.a, self.p = mp.exp(mp.mpf(self.log_scale)), self.depth - 2
        self.bound = 1 / (self.depth * self.p * self.a**self.p)
        self.q = mp.mpf(self.depth) / self.p

    def relative(self, theta):
        """z and 1 − z, of |θ|, by Newton's method: in z where it is small, from above; else in ln(1 − z)."""
        size, q = abs(theta) / self.a**self.depth, self.q
        z = size / (2 * q)
        if size < 1:
            for _ in range(14):
                value, slope = (1 - z) ** -q - (1 + z) ** -q - size, (1 - z) ** (-q - 1) + (1 + z) ** (-q - 1)
                z -= value / slope / q
            return z, 1 - z
        s = (size + 1) ** (-1 / q)
        for _ in range(14):
            value, slope = s**-q - (2 - s) ** -q, s**-q + s * (2 - s) ** (-q - 1)
            s *= mp.exp(mp.log(value / size) * value / slope / q)
        return 1 - s, s

    def mirror(self, theta):
        with mp.workdps(DIGITS):
            return mp.sign(theta) * self.relative(theta)[0] * self.bound

    def back(self, mu):
        with mp.workdps(DIGITS):
            z = mu / self.bound
            return self.a**self.depth * ((1 - z) ** -self.q - (1 + z) ** -self.q) if abs(z) < 1 else mp.nan

    def metric(self, theta):
        if not mp.isfinite(theta):
            return mp.nan
        s, power = self.relative(theta)[1], -mp.mpf(2 * self.depth - 2) / self.p
        return self.depth**2 * self.a ** (2 * self.depth - 2) * (s**power + (2 - s) ** power)

    def conjugate(self, mu):
        with mp.workdps(DIGITS):
            z, power = mu / self.bound, -mp.mpf(2) / self.p
            return self.a**2 * ((1 - z) ** power + (1 + z) ** power - 2) / (2 * self.depth) if abs(z) < 1 else mp.nan


@dataclass
class Quadratic(Fenchel):
    """`g⁻¹ = 1 + a θ²`."""

    a: Any

    def __post_init__(self):
        self.root = mp.sqrt(mp.mpf(self.a))
        self.bound = mp.pi / 2 / self.root

    def mirror(self, theta):
        return mp.atan(self.root * theta) / self.root

    def back(self, mu):
        return mp.tan(self.root * mu) / self.root if abs(mu) < self.bound else mp.nan

    def metric(self, theta):
        return 1 + self.a * theta**2

    def conjugate(self, mu):
        return -mp.log(mp.cos(self.root * mu)) / self.a


@dataclass
class Found:
    """A true value, and by how much rounding may have changed a reported one."""

    value: Any
    slack: Any

    def holds(self, reported) -> bool:
        """Whether `reported` is not below. NaN claims nothing."""
        return reported != reported or abs(mp.mpf(float(reported))) >= mp.mpf("0.999") * abs(self.value) - self.slack

    def within(self, tol) -> bool:
        return abs(self.value) <= mp.mpf(tol) * mp.mpf("1.001") + self.slack


class Data:
    """X and y of a problem, exactly."""

    def __init__(self, X, y):
        self.rows, self.y = [vector(row) for row in np.asarray(X)], vector(y)
        self.columns = list(zip(*self.rows, strict=True))
        self.n, self.d = len(self.rows), len(self.columns)
        self.size = length(self.y) or mp.mpf(1)
        self.units = 4 * (self.d + self.n + 4) * EPS

    def missing(self, theta):
        return [dot(row, theta) - y for row, y in zip(self.rows, self.y, strict=True)]

    def terms(self, theta):
        """The size of what is summed in each equation."""
        return [
            mp.fsum(abs(x * t) for x, t in zip(row, theta, strict=True)) + abs(y)
            for row, y in zip(self.rows, self.y, strict=True)
        ]

    def residual(self, theta):
        underflow = mp.mpf(2) ** -1070 * self.d
        slack = self.units * length(self.terms(theta)) + underflow
        return Found(length(self.missing(theta)) / self.size, slack / self.size)

    def gap(self, exact, theta, theta0, nu):
        """`D_R(θ, θ(ν)) + νᵀ(Xθ − y)`, and the same over `D_R(θ, θ₀)`, whose rounding is at least that of `θ₀R′(θ₀)`.

        A rounding δ of ν changes the gap by `(Xθ(ν) − y)ᵀδ + ½ Σ g⁻¹ (Xᵀδ)²`. Rows are rotated, so that each of their
        entries has the rounding of the largest. Where R′ is bounded ν may round to where it has no θ(ν): then the
        nearest ones inside count, one of which must do.
        """
        geos = exact if isinstance(exact, list) else [exact] * self.d
        start = [geo.mirror(t) for geo, t in zip(geos, theta0, strict=True)]
        divergence = divergences(geos, theta, theta0) + EPS * dot(theta0, start)
        scale = divergence if divergence > 0 else mp.mpf(1)
        found = [self._gap(geos, theta, start, [v * t for v in nu]) for t in geos[0].shrinks(self.pull(nu))]
        value, slack = min(found, key=lambda pair: abs(pair[0]) if mp.isfinite(pair[0]) else mp.inf)
        return Found(value * geos[0].unit, slack * geos[0].unit), Found(value / scale, slack / scale)

    def nearest(self, exact, theta, theta0):
        """The ν of the gap of a flow: Xᵀν is nearest to `R′(θ) − R′(θ₀)` in the metric `Σ g⁻¹(θ) (·)²`."""
        geos = exact if isinstance(exact, list) else [exact] * self.d
        weights = [geo.metric(t) for geo, t in zip(geos, theta, strict=True)]
        shift = [geo.mirror(t) - geo.mirror(s) for geo, t, s in zip(geos, theta, theta0, strict=True)]
        kept, nu = self.independent(), [mp.mpf(0)] * self.n
        if not kept or not any(shift):
            return nu
        with mp.workdps(DIGITS):
            weighted = [[x * w for x, w in zip(self.rows[i], weights, strict=True)] for i in kept]
            matrix = mp.matrix([[dot(row, self.rows[j]) for j in kept] for row in weighted])
            right = mp.matrix([dot(row, shift) for row in weighted])
            found = mp.lu_solve(matrix, right)
        for i, value in zip(kept, found, strict=True):
            nu[i] = value
        return nu

    def independent(self):
        """Rows that span all of them, where those that do not are dependent to rounding."""
        kept, directions = [], []
        for i, row in enumerate(self.rows):
            rest = list(row)
            for direction in directions:
                along = dot(rest, direction)
                rest = [r - along * q for r, q in zip(rest, direction, strict=True)]
            if length(rest) > mp.mpf(10) ** -13 * length(row):
                kept.append(i)
                directions.append([r / length(rest) for r in rest])
        return kept

    def pull(self, nu):
        return [dot(column, nu) for column in self.columns]

    def _gap(self, geos, theta, start, nu):
        pulled, size = self.pull(nu), [abs(v) + TINY for v in nu]
        there = [geo.back(s + p) for geo, s, p in zip(geos, start, pulled, strict=True)]
        value = divergences(geos, theta, there) + dot(nu, self.missing(theta))
        noise = [
            self.units * (dot([abs(x) for x in column], size) + abs(s) + length(pulled))
            for s, column in zip(start, self.columns, strict=True)
        ]
        lengths = [length(row) * length(theta) for row in self.rows]
        slack = self.units * dot(size, [a + b for a, b in zip(self.terms(theta), lengths, strict=True)])
        slack += self.units * dot(size, [abs(m) for m in self.missing(there)])
        slack += TINY * mp.fsum(abs(m) for m in self.missing(there))
        curved = mp.fsum(geo.metric(t) * e**2 for geo, t, e in zip(geos, there, noise, strict=True))
        return value, slack + curved + TINY

    def decayed(self, beta, penalty, theta, nu):
        """Of `min f + P`: the relative gap, and the stationarity `max |∇f + P′| / max |∇f(0)|`, P′ the nearest of its
        values. `penalty`: the functions P, P* and P′.

        The gap is that of the feasible point of the dual next to ν, `f + P + (n/2)‖ν‖² − yᵀν + P*(Xᵀν)`, the sum of
        terms ≥ 0 that it is: `(n/2)‖r − ν‖² + Σ P(θ) + P*(c) − θc` with `r = (y − Xθ)/n` and `c = Xᵀν`.
        """
        value, conjugate, bound, slope = penalty
        pulled = self.pull(nu)
        shrink = max(1, max(abs(c) for c in pulled) / bound * (1 + EPS)) if bound < mp.inf else 1
        nu, pulled = [v / shrink for v in nu], [c / shrink for c in pulled]
        missing = [-m / self.n for m in self.missing(theta)]
        gap = mp.mpf(self.n) / 2 * mp.fsum((r - v) ** 2 for r, v in zip(missing, nu, strict=True))
        gap += mp.fsum(value(t) + conjugate(c) - t * c for t, c in zip(theta, pulled, strict=True))
        primal = mp.mpf(self.n) / 2 * mp.fsum(r * r for r in missing) + mp.fsum(map(value, theta))
        terms = self.terms(theta)
        noise = self.units**2 * mp.fsum(t * t for t in terms) + self.units * dot([abs(v) for v in nu], terms)
        gradient = [-g for g in self.pull(missing)]
        scale = max(abs(g) for g in self.pull(self.y)) / self.n or mp.mpf(1)
        wrong = max(slope(t, g) for t, g in zip(theta, gradient, strict=True))
        lost = max(self.pull_sizes(terms)) / self.n * self.units
        return Found(gap / (primal or 1), noise / (primal or 1)), Found(wrong / scale, lost / scale)

    def pull_sizes(self, sizes):
        return [dot([abs(x) for x in column], sizes) for column in self.columns]
