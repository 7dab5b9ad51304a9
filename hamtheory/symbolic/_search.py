"""Closed forms on the positive half line: found by SymPy within a budget, believed once they agree with numbers."""

import functools

import sympy

from ._budget import within_budget
from ._evaluate import can_evaluate
from ._forms import Forms, X, Y, positive
from ._parse import THETA, parameters
from ._trial import Trial, passes


def find_forms(inverse_metric: sympy.Expr) -> tuple[Forms, tuple[str, ...]]:
    """The forms of an even inverse metric in θ, and a note on each that was not found."""
    names = parameters(inverse_metric)
    metric = inverse_metric.subs(THETA, X)
    g = metric.xreplace({name: positive(name) for name in names})
    trial = Trial(g)
    integral = lambda kind: functools.partial(trial.integral, kind)  # noqa: E731

    mirror = _first(_integrations(1 / g), integral("mirror"))
    moment = potential = inverse = conjugate = None
    if mirror is not None:
        moment = _first(_integrations(X / g), integral("moment"))
        inverts = functools.partial(trial.inverse, mirror)
        inverse = _first([lambda: _peel(mirror, Y)], inverts)
        if inverse is None:
            inverse = _first([lambda form=form: form for form in _solutions(mirror)], inverts)
    if moment is not None:
        potential = _first([lambda: X * mirror - moment], integral("potential"))
    if inverse is not None and moment is not None:
        substituted = moment.subs(X, inverse)
        ways = [lambda: _shortened(substituted), lambda: substituted]
        found = [_first([way], functools.partial(trial.conjugate, mirror)) for way in ways]
        conjugate = shortest([form for form in found if form is not None])
    bound = _first(_suprema(g, mirror), trial.bound)
    forms = Forms(names, metric, mirror, potential, moment, inverse, conjugate, bound)
    return forms, tuple(_notes(forms))


def _notes(forms):
    for what, form, how in [
        ("the mirror map", forms.mirror, "quadrature"),
        ("the potential", forms.potential, "quadrature"),
        ("the inverse mirror map", forms.inverse, "safeguarded Newton inversion"),
        ("the conjugate", forms.conjugate, "quadrature"),
        ("the bound of the mirror map", forms.bound, "quadrature"),
    ]:
        if form is None:
            yield f"no closed form found for {what}; evaluated by {how}"
        elif form is not sympy.oo and not can_evaluate(form):
            yield f"the closed form of {what} has functions that NumPy and JAX lack; evaluated by {how}"


def _first(ways, test):
    """The first form that is found and passes its test, in its shortest version that does."""
    for way in ways:
        form = within_budget(way)
        if passes(form, test):
            short = tidy(form)
            return short if passes(short, test) else form
    return None


def tidy(expression: sympy.Expr) -> sympy.Expr:
    """The shortest of a few equal forms: as it is, simplified, or one fraction collected by its functions."""
    ways = (lambda: _collected(expression), lambda: sympy.simplify(expression))
    return _upright(shortest([form for way in ways if (form := within_budget(way)) is not None] + [expression]))


def shortest(forms: list[sympy.Expr]) -> sympy.Expr | None:
    """The one with the fewest operations, if there is any."""
    # A power with a parameter for its exponent, as in log(u**a) for a*log(u), is no simplification.
    towers = lambda form: sum(not power.exp.is_number for power in form.atoms(sympy.Pow))  # noqa: E731
    return min(forms, key=lambda form: 10 * towers(form) + form.count_ops(), default=None)


def _collected(expression):
    numerator, denominator = sympy.fraction(sympy.together(sympy.expand(expression)))
    functions = sorted(numerator.atoms(sympy.Function), key=str)
    return sympy.collect(sympy.expand(numerator), functions, sympy.factor) / denominator


def _upright(expression):
    """`a/(1 - b)` for `-a/(b - 1)`, and `-a/(b + 1)` for `a/(-b - 1)`."""
    numerator, denominator = sympy.fraction(expression)
    signs = [term.could_extract_minus_sign() for term in sympy.Add.make_args(denominator)]
    flip = all(signs) or (any(signs) and numerator.could_extract_minus_sign())
    return -numerator / sympy.expand(-denominator) if flip else expression


def _shortened(expression):
    """With Pythagoras for the functions that an inverse mirror map brings in; whether it applies is tested after."""
    expression = sympy.factor_terms(expression)
    for root in expression.atoms(sympy.sinh):
        expression = expression.subs(root**2 + 1, sympy.cosh(root.args[0]) ** 2)
    for root in expression.atoms(sympy.tan):
        expression = expression.subs(root**2 + 1, sympy.cos(root.args[0]) ** -2)
    expression = expression.replace(sympy.log, lambda u: sympy.log(_upright(sympy.together(u))))
    return sympy.expand_log(expression, force=True)


def _integrations(integrand):
    """Ways to `∫₀^X integrand`."""
    options = ({"manual": True}, {"meijerg": False})
    return [functools.partial(_integrate, integrand, option) for option in options]


def _integrate(integrand, option):
    form = sympy.integrate(integrand, X, conds="none", **option)
    if form.has(sympy.Integral):
        return None
    origin = form.subs(X, 0)
    return form - (origin if origin.is_finite else sympy.limit(form, X, 0, "+"))


def _peel(expression, value):
    """X from `expression = value`, undoing one operation after the other; None where X occurs twice."""
    while expression != X:
        inside = [part for part in expression.args if part.has(X)]
        if len(inside) != 1:
            return None
        (part,) = inside
        if expression.is_Add or expression.is_Mul:
            rest = expression.func(*(other for other in expression.args if other is not part))
            value = value - rest if expression.is_Add else value / rest
        elif expression.is_Pow and part is expression.base:
            value = value ** (1 / expression.exp)
        else:
            value = expression.inverse()(value)
        expression = part
    return value


def _solutions(mirror):
    """What SymPy solves `mirror = Y` by, where that has a prospect: one function of X, or none."""
    if sum(function.has(X) for function in mirror.atoms(sympy.Function)) > 1:
        return []
    return within_budget(lambda: sympy.solve(mirror - Y, X)) or []


def _suprema(g, mirror):
    """Ways to the limit of the mirror map at infinity: it is infinite where `x / g⁻¹(x)` does not vanish there."""
    divergent = lambda: sympy.oo if sympy.limit(X / g, X, sympy.oo).is_extended_positive else None  # noqa: E731
    return [divergent, *([lambda: sympy.limit(mirror, X, sympy.oo)] if mirror is not None else [])]
