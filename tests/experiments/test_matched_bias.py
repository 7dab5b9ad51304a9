"""F8: m⊙w's limit nearest to HAM's."""

import jax.numpy as jnp
import numpy as np
import pytest

import hamtheory as ht
from experiments import _draws, matched_bias
from figures import matched_bias as figure_module

pytestmark = pytest.mark.slow  # one compilation after the other

CONFIG = matched_bias.Config(n=10, d=30, k=2, instances=2, alphas=(-8.0, 16.0, 13), candidates=41, data=())


@pytest.fixture(scope="module")
def data():
    return matched_bias.run(CONFIG)


def test_every_case_is_certified(data):
    assert (data["status"] == 0).all()
    for name, variable in data.data_vars.items():
        assert variable.attrs["long_name"], name
        assert np.isfinite(variable).all(), name


@pytest.mark.claim("geometry.ham-l1", "geometry.mw-l1")
def test_l1_end(data):
    """αR_α and 2R_γ with γ = 2/α agree to the next order: the match tends to it, monotonically by now."""
    off = abs(data["log_sparsity"] - data["log_alpha"]).sel(log_alpha=slice(6, None))
    assert (off.diff("log_alpha") < 0).all()
    assert (off.isel(log_alpha=-1) <= 2e-3).all()


@pytest.mark.claim("geometry.l2-path")
def test_l2_end(data):
    """HAM's limit deviates by O(α), m*w's by O(γ⁻²): equal deviations ask for ln γ = −½ ln α, up to O(α)."""
    slopes = data["log_sparsity"].diff("log_alpha") / data["log_alpha"].diff("log_alpha")
    alpha = np.exp(slopes["log_alpha"].values)[:3]
    assert (abs(slopes.values[:, :3] - 0.5) <= 0.5 * alpha).all()
    # What is left of HAM's deviation is proportional to α too.
    left = np.log(figure_module.remaining(data)).isel(log_alpha=slice(0, 3)).diff("log_alpha") / 2
    np.testing.assert_allclose(left, 1, atol=0.05)


@pytest.mark.claim("matched_bias.few-percent")
def test_what_remains_is_small_and_nothing_at_the_ends(data):
    remaining = figure_module.remaining(data)
    assert remaining.max() <= 0.05 and (remaining.max("log_alpha") > 1e-3).all()
    assert (remaining.isel(log_alpha=[0, -1]) <= 1e-4).all()
    # Also in the norm that is being minimised.
    gap = abs(data["mw_l1"] - data["l1"]) / data["least_l1"]
    assert gap.isel(log_alpha=[0, -1]).max() <= 1e-4


@pytest.mark.parametrize("index", [3, 6, 9])
def test_no_gamma_nearby_is_better(data, index):
    """The steps of Gauss and Newton end at a minimum, which is off by less than these 5 % of γ."""
    (problem,) = _draws.labelled_problems(CONFIG.n, CONFIG.d, CONFIG.k, 1, CONFIG.seed).values()
    problem = problem.without_truth()
    here = data.isel(problem=0, log_alpha=index)
    target = ht.solve_limit(problem, ht.HAM(log_alpha=float(here["log_alpha"]))).theta

    def distance(log_gamma):
        limit = ht.solve_limit(problem, ht.Hypentropy(log_gamma=log_gamma))
        return float(jnp.linalg.norm(limit.theta - target))

    match = float(figure_module.log_gamma(here))
    least = distance(match)
    assert least == pytest.approx(float(here["distance"]), abs=1e-8)
    assert least < distance(match - 0.05) and least < distance(match + 0.05)


def test_figure(data):
    import matplotlib.pyplot as plt

    figure = figure_module.draw(data)
    left, right = figure.axes
    assert all(ax.get_xlabel() and ax.get_ylabel() for ax in figure.axes)
    gamma = np.log(2) - data["log_sparsity"]
    np.testing.assert_allclose(left.lines[0].get_ydata(), gamma.median("problem"), rtol=1e-12)
    np.testing.assert_allclose(
        right.lines[0].get_ydata(), (data["distance"] / data["l2"]).median("problem"), rtol=1e-12
    )
    _, theory, half = left.lines
    np.testing.assert_allclose(np.exp(theory.get_ydata()), 2 / np.exp(data["log_alpha"]), rtol=1e-12)
    np.testing.assert_allclose(np.diff(half.get_ydata()), -np.diff(half.get_xdata()) / 2, rtol=1e-12)
    plt.close(figure)
