"""Stochastic flows: their coefficients against all mini-batches there are, and their law against the algorithms."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
import sympy

import hamtheory as ht
from hamtheory.flow._stochastic import _Model
from hamtheory.symbolic import HAM, ito_drift
from tests.slow import slow

N, D = 4, 7
PROBLEM = ht.LinearRegression(*(np.random.default_rng(0).normal(size=size) for size in ((N, D), N)))
CLASSES = ht.sparse_classification(N, D, 2)
THETA = np.random.default_rng(1).normal(size=D)
KEY = jax.random.key(3)
ETA = 0.01
RULES = {
    "gd": ht.GD(),
    "hyp": ht.HYP(5.0),
    "ham": ht.HAMStep(5.0),
    "mirror": ht.algorithm.MirrorDescent(ht.HAM(5.0)),
    "natural": ht.algorithm.NaturalGradient(ht.HAM(5.0)),
    "natural mw": ht.algorithm.NaturalGradient(ht.Hypentropy(0.3)),
}


def model(rule, batch_size=None, label_noise=None, isotropic=False, problem=PROBLEM):
    geometry = rule.of_flow()
    noise = None if label_noise is None else jnp.asarray(label_noise)
    mu = geometry.mirror_map(jnp.asarray(THETA))
    return _Model(problem, rule, geometry, mu, jnp.asarray(ETA), noise, batch_size, isotropic)


def gradients(batch_size, problem=PROBLEM):
    """Of every mini-batch, with replacement."""
    X, r = np.asarray(problem.X), np.asarray(problem.residual(THETA))
    batches = np.array(list(itertools.product(range(N), repeat=batch_size)))
    return np.einsum("ki,kij->kj", r[batches], X[batches]) / batch_size


@pytest.mark.parametrize("problem", [PROBLEM, CLASSES], ids=["regression", "classes"])
@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_coefficients_are_those_of_all_mini_batches(batch_size, problem):
    all_of_them, X = gradients(batch_size, problem), np.asarray(problem.X)
    sde = model(ht.GD(), batch_size, problem=problem)
    np.testing.assert_allclose(-sde.drift(0.0, (jnp.zeros(N), jnp.zeros(D)), None)[0] @ X, problem.gradient(THETA))
    np.testing.assert_allclose(sde.second_moments(THETA), np.mean(all_of_them**2, axis=0), rtol=1e-12)
    operator = sde.diffusion(0.0, (jnp.zeros(N), jnp.zeros(D)), None)
    root = jax.vmap(lambda e: operator.mv(e)[0])(jnp.eye(2 * N).reshape(2 * N, 2, N))
    covariance = np.asarray(X.T @ (root.T @ root) @ X)
    np.testing.assert_allclose(covariance, ETA * np.cov(all_of_them.T, bias=True), atol=1e-14)


@pytest.mark.parametrize("batch_size", [None, 1, 3])
def test_label_noise_adds_to_both(batch_size):
    X, delta = np.asarray(PROBLEM.X), 0.7
    with_noise, b = model(ht.GD(), batch_size, delta), batch_size or N
    without = np.mean(gradients(batch_size) ** 2, axis=0) if batch_size else np.square(PROBLEM.gradient(THETA))
    added = delta**2 * np.mean(X**2, axis=0) / b
    np.testing.assert_allclose(with_noise.second_moments(THETA), without + added, rtol=1e-12)
    operator = with_noise.diffusion(0.0, (jnp.zeros(N), jnp.zeros(D)), None)
    root = jax.vmap(lambda e: operator.mv(e)[0])(jnp.eye(2 * N).reshape(2 * N, 2, N)[N:])
    np.testing.assert_allclose(root.T @ root, ETA * delta**2 / (N * b) * np.eye(N), atol=1e-15)


@pytest.mark.parametrize("rule", RULES)
def test_kappa_is_what_a_step_does(rule):
    """`R′(θ⁺) − R′(θ) + ηg = ½ κ η²g² + O(η³)`, by differences of the rule itself."""
    rule = RULES[rule]
    geometry = rule.of_flow()
    gradient, theta = jnp.asarray(np.random.default_rng(2).normal(size=D)), jnp.asarray(THETA)

    def off(eta):
        moved = geometry.mirror_map(rule.step(theta, gradient, jnp.asarray(eta)))
        return np.asarray(moved - geometry.mirror_map(theta) + eta * gradient)

    predicted = np.asarray(rule.mirror_drift(theta) * gradient**2) / 2
    errors = [np.abs(off(eta) / eta**2 - predicted).max() for eta in (2e-4, 1e-4)]
    assert errors[0] <= 0.05 and (errors[0] <= 1e-8 or abs(errors[0] / errors[1] - 2) < 0.1)


@pytest.mark.parametrize("rule, step", [("ham", "(theta - eta*g)*exp(-eta*alpha*g)"), ("natural", None)])
def test_kappa_is_the_derived_one(rule, step):
    alpha, theta = sympy.symbols("alpha theta", positive=True)
    derived = [np.sign(x) * float(ito_drift(HAM, step).subs({alpha: 5, theta: abs(x)})) for x in THETA]
    np.testing.assert_allclose(RULES[rule].mirror_drift(jnp.asarray(THETA)), derived, rtol=1e-12)


def test_factors_shrink_gamma():
    """Of m⊙w: `u ← u(1 − ηg)`, `v ← v(1 + ηg)`, so `ln uv` falls by η²g² and `½ ln u/v`, which is μ, by ηg."""
    u, v, g, eta = sympy.symbols("u v g eta", positive=True)
    m, w = u + v, u - v
    m, w = m - eta * w * g, w - eta * m * g
    u_next, v_next = sympy.expand((m + w) / 2), sympy.expand((m - w) / 2)
    product = sympy.series(sympy.log(sympy.simplify(u_next * v_next / (u * v))), eta, 0, 3).removeO()
    assert sympy.simplify(product + eta**2 * g**2) == 0
    ratio = sympy.series(sympy.log(sympy.simplify(u_next / u)) - sympy.log(sympy.simplify(v_next / v)), eta, 0, 3)
    assert sympy.simplify(ratio.removeO() + 2 * eta * g) == 0


@pytest.mark.parametrize("rule", [*slow(ht.GD()), ht.HAMStep(5.0), *slow(ht.ProductGD(gamma=0.3))])
def test_with_little_noise_it_is_the_flow(rule):
    """Up to the drift by E[g²], which is of order η as the error of Euler's method is: halving η halves both."""
    geometry = rule.of_flow()
    flow = ht.solve_flow(PROBLEM, geometry, THETA, ts=[0.3, 1.0], rtol=1e-10, atol=1e-12)
    errors = []
    for eta in (2e-3, 1e-3):
        how = {"learning_rate": eta, "label_noise": 1e-9, "substeps": 1, "ts": [0.3, 1.0], "key": KEY}
        errors.append(np.abs(ht.stochastic_flow(PROBLEM, rule, THETA, **how).thetas[0] - flow.thetas).max())
    assert errors[0] < 0.05 and abs(errors[0] / errors[1] - 2) < 0.1


@pytest.mark.parametrize("batch_size", [1, *slow(2)])
def test_formula_of_pesme(batch_size):
    """`ln(γ₀/γ_t) = 2 (η/b) diag(XᵀX/n) ∫f`, with the noise that the formula is for."""
    grid = ETA * np.arange(201)
    flow = ht.stochastic_flow(
        PROBLEM,
        ht.ProductGD(gamma=0.1),
        learning_rate=ETA,
        ts=grid,
        batch_size=batch_size,
        noise="isotropic",
        substeps=1,
        paths=3,
        key=KEY,
    )
    diagonal = np.mean(np.asarray(PROBLEM.X) ** 2, axis=0)
    integral = ETA * np.sum(np.asarray(flow.loss)[:, :-1], axis=1)
    expected = 2 * ETA / batch_size * integral[:, None] * diagonal
    np.testing.assert_allclose(flow.shift[:, -1], expected, rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(
    "rule, noise",
    [
        (ht.GD(), {"batch_size": 1}),
        (ht.HAMStep(10.0), {"batch_size": 1}),
        (ht.ProductGD(gamma=0.1), {"batch_size": 1}),
        (ht.HAMStep(10.0), {"label_noise": 1.0}),
        (ht.ProductGD(gamma=0.1), {"label_noise": 0.5, "batch_size": 3}),
    ],
)
def test_the_algorithm_in_law(rule, noise):
    """The loss on the way, by Kolmogorov and Smirnov's test, and the mean of the norm at the end, of 300 each."""
    problem = ht.sparse_regression(10, 20, 2, seed=0)
    geometry = rule.of_flow()
    limit = ht.solve_limit(problem, geometry).theta
    eta = 0.01 * float(ht.metrics.stable_learning_rate(problem, geometry, limit))
    grid, count = [300, 900], 300
    many = ht.run_many(
        problem,
        rule,
        np.zeros((count, 20)),
        learning_rate=eta,
        steps=grid[-1],
        key=KEY,
        save_every=grid,
        **noise,
    )
    flow = ht.stochastic_flow(
        problem,
        rule,
        learning_rate=eta,
        ts=eta * np.array(grid),
        paths=count,
        substeps=2,
        key=jax.random.key(4),
        **noise,
    )
    assert (flow.result == ht.NAMES.index("reached_end")).all()
    for i in range(2):
        assert scipy.stats.ks_2samp(many.loss[:, i + 1], np.asarray(flow.loss)[:, i]).pvalue > 1e-3
    norms = [np.abs(np.asarray(thetas)).sum(axis=1) for thetas in (many.theta, flow.theta)]
    spread = np.sqrt(sum(x.var() for x in norms) / count)
    assert abs(norms[0].mean() - norms[1].mean()) < 3.3 * spread + 0.2 * eta


@pytest.mark.parametrize(
    "change, error, words",
    [
        ({"algorithm": ht.HAMStep(5.0, 0.1)}, ValueError, "algorithm must be without weight decay"),
        ({"algorithm": ht.HAMStep(5.0, clip=5.0)}, ValueError, "algorithm must be without weight decay, clip"),
        ({"algorithm": ht.ProductGD(gamma=0.1, reset_every=3)}, ValueError, "resets"),
        ({"algorithm": ht.Exponentiated()}, TypeError, "algorithm must be one whose of_flow"),
        ({"algorithm": ht.ProductGD()}, ValueError, "gamma must be positive"),
        ({"learning_rate": 0.0}, ValueError, "learning_rate must be positive"),
        ({"batch_size": None}, ValueError, "give batch_size or label_noise"),
        ({"batch_size": 5}, ValueError, "batch_size must be at most the 4"),
        ({"noise": "white"}, ValueError, "noise must be one of"),
        ({"ts": [1.0, 0.5]}, ValueError, "ts must be increasing"),
        ({"key": 3}, TypeError, "key must be a key"),
        ({"paths": 0}, ValueError, "paths must be at least 1"),
        ({"substeps": 0}, ValueError, "substeps must be at least 1"),
        ({"label_noise": -1.0}, ValueError, "label_noise must not be negative"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_bad_input(change, error, words):
    how = {"algorithm": ht.GD(), "learning_rate": 0.1, "ts": [1.0], "batch_size": 1, "key": KEY}
    with pytest.raises(error, match=words):
        ht.stochastic_flow(PROBLEM, **how | change)


def test_classes_have_no_residual_and_no_noise_of_labels():
    how = {"learning_rate": ETA, "ts": [0.1], "key": KEY, "batch_size": 2}
    flow = ht.stochastic_flow(CLASSES, ht.HAMStep(5.0), THETA, **how)
    assert flow.residual is None and flow.result.tolist() == [ht.NAMES.index("reached_end")]
    np.testing.assert_allclose(flow.loss, CLASSES.loss(flow.thetas), rtol=1e-6)
    with pytest.raises(ValueError, match="label_noise must be 0 for a classification"):
        ht.stochastic_flow(CLASSES, ht.HAMStep(5.0), label_noise=0.1, **how)


def test_a_path_that_leaves_the_numbers_says_so():
    flow = ht.stochastic_flow(
        PROBLEM, ht.HAMStep(100.0), learning_rate=10.0, ts=[2000.0], batch_size=1, paths=2, substeps=1, key=KEY
    )
    assert (flow.result == ht.NAMES.index("nonfinite")).all()


class Halved(ht.algorithm.AbstractAlgorithm):
    """A rule of a user's: two natural gradient steps of half the size, with one gradient."""

    inner: ht.algorithm.NaturalGradient

    def init(self, problem, theta0):
        return theta0

    def step(self, state, gradient, learning_rate):
        return self.inner.step(self.inner.step(state, gradient, learning_rate / 2), gradient, learning_rate / 2)

    def theta(self, state):
        return state

    def of_flow(self):
        return self.inner.of_flow()

    def mirror_drift(self, theta):
        return self.inner.mirror_drift(theta) / 2


def test_a_rule_of_a_users():
    """Its drift is half of that of one step, by differences; and with little noise it follows the flow."""
    rule, theta, gradient = Halved(ht.algorithm.NaturalGradient(ht.HAM(5.0))), jnp.asarray(THETA), jnp.ones(D)
    mirror, eta = rule.of_flow().mirror_map, 1e-4
    off = mirror(rule.step(theta, gradient, jnp.asarray(eta))) - mirror(theta) + eta * gradient
    np.testing.assert_allclose(off / eta**2, rule.mirror_drift(theta) / 2, atol=0.01)
    how = {"learning_rate": 1e-3, "label_noise": 1e-9, "substeps": 4, "ts": [0.3], "key": KEY}
    paths = ht.stochastic_flow(PROBLEM, rule, THETA, **how)
    flow = ht.solve_flow(PROBLEM, ht.HAM(5.0), THETA, ts=[0.3])
    np.testing.assert_allclose(paths.theta[0], flow.theta, atol=0.02)
