"""F22: which signs flows recover from wrong ones, and when."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
from scipy.stats import norm

import hamtheory as ht
from experiments import recovered_signs as experiment
from figures import recovered_signs as figure_module

from .scales import every_scale

pytestmark = pytest.mark.slow  # compilations of two families

CONFIG = experiment.Config.smoke()
cases = figure_module.cases


@pytest.fixture(scope="module")
def data():
    return experiment.run(CONFIG)


everywhere = every_scale(experiment, "recovered_signs", small="data")


def recovered(data, **chosen):
    return cases(data, **chosen)["recovered"].mean().item()


def test_every_case_is_sound(data):
    assert (data["status"] == 0).all()
    for name, variable in data.data_vars.items():
        assert variable.attrs["long_name"], name
    for name in ("scale_theory", "row_theory", "orthant", "wendel", "ends", "recovered", "passage"):
        assert np.isfinite(data[name]).all(), name


def test_counts_hang_together(data):
    assert (data["gross"] >= data["net"] + 2 * data["flipped_back"]).all()
    np.testing.assert_array_equal(np.isfinite(data["recovery_time"]), data["recovered"] == 1)
    # A sign that is right has been wrong at first, so it has flipped; the last to do so is in time.
    flipped = np.isfinite(data["first"]).sum("spike")
    assert (flipped >= (data["recovered"] * data["k"]).round()).all()
    everything = data.isel(case=np.flatnonzero(data["recovered"] == 1))
    assert (everything["first"].max("spike") <= everything["recovery_time"]).all()


@pytest.mark.parametrize("n", [3, 12])
def test_square_problems_are_the_same(n):
    problem = ht.sparse_regression(n, 6, 2)
    square, theta = experiment.square(problem), jnp.linspace(-1, 1, 6)
    assert square.X.shape == (6, 6)
    np.testing.assert_allclose(square.loss(theta), problem.loss(theta), rtol=1e-12)
    np.testing.assert_allclose(square.gradient(theta), problem.gradient(theta), rtol=1e-10, atol=1e-12)


def test_starts_are_wrong():
    truth = np.array([1.0, 0, -1, 0, 0, 0, 0, 0])
    signs = experiment.wrong_signs(CONFIG, truth, 0)
    assert (signs[[0, 2]] == [-1, 1]).all() and (abs(signs) == 1).all()


def test_gradient_descent_is_a_projection(data):
    some = [i for i, v in enumerate(experiment.cases_of(CONFIG)) if v.part == "scales" and v.label == "GD"]
    for i in some:
        case = experiment.cases_of(CONFIG)[i]
        problem = ht.sparse_regression(case.n, CONFIG.d, case.k, seed=case.instance)
        X, truth = np.asarray(problem.X), np.asarray(problem.theta_star)
        theta0 = case.scale * experiment.wrong_signs(CONFIG, truth, case.instance)
        limit = theta0 + np.linalg.pinv(X) @ X @ (truth - theta0)
        if np.min(abs(limit[truth != 0])) > 1e-4:  # of the tolerance
            assert data["recovered"][i] == np.mean(np.sign(limit) == truth, where=truth != 0)


def test_state_evolution_of_gradient_descent():
    """λ = d/n − 1 and τ² = (1 − n/d)‖θ₀ − θ*‖²/n; the half of the signs at s = n/(d − n)."""
    n, d, k, s = 20, 50, 3, 0.4
    tau = np.sqrt((1 - n / d) * (k * (1 + s) ** 2 + (d - k) * s**2) / n)
    for geo in (ht.Euclidean(), ht.HAM(1e-9), ht.Hypentropy(1e6)):
        found = experiment.state_evolution(geo, n, d, k, s)
        assert found == pytest.approx(norm.cdf((1 - 1.5 * s) / tau), rel=1e-6)
        assert experiment.state_evolution(geo, n, d, k, n / (d - n)) == pytest.approx(0.5, abs=1e-6)


def test_state_evolution_is_that_of_limits():
    """Of sixty instances: up to chance, and to the size of the problems."""
    n, d, k, s = 40, 100, 3, 0.3
    rows = [ht.sparse_regression(n, d, k, seed=i) for i in range(60)]
    truths = np.stack([np.asarray(p.theta_star) for p in rows])
    signs = np.stack([experiment.wrong_signs(CONFIG, truth, i) for i, truth in enumerate(truths)])
    problems = [ht.LinearRegression(p.X, p.y) for p in rows]
    geometry = ht.HAM(jnp.full(60, 20.0))
    ends = ht.solve_limits(problems, geometry, s * signs, which=np.arange(60), share=False)
    assert (ends.result == 0).all()
    share = np.mean(np.asarray(ht.signs.agreement(ends.theta, truths)))
    assert abs(share - experiment.state_evolution(ht.HAM(20.0), n, d, k, s)) < 0.12  # four standard errors


@pytest.mark.claim("recovered_signs.state-evolution")
def test_state_evolution_in_the_figure(data):
    off = []
    for label in CONFIG.few:
        for i, scale in enumerate(CONFIG.scales):
            theory = data["scale_theory"].sel(label=label).interp(fine_scale=scale).item()
            off.append(recovered(data, part="scales", geometry=label, scale=scale) - theory)
            assert i > 0 or theory > 0.85
    assert np.sqrt(np.mean(np.square(off))) < 0.2  # sixteen spikes each


@pytest.mark.claim("recovered_signs.geometries")
def test_sparser_geometries_recover_fewer_signs(data):
    """In the mean over the starts, and each of them fewer from larger starts."""
    for sparse, flat in (("HAM 1000", "HAM 10"), ("HAM 10", "GD"), ("m*w 0.001", "m*w 0.1"), ("m*w 0.1", "GD")):
        assert recovered(data, part="scales", geometry=sparse) <= recovered(data, part="scales", geometry=flat)
    assert recovered(data, part="scales", geometry="HAM 1000") < recovered(data, part="scales", geometry="GD") - 0.1
    for label in experiment.geometries(CONFIG):
        values = [recovered(data, part="scales", geometry=label, scale=s) for s in CONFIG.scales]
        assert (np.diff(values) <= 0).all()
    theory = data["scale_theory"]
    assert (theory.sel(label="GD") >= theory.sel(label="HAM 1000") - 1e-6).all()


@pytest.mark.claim("recovered_signs.many-rows")
def test_all_signs_are_recovered_with_more_rows_than_columns(data):
    assert recovered(data, part="line", n=max(CONFIG.ns)) == 1


@pytest.mark.claim("recovered_signs.few-rows")
def test_few_flips_with_few_rows(everywhere):
    """Below n/d = 0.4, where an interpolator with the signs of the start is likely."""
    some = everywhere["below"].values < 0.4 * everywhere.attrs["columns"]
    assert some.any() and (everywhere["orthant"].values[some] > 0.8).all()
    for n in everywhere["below"].values[some]:
        net = {label: cases(everywhere, part="line", geometry=label, n=n)["net"].mean() for label in CONFIG.few}
        assert net["HAM 1000"] < 0.25 * net["GD"] and net["m*w 0.001"] < 0.25 * net["GD"]


@pytest.mark.claim("recovered_signs.balanced-fits")
@pytest.mark.parametrize("n", [5, 15])
def test_balanced_mw_fits_where_an_interpolator_has_its_signs(n):
    """As non-negative least squares says; else it gets stuck."""
    for seed in range(4):
        problem = ht.sparse_regression(n, 20, 2, seed=seed)
        signs = experiment.wrong_signs(CONFIG, np.asarray(problem.theta_star), seed)
        _, least = scipy.optimize.nnls(np.asarray(problem.X) * signs, np.asarray(problem.y))
        assert (least < 1e-10) == (n == 5)
        size = np.full(20, 0.3**0.5)
        flow = ht.product_flow(problem, size * signs, size, throw=False)
        assert ht.NAMES[int(flow.result)] == ("converged" if n == 5 else "stuck")
        assert not (np.sign(flow.theta) == -signs).any()


@pytest.mark.claim("recovered_signs.wendel")
def test_wendel(data):
    for n in data["below"].values:
        expected = data["wendel"].sel(rows_of_wendel=n).item()
        error = np.sqrt(max(expected * (1 - expected), 1 / CONFIG.orthants) / CONFIG.orthants)
        assert abs(data["orthant"].sel(below=n) - expected) < 3.5 * error
    assert np.interp(CONFIG.d / 2, data["rows_of_wendel"], data["wendel"]) == pytest.approx(0.5, abs=1e-9)


@pytest.mark.claim("recovered_signs.from-zero")
def test_the_ends_from_zero_have_most_signs(data):
    assert data["ends"].mean() > recovered(data, part="map", geometry="HAM 10")


@pytest.mark.claim("recovered_signs.one-dimension")
def test_one_dimension_is_right_with_many_rows(data):
    """Up to the crosstalk, which is exact to first order for gradient descent at the start."""
    for label in CONFIG.few:
        many, _ = figure_module.ratios(data, label, max(CONFIG.ns))
        crosstalk = cases(data, part="line", geometry=label, n=max(CONFIG.ns))["crosstalk"][0].item()
        assert many.size == CONFIG.instances * CONFIG.k
        assert abs(np.median(many) - 1) < crosstalk
        assert 0.4 * crosstalk < np.std(np.log(many)) < 2 * crosstalk
        few, count = figure_module.ratios(data, label, CONFIG.n)
        assert few.size < count or np.std(np.log(few)) > 2 * np.std(np.log(many))


@pytest.mark.claim("recovered_signs.times")
def test_faster_in_time_slower_in_stable_steps(data):
    """At the smallest start, where nearly all signs are recovered."""
    some = cases(data, part="scales", scale=min(CONFIG.scales))
    raw, stable = {}, {}
    for label in ("GD", "HAM 10", "HAM 1000"):
        of = some.isel(case=np.flatnonzero((some["geometry"] == label) & np.isfinite(some["recovery_time"])))
        raw[label] = of["recovery_time"].median().item()
        stable[label] = (of["recovery_time"] / of["largest_rate"]).median().item()
    assert raw["HAM 1000"] < raw["HAM 10"] < raw["GD"]
    assert stable["HAM 1000"] > stable["HAM 10"] > stable["GD"]


def test_figure(data):
    import matplotlib.pyplot as plt

    figure = figure_module.draw(data)
    axes = figure.axes
    assert [ax.get_title(loc="left")[1] for ax in axes] == list("abcdefghi")
    assert all(ax.get_xlabel() and ax.get_ylabel() for ax in axes)
    for label, bars in zip(data["label"].values, axes[0].containers, strict=True):
        expected = [recovered(data, part="scales", geometry=label, scale=s) for s in CONFIG.scales]
        np.testing.assert_allclose(bars[0].get_ydata(), expected)
    wendel = [line for line in axes[1].lines if line.get_color() == "0.65"]
    np.testing.assert_array_equal(wendel[0].get_ydata(), data["wendel"])
    plt.close(figure)
