"""F4: the norms of the limits leave the L2 end at the rate of the metric, and approach the L1 end."""

import numpy as np
import pytest

from experiments import interpolation

CONFIG = interpolation.Config(n=10, d=30, k=2, instances=3, points=13, lowest=1e-3, highest=1e3, data=())


@pytest.fixture(scope="module")
def data():
    return interpolation.run(CONFIG)


def excess(data, norm):
    return data[norm] / data[f"least_{norm}"] - 1


@pytest.mark.claim("interpolation.certified")
def test_every_case_is_certified(data):
    assert (data["status"] == 0).all()
    assert max(data["residual"].max(), data["relative_gap"].max()) <= 1e-10
    assert all(variable.attrs["long_name"] for variable in data.data_vars.values())


@pytest.mark.claim("flow.exponential-l1", "geometry.l2-path", "woodworth.theorem-1")
def test_no_interpolator_is_below_the_least_norms(data):
    assert excess(data, "l1").min() >= -1e-9 and excess(data, "l2").min() >= -1e-9


@pytest.mark.claim("geometry.l2-path")
@pytest.mark.parametrize("family, sign, order", [("HAM", 1, 2), ("m*w", -1, 4)])
def test_excess_l2_norm_is_quadratic_in_the_deviation_of_the_metric(data, family, sign, order):
    """1 + α|θ| deviates by α from a constant, √(θ² + γ²)/γ by γ⁻²; at a minimum the norm rises with the square."""
    values = excess(data, "l2").sel(family=family)
    values = values.isel(log_parameter=slice(1, 4) if sign > 0 else slice(8, 10))
    slopes = np.diff(np.log(values), axis=-1) / np.diff(values["log_parameter"])
    np.testing.assert_allclose(slopes, sign * order, rtol=0.05)


@pytest.mark.claim("flow.exponential-l1", "geometry.l2-path", "woodworth.theorem-1")
def test_the_l1_end_is_closer_than_the_l2_end_where_it_should_be(data):
    l1 = excess(data, "l1")
    sparse = {"HAM": l1.sel(family="HAM").isel(log_parameter=-1), "m*w": l1.sel(family="m*w").isel(log_parameter=0)}
    dense = {"HAM": l1.sel(family="HAM").isel(log_parameter=0), "m*w": l1.sel(family="m*w").isel(log_parameter=-1)}
    for family in sparse:
        assert (sparse[family] < 0.5 * dense[family]).all()
    np.testing.assert_allclose(dense["HAM"], dense["m*w"], rtol=0.01)  # both at the least L2 norm


def test_figure(data):
    import matplotlib.pyplot as plt

    from figures import interpolation as figure_module

    figure = figure_module.draw(data)
    left, right, *upper = figure.axes
    assert all(ax.get_xlabel() for ax in figure.axes) and left.get_ylabel() and right.get_ylabel()
    for ax, norm in ((left, "l1"), (right, "l2")):
        for line, family in zip(ax.lines, ("HAM", "m*w"), strict=True):
            median = excess(data, norm).sel(family=family).median("problem")
            np.testing.assert_allclose(line.get_ydata(), median, rtol=1e-12, atol=1e-15)
    # γ is drawn where 1/γ is: the upper axis is the lower one inverted.
    np.testing.assert_allclose(upper[0].get_xlim(), 1 / np.array(left.get_xlim()))
    np.testing.assert_allclose(left.lines[1].get_xdata(), np.exp(-data["log_parameter"]))
    plt.close(figure)
