"""E1: Euler's method keeps the limit in dual coordinates, and misses it at first order in primal ones."""

import numpy as np
import pytest

import hamtheory as ht
from experiments import coordinates

pytestmark = pytest.mark.slow  # a compilation for each geometry and its coordinates

CONFIG = coordinates.Config.smoke()


@pytest.fixture(scope="module")
def data():
    return coordinates.run(CONFIG)


@pytest.fixture(scope="module")
def stable(data):
    return data.sel(scale=data["scale"] < 1)


@pytest.mark.claim("coordinates.largest-step", "coordinates.primal")
def test_stable_steps_come_to_rest_on_interpolators(stable):
    assert (stable["status"] == 0).all()
    assert stable["residual"].max() <= CONFIG.tol


@pytest.mark.claim("coordinates.not-certified", "flow.duality-gap")
def test_only_dual_coordinates_are_certified(stable):
    certificate = stable["certificate"]
    assert (certificate.sel(coordinates="dual") == 0).all()
    assert (certificate.sel(coordinates="primal") == ht.NAMES.index("reached_end")).all()
    # What gives primal Euler away is the gap: it has left the row space.
    assert stable["relative_gap"].sel(coordinates="primal").min() > 1e3 * CONFIG.tol
    assert stable["drift"].sel(coordinates="dual").max() < 1e-13


@pytest.mark.claim("flow.dual-coordinates")
def test_dual_euler_reaches_the_limit_whatever_the_step(stable):
    assert stable["error"].sel(coordinates="dual").max() <= 1e-9
    assert (stable["error"].sel(coordinates="primal") >= 1e6 * stable["error"].sel(coordinates="dual")).all()


@pytest.mark.claim("coordinates.primal")
def test_primal_euler_misses_it_at_first_order(stable):
    small = stable.sel(coordinates="primal", scale=stable["scale"] < 0.1)
    assert small["error"].min() > 1e-4
    for error in small["error"].transpose(..., "scale").values.reshape(-1, small.sizes["scale"]):
        slope = np.polyfit(np.log(small["scale"]), np.log(error), 1)[0]
        assert slope == pytest.approx(1, abs=0.05)


@pytest.mark.claim("coordinates.largest-step")
def test_unstable_steps_are_kept_with_their_reason(data):
    beyond = data["status"].sel(coordinates="dual", scale=data["scale"] > 1)
    assert beyond.size and (beyond != 0).all()


def test_figure(data):
    import matplotlib.pyplot as plt

    from figures import coordinates as figure_module

    figure = figure_module.draw(data)
    assert all(ax.get_xlabel() for ax in figure.axes) and figure.axes[0].get_ylabel()
    failed = (data["status"] != 0).sum(("instance", "scale"))
    for ax, flow in zip(figure.axes, data["flow"].values, strict=True):
        (text,) = (text.get_text() for text in ax.texts)
        counts = [int(failed.sel(flow=flow, coordinates=c)) for c in ("dual", "primal")]
        assert f"{counts[0]} dual and {counts[1]} primal" in text
        dual, primal = (line.get_ydata() for line in ax.lines[:2])
        np.testing.assert_array_equal(np.isnan(dual), data["status"].sel(flow=flow, coordinates="dual")[0] != 0)
        assert np.nanmin(primal) > 1e6 * np.nanmax(dual)
    plt.close(figure)
