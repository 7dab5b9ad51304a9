"""F34: benign overfitting."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq, minimize
from scipy.stats import norm, t as student

import hamtheory as ht
from experiments import benign
from figures.benign import gain

from .scales import every_scale

pytestmark = pytest.mark.slow  # some thousand predictions

CONFIG = benign.Config.smoke()


@pytest.fixture(scope="module")
def small():
    return benign.run(CONFIG)


data = every_scale(benign, "benign", small="small")


def _alone(ratio):
    """The error of basis pursuit where there are no spikes, by the two equations of the soft threshold at aτ."""
    a = brentq(lambda a: 2 * norm.sf(a) * ratio - 1, 0, 20, xtol=1e-14)
    square = 2 * ratio * ((1 + a * a) * norm.sf(a) - a * norm.pdf(a))
    return square / (1 - square)


def test_every_case_is_certified(small):
    assert (small["status"] == 0).all() and (small["path_status"] == 0).all()
    assert small["residual"].max() <= CONFIG.tol
    assert all(variable.attrs["long_name"] for variable in small.data_vars.values())


def test_the_sum_of_squares_and_a_linear_weight_is_a_geometry():
    ht.geometry.check_geometry(benign.SquaresAndLinear(0.3, 50.0), theta=[-30.0, -1.0, -1e-3, 0.0, 1e-9, 0.2, 0.4, 8.0])


def test_it_is_that_of_the_gradient_flow_on_the_weights():
    """The flow of w² − u² + λv from w = u = a, v = 0, by SciPy, with Lμ/M = 4ν where θ = 2a² sinh 4ν + λ²ν, μ = λ²ν."""
    kink, sharpness, one = 0.5, 4.0, ht.sparse_regression(n=3, d=5, k=2, noise=0.3)
    root, start = np.sqrt(4 * kink / sharpness), np.sqrt(kink * np.exp(-sharpness) / 2)

    def field(_, weights):
        w, u, v = weights.reshape(3, 5)
        gradient = one.gradient(w * w - u * u + root * v)
        return np.concatenate([-2 * w * gradient, 2 * u * gradient, -root * gradient])

    begin = np.concatenate([np.full(10, start), np.zeros(5)])
    w, u, v = solve_ivp(field, (0, 400), begin, method="LSODA", rtol=1e-10, atol=1e-12).y[:, -1].reshape(3, 5)
    limit = ht.solve_limit(one, benign.SquaresAndLinear(kink, sharpness)).theta
    np.testing.assert_allclose(w * w - u * u + root * v, limit, atol=1e-6)


def test_its_limit_is_that_of_huber_s_function():
    """R → ½θ² below M, M|θ| − ½M² beyond: an independent minimiser over the null space, for squares that start at 0."""
    one, kink = ht.sparse_regression(n=6, d=12, k=2, noise=0.5), 0.3
    theta = ht.solve_limit(one, benign.SquaresAndLinear(kink, 400.0)).theta
    start, basis = ht.min_norm(one), np.linalg.svd(one.X)[2][6:]

    def huber(z):
        x = start + z @ basis
        small, slope = np.abs(x) < kink, np.clip(x, -kink, kink)
        return np.sum(np.where(small, x**2 / 2, kink * np.abs(x) - kink**2 / 2)), basis @ slope

    found = minimize(huber, np.zeros(6), jac=True, tol=1e-12)
    assert huber((theta - start) @ basis.T)[0] == pytest.approx(found.fun, rel=5e-3)
    assert np.abs(theta).max() > kink > np.abs(theta).min()


def test_errors_are_in_units_of_the_noise():
    """θ = 0 has the error S, and a row that is new is predicted by θ* to 1."""
    one = benign.problem(5.0, 7.0, benign.Config(n=400), [0])
    assert benign._error(one, np.zeros(one.d)) == pytest.approx(7.0)
    assert np.var(one.y - one.X @ one.theta_star) / one.n == pytest.approx(1, abs=0.25)


def test_least_l2_and_ridge_have_closed_forms(small):
    """Least L2: S(1 − n/d) + 1/(d/n − 1); the best ridge is at β = n σ²/(δ E Θ²)."""
    for signal in CONFIG.signals:
        own, ratio = small["curve"].sel(signal=signal), small["curve_ratio"]
        expected = signal * (1 - 1 / ratio) + 1 / (ratio - 1)
        np.testing.assert_allclose(own.sel(estimator="L2"), expected, rtol=1e-6)
        for r, error in zip(ratio.values, own.sel(estimator="ridge").values, strict=True):
            at = benign.predicted(ht.Euclidean(), r, CONFIG.share, signal, weight_decay=r / signal)
            assert at <= error * (1 + 1e-6) and error == pytest.approx(float(at), rel=2e-3)


def test_the_best_of_a_family_is_that_of_the_library():
    for name, family in (("HAM", ht.HAM), ("m*w", ht.Hypentropy)):
        for ratio in (1.5, 10.0):
            found = ht.asymptotics.best_parameter(family, **benign.law(ratio, 0.02, 10.0))
            error = benign.best(name, ratio, 0.02, 10.0)[1]
            assert error == pytest.approx(ratio * float(found.prediction.mse), rel=1e-3)
            assert error >= ratio * found.prediction.mse * (1 - 1e-6)


@pytest.mark.claim("benign.agreement")
def test_means_are_off_by_what_chance_allows(data):
    """Within a tenth for what is left of the size, and Student's quantile of all cases."""
    draws = data.sizes["draw"]
    error = data["error"].std("draw", ddof=1) / np.sqrt(draws)
    off = np.abs(data["error"].mean("draw") - data["predicted"])
    assert (off < student.isf(0.5e-3 / off.size, draws - 1) * error + 0.1 * data["predicted"]).all()
    assert (off <= 2.5 * error + 0.1 * data["predicted"]).mean() > 0.85


@pytest.mark.claim("benign.neither")
def test_neither_end_is_the_best_interpolator(data):
    curve = data["curve"]
    assert (curve.sel(estimator="squares") < 0.97 * curve.sel(estimator=["L2", "L1"]).min("estimator")).all()
    assert (curve.sel(estimator="squares") < 0.995 * curve.sel(estimator="HAM")).all()


@pytest.mark.claim("benign.one-parameter")
def test_one_parameter_gains_less(data):
    curve = data["curve"]
    ends = curve.sel(estimator=["L2", "L1"]).min("estimator")
    assert (curve.sel(estimator="HAM") <= ends * (1 + 1e-6)).all()
    assert (np.abs(curve.sel(estimator="m*w") / curve.sel(estimator="HAM") - 1) < 0.02).all()
    far = curve["curve_ratio"] >= 100
    ratio = (curve.sel(estimator="HAM") / curve.sel(estimator="L1")).sel(signal=10.0)
    assert (ratio.where(far, 1) > 0.999).all() and ratio.min() < 0.95


@pytest.mark.claim("benign.tuned")
def test_a_tuned_lasso_is_better_than_any_interpolator(data):
    curve = data["curve"]
    assert (curve.sel(estimator="lasso") < curve.sel(estimator=list(benign.INTERPOLATORS)).min("estimator")).all()


@pytest.mark.claim("benign.gap")
def test_the_gap_to_the_best_tuned_narrows(data):
    curve = data["curve"].sel(estimator=["L1", "HAM", "squares"])
    ratio = curve / data["curve"].sel(estimator=list(benign.TUNED)).min("estimator")
    assert (ratio.isel(curve_ratio=0) > 25).all() and (ratio.isel(curve_ratio=-1) < 1.3).all()


@pytest.mark.claim("benign.rate")
def test_basis_pursuit_is_of_the_order_of_one_over_the_logarithm(data):
    ratio = data["end_ratio"].values
    product = data["pursuit"] * np.log(ratio)
    np.testing.assert_allclose(data["pursuit"][0], [_alone(r) for r in ratio], atol=3e-5)  # of ln α = 1e5: 2/ln α
    assert (product[0] > 1.03).all() and (product[0] < 1.06).all()
    dense = data["pursuit"].sel(end_share=0.02)
    assert (dense.diff("end_ratio")[-10:] > 0).all() and product.sel(end_share=0.02)[-1] > 10


def test_its_constant_is_one():
    """From the equations: the product falls to 1, like 1 + O(ln ln(d/n)/ln(d/n)), and is 1.02 at d/n = 1e60."""
    product = [_alone(r) * np.log(r) for r in (1e4, 1e8, 1e16, 1e60)]
    assert (np.diff(product) < 0).all() and 1 < product[-1] < 1.03


def test_the_law_fits(data):
    """c of c/(ln(d/n) + b) without spikes, from decade to decade nearer to 1; a percent of it is all that is left."""
    fits = data["fit"].isel(end_share=0)
    assert (fits.sel(number="deviation") < 2e-3).all()
    constant = fits.sel(number="constant").values
    assert (np.diff(constant) < 0).all() and (constant > 1).all() and (constant < 1.05).all()


@pytest.mark.claim("benign.map")
def test_where_ham_gains(data):
    found = gain(data)
    assert (found.isel(map_share=0).where(found["map_signal"] >= 1, drop=True) > 1 / 3).all()
    assert (found.where(found["map_share"] >= 1, drop=True) < 0.01).all() and (found > -1e-6).all()
