"""The geometry with a dead zone: right where it is known, and refused by name where it is not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.stats

import hamtheory as ht

GEO = ht.LinearizedBregman(lam=0.7, delta=1.5)
AWAY = np.concatenate([-np.geomspace(1e-6, 1e3, 10), np.geomspace(1e-6, 1e3, 10)])
PROBLEM = ht.sparse_regression(8, 20, 3, seed=1)
CLASSES = ht.BinaryClassification(PROBLEM.X, np.sign(PROBLEM.y))


def test_beside_zero_the_methods_belong_together_on_both_engines():
    ht.geometry.check_geometry(ht.LinearizedBregman(np.geomspace(0.1, 5, 20), np.geomspace(2.0, 0.5, 20)), AWAY)


def test_without_a_dead_zone_everywhere():
    ht.geometry.check_geometry(ht.LinearizedBregman(0.0, 2.0))


def test_the_conjugate_is_the_largest_value():
    """`R*(μ) = max_θ μθ − R(θ)` on a fine grid, inside the dead zone and outside."""
    grid = np.linspace(-9, 9, 180_001)
    for mu in (-3.0, -0.7, 0.0, 0.4, 1.1):
        values = mu * grid - GEO.potential(grid)
        np.testing.assert_allclose(GEO.conjugate(mu), values.max(), atol=1e-8)
        np.testing.assert_allclose(GEO.inverse_mirror_map(mu), grid[values.argmax()], atol=1e-4)


def test_zero_is_the_middle_of_the_dead_zone_and_nothing_moves_there():
    assert GEO.mirror_map(0.0) == 0 and GEO.inverse_metric(0.0) == 0
    assert not GEO.inverse_mirror_map(np.linspace(-0.7, 0.7, 9)).any()
    np.testing.assert_allclose(GEO.inverse_mirror_map([0.8, -0.8]), [0.15, -0.15], rtol=1e-14)


def test_the_divergence_is_that_of_the_subgradient():
    """`R(θ) + R*(μ) − μθ` for any μ, which `certify` needs where θ(ν) is 0 and μ is not."""
    rng = np.random.default_rng(0)
    mu, theta = rng.uniform(-2, 2, 200), np.where(rng.random(200) < 0.3, 0, rng.standard_normal(200))
    found = GEO.known_divergence(theta, GEO.inverse_mirror_map(mu), mu)
    np.testing.assert_allclose(found, GEO.potential(theta) + GEO.conjugate(mu) - mu * theta, atol=1e-14)
    start = np.where(rng.random(200) < 0.3, 0, rng.standard_normal(200))
    naive = GEO.potential(theta) - GEO.potential(start) - GEO.mirror_map(start) * (theta - start)
    np.testing.assert_allclose(ht.geometry.divergence_terms(GEO, theta, start), naive, atol=1e-14)


def test_certificates_of_any_point_and_any_dual():
    """The gap is the primal minus the dual value, both from their definitions."""
    rng, basis = np.random.default_rng(1), PROBLEM.row_space.basis
    for lam in (0.2, 3.0):
        geo, theta, dual = ht.LinearizedBregman(lam), rng.standard_normal(20), rng.standard_normal(8)
        want = geo.potential(theta).sum() + geo.conjugate(dual @ basis).sum() - dual @ PROBLEM.row_space.target
        for on in (lambda x: x, lambda x: jax.tree.map(jnp.asarray, x)):
            found = ht.metrics.certify(on(PROBLEM), on(geo), on(theta), on(np.zeros(20)), on(dual))
            np.testing.assert_allclose(found.duality_gap, want, rtol=1e-12)


def test_passages_end_at_zero():
    time = scipy.integrate.quad(lambda s: 1 / (1.5 * (1.0 + s)), 0, 0.7)[0]
    np.testing.assert_allclose(ht.signs.first_passage_time(GEO, 0.7, 1.0), time, rtol=1e-12)


def test_far_out_it_is_l2():
    assert GEO.horizon().rho == 2 and ht.LinearizedBregman(1.0, [1.0, 2.0]).horizon().weights.tolist() == [1.0, 0.5]
    np.testing.assert_allclose(ht.solve_margin(CLASSES, GEO).margin, ht.solve_margin(CLASSES, ht.Euclidean()).margin)


@pytest.mark.parametrize("lam", [0.0, 0.5, 4.0])
def test_high_dimension_sees_a_soft_threshold_and_a_shrinkage(lam):
    """Both equations with `η_κ(x) = soft(x, κλ)/(1 + κ/δ)`, the moments by SciPy."""
    found = ht.asymptotics.predict(
        ht.LinearizedBregman(lam, 2.0), delta=0.5, prior=([0.0, 1.0], [0.9, 0.1]), sigma=0.1, tol=1e-9
    )
    tau, cut, shrunk = float(found.tau), float(found.kappa * lam), 1 / (1 + float(found.kappa) / 2)
    square = slope = 0.0
    for atom, weight in ((0.0, 0.9), (1.0, 0.1)):
        ends = sorted([(cut - atom) / tau, (-cut - atom) / tau])

        def error(z, atom=atom):
            x = atom + tau * z
            return (shrunk * np.sign(x) * max(abs(x) - cut, 0) - atom) ** 2 * scipy.stats.norm.pdf(z)

        square += weight * scipy.integrate.quad(error, -12, 12, points=ends, epsabs=1e-13, limit=200)[0]
        slope += weight * shrunk * (scipy.stats.norm.sf(ends[1]) + scipy.stats.norm.cdf(ends[0]))
    np.testing.assert_allclose([found.mse, tau**2, slope], [square, 0.01 + square / 0.5, 0.5], rtol=1e-7)


def test_limits_of_gaussian_data_are_as_predicted():
    """The mean square error, over 12 draws of n = 150 rows, within four standard errors."""
    geo, errors = ht.LinearizedBregman(1.0), []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        truth = (rng.random(300) < 0.1).astype(float)
        X = rng.standard_normal((150, 300)) / np.sqrt(150)
        y = X @ truth + 0.1 * rng.standard_normal(150)
        errors.append(np.mean((ht.solve_limit(ht.LinearRegression(X, y), geo).theta - truth) ** 2))
    want = ht.asymptotics.predict(geo, delta=0.5, prior=([0.0, 1.0], [0.9, 0.1]), sigma=0.1).mse
    assert abs(np.mean(errors) - want) < 4 * np.std(errors) / np.sqrt(12)


def test_the_rate_at_a_sparse_limit_is_that_of_its_support():
    theta = ht.solve_limit(PROBLEM, ht.LinearizedBregman(50.0)).theta
    squares = np.linalg.eigvalsh(PROBLEM.X[:, theta != 0].T @ PROBLEM.X[:, theta != 0]) / PROBLEM.n
    np.testing.assert_allclose(
        ht.metrics.asymptotic_rate(PROBLEM, ht.LinearizedBregman(50.0), theta), squares[0], rtol=1e-10
    )


BAD = [
    (-1.0, 1.0, "lam must not be negative; got -1.0"),
    (np.inf, 1.0, "lam must be finite"),
    (1.0, 0.0, "delta must be positive; got 0.0"),
    ([1.0, np.nan], 1.0, "lam must be finite; got nan at index 1"),
    (1.0, [1.0, -2.0], "delta must be positive; got -2.0"),
]


@pytest.mark.parametrize(("lam", "delta", "says"), BAD)
def test_bad_parameters_are_named(lam, delta, says):
    with pytest.raises(ValueError, match=says):
        ht.LinearizedBregman(lam, delta)
    with pytest.raises(ValueError, match=r"lam must be a scalar or have shape \(20,\)"):
        ht.solve_limit(PROBLEM, ht.LinearizedBregman(np.ones(3)))


SPARSE = {"kind": "sparse", "n": 6, "d": 15, "k": 2, "seeds": [1]}
ON_DEVICE = jax.tree.map(jnp.asarray, PROBLEM)
REFUSED = {
    "solve_limits": lambda _: ht.solve_limits(PROBLEM, GEO),
    "solve_flows": lambda _: ht.solve_flows(PROBLEM, GEO),
    "solve_limit": lambda _: ht.solve_limit(ON_DEVICE, GEO),
    "solve_flow": lambda _: ht.solve_flow(ON_DEVICE, GEO),
    "solve_flow of a classification": lambda _: ht.solve_flow(CLASSES, GEO),
    "MirrorDescent": lambda _: ht.algorithm.MirrorDescent(GEO),
    "NaturalGradient": lambda _: ht.algorithm.NaturalGradient(GEO),
    "nearest_coordinates": lambda _: ht.metrics.nearest_coordinates(PROBLEM, GEO, AWAY, 0 * AWAY),
    "invariant_drift": lambda _: ht.metrics.invariant_drift(PROBLEM, GEO, AWAY, 0 * AWAY),
    "geometry_a": lambda _: ht.neuron.Neuron(GEO, ht.Euclidean()),
    "sweep": lambda path: ht.sweep({"problems": SPARSE, "geometries": [GEO]}, path),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_do_with_a_dead_zone_says_so(what, tmp_path):
    with pytest.raises(ValueError, match=f"{what} needs a continuous mirror map; LinearizedBregman has a dead zone"):
        REFUSED[what](tmp_path / "store")


def test_weight_decay_is_refused():
    for ask in (
        lambda: ht.solve_limit(PROBLEM, GEO, weight_decay=0.1),
        lambda: ht.solve_flow(PROBLEM, GEO, weight_decay=0.1),
        lambda: ht.regularization_path(PROBLEM, GEO, [0.1]),
        lambda: ht.asymptotics.predict(GEO, delta=0.5, prior=([0.0, 1.0], [0.9, 0.1]), weight_decay=0.1),
    ):
        with pytest.raises(ValueError, match="weight_decay must be 0 for LinearizedBregman"):
            ask()
