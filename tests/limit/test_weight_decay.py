"""Limits under weight decay: ridge, lasso, what HAM puts between them, and the path in β, against scikit-learn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import Lasso, Ridge

import hamtheory as ht
from tests.slow import others_slow

KINDS = ["gaussian", "uneven", "correlated", "signs"]
SHAPES = [(20, 40), (40, 20)]
FRACTIONS = [1.5, 0.5, 0.1, 1e-2, 1e-4]  # of the λ from which on the lasso's θ is 0
TOL = 1e-10


def instance(kind, n, d, seed=1):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    if kind == "uneven":
        X *= 10.0 ** rng.uniform(-1, 1, d)
    elif kind == "correlated":
        X = rng.standard_normal((n, 3)) @ rng.standard_normal((3, d)) + 0.3 * X
    elif kind == "signs":
        X = np.sign(X)
    spikes = np.zeros(d)
    spikes[rng.choice(d, 5, replace=False)] = rng.standard_normal(5)
    return ht.LinearRegression(X, X @ spikes + 0.3 * rng.standard_normal(n))


def arrays(problem):
    return np.asarray(problem.X), np.asarray(problem.y)


def steepest(problem):
    """The largest |∇f(0)|: the least λ for which the lasso's θ is 0."""
    X, y = arrays(problem)
    return float(np.abs(X.T @ y).max() / problem.n)


def solve(problem, geo, weight_decay, **options):
    limit = ht.solve_limit(problem, geo, weight_decay=weight_decay, **options)
    assert limit.stats["stationarity"] <= TOL and limit.stats["relative_gap"] <= TOL
    return limit


def mw(log_gamma=0.0):
    return ht.Hypentropy(log_gamma=jnp.asarray(log_gamma))


def ham(log_alpha):
    return ht.HAM(log_alpha=jnp.asarray(log_alpha))


def ridge(problem, weight_decay):
    model = Ridge(alpha=problem.n * weight_decay, fit_intercept=False, solver="svd")
    return model.fit(*arrays(problem)).coef_


def lasso(problem, penalty):
    return Lasso(alpha=penalty, fit_intercept=False, tol=1e-14, max_iter=1_000_000).fit(*arrays(problem)).coef_


@pytest.mark.parametrize(("n", "d"), SHAPES)
@pytest.mark.parametrize("kind", others_slow(KINDS, "gaussian", "correlated"))
def test_mw_ends_at_the_lasso(kind, n, d):
    problem = instance(kind, n, d)
    X, y = arrays(problem)
    for fraction in FRACTIONS:
        penalty = fraction * steepest(problem)
        limit = solve(problem, mw(), penalty / 2)
        theta, reference = np.asarray(limit.theta), lasso(problem, penalty)
        np.testing.assert_allclose(theta, reference, atol=1e-7 * max(1, np.abs(reference).max()))
        np.testing.assert_array_equal(theta != 0, reference != 0)
        # The certificate, from its definition: ν is feasible, and its value is that of θ.
        dual = (y - X @ theta) / n
        assert np.abs(X.T @ dual).max() <= penalty + TOL * steepest(problem)
        primal = np.sum((X @ theta - y) ** 2) / (2 * n) + penalty * np.abs(theta).sum()
        rounding = (
            TOL * steepest(problem) * np.abs(theta).sum()
        )  # complementarity, where the gradient is off by so much
        assert abs(primal - (y @ dual - n / 2 * dual @ dual)) <= TOL * primal + rounding
        for log_gamma in (-300.0, 5.0):  # γ_t → 0, whatever it was
            np.testing.assert_array_equal(solve(problem, mw(log_gamma), penalty / 2).theta, theta)
    np.testing.assert_array_equal(solve(problem, mw(), 0.75 * steepest(problem)).theta, np.zeros(d))


@pytest.mark.parametrize(("n", "d"), SHAPES)
@pytest.mark.parametrize("kind", others_slow(KINDS, "gaussian", "uneven"))
def test_gradient_descent_ends_at_ridge_and_so_does_ham_without_alpha(kind, n, d):
    problem = instance(kind, n, d)
    for fraction in FRACTIONS:
        weight_decay = fraction * steepest(problem)
        reference = ridge(problem, weight_decay)
        size = np.abs(reference).max()
        np.testing.assert_allclose(
            solve(problem, ht.Euclidean(), weight_decay).theta, reference, atol=1e-9 * size, rtol=0
        )
        # Ψ_α is quadratic up to α|θ| ~ 1e-13.
        for log_alpha in (-1e4, -30.0):
            np.testing.assert_allclose(
                solve(problem, ham(log_alpha), weight_decay).theta, reference, atol=1e-9 * size, rtol=0
            )


@pytest.mark.parametrize(("n", "d"), SHAPES)
@pytest.mark.parametrize("kind", others_slow(KINDS, "gaussian", "signs"))
def test_ham_is_stationary_from_ridge_to_lasso(kind, n, d):
    problem = instance(kind, n, d)
    X, y = arrays(problem)
    for log_alpha in (-1e4, -30.0, -2.0, 0.0, 3.0, 10.0, 20.0, 100.0, 600.0, 1e4):
        for fraction in FRACTIONS:
            # β/α is the lasso's penalty, as far as β is a number.
            log_beta = np.log(fraction * steepest(problem)) + (np.clip(log_alpha, 0, None) if log_alpha < 700 else 0)
            theta = np.asarray(solve(problem, ham(log_alpha), float(np.exp(log_beta))).theta)
            log_size = np.log(np.abs(np.where(theta == 0, 1, theta)))
            decay = np.sign(theta) * np.exp(log_beta + log_size - np.logaddexp(0, log_alpha + log_size))
            violation = np.abs(X.T @ (X @ theta - y) / n + decay).max()
            assert violation <= TOL * steepest(problem), (log_alpha, fraction)


@pytest.mark.parametrize("kind", KINDS)
def test_the_gap_of_ham_is_primal_minus_dual_value(kind):
    # P(θ) = λΣ|θ| − μ ln(1 + |θ|/μ),  P*(λa) = −λμΣ|a| + ln(1 − |a|),  λ = β/α, μ = 1/α.
    problem = instance(kind, 20, 40)
    X, y = arrays(problem)
    for log_alpha, fraction in ((0.0, 0.1), (3.0, 0.5), (3.0, 0.01)):
        slope, barrier = fraction * steepest(problem), np.exp(-log_alpha)
        limit = solve(problem, ham(log_alpha), slope * np.exp(log_alpha))
        theta, dual = np.asarray(limit.theta), np.asarray(limit.dual)
        a = np.abs(X.T @ dual) / slope
        assert a.max() < 1
        value = slope * np.sum(np.abs(theta) - barrier * np.log1p(np.abs(theta) / barrier))
        primal = np.sum((X @ theta - y) ** 2) / 40 + value
        conjugate = -slope * barrier * np.sum(a + np.log1p(-a))
        assert abs(primal - (y @ dual - 10 * dual @ dual - conjugate)) <= TOL * primal


@pytest.mark.parametrize(("n", "d"), SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_ham_with_growing_alpha_ends_at_the_lasso_with_beta_over_alpha(kind, n, d):
    problem = instance(kind, n, d)
    for fraction in (0.5, 0.1, 1e-2):
        penalty = fraction * steepest(problem)
        end = np.asarray(solve(problem, mw(), penalty / 2).theta)
        errors = []
        for log_alpha in (12.0, 20.0, 40.0, 600.0):
            theta = solve(problem, ham(log_alpha), penalty * np.exp(log_alpha)).theta
            errors.append(np.abs(theta - end).max() / np.abs(end).max())
        # Off the support |θ| = μ|a|/(1 − |a|), and what this moves is of the first order in μ = 1/α too.
        assert errors[1] <= 2 * np.exp(-8) * errors[0]
        assert max(errors[2:]) <= 1e-9  # the solver's tolerance, times the conditioning of the support


@pytest.mark.parametrize("kind", KINDS)
def test_ham_with_huge_alpha_and_a_fixed_beta_interpolates_with_the_least_l1_norm(kind):
    problem = instance(kind, 20, 40)
    limit = solve(problem, ham(5000.0), 1.0)
    assert limit.residual <= TOL
    np.testing.assert_allclose(jnp.abs(limit.theta).sum(), jnp.abs(ht.basis_pursuit(problem)).sum(), rtol=1e-8)


@pytest.mark.parametrize(
    ("geo", "weight_decay"),
    [
        pytest.param(ham(1.0), 0.3, marks=pytest.mark.slow),
        (ham(4.0), 5.0),
        pytest.param(mw(-2.0), 0.1, marks=pytest.mark.slow),
        (mw(1.0), 0.1),
    ],
)
def test_the_flow_ends_there(geo, weight_decay):
    problem = instance("gaussian", 20, 40)
    flow = ht.solve_flow(problem, geo, weight_decay=weight_decay * steepest(problem), tol=1e-8)
    limit = solve(problem, geo, weight_decay * steepest(problem))
    assert float(jnp.abs(limit.theta).max()) > 0.1
    np.testing.assert_allclose(flow.theta, limit.theta, atol=1e-6)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    "geo", [ht.symbolic.geometry("1 + a*theta**2", a=3.0), ht.HAM(np.ones(40))], ids=["symbolic", "many alphas"]
)
def test_other_geometries_are_refused(geo):
    problem = instance("gaussian", 20, 40)
    message = f"weight_decay must be 0 for {type(geo).__name__}.*HAM with a scalar parameter; integrate solve_flow"
    with pytest.raises(ValueError, match=message):
        ht.solve_limit(problem, geo, weight_decay=0.1)
    with pytest.raises(ValueError, match=message):
        ht.regularization_path(problem, geo, [0.1])


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda problem: ht.solve_limit(problem, mw(), weight_decay=-0.1),
            "weight_decay must not be negative; got -0.1",
        ),
        (lambda problem: ht.solve_limit(problem, mw(), weight_decay=np.nan), "weight_decay must be finite"),
        (lambda problem: ht.regularization_path(problem, mw(), []), "weight_decays must hold at least one"),
        (lambda problem: ht.regularization_path(problem, mw(), [0.1, 0.0]), "weight_decays must be positive; got 0.0"),
        (lambda problem: ht.regularization_path(problem, mw(), [0.1, np.inf]), "weight_decays must be finite.*index 1"),
        (lambda problem: ht.regularization_path(problem, mw(), 0.1), "weight_decays must have 1 axis"),
    ],
)
def test_bad_strengths_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(instance("gaussian", 20, 40))


@pytest.mark.parametrize(("n", "d"), SHAPES)
def test_dependent_rows_and_columns_and_a_target_out_of_range(n, d):
    # Rank 6, and y far from the range of X: under weight decay there is a limit all the same.
    rng = np.random.default_rng(2)
    X, y = rng.standard_normal((n, 6)) @ rng.standard_normal((6, d)), rng.standard_normal(n)
    problem = ht.LinearRegression(X, y)
    assert not problem.is_consistent and int(problem.rank) == 6
    for fraction in (0.3, 1e-2):
        penalty = fraction * steepest(problem)
        reference = lasso(problem, penalty)
        np.testing.assert_allclose(solve(problem, mw(), penalty / 2).theta, reference, atol=1e-7)
        reference = ridge(problem, penalty)
        np.testing.assert_allclose(solve(problem, ht.Euclidean(), penalty).theta, reference, atol=1e-9)
        np.testing.assert_allclose(solve(problem, ham(-1e4), penalty).theta, reference, atol=1e-9)
        theta = np.asarray(solve(problem, ham(3.0), penalty * np.exp(3)).theta)
        decay = penalty * np.exp(3) * theta / (1 + np.exp(3) * np.abs(theta))
        assert np.abs(X.T @ (X @ theta - y) / n + decay).max() <= TOL * steepest(problem)


@pytest.mark.parametrize(
    ("n", "d"),
    [
        (20, 40),
        (40, 20),
    ],
)
def test_the_dual_is_the_residual(n, d):
    problem = instance("gaussian", n, d)
    X, y = arrays(problem)
    for geo in (mw(), ham(3.0), ht.Euclidean()):
        limit = solve(problem, geo, 0.1 * steepest(problem))
        np.testing.assert_allclose(limit.dual, (y - X @ np.asarray(limit.theta)) / n, atol=TOL * np.linalg.norm(y))


def test_a_zero_target():
    problem = ht.LinearRegression(instance("gaussian", 20, 40).X, np.zeros(20))
    for geo in (mw(), ham(3.0), ham(-1e4), ht.Euclidean()):
        np.testing.assert_array_equal(solve(problem, geo, 0.1).theta, np.zeros(40))


@pytest.mark.slow
def test_batches_of_strengths():
    problem = instance("uneven", 20, 40)
    strengths = steepest(problem) * jnp.array([0.25, 0.05, 0.005])
    for geo in (mw(), ham(3.0)):
        limits = jax.vmap(lambda beta, geo=geo: ht.solve_limit(problem, geo, weight_decay=beta, throw=False))(strengths)
        assert (limits.result == ht.Result.converged).all()
        for strength, theta in zip(strengths, limits.theta, strict=True):
            reference = solve(problem, geo, float(strength)).theta
            np.testing.assert_allclose(theta, reference, atol=1e-9 * float(jnp.abs(reference).max()))


@pytest.mark.parametrize(
    "geo", [pytest.param(mw(), marks=pytest.mark.slow), ham(3.0), ht.Euclidean()], ids=["lasso", "ham", "ridge"]
)
def test_a_path_is_the_limits_in_the_order_of_its_grid(geo):
    for kind in KINDS:
        problem = instance(kind, 20, 40)
        X, y = arrays(problem)
        grid = np.array([0.05, 0.6, 0.01, 0.25, 0.25, 0.005, 0.1]) * steepest(problem)
        path = ht.regularization_path(problem, geo, grid)
        np.testing.assert_array_equal(path.weight_decays, grid)
        assert (path.result == ht.Result.converged).all()
        assert path.stationarity.max() <= TOL and path.relative_gap.max() <= TOL
        for weight_decay, theta, dual in zip(grid, np.asarray(path.thetas), np.asarray(path.duals), strict=True):
            reference = np.asarray(solve(problem, geo, weight_decay).theta)
            # Two runs of one solver: its tolerance, times the conditioning of the problem on its support.
            np.testing.assert_allclose(theta, reference, atol=1e-9 * max(np.abs(reference).max(), 1))
            np.testing.assert_allclose(dual, (y - X @ theta) / 20, atol=TOL * np.linalg.norm(y))
            if geo.penalty(1.0, np.float64).barrier == 0:  # the lasso
                np.testing.assert_array_equal(theta != 0, reference != 0)


def test_a_path_reports_which_point_failed():
    problem = instance("gaussian", 20, 40)
    with pytest.raises(RuntimeError, match=r"max steps.*2 of 2 points failed; the first at weight_decay=0\.1"):
        ht.regularization_path(problem, mw(), [0.1, 0.2], max_steps=2)


@pytest.mark.parametrize(
    ("kind", "seed", "fraction"),
    [("correlated", 0, 1e-2), ("signs", 2, 1e-5), ("gaussian", 8, 0.1), ("uneven", 15, 0.1), ("gaussian", 25, 1e-3)],
)
def test_instances_at_which_the_interior_point_method_sticks(kind, seed, fraction):
    problem = instance(kind, 20, 40, seed)
    solve(problem, mw(), fraction * steepest(problem) / 2)
