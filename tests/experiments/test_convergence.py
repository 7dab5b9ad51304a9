"""F6: the bounds hold along the flows, and the tails decay at the asymptotic rate."""

import numpy as np
import pytest

import hamtheory as ht
from experiments import convergence

pytestmark = pytest.mark.slow  # one compilation after the other

CONFIG = convergence.Config.smoke()


@pytest.fixture(scope="module")
def data():
    return convergence.run(CONFIG)


def test_every_case_is_certified(data):
    assert (data["status"] == 0).all()
    assert data["residual"].max() <= CONFIG.tol
    assert data["relative_gap"].max() <= CONFIG.tol


@pytest.mark.claim("flow.gd-rate", "ham.convergence", "mw.rate")
def test_loss_falls_and_stays_below_its_bound(data):
    assert (data["closest"] <= 1 + 1e-6).all()
    loss = data["loss"].values
    assert (loss[..., 1:] <= loss[..., :-1] * (1 + 1e-12)).all()  # at first they hardly move
    np.testing.assert_allclose(data["loss"].isel(point=0), 1, rtol=1e-12)


@pytest.mark.claim("flow.gd-rate", "ham.convergence", "mw.rate")
def test_bounds_are_those_of_the_theory(data):
    for i, seed in enumerate(data["instance"].values):
        rate = float(ht.sparse_regression(CONFIG.n, CONFIG.d, CONFIG.k, seed=int(seed)).convergence_rate)
        here = data["bound_rate"].isel(instance=i)
        np.testing.assert_allclose(here.sel(flow=["GD", "HAM 1", "HAM 100"]), 2 * rate, rtol=1e-12)
        weak = data["family"] == "m*w"
        np.testing.assert_allclose(here[weak], 4 * data["parameter"][weak] * rate, rtol=1e-12)


@pytest.mark.claim("convergence.mixed-tails", "flow.asymptotic-rate")
def test_tails_decay_at_the_asymptotic_rate(data):
    """To 1 % where the slowest mode has the loss to itself; its own part of the loss does in every case."""
    of_loss, of_mode = (abs(data[name] / data["predicted_rate"] - 1) for name in ("loss_rate", "mode_rate"))
    settled = data["settled"]
    assert settled.sum() >= settled.size // 3
    assert of_loss.where(settled).max() <= 0.01
    assert of_mode.max() <= 1e-4
    # The other modes decay faster, so that a mixed tail only ever looks too fast.
    assert (data["loss_rate"] >= data["predicted_rate"] * (1 - 1e-4)).all()


def test_only_gradient_descent_is_bound_by_its_own_rate(data):
    """Its metric is constant, so that its asymptotic rate is its bound; that of the others is faster."""
    ratio = data["predicted_rate"] / data["bound_rate"]
    np.testing.assert_allclose(ratio.sel(flow="GD"), 1, rtol=1e-10)
    assert (ratio.where(data["family"] != "GD", drop=True) > 1).all()


def test_figure(data):
    import matplotlib.pyplot as plt

    from figures import convergence as figure_module

    figure = figure_module.draw(data)
    assert len(figure.axes) == 3 and all(ax.get_xlabel() and ax.get_ylabel() for ax in figure.axes)
    rates = np.concatenate([np.stack(line.get_data()) for line in figure.axes[1].lines if line.get_marker() == "o"], 1)
    np.testing.assert_allclose(np.sort(rates[0]), np.sort(data["predicted_rate"].values.ravel()))
    np.testing.assert_allclose(np.sort(rates[1]), np.sort(data["loss_rate"].values.ravel()))
    plt.close(figure)
