"""The limit: optimality, certificates, extremes, and what it reports when there is none."""

import equinox as eqx
import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

import hamtheory as ht

PROBLEM = ht.sparse_regression(10, 25, 3, seed=2)
START = np.random.default_rng(1).standard_normal(25)
GEOMETRIES = [ht.Euclidean(), ht.HAM(0.1), ht.HAM(30.0), ht.Hypentropy(0.01), ht.Hypentropy(3.0)]


@pytest.mark.parametrize("geo", GEOMETRIES)
@pytest.mark.parametrize("theta0", [None, START], ids=["zero", "random"])
def test_optimality_conditions(geo, theta0):
    limit = ht.solve_limit(PROBLEM, geo, theta0)
    assert limit.result == ht.Result.converged
    theta0 = np.zeros(25) if theta0 is None else theta0
    np.testing.assert_allclose(PROBLEM.X @ limit.theta, PROBLEM.y, atol=1e-13)
    # The mirror maps differ by a vector of the row space, and the dual variable is its preimage under Xᵀ.
    shift = geo.mirror_map(limit.theta) - geo.mirror_map(theta0)
    np.testing.assert_allclose(shift, PROBLEM.X.T @ limit.dual, atol=1e-12)
    # No other interpolator has a smaller divergence.
    null = np.linalg.svd(PROBLEM.X)[2][10:]
    directions = np.random.default_rng(0).standard_normal((20, 15)) @ null
    others = limit.theta[None, :] + np.concatenate([size * directions for size in (1e-3, 0.1, 1.0)])
    least, *larger = ht.bregman_divergence(geo, np.vstack([limit.theta, others]), theta0[None, :])
    assert (np.array(larger) > least).all()


@pytest.mark.parametrize("family", ["ham", "hypentropy"])
def test_duality_gap_is_primal_minus_dual_value(family):
    # In 50 digits, from the definitions, for a dual point that is far from optimal: three Newton steps.
    geo = ht.HAM(3.0) if family == "ham" else ht.Hypentropy(0.1)
    limit = ht.solve_limit(PROBLEM, geo, START, max_steps=2, throw=False)
    assert limit.result == ht.Result.max_steps
    with mpmath.workdps(50):
        a = mpmath.mpf(float(geo.parameter))
        if family == "ham":
            potential = lambda t: ((1 + a * abs(t)) * mpmath.log(1 + a * abs(t)) - a * abs(t)) / a**2  # noqa: E731
            mirror = lambda t: mpmath.sign(t) * mpmath.log(1 + a * abs(t)) / a  # noqa: E731
            conjugate = lambda m: (mpmath.exp(a * abs(m)) - 1 - a * abs(m)) / a**2  # noqa: E731
        else:
            potential = lambda t: (t * mpmath.asinh(t / a) - mpmath.sqrt(t * t + a * a) + a) / 2  # noqa: E731
            mirror = lambda t: mpmath.asinh(t / a) / 2  # noqa: E731
            conjugate = lambda m: a * (mpmath.cosh(2 * m) - 1) / 2  # noqa: E731
        as_mpf = lambda x: [mpmath.mpf(float(v)) for v in x]  # noqa: E731
        theta, theta0, nu, y = map(as_mpf, (limit.theta, START, limit.dual, PROBLEM.y))
        X = [as_mpf(row) for row in PROBLEM.X]
        shift = [sum(X[i][j] * nu[i] for i in range(10)) for j in range(25)]
        pairs = list(zip(theta, theta0, shift, strict=True))
        primal = sum(potential(t) - potential(s) - mirror(s) * (t - s) for t, s, _ in pairs)
        dual = sum(v * w for v, w in zip(y, nu, strict=True))
        dual -= sum(conjugate(mirror(s) + x) - conjugate(mirror(s)) for _, s, x in pairs)
        gap = float(primal - dual)
    assert abs(gap) > 1e-6
    np.testing.assert_allclose(limit.duality_gap, gap, rtol=1e-10)


@pytest.mark.parametrize("exponent", range(-6, 7, 2))
@pytest.mark.parametrize("family", [ht.HAM, ht.Hypentropy])
def test_twelve_decades_from_a_cold_start(family, exponent):
    problem = ht.sparse_regression(40, 100, 5, seed=7)
    for theta0 in (None, np.random.default_rng(3).standard_normal(100)):
        limit = ht.solve_limit(problem, family(10.0**exponent), theta0)
        assert limit.residual < 1e-12
        assert limit.stats["relative_gap"] < 1e-12
        assert limit.stats["steps"] <= 60


def test_euclidean_limit_is_the_closed_form_and_the_ends_are_ends():
    np.testing.assert_allclose(
        ht.solve_limit(PROBLEM, ht.Euclidean(), START).theta, ht.min_norm(PROBLEM, START), atol=1e-13
    )
    np.testing.assert_allclose(ht.min_norm(PROBLEM), np.linalg.pinv(PROBLEM.X) @ PROBLEM.y, atol=1e-13)
    np.testing.assert_allclose(ht.solve_limit(PROBLEM, ht.HAM(1e-6)).theta, ht.min_norm(PROBLEM), atol=1e-5)
    problem = ht.sparse_regression(20, 40, 3, seed=0)  # few enough spikes for basis pursuit to find them
    np.testing.assert_allclose(ht.basis_pursuit(problem), problem.theta_star, atol=1e-12)
    for family in (lambda scale: ht.HAM(1 / scale), ht.Hypentropy):
        limits = [ht.solve_limit(problem, family(scale)).theta for scale in (1e-2, 1e-4, 1e-6)]
        distances = [float(jnp.linalg.norm(theta - problem.theta_star)) for theta in limits]
        assert distances[0] > 2 * distances[1] > 4 * distances[2]


def test_basis_pursuit_is_optimal():
    theta, X = np.asarray(ht.basis_pursuit(PROBLEM)), np.asarray(PROBLEM.X)
    np.testing.assert_allclose(X @ theta, PROBLEM.y, atol=1e-12)
    support = np.abs(theta) > 1e-10
    assert support.sum() <= 10
    # A dual certificate: ν with Xᵀν = sign(θ) on the support; if it is square, ν is unique, and must have |Xᵀν| ≤ 1.
    nu = np.linalg.lstsq(X[:, support].T, np.sign(theta[support]), rcond=None)[0]
    if support.sum() == 10:
        assert np.abs(X.T @ nu).max() <= 1 + 1e-10
    for direction in np.random.default_rng(0).standard_normal((50, 15)) @ np.linalg.svd(X)[2][10:]:
        assert np.abs(theta + 0.01 * direction).sum() >= np.abs(theta).sum() - 1e-12


def test_special_shapes():
    square = ht.LinearRegression(np.diag([1.0, 2.0, 4.0]), [1.0, 1.0, 1.0])
    np.testing.assert_allclose(ht.solve_limit(square, ht.HAM(10.0)).theta, [1, 0.5, 0.25], rtol=1e-12)
    one_row = ht.LinearRegression([[1.0, 1.0, 1.0]], [3.0])
    np.testing.assert_allclose(ht.solve_limit(one_row, ht.HAM(1e5)).theta, [1, 1, 1], rtol=1e-12)
    zero_target = ht.LinearRegression(np.eye(2, 4), [0.0, 0.0])
    limit = ht.solve_limit(zero_target, ht.HAM(5.0))
    assert (float(jnp.abs(limit.theta).max()), float(limit.duality_gap)) == (0, 0)
    already_there = ht.solve_limit(PROBLEM, ht.HAM(5.0), PROBLEM.theta_star)
    np.testing.assert_allclose(already_there.theta, PROBLEM.theta_star, atol=1e-13)
    zero_column = ht.LinearRegression(np.eye(2, 4), [1.0, 2.0])
    np.testing.assert_allclose(ht.solve_limit(zero_column, ht.HAM(5.0), [0, 0, 7, 8]).theta, [1, 2, 7, 8], rtol=1e-12)


def test_dependent_rows_are_handled_and_reported():
    X = np.vstack([PROBLEM.X, PROBLEM.X[0] + PROBLEM.X[1]])
    y = np.append(PROBLEM.y, PROBLEM.y[0] + PROBLEM.y[1])
    limit = ht.solve_limit(ht.LinearRegression(X, y), ht.HAM(30.0), START)
    assert int(limit.stats["rank"]) == 10
    assert limit.dual.shape == (11,)
    np.testing.assert_allclose(limit.theta, ht.solve_limit(PROBLEM, ht.HAM(30.0), START).theta, atol=1e-11)


def test_infeasible_says_so_and_projects_on_the_least_squares_set():
    X, y = np.vstack([PROBLEM.X, PROBLEM.X[:1]]), np.append(PROBLEM.y, PROBLEM.y[0] + 1.0)
    problem = ht.LinearRegression(X, y)
    with pytest.raises(RuntimeError, match=r"infeasible.*distance of y 7\.07e-01"):
        ht.solve_limit(problem, ht.HAM(30.0))
    limit = ht.solve_limit(problem, ht.HAM(30.0), throw=False)
    assert limit.result == ht.Result.infeasible
    np.testing.assert_allclose(limit.stats["distance"], np.sqrt(0.5), rtol=1e-12)
    np.testing.assert_allclose(problem.gradient(limit.theta), np.zeros(25), atol=1e-12)
    shift = ht.HAM(30.0).mirror_map(limit.theta)
    np.testing.assert_allclose(problem.row_space.project(shift) @ problem.row_space.basis, shift, atol=1e-12)


def test_out_of_steps():
    with pytest.raises(RuntimeError, match=r"max steps.*throw=False"):
        ht.solve_limit(PROBLEM, ht.HAM(1e6), max_steps=1)


@pytest.mark.slow
def test_vmap_over_geometries_starts_and_problems_and_a_single_trace():
    alphas = jnp.array([0.1, 10.0, 1e4])
    thetas = jax.vmap(lambda geo: ht.solve_limit(PROBLEM, geo).theta)(ht.HAM(alphas))
    np.testing.assert_allclose(thetas[1], ht.solve_limit(PROBLEM, ht.HAM(10.0)).theta, atol=1e-11)
    starts = jnp.stack([jnp.zeros(25), jnp.asarray(START)])
    thetas = jax.jit(jax.vmap(lambda start: ht.solve_limit(PROBLEM, ht.HAM(10.0), start).theta))(starts)
    np.testing.assert_allclose(thetas[1], ht.solve_limit(PROBLEM, ht.HAM(10.0), START).theta, atol=1e-11)
    problems = jax.tree.map(lambda *x: jnp.stack(x), *(ht.sparse_regression(10, 25, 3, seed=s) for s in (2, 3)))
    limits = jax.vmap(lambda problem: ht.solve_limit(problem, ht.HAM(10.0), throw=False))(problems)
    assert (limits.result == ht.Result.converged).tolist() == [True, True]


def test_compiles_once_per_shape():
    solve = eqx.filter_jit(eqx.debug.assert_max_traces(ht.solve_limit, max_traces=1))
    for alpha in (jnp.array(0.5), jnp.array(7.0)):
        for start in (jnp.zeros(25), jnp.asarray(START)):
            solve(PROBLEM, ht.HAM(alpha), start)


def test_float32_with_a_tolerance_that_it_can_reach():
    problem = ht.LinearRegression(np.asarray(PROBLEM.X, np.float32), np.asarray(PROBLEM.y, np.float32))
    limit = ht.solve_limit(problem, ht.HAM(30.0), tol=1e-5)
    assert limit.theta.dtype == jnp.float32
    np.testing.assert_allclose(limit.theta, ht.solve_limit(PROBLEM, ht.HAM(30.0)).theta, atol=1e-4)


def test_a_trial_step_at_the_end_of_the_range_is_shortened():
    # Here the first Newton step leads to |θ| = 6e305, where the potential overflows and its slope does not.
    limit = ht.solve_limit(ht.sparse_regression(40, 100, 5, seed=18), ht.Hypentropy(log_gamma=-7.368272297580947))
    assert limit.residual < 1e-12


def test_a_result_is_printed_in_a_line():
    limit = ht.solve_limit(PROBLEM, ht.HAM(30.0))
    assert str(limit.result) == f"{limit.result}" == "converged" and limit.result == 0
    assert repr(limit).startswith(
        f"LimitResult(theta=float64[25], dual=float64[10], residual={float(limit.residual)!r}, duality_gap="
    )
    assert f"result=converged, stats={{'steps': {limit.stats['steps']}, " in repr(limit)
    path = ht.limit_path(PROBLEM, ht.HAM, [1.0, 2.0])
    assert repr(path).startswith("LimitPath(log_parameters=[1., 2.], thetas=float64[2, 25], duals=float64[2, 10], ")
    prediction = ht.asymptotics.predict(ht.HAM([1.0, 10.0]), delta=0.5, sigma=0.1, prior=([0.0, 1.0], [0.9, 0.1]))
    assert "norms=([0." in repr(prediction) and "array" not in repr(prediction)
    traced = []
    jax.jit(lambda y: traced.append(repr(ht.LinearRegression(PROBLEM.X, y).row_space)))(jnp.asarray(PROBLEM.y))
    assert "basis=float64[10, 25]" in traced[0]
    assert repr(ht.HAM([1.0, 2.0])) == "HAM(alpha=[1., 2.])"
