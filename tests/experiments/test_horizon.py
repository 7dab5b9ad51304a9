"""F29: level sets come to the ball of the horizon's norm, and flows to the largest margin over it."""

import numpy as np
import pytest

import hamtheory as ht
from experiments import horizon

CONFIG = horizon.Config.smoke()
GEOMETRIES = {name: geo for name, (geo, _) in horizon.geometries(CONFIG).items()}


@pytest.fixture(scope="module")
def data():
    return horizon.run(CONFIG)


def test_every_case_is_certified(data):
    assert (data["status"] == 0).all()
    assert all(variable.attrs["long_name"] for variable in data.data_vars.values())


@pytest.mark.parametrize("name", GEOMETRIES)
def test_level_sets_are_of_one_level(data, name):
    potential, r = GEOMETRIES[name].potential, data["radius"].values
    points = data["level_set"].sel(geometry=name).values * r[:, None, None]
    np.testing.assert_allclose(np.sum(potential(points), axis=-1), np.repeat(potential(r)[:, None], 73, 1), rtol=1e-9)


@pytest.mark.parametrize("s", [0.5, 0.75, -1.0])
def test_the_closed_form_of_a_power_is_the_integral_of_its_metric(s):
    theta = np.concatenate([-np.geomspace(1e-9, 1e9, 10), np.geomspace(1e-9, 1e9, 10)])
    own, base = horizon.Power(s), ht.geometry.AbstractGeometry
    np.testing.assert_allclose(own.mirror_map(theta), base.mirror_map(own, theta), rtol=1e-11)
    np.testing.assert_allclose(own.inverse_mirror_map(own.mirror_map(theta)), theta, rtol=1e-11)
    assert own.horizon().rho == pytest.approx(2 - s, abs=1e-6)


def test_the_closed_forms_of_cosh():
    theta, own = np.linspace(-5, 5, 11), horizon.Cosh()
    np.testing.assert_allclose(own.inverse_metric(theta) * np.cosh(theta), 1, rtol=1e-15)
    np.testing.assert_allclose(own.inverse_mirror_map(own.mirror_map(theta)), theta, rtol=1e-12)
    np.testing.assert_allclose(own.potential(theta), np.cosh(theta) - 1, rtol=1e-14)
    step = 1e-6
    slope = (own.mirror_map(theta + step) - own.mirror_map(theta - step)) / (2 * step)
    np.testing.assert_allclose(slope * own.inverse_metric(theta), 1, rtol=1e-8)


@pytest.mark.claim("horizon.shapes")
def test_how_level_sets_come_to_their_ball(data):
    """On the diagonal, R(x) = R(r)/2: x = r − ln 2 for a cosh; r/2 times 1 + ln 2/ln r, to the first order, for HAM."""
    off = data["deviation"]
    assert (off.sel(geometry="GD") < 1e-12).all()
    others = off.sel(geometry=[name for name in GEOMETRIES if name != "GD"])
    assert (others.diff("radius") < 0).all()
    radii = data["radius"].values
    assert float(off.sel(geometry="cosh")[-1]) == pytest.approx(np.log(2) / radii[-1], rel=1e-2)
    for name in ("HAM", "m*w"):
        assert float(off.sel(geometry=name)[-1]) > 0.1
        # From r to r⁴, and from there to its fourth power, ln r grows by a factor of 4 each time.
        far = [diagonal(GEOMETRIES[name], r) for r in (1e8, 1e32, 1e128)]
        for r, excess in zip((1e8, 1e32, 1e128), far, strict=True):
            assert excess == pytest.approx(np.log(2) / np.log(r), rel=3 / np.log(r))


def diagonal(geo, r):
    """How much larger than r/2 the x with `R(x) = R(r)/2` is, in parts, by bisection."""
    low, high = r / 2, r
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if geo.potential(middle) < geo.potential(r) / 2 else (low, middle)
    return 2 * low / r - 1


@pytest.mark.claim("horizon.directions")
def test_one_support_vector_and_a_direction_for_each_norm(data):
    """Of the sample x alone the best direction over ℓ_ρ has the entries `|x|^(1/(ρ − 1))`."""
    assert (data["support"].sum("sample") == 1).all() and data["support"].isel(sample=0).all()
    x = data["signed"].isel(sample=0).values
    expected = {"HAM": [1, 0], "m*w": [1, 0], "power": x**2, "GD": x, "cosh": x**0}
    for name, direction in expected.items():
        angle = np.arctan2(*np.asarray(direction, float)[::-1])
        assert float(data["limit"].sel(geometry=name)) == pytest.approx(angle, abs=1e-5), name


@pytest.mark.claim("horizon.rates")
def test_flows_come_to_the_largest_margin_with_these_powers(data):
    apart, loss = np.abs(data["apart"]), data["loss"].values
    assert (apart.diff("loss") < 0).all()
    late = loss >= 100
    for name, power in {"HAM": 0.5, "m*w": 0.5, "power": 0.5, "GD": 1, "cosh": 1}.items():
        slope = np.polyfit(np.log(loss[late]), np.log(apart.sel(geometry=name).values[late]), 1)[0]
        assert slope == pytest.approx(-power, abs=0.05), name


@pytest.mark.claim("horizon.late")
def test_how_far_off_they_are_at_the_end(data):
    end = np.degrees(np.abs(data["apart"].isel(loss=-1)))
    assert float(data["loss"][-1]) == pytest.approx(1000)
    assert (end.sel(geometry=["HAM", "m*w"]) > 1).all() and (end.sel(geometry=["GD", "cosh"]) < 0.1).all()


def test_figure(data):
    import matplotlib.pyplot as plt

    from figures import horizon as figure_module

    figure = figure_module.draw(data)
    assert len(figure.axes) == 6 and all(ax.get_xlabel() and ax.get_ylabel() for ax in figure.axes)
    for ax, name in zip(figure.axes, GEOMETRIES, strict=False):
        *sets, ball, early, best, _ = (np.asarray(line.get_xydata()) for line in ax.lines)
        np.testing.assert_array_equal(sets, data["level_set"].sel(geometry=name))
        np.testing.assert_array_equal(ball, data["ball"].sel(geometry=name))
        np.testing.assert_array_equal(best[0], data["best"].sel(geometry=name))
        if name == "GD":
            assert np.linalg.norm(early) == pytest.approx(1)
    for line, name in zip(figure.axes[-1].lines, GEOMETRIES, strict=False):
        np.testing.assert_array_equal(line.get_ydata(), np.degrees(np.abs(data["apart"].sel(geometry=name))))
    plt.close(figure)
