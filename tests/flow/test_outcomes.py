"""How flows end, what they save, and that they compile once a shape."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hamtheory as ht

PROBLEM = ht.sparse_regression(8, 20, 2, seed=4)
HAM = ht.HAM(20.0)


def test_default_saves_evenly_in_log_time_until_converged():
    flow = ht.solve_flow(PROBLEM, HAM)
    assert flow.result == ht.Result.converged
    assert flow.ts[0] == 0
    np.testing.assert_array_equal(flow.thetas[0], np.zeros(20))
    np.testing.assert_array_equal(flow.thetas[-1], flow.theta)
    assert flow.ts[-1] == flow.stats["time"]
    ratios = np.asarray(flow.ts[2:-1] / flow.ts[1:-2])
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-9)
    assert flow.ts[1] < 1e-3 * flow.ts[-1]
    np.testing.assert_allclose(flow.loss, PROBLEM.loss(flow.thetas), rtol=1e-14)
    assert max(float(flow.residual), float(flow.stats["relative_gap"])) <= 1e-8


def test_saves_the_steps_of_the_integrator():
    flow = ht.solve_flow(PROBLEM, HAM, save="steps")
    assert len(flow.ts) == int(flow.stats["accepted"]) + 1
    assert np.all(np.diff(flow.ts) > 0)


@pytest.mark.slow
def test_saves_at_given_times_whatever_the_solver():
    times = [0.0, 0.01, 0.5, 2.0]
    flows = [
        ht.solve_flow(PROBLEM, HAM, ts=times, coordinates=c, solver=s, rtol=1e-10)
        for c in ("primal", "dual")
        for s in ("tsit5", "kvaerno5")
    ]
    for flow in flows:
        assert flow.ts.tolist() == times
        assert flow.result == ht.Result.reached_end
        np.testing.assert_allclose(flow.thetas, flows[0].thetas, atol=1e-7)


def test_out_of_steps_keeps_the_partial_trajectory():
    flow = ht.solve_flow(PROBLEM, HAM, max_steps=30, throw=False)
    assert flow.result == ht.Result.max_steps
    assert np.all(np.isfinite(flow.thetas))
    assert len(flow.ts) > 2
    full = ht.solve_flow(PROBLEM, HAM)
    np.testing.assert_allclose(flow.theta, full.thetas[np.searchsorted(full.ts, flow.ts[-1])], atol=0.05)
    with pytest.raises(RuntimeError, match=r"max steps.*Measured: time"):
        ht.solve_flow(PROBLEM, HAM, max_steps=30)


def test_an_unstable_step_is_reported_as_nonfinite():
    flow = ht.solve_flow(PROBLEM, ht.Hypentropy(1.0), solver="euler", dt=50.0, throw=False)
    assert flow.result == ht.Result.nonfinite


@pytest.mark.parametrize("coordinates", ["primal", "dual"])
def test_infeasible_runs_to_the_least_squares_set(coordinates):
    X, y = np.vstack([PROBLEM.X, PROBLEM.X[:1]]), np.append(PROBLEM.y, PROBLEM.y[0] + 1.0)
    problem = ht.LinearRegression(X, y)
    flow = ht.solve_flow(problem, HAM, coordinates=coordinates)
    assert flow.result == ht.Result.infeasible
    np.testing.assert_allclose(flow.stats["distance"], np.sqrt(0.5), rtol=1e-12)
    np.testing.assert_allclose(flow.theta, ht.solve_limit(problem, HAM, throw=False).theta, atol=1e-6)


def test_more_rows_than_columns():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((30, 5)), rng.standard_normal(30)
    flow = ht.solve_flow(ht.LinearRegression(X, y), HAM)
    assert flow.result == ht.Result.infeasible
    np.testing.assert_allclose(flow.theta, np.linalg.lstsq(X, y)[0], atol=1e-6)


@pytest.mark.slow
def test_stiff_flows_choose_an_implicit_solver_and_converge():
    geo = ht.Hypentropy(1e-8)
    limit = ht.solve_limit(PROBLEM, geo)
    assert ht.flow.stiffness(PROBLEM, geo, limit.theta) > 1e4
    assert ht.solve_flow(PROBLEM, geo, solver="tsit5", max_steps=5000, throw=False).result == ht.Result.max_steps
    flow = ht.solve_flow(PROBLEM, geo, max_steps=5000)
    np.testing.assert_allclose(flow.theta, limit.theta, atol=1e-6)


def test_starting_at_the_limit_stops_at_once():
    flow = ht.solve_flow(PROBLEM, HAM, PROBLEM.theta_star)
    assert flow.result == ht.Result.converged
    np.testing.assert_allclose(flow.theta, PROBLEM.theta_star, atol=1e-12)


@pytest.mark.slow
def test_inside_vmap_the_end_is_repeated():
    flows = jax.vmap(lambda geo: ht.solve_flow(PROBLEM, geo, throw=False))(ht.HAM(jnp.array([1.0, 20.0])))
    assert (flows.result == ht.Result.converged).tolist() == [True, True]
    assert np.all(np.isfinite(flows.thetas))
    np.testing.assert_array_equal(flows.thetas[:, -1], flows.theta)
    np.testing.assert_allclose(flows.theta[1], ht.solve_limit(PROBLEM, HAM).theta, atol=1e-6)


def test_compiles_once_per_shape():
    solve = eqx.filter_jit(eqx.debug.assert_max_traces(ht.solve_flow, max_traces=1))
    for alpha in (jnp.array(0.5), jnp.array(7.0)):
        for start in (jnp.zeros(20), jnp.ones(20)):
            solve(PROBLEM, ht.HAM(alpha), start, ts=jnp.array([0.1, 1.0]))


def test_progress_bar_stays_silent_on_short_work(capsys):
    ht.solve_flow(PROBLEM, HAM, progress=True)  # compiles, which may take longer than the bar's patience
    capsys.readouterr()
    ht.solve_flow(PROBLEM, HAM, progress=True)
    assert capsys.readouterr().err == ""


def test_a_step_that_overflows_is_shortened():
    # The first trial step of this flow overflows the exponential of the inverse mirror map.
    problem = ht.sparse_regression(40, 100, 5, seed=2)
    theta0 = np.random.default_rng([2, 1]).standard_normal(100) / 40**0.25
    flow = ht.solve_flow(problem, ht.HAM(1000.0), theta0, solver="tsit5", tol=1e-7)
    np.testing.assert_allclose(flow.theta, ht.solve_limit(problem, ht.HAM(1000.0), theta0).theta, atol=1e-5)
