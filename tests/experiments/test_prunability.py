"""F27: how well weights prune that were trained with and without HAM."""

import numpy as np
import pytest
import scipy.stats

import hamtheory.train as htt
from experiments import prunability as experiment
from figures import prunability as figure_module
from hamtheory.train._masks import everything, magnitude

from .scales import every_scale

pytestmark = pytest.mark.slow  # a compilation of a training

CONFIG = experiment.Config.smoke()
SLOW = {"learning_rate": 0.03}
STRONG = {"alpha": 10.0, "beta": 0.05}


@pytest.fixture(scope="module")
def small():
    return experiment.run(CONFIG)


data = every_scale(experiment, "prunability", small="small")
stored = every_scale(experiment, "prunability")


def difference(data, a, b, sparsity=0.9):
    """Of two settings at a sparsity, in points."""
    found = figure_module.difference(figure_module.setting(data, **a), figure_module.setting(data, **b))
    place = int(np.flatnonzero(np.isclose(data["sparsity"], sparsity))[0])
    return htt.Interval(*(x[place] for x in found[:3]))


def at(data, **hyper):
    """Mean accuracy at a sparsity of 0.9, in per cent."""
    return 100 * figure_module.setting(data, **hyper)["test_accuracy"].sel(sparsity=0.9).mean().item()


def test_every_case_is_sound(data):
    assert (data["status"] == 0).all()
    for name, variable in data.data_vars.items():
        assert variable.attrs["long_name"] and np.isfinite(variable).all(), name
    width = np.log10(data["size"][1] / data["size"][0]).item()
    np.testing.assert_allclose(data["density"].sum("size") * width, 1, atol=0.01)  # the bins hold all weights


@pytest.mark.claim("prunability.dense")
def test_dense_accuracies_are_comparable(data):
    dense = 100 * data["test_accuracy"].sel(sparsity=0.0).mean("seed")
    assert dense.max() - dense.min() < 1
    assert (dense > 96).all()


@pytest.mark.claim("prunability.same-rate")
def test_ham_prunes_better_at_the_same_rate(data):
    assert difference(data, SLOW | {"alpha": 30.0}, SLOW).low > 0


@pytest.mark.claim("prunability.controls")
def test_larger_rates_and_decays_do_too(data):
    assert difference(data, {}, SLOW).low > 0
    assert difference(data, {}, SLOW | {"alpha": 30.0}).mean > 0  # the base, and HAM at a smaller rate
    assert difference(data, {"weight_decay": 0.01}, {}).mean > 0


@pytest.mark.claim("prunability.weights")
def test_alpha_hardly_moves_the_weights(data):
    """And decay does."""
    sizes = {name: figure_module.setting(data, **x)["l1"].mean() for name, x in (("base", SLOW), ("one", {}))}
    strong = figure_module.setting(data, **SLOW, alpha=30.0)["l1"].mean()
    assert abs(strong / sizes["base"] - 1) < 0.05
    assert figure_module.setting(data, weight_decay=0.01)["l1"].mean() < 0.7 * sizes["one"]


@pytest.mark.claim("prunability.not-sparse")
def test_no_weights_are_sparse(data):
    assert data["carriers"].min() > 0.8


@pytest.mark.full_size
@pytest.mark.claim("prunability.alpha-alone", "prunability.same-rate")
def test_ham_prunes_better_at_the_same_decay(stored):
    assert difference(stored, STRONG, {"beta": 0.05}, 0.8).low > 0
    assert difference(stored, STRONG, {}).low > 0
    alone = difference(stored, {"alpha": 10.0}, {})
    assert alone.low < 0 < alone.high  # not resolved
    ratio = figure_module.setting(stored, alpha=10.0)["l1"].mean() / figure_module.setting(stored)["l1"].mean()
    assert abs(ratio - 1) < 0.05


@pytest.mark.full_size
@pytest.mark.claim("prunability.best-base", "prunability.controls")
def test_the_best_base_is_as_good_at_every_sparsity(stored):
    other = {"learning_rate": 0.15, "weight_decay": 0.005}
    for sparsity in stored["sparsity"].values:
        found = difference(stored, STRONG, other, sparsity)
        assert found.low <= 0 <= found.high, sparsity
    base = figure_module.setting(stored, **other)
    for place in np.flatnonzero(stored["rule"].values == "HAM"):
        assert (figure_module.difference(stored.isel(setting=place), base).low <= 0).all()
    for control in (other, {"learning_rate": 0.15}, {"weight_decay": 0.01}, {"weight_decay": 0.005}):
        assert difference(stored, control, {}).low > 0


@pytest.mark.full_size
@pytest.mark.claim("prunability.effective-rate")
def test_ham_at_a_small_rate_is_between_two_bases(stored):
    low, high = (at(stored, learning_rate=rate) for rate in (0.04, 0.06))
    assert low < at(stored, **SLOW, alpha=30.0) < high
    size = np.concatenate([np.abs(w).ravel() for w in _initial()]).mean()
    assert 0.03 * (1 + 0.1 * 30 * size) == pytest.approx(0.04, abs=0.002)


def _initial():
    import jax

    model = htt.MLP((8, 8), 10, key=jax.random.key(0))
    return [np.asarray(layer.weight) for layer in model.layers]


@pytest.mark.full_size
@pytest.mark.claim("prunability.product")
def test_products(stored):
    """They don't start higher, and are ahead of every base in the end."""
    own = {"kappa": 1e-3}
    assert difference(stored, own, {}, 0.0).mean < 0
    bases = stored.isel(setting=stored["rule"].values == "base")["test_accuracy"].sel(sparsity=0.98).mean("seed")
    found = figure_module.setting(stored, **own)["test_accuracy"].sel(sparsity=0.98).mean("seed")
    assert found > bases.max() + 0.03


@pytest.mark.full_size
@pytest.mark.claim("prunability.carriers")
def test_sparsity_and_prunability(stored):
    """The fewer weights carry the L1 norm, the better it prunes, by and large."""
    both = stored["carriers"].mean("seed"), stored["test_accuracy"].sel(sparsity=0.9).mean("seed")
    assert scipy.stats.spearmanr(*both).statistic < -0.7


def test_pruning_is_that_of_the_package():
    rng = np.random.default_rng(0)
    weights = [rng.standard_normal(shape) for shape in ((5, 7), (3, 5))]
    for sparsity in (0.5, 0.9):
        masks = magnitude(weights, [True, True], 1 - sparsity, "global")
        for own, w, mask in zip(experiment.pruned(weights, sparsity), weights, masks, strict=True):
            np.testing.assert_array_equal(own, np.where(mask, w, 0))
    assert all(mask.all() for mask in everything(weights, [True, True]))


def test_carriers():
    """Two of four numbers carry half of 1 + 1 + 1 + 1, and one of 97 + 1 + 1 + 1 carries 97 %."""
    assert experiment.carriers([np.ones((2, 2))], 0.5) == 0.5
    assert experiment.carriers([np.array([[-97.0, 1.0]]), np.array([[1.0, -1.0]])], 0.97) == 0.25
    assert experiment.carriers([np.array([[-97.0, 1.0]]), np.array([[1.0, -1.0]])], 0.975) == 0.5
    assert experiment.carriers([np.ones((10, 10))], 0.99) == 0.99


def test_accuracy_is_that_of_the_network():
    import jax

    images, key = htt.images("digits"), jax.random.key(0)
    model = htt.MLP(images.shape, images.classes, key=key)
    right = np.asarray(model(jax.numpy.asarray(images.x_test))).argmax(axis=1) == images.y_test
    layers = [(np.asarray(layer.weight), np.asarray(layer.bias)) for layer in model.layers]
    weights, biases = (list(part) for part in zip(*layers, strict=True))
    assert experiment.accuracy(weights, biases, images.x_test, images.y_test) == pytest.approx(right.mean())


def test_settings_are_found(small):
    assert figure_module.setting(small, learning_rate=7.0) is None
    assert figure_module.label(figure_module.setting(small, weight_decay=0.01)) == "base, η = 0.1, λ = 0.01"
    assert figure_module.label(figure_module.setting(small, **SLOW, alpha=30.0)) == "HAM, η = 0.03, α = 30"
    assert [s.rule for s in experiment.SETTINGS].count("m*w") == 2


def test_figure(small):
    import matplotlib.pyplot as plt

    figure = figure_module.draw(small)
    axes = figure.axes
    assert [ax.get_title(loc="left")[1] for ax in axes] == list("abcde")
    assert all(ax.get_xlabel() for ax in axes)
    names = list(figure_module.named(small))
    assert len(axes[1].lines) == len(names) == len(CONFIG.settings)
    own = figure_module.named(small)[names[0]]["test_accuracy"].mean("seed")[1:]
    np.testing.assert_allclose(np.asarray(axes[1].lines[0].get_ydata()), 100 * (1 - own))
    plt.close(figure)
