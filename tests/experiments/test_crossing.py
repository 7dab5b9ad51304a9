"""F17: who crosses zero, when; and that being stuck takes balance to the last bit."""

import numpy as np
import pytest
import scipy.integrate

from experiments import crossing

pytestmark = pytest.mark.slow  # one compilation after the other

CONFIG = crossing.Config.smoke()


@pytest.fixture(scope="module")
def data():
    return crossing.run(CONFIG)


def test_every_case_is_sound(data):
    assert (data["status"] == 0).all()
    for name, variable in data.data_vars.items():
        assert variable.attrs["long_name"], name


@pytest.mark.claim("mw.balanced-no-flip", "signs.passage")
def test_flows_cross_when_theory_says_so(data):
    crosses = data["parameter"].values != 0
    assert (abs(data["simulated"] / data["theory"] - 1)[:, crosses] <= 1e-7).all()
    assert np.isinf(data["theory"][:, ~crosses]).all() and np.isnan(data["simulated"][:, ~crosses]).all()
    end = data["path"].isel(point=-1).values
    assert (end[:, crosses] > 0).all() and (end[:, ~crosses] < 0).all()


def test_theory_is_the_integral_of_the_inverse_metric(data):
    a, metric = (
        CONFIG.start,
        {"GD": lambda s, _: 1, "HAM": lambda s, p: 1 + p * s, "m*w": lambda s, p: 2 * np.hypot(s, p)},
    )
    for i, (family, p) in enumerate(zip(data["family"].values, data["parameter"].values, strict=True)):
        if p == 0:
            continue
        edges = [0, *np.geomspace(1e-6, a, 20)]
        for force, drive in (("spring", lambda s: a + s), ("constant", lambda s: 1)):
            pieces = [
                scipy.integrate.quad(lambda s: 1 / metric[family](s, p) / drive(s), *edges[k : k + 2], epsabs=1e-14)[0]  # noqa: B023
                for k in range(len(edges) - 1)
            ]
            assert float(data["theory"].sel(force=force)[i]) == pytest.approx(sum(pieces), rel=1e-9)


@pytest.mark.claim("crossing.twice", "geometry.imbalance", "geometry.mw")
def test_the_catalogue(data):
    """Its metric of m⊙w has no factor 2, so that its times are twice these."""
    through = dict(zip(data["family"].values, data["through"].values, strict=False))
    assert through["GD"] == pytest.approx(5, abs=1e-3)
    assert through["HAM"] == pytest.approx(2.5055, abs=1e-3) and CONFIG.alphas == (1.0,)
    product = data["through"].values[(data["family"] == "m*w") & (data["parameter"] == 1e-3)]
    assert 2 * product == pytest.approx([17.03], abs=5e-3)
    half = data["theory"].sel(force="constant").values
    np.testing.assert_allclose(data["through"], 2 * half, rtol=1e-14)


@pytest.mark.claim("crossing.slow-is-late")
def test_who_is_slow_at_zero_crosses_late(data):
    at_zero = data["inverse_metric"].sel(theta=0).values
    order = np.argsort(data["theory"].sel(force="spring").values)
    families = data["family"].values[order].tolist()
    assert families == ["HAM", "GD", "m*w", "m*w"]
    assert at_zero[-1] == 0 and (at_zero[:-1] > 0).all() and at_zero.argmin() == order[-1]


@pytest.mark.claim("ham.exponentiated", "ham.hyp-star")
def test_rules(data):
    first = dict(zip(data["rule"].values, data["first_step"].values.tolist(), strict=True))
    assert first["balanced m*w"] == first["EXP"] == -1
    assert 0 < first["HYP*"] <= first["HYP"] < first["GD"] < first["m*w"]
    theta = data["iterates"]
    assert (theta.sel(rule=["balanced m*w", "EXP"]) < 0).all()
    assert (theta.sel(rule=["GD", "HYP", "HYP*", "m*w"]).isel(step=-1) > 0).all()
    assert first["HYP*"] == first["HYP"]  # the same until then, HYP* lets it grow
    step = first["HYP"]
    assert 0 < theta.sel(rule="HYP")[step] < theta.sel(rule="HYP*")[step]


@pytest.mark.claim("ham.hyp-star")
def test_ratio_of_the_steps_across_zero(data):
    np.testing.assert_allclose(data["ratio"], np.exp(2 * data["exponent"]), rtol=1e-10)
    assert float(data["ratio"][0]) == pytest.approx(20.0855, abs=1e-4)  # η = 0.01, α = 50, |g| = 3


@pytest.mark.claim("crossing.logarithm", "crossing.rounding-of-factors", "geometry.mw", "signs.passage")
def test_the_imbalance_decides_when(data):
    epsilon, theory = data["epsilon"].values, data["epsilon_theory"].values
    assert epsilon.max() > 0.05 and epsilon.min() < 1e-15
    # The asymptotic law: ln(1/ε)/2 and a constant; ten bits more, 3.5 later.
    np.testing.assert_allclose(theory[1:], np.log(1 / epsilon[1:]) / 2, atol=2e-3)
    np.testing.assert_allclose(data["epsilon_flow"], theory, rtol=1e-7)
    # Gradient descent is of first order, counts whole steps, and rounds its factors: dT/d ln γ = −1/2.
    rounding = 64 * np.finfo(float).eps / epsilon
    assert (abs(data["epsilon_rule"] - theory) <= np.log1p(rounding) / 2 + 2 * CONFIG.small).all()


@pytest.mark.claim("crossing.rounding-alone")
def test_rounding_alone_is_an_imbalance_of_some_units_at_most(data):
    """An integrator that rounds the factors' derivatives differently gets across, and not before that lets it."""
    least = float(data["epsilon_theory"][-1]) - np.log(1e2) / 2
    assert ((data["unaware"] > least) & (data["unaware"] < 1.5 * least)).all()


def test_figure(data):
    import matplotlib.pyplot as plt

    from figures import crossing as figure_module

    figure = figure_module.draw(data)
    spring, constant, rules, metrics, late, ratio = figure.axes
    assert all(ax.get_xlabel() and ax.get_ylabel() for ax in figure.axes)
    assert spring.get_xlim() == metrics.get_xlim()
    for ax, force in ((spring, "spring"), (constant, "constant")):
        one = data.sel(force=force)
        for i, line in enumerate(ax.lines[1 : 1 + data.sizes["flow"]]):
            np.testing.assert_array_equal(line.get_xdata(), one["path"][i])
        dots = [line.get_ydata()[0] for line in ax.lines if line.get_marker() == "o"]
        bars = next(line for line in ax.lines if line.get_marker() == "_")
        np.testing.assert_array_equal(dots, one["simulated"][:-1])
        np.testing.assert_array_equal(bars.get_ydata(), one["theory"][:-1])
    np.testing.assert_array_equal([line.get_ydata() for line in metrics.lines], data["inverse_metric"])
    drawn = [line.get_ydata() for line in rules.lines if line.get_linestyle() != "None"][1:]
    np.testing.assert_array_equal(drawn, data["iterates"][:, 1:])
    for line, name in zip(late.lines, ("epsilon_theory", "epsilon_flow", "epsilon_rule"), strict=False):
        np.testing.assert_array_equal(line.get_ydata(), data[name])
    np.testing.assert_array_equal(np.sort(ratio.lines[1].get_ydata()), np.sort(data["ratio"]))
    plt.close(figure)
