"""Runs on classes: steps by hand, mini-batches, and the direction that they end in."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hamtheory as ht

N, D, RATE = 9, 5, 0.1
PROBLEM = ht.sparse_classification(N, D, 2, seed=4)
START = np.random.default_rng(0).standard_normal(D)


def gradient(theta, rows=slice(None), loss="logistic"):
    X, z = PROBLEM.X[rows], PROBLEM.z[rows]
    margins = z * (X @ theta)
    slope = 1 / (1 + np.exp(margins)) if loss == "logistic" else np.exp(-margins)
    return -(slope * z) @ X / len(z)


def by_hand(name, theta, g):
    sign = np.sign(theta)
    half = theta - RATE * g
    return {
        "gd": half,
        "exponentiated": theta * np.exp(-2 * RATE * sign * g),
        "hyp": half * np.exp(-2 * RATE * sign * g),
        "ham": half * np.exp(-2 * RATE * np.sign(half) * g),
        "product": (np.sqrt(np.abs(theta)) * sign - RATE * np.sqrt(np.abs(theta)) * g)
        * (np.sqrt(np.abs(theta)) - RATE * sign * np.sqrt(np.abs(theta)) * g),
    }[name]


RULES = {
    "gd": ht.GD(),
    "exponentiated": ht.Exponentiated(),
    "hyp": ht.HYP(2.0),
    "ham": ht.HAMStep(2.0),
    "product": ht.ProductGD(),
}


@pytest.mark.parametrize("loss", ["logistic", "exponential"])
@pytest.mark.parametrize("rule", RULES)
def test_one_step_by_hand(rule, loss):
    problem = ht.BinaryClassification(PROBLEM.X, PROBLEM.z, loss)
    found = ht.run(problem, RULES[rule], START, learning_rate=RATE, steps=1)
    np.testing.assert_allclose(found.theta, by_hand(rule, START, gradient(START, loss=loss)), rtol=1e-12)
    np.testing.assert_allclose(found.loss, problem.loss(found.thetas), rtol=1e-12)
    assert found.residual is None and found.result == ht.Result.reached_end and isinstance(found.theta, np.ndarray)


@pytest.mark.parametrize("rule", RULES)
def test_mini_batches_by_hand(rule):
    key = jax.random.key(5)
    found = ht.run(PROBLEM, RULES[rule], START, learning_rate=RATE, steps=1, batch_size=4, key=key)
    draws = jax.random.fold_in(jax.random.split(key)[0], 0)
    rows = np.asarray(jax.random.randint(draws, (4,), 0, N))
    np.testing.assert_allclose(found.theta, by_hand(rule, START, gradient(START, rows)), rtol=1e-12)


def test_an_epoch_without_replacement_sees_every_sample_once():
    small = 1e-7  # θ hardly moves, so that the steps of an epoch add up to the gradient of all samples
    found = ht.run(PROBLEM, ht.GD(), learning_rate=small, steps=3, batch_size=3, replace=False, key=jax.random.key(1))
    np.testing.assert_allclose(found.theta / small / 3, -gradient(np.zeros(D)), rtol=1e-5)


def rising(step):
    """Steps of a fiftieth of the time until then: e^−L falls as fast as a stable rate lets it."""
    return 0.02 * 1.02**step


@pytest.mark.parametrize("name", ["gd", "ham", "product"])
def test_the_direction_is_that_of_the_flow_and_comes_to_the_largest_margin(name):
    problem = ht.sparse_classification(8, 6, 2, seed=1)
    rule = ht.ProductGD(gamma=0.1) if name == "product" else RULES[name]
    found = ht.run(problem, rule, learning_rate=rising, steps=20_000, save_every=5_000)
    geo = rule.of_flow()
    best, horizon = ht.solve_margin(problem, geo), geo.horizon()
    missing = 1 - ht.metrics.margin(problem, found.thetas[1:], horizon.rho) / best.margin
    level = float(problem.log_loss(found.theta))
    assert level < -200 and (np.diff(missing) < 0).all() and missing[-1] > -1e-12
    if name == "gd":  # like 1/(−ln L); in ℓ1 more slowly
        levels = problem.log_loss(found.thetas[1:])
        assert missing[-1] < 1.2 * missing[0] * levels[0] / levels[-1]
        np.testing.assert_allclose(found.theta / np.linalg.norm(found.theta), best.theta, atol=0.05)
    flow = ht.solve_flow(problem, geo, log_loss=level).theta
    # Of first order in the steps, which are a fiftieth of the time.
    np.testing.assert_allclose(found.theta / horizon.gauge(found.theta), flow / horizon.gauge(flow), atol=0.02)


def test_runs_side_by_side_and_their_derivative():
    with jax.enable_x64(True):
        problem = jax.tree.map(jnp.asarray, PROBLEM)
        go = jax.jit(lambda rate: ht.run(problem, ht.GD(), learning_rate=rate, steps=5).theta)
        rates = jnp.array([0.1, 0.2])
        many = jax.vmap(go)(rates)
        np.testing.assert_allclose(many[1], ht.run(PROBLEM, ht.GD(), learning_rate=0.2, steps=5).theta, rtol=1e-12)
        slope = jax.jacfwd(go)(rates[0])
        np.testing.assert_allclose(slope, (go(0.1 + 1e-6) - go(0.1 - 1e-6)) / 2e-6, rtol=1e-7)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"tol": 1e-6}, "tol must be left out for a classification"),
        ({"label_noise": 0.1, "key": jax.random.key(0)}, "label_noise must be 0 for a classification"),
        ({"batch_size": 10, "key": jax.random.key(0)}, "batch_size must be at most the 9 samples"),
    ],
)
def test_what_is_for_regressions(options, message):
    with pytest.raises(ValueError, match=message):
        ht.run(PROBLEM, ht.GD(), learning_rate=0.1, steps=2, **options)


def test_many_runs_are_those_of_one_each():
    other = ht.sparse_classification(N, D, 2, seed=5)
    many = ht.run_many([PROBLEM, other], ht.HAMStep([1.0, 2.0]), which=[0, 1], learning_rate=RATE, steps=7)
    assert many.residual is None and many.result.tolist() == [ht.NAMES.index("reached_end")] * 2
    for i, problem in enumerate((PROBLEM, other)):
        one = ht.run(problem, ht.HAMStep(1.0 + i), learning_rate=RATE, steps=7)
        np.testing.assert_allclose(many.theta[i], one.theta, rtol=1e-12)
        np.testing.assert_allclose(many.loss[i, -1], one.loss[-1], rtol=1e-12)


def test_many_runs_are_of_one_kind_and_loss():
    exponential = ht.BinaryClassification(PROBLEM.X, PROBLEM.z, "exponential")
    for other in (exponential, ht.sparse_regression(N, D, 2)):
        with pytest.raises(ValueError, match="problems must be of one kind and loss"):
            ht.run_many([PROBLEM, other], ht.GD(), which=[0, 1], learning_rate=RATE, steps=2)
    with pytest.raises(ValueError, match="tol must be left out for a classification"):
        ht.run_many(PROBLEM, ht.GD(), learning_rate=RATE, steps=2, tol=1e-3)
