"""F32: margins and flows under attacks, and what α does to a regression and a classification."""

import numpy as np
import pytest

import hamtheory as ht
from experiments import attacks

from .scales import every_scale

pytestmark = pytest.mark.slow  # flows to the margins of many attacks

CONFIG = attacks.Config.smoke()
ENTRIES = ("HAM 1", "m*w 1")


@pytest.fixture(scope="module")
def small():
    return attacks.run(CONFIG)


data = every_scale(attacks, "attacks", small="small")


def test_every_case_ends_where_it_should(small):
    assert (small["status"] == 0).all() and (small["alpha_status"] == 0).all()
    assert all(variable.attrs["long_name"] for variable in small.data_vars.values())
    assert small["inverse"].values.tolist() == [1, 0.75, 0.5, 0.25, 0]


@pytest.mark.claim("attacks.exact")
def test_accuracies_are_those_of_samples_that_were_moved(small):
    """Against the worst δ, `−ε z sign θ` and `−ε z θ/‖θ‖₂`, added to each sample."""
    for name, *sizes in CONFIG.cases:
        train, test = attacks.problems(name, CONFIG.seed, CONFIG)
        for rho in (1.0, 2.0):
            theta = ht.solve_margin(train, rho=rho).theta
            for norm, size, way in zip(
                attacks.NORMS, sizes, (np.sign(theta), theta / np.sqrt(theta @ theta)), strict=True
            ):
                for part in CONFIG.sizes:
                    moved = test.X - part * size * np.outer(test.z, way)
                    right = np.mean(test.z * (moved @ theta) > 0)
                    found = small["margins"].sel(case=name, norm=norm, part=part, inverse=1 / rho)[0]
                    assert float(found) == pytest.approx(right, abs=1.5 / test.n), (name, rho, norm, part)


def test_nothing_is_trained_on_what_is_held_out():
    for name, *_ in CONFIG.cases:
        train, test = attacks.problems(name, 3, CONFIG)
        assert train.d == test.d and not {row.tobytes() for row in train.X} & {row.tobytes() for row in test.X}


def best(data, case, norm):
    """1/ρ of the margin that is best on average, for every part of an attack."""
    return data["margins"].sel(case=case, norm=norm).mean("instance").idxmax("inverse")


@pytest.mark.claim("attacks.sparse")
def test_with_a_sparse_truth_the_l1_margin_is_best(data):
    assert all((best(data, "sparse", norm) == 1).all() for norm in attacks.NORMS)


@pytest.mark.claim("attacks.dense")
def test_with_a_dense_truth_it_is_best_in_no_case(data):
    assert all((best(data, "mixture", norm) < 1).all() for norm in attacks.NORMS)


@pytest.mark.claim("attacks.images")
def test_on_images_each_attack_asks_for_its_norm(data):
    assert (
        best(data, "mnist-4-9", "ℓ∞").sel(part=1) >= 0.75 and 0.4 <= best(data, "mnist-4-9", "ℓ2").sel(part=1) <= 0.75
    )
    mean = data["margins"].sel(case="mnist-4-9", part=1).mean("instance")
    lost = mean.sel(inverse=1) - mean.sel(inverse=0.5)
    assert lost.sel(norm="ℓ∞") > 0.05 and lost.sel(norm="ℓ2") < -0.05


@pytest.mark.claim("attacks.transient")
def test_with_a_sparse_truth_the_flow_is_better_than_its_limit(data):
    one = data.sel(case="sparse", norm="ℓ∞", part=1)
    flow = one["flows"].sel(flow="HAM 1e+06").mean("instance")
    assert np.log(10) < flow.idxmax("loss") < np.log(1e3)
    seen = flow.sel(loss=slice(np.log(10), np.log(1e3)))
    assert (seen > one["margins"].sel(inverse=1).mean("instance") + 0.08).all()
    assert (seen.values >= one["flows"].mean("instance").sel(loss=seen["loss"].values).max("flow").values).all()


@pytest.mark.claim("attacks.images-late")
def test_on_images_gradient_descent_becomes_less_robust_and_others_more(data):
    flows = data["flows"].sel(case="mnist-4-9", norm="ℓ∞", part=1).mean("instance")
    early = flows.sel(loss=slice(np.log(10) - 0.5, np.log(1e3))).max("loss")
    end = flows.isel(loss=-1)
    assert flows.max("loss").sel(flow="GD") == early.sel(flow="GD") > end.sel(flow="GD") + 0.03
    assert all(end.sel(flow=flow) > early.sel(flow=flow) for flow in ENTRIES)


@pytest.mark.claim("attacks.regression")
def test_alpha_takes_a_regression_from_dense_to_the_truth(data):
    line = data.sel(line="regression").median("instance")
    assert (line["ratio"].diff("alpha") < 0).all() and line["ratio"][0] > 6
    assert line["ratio"][-1] == pytest.approx(np.sqrt(data.attrs["k"]), rel=1e-3) and line["angle"][-1] < 0.1


@pytest.mark.claim("attacks.alpha")
def test_alpha_makes_flows_of_classes_sparser_than_their_limit(data):
    limit, flows = data.sel(line="margin").median("instance"), data.sel(line=[f"{x:g}" for x in data.attrs["seen"]])
    flows = flows.median("instance")
    assert np.ptp(limit["ratio"].values) == 0
    assert (flows["ratio"].isel(alpha=0) > 1.5 * limit["ratio"][0]).all()
    assert all((flows[name].isel(alpha=-1) < 0.9 * limit[name][0]).all() for name in ("ratio", "angle"))


def test_figure(small):
    import matplotlib.pyplot as plt

    from figures import attacks as figure_module

    figure = figure_module.draw(small)
    assert all(ax.get_xlabel() for ax in figure.axes)
    mean = 100 * small.mean("instance")
    for ax, case in zip(figure.axes, small["case"].values, strict=False):
        for line, (part, norm, *_) in zip(ax.lines, figure_module.ATTACKS, strict=True):
            np.testing.assert_allclose(line.get_ydata(), mean["margins"].sel(case=case, part=part, norm=norm))
    for ax, case in zip(figure.axes[3:], ("sparse", "mnist-4-9"), strict=False):
        shown = mean["flows"].sel(case=case, part=1, norm="ℓ∞")
        for line, flow in zip(ax.lines, small["flow"].values, strict=False):
            np.testing.assert_allclose(line.get_ydata(), shown.sel(flow=flow))
    for line, name in zip(figure.axes[-1].lines, small["line"].values, strict=False):
        np.testing.assert_allclose(line.get_ydata(), mean["ratio"].sel(line=name) / 100)
    plt.close(figure)
