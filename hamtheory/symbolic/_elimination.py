"""The metric as a function of θ and of the invariants, where one radical expresses it."""

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np
import sympy
from sympy.polys.rings import PolyElement

from ._budget import within_budget
from ._invariants import Search, points_of
from ._parse import THETA
from ._polynomials import expression_of, gradient, inner, symbols_of

_BUDGET = 1_000_000
_TRIALS = 24
_METRIC = sympy.Symbol("metric", real=True)


def constants(count: int) -> tuple[sympy.Symbol, ...]:
    """The invariants' names, c1, c2, ..."""
    return tuple(sympy.Symbol(f"c{i}", real=True) for i in range(1, count + 1))


def metric_of(output: PolyElement, search: Search) -> sympy.Expr | None:
    """g⁻¹ in θ and c1, c2, ..., equal to |∇G|² wherever that was tried; None where none was found.

    The variables are eliminated from θ = G, c = I and g⁻¹ = |∇G|²; what is left is solved for g⁻¹ where that takes one
    root.
    """
    if len(search.found) < len(output.ring.gens) - 1:
        return None
    relations = within_budget(lambda: _relations(output, search), _BUDGET) or []
    candidates = within_budget(lambda: [form for relation in relations for form in _solved(relation)], _BUDGET) or []
    cases = _cases(output, search)
    return next((form for form in candidates if _agrees(form, cases)), None)


def matrix_of(outputs: Sequence[PolyElement], search: Search) -> sympy.MatrixBase | None:
    """The same of several outputs, `⟨∇G_i, ∇G_j⟩`, where its entries are polynomials in θ and the invariants."""
    thetas = [sympy.Symbol(f"theta_{i}", real=True) for i in range(1, len(outputs) + 1)]
    polynomials = [invariant.polynomial(outputs[0].ring) for invariant in search.found]
    given = [*outputs, *(polynomial for polynomial in polynomials if polynomial is not None)]
    names = [*thetas, *(c for c, p in zip(constants(len(polynomials)), polynomials, strict=True) if p is not None)]
    fields = [gradient(output) for output in outputs]
    entries = [[_in_terms_of(inner(a, b), given, names) for b in fields] for a in fields]
    return None if any(entry is None for row in entries for entry in row) else sympy.Matrix(entries)


def _in_terms_of(wanted: PolyElement, given: Sequence[PolyElement], names: Sequence[sympy.Symbol]) -> sympy.Expr | None:
    """A polynomial as a combination of products of at most two of those that are given, and of 1."""
    ring = wanted.ring
    places = range(len(given))
    powers = [(), *((i,) for i in places), *((i, j) for i in places for j in places if i <= j)]
    products = [math.prod((given[i] for i in chosen), start=ring.one) for chosen in powers]
    monomials = sorted({m for product in (wanted, *products) for m in product.monoms()})
    matrix = sympy.Matrix([[sympy.Rational(str(p.get(m, 0))) for p in products] for m in monomials])
    right = sympy.Matrix([sympy.Rational(str(wanted.get(m, 0))) for m in monomials])
    try:
        solution, free = matrix.gauss_jordan_solve(right)[:2]
    except ValueError:  # there is none
        return None
    solution = solution.subs(dict.fromkeys(free, 0))
    return sum(
        (x * sympy.Mul(*(names[i] for i in chosen)) for x, chosen in zip(solution, powers, strict=True)), sympy.S.Zero
    )


def _relations(output, search):
    """Polynomials in g⁻¹, θ and the constants that vanish on the curves, by a Gröbner basis."""
    variables, names = symbols_of(output.ring), constants(len(search.found))
    equations = [expression_of(output) - THETA, expression_of(inner(gradient(output), gradient(output))) - _METRIC]
    for name, invariant in zip(names, search.found, strict=True):
        above, below = sympy.fraction(sympy.together(invariant.expression()))
        equations.append(sympy.expand(above - name * below))
    if not all(equation.is_polynomial(*variables) for equation in equations):
        return []
    field = sympy.QQ.frac_field(THETA, *names)
    basis = sympy.groebner(equations, *variables, _METRIC, order="lex", domain=field)
    return [sympy.fraction(sympy.together(form))[0] for form in basis.exprs if not form.has(*variables)]


def _solved(relation: sympy.Expr) -> Iterator[sympy.Expr]:
    """The solutions for g⁻¹ that take one root, or two square roots."""
    for factor, _ in sympy.factor_list(relation)[1]:
        poly = sympy.Poly(factor, _METRIC)
        powers = [power for (power,), _ in poly.terms() if power]
        step = math.gcd(*powers) if powers else 0
        if not powers or max(powers) > 2 * step:
            continue
        a, b, c = (poly.coeff_monomial(_METRIC ** (power * step)) for power in (2, 1, 0))
        if max(powers) == step:
            roots = [-c / b]
        else:
            root = sympy.sqrt(sympy.factor(b**2 - 4 * a * c))
            roots = [(-b + root) / (2 * a), (-b - root) / (2 * a)]
        for root in roots:
            yield sympy.root(sympy.factor(root), step) if step > 1 else sympy.factor(root)


def _cases(output, search) -> list[tuple[float, float, list[float]]]:
    """g⁻¹, θ and the invariants at points in all directions."""
    variables = symbols_of(output.ring)
    forms = [inner(gradient(output), gradient(output)), output]
    expressions = [*map(expression_of, forms), *(invariant.expression() for invariant in search.found)]
    function = sympy.lambdify(variables, expressions, modules="numpy")
    cases = []
    for point in points_of(len(variables), _TRIALS):
        with np.errstate(all="ignore"):
            values = [float(x) for x in function(*(np.float64(Fraction(x)) for x in point))]
        if np.isfinite(values).all():
            cases.append((values[0], values[1], values[2:]))
    return cases


def _agrees(form, cases) -> bool:
    names = constants(len(cases[0][2])) if cases else ()
    function = sympy.lambdify((THETA, *names), form, modules="numpy")
    with np.errstate(all="ignore"):
        values = [function(np.float64(theta), *map(np.float64, c)) for _, theta, c in cases]
    close = [abs(value - g) <= 1e-9 * g for value, (g, _, _) in zip(values, cases, strict=True)]
    return len(cases) >= _TRIALS // 2 and all(close)
