"""F41: the linearized Bregman iteration and HAM find the support alike; one is then at the least L1 norm, exactly."""

import numpy as np
import pytest

import hamtheory as ht
from experiments import bregman

from .scales import every_scale

pytestmark = pytest.mark.slow  # 3000 steps of many runs

CONFIG = bregman.Config.smoke()
CLEAN, NOISY = 0, 1
BREGMAN, HAM = 0, 1


@pytest.fixture(scope="module")
def small():
    return bregman.run(CONFIG)


data = every_scale(bregman, "bregman", small="small")


def medians(data):
    """Steps to the support, (noises, rules, places); infinite where half of the problems have none."""
    return data["found"].fillna(np.inf).median("instance").transpose("noise", "rule", "place").values


def test_every_case_is_certified(data):
    assert (data["status"] == 0).all()
    assert all(variable.attrs["long_name"] for variable in data.data_vars.values())


def test_for_good_is_from_the_last_time_on():
    steps = np.array([0, 1, 2, 5, 9])
    found = np.array([[1, 1, 1, 1, 1], [0, 1, 0, 1, 1], [0, 0, 0, 0, 1], [1, 1, 1, 1, 0], [0, 0, 0, 0, 0]], bool)
    np.testing.assert_array_equal(bregman.for_good(found, steps), [0, 5, 9, np.nan, np.nan])


def test_the_runs_are_those_of_a_plain_loop(small):
    """One problem, λδ = 3, by NumPy."""
    problem, steps = ht.sparse_regression(CONFIG.n, CONFIG.d, CONFIG.k, seed=CONFIG.seed), small["step"].values
    theta = ht.solve_limit(problem, ht.LinearizedBregman(3.0)).theta
    on = problem.X[:, theta != 0]
    rate = CONFIG.fraction * 2 * CONFIG.n / np.linalg.norm(on, 2) ** 2
    mu, norms = np.zeros(CONFIG.d), []
    for _ in range(CONFIG.steps + 1):
        theta = np.sign(mu) * np.maximum(np.abs(mu) - 3.0, 0)
        norms.append(np.abs(theta).sum())
        mu = mu - rate * problem.X.T @ (problem.X @ theta - problem.y) / CONFIG.n
    excess = np.array(norms)[steps] / np.abs(ht.basis_pursuit(problem)).sum() - 1
    place = CONFIG.strengths.index(3.0)
    found = small["excess"].isel(noise=CLEAN, instance=0, rule=BREGMAN, place=place)
    np.testing.assert_allclose(found, excess, atol=1e-10)


@pytest.mark.claim("bregman.a-dozen-steps")
def test_at_its_best_parameter_either_finds_the_support_in_a_dozen_steps(data):
    best = medians(data).min(axis=-1)
    assert np.all(best <= 12) and np.all(np.abs(best[:, BREGMAN] - best[:, HAM]) <= 3)


@pytest.mark.claim("bregman.proportional")
def test_steps_grow_like_lambda_and_like_the_logarithm_of_alpha(data):
    steps = medians(data)
    first, last = CONFIG.strengths.index(10.0), CONFIG.strengths.index(100.0)
    np.testing.assert_allclose(steps[:, BREGMAN, last] / steps[:, BREGMAN, first], 10, rtol=0.1)
    per_decade = np.diff(steps[:, HAM, CONFIG.alphas.index(1e2) :])
    assert np.all((per_decade > 2.5) & (per_decade < 7))


@pytest.mark.claim("bregman.exactly-there", "yin.exact")
def test_above_the_threshold_the_iteration_is_at_the_least_norm(data):
    excess, place = abs(data["excess"].isel(noise=CLEAN, step=-1)), CONFIG.strengths.index(3.0)
    assert (data["threshold"].isel(noise=CLEAN) < 3).all()
    assert (excess.isel(rule=BREGMAN, place=place) < 1e-11).all()
    below = excess.isel(rule=BREGMAN, place=CONFIG.strengths.index(0.1))
    assert (data["threshold"].isel(noise=CLEAN) > 0.1).all() and (below > 0.1).all()
    assert (excess.isel(rule=HAM).median("instance") > 1e-3).all()


@pytest.mark.claim("bregman.pattern")
def test_with_noise_the_pattern_is_seen_by_one_of_them_and_kept_by_none(data):
    share = data["pattern_ever"].isel(noise=NOISY).mean("instance")
    assert (share.isel(rule=HAM) < 0.2).all()
    assert 0.35 <= share.isel(rule=BREGMAN).max() <= 0.65
    assert data["pattern"].isel(noise=NOISY).isnull().all()


@pytest.mark.claim("bregman.noisy-threshold")
def test_with_noise_the_threshold_is_far_away(data):
    threshold = data["threshold"].median("instance")
    assert threshold[NOISY] > 10 * threshold[CLEAN]
    assert (abs(data["excess"].isel(noise=NOISY, step=-1)).median("instance") > 1e-3).all()
    margins = {}
    for noise in CONFIG.noises:
        found = [
            ht.exact_threshold(ht.sparse_regression(CONFIG.n, CONFIG.d, CONFIG.k, seed=seed, noise=noise))
            for seed in range(5)
        ]
        margins[noise] = np.median([one.margin for one in found])
        assert all(np.count_nonzero(one.theta) == (CONFIG.n if noise else CONFIG.k) for one in found)
    assert margins[CONFIG.noises[NOISY]] < 0.1 * margins[0.0]


def test_figure(small):
    import matplotlib.pyplot as plt

    from figures import bregman as figure_module

    figure = figure_module.draw(small)
    steps = figure.axes[0].lines[0].get_ydata()
    wanted = figure_module.quartiles(small["found"].isel(rule=BREGMAN, noise=CLEAN).transpose("instance", "place"))[1]
    np.testing.assert_allclose(steps, np.where(np.isfinite(wanted), wanted, np.nan))
    assert len(figure.axes) == 6 and all(ax.get_ylabel() for ax in figure.axes[::3])
    plt.close(figure)
