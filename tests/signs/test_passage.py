"""First-passage times against 50 digits and more, against the event times of integrated flows, and their limits."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

import hamtheory as ht
from hamtheory.geometry._parameter import largest_unscaled_log
from hamtheory.signs import first_passage_time
from tests.slow import slow

EPS = float(np.finfo(float).eps)
PAIRS = np.array(list(itertools.product([1e-30, 1e-8, 0.7, 40.0, 1e12], [1e-12, 1e-3, 1.0, 300.0, 1e20])))
GAMMAS = [-5000.0, -700.0, *(np.log(10) * np.arange(-300, 4, 12)), *(np.log(10) * np.arange(-12, 4)), 300.0]
ALPHAS = [-5000.0, *(np.log(10) * np.arange(-12, 13)), *(np.log(10) * np.arange(24, 301, 12)), 5000.0]


def exact_euclidean(a, y):
    return mpmath.log1p(a / y)


def exact_ham(alpha, a, y):
    return a / (y + a) if alpha * y == 1 else (mpmath.log1p(alpha * a) - mpmath.log1p(a / y)) / (alpha * y - 1)


def exact_hypentropy(gamma, a, y):
    """The antiderivative of the tables; what cancels in it is covered by the digits."""
    rho = mpmath.sqrt(y**2 + gamma**2)
    antiderivative = lambda s: -mpmath.asinh((gamma**2 - y * s) / (gamma * (y + s)))  # noqa: E731
    return (antiderivative(a) - antiderivative(mpmath.mpf(0))) / (2 * rho)


def by_quadrature(inverse_metric, a, y):
    edges = [0, *(a * mpmath.mpf(4) ** -k for k in range(60, -1, -1))]
    return mpmath.quad(lambda s: 1 / (inverse_metric(s) * (y + s)), edges)


def relative_errors(got, exact, pairs, dps=250):
    with mpmath.workdps(dps):
        truths = [exact(mpmath.mpf(float(a)), mpmath.mpf(float(y))) for a, y in np.asarray(pairs)]
        return np.array([float(abs(mpmath.mpf(float(g)) / t - 1)) for g, t in zip(got, truths, strict=True)])


def test_the_references_are_the_integral():
    with mpmath.workdps(50):
        a, y = mpmath.mpf("0.7"), mpmath.mpf("1.25")
        for p in map(mpmath.mpf, (1e-6, 0.3, 0.8, 40)):
            np.testing.assert_allclose(
                float(by_quadrature(lambda s: 1 + p * s, a, y) / exact_ham(p, a, y)),  # noqa: B023
                1,
                rtol=4 * EPS,
            )
            np.testing.assert_allclose(
                float(by_quadrature(lambda s: 2 * mpmath.sqrt(s * s + p * p), a, y) / exact_hypentropy(p, a, y)),  # noqa: B023
                1,
                rtol=4 * EPS,
            )


def test_euclidean():
    got = first_passage_time(ht.Euclidean(), *PAIRS.T)
    assert relative_errors(got, exact_euclidean, PAIRS).max() <= 4 * EPS


def rescaling(log):
    """ln of the change of the unit of time, as the library rounds it."""
    return max(mpmath.mpf(log) - mpmath.mpf(largest_unscaled_log(jnp.float64)), 0)


@pytest.mark.parametrize("family, exact, name, logs", [
    (ht.HAM, exact_ham, "alpha", ALPHAS[::4]), (ht.Hypentropy, exact_hypentropy, "gamma", GAMMAS[::4]),
    pytest.param(ht.HAM, exact_ham, "alpha", ALPHAS, marks=pytest.mark.slow),
    pytest.param(ht.Hypentropy, exact_hypentropy, "gamma", GAMMAS, marks=pytest.mark.slow),
])  # fmt: skip
def test_closed_forms_over_the_whole_range(family, exact, name, logs):
    compiled = eqx.filter_jit(first_passage_time)
    for log in logs:
        got = compiled(family(**{f"log_{name}": log}), *PAIRS.T)
        # 50 digits, and as many as the parameter takes up: antiderivatives are subtracted.
        digits = 120 + int(abs(log) / np.log(10)) * 2
        with mpmath.workdps(digits):
            p, factor = mpmath.exp(mpmath.mpf(log)), mpmath.exp(rescaling(log))
        errors = relative_errors(got, lambda a, y: exact(p, a, y) * factor, PAIRS, digits)  # noqa: B023
        # exp(log) has an error of |log| units of rounding, where the library must take it.
        assert errors.max() <= (8 + min(abs(log), 700)) * EPS, log
        assert errors.max() <= 1e-13 or abs(log) > 400, log
        if abs(log) < 650:
            parameter = float(np.exp(log))
            got = compiled(family(**{name: parameter}), *PAIRS.T)
            with mpmath.workdps(digits):
                factor = mpmath.exp(max(mpmath.log(parameter) - mpmath.mpf(largest_unscaled_log(jnp.float64)), 0))
            errors = relative_errors(got, lambda a, y: exact(mpmath.mpf(parameter), a, y) * factor, PAIRS, digits)  # noqa: B023
            assert errors.max() <= 16 * EPS or factor > 1, (log, errors.max() / EPS)
            assert errors.max() <= 1e-13


def test_ham_across_the_removable_singularity():
    steps = np.concatenate([[0.0], np.logspace(-16, -0.5, 32)])
    a = np.array([1e-9, 0.7, 30.0, 1e9])
    for y in (1e-3, 1.0, 3.0, 700.0):
        alpha = np.concatenate([1 - steps, 1 + steps])[:, None] / y
        got = first_passage_time(ht.HAM(alpha), a[None], y)
        for row, value in zip(got, alpha[:, 0], strict=True):
            errors = relative_errors(row, lambda a, y: exact_ham(mpmath.mpf(value), a, y), [(b, y) for b in a])  # noqa: B023
            assert errors.max() <= 8 * EPS
    np.testing.assert_allclose(first_passage_time(ht.HAM(0.5), a, 2.0), a / (2 + a), rtol=2 * EPS)


def test_limits_of_the_families():
    a, y = 0.7, 1.3
    for log in (-100.0, -5000.0):
        got = first_passage_time(ht.Hypentropy(log_gamma=log), a, y)
        np.testing.assert_allclose(got, (np.log(2 * a * y / (a + y)) - log) / (2 * y), rtol=8 * EPS)
        got = first_passage_time(ht.HAM(log_alpha=log), a, y)
        np.testing.assert_allclose(got, first_passage_time(ht.Euclidean(), a, y), rtol=8 * EPS)
    for log in (300.0, 5000.0):  # (ln(αa) − ln((y + a)/y))/(αy)
        geo = ht.HAM(log_alpha=log)
        got = np.log(first_passage_time(geo, a, y)) - geo.log_rescaling
        np.testing.assert_allclose(got, np.log(log + np.log(a * y / (y + a))) - log - np.log(y), rtol=8 * EPS)
    geo = ht.Hypentropy(log_gamma=5000.0)
    got = np.log(first_passage_time(geo, a, y)) - geo.log_rescaling
    np.testing.assert_allclose(got, np.log(np.log1p(a / y) / 2) - 5000, rtol=8 * EPS)


def test_the_extremes_of_the_arguments():
    a, y = np.array([1e-150, 1e150, 1e200, 1e-200]), np.array([1e150, 1e-150, 1e-200, 1e-100])
    np.testing.assert_allclose(
        first_passage_time(ht.Euclidean(), a, y), np.logaddexp(0, np.log(a) - np.log(y)), rtol=200 * EPS, atol=1e-250
    )
    pairs = [(1e150, 1e-150), (1e-150, 1e150), (1e200, 1e-200)]
    got = first_passage_time(ht.HAM(3.0), *np.transpose(pairs))
    assert relative_errors(got, lambda a, y: exact_ham(mpmath.mpf(3), a, y), pairs, 700).max() <= 16 * EPS
    got = first_passage_time(ht.Hypentropy(3.0), *np.transpose(pairs))
    assert relative_errors(got, lambda a, y: exact_hypentropy(mpmath.mpf(3), a, y), pairs, 1200).max() <= 16 * EPS


def test_the_numbers_of_the_theory():
    values = [(ht.Euclidean(), 0.5306, 1e-4), (ht.HAM(50.0), 0.06230, 1e-5)]
    values += [(ht.Hypentropy(g), t, 1e-4) for g, t in ((1e-2, 2.2104), (1e-4, 4.5081), (1e-8, 9.1133))]
    for geo, expected, unit in values:
        assert abs(float(first_passage_time(geo, 0.7, 1.0)) - expected) <= unit / 2


# Quadrature.


@pytest.mark.parametrize("scale", [1e-70, 1e-8, 0.3, 20.0])
def test_quadrature_against_the_closed_form_of_depth_two(scale):
    # Depth 2 is m⊙w with γ = 2a², in half the time.
    got = first_passage_time(ht.DiagonalNetwork(2, scale), *PAIRS.T)
    want = first_passage_time(ht.Hypentropy(2 * scale**2), *PAIRS.T) / 2
    np.testing.assert_allclose(got, want, rtol=1e-13)


@pytest.mark.parametrize("formula, geo", [
    (ht.symbolic.EUCLIDEAN, ht.Euclidean()),
    (ht.symbolic.HAM, ht.HAM([1e-12, 1e-3, 1.0, 30.0, 1e9])),
    pytest.param(ht.symbolic.HYPENTROPY, ht.Hypentropy([1e-100, 1e-12, 1e-3, 1.0, 1e3]), marks=pytest.mark.slow),
])  # fmt: skip
def test_quadrature_of_formulas(formula, geo):
    symbolic = ht.symbolic.geometry(formula, **geo.arguments())
    for a, y in [(0.7, 1.0), (1e-6, 3.0), (1e3, 1e-9)]:
        np.testing.assert_allclose(first_passage_time(symbolic, a, y), first_passage_time(geo, a, y), rtol=1e-13)


@pytest.mark.parametrize("depth", [3, 6])
def test_quadrature_of_deep_networks(depth):
    # With w = u/a_0 from 1 to its value at θ = −a: the same integral in the network's own variable.
    scale, a, y = 0.2, 0.7, 1.0
    power = depth - 2
    with mpmath.workdps(30):
        unit = mpmath.mpf(scale)
        other = lambda u: (2 * unit**-power - u**-power) ** (-mpmath.mpf(1) / power)  # noqa: E731
        theta = lambda u: u**depth - other(u) ** depth  # noqa: E731
        # d/du of u^(2−L) + v^(2−L) = 2a^(2−L) gives dv/du = −(v/u)^(L−1).
        slope = lambda u: depth * (u ** (depth - 1) + other(u) ** (depth - 1) * (other(u) / u) ** (depth - 1))  # noqa: E731
        metric = lambda u: depth**2 * (u ** (2 * power + 2) + other(u) ** (2 * power + 2))  # noqa: E731
        end = mpmath.findroot(lambda u: theta(u) - mpmath.mpf(a), (unit, 2), solver="anderson", tol=1e-50)
        truth = mpmath.quad(lambda u: slope(u) / metric(u) / (y + theta(u)), mpmath.linspace(unit, end, 9))
    np.testing.assert_allclose(first_passage_time(ht.DiagonalNetwork(depth, scale), a, y), float(truth), rtol=1e-13)


class Wave(ht.geometry.AbstractGeometry):
    def inverse_metric(self, theta):
        return 2 + ht.geometry.namespace(theta).cos(theta)


def test_metrics_that_oscillate_are_resolved_or_refused():
    geo = Wave()
    truth = mpmath.quad(lambda s: 1 / ((2 + mpmath.cos(s)) * (1 + s)), list(range(71)))
    np.testing.assert_allclose(first_passage_time(geo, 70.0, 1.0), float(truth), rtol=1e-13)
    assert np.isnan(first_passage_time(geo, 1e5, 1.0))


# As JAX functions.


@pytest.mark.parametrize("geo", [
    ht.Euclidean(), ht.HAM(2.0), pytest.param(ht.Hypentropy(1e-3), marks=pytest.mark.slow), ht.DiagonalNetwork(3, 0.1)
])  # fmt: skip
def test_shapes_transformations_and_dtypes(geo):
    a, y = np.array([[0.1], [0.7], [3.0]]), np.array([[1.0, 2.0]])
    plain = first_passage_time(geo, a, y)
    assert plain.shape == (3, 2) and plain.dtype == jnp.float64
    np.testing.assert_allclose(eqx.filter_jit(first_passage_time)(geo, a, y), plain, rtol=8 * EPS)
    single = jax.jit(jax.vmap(lambda b: first_passage_time(geo, b, 2.0)))(jnp.asarray(a[:, 0]))
    np.testing.assert_allclose(single, plain[:, 1], rtol=8 * EPS)


def test_arrays_of_parameters():
    for family in (ht.HAM, ht.Hypentropy):
        many = first_passage_time(family(jnp.asarray([0.1, 2.0])), 0.7, 1.0)
        one = [first_passage_time(family(p), 0.7, 1.0) for p in (0.1, 2.0)]
        np.testing.assert_allclose(many, one, rtol=4 * EPS)
    assert first_passage_time(ht.DiagonalNetwork(3, jnp.asarray([0.1, 1.0])), 0.7, 1.0).shape == (2,)


@pytest.mark.parametrize("log", [*slow(-5000.0, -60.0), -3.0, *slow(0.0, 5.0, 34.0), 60.0])
def test_single_precision(log):
    eps = float(jnp.finfo(jnp.float32).eps)
    pairs = np.array(list(itertools.product([1e-6, 0.7, 1e4], [1e-3, 1.0, 300.0])), np.float32)
    log = np.float32(log)
    for family, exact in ((ht.HAM, exact_ham), (ht.Hypentropy, exact_hypentropy)):
        got = first_passage_time(family.at_log(jnp.asarray(log)), *pairs.T)
        assert got.dtype == jnp.float32
        digits = 120 + int(abs(log) / np.log(10)) * 2
        with mpmath.workdps(digits):
            p = mpmath.exp(mpmath.mpf(float(log)))
            factor = mpmath.exp(max(float(log) - float(np.float32(largest_unscaled_log(jnp.float32))), 0))
        errors = relative_errors(got, lambda a, y: exact(p, a, y) * factor, pairs, digits)  # noqa: B023
        assert errors.max() <= (8 + min(abs(log), 85)) * eps
    network = ht.DiagonalNetwork(3, jnp.asarray(0.1, jnp.float32))
    single = first_passage_time(network, *pairs.T)
    assert single.dtype == jnp.float32
    double = first_passage_time(ht.DiagonalNetwork(3, network.scale.astype(float)), *pairs.T.astype(float))
    np.testing.assert_allclose(single, double, rtol=128 * eps)


@pytest.mark.parametrize("bad", [0.0, -1.0, [1.0, -2.0], np.nan, np.inf])
@pytest.mark.parametrize("name", ["a", "y"])
def test_bad_arguments_are_named(bad, name):
    words = f"^{name} must be {'positive' if np.all(np.isfinite(bad)) else 'finite'}; got"
    with pytest.raises(ValueError, match=words):
        first_passage_time(ht.HAM(1.0), **({"a": 1.0, "y": 1.0} | {name: bad}))


# Simulation.
