"""Derivatives of flows at given times, in both modes, inside and outside of `jit`, against differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hamtheory as ht

RNG = np.random.default_rng(3)
PROBLEM = ht.sparse_regression(4, 9, 2, seed=2)
WEIGHTS, START = jnp.asarray(RNG.standard_normal(9)), jnp.asarray(0.2 * RNG.standard_normal(9))
X, Y, TIMES = jnp.asarray(PROBLEM.X), jnp.asarray(PROBLEM.y), jnp.array([0.1, 1.0])
ARGS = (jnp.asarray(5.0), X, Y, START)
HOW = {
    "dual": {"coordinates": "dual", "solver": "tsit5"},
    "primal": {"coordinates": "primal", "solver": "tsit5"},
    "implicit": {"coordinates": "dual", "solver": "kvaerno5"},
    "decay": {"coordinates": "primal", "solver": "tsit5", "weight_decay": 0.1},
}


def value(a, X, y, theta0, **how):
    flow = ht.solve_flow(ht.LinearRegression(X, y), ht.HAM(alpha=a), theta0, ts=TIMES, rtol=1e-12, atol=1e-14, **how)
    return jnp.sum(flow.thetas @ WEIGHTS * jnp.array([1.0, -2.0]))


def difference(f, i, along, h=1e-4):
    at = lambda s: f(*ARGS[:i], ARGS[i] + s * h * along, *ARGS[i + 1 :])  # noqa: E731
    return (at(1) - at(-1)) / (2 * h)


@pytest.mark.slow
@pytest.mark.parametrize("name", HOW)
def test_in_everything_given(name):
    f = lambda *args: value(*args, **HOW[name])  # noqa: E731
    compiled = jax.jit(jax.grad(f, range(4)))(*ARGS)
    for i, (g, same) in enumerate(zip(compiled, jax.grad(f, range(4))(*ARGS), strict=True)):
        np.testing.assert_allclose(g, same, rtol=1e-8, atol=1e-12)
        along = jnp.asarray(RNG.standard_normal(ARGS[i].shape))
        wanted = difference(f, i, along)
        np.testing.assert_allclose(jnp.sum(g * along), wanted, rtol=1e-5, atol=1e-8)
        forward = jax.jvp(lambda x: f(*ARGS[:i], x, *ARGS[i + 1 :]), (ARGS[i],), (along,))[1]  # noqa: B023
        np.testing.assert_allclose(forward, wanted, rtol=1e-5, atol=1e-8)


@pytest.mark.slow
def test_of_many_and_forward_in_jit():
    f = lambda a: value(a, X, Y, START)  # noqa: E731
    many = jnp.array([1.0, 5.0, 50.0])
    one_by_one = [difference(lambda a, *_: f(a), 0, 1.0) if a == 5 else None for a in many]
    for slope in (jax.grad(f), jax.jacfwd(f)):
        found = jax.jit(jax.vmap(slope))(many)
        np.testing.assert_allclose(found[1], one_by_one[1], rtol=1e-5)
        np.testing.assert_allclose(found, [slope(a) for a in many], rtol=1e-7)


@pytest.mark.slow
def test_until_converged_it_is_that_of_the_limit():
    flow = lambda a: ht.solve_flow(ht.LinearRegression(X, Y), ht.HAM(alpha=a), rtol=1e-10).theta @ WEIGHTS  # noqa: E731
    limit = lambda a: ht.solve_limit(ht.LinearRegression(X, Y), ht.HAM(alpha=a)).theta @ WEIGHTS  # noqa: E731
    np.testing.assert_allclose(jax.grad(flow)(5.0), jax.grad(limit)(5.0), rtol=1e-4)
    np.testing.assert_allclose(jax.jacfwd(flow)(5.0), jax.grad(limit)(5.0), rtol=1e-4)


@pytest.mark.slow
def test_what_has_none_says_so():
    f = lambda a: value(a, X, Y, START, **HOW["dual"])  # noqa: E731
    with pytest.raises(RuntimeError, match="solve_flow, twice"):
        jax.grad(jax.grad(f))(5.0)
