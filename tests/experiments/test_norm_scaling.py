"""F37: norms of interpolators against n."""

import numpy as np
import pytest
from scipy.optimize import minimize

import hamtheory as ht
from experiments import norm_scaling
from figures.norm_scaling import local

from .scales import every_scale

pytestmark = pytest.mark.slow  # limits of some thousand columns

CONFIG = norm_scaling.Config.smoke()


@pytest.fixture(scope="module")
def small():
    return norm_scaling.run(CONFIG)


data = every_scale(norm_scaling, "norm_scaling", small="small")


def test_every_case_is_certified(small):
    assert (small["status"] == 0).all()
    assert small["residual"].max() <= CONFIG.tol and small["gap"].max() <= CONFIG.tol
    assert all(variable.attrs["long_name"] for variable in small.data_vars.values())


@pytest.mark.parametrize("p", [1.1, 1.5, 1.9])
def test_a_start_on_the_ray_leads_to_the_least_norm(p):
    """As another start with coordinates in the row space does; and by an independent minimiser."""
    one, geo = norm_scaling.problem(6, 15, 2, 0.3, [3]), norm_scaling.Power(p)
    found = ht.solve_limit(one, geo, norm_scaling.ray(one, geo))
    assert found.stats["relative_gap"] < 1e-9 and found.residual < 1e-12
    other = geo.inverse_mirror_map(one.X.T @ np.random.default_rng(1).standard_normal(6) / 10)
    np.testing.assert_allclose(ht.solve_limit(one, geo, other).theta, found.theta, atol=1e-9)
    mirrored = geo.mirror_map(found.theta)
    dual = np.linalg.lstsq(one.X.T, mirrored, rcond=None)[0]
    np.testing.assert_allclose(one.X.T @ dual, mirrored, atol=1e-9)
    start, null = ht.min_norm(one), np.linalg.svd(one.X)[2][6:]
    value = lambda z: np.sum(geo.potential(start + z @ null))  # noqa: E731
    least = minimize(value, np.zeros(9), jac=lambda z: null @ geo.mirror_map(start + z @ null), tol=1e-12)
    assert np.sum(geo.potential(found.theta)) == pytest.approx(least.fun, rel=1e-4)
    assert np.sum(geo.potential(found.theta)) <= least.fun * (1 + 1e-10)


def test_the_metric_is_that_of_the_norm():
    ht.geometry.check_geometry(norm_scaling.Power(1.5), theta=[-3.0, -0.2, 1e-4, 0.7, 20.0])


def test_norms_of_the_theory_are_those_of_the_library():
    """Orders 1 and 2, which `predict` has by its own quadrature."""
    n, d = 200, 2000
    for geo in (norm_scaling.Power(1.1), norm_scaling.Power(1.9), ht.HAM(100.0), ht.Hypentropy(0.02)):
        found = norm_scaling.predicted(geo, n, d, 1, 0.1)
        law = ([0.0, 1.0], [1 - 1 / d, 1 / d])
        l1, l2 = ht.asymptotics.predict(geo, delta=n / d, sigma=0.1 / np.sqrt(n), prior=law).norms
        np.testing.assert_allclose(found[[0, -1]], [l1 * d, l2 * np.sqrt(d)], rtol=1e-5)


def test_the_ray_is_the_best_dual_point_along_y():
    one, geo = norm_scaling.problem(20, 60, 1, 0.1, [5]), norm_scaling.Power(1.5)
    dual = lambda t: np.sum(geo.conjugate(t * (one.y @ one.X))) - t * (one.y @ one.y)  # noqa: E731
    best = minimize(lambda t: dual(t[0]), [1e-3], method="Nelder-Mead", options={"xatol": 1e-12, "fatol": 1e-14}).x[0]
    np.testing.assert_allclose(norm_scaling.ray(one, geo), geo.inverse_mirror_map(best * (one.y @ one.X)), rtol=1e-5)


def test_norms_on_the_ray_are_those_of_rays():
    for p, tolerance in ((1.5, 0.1), (1.9, 0.1), (1.1, 0.15)):
        made = [norm_scaling.problem(200, 4000, 1, 0.1, [7, i]) for i in range(6)]
        measured = np.mean([norm_scaling.norms(norm_scaling.ray(one, norm_scaling.Power(p))) for one in made], axis=0)
        np.testing.assert_allclose(norm_scaling.ray_norms(p, 200, 4000, 0.1), measured, rtol=tolerance)


def test_the_published_exponents_are_those_of_the_ray_beyond_the_elbow():
    """r* = 1.4; and before the elbow, 1/r − 1/2."""
    p, orders = 1.7, np.array(norm_scaling.ORDERS)
    for first, expected in ((1e2, 1 / orders - 1 / 2), (1e80, norm_scaling.published(p, orders))):
        both = [norm_scaling.ray_norms(p, n, 1000 * n, 0.0) for n in (first, 10 * first)]
        assert (first < norm_scaling.elbow(p, 1000, 0.0)) == (first == 1e2)
        np.testing.assert_allclose(np.log10(both[1] / both[0]), expected, atol=0.03)


def test_a_slope_is_that_of_least_squares():
    rows, values = np.array([10.0, 20.0, 40.0]), np.random.default_rng(0).uniform(1, 2, (3, 4))
    x, y = np.repeat(np.log(rows), 4), np.log(values).ravel()
    coefficients, covariance = np.polyfit(x, y, 1, cov=True)
    found = norm_scaling.slope(rows, values)
    np.testing.assert_allclose(found, [coefficients[0], np.sqrt(covariance[0, 0])], rtol=1e-10)


@pytest.mark.claim("norm_scaling.agreement")
def test_norms_are_those_that_are_predicted(data):
    """The logarithms to 0.1 in the mean over n from 50 on, but for three standard errors; the exponents to four."""
    off = np.log(data["norm"] / data["theory"]).where(data["rows"] >= 50, drop=True).mean("rows")
    error = off.std("instance", ddof=1) / np.sqrt(off.sizes["instance"])
    assert (np.abs(off.mean("instance")) < 0.1 + 3 * error).all()
    spike = data["exponent"].sel(truth="spike")
    deviation = np.abs(spike.sel(number="measured") - spike.sel(number="theory"))
    assert (deviation < 4 * spike.sel(number="error")).all()


@pytest.mark.claim("norm_scaling.before")
def test_before_the_elbow_the_ray_has_the_norms(data):
    own = data.sel(kind="fixed d")
    for p in (1.5, 1.9):
        ratio = own["theory"].sel(truth="spike", interpolator=f"p = {p:g}") / own["ray"].sel(power=p)
        assert (np.abs(ratio - 1) < 0.1).all()
    assert (data["elbow"].diff("power") > 0).all()


@pytest.mark.claim("norm_scaling.ray")
def test_beyond_it_the_interpolator_s_norm_grows_and_the_ray_s_does_not(data):
    assert data["elbow"].sel(power=1.1) < data["rows"].min()
    one = data["exponent"].sel(truth="spike", interpolator="p = 1.1", order=1.0)
    measured, error = one.sel(number="measured"), one.sel(number="error")
    assert (measured > 0.1).all() and (measured > 3 * error).all()
    on_ray = data["ray"].sel(power=1.1, order=1.0).values[:, -2:]
    assert (np.abs(np.diff(np.log(on_ray), axis=1)) < 0.05).all()
    assert (data["published"].sel(power=1.1) == 0).all()


def test_the_exponent_that_the_guide_says():
    rows = np.array([25, 50, 100, 200, 400])
    found = [[norm_scaling.predicted(norm_scaling.Power(1.1), n, 10 * n, 1, 0.1)[0]] for n in rows]
    assert norm_scaling.slope(rows, np.array(found))[0] == pytest.approx(0.18, abs=0.005)


@pytest.mark.claim("norm_scaling.far")
def test_in_the_end_the_exponent_is_that_of_the_noise(data):
    for name in data["interpolator"].values:
        for order in (1.0, 1.1):
            last = local(data["far"].values, data["far_theory"].sel(interpolator=name, order=order).values)[1][-1]
            assert last == pytest.approx(1 / order - 1 / 2, abs=0.02)
    for p in (1.1, 1.5):
        assert abs(local(data["far"].values, data["far_ray"].sel(power=p, order=1.0).values)[1][-1]) < 0.01


@pytest.mark.claim("norm_scaling.ham")
def test_ham_and_mw_are_there_sooner(data):
    at, _ = local(data["far"].values, data["far"].values)
    exponent = {
        name: local(data["far"].values, data["far_theory"].sel(interpolator=name, order=1.0).values)[1][at > 100]
        for name in data["interpolator"].values
    }
    for name in ("HAM", "m*w"):
        assert (exponent[name] > np.maximum(exponent["p = 1.1"], exponent["p = 1.5"])).all()
