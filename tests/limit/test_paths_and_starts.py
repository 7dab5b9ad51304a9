"""Paths of limits from L2 to L1, and what the sparse end is from starts other than zero."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

import hamtheory as ht
from tests.limit.instances import FAMILIES, GRID, KINDS, TOL, D, at, instance, logs, out_of_row_space, relative
from tests.slow import slow


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("start", ["zero", "random"])
def test_a_path_is_the_limits_in_the_order_of_its_grid(family, start):
    problem = instance("uneven", 20)
    theta0 = None if start == "zero" else np.random.default_rng(5).standard_normal(D)
    shuffled = np.random.default_rng(6).permutation(GRID)
    shuffled[3] = shuffled[11]  # a duplicate
    path = ht.limit_path(problem, family, logs(family, shuffled), theta0)
    assert (path.result == ht.Result.converged).all()
    np.testing.assert_array_equal(path.log_parameters, logs(family, shuffled))
    assert relative(path.thetas[3], path.thetas[11]) <= 1e-12  # the second starts where the first ends
    for ell, theta, dual, gap in zip(shuffled, path.thetas, path.duals, path.relative_gap, strict=True):
        limit = ht.solve_limit(problem, at(family, ell), theta0)
        assert gap <= TOL and relative(theta, limit.theta) <= 1e-8, ell
        assert relative(dual, limit.dual) <= np.sqrt(TOL), ell  # the gap is quadratic in the error of the dual point
    ordered = np.argsort(shuffled, kind="stable")
    again = ht.limit_path(problem, family, logs(family, shuffled[ordered]), theta0)
    np.testing.assert_array_equal(again.thetas, path.thetas[ordered])
    assert (path.stats["steps"] >= 0).all() and int(path.stats["steps"].sum()) == int(again.stats["steps"].sum())


@pytest.mark.slow
def test_paths_of_many_instances_at_once():
    problems = [instance(kind, 20) for kind in KINDS]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *problems)
    paths = jax.vmap(lambda problem: ht.limit_path(problem, ht.HAM, GRID, throw=False))(stacked)
    assert paths.thetas.shape == (4, len(GRID), D)
    assert (paths.result == ht.Result.converged).all()
    for problem, thetas in zip(problems, paths.thetas, strict=True):
        alone = ht.limit_path(problem, ht.HAM, GRID).thetas
        for one, other in zip(thetas, alone, strict=True):
            assert relative(one, other) <= 1e-7


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("family", "grid", "error", "message"),
    [
        (ht.HAM, [], ValueError, "grid must hold at least one parameter"),
        (ht.HAM, [0.0, np.nan], ValueError, "grid must be finite; got nan at index 1"),
        (ht.HAM, [0.0, 2e5], ValueError, "log_alpha must be within ±100000.*got 200000"),
        (ht.Hypentropy, [-2e5], ValueError, "log_gamma must be within ±100000.*got -200000"),
        (ht.HAM, [[0.0]], ValueError, "grid must have 1 axis"),
        (ht.Euclidean, [0.0], TypeError, "family must be a class of geometries.*Euclidean"),
        (ht.HAM(1.0), [0.0], TypeError, "family must be a class of geometries"),
        ("HAM", [0.0], TypeError, "family must be a class of geometries"),
    ],
)
def test_bad_grids_and_families_are_refused(family, grid, error, message):
    with pytest.raises(error, match=message):
        ht.limit_path(instance("gaussian", 8), family, grid)


def test_a_path_reports_which_point_failed():
    problem = instance("uneven", 20)
    with pytest.raises(RuntimeError, match=r"max steps.*of 24 points failed; the first at"):
        ht.limit_path(problem, ht.HAM, GRID, max_steps=2)
    path = ht.limit_path(problem, ht.HAM, GRID, max_steps=2, throw=False)
    failed = np.asarray(path.result == ht.Result.max_steps)
    assert failed.any() and not failed[0]  # nearly Euclidean: one Newton step


@pytest.mark.parametrize(("family", "rows"), [(ht.HAM, 1), (ht.Hypentropy, 20)])
def test_a_single_row(family, rows):
    # Here even the L1 norm falls along the path, and the end is the largest column (both of them, if two are equal).
    # Multiples of the row change nothing.
    x = np.random.default_rng(3).standard_normal(D)
    x[7] = -2 * np.abs(x).max()

    def path():
        X = np.outer(np.linspace(1, 2, rows), x)
        return ht.limit_path(ht.LinearRegression(X, 1.5 * np.linspace(1, 2, rows)), family, logs(family, GRID))

    thetas = np.asarray(path().thetas)
    norms = np.abs(thetas).sum(axis=1)
    assert np.diff(norms).max() <= TOL * norms[0]
    np.testing.assert_allclose(thetas[0], x * 1.5 / np.sum(x**2), rtol=1e-10)
    np.testing.assert_allclose(thetas[-1], np.where(np.arange(D) == 7, 1.5 / x[7], 0), atol=1e-14)
    x[30] = -x[7]
    np.testing.assert_allclose(path().thetas[-1][jnp.array([7, 30])], 0.75 / x[[7, 30]], rtol=1e-9)


def least_cost(problem, positive, negative):
    """`min Σ positive θ₊ + negative θ₋` over the interpolators, by HiGHS, and the least reduced cost that is not 0."""
    space, r = problem.row_space, int(problem.rank)
    Q, b = np.asarray(space.basis)[:r], np.asarray(space.target)[:r]
    cost, both = np.concatenate([positive, negative]), np.hstack([Q, -Q])
    solution = scipy.optimize.linprog(cost, A_eq=both, b_eq=b, bounds=(0, None), method="highs-ds")
    assert solution.success
    reduced = cost - solution.eqlin.marginals @ both
    return solution.fun, float(reduced[reduced > 1e-9].min())


def random_start(n, seed):
    rng = np.random.default_rng([n, seed])
    theta0 = rng.standard_normal(D)
    theta0[rng.choice(D, D // 3, replace=False)] = 0
    return theta0


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("n", [*slow(8), 20, *slow(36)])
def test_the_sparse_end_from_a_fixed_start(family, n):
    # αR′(θ₀) = sign(θ₀) (ln α + ln|θ₀| + o(1)), so α D_R(θ, θ₀)/ln α → Σ |θ| − sign(θ₀)θ, with sign(0) = 0.
    # If that can be 0, what it leaves is decided by the next order, Σ |θ| ln|θ/θ₀| − |θ|.
    ties = 0
    for kind in KINDS:
        problem = instance(kind, n)
        for seed in range(2):
            theta0 = random_start(n, seed)
            limit = ht.solve_limit(problem, at(family, 1e4), theta0)
            theta, signs = np.asarray(limit.theta), np.sign(theta0)
            least, margin = least_cost(problem, 1 - signs, 1 + signs)
            size = np.abs(theta).sum()
            excess = (size - signs @ theta - least) / size
            assert -1e-9 <= excess <= 1e-8 + 1e3 * np.exp(-1e4 * margin), (kind, seed)
            if least > 1e-9 * size:
                continue
            ties += 1
            moved = theta0 != 0
            assert np.abs(theta[~moved]).max() <= 1e-12 * size  # zeros would cost
            assert (theta[moved] * theta0[moved] > 0).all()  # so would the other sign
            entropy = signs[moved] * np.log(theta[moved] / theta0[moved])
            # A relative gap of 1e-10 bounds the error of this by its square root.
            assert out_of_row_space(np.asarray(problem.X)[:, moved], entropy) <= 1e-5, (kind, seed)
    assert ties == 8 if n == 8 else ties < 8


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("kind", "n"), [*slow(("uneven", 8), ("correlated", 8)), ("uneven", 20), *slow(("uneven", 36))]
)
def test_the_sparse_end_from_a_start_that_shrinks_with_it(family, kind, n):
    # θ₀ = e^(−a ln α) t: αR′(θ₀) = sign(t) ln(1 + α^(1 − a)|t|) ~ (1 − a) ln α sign(t). At ln α = 1000, a = ½.
    problem, t, a, ell = instance(kind, n), random_start(n, 1), 0.5, 1e3
    theta = np.asarray(ht.solve_limit(problem, at(family, ell), t * np.exp(-a * ell)).theta)
    pull = (1 - a) * np.sign(t)
    least, margin = least_cost(problem, 1 - pull, 1 + pull)
    excess = (np.abs(theta).sum() - pull @ theta - least) / np.abs(theta).sum()
    assert -1e-9 <= excess <= 1e-8 + 1e3 * np.exp(-ell * margin)
    # It is another point than from zero, and from a fixed start.
    assert abs(least - np.abs(ht.basis_pursuit(problem)).sum()) > 1e-3 * least


def test_starts_that_shrink_and_paths_that_are_long():
    # Where θ₀ is kept fixed on the way, the second of these seeds never arrives at n = 36.
    for kind, n, seed in itertools.product(KINDS, (8, 20, 36), range(3)):
        theta0 = np.random.default_rng(seed).standard_normal(D) * np.exp(-500.0)
        for ell in (600.0, 1e3, 1e4):
            limit = ht.solve_limit(instance(kind, n), at(ht.HAM, ell), theta0)
            assert limit.residual <= TOL and limit.stats["steps"] <= 100, (kind, n, seed, ell)
    # Every point of a path is a limit from the same θ₀; the bend is in the way there.
    theta0 = np.random.default_rng(1).standard_normal(D) * np.exp(-500.0)
    problem = instance("gaussian", 36)
    path = ht.limit_path(problem, ht.HAM, [400.0, 1e3], theta0)
    assert relative(path.thetas[-1], ht.solve_limit(problem, at(ht.HAM, 1e3), theta0).theta) <= 1e-8
