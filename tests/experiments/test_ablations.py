"""F15: the halves of a HAM step."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import binomtest

import hamtheory as ht
from experiments import ablations
from figures import ablations as figure_module

pytestmark = pytest.mark.slow  # one compilation after the other

CONFIG = ablations.Config.smoke()


@pytest.fixture(scope="module")
def data():
    return ablations.run(CONFIG)


def test_every_case_has_a_reason(data):
    names = {ht.NAMES.index(x) for x in ("converged", "reached_end", "nonfinite")}
    for status in ("status", "reach_status", "gate_status", "variant_status"):
        assert set(np.unique(data[status])) <= names
    assert (data["status"].sel(rule=["GD", "HAM"]) == 0).all() and (
        data["variant_status"].sel(variant=["HYP", "HYP*"]) == 0
    ).all()
    assert all(variable.attrs["long_name"] for variable in data.data_vars.values())


@pytest.mark.claim("ablations.hyperbolic-alone")
def test_hyperbolic_step_alone_crosses_nothing(data):
    alone = data.sel(rule="hyperbolic")
    assert (alone["crossed"] == 0).all() and (data["crossed"].sel(rule=["GD", "HAM"]) > 0).all()
    assert (alone["wrong_end"] == alone["wrong"]).all()
    # Each wrong entry is off by at least its size, 1.
    assert (alone["error"] >= np.sqrt(alone["wrong"])).all()
    # HAM is nearer to the truth than gradient descent, wherever the signs start.
    error = data["error"]
    assert (error.sel(rule="HAM") < error.sel(rule="GD")).all()
    assert (error.sel(rule="HAM", wrong=CONFIG.k) < alone["error"].sel(wrong=CONFIG.k)).all()


@pytest.mark.parametrize("rate", [1e-3, 4e-3])
def test_hyperbolic_step_alone_is_a_projection_for_any_step_size(rate):
    """s⊙ln|θ/θ₀| is in the row space, up to rounding, at any step."""
    problem = ht.sparse_regression(20, 50, 2, seed=3)
    start = ablations._starts(problem, 1, 0.01, np.random.default_rng(0))
    rule = ht.HAMStep(alpha=50.0, gradient_below=0.0)
    for steps in (10, 5000):
        end = ht.run(problem, rule, start, learning_rate=rate, steps=steps, save_every=steps)
        shift = jnp.sign(start) * jnp.log(jnp.abs(end.theta / start))
        inside = problem.row_space.project(shift) @ problem.row_space.basis
        assert jnp.linalg.norm(shift - inside) <= 20 * np.sqrt(steps) * np.finfo(float).eps * jnp.linalg.norm(shift)


@pytest.mark.claim("ablations.cover")
def test_signs_that_can_be_reached(data):
    """Cover's count, within the noise of so many patterns; and no residual is below the least one of the signs."""
    has = data["reach_least"] < 1e-9
    for rows, found in zip(data["rows"].values, has.sum("pattern").values, strict=True):
        expected = float(data["reach_theory"].sel(equations=rows))
        assert binomtest(int(found), CONFIG.patterns, expected).pvalue > 1e-3
    assert (data["reach_residual"] >= data["reach_least"] - 1e-12).all()
    assert (data["reach_status"] == 0).mean() > 0.7


def test_gated_geometry():
    """Its methods belong together, and it is HAM's for a high threshold."""
    gate, ham = ablations.Gated(50.0, 0.013), ht.HAM(alpha=50.0)
    ht.geometry.check_geometry(gate)
    theta = jnp.geomspace(1e-4, 2, 21)
    np.testing.assert_allclose(ablations.Gated(50.0, 10.0).mirror_map(theta), ham.mirror_map(theta), rtol=1e-12)
    # From the threshold on, the mirror map is that of the larger α + 1/τ, in another unit of time, but for a logarithm.
    large, other = jnp.geomspace(0.013, 2, 9), ht.HAM(alpha=50.0 + 1 / 0.013)
    np.testing.assert_allclose(50 * gate.mirror_map(large), jnp.log(other.alpha * large), rtol=1e-12)
    off = other.alpha * other.mirror_map(large) - 50 * gate.mirror_map(large)
    np.testing.assert_allclose(off, jnp.log1p(1 / (other.alpha * large)), rtol=1e-10)
    assert off[0] == pytest.approx(np.log((2 + 50 * 0.013) / (1 + 50 * 0.013)), rel=1e-10) and (jnp.diff(off) < 0).all()


@pytest.mark.claim("ablations.threshold")
def test_gradient_step_below_a_threshold_has_the_limit_of_its_flow(data):
    """First order in η where a step is small against the threshold; sparser below 1/α, at the price of time."""
    slow = data.isel(rate=int(data["rate"].values.argmin()))
    far = slow.where(slow["threshold"] >= 0.5 / CONFIG.alpha, drop=True)
    np.testing.assert_allclose(far["gate_excess"], far["gate_flow_excess"], rtol=0.05, atol=0.005)
    excess, time = slow["gate_excess"], slow["gate_time"]
    assert (excess.sel(threshold=1e-3, method="nearest") < 0.5 * excess.isel(threshold=-1)).all()
    assert (time.sel(threshold=1e-3, method="nearest") > 2 * time.isel(threshold=-1)).all()
    # Somewhat above 1/α it takes sparsity away; and one that is shorter than a step gives little of that of its flow.
    assert (excess.max("threshold") > 1.02 * excess.isel(threshold=-1)).all()
    fast = data.isel(rate=int(data["rate"].values.argmax())).isel(threshold=0)
    assert (fast["gate_excess"] > 1.5 * fast["gate_flow_excess"]).all()
    # A bias of α + 1/τ, for entries far above the threshold.
    problem = ht.sparse_regression(20, 50, 2, seed=0)
    larger = ht.solve_limit(problem, ht.HAM(alpha=50.0 + 1 / CONFIG.thresholds[0])).theta
    expected = float(jnp.abs(larger).sum() / jnp.abs(ht.basis_pursuit(problem)).sum() - 1)
    assert float(slow["gate_flow_excess"][0, 0]) == pytest.approx(expected, rel=0.5)


def test_factors_at_a_crossing():
    """One step over zero: HYP pulls back and HYP* pushes on, apart by exp(2ηα|g|)."""
    problem = ht.LinearRegression([[1.0]], [-2.99])
    ends = [
        ht.run(problem, rule, [0.01], learning_rate=0.01, steps=1).theta[0]
        for rule in (ht.HYP(alpha=50.0), ht.HAMStep(alpha=50.0))
    ]
    assert ends[0] < 0
    np.testing.assert_allclose(ends[1] / ends[0], np.exp(2 * 0.01 * 50 * 3), rtol=1e-12)


@pytest.mark.claim("ablations.hyp-and-hyp-star")
def test_hyp_and_its_variant_differ_by_second_order(data):
    """A crossing leaves an entry of size η|g| times a factor 1 ± ηα|g|: O(η²); each is O(η) from the flow."""
    zero = data.sel(start="zero").sortby("halving")
    order = np.log2(zero["apart"].values[:, 1] / zero["apart"].values[:, 0])
    np.testing.assert_allclose(order, 2, atol=0.3)
    off = zero["off"].sel(variant=["HYP", "HYP*"])
    assert (zero["apart"].isel(halving=0) < 0.5 * off.isel(halving=0)).all()
    assert (off.isel(halving=0) < off.isel(halving=-1)).all()
    published = zero["off"].sel(variant="HYP*").transpose("instance", "halving").values
    np.testing.assert_allclose(np.log2(published[:, 1] / published[:, 0]), 1, atol=0.1)
    flips = data["flips"].sortby("halving").isel(halving=0)
    assert (flips.sel(variant="HYP") == flips.sel(variant="HYP*")).all() and flips.sum() > 0


def test_figure(data):
    import matplotlib.pyplot as plt

    figure = figure_module.draw(data)
    assert all(ax.get_xlabel() and ax.get_ylabel() for ax in figure.axes)
    alone, reach, excess, time, *_ = figure.axes
    error = data["error"].where(data["status"] == 0)
    for line, rule in zip(alone.lines, data["rule"].values, strict=True):
        np.testing.assert_allclose(np.asarray(line.get_ydata()), error.sel(rule=rule).median("instance"), rtol=1e-12)
    np.testing.assert_allclose(np.asarray(reach.lines[0].get_ydata()), data["reach_theory"], rtol=1e-12)
    gate = data.where(data["gate_status"] == 0)
    for i in range(data.sizes["rate"]):
        np.testing.assert_allclose(
            np.asarray(excess.lines[i].get_ydata()), gate["gate_excess"].isel(rate=i).median("instance"), rtol=1e-12
        )
        np.testing.assert_allclose(
            np.asarray(time.lines[i].get_ydata()), gate["gate_time"].isel(rate=i).median("instance")
        )
    plt.close(figure)
