"""Intervals over seeds: against SciPy, against what they promise, and with seeds that are missing."""

import numpy as np
import pytest
import scipy.stats

import hamtheory.train as htt

VALUES = np.random.default_rng(0).normal(size=(3, 6))


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_interval_is_that_of_scipy(level):
    found = htt.interval(VALUES, level)
    for ours, row in zip(zip(*found, strict=True), VALUES, strict=True):
        scale = scipy.stats.sem(row)
        np.testing.assert_allclose(ours[0], row.mean(), rtol=1e-12)
        np.testing.assert_allclose(ours[1:], scipy.stats.t.interval(level, 5, row.mean(), scale), rtol=1e-9)


def test_missing_seeds_are_left_out():
    for n in range(7):
        some = np.where(np.arange(6) < n, VALUES[0], np.nan)
        found = htt.interval(some)
        if n >= 2:
            np.testing.assert_allclose(np.stack(found), np.stack(htt.interval(VALUES[0, :n])), rtol=1e-12)
        else:
            assert np.isnan(found.low) and np.isnan(found.high)
            assert np.isnan(found.mean) == (n == 0)
            assert n == 0 or found.mean == VALUES[0, 0]
    assert found.mean.dtype == np.float64 and found.mean.shape == ()


def test_interval_of_equal_values_has_no_width():
    assert htt.interval([0.25, 0.25, 0.25]) == (0.25, 0.25, 0.25)


def test_interval_holds_the_mean_as_often_as_it_says():
    runs = 4000
    _, low, high = htt.interval(np.random.default_rng(1).normal(3.0, 2.0, size=(runs, 4)), 0.9)
    held = np.mean((low <= 3) & (high >= 3))
    assert abs(held - 0.9) < 4 * np.sqrt(0.9 * 0.1 / runs)  # four standard errors


def test_paired_is_the_interval_of_the_differences():
    a, b = VALUES[0], VALUES[1].copy()
    b[2], b[4] = a[2], np.nan
    found = htt.paired(a, b)
    rest = [0, 1, 2, 3, 5]
    np.testing.assert_allclose(np.stack(found[:3]), np.stack(htt.interval(a[rest] - b[rest])), rtol=1e-12)
    differences = a[rest] - b[rest]
    assert found[3:] == (5, np.sum(differences > 0), np.sum(differences < 0))
    back = htt.paired(b, a)
    np.testing.assert_allclose([back.mean, back.low, back.high], [-found.mean, -found.high, -found.low], rtol=1e-12)
    assert (back.higher, back.lower) == (found.lower, found.higher)


def test_pairing_cancels_what_both_have_in_common():
    common = 100 * VALUES[0]
    found = htt.paired(common + VALUES[1], common)
    np.testing.assert_allclose(np.stack(found[:3]), np.stack(htt.interval(VALUES[1])), rtol=1e-9)


def test_sampling_error_is_the_deviation_of_a_binomial():
    p, n = np.array([0.0, 0.3, 0.98, 1.0, np.nan]), 359
    np.testing.assert_allclose(htt.sampling_error(p, n), scipy.stats.binom.std(n, p) / n, rtol=1e-12)


@pytest.mark.parametrize(
    "call, expected",
    [
        (lambda: htt.interval(1.0), "values must have an axis"),
        (lambda: htt.interval([1.0, np.inf]), "values must be finite, or NaN"),
        (lambda: htt.interval([1.0, 2.0], level=1.0), "level must be between 0 and 1; got 1"),
        (lambda: htt.paired([1.0, 2.0], [1.0]), r"same shape.*\(2,\) and \(1,\)"),
        (lambda: htt.paired([1.0, 2.0], [1.0, -np.inf]), "b must be finite"),
        (lambda: htt.sampling_error(1.1, 10), "accuracy must be from 0 to 1"),
        (lambda: htt.sampling_error(0.5, 0), "images must be at least 1"),
    ],
)
def test_bad_arguments(unchecked, call, expected):
    with pytest.raises(ValueError, match=expected):
        call()
