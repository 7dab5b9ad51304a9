"""The figures of what was measured show all points that are sound, and no other."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from experiments import store
from figures import scaling, style, work_precision

FIGURES = {
    "work_precision": (work_precision, "task", "solver", ("seconds", "error")),
    "scaling": (scaling, "panel", "solver", ("size", "seconds")),
}


@pytest.mark.claim("scaling.left-out", "work_precision.drawn")
@pytest.mark.parametrize("name", FIGURES)
def test_every_sound_point_is_drawn_and_no_other(name):
    module, panel, line, (x, y) = FIGURES[name]
    dataset = store.load(name)
    with plt.style.context(style.STYLE):
        figure = module.draw(dataset)
    drawn = [
        (x, y)
        for ax in figure.axes
        for line in ax.get_lines()
        for x, y in line.get_xydata()
        if np.isfinite(x) and np.isfinite(y)
    ]
    plt.close(figure)
    sound = dataset.isel(point=dataset["status"].values == 0)
    assert sound.sizes["point"] > 0
    scaled = lambda key: sound[key].values.astype(float) * (1e3 if key == "seconds" else 1)  # noqa: E731
    expected = sorted(zip(scaled(x), scaled(y).clip(1e-16), strict=True))
    np.testing.assert_allclose(sorted(drawn), expected, rtol=1e-12)
    assert len(figure.axes) == len(np.unique(dataset[panel])) and len(np.unique(sound[line])) >= 6


def test_an_accurate_limit_costs_least_from_this_package():
    # What F23 is there to say, of the data that it draws.
    points = store.load("work_precision").to_dataframe().query("task == 'limits' and status == 0")
    ours = points[points.solver == "solve_limits"]
    assert ours.error.max() < 1e-7 and ours.seconds.max() < points[points.solver != "solve_limits"].seconds.min()


@pytest.mark.claim("work_precision.newton")
def test_the_tolerance_hardly_costs_newton_s_method():
    # One more step squares the error.
    points = store.load("work_precision").to_dataframe().query("task == 'limits' and status == 0")
    for solver in ("solve_limits", "NumPy Newton"):
        own = points[points.solver == solver]
        assert own.error.max() > 1e4 * own.error.min() and own.seconds.max() < 2 * own.seconds.min()
