"""The direction of a flow as a classifier: the largest margin with a free intercept, or the likelihood."""

import numpy as np
import pytest
from scipy.optimize import linprog
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

import hamtheory as ht
from hamtheory.sklearn import ImplicitBiasClassifier
from tests.slow import slow

RNG = np.random.default_rng(2)
HORIZONS = {"gd": 2.0, "ham": 1.0, "mw": 1.0, "power": 1.5, "flat": 4.0}


class Power(ht.geometry.AbstractGeometry):
    s: float

    def inverse_metric(self, theta):
        return (1 + theta**2) ** (self.s / 2)


def geometry(name):
    return {"power": Power(0.5), "flat": Power(-2.0)}.get(name, name)


def separable(n, d, seed, kind=""):
    """Samples with a gap between two classes, away from the origin."""
    rng = np.random.default_rng(seed)
    X, theta = rng.standard_normal((n, d)), rng.standard_normal(d)
    scores = X @ theta
    z = np.where(scores > np.quantile(scores, 0.4), 1.0, -1.0)
    X = X + 0.2 * np.outer(z, theta) / np.linalg.norm(theta) + rng.uniform(-3, 3, d)
    return (X * 10.0 ** rng.uniform(-2, 2, d) if kind == "columns" else X), z


def norm(theta, rho):
    return np.sum(np.abs(theta) ** rho) ** (1 / rho)


@pytest.mark.parametrize("name", HORIZONS)
@pytest.mark.parametrize("n, d, kind", [(20, 50, ""), *slow((60, 8, "")), (30, 12, "columns")])
def test_the_margin_is_proved_by_weights_that_are_balanced(name, n, d, kind):
    """Weak duality, written down anew: no plane has a larger margin than ‖Σ λ_i z_i x_i‖_ρ′ if Σ λ_i z_i = 0."""
    rho = HORIZONS[name]
    for seed in range(3):
        X, z = separable(n, d, seed, kind)
        model = ImplicitBiasClassifier(geometry(name)).fit(X, z)
        assert model.separable_.all() and model.result_.result == ht.Result.converged
        assert np.min(z * model.decision_function(X)) == pytest.approx(1.0, rel=1e-9)
        margin = 1 / norm(model.coef_[0], rho)
        lam = model.dual_coef_[0] * z * margin**2
        assert (lam >= 0).all() and lam.sum() == pytest.approx(1.0, rel=1e-9) and abs(lam @ z) < 1e-12
        image = (lam * z) @ (X - X.mean(axis=0))
        bound = np.abs(image).max() if rho == 1 else norm(image, rho / (rho - 1))
        assert margin <= bound * (1 + 1e-12) and bound <= margin * (1 + 2e-9)


@pytest.mark.parametrize("intercept", [True, False])
def test_hard_margins_are_those_of_a_support_vector_machine(intercept):
    X, z = separable(25, 60, 7)
    X = X if intercept else X - X.mean(axis=0)
    model = ImplicitBiasClassifier("gd", fit_intercept=intercept).fit(X, z)
    if not intercept:  # libsvm always has one: the same plane of the samples and their mirror images
        X, z = np.vstack([X, -X]), np.append(z, -z)
    machine = SVC(kernel="linear", C=1e10, tol=1e-10).fit(X, z)
    size = np.abs(machine.coef_).max()
    np.testing.assert_allclose(model.coef_, machine.coef_, atol=1e-4 * size)
    np.testing.assert_allclose(model.intercept_, machine.intercept_, atol=1e-4)
    if intercept:
        full = np.zeros(25)
        full[machine.support_] = machine.dual_coef_[0]
        np.testing.assert_allclose(model.dual_coef_[0], full, atol=1e-4 * np.abs(full).max())


@pytest.mark.parametrize("n, d", [(25, 60), (80, 6)])
def test_the_l1_margin_is_that_of_a_linear_programme(n, d):
    X, z = separable(n, d, 3)
    model = ImplicitBiasClassifier(ht.HAM(alpha=7.0)).fit(X, z)
    rows = z[:, None] * np.hstack([X, -X, np.ones((n, 1))])
    bounds = [(0, None)] * (2 * d) + [(None, None)]
    found = linprog(np.append(np.ones(2 * d), 0.0), A_ub=-rows, b_ub=-np.ones(n), bounds=bounds, method="highs")
    np.testing.assert_allclose(model.coef_[0], found.x[:d] - found.x[d : 2 * d], atol=1e-7)
    assert model.intercept_[0] == pytest.approx(found.x[-1], abs=1e-7)
    assert (model.coef_ == 0).sum() >= d - n


def test_weights_are_those_of_the_likelihood_and_zeros_take_rows_out():
    X, z = separable(30, 8, 1)
    weights = RNG.uniform(0.1, 5.0, 30)
    usual, weighted = (ImplicitBiasClassifier("gd").fit(X, z, some) for some in (None, weights))
    np.testing.assert_allclose(weighted.coef_, usual.coef_, rtol=1e-7, atol=1e-9)
    some = np.arange(30) % 3 > 0
    out = ImplicitBiasClassifier("gd").fit(X, z, np.where(some, weights, 0.0))
    np.testing.assert_allclose(out.coef_, ImplicitBiasClassifier("gd").fit(X[some], z[some]).coef_, rtol=1e-7)
    assert out.dual_coef_.shape == (1, 30) and not out.dual_coef_[0, ~some].any()
    with pytest.raises(ValueError, match="y must have two classes or more in rows of positive weight"):
        ImplicitBiasClassifier().fit(X, z, (z > 0).astype(float))


@pytest.mark.parametrize("weights", [None, RNG.uniform(0.2, 3.0, 200)], ids=["alike", "weighted"])
def test_classes_that_cannot_be_separated_have_the_largest_likelihood(weights):
    units = np.array([1.0, 1e3, 1e-3, 1.0])
    X = RNG.standard_normal((200, 4)) * units + [0.0, 1.0, 0.0, 1e2]
    y = np.where(X[:, 0] + RNG.standard_normal(200) > 0, "yes", "no")
    reference = LogisticRegression(C=np.inf, tol=1e-12, solver="newton-cholesky", max_iter=1000)
    reference.fit((X - X.mean(axis=0)) / units, y, weights)
    for geo in ("gd", ht.HAM(alpha=50.0)):  # of few columns there is but one
        model = ImplicitBiasClassifier(geo).fit(X, y, weights)
        assert model.result_.result == ht.Result.converged and not model.separable_.any()
        np.testing.assert_allclose(model.coef_ * units, reference.coef_, atol=1e-8)
        wanted = reference.decision_function((X - X.mean(axis=0)) / units)
        np.testing.assert_allclose(model.decision_function(X), wanted, atol=1e-8)


@pytest.mark.parametrize("geo", [ht.Euclidean(), ht.HAM(alpha=20.0), ht.Hypentropy(gamma=1e-2)], ids=str)
def test_of_many_columns_it_is_where_the_flow_goes(geo):
    """Rows of both classes: nothing separates them, and there are many θ of the largest likelihood."""
    some = RNG.standard_normal((6, 15))
    X, z = np.vstack([some, some, some[:3]]), np.append(np.ones(6), np.append(-np.ones(6), np.ones(3)))
    model = ImplicitBiasClassifier(geo, fit_intercept=False).fit(X, z)
    flow = ht.solve_flow(ht.BinaryClassification(X, z), geo, ts=[1e4], rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(model.coef_[0], flow.theta, atol=1e-6)
    np.testing.assert_allclose(X.T @ model.dual_coef_[0], geo.mirror_map(model.coef_[0]), atol=1e-9)
    np.testing.assert_allclose(some[:3] @ model.coef_[0], np.log(2.0), atol=1e-9)  # two to one
    np.testing.assert_allclose(some[3:] @ model.coef_[0], 0.0, atol=1e-9)


def test_classes_that_touch_are_warned_of():
    X, y = np.array([[-2.0], [-1.0], [0.0], [0.0], [1.0], [2.0]]), [0, 0, 0, 1, 1, 1]
    with pytest.warns(ConvergenceWarning, match="a plane touches both classes"):
        model = ImplicitBiasClassifier().fit(X, y)
    assert model.score(X, y) >= 5 / 6
    # Iris has two classes that overlap, one of which some samples are farther from than numbers can tell.
    iris = load_iris(return_X_y=True)
    model = ImplicitBiasClassifier("gd").fit(*iris)
    assert model.separable_.tolist() == [True, False, False] and model.score(*iris) > 0.95


def test_a_budget_that_is_too_small_is_warned_of():
    X, y = RNG.standard_normal((50, 3)), RNG.standard_normal(50) > 0
    with pytest.warns(ConvergenceWarning, match="max steps"):
        ImplicitBiasClassifier(max_steps=1).fit(X, y)
    with pytest.warns(ConvergenceWarning, match="max steps"):
        ImplicitBiasClassifier(Power(0.5), max_steps=4).fit(*separable(40, 60, 1))


@pytest.mark.parametrize("unit", [1e-300, 1e-150, 1e150, 1e300])
@pytest.mark.parametrize("standardize", [False, True])
def test_units(unit, standardize):
    X, z = separable(15, 25, 4)
    for name in ("gd", "ham"):
        usual, moved = (ImplicitBiasClassifier(name, standardize=standardize).fit(X * by, z) for by in (1.0, unit))
        np.testing.assert_allclose(moved.coef_ * unit, usual.coef_, atol=1e-8 * np.abs(usual.coef_).max())
        np.testing.assert_allclose(moved.intercept_, usual.intercept_, atol=1e-8)


def test_each_class_against_all_others():
    X = np.vstack([RNG.standard_normal((10, 20)) + 2 * RNG.standard_normal(20) for _ in range(3)])
    y = np.repeat(["a", "b", "c"], 10)
    model = ImplicitBiasClassifier("ham").fit(X, y)
    for place, one in enumerate("abc"):
        alone = ImplicitBiasClassifier("ham").fit(X, np.where(y == one, 1, 0))
        np.testing.assert_array_equal(model.coef_[place], alone.coef_[0])
    assert (model.predict(X) == model.classes_[np.argmax(model.decision_function(X), axis=1)]).all()
    assert model.score(X, y) == 1.0 and len(model.result_) == 3


def test_geometries_that_say_no_direction_are_refused():
    X, z = separable(10, 5, 0)
    with pytest.raises(ValueError, match="has no horizon"):
        ImplicitBiasClassifier(ht.DiagonalNetwork(3, 0.1)).fit(X, z)
    with pytest.raises(ValueError, match="alpha must be a scalar or have shape"):
        ImplicitBiasClassifier(ht.HAM(alpha=[1.0, 2.0])).fit(X, z)
