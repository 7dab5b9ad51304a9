"""E3: the limits of m⊙w by gradient descent with steps that are not small."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hamtheory as ht
from experiments import large_steps
from figures import large_steps as figure_module

pytestmark = pytest.mark.slow  # four compilations, and all steps are taken

CONFIG = large_steps.Config.smoke()


@pytest.fixture(scope="module")
def data():
    return large_steps.run(CONFIG)


@pytest.fixture(scope="module")
def sound(data):
    """The runs that converged; the first set-up is centred, the second is not."""
    return data.where(data["status"] == 0)


def test_every_case_has_its_reason(data):
    assert set(np.unique(data["status"])) <= {ht.NAMES.index(x) for x in ("converged", "reached_end", "nonfinite")}
    converged = data["status"] == 0
    assert np.isfinite(data["violation"].values[converged.values]).all()
    # On centred data steps up to what is stable near the flow's limit converge, of single samples up to half of it.
    for rule, most in (("GD", 1), ("SGD", 0.5)):
        cases = converged.isel(setup=0).sel(rule=rule)
        assert cases.where(cases["fraction"] <= most, True).all()


@pytest.mark.claim("even.large-steps")
def test_theorem_1_holds_to_rounding_at_every_step_size(sound):
    """Errors of rounding, one a step, add up as a random walk, wherever float64 factors still know γ."""
    known = sound["violation"].where(sound["gain_difference"] < 1)
    assert known.max() <= 20 * np.sqrt(CONFIG.setups[0][-1]) * np.finfo(float).eps


def test_gain_is_that_of_the_factors(sound):
    """Σ q is ln(γ₀/γ) of m and w, to the rounding of m² − w²."""
    small = sound["gain_difference"].where(sound["fraction"] <= 0.5)
    assert small.max() <= 1e-9


@pytest.mark.claim("even.large-steps")
@pytest.mark.parametrize("rule", [None, 1])
def test_limit_is_the_projection_with_the_gamma_of_the_end(rule):
    """Newton's method from θ̃₀ with γ of the end finds where the steps went."""
    problem = large_steps.problem_of(20, 30, 3, 0.0, 1)
    start = ht.Hypentropy(gamma=np.full(30, 0.01))
    steps = large_steps.stable_steps(problem, start, problem.theta_star)
    end = ht.run(
        problem,
        large_steps.Summed(ht.ProductGD(gamma=0.01)),
        learning_rate=0.8 * steps[0 if rule is None else 1],
        steps=50_000,
        batch_size=rule,
        key=jax.random.key(0),
        save_every=50_000,
        tol=1e-6,
    )
    gamma, skew = 0.01 * jnp.exp(-end.states.gain[-1]), end.states.skew[-1]
    limit = ht.solve_limit(problem, ht.Hypentropy(gamma=gamma), -gamma * jnp.sinh(skew)).theta
    np.testing.assert_allclose(end.theta, limit, atol=1e-4)
    # It is neither the limit of the flow, nor that without the shift of the start.
    assert jnp.linalg.norm(limit - ht.solve_limit(problem, start).theta) > 5e-3
    by_factors = jnp.abs(jnp.square(end.states.inner.m[-1]) - jnp.square(end.states.inner.w[-1])) / 2
    np.testing.assert_allclose(gamma, by_factors, rtol=1e-6)


def test_stable_steps():
    """One row: a step is stable up to 2/‖z‖², for both; orthogonal rows, one of them a step: as far as the longest."""
    flat = ht.Euclidean()
    one = ht.LinearRegression([[3.0, 4.0]], [1.0])
    np.testing.assert_allclose(large_steps.stable_steps(one, flat, jnp.zeros(2)), 2 / 25, rtol=1e-12)
    two = ht.LinearRegression([[2.0, 0.0], [0.0, 1.0]], [1.0, 1.0])
    np.testing.assert_allclose(large_steps.stable_steps(two, flat, jnp.zeros(2)), (1.0, 0.5), rtol=1e-12)


@pytest.mark.claim("large_steps.errors")
def test_large_steps_help_single_samples_and_hurt_full_gradients(data, sound):
    """[even2023sgd], Figure 1; and on uncentred data (Figure 4) they help both."""
    for i, hurts in enumerate((True, False)):
        here, flow = sound.isel(setup=i), data["flow_error"].isel(setup=i)
        last = {}
        for rule in ("GD", "SGD"):
            case = here["error"].sel(rule=rule)
            largest = case["fraction"].where(case.notnull()).argmax("step")
            last[rule] = case.isel(step=largest)
        assert (last["SGD"] < flow / 5).all()
        assert (last["GD"] > 5 * flow).all() if hurts else (last["GD"] < flow).all()
        assert (last["SGD"] < last["GD"]).all()


@pytest.mark.claim("large_steps.errors")
def test_full_gradients_get_worse_beyond_the_stable_step(sound):
    """Below it their limit is nearly that of the flow, whatever the step; just above it is another one."""
    errors = sound.isel(setup=0).sel(rule="GD")
    ratio = errors["error"] / errors["flow_error"]
    assert (ratio.where(errors["fraction"] <= 1).max("step") < 3).all()
    assert (ratio.where(errors["fraction"] == 1.05).max("step") > 3).all()


@pytest.mark.claim("large_steps.support")
def test_full_gradients_gain_on_the_support(sound):
    ratio = (sound["gain_on"] / sound["gain_off"]).where(sound["fraction"] <= 1)
    centred, uncentred = ratio.isel(setup=0), ratio.isel(setup=1)
    assert centred.sel(rule="GD").min() > 4 and (centred.sel(rule="SGD").mean("step") < 3).all()
    assert abs(uncentred - 1).max() < 0.35


@pytest.mark.claim("large_steps.batches")
def test_gain_is_linear_in_the_step_and_in_one_over_the_batch(data):
    """E‖x_i‖²r_i² is about tr(XᵀX)/n times the loss, whose integral is the divergence."""
    gains = figure_module.batch_gains(data)
    assert gains.notnull().all()
    assert (abs(gains.sel(batch=1).isel(small=0) - 1) < 0.25).all()
    one, four, full = (gains.sel(batch=b) for b in (1, 4, np.inf))
    assert (abs((four - full) / (one - full) - 1 / 4).isel(small=0) < 0.05).all()


def test_figure(data, sound):
    import matplotlib.pyplot as plt

    figure = figure_module.draw(data)
    shown = [ax for ax in figure.axes if ax.get_visible()]
    assert all(ax.get_xlabel() for ax in shown)
    for ax, i in zip(shown[:2], range(2), strict=True):
        for line, rule in zip(ax.lines[:2], ("GD", "SGD"), strict=True):
            case = sound.isel(setup=i).sel(rule=rule)
            np.testing.assert_array_equal(line.get_xdata(), data["fraction"].sel(rule=rule))
            half = (case["error"].notnull().mean("instance") >= 0.5).values
            median = np.nanmedian(case["error"].values[:, half], axis=0)
            np.testing.assert_allclose(np.asarray(line.get_ydata())[half], median, rtol=1e-12)
            assert np.isnan(np.asarray(line.get_ydata())[~half]).all()
    plt.close(figure)
