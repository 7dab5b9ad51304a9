"""E4: the effective γ of m⊙w and the shift of HAM, run by run, and the losses in law."""

import numpy as np
import pytest
import scipy.stats
from matplotlib.collections import PolyCollection

from experiments import effective_bias
from figures import effective_bias as figure_module

pytestmark = pytest.mark.slow  # stochastic flows

CONFIG = effective_bias.Config(
    n=10, d=20, k=2, runs=60, rates=(0.006, 0.024), tol=1e-4, at=0.01, paths=100, looks=3, last=20.0
)


@pytest.fixture(scope="module")
def data():
    return effective_bias.run(CONFIG)


def test_every_case_is_certified(data):
    for name in ("status", "product_status", "ham_status"):
        assert (data[name] == 0).all()
    for name, variable in data.data_vars.items():
        assert variable.attrs["long_name"], name
        assert np.isfinite(variable).all(), name


@pytest.mark.claim("effective_bias.second-moments")
def test_the_second_moments_say_what_becomes_of_gamma(data):
    """In the mean, up to chance (3.3 standard deviations) and second order in the learning rate."""
    value, half = figure_module.ratio(data["product_gain_ito"], data["product_gain_measured"])
    assert (abs(value - 1) < 3.3 / 1.96 * half + 0.02).all() and (half < 0.2).all()
    entries = data["product_gains_ito"] / data["product_gains_measured"] - 1
    assert abs(entries.isel(rate=0)).max() < 0.25


@pytest.mark.claim("pesme.effective-gamma")
def test_the_loss_alone_says_it_roughly(data):
    """All squared residuals are taken to be their mean: Pesme et al.'s model."""
    value, _ = figure_module.ratio(data["product_gain_pesme"], data["product_gain_measured"])
    assert (abs(value - 1) < 0.25).all()


@pytest.mark.claim("ham.ito-drift")
def test_the_shift_of_ham(data):
    """Its sign and size are those of Itô's correction, the better the smaller the learning rate."""
    value, half = figure_module.interval(data["ham_slope"])
    assert (value - half > 0.5).all() and (value < 1.1).all()
    assert abs(value[0] - 1) < abs(value[1] - 1)
    moved = data["ham_l1_measured"].mean("run") - data["flow_l1"].sel(family="HAM")
    assert moved[1] > 0


@pytest.mark.claim("effective_bias.in-law")
def test_losses_in_law(data):
    for family in data["family"].values:
        for look in range(CONFIG.looks):
            runs, flow = (data["loss"].sel(family=family, kind=kind)[:, look] for kind in data["kind"].values)
            assert scipy.stats.ks_2samp(runs, flow).pvalue > 1e-4


@pytest.mark.claim("effective_bias.norms")
def test_figure_shows_the_data(data):
    axes = figure_module.draw(data).axes
    assert [ax.get_title(loc="left")[1] for ax in axes] == list("abcdef")
    for ax, name, family in ((axes[1], "product", "m*w"), (axes[4], "ham", "HAM")):
        (shade,) = (part for part in ax.collections if isinstance(part, PolyCollection))
        outline = shade.get_paths()[0].vertices
        excess = figure_module.relative_excess(data, f"{name}_l1_measured", family)
        for i, rate in enumerate(data["rate"].values):
            inside = excess.isel(rate=i).values
            low, high = (f(outline[outline[:, 0] == rate, 1]) for f in (np.min, np.max))
            assert np.mean((low <= inside) & (inside <= high)) == pytest.approx(0.95, abs=0.02)
    scatter = axes[2].lines[0]
    np.testing.assert_allclose(scatter.get_ydata(), data["product_gains_measured"].values.ravel())


def test_figure_refuses_failures(data):
    bad = data.copy(deep=True)
    bad["ham_status"][0, 0] = 6
    with pytest.raises(ValueError, match="failed"):
        figure_module.draw(bad)
