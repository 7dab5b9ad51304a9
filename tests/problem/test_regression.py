"""Linear regression: loss, gradient, rank and consistency."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hamtheory as ht

RNG = np.random.default_rng(0)


def test_loss_gradient_and_residual_on_batches():
    problem = ht.LinearRegression(RNG.standard_normal((4, 7)), RNG.standard_normal(4))
    theta = jnp.asarray(RNG.standard_normal((3, 2, 7)))
    assert problem.residual(theta).shape == (3, 2, 4)
    assert problem.loss(theta).shape == (3, 2)
    by_hand = np.sum((np.asarray(problem.X) @ np.asarray(theta[1, 1]) - np.asarray(problem.y)) ** 2) / 8
    np.testing.assert_allclose(problem.loss(theta)[1, 1], by_hand, rtol=1e-14)
    np.testing.assert_allclose(problem.gradient(theta[1, 1]), jax.grad(problem.loss)(theta[1, 1]), rtol=1e-12)


@pytest.mark.parametrize(("n", "d", "rank"), [(5, 9, 5), (9, 5, 5), (6, 10, 3), (1, 8, 1), (4, 4, 4), (3, 6, 0)])
def test_row_space(n, d, rank):
    X = RNG.standard_normal((n, rank)) @ RNG.standard_normal((rank, d))
    problem = ht.LinearRegression(X, X @ RNG.standard_normal(d))
    space = problem.row_space
    assert int(problem.rank) == rank
    assert bool(problem.is_consistent)
    rebuilt = space.left @ (space.singular_values[:, None] * space.basis)
    np.testing.assert_allclose(rebuilt, X, atol=1e-12)
    np.testing.assert_allclose(space.basis @ space.basis.T, np.diag(np.arange(min(n, d)) < rank), atol=1e-12)
    dual = RNG.standard_normal(n)
    np.testing.assert_allclose(space.coordinates(dual) @ space.basis, X.T @ dual, atol=1e-12)
    np.testing.assert_allclose(X.T @ space.dual(space.coordinates(dual)), X.T @ dual, atol=1e-12)


def test_inconsistency_is_measured():
    X = np.vstack([np.eye(2, 5), np.eye(1, 5)])  # the first row twice
    problem = ht.LinearRegression(X, [1.0, 0.0, 2.0])
    assert not bool(problem.is_consistent)
    np.testing.assert_allclose(problem.distance, np.sqrt(0.5), rtol=1e-14)  # of (1, 2) from the diagonal


@pytest.mark.parametrize("seed", range(40))
def test_least_squares_of_rows_of_many_units(seed):
    """Each of r independent equations several times, in units up to 10^±135: least squares has their weighted means.

    A direction of long rows must not be rounded into one of short rows, on whatever processor.
    """
    rng = np.random.default_rng(seed)
    r, repeats = rng.integers(1, 5), rng.integers(1, 4)
    rows, which = (
        rng.standard_normal((r, rng.integers(r, 8))),
        np.concatenate([np.arange(r), rng.integers(r, size=repeats)]),
    )
    units, values = 2.0 ** rng.integers(-450, 450, which.size), rng.standard_normal(which.size)
    problem = ht.LinearRegression(rows[which] * units[:, None], values * units)
    shares = (units / np.array([units[which == i].max() for i in which])) ** 2
    means = np.bincount(which, shares * values) / np.bincount(which, shares)
    assert int(problem.rank) == r and not problem.is_consistent
    np.testing.assert_allclose(problem.row_space.nearest, np.linalg.pinv(rows) @ means, rtol=1e-9, atol=1e-9)
    space, size = problem.row_space, np.linalg.norm(problem.X, axis=1)
    with np.errstate(under="ignore"):
        rebuilt = (space.left * (space.singular_values / size[:, None])) @ space.basis
    np.testing.assert_allclose(rebuilt, problem.X / size[:, None], rtol=0, atol=1e-12)


def test_convergence_rate_is_the_smallest_nonzero_eigenvalue():
    X = RNG.standard_normal((4, 9))
    X = np.vstack([X, X[:1] - X[1:2]])
    eigenvalues = np.linalg.eigvalsh(X @ X.T / 5)
    np.testing.assert_allclose(ht.LinearRegression(X, X @ np.ones(9)).convergence_rate, eigenvalues[1], rtol=1e-12)


def test_sparse_regression_is_reproducible_and_sparse():
    problem, again = (ht.sparse_regression(10, 30, 4, seed=5, noise=0.1) for _ in range(2))
    np.testing.assert_array_equal(problem.X, again.X)
    theta = np.asarray(problem.theta_star)
    assert sorted(np.abs(theta[theta != 0])) == [1.0] * 4
    noise = np.asarray(problem.residual(theta))
    assert 0.02 < noise.std() < 0.3
    assert float(jnp.abs(ht.sparse_regression(10, 30, 4, seed=5).residual(theta)).max()) < 1e-14


def test_can_be_built_under_vmap_and_in_float32():
    X, y = RNG.standard_normal((3, 4, 8)), RNG.standard_normal((3, 4))
    batch = jax.vmap(ht.LinearRegression)(jnp.asarray(X), jnp.asarray(y))
    assert batch.row_space.rank.tolist() == [4, 4, 4]
    single = ht.LinearRegression(X[0].astype(np.float32), y[0].astype(np.float32))
    assert single.dtype == jnp.float32
    assert single.gradient(np.zeros(8)).dtype == jnp.float32
