"""Binary classification: losses whose logarithm never leaves the range of numbers, and separability with a proof."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from scipy.optimize import linprog

import hamtheory as ht

LOSSES = ("logistic", "exponential")


def drawn(seed, n=12, d=5, loss="logistic"):
    rng = np.random.default_rng(seed)
    return ht.BinaryClassification(rng.standard_normal((n, d)), np.resize([1, -1], n), loss)


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_by_their_definition_at_any_margin(loss):
    margins = np.array([-1e4, -800.0, -3.0, 0.0, 0.5, 1.0, 2.0, 40.0, 800.0, 1e4])
    problem = ht.BinaryClassification(np.vstack([margins[:, None], [[1.0]]]), [1] * 10 + [-1], loss)
    with mpmath.workdps(5000):
        of = (lambda m: mpmath.log1p(mpmath.exp(-m))) if loss == "logistic" else (lambda m: mpmath.exp(-m))
        slope = (lambda m: 1 / (1 + mpmath.exp(m))) if loss == "logistic" else (lambda m: mpmath.exp(-m))
        exact = [float(mpmath.log(of(mpmath.mpf(m)))) for m in margins]
        slopes = [float(mpmath.log(slope(mpmath.mpf(m)))) for m in margins]
    np.testing.assert_allclose(problem.log_losses(margins), exact, rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(problem.log_slopes(margins), slopes, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("loss", LOSSES)
def test_gradient_and_weights_are_derivatives(loss):
    problem, theta = drawn(0, loss=loss), np.linspace(-1, 1, 5)
    with jax.enable_x64(True):
        by_jax = jax.grad(lambda t: problem.log_loss(t))(jnp.asarray(theta))
    rounding = 8 * np.finfo(float).eps * np.abs(problem.X).max()  # of a sum in which terms cancel
    np.testing.assert_allclose(-problem.weights(theta) @ problem.signed, by_jax, rtol=1e-12, atol=rounding)
    np.testing.assert_allclose(problem.gradient(theta) / problem.loss(theta), by_jax, rtol=1e-12, atol=rounding)
    np.testing.assert_allclose(problem.residual(theta) @ problem.X / problem.n, problem.gradient(theta), rtol=1e-14)
    assert problem.log_loss(np.stack([theta, 2 * theta])).shape == (2,)


def test_the_loss_of_huge_margins():
    problem = ht.BinaryClassification([[1.0], [-1.0]], [True, False])
    assert problem.log_loss([3000.0]) == -3000.0 and problem.loss([3000.0]) == 0
    assert problem.z.tolist() == [1.0, -1.0] == ht.BinaryClassification([[1.0], [-1.0]], [1, 0]).z.tolist()


@pytest.mark.parametrize("seed", range(60))
def test_separability_is_decided_with_a_proof(seed):
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(2, 50)), int(rng.integers(1, 40))
    X = rng.standard_normal((n, d))
    if seed % 3 == 1:
        X = X * 10.0 ** rng.integers(-140, 140, size=(n, 1))
    if seed % 3 == 2:
        X = X * 10.0 ** rng.integers(-9, 9, size=d)
    z = np.where(X @ rng.standard_normal(d) > 0, 1, -1) if seed % 2 else rng.choice([-1, 1], n)
    z[:2] = (1, -1)
    problem = ht.BinaryClassification(X, z)
    found = problem.separability()
    rows = problem.signed / np.abs(problem.signed).max(axis=1, keepdims=True)
    rows = rows / np.abs(rows).max(axis=0)
    programme = linprog(
        np.r_[np.zeros(d), -1.0],
        A_ub=np.c_[-rows, np.ones(n)],
        b_ub=np.zeros(n),
        bounds=[(-1, 1)] * d + [(None, 1)],
    )
    assert found.holds == (-programme.fun > 1e-7) == problem.is_separable
    if found.holds:
        assert (problem.margins(found.theta) > 0).all() and found.weights is None
    else:
        assert found.theta is None and (found.weights >= 0).all() and found.weights.sum() == pytest.approx(1)
        scale = found.weights @ np.abs(problem.signed)
        assert np.all(np.abs(found.weights @ problem.signed) <= 1e-13 * np.sqrt(n) * scale.max())


@pytest.mark.parametrize(
    "call",
    [
        lambda p: ht.solve_limit(p, ht.HAM(alpha=1.0)),
        lambda p: ht.regularization_path(p, ht.HAM(alpha=1.0), [0.1]),
        lambda p: ht.basis_pursuit(p),
        lambda p: ht.min_norm(p),
        lambda p: ht.certify_basis_pursuit(p),
        lambda p: ht.product_flow(p, np.ones(5), np.ones(5)),
        lambda p: ht.solve_limits(p, ht.HAM(alpha=[1.0, 2.0])),
    ],
)
def test_what_is_for_regressions_says_so(unchecked, call):
    with pytest.raises(TypeError, match="problem must be a LinearRegression here; got a BinaryClassification"):
        call(drawn(0))


def test_a_sample_of_both_classes_and_one_at_zero_cannot_be_separated():
    same = ht.BinaryClassification([[1.0, 2.0], [3.0, 1.0], [1.0, 2.0]], [1, 1, -1]).separability()
    assert same.holds is False and same.weights == pytest.approx([0.5, 0.0, 0.5], abs=1e-15)
    zero = ht.BinaryClassification([[1.0, 2.0], [0.0, 0.0]], [1, -1]).separability()
    assert zero.holds is False and zero.weights.tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (([[1.0], [2.0]], [1, 2]), "z must be ±1, or 0 and 1, or booleans; got 1, 2"),
        (([[1.0], [2.0]], [1, 1]), "z must have both classes; got 1 alone"),
        (([[1.0], [2.0]], [1, -1, 1]), "z must have one entry a row of X, 2; got 3"),
        (([[0.0], [0.0]], [1, -1]), "X must not be zero"),
        (([[np.nan], [1.0]], [1, -1]), "X must be finite; got nan at index 0, 0"),
        (([[2.0], [1.0]], [1, np.nan]), "z must be finite"),
        (([[2.0], [1.0]], [1, -1], "hinge"), "loss must be one of 'logistic', 'exponential'; got 'hinge'"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        ht.BinaryClassification(*arguments)


@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
def test_the_accuracy_under_an_attack_is_that_of_the_worst_samples_in_reach(p):
    """One δ in the ball takes every sample as far as any can."""
    problem, rng, size = ht.gaussian_mixture(n=200, d=6, separation=2.0), np.random.default_rng(0), 0.3
    theta = rng.standard_normal(6)
    ways = {1.0: np.eye(6)[np.argmax(np.abs(theta))] * np.sign(theta), 2.0: theta / np.linalg.norm(theta)}
    draws = rng.standard_normal((50, 6))
    draws /= np.linalg.norm(draws, ord=p, axis=1, keepdims=True)
    found = ht.metrics.accuracy(problem, theta, attack=size, p=p)

    def attacked(way):
        moved = ht.BinaryClassification(problem.X - size * np.outer(problem.z, way), problem.z)
        return ht.metrics.accuracy(moved, theta)

    assert np.linalg.norm(ways.get(p, np.sign(theta)), ord=p) == pytest.approx(1)
    assert found == attacked(ways.get(p, np.sign(theta))) == min(found, *map(attacked, draws))
    assert 0 < found < ht.metrics.accuracy(problem, theta) == np.mean(problem.z * (problem.X @ theta) > 0)


def test_an_attack_must_be_a_size_in_a_norm():
    problem = ht.gaussian_mixture(n=4, d=2, separation=2.0)
    with pytest.raises(ValueError, match="attack must not be negative; got -1"):
        ht.metrics.accuracy(problem, [1.0, 0.0], attack=-1)
    with pytest.raises(ValueError, match=r"p must be from 1 to infinity; got 0\.5"):
        ht.metrics.accuracy(problem, [1.0, 0.0], attack=1, p=0.5)


@pytest.mark.parametrize("small", [1e-2, 1e-6, 1e-9, 1e-12, 1e-20])
def test_columns_of_any_units_are_decided(small):
    # (0, −1) separates them, whatever the units of the second column.
    X = np.array([[0.0, -2.0], [1.0, -3.0], [1.0, 3.0]]) * [1e7, small]
    found = ht.BinaryClassification(X, [1, 1, -1]).separability()
    assert found.holds and (ht.BinaryClassification(X, [1, 1, -1]).signed @ found.theta > 0).all()


def test_the_proof_holds_in_every_column():
    rng = np.random.default_rng(0)
    for _ in range(200):
        n, d = rng.integers(2, 30), rng.integers(1, 10)
        X = rng.integers(-3, 4, (n, d)) * 2.0 ** rng.integers(-100, 100, d)
        z = np.resize([1, -1], n)
        if not X.any():
            continue
        problem = ht.BinaryClassification(X, z)
        found = problem.separability()
        if found.holds:
            assert (problem.signed @ found.theta > 0).all()
        elif found.holds is False:
            assert (np.abs(found.weights @ problem.signed) <= 1e-13 * (found.weights @ np.abs(problem.signed))).all()


@pytest.mark.parametrize("measured", [ht.metrics.margin, ht.metrics.accuracy])
def test_what_is_measured_of_classes_looks_at_its_arguments(measured):
    problem = ht.BinaryClassification([[1.0, 2.0], [-2.0, 0.0]], [1, -1])
    with pytest.raises(ValueError, match=r"theta must have shape \(\.\.\., 2\); got \(3,\)"):
        measured(problem, np.ones(3))
    assert np.isnan(measured(problem, [np.nan, 1.0])) and np.isfinite(measured(problem, [1.0, 1.0]))
