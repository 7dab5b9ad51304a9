"""m⊙w in its own parameters and in θ: the same flow, with and without weight decay."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hamtheory as ht

PROBLEM = ht.sparse_regression(20, 40, 3, seed=3)
TIMES = np.geomspace(1e-3, 100, 60)
TIGHT = {"ts": TIMES, "rtol": 1e-10, "atol": 1e-13}


@pytest.mark.parametrize("gamma", [1.0, 1e-2, 1e-4])
def test_from_zero_it_is_the_hypentropy_flow(gamma):
    product = ht.product_flow(PROBLEM, np.full(40, np.sqrt(2 * gamma)), np.zeros(40), **TIGHT)
    for coordinates in ("primal", "dual"):
        flow = ht.solve_flow(PROBLEM, ht.Hypentropy(gamma), coordinates=coordinates, **TIGHT)
        np.testing.assert_allclose(product.thetas, flow.thetas, atol=1e-7)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("weight_decay", [0.0, 0.01, 0.1])
def test_imbalanced_with_weight_decay_it_is_the_moving_flow(seed, weight_decay):
    m0, w0 = np.random.default_rng(seed).standard_normal((2, 40))
    product = ht.product_flow(PROBLEM, m0, w0, weight_decay=weight_decay, **TIGHT)
    geo = ht.Hypentropy(np.abs(m0**2 - w0**2) / 2)
    flow = ht.solve_flow(PROBLEM, geo, m0 * w0, weight_decay=weight_decay, **TIGHT)
    np.testing.assert_allclose(product.thetas, flow.thetas, atol=1e-7)


def test_its_limit_is_the_bregman_projection():
    m0, w0 = np.random.default_rng(0).standard_normal((2, 40))
    geo = ht.Hypentropy(np.abs(m0**2 - w0**2) / 2)
    flow = ht.product_flow(PROBLEM, m0, w0)
    assert flow.result == ht.Result.converged
    np.testing.assert_allclose(flow.theta, ht.solve_limit(PROBLEM, geo, m0 * w0).theta, atol=1e-6)


def test_weight_decay_leads_to_the_lasso_whatever_the_start():
    decay = 0.05
    for seed in (0, 1):
        m0, w0 = np.random.default_rng(seed).standard_normal((2, 40))
        flow = ht.product_flow(PROBLEM, m0, w0, weight_decay=decay)
        assert flow.result == ht.Result.converged
        gradient, theta = PROBLEM.gradient(flow.theta), flow.theta
        active = jnp.abs(theta) > 1e-3
        np.testing.assert_allclose(gradient[active], -2 * decay * jnp.sign(theta[active]), atol=1e-6)
        assert jnp.all(jnp.abs(gradient) <= 2 * decay + 1e-6)
        assert jnp.all(jnp.abs(theta[~active]) < 1e-6)


def test_ham_and_gradient_descent_with_weight_decay_are_stationary_points():
    decay = 0.05
    for geo in (ht.HAM(5.0), ht.Euclidean()):
        flow = ht.solve_flow(PROBLEM, geo, np.full(40, 0.3), weight_decay=decay)
        assert flow.result == ht.Result.converged
        assert jnp.isnan(flow.duality_gap)
        stationarity = PROBLEM.gradient(flow.theta) + decay * flow.theta / geo.inverse_metric(flow.theta)
        np.testing.assert_allclose(stationarity, np.zeros(40), atol=1e-7)
    ridge = np.linalg.solve(PROBLEM.X.T @ PROBLEM.X / 20 + decay * np.eye(40), PROBLEM.X.T @ PROBLEM.y / 20)
    np.testing.assert_allclose(flow.theta, ridge, atol=1e-6)


def test_balanced_coordinates_keep_their_sign_and_the_flow_says_that_it_is_stuck():
    ones = np.ones(40)
    flow = ht.product_flow(PROBLEM, ones, ones, throw=False)  # all positive; θ* has negative entries
    assert flow.result == ht.Result.stuck
    assert np.all(flow.thetas >= 0)
    with pytest.raises(RuntimeError, match="stuck"):
        ht.product_flow(PROBLEM, np.zeros(40), np.zeros(40))


def test_balanced_with_the_right_signs_converges():
    signs = np.sign(np.asarray(ht.min_norm(PROBLEM)))  # an interpolator in this orthant
    flow = ht.product_flow(PROBLEM, 0.5 * signs, np.full(40, 0.5))
    assert flow.result == ht.Result.converged
    assert np.all(np.asarray(flow.thetas) * signs[None, :] >= 0)


def test_dead_coordinates_are_left_out():
    m0, w0 = np.full(40, 0.3), np.zeros(40)
    m0[[1, 5, 17]] = 0.0
    flow = ht.product_flow(PROBLEM, m0, w0)
    assert flow.result == ht.Result.converged
    assert np.all(flow.thetas[:, [1, 5, 17]] == 0)


@pytest.mark.slow
def test_can_be_vmapped():
    m0 = jnp.stack([jnp.full(40, 0.1), jnp.full(40, 0.3)])
    thetas = jax.vmap(lambda m: ht.product_flow(PROBLEM, m, jnp.zeros(40), throw=False).theta)(m0)
    np.testing.assert_allclose(thetas[1], ht.product_flow(PROBLEM, m0[1], np.zeros(40)).theta, atol=1e-6)
