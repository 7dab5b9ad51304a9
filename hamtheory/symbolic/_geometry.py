"""A geometry made from its formula."""

from typing import Any, ClassVar

import numpy as np
import sympy
from jaxtyping import Bool, Float

from .._array import Array, shown, static
from .._types import Parameter, Scalars
from .._validate import finite, is_traced, real_array
from ..geometry import AbstractGeometry, Horizon
from ._budget import within_budget
from ._derive import Derivation, check_even, derive
from ._evaluate import evaluate
from ._forms import X
from ._horizon import exact
from ._numeric import closed_form
from ._parse import THETA, parameters, parse

_SUSPECTS = 200  # so many values that are not positive in float64, but may only underflow, are computed exactly
_GRID = np.concatenate([[0.0], np.logspace(-12, 12, 97)])


class SymbolicGeometry(AbstractGeometry):
    """The geometry of an inverse metric that was given as a formula; made by `hamtheory.symbolic.geometry`.

    Everything is computed from the inverse metric, as that of any geometry is, to rounding for θ of any size.

    Args:
        inverse_metric: As in `hamtheory.symbolic.geometry`.
        **parameters: As in `hamtheory.symbolic.geometry`.

    Attributes:
        derivation: The formulas; its `notes` say what has no closed form.
        values: Those of the parameters, in the order of their names.

    Raises:
        ValueError: As `hamtheory.symbolic.geometry`.
    """

    name: ClassVar[str] = "formula"
    formula: ClassVar[str] = "any"
    derivation: Derivation = static()
    values: tuple[Float[Array, "..."], ...]

    def __init__(self, inverse_metric: str | sympy.Expr, **parameters: Parameter):
        expression = parse(inverse_metric)
        names = [name.name for name in _names(expression)]
        missing, unknown = sorted(set(names) - set(parameters)), sorted(set(parameters) - set(names))
        if missing or unknown:
            wrong = [f"{', '.join(some)} {what}" for some, what in ((missing, "missing"), (unknown, "unknown")) if some]
            hint = "" if THETA in expression.free_symbols else ". The variable is theta"
            raise ValueError(f"g⁻¹ = {expression} has the parameters {names or 'none'}: {'; '.join(wrong)}{hint}")
        values = tuple(finite(real_array(parameters[name], name), name) for name in names)
        check_even(expression)
        traced = is_traced(values)
        if not traced:
            _check_positive(expression, values)
        self.derivation = derive(expression)
        if traced:
            import equinox as eqx

            bad = _somewhere_negative(self.derivation, values)
            values = eqx.error_if(values, bad, f"g⁻¹(θ) = {expression} must be positive")
        self.values = values

    @property
    def parameters(self) -> dict[str, Float[Array, "..."]]:
        """The parameters by name."""
        names = (name.name for name in self.derivation.forms.parameters)
        return dict(zip(names, self.values, strict=True))

    def inverse_metric(self, theta: Scalars) -> Scalars:
        return _metric(self.derivation, theta, self.values)

    def closed_form(self, what: str, x: Scalars) -> tuple[Scalars, Bool[Array, "..."]] | None:
        return closed_form(self.derivation.forms, what, x, self.values, self.inverse_metric)

    def horizon(self) -> Horizon:
        found = exact(self.derivation.inverse_metric)
        if found is None or is_traced(self.values) or any(np.size(value) > 1 for value in self.values):
            return super().horizon()
        s = float(found.s.subs({name: float(self.parameters[name.name].max()) for name in found.s.free_symbols}))
        if s > 1:
            raise Horizon.refused(repr(self), f"g⁻¹ grows like |θ|^{s:.4g}")
        return Horizon(s)

    def arguments(self) -> dict[str, Any]:
        return {"inverse_metric": str(self.derivation.inverse_metric)} | self.parameters

    def __repr__(self) -> str:
        given = "".join(f", {name}={shown(value)}" for name, value in self.parameters.items())
        return f'symbolic.geometry("{self.derivation.inverse_metric}"{given})'


def geometry(inverse_metric: str | sympy.Expr, /, **parameters: Parameter) -> SymbolicGeometry:
    """The geometry of an inverse metric given as text or as a SymPy expression.

    `dθ/dt = −g⁻¹(θ) ⊙ ∇f(θ)`: the mirror map, the potential and the rest follow; `derive` has them as formulas. The
    derivation is made once for a formula, whatever the values of its parameters.

    Args:
        inverse_metric: An even and positive function of `theta` such as `"1 + a*theta**2"`.
        **parameters: One keyword for each of its parameters: a scalar, or an array that broadcasts against θ; these may
            be traced.

    Returns:
        A `SymbolicGeometry`.

    Raises:
        ValueError: Where the text cannot be read, a parameter is missing or unknown, or the metric is not even or, at
            these parameters, not positive (tested at 0 and for |θ| from 1e-12 to 1e12; at run time if they are traced).

    ```python
    >>> from hamtheory import symbolic
    >>> round(float(symbolic.geometry("1 + a*theta**2", a=4.0).mirror_bound()), 4)
    0.7854

    ```
    """
    return SymbolicGeometry(inverse_metric, **parameters)


_names = parameters


def _metric(derivation: Derivation, theta: Scalars, values: tuple[Scalars, ...]) -> Scalars:
    """g⁻¹(|θ|)."""
    forms = derivation.forms
    values = tuple(value.astype(theta.dtype) for value in values)
    return evaluate(forms.metric, {X: abs(theta), **dict(zip(forms.parameters, values, strict=True))})


def _somewhere_negative(derivation: Derivation, values: tuple[Scalars, ...]) -> Any:
    """Of traced parameters."""
    import jax.numpy as jnp

    shape = jnp.broadcast_shapes(*(value.shape for value in values))
    grid = jnp.asarray(_GRID.reshape((-1,) + (1,) * len(shape)), jnp.result_type(*values))
    g = _metric(derivation, grid, tuple(jnp.broadcast_to(value, shape)[None] for value in values))
    return jnp.any(g < 0) | jnp.any(~((g > 0) & jnp.isfinite(g))[0])


def _check_positive(expression, values):
    """Refuse a metric that is not positive and finite, naming a θ and the parameters there."""
    symbols = _names(expression)
    *instances, theta = np.broadcast_arrays(*(np.asarray(value, float)[..., None] for value in values), _GRID)
    with np.errstate(all="ignore"):
        g = sympy.lambdify((*symbols, THETA), expression, modules=["scipy", "numpy"])(*instances, theta)
        suspect = ~(g > 0) | (np.isinf(g) & (theta == 0))
    for index in np.argwhere(suspect & np.ones_like(theta, bool))[:_SUSPECTS]:
        numbers = [sympy.Rational(float(array[tuple(index)])) for array in (*instances, theta)]
        exact = dict(zip((*symbols, THETA), numbers, strict=True))
        got = within_budget(lambda: expression.subs(exact))  # noqa: B023
        if got is None or not (got.is_positive and got.is_finite):
            where = ", ".join(f"{symbol} = {float(value):g}" for symbol, value in reversed(exact.items()))
            found = "undefined" if got is None or got.is_finite is False else sympy.N(got, 5)
            raise ValueError(f"g⁻¹(θ) = {expression} must be positive and finite; at {where} it is {found}")
