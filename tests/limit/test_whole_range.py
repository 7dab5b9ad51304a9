"""Limits from L2 to L1, ln α and ln 1/γ from −30 to 10⁴: certificates, both ends, and the rate towards the second."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

import hamtheory as ht
from tests.limit.instances import FAMILIES, GRID, KINDS, TOL, D, at, facet, instance, logs, relative
from tests.slow import slow


def off_face(theta, c):
    """`‖θ‖₁` minus the least: `Σ |θ| − cθ` of an interpolator, all of it off the face. Nothing cancels."""
    return float(np.sum((np.abs(theta) - c * theta)[np.abs(c) < 1 - 1e-9]))


@pytest.mark.parametrize(
    ("family", "n"),
    [
        (ht.HAM, 20),
        (ht.Hypentropy, 36),
        *slow(*((ht.HAM, n) for n in (2, 8, 36)), *((ht.Hypentropy, n) for n in (8, 20))),
    ],
)
def test_cold_starts_over_the_whole_range(family, n):
    for kind in KINDS:
        problem = instance(kind, n)
        pursuit = ht.certify_basis_pursuit(problem)
        for ell in (-30.0, 0.0, 10.0, 100.0, 5000.0, 1e4):
            limit = ht.solve_limit(problem, at(family, ell))
            assert limit.residual <= TOL, (kind, ell)
            assert limit.stats["relative_gap"] <= TOL, (kind, ell)
            if ell == -30:  # g⁻¹ is constant up to α|θ| ~ 1e-13
                assert relative(limit.theta, ht.min_norm(problem)) <= 1e-10, kind
            if ell == 1e4:  # an entry off the face is of the size exp(−(1 − |c|) ln α), up to a factor e^O(1)
                excess = float(jnp.abs(limit.theta).sum()) / pursuit.norm - 1
                assert -1e-10 <= excess <= 1e-8 + 1e3 * np.exp(-pursuit.margin * ell), kind
                if pursuit.is_unique:
                    assert relative(limit.theta, pursuit.theta) <= 1e-8, kind


@pytest.mark.parametrize("family", FAMILIES)
def test_the_least_potential_is_monotone_and_so_is_it_times_the_parameter(family):
    # For every θ, R″ falls and αR″ rises in α (in γ), hence R and αR, hence their minima.
    log_potential = eqx.filter_jit(lambda geo, theta: jnp.log(jnp.sum(geo.potential(theta))) - geo.log_rescaling)
    for kind in KINDS:
        problem = instance(kind, 20)
        path = ht.limit_path(problem, family, logs(family, GRID))
        assert path.residual.max() <= TOL and path.relative_gap.max() <= TOL
        values = np.array([log_potential(at(family, ell), theta) for ell, theta in zip(GRID, path.thetas, strict=True)])
        falling, rising = (values, values + GRID) if family is ht.HAM else (values - GRID, values)
        # The logarithm of the factor, up to 1e4, is rounded: 1e-12.
        assert np.diff(falling).max() <= 1e-9, kind
        assert np.diff(rising).min() >= -1e-9, kind


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("margin", [0.02, 0.1, 0.3, 0.45])
def test_the_excess_falls_at_the_rate_of_the_margin(family, margin):
    problem, c, spikes = facet(n=20, size=20, margin=margin)
    norm = float(np.abs(spikes).sum())
    pursuit = ht.certify_basis_pursuit(problem)
    assert pursuit.is_unique
    np.testing.assert_allclose(pursuit.margin, margin, rtol=1e-9)
    np.testing.assert_allclose(pursuit.norm, norm, rtol=1e-9)
    ells = np.array([20, 30]) / margin
    thetas = [np.asarray(ht.solve_limit(problem, at(family, ell)).theta) for ell in ells]
    excess = [off_face(theta, c) for theta in thetas]
    # One entry is nearest to the face; where it is e^−20, corrections to its logarithm are of that size.
    slope = -np.diff(np.log(excess))[0] / np.diff(ells)[0]
    np.testing.assert_allclose(slope, margin, rtol=1e-6)
    # And it is the excess of the norm, where that can be told from rounding.
    theta = np.asarray(ht.solve_limit(problem, at(family, 10 / margin)).theta)
    np.testing.assert_allclose(np.abs(theta).sum() - norm, off_face(theta, c), atol=1e-12 * norm)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_rate_on_random_instances_whose_spikes_are_found(family):
    # Fewer spikes than rows: the certificate is not unique. In the limit it is the one with the largest margin, and a
    # number of entries come to it together. Below the tolerance, at margin · ln α ≥ 23, entries are not determined.
    for seed in (0, 1, 3):
        spiked = ht.sparse_regression(20, D, 2, seed=seed)
        problem = ht.LinearRegression(spiked.X, spiked.y)
        pursuit = ht.certify_basis_pursuit(problem)
        np.testing.assert_allclose(pursuit.theta, spiked.theta_star, atol=1e-12)
        ells = np.array([12, 18]) / pursuit.margin
        excess = [
            off_face(np.asarray(ht.solve_limit(problem, at(family, ell)).theta), np.asarray(pursuit.correlations))
            for ell in ells
        ]
        slope = -np.diff(np.log(excess))[0] / np.diff(ells)[0]
        np.testing.assert_allclose(slope, pursuit.margin, rtol=0.03)


def test_a_limit_whose_entries_are_near_the_floor():
    # 15 directions of the dual are determined by entries of the size e^(−0.19 ln α), from below √ε to below ε.
    rng = np.random.default_rng(10)
    X, spikes = rng.standard_normal((20, D)), np.zeros(D)
    spikes[rng.choice(D, 5, replace=False)] = rng.standard_normal(5)
    for ell in (80.0, 90.0, 95.0, 100.0, 110.0, 150.0):
        limit = ht.solve_limit(ht.LinearRegression(X, X @ spikes), at(ht.HAM, ell))
        assert limit.stats["steps"] <= 100


@pytest.mark.slow
def test_ten_thousand_columns():
    rng = np.random.default_rng(9)
    X, spikes = rng.standard_normal((20, 10_000)), np.zeros(10_000)
    spikes[:3] = 1, -2, 3
    problem = ht.LinearRegression(X, X @ spikes)
    limit = ht.solve_limit(problem, at(ht.HAM, 1e4))
    assert limit.residual <= TOL and limit.stats["relative_gap"] <= TOL
    # Among so many columns, some are nearly in the face.
    pursuit = ht.certify_basis_pursuit(problem)
    excess = float(jnp.abs(limit.theta).sum()) / pursuit.norm - 1
    assert pursuit.is_unique and -1e-10 <= excess <= 1e-8 + 10 * np.exp(-1e4 * pursuit.margin)
