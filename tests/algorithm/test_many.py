"""Many runs at once are the runs one by one."""

import jax
import numpy as np
import optax
import pytest

import hamtheory as ht

PROBLEM = ht.sparse_regression(6, 10, 2, seed=1)
OTHERS = [ht.sparse_regression(6, 10, 2, seed=seed) for seed in range(3)]
KEY = jax.random.key(7)
STARTS = np.random.default_rng(0).normal(size=(5, 10))
ALPHAS, RATES = np.geomspace(0.5, 20, 5), np.geomspace(1e-3, 1e-2, 5)
NOISE = {
    "exact": {},
    "replaced": {"batch_size": 2},
    "epochs": {"batch_size": 2, "replace": False},
    "labels": {"label_noise": 0.1},
    "both": {"batch_size": 3, "label_noise": 0.1},
}
ADAM = optax.adam(1.0)
RULES = {
    "gd": lambda instance: ht.GD(),
    "ham": lambda instance: ht.HAMStep(ALPHAS[instance], 0.1),
    "hyp": lambda instance: ht.HYP(ALPHAS[instance]),
    "around sign": lambda instance: ht.HAMStep(ALPHAS[instance], base=ht.algorithm.SteepestDescent()),
    "around adam": lambda instance: ht.HAMStep(ALPHAS[instance], base=ADAM),
    "product": lambda instance: ht.ProductGD(gamma=ALPHAS[instance], reset_every=7),
    "bregman": lambda instance: ht.LinearizedBregmanStep(0.1 * ALPHAS[instance], 2.0),
    "mirror": lambda instance: ht.algorithm.MirrorDescent(ht.HAM(ALPHAS[instance])),
    "natural": lambda instance: ht.algorithm.NaturalGradient(ht.Hypentropy(ALPHAS[instance])),
}
ALL = slice(None)


def loss_and_theta(problem, algorithm, theta, learning_rate):
    return problem.loss(theta), algorithm.theta(theta)


QUICK = ("ham", "around adam", "product", "mirror")
SOME = (("ham", "exact"), ("ham", "epochs"))
ALL_RULES = [
    pytest.param(
        rule, noise, marks=() if (noise == "both" and rule in QUICK) or (rule, noise) in SOME else pytest.mark.slow
    )
    for rule in RULES
    for noise in (NOISE if rule == "ham" else ("exact", "both"))
]


@pytest.mark.parametrize("rule, noise", ALL_RULES)
def test_every_instance_is_its_run(rule, noise):
    how = {"steps": 60, "save_every": 20, **NOISE[noise]}
    many = ht.run_many(PROBLEM, RULES[rule](ALL), STARTS, learning_rate=RATES, key=KEY, width=4, **how)
    for instance in (0, 4):
        key = jax.random.fold_in(KEY, instance)
        one = ht.run(PROBLEM, RULES[rule](instance), STARTS[instance], learning_rate=RATES[instance], key=key, **how)
        np.testing.assert_allclose(many.theta[instance], one.theta, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(many.loss[instance], one.loss, rtol=1e-11)
        np.testing.assert_allclose(many.residual[instance], one.residual, rtol=1e-11)
    assert many.steps.tolist() == [0, 20, 40, 60] and (many.stats["steps"] == 60).all()
    assert (many.result == ht.NAMES.index("reached_end")).all()


@pytest.mark.parametrize("width", [1, 2, 8])
def test_neighbours_do_not_matter(width):
    how = {"learning_rate": 0.01, "steps": 50, "width": width}
    many = ht.run_many(PROBLEM, ht.HAMStep(ALPHAS), STARTS, **how)
    some = ht.run_many(PROBLEM, ht.HAMStep(ALPHAS[[3, 1]]), STARTS[[3, 1]], **how)
    assert many.theta[[3, 1]].tobytes() == some.theta.tobytes()


@pytest.mark.parametrize("share", [None, False])
def test_each_has_its_problem(share):
    which = [2, 0, 1, 0]
    problems = OTHERS if share is None else OTHERS[:1]
    which = which if share is None else [0, 0, 0, 0]
    many = ht.run_many(problems, ht.GD(), STARTS[:4], which=which, share=share, learning_rate=0.05, steps=30)
    for instance, place in enumerate(which):
        one = ht.run(problems[place], ht.GD(), STARTS[instance], learning_rate=0.05, steps=30, save_every=30)
        np.testing.assert_allclose(many.theta[instance], one.theta, rtol=1e-12)


def test_instances_end_on_their_own():
    """One converges early and stays there, one at a later save, one not at all, one leaves the range of numbers."""
    rates = np.array([0.5, 0.05, 1e-4, 1e3])
    many = ht.run_many(PROBLEM, ht.GD(), learning_rate=rates, steps=4000, tol=1e-6, save_every=100)
    names = [ht.NAMES[code] for code in many.result]
    assert names == ["converged", "converged", "reached_end", "nonfinite"]
    for instance, rate in enumerate(rates[:3]):
        one = ht.run(PROBLEM, ht.GD(), learning_rate=rate, steps=4000, tol=1e-6, save_every=100)
        assert many.stats["steps"][instance] == one.stats["steps"]
        np.testing.assert_allclose(many.theta[instance], one.theta, rtol=1e-12)
        saved = len(one.loss)
        # A residual of 1e-8 is rounded by 1e-16.
        np.testing.assert_allclose(many.loss[instance, :saved], one.loss, rtol=1e-10, atol=1e-23)
        assert (many.loss[instance, saved:] == many.loss[instance, saved - 1]).all()
    failed = ht.run(PROBLEM, ht.GD(), learning_rate=rates[3], steps=4000, save_every=100, throw=False)
    assert many.stats["steps"][3] - 100 < failed.stats["nonfinite_step"] <= many.stats["steps"][3]


def test_an_exact_interpolator_is_no_end():
    problem = ht.LinearRegression([[1.0, 2.0]], [3.0])
    how = {"learning_rate": 0.01, "steps": 5, "label_noise": 1.0, "key": KEY}
    many = ht.run_many(problem, ht.GD(), np.ones((1, 2)), **how)
    assert ht.NAMES[many.result[0]] == "reached_end" and many.stats["steps"][0] == 5
    assert np.abs(many.theta - 1).min() > 0


def test_integrals():
    """`Σ η φ(θ_k)` over the steps before each save, by hand."""
    one = ht.run(PROBLEM, ht.HAMStep(5.0), learning_rate=0.01, steps=40, integrand=loss_and_theta)
    sums = 0.01 * np.cumsum(np.asarray(one.loss)[:-1])
    np.testing.assert_allclose(one.integral[0], np.append(0, sums), rtol=1e-12)
    thetas = 0.01 * np.cumsum(np.asarray(one.thetas)[:-1], axis=0)
    np.testing.assert_allclose(one.integral[1][1:], thetas, rtol=1e-12, atol=1e-15)
    many = ht.run_many(PROBLEM, ht.HAMStep([5.0, 2.0]), learning_rate=0.01, steps=40, integrand=loss_and_theta)
    np.testing.assert_allclose(many.integral[0][0], sums[-1], rtol=1e-12)
    np.testing.assert_allclose(many.integral[1][0], thetas[-1], rtol=1e-12, atol=1e-15)


def test_schedule():
    schedule = lambda k: 0.01 / (1 + 0.1 * k)  # noqa: E731
    many = ht.run_many(PROBLEM, ht.HAMStep(ALPHAS), learning_rate=schedule, steps=30)
    one = ht.run(PROBLEM, ht.HAMStep(ALPHAS[2]), learning_rate=schedule, steps=30)
    np.testing.assert_allclose(many.theta[2], one.theta, rtol=1e-12)


def test_mirror_descent_keeps_the_bias():
    """R′(θ) stays in the row space, whatever the step and the mini-batches: the limit is the flow's."""
    geo = ht.HAM(10.0)
    rule = ht.algorithm.MirrorDescent(geo)
    end = ht.run(PROBLEM, rule, learning_rate=0.02, steps=20_000, batch_size=1, key=KEY, save_every=20_000, tol=1e-12)
    np.testing.assert_allclose(end.theta, ht.solve_limit(PROBLEM, geo, tol=1e-13).theta, atol=1e-11)


@pytest.mark.parametrize(
    "change, error, words",
    [
        ({"algorithm": "ham"}, TypeError, "algorithm must be"),
        ({"learning_rate": [0.1, -0.1]}, ValueError, "learning_rate must be positive"),
        ({"learning_rate": [0.1, 0.2, 0.3]}, ValueError, "numbers of instances disagree"),
        ({"learning_rate": [[0.1]]}, ValueError, "learning_rate must be a number or"),
        ({"steps": 0}, ValueError, "steps must be at least 1"),
        ({"batch_size": 1}, ValueError, "key must be given"),
        ({"batch_size": 7, "key": KEY}, ValueError, "batch_size must be at most the 6"),
        ({"key": KEY, "keys": jax.random.split(KEY, 2)}, ValueError, "either key or keys"),
        ({"integrand": 3.0}, TypeError, "integrand must be a function"),
        ({"width": 0}, ValueError, "width must be at least 1"),
        ({"theta0s": np.full((2, 10), np.nan)}, ValueError, "theta0s must be finite"),
        ({"problems": []}, ValueError, "problems must hold at least one"),
        ({"problems": OTHERS}, ValueError, "which must say"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_bad_input(change, error, words):
    how = {"problems": PROBLEM, "algorithm": ht.HAMStep([1.0, 2.0]), "learning_rate": 0.01, "steps": 3}
    with pytest.raises(error, match=words):
        ht.run_many(**how | change)


@pytest.mark.parametrize("rule", [ht.algorithm.MirrorDescent, ht.algorithm.NaturalGradient])
@pytest.mark.usefixtures("unchecked")
def test_geometric_rules_need_a_geometry(rule):
    with pytest.raises(TypeError, match="geometry must be one such as"):
        rule(3.0)
