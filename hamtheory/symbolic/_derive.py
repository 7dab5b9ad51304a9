"""From the inverse metric to everything that follows from it, as expressions."""

import dataclasses
import functools

import sympy

from ._budget import within_budget
from ._forms import Forms, X, Y, positive
from ._latex import aligned
from ._limits import Limits, find_limits
from ._parse import MU, THETA, THETA_0, parameters, parse
from ._search import find_forms


@dataclasses.dataclass(frozen=True)
class Derivation:
    """What follows from an inverse metric, as SymPy expressions; a form that was not found is None, and `notes` say so.

    `R″ = 1/g⁻¹`, `R(0) = R′(0) = 0`, `R*(μ) = max_θ μθ − R(θ)`. The expressions are in the real symbols `theta`,
    `theta_0` and `mu`; parameters are positive symbols. In a notebook it shows itself as formulas.

    Attributes:
        inverse_metric: g⁻¹.
        mirror_map: R′.
        potential: R.
        inverse_mirror_map: (R*)′.
        conjugate: R*.
        divergence: D_R(θ, θ₀).
        mirror_bound: The supremum of R′, `oo` if unbounded.
        notes: Which forms were not found.
        forms: The same for θ > 0, from which geometries compute.
        parameter: The one that `limits` are of.
    """

    inverse_metric: sympy.Expr
    mirror_map: sympy.Expr | None
    potential: sympy.Expr | None
    inverse_mirror_map: sympy.Expr | None
    conjugate: sympy.Expr | None
    divergence: sympy.Expr | None
    mirror_bound: sympy.Expr | None
    notes: tuple[str, ...]
    forms: Forms = dataclasses.field(repr=False)
    parameter: str | None = None

    def limits(self, parameter: str | None = None) -> Limits:
        """The leading terms of the potential as a parameter goes to 0 and to ∞, the others being held.

        Args:
            parameter: Its name; left out: the one the derivation was made for, or the only one.

        Returns:
            `(small, large)`; None where the leading term was not found.

        Raises:
            ValueError: Where there is no such parameter.
        """
        names = [name.name for name in self.forms.parameters]
        parameter = parameter or self.parameter or (names[0] if len(names) == 1 else None)
        if parameter not in names:
            raise ValueError(f"parameter must be one of {names}; got {parameter!r}")
        small, large = find_limits(self.forms, parameter)
        return Limits(_even(small, X, THETA), _even(large, X, THETA))

    def latex(self) -> str:
        """The derivation in LaTeX: one aligned line for each form, and the limits if `derive` was given a parameter.

        Returns:
            The text, without dollars around it.
        """
        return aligned(self)

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"


def derive(inverse_metric: str | sympy.Expr, *, parameter: str | None = None) -> Derivation:
    """Everything that follows from an inverse metric `g⁻¹(θ)`, an even and positive function of `theta`.

    `R′ = ∫₀^θ ds/g⁻¹(s)`, `R = ∫₀^θ R′`, `(R*)′ = (R′)⁻¹`, `R* = μθ − R`, `D = R(θ) − R(θ₀) − R′(θ₀)(θ − θ₀)`: sought
    by SymPy within a bounded amount of work, and each form compared with quadrature before it is believed.

    Args:
        inverse_metric: Text such as `"1 + a*theta**2"` or a SymPy expression, in which every symbol but `theta` is a
            parameter (taken to be positive). The metrics of gradient descent, HAM and m⊙w have names:
            `ht.symbolic.EUCLIDEAN`, `ht.symbolic.HAM`, `ht.symbolic.HYPENTROPY`.
        parameter: The one whose `limits` are wanted; left out: none.

    Returns:
        A `Derivation`.

    Raises:
        ValueError: Where the text cannot be read, the metric is not even or not positive at 0, or there is no such
            parameter.
        TypeError: For what is neither text nor an expression.

    ```python
    >>> from hamtheory.symbolic import derive
    >>> derive("1 + a*theta**2").mirror_map
    atan(sqrt(a)*theta)/sqrt(a)

    ```
    """
    derivation = _derive(parse(inverse_metric))
    if parameter is None:
        return derivation
    if parameter not in (names := [name.name for name in derivation.forms.parameters]):
        raise ValueError(f"parameter must be one of {names}; got {parameter!r}")
    return dataclasses.replace(derivation, parameter=parameter)


@functools.lru_cache(maxsize=256)
def _derive(inverse_metric: sympy.Expr) -> Derivation:
    check_even(inverse_metric)
    origin = inverse_metric.subs(THETA, 0)
    if origin.is_positive is False or origin.is_finite is False:
        raise ValueError(f"g⁻¹(θ) = {inverse_metric} must be positive and finite; at theta = 0 it is {origin}")
    forms, notes = find_forms(inverse_metric)
    mirror, potential = _odd(forms.mirror, X, THETA), _even(forms.potential, X, THETA)
    divergence = None
    if mirror is not None and potential is not None:
        start = {THETA: THETA_0}
        divergence = potential - potential.xreplace(start) - mirror.xreplace(start) * (THETA - THETA_0)
        divergence = within_budget(lambda: sympy.factor(divergence)) if potential.is_polynomial(THETA) else divergence
    return Derivation(
        inverse_metric=inverse_metric.xreplace({name: positive(name) for name in parameters(inverse_metric)}),
        mirror_map=mirror,
        potential=potential,
        inverse_mirror_map=_odd(forms.inverse, Y, MU),
        conjugate=_even(forms.conjugate, Y, MU),
        divergence=divergence,
        mirror_bound=forms.bound,
        notes=notes,
        forms=forms,
    )


def check_even(expression: sympy.Expr) -> None:
    """Refuse an inverse metric that is not even, naming a θ where it is not."""
    difference = expression.subs(THETA, X) - expression.subs(THETA, -X)
    if difference == 0 or within_budget(lambda: sympy.simplify(difference)) == 0:
        return
    point = {name: sympy.Rational(3, 7) + i for i, name in enumerate(parameters(expression))}
    for theta in (1, sympy.Rational(1, 3), 7):
        right, left = (_number(expression.subs(point), s) for s in (theta, -theta))
        if right is None or left is None or abs(right - left) > 1e-20 * abs(right):
            at = ", ".join(f"{name} = {value}" for name, value in point.items())
            raise ValueError(
                f"g⁻¹ must be even, g⁻¹(−θ) = g⁻¹(θ); {expression} is {_shown(right)} at theta = {theta} but "
                f"{_shown(left)} at theta = {-theta}{f', with {at}' if at else ''}; write abs(theta) where |θ| is meant"
            )


def _number(expression, theta):
    return within_budget(lambda: sympy.N(expression.subs(THETA, theta), 30))


def _shown(number):
    return "undefined" if number is None or number.is_finite is False else sympy.N(number, 5)


def _even(form, half, full):
    """The even extension of a form on the half line, without |·| where it is even already."""
    if form is None:
        return None
    plain = form.xreplace({half: full})
    return plain if _vanishes(plain - plain.xreplace({full: -full})) else form.subs(half, sympy.Abs(full))


def _odd(form, half, full):
    if form is None:
        return None
    plain = form.xreplace({half: full})
    if _vanishes(plain + plain.xreplace({full: -full})):
        return plain
    if form.is_Mul and half in form.args:
        return full * (form / half).subs(half, sympy.Abs(full))
    return sympy.sign(full) * form.subs(half, sympy.Abs(full))


def _vanishes(expression):
    return expression == 0 or within_budget(lambda: sympy.simplify(expression), budget=1_000_000) == 0
