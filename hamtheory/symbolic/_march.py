"""Integrals of an inverse metric from zero outwards, and their inversion, for any metric and to rounding.

A first panel reaches from zero to the `radius` within which the metric is still about what it is at zero; the others
are at most as long as they are far from zero, so that a feature of the metric at any scale is met by panels of its own
size; every panel is halved until its Gauss-Legendre rule has converged. All terms are positive for a positive
integrand: nothing cancels. The loops end when every element of the array is done.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

_N = 16
_ROOTS, _WEIGHTS = np.polynomial.legendre.leggauss(_N)
_U, _W = (_ROOTS + 1) / 2, _WEIGHTS / 2
_ORDERS = np.arange(_N - 3, _N)
_HIGHEST = np.polynomial.legendre.legvander(_ROOTS, _N - 1)[:, _ORDERS] * (2 * _ORDERS + 1) * _W[:, None]
_RULE = np.concatenate([np.stack([_W, _W * _U], axis=1), _HIGHEST], axis=1)
# On the panel that touches zero, s = y u**4 makes |s|, sqrt(s), s**(3/2), ... polynomials of u.
_U0, _SLOPE0 = _U**4, 4 * _U**3
_RULE0 = np.concatenate([np.stack([_W, _W * _U0], axis=1), _HIGHEST], axis=1)
_LARGEST_STEPS = 10_000
_RATIO = 1.1
_SCAN = _RATIO ** np.arange(-725.0, 726.0)  # 1e-30 to 1e30


class _Panel(NamedTuple):
    mass: jax.Array  # mean of f
    lean: jax.Array  # mean of u f, u running from 0 to 1 across the panel
    size: jax.Array  # mean of |f|
    error: jax.Array  # the largest of the highest three Legendre coefficients: f is resolved where they vanish


def find_radius(metric, zero):
    """The radius around zero within which `metric`, looked at in steps of 10 per cent, stays within a factor of two.

    `zero` is zeros of the shape of the metric's parameters; `metric` is as in `integrate`.
    """
    s = _points(zero, jnp.ones_like(zero), _SCAN)
    first = jnp.min(jnp.where(_flat(metric, s), jnp.inf, s), axis=-1)
    return jnp.minimum(first / _RATIO, float(jnp.finfo(zero.dtype).max))


def _flat(metric, s):
    ratio = metric(s) / metric(jnp.zeros_like(s))
    return (ratio <= 2) & (ratio >= 0.5)


def _panel(values, rule):
    moments = jnp.matmul(values, jnp.asarray(rule, values.dtype), precision="highest")
    size = jnp.matmul(jnp.abs(values), jnp.asarray(_W, values.dtype), precision="highest")
    return _Panel(moments[..., 0], moments[..., 1], size, jnp.max(jnp.abs(moments[..., 2:]), axis=-1))


def _points(y, width, nodes):
    nodes = jnp.asarray(nodes.reshape((1,) * y.ndim + (-1,)), y.dtype)
    return y[..., None] + width[..., None] * nodes


def _first_panel(f, metric, y):
    """The panel [0, y], and whether it is resolved."""
    s = _points(jnp.zeros_like(y), y, _U0)
    panel = _panel(f(s) * jnp.asarray(_SLOPE0.reshape((1,) * y.ndim + (-1,)), y.dtype), _RULE0)
    return panel, jnp.all(_flat(metric, s), axis=-1) & (panel.error <= _tolerance(y) * panel.size)


def _tolerance(x):
    # Gauss-Legendre squares the error of interpolation; the power 2/3 leaves a margin.
    return (4 * float(jnp.finfo(x.dtype).eps)) ** (2 / 3)


class _State(NamedTuple):
    y: jax.Array  # integrated so far
    mirror: jax.Array  # the integral of f
    potential: jax.Array  # the integral of (y - s) f
    moment: jax.Array  # the integral of s f
    size: jax.Array  # the integral of |f|, by which errors in the first two are measured
    reach: jax.Array  # the integral of s |f|, by which those in the third are
    step: jax.Array  # the next panel is [y, y + step y]
    active: jax.Array


def _begin(f, metric, y, fits):
    """The state after a first panel [0, y], y having been divided by 16 until that is resolved and its mass `fits`."""

    def shrink(state):
        y, active, _, count = state
        panel, resolved = _first_panel(f, metric, y)
        active = active & ~(resolved & fits(y * panel.mass))
        return jnp.where(active, y / 16, y), active, panel, count + 1

    # An element's panel is the one of its last y, for y = 0 too: the loop runs at least once.
    start = (y, y > 0, _Panel(*[jnp.zeros_like(y)] * 4), 0)
    going = lambda s: (s[3] == 0) | (jnp.any(s[1]) & (s[3] < 1000))  # noqa: E731
    y, _, panel, _ = jax.lax.while_loop(going, shrink, start)
    mass, lean, size = y * panel.mass, y * panel.lean, y * panel.size
    return _State(y, mass, y * (mass - lean), y * lean, size, y * size, jnp.ones_like(y), y > 0)


def _advance(f, state, width):
    """The state after the panel of that width, whether it is resolved, and whether easily so."""
    panel = _panel(f(_points(state.y, width, _U)), _RULE)
    far, error, size = state.y + width, width * panel.error, width * panel.size
    ahead = state._replace(
        y=far,
        mirror=state.mirror + width * panel.mass,
        potential=state.potential + width * (state.mirror + width * (panel.mass - panel.lean)),
        moment=state.moment + width * (state.y * panel.mass + width * panel.lean),
        size=state.size + size,
        reach=state.reach + far * size,
    )
    allowed = _tolerance(far) * jnp.minimum(ahead.size, ahead.reach / far)
    # A step of 1e-6 is taken as it is: there the integrand has a kink, or its own rounding is what is seen.
    return ahead, (error <= allowed) | (state.step <= 1e-6), error <= 1e-3 * allowed


def _accept(state, ahead, moved, failed, easy):
    step = jnp.where(moved & easy, jnp.minimum(2 * state.step, 1), jnp.where(failed, state.step / 2, state.step))
    merged = [jnp.where(moved, new, old) for new, old in zip(ahead, state, strict=True)]
    return _State(*merged)._replace(step=step)


def _loop(advance, state):
    going = lambda s: jnp.any(s[0].active) & (s[1] < _LARGEST_STEPS)  # noqa: E731
    return jax.lax.while_loop(going, lambda s: (advance(s[0]), s[1] + 1), (state, 0))[0]


class Integrals(NamedTuple):
    """`∫₀ˣ f`, `∫₀ˣ (x − s) f` and `∫₀ˣ s f`."""

    mirror: jax.Array
    potential: jax.Array
    moment: jax.Array


def integrate(f, metric, x, radius) -> Integrals:
    """The integrals of f from 0 to x >= 0.

    `f` and `metric` map arrays with one axis more than `x`, which is the last one, to arrays of the same shape;
    `radius` is what `find_radius` says. NaN where x is not finite, or where f could not be resolved.
    """
    finite = jnp.isfinite(x)
    x = jnp.where(finite, x, 0)
    state = _begin(f, metric, jnp.minimum(x, radius), lambda mass: True)

    def advance(state):
        last = state.step * state.y >= x - state.y
        width = jnp.where(last, x - state.y, state.step * state.y)
        ahead, good, easy = _advance(f, state, width)
        good = state.active & good
        ahead = ahead._replace(y=jnp.where(last, x, ahead.y), active=~last)
        return _accept(state, ahead, good, state.active & ~good, easy)

    state = _loop(advance, state._replace(active=state.y < x))
    good = finite & ~state.active
    return Integrals(*(jnp.where(good, value, jnp.nan) for value in (state.mirror, state.potential, state.moment)))


def invert(f, metric, mu, radius):
    """The x >= 0 with `∫₀ˣ f = mu` for `f = 1 / metric` and mu >= 0; NaN where no finite x is large enough.

    Panels from zero outwards until the integral passes mu, then Newton's method inside that panel, kept in a bracket.
    """
    finite = jnp.isfinite(mu)
    mu = jnp.where(finite, mu, 0)
    largest = float(jnp.finfo(mu.dtype).max)
    guess = jnp.minimum(mu * metric(jnp.zeros_like(mu)[..., None])[..., 0] / 4, largest)
    state = _begin(f, metric, jnp.minimum(guess, radius), lambda mass: mass <= mu)

    def width(state):
        return jnp.minimum(state.step * state.y, largest - state.y)

    def advance(state):
        ahead, good, easy = _advance(f, state, width(state))
        good = state.active & good
        passed = good & (ahead.mirror > mu)
        merged = _accept(state, ahead, good & ~passed, state.active & ~good, easy)
        return merged._replace(active=merged.active & ~passed & (merged.y < largest))

    state = _loop(advance, state)
    found = finite & ~state.active & (state.y < largest)
    return jnp.where(found, state.y + _newton(f, state.y, width(state), mu - state.mirror), jnp.nan)


def _newton(f, y, width, target):
    """The e in [0, width] with `∫_y^(y+e) f = target`."""

    def improve(state):
        e, low, high, active, count = state
        excess = e * _panel(f(_points(y, e, _U)), _RULE).mass - target
        low, high = jnp.where(excess <= 0, e, low), jnp.where(excess > 0, e, high)
        new = e - excess / f((y + e)[..., None])[..., 0]
        new = jnp.where((new >= low) & (new <= high), new, (low + high) / 2)
        small = jnp.abs(new - e) <= 2 * float(jnp.finfo(e.dtype).eps) * (y + e)
        return jnp.where(active, new, e), low, high, active & ~small, count + 1

    state = (width / 2, jnp.zeros_like(width), width, width > 0, 0)
    return jax.lax.while_loop(lambda s: jnp.any(s[3]) & (s[4] < 100), improve, state)[0]
