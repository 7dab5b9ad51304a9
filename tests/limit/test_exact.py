"""Limits with a dead zone: optimal, exactly sparse, and from a finite λδ on the solution of basis pursuit."""

import numpy as np
import pytest
import scipy.optimize

import hamtheory as ht
from tests.limit.instances import KINDS, D, instance
from tests.slow import slow

START = np.where(np.arange(D) % 3 == 0, np.linspace(-1, 1, D), 0.0)


def penalised(geo, theta):
    return float(geo.potential(theta).sum())


def by_scipy(problem, t):
    """`argmin t‖θ‖₁ + ½‖θ‖²` over the interpolators: `Qᵀb − Ns`, N = 1 − QᵀQ, least ½‖Ns‖² − ⟨Qᵀb, s⟩ in a box."""
    Q, b = problem.row_space.basis, problem.row_space.target
    off, near = np.eye(problem.d) - Q.T @ Q, Q.T @ b
    value = lambda s: (s @ off @ s / 2 - near @ s, off @ s - near)  # noqa: E731
    options = {"ftol": 1e-16, "gtol": 1e-9 * np.abs(near).max(), "maxiter": 20_000, "maxfun": 40_000}
    found = scipy.optimize.minimize(value, 0 * near, jac=True, bounds=[(-t, t)] * problem.d, options=options)
    return near - off @ found.x


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("t", [0.01, 0.3, 2.0])
def test_the_limit_is_that_of_an_independent_solver(kind, t):
    problem = instance(kind, 15)
    limit, other = ht.solve_limit(problem, ht.LinearizedBregman(4 * t, 0.25)).theta, by_scipy(problem, t)
    np.testing.assert_allclose(limit, other, atol=1e-5 * np.abs(other).max())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lam", [0.0, 0.1, 3.0, 1e3, 1e7, 1e15])
@pytest.mark.parametrize("start", [None, START], ids=["zero", "a start"])
def test_the_conditions_of_optimality_hold(kind, lam, start):
    """`θ = δ soft(μ₀ + Xᵀν, λ)` and `Xθ = y`, by hand: together they are enough. Entries of 0 are 0 exactly."""
    if start is not None and lam > 1e7:
        pytest.skip("from a start, no digit of θ is left in μ")
    problem, delta = instance(kind, 20), np.geomspace(0.5, 2.0, D)
    geo = ht.LinearizedBregman(lam, delta)
    limit = ht.solve_limit(problem, geo, start)
    theta, mu = limit.theta, problem.X.T @ limit.dual
    mu = mu if start is None else mu + geo.mirror_map(start)
    size = np.abs(theta).max()
    rounding, on = 1e-11 * max(lam, size), theta != 0
    np.testing.assert_allclose(mu[on], (lam * np.sign(theta) + theta / delta)[on], atol=rounding)
    assert np.abs(mu[~on]).max(initial=0.0) <= lam + rounding
    np.testing.assert_allclose(problem.X @ theta, problem.y, atol=1e-10 * np.linalg.norm(problem.y))
    assert np.abs(theta[on]).min() > 1e-13 * max(size, np.abs(lam) * (start is not None))


@pytest.mark.parametrize("unit", [1e-150, 1e-100, 1e100, 1e150])
def test_units_do_not_matter(unit):
    problem = instance("uneven", 15)
    one = ht.solve_limit(problem, ht.LinearizedBregman(0.4))
    of_theta = ht.solve_limit(ht.LinearRegression(problem.X, problem.y * unit), ht.LinearizedBregman(0.4 * unit))
    np.testing.assert_allclose(of_theta.theta / unit, one.theta, rtol=1e-9, atol=1e-12)
    of_X = ht.solve_limit(ht.LinearRegression(problem.X * unit, problem.y * unit), ht.LinearizedBregman(0.4))
    np.testing.assert_allclose(of_X.theta, one.theta, rtol=1e-9, atol=1e-12)
    for limit in (one, of_theta, of_X):
        assert limit.result == ht.Result.converged and np.array_equal(limit.theta != 0, one.theta != 0)


def test_more_rows_than_rank_duplicates_and_what_has_no_solution():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 6)) @ rng.standard_normal((6, 12))
    X = np.hstack([X, X[:, :4]])
    limit = ht.solve_limit(ht.LinearRegression(X, X[:, 0] - X[:, 5]), ht.LinearizedBregman(2.0))
    np.testing.assert_allclose(limit.theta[:4], limit.theta[12:], atol=1e-12)  # equal columns, equal parts
    assert np.any(limit.theta == 0)
    y = X[:, 0] + rng.standard_normal(30)
    lost = ht.solve_limit(ht.LinearRegression(X, y), ht.LinearizedBregman(2.0), throw=False)
    assert lost.result == ht.Result.infeasible
    np.testing.assert_allclose(X.T @ (X @ lost.theta - y), 0, atol=1e-9 * np.abs(X.T @ y).max())
    assert np.all(ht.solve_limit(ht.LinearRegression(X, 0 * y), ht.LinearizedBregman(2.0)).theta == 0)


def test_no_dead_zone_is_gradient_descent():
    problem = instance("gaussian", 15)
    limit = ht.solve_limit(problem, ht.LinearizedBregman(0.0, 3.0), START)
    np.testing.assert_allclose(limit.theta, ht.min_norm(problem, START), atol=1e-13)


def sparse(kind, seed):
    rng = np.random.default_rng(seed)
    spikes = (rng.random(40) < 0.1) * rng.standard_normal(40)
    spikes[seed] = 1.0
    X = rng.standard_normal((15, 40))
    if kind == "noise":
        return ht.sparse_regression(15, 40, 3, seed=seed, noise=0.3)
    if kind == "uneven":
        X *= np.exp(rng.normal(0, 2, 40))
    elif kind == "correlated":
        smooth = 0.9 ** np.abs(np.subtract.outer(np.arange(40), np.arange(40)))
        X = X @ np.linalg.cholesky(smooth).T
    elif kind == "equal columns":
        signs = rng.choice([-1.0, 1.0], (8, 20))
        X, spikes = np.hstack([signs, signs[:, :5]]), 2.0 * (np.arange(25) == 0) + (np.arange(25) == 1)
    return ht.LinearRegression(X, X @ spikes)


@pytest.mark.parametrize("kind", ["gaussian", "noise", "uneven", "correlated", "equal columns"])
@pytest.mark.parametrize("seed", [*range(4), *slow(*range(4, 12))])
def test_from_the_threshold_on_the_limit_is_basis_pursuit_and_below_it_is_not(kind, seed):
    problem = sparse(kind, seed)
    found = ht.exact_threshold(problem)
    X, theta, t = problem.X, found.theta, found.value
    least, size = np.abs(ht.basis_pursuit(problem)).sum(), np.abs(theta).max()
    for factor, delta in ((1 + 1e-6, 1.0), (1.3, 0.1), (50.0, 3.0)):
        limit = ht.solve_limit(problem, ht.LinearizedBregman(factor * t / delta, delta))
        assert abs(np.abs(limit.theta).sum() / least - 1) < 1e-10
        np.testing.assert_array_equal(limit.theta != 0, theta != 0)
        np.testing.assert_allclose(limit.theta, theta, atol=1e-10 * size)
    # Below it, the limit is better than θ in what it minimises, by an amount that a rounding is not.
    below = ht.LinearizedBregman(0.99 * t)
    limit = ht.solve_limit(problem, below)
    assert np.abs(limit.theta - theta).max() > 1e-6 * size
    assert penalised(below, limit.theta) < penalised(below, theta) * (1 - 1e-12)
    # What proves both, by hand.
    w, z, on = X.T @ found.dual, found.direction, theta != 0
    np.testing.assert_allclose(w[on], (t * np.sign(theta) + theta)[on], atol=1e-9 * max(t, size))
    assert np.abs(w[~on]).max(initial=0) <= t + 1e-9 * max(t, size)
    np.testing.assert_allclose(X @ z, 0, atol=1e-8 * np.abs(X).max() * np.abs(z).max())
    cost = np.sign(theta) @ z + np.abs(z[~on]).sum()
    assert abs(-theta @ z / cost / t - 1) < 1e-7
    assert t * (1 - 1e-9) <= found.bound < np.inf and found.violation < 1e-9


def test_of_many_solutions_it_is_the_one_of_least_l2_norm():
    X = np.random.default_rng(3).standard_normal((4, 6))
    problem = ht.LinearRegression(np.hstack([X, X[:, :2], X[:, :1]]), X[:, 0])  # e₀, thrice
    found = ht.exact_threshold(problem)
    np.testing.assert_allclose(found.theta, np.where(np.isin(np.arange(9), [0, 6, 8]), 1 / 3, 0), atol=1e-12)
    assert not ht.certify_basis_pursuit(problem).is_unique
    np.testing.assert_allclose(
        ht.solve_limit(problem, ht.LinearizedBregman(2 * found.value)).theta, found.theta, atol=1e-12
    )


def test_where_least_l2_is_basis_pursuit_the_threshold_is_zero_and_bad_arguments_are_named():
    found = ht.exact_threshold(ht.LinearRegression(np.eye(3), [1.0, 0.0, -2.0]))
    assert found.value == 0 and not found.direction.any()
    with pytest.raises(ValueError, match="y must not be 0"):
        ht.exact_threshold(ht.LinearRegression(np.eye(3), np.zeros(3)))
    with pytest.raises(ValueError, match="tol"):
        ht.exact_threshold(ht.LinearRegression(np.eye(3), np.ones(3)), tol=0.0)
