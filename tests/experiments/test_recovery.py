"""F5: where the flows end relative to the truth, and how their paths and their certificates fit together."""

import numpy as np
import pytest

from experiments import recovery

from .scales import every_scale

pytestmark = pytest.mark.slow  # one compilation after the other

CONFIG = recovery.Config.smoke()


@pytest.fixture(scope="module")
def data():
    return recovery.run(CONFIG)


stored = every_scale(recovery, "recovery")


def test_every_case_is_certified(data):
    assert (data["status"] == 0).all()
    assert data["residual"].max() <= CONFIG.tol
    assert data["relative_gap"].max() <= CONFIG.tol
    for name, variable in data.data_vars.items():
        assert variable.attrs["long_name"], name
        assert np.isfinite(variable).all(), name


@pytest.mark.claim("flow.bregman-projection")
def test_flows_end_at_the_limits_found_without_integrating(data):
    # By the size of the spectra's inverse, errors are up to 100 times the residual.
    assert data["deviation"].max() <= 300 * CONFIG.tol
    np.testing.assert_allclose(data["distance"].isel(time=-1), data["limit_distance"], rtol=1e-5)
    np.testing.assert_allclose(data["rmse"].isel(time=-1), data["limit_rmse"], rtol=1e-3)


def test_paths_begin_at_the_start(data):
    """From zero at the norm of the truth, on the spectra at the error of the mean; nothing has moved by then."""
    first = data.isel(time=0).sel(flow="m*w 0.01")
    np.testing.assert_allclose(first["distance"].sel(start="zero"), CONFIG.k**0.5, rtol=1e-3)
    np.testing.assert_allclose(first["rmse"], data["mean_rmse"], rtol=1e-3)


@pytest.mark.claim("recovery.from-random-starts", "recovery.from-zero")
def test_bias_towards_sparsity_helps_from_zero_alone(data):
    """The positional bias: from a random start even a large alpha ends far from the truth."""
    limit = data["limit_distance"]
    zero, random = limit.sel(start="zero"), limit.sel(start="random")
    assert (zero.sel(flow="HAM 100") < zero.sel(flow="GD")).all()
    assert (zero.sel(flow="m*w 0.01") < zero.sel(flow="GD")).all()
    assert (random.sel(flow="HAM 100") > 0.5 * random.sel(flow="GD")).all()
    assert (random > zero).all()


@pytest.mark.full_size
@pytest.mark.claim("recovery.spectra")
def test_spectra_are_predicted_no_better_at_the_sparse_end(stored):
    error = stored["limit_rmse"].median("instance")
    sparse = error.sel(flow=["HAM 100", "HAM 1000", "m*w 0.01", "m*w 0.001"])
    assert (sparse >= error.sel(flow="GD")).all() and (error < stored["mean_rmse"].median()).all()


def test_figure(data):
    import matplotlib.pyplot as plt

    from figures import recovery as figure_module

    figure = figure_module.draw(data)
    assert all(ax.get_xlabel() for ax in figure.axes)
    assert figure.axes[0].get_ylabel() and "g/L" in figure.axes[2].get_ylabel()
    panels = (data["distance"].sel(start="zero"), data["distance"].sel(start="random"), data["rmse"])
    for ax, values in zip(figure.axes, panels, strict=True):
        drawn = [line.get_ydata() for line in ax.lines if np.size(line.get_xdata()) == CONFIG.points]
        np.testing.assert_allclose(drawn, values.median("instance"))
    plt.close(figure)
