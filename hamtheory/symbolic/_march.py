"""Integrals of an inverse metric from zero outwards, and their inversion, for any metric and to rounding.

A first panel reaches from zero to the `radius` within which the metric is still about what it is at zero; the others
are at most as long as they are far from zero, so that a feature of the metric at any scale is met by panels of its own
size; every panel is halved until its Gauss-Legendre rule has converged. All terms are positive for a positive
integrand: nothing cancels. The loop ends when every element of the array is done.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

_N = 16
_ROOTS, _WEIGHTS = np.polynomial.legendre.leggauss(_N)
_ORDERS = np.arange(_N - 3, _N)
_HIGHEST = np.polynomial.legendre.legvander(_ROOTS, _N - 1)[:, _ORDERS] * (2 * _ORDERS + 1)
# For f at the nodes and at the end of a panel: its mean, and its highest three Legendre coefficients.
_RULE = np.append(np.column_stack([np.ones(_N), _HIGHEST]) * _WEIGHTS[:, None] / 2, np.zeros((1, 4)), axis=0)
_NODES = np.append((_ROOTS + 1) / 2, 1.0)
_LARGEST_STEPS = 10_000
_RATIO = 1.1
_SCAN = _RATIO ** np.arange(-725.0, 726.0)  # 1e-30 to 1e30


def find_radius(metric, zero):
    """The radius around zero within which `metric`, looked at in steps of 10 per cent, stays within a factor of two.

    `zero` is zeros of the shape of the metric's parameters; `metric` is as in `march`.
    """
    s = _axis(_SCAN, zero) + zero[..., None]
    ratio = metric(s) / metric(jnp.zeros_like(s))
    first = jnp.min(jnp.where((ratio <= 2) & (ratio >= 0.5), jnp.inf, s), axis=-1)
    return jnp.minimum(first / _RATIO, float(jnp.finfo(zero.dtype).max))


def _axis(constants, like):
    """Constants along one axis more than the array `like` has."""
    return jnp.asarray(constants.reshape((1,) * like.ndim + (-1,)), like.dtype)


class _State(NamedTuple):
    y: jax.Array  # integrated so far
    mirror: jax.Array  # the integral of f
    potential: jax.Array  # the integral of (y - s) f
    moment: jax.Array  # the integral of s f
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

    Arguments: arrays of one shape; `x` and `mu` >= 0, infinite where they are not to matter (f > 0 where mu is);
    `f` maps arrays with one axis more, the last, to arrays of the same shape; `radius` is what `find_radius` says.
    Returns: NaN where x or mu is NaN, where f could not be resolved, or where no finite x is large enough for mu.
    """
    eps, largest = float(jnp.finfo(x.dtype).eps), float(jnp.finfo(x.dtype).max)
    valid, sought = ~jnp.isnan(x + mu), jnp.isfinite(mu)
    end = jnp.where(valid, jnp.minimum(x, largest), 0)
    # Gauss-Legendre squares the error of interpolation; the power 2/3 leaves a margin.
    tolerance = (4 * eps) ** (2 / 3)

    def advance(state):
        first = state.y == 0
        room, missing = end - state.y, mu - state.mirror
        width = jnp.where(sought, jnp.minimum(state.cap, missing / state.slope), state.cap)
        last, width = width >= room, jnp.minimum(width, room)
        far = jnp.where(last, end, state.y + width)

        # On the panel that touches zero, s = y u**4 makes |s|, sqrt(s), s**(3/2), ... polynomials of u.
        u = jnp.where(first[..., None], _axis(_NODES**4, x), _axis(_NODES, x))
        values = f(state.y[..., None] + width[..., None] * u)
        weighted = values * jnp.where(first[..., None], _axis(4 * _NODES**3, x), 1)
        rule = jnp.asarray(_RULE, values.dtype)
        moments = jnp.matmul(jnp.stack([weighted, weighted * u, jnp.abs(weighted)], axis=-2), rule, precision="highest")
        mass, lean, size = (width * moments[..., i, 0] for i in range(3))
        error = width * jnp.max(jnp.abs(moments[..., 0, 1:]), axis=-1)
        ahead = state._replace(
            y=far,
            mirror=state.mirror + mass,
            potential=state.potential + width * (state.mirror + (mass - lean)),
            moment=state.moment + (state.y * mass + width * lean),
            size=state.size + size,
            reach=state.reach + far * size,
            slope=values[..., -1],
        )
        # A short enough panel is taken as it is: there f has a kink, or its own rounding is what is seen.
        allowed = tolerance * jnp.minimum(ahead.size, ahead.reach / far)
        resolved = state.active & ((error <= allowed) | (width < 1e-6 * state.y))
        over = resolved & (mass - missing > 2 * eps * mu)
        moved = resolved & ~over
        longer = jnp.where(first, far, jnp.where(error <= 1e-3 * allowed, jnp.minimum(2 * state.cap, far), state.cap))
        shorter = jnp.where(over, width * jnp.maximum(missing / mass, 0.25), width / 2)
        rest = (missing - mass) / ahead.slope  # by Newton's method, f hardly changing over so short a way
        arrived = moved & sought & (rest <= 2 * eps * far)
        merged = _State(*(jnp.where(moved, new, old) for new, old in zip(ahead, state, strict=True)))
        # Of an f that is a power of s at zero, no first panel is resolved by its own measure.
        failed = state.active & ~resolved & first & ~sought
        return merged._replace(
            size=jnp.where(failed, jnp.maximum(state.size, size), merged.size),
            reach=jnp.where(failed, jnp.maximum(state.reach, far * size), merged.reach),
            y=jnp.where(arrived, far + rest, merged.y),
            cap=jnp.where(moved, longer, jnp.where(state.active, shorter, state.cap)),
            active=state.active & ~(moved & last) & ~arrived,
        )

    zero = jnp.zeros_like(x)
    start = _State(*[zero] * 6, f(zero[..., None])[..., 0], radius, (end > 0) & (mu > 0))
    going = lambda s: jnp.any(s[0].active) & (s[1] < _LARGEST_STEPS)  # noqa: E731
    state = jax.lax.while_loop(going, lambda s: (advance(s[0]), s[1] + 1), (start, 0))[0]
    good = valid & ~state.active & ((state.y < largest) | (end == x))
    found = (state.y, state.mirror, state.potential, state.moment)
    return Reached(*(jnp.where(good, value, jnp.nan) for value in found))
