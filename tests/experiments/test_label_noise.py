"""E5: label noise drives HAM's discretisations apart, as the slow flow of theory says."""

import numpy as np
import pytest
import scipy.optimize

import hamtheory as ht
from experiments import label_noise
from figures import label_noise as figure_module

from .scales import every_scale

pytestmark = pytest.mark.slow  # compilations

CONFIG = label_noise.Config.smoke()


@pytest.fixture(scope="module")
def data():
    return label_noise.run(CONFIG)


stored = every_scale(label_noise, "label_noise")


def mean(data, name, rule):
    return data[name].sel(rule=rule).mean("draw")


def test_every_case_is_certified(data):
    assert (data["status"] == 0).all()
    for name, variable in data.data_vars.items():
        assert variable.attrs["long_name"], name
        assert np.isfinite(variable).all(), name


@pytest.mark.claim("flow.dual-coordinates")
def test_gradient_descent_stays(data):
    np.testing.assert_allclose(data["l1"].sel(rule="GD").std("draw"), 0, atol=1e-8)
    for i, problem in enumerate(data["problem"].values):
        least = np.abs(ht.min_norm(ht.sparse_regression(CONFIG.n, CONFIG.d, CONFIG.k, seed=int(problem)))).sum()
        np.testing.assert_allclose(data["l1"].sel(rule="GD")[i], least, rtol=1e-8)


@pytest.mark.claim("label_noise.slow-flow")
def test_the_slow_flow_is_followed(data):
    """Without a free parameter, up to chance, the first steps, and second order in the learning rate."""
    for rule, within in (("m*w", 0.01), ("HYP*", 0.05), ("natural gradient", 0.05)):
        measured, theory = mean(data, "l1", rule), data["l1_theory"].sel(rule=rule)
        assert (abs(measured / theory - 1) < within).all(), rule


@pytest.mark.claim("ham.ito-drift")
def test_where_they_go(data):
    """HAM as published ascends the sum of logarithms, the natural gradient descends the weighted L1 norm."""
    for values in (data["spread_theory"].sel(rule="HYP*"), mean(data, "spread", "HYP*")):
        assert (values.diff("step") > 0).all()
    natural = data["weighted_l1_theory"].sel(rule="natural gradient")
    assert (natural.diff("step") < 1e-2 * natural.isel(step=0)).all()
    ends = {
        rule: mean(data, "l1", rule).isel(step=-1) / data["flow_l1"].sel(rule=rule)
        for rule in ("m*w", "HYP*", "natural gradient")
    }
    assert (ends["HYP*"] > 1.1).all() and (ends["m*w"] < 1).all() and (ends["natural gradient"] < 0.9).all()


@pytest.mark.claim("ham.ito-drift")
def test_it_is_a_gradient_flow(data):
    """The rate of the sum of logarithms along the slow flow of HYP* is the squared length of its velocity: positive."""
    problem = ht.sparse_regression(CONFIG.n, CONFIG.d, CONFIG.k, seed=0)
    problem = ht.LinearRegression(problem.X, problem.y)
    weights = np.mean(np.square(np.asarray(problem.X)), axis=0)
    times = np.array([1e-3, 1e-3 + 1e-6])
    thetas, codes = label_noise._slow(CONFIG, problem, ht.HAMStep(CONFIG.alpha), times, weights)
    assert (np.asarray(codes) == 0).all()
    velocity = np.asarray(thetas[1] - thetas[0]) / 1e-6
    metric = 1 / (1 + CONFIG.alpha * np.abs(np.asarray(thetas[0])))
    rate = np.diff(np.log1p(CONFIG.alpha * np.abs(np.asarray(thetas))) @ weights)[0] / 1e-6
    np.testing.assert_allclose(rate, 2 * velocity**2 @ metric, rtol=1e-3)


def direction(X, signs):
    """Along which |θ| of these signs grows for ever and Xθ is what it was; None if there is none."""
    found = scipy.optimize.linprog(-np.ones(len(signs)), A_eq=X * signs, b_eq=np.zeros(len(X)), bounds=(0, 1))
    return signs * found.x if found.fun < -1e-6 else None


def test_there_is_an_end_where_interpolators_of_these_signs_are_bounded():
    """The sum of logarithms is concave there: in the small problems the slow flow comes to rest."""
    times = np.geomspace(0.1, 1.0, len(label_noise.steps_of(CONFIG)))
    for seed in range(CONFIG.problems):
        made = ht.sparse_regression(CONFIG.n, CONFIG.d, CONFIG.k, seed=seed)
        X, rule = np.asarray(made.X), ht.HAMStep(CONFIG.alpha)
        weights = np.mean(np.square(X), axis=0)
        thetas, codes = label_noise._slow(CONFIG, ht.LinearRegression(X, made.y), rule, times, weights)
        slope = weights * np.asarray(rule.mirror_drift(thetas[-1]))
        assert not np.any(codes) and direction(X, np.sign(thetas[-1])) is None
        assert np.linalg.norm(slope - np.linalg.pinv(X) @ (X @ slope)) < 1e-3 * np.linalg.norm(slope)


def test_there_need_be_no_end():
    """With the signs of HAM's limit from zero, those of Xᵀν, they are bounded; with most others they are not."""
    full, rng = label_noise.Config(), np.random.default_rng(0)
    for seed in range(full.problems):
        problem = ht.sparse_regression(full.n, full.d, full.k, seed=seed)
        X, theta = np.asarray(problem.X), np.asarray(ht.solve_limit(problem, ht.HAM(full.alpha)).theta)
        assert direction(X, np.sign(theta)) is None
        grows, weights = direction(X, rng.choice([-1.0, 1.0], full.d)), np.mean(X**2, axis=0)
        sums = [np.log1p(full.alpha * np.abs(theta + far * grows)) @ weights for far in (1e3, 1e6, 1e9)]
        np.testing.assert_allclose(X @ grows, 0, atol=1e-9)
        assert np.diff(sums).min() > np.log(1e3) * weights.min()


@pytest.mark.full_size
@pytest.mark.claim("label_noise.chatter")
def test_the_end_of_the_natural_gradient(stored):
    """It comes to rest about 2 % above the least weighted L1 norm, where the signs of the small entries are random; so
    does the slow flow, with smaller steps: nearer to it."""
    run, theory = (
        (values / stored["least_weighted"] - 1).sel(rule="natural gradient")
        for values in (stored["weighted_l1"].mean("draw"), stored["weighted_l1_theory"])
    )
    before, end = run.isel(step=-2), run.isel(step=-1)
    assert ((end > 0.01) & (end < 0.035)).all()
    assert ((theory.isel(step=-1) > 0) & (theory.isel(step=-1) < end / 2)).all()
    settled = before < 0.035
    assert settled.any() and (end > 0.5 * before)[settled].all()


def test_figure_shows_the_means(data):
    axes = figure_module.draw(data).axes
    assert [ax.get_title(loc="left")[1] for ax in axes] == list("abcd")
    line = axes[0].lines[0]
    expected = mean(data, "l1", "GD").isel(problem=0) / data["least_l1"].isel(problem=0) - 1
    np.testing.assert_allclose(line.get_ydata(), expected)
