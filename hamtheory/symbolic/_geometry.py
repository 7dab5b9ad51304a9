"""A geometry made from its formula."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import sympy
from jaxtyping import Array, Float

from .._types import Parameter
from .._validate import finite, is_traced, real_array
from ..geometry import AbstractStaticGeometry
from ..geometry._base import Scalars
from ..geometry._numerics import floating
from . import _numeric
from ._budget import within_budget
from ._derive import Derivation, check_even, derive
from ._parse import THETA, parameters, parse

_SUSPECTS = 200  # so many values that are not positive in float64, but may only underflow, are computed exactly
_GRID = np.concatenate([[0.0], np.logspace(-12, 12, 97)])


class SymbolicGeometry(AbstractStaticGeometry):
    """The geometry of an inverse metric that was given as a formula; made by `hamtheory.symbolic.geometry`.

    Every function is its closed form where one was found and keeps its digits (a running bound on the rounding error
    decides, for each element), else adaptive quadrature of `1/g⁻¹` or its safeguarded inversion: relative errors are
    of the order of rounding for θ of any size, also where `g⁻¹` overflows. `derivation` has the formulas, and says in
    its `notes` what has no closed form. The leaves of the pytree are the `values` of the parameters,
    in the order of their names.
    Source: own.
    """

    derivation: Derivation = eqx.field(static=True)
    values: tuple[Float[Array, "..."], ...]

    @property
    def parameters(self) -> dict[str, Float[Array, "..."]]:
        """The parameters by name."""
        names = (name.name for name in self.derivation.forms.parameters)
        return dict(zip(names, self.values, strict=True))

    def inverse_metric(self, theta: Parameter) -> Scalars:
        theta, parameters = self._arguments(theta)
        return _numeric.metric(self.derivation.forms, theta, parameters.spread)

    def mirror_map(self, theta: Parameter) -> Scalars:
        return _numeric.integral(self.derivation.forms, "mirror", *self._arguments(theta))

    def inverse_mirror_map(self, mu: Parameter) -> Scalars:
        return _numeric.inverse_mirror_map(self.derivation.forms, *self._arguments(mu))

    def potential(self, theta: Parameter) -> Scalars:
        return _numeric.integral(self.derivation.forms, "potential", *self._arguments(theta))

    def conjugate(self, mu: Parameter) -> Scalars:
        return _numeric.conjugate(self.derivation.forms, *self._arguments(mu))

    def mirror_bound(self) -> Scalars:
        zero, parameters = self._arguments(jnp.zeros((), jnp.result_type(float, *self.values)))
        return _numeric.bound(self.derivation.forms, parameters, zero.dtype)

    def _arguments(self, theta):
        return _numeric.arguments(floating(theta), self.values)

    def __repr__(self):
        shown = {
            name: jax.tree.leaves(value)[0] if is_traced(value) or value.ndim else f"{value:g}"
            for name, value in self.parameters.items()
        }
        given = "".join(f", {name}={value}" for name, value in shown.items())
        return f'symbolic.geometry("{self.derivation.inverse_metric}"{given})'


def geometry(inverse_metric: str | sympy.Expr, /, **parameters: Parameter) -> SymbolicGeometry:
    """The geometry of an inverse metric given as text or as a SymPy expression.

    `dθ/dt = −g⁻¹(θ) ⊙ ∇f(θ)`: the mirror map, the potential and the rest are derived (see `derive`) and turned into
    JAX.

    Arguments: `inverse_metric`, an even and positive function of `theta` such as `"1 + a*theta**2"`; one keyword for
      each of its parameters: a scalar, or an array that broadcasts against θ. The derivation is made once for a
      formula, whatever the values, and these may be traced.
    Errors: `ValueError` where the text cannot be read, a parameter is missing or unknown, or the metric is not even or,
      at these parameters, not positive (tested at 0 and for |θ| from 1e-12 to 1e12; at run time if they are traced).
    Source: own.

    ```python
    >>> from hamtheory import symbolic
    >>> round(float(symbolic.geometry("1 + a*theta**2", a=4.0).mirror_bound()), 4)
    0.7854

    ```
    """
    expression = parse(inverse_metric)
    names = [name.name for name in _names(expression)]
    missing, unknown = sorted(set(names) - set(parameters)), sorted(set(parameters) - set(names))
    if missing or unknown:
        wrong = [f"{', '.join(some)} {what}" for some, what in ((missing, "missing"), (unknown, "unknown")) if some]
        raise ValueError(f"g⁻¹ = {expression} has the parameters {names or 'none'}: {'; '.join(wrong)}")
    values = tuple(finite(real_array(parameters[name], name), name) for name in names)
    check_even(expression)
    if not is_traced(values):
        _check_positive(expression, values)
        return SymbolicGeometry(derive(expression), values)
    geo = SymbolicGeometry(derive(expression), values)
    return eqx.error_if(geo, _somewhere_negative(geo), f"g⁻¹(θ) = {expression} must be positive")


_names = parameters


def _somewhere_negative(geo):
    grid = jnp.asarray(_GRID, jnp.result_type(float, *geo.values))
    theta, parameters = _numeric.arguments(grid, [value[..., None] for value in geo.values])
    g = _numeric.metric(geo.derivation.forms, theta, parameters.spread)
    return jnp.any(g < 0) | jnp.any(~((g > 0) & jnp.isfinite(g))[..., 0])


def _check_positive(expression, values):
    """Refuse a metric that is not positive and finite, naming a θ and the parameters there."""
    symbols = _names(expression)
    *lanes, theta = np.broadcast_arrays(*(np.asarray(value, float)[..., None] for value in values), _GRID)
    with np.errstate(all="ignore"):
        g = sympy.lambdify((*symbols, THETA), expression, modules=["scipy", "numpy"])(*lanes, theta)
        suspect = ~(g > 0) | (np.isinf(g) & (theta == 0))
    for index in np.argwhere(suspect & np.ones_like(theta, bool))[:_SUSPECTS]:
        numbers = [sympy.Rational(float(array[tuple(index)])) for array in (*lanes, theta)]
        exact = dict(zip((*symbols, THETA), numbers, strict=True))
        got = within_budget(lambda: expression.subs(exact))  # noqa: B023
        if got is None or not (got.is_positive and got.is_finite):
            where = ", ".join(f"{symbol} = {float(value):g}" for symbol, value in reversed(exact.items()))
            found = "undefined" if got is None or got.is_finite is False else sympy.N(got, 5)
            raise ValueError(f"g⁻¹(θ) = {expression} must be positive and finite; at {where} it is {found}")
