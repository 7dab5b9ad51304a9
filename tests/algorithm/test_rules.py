"""Every rule is the update that is written down, and does what the papers say of it."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import hamtheory as ht
from tests.slow import slow

N, D, STEPS = 8, 20, 1000
PROBLEM = ht.sparse_regression(N, D, 2, seed=4)
X, Y = np.asarray(PROBLEM.X), np.asarray(PROBLEM.y)
START = np.random.default_rng(0).standard_normal(D)
BALANCED = np.sqrt(np.abs(START)), np.sign(START) * np.sqrt(np.abs(START))


def hyperbolic(theta, half, signs, g, eta, alpha, beta, clip=np.inf):
    return half * np.exp(np.clip(-eta * (alpha * signs * g + beta), -clip, clip))


def hyp(alpha, beta, **options):
    return lambda x, g, eta: hyperbolic(x, x - eta * g, np.sign(x), g, eta, alpha, beta, **options)


def ham_step(alpha, beta, **options):
    return lambda x, g, eta: hyperbolic(x, x - eta * g, np.sign(x - eta * g), g, eta, alpha, beta, **options)


def small_only(theta, g, eta):
    half = np.where(np.abs(theta) < 0.5, theta - eta * g, theta)
    return hyperbolic(theta, half, np.sign(half), g, eta, 3.0, 0.1)


class Remembers(NamedTuple):
    theta: np.ndarray
    memory: Any


def ham_around(direction, memory):
    """HAM around a base: the state is θ and what the base remembers."""

    def step(state, g, eta):
        p, memory = direction(state.memory, g)
        half = state.theta - eta * p
        return Remembers(hyperbolic(state.theta, half, np.sign(half), g, eta, 3.0, 0.1), memory)

    return Remembers(START, memory), step


def steepest(q):
    return ham_around(lambda memory, g: (np.sign(g) * np.abs(g) ** (q - 1), memory), None)


def adam(b1=0.9, b2=0.999, eps=1e-8):
    def direction(memory, g):
        mean, square, k = memory[0], memory[1], memory[2] + 1
        mean, square = b1 * mean + (1 - b1) * g, b2 * square + (1 - b2) * g**2
        return mean / (1 - b1**k) / (np.sqrt(square / (1 - b2**k)) + eps), (mean, square, k)

    return ham_around(direction, (0.0, 0.0, 0))


def momentum(mu):
    return ham_around(lambda memory, g: (mu * memory + g, mu * memory + g), 0.0)


def product(beta):
    def step(state, g, eta):
        m, w = state
        return m - eta * (w * g + 2 * beta * m), w - eta * (m * g + 2 * beta * w)

    return step


def imbalanced(theta, gamma):
    m = np.sqrt(np.sqrt(theta**2 + gamma**2) + gamma)
    return m, theta / m


@dataclasses.dataclass
class Dual:
    """A state of the linearized Bregman iteration, λ = 0.5 and δ = 2."""

    mu: np.ndarray


SHIFTED = Dual(0.5 * np.sign(START) + START / 2)

# The rule, its start in NumPy, its step in NumPy.
RULES = {
    "gd": (ht.GD(), START, lambda x, g, eta: x - eta * g),
    "exponentiated": (
        ht.Exponentiated(0.1),
        START,
        lambda x, g, eta: x * np.exp(-eta * (2 * np.sign(x) * g + 0.4)),
    ),
    "hyp": (ht.HYP(3.0, 0.1), START, hyp(3.0, 0.1)),
    "ham": (ht.HAMStep(3.0, 0.1), START, ham_step(3.0, 0.1)),
    "clipped": (ht.HAMStep(30.0, 0.1, clip=0.01), START, ham_step(30.0, 0.1, clip=0.01)),
    "hyperbolic step alone": (
        ht.HYP(3.0, 0.1, gradient_below=0.0),
        START,
        lambda x, g, eta: hyperbolic(x, x, np.sign(x), g, eta, 3.0, 0.1),
    ),
    "steepest": (ht.algorithm.SteepestDescent(1.5), START, lambda x, g, eta: x - eta * np.sign(g) * np.sqrt(np.abs(g))),
    "ham around sign": (ht.HAMStep(3.0, 0.1, base=ht.algorithm.SteepestDescent(1.0)), *steepest(1.0)),
    "ham around steepest": (ht.HAMStep(3.0, 0.1, base=ht.algorithm.SteepestDescent(1.3)), *steepest(1.3)),
    "ham around adam": (ht.HAMStep(3.0, 0.1, base=optax.adam(1.0)), *adam()),
    "ham around momentum": (ht.HAMStep(3.0, 0.1, base=optax.sgd(1.0, momentum=0.9)), *momentum(0.9)),
    "gradient step of small weights": (ht.HAMStep(3.0, 0.1, gradient_below=0.5), START, small_only),
    "bregman": (ht.LinearizedBregmanStep(0.5, 2.0), SHIFTED, lambda x, g, eta: Dual(x.mu - eta * g)),
    "balanced product": (ht.ProductGD(0.1), BALANCED, product(0.1)),
    "imbalanced product": (ht.ProductGD(0.1, gamma=0.3), imbalanced(START, 0.3), product(0.1)),
    "product of factors": (
        ht.ProductGD(0.1, m0=np.linspace(-1, 1, D), w0=np.linspace(2, 1, D)),
        (np.linspace(-1, 1, D), np.linspace(2, 1, D)),
        product(0.1),
    ),
}


def theta_of(state):
    if isinstance(state, Remembers):
        return state.theta
    if isinstance(state, Dual):
        return 2.0 * np.sign(state.mu) * np.maximum(np.abs(state.mu) - 0.5, 0)
    return state[0] * state[1] if isinstance(state, tuple) else state


def by_numpy(state, step, eta, batches=None, noise=None):
    """All iterates; `batches` and `noise`: of every step."""
    thetas = [theta_of(state)]
    for k in range(STEPS):
        rows = slice(None) if batches is None else batches[k]
        labels = Y[rows] if noise is None else Y[rows] + noise[k]
        g = X[rows].T @ (X[rows] @ theta_of(state) - labels) / len(labels)
        state = step(state, g, eta)
        thetas.append(theta_of(state))
    return np.array(thetas)


@pytest.mark.parametrize("rule", RULES)
def test_is_the_update_that_is_written_down(rule):
    algorithm, state, step = RULES[rule]
    start = None if rule == "product of factors" else START
    end = ht.run(PROBLEM, algorithm, start, learning_rate=0.01, steps=STEPS)
    expected = by_numpy(state, step, 0.01)
    assert np.abs(expected[-1] - expected[0]).max() > 0.1
    np.testing.assert_allclose(end.thetas, expected, rtol=0, atol=1e-10)
    np.testing.assert_allclose(end.loss, np.sum((expected @ X.T - Y) ** 2, axis=1) / (2 * N), rtol=0, atol=1e-10)
    np.testing.assert_array_equal(end.theta, end.thetas[-1])
    assert end.result == ht.Result.reached_end


@pytest.mark.parametrize("rule", [*slow("gd"), "ham", "imbalanced product"])
@pytest.mark.parametrize("replace", [True, False])
def test_with_the_same_mini_batches(rule, replace):
    algorithm, state, step = RULES[rule]
    key, b, std = jax.random.key(7), 3, 0.2
    batch_key, noise_key = jax.random.split(key)
    numbers = jnp.arange(STEPS)
    keys = jax.vmap(lambda k: jax.random.fold_in(batch_key, k))(numbers)
    if replace:
        batches = jax.vmap(lambda k: jax.random.randint(k, (b,), 0, N))(keys)
    else:
        orders = np.asarray(jax.vmap(lambda k: jax.random.permutation(k, N))(keys))  # of every epoch, and more
        batches = orders[:, : N // b * b].reshape(-1, b)[:STEPS]
        for epoch in (0, 9):
            assert len(set(batches[2 * epoch : 2 * epoch + 2].ravel())) == 6
    noise = std * jax.vmap(lambda k: jax.random.normal(jax.random.fold_in(noise_key, k), (b,)))(numbers)
    end = ht.run(
        PROBLEM,
        algorithm,
        START,
        learning_rate=0.01,
        steps=STEPS,
        batch_size=b,
        replace=replace,
        label_noise=std,
        key=key,
    )
    expected = by_numpy(state, step, 0.01, np.asarray(batches), np.asarray(noise))
    np.testing.assert_allclose(end.thetas, expected, rtol=0, atol=1e-10)


def test_label_noise_on_all_samples():
    _, noise_key = jax.random.split(jax.random.key(1))
    noise = jax.vmap(lambda k: jax.random.normal(jax.random.fold_in(noise_key, k), (N,)))(jnp.arange(STEPS))
    end = ht.run(PROBLEM, ht.GD(), START, learning_rate=0.01, steps=STEPS, label_noise=0.5, key=jax.random.key(1))
    expected = by_numpy(START, RULES["gd"][2], 0.01, noise=0.5 * np.asarray(noise))
    np.testing.assert_allclose(end.thetas, expected, rtol=0, atol=1e-10)


def test_start_of_the_product_has_the_imbalance_and_the_product_asked_for():
    theta0 = np.array([*START[:-1], 0.0])
    for gamma in (0.0, 1e-3, 2.0):
        end = ht.run(PROBLEM, ht.ProductGD(gamma=gamma), theta0, learning_rate=1e-3, steps=1)
        m, w = np.asarray(end.ms[0]), np.asarray(end.ws[0])
        np.testing.assert_allclose(m * w, theta0, rtol=1e-14)
        np.testing.assert_allclose((m**2 - w**2) / 2, np.full(D, gamma), atol=1e-14)
        np.testing.assert_array_equal(end.thetas, end.ms * end.ws)


def test_exponentiated_is_a_step_of_the_balanced_product_to_second_order():
    """HAM, Theorem 3.1."""
    rates = 2.0 ** -np.arange(4, 12)
    gaps = []
    for rate in rates:
        one, other = (
            ht.run(PROBLEM, rule, START, learning_rate=rate, steps=1).theta
            for rule in (ht.Exponentiated(0.1), ht.ProductGD(0.1))
        )
        gaps.append(float(jnp.abs(one - other).max()))
    slopes = np.diff(np.log(gaps)) / np.diff(np.log(rates))
    np.testing.assert_allclose(slopes[-3:], 2.0, atol=0.05)


def test_exponentiated_never_flips_a_sign_and_the_others_do():
    flips = {
        name: np.any(np.sign(ht.run(PROBLEM, rule, START, learning_rate=0.05, steps=3000).thetas) != np.sign(START))
        for name, rule in {"exp": ht.Exponentiated(0.01), "hyp": ht.HYP(5.0), "ham": ht.HAMStep(5.0)}.items()
    }
    assert flips == {"exp": False, "hyp": True, "ham": True}


def test_at_a_crossing_hyp_and_ham_differ_by_the_known_factor():
    """`exp(2ηα|g|)`, here 20.0855: the gradient at θ = 0.01 is 3, so that the gradient step ends at −0.02."""
    eta, alpha, g = 0.01, 50.0, 3.0
    problem = ht.LinearRegression([[1.0]], [0.01 - g])
    ends = [
        float(ht.run(problem, rule(alpha, 0.3), [0.01], learning_rate=eta, steps=1).theta[0])
        for rule in (ht.HYP, ht.HAMStep)
    ]
    assert max(ends) < 0
    assert abs(ends[1] / ends[0] - np.exp(2 * eta * alpha * g)) < 1e-10 * np.exp(2 * eta * alpha * g)
    assert round(float(np.exp(2 * eta * alpha * g)), 4) == 20.0855


def test_signs_of_zero_are_zero():
    """From zero HYP's first factor is `exp(−ηβ)`, and HYP* already has the sign of the gradient step."""
    g = X.T @ -Y / N
    hyp, ham = (ht.run(PROBLEM, rule(50.0, 0.3), learning_rate=0.01, steps=1).theta for rule in (ht.HYP, ht.HAMStep))
    np.testing.assert_allclose(hyp, -0.01 * g * np.exp(-0.003), rtol=1e-12)
    np.testing.assert_allclose(ham, -0.01 * g * np.exp(-0.01 * (-50 * np.abs(g) + 0.3)), rtol=1e-12)


def test_sign_in_resets_to_the_published_imbalance():
    """m² − w² = 1, if nothing else is asked for [gadhikar2025signin]; twice γ."""
    end = ht.run(PROBLEM, ht.ProductGD(gamma=0.2, reset_every=3), START, learning_rate=0.01, steps=3)
    imbalance = np.abs(np.asarray(end.ms) ** 2 - np.asarray(end.ws) ** 2)
    np.testing.assert_allclose(imbalance[[0, 3]], np.broadcast_to([[0.4], [1.0]], (2, len(START))), rtol=1e-12)


def test_sign_in_resets_the_imbalance_at_the_same_theta():
    every, gamma = 5, 0.4
    end = ht.run(
        PROBLEM,
        ht.ProductGD(0.1, gamma=1e-3, reset_every=every, reset_gamma=gamma),
        START,
        learning_rate=0.01,
        steps=50,
    )
    m, w = np.asarray(end.ms), np.asarray(end.ws)
    imbalance = np.abs(m**2 - w**2) / 2
    resets = np.arange(every, 51, every)
    np.testing.assert_allclose(imbalance[resets], gamma, rtol=1e-13)
    others = np.setdiff1d(np.arange(1, 51), resets)
    assert np.abs(imbalance[others] - gamma).max(axis=1).min() > 1e-4  # weight decay shrinks it
    for k in range(50):  # each step is that of gradient descent, whatever the factors are replaced by
        g = X.T @ (X @ (m[k] * w[k]) - Y) / N
        new_m, new_w = product(0.1)((m[k], w[k]), g, 0.01)
        np.testing.assert_allclose(m[k + 1] * w[k + 1], new_m * new_w, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name, around", [("adam", 1.0), ("momentum", 1.0), ("sign", 1.0)])
def test_ham_around_a_base_is_that_of_optax(name, around):
    """`ht.optim.ham` around the same optimizer, bit for bit but for the order of a sum."""
    bases = {
        "adam": optax.adam,
        "momentum": lambda rate: optax.sgd(rate, momentum=0.9),
        "sign": lambda rate: ht.optim.steepest(rate, q=1.0),
    }
    end = ht.run(PROBLEM, ht.HAMStep(3.0, 0.1, clip=0.02, base=bases[name](1.0)), START, learning_rate=0.01, steps=200)
    rule = ht.optim.ham(bases[name](0.01), 0.01, alpha=3.0, beta=0.1, where=True, clip=0.02)
    with jax.numpy_dtype_promotion("standard"):
        theta = jnp.asarray(START)
        state = rule.init(theta)
        for _ in range(200):
            updates, state = rule.update(jnp.asarray(X).T @ (jnp.asarray(X) @ theta - Y) / N, state, theta)
            theta = theta + updates
    np.testing.assert_allclose(end.theta, theta, rtol=0, atol=1e-12)


@pytest.mark.parametrize("q", [1.0, 1.5, 2.0])
def test_the_order_of_the_two_half_steps_counts_at_second_order(q):
    """By `α sign(θ)|g|^q η²`: the base first, as published, ends farther from zero than the factor first."""
    alpha, gaps, rates = 3.0, [], 2.0 ** -np.arange(8, 14)
    g = X.T @ (X @ START - Y) / N
    leading = alpha * np.sign(START) * np.abs(g) ** q
    for rate in rates:
        rule = ht.HYP(alpha, base=ht.algorithm.SteepestDescent(q))
        first = np.asarray(ht.run(PROBLEM, rule, START, learning_rate=rate, steps=1).theta)
        other = START * np.exp(-rate * alpha * np.sign(START) * g) - rate * np.sign(g) * np.abs(g) ** (q - 1)
        gaps.append(np.abs((first - other) / rate**2 - leading).max())
    np.testing.assert_allclose(np.diff(np.log(gaps)) / np.diff(np.log(rates)), 1.0, atol=0.05)


@pytest.mark.parametrize("q", [1.2, 1.5, 1.8])
def test_steepest_descent_ends_in_its_cycle(q):
    h, eta = 3.0, 0.01
    problem = ht.LinearRegression([[np.sqrt(h)]], [0.0])
    end = ht.run(problem, ht.algorithm.SteepestDescent(q), [1.0], learning_rate=eta, steps=4000)
    radius = (eta * h ** (q - 1) / 2) ** (1 / (2 - q))
    np.testing.assert_allclose(np.abs(end.thetas[-2:, 0]), radius, rtol=1e-9)
    assert end.thetas[-1, 0] * end.thetas[-2, 0] < 0
