"""Predictions of gradient descent's flow: ends in closed form, independent quadrature, random flows, bad input."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm, t

import hamtheory as ht
from hamtheory.asymptotics import predict, predict_gradient_flow

SPIKES = ([0.0, 1.0], [0.9, 0.1])
DELTA, SIGMA, POWER = np.array([[0.05], [0.5], [0.99], [1.0], [1.01], [3.0]]), 0.3, 0.1


def test_both_ends_in_closed_form():
    """Nothing at time 0, the least-norm interpolator or least squares at the end."""
    found = predict_gradient_flow([0.0, 1e9], delta=DELTA, prior=SPIKES, sigma=SIGMA)
    np.testing.assert_allclose(found.mse[:, 0], POWER, rtol=1e-13)
    np.testing.assert_allclose(found.residual[:, 0], POWER + SIGMA**2 * DELTA[:, 0], rtol=1e-13)
    below, above = DELTA[:3, 0], DELTA[4:, 0]
    limit = predict(ht.Euclidean(), delta=below, prior=SPIKES, sigma=SIGMA)
    np.testing.assert_allclose(found.mse[:3, 1], limit.mse, rtol=1e-10)
    np.testing.assert_allclose(found.mse[4:, 1], SIGMA**2 / (1 - 1 / above), rtol=1e-10)
    np.testing.assert_allclose(found.residual[4:, 1], SIGMA**2 * (above - 1), rtol=1e-10)


@pytest.mark.parametrize("t", [1e-3, 0.3, 4.0, 200.0])
@pytest.mark.parametrize("delta", [0.05, 0.9, 1.0, 3.0])
def test_another_quadrature(t, delta):
    """Gauss-Kronrod in the angle, s = 1 + 1/δ + 2 cos φ/√δ."""
    root = np.sqrt(delta)

    def over_the_law(of):
        def integrand(phi):
            s = (1 - 1 / root) ** 2 + 4 / root * np.sin(phi / 2) ** 2
            return 2 / np.pi * np.sin(phi) ** 2 / s * of(s)

        parts = np.concatenate([[0.0], np.pi * np.geomspace(1e-6, 1, 8)])
        return sum(quad(integrand, a, b, epsabs=0, epsrel=1e-12)[0] for a, b in itertools.pairwise(parts))

    found = predict_gradient_flow(t, delta=delta, prior=SPIKES, sigma=SIGMA)
    null = max(1 - delta, 0)
    bias = POWER * (null + over_the_law(lambda s: np.exp(-2 * s * t)))
    variance = SIGMA**2 * over_the_law(lambda s: np.expm1(-s * t) ** 2 / s)
    signal = POWER * over_the_law(lambda s: s * np.exp(-2 * s * t))
    rest = SIGMA**2 * (over_the_law(lambda s: np.exp(-2 * s * t)) + max(delta - 1, 0))
    np.testing.assert_allclose([found.bias, found.variance], [bias, variance], rtol=1e-9)
    np.testing.assert_allclose([found.mse, found.residual], [bias + variance, signal + rest], rtol=1e-9)


def test_every_time_has_all_digits():
    """Without noise, with more rows than columns, the error falls like t^(−3/2) e^(−2at), a the least eigenvalue."""
    ts = np.array([200.0, 500.0, 1000.0])
    found = predict_gradient_flow(ts, delta=4.0, prior=SPIKES)
    np.testing.assert_allclose(np.diff(np.log(ts**1.5 * found.mse)) / np.diff(ts), -2 * 0.25, rtol=1e-3)
    assert np.all(found.stats["error"] <= 1e-12) and np.all(found.variance == 0)
    wide = predict_gradient_flow(np.geomspace(1e-9, 1e9, 19), delta=DELTA, prior=norm.pdf, sigma=[[SIGMA]])
    assert np.all(wide.stats["error"] <= 1e-12) and wide.mse.shape == (6, 19)
    slack = 1e-13 * wide.mse[:, 1:]
    assert np.all(np.diff(wide.bias) <= slack) and np.all(np.diff(wide.residual) <= slack)
    assert np.all(np.diff(wide.variance) >= -slack)


def test_flows_of_random_problems_come_to_it():
    """Their mean is within four standard errors, and a percent."""
    rng, n, d, draws = np.random.default_rng(0), 150, 250, 16
    ts, found = np.geomspace(0.1, 10, 5), []
    for _ in range(draws):
        X, truth = rng.standard_normal((n, d)), np.where(rng.permutation(d) < d * POWER, 1.0, 0.0)
        y = X @ truth + np.sqrt(n) * SIGMA * rng.standard_normal(n)
        flow = ht.solve_flow(ht.LinearRegression(X, y), ht.Euclidean(), ts=ts)
        residual = np.sum(np.square(flow.thetas @ X.T - y), axis=1) / (n * d)
        found.append([np.mean(np.square(flow.thetas - truth), axis=1), residual])
    expected = predict_gradient_flow(ts, delta=n / d, prior=SPIKES, sigma=SIGMA)
    ratio = np.array(found) / [expected.mse, expected.residual]
    error = np.std(ratio, axis=0, ddof=1) / np.sqrt(draws)
    assert np.all(error <= 0.1) and np.all(np.abs(np.mean(ratio, axis=0) - 1) <= 4 * error + 0.01)


def test_arrays_of_both_engines_and_scalars():
    one = predict_gradient_flow(1.0, delta=0.5, prior=SPIKES, sigma=SIGMA)
    many = predict_gradient_flow(jnp.ones(3), delta=jnp.full(3, 0.5), prior=SPIKES, sigma=SIGMA)
    assert np.ndim(one.mse) == 0 and isinstance(many.mse, np.ndarray) and np.all(many.mse == one.mse)


def test_heavy_tails_count_whole():
    # Student's law of 3 degrees of freedom has the mean square 3, a part of it far out.
    heavy = predict_gradient_flow([0.0, 1.0], delta=0.5, prior=lambda theta: t.pdf(theta, 3), sigma=SIGMA)
    atom = predict_gradient_flow([0.0, 1.0], delta=0.5, prior=([np.sqrt(3.0)], [1.0]), sigma=SIGMA)
    np.testing.assert_allclose(heavy.mse, atom.mse, rtol=1e-12)


@pytest.mark.parametrize(
    "given, error, message",
    [
        ({"ts": [-1.0]}, ValueError, "ts must not be negative; got -1"),
        ({"ts": np.inf}, ValueError, "ts must be finite"),
        ({"delta": 0.0}, ValueError, "delta must be positive"),
        ({"sigma": -0.1}, ValueError, "sigma must not be negative; got -0.1"),
        ({"prior": ([0.0], [1.0])}, ValueError, "prior must not be zero alone"),
        ({"prior": 1.0}, TypeError, r"prior must be a pair"),
        ({"ts": []}, ValueError, r"ts, delta and sigma must not be empty; got the shape \(0,\)"),
        ({"ts": [1.0, 2.0], "sigma": np.ones(3)}, ValueError, r"broadcast; .* shapes ts \(2,\), sigma \(3,\)"),
        ({"sigma": 1e200}, ValueError, "sigma must be at most 1e.150, in units of the signal too"),
        ({"prior": ([1e160], [1.0])}, ValueError, "root mean square from .* other units; got 1e.160"),
        ({"prior": lambda theta: t.pdf(theta, 2.1)}, ValueError, "density of prior must have a mean square"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_bad_input_is_refused(given, error, message):
    with pytest.raises(error, match=message):
        predict_gradient_flow(**{"ts": 1.0, "delta": 0.5, "prior": SPIKES} | given)
