"""F20: the duel, its statistics on data with a known effect, and its pipeline on problems of one row."""

import dataclasses

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
import scipy.stats
import xarray as xr

import hamtheory as ht
from experiments import duel
from figures import duel as figure_module

CONFIG = duel.Config(n=1, d=2, halved=(False,), spikes=(1,), instances=8, alphas=(1.5, 40.0), steps=5000, chunk=7)


@pytest.fixture(scope="module")
def data():
    return duel.run(CONFIG)


def ratios(**values) -> xr.Dataset:
    """Ratios of instances, of one start and α."""
    return xr.Dataset({name: (("instance", "alpha"), np.asarray(array)[:, None]) for name, array in values.items()})


def test_the_default_duel_is_large_enough():
    config = duel.Config()
    assert len(duel.settings(config)) * config.instances >= 500
    assert len({dataclasses.astuple(s) for s in duel.settings(config)}) == len(duel.settings(config))
    for name in ("n", "k", "noise"):
        assert len({getattr(s, name) for s in duel.settings(config)}) > 1


def test_problems_of_half_the_rows_have_the_same_loss(tmp_path):
    config = dataclasses.replace(CONFIG, n=4, d=6, halved=(False, True), noises=(0.5,), instances=2, seed=3)
    spec = duel.specification(config, tmp_path)
    whole, *files = spec.problems
    assert list(whole.seed_of(np.arange(2))) == [3, 4] and len(files) == 2
    for seed, file in zip((5, 6), files, strict=True):
        few = ht.sparse_regression(2, 6, 1, seed=seed, noise=0.5)
        saved = np.load(file.path)
        twice = ht.LinearRegression(saved["X"], saved["y"])
        theta = np.random.default_rng(seed).standard_normal(6)
        assert twice.n == 4 and float(twice.loss(theta)) == pytest.approx(float(few.loss(theta)), rel=1e-13)
        np.testing.assert_allclose(twice.gradient(theta), few.gradient(theta), rtol=1e-12, atol=1e-14)
        np.testing.assert_array_equal(saved["theta_star"], few.theta_star)
    again = duel.specification(config, tmp_path / ".." / tmp_path.name)
    assert again.hash == spec.hash, "an interrupted sweep would not be resumed from another folder"


@pytest.mark.parametrize("count", [7, 30, 101])
def test_the_interval_of_the_median_has_its_level(count):
    """Between two order statistics with the probability of the binomial: at least 95 %, and none tighter would do."""
    _, low, high = duel.median_interval(np.arange(1.0, count + 1))
    below = scipy.stats.binom(count, 0.5)
    level = lambda r: below.cdf(count - r) - below.cdf(r - 1)  # noqa: E731
    assert low + high == count + 1
    assert level(low) >= 0.95 > level(low + 1)


def test_the_interval_of_the_median_covers_it():
    rng = np.random.default_rng(0)
    samples = np.exp(rng.standard_normal((600, 41)) - 0.2)
    inside = [low <= np.exp(-0.2) <= high for _, low, high in map(duel.median_interval, samples)]
    assert 0.93 <= np.mean(inside) <= 0.995


def test_what_is_censored_has_its_place_in_the_order():
    values = np.concatenate([np.full(30, 0.9), np.full(40, np.inf)])
    assert duel.median_interval(values)[0] == np.inf
    assert duel.median_interval(values[:50]) == (0.9, 0.9, np.inf)
    assert duel.median_interval(np.array([0.5, 2.0]))[1:] == (0.0, np.inf), "no interval from two"
    found = duel.ratio(
        np.array([np.inf, 1.0, np.inf, 0.0, 3.0, np.nan]), np.array([2.0, np.inf, np.inf, 0.0, 0.0, 1.0])
    )
    np.testing.assert_array_equal(found, [np.inf, 0.0, np.nan, 1.0, np.inf, np.nan])


def test_wilson_interval():
    z, n, p = scipy.stats.norm.ppf(0.975), 50, 0.3
    middle, half = (
        (p + z**2 / (2 * n)) / (1 + z**2 / n),
        z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n),
    )
    np.testing.assert_allclose(duel.wilson_interval(15, 50), [p, middle - half, middle + half], rtol=1e-9)
    assert duel.wilson_interval(0, 0)[1:] == (0.0, 1.0)


def test_the_verdict_finds_the_known_winner():
    rng = np.random.default_rng(1)
    spread = np.exp(0.3 * rng.standard_normal(400))
    censored = np.where(np.arange(400) < 260, np.inf, 0.5)
    both = np.where(np.arange(400) < 100, np.nan, 0.8 * spread)
    found = duel.verdict(
        ratios(ham=0.8 * spread, mw=1.25 * spread, even=spread, itself=spread / spread, censored=censored, both=both)
    )
    found = found.isel(alpha=0)
    who = {str(name): duel.winner(*found["wins"].sel(number=name).values[1:]) for name in found["number"].values}
    assert who == {"ham": "HAM", "mw": "m*w", "even": "-", "itself": "-", "censored": "m*w", "both": "HAM"}
    low, high = found["median"].sel(number="ham").values[1:]
    assert low < 0.8 < high < 1
    itself = found.sel(number="itself")
    assert itself["tied"] == 400 and np.isnan(itself["wins"].sel(bound="estimate")) and (itself["median"] == 1).all()
    assert found["undecided"].sel(number="both") == 100 and found["ham_infinite"].sel(number="censored") == 260
    assert np.isinf(found["median"].sel(number="censored", bound="estimate"))
    assert found["wins"].sel(number="censored", bound="estimate") == pytest.approx(140 / 400)


def closed_form(x: np.ndarray, y: float, theta, metric) -> tuple[float, float, float]:
    """From zero with the one row x: norm of the limit, and the time to a millionth of the loss in both units.

    θ(ν) = (R*)′(νx) with dν/dt = y − x·θ(ν), so the time is an integral over ν, up to where a thousandth of y is left.
    """
    left = lambda v, share: y * (1 - share) - x @ theta(v * x)  # noqa: E731
    end, near = (scipy.optimize.brentq(left, 0, np.sign(y) * 10 / np.abs(x).max(), (share,)) for share in (0.0, 1e-3))
    time = scipy.integrate.quad(lambda v: 1 / left(v, 0.0), 0, near, epsabs=0, epsrel=1e-9, limit=200)[0]
    limit = theta(end * x)
    return np.abs(limit).sum(), time * (x**2 @ metric(limit)) / 2, time * metric(limit).mean()


@pytest.mark.slow
def test_ratios_are_those_of_the_sweep(data):
    """Of one instance, from quadratures."""
    assert data["ratio"].dims == ("number", "instance", "start", "alpha") and data.sizes["instance"] == 16
    for name, variable in data.data_vars.items():
        assert variable.attrs["long_name"], name
    assert (data["status"].sel(side="HAM") == 0).all() and (data["status"].sel(start="zero") == 0).all()
    np.testing.assert_array_equal(np.isnan(data["log_gamma"]), data["status"].sel(side="m*w") != 0)
    for instance in (0, 9):
        problem = ht.sparse_regression(1, 2, 1, seed=instance, noise=float(data["noise"][instance]))
        here = data.sel(start="zero", alpha=40.0).isel(instance=instance)
        gamma = np.exp(float(here["log_gamma"]))
        x, y = np.asarray(problem.X)[0], float(problem.y[0])
        ham = closed_form(x, y, lambda m: np.sign(m) * np.expm1(40 * np.abs(m)) / 40, lambda t: 1 + 40 * np.abs(t))
        other = closed_form(x, y, lambda m: gamma * np.sinh(2 * m), lambda t: 2 * np.hypot(t, gamma))  # noqa: B023
        assert ham[0] == pytest.approx(other[0], rel=1e-6), "norms of the limits"
        assert float(here["ratio"].sel(number="flow_steps")) == pytest.approx(ham[1] / other[1], rel=1e-3)
        assert float(here["ratio"].sel(number="flow_mean_time")) == pytest.approx(ham[2] / other[2], rel=1e-3)


@pytest.mark.claim("duel.flows")
@pytest.mark.slow
def test_in_the_data_the_metrics_differ_by_what_theory_allows(data):
    """At the γ of the match, p/α, by [min(1, 1/p), √(1 + p⁻²)]: `geometry.sandwich`. From zero the limits are one."""
    medians = data["median"].sel(number=["flow_steps", "flow_mean_time", "condition"], bound="estimate")
    assert (medians > np.sqrt(0.5)).all() and (medians < np.sqrt(2)).all()
    data = data.sel(start="zero")
    sound = (data["status"] == 0).all("side")
    product = (np.exp(data["log_gamma"]) * data["alpha"]).where(sound)
    assert product.min() < 0.9 and product.max() > 1.1  # with the γ of the match the metrics are not most alike
    rates = data["stable_rate"]
    quotient = (rates.sel(side="m*w") * 2 / (rates.sel(side="HAM") * data["alpha"])).where(sound)
    allowed = np.minimum(1, 1 / product), np.sqrt(1 + product**-2.0)
    assert ((quotient >= allowed[0] * (1 - 1e-9)) & (quotient <= allowed[1] * (1 + 1e-9))).where(sound, True).all()
    # With one row there is one eigenvalue.
    np.testing.assert_allclose(data["ratio"].sel(number="condition").where(sound, 1), 1, rtol=1e-9)


@pytest.mark.slow
def test_the_verdict_is_that_of_the_stored_ratios(data):
    column = data["ratio"].sel(number="run_steps_0.5", start="zero", alpha=1.5).values
    found = data.sel(number="run_steps_0.5", start="zero", alpha=1.5)
    np.testing.assert_allclose(found["median"], duel.median_interval(column[~np.isnan(column)]))
    text = duel.table(data)
    for number in data["number"].values:
        assert duel.meaning(str(number)) in text
    assert text.count("start: ") == 2 and text.count("neither") == sum(map(duel.is_cost, data["number"].values))


@pytest.mark.slow
def test_figure(data):
    import matplotlib.pyplot as plt

    figure = figure_module.draw(data)
    assert len(figure.axes) == 6 and all(ax.get_xlabel() and ax.get_ylabel() for ax in figure.axes)
    match, flows = figure.axes[:2]
    expected = (np.exp(data["log_gamma"]) * data["alpha"]).sel(start="zero").median("instance")
    np.testing.assert_allclose(match.lines[0].get_ydata(), expected, rtol=1e-9)
    expected = data["median"].sel(number="flow_steps", start="zero", bound="estimate")
    np.testing.assert_allclose(flows.lines[0].get_ydata(), expected, rtol=1e-12)
    lost = figure.axes[-1].lines[0].get_ydata()
    here = data.sel(start="zero", side="HAM").isel(fraction=-1)
    np.testing.assert_allclose(lost, (here["run_status"] != 0).mean("instance"))
    plt.close(figure)
