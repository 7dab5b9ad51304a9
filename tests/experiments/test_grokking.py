"""F35: grokking of m⊙w is its limit path, and HAM's decay has none."""

import numpy as np
import pytest

import hamtheory as ht
from experiments import grokking

from .scales import every_scale

pytestmark = pytest.mark.slow  # flows far beyond the fit

CONFIG = grokking.Config.smoke()


@pytest.fixture(scope="module")
def small():
    return grokking.run(CONFIG)


data = every_scale(grokking, "grokking", small="small")


def late(data):
    """At λt ≥ 1, where the flow interpolates."""
    return data.isel(time=data["scaled"].values >= 1)


def test_every_case_is_certified(small):
    assert (small["status"] == 0).all() and (small["ham_status"] == 0).all()
    assert all(variable.attrs["long_name"] for variable in small.data_vars.values())


def test_the_set_up_is_the_published_one():
    x = np.linspace(-1, 1, 5)
    X, theta = grokking.features(x, 30), grokking.teacher(30)
    assert X.shape == (5, 61)
    np.testing.assert_allclose(X @ theta, 1 + np.cos(6 * np.pi * x / 2) + np.sin(21 * np.pi * x / 2), atol=1e-14)


@pytest.mark.claim("grokking.invariant")
def test_the_factors_keep_dual_coordinates(data):
    assert data["invariant"].max() <= 1e-8
    assert data["agreement"].max() <= 1e-8


@pytest.mark.claim("grokking.published")
def test_the_published_times(data):
    """At λ = 1e-4 from normal factors: fitted at t = 100, where the test error is that of the plateau; 0 at 1e5."""
    own = data.sel(start="normal", decay=1e-4).median("draw")
    at = {t: own.isel(time=int(np.abs(own["scaled"].values / 1e-4 - t).argmin())) for t in (1e2, 1e5)}
    assert at[1e2]["train"] < 0.02
    assert at[1e2]["flow_test"] > 0.9 * own["limit_test"][0]
    assert at[1e5]["flow_test"] < 0.01 * own["limit_test"][0]


@pytest.mark.claim("grokking.descent")
def test_gradient_descent_is_where_its_flow_is(data):
    """To 2 % on the way, and the less the longer it runs: their limits are one."""
    off = data["descent"]
    assert off.max() <= 0.02
    assert (off.isel(time=-1) <= off.max("time") / 10).all()


@pytest.mark.claim("grokking.one-curve")
def test_the_test_error_is_that_of_the_limit(data):
    """To 2 % of where it begins, in the median; at the start of the flow it is not."""
    own = data.sel(decay=1e-4)
    off = np.abs(own["flow_test"] - own["limit_test"]).median("draw") / own["limit_test"].isel(time=0).median("draw")
    assert off.isel(time=own["scaled"].values >= 1).max() <= 0.02 < off.isel(time=0).min()


@pytest.mark.claim("grokking.order")
def test_the_gap_is_of_the_order_of_the_decay(data):
    """Ten times the decay: in the median up to ten times the gap, and at least twice."""
    gaps = late(data)["gap"]
    ratio = (gaps.sel(decay=1e-3) / gaps.sel(decay=1e-4)).median("draw")
    assert ratio.max() <= 10.5 and ratio.min() >= 2


@pytest.mark.claim("grokking.leading")
def test_the_gap_to_first_order(data):
    """The second order is of the size of 4β/κ; what is left of the start, e^(−κt), has to be gone."""
    fitted = np.exp(-4 / 2 * data["scaled"] / data["slowness"]) < 1e-4 * data["slowness"]
    holds = (data["slowness"] < 0.05) & fitted
    ratio = (data["predicted"] / data["gap"]).where(holds)
    assert holds.sum() >= 10
    assert (np.abs(ratio - 1) <= 3 * data["slowness"]).where(holds, True).all()


@pytest.mark.claim("grokking.lag")
def test_the_flow_lags_where_the_decay_is_faster_than_the_fit(data):
    own = late(data)
    apart = np.abs(own["flow_test"] - own["limit_test"]) > 0.1
    assert (own["slowness"] > 1).where(apart, True).all()
    slow = own["slowness"] < 0.05
    assert slow.any() and own["gap"].where(slow).max() < 0.01


@pytest.mark.claim("grokking.l1")
def test_it_is_the_way_to_basis_pursuit(data):
    own = data.sel(decay=1e-4)
    excess = own["flow_l1"] - own["least_l1"]
    plateau = own["limit_l1"].isel(time=0) - own["least_l1"]
    assert (excess.isel(time=-1) / plateau).median("draw").max() <= 0.02


@pytest.mark.claim("grokking.plateau")
def test_of_ham_most_of_the_test_error_stays(data):
    """And its end is off every limit from zero; with a growing α it goes, along the limits."""
    flow, grown = data["ham_flow_test"].isel(ham_decay=-1), data["ham_growing_test"]
    kept, left = (values.isel(ham_time=-1) / values.isel(ham_time=0) for values in (flow, grown))
    assert kept.median() > 0.5 > 10 * left.median()
    assert (
        data["ham_nearest"].isel(ham_time=-1).min()
        > 10 * data["ham_gap"].sel(ham_decay=1e-4).isel(ham_time=-1).median()
    )
    off = np.abs(data["ham_growing_l1"] - data["ham_limit_l1"]) / data["ham_limit_l1"]
    assert off.isel(ham_time=-1).max() < 0.01


def test_of_ham_the_flow_drifts(data):
    """A tenth of the decay: a tenth of the gap, in the median."""
    gap = data["ham_gap"].isel(ham_time=-1).median("draw")
    assert 5 < gap.sel(ham_decay=1e-3) / gap.sel(ham_decay=1e-4) < 12


def test_the_drift_ends_where_the_penalty_is_least():
    X = np.random.default_rng(0).normal(size=(3, 8))
    problem, geo = ht.LinearRegression(X, X @ np.eye(8)[0]), ht.HAM(alpha=5.0)
    start = np.asarray(ht.solve_limit(problem, geo).theta)
    end = grokking.drift(problem, geo, start, np.array([1.0, 200.0]))[-1]
    least = ht.solve_limit(problem, geo, weight_decay=1e-8, tol=1e-12).theta
    np.testing.assert_allclose(end, least, atol=1e-5)
