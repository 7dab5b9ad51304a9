"""F31: accuracy and sparsity of flows and of their largest margins, on images held out."""

import numpy as np
import pytest

import hamtheory as ht
from experiments import held_out

from .scales import every_scale

pytestmark = pytest.mark.slow  # flows to many losses

CONFIG = held_out.Config.smoke()
SPARSE = ["HAM 1", "HAM 100", "HAM 1e+06", "m*w 1"]
SLOW = ["HAM 1", "m*w 1"]
SHOWN = "mnist-4-9, 100"
TRAINED = -np.log(CONFIG.trained[-1])


@pytest.fixture(scope="module")
def small():
    return held_out.run(CONFIG)


data = every_scale(held_out, "held_out", small="small")
stored = every_scale(held_out, "held_out")


def trained(data):
    """At the last loss at which training ends."""
    return data.sel(loss=TRAINED, method="nearest")


def test_every_flow_ends_where_it_should(small):
    assert (small["status"] == 0).all()
    assert all(variable.attrs["long_name"] for variable in small.data_vars.values())
    assert trained(small)["loss"] == pytest.approx(TRAINED)


def test_numbers_are_those_of_the_flow_at_its_losses(small):
    """Between its steps too: of a flow that ends there, on images counted one by one."""
    (name, n), seed = CONFIG.cases[1], CONFIG.seed
    parts = ht.datasets.split(name, rows_per_class=n // 2, seed=seed)
    for label in ("GD", "HAM 100", "power 0.5"):
        geo = held_out.flows(CONFIG)[label]
        best = ht.solve_margin(parts.train, geo)
        found = small.isel(case=1, instance=0).sel(flow=label)
        right = parts.z_test * (parts.X_test @ best.theta) > 0
        assert float(found["limit_accuracy"]) == pytest.approx(right.mean())
        for loss in small["loss"].values[[5, 12]]:
            theta = ht.solve_flow(parts.train, geo, log_loss=-loss).theta
            now, one = parts.z_test * (parts.X_test @ theta) > 0, found.sel(loss=loss)
            assert float(one["accuracy"]) == pytest.approx(now.mean(), abs=1.5 / len(now))
            assert float(one["disagreement"]) == pytest.approx((now != right).mean(), abs=1.5 / len(now))
            share = ht.metrics.margin(parts.train, theta, geo.horizon().rho) / best.margin
            assert float(one["share"]) == pytest.approx(float(share), abs=2e-3)


@pytest.mark.claim("held_out.l1-worse")
def test_the_l1_margin_is_the_less_accurate_one(data):
    mean = data["limit_accuracy"].sel(case=[SHOWN, "digits-3-8, 50"]).mean("instance")
    assert (mean.sel(flow="HAM 1") < mean.sel(flow="GD") - 0.005).all()


@pytest.mark.claim("held_out.alike")
def test_slow_flows_are_as_accurate_as_gradient_descent_until_training_ends(data):
    mean = data["accuracy"].sel(loss=slice(None, TRAINED + 1e-6)).mean("instance")
    assert (abs(mean.sel(flow=SLOW) - mean.sel(flow="GD").drop_vars("flow")) < 0.01).all()


@pytest.mark.claim("held_out.gd-arrives")
def test_gradient_descent_is_near_its_limit_when_training_ends(data):
    assert (trained(data)["disagreement"].sel(flow="GD").mean("instance") < 0.035).all()


@pytest.mark.claim("held_out.never")
def test_on_mnist_the_l1_limit_is_not_seen(data):
    mean = data["disagreement"].isel(case=np.flatnonzero(data["data"] == "mnist-4-9")).mean("instance")
    assert (mean.sel(flow=SPARSE).isel(loss=-1) > trained(mean).sel(flow="GD").drop_vars("flow")).all()


@pytest.mark.claim("held_out.entries")
def test_entries_along_the_flows(data):
    one = data.sel(case=SHOWN).mean("instance")
    limit = float(one["limit_entries"].sel(flow="HAM 1"))
    assert (trained(one)["entries"].sel(flow=SLOW) > 0.95 * float(trained(one)["entries"].sel(flow="GD"))).all()
    assert (one["entries"].isel(loss=-1).sel(flow=SLOW) > 5 * limit).all()
    assert (
        one["entries"].sel(flow="HAM 1e+06").min() < 0.6 * limit < limit < trained(one)["entries"].sel(flow="HAM 1e+06")
    )


@pytest.mark.claim("held_out.share")
def test_margins_when_training_ends(data):
    share = trained(data)["share"].sel(case=SHOWN).mean("instance")
    assert share.sel(flow="GD") > 0.75 and (share.sel(flow=SPARSE) < 0.7).all()


@pytest.mark.full_size
@pytest.mark.claim("held_out.cost")
def test_what_the_limit_costs(stored):
    late = 100 * (trained(stored)["accuracy"] - stored["limit_accuracy"])
    mean, error = late.mean("instance"), late.std("instance") / np.sqrt(late.sizes["instance"] - 1)
    many = mean["n"] >= 50
    assert (mean.sel(flow="HAM 1")[many] > 0).all() and (abs(mean.sel(flow="GD")) < 1).all()
    assert (mean.sel(flow="HAM 1e+06") < 2 * error.sel(flow="HAM 1e+06"))[many].all()


def test_figure(small):
    import matplotlib.pyplot as plt

    from figures import held_out as figure_module

    figure = figure_module.draw(small)
    assert all(ax.get_xlabel() and ax.get_ylabel() for ax in figure.axes)
    mean, order = small.mean("instance"), small["flow"].values[::-1]
    shown = (("accuracy", 0, 100), ("accuracy", 1, 100), ("disagreement", 0, 100), ("entries", 0, 1), ("share", 0, 1))
    for ax, (name, case, factor) in zip(figure.axes, shown, strict=False):
        lines = [line.get_ydata() for line in ax.lines if len(line.get_ydata()) == small.sizes["loss"]]
        np.testing.assert_allclose(lines, factor * mean[name].isel(case=case).sel(flow=order).transpose("flow", "loss"))
    bars = [container.lines[0].get_ydata() for container in figure.axes[-1].containers]
    more = 100 * (trained(mean)["accuracy"] - mean["limit_accuracy"]).sel(flow=list(figure_module.COMPARED))
    np.testing.assert_allclose(np.ravel(bars), np.ravel(more.transpose("case", "flow")))
    plt.close(figure)
