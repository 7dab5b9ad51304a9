"""F30: how slowly the margin of a flow comes to the largest one."""

import numpy as np
import pytest

import hamtheory as ht
from experiments import margins

from .scales import every_scale

pytestmark = pytest.mark.slow  # flows far beyond the separation

CONFIG = margins.Config.smoke()
SPARSE = ["HAM 1", "HAM 100", "HAM 1e+06", "m*w 1", "m*w 1e-06"]
POWERS = ["power 0.5", "power 0.75"]


@pytest.fixture(scope="module")
def small():
    return margins.run(CONFIG)


data = every_scale(margins, "margins", small="small")
stored = every_scale(margins, "margins")


def test_every_flow_ends_where_it_should(small):
    assert (small["status"] == 0).all()
    assert all(variable.attrs["long_name"] for variable in small.data_vars.values())
    assert {*CONFIG.table, CONFIG.losses[0], CONFIG.losses[1]} <= {*small["loss"].values.tolist()}


def test_gaps_are_those_of_the_flow_at_its_losses(small):
    """Between its steps too: of a flow with other steps, to the last loss that is asked for."""
    one = margins.problem(*CONFIG.shapes[0], CONFIG.k, CONFIG.seed)
    for name in ("GD", "HAM 100", "power 0.5"):
        geo = margins.flows(CONFIG)[name]
        best = ht.solve_margin(one, geo)
        for loss in CONFIG.table[1:]:
            theta = ht.solve_flow(one, geo, log_loss=-loss).theta
            share = ht.metrics.margin(one, theta, geo.horizon().rho) / best.margin
            gap = float(small["gap"].sel(flow=name, loss=loss)[0, 0])
            assert gap == pytest.approx(float(1 - share), rel=2e-3), (name, loss)


def test_the_shares_in_the_l1_norm_are_those_of_flows_that_maximise_it(small):
    np.testing.assert_allclose(small["l1_share"].sel(flow=SPARSE), 1 - small["gap"].sel(flow=SPARSE), atol=1e-12)
    assert (small["l1_share"].sel(flow="GD", loss=3000) < 0.99).all()


@pytest.mark.claim("margins.certificate")
def test_the_bound_of_the_flow_holds_as_soon_as_there_is_a_margin(data):
    apart = data["gap"] < 1
    assert apart.isel(loss=-1).all()
    assert ((data["certificate"] >= data["gap"] - 2 * CONFIG.tol) | ~apart).all()
    assert (data["gap"] > -CONFIG.tol).all()


@pytest.mark.claim("margins.uneven")
def test_uneven_margins_are_a_part_that_is_known(data):
    """Of the gap at all times; and with the weights of the best margin, in the end, for ρ > 1."""
    assert (data["excess"] <= 2 * CONFIG.tol).all()
    late = (data["uneven"] * data["loss"] / data["entropy"]).isel(loss=-1)
    assert (abs(late.sel(flow=["GD", *POWERS]).median("instance") - 1) < 0.02).all()
    assert ((data["uneven"] / data["gap"]).sel(flow="power 0.75").isel(loss=-1).median("instance") < 0.1).all()


@pytest.mark.claim("margins.gd-law")
def test_the_gap_of_gradient_descent(data):
    ratio = (data["gap"] * data["loss"] / data["entropy"]).sel(flow="GD", loss=slice(300, None)).median("instance")
    assert (abs(ratio - 1) < 0.1).all() and (abs(ratio.isel(loss=-1) - 1) < 0.01).all()


@pytest.mark.claim("margins.powers")
def test_the_error_of_the_direction_costs_its_square(data):
    """Of (1 + |θ|)^s, (−ln L)^(−2(1 − s)), against the rest: the power over the last decade of −ln L."""
    rest = (data["gap"] - data["uneven"]).median("instance")
    for flow, s in zip(POWERS, (0.5, 0.75), strict=True):
        last = rest.sel(flow=flow, loss=slice(1e5, None)).transpose("loss", "shape")
        slopes, _ = np.polyfit(np.log(last["loss"]), np.log(last), 1)
        np.testing.assert_allclose(slopes, -2 * (1 - s), atol=0.06)


@pytest.mark.claim("margins.slow")
def test_the_l1_margin_is_not_reached(data):
    median = data["gap"].median("instance")
    factor = median.sel(loss=3000) / median.isel(loss=-1)
    assert (factor.sel(flow="GD") > 300).all() and (factor.sel(flow=SPARSE) < 10).all()


@pytest.mark.full_size
@pytest.mark.claim("margins.alpha", "margins.no-rule")
def test_alpha_lowers_the_margin_in_some_instances_and_raises_it_in_others(stored):
    before, last = (stored["gap"].sel(flow=f"HAM {alpha:g}") for alpha in stored.attrs["alphas"])
    seen = (stored["loss"] >= stored.attrs["seen"][0]) & (stored["loss"] <= stored.attrs["seen"][1])
    lower = last.drop_vars(["flow", "parameter"]) > before.drop_vars(["flow", "parameter"])
    np.testing.assert_array_equal(lower.where(seen, True).all("loss"), stored["lower"])
    assert 0 < lower.where(seen).mean() < 1
    share = stored["lower_share"].sel(bounds="estimate")
    assert share.sel(shape="40 × 40") > 0.7 and share.sel(shape="10 × 100") < 0.5


def test_figure(small):
    import matplotlib.pyplot as plt

    from figures import margins as figure_module

    figure = figure_module.draw(small)
    gaps, shapes, change, often = figure.axes
    assert all(ax.get_xlabel() and ax.get_ylabel() for ax in figure.axes)
    median = small["gap"].median("instance")
    for line, flow in zip(gaps.lines, small["flow"].values, strict=False):
        np.testing.assert_allclose(line.get_ydata(), median.isel(shape=0).sel(flow=flow), rtol=1e-12)
    proved = gaps.lines[small.sizes["flow"]].get_ydata()
    assert (proved >= median.isel(shape=0).sel(flow=figure_module.PROVED))[small["loss"] >= 30].all()
    assert len(shapes.containers) == small.sizes["flow"]
    for line, shape in zip(change.lines, small["shape"].values, strict=False):
        few, many = (small["gap"].sel(flow=f"HAM {a:g}", shape=shape).values for a in CONFIG.alphas[-2:])
        np.testing.assert_allclose(line.get_ydata(), np.median(few - many, axis=0), atol=1e-12)
    np.testing.assert_array_equal(often.lines[0].get_ydata(), 100 * np.mean(figure_module.advantage(small)[0] < 0, 0))
    plt.close(figure)
