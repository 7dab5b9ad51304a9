"""F1: the values of the inverse metrics, and what they mean for a change of sign."""

import numpy as np
import pytest

from experiments import inverse_metrics

CONFIG = inverse_metrics.Config.smoke()


@pytest.fixture(scope="module")
def data():
    return inverse_metrics.run(CONFIG)


def of(data, family, variable="inverse_metric"):
    return data[variable].values[data["family"].values == family]


def test_every_case_is_sound(data):
    assert (data["status"] == 0).all()
    assert data.sizes["geometry"] == 1 + len(CONFIG.alphas) + len(CONFIG.gammas)
    assert all(variable.attrs["long_name"] for variable in data.data_vars.values())


@pytest.mark.claim("geometry.gd", "geometry.imbalance", "geometry.mw", "ham.comparison", "inverse_metrics.plateau")
def test_ham_is_never_below_gradient_descent_and_m_w_nearly_vanishes(data):
    zero = np.flatnonzero(data["theta"].values == 0)
    assert zero.size == 1
    assert (of(data, "GD") == 1).all()
    assert of(data, "HAM").min() == 1 and (of(data, "HAM")[:, zero] == 1).all()
    np.testing.assert_allclose(of(data, "m*w")[:, zero[0]], 2 * np.array(CONFIG.gammas), rtol=1e-15)


@pytest.mark.claim("mw.balanced-no-flip")
@pytest.mark.parametrize("suffix", ["", "_decades"])
def test_m_w_lies_above_its_balanced_limit_and_approaches_it(data, suffix):
    above = of(data, "m*w", "inverse_metric" + suffix) - data["balanced" + suffix].values
    assert (above >= 0).all()
    assert (above <= 2 * np.array(CONFIG.gammas)[:, None]).all()  # √(θ² + γ²) ≤ |θ| + γ


@pytest.mark.claim("geometry.gd", "geometry.ham", "geometry.mw")
def test_crossing_times_are_those_of_the_closed_forms(data):
    a = CONFIG.start
    assert of(data, "GD", "crossing_time") == pytest.approx([2 * a])
    assert of(data, "HAM", "crossing_time") == pytest.approx([2 * np.log1p(k * a) / k for k in CONFIG.alphas])
    assert of(data, "m*w", "crossing_time") == pytest.approx([np.arcsinh(a / g) for g in CONFIG.gammas])


def test_figure(data):
    import matplotlib.pyplot as plt

    from figures import inverse_metrics as figure_module

    figure = figure_module.draw(data)
    linear, decades, times = figure.axes
    assert all(ax.get_xlabel() for ax in figure.axes) and linear.get_ylabel() and decades.get_ylabel()
    for ax, suffix in ((linear, ""), (decades, "_decades")):
        *cases, balanced = ax.lines
        np.testing.assert_array_equal([line.get_ydata() for line in cases], data["inverse_metric" + suffix])
        np.testing.assert_array_equal(balanced.get_ydata(), data["balanced" + suffix])
    np.testing.assert_array_equal([line.get_xdata()[-1] for line in times.lines[::2]], data["crossing_time"])
    assert [tick.get_text() for tick in times.get_yticklabels()][-1] == "HAM, α = 16"
    plt.close(figure)
