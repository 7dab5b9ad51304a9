"""F11: every rule is of first order towards its own flow, and Theorem 3.1 holds up to second order."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate

from experiments import orders
from figures import orders as figure_module

pytestmark = pytest.mark.slow  # a compilation for every rule and flow

CONFIG = orders.Config(instances=6, halvings=4)


@pytest.fixture(scope="module")
def data():
    return orders.run(CONFIG)


def test_every_case_is_sound(data):
    assert (data["status"] == 0).all()
    for name, variable in data.data_vars.items():
        assert variable.attrs["long_name"], name
        assert np.isfinite(variable).all(), name


@pytest.mark.claim("ham.exponentiated", "orders.across", "orders.away")
def test_who_crosses_zero(data):
    changes = data["changes"]
    assert (changes.sel(start="away") == 0).all()
    assert (changes.sel(start="across", rule=["EXP", "balanced m*w"]) == 0).all()
    # The metric of HAM has its kink there: each of these problems sees it.
    assert (changes.sel(start="across", rule=["HYP", "HYP*"]) > 0).all()
    assert changes.sel(start="across", rule="m*w").max() > 0


@pytest.mark.claim("orders.slopes")
def test_orders_away_from_zero(data):
    away = data.sel(start="away")
    assert (abs(away["run_order"] - 1) < 0.05).all()
    assert (abs(away["step_order"] - 2) < 0.05).all()


@pytest.mark.claim("orders.slopes")
def test_median_orders_across_zero(data):
    across = data.sel(start="across")
    assert (abs(across["run_order"].median("instance") - 1) < 0.05).all()
    assert (abs(across["step_order"].median("instance") - 2) < 0.05).all()


@pytest.mark.claim("ham.hyp-star")
def test_the_rules_of_ham_differ_where_they_cross_zero(data):
    errors = data["run_error"]
    away, across = errors.sel(start="away"), errors.sel(start="across")
    np.testing.assert_allclose(away.sel(rule="HYP"), away.sel(rule="HYP*"), rtol=1e-6)
    assert abs(across.sel(rule="HYP") / across.sel(rule="HYP*") - 1).max() > 1e-3


@pytest.mark.claim("ham.exponentiated")
def test_theorem_3_1(data):
    assert (abs(data["distance_order"] - 2) < 0.05).all()
    # θ exp(−2x) − θ(1 − x)² = θ(x² − 4x³/3 + …), with x = η(sign(θ)∇f + 2β).
    for place in np.ndindex(len(orders.STARTS), CONFIG.instances):
        problem, theta0 = orders._problem(orders.STARTS[place[0]], CONFIG, place[1])
        rates = data["rate"].values
        x = rates[:, None] * (np.sign(theta0) * np.asarray(problem.gradient(theta0)) + 2 * CONFIG.beta)
        gap = np.abs(theta0 * (np.exp(-2 * x) - (1 - x) ** 2)).max(axis=1)
        leading = np.abs(theta0 * x**2).max(axis=1)
        np.testing.assert_allclose(data["distance"].values[place], gap, rtol=0, atol=1e-14)
        assert abs(gap[-1] / leading[-1] - 1) <= 2 * np.abs(x[-1]).max()


def test_the_error_of_gradient_descent_in_closed_form(data):
    problem, theta0 = orders._problem("across", CONFIG, 2)
    H, b = np.asarray(problem.X.T @ problem.X) / problem.n, np.asarray(problem.X.T @ problem.y) / problem.n
    values, vectors = np.linalg.eigh(H)
    kept = values > 1e-10 * values[-1]

    def at_end(factors):
        """The solution of a linear recursion or flow whose modes decay by these factors."""
        gain = np.where(kept, (1 - factors) / np.where(kept, values, 1), 0)
        return vectors @ (np.where(kept, factors, 1) * (vectors.T @ theta0) + gain * (vectors.T @ b))

    rate = float(data["rate"][0])
    iterate = at_end((1 - rate * values) ** round(CONFIG.end / rate))
    error = np.abs(iterate - at_end(np.exp(-values * CONFIG.end))).max()
    measured = data["run_error"].sel(rule="GD", start="across", instance=2)[0]
    assert float(measured) == pytest.approx(error, abs=1e-11)


@pytest.mark.claim("ham.flow", "mw.gamma")
@pytest.mark.parametrize("kind", ["HAM", "m*w"])
def test_flows_by_another_method(data, kind):
    """In θ, in NumPy, by SciPy, of a problem in which entries change their sign."""
    rule = {"HAM": "HYP", "m*w": "m*w"}[kind]
    problems, theta0s, rates = orders._setting(CONFIG)
    case = CONFIG.instances + int(data["changes"].sel(rule=rule, start="across").argmax("instance"))
    times = jnp.asarray([*rates[::-1], CONFIG.end])
    thetas, _ = orders._flows(problems, theta0s, kind, jnp.asarray(CONFIG.gamma), times, CONFIG)
    X, y, beta = np.asarray(problems.X[case]), np.asarray(problems.y[case]), CONFIG.beta

    def field(t, theta):
        gradient = X.T @ (X @ theta - y) / len(y)
        if kind == "HAM":
            return -(1 + CONFIG.alpha * np.abs(theta)) * gradient - beta * theta
        return -2 * np.hypot(theta, CONFIG.gamma * np.exp(-4 * beta * t)) * gradient - 4 * beta * theta

    theta0 = theta0s[case]
    exact = scipy.integrate.solve_ivp(field, (0, CONFIG.end), theta0, "DOP853", rtol=1e-12, atol=1e-14).y[:, -1]
    assert np.any(exact * theta0 < 0)
    np.testing.assert_allclose(thetas[case, -1], exact, rtol=0, atol=1e-10)


def test_figure(data):
    import matplotlib.pyplot as plt

    figure = figure_module.draw(data)
    axes = dict(zip("abcdlf", figure.axes, strict=False))
    off = figure_module.deviations(data)
    np.testing.assert_array_equal(off["step"], data["step_order"] - 2)
    labelled = [ax for ax in figure.axes if ax.axison]
    assert len(labelled) == 6 and all(ax.get_ylabel() for ax in labelled)
    drawn = [line.get_ydata() for line in axes["a"].lines]
    for line, rule in zip(drawn, figure_module._COLOURS, strict=False):
        np.testing.assert_allclose(line, data["run_error"].sel(start="away", rule=rule).median("instance"))
    assert np.polyfit(*np.log([data["rate"], drawn[-1]]), 1)[0] == pytest.approx(1, abs=1e-12)
    # All slopes are there, and within the panel.
    marks = [line for line in figure.axes[-1].lines if line.get_marker() == "o"]
    assert sum(line.get_ydata().size for line in marks) == sum(values.size for values in off.values())
    low, high = figure.axes[-1].get_ylim()
    assert all(low < value < high for line in marks for value in np.asarray(line.get_ydata()))
    plt.close(figure)
