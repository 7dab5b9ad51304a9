"""Where the entries of θ cross zero within a step of an integrator: the roots of its dense output, all of them.

In the coordinates of every flow the sign of θ is that of one or two linear functionals of the state, and the dense
output of a step is a polynomial. Its Bernstein coefficients say at once where there can be no root; elsewhere the roots
are enclosed between those of the derivatives, so that none is missed, however close to another one.
"""

import math
from functools import cache
from typing import Any

import diffrax
import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from .._array import Array
from .._flips import Flips, sign_of, unflipped
from ._chebyshev import RKC
from ._fields import AbstractFlow

_BISECTIONS, _ITERATIONS = 8, 24  # then Newton's method, which is to have the last word
_DEGREES = {
    diffrax.Euler: 1,
    diffrax.Heun: 2,
    diffrax.Tsit5: 4,
    diffrax.Dopri8: 6,
    diffrax.Kvaerno3: 3,
    diffrax.Kvaerno5: 3,
    RKC: 3,
}
_HIGHEST = 7  # for whatever else there is


class Crossings(eqx.Module):
    """`factors`: the signs of the functionals whose product is that of θ, (factors, d). `times`: of the first flips of
    each entry, (most, d), NaN where there are fewer; None if they are not kept."""

    factors: Int[Array, "factors d"]
    flips: Flips
    times: Float[Array, "most d"] | None


def degree_of(solver: diffrax.AbstractSolver) -> int:
    """The degree of the polynomial that is a solver's dense output, or one by which it is interpolated."""
    return next((degree for kind, degree in _DEGREES.items() if type(solver) is kind), _HIGHEST)


def before(flow: AbstractFlow, state: Any, t: Array, most: int | None) -> Crossings:
    """At the start of a flow."""
    factors = sign_of(flow.sign_factors(state))
    never = jnp.full((), jnp.nan, jnp.asarray(t).dtype)
    times = None if most is None else jnp.full((most, factors.shape[1]), never)
    return Crossings(factors, unflipped(jnp.prod(factors, axis=0, dtype=jnp.int8), never), times)


def after_step(
    flow: AbstractFlow, crossings: Crossings, path: Any, t0: Array, t1: Array, degree: int, counts: Array | None = None
) -> Crossings:
    """After a step from t₀ to t₁ with the dense output `path`. `counts`: whether what is found here will be kept."""
    nodes = t0 + (t1 - t0) * jnp.asarray(_nodes(degree), t0.dtype)
    states = jax.vmap(lambda t: path.evaluate(t))(jnp.clip(nodes, min=t0, max=t1))
    values, noise = jax.vmap(flow.sign_factors)(states), jax.vmap(flow.sign_noise)(states)
    values = jnp.where(jnp.abs(values) <= noise, 0, values)
    kept = crossings.factors.astype(values.dtype)
    hull = jnp.concatenate([kept[None], jnp.tensordot(jnp.asarray(_bernstein(degree), values.dtype), values, axes=1)])
    up, down = jnp.any(hull > 0, axis=0), jnp.any(hull < 0, axis=0)
    signs = jnp.where(up, 1, jnp.where(down, -1, kept))

    def search():
        coefficients = jnp.tensordot(jnp.asarray(_monomials(degree), values.dtype), values, axes=1)
        found, ends = _roots(coefficients, values[-1], kept)
        return jnp.where(up & down, found, jnp.inf), jnp.where(up & down, ends, signs)

    def nothing():
        return jnp.full((degree + 1, *values.shape[1:]), jnp.inf, values.dtype), signs

    # One question to all instances: asked of each, both answers would be worked out for all of them.
    asked = up & down if counts is None else up & down & counts
    found, signs = jax.lax.cond(eqxi.unvmap_any(asked), search, nothing)
    return _recorded(crossings, t0 + found * (t1 - t0), signs)


def _recorded(crossings: Crossings, found: Array, signs: Array) -> Crossings:
    """`found`: when the functionals crossed, (slots, factors, d), infinite where not. `signs`: theirs at the end."""
    flips, factors = crossings.flips, sign_of(signs)
    sign = jnp.prod(factors, axis=0, dtype=jnp.int8)
    events = found.reshape(-1, found.shape[-1])
    events = jnp.where((flips.sign != 0) & (sign != 0), events, jnp.inf)
    if signs.shape[0] > 1:
        events = jnp.sort(events, axis=0)
    is_event = jnp.isfinite(events)
    number = jnp.cumsum(is_event, axis=0, dtype=jnp.int32)
    count = number[-1]
    times = crossings.times
    if times is not None:
        rows = jnp.arange(times.shape[0], dtype=jnp.int32)[:, None]
        for event, present, place in zip(events, is_event, flips.gross[None] + number - 1, strict=True):
            times = jnp.where((rows == place[None]) & present[None], event[None], times)
    last = jnp.max(jnp.where(is_event, events, -jnp.inf), axis=0)
    now = Flips(
        initial=jnp.where(flips.initial == 0, sign, flips.initial),
        sign=jnp.where(sign == 0, flips.sign, sign),
        gross=flips.gross + count,
        first=jnp.where((flips.gross == 0) & (count > 0), jnp.min(events, axis=0), flips.first),
        last=jnp.where(count > 0, last, flips.last),
    )
    return Crossings(factors, now, times)


def _roots(coefficients: Array, end: Array, kept: Array) -> tuple[Array, Array]:
    """The roots in [0, 1] of polynomials `Σ cⱼ xʲ` at which they change their sign, and the signs at the end.

    Args:
        coefficients: (degree + 1, ...).
        end: The values at 1.
        kept: The signs from before.

    Returns:
        The roots, (degree + 1, ...), in increasing order, infinite where there are fewer; and the signs.
    """
    degree = coefficients.shape[0] - 1
    derivatives = [coefficients]
    for _ in range(degree - 1):
        powers = jnp.arange(1, derivatives[-1].shape[0], dtype=coefficients.dtype)
        derivatives.append(derivatives[-1][1:] * powers.reshape((-1,) + (1,) * kept.ndim))
    knots = jnp.stack([jnp.zeros_like(kept), jnp.ones_like(kept)])
    for lower in derivatives[:0:-1]:
        left, right = knots[:-1], knots[1:]
        sign = jnp.sign(_value(lower, left))
        inner = jnp.where(sign * _value(lower, right) < 0, _enclosed(lower, left, right, sign), right)
        knots = jnp.concatenate([knots[:1], inner, knots[-1:]])
    # Where it only touches zero, rounding decides on the side.
    noise = 8 * jnp.finfo(kept.dtype).eps * jnp.sum(jnp.abs(coefficients), axis=0)
    values = jnp.concatenate([_value(coefficients, knots[:-1]), end[None]])
    unclear = jnp.concatenate([jnp.abs(values[:-1]) <= noise[None], end[None] == 0])
    signs, flipped = [kept], []
    for value, skip in zip(values, unclear, strict=True):
        signs.append(jnp.where(skip, signs[-1], jnp.sign(value)))
        flipped.append(signs[-2] * signs[-1] < 0)
    roots = _enclosed(coefficients, knots[:-1], knots[1:], jnp.stack(signs[1:-1]))
    roots = jnp.concatenate([jnp.zeros_like(roots[:1]), roots])
    return jnp.where(jnp.stack(flipped), roots, jnp.inf), signs[-1]


def _value(coefficients: Array, x: Array) -> Array:
    """The polynomials, (powers, ...), at the points x, (points, ...)."""
    value = jnp.broadcast_to(coefficients[-1], x.shape)
    for coefficient in coefficients[-2::-1]:
        value = value * x + coefficient[None]
    return value


def _enclosed(coefficients: Array, left: Array, right: Array, sign: Array) -> Array:
    """The root of a monotone piece between `left`, where it has this sign, and `right`, where it has the other one."""
    slopes = coefficients[1:] * jnp.arange(1, coefficients.shape[0], dtype=left.dtype).reshape(
        (-1,) + (1,) * (coefficients.ndim - 1)
    )

    def closer(i, bracket):
        left, right, x = bracket
        value = _value(coefficients, x)
        on_left = value * sign > 0
        left, right = jnp.where(on_left, x, left), jnp.where(on_left, right, x)
        newton = x - value / _value(slopes, x)
        # At the root rounding may place it an ulp outside; a step far outside is no good.
        use = (jnp.abs(newton - x) <= right - left) & (i >= _BISECTIONS)
        return left, right, jnp.where(use, jnp.clip(newton, left, right), (left + right) / 2)

    return jax.lax.fori_loop(0, _ITERATIONS, closer, (left, right, (left + right) / 2))[2]


@cache
def _nodes(degree: int) -> np.ndarray:
    """Chebyshev's points of the second kind, on [0, 1]."""
    return (1 - np.cos(np.pi * np.arange(degree + 1) / degree)) / 2


@cache
def _monomials(degree: int) -> np.ndarray:
    """From the values at the nodes to the coefficients of the powers."""
    return np.linalg.inv(np.vander(_nodes(degree), increasing=True))


@cache
def _bernstein(degree: int) -> np.ndarray:
    """From the values at the nodes to the coefficients of Bernstein's polynomials, whose hull contains the values."""
    x, j = _nodes(degree)[:, None], np.arange(degree + 1)[None, :]
    binomial = np.array([math.comb(degree, i) for i in range(degree + 1)])
    return np.linalg.inv(binomial * x**j * (1 - x) ** (degree - j))
