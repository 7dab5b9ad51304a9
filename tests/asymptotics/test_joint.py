"""Coordinates that differ in their geometry and their start: closed forms, independent quadrature, simulated limits."""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm

import hamtheory as ht
from hamtheory.asymptotics import predict

WEIGHTS = [0.5, 0.3, 0.05, 0.15]
ATOMS, STARTS = [0.0, 0.0, -2.0, 1.0], [0.0, 0.3, 0.5, -0.3]
MIXED = [ht.HAM(30.0), ht.Hypentropy(0.01), ht.symbolic.geometry("1 + a*theta**2", a=3.0), ht.DiagonalNetwork(3, 0.1)]
TUNED = [ht.Hypentropy(gamma) for gamma in (0.01, 0.5, 0.5, 0.01)]


def _prox(slope, kappa, start, v):
    """θ with θ + κ(R′(θ) − R′(θ₀)) = v, by bisection."""
    signed = lambda theta: np.copysign(slope(np.abs(theta)), theta)  # noqa: E731
    low, high = np.full_like(v, -100.0), np.full_like(v, 100.0)
    for _ in range(60):
        middle = (low + high) / 2
        below = middle + kappa * (signed(middle) - signed(np.float64(start))) < v
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return low


def _sums(found, slopes, starts):
    """E(η − Θ)², E η′ by Stein's lemma, E|η|, E η² and P(|η| > threshold), by the trapezoidal rule over Z."""
    z = np.linspace(-9, 9, 20001)
    tau, kappa, sums = float(found.tau), float(found.kappa), np.zeros(5)
    for slope, a, start, weight in zip(slopes, ATOMS, starts, WEIGHTS, strict=True):
        eta = _prox(slope, kappa, start, a + tau * z)
        each = [(eta - a) ** 2, z * eta / tau, np.abs(eta), eta**2, np.abs(eta) > found.threshold]
        sums += weight * (np.array(each, float) @ norm.pdf(z)) * (z[1] - z[0])
    return sums


@pytest.mark.parametrize("delta", [0.1, 0.6, 0.95])
@pytest.mark.parametrize("sigma", [0.0, 0.3])
def test_ridge_with_weights_in_closed_form(delta, sigma):
    """m⊙w with large γ is θ²/(4γ): then η is linear, and κ the root of one equation."""
    gammas = 1e7 * np.array([1.0, 3.0, 0.2, 10.0])
    found = predict(
        [ht.Hypentropy(gamma) for gamma in gammas], delta=delta, prior=(ATOMS, WEIGHTS), sigma=sigma, start=STARTS
    )
    shrunk = lambda log: 1 / (1 + np.exp(log) / (2 * gammas))  # noqa: E731
    log = brentq(lambda log: WEIGHTS @ shrunk(log) - delta, 0.0, 40.0, xtol=1e-14)
    slopes = shrunk(log)
    bias = np.array(WEIGHTS) @ ((1 - slopes) ** 2 * np.subtract(ATOMS, STARTS) ** 2)
    gain = np.array(WEIGHTS) @ slopes**2 / delta
    tau = np.sqrt((sigma**2 + bias / delta) / (1 - gain))
    np.testing.assert_allclose([found.kappa, found.tau], [np.exp(log), tau], rtol=1e-8)
    assert found.mse == pytest.approx(delta * (tau**2 - sigma**2), rel=1e-8)


@pytest.mark.parametrize("sigma", [0.05, 1.0])
@pytest.mark.parametrize("geos", [MIXED, TUNED, [ht.HAM(log_alpha=30.0)] * 4], ids=["mixed", "tuned", "sparse"])
def test_both_equations_hold(geos, sigma):
    """By another quadrature, of proximal maps found one by one."""
    delta = 0.4
    found = predict(geos, delta=delta, prior=(ATOMS, WEIGHTS), sigma=sigma, start=STARTS)
    square, slope, l1, power, support = _sums(found, [geo.mirror_map for geo in geos], STARTS)
    assert found.result == ht.Result.converged
    assert found.tau**2 == pytest.approx(sigma**2 + square / delta, rel=1e-5)
    numbers = [found.mse, delta, found.norms[0], found.norms[1] ** 2]
    np.testing.assert_allclose([square, slope, l1, power], numbers, rtol=1e-5)
    assert support == pytest.approx(found.support, abs=1e-3)  # a step of z


def test_one_geometry_for_all_is_that_geometry():
    given = {"delta": [[0.3], [0.8]], "prior": (ATOMS, WEIGHTS), "sigma": 0.2}
    for geo in (ht.HAM([2.0, 50.0]), ht.DiagonalNetwork(3, 0.1)):
        one, each = predict(geo, **given), predict([geo] * 4, **given, start=0.0)
        for name in ("mse", "tau", "kappa", "support"):
            np.testing.assert_allclose(getattr(each, name), getattr(one, name), rtol=1e-8)


def test_signs_together_do_not_matter():
    given = {"delta": 0.4, "sigma": 0.1}
    signs = np.array([-1.0, -1.0, 1.0, -1.0])
    one = predict(ht.HAM(20.0), prior=(ATOMS, WEIGHTS), start=STARTS, **given)
    other = predict(ht.HAM(20.0), prior=(signs * ATOMS, WEIGHTS), start=signs * STARTS, **given)
    assert other.mse == one.mse and other.support == one.support


def test_a_density_with_a_start_and_a_geometry_of_its_own():
    """A normal law as a density, and as the atoms of Gauss's rule."""
    points, weights = np.polynomial.hermite_e.hermegauss(60)
    weights, given = 0.3 * weights / weights.sum(), {"delta": 0.5, "sigma": 0.3}
    atoms = predict(
        [ht.HAM(10.0)] * 60 + [ht.HAM(100.0)],
        prior=([*points, 0.0], [*weights, 0.7]),
        start=[*np.full(60, 0.5), -0.1],
        **given,
    )
    density = predict([ht.HAM(10.0), ht.HAM(100.0)], prior=([norm.pdf, 0.0], [0.3, 0.7]), start=[0.5, -0.1], **given)
    assert density.mse == pytest.approx(atoms.mse, rel=1e-8)


@pytest.mark.parametrize("delta", [0.4, 2.0])
def test_both_equations_hold_under_weight_decay(delta):
    geos = [ht.HAM(50.0), ht.HAM(1.0), ht.Hypentropy(1.0), ht.Euclidean()]
    found = predict(geos, delta=delta, prior=(ATOMS, WEIGHTS), sigma=0.2, weight_decay=0.05)
    penalties = [geo.penalty(0.05, float).derivative for geo in geos]
    square, slope, *_ = _sums(found, penalties, [0.0] * 4)
    assert found.tau**2 == pytest.approx(0.2**2 + square / delta, rel=1e-5)
    assert slope == pytest.approx(delta * (1 - 1 / found.kappa), rel=1e-5)


FAMILIES = [
    lambda x: ht.HAM(log_alpha=30 + 3 * x),
    lambda x: ht.Hypentropy(log_gamma=-5 + 3 * x),
    lambda x: ht.DiagonalNetwork(3, 0.3 * np.exp(x)),
    lambda x: ht.symbolic.geometry("1 + a*theta**2", a=np.exp(x)),
]


@pytest.mark.parametrize("family", [0, 1, pytest.param(2, marks=pytest.mark.slow), 3])
def test_random_laws_converge_to_the_best_rule(family):
    rng = np.random.default_rng(family)
    for _ in range(3):
        count = int(rng.integers(1, 5))
        given = {
            "delta": rng.uniform(0.05, 0.95, 3),
            "prior": (rng.choice([0.0, 1.0, -3.0, 0.1], count), rng.dirichlet(np.ones(count))),
            "start": rng.standard_normal(count) * 10 ** rng.uniform(-2, 1, count),
            "sigma": [[0.0], [10 ** rng.uniform(-3, 1)]],
        }
        geos = [FAMILIES[family](rng.uniform(-1, 1)) for _ in range(count)]
        found, best = predict(geos, **given), predict(geos, **given, tol=2e-14, throw=False)
        true = np.abs(found.mse - best.mse)
        assert np.all(true <= (found.stats["error"] + best.stats["error"]) * best.mse)


def test_what_is_frozen_where_it_starts_stalls():
    """R′ of e⁻⁵⁶ and of 1: κ is that of the former, and the others move by less than rounding shows; and it says so."""
    sparse, other = ht.HAM(log_alpha=56.148), ht.Hypentropy(log_gamma=-37.132)
    prior = ([1.0, -3.0, 1.0, 0.0], [0.292886, 0.334528, 0.111232, 0.261354])
    given = {"delta": 0.438, "prior": prior, "start": [0.41, -0.04, 2.863, -2.289], "throw": False}
    found = predict([sparse, other, other, sparse], **given)
    assert found.result == ht.Result.stalled and found.stats["error"] > 1e-3


SIMULATED = {"γ": TUNED, "α": [ht.HAM(alpha) for alpha in (5.0, 50.0, 1.0, 20.0)], "one α": [ht.HAM(100.0)] * 4}


def _simulated(geos, n, d, sigma, seeds):
    """The mean square error of limits, one a draw."""
    which = np.repeat(np.arange(4), np.round(np.array(WEIGHTS) * d).astype(int))
    truth, theta0, errors = np.array(ATOMS)[which], np.array(STARTS)[which], []
    geo = type(geos[0])(np.array([float(geo.parameter) for geo in geos])[which])
    for seed in seeds:
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((n, d))
        y = X @ truth + np.sqrt(n) * sigma * rng.standard_normal(n)
        errors.append(np.mean(np.square(ht.solve_limit(ht.LinearRegression(X, y), geo, theta0).theta - truth)))
    return np.array(errors)


@pytest.mark.slow
def test_simulated_limits():
    """Six settings with draws of their own: within two standard errors but for one, by chance; that within three."""
    scores = []
    for name, geos in SIMULATED.items():
        for sigma in (0.0, 0.3):
            seeds = [[list(SIMULATED).index(name), int(sigma > 0), draw] for draw in range(24)]
            errors = _simulated(geos, 400, 800, sigma, seeds)
            expected = predict(geos, delta=0.5, prior=(ATOMS, WEIGHTS), sigma=sigma, start=STARTS).mse
            scores.append((errors.mean() - expected) / (errors.std(ddof=1) / np.sqrt(errors.size)))
    assert np.sort(np.abs(scores))[-2] <= 2 and np.max(np.abs(scores)) <= 3


@pytest.mark.parametrize(
    "given, error, message",
    [
        ({"geo": [ht.HAM(1.0)]}, ValueError, "one for each of the 2 atoms of prior; got 1"),
        ({"geo": [ht.HAM(1.0), "ham"]}, TypeError, "geo must be a geometry, and so must each in a list; got 'ham'"),
        (
            {"geo": [ht.HAM(1.0), ht.HAM([1.0, 2.0])], "delta": [0.1] * 3},
            ValueError,
            r"alpha of geo\[1\] \(2,\), delta",
        ),
        (
            {"start": [0.0, 1.0, 2.0]},
            ValueError,
            r"start must be a number, or one for each of the 2 atoms of prior; got",
        ),
        ({"start": [0.0, np.nan]}, ValueError, "start must be finite; got nan"),
        ({"start": [0.0, 1.0]}, ValueError, "prior must not be where all starts"),
        ({"start": 1.0, "weight_decay": 0.1}, ValueError, "start must be left out with weight_decay"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_bad_input_is_refused(given, error, message):
    with pytest.raises(error, match=message):
        predict(**{"geo": ht.HAM(1.0), "delta": 0.5, "prior": ([0.0, 1.0], [0.9, 0.1])} | given)
