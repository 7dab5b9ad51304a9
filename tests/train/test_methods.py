"""Each method's rule on a few weights, with the numbers worked by hand; and exact sparsity at every step."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import hamtheory.train as htt
from hamtheory.train._dynamic import moved
from hamtheory.train._masks import kept, largest
from hamtheory.train._products import factors
from hamtheory.train._threshold import soft_threshold

WEIGHTS = {
    "a": {"b": jnp.zeros(3, "float32"), "w": jnp.asarray(np.random.default_rng(0).normal(size=(5, 8)), "float32")},
    "c": {"b": jnp.zeros(2, "float32"), "w": jnp.asarray(np.random.default_rng(1).normal(size=(4, 15)), "float32")},
}
STEPS = 40
METHODS = [
    htt.Dense(),
    htt.RandomPruning(sparsity=0.9),
    htt.MagnitudePruning(sparsity=0.83, layers="global"),
    htt.OneShot(sparsity=0.9),
    htt.Gradual(sparsity=0.9, updates=5, start_at=0.0, initial=0.5),
    htt.Gradual(sparsity=0.75, updates=3, layers="erk", cycles=2),
    htt.ACDC(sparsity=0.9, layers="uniform", warmup=0.0),
    htt.RigL(sparsity=0.7, every=4),
    htt.STR(sparsity=0.9, s_init=-1.0),
    htt.Spred(sparsity=0.9),
    htt.PILoT(sparsity=0.9),
    htt.SignIn(sparsity=0.9),
]
TARGET = {0.0: 100, 0.9: 10, 0.83: 17, 0.75: 25, 0.7: 30}


def trained(method, key, target, optimizer, steps=STEPS):
    """Every mask and all weights of a training towards `target`, which is the minimum of the loss."""
    params, masks = method.init(key, WEIGHTS, steps)
    state = optimizer.init(params)

    def step(carry, i):
        params, masks, state = carry
        weights, pull = jax.vjp(lambda p: method.weights(p, masks), params)
        dense = jax.tree.map(lambda w, t: w - t, weights, target)
        grads = method.regularised(pull(dense)[0], params, i, steps)
        updates, state = optimizer.update(grads, state, params)
        params = optax.apply_updates(params, updates)
        params, masks, state = method.update(params, masks, dense, i + 1, steps, state)
        return (params, masks, state), (kept(masks), masks, method.weights(params, masks))

    (params, masks, _), path = jax.lax.scan(step, (params, masks, state), jnp.arange(steps, dtype=jnp.int32))
    return method.final(params, masks), path


@pytest.mark.parametrize("method", METHODS, ids=lambda m: f"{type(m).__name__}-{m.layers}-{m.sparsity}")
def test_sparsity_is_exact_at_every_step_and_under_vmap(method):
    rng = np.random.default_rng(2)
    targets = jax.tree.map(lambda w: jnp.asarray(rng.normal(size=(2, *w.shape)), "float32"), WEIGHTS)
    keys = jax.random.split(jax.random.key(3), 2)
    lane = jax.vmap(lambda key, target: trained(method, key, target, optax.sgd(0.05, momentum=0.9)))
    run = jax.jit(lane, compiler_options={"xla_backend_optimization_level": 0})  # it is compiled once, and runs once
    (weights, masks), (counts, path, along) = run(keys, targets)
    promised = [method.promise(i + 1, STEPS, WEIGHTS) for i in range(STEPS)]
    np.testing.assert_array_equal(counts, np.stack([promised, promised]))
    assert jax.vmap(kept)(masks).tolist() == [TARGET[method.sparsity]] * 2
    for name in "ac":
        assert masks[name]["b"] is None
        assert not np.any(np.asarray(weights[name]["w"])[~np.asarray(masks[name]["w"])])
        assert not np.any(np.asarray(along[name]["w"])[~np.asarray(path[name]["w"])])
        assert np.all(np.isfinite(weights[name]["w"])) and np.any(weights[name]["b"] != 0)


def test_ties_and_nan_do_not_change_the_number():
    scores = jnp.asarray([[1.0, 1.0, jnp.nan], [1.0, 2.0, 1.0]])
    assert largest(scores, 3).tolist() == [[True, True, False], [False, True, False]]
    assert [int(largest(scores, k).sum()) for k in range(7)] == list(range(7))


def test_acdc_phases_are_those_of_the_paper():
    # In epochs, of 100: sparse from 10, 20, …, 70 for 5 each, dense from 75, sparse from 85.
    phases = htt.ACDC(sparsity=0.9).phases(100)
    assert phases == [(t, t % 10 == 0) for t in range(10, 76, 5)] + [(85, True)]
    # What is left over, here from 30 to 35, and a dense phase at the end, are parts of the last dense phase.
    assert htt.ACDC(sparsity=0.9, warmup=0.1, phase=0.2, last_dense=0.45, last_sparse=0.2).phases(20) == [
        (2, True), (6, False), (16, True)
    ]  # fmt: skip


def test_acdc_weights_come_back_from_zero_without_momentum():
    method, params = htt.ACDC(sparsity=0.5), {"w": jnp.asarray([[3.0, -1.0, 2.0, 0.5]])}
    everything = {"w": jnp.ones((1, 4), bool)}
    few, masks, state = method.update(params, everything, params, 10, 100, {"trace": params})
    assert masks["w"].tolist() == [[True, False, True, False]] and few["w"].tolist() == [[3.0, 0.0, 2.0, 0.0]]
    few, masks, state = method.update(few, masks, params, 12, 100, {"trace": params})
    assert int(kept(masks)) == 2
    few, masks, state = method.update(few, masks, params, 15, 100, state)
    assert int(kept(masks)) == 4 and few["w"].tolist() == [[3.0, 0.0, 2.0, 0.0]]
    assert state["trace"]["w"].tolist() == [[3.0, 0.0, 2.0, 0.0]]


def test_rigl_by_hand():
    method = htt.RigL(sparsity=0.5, every=10, alpha=0.4, stop_at=0.75)
    assert method.events(120).tolist() == [10, 20, 30, 40, 50, 60, 70, 80]  # T_end = 90
    # f = 0.2 (1 + cos(πt/90)): 0.3 at 30, 0.1 at 60.
    assert [method.dropped(t, 120, 100) for t in (30, 60)] == [30, 10]
    assert method.dropped(45, 120, 10) == 2  # 0.2
    # Six weights, three of them active; the smallest, −0.1, goes, and the empty place with the largest gradient comes.
    weights = jnp.asarray([0.5, -0.1, 2.0, 0.0, 0.0, 0.0])
    mask, gradient = weights != 0, jnp.asarray([9.0, 0.2, 9.0, -0.3, 0.7, 0.1])
    assert moved(weights, mask, gradient, 3, 1).tolist() == [True, False, True, False, True, False]
    assert int(moved(weights.at[:3].set(jnp.nan), mask, jnp.full(6, jnp.nan), 3, 1).sum()) == 3
    # The place just left is empty, too: with the largest gradient it is taken again.
    assert moved(weights, mask, gradient.at[1].set(-0.8), 3, 1).tolist() == mask.tolist()


def test_rigl_grows_from_zero():
    params = {"w": jnp.asarray([[0.5, -0.1, 2.0, 0.0, 0.0, 0.0]])}
    masks = {"w": params["w"] != 0}
    method, gradient = (
        htt.RigL(sparsity=0.5, every=30, alpha=0.8),
        {"w": jnp.asarray([[9.0, 0.2, 9.0, -0.3, 0.7, 0.1]])},
    )
    state = (optax.TraceState({"w": jnp.ones((1, 6))}), jnp.asarray(7))
    new, masks, (trace, steps) = method.update(params, masks, gradient, 30, 120, state)  # f = 0.6, ⌊0.6 · 3⌋ = 1
    assert masks["w"].tolist() == [[True, False, True, False, True, False]]
    assert new["w"].tolist() == [[0.5, 0.0, 2.0, 0.0, 0.0, 0.0]]
    assert trace.trace["w"].tolist() == [[1.0, 1.0, 1.0, 1.0, 0.0, 1.0]] and int(steps) == 7


def test_gradual_schedule_by_hand():
    method = htt.Gradual(sparsity=0.8, start_at=0.2, stop_at=0.6, updates=2)
    # t₀ = 20, Δt = 20: 0, then 0.8 − 0.8/8 = 0.7, then 0.8.
    assert method.schedule(100) == [(20, 0.0), (40, pytest.approx(0.7)), (60, 0.8)]
    assert [method.promise(t, 100, WEIGHTS) for t in (0, 39, 40, 59, 60, 100)] == [100, 100, 30, 30, 20, 20]
    cyclic = htt.Gradual(sparsity=0.8, start_at=0.2, stop_at=0.6, updates=1, cycles=2)
    assert cyclic.schedule(100) == [(10, 0.0), (30, 0.8), (50, 0.0), (60, 0.0), (80, 0.8)]


def test_str_threshold_and_gradient():
    theta, s = jnp.asarray([[-2.0, 0.3, 1.0, -0.1]]), jnp.asarray(-np.log(3.0))  # sigmoid(s) = 1/4, its slope 3/16
    np.testing.assert_allclose(soft_threshold(theta, s), [[-1.75, 0.05, 0.75, 0.0]], atol=1e-15)
    of_theta, of_s = jax.grad(lambda t, s: jnp.sum(jnp.asarray([[1.0, 2.0, 3.0, 4.0]]) * soft_threshold(t, s)), (0, 1))(
        theta, s
    )
    np.testing.assert_array_equal(of_theta, [[1.0, 2.0, 3.0, 0.0]])
    np.testing.assert_allclose(of_s, -(-1.0 + 2.0 + 3.0) * 3 / 16, rtol=1e-14)
    method = htt.STR(sparsity=0.5, weight_decay=0.1, s_init=-2.0, settle=0.25)
    params, _ = method.init(jax.random.key(0), {"b": jnp.ones(2), "w": theta}, 8)
    zeros = jax.tree.map(jnp.zeros_like, params)
    grads = method.regularised(zeros, params, 0, 8)
    np.testing.assert_allclose(grads.theta["w"], 0.1 * theta, rtol=1e-7)
    np.testing.assert_allclose(grads.s["w"], -0.2, rtol=1e-7)
    assert grads.theta["b"].tolist() == [0.0, 0.0] and grads.s["b"] is None
    assert not np.any(method.regularised(zeros, params, 6, 8).theta["w"])  # settled


def test_balanced_factors_have_the_least_decay():
    w = jnp.asarray([-3.0, -1e-6, 0.0, 0.25, 40.0])
    m, v = factors(w, 0.0)
    np.testing.assert_allclose(m * v, w, rtol=1e-14)
    np.testing.assert_allclose(m**2 + v**2, 2 * jnp.abs(w), rtol=1e-14)
    for scale in (0.3, 0.99, 1.01, 5.0):  # m v = w as well, with more decay: c² + 1/c² > 2
        assert np.all((scale * m) ** 2 + (v / scale) ** 2 >= 2 * jnp.abs(w))


def test_spred_stops_where_the_lasso_does():
    # ½(w − t)² + 2κ|w| is least at sign(t) max(|t| − 2κ, 0).
    method, target = htt.Spred(sparsity=0.25, kappa=0.25, settle=0.0), jnp.asarray([[2.0, -1.0, 0.3, 1.5]])
    start = {"w": jnp.asarray([[0.5, -0.5, 0.5, 0.5]])}
    params, masks = method.init(jax.random.key(0), start, 10_000)

    @jax.jit
    def step(i, params):
        weights, pull = jax.vjp(lambda p: method.weights(p, masks), params)
        grads = method.regularised(pull({"w": weights["w"] - target})[0], params, i, 10_000)
        return jax.tree.map(lambda p, g: p - 0.05 * g, params, grads)

    params = jax.lax.fori_loop(0, 4000, step, params)
    np.testing.assert_allclose(method.weights(params, masks)["w"], [[1.5, -0.5, 0.0, 1.0]], atol=1e-6)
    _, masks = method.final(params, masks)
    assert masks["w"].tolist() == [[True, True, False, True]]


def test_pilot_decays_and_is_switched_off():
    method = htt.PILoT(sparsity=0.5, kappa=0.1, ratio=0.5, off=0.5, settle=0.2)
    np.testing.assert_allclose([method.strength(t, 200) for t in (0, 2, 4, 99)], 0.1 * 0.5 ** np.array([0, 1, 2, 49.5]),
                               rtol=1e-5)  # fmt: skip
    assert [float(method.strength(t, 200)) for t in (100, 199)] == [0.0, 0.0]
    params, _ = method.init(jax.random.key(0), {"w": jnp.asarray([[-4.0, 6.0]])}, 200)
    np.testing.assert_allclose(params.m["w"] ** 2 - params.v["w"] ** 2, 1.0, rtol=1e-13)


def test_sign_in_resets_the_imbalance_and_keeps_the_weights():
    method = htt.SignIn(sparsity=0.5, every=0.1, imbalance=2.0)
    assert method.events(40).tolist() == [4, 8, 12, 16, 20, 24, 28, 32, 36]

    @jax.jit
    def steps():
        params, masks = method.init(jax.random.key(0), WEIGHTS, 40)
        params = jax.tree.map(lambda p: 1.3 * p - 0.1, params)
        return params, masks, *(method.update(params, masks, WEIGHTS, step, 40)[0] for step in (5, 8))

    params, masks, between, new = jax.tree.map(np.asarray, steps())
    for name in "ac":
        mask = np.asarray(masks[name]["w"])
        m, v = new.m[name]["w"], new.v[name]["w"]
        unlike = between.m[name]["w"] ** 2 - between.v[name]["w"] ** 2
        assert not np.allclose(unlike[mask], 2.0, rtol=1e-2)
        np.testing.assert_allclose((m**2 - v**2)[mask], 2.0, rtol=2e-6)
        np.testing.assert_allclose((m * v)[mask], (params.m[name]["w"] * params.v[name]["w"])[mask], rtol=1e-6)
        assert not np.any(m[~mask]) and not np.any(v[~mask])


def test_dense_layers():
    for names, sizes in {("first",): [60], ("last",): [40], (): [40, 60]}.items():
        method = htt.RandomPruning(sparsity=0.9, layers="uniform", dense_layers=names)
        masks = jax.jit(method.start)(jax.random.key(0), WEIGHTS)
        assert [leaf.size for leaf in jax.tree.leaves(masks)] == sizes
        assert int(kept(masks)) == sum(sizes) // 10


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: htt.OneShot(sparsity=1.0), "sparsity must be at least 0 and less than 1; got 1.0"),
        (lambda: htt.Dense(sparsity=0.5), "sparsity must be 0 for Dense"),
        (lambda: htt.RandomPruning(sparsity=0.5, layers="global"), 'layers must be "erk" or "uniform"'),
        (lambda: htt.RigL(sparsity=0.5, layers="none"), "layers must be one of 'uniform', 'erk', 'global'"),
        (lambda: htt.RigL(sparsity=0.5, alpha=0.0), "alpha must be more than 0"),
        (lambda: htt.ACDC(sparsity=0.5, warmup=0.9), "must add up to 1 at most"),
        (lambda: htt.ACDC(sparsity=0.5).events(5), "phase must be a step at least"),
        (lambda: htt.Gradual(sparsity=0.5, start_at=0.5, stop_at=0.5), "stop_at must be more than start_at"),
        (lambda: htt.Gradual(sparsity=0.5).events(10), "updates must be less"),
        (lambda: htt.Spred(sparsity=0.5, kappa=-1.0), "kappa must be at least 0"),
        (lambda: htt.RandomPruning(sparsity=0.5, dense_layers=("middle",)), "dense_layers must be one of"),
        (lambda: htt.RandomPruning(sparsity=0.5, dense_layers=("first", "last")).chosen(WEIGHTS), "got none"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()
