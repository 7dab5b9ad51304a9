"""The horizon of a potential, from the formula of its inverse metric."""

import sympy

from ..geometry import AbstractGeometry, Horizon
from ._budget import within_budget
from ._forms import positive
from ._parse import THETA, parameters, parse

_X = sympy.Symbol("x", positive=True)


def horizon(inverse_metric: str | sympy.Expr) -> Horizon:
    """The shape of the level sets of the potential at infinity, by SymPy: `s = lim θ (g⁻¹)′/g⁻¹`, ρ = 2 − s.

    Parameters are positive. A formula whose limit SymPy does not find has one by numbers, with its error, if it has no
    parameters: that of `geometry(...).horizon()`.

    Args:
        inverse_metric: An even and positive function of `theta`, as in `geometry`.

    Returns:
        A `Horizon` whose `s` and `rho` are expressions in the parameters, if there are any, or numbers; its `gauge`
            needs numbers.

    Raises:
        ValueError: Where the mirror map is bounded, with the reason, and where the limit is not found.

    References:
        [pesme2024implicit].

    ```python
    >>> from hamtheory import symbolic
    >>> symbolic.horizon("(1 + abs(theta))**(1/3)").rho, symbolic.horizon("1 + a*theta**(2*k)").rho
    (5/3, 2 - 2*k)

    ```
    """
    expression = parse(inverse_metric)
    found = exact(expression)
    if found is not None:
        return found
    if parameters(expression):
        raise ValueError(f"the growth of g⁻¹ = {expression} at infinity is not found; give its parameters values")
    from ._geometry import geometry

    return AbstractGeometry.horizon(geometry(expression))


def exact(expression: sympy.Expr) -> Horizon | None:
    """The horizon of a parsed metric, as SymPy finds it; None where it does not."""
    names = {name: positive(name) for name in parameters(expression)}
    g = expression.xreplace({THETA: _X, **names})
    back = {symbol: name for name, symbol in names.items()}

    def limit(form):
        for simplified in (lambda: form, lambda: sympy.simplify(form)):
            found = within_budget(lambda: sympy.limit(simplified(), _X, sympy.oo))  # noqa: B023
            if found is not None and not found.has(sympy.Limit, sympy.AccumBounds, sympy.nan, _X):
                return found.xreplace(back)
        return None

    excess = _X * sympy.diff(g, _X) / g
    s = limit(excess)
    if s is None:
        return None
    if s.is_number and s > 1:
        raise Horizon.refused(f"g⁻¹ = {expression}", f"s = {s}")
    if s == 1:  # with x ln(x)^k the integral of 1/g⁻¹ converges if k > 1
        k = limit(sympy.log(_X) * (excess - 1))
        if k is None:
            return None
        if k.is_number and k > 1:
            raise Horizon.refused(f"g⁻¹ = {expression}", f"it grows like |θ| ln(|θ|)^{k}")
    return Horizon(s)
