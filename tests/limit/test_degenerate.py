"""Problems whose least L1 norm has many minimisers, and problems without a choice: what selects the limit."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

import hamtheory as ht
from tests.limit.instances import FAMILIES, KINDS, D, at, facet, instance, out_of_row_space, relative


@pytest.mark.parametrize("family", FAMILIES)
def test_equal_and_opposite_columns_share_equally(family):
    base = np.random.default_rng(0).standard_normal((8, 10))
    X = np.hstack([base, -base, base, -base])
    problem = ht.LinearRegression(X, X @ np.random.default_rng(1).standard_normal(D))
    for ell in (-30.0, 10.0, 1e4):
        copies = np.asarray(ht.solve_limit(problem, at(family, ell)).theta).reshape(4, 10)
        # η is the same for all: the copies differ by the rounding of s, up to 1e4 and a sum of 8 terms, alone.
        np.testing.assert_allclose(copies * np.array([1, -1, 1, -1])[:, None], copies[[0]].repeat(4, 0), rtol=1e-10)
    pursuit = ht.certify_basis_pursuit(problem)
    assert not pursuit.is_unique
    face = np.asarray(pursuit.face).reshape(4, 10)
    assert (face == face[0]).all() and face[0].sum() == 8
    np.testing.assert_allclose(np.abs(copies).sum(), pursuit.norm, rtol=1e-8)


@pytest.mark.parametrize("family", FAMILIES)
def test_of_many_minimisers_the_limit_has_the_largest_entropy(family):
    problem, c, spikes = facet(n=8, size=12, margin=0.3)
    pursuit = ht.certify_basis_pursuit(problem)
    face = np.abs(c) == 1
    assert not pursuit.is_unique
    np.testing.assert_array_equal(pursuit.face, face)
    np.testing.assert_allclose(pursuit.correlations, c, atol=1e-9)  # the certificate is unique: 12 columns span R⁸
    np.testing.assert_allclose(pursuit.margin, 0.3, atol=1e-9)
    np.testing.assert_allclose(pursuit.norm, np.abs(spikes).sum(), rtol=1e-9)
    theta = np.asarray(ht.solve_limit(problem, at(family, 1e4)).theta)
    np.testing.assert_allclose(np.abs(theta).sum(), pursuit.norm, rtol=1e-10)
    assert np.abs(theta[~face]).max() <= 1e-12 and (theta * c > 0)[face].all()
    X = np.asarray(problem.X)[:, face]
    weights, signed = np.abs(theta[face]), X * c[face]
    assert out_of_row_space(X, c[face] * np.log(weights)) <= 1e-8  # stationary: the gap is at the level of rounding
    negative_entropy = lambda w: float(np.sum(w * np.log(w)))  # noqa: E731
    other = scipy.optimize.minimize(
        negative_entropy,
        np.abs(spikes)[face],
        jac=lambda w: np.log(w) + 1,
        bounds=[(1e-9, None)] * 12,
        constraints={"type": "eq", "fun": lambda w: signed @ w - problem.y, "jac": lambda w: signed},
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 500},
    )
    assert np.linalg.norm(signed @ other.x - problem.y) <= 1e-9
    assert abs(negative_entropy(weights) - other.fun) <= 1e-8  # SLSQP's accuracy; of second order in that of w
    np.testing.assert_allclose(weights, other.x, atol=1e-5)
    assert negative_entropy(np.abs(spikes)[face]) > other.fun + 0.1


def test_sign_designs_are_ties_that_are_reported():
    # With 2 rows of ±1 all 40 columns are ±(1, 1) or ±(1, −1): equal up to sign, and everything is in the face.
    problem = ht.LinearRegression(instance("signs", 2).X, [1.5, 0.4])
    pursuit = ht.certify_basis_pursuit(problem)
    X, y = np.asarray(problem.X), np.asarray(problem.y)
    assert not pursuit.is_unique and bool(pursuit.face.all()) and pursuit.margin == 1
    same = X[0] == X[1]
    shares = np.where(same, X[0] * (y[0] + y[1]) / 2 / same.sum(), X[0] * (y[0] - y[1]) / 2 / (~same).sum())
    np.testing.assert_allclose(ht.solve_limit(problem, at(ht.HAM, 1e4)).theta, shares, rtol=1e-9)


@pytest.mark.parametrize("n", [8, 20, 36])
def test_certificates_of_basis_pursuit_are_certificates(n):
    for kind in KINDS:
        problem = instance(kind, n)
        pursuit = ht.certify_basis_pursuit(problem)
        theta, c = np.asarray(pursuit.theta), np.asarray(pursuit.correlations)
        np.testing.assert_allclose(np.asarray(problem.X) @ theta, problem.y, atol=1e-9)
        np.testing.assert_allclose(np.asarray(problem.X).T @ np.asarray(pursuit.dual), c, atol=1e-9)
        np.testing.assert_allclose(np.abs(theta).sum(), pursuit.norm, rtol=1e-12)
        # HiGHS is exact to 1e-9 or so.
        assert np.abs(c).max() <= 1 + 1e-9 and abs(pursuit.gap) <= 1e-9
        # A basic variable that is 0 may come out as a rounding error, on some processors.
        support, face = np.abs(theta) > 1e-12 * np.abs(theta).max(), np.asarray(pursuit.face)
        assert face[support].all()
        np.testing.assert_allclose(c[support], np.sign(theta[support]), atol=1e-9)
        np.testing.assert_allclose(1 - np.abs(c[~face]).max(), pursuit.margin, atol=1e-12)
        assert 0 < pursuit.margin <= 1
        assert pursuit.is_unique == (np.linalg.matrix_rank(np.asarray(problem.X)[:, face]) == face.sum())
        if kind in ("gaussian", "uneven"):
            assert pursuit.is_unique  # with probability 1


@pytest.mark.parametrize(
    "part",
    [
        1e-6,
        1e-8,
    ],
)
def test_a_small_entry_belongs_to_the_face(part):
    problem, c, spikes = facet(n=8, size=8, margin=0.3)
    small = np.where(np.arange(D) == 0, part * np.abs(spikes).sum() * c, spikes)
    problem = ht.LinearRegression(problem.X, np.asarray(problem.X) @ small)
    pursuit = ht.certify_basis_pursuit(problem)
    np.testing.assert_allclose(pursuit.theta, small, rtol=1e-6)
    np.testing.assert_array_equal(pursuit.face, np.abs(c) == 1)
    np.testing.assert_allclose(pursuit.margin, 0.3, rtol=1e-9)


@pytest.mark.parametrize("family", FAMILIES)
def test_more_spikes_than_rows(family):
    rng = np.random.default_rng(8)
    X = rng.standard_normal((8, D))
    problem = ht.LinearRegression(X, X @ rng.standard_normal(D))
    pursuit = ht.certify_basis_pursuit(problem)
    limit = ht.solve_limit(problem, at(family, 1e4))
    assert int(jnp.sum(jnp.abs(limit.theta) > 1e-8)) == 8 == int(pursuit.face.sum())
    assert 1e4 * pursuit.margin > 30
    assert relative(limit.theta, pursuit.theta) <= 1e-8


def test_as_many_rows_as_columns_leave_no_choice():
    rng = np.random.default_rng(4)
    X, theta = rng.standard_normal((8, 8)), rng.standard_normal(8)
    for ell in (-30.0, 0.0, 10.0, 1e4):
        limit = ht.solve_limit(ht.LinearRegression(X, X @ theta), at(ht.HAM, ell))
        np.testing.assert_allclose(limit.theta, theta, rtol=1e-8)  # the residual's tolerance, times the condition of X


def test_rows_of_zeros_do_not_matter():
    bare = ht.sparse_regression(10, 30, 2, seed=0)
    padded = ht.LinearRegression(np.pad(bare.X, ((0, 10), (0, 0))), np.pad(bare.y, (0, 10)))
    first, second = (ht.solve_limit(problem, ht.HAM(alpha=100.0)).theta for problem in (padded, bare))
    np.testing.assert_allclose(first, second, rtol=0, atol=1e-8)
    for seed in range(20):  # rounding in the null space is no contradiction, on either engine
        bare = ht.sparse_regression(10, 30, 2, seed=seed)
        X, y = np.pad(bare.X, ((0, 20), (0, 0))), np.pad(bare.y, (0, 20))
        assert (
            ht.LinearRegression(X, y).is_consistent
            and ht.LinearRegression(jnp.asarray(X), jnp.asarray(y)).is_consistent
        )
