"""Synthetic classifications: sparse teachers, and Gaussian mixtures."""

import numpy as np
import pytest
from scipy.stats import norm

import hamtheory as ht


@pytest.mark.parametrize("n, d, k", [(2, 1, 1), (3, 5, 5), (41, 100, 5)])
def test_a_sparse_teacher_separates_classes_of_one_size(n, d, k):
    problem = ht.sparse_classification(n, d, k, seed=3)
    assert problem.X.shape == (n, d) and np.sum(problem.z) == n % 2
    assert np.sort(np.abs(problem.theta_star)).tolist() == [0.0] * (d - k) + [1.0] * k
    assert (problem.margins(problem.theta_star) > 0).all() and problem.is_separable
    assert np.array_equal(problem.X, ht.sparse_classification(n, d, k, seed=3).X)
    assert not np.array_equal(problem.X, ht.sparse_classification(n, d, k, seed=4).X)


def test_samples_of_a_teacher_are_gaussian_and_flips_have_their_probability():
    n, flip = 40_000, 0.2
    problem = ht.sparse_classification(n, 3, 2, flip=flip)
    np.testing.assert_allclose(problem.X.T @ problem.X / n, np.eye(3), atol=5 * np.sqrt(2 / n))
    np.testing.assert_allclose(problem.X.mean(axis=0), 0, atol=5 / np.sqrt(n))
    wrong = np.mean(problem.margins(problem.theta_star) < 0)
    assert abs(wrong - flip) < 5 * np.sqrt(flip * (1 - flip) / n)


def test_the_best_classifier_of_a_mixture_errs_as_often_as_it_should():
    n, separation = 40_000, 1.6
    problem = ht.gaussian_mixture(n, 4, separation, seed=1)
    assert np.linalg.norm(problem.theta_star) == pytest.approx(1)
    error = norm.cdf(-separation / 2)
    assert abs(np.mean(problem.margins(problem.theta_star) < 0) - error) < 5 * np.sqrt(error / n)
    centred = problem.X - separation / 2 * np.outer(problem.z, problem.theta_star)
    np.testing.assert_allclose(centred.T @ centred / n, np.eye(4), atol=5 * np.sqrt(2 / n))


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: ht.sparse_classification(1, 3, 1), "n must be at least 2; got 1"),
        (lambda: ht.sparse_classification(4, 3, 4), "k must be at most d = 3; got 4"),
        (lambda: ht.sparse_classification(4, 3, 0), "k must be at least 1; got 0"),
        (lambda: ht.sparse_classification(4, 3, 1, flip=1.5), "flip must be a probability, at most 1; got 1.5"),
        (lambda: ht.sparse_classification(4, 3, 1, flip=-0.5), "flip must not be negative"),
        (lambda: ht.sparse_classification(4, 3, 1, seed=-1), "seed must be at least 0"),
        (lambda: ht.gaussian_mixture(1, 3, 1.0), "n must be at least 2; got 1"),
        (lambda: ht.gaussian_mixture(4, 0, 1.0), "d must be at least 1; got 0"),
        (lambda: ht.gaussian_mixture(4, 3, float("inf")), "separation must be finite"),
        (lambda: ht.BinaryClassification([[1.0], [-1.0]], [1, -1], theta_star=[1.0, 2.0]), "theta_star must have one"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()
