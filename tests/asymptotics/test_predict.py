"""Predictions for high dimension: closed forms, independent quadrature, honest errors, the whole range, bad input."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import root
from scipy.stats import cauchy, norm

import hamtheory as ht
from hamtheory.asymptotics import predict
from tests.geometries import GEOMETRIES, OF_ONE_METHOD
from tests.slow import others_slow, slow

SPIKES = ([0.0, 1.0], [0.9, 0.1])
PRIORS = {
    "spikes": SPIKES,
    "rare": ([0.0, -1.0], [0.99, 0.01]),
    "three": ([0.0, 0.2, 3.0], [0.5, 0.3, 0.2]),
    "dense": ([1.0], [1.0]),
}
DELTA, SIGMA = np.array([[0.02], [0.2], [0.5], [0.9], [0.99]]), np.array([0.0, 0.01, 0.1, 1.0, 10.0])
WIDE = [
    *(ht.HAM(log_alpha=log) for log in (-1e4, -5.0, 0.0, 3.0, 7.0, 15.0, 40.0, 200.0, 1e4)),
    *(ht.Hypentropy(log_gamma=log) for log in (-1e4, -7.0, 1e4)),
    *(ht.DiagonalNetwork(3, scale) for scale in (3e-3, 0.1, 3.0)),
    ht.symbolic.geometry("1 + a*theta**2", a=3.0),
]


def _prox(geo, kappa, v):
    """η_κ(v), by bisection."""
    low, high = np.zeros_like(v), np.abs(v)
    for _ in range(60):
        middle = (low + high) / 2
        below = middle + kappa * geo.mirror_map(middle) < np.abs(v)
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.copysign(low, v)


def _expected(geo, found, prior, of):
    """E of(η, Θ, Z) by the trapezoidal rule for Z."""
    z = np.linspace(-9, 9, 6001)
    atoms, weights = (np.array(part)[:, None] for part in prior)
    eta = _prox(geo, float(found.kappa), atoms + float(found.tau) * z)
    return float(np.sum(weights * norm.pdf(z) * of(eta, atoms, z)) * (z[1] - z[0]))


@pytest.mark.parametrize("geo", [ht.Euclidean(), ht.HAM(log_alpha=-1e4), ht.Hypentropy(log_gamma=1e4)], ids=repr)
def test_the_l2_end_in_closed_form(geo):
    found = predict(geo, delta=DELTA, prior=PRIORS["three"], sigma=SIGMA)
    power = np.array(PRIORS["three"][1]) @ np.square(PRIORS["three"][0])
    expected = (1 - DELTA) * power + DELTA**2 * SIGMA**2 / (1 - DELTA)
    np.testing.assert_allclose(found.mse, expected, rtol=1e-10)
    np.testing.assert_allclose(found.tau, np.sqrt(SIGMA**2 + expected / DELTA), rtol=1e-10)
    np.testing.assert_allclose(found.norms[1] ** 2, DELTA**2 * (power + found.tau**2), rtol=1e-10)
    if isinstance(geo, ht.Euclidean):
        np.testing.assert_allclose(found.kappa, np.broadcast_to(1 / DELTA - 1, found.kappa.shape), rtol=1e-10)


@pytest.mark.parametrize("delta", [0.3, 0.8, 1.5])
@pytest.mark.parametrize("beta", [1e-3, 0.05, 1.0])
def test_the_lasso_in_closed_form(delta, beta):
    """Weight decay of m⊙w: soft thresholding, whose moments are those of the normal law; of any γ."""
    sigma, spike, share = 0.3, 1.0, 0.1

    def parts(tau, threshold):
        def of(a):
            low, high = (-threshold - a) / tau, (threshold - a) / tau
            above, below = norm.sf(high), norm.cdf(low)
            square = a * a * (norm.cdf(high) - norm.cdf(low))
            square += (tau**2 + threshold**2) * (above + below)
            square += tau * tau * (high * norm.pdf(high) - low * norm.pdf(low))
            square -= 2 * threshold * tau * (norm.pdf(high) + norm.pdf(low))
            return square, above + below

        zero, one = of(0.0), of(spike)
        return [(1 - share) * z + share * o for z, o in zip(zero, one, strict=True)]

    def equations(unknown):
        tau, threshold = np.exp(unknown)
        square, slope = parts(tau, threshold)
        return [np.log((sigma**2 + square / delta) / tau**2), threshold * (1 - slope / delta) - 2 * beta]

    found = predict(ht.Hypentropy(3.0), delta=delta, prior=SPIKES, sigma=sigma, weight_decay=beta)
    solution = root(equations, [np.log(found.tau), np.log(2 * beta * found.kappa)], tol=1e-13)
    assert np.max(np.abs(solution.fun)) < 1e-10
    np.testing.assert_allclose(np.exp(solution.x), [found.tau, 2 * beta * found.kappa], rtol=1e-8)
    assert found.mse == pytest.approx(parts(*np.exp(solution.x))[0], rel=1e-8)


@pytest.mark.parametrize("delta", [0.3, 1.5])
def test_ridge_is_the_law_of_marchenko_and_pastur(delta):
    """E|(XᵀX/n + β)⁻¹(…)|² from the density of the eigenvalues, with no fixed point."""
    beta, sigma, power = 0.2, 0.3, 0.1
    ratio = 1 / delta
    low, high = (1 - np.sqrt(ratio)) ** 2, (1 + np.sqrt(ratio)) ** 2
    density = lambda s: np.sqrt((high - s) * (s - low)) / (2 * np.pi * ratio * s)  # noqa: E731
    loss = lambda s: (beta**2 * power + sigma**2 * s) / (s + beta) ** 2  # noqa: E731
    expected = quad(lambda s: density(s) * loss(s), low, high, epsabs=1e-12)[0] + max(1 - delta, 0) * loss(0.0)
    found = predict(ht.Euclidean(), delta=delta, prior=SPIKES, sigma=sigma, weight_decay=beta)
    assert found.mse == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize(
    "geo",
    [
        *OF_ONE_METHOD[:2],
        *slow(*OF_ONE_METHOD[2:]),
        *(geo for name, geo in GEOMETRIES.items() if name not in ("one a column", "ln α")),
    ],
    ids=repr,
)
def test_both_equations_hold(geo):
    """By another quadrature, over Z, of proximal maps found one by one, and E η′ by Stein's lemma."""
    delta, sigma = 0.5, 0.3
    found = predict(geo, delta=delta, prior=SPIKES, sigma=sigma)
    square = _expected(geo, found, SPIKES, lambda eta, atom, _: (eta - atom) ** 2)
    slope = _expected(geo, found, SPIKES, lambda eta, _, z: z * eta) / float(found.tau)
    assert found.result == ht.Result.converged
    assert float(found.mse) == pytest.approx(square, rel=1e-5)
    assert float(found.tau) ** 2 == pytest.approx(sigma**2 + square / delta, rel=1e-5)
    assert slope == pytest.approx(delta, rel=1e-5)
    assert found.norms[0] == pytest.approx(_expected(geo, found, SPIKES, lambda eta, *_: abs(eta)), rel=1e-5)
    assert found.norms[1] ** 2 == pytest.approx(_expected(geo, found, SPIKES, lambda eta, *_: eta**2), rel=1e-5)


@pytest.mark.parametrize("geo", WIDE, ids=repr)
@pytest.mark.parametrize("prior", others_slow(PRIORS, "spikes", "dense"))
def test_the_whole_range_converges(geo, prior):
    found = predict(geo, delta=DELTA, prior=PRIORS[prior], sigma=SIGMA)
    recovered = found.mse == 0
    assert np.all(found.result == 0) and np.all(found.stats["error"] <= 1e-8)
    assert np.all(SIGMA[np.nonzero(recovered)[1]] == 0) and np.all(found.tau[recovered] == 0)
    balance = SIGMA**2 + found.mse / DELTA - found.tau**2
    assert np.all(np.abs(balance) <= 1e-6 * found.tau**2)
    assert np.all(found.norms[0] <= found.norms[1] * (1 + 1e-9)) and np.all((found.support >= 0) & (found.support <= 1))


@pytest.mark.parametrize("beta", [1e-8, 1e-3, 30.0])
@pytest.mark.parametrize(
    "geo", [ht.HAM(log_alpha=-3.0), ht.HAM(log_alpha=2e3), ht.Hypentropy(1.0), ht.Euclidean()], ids=repr
)
def test_weight_decay_of_any_strength(geo, beta):
    """Between least squares, or the interpolator, and zero."""
    delta = np.array([[0.3], [0.97], [3.0]])
    found = predict(geo, delta=delta, prior=PRIORS["three"], sigma=SIGMA, weight_decay=beta)
    assert np.all(np.abs(SIGMA**2 + found.mse / delta - found.tau**2) <= 1e-6 * found.tau**2)
    power = np.array(PRIORS["three"][1]) @ np.square(PRIORS["three"][0])
    if beta == 30.0 and isinstance(geo, ht.Hypentropy):
        np.testing.assert_allclose(found.mse[:, :4], power, rtol=1e-3)  # all is below the threshold
    if beta == 1e-8 or geo.log_sparsity == 2e3:  # there β/α is nothing
        np.testing.assert_allclose(found.mse[2], SIGMA**2 / (1 - 1 / 3), rtol=1e-3, atol=1e-12)
    if beta == 1e-8 and isinstance(geo, ht.Euclidean):
        limit = predict(geo, delta=delta[:2], prior=PRIORS["three"], sigma=SIGMA)
        np.testing.assert_allclose(found.mse[:2], limit.mse, rtol=2e-4)  # β over the least eigenvalue, 2e-4


@pytest.mark.parametrize("geo", [*WIDE[::3], *slow(*WIDE[1::3], *WIDE[2::3])], ids=repr)
def test_the_reported_error_is_no_smaller_than_the_true_one(geo):
    """That is measured by what a rule with many more nodes gives."""
    given = {"delta": DELTA[1:4], "prior": PRIORS["three"], "sigma": SIGMA}
    best = predict(geo, tol=2e-14, throw=False, **given)
    some = best.mse > 0
    for tol in (1e-3, 1e-6, 1e-8):
        found = predict(geo, tol=tol, **given)
        true = np.abs(found.mse[some] / best.mse[some] - 1)
        assert np.all(true <= (found.stats["error"] + best.stats["error"])[some])


@pytest.mark.parametrize(
    "geo, given",
    [
        (ht.Hypentropy(log_gamma=-26.7341593), {"delta": 0.3817, "prior": ([0.0, 1.0], [0.968001, 0.031999])}),
        (ht.Hypentropy(log_gamma=-34.9857152), {"delta": 0.4314, "prior": SPIKES, "weight_decay": 3.48e-3}),
        (ht.Hypentropy(log_gamma=-3728.0), {"delta": 0.6323, "prior": PRIORS["three"]}),
        (ht.DiagonalNetwork(3, 0.01), {"delta": 0.888, "prior": ([0.0, 1.0, 0.002], [0.1, 0.5, 0.4])}),
        (ht.HAM(log_alpha=720.0), {"delta": 1.07, "prior": SPIKES, "weight_decay": 1e-5, "sigma": 3e-4}),
    ],
    ids=repr,
)
def test_where_the_first_rule_is_off_by_an_order(geo, given):
    """Recoveries with hardly any noise, and a penalty whose barrier is no normal number: the best rule counts."""
    found = predict(geo, **given)
    best = predict(geo, tol=2e-14, throw=False, **given)
    assert found.result == ht.Result.converged and found.stats["error"] <= 1e-8
    assert abs(found.mse - best.mse) <= (found.stats["error"] + best.stats["error"]) * best.mse


def test_a_barrier_that_is_no_normal_number_is_none():
    """From ln α = 460 on the penalty is that of the lasso: nothing is left of α but λ, of which nothing depends."""
    given = {"delta": [0.3, 2.0], "prior": PRIORS["three"], "sigma": 0.2, "weight_decay": 1e-3}
    found = [predict(ht.HAM(log_alpha=log), **given).mse for log in (300.0, 500.0, 715.0, 740.0, 5e3)]
    np.testing.assert_allclose(found, np.broadcast_to(found[0], (5, 2)), rtol=2e-8)


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("family", [lambda log: ht.HAM(log_alpha=log), lambda log: ht.Hypentropy(log_gamma=-log)])
def test_many_at_once_are_those_one_by_one(family, decay):
    """To the bit."""
    logs, sigma = np.array([-3.0, 0.5, 9.0, 300.0]), np.array([[0.0], [0.1], [0.7]])
    given = {"delta": 0.4, "prior": SPIKES, "weight_decay": decay}
    many = predict(family(logs), sigma=sigma, **given)
    assert many.mse.shape == many.kappa.shape == (3, 4)
    for i, j in np.ndindex(3, 4):
        one = predict(family(logs[j]), sigma=sigma[i, 0], **given)
        for name in ("mse", "tau", "kappa", "support"):
            assert getattr(many, name)[i, j] == getattr(one, name)


def test_homogeneity():
    """c times the signal and the noise with α is c² times the error with c α: R_α(cθ) = c² R_cα(θ)."""
    for c in (1e-60, 1e-3, 30.0, 1e60):
        ours = predict(ht.HAM(5.0 / c), delta=0.4, prior=([0.0, c], SPIKES[1]), sigma=0.2 * c)
        theirs = predict(ht.HAM(5.0), delta=0.4, prior=SPIKES, sigma=0.2)
        np.testing.assert_allclose([ours.mse, ours.kappa], [c**2 * theirs.mse, theirs.kappa], rtol=1e-8)


def test_densities():
    """A normal law as a density, and as the atoms of Gauss's rule; and mixed with an atom at 0."""
    given = {"delta": 0.5, "sigma": 0.3}
    points, weights = np.polynomial.hermite_e.hermegauss(60)
    weights = weights / weights.sum()
    for share in (1.0, 0.1):
        atoms = predict(ht.HAM(10.0), prior=([*points, 0.0], [*(share * weights), 1 - share]), **given)
        density = predict(ht.HAM(10.0), prior=([norm.pdf, 0.0], [share, 1 - share]), **given)
        assert density.mse == pytest.approx(atoms.mse, rel=1e-8)
    assert predict(ht.HAM(10.0), prior=norm.pdf, **given).mse == pytest.approx(0.58866, rel=1e-4)
    laplace = lambda theta: np.exp(-abs(theta)) / 2  # noqa: E731
    assert predict(ht.Euclidean(), prior=laplace, **given).mse == pytest.approx(0.5 * 2 + 0.5 * 0.09, rel=1e-9)


@pytest.mark.parametrize("c", [*slow(1e-120), 1e3])
def test_densities_of_any_size(c):
    given = {"delta": [[0.05], [0.6]], "prior": norm.pdf, "sigma": [0.0, 0.5]}
    scaled = {
        "delta": given["delta"],
        "prior": lambda theta: norm.pdf(theta / c) / c,
        "sigma": np.array([0.0, 0.5]) * c,
    }
    for log in (1.0, 50.0):
        ours = predict(ht.HAM(log_alpha=log - np.log(c)), **scaled).mse / c / c
        np.testing.assert_allclose(ours, predict(ht.HAM(log_alpha=log), **given).mse, rtol=2e-8)


def test_a_density_that_is_wide_against_the_noise():
    """Soft thresholding, of which the risk of each entry is known, at a threshold 200 times τ."""
    student = lambda theta: 3 / 8 * (1 + theta * theta / 4) ** -2.5  # noqa: E731
    share, delta, beta = 0.04, 7.6, 9.5
    prior = ([student, 0.0], [share, 1 - share])
    found = predict(ht.Hypentropy(1.0), delta=delta, prior=prior, weight_decay=beta)
    tau, threshold = float(found.tau), 2 * beta * float(found.kappa)
    assert found.result == ht.Result.converged and tau < threshold / 150

    def risk(a):
        low, high = (-threshold - a) / tau, (threshold - a) / tau
        above, below = norm.sf(high), norm.cdf(low)
        inside = a * a * (norm.cdf(high) - norm.cdf(low)) + (tau**2 + threshold**2) * (above + below)
        inside += tau * tau * (high * norm.pdf(high) - low * norm.pdf(low))
        return inside - 2 * threshold * tau * (norm.pdf(high) + norm.pdf(low))

    edges = [0.0, 1.0, 5.0, *(threshold + tau * np.array([-9.0, -3.0, 0.0, 3.0, 9.0])), 100.0]
    parts = [quad(lambda a: 2 * student(a) * risk(a), *ends, epsabs=1e-14)[0] for ends in itertools.pairwise(edges)]
    tail = quad(lambda u: 2 * student(1 / u) * (tau**2 + threshold**2) / u**2, 0.0, 0.01, epsabs=1e-14)[0]
    assert found.mse == pytest.approx(share * (sum(parts) + tail) + (1 - share) * risk(0.0), rel=1e-7)


def test_support_is_a_probability():
    found = predict(ht.HAM(100.0), delta=0.5, prior=SPIKES, sigma=0.2)
    edge = found.threshold + float(found.kappa) * float(ht.HAM(100.0).mirror_map(found.threshold))
    rng = np.random.default_rng(0)
    theta = np.where(rng.random(10**6) < 0.1, 1.0, 0.0) + float(found.tau) * rng.standard_normal(10**6)
    share = np.mean(np.abs(theta) > edge)
    assert found.threshold == 0.5
    assert abs(found.support - share) <= 4 * np.sqrt(share / 10**6)


def test_without_noise_and_with_enough_rows_the_l1_end_recovers():
    found = predict(ht.HAM(log_alpha=1e4), delta=[0.2, 0.9], prior=SPIKES)
    assert found.mse[0] > 0.01 and found.mse[1] == found.tau[1] == 0
    np.testing.assert_allclose([found.norms[0][1], found.norms[1][1]], [0.1, np.sqrt(0.1)], rtol=1e-9)


@pytest.mark.parametrize(
    "given, error, message",
    [
        ({"delta": 0.0}, ValueError, "delta must be positive"),
        ({"delta": 1.0}, ValueError, "delta = n/d must be below 1 without weight_decay: .* least squares"),
        ({"delta": np.nan}, ValueError, "delta must be finite"),
        ({"sigma": -0.1}, ValueError, "sigma must not be negative; got -0.1"),
        ({"weight_decay": -1.0}, ValueError, "weight_decay must not be negative"),
        ({"weight_decay": [0.0, 1.0]}, ValueError, "weight_decay must be positive throughout, or 0"),
        ({"prior": ([0.0, 1.0], [0.9, 0.2])}, ValueError, "weights of prior must sum to 1; got a sum of 1.1"),
        ({"prior": ([0.0, 1.0], [1.1, -0.1])}, ValueError, "weights of prior must not be negative"),
        ({"prior": ([0.0, 1.0], [1.0])}, ValueError, "prior must have as many weights as atoms"),
        ({"prior": ([], [])}, ValueError, "prior must have as many weights as atoms, at least one"),
        ({"prior": ([0.0], [1.0])}, ValueError, "prior must not be zero alone"),
        ({"prior": ([0.0, 1.0], [1.0, 0.0])}, ValueError, "prior must not be zero alone"),
        ({"prior": ([0.0, np.inf], [0.5, 0.5])}, ValueError, "prior must be finite"),
        ({"prior": lambda theta: 2 * norm.pdf(theta)}, ValueError, "density of prior must .* an integral of 2"),
        ({"prior": lambda theta: np.nan}, ValueError, "density of prior must be at least 0.* values from nan"),
        ({"prior": lambda theta: cauchy.pdf(theta)}, ValueError, "density of prior must have a mean square, its tails"),
        ({"prior": lambda theta: "a"}, TypeError, "density of prior must take a number and return one"),
        ({"prior": ([np.nan, 1.0], [0.5, 0.5])}, ValueError, "prior must be finite; got nan"),
        ({"prior": ([0.0, 1.0], [np.nan, 0.5])}, ValueError, "weights of prior must be finite; got nan"),
        ({"prior": ([1e200, 0.0], [0.5, 0.5])}, ValueError, "root mean square from .* other units; got 7.07107e.199"),
        ({"prior": ([1e-200, 0.0], [0.5, 0.5])}, ValueError, "must have a root mean square from 1e-150"),
        ({"sigma": 1e200}, ValueError, "sigma must be at most 1e.150, in units of the signal too"),
        ({"sigma": np.nan}, ValueError, "sigma must be finite; got nan"),
        ({"sigma": []}, ValueError, r"must not be empty; got the shape \(0,\)"),
        (
            {"geo": ht.HAM([1.0, 2.0]), "delta": [0.1, 0.2, 0.3]},
            ValueError,
            r"broadcast; .* alpha of geo \(2,\), delta \(3,\)",
        ),
        ({"prior": 1.0}, TypeError, r"prior must be a pair \(atoms, weights\) or a density"),
        ({"geo": "ham"}, TypeError, "geo must be a geometry"),
        ({"geo": ht.DiagonalNetwork(3, 0.1), "weight_decay": 0.1}, ValueError, "shrinks its scale"),
        ({"geo": ht.symbolic.geometry("1 + theta**2"), "weight_decay": 0.1}, ValueError, "weight_decay must be 0 for"),
        ({"tol": 0.0}, ValueError, "tol must be positive"),
        ({"max_steps": 0}, ValueError, "max_steps must be at least 1"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_bad_input_is_refused(given, error, message):
    with pytest.raises(error, match=message):
        predict(**{"geo": ht.HAM(1.0), "delta": 0.5, "prior": SPIKES} | given)


def test_numbers_of_any_kind():
    expected = predict(ht.HAM(1.0), delta=0.5, prior=SPIKES, sigma=0.25).mse
    for prior in (([0, 1], [0.9, 0.1]), (np.array([0, 1]), np.array([0.9, 0.1])), [jnp.array([0.0, 1.0]), [0.9, 0.1]]):
        assert predict(ht.HAM(1), delta=np.float32(0.5), prior=prior, sigma=jnp.array(0.25)).mse == expected
    single = (np.array([0, 1], np.float32), np.array([0.7, 0.1], np.float32) + np.array([0.2, 0.0], np.float32))
    assert predict(ht.HAM(jnp.array(1.0)), delta=0.5, prior=single, sigma=0.25).mse == pytest.approx(expected, rel=1e-6)


def test_failure_is_told():
    with pytest.raises(RuntimeError, match="predict: max steps"):
        predict(ht.HAM(100.0), delta=0.5, prior=SPIKES, max_steps=1)
    assert predict(ht.HAM(100.0), delta=0.5, prior=SPIKES, max_steps=1, throw=False).result == ht.Result.max_steps
