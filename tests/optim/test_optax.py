"""`ham` among the transformations of optax: what each of them makes of the raw gradient, the step and the state."""

import io
import re
import subprocess
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import hamtheory as ht

ETA, ALPHA, BETA = 0.05, 30.0, 0.02
RANDOM = np.random.default_rng(1)
THETA = {"w": jnp.asarray(RANDOM.standard_normal((3, 4))), "b": jnp.asarray(RANDOM.standard_normal(4))}
GRADS = [jax.tree.map(lambda x: jnp.asarray(RANDOM.standard_normal(x.shape)), THETA) for _ in range(4)]
BASES = {
    "sgd": optax.sgd,
    "momentum": lambda eta: optax.sgd(eta, momentum=0.9),
    "adam": optax.adam,
    "adamw": optax.adamw,
    "rmsprop": optax.rmsprop,
    "lion": optax.lion,
    "lbfgs": lambda eta: optax.lbfgs(eta, linesearch=None),
}


@pytest.fixture(autouse=True)
def lenient():
    """Optax mixes dtypes by itself."""
    with jax.numpy_dtype_promotion("standard"):
        yield


def rule(half, g, eta=ETA, alpha=ALPHA, beta=BETA):
    """θ_{k+1} in plain NumPy."""
    half, g = np.asarray(half), np.asarray(g)
    return half * np.exp(np.clip(-eta * (alpha * np.sign(half) * g + beta), -5, 5))


def ham(base=None, learning_rate=ETA, **options):
    return ht.optim.ham(optax.sgd(ETA) if base is None else base, learning_rate, ALPHA, BETA, **options)


def after(optimizer, grads, theta=THETA):
    """θ after these gradients, whatever θ is."""
    state = optimizer.init(theta)
    for g in grads:
        updates, state = optimizer.update(g, state, theta)
        theta = optax.apply_updates(theta, updates)
    return theta


def same(found, expected, rtol=1e-12):
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=rtol, atol=1e-14), found, expected)


@pytest.mark.parametrize("name", BASES)
def test_any_base(name):
    """It converges on a quadratic, compiled once, with donated buffers, and with arguments that the base ignores."""
    target = {"w": jnp.asarray([[3.0, -2.0], [1.0, 4.0]]), "b": jnp.asarray([1.0, -1.0, 2.0])}
    theta = jax.tree.map(jnp.zeros_like, target)
    eta = optax.cosine_decay_schedule(0.02, 800)
    optimizer = ht.optim.ham(BASES[name](eta), eta, alpha=10.0, beta=0.0)
    traces = []

    def step(theta, state, unexpected):
        traces.append(0)
        g = jax.tree.map(lambda x, y: x - y, theta, target)
        updates, state = optimizer.update(g, state, theta, unexpected=unexpected)
        return optax.apply_updates(theta, updates), state

    state = jax.jit(optimizer.init)(theta)
    state = optax.tree.map_params(optimizer, lambda x: x, state)
    step = jax.jit(step, donate_argnums=(0, 1))
    for _ in range(800):
        before = theta["w"]
        theta, state = step(theta, state, 1.0)
    assert before.is_deleted() and len(traces) == 1 and int(state.steps) == 800
    # A base that leaves the biases where momentum took them would be far off; Lion moves by η, which ends at 0.
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=0.03), theta, target)


def test_decoupled_decay_is_part_of_the_base_step():
    """AdamW in plain NumPy, 300 steps: its decay moves θ_{k+½}, and the gradient of the factor has none of it."""
    optimizer = ham(optax.adamw(ETA, weight_decay=0.1))
    step, state, found = jax.jit(optimizer.update), optimizer.init(THETA), THETA
    theta, m, v = np.asarray(THETA["w"]), 0.0, 0.0
    for k in range(1, 301):
        target = np.sin(k + np.arange(12.0)).reshape(3, 4)
        updates, state = step({"w": found["w"] - target, "b": found["b"]}, state, found)
        found = optax.apply_updates(found, updates)
        g = theta - target
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        adam = (m / (1 - 0.9**k)) / (np.sqrt(v / (1 - 0.999**k)) + 1e-8)
        theta = rule(theta - ETA * (adam + 0.1 * theta), g)
        np.testing.assert_allclose(found["w"], theta, rtol=0, atol=1e-12 * np.abs(theta).max())


def test_the_raw_gradient_is_what_update_is_given():
    g, norm = GRADS[0], 0.5
    size = float(optax.tree.norm(g))
    clipped = jax.tree.map(lambda x: x * (norm / size), g)
    assert size > 1
    half = {name: THETA[name] - ETA * clipped[name] for name in THETA}
    outside = after(optax.chain(optax.clip_by_global_norm(norm), ham()), [g])
    inside = after(ham(optax.chain(optax.clip_by_global_norm(norm), optax.sgd(ETA))), [g])
    same(outside, {"w": rule(half["w"], clipped["w"]), "b": half["b"]})
    same(inside, {"w": rule(half["w"], g["w"]), "b": half["b"]})


def test_accumulated_gradients_count_as_one_step():
    eta = lambda k: ETA / (1.0 + k)  # noqa: E731
    several = optax.MultiSteps(ht.optim.ham(optax.sgd(eta), eta, ALPHA, BETA), 2, accumulator_dtype=jnp.float64)
    found = after(several, GRADS)
    expected = THETA
    for k, pair in enumerate((GRADS[:2], GRADS[2:])):
        g = jax.tree.map(lambda x, y: (x + y) / 2, *pair)
        half = jax.tree.map(lambda x, u, k=k: x - float(eta(k)) * u, expected, g)
        expected = {"w": rule(half["w"], g["w"], float(eta(k))), "b": half["b"]}
    same(found, expected)


@pytest.mark.parametrize("opaque", [False, True])
def test_sharpness_aware(opaque):
    """The gradient is that at the perturbed point, θ that without perturbation."""
    gradient = lambda theta: jax.tree.map(lambda x: x**3 - x, theta)  # noqa: E731
    rho = 0.3
    adversary = optax.chain(optax.contrib.normalize(), optax.sgd(rho))
    optimizer = optax.contrib.sam(ham(), adversary, sync_period=2, opaque_mode=opaque)
    theta, state = THETA, optimizer.init(THETA)
    for _ in range(1 if opaque else 2):
        extra = {"grad_fn": lambda theta, _: gradient(theta)} if opaque else {}
        updates, state = optimizer.update(gradient(theta), state, theta, **extra)
        theta = optax.apply_updates(theta, updates)
    g = gradient(THETA)
    size = optax.tree.norm(g)
    perturbed = gradient(jax.tree.map(lambda x, u: x + rho * u / size, THETA, g))
    half = jax.tree.map(lambda x, u: x - ETA * u, THETA, perturbed)
    same(theta, {"w": rule(half["w"], perturbed["w"]), "b": half["b"]})
    assert int(state.opt_state.steps) == 1


def test_masks_partitions_and_missing_parameters():
    g = GRADS[0]
    half = jax.tree.map(lambda x, u: x - ETA * u, THETA, g)
    labels = {"w": "ham", "b": "frozen"}
    parts = optax.partition({"ham": ham(), "frozen": optax.set_to_zero()}, labels)
    same(after(parts, [g]), {"w": rule(half["w"], g["w"]), "b": THETA["b"]})
    # Of the masked parameters, a mask of its own chooses, in the structure of all.
    masked = optax.masked(ham(where={"w": False, "b": True}), {"w": False, "b": True})
    same(masked.update(g, masked.init(THETA), THETA)[0]["b"], rule(half["b"], g["b"]) - THETA["b"])
    # None is no parameter and no gradient; an empty tree is fine.
    partial = {"w": THETA["w"], "none": None, "empty": {}}
    found = after(ham(), [{"w": g["w"], "none": None, "empty": {}}], partial)
    assert found["none"] is None and found["empty"] == {}
    same(found["w"], rule(half["w"], g["w"]))
    assert after(ham(), [{}], {}) == {}


@pytest.mark.parametrize(
    "where", [True, {"w": True, "b": True}, lambda theta: True, lambda theta: jax.tree.map(lambda x: x.ndim > 0, theta)]
)
def test_where(where):
    half = jax.tree.map(lambda x, u: x - ETA * u, THETA, GRADS[0])
    expected = jax.tree.map(rule, half, GRADS[0])
    same(after(ham(where=where), GRADS[:1]), expected)
    same(ht.optim.ham_step(half, GRADS[0], ETA, ALPHA, BETA, where), expected)


def network():
    """Three networks of two layers, stacked: their biases have two axes."""
    return eqx.filter_vmap(lambda key: eqx.nn.MLP(2, 1, 3, 1, key=key))(jax.random.split(jax.random.key(0), 3))


EQUINOX = eqx.filter(network(), eqx.is_inexact_array)
FLAX = {f"Dense_{i}": {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)} for i in (0, 1, 10)} | {"list": [THETA["w"]]}


@pytest.mark.parametrize(
    "params, where, expected",
    [
        (EQUINOX, None, {f"layers/{i}/{name}" for i in (0, 1) for name in ("weight", "bias")}),
        (EQUINOX, "weight", {"layers/0/weight", "layers/1/weight"}),
        (EQUINOX, "layers/0/weight", {"layers/0/weight"}),
        (EQUINOX, re.compile("^LAYERS/1/", re.I), {"layers/1/weight", "layers/1/bias"}),
        (FLAX, None, {"Dense_0/kernel", "Dense_1/kernel", "Dense_10/kernel", "list/0"}),
        (FLAX, r"kernel$|^list/\d", {"Dense_0/kernel", "Dense_1/kernel", "Dense_10/kernel", "list/0"}),
        (FLAX, "Dense_1/", {"Dense_1/kernel", "Dense_1/bias"}),
        (FLAX, "^bias", None),
    ],
)
def test_where_is_a_path_or_a_regular_expression(params, where, expected):
    """Of every function that takes one: only these tensors move where the base stands still."""
    grads = jax.tree.map(jnp.ones_like, params)
    natural = ht.optim.ham_natural(ETA, ALPHA, 0.0, where)
    calls = {
        "ham": lambda: after(ham(optax.set_to_zero(), where=where), [grads], params),
        "ham_step": lambda: ht.optim.ham_step(params, grads, ETA, ALPHA, BETA, where),
        "ham_apply": lambda: ht.optim.ham_apply(params, None, grads, ETA, ALPHA, BETA, where),
        "ham_natural": lambda: after(natural, [grads], params),
    }
    for name, call in calls.items():
        if expected is None:
            with pytest.raises(
                ValueError, match=r"where must .*; '\^bias' is found in none of the paths 'Dense_0/bias'"
            ):
                call()
            continue
        still = params if name != "ham_natural" else jax.tree.map(lambda p, g: p - ETA * g, params, grads)
        pairs = zip(jax.tree_util.tree_leaves_with_path(call()), jax.tree.leaves(still), strict=True)
        moved = {jax.tree_util.keystr(path, simple=True, separator="/") for (path, x), y in pairs if np.any(x != y)}
        assert moved == expected, name


def test_what_the_base_freezes_moves_unless_it_is_frozen_around_ham():
    theta = {"w": jnp.ones((2, 2)), "frozen": jnp.ones((2, 2))}
    g = jax.tree.map(jnp.ones_like, theta)
    labels = {"w": "train", "frozen": "freeze"}
    base = optax.partition({"train": optax.sgd(ETA), "freeze": optax.set_to_zero()}, labels)
    same(after(ham(base), [g], theta), {"w": rule(theta["w"] - ETA, g["w"]), "frozen": rule(theta["w"], g["w"])})
    around = optax.partition({"train": ham(), "freeze": optax.set_to_zero()}, labels)
    for optimizer in (ham(base, where="^w$"), around):
        same(after(optimizer, [g], theta), {"w": rule(theta["w"] - ETA, g["w"]), "frozen": theta["w"]})


def test_injected_hyperparameters():
    """Each of them is read anew in every step, as a number or from a schedule that warms up from 0."""
    make = optax.inject_hyperparams(lambda eta, alpha, beta: ht.optim.ham(optax.sgd(eta), eta, alpha, beta))
    optimizer = make(lambda k: jnp.where(k < 1, 0.0, ETA), 1.0, BETA)
    state = optimizer.init(THETA)
    updates, state = optimizer.update(GRADS[0], state, THETA)
    same(updates, jax.tree.map(jnp.zeros_like, THETA))
    state.hyperparams["alpha"] = jnp.asarray(ALPHA)
    updates, state = optimizer.update(GRADS[0], state, THETA)
    same(optax.apply_updates(THETA, updates), after(ham(), GRADS[:1]))
    direct = optax.inject_hyperparams(ht.optim.ham, static_args="base")(optax.sgd(ETA), ETA, ALPHA, BETA)
    same(after(direct, GRADS), after(ham(), GRADS))


def test_schedules_of_every_coefficient():
    eta, alpha, beta = (lambda k: 0.1 / (1.0 + k), lambda k: 10.0 * k, lambda k: 0.02 * k)
    found = after(ht.optim.ham(optax.sgd(eta), eta, alpha, beta), GRADS)
    expected = THETA
    for k, g in enumerate(GRADS):
        half = jax.tree.map(lambda x, u, k=k: x - float(eta(k)) * u, expected, g)
        expected = {"w": rule(half["w"], g["w"], float(eta(k)), float(alpha(k)), float(beta(k))), "b": half["b"]}
    same(found, expected)


def test_more_arguments_reach_the_base():
    def update(updates, state, params=None, *, scale, **rest):
        return jax.tree.map(lambda x: -scale * x, updates), state

    base = optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)
    optimizer = ham(base)
    updates, _ = optimizer.update(GRADS[0], optimizer.init(THETA), THETA, scale=ETA, other=0)
    same(optax.apply_updates(THETA, updates), after(ham(), GRADS[:1]))


def test_the_state_survives_a_file():
    optimizer = ham(optax.adam(ETA), optax.linear_schedule(ETA, 0.0, 4))
    theta, state = THETA, optimizer.init(THETA)
    whole = after(optimizer, GRADS)
    for k, g in enumerate(GRADS):
        updates, state = optimizer.update(g, state, theta)
        theta = optax.apply_updates(theta, updates)
        if k == 1:
            leaves, structure = jax.tree.flatten((theta, state))
            file = io.BytesIO()
            np.savez(file, *leaves)
            file.seek(0)
            stored = np.load(file)
            theta, state = jax.tree.unflatten(structure, [jnp.asarray(stored[f"arr_{i}"]) for i in range(len(leaves))])
    same(theta, whole, rtol=0)


def test_vmap_over_coefficients():
    etas, alphas = jnp.asarray([0.01, 0.05]), jnp.asarray([0.0, 100.0])
    instances = jax.vmap(lambda eta, alpha: after(ht.optim.ham(optax.adam(eta), eta, alpha), GRADS))(etas, alphas)
    for i in range(2):
        eta, alpha = float(etas[i]), float(alphas[i])
        same(jax.tree.map(lambda x, i=i: x[i], instances), after(ht.optim.ham(optax.adam(eta), eta, alpha), GRADS))


def test_steps_that_are_not_finite_can_be_skipped():
    bad = jax.tree.map(lambda x: jnp.full_like(x, jnp.nan), GRADS[0])
    found = after(optax.apply_if_finite(ham(), 3), [GRADS[0], bad, GRADS[1]])
    same(found, after(ham(), GRADS[:2]))
    assert np.isnan(after(ham(), [bad])["w"]).all()


def test_optax_is_not_imported_before_it_is_needed():
    code = "import sys, hamtheory as ht; assert 'optax' not in sys.modules; ht.optim; assert 'optax' in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: ham(learning_rate=-0.1), ValueError, "learning_rate must be positive and finite; got -0.1"),
        (lambda: ham(learning_rate=jnp.asarray(jnp.nan)), ValueError, "learning_rate .* got nan"),
        (lambda: ham(learning_rate=[0.1, 0.2]), ValueError, "learning_rate must have 0 axes"),
        (lambda: ham(learning_rate="fast"), ValueError, "learning_rate must hold real numbers"),
        (lambda: ham(clip=0.0), ValueError, "clip must be positive"),
        (lambda: ham(clip=lambda k: 5.0), TypeError, "clip must be a positive number, or None"),
        (lambda: ham(optax.MultiSteps(optax.sgd(0.1), 2)), TypeError, "MultiSteps goes around ham"),
        (lambda: ham(optax.sgd), TypeError, "base must be an optax.GradientTransformation"),
        (lambda: ht.optim.ham_natural(0.0, 1.0), ValueError, "learning_rate must be positive"),
        (lambda: ht.optim.ham_natural(0.1, -1.0), ValueError, "alpha must be at least 0"),
        (lambda: ham(where=False).init(THETA), ValueError, "where must choose at least one tensor; all its bools"),
        (lambda: ham(where={"w": 1.0}).init(THETA), TypeError, "where must hold or return bools, .* got 1.0"),
        (lambda: ham(where={"w": "weight"}).init(THETA), TypeError, "or be a regular expression; got 'weight'"),
        (lambda: ham(where="w(").init(THETA), ValueError, r"where must be a regular expression; got 'w\('"),
        (lambda: ham(where="W").init({str(i): 0.0 for i in range(9)}), ValueError, r"'0', .*'5', … \(9 in all\)"),
        (lambda: ham(where={"v": True}).init(THETA), ValueError, "where must have the tree structure of params"),
        (lambda: ham(where=lambda x: x.ndim > 1).init(THETA), TypeError, "where is called once, with all of params"),
        (lambda: ham(where=True).init({"n": jnp.ones(2, int)}), TypeError, r"params\['n'\] has dtype int"),
        (lambda: ham().init({"z": jnp.ones((2, 2), complex)}), TypeError, r"params\['z'\] has dtype complex"),
        (lambda: after(ham(), [{"w": GRADS[0]["w"], "b": None}]), ValueError, r"got nothing at \['b'\]"),
        (lambda: after(ham(), [GRADS[0] | {"c": 1.0}]), ValueError, r"got something at \['c'\]"),
        (lambda: after(ham(), [GRADS[0] | {"b": jnp.ones(3)}]), ValueError, r"grads\['b'\] must have shape \(4,\)"),
        (lambda: ht.optim.ham_natural(0.1, 1.0).update(GRADS[0], None), ValueError, "params must be given"),
        (lambda: ht.optim.ham_step(THETA, GRADS[0], -1.0, 1.0, 0.0), ValueError, "learning_rate must be positive"),
        (lambda: ht.optim.ham_apply(THETA, {}, GRADS[0], 1.0, 1.0, 0.0), ValueError, "updates must have the tree"),
    ],
)
def test_bad_input(unchecked, call, error, match):
    with pytest.raises(error, match=match):
        call()
