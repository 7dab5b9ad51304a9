"""From a table to a problem and back."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import scipy.optimize
import scipy.sparse

import hamtheory as ht

RNG = np.random.default_rng(8)
N, D = 12, 20
X, y = RNG.standard_normal((N, D)) + RNG.uniform(-2, 2, D), RNG.standard_normal(N)
WEIGHTS = np.where(np.arange(N) % 5 == 4, 0.0, RNG.uniform(0.2, 3.0, N))
GEO = ht.HAM(alpha=10.0)


def theta_of(prepared, geo=GEO, **options):
    return ht.solve_limit(prepared.problem, geo, tol=1e-13, **options).theta


def fitted(prepared, geo=GEO, **options):
    theta = theta_of(prepared, geo, **options)
    return prepared.coefficients(theta), prepared.intercept(theta)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("standardize", [True, False])
def test_the_loss_is_the_weighted_mean_with_the_best_intercept(intercept, standardize):
    prepared = ht.prepare(X, y, sample_weight=WEIGHTS, intercept=intercept, standardize=standardize)
    theta = RNG.standard_normal(D)
    coefficients, b = prepared.coefficients(theta), prepared.intercept(theta)
    left = X @ coefficients + b - y
    assert prepared.problem.loss(theta) == pytest.approx(WEIGHTS @ left**2 / (2 * WEIGHTS.sum()), rel=1e-12)
    assert abs(WEIGHTS @ left) < 1e-12 if intercept else b == 0
    np.testing.assert_allclose(prepared.predict(theta, X), X @ coefficients + b, atol=1e-13)
    squares = np.mean(np.square(prepared.problem.X), axis=0)
    assert np.allclose(squares, 1.0, rtol=1e-13) == standardize
    many = RNG.standard_normal((3, 2, D))
    assert prepared.predict(many, X[:4]).shape == (3, 2, 4) and prepared.intercept(many).shape == (3, 2)


def test_whole_weights_are_repeated_rows():
    times = np.arange(N) % 4
    for decay in (0.0, 0.3):
        for options in ({}, {"standardize": True}, {"intercept": False}):
            weighted = ht.prepare(X, y, sample_weight=times, **options)
            repeated = ht.prepare(np.repeat(X, times, axis=0), np.repeat(y, times), **options)
            one, other = (fitted(prepared, weight_decay=decay) for prepared in (weighted, repeated))
            np.testing.assert_allclose(one[0], other[0], atol=1e-10)
            np.testing.assert_allclose(one[1], other[1], atol=1e-10)


def test_weights_do_not_change_what_interpolates_unless_it_is_standardised():
    some = np.where(WEIGHTS > 0, WEIGHTS, 1.0)
    alike, weighted = ht.prepare(X, y), ht.prepare(X, y, sample_weight=some * 1e-200)
    np.testing.assert_allclose(fitted(weighted)[0], fitted(alike)[0], atol=1e-11)
    for options, decay in (({"standardize": True}, 0.0), ({}, 0.3)):
        one, other = ht.prepare(X, y, **options), ht.prepare(X, y, sample_weight=some, **options)
        assert np.abs(fitted(one, weight_decay=decay)[0] - fitted(other, weight_decay=decay)[0]).max() > 1e-3
    few, more = ht.prepare(X[:, :3], y), ht.prepare(X[:, :3], y, sample_weight=some)
    assert np.abs(ht.min_norm(few.problem) - ht.min_norm(more.problem)).max() > 1e-3


def test_the_intercept_costs_nothing_and_the_limit_does_not_depend_on_the_origin():
    """The least R of all (θ, b) that interpolate, by another solver; and shifts of X and y."""
    prepared = ht.prepare(X, y)
    theta = theta_of(prepared)
    found = scipy.optimize.minimize(
        lambda v: GEO.potential(v[:-1]).sum(),
        np.append(np.linalg.lstsq(X, y, rcond=None)[0], 0.0),
        jac=lambda v: np.append(GEO.mirror_map(v[:-1]), 0.0),
        constraints=[scipy.optimize.LinearConstraint(np.hstack([X, np.ones((N, 1))]), y, y)],
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 1000},
    )
    np.testing.assert_allclose(prepared.coefficients(theta), found.x[:-1], atol=1e-6)
    assert prepared.intercept(theta) == pytest.approx(found.x[-1], abs=1e-6)
    moved = ht.prepare(X + 7.0, y - 3.0)
    np.testing.assert_allclose(theta_of(moved), theta, atol=1e-12)
    priced = ht.solve_limit(ht.LinearRegression(np.hstack([X, np.ones((N, 1))]), y - 30.0), GEO).theta
    assert np.abs(priced[:-1] - theta).max() > 1e-2  # as a column of ones it would count


@pytest.mark.parametrize("standardize", [True, False])
def test_multipliers_in_rows_of_the_table(standardize):
    prepared = ht.prepare(X + 1e3, y, sample_weight=WEIGHTS, standardize=standardize)
    limit = ht.solve_limit(prepared.problem, GEO, tol=1e-13)
    dual = prepared.dual(limit.dual)
    assert dual.shape == (N,) and not dual[WEIGHTS == 0].any() and abs(dual.sum()) < 1e-15 * np.abs(dual).sum() * N
    np.testing.assert_allclose(dual @ ((X + 1e3) / prepared.scale), GEO.mirror_map(limit.theta), atol=1e-10)


@pytest.mark.parametrize("unit", [1e-300, 1e-150, 1e150, 1e300])
@pytest.mark.parametrize("options", [{}, {"standardize": True}, {"intercept": False, "standardize": True}], ids=str)
def test_units(unit, options):
    usual = fitted(ht.prepare(X, y, sample_weight=WEIGHTS, **options), ht.Euclidean())
    moved = fitted(ht.prepare(X * unit, y, sample_weight=WEIGHTS / 1e3 * unit, **options), ht.Euclidean())
    np.testing.assert_allclose(moved[0] * unit, usual[0], atol=1e-12)
    np.testing.assert_allclose(moved[1], usual[1], atol=1e-12)


@pytest.mark.parametrize("standardize", [True, False])
def test_constant_columns_and_targets(standardize):
    """Tenths have no exact mean: what is left of the column by rounding is not divided by itself."""
    table = np.column_stack([X, np.full(N, 0.1), np.full(N, 0.1) + 2**-56 * (np.arange(N) % 2)])
    coefficients, _ = fitted(ht.prepare(table, y, standardize=standardize))
    assert not coefficients[-2:].any()
    np.testing.assert_allclose(coefficients[:-2], fitted(ht.prepare(X, y, standardize=standardize))[0], atol=1e-12)
    coefficients, intercept = fitted(ht.prepare(X, np.full(N, 0.1), standardize=standardize))
    assert not coefficients.any() and intercept == pytest.approx(0.1, rel=1e-15)
    one = ht.prepare(X[:1], y[:1], standardize=standardize)
    assert not theta_of(one).any() and one.intercept(np.zeros(D)) == y[0]


@pytest.mark.parametrize("n", [9, 40])
def test_equations_are_consistent_as_far_as_their_digits_tell(n):
    """Rows near the mean lose digits when they are centred, and those at it are left with rounding alone."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        table = np.round(rng.standard_normal((n, 2)), 1) + rng.choice([0.0, 100.0, 1e6])
        table[0] = table[1:].mean(axis=0)
        target = table @ [0.3, -0.7] + 0.1
        problem = ht.prepare(table, target).problem
        assert problem.is_consistent, seed
        np.testing.assert_allclose(ht.min_norm(problem), [0.3, -0.7], rtol=1e-6 if table.max() > 1e3 else 1e-10)
        target[1] += 1e-6 * np.abs(target).max()
        assert not ht.prepare(table, target).problem.is_consistent


def test_nearly_all_of_the_weight_on_one_row():
    weights = np.where(np.arange(N) == 3, 1.0, 1e-18)
    limit = ht.solve_limit(ht.prepare(X, y, sample_weight=weights).problem, GEO)
    np.testing.assert_allclose(limit.theta, theta_of(ht.prepare(X, y)), atol=1e-8)


@pytest.mark.usefixtures("unchecked")
def test_engines_and_tables():
    usual = ht.prepare(X, y, standardize=True)
    frame = ht.prepare(pd.DataFrame(X, columns=[f"c{i}" for i in range(D)]), pd.Series(y), standardize=True)
    assert frame.names == tuple(f"c{i}" for i in range(D)) and usual.names is None
    np.testing.assert_array_equal(frame.problem.X, usual.problem.X)
    device = ht.prepare(jnp.asarray(X), jnp.asarray(y), standardize=True)
    theta = jnp.asarray(RNG.standard_normal((2, D)))
    for name, value in {
        "coefficients": device.coefficients(theta),
        "intercept": device.intercept(theta),
        "predict": device.predict(theta, jnp.asarray(X)),
    }.items():
        more = (X,) if name == "predict" else ()
        assert isinstance(value, jax.Array), name
        np.testing.assert_allclose(value, getattr(usual, name)(np.asarray(theta), *more), atol=1e-12)
    assert isinstance(device.dual(jnp.ones(N)), jax.Array)
    single = ht.prepare(X.astype(np.float32), y.astype(np.float32))
    assert single.problem.dtype == np.float32 and single.coefficients(np.ones(D)).dtype == np.float32
    with pytest.raises(TypeError, match="X, y or sample_weight is traced"):
        jax.jit(lambda X: ht.prepare(X, y).centre)(X)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    "arguments, options, error, match",
    [
        ((scipy.sparse.csr_array(X), y), {}, TypeError, "X must be dense here; got a sparse csr_array"),
        ((X, y[1:]), {}, ValueError, "y must have one entry a row of X"),
        ((X, np.column_stack([y, y])), {}, ValueError, "y must have 1 axis"),
        ((np.zeros((0, 2)), np.zeros(0)), {}, ValueError, "X must have at least one row"),
        ((X * np.nan, y), {}, ValueError, "X must be finite"),
        ((X, y), {"sample_weight": np.ones(3)}, ValueError, "sample_weight must have one entry a row of X, 12; got 3"),
        ((X, y), {"sample_weight": -WEIGHTS}, ValueError, "sample_weight must not be negative"),
        ((X, y), {"sample_weight": np.zeros(N)}, ValueError, "sample_weight must be positive for at least one row"),
        ((X, y), {"sample_weight": np.full(N, np.nan)}, ValueError, "sample_weight must be finite"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_input(arguments, options, error, match):
    with pytest.raises(error, match=match):
        ht.prepare(*arguments, **options)
    with pytest.raises(ValueError, match="X must have 20 columns"):
        ht.prepare(X, y).predict(np.zeros(D), X[:, :3])
