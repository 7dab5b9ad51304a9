"""The largest margin: against linear programming and support vector machines, with bounds computed here."""

import numpy as np
import pytest
from scipy.optimize import linprog, lsq_linear
from sklearn.svm import SVC

import hamtheory as ht
from tests.slow import slow

RHOS = (1.0, 1.05, 1.5, 2.0, 3.0, 4.0, 20.0, np.inf)


def instance(seed):
    """Separable data of every n/d from .1 to 5: Gaussian, correlated, duplicated, barely separable, badly scaled."""
    rng = np.random.default_rng(seed)
    n, d = [(4, 40), (20, 100), (30, 30), (40, 20), (50, 10)][seed % 5]
    X, truth = rng.standard_normal((n, d)), rng.standard_normal(d)
    kind = seed // 5 % 5
    if kind == 1:
        X = X @ (0.1 * np.eye(d) + np.ones((d, d)) / d)
    if kind == 2:
        X = np.repeat(X[: n // 2], 2, axis=0)
    if kind == 3:  # two samples whose margin is at most 1e-3
        direction = truth / np.linalg.norm(truth)
        across = X[0] - (X[0] @ direction) * direction
        X[0], X[1] = across + 1e-3 * direction, across - 1e-3 * direction
    if kind == 4:
        X = X * 10.0 ** rng.uniform(-3, 3, size=d)
    z = np.where(X @ truth > 0, 1, -1)
    if abs(z.sum()) == n:
        X[-1], z[-1] = -X[-1], -z[-1]
    return ht.BinaryClassification(X, z)


def bounds(problem, found, rho):
    """Both sides of weak duality, by NumPy's norms."""
    conjugate = np.inf if rho == 1 else 1 if rho == np.inf else rho / (rho - 1)
    lower = (problem.signed @ found.theta).min() / np.linalg.norm(found.theta, rho)
    return lower, np.linalg.norm(found.dual @ problem.signed, conjugate)


@pytest.mark.parametrize("seed", range(10))
def test_weak_duality_proves_every_margin(seed):
    problem = instance(seed)
    for rho in RHOS:
        found = ht.solve_margin(problem, rho=rho)
        lower, upper = bounds(problem, found, rho)
        assert found.result == ht.Result.converged
        assert upper - lower <= 1e-8 * upper and found.duality_gap == pytest.approx(upper - lower, abs=1e-12 * upper)
        assert (found.dual >= 0).all() and found.dual.sum() == pytest.approx(1, abs=1e-14)
        assert np.linalg.norm(found.theta, rho) == pytest.approx(1, abs=1e-14)
        margins = problem.margins(found.theta)
        assert np.all(margins[found.support_vectors] <= found.margin * (1 + 1e-3)) and found.support_vectors.any()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10, 100))
def test_weak_duality_proves_more_margins(seed):
    test_weak_duality_proves_every_margin(seed)


def by_highs(problem):
    n, d, A = problem.n, problem.d, problem.signed
    return -linprog(
        np.r_[np.zeros(2 * d), -1.0],
        A_ub=np.block([[-A, A, np.ones((n, 1))], [np.ones((1, 2 * d)), np.zeros((1, 1))]]),
        b_ub=np.r_[np.zeros(n), 1.0],
        bounds=[(0, None)] * (2 * d) + [(None, None)],
    ).fun


@pytest.mark.parametrize("seed", range(10))
def test_l1_is_that_of_a_linear_programme(seed):
    problem = instance(seed)
    assert ht.solve_margin(problem, ht.HAM(alpha=7.0)).margin == pytest.approx(by_highs(problem), rel=1e-9)


@pytest.mark.parametrize("seed", range(10))
def test_l2_is_that_of_a_support_vector_machine(seed):
    problem = instance(seed)
    # No intercept: with every sample twice, mirrored, the best one is 0.
    X, z = np.vstack([problem.X, -problem.X]), np.r_[problem.z, -problem.z]
    machine = SVC(C=1e10, kernel="linear", tol=1e-9).fit(X, z)
    found = ht.solve_margin(problem, ht.Euclidean())
    assert found.margin == pytest.approx(1 / np.linalg.norm(machine.coef_), rel=1e-6)
    np.testing.assert_allclose(found.theta, machine.coef_[0] / np.linalg.norm(machine.coef_), atol=1e-4)
    # The same by bounded least squares, of which a multiple is the nearest point of the convex hull.
    A = problem.signed
    weights = lsq_linear(
        np.vstack([A.T, np.ones(problem.n)]), np.r_[np.zeros(problem.d), 1.0], (0, np.inf), tol=1e-15
    ).x
    assert found.margin == pytest.approx(np.linalg.norm(weights @ A) / weights.sum(), rel=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(200))
def test_every_margin_is_that_of_a_conic_solver(seed):
    pytest.importorskip("clarabel", reason="clarabel is not there; make bench installs it")
    from experiments.benchmarks.margin import by_clarabel

    problem = instance(seed)
    for rho in (1.0, 1.5, 2.0, 4.0):
        found = ht.solve_margin(problem, rho=rho)
        assert found.result == ht.Result.converged and found.duality_gap <= 1e-8 * found.margin
        lower, upper = bounds(problem, found, rho)
        # Scaled by the margin, for their tolerances are absolute.
        scaled = ht.BinaryClassification(problem.X / float(found.margin), problem.z)
        if rho == 1:
            assert by_highs(scaled) == pytest.approx(1, rel=1e-9)
            continue
        theirs = by_clarabel(scaled, rho, "power" if rho == 1.5 else "second-order")
        reached = (problem.signed @ theirs).min() / np.linalg.norm(theirs, rho)
        assert reached <= upper * (1 + 1e-12)  # weak duality: it is above no bound of ours
        assert lower == pytest.approx(reached, rel=1e-7)


def test_the_margin_falls_along_the_path():
    problem = instance(1)
    path = ht.margin_path(problem, RHOS)
    assert (np.diff(path.margin) > 0).all() and path.theta.shape == (len(RHOS), problem.d)
    for i, rho in enumerate(RHOS):
        assert path.margin[i] == ht.solve_margin(problem, rho=rho).margin


@pytest.mark.parametrize("seed", [*range(10), *slow(*range(10, 25))])
def test_what_cannot_be_separated_is_proved_so(seed):
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(10, 60)), int(rng.integers(2, 40))
    X, z = rng.standard_normal((n, d)), rng.choice([-1, 1], n)
    if seed % 3 == 0:
        X[1] = X[0]
    else:
        weights = rng.uniform(size=n)
        signed = z[:, None] * X
        X[1] = -z[1] * (weights @ signed - weights[1] * signed[1]) / weights[1]  # now Σ w_i z_i x_i = 0
    z[:2] = (1, -1) if seed % 3 == 0 else z[:2]
    if abs(z.sum()) == n:
        pytest.skip("one class")
    problem = ht.BinaryClassification(X, z)
    for rho in (1.0, 1.5, 2.0, np.inf):
        found = ht.solve_margin(problem, rho=rho)
        assert found.result == ht.Result.infeasible and found.margin == 0 and not found.theta.any()
        assert np.abs(found.dual @ problem.signed).max() <= 1e-12 * np.abs(X).max()
        assert (found.dual >= 0).all() and found.dual.sum() == pytest.approx(1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(25, 130))
def test_more_that_cannot_be_separated_is_proved_so(seed):
    test_what_cannot_be_separated_is_proved_so(seed)


@pytest.mark.parametrize("power", [-300, -3, 300])
def test_units_do_not_matter(power):
    problem, unit = instance(0), 2.0**power
    scaled = ht.BinaryClassification(problem.X * unit, problem.z)
    for rho in (1.0, 1.5, 4.0):
        one, other = ht.solve_margin(problem, rho=rho), ht.solve_margin(scaled, rho=rho)
        assert other.margin / unit == pytest.approx(float(one.margin), rel=1e-9)
        np.testing.assert_allclose(other.theta, one.theta, atol=1e-7)


def test_weights_of_the_horizon_are_units_of_the_columns():
    problem = instance(1)
    alpha = np.geomspace(1, 10, problem.d)
    geo = ht.HAM(alpha=alpha)
    found = ht.solve_margin(problem, geo)
    assert geo.horizon().gauge(found.theta) == pytest.approx(1)
    other = ht.BinaryClassification(problem.X * alpha, problem.z)
    assert found.margin == pytest.approx(float(ht.solve_margin(other, rho=1.0).margin), rel=1e-9)


@pytest.mark.parametrize(
    "arguments, options, error, message",
    [
        ((), {"rho": 0.5}, ValueError, "rho must be from 1 to infinity; got 0.5"),
        ((), {"rho": np.nan}, ValueError, "rho must be from 1 to infinity; got nan"),
        ((), {}, ValueError, "needs either geo or rho; got neither"),
        ((ht.Euclidean(),), {"rho": 2.0}, ValueError, "needs either geo or rho; got both"),
        ((ht.DiagonalNetwork(3, 0.1),), {}, ValueError, "its mirror map is bounded"),
        ((ht.symbolic.horizon("(1 + abs(theta))**p"),), {}, ValueError, "rho must be a number; got 2 - p"),
        (("gd",), {}, TypeError, "AbstractGeometry|must be a geometry"),
        ((ht.HAM(alpha=np.ones(3)),), {}, ValueError, "alpha must be a scalar or have shape"),
        ((), {"rho": 2.0, "tol": 0.0}, ValueError, "tol must be positive"),
    ],
)
def test_bad_arguments(arguments, options, error, message):
    with pytest.raises(error, match=message):
        ht.solve_margin(instance(0), *arguments, **options)


def test_a_regression_is_no_classification():
    with pytest.raises(TypeError, match="BinaryClassification"):
        ht.solve_margin(ht.LinearRegression([[1.0]], [1.0]), rho=2.0)


def test_many_at_once_are_those_one_by_one():
    problems = [instance(seed) for seed in (1, 6, 11, 16, 21)]  # of one shape, of all kinds
    same = problems[0]
    problems.append(ht.BinaryClassification(np.vstack([same.X[:-1], same.X[:1]]), np.r_[same.z[:-1], -same.z[0]]))
    for rho in (1.0, 4.0):
        many = ht.solve_margins(problems, rho=rho)
        assert many.theta.shape == (6, 100) and many.dual.shape == (6, 20)
        for i, problem in enumerate(problems[:-1]):
            lower, upper = bounds(problem, replaced(many, i), rho)
            assert many.result[i] == ht.Result.converged and upper - lower <= 1e-8 * upper
            assert many.margin[i] == pytest.approx(float(ht.solve_margin(problem, rho=rho).margin), rel=1e-8)
        assert many.result[-1] == ht.Result.infeasible and many.margin[-1] == 0


def replaced(many, i):
    names = ("theta", "margin", "dual", "duality_gap", "support_vectors")
    return ht.MarginResult(**{name: getattr(many, name)[i] for name in names}, result=many.result[i], stats={})


def test_many_need_one_shape():
    with pytest.raises(ValueError, match="must hold at least one classification"):
        ht.solve_margins([], rho=2.0)
    with pytest.raises(ValueError, match=r"must be of one shape; got \(4, 40\), \(20, 100\)"):
        ht.solve_margins([instance(0), instance(1)], rho=2.0)


def test_a_budget_that_runs_out_is_said_to():
    problem = instance(1)
    found = ht.solve_margin(problem, rho=1.5, max_steps=5, throw=False)
    assert found.result == ht.Result.max_steps and found.stats["steps"] >= 5


@pytest.mark.parametrize("rho", [1.0, 2.0, np.inf])
def test_no_margin_converges_that_is_not_positive(rho):
    problem = ht.BinaryClassification([[-128.0, -3 * 2.0**-58], [-256.0, 2.0**-58]], [-1, 1])
    found = ht.solve_margin(problem, rho=rho, throw=False)
    assert found.margin > 0 or found.result == ht.Result.stalled
