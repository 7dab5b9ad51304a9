"""What every gradient flow of a loss of the outputs conserves: linear algebra on coefficients, in exact arithmetic."""

import dataclasses
import itertools
import math
import random
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import sympy
from sympy.polys.matrices import DomainMatrix
from sympy.polys.rings import PolyElement, PolyRing

from ._polynomials import gradient, symbols_of

MOST_MONOMIALS = 400
HIGHEST_DEGREE = 8
HIGHEST_POWER = 6  # of a variable, where negative powers are admitted
_POINTS = 3
_Powers = tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Invariant:
    """`Σ c w^powers + Σ logs_i ln|w_i|`, of which the exponential is what is shown where there are logarithms."""

    variables: tuple[sympy.Symbol, ...]
    terms: tuple[tuple[_Powers, Fraction], ...]
    logs: _Powers

    def expression(self) -> sympy.Expr:
        """The sum, or the product of powers, and of an exponential, of the same level sets."""
        monomial = lambda powers: sympy.Mul(*(w**p for w, p in zip(self.variables, powers, strict=True)))  # noqa: E731
        total = sympy.Add(*(sympy.Rational(c.numerator, c.denominator) * monomial(p) for p, c in self.terms))
        if any(self.logs):
            return monomial(self.logs) * sympy.exp(total)
        return min(total, sympy.factor(total), key=lambda form: len(str(form)))

    @property
    def degree(self) -> int:
        """By how many powers the expression grows with all variables; 0 if that is not one number."""
        degrees = {sum(powers) for powers, _ in self.terms}
        if any(self.logs):
            return 0 if degrees else sum(self.logs)
        return degrees.pop() if len(degrees) == 1 else 0

    def polynomial(self, ring: PolyRing) -> PolyElement | None:
        """The polynomial that it is, or None."""
        if any(self.logs) or any(p < 0 for powers, _ in self.terms for p in powers):
            return None
        return ring.from_dict({powers: sympy.QQ(c.numerator, c.denominator) for powers, c in self.terms})

    def gradient(self, point: Sequence[Fraction]) -> list[Fraction]:
        """Of the sum, at a point without zeros."""
        slopes = [power / x for power, x in zip(self.logs, point, strict=True)]
        for powers, c in self.terms:
            value = c * math.prod(x**p for x, p in zip(point, powers, strict=True))
            slopes = [slope + p * value / x for slope, p, x in zip(slopes, powers, point, strict=True)]
        return slopes


@dataclasses.dataclass(frozen=True)
class Search:
    """Independent invariants, and what was tried: the highest degree, and the monomials of the largest system."""

    found: tuple[Invariant, ...]
    degree: int
    monomials: int


def find_invariants(outputs: Sequence[PolyElement], wanted: int) -> Search:
    """Up to `wanted` independent invariants I, `⟨∇I, ∇G_k⟩ = 0` for every output: polynomials of lowest degree first.

    Where these are too few, negative powers are admitted, and logarithms, of variables whose zeros no flow leaves.
    """
    count = len(outputs[0].ring.gens)
    fields = [gradient(output) for output in outputs]
    points = list(points_of(count, _POINTS))
    found: list[Invariant] = []
    tried = [(0, 0)]
    echelons: list[list[list[Fraction]]] = [[] for _ in points]  # of the gradients at each point

    def take(monomials, logs=()):
        tried.append((max((sum(map(abs, m)) for m in monomials), default=0), len(monomials) + len(logs)))
        for candidate in _solutions(fields, monomials, logs):
            if len(found) < wanted and _is_new(candidate, points, echelons):
                found.append(candidate)

    # Those of a product of any number of variables, and of sums of variables.
    take([tuple(power * (j == i) for j in range(count)) for power in (1, 2) for i in range(count)])
    for degree in range(1, HIGHEST_DEGREE + 1):
        if len(found) < wanted and math.comb(count + degree, degree) <= MOST_MONOMIALS:
            take(_monomials(count, degree))
    poles = _divisible(fields)
    if poles and len(found) < wanted:
        take([], poles)
    for power in range(1, HIGHEST_POWER + 1):
        least = [-power if i in poles else 0 for i in range(count)]
        if poles and len(found) < wanted and math.prod(power + 1 - low for low in least) <= MOST_MONOMIALS:
            take(_box(least, power), poles)
    degree, monomials = map(max, zip(*tried, strict=True))
    return Search(tuple(found), degree, monomials)


def points_of(dimension: int, count: int) -> Iterator[tuple[Fraction, ...]]:
    """Rational points in general position, the same ones every time."""
    draw = random.Random(0)
    for _ in range(count):
        signs = [draw.choice((-1, 1)) for _ in range(dimension)]
        yield tuple(Fraction(sign * draw.randint(11, 97), draw.randint(7, 53)) for sign in signs)


def reduced(row: Sequence[Fraction], echelon: Sequence[Sequence[Fraction]]) -> list[Fraction]:
    """What is left of a vector after those before, each of which is 1 where it begins; 0 if it depends on them."""
    rest = list(row)
    for other in echelon:
        factor = rest[_first(other)]
        if factor:
            rest = [x - factor * y for x, y in zip(rest, other, strict=True)]
    pivot = next((x for x in rest if x), None)
    return [x / pivot for x in rest] if pivot else rest


def rank(rows: Sequence[Sequence[Fraction]]) -> int:
    """Of a matrix of rational numbers."""
    echelon: list[list[Fraction]] = []
    for row in rows:
        rest = reduced(row, echelon)
        echelon += [rest] if any(rest) else []
    return len(echelon)


def _first(row: Sequence[Fraction]) -> int:
    return next(i for i, x in enumerate(row) if x)


def _is_new(candidate: Invariant, points: Sequence[Sequence[Fraction]], echelons: list[list[list[Fraction]]]) -> bool:
    """Whether its gradient is independent, at some point, of those that were there."""
    rests = [reduced(candidate.gradient(point), echelon) for point, echelon in zip(points, echelons, strict=True)]
    if not any(map(any, rests)):
        return False
    for rest, echelon in zip(rests, echelons, strict=True):
        echelon += [rest] if any(rest) else []
    return True


def _monomials(count: int, degree: int) -> list[_Powers]:
    """All but 1 up to a degree, lowest degree first."""
    chosen = (c for d in range(1, degree + 1) for c in itertools.combinations_with_replacement(range(count), d))
    return [tuple(c.count(i) for i in range(count)) for c in chosen]


def _box(least: Sequence[int], most: int) -> list[_Powers]:
    """All powers but 0 in a box, the smallest first."""
    found = itertools.product(*(range(low, most + 1) for low in least))
    return sorted((p for p in found if any(p)), key=lambda p: (sum(map(abs, p)), p[::-1]))


def _divisible(fields: Sequence[Sequence[PolyElement]]) -> list[int]:
    """The variables w_i by which the i-th component of every field can be divided: no flow comes to w_i = 0."""
    count = len(fields[0])
    return [i for i in range(count) if all(m[i] > 0 for field in fields for m in field[i].monoms())]


def _solutions(
    fields: Sequence[Sequence[PolyElement]], monomials: Sequence[_Powers], logs: Sequence[int]
) -> Iterator[Invariant]:
    """A basis of the invariants in the span of the monomials and of `ln|w_i|`, i in `logs`, shortest first."""
    ring = fields[0][0].ring
    count = len(ring.gens)
    rows: dict[tuple, dict[int, Any]] = {}
    # The derivative of w^powers along a field is the sum of powers_i w^powers/w_i times its i-th component.
    columns = [[(i, p, powers) for i, p in enumerate(powers) if p] for powers in monomials]
    columns += [[(i, 1, (0,) * count)] for i in logs]
    for column, parts in enumerate(columns):
        for (k, field), (i, p, powers) in itertools.product(enumerate(fields), parts):
            for m, c in field[i].terms():
                key = (k, *(a + b - (j == i) for j, (a, b) in enumerate(zip(m, powers, strict=True))))
                row = rows.setdefault(key, {})
                row[column] = row.get(column, ring.domain(0)) + p * c
    for vector in _nullspace(list(rows.values()), len(columns)):
        terms = tuple((powers, Fraction(c)) for powers, c in zip(monomials, vector, strict=False) if c)
        at_logs = dict(zip(logs, vector[len(monomials) :], strict=True))
        yield Invariant(symbols_of(ring), terms, tuple(at_logs.get(i, 0) for i in range(count)))


def _nullspace(rows: list[dict[int, Any]], columns: int) -> list[list[int]]:
    """A basis of coprime integers, the first one positive; those of the lowest degree come first."""
    sparse = [kept for row in rows if (kept := {j: c for j, c in row.items() if c})]
    matrix = DomainMatrix(dict(enumerate(sparse)), (max(len(sparse), 1), columns), sympy.QQ)
    found = []
    for vector in matrix.nullspace().to_Matrix().tolist():
        scale = math.lcm(*(int(x.q) for x in vector))
        whole = [int(x * scale) for x in vector]
        divisor = math.gcd(*whole)
        sign = next(1 if x > 0 else -1 for x in whole if x)
        found.append([sign * x // divisor for x in whole])
    return sorted(found, key=lambda vector: (max(i for i, x in enumerate(vector) if x), sum(map(bool, vector))))
