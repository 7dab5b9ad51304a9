"""The best parameter in high dimension, and where exact recovery begins."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import norm

import hamtheory as ht
from hamtheory.asymptotics import best_parameter, predict, transition
from tests.slow import slow

FAMILIES = [ht.HAM, ht.Hypentropy]


def _of_basis_pursuit(share: float) -> float:
    """The published curve: the least minimax risk of soft thresholding over thresholds."""
    zero = lambda t: 2 * ((1 + t * t) * norm.cdf(-t) - t * norm.pdf(t))  # noqa: E731
    risk = lambda t: share * (1 + t * t) + (1 - share) * zero(t)  # noqa: E731
    return minimize_scalar(risk, bounds=(0, 8), method="bounded", options={"xatol": 1e-9}).fun


@pytest.mark.parametrize("share", [0.003, *slow(0.03, 0.1), 0.3, *slow(0.6)])
@pytest.mark.parametrize("geo", [ht.HAM(log_alpha=1e4), ht.Hypentropy(log_gamma=-1e5)], ids=repr)
def test_the_transition_of_basis_pursuit(geo, share):
    """Whatever the atoms that are not 0."""
    assert transition(geo, ([0.0, 1.0], [1 - share, share])) == pytest.approx(_of_basis_pursuit(share), abs=1e-3)
    other = transition(geo, ([0.0, 1.0, -5.0], [1 - share, share / 2, share / 2]))
    assert other == pytest.approx(_of_basis_pursuit(share), abs=1e-3)


def test_a_finite_parameter_recovers_to_a_level_only():
    ham, prior = ht.HAM(100.0), ([0.0, 1.0], [0.9, 0.1])
    found = [transition(ham, prior, level=level) for level in (0.3, 0.1, 1e-3)]
    assert _of_basis_pursuit(0.1) < found[0] < found[1] < found[2] < 1
    for level, delta in zip((0.3, 0.1), found, strict=False):
        assert np.sqrt(predict(ham, delta=delta, prior=prior).mse / 0.1) == pytest.approx(level, rel=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("sigma, size", [(0.2, 1.0), *slow((0.4, 1.0), (0.4e3, 1e3))])
def test_the_best_is_that_of_a_dense_grid(family, sigma, size):
    prior = ([0.0, size], [0.95, 0.05])
    found = best_parameter(family, delta=0.4, prior=prior, sigma=sigma)
    low, high = found.bracket
    assert low <= found.geo.parameter <= high and high - low < 0.02
    logs = found.geo.parameter + np.linspace(-30, 30, 601)
    grid = predict(family.at_log(logs), delta=0.4, prior=prior, sigma=sigma).mse
    assert found.prediction.mse <= grid.min() * (1 + 1e-9)
    assert abs(logs[np.argmin(grid)] - found.geo.parameter) <= 0.11


@pytest.mark.parametrize("family", FAMILIES)
def test_the_best_at_an_end(family):
    sparse = best_parameter(family, delta=0.5, prior=([0.0, 1.0], [0.95, 0.05]))  # without noise
    dense = best_parameter(family, delta=0.5, prior=([1.0], [1.0]), sigma=0.1)
    ends = (0, 1) if family is ht.HAM else (1, 0)
    assert np.isinf(dense.bracket[ends[0]]) and np.isinf(sparse.bracket[ends[1]])
    assert sparse.prediction.mse == 0
    assert dense.prediction.mse == pytest.approx(0.5 + 0.5 * 0.1**2, rel=1e-8)


@pytest.mark.usefixtures("unchecked")
def test_bad_input_is_refused():
    prior = ([0.0, 1.0], [0.9, 0.1])
    with pytest.raises(TypeError, match=r"family must be ht.HAM or ht.Hypentropy"):
        best_parameter(ht.Euclidean, delta=0.5, prior=prior)
    with pytest.raises(ValueError, match="delta must have 0 axes"):
        best_parameter(ht.HAM, delta=[0.5, 0.6], prior=prior)
    with pytest.raises(ValueError, match="level must be positive"):
        transition(ht.HAM(1.0), prior, level=0.0)
