"""F18: flows cross zero at the first-passage times of theory, rules in first order."""

import numpy as np
import pytest

from experiments import passage

pytestmark = pytest.mark.slow  # one compilation after the other

CONFIG = passage.Config.smoke()


@pytest.fixture(scope="module")
def data():
    return passage.run(CONFIG)


def cases(data, family, coordinates):
    return data.isel(case=(data["family"].values == family) & (data["coordinates"].values == coordinates))


def test_every_case_is_sound(data):
    assert (data["status"] == 0).all() and data.sizes["pair"] >= 3
    for name, variable in data.data_vars.items():
        assert variable.attrs["long_name"], name


@pytest.mark.claim("geometry.network", "passage.flows", "signs.passage")
def test_flows_cross_at_the_times_of_theory(data):
    assert (data["difference"] <= 1e-7).all()
    for family, first, last in (("m*w", 1e-12, 1), ("HAM", 1e-3, 1e6)):
        parameter = cases(data, family, "dual")["parameter"]
        assert parameter.min() == pytest.approx(first) and parameter.max() == pytest.approx(last)
    assert cases(data, "network", "dual").sizes["case"] > 1  # by quadrature


def test_factors_are_imbalanced_as_asked_up_to_their_rounding(data):
    product = cases(data, "m*w", "product")
    asked = cases(data, "m*w", "dual")["theory"].values
    assert (abs(product["theory"].values / asked - 1) <= 1e-12 + 2 * product["rounding"].values).all()


@pytest.mark.claim("passage.leading-terms")
def test_leading_terms(data):
    small, large = cases(data, "m*w", "dual"), cases(data, "HAM", "dual")
    np.testing.assert_allclose(small["asymptote"][:, 0], small["theory"][:, 0], rtol=1e-9)
    np.testing.assert_allclose(large["asymptote"][:, -1], large["theory"][:, -1], rtol=1e-4)
    assert (np.diff(data["theory"].isel(case=data["family"].values == "HAM"), axis=1) < 0).all()
    assert (np.diff(small["theory"], axis=1) < 0).all()


@pytest.mark.claim("passage.rules")
def test_rules_are_of_first_order(data):
    errors = abs(data["rule_measured"] / data["rule_theory"] - 1).values
    orders = -np.polyfit(np.arange(errors.shape[1]), np.log2(errors).T, 1)[0]
    np.testing.assert_allclose(orders, 1, atol=0.1)
    assert (errors[:, -1] < 1e-3).all()


def test_figure(data):
    import matplotlib.pyplot as plt

    from figures import passage as figure_module

    figure = figure_module.draw(data)
    product, ham, others, *below = figure.axes
    assert all(ax.get_xlabel() for ax in figure.axes) and product.get_ylabel() and below[0].get_ylabel()
    marked = lambda ax: np.sort(np.concatenate([x.get_ydata() for x in ax.lines if x.get_linestyle() == "None"]))  # noqa: E731
    for ax, difference, family in ((product, below[0], "m*w"), (ham, below[1], "HAM")):
        here = data.isel(case=data["family"].values == family)
        np.testing.assert_array_equal(marked(ax), np.sort(here["simulated"].values.ravel()))
        clipped = here["difference"].clip(figure_module.FLOOR)
        np.testing.assert_array_equal(marked(difference), np.sort(clipped.values.ravel()))
        low, high = difference.get_ylim()
        assert low < clipped.min() and clipped.max() < high
    first = data.isel(pair=0, case=np.isin(data["family"].values, ["custom", "network"]))
    np.testing.assert_array_equal(marked(others), np.sort(first["simulated"].values))
    errors = abs(data["rule_measured"] / data["rule_theory"] - 1).values
    np.testing.assert_array_equal(marked(below[2]), np.sort(errors.ravel()))
    plt.close(figure)
