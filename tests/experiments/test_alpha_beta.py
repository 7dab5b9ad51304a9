"""F26: what HAM gains over α and β, where the base's learning rate is good, and where it is too small."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest
import xarray as xr

import hamtheory as ht
import hamtheory.train as htt
from experiments import alpha_beta as experiment
from figures import alpha_beta as figure_module

from .scales import every_scale

pytestmark = pytest.mark.slow  # a compilation of a training

CONFIG = experiment.Config.smoke()


@pytest.fixture(scope="module")
def small():
    return experiment.run(CONFIG)


data = every_scale(experiment, "alpha_beta", small="small")


def maps(data, *, small):
    """Coordinates and gains of the maps, at good learning rates or at small ones."""
    places = np.flatnonzero(data["small"].values == small)
    return [(data.isel(map=place), figure_module.gains(data, place)) for place in places]


def test_data_are_complete(data):
    assert set(np.unique(data["status"])) <= {0, ht.NAMES.index("nonfinite")}
    assert all(variable.attrs["long_name"] for variable in data.data_vars.values())
    assert (data["status"].isel(alpha=0) == 0).all()  # all without α
    assert (data["alphas"].isel(alpha=0) == 0).all() and data["beta"][0] == 0


@pytest.mark.claim("alpha_beta.good-rates")
def test_the_rates_are_good_for_the_base(data):
    """Half of them and twice as much are not better on the validation part, up to chance."""
    for own in data["base_validation"]:
        half, one, twice = own.transpose("factor", "seed").values.astype(float)
        for other in (half, twice):
            assert not htt.paired(other, one).low > 0


@pytest.mark.claim("alpha_beta.no-gain")
def test_no_gain_at_good_rates(data):
    """No cell with a small β and without failures differs from the base."""
    for own, found in maps(data, small=False):
        chosen = (found.failed == 0) & (own["beta"].values <= 0.01)
        assert not found.differ[chosen].any()
        assert np.abs(found.mean[chosen]).max() < 1.5


@pytest.mark.claim("alpha_beta.failures")
def test_too_large_an_alpha_fails(data):
    for own, found in maps(data, small=False):
        strength = (own["alphas"] * own["learning_rate"]).values
        assert (found.failed[strength <= 1] == 0).all()
        share = found.failed[strength >= 2.99].sum() / (found.failed[strength >= 2.99].size * data.sizes["seed"])
        assert share > 0.9


@pytest.mark.claim("alpha_beta.below-the-base", "alpha_beta.large-beta", "alpha_beta.small-rate")
def test_large_gains_at_a_small_rate(data):
    """The larger α the larger; but the best stays below the base at ten times the rate."""
    for own, found in maps(data, small=True):
        gains = found.mean[:, 0]
        assert (np.diff(gains) > 0).all() and found.low[-1, 0] > 0
        (good,) = [x for x, _ in maps(data, small=False) if x["method"] == own["method"]]
        assert good["learning_rate"].item() == pytest.approx(10 * own["learning_rate"].item())
        ahead, base = (100 * x["test_accuracy"].isel(alpha=0, beta=0).mean().item() for x in (good, own))
        assert base + np.nanmax(found.mean) < ahead
        assert (found.mean[:, -1] < found.mean[:, 0]).all()  # a β of 0.1


def test_ham_without_strength_is_the_base():
    theta, grad = {"w": jnp.asarray([[0.5, -2.0]])}, {"w": jnp.asarray([[0.3, 0.7]])}
    base, ends = optax.sgd(0.1, momentum=0.9), []
    for optimizer in (base, ht.optim.ham(base, 0.1, alpha=0.0, beta=0.0)):
        updates, _ = optimizer.update(grad, optimizer.init(theta), theta)
        ends.append(optax.apply_updates(theta, updates)["w"])
    np.testing.assert_array_equal(*ends)


def test_trials():
    config = experiment.Config()
    cells = len(config.alphas) * len(config.betas)
    random = experiment.trials(config, "random")
    assert len(random) == 2 * cells + 2 and len(experiment.trials(config, "dense")) == cells + 2
    assert random[0] == (0.2, 0, 0) and random[cells] == (0.02, 0, 0) and random[-2:] == [(0.1, 0, 0), (0.4, 0, 0)]
    assert experiment.specification(config, "dense").instances == (cells + 2) * config.seeds
    with pytest.raises(ValueError, match="betas must begin with 0"):
        experiment.Config(betas=(0.1, 0.0))
    with pytest.raises(ValueError, match="equally many"):
        experiment.Config(alphas=(0.0, 1.0))


def made(accuracy, status):
    dims = ("map", "alpha", "beta", "seed")
    return xr.Dataset({"test_accuracy": (dims, np.array(accuracy)[None]), "status": (dims, np.array(status)[None])})


def test_gains():
    accuracy = [[[0.5, 0.6, 0.7], [0.6, 0.7, 0.81]], [[0.5, 0.9, 0.1], [0.4, 0.1, 0.1]]]
    status = [[[0, 0, 0], [0, 0, 0]], [[0, 0, 1], [0, 1, 1]]]
    found = figure_module.gains(made(accuracy, status), 0)
    np.testing.assert_allclose(found.mean, [[0, 31 / 3], [15, np.nan]], atol=1e-12)
    np.testing.assert_array_equal(found.failed, [[0, 0], [1, 2]])
    np.testing.assert_array_equal(found.differ, [[False, True], [False, False]])
    np.testing.assert_allclose(figure_module.shown(found), [[0, 31 / 3], [0, 0]], atol=1e-12)


def test_numbers_in_cells():
    assert [figure_module._points(x) for x in (-0.04, 0.04, -1.26, 2.0)] == ["0.0", "0.0", "−1.3", "+2.0"]


def test_figure(small):
    import matplotlib.pyplot as plt

    figure = figure_module.draw(small)
    axes = figure.axes[: small.sizes["map"]]
    assert [ax.get_title(loc="left")[1] for ax in axes] == list("ab")
    for place, ax in enumerate(axes):
        found = figure_module.gains(small, place)
        np.testing.assert_allclose(np.ma.filled(ax.images[0].get_array(), np.nan), found.mean)
        assert ax.images[0].norm.vmin == -ax.images[0].norm.vmax
        written = [text.get_text() for text in ax.texts]
        assert sum(text.isdigit() for text in written) == (found.failed > 0).sum() and "base" in written
    plt.close(figure)
