"""The limit as a regressor, against scikit-learn's own models and a linear programme."""

import numpy as np
import pytest
from scipy.optimize import linprog
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso, LinearRegression, Ridge

import hamtheory as ht
from hamtheory.sklearn import ImplicitBiasRegressor, ImplicitBiasRegressorCV

RNG = np.random.default_rng(5)
N, D = 25, 60
X = RNG.standard_normal((N, D)) * RNG.uniform(0.5, 2.0, D) + RNG.uniform(-3.0, 3.0, D)
TRUTH = np.where(np.arange(D) < 4, [1.0, -2.0, 3.0, 1.0] + [0.0] * (D - 4), 0.0)
y = X @ TRUTH + 5.0 + 0.1 * RNG.standard_normal(N)
WEIGHTS = RNG.uniform(0.2, 3.0, N)
BOTH = pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["alike", "weighted"])


def agree(model, reference, within=1e-8):
    np.testing.assert_allclose(model.coef_, reference.coef_, rtol=0, atol=within)
    np.testing.assert_allclose(model.intercept_, reference.intercept_, rtol=0, atol=within)


@BOTH
@pytest.mark.parametrize("intercept", [True, False])
def test_the_far_end_is_basis_pursuit_with_a_free_intercept(weights, intercept):
    model = ImplicitBiasRegressor(ht.HAM(log_alpha=1e5), fit_intercept=intercept).fit(X, y, weights)
    equations = np.hstack([X, -X, np.ones((N, 1))])
    bounds = [(0, None)] * (2 * D) + [(None, None) if intercept else (0, 0)]
    found = linprog(np.append(np.ones(2 * D), 0.0), A_eq=equations, b_eq=y, bounds=bounds, method="highs")
    assert model.result_.result == ht.Result.converged
    assert np.abs(model.coef_).sum() == pytest.approx(found.fun, rel=1e-9)
    np.testing.assert_allclose(model.coef_, found.x[:D] - found.x[D : 2 * D], atol=1e-8)
    assert model.intercept_ == pytest.approx(found.x[-1], abs=1e-8)


def test_the_near_end_is_least_squares_of_least_norm():
    agree(ImplicitBiasRegressor(ht.HAM(1e-9)).fit(X, y), LinearRegression().fit(X, y))
    agree(ImplicitBiasRegressor("gd").fit(X, y, WEIGHTS), LinearRegression().fit(X, y, WEIGHTS), 1e-10)


@BOTH
@pytest.mark.parametrize("intercept", [True, False])
def test_weight_decay_is_ridge_and_lasso(weights, intercept):
    total, same = N if weights is None else weights.sum(), {"fit_intercept": intercept}
    ridge = Ridge(alpha=0.05 * total, solver="cholesky", **same).fit(X, y, weights)
    agree(ImplicitBiasRegressor("gd", weight_decay=0.05, **same).fit(X, y, weights), ridge)
    lasso = Lasso(alpha=0.1, tol=1e-15, max_iter=10**6, **same).fit(X, y, weights)
    agree(ImplicitBiasRegressor("mw", weight_decay=0.05, **same).fit(X, y, weights), lasso)
    far = ImplicitBiasRegressor(ht.HAM(log_alpha=300.0), weight_decay=0.1 * np.exp(300.0), **same)
    agree(far.fit(X, y, weights), lasso)


@BOTH
def test_more_rows_than_columns(weights):
    few = X[:, :6]
    model = ImplicitBiasRegressor("ham").fit(few, y, weights)
    agree(model, LinearRegression().fit(few, y, weights), 1e-10)
    assert model.result_.result == ht.Result.infeasible  # least squares, of which there is nothing to warn


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("decay", [0.0, 0.2])
def test_the_multipliers_prove_the_coefficients(standardize, decay):
    geo = ht.HAM(alpha=20.0)
    weights = np.where(np.arange(N) % 4 == 0, 0.0, WEIGHTS)
    model = ImplicitBiasRegressor(geo, weight_decay=decay, standardize=standardize).fit(X, y, weights)
    kept = weights > 0
    mean = np.average(X[kept], axis=0, weights=weights[kept])
    scale = np.sqrt(np.average((X[kept] - mean) ** 2, axis=0, weights=weights[kept])) if standardize else np.ones(D)
    theta = model.coef_ * scale
    slope = geo.mirror_map(theta) if decay == 0 else geo.penalty(decay, float).derivative(theta)
    np.testing.assert_allclose(model.dual_coef_ @ (X / scale), slope, atol=1e-9 * np.abs(slope).max())
    assert abs(model.dual_coef_.sum()) <= 1e-13 * np.abs(model.dual_coef_).sum()
    assert not model.dual_coef_[~kept].any()
    left = y - model.predict(X)
    if decay == 0:
        assert np.abs(left[kept]).max() < 1e-8 and np.abs(left[~kept]).max() > 0.1
    else:
        np.testing.assert_allclose(model.dual_coef_, weights * left / weights.sum(), atol=1e-9)


def test_targets_are_fitted_one_by_one():
    several = np.column_stack([y, -2.0 * y, RNG.standard_normal(N)])
    model = ImplicitBiasRegressor("ham").fit(X, several)
    assert model.coef_.shape == (3, D) and model.dual_coef_.shape == (3, N) and model.predict(X).shape == (N, 3)
    for k in range(3):
        alone = ImplicitBiasRegressor("ham").fit(X, several[:, k])
        np.testing.assert_array_equal(model.coef_[k], alone.coef_)
        assert model.intercept_[k] == alone.intercept_ and model.n_iter_[k] == alone.n_iter_


@pytest.mark.parametrize("unit", [1e-150, 1e150])
def test_units(unit):
    usual = ImplicitBiasRegressor(ht.HAM(10.0)).fit(X, y)
    moved = ImplicitBiasRegressor(ht.HAM(10.0 * unit)).fit(X * unit, y)
    np.testing.assert_allclose(moved.coef_ * unit, usual.coef_, atol=1e-12)
    # Standardised, the units of the columns do not matter, however different they are.
    units = 10.0 ** RNG.uniform(-140, 140, D)
    usual = ImplicitBiasRegressor(ht.HAM(10.0), standardize=True).fit(X, y)
    moved = ImplicitBiasRegressor(ht.HAM(10.0), standardize=True).fit(X * units, y)
    np.testing.assert_allclose(moved.coef_ * units, usual.coef_, atol=1e-11)


def test_a_budget_that_is_too_small_is_warned_of():
    with pytest.warns(ConvergenceWarning, match="max steps: the step budget"):
        ImplicitBiasRegressor(ht.HAM(log_alpha=50.0), max_steps=2).fit(X, y)
    with pytest.warns(ConvergenceWarning, match=r"of its computations; max steps"):
        ImplicitBiasRegressorCV("ham", max_steps=1, cv=2).fit(X, y)


def split(folds=4):
    return [(np.setdiff1d(np.arange(N), test), test) for test in np.array_split(np.arange(N), folds)]


@BOTH
@pytest.mark.parametrize("standardize", [False, True])
def test_the_path_of_a_search_is_that_of_single_fits(weights, standardize):
    options, some = {"standardize": standardize}, np.ones(N) if weights is None else weights
    for family, logs in ((ht.HAM, [-3.0, 2.0, 9.0]), (ht.Hypentropy, [3.0, -2.0, -9.0])):
        search = ImplicitBiasRegressorCV(family.name, log_parameters=logs, cv=split(), **options).fit(X, y, weights)
        errors = np.zeros((3, 4))
        for place, log in enumerate(logs):
            for fold, (train, test) in enumerate(split()):
                one = ImplicitBiasRegressor(family.at_log(log), **options).fit(X[train], y[train], some[train])
                errors[place, fold] = np.average((one.predict(X[test]) - y[test]) ** 2, weights=some[test])
        np.testing.assert_allclose(search.mse_path_, errors, rtol=1e-6)
        best = np.argmin(errors @ [some[test].sum() for _, test in split()])
        final = ImplicitBiasRegressor(family.at_log(logs[best]), **options).fit(X, y, weights)
        np.testing.assert_allclose(search.coef_, final.coef_, atol=1e-9)
        assert repr(search.geometry_) == repr(family.at_log(logs[best])) and search.weight_decay_ == 0


def test_a_search_over_weight_decays_is_that_of_the_lasso():
    decays = np.geomspace(1e-3, 1.0, 7)
    search = ImplicitBiasRegressorCV("mw", weight_decays=decays, cv=split()).fit(X, y, WEIGHTS)
    errors = np.zeros((7, 4))
    for place, decay in enumerate(decays):
        for fold, (train, test) in enumerate(split()):
            lasso = Lasso(alpha=2 * decay, tol=1e-13, max_iter=10**6).fit(X[train], y[train], WEIGHTS[train])
            errors[place, fold] = np.average((lasso.predict(X[test]) - y[test]) ** 2, weights=WEIGHTS[test])
    np.testing.assert_allclose(search.mse_path_, errors, rtol=1e-6)
    assert search.weight_decay_ == decays[np.argmin(search.mse_path_ @ [WEIGHTS[test].sum() for _, test in split()])]
    agree(search, Lasso(alpha=2 * search.weight_decay_, tol=1e-15, max_iter=10**6).fit(X, y, WEIGHTS))


@pytest.mark.parametrize("unit", [1.0, 1e100])
@pytest.mark.parametrize("name, slope", [("ham", 1), ("mw", -1)])
def test_a_number_of_parameters_goes_from_one_end_to_the_other_in_any_unit(name, slope, unit):
    search = ImplicitBiasRegressorCV(name, log_parameters=2, cv=2).fit(X, y * unit)
    assert np.sign(np.diff(search.grid_)) == slope
    norms = [np.abs(ht.limit_path(ht.prepare(X, y * unit).problem, type(search.geometry_), search.grid_).thetas).sum(1)]
    ends = ImplicitBiasRegressor("gd").fit(X, y * unit), ImplicitBiasRegressor(ht.HAM(log_alpha=5e3)).fit(X, y * unit)
    np.testing.assert_allclose(norms[0], [np.abs(end.coef_).sum() for end in ends], rtol=0.05)


def test_what_a_search_refuses():
    with pytest.raises(ValueError, match="geometry must be one of HAM"):
        ImplicitBiasRegressorCV("gd").fit(X, y)
    with pytest.raises(ValueError, match="log_parameters and weight_decays"):
        ImplicitBiasRegressorCV(log_parameters=3, weight_decays=[1.0]).fit(X, y)
    with pytest.raises(ValueError, match="log_parameters must be values, or how many"):
        ImplicitBiasRegressorCV(log_parameters=0).fit(X, y)
    with pytest.raises(ValueError, match="weight_decays must be positive"):
        ImplicitBiasRegressorCV(weight_decays=[0.0, 1.0]).fit(X, y)
