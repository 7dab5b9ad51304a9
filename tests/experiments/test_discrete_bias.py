"""F13: discrete limits deviate from the flow's as theory says to first order; sparsity takes steps."""

import jax.numpy as jnp
import numpy as np
import pytest
import sympy

import hamtheory as ht
from experiments import discrete_bias
from figures import discrete_bias as figure_module

from .scales import every_scale

pytestmark = pytest.mark.slow  # two kinds of limits and six of runs to compile

CONFIG = discrete_bias.Config.smoke()


@pytest.fixture(scope="module")
def data():
    return discrete_bias.run(CONFIG)


everywhere = every_scale(discrete_bias, "discrete_bias", small="data")


def problem(seed):
    made = ht.sparse_regression(CONFIG.n, CONFIG.d, CONFIG.k, seed=seed)
    return ht.LinearRegression(made.X, made.y)


def test_every_case_is_sound(data):
    assert (data["status"].sel(rate=slice(0.0, 0.8)) == 0).all()  # beyond, HYP* may leave the range of numbers
    assert (data["mirror_status"] == 0).all() and (data["flow_status"] == 0).all()
    ends = {ht.NAMES.index(name) for name in ("converged", "reached_end", "nonfinite")}
    assert set(np.unique([*data["status"].values.ravel(), *data["run_status"].values.ravel()])) <= ends
    for name, variable in data.data_vars.items():
        assert variable.attrs["long_name"], name


@pytest.mark.claim("flow.dual-coordinates")
def test_mirror_descent_ends_at_the_limit_of_the_flow(data):
    """It ends at the Bregman projection for the y that it fits, and θ moves by `h Xᵀ(X h Xᵀ)⁻¹ dy`, h = g⁻¹."""
    for seed in data["problem"].values:
        here = problem(int(seed))
        for alpha in CONFIG.alphas:
            geometry = ht.HAM(alpha=alpha)
            theta = ht.solve_limit(here, geometry, tol=CONFIG.limit_tol).theta
            X, h = np.asarray(here.X), np.asarray(geometry.inverse_metric(theta))
            moves = np.linalg.norm(h[:, None] * X.T @ np.linalg.inv((X * h) @ X.T), 2)
            bound = moves * CONFIG.tol * np.linalg.norm(here.y) / np.linalg.norm(theta)
            assert (data["mirror_distance"].sel(alpha=alpha, problem=seed) < 1.01 * bound).all()


@pytest.mark.claim("discrete_bias.first-order")
def test_bias_is_of_first_order_and_theory_has_the_coefficient(data):
    """The error of theory is O(η²), not smooth as θ crosses zero on one step or another; the ratio tends to 1."""
    small = data.sel(rule=["HYP*", "natural gradient"], rate=slice(0.0, 0.16))
    assert float(small["rate"][-1] / small["rate"][0]) == 8
    of_second_order = small["remainder"] / small["rate"] ** 2
    assert (of_second_order.max("rate") < 3 * of_second_order.min("rate")).all()
    first, second = small["distance"].isel(rate=0), small["distance"].isel(rate=1)
    np.testing.assert_allclose(np.log2(second / first), 1, atol=0.05)
    ratio = small["distance"] / small["distance_theory"]
    np.testing.assert_allclose(2 * ratio.isel(rate=0) - ratio.isel(rate=1), 1, atol=5e-3)
    assert ((data["remainder"] / data["distance_theory"]).isel(rate=0) < 0.05).all()


@pytest.mark.claim("discrete_bias.signs")
def test_signs(data):
    """κ of HYP and HYP* has the sign of θ, that of the natural gradient the other one."""
    first = data.isel(rate=0)
    assert (first["change"].sel(rule=["HYP*", "HYP"]) < 0).all()
    assert (first["change"].sel(rule="natural gradient") > 0).all()
    np.testing.assert_allclose(first["change"], first["change_theory"], rtol=0.05)


@pytest.mark.claim("discrete.drift", "ham.ito-drift")
def test_second_moments_are_those_of_the_symbolic_drift():
    alpha, here = 7.0, problem(1)
    theta = jnp.asarray(np.random.default_rng(0).standard_normal(CONFIG.d))
    found = discrete_bias.second_moments(here, ht.algorithm.NaturalGradient(ht.HAM(alpha=alpha)), theta, 0.1)
    drifts = [ht.symbolic.ito_drift(ht.symbolic.HAM, step) for step in ("(theta-eta*g)*exp(-eta*alpha*g)", None)]
    for drift, row in zip(drifts, found, strict=True):
        kappa = sympy.lambdify(sorted(drift.free_symbols, key=str), drift)
        size = kappa(*[alpha, np.abs(theta)][: len(drift.free_symbols)])
        np.testing.assert_allclose(row, size * np.sign(theta) * here.gradient(theta) ** 2, rtol=1e-12)


@pytest.mark.claim("discrete_bias.first-step")
def test_the_first_steps_of_the_two_rules():
    alpha, eta, geometry = 50.0, 0.03, ht.HAM(alpha=50.0)
    gradient = jnp.asarray(np.random.default_rng(0).standard_normal(CONFIG.d))
    ends = [
        geometry.mirror_map(rule(alpha).step(jnp.zeros(CONFIG.d), gradient, jnp.asarray(eta)))
        for rule in (ht.HYP, ht.HAMStep)
    ]
    np.testing.assert_allclose(
        discrete_bias.first_step(alpha, eta * np.asarray(gradient)), ends[0] - ends[1], rtol=1e-9
    )


@pytest.mark.claim("flow.asymptotic-rate")
def test_small_steps_take_time_in_inverse_proportion(data):
    time = (data["steps"] * data["rate"]).sel(rate=slice(0.0, 0.1))
    assert (time.max("rate") / time.min("rate") < 1.05).all()


def test_reached():
    excess = np.array([[[0.5, 0.4]], [[0.2, np.nan]], [[0.1, 0.05]]])  # (strengths, problems, rates)
    steps = np.array([[[10, 5]], [[20, 1]], [[50, 60]]])
    strengths, budgets = np.array([1.0, 10.0, 100.0]), np.array([1.0, 7.0, 30.0, 55.0, 60.0])
    best, strength, place = discrete_bias.reached(excess, steps, strengths, budgets)
    np.testing.assert_array_equal(best, [[np.nan, 0.4, 0.2, 0.1, 0.05]])
    np.testing.assert_array_equal(strength, [[np.nan, 1, 10, 100, 100]])
    np.testing.assert_array_equal(place, [[-1, 1, 0, 0, 1]])


@pytest.mark.claim("discrete_bias.budget")
def test_sparsity_takes_steps(data):
    """Within more steps the excess is less; and the flow's limit has a larger condition number where it has less."""
    more = data["reached"].values
    assert (np.diff(more, axis=-1)[~np.isnan(more[..., :-1])] <= 0).all()
    assert np.isfinite(more[..., -1]).all()
    assert (data["run_steps"] <= CONFIG.budgets[1]).all()
    converged = data.where(data["run_status"] == 0)
    for family in data["family"].values:
        for i, budget in enumerate(data["budget"].values):
            here = converged.sel(family=family)
            least = here["run_excess"].where(here["run_steps"] <= budget).min(("strength", "budget_rate"))
            np.testing.assert_array_equal(least, data["reached"].sel(family=family).isel(budget=i))
    first, last = data.isel(strength=0), data.isel(strength=-1)
    assert (last["flow_excess"] < first["flow_excess"]).all()
    assert (last["flow_condition"] > first["flow_condition"]).all()


@pytest.mark.claim("discrete_bias.budget-of-mw")
def test_the_budget_of_mw(everywhere):
    """Within a factor of two of HAM's excess; and its largest steps add to the excess of its flow, the more the smaller
    γ is, where HAM's do not."""
    runs = figure_module.sound(everywhere, "run_")
    reached = runs["reached"].median("problem")
    ratio = (reached.sel(family="m*w") / reached.sel(family="HAM")).dropna("budget")
    assert ratio.size >= 4 and ((ratio > 0.5) & (ratio < 2)).all()
    added = (runs["run_excess"] / runs["flow_excess"]).isel(budget_rate=-1).median("problem")
    product = added.sel(family="m*w").dropna("strength")
    assert product[-1] > 1.15 and (product.diff("strength") > 0).all()
    assert product[-1] > added.sel(family="HAM").max() + 0.1


def test_figure(data):
    import matplotlib.pyplot as plt

    figure = figure_module.draw(data)
    distance, error, change, steps, reached, _ = figure.axes
    assert all(ax.get_xlabel() and ax.get_ylabel() for ax in figure.axes)
    sound = data.where(data["status"] == 0)
    median = lambda values: values.median("problem", skipna=False)  # noqa: E731
    for i, alpha in enumerate(CONFIG.alphas):
        case = sound.sel(alpha=alpha, rule="HYP*")
        np.testing.assert_allclose(distance.lines[2 * i].get_ydata(), median(case["distance"]))
        np.testing.assert_allclose(distance.lines[2 * i + 1].get_ydata(), case["distance_theory"].median("problem"))
        np.testing.assert_allclose(steps.lines[2 * i].get_ydata(), median(case["steps"]))
    for i, rule in enumerate(figure_module._RULES):
        case = sound.sel(alpha=CONFIG.alphas[1], rule=rule)
        relative = median(case["remainder"] / case["distance_theory"])
        np.testing.assert_allclose(error.lines[i].get_ydata(), relative)
        np.testing.assert_allclose(change.lines[2 * i].get_ydata(), median(case["change"]))
    drawn = data["reached"].sel(family="HAM").values
    expected = np.where(np.isnan(drawn).any(axis=0), np.nan, np.median(drawn, axis=0))
    np.testing.assert_allclose(reached.lines[0].get_ydata(), expected)
    plt.close(figure)


def test_failures_are_not_drawn(data):
    import matplotlib.pyplot as plt

    failed = data.copy(deep=True)
    failed["status"][{"rule": 0, "rate": 3}] = ht.NAMES.index("nonfinite")
    failed["distance"][{"rule": 0, "rate": 3}] = 1e6
    figure = figure_module.draw(failed)
    assert np.isnan(figure.axes[0].lines[0].get_ydata()[3])
    plt.close(figure)
