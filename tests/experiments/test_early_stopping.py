"""F43: early stopping."""

import numpy as np
import pytest
from scipy.stats import norm

import hamtheory as ht
from experiments import _stopping, early_stopping
from figures import early_stopping as figure

from .scales import every_scale

pytestmark = pytest.mark.slow  # some hundred flows

CONFIG = early_stopping.Config.smoke()


@pytest.fixture(scope="module")
def small():
    return early_stopping.run(CONFIG)


data = every_scale(early_stopping, "early_stopping", small="small")
stored = every_scale(early_stopping, "early_stopping")


def test_every_case_is_certified(small):
    for name in ("status", "orthogonal_status", "proximal_status", "rate_status"):
        assert (small[name] == 0).all()
    assert all(variable.attrs["long_name"] for variable in small.data_vars.values())


def test_the_draws_are_of_the_set_up():
    one = early_stopping.problem(400, 300, 4, 0.7, [1])
    assert np.std(one.X) == pytest.approx(1, abs=0.02)
    assert np.std(one.y - one.X @ one.theta_star) == pytest.approx(0.7, rel=0.1)
    assert np.sort(np.abs(one.theta_star))[-5:].tolist() == [0, 1, 1, 1, 1]
    orthogonal = early_stopping.problem(40, 30, 4, 0.7, [1], orthogonal=True)
    np.testing.assert_allclose(orthogonal.X.T @ orthogonal.X / 40, np.eye(30), atol=1e-13)
    fit, rest = early_stopping.split(one, 0.2, [2])
    assert (fit.n, rest.n) == (320, 80)
    rows = np.vstack([fit.X, rest.X])
    np.testing.assert_array_equal(np.sort(rows[:, 0]), np.sort(one.X[:, 0]))


def test_the_clock_takes_a_slope_of_one_to_one():
    """One row, x = 1, whose target is so far that the slope is 1 all the way: θ = 1 at t = R′(1)/slope."""
    for geo in (ht.Euclidean(), ht.HAM(10.0), ht.HAM(1e6), ht.Hypentropy(1e-6)):
        far = ht.LinearRegression([[1.0]], [1e9])
        end = ht.solve_flow(far, geo, ts=[early_stopping.unit_of(geo) / 1e9], rtol=1e-10).theta
        assert float(end[0]) == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize(
    "family, parameter", [("GD", np.nan), ("HAM", 1e-2), ("HAM", 1e6), ("m*w", 3.0), ("m*w", 1e-6)]
)
def test_coordinates_are_those_of_a_flow_with_one_row_each(family, parameter):
    """And in another unit they are the same."""
    geo = {"GD": lambda _: ht.Euclidean(), "HAM": ht.HAM, "m*w": ht.Hypentropy}[family](parameter)
    z, ts = np.array([-2.0, -0.3, 0.1, 1.0, 3.0]), early_stopping.unit_of(geo) * np.geomspace(0.1, 10, 5)
    problem = ht.LinearRegression(np.sqrt(5) * np.eye(5), np.sqrt(5) * z)
    expected = ht.solve_flow(problem, geo, ts=ts, rtol=1e-11, atol=1e-13).thetas
    np.testing.assert_allclose(_stopping.coordinates(family, parameter, z, ts), expected, rtol=1e-8, atol=1e-10)
    own = _stopping.in_units(family, parameter, ts, 0.1)
    np.testing.assert_allclose(
        0.1 * _stopping.coordinates(own[0], own[1], z / 0.1, own[2]), expected, rtol=1e-8, atol=1e-10
    )


@pytest.mark.parametrize("truth", [0.0, 0.7, 4.0, 30.0])
def test_the_integrals_have_closed_forms(truth):
    """Soft thresholding; and gradient descent, which is linear in z."""
    thresholds = np.array([0.1, 1.0, 3.0])
    low, high = -thresholds - truth, thresholds - truth
    expected = truth**2 * (norm.cdf(high) - norm.cdf(low)) + (1 + thresholds**2) * (norm.sf(high) + norm.cdf(low))
    expected += high * norm.pdf(high) - low * norm.pdf(low) - 2 * thresholds * (norm.pdf(high) + norm.pdf(low))
    np.testing.assert_allclose(_stopping.thresholded(thresholds)(truth), expected, rtol=3e-3)  # it has a kink
    ts = np.array([0.1, 1.0, 5.0])
    linear = (truth * np.exp(-ts)) ** 2 + (1 - np.exp(-ts)) ** 2
    np.testing.assert_allclose(_stopping.along("GD", np.nan, ts)(truth), linear, rtol=1e-12)


@pytest.mark.parametrize("family, parameter", [("HAM", 1e3), ("HAM", 1e12), ("m*w", 1e-12)])
def test_the_integrals_are_those_of_another_rule(family, parameter):
    geo = ht.HAM(parameter) if family == "HAM" else ht.Hypentropy(parameter)
    ts = early_stopping.unit_of(geo) * np.array([0.1, 0.3, 1.0])
    for truth in (0.0, 3.0, 30.0):
        z = np.linspace(truth - 9, truth + 9, 200_001)
        error = np.square(_stopping.coordinates(family, parameter, z, ts) - truth)
        np.testing.assert_allclose(
            _stopping.along(family, parameter, ts)(truth), np.trapezoid(error * norm.pdf(z - truth), z), rtol=1e-6
        )


def test_lasso_and_ridge_are_the_limits_under_weight_decay():
    one = early_stopping.problem(30, 60, 3, 0.5, [5])
    strengths = np.array([0.4, 0.2, 0.05])
    path = ht.regularization_path(one.without_truth(), ht.Hypentropy(1.0), strengths / 2)
    np.testing.assert_allclose(early_stopping.lasso(one, strengths), path.thetas, atol=5e-3)
    path = ht.regularization_path(one.without_truth(), ht.Euclidean(), strengths)
    np.testing.assert_allclose(early_stopping.ridge(one, strengths), path.thetas, atol=1e-9)


def test_proximal_points_are_stationary():
    one = early_stopping.problem(30, 60, 3, 0.5, [5])
    for alpha in (10.0, 1e6):
        geo = ht.HAM(alpha)
        for clock in (0.1, 1.0, 10.0):
            t = early_stopping.unit_of(geo) * clock
            theta, status = early_stopping.proximal(one, alpha, t)
            slope = one.gradient(theta)
            assert status == 0 and np.abs(slope + geo.mirror_map(theta) / t).max() <= 1e-7 * np.abs(slope).max()


def test_weight_decay_has_the_slope_that_it_says():
    """For m⊙w, whatever γ is, lasso with λ = 1/clock; for gradient descent, ridge with β = 1/clock, as R/t is."""
    clock = np.array([0.3, 2.0])
    lasso = early_stopping._decayed(CONFIG, ht.Hypentropy(1e-6), clock)
    sigma, law = CONFIG.noise / np.sqrt(CONFIG.n), early_stopping._law(CONFIG)
    expected = ht.asymptotics.predict(ht.Hypentropy(5.0), weight_decay=1 / clock / 2, sigma=sigma, **law).mse
    np.testing.assert_allclose(lasso, CONFIG.d * expected, rtol=1e-6)
    ridge = early_stopping._decayed(CONFIG, ht.Euclidean(), clock)
    expected = ht.asymptotics.predict(ht.Euclidean(), weight_decay=1 / clock, sigma=sigma, **law).mse
    np.testing.assert_allclose(ridge, CONFIG.d * expected, rtol=1e-6)


@pytest.mark.claim("early_stopping.gd")
def test_gradient_descent_comes_to_what_is_predicted(data):
    """Means are within four standard errors, and a part 2/n, of the prediction."""
    risk, predicted = data["risk"].sel(flow="GD"), data["predicted"]
    error = risk.std("draw", ddof=1) / np.sqrt(risk.sizes["draw"])
    assert (abs(risk.mean("draw") - predicted) <= 4 * error + 2 / data.attrs["n"] * predicted).all()
    assert (error <= 0.15 * predicted).all()


@pytest.mark.claim("early_stopping.limits")
def test_ham_stopped_beats_its_limit_and_that_of_every_alpha(data):
    """By a factor of 2 at least, beyond 95 %, at every noise."""
    found = figure.comparisons(data)
    for name in ("its limit", "limit of the best α"):
        assert (found[name].sel(bound="high") < 0.5).all()


@pytest.mark.claim("early_stopping.lasso")
def test_ham_stopped_beats_lasso_where_the_noise_is_small(data):
    found = figure.comparisons(data)
    small, large = data["noise"].values == 0.5, data["noise"].values == 4
    for name in ("lasso", "ridge"):
        assert (found[name].sel(bound="estimate")[small] < 0.5).all()
        assert (found[name].sel(bound="high")[small] < 0.7).all()
        assert (abs(found[name].sel(bound="estimate")[large] - 1) < 0.1).all()


@pytest.mark.claim("early_stopping.rules")
def test_where_the_noise_is_large_usable_rules_are_worse_than_nothing(data):
    own = data["stopped"].sel(flow=figure.largest(data)).mean("draw")
    nothing = data["other"].sel(peer="zero").mean("draw")
    large = data["noise"] == 4
    for rule in ("discrepancy", "held out"):
        assert (own.sel(rule=rule) >= own.sel(rule="oracle")).all()
        assert (own.sel(rule=rule) > nothing)[large].all()
        assert (own.sel(rule=rule) < 0.15 * nothing)[~large & (data["noise"] <= 0.5)].all()


@pytest.mark.claim("early_stopping.over-ridge")
def test_gradient_descent_is_within_four_percent_of_the_best_ridge(data):
    assert (data["over_ridge"] >= 1 - 1e-6).all() and (data["over_ridge"] <= 1.04).all()
    assert data["over_ridge"].max() > 1.005  # and no closer


def test_its_best_time_is_that_of_a_finer_search():
    for delta, power in ((0.5, 3.0), (1.0, 100.0), (2.0, 0.01)):
        _, best = early_stopping.best_over_ridge(delta, power)
        ts = best * np.linspace(0.5, 2, 301)
        mse = ht.asymptotics.predict_gradient_flow(ts, delta=delta, prior=([power**0.5], [1.0]), sigma=1.0).mse
        assert abs(ts[np.argmin(mse)] / best - 1) <= 0.03


@pytest.mark.claim("early_stopping.orthogonal")
def test_with_orthogonal_columns_flows_come_to_the_integral(data):
    """At every time, in standard errors of the mean."""
    risk, draws = data["orthogonal"], data.sizes["orthogonal_draw"]
    error = risk.std("orthogonal_draw", ddof=1) / np.sqrt(draws)
    score = abs(risk.mean("orthogonal_draw") - data["orthogonal_predicted"]) / error
    assert (score <= 4.5).all() and float((score <= 2).mean()) > 0.6


@pytest.mark.claim("early_stopping.proximal")
def test_proximal_points_are_no_substitute(data):
    """At its best each has twice the risk of the flow at its best, with the largest α; at α = 10 hardly more."""
    risk = data["risk"].sel(noise=data.attrs["shown"]).mean("draw").min("clock")
    near = data["proximal"].mean("proximal_draw").min("point")
    flow = figure.largest(data)
    assert near.isel(alpha=-1) > 2 * risk.sel(flow=flow)
    assert data["decayed"].sel(flow=flow).min("clock") > 2 * risk.sel(flow=flow)
    assert near.isel(alpha=0) < 1.5 * risk.sel(flow="HAM 10")


@pytest.mark.full_size
@pytest.mark.claim("early_stopping.rates")
def test_the_rate_of_ham_and_of_mw_has_no_dimension_in_it(stored):
    exponent = stored["exponent"]
    for name in ("HAM", "m*w"):
        own = exponent.sel(fitted=name)
        assert -1.6 < own.sel(factor="n", bound="estimate") < -0.9  # with few rows the columns interfere
        assert abs(own.sel(factor="k", bound="estimate") - 1) < 0.4
        assert own.sel(factor="ln d", bound="low") < 0.1 and own.sel(factor="ln d", bound="high") < 0.5
    lasso = exponent.sel(fitted="lasso", factor="ln d")
    assert lasso.sel(bound="low") > 0.5
    ratio = stored["expected"] / stored["expected"].sel(estimate="support")
    assert (abs(ratio.sel(estimate=["HAM", "m*w"]) - 1) < 0.5).all() and (ratio.sel(estimate="lasso") > 2.5).all()


def test_the_control_variate_keeps_the_mean():
    """Of least squares on the support itself it is the known one: that of many draws."""
    made = [(100, 120, 4)]
    draws = [early_stopping.problem(*made[0], 0.5, [7, i]) for i in range(200)]
    support = np.array([early_stopping.risks(one, early_stopping.supported(one)) for one in draws])
    found = np.stack([2 * support, support], axis=-1)[None]
    known = 0.25 * 4 / 95
    np.testing.assert_allclose(early_stopping.expected(made, found, 0.5)[0], [np.mean(support) + known, known])
    assert np.mean(support) == pytest.approx(known, abs=4 * np.std(support) / 200**0.5)


@pytest.mark.claim("early_stopping.worst")
def test_the_rate_takes_an_alpha_that_grows_with_d(data):
    """Lasso and the largest α stay below 1, as 2s²k ln(d/k)/n is the minimax risk; a smaller α leaves it behind."""
    worst = data["worst"]
    assert (worst.sel(worst_case="lasso") < 1).all()
    sizes = [name for name in data["worst_case"].values if name.startswith("HAM")]
    assert (worst.sel(worst_case=sizes[-1]) < 1).all()
    first = [float((worst.sel(worst_case=name) > 1).sum()) for name in sizes]
    assert first == sorted(first, reverse=True) and first[0] > 0
    other = [name for name in data["worst_case"].values if name.startswith("m*w")]
    ratio = worst.sel(worst_case=sizes).values / worst.sel(worst_case=other).values
    assert (ratio > 0.7).all() and (ratio < 1.5).all()  # γ = 1/α: one bias


def test_figure(data):
    import matplotlib.pyplot as plt

    drawn = figure.draw(data)
    axes = drawn.axes
    assert len(axes) == 9 and all(ax.get_xlabel() for ax in axes[:7])
    lines = [line.get_ydata() for line in axes[0].lines]
    first = data["risk"].sel(noise=data.attrs["shown"]).median("draw")
    for flow in data["flow"].values:
        assert any(np.array_equal(line, first.sel(flow=flow)) for line in lines)
    assert any(np.array_equal(line, data["predicted"].sel(noise=data.attrs["shown"])) for line in lines)
    lines = [line.get_ydata() for line in axes[4].lines]
    np.testing.assert_array_equal(lines, data["over_ridge"])
    plt.close(drawn)


def test_ratios_have_intervals_that_hold_the_truth():
    """Of pairs with a known ratio of means: 95 of 100, give or take."""
    import xarray as xr

    rng, inside = np.random.default_rng(0), 0
    for _ in range(200):
        both = rng.exponential(size=(2, 200)) * [[3.0], [1.0]] + rng.exponential(size=200)
        one, other = (xr.DataArray(values, dims="draw") for values in both)
        _, low, high = figure.ratio(one, other).transpose("bound", ...).values
        inside += low <= 2.0 <= high
    assert 180 <= inside <= 199
