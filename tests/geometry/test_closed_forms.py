"""The closed forms against 700-digit arithmetic, from θ = 0 and 1e-300 to 1e300, in float64 and float32."""

import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

import hamtheory as ht
from hamtheory.geometry import check_geometry
from tests.slow import others_slow, slow

MAGNITUDES = np.array([0.0, 1e-300, 1e-100, 1e-20, 1e-8, 1e-3, 0.1, 0.5, 1.0, 2.0, 1e3, 1e8, 1e100, 1e300])


class ExactHAM:
    def __init__(self, parameter):
        self.a = mpmath.mpf(float(parameter))

    def inverse_metric(self, x):
        return 1 + self.a * x

    def mirror_map(self, x):
        return mpmath.log1p(self.a * x) / self.a

    def potential(self, x):
        return ((1 + self.a * x) * mpmath.log1p(self.a * x) - self.a * x) / self.a**2

    def inverse_mirror_map(self, m):
        return mpmath.expm1(self.a * m) / self.a

    def conjugate(self, m):
        return (mpmath.expm1(self.a * m) - self.a * m) / self.a**2


class ExactHypentropy:
    def __init__(self, parameter):
        self.g = mpmath.mpf(float(parameter))

    def inverse_metric(self, x):
        return 2 * mpmath.sqrt(x**2 + self.g**2)

    def mirror_map(self, x):
        return mpmath.asinh(x / self.g) / 2

    def potential(self, x):
        return (x * mpmath.asinh(x / self.g) - mpmath.sqrt(x**2 + self.g**2) + self.g) / 2

    def inverse_mirror_map(self, m):
        return self.g * mpmath.sinh(2 * m)

    def conjugate(self, m):
        return self.g * mpmath.sinh(m) ** 2


CASES = [(ht.HAM, ExactHAM, p) for p in (1e-6, 1e-2, 1.0, 100.0, 1e6)]
CASES += [(ht.Hypentropy, ExactHypentropy, p) for p in (1e-6, 1e-3, 1.0, 1e6)]
ENDS = [case for case in CASES if case[2] in (1e-6, 1e6)]


def relative_errors(values, exact, arguments, tiny, largest):
    """Relative errors, where the exact value is a normal number of the dtype; elsewhere it must over- or underflow."""
    errors = []
    with mpmath.workdps(700):
        for value, argument in zip(np.asarray(values, float), np.asarray(arguments, float), strict=True):
            truth = exact(mpmath.mpf(argument))
            if truth > largest:
                assert value == np.inf
            elif truth < tiny:
                assert 0 <= value <= tiny
            else:
                errors.append(abs(mpmath.mpf(value) / truth - 1))
    return float(max(errors))


@pytest.mark.parametrize(("family", "exact", "parameter"), others_slow(CASES, *ENDS))
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_every_method_over_the_whole_range(family, exact, parameter, dtype):
    limits = jnp.finfo(dtype)
    tiny, largest, eps = float(limits.tiny), float(limits.max), float(limits.eps)
    geo, truth = family(parameter), exact(np.asarray(parameter, dtype))
    theta = jnp.asarray(MAGNITUDES[(largest >= MAGNITUDES) & ((tiny <= MAGNITUDES) | (MAGNITUDES == 0))], dtype)
    for method in ("inverse_metric", "mirror_map", "potential"):
        values = getattr(geo, method)(theta)
        assert values.dtype == dtype
        assert relative_errors(values, getattr(truth, method), theta, tiny, largest) <= 8 * eps
    # An exponential amplifies the rounding of its argument by that argument, at most log(largest).
    mu = geo.mirror_map(theta)
    for method in ("inverse_mirror_map", "conjugate"):
        values = getattr(geo, method)(mu)
        assert values.dtype == dtype
        assert relative_errors(values, getattr(truth, method), mu, tiny, largest) <= 4 * np.log(largest) * eps
    np.testing.assert_allclose(geo.inverse_mirror_map(mu), theta, rtol=4 * np.log(largest) * eps)


@pytest.mark.parametrize("geo", [
    ht.Euclidean(),
    *(family(parameter) for family, _, parameter in ENDS),
    *slow(*(family(parameter) for family, _, parameter in CASES if parameter not in (1e-6, 1e6))),
])  # fmt: skip
def test_identities(geo):
    check_geometry(geo)


def test_check_geometry_finds_a_wrong_potential():
    class Wrong(ht.HAM):
        def potential(self, theta):
            return 1.001 * super().potential(theta)

    with pytest.raises(AssertionError, match="dR/dθ = R′ fails"):
        check_geometry(Wrong(2.0))


@pytest.mark.parametrize("family", [ht.HAM, ht.Hypentropy])
def test_logarithmic_parameter_is_the_same_geometry(family):
    label = "alpha" if family is ht.HAM else "gamma"
    theta = jnp.linspace(-2.0, 2.0, 9)
    direct, by_log = family(3.0), family(**{f"log_{label}": np.log(3.0)})
    np.testing.assert_allclose(by_log.potential(theta), direct.potential(theta), rtol=1e-14)
    np.testing.assert_allclose(getattr(direct, f"log_{label}"), getattr(by_log, f"log_{label}"), rtol=1e-15)


def test_limits_of_the_potentials_are_l2_and_l1():
    # HAM: R → θ²/2 as α → 0, αR/ln α → |θ| as α → ∞;   m*w: γR → θ²/4 as γ → ∞, R/ln(1/γ) → |θ|/2 as γ → 0.
    theta = jnp.array([-2.0, 0.3, 1.0])
    np.testing.assert_allclose(ht.HAM(1e-8).potential(theta), theta**2 / 2, rtol=1e-7)
    np.testing.assert_allclose(1e8 * ht.Hypentropy(1e8).potential(theta), theta**2 / 4, rtol=1e-7)
    errors = []
    for log in (100.0, 200.0, 400.0):  # the approach to L1 is logarithmic: half the distance at twice the logarithm
        ham = ht.HAM(log_alpha=log)
        ham = jnp.exp(log - ham.log_rescaling) * ham.potential(theta) / log
        hyp = 2 * ht.Hypentropy(log_gamma=-log).potential(theta) / log
        errors.append([float(jnp.abs(x / jnp.abs(theta) - 1).max()) for x in (ham, hyp)])
    ratios = np.array(errors[:-1]) / np.array(errors[1:])
    np.testing.assert_allclose(ratios, 2, rtol=1e-6)
