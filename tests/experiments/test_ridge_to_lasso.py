"""F9: limits under weight decay, from ridge regression to the lasso."""

import numpy as np
import pytest

import hamtheory as ht
from experiments import ridge_to_lasso

CONFIG = ridge_to_lasso.Config(n=30, d=10, k=3, points=8, alphas=(1e-6, 1.0, 100.0, 1e6))


@pytest.fixture(scope="module")
def data():
    return ridge_to_lasso.run(CONFIG)


@pytest.fixture(scope="module")
def problem():
    return ht.sparse_regression(CONFIG.n, CONFIG.d, CONFIG.k, seed=CONFIG.seed, noise=CONFIG.noise)


@pytest.fixture(scope="module")
def gradients(data, problem):
    """∇f at all limits, and the largest |∇f(0)|."""
    X, y = np.asarray(problem.X), np.asarray(problem.y)
    return (data["theta"].values @ X.T - y) @ X / CONFIG.n, np.abs(X.T @ y).max() / CONFIG.n


@pytest.mark.claim("ridge_to_lasso.certified")
def test_every_case_is_certified(data):
    assert (data["status"] == 0).all()
    assert max(data["stationarity"].max(), data["relative_gap"].max()) <= 1e-10
    assert all(variable.attrs["long_name"] for variable in data.data_vars.values())


@pytest.mark.claim("ridge_to_lasso.library", "ridge_to_lasso.ridge")
def test_ends_agree_with_the_library(data):
    """To the library's precision: coordinate descent stops by itself, singular values are as good as rounding."""
    assert data["library_error"].sel(end="lasso") <= 1e-7
    assert data["library_error"].sel(end="ridge") <= 1e-9
    for flow, end in (("GD", "ridge"), ("m*w", "lasso")):
        error = abs(data["theta"].sel(flow=flow) - data[end]).max()
        assert error == pytest.approx(float(data["library_error"].sel(end=end)), rel=1e-12)


@pytest.mark.claim("ham.stationarity")
def test_limits_are_stationary(data, gradients):
    """`∇f = −s θ (1 + α)/(1 + α|θ|)`, the slope of the penalty being s at |θ| = 1; α = 0 is ridge regression."""
    gradient, largest = gradients
    for flow in data["flow"].values[:-1]:
        case = data.sel(flow=flow)
        alpha = float(np.nan_to_num(case["alpha"]))
        slope = largest * case["strength"] * case["theta"] * (1 + alpha) / (1 + alpha * abs(case["theta"]))
        here = gradient[data["flow"].values.tolist().index(flow)]
        np.testing.assert_allclose(here, -slope.transpose("strength", "coefficient"), atol=1e-9 * largest)


@pytest.mark.claim("mw.lasso")
def test_lasso_satisfies_its_optimality_conditions(data, gradients):
    gradient, largest = gradients[0][-1], gradients[1]
    strength, theta = largest * data["strength"].values[:, None], data["theta"].sel(flow="m*w").values
    assert (np.abs(gradient) <= strength + 1e-9 * largest).all()
    on = np.nonzero(theta)
    np.testing.assert_allclose(gradient[on], (-strength * np.sign(theta))[on], atol=1e-9 * largest)


@pytest.mark.claim("ridge_to_lasso.zeros")
def test_the_lasso_alone_has_zeros(data):
    """And nothing but zeros from a strength of |∇f(0)| on."""
    zeros = (data["theta"] == 0).sum("coefficient")
    assert (zeros.isel(flow=slice(0, -1)) == 0).all()
    lasso = zeros.sel(flow="m*w")
    assert lasso[-1] == CONFIG.d and lasso[0] < CONFIG.d and ((lasso > 0) & (lasso < CONFIG.d)).any()


def test_loss_rises_with_the_strength(data, problem):
    """Of two minimisers of f + sP, that for the larger s has the larger f and the smaller P."""
    X, y = np.asarray(problem.X), np.asarray(problem.y)
    loss = ((data["theta"].values @ X.T - y) ** 2).sum(axis=-1)
    assert (np.diff(loss, axis=1) > 0).all()
    assert (np.diff((data["theta"].sel(flow="GD").values ** 2).sum(axis=-1)) < 0).all()
    assert (np.diff(np.abs(data["theta"].sel(flow="m*w").values).sum(axis=-1)) < 0).all()


def test_ham_has_both_ends(data):
    """Its penalty deviates from that of ridge regression by α, and from that of the lasso where α|θ| is not large."""
    theta = data["theta"]
    assert abs(theta.sel(flow="HAM 1e-06") - theta.sel(flow="GD")).max() <= 10 * 1e-6
    # An entry that the lasso leaves at zero with a gradient of 1 − c is of size c/(1 − c)/α here.
    near = abs(theta.sel(flow="HAM 1e+06") - theta.sel(flow="m*w")).isel(strength=slice(0, -1))
    assert near.max() <= 1e3 * 1e-6
    assert abs(theta.sel(flow="HAM 1") - theta.sel(flow="GD")).max() > 0.01
    assert abs(theta.sel(flow="HAM 1") - theta.sel(flow="m*w")).max() > 0.01


def test_figure(data):
    import matplotlib.pyplot as plt

    from figures import ridge_to_lasso as figure_module

    figure = figure_module.draw(data)
    visible = [ax for ax in figure.axes if ax.get_visible()]
    assert len(visible) == data.sizes["flow"]
    order = np.argsort(data["truth"].values != 0, kind="stable")
    for ax, flow in zip(visible, data["flow"].values, strict=True):
        drawn = np.array([line.get_ydata() for line in ax.lines[: CONFIG.d]])
        np.testing.assert_array_equal(drawn.T, data["theta"].sel(flow=flow).values[:, order])
        colours = [line.get_color() for line in ax.lines[: CONFIG.d]]
        assert len(set(colours[: CONFIG.d - CONFIG.k])) == 1 and colours[0] not in colours[CONFIG.d - CONFIG.k :]
    for ax, end in ((visible[0], "ridge"), (visible[-1], "lasso")):
        marks = [line.get_ydata() for line in ax.lines if line.get_marker() == "x"]
        np.testing.assert_array_equal(np.transpose(marks), data[end].values[::6])
    plt.close(figure)
