"""The Bregman divergence: exact at every distance, in particular at small ones."""

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import hamtheory as ht

from .test_closed_forms import ExactHAM, ExactHypentropy


def exact_divergence(exact, theta, theta0):
    with mpmath.workdps(60):
        a, b = mpmath.mpf(float(theta)), mpmath.mpf(float(theta0))
        slope = mpmath.sign(b) * exact.mirror_map(abs(b))
        return float(exact.potential(abs(a)) - exact.potential(abs(b)) - slope * (a - b))


@pytest.mark.parametrize(
    ("geo", "exact"), [(ht.HAM(50.0), ExactHAM(50.0)), (ht.Hypentropy(1e-3), ExactHypentropy(1e-3))]
)
@settings(max_examples=150, deadline=None)
@given(
    theta0=st.floats(-6, 3).flatmap(lambda e: st.sampled_from([10**e, -(10**e)])),
    relative_step=st.floats(-12, 3).flatmap(lambda e: st.sampled_from([10**e, -(10**e)])),
)
def test_no_digits_cancel(geo, exact, theta0, relative_step):
    theta = theta0 * (1 + relative_step)
    if theta == theta0:
        return
    got = float(ht.bregman_divergence(geo, np.array([theta]), np.array([theta0])))
    np.testing.assert_allclose(got, exact_divergence(exact, theta, theta0), rtol=1e-12)


def test_the_textbook_formula_would_fail():
    geo, theta0 = ht.HAM(50.0), 0.7
    theta = theta0 * (1 + 1e-6)
    exact = exact_divergence(ExactHAM(50.0), theta, theta0)
    textbook = float(geo.potential(theta) - geo.potential(theta0) - geo.mirror_map(theta0) * (theta - theta0))
    stable = float(ht.bregman_divergence(geo, np.array([theta]), np.array([theta0])))
    assert abs(textbook / exact - 1) > 1e-6
    assert abs(stable / exact - 1) < 1e-8


def test_sums_over_the_last_axis_and_broadcasts():
    geo, rng = ht.HAM(3.0), np.random.default_rng(0)
    theta, theta0 = rng.standard_normal((4, 6)), rng.standard_normal((1, 6))
    values = ht.bregman_divergence(geo, theta, theta0)
    assert values.shape == (4,)
    np.testing.assert_allclose(values[2], ht.bregman_divergence(geo, theta[2], theta0[0]), rtol=1e-15)
    assert (np.asarray(values) > 0).all()
    assert float(ht.bregman_divergence(geo, theta[0], theta[0])) == 0
