"""The two ends of a family of geometries: the leading term of its potential as a parameter goes to 0 or to ∞."""

import functools
from fractions import Fraction
from typing import NamedTuple

import mpmath
import sympy

from ._budget import within_budget
from ._forms import Forms, X, positive
from ._search import tidy


class Limits(NamedTuple):
    """Leading terms of the potential, in θ and the parameter; None where not found.

    Attributes:
        small: As the parameter goes to 0.
        large: As it goes to ∞.
    """

    small: sympy.Expr | None
    large: sympy.Expr | None


@functools.lru_cache(maxsize=256)
def find_limits(forms: Forms, parameter: str) -> Limits:
    """The leading terms for θ > 0.

    If `R″(x) ~ φ c(x)` with a φ that depends on the parameter alone, and R″ is dominated by R″(0), then
    `R(x) ~ φ ∬ c`. Else, if `R′(x) ~ φ m(x)`, then `R(x) ~ φ ∫₀ˣ m`, since `R′(s) ≤ R′(x)` dominates it. φ is a
    power times a power of a logarithm, both read off at extreme parameters; c and m are SymPy's limits, compared with
    numbers.
    """
    p = next(positive(name) for name in forms.parameters if name.name == parameter)
    density = 1 / forms.metric.xreplace({name: positive(name) for name in forms.parameters})
    return Limits(*(_leading(forms.mirror, density, p, at_zero) for at_zero in (True, False)))


def _leading(mirror, density, p, at_zero):
    k, j = _powers(density, p, at_zero) or (None, None)
    if j == 0 and _dominated(density, p, at_zero) and (c := _coefficient(density, p**k, p, at_zero)):
        first, moment = _primitive(c), _primitive(X * c)
        if first is not None and moment is not None:
            return _scaled(p**k, X * first - moment)
    k, j = (mirror is not None and _powers(mirror, p, at_zero)) or (None, None)
    if k is None:
        return None
    factor = p**k * (-sympy.log(p) if at_zero else sympy.log(p)) ** j
    m = _coefficient(mirror, factor, p, at_zero)
    return None if m is None else _scaled(factor, _primitive(m))


def _scaled(factor, form):
    return None if form is None else tidy(factor * form)


def _primitive(integrand):
    form = within_budget(lambda: sympy.integrate(integrand, X, conds="none", meijerg=False))
    if form is None or form.has(sympy.Integral):
        return None
    origin = within_budget(lambda: sympy.limit(form, X, 0, "+"))
    return form - origin if origin is not None and origin.is_finite else None


def _coefficient(form, factor, p, at_zero):
    """The limit of `form / factor`, if SymPy finds one and the numbers agree with it."""
    m = within_budget(lambda: sympy.limit(form / factor, p, 0 if at_zero else sympy.oo, "+" if at_zero else "-"))
    if m is None or m == 0 or not m.free_symbols <= form.free_symbols - {p} or m.is_finite is False:
        return None
    f, extreme = _numeric(form / factor / m, p), mpmath.mpf(10) ** (-1000 if at_zero else 1000)

    def agrees():
        with mpmath.workdps(2500):
            return all(abs(f(mpmath.mpf(x), extreme) - 1) < 0.02 for x in (0.1, 1, 7))

    return m if within_budget(agrees, budget=10**8) else None


def _numeric(form, p):
    """`form` at x and p for mpmath, the other parameters being held at values that are not special."""
    others = sorted(form.free_symbols - {X, p}, key=str)
    held = {name: sympy.Rational(137, 100) + sympy.Rational(i, 7) for i, name in enumerate(others)}
    return sympy.lambdify((X, p), form.subs(held), modules="mpmath")


def _powers(form, p, at_zero):
    """(k, j) such that `form ~ c p^k |log p|^j`, from three extreme values of p; None where it behaves otherwise."""
    f, steps = _numeric(form, p), (40, 80, 160)

    def measure():
        with mpmath.workdps(800):
            logs = [mpmath.log(f(mpmath.mpf(1), mpmath.mpf(10) ** (-n if at_zero else n))) for n in steps]
            unit = mpmath.log(10) * steps[0] * (-1 if at_zero else 1)
            first, second = logs[1] - logs[0], logs[2] - logs[1]
            k = (second - first) / unit
            j = (first - k * unit) / mpmath.log(2)
            return complex(k), complex(j)

    found = within_budget(measure, budget=10**8)
    if found is None or any(abs(v.imag) > 0 or abs(v.real) > 20 for v in found):
        return None
    k, j = Fraction(found[0].real).limit_denominator(12), round(found[1].real)
    if abs(k - found[0].real) > 1e-3 or abs(j - found[1].real) > 0.15:
        return None
    return sympy.Rational(k.numerator, k.denominator), j


def _dominated(density, p, at_zero):
    """Whether `density(x) ≤ 2 density(0)` at extreme parameters, and the two scale alike."""
    f = _numeric(density, p)

    def measure():
        ends = [mpmath.mpf(10) ** (-n if at_zero else n) for n in (20, 40)]
        with mpmath.workdps(100):
            ratio = lambda x, end: f(mpmath.mpf(x), end) / f(mpmath.mpf(0), end)  # noqa: E731
            bounded = all(ratio(x, end) <= 2 for x in (1e-6, 1e-3, 1, 10) for end in ends)
            return bounded and abs(ratio(1, ends[1]) / ratio(1, ends[0]) - 1) < 0.1

    return bool(within_budget(measure, budget=10**8))
