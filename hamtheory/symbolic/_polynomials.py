"""From text to polynomials with rational coefficients in named variables."""

import keyword
import math
import unicodedata
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import sympy
from sympy.polys.orderings import grevlex
from sympy.polys.rings import PolyElement, PolyRing

from ._parse import FUNCTIONS, read

TAKEN = ("theta", "θ", "pi")
_MOST_TERMS = 2000
_DIGITS = 20  # of coefficients, before or behind the point: Newton's method and the integers of an elimination
_SAYS = "a polynomial has numbers, names of variables, + - * and whole powers"
_ARGUMENT = "outputs"


def outputs_of(outputs: str | sympy.Expr | Sequence[str | sympy.Expr]) -> tuple[PolyElement, ...]:
    """The outputs as polynomials of one ring, whose generators are the variables in the order of their appearance.

    Raises:
        ValueError: For what is empty, constant or no polynomial with rational coefficients.
        TypeError: For what is neither text nor an expression.
    """
    given = [outputs] if isinstance(outputs, (str, sympy.Basic)) else outputs
    if not isinstance(given, (list, tuple)):
        raise TypeError(f"{_ARGUMENT} must be text, or a list of texts; got {type(outputs).__name__}")
    if not given:
        raise ValueError(f"{_ARGUMENT} must hold at least one polynomial; got none")
    names: list[str] = []
    expressions = [_expression(text, names) for text in given]
    names = [name for name in names if any(sympy.Symbol(name, real=True) in e.free_symbols for e in expressions)]
    if not names:
        raise ValueError(f"{_ARGUMENT} must have variables; got {', '.join(map(str, expressions))}, which has none")
    ring = PolyRing(names, sympy.QQ, grevlex)
    found = tuple(_polynomial(expression, ring) for expression in expressions)
    for text, polynomial in zip(given, found, strict=True):
        if polynomial.is_ground:
            raise ValueError(f"{_ARGUMENT} must depend on the variables; {text} is constant")
    return found


def symbols_of(ring: PolyRing) -> tuple[sympy.Symbol, ...]:
    """The variables as real symbols."""
    return tuple(sympy.Symbol(str(name), real=True) for name in ring.symbols)


def expression_of(polynomial: PolyElement) -> sympy.Expr:
    """The polynomial in real symbols."""
    return polynomial.as_expr(*symbols_of(polynomial.ring))


def gradient(polynomial: PolyElement) -> tuple[PolyElement, ...]:
    """Its derivatives in all variables."""
    return tuple(polynomial.diff(x) for x in polynomial.ring.gens)


def inner(a: Sequence[PolyElement], b: Sequence[PolyElement]) -> PolyElement:
    """`⟨a, b⟩`."""
    total = a[0].ring.zero
    for x, y in zip(a, b, strict=True):
        total += x * y
    return total


def at(polynomial: PolyElement, point: Sequence[Any]) -> Any:
    """The value at a point, of fractions exactly, of floats as a float."""
    exact = isinstance(point[0], Fraction)
    total: Any = Fraction(0) if exact else 0.0
    for powers, coefficient in polynomial.terms():
        term: Any = Fraction(int(coefficient.numerator), int(coefficient.denominator))
        term = term if exact else float(term)
        for x, power in zip(point, powers, strict=True):
            term = term * x**power
        total = total + term
    return total


def _expression(text: str | sympy.Expr, names: list[str]) -> sympy.Expr:
    """One output; the names of its variables are appended to `names` as they appear."""

    def symbol(name):
        if name in TAKEN or name in FUNCTIONS:
            raise ValueError(f"{_ARGUMENT}: the name {name!r} is taken; choose another one for the variable")
        if name not in names:
            names.append(name)
        return sympy.Symbol(name, real=True)

    if isinstance(text, str):
        if not text.strip():
            raise ValueError(f"{_ARGUMENT} must be the text of a polynomial; got an empty one")
        return read(text, _ARGUMENT, symbol)
    if not isinstance(text, sympy.Expr):
        raise TypeError(f"{_ARGUMENT} must be text or SymPy expressions; got {type(text).__name__}")
    own = sorted(text.free_symbols, key=lambda s: s.name)
    for name, again in zip([s.name for s in own], [None, *(s.name for s in own)], strict=False):
        if name == again:
            raise ValueError(f"{_ARGUMENT} must have one variable of a name; got two symbols {name!r} that differ")
        if not name.isidentifier() or keyword.iskeyword(name) or unicodedata.normalize("NFKC", name) != name:
            raise ValueError(f"{_ARGUMENT} must have variables with names of Python's grammar; got {name!r}")
    return text.xreplace({s: symbol(s.name) for s in own})


def _polynomial(expression: sympy.Expr, ring: PolyRing) -> PolyElement:
    symbols = symbols_of(ring)
    if not expression.is_polynomial(*symbols):
        piece = next((p for p in _pieces(expression) if not p.is_polynomial(*symbols)), expression)
        raise ValueError(f"{_ARGUMENT} must be polynomials; {expression} is none, for {piece}: {_SAYS}")
    if _terms(expression) > _MOST_TERMS:
        raise ValueError(f"{_ARGUMENT}: multiplied out, {expression} may have more than {_MOST_TERMS} terms")
    poly = sympy.Poly(expression, *symbols)
    if not all(coefficient.is_Rational for coefficient in poly.coeffs()):
        raise ValueError(f"{_ARGUMENT} must have rational coefficients; {expression} has not")
    largest = sympy.Integer(10) ** _DIGITS
    far = [c for c in poly.coeffs() if c and not 1 / largest <= abs(c) <= largest]
    if far:
        raise ValueError(
            f"{_ARGUMENT} must have coefficients from 1e-{_DIGITS} to 1e{_DIGITS}: measure theta in other units; got "
            f"{far[0].evalf(3)}"
        )
    return ring.from_dict({powers: sympy.QQ(c.p, c.q) for powers, c in poly.terms()})


def _terms(expression: sympy.Expr) -> int:
    """A bound on the number of its terms, multiplied out."""
    if expression.is_Add:
        return sum(map(_terms, expression.args))
    if expression.is_Mul:
        return math.prod(map(_terms, expression.args))
    if expression.is_Pow and expression.exp.is_Integer:
        return math.comb(_terms(expression.base) + int(expression.exp) - 1, int(expression.exp))
    return 1


def _pieces(expression: sympy.Expr) -> list[sympy.Basic]:
    """Its parts, the smallest first."""
    return list(sympy.postorder_traversal(expression))
