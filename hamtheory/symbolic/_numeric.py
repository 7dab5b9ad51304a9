"""The functions of a geometry as JAX functions: the closed form where it keeps its digits, quadrature elsewhere.

All are elementwise functions of `theta` or `mu` and of the parameters, arrays of one shape and dtype, and can be
differentiated any number of times, in both modes, by rules that are exact whichever way the value was found.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import sympy

from ._evaluate import can_evaluate, evaluate, evaluate_with_bound
from ._forms import Forms, X, Y, positive
from ._march import find_radius, march

_ACCEPTED = 128  # units of rounding, times the condition number, that a closed form may lose


class Parameters(NamedTuple):
    """The parameters, in the order of `forms.parameters`: in the common shape, and as they were given."""

    spread: tuple[jax.Array, ...]
    compact: tuple[jax.Array, ...]


def arguments(theta, values) -> tuple[jax.Array, Parameters]:
    """θ (or μ) and the parameters as the functions below want them: of θ's dtype, broadcast against each other."""
    values = tuple(value.astype(theta.dtype) for value in values)
    theta, *spread = jnp.broadcast_arrays(theta, *values)
    return theta, Parameters(tuple(spread), jax.lax.stop_gradient(values))


def integral(forms: Forms, kind: str, theta, parameters: Parameters):
    """R′, R or `∫₀^θ s / g⁻¹` as `kind` is "mirror", "potential" or "moment"."""
    return _integral(forms, kind, (), theta, parameters)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1, 2))
def _integral(forms, kind, by, theta, parameters):
    """The integral with `1 / g⁻¹` differentiated by the parameters `by`."""
    return _integral_value(forms, kind, by, theta, parameters)


@functools.partial(_integral.defjvp, symbolic_zeros=True)
def _integral_jvp(forms, kind, by, primals, tangents):
    theta, parameters = primals
    tangent = _along(forms, kind, by, theta, parameters, tangents)
    if not _zero(tangents[0]):
        if kind == "potential":
            slope = _integral(forms, "mirror", by, theta, parameters)
        else:
            density = _density(forms, by, jnp.abs(theta), parameters.spread)
            slope = density if kind == "mirror" else theta * density
        tangent = tangent + slope * tangents[0]
    return _integral(forms, kind, by, theta, parameters), tangent


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def inverse_mirror_map(forms: Forms, mu, parameters: Parameters):
    """The θ with `R′(θ) = μ`; NaN where there is none."""
    return _inverse_value(forms, mu, parameters)


@functools.partial(inverse_mirror_map.defjvp, symbolic_zeros=True)
def _inverse_jvp(forms, primals, tangents):
    mu, parameters = primals
    theta = inverse_mirror_map(forms, mu, parameters)
    change = -_along(forms, "mirror", (), theta, parameters, tangents)
    if not _zero(tangents[0]):
        change = change + tangents[0]
    return theta, metric(forms, theta, parameters.spread) * change


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def conjugate(forms: Forms, mu, parameters: Parameters):
    """`R*(μ)`; NaN where R* is infinite."""
    return _conjugate_value(forms, mu, parameters)


@functools.partial(conjugate.defjvp, symbolic_zeros=True)
def _conjugate_jvp(forms, primals, tangents):
    mu, parameters = primals
    theta = inverse_mirror_map(forms, mu, parameters)
    tangent = -_along(forms, "potential", (), theta, parameters, tangents)
    if not _zero(tangents[0]):
        tangent = tangent + theta * tangents[0]
    return conjugate(forms, mu, parameters), tangent


def _along(forms, kind, by, theta, parameters, tangents):
    """The derivative of an integral along the tangents of the parameters, θ being held."""
    total = jnp.zeros_like(theta)
    for name, change in zip(forms.parameters, tangents[1].spread, strict=True):
        if not _zero(change):
            total = total + _integral(forms, kind, tuple(sorted((*by, name), key=str)), theta, parameters) * change
    return total


def metric(forms: Forms, theta, parameters):
    """`g⁻¹(θ)`."""
    return evaluate(forms.metric, _values(forms, jnp.abs(theta), parameters)) + jnp.zeros_like(theta)


def bound(forms: Forms, parameters: Parameters, dtype):
    """The supremum of R′: by its closed form, else from R′ at a large θ and the power law of g⁻¹ there.

    A metric that grows within 2 per cent of linearly (`θ log θ`, say) counts as unbounded unless SymPy knows better.
    """
    spread = parameters.spread
    far = jnp.full(spread[0].shape if spread else (), float(jnp.finfo(dtype).max) ** (1 / 3), dtype)
    trusted = jnp.full(far.shape, False)
    closed = jnp.zeros_like(far)
    if forms.bound is not None and (forms.bound is sympy.oo or can_evaluate(forms.bound)):
        trusted = trusted | _all_positive(spread)
        closed = closed + (jnp.inf if forms.bound is sympy.oo else evaluate(forms.bound, _values(forms, far, spread)))
    x = jnp.where(trusted, 0, far)
    here, further = (_density(forms, (), s, spread) for s in (x, 2 * x))
    power = jnp.where(here > 0, jnp.log2(here / further), jnp.inf)
    tail = jnp.where(here > 0, x * here / jnp.where(power > 1.02, power - 1, 1), 0)
    total = _integral(forms, "mirror", (), x, parameters) + tail
    return jnp.where(trusted, closed, jnp.where(power > 1.02, total, jnp.inf))


def _integral_value(forms, kind, by, theta, parameters):
    x = jnp.abs(theta)
    value, accepted = _closed_integral(forms, kind, by, x, parameters)
    rest = jnp.where(accepted, 0, x)
    numeric = _march(forms, by, rest, jnp.full_like(rest, jnp.inf), parameters)
    value = jnp.where(accepted, value, getattr(numeric, kind))
    return jnp.where(theta < 0, -value, value) if kind == "mirror" else value


def _inverse_value(forms, mu, parameters):
    y = jnp.abs(mu)
    theta, accepted, outside = _closed_inverse(forms, y, parameters)
    rest = jnp.where(accepted | outside, 0, y)
    numeric = _march(forms, (), jnp.full_like(rest, jnp.inf), rest, parameters)
    theta = jnp.where(outside, jnp.nan, jnp.where(accepted, theta, numeric.x))
    return jnp.where(mu < 0, -theta, theta)


def _conjugate_value(forms, mu, parameters):
    theta = _inverse_value(forms, mu, parameters)
    outside = jnp.isnan(theta)
    value, accepted = _closed_conjugate(forms, mu, theta, parameters)
    moment = _integral_value(forms, "moment", (), jnp.where(accepted | outside, 0, theta), parameters)
    return jnp.where(outside, jnp.nan, jnp.where(accepted, value, moment))


# Compiled apart from each other, so that calls outside of any jit share the one that takes long, which is the march.


@functools.partial(jax.jit, static_argnums=(0, 1))
def _march(forms, by, x, mu, parameters):
    """See `march`, for the integrand `1 / g⁻¹` differentiated by the parameters `by`."""
    compact = jnp.broadcast_arrays(*parameters.compact) if parameters.compact else ()
    zero = jnp.zeros_like(compact[0]) if compact else jnp.zeros((), x.dtype)
    needed = jnp.any((x > 0) & (mu > 0))
    scan = lambda: find_radius(lambda s: metric(forms, s, _expanded(compact)), zero)  # noqa: E731
    radius = jax.lax.cond(needed, scan, lambda: zero)
    spread = _expanded(parameters.spread)
    return march(lambda s: _density(forms, by, s, spread), x, mu, jnp.broadcast_to(radius, x.shape))


def _expanded(values):
    return [value[..., None] for value in values]


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _closed_integral(forms, kind, by, x, parameters):
    """The closed form and where it is accepted."""
    form = _derivative(getattr(forms, kind), tuple(positive(name) for name in by))

    def condition(value):
        density = jnp.abs(x * _density(forms, by, x, parameters.spread) / value)
        return {"mirror": density, "moment": x * density, "potential": jnp.sqrt(x * density)}[kind]

    return _closed(forms, form, x, parameters, condition)


@functools.partial(jax.jit, static_argnums=0)
def _closed_inverse(forms, y, parameters):
    """The closed form, where it is accepted, and where y is known to be out of range."""
    outside = y >= (bound(forms, parameters, y.dtype) if forms.bound not in (None, sympy.oo) else jnp.inf)
    condition = lambda theta: jnp.abs(y * metric(forms, theta, parameters.spread) / theta)  # noqa: E731
    return *_closed(forms, forms.inverse, y, parameters, condition), outside


@functools.partial(jax.jit, static_argnums=0)
def _closed_conjugate(forms, mu, theta, parameters):
    """The closed form and where it is accepted."""
    return _closed(forms, forms.conjugate, jnp.abs(mu), parameters, lambda value: jnp.abs(mu * theta / value))


def _closed(forms, form, x, parameters, condition):
    """A form's value at x, and whether that is as good as its arguments; derived for positive parameters only."""
    if form is None or not can_evaluate(form):
        return jnp.zeros_like(x), jnp.zeros_like(x, bool)
    value, error = evaluate_with_bound(form, _values(forms, x, parameters.spread))
    value = value + jnp.zeros_like(x)
    limit = _ACCEPTED * float(jnp.finfo(x.dtype).eps) * (1 + condition(value)) * jnp.abs(value)
    return value, jnp.isfinite(value) & (error <= limit) & _all_positive(parameters.spread)


def _all_positive(parameters):
    return functools.reduce(lambda a, b: a & b, [p > 0 for p in parameters], True)


def _density(forms, by, x, parameters):
    """`1 / g⁻¹` at x >= 0, differentiated by the parameters `by`; zero where g⁻¹ overflows."""
    values = _values(forms, x, parameters)
    finite = jnp.isfinite(metric(forms, x, parameters))
    return jnp.where(finite, evaluate(_derivative(1 / forms.metric, by), values), 0) + jnp.zeros_like(x)


@functools.lru_cache(maxsize=1024)
def _derivative(expression, by):
    return sympy.diff(expression, *by) if by and expression is not None else expression


def _values(forms, x, parameters):
    """What every symbol of the forms stands for; x is θ or μ, whichever the form is written in."""
    values = {X: x, Y: x}
    for name, value in zip(forms.parameters, parameters, strict=True):
        values |= {name: value, positive(name): value}
    return values


def _zero(tangent):
    return isinstance(tangent, jax.custom_derivatives.SymbolicZero)
