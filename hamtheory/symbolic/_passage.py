"""The first-passage time of a metric's flow in one dimension, derived."""

import dataclasses
import functools
import random

import mpmath
import numpy as np
import sympy

from ._budget import within_budget
from ._derive import derive
from ._forms import Forms, X, positive
from ._limits import Limits, _coefficient, _dominated, _powers
from ._parse import THETA, parameters, parse
from ._search import shortest, tidy

A, Y = sympy.Symbol("a", positive=True), sympy.Symbol("y", positive=True)
S = sympy.Symbol("s", positive=True)  # what the integrand is in
_W = sympy.Dummy("w", positive=True)
_FORBIDDEN = (sympy.nan, sympy.zoo, sympy.oo, sympy.Integral, sympy.Limit, sympy.Piecewise)
_ENDS = (150, 300)  # powers of ten at which leading terms are compared with quadrature


@dataclasses.dataclass(frozen=True)
class FirstPassage:
    """The time `T = ∫₀^a ds / (g⁻¹(s)(y + s))` from −a to zero, as SymPy expressions; made by `first_passage`.

    A closed form has removable singularities: numbers come from `hamtheory.signs.first_passage_time`.

    Attributes:
        time: T, in the positive symbols `a`, `y` and the parameters; None where no closed form was found.
        integrand: In `s` besides.
        forms: Those of the metric.
    """

    time: sympy.Expr | None
    integrand: sympy.Expr
    forms: Forms = dataclasses.field(repr=False)

    def asymptotics(self, parameter: str | None = None) -> Limits:
        """The leading terms of T as a parameter goes to 0 and to ∞, the others, `a` and `y` being held.

        Args:
            parameter: Its name; left out: the only one.

        Returns:
            `(small, large)`; None where no leading term was found that quadrature of T confirms.

        Raises:
            ValueError: Where there is no such parameter.
        """
        names = [name.name for name in self.forms.parameters]
        parameter = parameter or (names[0] if len(names) == 1 else None)
        if parameter not in names:
            raise ValueError(f"parameter must be one of {names}; got {parameter!r}")
        return Limits(*(_leading(self.integrand, self.forms, parameter, at_zero) for at_zero in (True, False)))


def first_passage(inverse_metric: str | sympy.Expr) -> FirstPassage:
    """The time that the flow of `f = (θ − y)²/2` in one dimension takes from θ₀ = −a < 0 < y to zero.

    `T(a, y) = ∫₀^a ds / (g⁻¹(s)(y + s))`: sought by SymPy within a bounded amount of work, where the metric has a root
    `√(s² + c²)` in `w = s + √(s² + c²)`, and compared with quadrature before it is believed.

    Args:
        inverse_metric: As in `derive`; its parameters are taken to be positive, and are not called a, y or s.

    Returns:
        A `FirstPassage`.

    Raises:
        ValueError: Where the text cannot be read, a parameter has one of these names, or the metric is not even.

    References:
        The flow of HAM: [jacobs2026ham].

    ```python
    >>> from hamtheory.symbolic import first_passage
    >>> first_passage("1").time
    log((a + y)/y)

    ```
    """
    expression = parse(inverse_metric)
    taken = sorted({"a", "y", "s"} & {name.name for name in parameters(expression)})
    if taken:
        raise ValueError(
            f"inverse_metric: the name {taken[0]!r} is taken: a, y and s are the start, the target and the variable "
            f"of the integral; choose another one for the parameter of {expression}"
        )
    return _first_passage(expression)


@functools.lru_cache(maxsize=256)
def _first_passage(inverse_metric):
    forms = derive(inverse_metric).forms
    metric = inverse_metric.subs(THETA, S).xreplace({name: positive(name) for name in forms.parameters})
    integrand = 1 / (metric * (Y + S))
    for way in (_rational, _by_euler):
        form = within_budget(functools.partial(way, integrand))
        if form is None or form.has(*_FORBIDDEN) or not _is_the_integral(form, integrand):
            continue
        short = [other for other in (_joined(form), tidy(form)) if _is_the_integral(other, integrand)]
        return FirstPassage(shortest([*short, form]), integrand, forms)
    return FirstPassage(None, integrand, forms)


def _rational(integrand):
    """By SymPy's integrator, of what is a rational function of s."""
    if not integrand.is_rational_function(S):
        return None
    return _between(_antiderivative(integrand, S), S, 0, A)


def _by_euler(integrand):
    """With `w = s + √(s² + c²)`, so that `s = (w² − c²)/2w`, `√(s² + c²) = (w² + c²)/2w` and `ds/dw = √(s² + c²)/w`."""
    roots = {power.base for power in integrand.atoms(sympy.Pow) if power.exp.q == 2 and power.has(S)}
    if len(roots) != 1:
        return None
    (inside,) = roots
    square, linear, constant = (inside.expand().coeff(S, order) for order in (2, 1, 0))
    if linear != 0 or sympy.expand(inside - square * S**2 - constant) != 0:
        return None
    c = sympy.sqrt(constant / square)
    root = (_W**2 + c**2) / (2 * _W)
    moved = integrand.replace(
        lambda e: e.is_Pow and e.base == inside, lambda e: (sympy.sqrt(square) * root) ** (2 * e.exp)
    )
    moved = sympy.cancel(moved.subs(S, (_W**2 - c**2) / (2 * _W)) * root / _W)
    return _between(_antiderivative(moved, _W), _W, c, A + sympy.sqrt(A**2 + c**2))


def _antiderivative(integrand, x):
    """By hand for one over a quadratic with two real roots, for which SymPy may answer in imaginary numbers."""
    numerator, denominator = sympy.fraction(sympy.factor(integrand))
    polynomial = sympy.Poly(denominator, x)
    if polynomial.degree() == 2 and not numerator.has(x) and polynomial.discriminant().is_positive:
        p, q, _ = polynomial.all_coeffs()
        root = sympy.sqrt(sympy.factor(polynomial.discriminant()))
        return numerator / root * (sympy.log(2 * p * x + q - root) - sympy.log(2 * p * x + q + root))
    return sympy.integrate(sympy.apart(integrand, x), x, conds="none", manual=True)


def _between(form, x, lower, upper):
    return form.subs(x, upper) - form.subs(x, lower)


def _joined(form):
    """With one logarithm for those that have a common factor, if that is so."""
    joined = within_budget(lambda: sympy.logcombine(sympy.factor(form), force=True))
    return form if joined is None else joined


def _is_the_integral(form, integrand):
    """Whether a form agrees with quadrature, at parameters, starts and targets drawn once and for all."""
    symbols = sorted(integrand.free_symbols | {A, Y}, key=str)
    symbols.remove(S)
    draw = random.Random(0)
    points = [{name: mpmath.mpf(10) ** draw.uniform(-1, 1) for name in symbols} for _ in range(4)]

    def agrees():
        with mpmath.workdps(40):
            f = sympy.lambdify(symbols, form, modules="mpmath")
            pairs = [(f(*point.values()), _quadrature(integrand, point, 60)) for point in points]
            return all(mpmath.im(got) == 0 and abs(got / want - 1) <= 1e-12 for got, want in pairs)

    return bool(within_budget(agrees, budget=10**8))


def _quadrature(integrand, point, octaves):
    """`∫₀^a` at a point in the other symbols, by twelve nodes an octave from a down."""
    names = [name for name in point if name != A]
    f = sympy.lambdify((S, *names), integrand, modules="mpmath")
    values = [point[name] for name in names]
    gauss = zip(*np.polynomial.legendre.leggauss(12), strict=True)
    nodes = [((mpmath.mpf(node) + 3) / 2, mpmath.mpf(weight) / 2) for node, weight in gauss]
    upper, total = point[A], mpmath.mpf(0)
    for _ in range(octaves):
        upper = upper / 2
        total += upper * sum(weight * f(upper * node, *values) for node, weight in nodes)
    return total + upper * f(upper, *values)


def _leading(integrand, forms, parameter, at_zero):
    """The leading term of T, if there is one that quadrature confirms.

    If the integrand goes like `φ c(s)`, dominated by its value at s = 0, then `T ~ φ ∫₀^a c`. Else, if `R′(s) ~ φ m`
    with an m that does not depend on s, then all of R′ is gained next to zero, where y + s is y: `T ~ φ m/y`.
    """
    p = next(positive(name) for name in forms.parameters if name.name == parameter)
    for way in (_by_domination, _by_the_origin):
        form = within_budget(functools.partial(way, integrand.subs(S, X), forms, p, at_zero), budget=10**8)
        if form is not None and not form.has(*_FORBIDDEN) and _is_leading(form, integrand, p, at_zero):
            return form
    return None


def _by_domination(density, forms, p, at_zero):
    k, j = _powers(density, p, at_zero) or (None, None)
    if j != 0 or not _dominated(density, p, at_zero):
        return None
    c = _coefficient(density, p**k, p, at_zero)
    return None if c is None else tidy(p**k * _joined(_between(_antiderivative(c, X), X, 0, A)))


def _by_the_origin(density, forms, p, at_zero):
    k, j = (forms.mirror is not None and _powers(forms.mirror, p, at_zero)) or (None, None)
    if k is None:
        return None
    factor = p**k * (-sympy.log(p) if at_zero else sympy.log(p)) ** j
    m = _coefficient(forms.mirror, factor, p, at_zero)
    return None if m is None or m.has(X) else factor * m / Y


def _is_leading(form, integrand, p, at_zero):
    """Whether `T/form → 1`: within 2 % at p = 10^±300, and no further away than at 10^±150."""
    symbols = sorted((integrand.free_symbols | {A, Y}) - {S}, key=str)
    held = {name: mpmath.mpf(137 + 31 * i) / 100 for i, name in enumerate(symbols)}

    def agrees():
        with mpmath.workdps(30):
            errors = []
            for power in _ENDS:
                point = held | {p: mpmath.mpf(10) ** (-power if at_zero else power)}
                want = _quadrature(integrand, point, 40 + 4 * power)
                errors.append(abs(sympy.lambdify(symbols, form, modules="mpmath")(*point.values()) / want - 1))
            return errors[1] <= 0.02 and errors[1] <= errors[0] + 1e-12

    return bool(within_budget(agrees, budget=10**8))
