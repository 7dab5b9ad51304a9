"""The integrals of `1/g⁻¹` from zero outwards on the device, their inversion, and exact rules for their derivatives.

Each element of an array has panels of its own: a loop that every element leaves when it is done. The derivative of an
integral in a parameter is the integral of a derivative, and so on to any order: the tangents of the parameters are
multiplied by arrays, so that both modes of differentiation work, and the loop itself is never differentiated.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .._array import in_dtype, leaves, mapped, on_device
from ._panels import ROOTED, error, moments, only_rounding
from ._quadrature import NODES
from ._table import SLOWEST

_LARGEST_STEPS = 10_000


# The loop.


def find_radius(metric, like):
    """The radius around zero within which `metric`, looked at in steps of a factor of two, stays within such a factor.

    Of the first panel's nodes, the one closest to zero is 2⁻²⁷ of its length away: to there, the metric must be what it
    is at zero but for what makes no difference.
    `like` has the shape of the metric's parameters; `metric` maps arrays with one axis more, the first.
    """
    limits = jnp.finfo(like.dtype)
    scan = _first(np.ldexp(1.0, np.arange(limits.minexp, limits.maxexp)), like) + jnp.zeros_like(like)[None]
    ratio = metric(scan) / metric(jnp.zeros_like(scan))
    until = lambda near: jnp.min(jnp.where(near, jnp.inf, scan), axis=0) / 2  # noqa: E731
    radius = jnp.minimum(
        until((ratio <= 2) & (ratio >= 0.5)), 2.0**27 * until(jnp.abs(ratio - 1) <= 2.0**26 * float(limits.eps))
    )
    return jnp.clip(radius, float(limits.tiny), float(limits.max))


def _first(constants, like):
    """Constants along one axis more than the array `like` has, the first."""
    return jnp.asarray(constants.reshape((-1,) + (1,) * like.ndim), like.dtype)


class _State(NamedTuple):
    y: jax.Array  # integrated so far
    mirror: jax.Array  # the integral of f
    potential: jax.Array  # the integral of (y - s) f
    moment: jax.Array  # the integral of s f
    lost: tuple[jax.Array, jax.Array]  # what rounding took from the sums of the mirror map and the moment
    size: jax.Array  # the integral of |f|, by which errors in the first two are measured
    reach: jax.Array  # the integral of s |f|, by which those in the third are
    slope: jax.Array  # f(y)
    cap: jax.Array  # the next panel is at most this long
    active: jax.Array


class Reached(NamedTuple):
    """Where the march stopped: x with `∫₀ˣ f`, `∫₀ˣ (x − s) f` and `∫₀ˣ s f`."""

    x: jax.Array
    mirror: jax.Array
    potential: jax.Array
    moment: jax.Array


def march(f, x, mu, radius) -> Reached:
    """The integrals of f from 0 to `x`, or to where the first of them is `mu` if that is sooner.

    Args:
        f: The integrand, which maps arrays with one axis more, the first, to arrays of the same shape.
        x: Where the integrals end, at least 0; infinite where it is not to matter.
        mu: What the first of them is to be, at least 0, of the shape of `x`; infinite where it is not to matter. Where
            it does, f > 0.
        radius: What `find_radius` says, of the shape of `x`.

    Returns:
        Where it stopped, and the integrals; NaN where x or mu is NaN, where f could not be resolved, or where no finite
        x is large enough for mu.
    """
    eps, largest = float(jnp.finfo(x.dtype).eps), float(jnp.finfo(x.dtype).max)
    valid, sought = ~jnp.isnan(x + mu), jnp.isfinite(mu)
    end = jnp.where(valid, jnp.minimum(x, largest), 0)
    linear, rooted = np.append(NODES, 1.0), np.append(ROOTED, 1.0)

    def advance(state):
        first = state.y == 0
        room, missing = end - state.y, (mu - state.mirror) - state.lost[0]
        width = jnp.where(sought, jnp.minimum(state.cap, missing / state.slope), state.cap)
        last, width = width >= room, jnp.minimum(width, room)
        far = jnp.where(last, end, state.y + width)

        u = jnp.where(first[None], _first(rooted, x), _first(linear, x))
        values = f(state.y[None] + width[None] * u)
        stretched = values[:-1] * jnp.where(first[None], _first(4 * NODES**3, x), 1)
        panel = moments(stretched, u[:-1])
        mass, lean, size = width * panel.mass, width * panel.lean, width * panel.size
        mirror, lost = _sum(state.mirror, mass)
        moment, also_lost = _sum(state.moment, state.y * mass + width * lean)
        ahead = state._replace(
            y=far,
            mirror=mirror,
            potential=state.potential + width * (state.mirror + (state.lost[0] + (mass - lean))),
            moment=moment,
            lost=(state.lost[0] + lost, state.lost[1] + also_lost),
            size=state.size + size,
            reach=state.reach + far * size,
            slope=values[-1],
        )
        # A short enough panel is taken as it is: there f jumps.
        allowed = 4 * eps * jnp.minimum(ahead.size, ahead.reach / far)
        estimate, rounding = width * error(panel), only_rounding(panel, eps)
        resolved = state.active & ((estimate <= allowed) | rounding | (width <= 4 * eps * state.y))
        over = resolved & (mass - missing > 2 * eps * mu)
        moved = resolved & ~over
        grows = (estimate <= 1e-3 * allowed) | rounding
        longer = jnp.where(first, far, jnp.where(grows, jnp.minimum(2 * state.cap, far), state.cap))
        shorter = jnp.where(over, width * jnp.maximum(missing / mass, 0.25), width / 2)
        rest = (missing - mass) / ahead.slope  # by Newton's method, f hardly changing over so short a way
        arrived = moved & sought & (rest <= 2 * eps * far)
        merged = jax.tree.map(lambda new, old: jnp.where(moved, new, old), ahead, state)
        # Of an f that is a power of s at zero, no first panel is resolved by its own measure.
        failed = state.active & ~resolved & first & ~sought
        broken = state.active & jnp.isnan(mass) & ~sought
        return merged._replace(
            size=jnp.where(failed, jnp.maximum(state.size, size), merged.size),
            reach=jnp.where(failed, jnp.maximum(state.reach, far * size), merged.reach),
            mirror=jnp.where(broken, jnp.nan, merged.mirror),
            potential=jnp.where(broken, jnp.nan, merged.potential),
            moment=jnp.where(broken, jnp.nan, merged.moment),
            y=jnp.where(arrived, far + rest, merged.y),
            cap=jnp.where(moved, longer, jnp.where(state.active, shorter, state.cap)),
            active=state.active & ~(moved & last) & ~arrived & ~broken,
        )

    zero = jnp.zeros_like(x)
    sums: Any = (zero,) * 4
    rest: Any = ((zero, zero), zero, zero, f(zero[None])[0], radius, (end > 0) & (mu > 0))
    start = _State(*(sums + rest))
    going = lambda s: jnp.any(s[0].active) & (s[1] < _LARGEST_STEPS)  # noqa: E731
    state = jax.lax.while_loop(going, lambda s: (advance(s[0]), s[1] + 1), (start, 0))[0]
    good = valid & ~state.active & ((state.y < largest) | (end == x))
    found = (state.y, state.mirror + state.lost[0], state.potential, state.moment + state.lost[1])
    return Reached(*(jnp.where(good, value, jnp.nan) for value in found))


def _sum(a, b):
    """a + b, and its rounding error: of a thousand panels it would be seen."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


# What a geometry is asked for. `geo` has parameters of the common shape; `compact` is the same as it was given, by
# which the radius is found.


def integral(geo: Any, kind: str, theta: jax.Array) -> jax.Array:
    """R′, R or `∫₀^|θ| s / g⁻¹` as `kind` is "mirror", "potential" or "moment"."""
    return _integral(kind, (), *_spread(geo, theta))


def inverse_mirror_map(geo: Any, mu: jax.Array) -> jax.Array:
    """The θ with `R′(θ) = μ`; NaN where there is none."""
    return _inverse(*_spread(geo, mu))


def conjugate(geo: Any, mu: jax.Array) -> jax.Array:
    """`R*(μ)`; NaN where R* is infinite."""
    return _conjugate(*_spread(geo, mu))


def passage_time(geo: Any, a: jax.Array, y: jax.Array) -> jax.Array:
    """`∫₀^a ds / (g⁻¹(s) (y + s))`."""
    a, geo, compact, y = _spread(geo, a, y)
    return _passage(1, (), a, y, geo, compact)


def mirror_bound(geo: Any) -> jax.Array:
    """See `hamtheory.geometry._defaults.mirror_bound`."""
    dtype = jnp.result_type(float, *(leaf for leaf in leaves(geo) if jnp.issubdtype(leaf.dtype, jnp.floating)))
    largest = float(jnp.finfo(dtype).max)
    x, geo, compact = _spread(geo, jnp.asarray(largest ** (1 / 3), dtype))
    steps = jnp.asarray(largest ** (0.45 - 1 / 3), dtype)
    near, far = jnp.log(geo.inverse_metric(x)), jnp.log(geo.inverse_metric(x * steps))
    power = jnp.where(jnp.isfinite(far), (far - near) / jnp.log(steps), jnp.inf)
    bounded = power > (SLOWEST if largest > 1e300 else 1.04)
    tail = jnp.exp(jnp.log(x) - near) / jnp.where(bounded, power - 1, 1)
    total = _integral("mirror", (), jnp.where(bounded, x, 0), geo, compact)
    return jnp.where(bounded, total + jnp.where(jnp.isfinite(near), tail, 0), jnp.inf)


def _spread(geo, x, *others):
    geo = on_device(in_dtype(geo, x.dtype))
    shape = jnp.broadcast_shapes(x.shape, *(other.shape for other in others), *(leaf.shape for leaf in leaves(geo)))
    spread = lambda leaf: jnp.broadcast_to(leaf, shape)  # noqa: E731
    return spread(x), mapped(spread, geo), jax.lax.stop_gradient(geo), *map(spread, others)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _integral(kind, by, theta, geo, compact):
    """The integral with `1/g⁻¹` differentiated by the parameters `by`."""
    size = jnp.abs(theta)
    known = geo.closed_form("mirror_map", size) if kind == "mirror" and not by else None
    rest = size if known is None else jnp.where(known[1], 0, size)
    value = getattr(_reached(by, rest, jnp.full_like(size, jnp.inf), geo, compact), kind)
    value = value if known is None else jnp.where(known[1], known[0], value)
    return jnp.where(theta < 0, -value, value) if kind == "mirror" else value


@functools.partial(_integral.defjvp, symbolic_zeros=True)
def _(kind, by, primals, tangents):
    theta, geo, compact = primals
    change = _along(lambda by: _integral(kind, by, theta, geo, compact), by, theta, tangents[1])
    if not _zero(tangents[0]):
        if kind == "potential":
            slope = _integral("mirror", by, theta, geo, compact)
        else:
            slope = _density(by, theta, geo) * (1 if kind == "mirror" else theta)
        change = change + slope * tangents[0]
    return _integral(kind, by, theta, geo, compact), change


@jax.custom_jvp
def _inverse(mu, geo, compact):
    size = jnp.abs(mu)
    known = geo.closed_form("inverse_mirror_map", size)
    rest = size if known is None else jnp.where(known[1], 0, size)
    value = _reached((), jnp.full_like(size, jnp.inf), rest, geo, compact).x
    value = value if known is None else jnp.where(known[1], known[0], value)
    return jnp.where(mu < 0, -value, value)


@functools.partial(_inverse.defjvp, symbolic_zeros=True)
def _(primals, tangents):
    mu, geo, compact = primals
    theta = _inverse(mu, geo, compact)
    change = -_along(lambda by: _integral("mirror", by, theta, geo, compact), (), theta, tangents[1])
    if not _zero(tangents[0]):
        change = change + tangents[0]
    return theta, geo.inverse_metric(theta) * change


@jax.custom_jvp
def _conjugate(mu, geo, compact):
    theta = _inverse(mu, geo, compact)
    return _integral("moment", (), theta, geo, compact)


@functools.partial(_conjugate.defjvp, symbolic_zeros=True)
def _(primals, tangents):
    mu, geo, compact = primals
    theta = _inverse(mu, geo, compact)
    change = -_along(lambda by: _integral("potential", by, theta, geo, compact), (), theta, tangents[1])
    if not _zero(tangents[0]):
        change = change + theta * tangents[0]
    return _integral("moment", (), theta, geo, compact), change


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _passage(power, by, a, y, geo, compact):
    """`∫₀^a ds (y + s)^−power / g⁻¹(s)`, `1/g⁻¹` being differentiated by the parameters `by`."""
    return _passage_value(power, by, a, y, geo, compact)


@functools.partial(_passage.defjvp, symbolic_zeros=True)
def _(power, by, primals, tangents):
    a, y, geo, compact = primals
    change = _along(lambda by: _passage(power, by, a, y, geo, compact), by, a, tangents[2])
    if not _zero(tangents[0]):
        change = change + _density(by, a, geo) * (y + a) ** -power * tangents[0]
    if not _zero(tangents[1]):
        change = change - power * _passage(power + 1, by, a, y, geo, compact) * tangents[1]
    return _passage(power, by, a, y, geo, compact), change


def _along(integral, by, like, tangents):
    """The derivative of an integral along the tangents of the parameters, its end being held."""
    total = jnp.zeros_like(like)
    for index, change in enumerate(leaves(tangents)):
        if not _zero(change) and change.dtype != jax.dtypes.float0:
            total = total + integral(tuple(sorted((*by, index)))) * change
    return total


def _zero(tangent):
    return isinstance(tangent, jax.custom_derivatives.SymbolicZero)


# Compiled by themselves, so that calls outside of any jit share what they compile.


@functools.partial(jax.jit, static_argnums=0)
def _reached(by, x, mu, geo, compact):
    geo = _expanded(geo)
    # Where a closed form knows everything there is nothing to do.
    radius = jax.lax.cond(
        jnp.any((x > 0) & (mu > 0)), lambda: jnp.broadcast_to(_radius(compact, x.dtype), x.shape), lambda: x
    )
    return march(lambda s: _density(by, s, geo), x, mu, radius)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _passage_value(power, by, a, y, geo, compact):
    geo = _expanded(geo)
    radius = jnp.minimum(_radius(compact, a.dtype), y / 4)  # y is another scale of the integrand, next to zero
    density = lambda s: _density(by, s, geo) * (y[None] + s) ** -power  # noqa: E731
    return march(density, a, jnp.full_like(a, jnp.inf), radius).mirror


def _radius(compact, dtype):
    shape = jnp.broadcast_shapes(*(leaf.shape for leaf in leaves(compact)))
    compact = mapped(lambda leaf: jnp.broadcast_to(leaf, shape)[None], compact)
    return find_radius(lambda s: jnp.broadcast_to(compact.inverse_metric(s), s.shape), jnp.zeros(shape, dtype))


def _expanded(geo):
    """With the parameters' axes behind one for the nodes."""
    return mapped(lambda leaf: leaf[None], geo)


def _density(by, s, geo):
    """`1/g⁻¹(s)` differentiated by the parameters `by`, their numbers in the order of the fields; 0 where g⁻¹ is ∞."""
    if by:
        values, structure = jax.tree.flatten(geo)
        put = lambda value: structure.unflatten([*values[: by[-1]], value, *values[by[-1] + 1 :]])  # noqa: E731
        parameter = values[by[-1]]
        return jax.jvp(lambda p: _density(by[:-1], s, put(p)), (parameter,), (jnp.ones_like(parameter),))[1]
    metric = jnp.broadcast_to(geo.inverse_metric(s), s.shape)
    finite = ~jnp.isinf(metric)
    return jnp.where(finite, 1 / jnp.where(finite, metric, 1), 0)
