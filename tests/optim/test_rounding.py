"""What rounding does to HAM: dtypes, the direct form against adding an update, and entries at the ends of the range."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import hamtheory as ht
from tests.slow import slow

DTYPES = [jnp.bfloat16, jnp.float16, jnp.float32, jnp.float64]


@pytest.mark.parametrize("params", [jnp.bfloat16, *slow(jnp.float16), jnp.float32, *slow(jnp.float64)])
@pytest.mark.parametrize("grads", [jnp.bfloat16, *slow(jnp.float16, jnp.float32), jnp.float64])
def test_dtypes_are_kept(params, grads):
    theta, g = jnp.ones((2, 3), params), jnp.full((2, 3), 0.5, grads)
    for optimizer in (ht.optim.ham(optax.sgd(0.125), 0.125, 8.0), ht.optim.ham_natural(0.125, 8.0)):
        updates, _ = optimizer.update(g, optimizer.init(theta), theta)
        assert updates.dtype == grads
    assert ht.optim.ham_step(theta, g, 0.125, 8.0, 0.0).dtype == params
    random = np.random.default_rng(0)
    theta, g = (jnp.asarray(random.standard_normal((20, 30)), dtype) for dtype in (params, grads))
    updates = -jnp.asarray(0.125, grads) * g
    found = ht.optim.ham_apply(theta, updates, g, 0.125, 8.0, 0.0)
    assert found.dtype == params
    p, u, g64 = (np.asarray(x, np.float64) for x in (theta, updates, g))
    exact = (p + u) * np.exp(-np.sign(p + u) * g64)
    # One rounding of the result, and before it float32 or wider, with what cancels in p + u.
    inner = min(float(jnp.finfo(dtype).eps) for dtype in (params, grads, jnp.float32))
    allowed = float(jnp.finfo(params).eps) / 2 * np.abs(exact) + 10 * inner * (np.abs(exact) + np.abs(p))
    assert (np.abs(np.asarray(found, np.float64) - exact) <= 1.01 * allowed).all()
    rest = ht.optim.ham_apply(*({"b": x[0], "w": x} for x in (theta, updates, g)), 0.125, 8.0, 0.0)
    np.testing.assert_array_equal(rest["b"], np.asarray(p + u)[0].astype(params))


def alternating(dtype, direct, steps=1000):
    """θ over θ₀ after factors that come in pairs of e^x and e^−x, |x| < 5, where the exact answer is 1."""
    random = np.random.default_rng(0)
    half = random.uniform(-4.9, 4.9, (steps // 2, 40, 25))
    grads = jnp.asarray(np.stack([half, -half], 1).reshape(steps, 40, 25), dtype)
    theta = jnp.asarray(random.standard_normal((40, 25)), dtype)
    base = optax.set_to_zero()
    optimizer = ht.optim.ham(base, 1.0, alpha=1.0, beta=0.0)

    def step(carry, g):
        theta, state = carry
        if direct:
            updates, _ = base.update(g, state.base_state, theta)
            return (ht.optim.ham_apply(theta, updates, g, 1.0, 1.0, 0.0), state), None
        updates, state = optimizer.update(g, state, theta)
        return (optax.apply_updates(theta, updates), state), None

    last = jax.lax.scan(step, (theta, optimizer.init(theta)), grads)[0][0]
    return np.asarray(last, np.float64) / np.asarray(theta, np.float64)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_adding_updates_costs_accuracy_where_entries_shrink(dtype):
    """Median relative errors after 1,000 steps: added 1.4e-5 and direct 1.0e-6 in float32, 0.69 and 0.017 in bfloat16.

    The direct form rounds each step by half a unit, which adds up as a random walk. Adding rounds by half a unit of
    what was there before: e⁵ times as much after the strongest factor.
    """
    added, direct = (np.median(np.abs(alternating(dtype, direct) - 1)) for direct in (False, True))
    assert direct <= np.sqrt(1000) * float(jnp.finfo(dtype).eps) / 2
    assert added >= 10 * direct


def test_adding_updates_is_exact_where_no_entry_halves_or_doubles():
    random = np.random.default_rng(0)
    theta = jnp.asarray(random.standard_normal((40, 25)), jnp.float32)
    g = jnp.asarray(random.uniform(-0.6, 0.6, (40, 25)), jnp.float32)
    base = optax.set_to_zero()
    optimizer = ht.optim.ham(base, 1.0, alpha=1.0, beta=0.0)
    updates, _ = optimizer.update(g, optimizer.init(theta), theta)
    direct = ht.optim.ham_step(theta, g, 1.0, 1.0, 0.0)
    assert float(jnp.abs(direct - theta).max()) > 0.5
    np.testing.assert_array_equal(optax.apply_updates(theta, updates), direct)


def test_decay_below_half_a_unit_is_lost_in_low_precision():
    """e^(−ηβ) with ηβ = 10⁻⁶ moves no bfloat16 number, in either form; float32 keeps it."""
    for dtype, moves in ((jnp.bfloat16, False), (jnp.float32, True)):
        theta = jnp.ones((2, 2), dtype)
        stepped = ht.optim.ham_step(theta, jnp.zeros_like(theta), 1e-3, 200.0, 1e-3)
        assert bool((stepped < theta).all()) == moves


def test_the_factor_in_float32_is_the_exponential():
    """Also where it is a power of two: within the bound, whatever it is, and to two units in the last place."""
    x = jnp.linspace(-80, 80, 100_001, dtype=jnp.float32)[None, :]
    one = jnp.ones_like(x)
    for clip in (80.0, 5.0, None):  # None: jnp.exp
        found = np.asarray(ht.optim.ham_step(one, -x, 1.0, 1.0, 0.0, clip=clip), np.float64)
        exponent = np.asarray(x, np.float64) if clip is None else np.clip(np.asarray(x, np.float64), -clip, clip)
        # An exponent in units of log₂ is rounded: by half a unit of it, so that the factor is by so much times it.
        allowed = (2 + np.abs(exponent)) * float(jnp.finfo(jnp.float32).eps)
        assert (np.abs(found / np.exp(exponent) - 1) <= allowed).all()
    assert (ht.optim.ham_step(one, jnp.zeros_like(x), 1.0, 1.0, 0.0) == 1).all()  # no gradient, no decay: no change
    nan = ht.optim.ham_step(one, jnp.full_like(x, jnp.nan), 1.0, 1.0, 0.0)
    assert nan.dtype == jnp.float32 and jnp.isnan(nan).all()


def test_the_factor_can_be_differentiated():
    """As learning a learning rate does: also where it is a power of two."""
    theta, g = jnp.asarray([[0.7, -0.3]], jnp.float32), jnp.asarray([[0.4, 1.1]], jnp.float32)
    slope = jax.jacobian(lambda eta: ht.optim.ham_step(theta, g, eta, 2.0, 0.5))(jnp.float32(0.3))
    exponent = -(2.0 * np.sign(theta) * np.asarray(g) + 0.5)
    np.testing.assert_allclose(slope, exponent * np.asarray(theta) * np.exp(0.3 * exponent), rtol=1e-6)


def test_the_ends_of_the_range():
    theta = jnp.asarray([[1.0, -1.0, 0.0, 2.0, 0.0]])
    g = jnp.asarray([[jnp.inf, jnp.inf, 1e30, jnp.nan, jnp.nan]])
    found = ht.optim.ham_step(theta, g, 0.1, 5.0, 0.1)
    np.testing.assert_allclose(found, [[np.exp(-5), -np.exp(5), 0, np.nan, np.nan]], rtol=1e-14)
    free = ht.optim.ham_step(theta[:, :2], 30 * jnp.ones((1, 2)), 1.0, 1.0, 0.0, clip=None)
    np.testing.assert_allclose(free, [[np.exp(-30), -np.exp(30)]], rtol=1e-13)
    # The gradient of 0 says nothing: sign(0) = 0, and what is left is the decay, of 0.
    at_zero = ht.optim.ham(optax.set_to_zero(), 0.1, 5.0, 0.1)
    updates, _ = at_zero.update(jnp.ones((1, 2)), at_zero.init(jnp.zeros((1, 2))), jnp.zeros((1, 2)))
    np.testing.assert_array_equal(updates, 0)
