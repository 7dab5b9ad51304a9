"""The figures of what was measured show all points that are sound, and no other."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from docs import hooks
from experiments import store
from experiments.benchmarks._table import markdown
from experiments.benchmarks.roofline import PARTS, table
from figures import roofline, scaling, style, work_precision

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


@pytest.fixture(scope="module")
def parts():
    """The lines of F42 as a table."""
    return store.load("roofline").to_dataframe()


@pytest.mark.claim("roofline.whole")
def test_the_parts_of_an_engine_are_its_time(parts):
    engines = parts[parts.kind == "engine"]
    assert engines.name.nunique() == 5 and (parts.status == 0).all()
    for name, own in engines.groupby("name"):
        assert tuple(own.part) == PARTS and own.share.sum() == pytest.approx(1, rel=1e-9)
        # What an operation takes by itself is at most what it takes there, up to noise.
        assert own.share.min() > -0.05 and own.bound.sum() < own.seconds.sum()
        inner = parts[(parts.kind == "function") & (parts.name == name)].seconds.sum()
        assert inner == pytest.approx(own.seconds[own.part != "outside"].sum(), rel=1e-9)


@pytest.mark.claim("roofline.control")
def test_numpys_engines_are_mostly_control(parts):
    shares = parts[parts.kind == "engine"].set_index(["name", "part"]).share
    for name in ("limits, table", "limits, one by one"):
        assert shares[name]["control"] + shares[name]["outside"] > 0.5


@pytest.mark.claim("roofline.factors")
def test_small_factors_are_slow(parts):
    operations = parts[parts.kind == "operation"]
    rate = operations.work / operations.seconds
    fastest = rate[operations.part == "products"].max()
    slow = operations.part.isin(("Cholesky", "triangular solves"))
    assert slow.sum() >= 4 and (rate[slow] < fastest / 4).all()


@pytest.mark.claim("roofline.exponentials")
def test_exponentials_by_xla_are_slower(parts):
    operations = parts[(parts.kind == "operation") & (parts.work == 25_600) & (parts.part == "exponentials")]
    seconds = operations.set_index(["library", operations.name.str.partition(",")[0]]).seconds
    both = seconds["NumPy"].index.intersection(seconds["JAX"].index)
    assert len(both) >= 2 and (seconds["JAX"][both] > seconds["NumPy"][both]).all()


def test_every_operation_and_every_engine_is_under_the_roofs(parts):
    with plt.style.context(style.STYLE):
        figure = roofline.draw(store.load("roofline"))
    upper, lower = figure.axes
    plt.close(figure)
    shown = parts[(parts.kind == "operation") & (parts.part != "exponentials")]
    drawn = [tuple(line.get_xydata()[0]) for line in lower.get_lines() if len(line.get_xydata()) == 1]
    assert len(drawn) == len(shown) + 5
    for x, y in zip(shown.work / shown.bytes, 1e-9 * shown.work / shown.seconds, strict=True):
        assert any(np.allclose((x, y), place, rtol=1e-12) for place in drawn)
    roofs = [line for line in lower.get_lines() if len(line.get_xydata()) > 1]
    highest = lambda x: max(np.interp(np.log(x), np.log(roof.get_xdata()), roof.get_ydata()) for roof in roofs)  # noqa: E731
    assert all(y <= 1.02 * highest(x) for x, y in drawn)
    assert sum(bar.get_width() for bar in upper.patches) >= 5 - 1e-9


def test_the_guide_has_the_table_and_reads_it(parts):
    """What `python -m experiments.benchmarks roofline --save` has measured last, line by line."""
    text = (hooks.HERE / "guide/many.md").read_text(encoding="utf-8")
    assert markdown(table(store.load("roofline"))) in text, markdown(table(store.load("roofline")))
    shares = parts[parts.kind == "engine"].set_index(["name", "part"]).share
    batches, flows, runs = (shares[name] for name in ("limits, batches", "trajectories", "runs, a step"))
    assert batches["Cholesky"] + batches["triangular solves"] > batches["products"]
    assert flows["exponentials"] > flows["products"]
    assert 0.5 < float(flows["control"] / flows["products"]) < 4
    assert runs["products"] + runs["exponentials"] > 0.5
