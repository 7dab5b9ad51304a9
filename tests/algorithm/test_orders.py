"""Every rule is a first-order integrator of its flow, and its stability ends where linearisation says."""

import functools
from typing import NamedTuple

import numpy as np
import optax
import pytest
from scipy.integrate import solve_ivp

import hamtheory as ht
from tests.slow import others_slow

PROBLEM = ht.sparse_regression(6, 10, 2, seed=1)
START = np.linspace(1.0, 2.0, 10)  # away from zero, where HAM's metric has a kink
END, BETA, GAMMA = 0.2, 0.1, 0.3  # before any coordinate gets there
HALVINGS = 2.0 ** -np.arange(5)
TIGHT = {"rtol": 1e-12, "atol": 1e-14}


class Solved(NamedTuple):
    thetas: np.ndarray


def by_scipy(power, alpha=0.0):
    """The flow `dθ = −(sign(g) p(|g|) + α|θ| g + βθ) dt`, of which the library has no text, for a smooth p."""
    X, y = np.asarray(PROBLEM.X), np.asarray(PROBLEM.y)

    def field(_, theta):
        g = X.T @ (X @ theta - y) / PROBLEM.n
        return -(np.sign(g) * power(np.abs(g)) + alpha * np.abs(theta) * g + (BETA * theta if alpha else 0))

    def solve(ts, rtol, atol):
        return Solved(solve_ivp(field, (0, ts[-1]), START, "DOP853", ts, rtol=rtol, atol=atol).y.T)

    return solve


M0 = np.sqrt(np.sqrt(START**2 + GAMMA**2) + GAMMA)
RULES = {
    "gd": (ht.GD(), lambda **how: ht.solve_flow(PROBLEM, ht.Euclidean(), START, **how)),
    "hyp": (ht.HYP(5.0, BETA), lambda **how: ht.solve_flow(PROBLEM, ht.HAM(5.0), START, weight_decay=BETA, **how)),
    "ham": (ht.HAMStep(5.0, BETA), lambda **how: ht.solve_flow(PROBLEM, ht.HAM(5.0), START, weight_decay=BETA, **how)),
    "bregman": (
        ht.LinearizedBregmanStep(0.7, 2.0),
        lambda **how: ht.solve_flow(PROBLEM, ht.LinearizedBregman(0.7, 2.0), START, **how),
    ),
    "exponentiated": (
        ht.Exponentiated(BETA),
        lambda **how: ht.product_flow(PROBLEM, np.sqrt(START), np.sqrt(START), weight_decay=BETA, **how),
    ),
    "steepest": (ht.algorithm.SteepestDescent(1.5), by_scipy(np.sqrt)),
    "ham around steepest": (ht.HAMStep(5.0, BETA, base=ht.algorithm.SteepestDescent(1.5)), by_scipy(np.sqrt, 5.0)),
    "hyp around sign": (ht.HYP(5.0, BETA, base=ht.algorithm.SteepestDescent()), by_scipy(np.ones_like, 5.0)),
    "ham around adam of no memory": (
        ht.HAMStep(5.0, BETA, base=optax.adam(1.0, b1=0.0, b2=0.0, eps=0.5)),
        by_scipy(lambda g: g / (g + 0.5), 5.0),
    ),
    "product": (
        ht.ProductGD(BETA, gamma=GAMMA),
        lambda **how: ht.product_flow(PROBLEM, M0, START / M0, weight_decay=BETA, **how),
    ),
}


@functools.cache
def flow_at(rule, ts):
    flow = RULES[rule][1](ts=list(ts), **TIGHT)
    assert np.all(np.asarray(flow.thetas) > 0)
    return np.asarray(flow.thetas)


def slope(sizes, errors):
    return np.polyfit(np.log(sizes), np.log(errors), 1)[0]


@pytest.mark.parametrize(
    "rule", others_slow(RULES, "ham", "bregman", "exponentiated", "steepest", "ham around steepest")
)
def test_global_order_is_one(rule):
    exact = flow_at(rule, (END,))[-1]
    counts = (400 / HALVINGS).astype(int)
    errors = [
        np.abs(ht.run(PROBLEM, RULES[rule][0], START, learning_rate=END / c, steps=int(c)).theta - exact).max()
        for c in counts
    ]
    assert abs(slope(END / counts, errors) - 1) < 0.05


@pytest.mark.parametrize("rule", RULES)
def test_order_of_a_step_is_two(rule):
    rates = 2e-3 * HALVINGS
    exact = flow_at(rule, tuple(rates[::-1]))[::-1]
    errors = [
        np.abs(ht.run(PROBLEM, RULES[rule][0], START, learning_rate=rate, steps=1).theta - at).max()
        for rate, at in zip(rates, exact, strict=True)
    ]
    assert abs(slope(rates, errors) - 2) < 0.05


@pytest.mark.parametrize("rule", [ht.HYP, ht.HAMStep])
def test_order_is_one_across_zero(rule):
    theta0 = np.random.default_rng(3).standard_normal(10)
    flow = ht.solve_flow(PROBLEM, ht.HAM(5.0), theta0, weight_decay=BETA, ts=[1.0], **TIGHT)
    assert np.any(np.sign(flow.theta) != np.sign(theta0))
    rates = 4e-3 * HALVINGS
    errors = [
        np.abs(
            ht.run(PROBLEM, rule(5.0, BETA), theta0, learning_rate=rate, steps=round(1 / rate)).theta - flow.theta
        ).max()
        for rate in rates
    ]
    assert abs(slope(rates, errors) - 1) < 0.15


STABLE = [(ht.Euclidean(), ht.GD())] + [
    (ht.HAM(alpha), rule(alpha)) for alpha in (1.0, 10.0, 100.0, 1000.0) for rule in (ht.HYP, ht.HAMStep)
]


@pytest.mark.parametrize("geo, algorithm", STABLE)
def test_stable_as_far_as_the_metric_at_the_limit_says(geo, algorithm):
    """`η* = 2 / λ_max(X diag(g⁻¹(θ_∞)) Xᵀ/n)`: 1 % below it a small perturbation dies out, 1 % above it grows."""
    limit = ht.solve_limit(PROBLEM, geo, tol=1e-12).theta
    metric, X = np.asarray(geo.inverse_metric(limit)), np.asarray(PROBLEM.X)
    values, vectors = np.linalg.eigh((X * metric) @ X.T / PROBLEM.n)
    direction = metric * (vectors[:, -1] @ X)
    start = limit + 1e-7 * direction / np.linalg.norm(direction)
    growth = {}
    for factor in (0.99, 1.01):
        rate = factor * 2 / values[-1]
        end = ht.run(PROBLEM, algorithm, start, learning_rate=rate, steps=1000, save_every=1000, throw=False)
        left = end.result == ht.Result.nonfinite
        growth[factor] = np.inf if left else float(np.sqrt(end.loss[-1] / end.loss[0]))
    # |1 − 2 · 0.99| = 0.98 a step is 2e-9 in the end, down to rounding; 1.02 is 4e8, no small perturbation any more.
    assert growth[0.99] < 1e-6
    assert growth[1.01] > 1e3


def test_order_of_linearized_bregman_is_one_through_the_dead_zone():
    """Entries come to 0, and one leaves it: θ is no smooth function of time, and the order is one all the same."""
    theta0 = 0.3 * np.random.default_rng(3).standard_normal(10)
    flow = ht.solve_flow(PROBLEM, ht.LinearizedBregman(0.1), theta0, ts=[4.0])
    events = ht.signs.flip_events(flow)
    assert flow.stats["steps"] > 2 and events.gross.sum() == 1
    rates = 2e-2 * HALVINGS
    errors = [
        np.abs(
            ht.run(PROBLEM, ht.LinearizedBregmanStep(0.1), theta0, learning_rate=rate, steps=round(4 / rate)).theta
            - flow.theta
        ).max()
        for rate in rates
    ]
    assert abs(slope(rates, errors) - 1) < 0.15


@pytest.mark.parametrize("lam", [0.3, 3.0, 30.0])
def test_linearized_bregman_converges_below_the_limit_of_its_dual_and_leaves_above_that_of_its_support(lam):
    """`2n/(δ λ_max(XXᵀ))`, from everywhere; and `2n/(δ λ_max(X_S X_Sᵀ))`, beyond which its limit repels."""
    delta, rule = 1.5, ht.LinearizedBregmanStep(lam, 1.5)
    geo = ht.LinearizedBregman(lam, delta)
    limit = ht.solve_limit(PROBLEM, geo).theta
    safe = 2 * PROBLEM.n / (delta * np.linalg.norm(PROBLEM.X, 2) ** 2)
    end = ht.run(PROBLEM, rule, learning_rate=0.98 * safe, steps=40_000, save_every=40_000)
    np.testing.assert_allclose(end.theta, limit, atol=1e-7 * np.abs(limit).max())
    local = float(ht.metrics.stable_learning_rate(PROBLEM, geo, limit))
    assert local >= safe * (1 - 1e-12)
    pushed = limit * (1 + 1e-7 * np.arange(10))
    grown = ht.run(PROBLEM, rule, pushed, learning_rate=1.05 * local, steps=1000, save_every=1000, throw=False)
    assert grown.result == ht.Result.nonfinite or grown.loss[-1] > 1e3 * grown.loss[0]
