"""The families by the logarithm of their parameter, to ±10⁵, against arithmetic whose exponents have no end."""

import equinox as eqx
import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

import hamtheory as ht
from hamtheory.geometry._parameter import largest_unscaled_log
from tests.slow import others_slow

LOGS = [-1e4, -800.0, -300.0, -285.0, -283.0, -30.0, 0.0, 30.0, 283.0, 285.0, 300.0, 800.0, 1e4]
SIZES = np.array([0.0, 1e-100, 1e-8, 0.5, 1.0, 1e5, 1e100])
EPS = float(np.finfo(float).eps)
DIGITS = 60


class ExactHAM:
    """The formulas, and their series where the terms cancel; every argument is ≥ 0."""

    def __init__(self, log):
        self.a = mpmath.exp(mpmath.mpf(log))

    def inverse_metric(self, x):
        return 1 + self.a * x

    def mirror_map(self, x):
        return mpmath.log1p(self.a * x) / self.a

    def inverse_mirror_map(self, m):
        return mpmath.expm1(self.a * m) / self.a

    def potential(self, x):
        z = self.a * x
        if z < 1e-20:
            return x**2 * (mpmath.mpf(1) / 2 - z / 6 + z**2 / 12)
        return ((1 + z) * mpmath.log1p(z) - z) / self.a**2

    def conjugate(self, m):
        z = self.a * m
        if z < 1e-20:
            return m**2 * (mpmath.mpf(1) / 2 + z / 6 + z**2 / 24)
        return (mpmath.expm1(z) - z) / self.a**2

    def exponent(self, x):
        return mpmath.log1p(self.a * x)

    def from_exponent(self, s):
        return mpmath.expm1(s) / self.a

    def log_weight(self, s):
        return s - mpmath.log(self.a)


class ExactHypentropy:
    def __init__(self, log):
        self.g = mpmath.exp(mpmath.mpf(log))

    def inverse_metric(self, x):
        return 2 * mpmath.sqrt(x**2 + self.g**2)

    def mirror_map(self, x):
        return mpmath.asinh(x / self.g) / 2

    def inverse_mirror_map(self, m):
        return self.g * mpmath.sinh(2 * m)

    def potential(self, x):
        u = x / self.g
        if u < 1e-10:
            return x * u / 2 * (mpmath.mpf(1) / 2 - u**2 / 24 + u**4 / 80)
        return self.g * (u * mpmath.asinh(u) - mpmath.sqrt(1 + u**2) + 1) / 2

    def conjugate(self, m):
        return self.g * mpmath.sinh(m) ** 2

    def exponent(self, x):
        return mpmath.asinh(x / self.g)

    def from_exponent(self, s):
        return self.g * mpmath.sinh(s)

    def log_weight(self, s):
        return mpmath.log(self.g * mpmath.cosh(s))


FAMILIES = [(ht.HAM, ExactHAM), (ht.Hypentropy, ExactHypentropy)]
METHODS = ("inverse_metric", "mirror_map", "potential", "inverse_mirror_map", "conjugate")
ODD = ("mirror_map", "inverse_mirror_map", "exponent", "from_exponent")
ON_MIRRORED = ("inverse_mirror_map", "conjugate")


@eqx.filter_jit
def every_method(geo, theta):
    """The mirror map, and every method at θ or at its mirror image."""
    mu = geo.mirror_map(theta)
    return mu, {name: getattr(geo, name)(mu if name in ON_MIRRORED else theta) for name in METHODS}


def arguments(dtype):
    limits = jnp.finfo(dtype)
    sizes = SIZES[(limits.max > SIZES) & ((limits.tiny < SIZES) | (SIZES == 0))]
    return jnp.asarray(np.concatenate([sizes, -sizes]), dtype)


def cap_of(dtype):
    """The logarithm of the parameter from which on the unit of time changes, as the dtype has it."""
    return float(dtype(largest_unscaled_log(dtype)))


def amplification(log, argument):
    """How much an exponential amplifies the rounding of its argument: by the argument's size.

    That is the sum of the logarithms of the parameter and of θ, and some for the operations around it.
    """
    argument = np.asarray(argument, float)
    return 8 + 2 * (abs(log) + np.abs(np.log(np.where(argument == 0, 1, np.abs(argument)))))


def assert_matches(values, truths, bounds, dtype, label):
    """Relative errors within the bounds; what the dtype cannot hold must overflow to ∞ or underflow below tiny."""
    limits = np.finfo(dtype)
    values = np.asarray(values, float)
    for value, truth, bound in zip(values, truths, np.broadcast_to(bounds, values.shape), strict=True):
        assert not np.isnan(value), label
        if abs(truth) > limits.max / (1 + bound) and np.isinf(value):
            assert np.sign(value) == mpmath.sign(truth), label
        elif abs(truth) < limits.tiny * (1 + bound):
            assert abs(value) <= limits.tiny * (1 + bound), (label, value, float(truth))
        else:
            assert abs(mpmath.mpf(value) / truth - 1) <= bound, (label, value, mpmath.nstr(truth, 20), bound)


def assert_is_the_formula(family, exact, log, theta, where=lambda exponent: True):
    """The documented scaling: R, R′ and R* (at the rescaled μ) times σ, g⁻¹ divided by it, (R*)′ at the rescaled μ."""
    dtype = theta.dtype.type
    log, eps, cap = float(dtype(log)), float(jnp.finfo(dtype).eps), cap_of(dtype)
    mu, values = every_method(family.at_log(jnp.asarray(log, dtype)), theta)
    with mpmath.workdps(DIGITS):
        # σ exactly: the rounding of its reported logarithm, |L| ε, would be amplified once more by the exponentials.
        sigma, truth = mpmath.exp(max(mpmath.mpf(log) - mpmath.mpf(cap), 0)), exact(log)
        factor = {"inverse_metric": 1 / sigma, "inverse_mirror_map": 1}
        chosen = [where(truth.exponent(abs(mpmath.mpf(float(x))))) for x in theta]
        for name in METHODS:
            points = [mpmath.mpf(float(x)) / (sigma if name in ON_MIRRORED else 1) for x in mu]
            if name not in ON_MIRRORED:
                points = [mpmath.mpf(float(x)) for x in theta]
            truths = [
                factor.get(name, sigma) * getattr(truth, name)(abs(x)) * (mpmath.sign(x) if name in ODD else 1)
                for x in points
            ]
            exponential = name in ON_MIRRORED or (name == "inverse_metric" and log > cap)  # the second through 1/σ
            bounds = (amplification(log, theta) if exponential else np.full(theta.shape, 8)) * eps
            assert values[name].dtype == dtype
            kept = [i for i, keep in enumerate(chosen) if keep]
            assert_matches(values[name][jnp.asarray(kept, int)], [truths[i] for i in kept], bounds[kept], dtype, name)


def near_zero(family, log, dtype):
    """Which exponents of m⊙w are covered by `test_mw_near_zero_below_the_unscaled_range`."""
    below = family is ht.Hypentropy and log < -cap_of(dtype)
    return lambda exponent: below and exponent < 80


@pytest.mark.parametrize("log", others_slow(LOGS, *LOGS[::3]))
@pytest.mark.parametrize(("family", "exact"), FAMILIES)
@pytest.mark.parametrize("dtype", [jnp.float64, jnp.float32])
def test_every_method_is_the_formula_times_the_documented_factor(family, exact, dtype, log):
    covered = near_zero(family, log, dtype)
    assert_is_the_formula(family, exact, log, arguments(dtype), lambda exponent: not covered(exponent))


@pytest.mark.parametrize(("family", "exact"), FAMILIES)
def test_entries_as_large_as_the_clipped_parameter(family, exact):
    # Where γ is scaled, only these leave the linear part of asinh.
    for log in (-283.0, 0.0, 283.0, 285.0, 300.0, 400.0):
        assert_is_the_formula(family, exact, log, jnp.asarray([1e125, -1e140, 1e200]))


@pytest.mark.parametrize(("log", "dtype"), [(-285.0, jnp.float64), (-300.0, jnp.float64), (-80.0, jnp.float32)])
def test_mw_near_zero_below_the_unscaled_range(log, dtype):
    theta = jnp.asarray([0.0, 1e-110, 1e-100, 1e-30], dtype)
    assert_is_the_formula(ht.Hypentropy, ExactHypentropy, log, theta, near_zero(ht.Hypentropy, log, dtype))


@pytest.mark.parametrize("dtype", [jnp.float64, jnp.float32])
@pytest.mark.parametrize("family", [ht.HAM, ht.Hypentropy])
def test_the_unit_of_time_changes_where_it_is_documented_and_continuously(family, dtype):
    cap, eps = cap_of(dtype), float(jnp.finfo(dtype).eps)
    assert int(cap) == (283 if dtype == jnp.float64 else 35)  # "e²⁸⁴ (e³⁵ in float32)"
    for log in (-1e4, 0.0, cap, cap + 1, 300.0, 1e4):
        got = float(family.at_log(jnp.asarray(log, dtype)).log_rescaling)
        assert abs(got - max(float(dtype(log)) - cap, 0)) <= eps * abs(log)
    # On both sides of the change, and of the clipping at the other end, no value moves by more than the parameter
    # does, to the power of ±2 at most; an exponential of s moves by s times as much, and s is at most 2 cap here.
    theta = jnp.asarray([1e-8, 0.5, 1.0, 1e5], dtype)
    for edge in (cap, -cap):
        below, above = jnp.asarray([edge * (1 - 8 * eps), edge * (1 + 8 * eps)], dtype)
        change = abs(float(above) - float(below))
        first, second = (every_method(family.at_log(log), theta)[1] for log in (below, above))
        for name in METHODS:
            movement = np.abs(np.asarray(second[name], float) / np.asarray(first[name], float) - 1)
            assert movement.max() <= (2 * cap if name in ON_MIRRORED else 1) * (4 * change + 16 * eps), name


@pytest.mark.parametrize(("family", "label"), [(ht.HAM, "log_alpha"), (ht.Hypentropy, "log_gamma")])
def test_the_range_of_logarithms(family, label):
    theta = jnp.asarray([-1e5, 0.0, 0.5])
    for log in (jnp.asarray(1e5), jnp.asarray(-1e5)):
        mu, values = every_method(family(**{label: log}), theta)
        assert bool(jnp.all(jnp.isfinite(mu)) & jnp.all(jnp.isfinite(values["potential"])))
        # The argument of the exponential, up to 1e5, is rounded.
        np.testing.assert_allclose(values["inverse_mirror_map"], theta, rtol=4e5 * EPS)
    assert family(**{label: [-1e5, 0.0, 1e5]}).parameter.shape == (3,)
    for log, named in ((1.0001e5, "100010"), (-2e5, "-200000"), ([0.0, 1e6], r"1e\+06")):
        with pytest.raises(ValueError, match=rf"{label} must be within ±100000.*got {named}"):
            family(**{label: log})
    for log in (np.nan, np.inf):
        with pytest.raises(ValueError, match=f"{label} must be finite"):
            family(**{label: log})


@pytest.mark.parametrize(("family", "exact"), FAMILIES)
def test_divergence_at_both_ends_near_and_far(family, exact):
    start = np.array([0.7, -0.7, 1e-8, 3e5, 1e-100, 0.5, 0.0, 0.0, 2.0, -1.0])
    theta = start * np.array([1 + 1e-12, 1 + 1e-6, 1.3, 1 - 1e-3, 1 - 1e-9, 1e5, 1, 1, -1, 1e-6])
    theta[6:8] = 0.3, -1e-50
    divergence = eqx.filter_jit(ht.bregman_divergence)
    for log in (1e4, 800.0, 285.0, -30.0, -1e4):
        geo = family.at_log(jnp.asarray(log))
        got = divergence(geo, jnp.asarray(theta)[:, None], jnp.asarray(start)[:, None])
        with mpmath.workdps(200):  # here the formula may cancel
            sigma, truth = mpmath.exp(max(mpmath.mpf(log) - mpmath.mpf(cap_of(jnp.float64)), 0)), exact(log)
            truths = []
            for a, b in zip(map(mpmath.mpf, theta), map(mpmath.mpf, start), strict=True):
                slope = mpmath.sign(b) * truth.mirror_map(abs(b))
                truths.append(sigma * (truth.potential(abs(a)) - truth.potential(abs(b)) - slope * (a - b)))
        # Near, the terms of the quadrature are positive. Far, the divergence is of the size of θ (of both), but the
        # potentials that are subtracted are of the size of θ times the logarithm of the parameter.
        assert_matches(got, truths, 2 * amplification(log, start) * EPS, jnp.float64, f"at {log}")


@pytest.mark.parametrize("family", [ht.HAM, ht.Hypentropy])
def test_the_gradient_of_the_potential_is_the_mirror_map(family):
    theta = jnp.asarray([-1e5, -1.0, -1e-8, 0.0, 1e-8, 0.5, 1e5])
    both = eqx.filter_jit(lambda geo: (jax.vmap(jax.grad(geo.potential))(theta), geo.mirror_map(theta)))
    for log in LOGS:
        gradient, mu = both(family.at_log(jnp.asarray(log)))
        # Differentiating (1 + αx) ln(1 + αx) − αx leaves two terms of size 1 that cancel, and the logarithm.
        np.testing.assert_allclose(gradient, mu, rtol=64 * EPS, atol=0, err_msg=str(log))


# The path is followed in exponents; what is Euclidean in every digit is followed at ℓ = −60 instead.
FOLLOWED = [(ht.HAM, ExactHAM, log) for log in (-60.0, 0.0, 30.0, 283.0, 285.0, 800.0, 1e4)]
FOLLOWED += [(ht.Hypentropy, ExactHypentropy, -log) for log in (-60.0, 0.0, 30.0, 283.0, 800.0, 1e4)]


@pytest.mark.parametrize(("family", "exact", "log"), others_slow(FOLLOWED, *FOLLOWED[::3]))
def test_exponents_are_consistent_with_the_geometry(family, exact, log):
    geo = family.at_log(jnp.asarray(log))
    name = "log_alpha" if family is ht.HAM else "log_gamma"
    assert float(getattr(geo, name)) == log
    ell = float(geo.log_sparsity)
    np.testing.assert_allclose(ell, log if family is ht.HAM else np.log(2) - log, rtol=EPS)
    by = 7.0
    further = geo.shifted(by)
    np.testing.assert_allclose(float(further.log_sparsity), ell + by, rtol=2 * EPS)
    # Exponents that make |θ| tiny, of moderate size, and huge: for the tiny ones γ sinh(s) and α⁻¹(eˢ − 1) are linear.
    s = np.array([0.0, 1e-8, 0.5, 1.5, 79.0, 81.0, abs(ell), abs(ell) + 5, abs(ell) + 200])
    if ell > 283:
        s = s[s > 80]  # below, θ underflows, or see test_mw_near_zero_below_the_unscaled_range
    s = np.concatenate([s, -s])

    @eqx.filter_jit
    def exponents(geo, further, s):
        theta, slope = jax.jvp(geo.from_exponent, (s,), (jnp.ones_like(s),))
        return {
            "theta": theta,
            "slope": slope,
            "log_weight": geo.log_weight(s),
            "back": geo.exponent(theta),
            "further": further.from_exponent(s),
            "mirror_map": geo.mirror_map(theta),
            "inverse_metric": geo.inverse_metric(theta),
            "unit": geo.log_exponent_unit(s.dtype),
        }

    got = exponents(geo, further, jnp.asarray(s))
    rounding = (8 + 2 * (abs(log) + np.abs(s))) * EPS  # of an exponential of s − ℓ
    with mpmath.workdps(DIGITS):
        truth = exact(log)
        thetas = [mpmath.sign(x) * truth.from_exponent(abs(mpmath.mpf(x))) for x in s]
        assert_matches(got["theta"], thetas, rounding, jnp.float64, "from_exponent")
        weights = [float(truth.log_weight(abs(mpmath.mpf(x)))) for x in s]
    np.testing.assert_allclose(got["log_weight"], weights, rtol=4 * EPS, atol=4 * EPS * (abs(log) + 1))
    inside = np.isfinite(got["theta"]) & ((np.abs(got["theta"]) > 1e-290) | (s == 0))
    for key, want in (
        ("back", s),  # a relative error of θ is an absolute one of s, if that is large
        ("further", np.exp(-by) * got["theta"]),  # ∂θ/∂ℓ = −θ at constant s
        ("slope", np.exp(got["log_weight"])),
        ("mirror_map", np.exp(got["unit"]) * s),
        ("inverse_metric", np.exp(got["log_weight"] - got["unit"])),  # dθ/ds = g⁻¹(θ) dR′/ds
    ):
        # The slope at 0 is that of test_slope_of_the_exponent_at_zero.
        chosen = inside & (s != 0) if key == "slope" else inside
        error, want = np.abs(np.asarray(got[key]) - want)[chosen], np.abs(want)[chosen]
        assert np.all(error <= 4 * rounding[chosen] * want), key


@pytest.mark.parametrize("family", [ht.HAM, ht.Hypentropy])
def test_slope_of_the_exponent_at_zero(family):
    geo = family.at_log(jnp.asarray(2.0))
    slope = jax.grad(geo.from_exponent)(jnp.asarray(0.0))
    np.testing.assert_allclose(slope, np.exp(geo.log_weight(jnp.asarray(0.0))), rtol=4 * EPS)
