"""F21: the phase diagrams are those of theory, and wider students keep the signs that theory forbids to change."""

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize

from experiments import neuron
from figures import neuron as figure_module

pytestmark = pytest.mark.slow  # half of the time is compilation

CONFIG = neuron.Config.smoke()
SAME = ["GD", "m*w", "HAM"]  # one geometry on both layers


@pytest.fixture(scope="module")
def data():
    return neuron.run(CONFIG)


def test_every_case_is_sound(data):
    assert (data["status"] == 0).all()
    for name, variable in data.data_vars.items():
        assert variable.attrs["long_name"], name


@pytest.mark.claim("ham.neuron", "signin.neuron")
def test_flows_and_rules_agree_with_theory(data):
    assert data.sizes["draw"] >= 1000
    np.testing.assert_array_equal(data["drawn_learned"], data["theory"])
    assert (data["drift"] <= 3e-9).all()  # rtol 1e-9
    clear = data["margin"].isel(draw=slice(0, data.sizes["near"])).values > 0.05  # of a step at the saddle
    discrete, theory = data["discrete_learned"].values, data["theory"].values[:, : data.sizes["near"]]
    np.testing.assert_array_equal(discrete[clear], theory[clear])


@pytest.mark.claim("ham.neuron", "signin.neuron")
def test_cells_lie_on_their_side_of_the_separatrix(data):
    a, w = data["a_start"], data["w_start"]
    for flow in data["flow"].values:
        case = data.sel(flow=flow)
        edge = np.interp(w, case["curve"], case["separatrix"])
        np.testing.assert_array_equal(
            case["learned"].transpose("a_start", "w_start"), (a.values[:, None] > edge) & (w.values > 0)
        )


@pytest.mark.claim("ham.neuron", "mw.balanced-no-flip", "neuron.negative-w", "signin.neuron")
def test_basins(data):
    """One geometry on both layers: gradient descent's; a faster one on a: more; balanced: none of the wrong signs."""
    for flow in SAME:
        np.testing.assert_allclose(data["separatrix"].sel(flow=flow), -data["curve"], rtol=1e-10)
        np.testing.assert_array_equal(data["learned"].sel(flow=flow), data["learned"].sel(flow="GD"))
    for flow in ("Sign-In", "HAM on a"):
        assert (data["separatrix"].sel(flow=flow)[1:] < -data["curve"][1:]).all()
    assert (data["separatrix"].sel(flow="m*w balanced") == 0).all()
    assert not data["learned"].sel(w_start=slice(None, 0)).any()


@pytest.mark.claim("neuron.times")
def test_times_to_cross(data):
    """The difference tends to a constant, of the sign of which it depends who is first at a large w₀."""
    for size, delay in zip(data["size"].values, data["delay"].values, strict=True):
        density = lambda s: 1 / ((1 + CONFIG.alpha * s) * (1 + s * s))  # noqa: E731
        integral = scipy.integrate.quad(density, 0, size)[0]
        assert delay == pytest.approx(np.log1p(CONFIG.alpha * size) - 2 * CONFIG.alpha * integral, rel=1e-9)
    times = data["crossing_time"]
    last = (times.sel(flow="HAM") - times.sel(flow="GD")).isel(gap=-1)
    np.testing.assert_allclose(last, data["delay"], atol=0.02)
    assert last[0] < 0 < last[-1]
    assert (times.sel(flow="HAM") < times.sel(flow="GD")).isel(gap=0).all()


@pytest.mark.claim("neuron.saddle")
def test_ham_passes_nearer_to_the_saddle():
    """At a = 0 the invariant leaves w with I(w) = I(w₀) − I(|a₀|), which is less than √(w₀² − a₀²) from a large w₀."""
    potential = lambda x: x / CONFIG.alpha - np.log1p(CONFIG.alpha * x) / CONFIG.alpha**2  # noqa: E731
    s = np.linspace(0, 30, 200_001)
    np.testing.assert_allclose(scipy.integrate.simpson(s / (1 + CONFIG.alpha * s), x=s), potential(30.0), rtol=1e-6)
    for size in (3.0, 30.0):
        for near in (1e-3, 1e-2, 1e-1):
            a = (1 - near) * size
            left = scipy.optimize.brentq(
                lambda w, a=a, size=size: potential(w) - potential(size) + potential(a), 0, size
            )
            assert left < np.sqrt(size**2 - a**2)


@pytest.mark.claim("neuron.wider-students")
def test_wider_students(data):
    assert (data["forbidden_changes"] == 0).all() and (data["changes"].sel(flow="HAM") > 0).all()
    assert not (data["turned"] & ~data["can_turn"]).any()
    assert not data["turned"].sel(flow="m*w balanced").any()
    # Of the same starts: HAM's I(√x) is concave, and I_a decreases with h_a.
    can = data["can_turn"]
    assert (can.sel(flow="HAM") | ~can.sel(flow="GD")).all() and (can.sel(flow="HAM on a") | ~can.sel(flow="GD")).all()
    assert (data["turned_low"] <= data["turned_share"]).all() and (data["turned_share"] <= data["turned_high"]).all()


def test_wilson():
    """The ends solve (p̂ − p)² = z² p(1 − p)/n."""
    low, high = neuron.wilson(np.array([0, 3, 10]), 10)
    for end in (low, high):
        np.testing.assert_allclose((np.array([0, 0.3, 1]) - end) ** 2, 1.96**2 * end * (1 - end) / 10, atol=1e-15)
    assert low[0] == pytest.approx(0, abs=1e-15) and high[-1] == pytest.approx(1)


def test_figure(data):
    import matplotlib.pyplot as plt

    figure = figure_module.draw(data)
    axes = figure.axes
    for ax, flow in zip(axes, figure_module.STYLES, strict=False):
        np.testing.assert_array_equal(ax.images[0].get_array(), data["learned"].sel(flow=flow).values)
        separatrix = ax.lines[-1].get_ydata()
        inside = np.isfinite(separatrix)
        np.testing.assert_array_equal(separatrix[inside], data["separatrix"].sel(flow=flow).values[inside])
    ratio = data["crossing_time"].sel(flow="HAM") / data["crossing_time"].sel(flow="GD")
    for line, values in zip(axes[6].lines, ratio.values, strict=False):
        np.testing.assert_array_equal(line.get_ydata(), values)
    assert all(ax.get_xlabel() and ax.get_ylabel() for ax in axes[6:])
    plt.close(figure)
