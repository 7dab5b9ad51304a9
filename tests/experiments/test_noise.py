"""F14: mini-batches make m⊙w sparser and HAM less sparse, and theory says by how much."""

import numpy as np
import pytest

from experiments import noise
from figures import noise as figure_module

from .scales import every_scale

pytestmark = pytest.mark.slow  # a compilation for every rule and size of mini-batches

CONFIG = noise.Config(
    n=10, d=20, k=2, problems=2, draws=16, rates=(0.01, 0.05), at=0.05, batch_sizes=(0,), fine=0.02, tol=1e-5
)


@pytest.fixture(scope="module")
def data():
    return noise.run(CONFIG)


stored = every_scale(noise, "noise")


def test_every_case_is_certified(data):
    assert (data["status"] == 0).all()
    for name, variable in data.data_vars.items():
        assert variable.attrs["long_name"], name
        assert np.isfinite(variable).all(), name


def test_gradient_descent_keeps_its_bias(data):
    assert abs(data["rate_change"].sel(rate_curve="GD")).max() < 1e-4
    assert abs(data["batch_change"].sel(batch_curve="GD")).max() < 1e-4


@pytest.mark.claim("even.large-steps", "ham.ito-drift")
def test_without_noise_theory_is_exact_to_first_order(data):
    """Full gradients at a twentieth of the largest stable rate: what is left is of second order."""
    for curve in ("m*w", "HYP*"):
        change, theory = (data[f"batch_{name}"].sel(batch_curve=curve, batch=10) for name in ("change", "theory"))
        np.testing.assert_allclose(change, theory.broadcast_like(change), rtol=0.1, atol=1e-4)
        assert (abs(theory) > 1e-3).all()


@pytest.mark.claim("noise.apart")
def test_what_noise_does(data):
    """The two discretisations of HAM's flow move apart, by as much as theory says where the rate is small."""
    change, theory = data["rate_change"].mean("draw"), data["rate_theory"]
    apart, by = (x.sel(rate_curve="HYP*") - x.sel(rate_curve="natural gradient") for x in (change, theory))
    assert (apart > 0).all() and (by > 0).all()
    ratio = (apart / by).sel(rate=0.01)
    assert ((ratio > 0.6) & (ratio < 1.2)).all()
    product = data["rate_change"].sel(rate_curve="m*w", rate=0.01)
    spread = 3.3 * product.std("draw", ddof=1) / product.sizes["draw"] ** 0.5
    expected = theory.sel(rate_curve="m*w", rate=0.01)
    assert (abs(product.mean("draw") - expected) < spread + 0.15 * abs(expected)).all()


@pytest.mark.full_size
@pytest.mark.claim("noise.overrated")
def test_theory_overrates_the_shift_of_ham(stored):
    """Of both discretisations, at all learning rates, in the median over the problems; of m⊙w it does not."""
    measured = stored["rate_change"].mean("draw").median("problem")
    theory = stored["rate_theory"].median("problem")
    for curve in ("HYP*", "natural gradient"):
        ratio = (measured / theory).sel(rate_curve=curve)
        assert ((ratio > 0) & (ratio < 0.95)).all()
    assert ((measured / theory).sel(rate_curve="m*w") > 1).all()


def test_figure_shows_the_means(data):
    axes = figure_module.draw(data).axes
    (line,) = (line for line in axes[0].lines if line.get_marker() == "D")
    expected = 100 * data["rate_change"].sel(rate_curve="HYP*").mean("draw").median("problem")
    np.testing.assert_allclose(line.get_ydata(), expected)


def test_figure_refuses_failures(data):
    bad = data.copy(deep=True)
    bad["status"][0, 0] = 6
    with pytest.raises(ValueError, match="failed"):
        figure_module.draw(bad)
