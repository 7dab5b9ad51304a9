"""F2: the potentials and their unit balls lie between those of L2 and L1, and reach both ends."""

import numpy as np
import pytest

from experiments import potentials

CONFIG = potentials.Config.smoke()
DIAGONAL = 9  # of the 73 angles: 45 degrees


@pytest.fixture(scope="module")
def data():
    return potentials.run(CONFIG)


@pytest.fixture(scope="module")
def radius(data):
    return np.sqrt((data["ball"] ** 2).sum("axis"))


def test_every_contour_is_certified(data):
    assert (data["status"] == 0).all()
    assert data["deviation"].max() <= 1e-10
    assert all(variable.attrs["long_name"] for variable in data.data_vars.values())


def test_unit_balls_pass_through_the_unit_vectors(data):
    quarter = (CONFIG.angles - 1) // 4
    for turn, vertex in enumerate([(1, 0), (0, 1), (-1, 0), (0, -1), (1, 0)]):
        points = data["ball"].isel(angle=turn * quarter).values
        np.testing.assert_allclose(points, np.broadcast_to(vertex, points.shape), atol=1e-9)


@pytest.mark.claim("potentials.unit-balls")
def test_unit_balls_lie_between_the_diamond_and_the_circle(data, radius):
    diamond = np.sqrt((data["l1_ball"] ** 2).sum("axis"))
    assert (radius >= diamond - 1e-12).all() and (radius <= 1 + 1e-12).all()
    assert (radius.diff("decade") <= 1e-12).all()


@pytest.mark.claim("geometry.ham", "geometry.legendre", "potentials.mw-between")
def test_potentials_lie_between_the_square_and_the_modulus(data):
    size = np.abs(data["theta"])
    low, high = np.minimum(size, size**2), np.maximum(size, size**2)
    assert (data["potential"] >= low - 1e-12).all() and (data["potential"] <= high + 1e-12).all()


@pytest.mark.claim("geometry.ham-l1")
def test_the_last_step_to_l1_is_logarithmic(radius):
    assert radius.isel(decade=0).min() > 0.99  # nearly the circle
    excess = np.sqrt(2) * radius.isel(angle=DIAGONAL, decade=-1) - 1
    leading = np.log(2) / (np.log(10) * CONFIG.decades[-1])
    np.testing.assert_allclose(excess, leading, rtol=0.01)


def test_figure(data):
    import matplotlib.pyplot as plt

    from figures import potentials as figure_module

    figure = figure_module.draw(data)
    axes = [ax for half in figure.subfigs for ax in half.axes]
    assert len(axes) == 4 and all(ax.get_xlabel() and ax.get_ylabel() for ax in axes)
    for family, (potential, ball) in zip(data["family"].values, (axes[:2], axes[2:]), strict=True):
        case = data.sel(family=family)
        count = data.sizes["decade"]
        np.testing.assert_array_equal([line.get_ydata() for line in potential.lines[:count]], case["potential"])
        np.testing.assert_array_equal([line.get_xydata() for line in ball.lines[:count]], case["ball"])
    labels = [text.get_text() for text in figure.subfigs[1].legends[0].get_texts()]
    assert labels[0] == "$\\gamma = 10^{2}$"
    plt.close(figure)
