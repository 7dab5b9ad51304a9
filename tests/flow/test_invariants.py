"""What flows conserve, and what follows: the dual invariant, m² − w², and Euler's two fates."""

import jax.numpy as jnp
import numpy as np
import pytest

import hamtheory as ht
from hamtheory.metrics import invariant_drift

PROBLEM = ht.sparse_regression(8, 20, 2, seed=4)
RNG = np.random.default_rng(5)
START = 0.5 * RNG.standard_normal(20)
GEOMETRIES = {"gd": ht.Euclidean(), "ham": ht.HAM(20.0), "hypentropy": ht.Hypentropy(0.05)}


@pytest.mark.parametrize("name", GEOMETRIES)
def test_mirror_maps_stay_in_the_row_space(name):
    geo = GEOMETRIES[name]
    drifts = {c: invariant_drift(PROBLEM, geo, ht.solve_flow(PROBLEM, geo, START, coordinates=c).theta, START)
              for c in ("dual", "primal")}  # fmt: skip
    assert drifts["dual"] < 1e-13
    assert drifts["primal"] < 1e-6
    loose = ht.solve_flow(PROBLEM, geo, START, coordinates="primal", rtol=1e-4, atol=1e-6, tol=1e-3)
    if name != "gd":  # whose invariant is linear, which Runge-Kutta methods keep exactly
        assert invariant_drift(PROBLEM, geo, loose.theta, START) > 10 * drifts["primal"]


def test_product_flow_conserves_the_difference_of_squares():
    m0, w0 = RNG.standard_normal((2, 20))
    times = np.linspace(0.1, 5, 20)
    flow = ht.product_flow(PROBLEM, m0, w0, ts=times, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(flow.ms**2 - flow.ws**2, np.tile(m0**2 - w0**2, (20, 1)), atol=1e-8)
    decay = 0.05
    flow = ht.product_flow(PROBLEM, m0, w0, ts=times, weight_decay=decay, rtol=1e-10, atol=1e-12)
    shrinking = (m0**2 - w0**2)[None, :] * np.exp(-4 * decay * times)[:, None]
    np.testing.assert_allclose(flow.ms**2 - flow.ws**2, shrinking, atol=1e-8)


@pytest.mark.parametrize("name", ["ham", pytest.param("hypentropy", marks=pytest.mark.slow)])
def test_euler_keeps_the_bias_in_dual_coordinates_and_loses_it_in_primal_ones(name):
    geo = GEOMETRIES[name]
    limit = ht.solve_limit(PROBLEM, geo, START).theta
    curvature = np.linalg.norm((PROBLEM.X * jnp.sqrt(geo.inverse_metric(limit))[None, :]), 2) ** 2 / PROBLEM.n
    errors = {}
    for coordinates in ("dual", "primal"):
        for fraction in (0.4, 0.2, 0.1):  # of 2/curvature, where Euler's method turns unstable
            how = {"coordinates": coordinates, "solver": "euler", "dt": fraction * 2 / curvature}
            # In primal coordinates it rests at an interpolator that is not the limit, and the gap never closes.
            euler = ht.solve_flow(PROBLEM, geo, START, **how, max_steps=10_000, throw=False)
            np.testing.assert_allclose(PROBLEM.X @ euler.theta, PROBLEM.y, atol=1e-6)  # both interpolate
            errors[coordinates, fraction] = float(jnp.abs(euler.theta - limit).max())
            if coordinates == "dual":
                assert euler.result == ht.Result.converged
    assert all(errors["dual", fraction] < 1e-6 for fraction in (0.4, 0.2, 0.1))
    assert all(errors["primal", fraction] > 1e-3 for fraction in (0.4, 0.2, 0.1))
    assert 1.5 < errors["primal", 0.2] / errors["primal", 0.1] < 2.5  # first order


def test_loss_never_increases_and_stays_below_the_bound():
    for geo in (ht.Euclidean(), ht.HAM(20.0)):
        flow = ht.solve_flow(PROBLEM, geo, START)
        assert np.all(np.diff(flow.loss) <= 1e-12 * flow.loss[0])
        bound = flow.loss[0] * np.exp(-2 * float(PROBLEM.convergence_rate) * np.asarray(flow.ts))
        assert np.all(flow.loss <= bound * (1 + 1e-6) + 1e-14)
