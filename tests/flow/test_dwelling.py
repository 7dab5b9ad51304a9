"""The flow of a geometry with a dead zone: exact between events, and at its events."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import hamtheory as ht

PROBLEM = ht.sparse_regression(12, 30, 3, seed=0, noise=0.2)
RNG = np.random.default_rng(0)
START = RNG.standard_normal(30) * (RNG.random(30) < 0.5)
CASES = {
    "zero": (ht.LinearizedBregman(2.0, 0.7), None),
    "a start": (ht.LinearizedBregman(2.0, 0.7), START),
    "no dead zone": (ht.LinearizedBregman(0.0, 1.0), START),
    "one a column": (ht.LinearizedBregman(np.linspace(0, 3, 30), np.linspace(0.5, 2, 30)), START),
}


def by_lsoda(problem, geo, theta0, ts):
    """θ at these times, from μ."""
    X, y, lam, delta = problem.X, problem.y, geo.lam, geo.delta
    theta = lambda mu: delta * np.sign(mu) * np.maximum(np.abs(mu) - lam, 0)  # noqa: E731
    velocity = lambda _, mu: -X.T @ (X @ theta(mu) - y) / problem.n  # noqa: E731
    start = geo.mirror_map(np.zeros(problem.d) if theta0 is None else theta0)
    return theta(solve_ivp(velocity, (0, ts[-1]), start, "LSODA", rtol=1e-11, atol=1e-12, t_eval=ts).y.T)


@pytest.mark.parametrize("case", CASES)
def test_it_is_the_path_that_an_integrator_of_mu_takes(case):
    geo, start = CASES[case]
    ts = np.geomspace(0.01, 30, 25)
    flow = ht.solve_flow(PROBLEM, geo, start, ts=ts)
    np.testing.assert_allclose(flow.thetas, by_lsoda(PROBLEM, geo, start, ts), atol=1e-9)
    assert flow.result in (ht.Result.reached_end, ht.Result.converged) and np.array_equal(flow.ts, ts)


@pytest.mark.parametrize("case", CASES)
def test_it_ends_at_the_limit_with_a_certificate(case):
    geo, start = CASES[case]
    flow, limit = ht.solve_flow(PROBLEM, geo, start, rtol=1e-10), ht.solve_limit(PROBLEM, geo, start)
    np.testing.assert_allclose(flow.theta, limit.theta, atol=1e-8)
    assert flow.result == ht.Result.converged and flow.residual <= 1e-10 and flow.stats["relative_gap"] <= 1e-10
    np.testing.assert_array_equal(flow.theta != 0, limit.theta != 0)
    np.testing.assert_allclose(flow.thetas[-1], flow.theta)
    steps = ht.solve_flow(PROBLEM, geo, start, save="steps")
    assert steps.ts.size <= steps.stats["steps"] + 3
    np.testing.assert_allclose(by_lsoda(PROBLEM, geo, start, steps.ts[1:-1])[-1], steps.thetas[-2], atol=1e-8)


@pytest.mark.parametrize(
    ("a", "y", "lam", "delta"), [(0.7, 1.0, 0.5, 2.0), (0.1, 3.0, 4.0, 0.3), (2.0, 0.5, 1e-3, 1.0)]
)
def test_a_flip_has_a_dwell(a, y, lam, delta):
    """In one dimension, from −a to y: at 0 after `ln(1 + a/y)/δ`, and on after another 2λ/y."""
    problem, geo = ht.LinearRegression([[1.0]], [y]), ht.LinearizedBregman(lam, delta)
    events = ht.signs.flip_events(ht.solve_flow(problem, geo, [-a]))
    arrival = np.log1p(a / y) / delta
    assert events.gross.tolist() == [1] and events.sign.tolist() == [1] and events.initial.tolist() == [-1]
    np.testing.assert_allclose([events.arrivals[0, 0], events.first[0]], [arrival, arrival + 2 * lam / y], rtol=1e-12)
    np.testing.assert_allclose(ht.signs.first_passage_time(geo, a, y), arrival, rtol=1e-12)
    assert np.isnan(events.times[1:]).all()
    later = arrival + 2 * lam / y + 0.3 / delta
    theta = ht.solve_flow(problem, geo, [-a], ts=[0.5 * arrival, arrival + lam / y, later]).thetas[:, 0]
    np.testing.assert_allclose(
        theta, [y - (y + a) * np.exp(-delta * 0.5 * arrival), 0, y * -np.expm1(-0.3)], rtol=1e-12, atol=1e-15
    )


def test_flips_are_those_of_a_dense_path():
    """Entries that come to 0 and leave on the same side have not flipped."""
    geo, start = ht.LinearizedBregman(0.1, 0.7), np.random.default_rng(0).standard_normal(30)
    flow = ht.solve_flow(PROBLEM, geo, start)
    events = ht.signs.flip_events(flow)
    ts = np.linspace(1e-4, 10, 30_000)
    seen = ht.signs.flips(np.vstack([start, ht.solve_flow(PROBLEM, geo, start, ts=ts).thetas]))
    np.testing.assert_array_equal(seen.sum(axis=0), events.gross)
    flipped = events.gross > 0
    assert flipped.sum() > 10 and flow.stats["steps"] > 2 * events.gross.sum()
    when = np.where(flipped, ts[np.argmax(seen, axis=0)], np.nan)
    np.testing.assert_allclose(when, events.first, atol=2 * (ts[1] - ts[0]))
    assert np.all(events.arrivals[0, flipped] < events.first[flipped])
    np.testing.assert_array_equal(events.sign, np.sign(start) * (-1) ** events.gross)


@pytest.mark.parametrize("unit", [1e-150, 1e-60, 1e100])
def test_units_do_not_matter(unit):
    geo, moved = ht.LinearizedBregman(2.0, 0.7), ht.LinearizedBregman(2.0 * unit, 0.7)
    ts = np.array([0.1, 1.0, 10.0, 100.0])
    one = ht.solve_flow(PROBLEM, geo, ts=ts).thetas
    other = ht.solve_flow(ht.LinearRegression(PROBLEM.X, PROBLEM.y * unit), moved, ts=ts).thetas / unit
    np.testing.assert_allclose(other, one, atol=1e-12)
    end = ht.solve_flow(ht.LinearRegression(PROBLEM.X * unit, PROBLEM.y * unit), geo)
    np.testing.assert_allclose(end.theta, ht.solve_flow(PROBLEM, geo).theta, atol=1e-9)


def test_equal_columns_what_has_no_solution_and_what_is_there_already():
    X = RNG.standard_normal((6, 8))
    twice = ht.solve_flow(ht.LinearRegression(np.hstack([X, X[:, :3]]), X[:, 0] - X[:, 4]), ht.LinearizedBregman(1.0))
    np.testing.assert_allclose(twice.theta[:3], twice.theta[8:], atol=1e-12)
    tall = RNG.standard_normal((20, 6))
    y = tall[:, 0] + RNG.standard_normal(20)
    lost = ht.solve_flow(ht.LinearRegression(tall, y), ht.LinearizedBregman(1.0))
    assert lost.result == ht.Result.infeasible
    np.testing.assert_allclose(lost.theta, np.linalg.lstsq(tall, y)[0], atol=1e-6)
    theta0 = np.arange(8.0)
    there = ht.solve_flow(ht.LinearRegression(X, X @ theta0), ht.LinearizedBregman(1.0), theta0)
    np.testing.assert_allclose(there.theta, theta0, atol=1e-12)
    assert there.result == ht.Result.converged and there.stats["steps"] == 0


def test_a_budget_and_bad_arguments():
    geo = ht.LinearizedBregman(2.0, 0.7)
    some = ht.solve_flow(PROBLEM, geo, max_steps=3, throw=False)
    assert some.result == ht.Result.max_steps and some.stats["steps"] == 4
    for options, says in (
        ({"coordinates": "primal"}, "coordinates must be 'dual' or None for LinearizedBregman"),
        ({"solver": "lsoda"}, "solver must be left out for LinearizedBregman"),
        ({"dt": 0.1, "solver": "euler"}, "solver must be left out"),
        ({"ts": [2.0, 1.0]}, "ts must be increasing"),
        ({"rtol": 0.0}, "rtol"),
    ):
        with pytest.raises(ValueError, match=says):
            ht.solve_flow(PROBLEM, geo, **options)


@pytest.mark.parametrize("rows", [np.full(5, 1e-150), np.array([1e-8, 1.0, 1e8, 1.0, 1.0])])
def test_where_rounding_decides_what_enters_it_stalls_instead_of_going_on(rows):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((5, 9)), rng.standard_normal(5)
    columns = np.ones((5, 1)) if rows[0] == rows[1] else rows[:, None]  # θ of size 1e-150, or rows of any size
    flow = ht.solve_flow(ht.LinearRegression(X * columns, y * rows), ht.LinearizedBregman(1.0), throw=False)
    assert flow.result == ht.Result.stalled and flow.stats["steps"] < 1000
