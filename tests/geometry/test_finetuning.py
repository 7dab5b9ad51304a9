"""Fine-tuning: against the network itself, pretrained and tuned in its own parameters."""

import numpy as np
import pytest

import hamtheory as ht

SETTINGS = [(0.5, 0.0, 0.0), (0.5, 0.3, 0.2), (1e-2, -0.6, 0.4), (2.0, 1.0, 0.1), (0.1, -1.0, 0.3)]


@pytest.mark.parametrize("scale, imbalance, readout", SETTINGS)
def test_the_flow_is_that_of_the_network(scale, imbalance, readout):
    rng = np.random.default_rng(0)
    n, d = 5, 12
    X, targets = rng.standard_normal((n, d)), rng.standard_normal((2, n))
    doubled = [ht.LinearRegression(np.hstack([X, -X]), y) for y in targets]
    features, readouts = np.sqrt(scale * (1 + imbalance) / 2), np.sqrt(scale * (1 - imbalance) / 2)
    sharp = {"rtol": 1e-11, "atol": 1e-13}
    first = ht.product_flow(doubled[0], np.full(2 * d, features), np.full(2 * d, readouts), **sharp)
    tuned = ht.geometry.finetuning(first.theta[:d] - first.theta[d:], scale=scale, imbalance=imbalance, readout=readout)
    ts = [0.1, 1.0, 5.0, 50.0]
    second = ht.product_flow(doubled[1], first.ms[-1], np.full(2 * d, readout), ts=ts, **sharp)
    flow = ht.solve_flow(ht.LinearRegression(X, targets[1]), tuned.geo, tuned.theta0, ts=ts, **sharp)
    np.testing.assert_allclose(flow.thetas, second.thetas[:, :d] - second.thetas[:, d:], atol=1e-7)


@pytest.mark.parametrize("scale, imbalance, readout", SETTINGS[:4])
def test_exponents_are_derivatives_of_the_potential(scale, imbalance, readout):
    beta, theta = np.array([-3.0, 1e-3, 0.2, 40.0]), np.array([0.5, 2.0, 1e-4, -3.0])

    def potential(of_beta, of_theta):
        geo = ht.geometry.finetuning(of_beta, scale=scale, imbalance=imbalance, readout=readout).geo
        return np.log(geo.potential(of_theta))

    step = 1e-4
    own, other = ht.geometry.finetuning(beta, scale=scale, imbalance=imbalance, readout=readout).exponents(theta)
    up, down = np.exp(step), np.exp(-step)
    np.testing.assert_allclose(
        own, (potential(beta, up * theta) - potential(beta, down * theta)) / (2 * step), rtol=1e-6
    )
    np.testing.assert_allclose(
        other, (potential(up * beta, theta) - potential(down * beta, theta)) / (2 * step), rtol=1e-6, atol=1e-9
    )
    assert (own >= 1).all() and (own <= 2).all()
    if readout == 0 or imbalance == 1:
        assert (other <= 0).all() and (other >= -1).all() and (own + other >= 1 - 1e-12).all()
    if (imbalance, readout) == (-0.6, 0.4):  # features that are smaller than their readouts were
        assert other.max() > 0 and other.min() < -1


def test_the_four_regimes():
    # Ridge or L1, with or without what was pretrained; at θ = 0 the exponents are their limits.
    tuned = ht.geometry.finetuning([1e-9, 1.0, 1e-9, 1.0], scale=1e-3, readout=0.0)
    own, other = tuned.exponents([1e-6, 1e-3, 1e6, 1e300])
    np.testing.assert_allclose(own, [2, 2, 1, 1], atol=0.06)
    np.testing.assert_allclose(other, [0, -1, 0, 0], atol=0.06)
    assert tuned.exponents(np.zeros(4))[0].tolist() == [2, 2, 2, 2]


@pytest.mark.parametrize(
    "options, message",
    [
        ({"scale": 0.0}, "scale must be positive; got 0"),
        ({"scale": "big"}, "scale must be a number; got 'big'"),
        ({"imbalance": 1.5}, "imbalance must be from -1 to 1; got 1.5"),
        ({"readout": -1.0}, "readout must be at least 0; got -1"),
        ({"pretrained": [np.nan, 1.0]}, "pretrained must be finite"),
        ({"pretrained": [[1.0]]}, "pretrained must"),
        ({"imbalance": -1.0}, "readout must be positive where imbalance = -1 and pretraining ended at 0"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        ht.geometry.finetuning(**{"pretrained": [0.0, 1.0], "scale": 1.0} | options)
