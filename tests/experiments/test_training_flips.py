"""F25: who flips signs over training, and whether the size of the steps explains it."""

import jax
import numpy as np
import pytest
import xarray as xr

import hamtheory as ht
import hamtheory.train as htt
from experiments import training_flips as experiment
from figures import training_flips as figure_module

from .scales import every_scale

pytestmark = pytest.mark.slow  # three compilations of a training

CONFIG = experiment.Config.smoke()
FULL = experiment.Config()


@pytest.fixture(scope="module")
def small():
    return experiment.run(CONFIG)


data = every_scale(experiment, "training_flips", small="small")


def differences(data, rule, name="gross", *, effective=False):
    """Rate, α, mean, low and high of each run of a rule."""
    found = figure_module.differences(data, name, effective=effective)
    places = np.flatnonzero(data["rule"].values == rule)
    return [
        (data["learning_rate"].values[i], data["alpha"].values[i], found.mean[i], found.low[i], found.high[i])
        for i in places
    ]


def test_every_case_is_sound(data):
    assert (data["status"] == 0).all()
    for name, variable in data.data_vars.items():
        assert variable.attrs["long_name"] and not np.isnan(variable).all(), name


def test_counts_hang_together(data):
    assert (data["gross"].diff("epoch") >= 0).all()
    assert (data["gross"] >= data["net"] + 2 * data["flipped_back"] - 1e-12).all()
    assert (data["net"] + data["flipped_back"] <= 1).all()


@pytest.mark.claim("training_flips.larger-steps")
@pytest.mark.parametrize("rule", ["base", "Sign-In"])
def test_larger_steps_flip_more(data, rule):
    runs = figure_module.runs(data, rule)
    for name in ("gross", "net"):
        assert (runs[name].isel(epoch=-1).mean("seed").diff("run") > 0).all(), name


@pytest.mark.claim("training_flips.accuracy", "training_flips.published-order")
def test_the_published_order_is_not_found(data):
    """Sign-In is above the base at large rates; HAM is not, and at the smallest rate it is a little above."""
    least = data["learning_rate"].values.min()
    for rate, _, mean, low, _ in differences(data, "Sign-In"):
        assert rate < 0.1 or mean > 0
        assert rate < 0.2 or low > 0
    for rate, alpha, mean, low, _ in differences(data, "HAM"):
        assert rate < 0.1 or mean < 0.02
        assert rate > least or alpha < 100 or (low > 0 and mean < 0.03)


@pytest.mark.claim("training_flips.below-the-line", "training_flips.same-steps")
def test_ham_flips_less_than_the_base_with_the_same_steps(data):
    for rate, alpha, _, _, high in differences(data, "HAM", effective=True):
        assert high < 0, (rate, alpha)
    for _, _, mean, _, _ in differences(data, "HAM", "net", effective=True):
        assert mean < 0


@pytest.mark.claim("training_flips.earlier")
def test_ham_flips_earlier_at_the_smallest_rate(data):
    """More in the first three epochs; and, as to the whole training, a larger share in the first half."""
    slow = data.isel(run=np.isclose(data["learning_rate"], data["learning_rate"].min()))
    base = slow.isel(run=int(np.flatnonzero(slow["rule"] == "base")[0]))
    for place in np.flatnonzero(slow["rule"] == "HAM"):
        ham = slow.isel(run=int(place))
        assert htt.paired(*(x["gross"].isel(epoch=2) for x in (ham, base))).low > 0
        if data.sizes["epoch"] == FULL.epochs:
            shares = [x["gross"].isel(epoch=7) / x["gross"].isel(epoch=-1) for x in (ham, base)]
            assert htt.paired(*shares).mean > 0.01


@pytest.mark.claim("training_flips.accuracy")
def test_ham_is_more_accurate_at_the_smallest_rate(data):
    slow = data.isel(run=np.isclose(data["learning_rate"], data["learning_rate"].min()))
    accuracy = slow["test_accuracy"].mean("seed")
    assert (accuracy[slow["rule"].values == "HAM"] > accuracy[slow["rule"].values == "base"].item() + 0.05).all()


def test_initial_sizes():
    """Of the weights of a network, with a mask, and what is stored of it."""
    images = htt.images("digits")
    model = htt.MLP(images.shape, images.classes, key=jax.random.key(0))
    params, masks = htt.RandomPruning(sparsity=FULL.sparsity).init(jax.random.key(1), model, 1)
    layers = zip(params.layers, masks.layers, strict=True)
    kept = np.concatenate([np.asarray(own.weight)[np.asarray(mask.weight)] for own, mask in layers])
    assert experiment.initial_size(FULL) == pytest.approx(np.abs(kept).mean(), rel=0.05)


@pytest.mark.claim("training_flips.effective-rate")
def test_effective_rates():
    size, rule = experiment.initial_size(FULL), np.array(["base", "Sign-In", "HAM"])
    found = experiment.effective_rates(FULL, rule, np.full(3, 0.1), np.array([0.0, 0.0, 10.0]))
    np.testing.assert_allclose(found, [0.1, 0.1 * np.sqrt(4 * size**2 + 1), 0.1 * (1 + size)])


@pytest.mark.claim("training_flips.effective-rate")
def test_momentum_does_not_add_to_the_factor():
    """In the long run, with a constant gradient, HAM moves ln|θ| by ηαg a step, and the base θ by ηg/(1 − μ)."""
    import optax

    theta, grad = {"w": np.full((1, 1), 5.0, np.float32)}, {"w": np.full((1, 1), 1e-3, np.float32)}
    moved = {}
    for alpha in (0.0, 10.0):
        optimizer = ht.optim.ham(optax.sgd(0.1, momentum=0.9), 0.1, alpha=alpha, beta=0.0)
        params, state = theta, optimizer.init(theta)
        with jax.numpy_dtype_promotion("standard"):
            for _ in range(60):
                before = params
                updates, state = optimizer.update(grad, state, params)
                params = optax.apply_updates(params, updates)
        moved[alpha] = (before["w"] - params["w"]).item()
    sizes = params["w"].item()
    assert moved[10.0] / moved[0.0] == pytest.approx(1 + 0.1 * 10 * sizes, rel=0.02)


def test_interpolation_between_rates():
    rates, values = np.array([0.1, 0.01]), np.array([[3.0, 5.0], [1.0, 2.0]])
    found = experiment.at_rates(rates, values, np.array([0.01, 10**-1.5, 0.1, 0.2]))
    np.testing.assert_allclose(found, [[1, 2], [2, 3.5], [3, 5], [np.nan, np.nan]])


def test_differences_are_of_pairs():
    def variable(values):
        return xr.Variable(("run", "seed", "epoch"), np.reshape(values, (2, 3, 1)))

    made = xr.Dataset(
        {"gross": variable([1.0, 2, 3, 2, 3, 4.5])},
        coords={"rule": ("run", ["base", "HAM"]), "learning_rate": ("run", [0.1, 0.1])},
    )
    found = figure_module.differences(made)
    np.testing.assert_allclose(found.mean, [0, 3.5 / 3])
    assert found.low[1] < 3.5 / 3 < found.high[1]


def test_figure(small):
    import matplotlib.pyplot as plt

    figure = figure_module.draw(small)
    axes = figure.axes
    assert [ax.get_title(loc="left")[1] for ax in axes] == list("abcdef")
    assert all(ax.get_xlabel() for ax in axes)
    base = figure_module.runs(small, "base", 0.1)["gross"].isel(run=0).mean("seed")
    np.testing.assert_allclose(np.asarray(axes[0].lines[0].get_ydata()), base)
    np.testing.assert_allclose(np.asarray(axes[1].lines[0].get_ydata()), np.diff(base, prepend=0))
    plt.close(figure)
