"""F10: samples to recover a sparse vector, against the scale of the start."""

import numpy as np
import pytest

import hamtheory as ht
from experiments import samples
from experiments.samples import largest_scale

from .scales import every_scale

pytestmark = pytest.mark.slow  # one compilation after the other

# The last scale is below what the network of depth 3 gets to: e⁻¹⁰ against 0.05³.
CONFIG = samples.Config(
    d=30, k=2, samples=(10, 20), seeds=2, depths=(3,), scales=(1.0, -10.0, 12), least=0.05, error=0.12
)
LOGS = np.array([1.0, 0.0, -1.0, -2.0])


@pytest.fixture(scope="module")
def data():
    return samples.run(CONFIG)


stored = every_scale(samples, "samples")


@pytest.mark.parametrize(
    "errors, expected",
    [
        ([0.1, 0.1, 0.2, 0.3], 1.0),  # all of them are within
        ([0.8, 0.7, 0.6, 0.5], -np.inf),  # none is
        ([0.8, 0.7, 0.6, 0.3], -1.5),  # 0.45 is in the middle of the last interval
        ([0.9, 0.3, 0.2, 0.1], 0.25),
        ([0.1, 0.9, 0.3, 0.1], -0.75),  # outside again on the way: only what follows counts
        ([0.1, 0.1, 0.1, 0.9], -np.inf),
        ([np.nan, 0.1, 0.1, np.nan], -np.inf),
        ([0.9, 0.45, 0.2, 0.1], 0.0),  # the bound is within
    ],
)
def test_largest_scale(errors, expected):
    assert largest_scale(LOGS, np.array(errors), 0.45) == pytest.approx(expected, abs=1e-14)


def test_every_case_is_certified(data):
    assert (data["status"] == 0).all()
    assert data["residual"].max() <= CONFIG.tol
    assert all(variable.attrs["long_name"] for variable in data.data_vars.values())


def test_all_scales_are_computed_but_those_out_of_the_network_s_reach(data):
    computed = data["computed"]
    assert computed.sel(family=["HAM", "m*w"]).all()
    reachable = np.exp(data["log_scale"] / 3) >= CONFIG.least
    assert (computed.sel(family="depth 3") == reachable).all() and not reachable.all()
    assert (np.isfinite(data["error"]) == computed).all()


def test_sparse_starts_recover_a_sparse_vector(data):
    error = data["error"]
    last = error.isel(log_scale=data.sizes["log_scale"] - 3)  # the smallest scale of them all
    assert np.isfinite(last).all()
    # 20 equations are enough for two spikes among 30; with 10 of them nothing is promised.
    assert (last < 0.5 * error.isel(log_scale=0)).sel(samples=20).all()
    assert (last.sel(samples=20) < last.sel(samples=10)).all()


def test_largest_scale_is_where_the_error_comes_within_the_bound(data):
    largest, bound = data["largest_log_scale"], CONFIG.error
    assert np.isfinite(largest).any()
    within = (data["log_scale"] <= largest) & data["computed"]
    assert (data["error"].where(within, 0.0) <= bound).all()
    # One step further, it is not.
    step = -float(data["log_scale"].diff("log_scale")[0])
    above = (data["log_scale"] > largest) & (data["log_scale"] <= largest + step) & data["computed"]
    assert above.any() and (data["error"].where(above, np.inf) > bound).all()


def test_ham_and_mw_have_one_end(data):
    """For γ = 2/α their potentials agree to the next order, so that the errors' difference vanishes with the scale."""
    ham, mw = data["error"].sel(family="HAM"), data["error"].sel(family="m*w")
    off = abs(ham / mw - 1)
    assert (off.isel(log_scale=-1) <= 0.02).all()
    assert (off.isel(log_scale=-1) < 0.1 * off.max("log_scale")).all()


def test_their_end_is_basis_pursuit(data):
    """At ln α = 10⁴, where the excess of the norm is that of rounding for any margin above a hundredth."""
    for n in CONFIG.samples:
        problem = samples._problem(CONFIG, n, 1)
        errors, _, codes = samples._along(problem, ht.HAM, np.linspace(0, 1e4, 12), CONFIG.tol)
        assert not codes.any()
        expected = float(data["basis_pursuit_error"].sel(samples=n, seed=1))
        assert float(errors[-1]) == pytest.approx(expected, rel=1e-6)


def test_fewer_samples_are_a_part_of_more():
    fewer, more = (samples._problem(CONFIG, n, 0) for n in CONFIG.samples)
    np.testing.assert_array_equal(fewer.X[:10], more.X[:10])
    np.testing.assert_array_equal(fewer.theta_star, more.theta_star)
    assert np.linalg.norm(more.theta_star) == pytest.approx(1, rel=1e-15)


@pytest.mark.full_size
@pytest.mark.claim("samples.cost-in-scale")
def test_what_fewer_samples_cost(stored):
    """From 120 to 60, in the logarithm of the scale: three orders of magnitude, or about one."""
    scale = stored["largest_log_scale"].median("seed")
    cost = (scale.sel(samples=120) - scale.sel(samples=60)) / np.log(10)
    assert (cost.sel(family=["HAM", "m*w"]) > 2).all()
    assert (cost.sel(family=["depth 3", "depth 4"]) < 0.5 * cost.sel(family="HAM")).all()


def test_figure(data):
    import matplotlib.pyplot as plt

    from figures import samples as figure_module

    figure = figure_module.draw(data)
    left, right = figure.axes
    assert all(ax.get_xlabel() and ax.get_ylabel() for ax in figure.axes)
    errors = data["error"].where(data["computed"]).sel(samples=20)
    for line, family in zip(left.lines, data["family"].values, strict=False):
        np.testing.assert_allclose(line.get_ydata(), np.median(errors.sel(family=family), axis=0), rtol=1e-12)
    dashed, bound, *dotted = left.lines[len(data["family"]) :]
    np.testing.assert_array_equal([line.get_ydata() for line in dotted], data["predicted"].sel(samples=20))
    np.testing.assert_allclose(dashed.get_ydata(), data["basis_pursuit_error"].sel(samples=20).median())
    np.testing.assert_allclose(bound.get_ydata(), CONFIG.error)
    # A line and a mark for each seed; what never gets there is not drawn.
    lines = iter(right.lines)
    for family in data["family"].values:
        largest = np.exp(data["largest_log_scale"].sel(family=family))
        for values in (
            np.exp(np.log(largest.clip(1e-300)).median("seed")).where((largest > 0).all("seed")),
            *largest.T,
        ):
            expected = np.where(values > 0, values, np.nan)
            np.testing.assert_allclose(next(lines).get_ydata(), expected, rtol=1e-9)
    plt.close(figure)


@pytest.mark.full_size
@pytest.mark.claim("samples.predicted")
def test_high_dimension_predicts_the_largest_scale(stored):
    many = stored.sel(samples=stored["samples"] >= 80)
    off = many["largest_log_scale"].median("seed") - many["predicted_log_scale"]
    assert off.size >= 4 and (abs(off) <= 1).all()


def test_the_prediction_ends_at_the_l2_end_in_closed_form():
    """At a scale far above θ* the limit is the minimum norm's: ‖θ − θ*‖² = 1 − δ + noise² δ/(1 − δ)."""
    found = samples.predicted(CONFIG, np.array([60.0]))[:, :, 0]
    delta = np.array(CONFIG.samples) / CONFIG.d
    np.testing.assert_allclose(found, np.tile(1 - delta + CONFIG.noise**2 * delta / (1 - delta), (3, 1)), rtol=1e-8)
