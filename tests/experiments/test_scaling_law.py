"""F16: how the best α scales."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import root
from scipy.stats import norm, spearmanr

import hamtheory as ht
from experiments import scaling_law, store
from experiments.scaling_law import ANSWERS, FACTORS, RULES, Setting

from .scales import every_scale

pytestmark = pytest.mark.slow  # a path and a limit to be compiled

CONFIG = scaling_law.Config(
    n=20,
    d=50,
    k=2,
    noise=1.0,
    ds=(),
    ns=(),
    ks=(1, 4),
    noises=(0.2, 2.0),
    instances=8,
    margins=6,
    places=3,
    resamples=100,
)
CENTRE = Setting("centre", 40, 100, 4, 1.5)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Computed by a run that is interrupted after its sweep, and by another that must find all of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "ROOT", tmp_path_factory.mktemp("out"))
        patch.setenv("TQDM_DISABLE", "1")
        with patch.context() as inner:
            inner.setattr(scaling_law, "state_evolution", _interrupt)
            with pytest.raises(KeyboardInterrupt):
                store.compute(scaling_law, "scaling_law", CONFIG)
        patch.setattr(ht.sweeps.Path, "compute", _interrupt)
        store.compute(scaling_law, "scaling_law", CONFIG)
        return store.load("scaling_law")


stored = every_scale(scaling_law, "scaling_law")


def _interrupt(*arguments):
    raise KeyboardInterrupt


@jax.jit
def _limits(X, y, logs):
    def one(log):
        limit = ht.solve_limit(ht.LinearRegression(X, y), ht.HAM(log_alpha=log), throw=False)
        return limit.theta, limit.result

    return jax.lax.map(one, logs)


def test_homogeneity_holds_to_rounding():
    """The limit for (X, c y) and α is c times that for (X, y) and c α."""
    problem = ht.sparse_regression(CONFIG.n, CONFIG.d, CONFIG.k, 0, CONFIG.noise)
    logs = jnp.linspace(-4.0, 20.0, 13)
    for c in (1e-3, 0.3, 7.0, 1e4):
        (ours, codes), (theirs, others) = (
            _limits(problem.X, c * problem.y, logs),
            _limits(problem.X, problem.y, logs + np.log(c)),
        )
        assert not codes.any() and not others.any()
        off = jnp.linalg.norm(ours - c * theirs, axis=1) / jnp.linalg.norm(ours, axis=1)
        # A perturbation of α by a rounding unit of ln α, which is at most 30, and of y by one.
        assert jnp.max(off) <= 100 * np.finfo(float).eps


def test_at_fixed_noise_the_best_alpha_rises_with_the_size_of_the_truth():
    """By state evolution: α* of c times θ* is that of θ* with noise/c, divided by c, as the homogeneity says."""
    logs, found = np.linspace(-6.0, 12.0, 37), []
    for c in (0.5, 0.75, 1.0, 1.25):
        theory = scaling_law.state_evolution(Setting("", CENTRE.n, CENTRE.d, CENTRE.k, CENTRE.noise / c), logs)
        found.append(scaling_law.best(logs, theory, 0.0, 12.0) - np.log(c))
    assert np.isfinite(found).all() and (np.diff(found) > 0.5).all()


def test_a_thousand_instances_none_of_them_twice():
    spec = scaling_law.specification(scaling_law.Config())
    seeds = [int(seed) for block in spec.problems for seed in block.seed_of(np.arange(len(block)))]
    assert len(set(seeds)) == len(seeds) == spec.instances >= 1000


def test_the_line_of_d_in_the_same_proportions():
    made = scaling_law.settings(scaling_law.Config())
    lines = {line: [s for s in made if s.line == line] for line in ("d", "proportion")}
    ratios = [[(s.n / s.d, s.k / s.d, s.noise**2 / s.n) for s in of] for of in lines.values()]
    np.testing.assert_allclose(ratios[1], ratios[0], rtol=1e-12)
    assert {s.d for s in lines["proportion"]} == {made[0].d}


def test_every_case_is_certified(data):
    assert (data["status"] == 0).all()
    assert data["residual"].max() <= CONFIG.tol
    assert np.isfinite(data["error"]).all()
    assert all(variable.attrs["long_name"] for variable in data.data_vars.values())
    assert data["status"].sizes == {"setting": 8, "instance": 8, "log_alpha": scaling_law.grid(CONFIG).size}


def test_best_is_the_vertex_of_a_parabola():
    logs = np.array([0.0, 0.5, 1.0, 2.0, 4.0, 8.0])
    for vertex in (0.4, 0.9, 1.7, 2.5):
        assert scaling_law.best(logs, 1 + (logs - vertex) ** 2, 1e-6, 8.0) == pytest.approx(vertex, abs=1e-13)


@pytest.mark.parametrize(
    "errors, expected",
    [
        ([3.0, 2.0, 1.0, 0.5], np.inf),
        ([0.5, 2.0, 1.0, 3.0], -np.inf),
        ([3.0, 1.0, 0.5, 0.5], np.inf),  # where the end is as good, it is the end
        ([3.0, 2.0, 0.5, 1.0], np.inf),  # beyond the last that counts
    ],
)
def test_best_at_an_end(errors, expected):
    assert scaling_law.best(np.arange(4.0), np.array(errors), 1e-6, 2.0) == expected


def test_needed_is_where_the_gain_is_made():
    logs = np.array([0.0, 1.0, 3.0, 4.0])
    assert scaling_law.needed(logs, np.array([11.0, 6.0, 1.0, 2.0]), 0.1) == pytest.approx(2.6, abs=1e-13)
    assert scaling_law.needed(logs, np.array([1.0, 6.0, 3.0, 2.0]), 0.1) == -np.inf


def test_the_best_is_a_minimum(data):
    """Limits solved anew: at the best α the error is below that at both neighbours of the grid's least."""
    own = data.isel(setting=0)
    logs, checked = data["log_alpha"].values, 0
    for i, best in enumerate(own["answer_log"].sel(answer="best").values):
        if not np.isfinite(best):
            continue
        problem = ht.sparse_regression(CONFIG.n, CONFIG.d, CONFIG.k, CONFIG.seed + i, CONFIG.noise)
        error = own["error"].values[i]
        least = int(np.argmin(error))
        at = jnp.asarray([best, logs[least - 1], logs[least], logs[least + 1]] + [0.0] * 9)  # compiled already
        thetas, codes = _limits(problem.X, problem.y, at)
        found = np.linalg.norm(np.asarray(thetas) - np.asarray(problem.theta_star), axis=1)
        assert not codes.any() and logs[least - 1] < best < logs[least + 1]
        np.testing.assert_allclose(found[1:4], error[least - 1 : least + 2], rtol=1e-8)
        assert found[0] < min(found[1], found[3])
        checked += 1
    assert checked >= CONFIG.instances // 2


def test_needed_is_never_above_best(data):
    best, needed = (data["answer_log"].sel(answer=answer) for answer in ANSWERS)
    assert (needed <= best).all()
    # An α that is within a tenth of the best one is so at the grid point above it too, or at the best.
    error = data["error"]
    level = error.min("log_alpha") + CONFIG.share * (error.isel(log_alpha=0) - error.min("log_alpha"))
    assert (error.where(data["log_alpha"] < needed, np.inf) > level).all()


def test_without_noise_infinity_is_best_where_basis_pursuit_recovers(data):
    recovered = data["margin"] > 0
    assert (data["noise"] == 0).where(np.isfinite(data["margin"]), True).all()
    assert recovered.sum() >= 12
    assert (data["answer_log"].sel(answer="best").where(recovered, np.inf) == np.inf).all()
    assert (data["error"].isel(log_alpha=-1).where(recovered & (data["margin"] > 0.1), 0.0) < 1e-6).all()


@pytest.mark.claim("scaling_law.margin")
def test_the_margin_tells_the_needed_alpha(data):
    margin, needed = data["margin"].values, data["answer_log"].sel(answer="needed").values
    known = margin > 0
    assert spearmanr(margin[known], needed[known]).statistic < -0.9
    assert data["margin_r2"] > 0.9
    # The rate itself: an error of α^(−m), between two α beyond its transient.
    log = data["log_alpha"].values
    for case in zip(*np.nonzero(margin > 0.3), strict=True):
        error = data["error"].values[case]
        a, b = np.searchsorted(log, [20.0, 24.0])
        if error[b] > 1e-8:
            assert -np.log(error[b] / error[a]) / (log[b] - log[a]) == pytest.approx(margin[case], rel=0.1)


def test_margin_law_of_exact_data():
    margin = np.array([[0.2, 0.5, -1.0], [0.8, 1.0, np.nan]])
    quartiles, explained = scaling_law.margin_law(margin, 3 / np.abs(margin))
    np.testing.assert_allclose(quartiles, 3.0)
    assert explained == pytest.approx(1.0, abs=1e-12)


def test_state_evolution_without_bias():
    """At α = 0 the prox is linear, and all of it can be written down. From there, the error changes by O(α)."""
    n, d, k, noise = CENTRE.n, CENTRE.d, CENTRE.k, CENTRE.noise
    expected = np.sqrt(((1 - n / d) ** 2 * k + noise**2) / (1 - n / d) - noise**2)
    found = scaling_law.state_evolution(CENTRE, np.array([-60.0, -10.0]))
    assert found[0] == pytest.approx(expected, rel=1e-10)
    assert abs(found[1] / expected - 1) < np.exp(-10.0)


def test_state_evolution_of_the_l1_end():
    """Soft thresholding, with integrals in closed form; the distance from it halves when ln α doubles."""
    n, d, k, noise = CENTRE.n, CENTRE.d, CENTRE.k, CENTRE.noise

    def parts(tau, threshold):
        z = np.linspace(-8, 8, 40_001)
        weights = norm.pdf(z) * (z[1] - z[0])
        soft = lambda v: np.sign(v) * np.maximum(np.abs(v) - threshold, 0)  # noqa: E731
        square = weights @ (k * (soft(1 + tau * z) - 1) ** 2 + (d - k) * soft(tau * z) ** 2)
        inside = norm.cdf((threshold - 1) / tau) - norm.cdf((-threshold - 1) / tau)
        return square, k * (1 - inside) + (d - k) * 2 * norm.cdf(-threshold / tau)

    def equations(unknown):
        square, freedom = parts(*np.exp(unknown))
        return [(noise**2 + square) / n / np.exp(2 * unknown[0]) - 1, freedom / n - 1]

    found = root(equations, np.log([0.4, 0.3]), tol=1e-12)
    assert found.success
    expected = np.sqrt(parts(*np.exp(found.x))[0])
    errors = scaling_law.state_evolution(CENTRE, np.array([0.0, 5.0, 10.0, 20.0, 100.0, 200.0]))
    off = errors[-2:] - expected
    assert abs(off[1] / expected) < 0.01
    assert off[0] / off[1] == pytest.approx(2, rel=0.1)


@pytest.mark.claim("scaling_law.proportions")
def test_state_evolution_knows_proportions_alone():
    logs = scaling_law.grid(CONFIG)
    first = scaling_law.state_evolution(CENTRE, logs)
    second = scaling_law.state_evolution(Setting("", 80, 200, 8, 1.5 * np.sqrt(2)), logs)
    np.testing.assert_allclose(second, np.sqrt(2) * first, rtol=1e-8)


@pytest.mark.claim("scaling_law.state-evolution")
def test_the_errors_concentrate_on_the_state_evolution(data):
    """Between the least and the largest of the instances, for nine in ten values of α."""
    error, theory = data["error"], data["theory_error"]
    known = data["log_alpha"] <= data.attrs["last"]
    between = (error.min("instance") <= theory) & (theory <= error.max("instance"))
    noisy = data["noise"] > 0
    assert between.where(known & noisy).mean() > 0.9


def test_quartiles_know_infinity():
    values = np.array([[1.0, 2.0, 3.0, 4.0, 5.0], [-np.inf, -np.inf, 1.0, np.inf, np.inf]])
    np.testing.assert_array_equal(scaling_law.quartiles(values).T, [[2, 3, 4], [-np.inf, 1, np.inf]])
    np.testing.assert_array_equal(scaling_law.quartiles(np.full(4, np.inf)), np.inf)


@pytest.mark.claim("scaling_law.misfit")
def test_fit_finds_a_power_law_and_its_misfit():
    truth, misfits = np.array([1.0, 2.0, -0.5]), []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        logs = rng.uniform(0, 2, (30, 2))
        design = np.column_stack([np.ones(30), logs])
        values = (design @ truth)[:, None] + 0.3 * rng.standard_normal((30, 40))
        result = scaling_law.fit(design, values, rng, 200)
        low, high = np.quantile(result["resampled"], [0.0005, 0.9995], axis=0)
        assert np.all((low < truth) & (truth < high)) and result["r2"] > 0.98
        misfits.append(result["misfit"])
        assert scaling_law.fit(design, values + logs[:, :1] ** 2, rng, 100)["misfit"] > 10
    # A chi squared of 27 degrees of freedom over 27, ten times.
    assert abs(np.mean(misfits) - 1) < 5 * np.sqrt(2 / 27 / 10)


def test_an_infinite_median_does_not_enter_the_fit():
    rng = np.random.default_rng(0)
    design = np.column_stack([np.ones(9), np.arange(9.0)])
    values = np.tile((design @ [1.0, 2.0])[:, None], (1, 5)) + rng.uniform(-1e-3, 1e-3, (9, 5))
    values[0] = np.inf
    np.testing.assert_allclose(scaling_law.fit(design, values, rng, 20)["coefficients"], [1.0, 2.0], atol=2e-3)


def test_power_laws_of_what_varies(data):
    exponent = data["exponent"]
    varies = np.array([[False, False, True, True], [False, False, True, False]])  # in the order of FACTORS
    assert (np.isfinite(exponent) == varies[:, :, None]).all()
    assert (exponent.sel(bound="low") <= exponent.sel(bound="high")).where(varies, True).all()
    # More spikes need a larger α without noise: the margin falls.
    assert exponent.sel(answer="needed", factor="k", bound="estimate") > 0
    assert exponent.sel(answer="best", factor="noise", bound="estimate") < 0
    assert (data["fitted"] <= np.isfinite(data["quartiles"].sel(quartile=0.5))).all()


def test_no_rule_is_better_than_the_best(data):
    regret = data["regret"]
    assert regret.min() >= 0
    ends = data["error"].isel(setting=data["noisy_setting"].values)
    for rule, place in (("L2 end", 0), ("L1 end", -1)):
        expected = ends.isel(log_alpha=place) / ends.min("log_alpha") - 1
        np.testing.assert_allclose(regret.sel(rule=rule), expected, rtol=0, atol=1e-14)


def line(stored, factor):
    """Settings with noise in which a factor varies, the centre among them, in its order."""
    alike = stored["line"].isin(["centre", factor]) & (stored["noise"] > 0)
    places = np.flatnonzero(alike)
    return places[np.argsort(stored[factor].values[places], kind="stable")]


@pytest.mark.full_size
@pytest.mark.claim("scaling_law.bend")
def test_medians_bend_away_from_the_power_law(stored):
    """In n and k that at the centre is above the chord of the ends; at the smallest noises it is infinite."""
    median = stored["quartiles"].sel(quartile=0.5, answer="best").values
    for factor in ("n", "k"):
        places = line(stored, factor)
        x, y = np.log(stored[factor].values[places]), median[places]
        middle = list(places).index(0)
        assert y[middle] > np.interp(x[middle], x[[0, -1]], y[[0, -1]]) + 1, factor
    places = line(stored, "noise")
    assert np.isposinf(median[places[:2]]).all() and np.isfinite(median[places[3:]]).all()
    for place in places[:2]:
        best = stored["answer_log"].sel(answer="best").isel(setting=place)
        assert float(np.mean(~(best <= stored.attrs["last"]))) >= 0.5


@pytest.mark.full_size
@pytest.mark.claim("scaling_law.overlap")
def test_quartiles_of_the_same_proportions_overlap(stored):
    for noisy in (True, False):
        places = [
            np.flatnonzero((stored["line"] == name) & ((stored["noise"] > 0) == noisy)) for name in ("d", "proportion")
        ]
        ratio = [stored["k"].values[place] / stored["d"].values[place] for place in places]
        assert len(ratio[0]) == len(ratio[1]) == 2
        for one in range(2):
            other = int(np.argmin(abs(ratio[1] - ratio[0][one])))
            answer = "best" if noisy else "needed"
            low, high = (
                [
                    stored["quartiles"].sel(quartile=q, answer=answer).values[p]
                    for p in (places[0][one], places[1][other])
                ]
                for q in (0.25, 0.75)
            )
            assert max(low) <= min(high)


def test_figure(data):
    import matplotlib.pyplot as plt

    from figures import scaling_law as figure_module

    figure = figure_module.draw(data)
    axes = figure.axes
    assert len(axes) == 9 and all(ax.get_xlabel() for ax in axes)
    # The medians against k, with noise: the centre is the second.
    markers = [line for line in axes[3].lines if line.get_marker() == "o"]
    np.testing.assert_allclose(markers[0].get_xdata(), [1, 2, 4])
    medians = data["quartiles"].sel(quartile=0.5, answer="best").isel(setting=[1, 0, 2])
    np.testing.assert_allclose(markers[0].get_ydata(), medians)
    # The state evolution.
    np.testing.assert_allclose(axes[3].lines[0].get_xdata(), data["theory_place"].sel(factor="k"))
    # The margins, and their law.
    known = (data["margin"] > 0).values
    np.testing.assert_allclose(axes[6].lines[0].get_xdata(), data["margin"].values[known])
    np.testing.assert_allclose(np.prod(axes[6].lines[1].get_data(), axis=0), data["margin_product"].sel(quartile=0.5))
    # Regrets at the centre and along the noise, one line a rule.
    lines = [line for line in axes[7].lines if len(line.get_xdata())]
    assert len(lines) == len(RULES)
    np.testing.assert_allclose(lines[0].get_xdata(), [0.2, 1.0, 2.0])
    assert axes[8].get_yticklabels()[0].get_text() == figure_module._NAMES[FACTORS[0]]
    plt.close(figure)
