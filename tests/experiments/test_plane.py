"""F3: the flows end where a level set of their divergence touches the line of interpolators."""

import dataclasses

import numpy as np
import pytest

import hamtheory as ht
import hamtheory.symbolic
from experiments import plane

CONFIG = plane.Config.smoke()
GEOMETRIES = {name: geometry for name, (geometry, _) in plane.geometries(CONFIG).items()}


@pytest.fixture(scope="module")
def data():
    return plane.run(CONFIG)


def test_every_case_is_certified(data):
    assert (data["status"] == 0).all()
    assert data["gap"].max() <= 1e-7
    assert all(variable.attrs["long_name"] for variable in data.data_vars.values())


@pytest.mark.claim("flow.bregman-projection")
def test_paths_go_from_the_start_to_the_limit_on_the_line(data):
    path = data["path"].transpose("geometry", "start", "step", "axis")
    for case in path.isel(step=0).values:
        np.testing.assert_allclose(case, data["theta0"], rtol=1e-14)  # there and back through the mirror map
    np.testing.assert_allclose(path.isel(step=-1), data["limit"], atol=1e-6)
    np.testing.assert_allclose(data["limit"].values @ data["row"].values, data["target"], rtol=1e-10)


def test_the_gradient_of_the_divergence_at_the_limit_is_normal_to_the_line(data):
    row = data["row"].values / np.linalg.norm(data["row"].values)
    for name, geometry in GEOMETRIES.items():
        normal = geometry.mirror_map(data["limit"].sel(geometry=name).values)
        normal = np.asarray(normal) - np.asarray(geometry.mirror_map(data["theta0"].values))
        np.testing.assert_allclose(normal - (normal @ row)[:, None] * row, 0, atol=1e-9 * np.abs(normal).max())
    assert data["tangency"].max() <= 1e-9


@pytest.mark.claim("flow.bregman-projection")
def test_level_sets_touch_the_line_from_one_side(data):
    for name, geometry in GEOMETRIES.items():
        for start, theta0 in enumerate(data["theta0"].values):
            limit = data["limit"].sel(geometry=name)[start].values
            level = float(ht.bregman_divergence(geometry, limit, theta0))
            points = data["level_set"].sel(geometry=name)[start].values
            values = ht.bregman_divergence(geometry, points, theta0[None, :])
            np.testing.assert_allclose(values, level, rtol=1e-10)
            beyond = points @ data["row"].values - float(data["target"])
            assert beyond.max() <= 1e-9 < -beyond.min()


@pytest.mark.claim("geometry.gd", "potentials.corners")
def test_gradient_descent_goes_straight_and_m_w_ends_sparser(data):
    path = data["path"].sel(geometry="GD").values
    steps = path - path[:, :1]
    np.testing.assert_allclose(steps[..., 0] * CONFIG.row[1], steps[..., 1] * CONFIG.row[0], atol=1e-7)
    from_zero = np.abs(data["limit"].isel(start=0)).min("axis")
    assert from_zero.sel(geometry="m*w") < from_zero.sel(geometry="HAM") < from_zero.sel(geometry="GD")


def test_marks_are_the_flow_at_their_times(data):
    rate = float(np.sum(np.square(CONFIG.row)))
    theta0, limit = data["theta0"], data["limit"].sel(geometry="GD")
    exact = limit + (theta0 - limit) * np.exp(-rate * data["mark"])
    np.testing.assert_allclose(data["marks"].sel(geometry="GD"), exact.transpose("start", "mark", "axis"), atol=1e-6)


def test_a_geometry_given_as_text_gets_its_case(monkeypatch):
    asked = []
    monkeypatch.setattr(hamtheory.symbolic, "geometry", lambda text: asked.append(text) or ht.Euclidean())
    geometries = plane.geometries(dataclasses.replace(CONFIG, custom="1 + 3*theta**2"))
    assert list(geometries) == ["GD", "m*w", "HAM", "other"]
    assert asked == ["1 + 3*theta**2"] and geometries["other"][1] == "1 + 3 θ²"


def test_figure(data):
    import matplotlib.pyplot as plt

    from figures import plane as figure_module

    figure = figure_module.draw(data)
    assert len(figure.axes) == 3
    assert all(ax.get_xlabel() for ax in figure.axes) and figure.axes[0].get_ylabel()
    for ax, name in zip(figure.axes, data["geometry"].values, strict=True):
        drawn = [line.get_xydata() for line in ax.lines]
        for variable in ("path", "level_set", "marks"):
            values = data[variable].sel(geometry=name).isel(start=1).values
            assert any(xy.shape == values.shape and np.array_equal(xy, values) for xy in map(np.asarray, drawn)), (
                variable
            )
        (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
        limits = data["limit"].sel(geometry=name).values
        assert (limits > (left, bottom)).all() and (limits < (right, top)).all()
    plt.close(figure)
