"""F12: near a limit, steps are stable up to what linearisation says; from zero, up to about that, or further."""

import numpy as np
import pytest

import hamtheory as ht
from experiments import stability
from figures import stability as figure_module

pytestmark = pytest.mark.slow  # three compilations a rule

CONFIG = stability.Config(
    instances=2, alphas=(-2.0, 8.0, 3), gammas=(-6.0, 4.0, 3), ratios=(0.5, 3.0, 9), far_steps=4000
)


@pytest.fixture(scope="module")
def data():
    return stability.run(CONFIG)


def cases(data, *rules):
    return data.isel(case=np.isin(data["rule"].values, rules))


def test_every_case_is_sound(data):
    assert (data["status"] == 0).all()
    for name, variable in data.data_vars.items():
        assert variable.attrs["long_name"], name
    assert np.isfinite(data[["theory", "near", "far"]]).all().to_array().all()


@pytest.mark.claim("ham.stability", "stability.product")
def test_near_the_limit_theory_is_exact(data):
    """What the perturbation has of the steepest mode decides by ln(1/share)/2K: a part in a thousand."""
    assert (abs(data["near"] / data["theory"] - 1) <= 0.02).all()
    assert (abs(data["near"] / data["theory"] - 1) <= 4 / CONFIG.near_steps).all()


@pytest.mark.claim("stability.product")
def test_theory_of_the_product_is_that_of_its_factors(data):
    """The Jacobian on (m, w) has the eigenvalues of `X diag(m² + w²) Xᵀ/n`, and m² + w² = 2√(θ² + γ²)."""
    problem = ht.sparse_regression(CONFIG.n, CONFIG.d, CONFIG.k, seed=1).without_truth()
    X, case = np.asarray(problem.X), cases(data, "m*w").isel(instance=1)
    gammas = np.exp(case["log_parameter"].values)
    thetas = stability._theory(problem, gammas, ht.Hypentropy, CONFIG.tol)[0]
    for gamma, theta, theory in zip(gammas, thetas, case["theory"].values, strict=True):
        m, w, _ = ht.ProductGD(gamma=gamma).init(problem, theta)
        J = np.hstack([X * np.asarray(w), X * np.asarray(m)]) / np.sqrt(problem.n)  # of the residual
        assert theory == pytest.approx(2 / np.linalg.norm(J, 2) ** 2, rel=1e-9)


@pytest.mark.claim("stability.ends-of-the-families")
def test_ends_of_the_families(data):
    """HAM tends to gradient descent as α → 0, and m⊙w to 2γ times it as γ → ∞: g⁻¹ is 1 + O(α), 2γ(1 + O(γ⁻²))."""
    gd = float(cases(data, "GD")["theory"].isel(instance=0).item())
    one = data.isel(instance=0)
    ham, product = (cases(one, rule) for rule in ("HYP*", "m*w"))
    alpha, gamma = np.exp(ham["log_parameter"].values), np.exp(product["log_parameter"].values)
    assert 0 < gd / float(ham["theory"][0]) - 1 < alpha[0]  # |θ| is at most 1
    assert 2 * gamma[-1] * float(product["theory"][-1]) == pytest.approx(gd, rel=gamma[-1] ** -2)
    assert (np.diff(ham["theory"]) < 0).all()
    np.testing.assert_array_equal(cases(one, "HYP")["theory"], ham["theory"])


@pytest.mark.claim("stability.flatter")
def test_runs_from_zero_end_where_they_are_stable(data):
    sharpness = data["end_sharpness"].where(data["outcome"] == 0)
    assert sharpness.max() < 1.01  # a mode that grows by 2 % a step would not be at 10⁻³ after thousands of them
    assert (data["residual"].where(data["outcome"] == 0, 0.0) <= CONFIG.converged).all()
    assert set(np.unique(data["outcome"])) <= {
        ht.NAMES.index(name) for name in ("converged", "reached_end", "nonfinite")
    }


def test_gradient_descent_from_zero_has_no_other_bound(data):
    gd = cases(data, "GD")
    ratio = (gd["far"] / gd["theory"]).values
    step = (CONFIG.ratios[1] / CONFIG.ratios[0]) ** (1 / (CONFIG.ratios[2] - 1) ** 2)  # of the finer grid
    # ln(10³)/K short of it, the steepest mode has not decayed to 10⁻³ yet.
    assert (ratio < 1).all() and (ratio > (1 - np.log(1e3) / CONFIG.far_steps) / step).all()


@pytest.mark.claim("stability.flatter")
def test_the_product_goes_on_to_flatter_interpolators(data):
    ratio = cases(data, "m*w")["far"] / cases(data, "m*w")["theory"]
    assert (ratio > 1.2).all()
    beyond = cases(data, "m*w").sel(ratio=slice(1.05, 1.4))
    assert (beyond["outcome"] == 0).any() and (beyond["end_sharpness"].where(beyond["outcome"] == 0) < 1.01).any()


def test_bracket():
    rates = np.array([[1.0, 2.0, 3.0]] * 4)
    converged = np.array([[True, False, True], [True, True, False], [True, True, True], [False, True, True]])
    low, high, found = stability._bracket(rates, converged)
    np.testing.assert_array_equal(low, [1, 2, 3, 1])
    np.testing.assert_array_equal(high, [2, 3, 3, 1])
    np.testing.assert_array_equal(found, [True, True, False, False])


def test_figure(data):
    import matplotlib.pyplot as plt

    figure = figure_module.draw(data)
    ham, product, differences, runs = figure.axes
    assert all(ax.get_xlabel() and ax.get_ylabel() for ax in figure.axes)
    one = data.isel(instance=0)
    for ax, rules in ((ham, ("HYP", "HYP*")), (product, ("m*w",))):
        _, theory, *marks = ax.lines
        np.testing.assert_array_equal(theory.get_ydata(), cases(one, rules[-1])["theory"])
        for line, rule in zip(marks, rules, strict=True):
            np.testing.assert_array_equal(line.get_ydata(), cases(one, rule)["near"])
        low, high = ax.get_ylim()
        assert all(low < value < high for value in cases(one, *rules)["far"].values)
    drawn = np.concatenate([line.get_ydata() for line in differences.lines[:-1]])
    np.testing.assert_allclose(np.sort(drawn), np.sort(abs(data["near"] / data["theory"] - 1).values.ravel()))
    for line, rule in zip(runs.lines, figure_module._COLOURS, strict=False):
        here = cases(data, rule)
        np.testing.assert_allclose(line.get_ydata(), (here["far"] / here["theory"]).median("instance"))
    scale = figure_module.scale(data)
    assert np.isnan(scale[0]) and scale[-1] == pytest.approx(np.exp(CONFIG.gammas[1]) / 2)
    plt.close(figure)
