"""`ham` is the published rule around any optimizer: against plain NumPy loops, and as a citizen of optax."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import hamtheory as ht


@pytest.fixture(autouse=True)
def lenient(request):
    """Optax mixes dtypes by itself; what is marked `strict` here uses nothing of it that does."""
    if "strict" in request.node.name:
        yield
        return
    with jax.numpy_dtype_promotion("standard"):
        yield


ALPHA, BETA, ETA = 30.0, 0.02, 0.05
KEYS = np.random.default_rng(0)
TARGET = {"w": KEYS.standard_normal((3, 4)), "b": KEYS.standard_normal(4)}
START = {"w": KEYS.standard_normal((3, 4)), "b": KEYS.standard_normal(4)}


def like(tree, dtype):
    return jax.tree.map(lambda x: jnp.asarray(x, dtype), tree)


def gradient(theta, scale=1.0):
    return jax.tree.map(lambda x, y: scale * (x - y.astype(x.dtype)), theta, jax.tree.map(np.asarray, TARGET))


def sgd(state, g, eta):
    return state, -eta * g


def momentum(state, g, eta):
    trace = 0.9 * state.get("m", 0) + g
    return {"m": trace}, -eta * trace


def adam(state, g, eta):
    k = state.get("k", 0) + 1
    m = 0.9 * state.get("m", 0) + 0.1 * g
    v = 0.999 * state.get("v", 0) + 0.001 * g * g
    return {"k": k, "m": m, "v": v}, -eta * (m / (1 - 0.9**k)) / (np.sqrt(v / (1 - 0.999**k)) + 1e-8)


def published(base, eta_of, steps, scale=1.0):
    """θ after so many steps of the rule, in plain NumPy: the factor for matrices alone."""
    theta = {name: np.array(x) for name, x in START.items()}
    states = {name: {} for name in theta}
    for k in range(steps):
        eta = eta_of(k)
        for name, x in theta.items():
            g = scale * (x - TARGET[name])
            states[name], update = base(states[name], g, eta)
            half = x + update
            exponent = np.clip(-eta * (ALPHA * np.sign(half) * g + BETA), -5, 5)
            theta[name] = half * np.exp(exponent) if name == "w" else half
    return theta


def run(optimizer, theta, steps, scale=1.0):
    state = optimizer.init(theta)

    @jax.jit
    def step(theta, state):
        updates, state = optimizer.update(gradient(theta, scale), state, theta)
        return optax.apply_updates(theta, updates), state

    for _ in range(steps):
        theta, state = step(theta, state)
    return theta, state


def schedule(k):
    return ETA / (1 + 0.1 * k)


CASES = {
    "sgd": (sgd, optax.sgd, lambda k: ETA, ETA, 1.0),
    "momentum": (momentum, functools.partial(optax.sgd, momentum=0.9), lambda k: 0.1 * ETA, 0.1 * ETA, 1.0),
    "adam": (adam, optax.adam, lambda k: ETA, ETA, 1.0),
    "schedule": (sgd, optax.sgd, schedule, schedule, 1.0),
    "clamped": (adam, optax.adam, lambda k: ETA, ETA, 50.0),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 1e-6)])
def test_is_the_published_rule(case, dtype, tolerance):
    base, make, eta_of, rate, scale = CASES[case]
    # Where it is clamped a step multiplies by up to e⁵, rounding errors among the rest: fewer steps.
    steps = (4 if dtype == np.float64 else 1) if case == "clamped" else 12
    expected = published(base, eta_of, steps, scale)
    optimizer = ht.optim.ham(make(rate), rate, alpha=ALPHA, beta=BETA)
    found, _ = run(optimizer, like(START, dtype), steps, scale)
    for name, x in expected.items():
        assert found[name].dtype == dtype
        error = np.abs(np.asarray(found[name], np.float64) - x).max() / np.abs(x).max()
        assert error <= tolerance, (name, error)
    if case == "clamped":
        first = np.abs(ETA * ALPHA * scale * (START["w"] - TARGET["w"]))
        assert (first > 5).mean() > 0.5  # it was


def test_the_defaults_are_those_of_the_authors():
    """α = 200, β = 1e-3, exponents of 5 at most, on tensors with two axes or more (TomJacobs05/HAM): what they do."""
    theta = {"w": jnp.asarray([[1.0, -2.0, 4.0]]), "b": jnp.asarray([3.0])}
    g = {"w": jnp.asarray([[0.5, 0.25, 1e5]]), "b": jnp.asarray([2.0])}
    half = np.asarray([[1 - 5e-4, -2 - 2.5e-4, 4 - 100.0]])  # the last one has changed its sign: its exponent is 20
    exponent = [-1e-3 * (200 * 0.5 + 1e-3), -1e-3 * (-200 * 0.25 + 1e-3), 5.0]

    def stepped(**changes):
        optimizer = ht.optim.ham(optax.sgd(1e-3), 1e-3, **changes)
        return optax.apply_updates(theta, optimizer.update(g, optimizer.init(theta), theta)[0])

    found, expected = stepped(), half * np.exp([exponent])
    np.testing.assert_allclose(found["w"], expected, rtol=1e-12)
    np.testing.assert_allclose(found["b"], [3 - 2e-3], rtol=1e-15)
    updates = jax.tree.map(lambda x: -1e-3 * x, g)
    direct = ht.optim.ham_apply(theta, updates, g, 1e-3, 200.0, 1e-3)
    factor = ht.optim.ham_step(jax.tree.map(jnp.add, theta, updates), g, 1e-3, 200.0, 1e-3)
    for other in (direct, factor):
        np.testing.assert_allclose(other["w"], expected, rtol=1e-12)
        np.testing.assert_allclose(other["b"], [3 - 2e-3], rtol=1e-15)
    for change in ({"alpha": 100.0}, {"beta": 0.0}, {"clip": 6.0}):  # none of them goes unseen
        assert not np.allclose(stepped(**change)["w"], expected, rtol=1e-9, atol=0), change


def test_the_sign_is_that_after_the_base_step_and_the_gradient_the_raw_one():
    theta, g = jnp.asarray([[0.1, -1.0]]), jnp.asarray([[3.0, 2.0]])
    optimizer = ht.optim.ham(optax.adam(0.2), 0.2, alpha=5.0, beta=0.0)
    updates, _ = optimizer.update(g, optimizer.init(theta), theta)
    half = np.asarray(theta) - 0.2 * np.sign(g)  # Adam's first step; the first entry has changed its sign
    expected = half * np.exp(-0.2 * 5.0 * np.sign(half) * np.asarray(g))
    np.testing.assert_allclose(theta + updates, expected, rtol=1e-6)
    direct = ht.optim.ham_step(jnp.asarray(half), g, 0.2, 5.0, 0.0)
    np.testing.assert_allclose(direct, expected, rtol=1e-14)


def test_the_state_holds_no_parameters():
    theta = {"w": jnp.ones((50, 60))}
    size = lambda tree: sum(x.nbytes for x in jax.tree.leaves(tree))  # noqa: E731
    base = optax.adam(1e-3)
    assert size(ht.optim.ham(base, 1e-3).init(theta)) == size(base.init(theta)) + 4


def test_the_natural_variant_differs_in_second_order():
    theta, g = jnp.asarray([[0.7, -0.4]]), jnp.asarray([[1.0, 0.6]])
    gaps = []
    for eta in (1e-2, 5e-3, 2.5e-3):
        natural = ht.optim.ham_natural(eta, alpha=3.0, beta=0.1)
        updates, _ = natural.update(g, natural.init(theta), theta)
        step = theta - eta * ((1 + 3 * jnp.abs(theta)) * g + 0.1 * theta)
        np.testing.assert_allclose(theta + updates, step, rtol=1e-12)
        gaps.append(float(jnp.abs(ht.optim.ham_step(theta - eta * g, g, eta, 3.0, 0.1) - step).max()))
    np.testing.assert_allclose(np.diff(np.log2(gaps)), -2, atol=0.05)


def test_with_the_rest_of_optax():
    theta = like(START, np.float64)
    alone = run(ht.optim.ham(optax.sgd(ETA), ETA, ALPHA, BETA), theta, 6)[0]
    # Two mini-steps with the same gradient are one step.
    several = optax.MultiSteps(ht.optim.ham(optax.sgd(ETA), ETA, ALPHA, BETA), 2)
    g, state = gradient(theta), None
    state, first = several.init(theta), theta
    for _ in range(2):
        updates, state = several.update(g, state, first)
        first = optax.apply_updates(first, updates)
    np.testing.assert_allclose(first["w"], run(ht.optim.ham(optax.sgd(ETA), ETA, ALPHA, BETA), theta, 1)[0]["w"])
    # A learning rate that is changed reaches the factor.
    make = lambda learning_rate: ht.optim.ham(optax.sgd(learning_rate), learning_rate, ALPHA, BETA)  # noqa: E731
    injected = optax.inject_hyperparams(make)(learning_rate=1.0)
    state = injected.init(theta)
    state.hyperparams["learning_rate"] = jnp.asarray(ETA)
    updates, _ = injected.update(g, state, theta)
    np.testing.assert_allclose(theta["w"] + updates["w"], first["w"], rtol=1e-6)
    # Masked tensors are left alone; all of them is another choice.
    masked = optax.masked(ht.optim.ham(optax.sgd(ETA), ETA, ALPHA, BETA), {"w": True, "b": False})
    updates, _ = masked.update(g, masked.init(theta), theta)
    np.testing.assert_array_equal(updates["b"], g["b"])
    everywhere = run(ht.optim.ham(optax.sgd(ETA), ETA, ALPHA, BETA, where=True), theta, 6)[0]
    np.testing.assert_allclose(everywhere["w"], alone["w"])
    assert np.abs(everywhere["b"] - alone["b"]).max() > 1e-3
    # Under vmap and scan.
    optimizer = ht.optim.ham(optax.adam(ETA), ETA, ALPHA, BETA)

    def scanned(theta):
        def step(carry, _):
            theta, state = carry
            updates, state = optimizer.update(gradient(theta), state, theta)
            return (optax.apply_updates(theta, updates), state), None

        return jax.lax.scan(step, (theta, optimizer.init(theta)), length=5)[0][0]

    pair = jax.tree.map(lambda x: jnp.stack([x, 2 * x]), theta)
    np.testing.assert_allclose(
        jax.vmap(scanned)(pair)["w"][1], run(optimizer, jax.tree.map(lambda x: 2 * x, theta), 5)[0]["w"], rtol=1e-12
    )


def test_nan_is_not_hidden_and_zero_stays_with_strict_dtypes():
    theta = jnp.asarray([[1.0, 0.0]])
    stepped = ht.optim.ham_step(theta, jnp.asarray([[jnp.nan, 1.0]]), 0.1, 5.0, 0.1)
    assert np.isnan(stepped[0, 0]) and stepped[0, 1] == 0


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: ht.optim.ham(optax.sgd(0.1), 0.0), ValueError, "learning_rate must be positive"),
        (lambda: ht.optim.ham(optax.sgd(0.1), float("nan")), ValueError, "learning_rate"),
        (lambda: ht.optim.ham(optax.sgd(0.1), 0.1, alpha=-1.0), ValueError, "alpha must be at least 0"),
        (lambda: ht.optim.ham(optax.sgd(0.1), 0.1, beta=-1.0), ValueError, "beta must be at least 0"),
        (lambda: ht.optim.ham(0.1, 0.1), TypeError, "base must be an optax.GradientTransformation"),
        (lambda: ht.optim.ham(optax.sgd(0.1), 0.1).init({"b": jnp.ones(3)}), ValueError, "where must choose"),
    ],
)
def test_bad_input(unchecked, call, error, match):
    with pytest.raises(error, match=match):
        call()


def test_update_needs_parameters_and_their_gradients(unchecked):
    theta = like(START, np.float64)
    optimizer = ht.optim.ham(optax.sgd(0.1), 0.1)
    state = optimizer.init(theta)
    with pytest.raises(ValueError, match="params must be given"):
        optimizer.update(gradient(theta), state)
    with pytest.raises(ValueError, match=r"grads must have the tree structure of params; got nothing at \['b'\]"):
        optimizer.update({"w": theta["w"]}, state, theta)
