"""Each method's rule on a few weights, with the numbers worked by hand; and exact sparsity at every step."""

import dataclasses
import functools
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import hamtheory.train as htt
from hamtheory.train._masks import kept, largest
from hamtheory.train._products import factors
from hamtheory.train._step import split
from hamtheory.train._threshold import soft_threshold

WEIGHTS = {
    "a": {"b": jnp.zeros(3, "float32"), "w": jnp.asarray(np.random.default_rng(0).normal(size=(5, 8)), "float32")},
    "c": {"b": jnp.zeros(2, "float32"), "w": jnp.asarray(np.random.default_rng(1).normal(size=(4, 15)), "float32")},
}
QUICK = {"xla_backend_optimization_level": 0}  # what is compiled here runs once or twice
STEPS = 40
METHODS = [
    htt.RandomPruning(sparsity=0.9),
    htt.MagnitudePruning(sparsity=0.83, layers="global"),
    htt.OneShot(sparsity=0.9),
    htt.Gradual(sparsity=0.9, updates=5, start_at=0.0, initial=0.5),
    htt.Gradual(sparsity=0.75, updates=3, layers="erk", cycles=2),
    htt.ACDC(sparsity=0.9, layers="uniform", warmup=0.0),
    htt.RigL(sparsity=0.7, every=4),
    htt.Alternating(sparsity=0.9, updates=3, alpha=0.9),
    htt.STR(sparsity=0.9, s_init=-1.0),
    htt.Spred(sparsity=0.9),
    htt.PILoT(sparsity=0.9),
    htt.SignIn(sparsity=0.9),
]
TARGET = {0.9: 10, 0.83: 17, 0.75: 25, 0.7: 30}


def trained(method, key, target, optimizer, steps=STEPS):
    """Every mask and all weights of a training towards `target`, which is the minimum of the loss."""
    params, masks = method.init(key, WEIGHTS, steps)
    state = optimizer.init(split(params)[0])

    def step(carry, i):
        params, masks, state = carry
        moving, rest = split(params)
        weights, pull = jax.vjp(lambda p: method.weights(eqx.combine(p, rest), masks), moving)
        dense = jax.tree.map(lambda w, t: w - t, weights, target)
        grads = method.regularised(pull(dense)[0], params, i, steps)
        updates, state = optimizer.update(grads, state, moving)
        params = eqx.combine(optax.apply_updates(moving, updates), rest)
        params, masks, state = method.update(params, masks, dense, i + 1, steps, state)
        return (params, masks, state), (kept(masks), masks, method.weights(params, masks))

    (params, masks, _), path = jax.lax.scan(step, (params, masks, state), jnp.arange(steps, dtype=jnp.int32))
    return method.final(params, masks), path


each_method = pytest.mark.parametrize("method", METHODS, ids=lambda m: f"{type(m).__name__}-{m.layers}-{m.sparsity}")


@functools.cache
def runs(method):
    """Trainings of eight networks as one program: two towards what is drawn, six towards what is not finite."""
    rng = np.random.default_rng(2)
    drawn = jax.tree.map(lambda w: jnp.asarray(rng.normal(size=(2, *w.shape)), "float32"), WEIGHTS)
    bad = jnp.asarray([jnp.nan, jnp.inf, 3e38], "float32")  # of the last, the norm of the gradient is infinite
    targets = jax.tree.map(lambda w: jnp.broadcast_to(bad.reshape(3, *[1] * w.ndim), (3, *w.shape)), WEIGHTS)
    some = jax.tree.map(lambda t, w: jnp.where(jnp.arange(w.size).reshape(w.shape) % 3 > 0, w, t), targets, WEIGHTS)
    targets = jax.tree.map(lambda *parts: jnp.concatenate(parts), drawn, targets, some)
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(0.05, momentum=0.9))
    instance = jax.vmap(lambda key, target: trained(method, key, target, optimizer))
    found = jax.jit(instance, compiler_options=QUICK)(jax.random.split(jax.random.key(3), 8), targets)
    return tuple(jax.tree.map(lambda x: np.asarray(x)[chosen], found) for chosen in (slice(2), slice(2, 8)))  # noqa: B023


@each_method
def test_sparsity_is_exact_at_every_step_and_under_vmap(method):
    (weights, masks), (counts, path, along) = runs(method)[0]
    promised = [method.promise(i + 1, STEPS, WEIGHTS) for i in range(STEPS)]
    np.testing.assert_array_equal(counts, np.stack([promised, promised]))
    assert jax.vmap(kept)(masks).tolist() == [TARGET[method.sparsity]] * 2
    for name in "ac":
        assert masks[name]["b"] is None
        assert not np.any(weights[name]["w"][~masks[name]["w"]])
        assert not np.any(along[name]["w"][~path[name]["w"]])
        assert np.all(np.isfinite(weights[name]["w"])) and np.any(weights[name]["b"] != 0)


@each_method
def test_sparsity_is_exact_when_training_fails(method):
    """A network that is no longer finite is data, and ends no sweep: whatever the scores are, counts hold."""
    (_, masks), (counts, _, along) = runs(method)[1]
    finite = [np.isfinite(along[name]["w"]).all(axis=(1, 2, 3)) for name in "ac"]
    assert not np.all(finite, axis=0)[[0, 1, 3, 4]].any()
    np.testing.assert_array_equal(
        counts, np.tile([method.promise(i + 1, STEPS, WEIGHTS) for i in range(STEPS)], (6, 1))
    )
    assert jax.vmap(kept)(masks).tolist() == [TARGET[method.sparsity]] * 6


def changed(method, params, masks, step, steps, gradient=None):
    """Parameters, masks and SGD's momentum after a step; the momentum was 1."""
    state = (optax.TraceState(jax.tree.map(jnp.ones_like, params)), jnp.asarray(7))
    params, masks, state = update(method, params, masks, gradient, jnp.asarray(step, jnp.int32), steps, state)
    assert int(state[1]) == 7
    return params, masks, state[0].trace


@partial(jax.jit, static_argnums=(0, 5), compiler_options=QUICK)
def update(method, *arguments):
    return method.update(*arguments)


def ones(mask):
    """Where a mask of one row is True."""
    return np.flatnonzero(np.asarray(mask["w"])).tolist()


EIGHT = {"w": jnp.asarray([[8.0, -7.0, 6.0, -5.0, 4.0, -3.0, 2.0, 1.0]])}
FOUR = {"b": jnp.asarray([0.5]), "w": jnp.asarray([[3.0, -1.0, 2.0, 0.5]])}
ALL = {"b": None, "w": jnp.ones((1, 4), bool)}


def test_ties_and_nan_do_not_change_the_number():
    scores = jnp.asarray([[1.0, 1.0, jnp.nan], [1.0, 2.0, 1.0]])
    found = np.asarray(jax.jit(jax.vmap(largest, (None, 0)), compiler_options=QUICK)(scores, np.arange(7, dtype="i4")))
    assert found[3].tolist() == [[True, True, False], [False, True, False]]
    assert found.sum((1, 2)).tolist() == list(range(7))


def test_random_pruning_keeps_so_many_of_each_layer():
    # 20 + 80 weights. Σ n: 12 and 18, thus ε = 1 for 30 of 100 weights; uniform: 30 % of each.
    weights = {"a": jnp.ones((2, 10)), "b": jnp.ones(3), "c": jnp.ones((8, 10))}
    methods = [htt.RandomPruning(sparsity=0.7, layers=layers) for layers in ("erk", "uniform")]
    start = jax.jit(lambda key: [m.start(key, weights) for m in methods], compiler_options=QUICK)
    found, others = start(jax.random.key(0)), start(jax.random.key(1))
    assert [[int(np.sum(m)) for m in jax.tree.leaves(masks)] for masks in found] == [[12, 18], [6, 24]]
    assert np.any(np.asarray(found[0]["c"]) != others[0]["c"])  # with a chance of 1 in 80!/(18! 62!)
    # Dense layers don't count: 30 % of the 80 weights without the first, or of the 20 without the last.
    for name, sparse, number in (("first", "c", 24), ("last", "a", 6)):
        method = htt.RandomPruning(sparsity=0.7, dense_layers=(name,))
        assert method.chosen(weights) == {"a": False, "b": False, "c": False} | {sparse: True}
        assert method.promise(0, 1, weights) == number


def test_magnitude_pruning_keeps_the_largest():
    # Half of seven is 3.5, thus 4: of all 4, 3, 2 and −1; by layers 2 of 4, and 2 of 3, as 1.5 goes up for the sum.
    weights = {"a": jnp.asarray([[3.0, -1.0], [0.5, 2.0]]), "c": jnp.asarray([[-0.2, 0.1, 4.0]])}
    methods = [htt.MagnitudePruning(sparsity=0.5, layers=layers) for layers in ("global", "uniform")]
    start = jax.jit(lambda: [m.init(jax.random.key(0), weights, 10) for m in methods], compiler_options=QUICK)
    (kept_of_all, of_all), (_, of_each) = start()
    assert of_all["a"].tolist() == [[True, True], [False, True]] and of_all["c"].tolist() == [[False, False, True]]
    assert of_each["a"].tolist() == [[True, False], [False, True]] and of_each["c"].tolist() == [[True, False, True]]
    assert kept_of_all["a"].tolist() == [[3.0, -1.0], [0.0, 2.0]]
    # No step changes that; nor does one prune a dense network.
    params, masks, _ = methods[0].update(weights, of_all, weights, 5, 10)
    assert masks is of_all and params["c"].tolist() == [[0.0, 0.0, 4.0]]
    params, masks, _ = htt.Dense().update(FOUR, ALL, FOUR, 5, 10)
    assert masks is ALL and params["w"].tolist() == FOUR["w"].tolist()


def test_one_shot_prunes_once():
    assert [htt.OneShot(sparsity=0.5, at=at).events(10).tolist() for at in (0.5, 0.25)] == [[5], [3]]  # 2.5, rounded up
    method = htt.OneShot(sparsity=0.5)
    few, masks, _ = changed(method, FOUR, ALL, 4, 10)
    assert ones(masks) == [0, 1, 2, 3]
    few, masks, trace = changed(method, few, masks, 5, 10)
    assert few["w"].tolist() == [[3.0, 0.0, 2.0, 0.0]] and few["b"].tolist() == [0.5]
    assert trace["w"].tolist() == [[1.0] * 4]
    # The optimizer has moved everything; what has gone stays away, even if it were the largest.
    few, masks, _ = changed(method, {"b": few["b"], "w": jnp.asarray([[1.0, 9.0, 2.0, 0.5]])}, masks, 6, 10)
    assert few["w"].tolist() == [[1.0, 0.0, 2.0, 0.0]]


def test_gradual_pruning_by_hand():
    # t₀ = 20, Δt = 20: 0, then 0.8 − 0.8/8 = 0.7, then 0.8; with two cycles and one update, each in half the time.
    method = htt.Gradual(sparsity=0.8, start_at=0.2, stop_at=0.6, updates=2)
    assert method.schedule(100) == [(20, 0.0), (40, pytest.approx(0.7)), (60, 0.8)]
    assert [method.promise(t, 100, WEIGHTS) for t in (0, 39, 40, 59, 60, 100)] == [100, 100, 30, 30, 20, 20]
    cyclic = htt.Gradual(sparsity=0.8, start_at=0.2, stop_at=0.6, updates=1, cycles=2)
    assert cyclic.schedule(100) == [(10, 0.0), (30, 0.8), (50, 0.0), (60, 0.0), (80, 0.8)]
    # In each of two cycles of ten steps: 0 at 2, 0.75 − 0.75/8 = 0.65625 at 4, thus 2.75 of 8 weights, and 0.75 at 6.
    cyclic = htt.Gradual(sparsity=0.75, start_at=0.2, stop_at=0.6, updates=2, cycles=2)
    assert cyclic.events(20).tolist() == [2, 4, 6, 10, 12, 14, 16]
    params, masks, found = EIGHT, {"w": jnp.ones((1, 8), bool)}, {}
    for step in (2, 4, 5, 6, 10):
        params, masks, trace = changed(cyclic, params, masks, step, 20)
        found[step] = ones(masks)
    assert found == {2: list(range(8)), 4: [0, 1, 2], 5: [0, 1, 2], 6: [0, 1], 10: list(range(8))}
    assert params["w"].tolist() == [[8.0, -7.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]]
    assert trace["w"].tolist() == [[1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]]


def test_acdc_phases_are_those_of_the_paper():
    # In epochs, of 100: sparse from 10, 20, …, 70 for 5 each, dense from 75, sparse from 85.
    phases = htt.ACDC(sparsity=0.9).phases(100)
    assert phases == [(t, t % 10 == 0) for t in range(10, 76, 5)] + [(85, True)]
    # What is left over, here from 30 to 35, and a dense phase at the end, are parts of the last dense phase.
    assert htt.ACDC(sparsity=0.9, warmup=0.1, phase=0.2, last_dense=0.45, last_sparse=0.2).phases(20) == [
        (2, True), (6, False), (16, True)
    ]  # fmt: skip


def test_acdc_weights_come_back_from_zero_and_momentum_is_forgotten():
    method = htt.ACDC(sparsity=0.5)
    few, masks, trace = changed(method, FOUR, ALL, 10, 100)  # sparse
    assert ones(masks) == [0, 2] and few["w"].tolist() == [[3.0, 0.0, 2.0, 0.0]]
    assert trace["w"].tolist() == [[1.0] * 4] and trace["b"].tolist() == [1.0]
    few, masks, trace = changed(method, few, masks, 12, 100)
    assert ones(masks) == [0, 2] and trace["w"].tolist() == [[1.0] * 4]
    back, masks_back, trace = changed(method, few, masks, 15, 100)  # dense
    assert ones(masks_back) == [0, 1, 2, 3] and back["w"].tolist() == [[3.0, 0.0, 2.0, 0.0]]
    assert trace["w"].tolist() == [[0.0] * 4] and trace["b"].tolist() == [0.0]
    # Of other states, what belongs to the weights that come back.
    _, _, state = update(method, few, masks, None, jnp.asarray(15, jnp.int32), 100, {"mean square": FOUR})
    assert state["mean square"]["w"].tolist() == [[3.0, 0.0, 2.0, 0.0]] and state["mean square"]["b"].tolist() == [0.5]


def test_rigl_by_hand():
    method = htt.RigL(sparsity=0.5, every=10, alpha=0.4, stop_at=0.75)
    assert method.events(120).tolist() == [10, 20, 30, 40, 50, 60, 70, 80]  # T_end = 90
    # f = 0.2 (1 + cos(πt/90)): 0.3 at 30, 0.1 at 60; 0.2 at 45.
    assert [method.dropped(t, 120, 100) for t in (30, 60)] == [30, 10]
    assert [method.dropped(45, 120, k) for k in (10, 14, 15)] == [2, 2, 3]
    # Six weights, three of them active: at 10, f = 0.2 (1 + cos 20°) = 0.388, thus one: the smallest, −0.1, goes, and
    # the empty place with the largest gradient comes, from 0 and without momentum.
    params = {"w": jnp.asarray([[0.5, -0.1, 2.0, 0.0, 0.0, 0.0]])}
    masks, gradient = {"w": params["w"] != 0}, {"w": jnp.asarray([[9.0, 0.2, 9.0, -0.3, 0.7, 0.1]])}
    new, moved_masks, trace = changed(method, params, masks, 10, 120, gradient)
    assert ones(moved_masks) == [0, 2, 4]
    assert new["w"].tolist() == [[0.5, 0.0, 2.0, 0.0, 0.0, 0.0]]
    assert trace["w"].tolist() == [[1.0, 1.0, 1.0, 1.0, 0.0, 1.0]]
    # The place just left is empty, too: with the largest gradient it is taken again, and nothing happens to it.
    gradient = {"w": jnp.asarray([[9.0, -0.8, 9.0, -0.3, 0.7, 0.1]])}
    new, moved_masks, trace = changed(method, params, masks, 10, 120, gradient)
    assert ones(moved_masks) == [0, 1, 2] and new["w"].tolist() == params["w"].tolist()
    assert trace["w"].tolist() == [[1.0] * 6]
    nan = {"w": jnp.full((1, 6), jnp.nan)}
    assert len(ones(changed(method, nan, masks, 10, 120, nan)[1])) == 3


def test_alternating_by_hand():
    # Two sub-networks, of 4 and of 2 of 8 weights, in turn. t₀ = 0, Δt = 4, twice: the first one's mask is chosen anew
    # after 5 and 9 steps, the second one's after 6 and 10. Densities 1 − (0.5 − 0.5/8) = 0.5625 and 0.5 of the first,
    # 1 − (0.75 − 0.75/8) = 0.34375 and 0.25 of the second: 4.5 and 4 weights, 2.75 and 2.
    method = htt.Alternating(sparsity=0.75, multiples=(2.0,), stop_at=0.4, updates=2, alpha=0.2)
    assert method.rhythm(20) == (0, 4) and method.events(20).tolist() == list(range(1, 21))
    # After an even number of steps the first is next, after an odd number the second, and at the end.
    assert [method.promise(t, 20, EIGHT) for t in range(21)] == [8] * 6 + [5, 3, 5, 3, 4] + [2, 4] * 4 + [2, 2]
    # Published for CIFAR-10: 0.1, 0.05, 0.02; and never more than all.
    assert [float(d) for d in htt.Alternating(sparsity=0.98).densities] == [0.1, 0.05, 0.02]
    assert [float(d) for d in htt.Alternating(sparsity=0.75).densities] == [1.0, 0.625, 0.25]

    params, masks = method.init(jax.random.key(0), EIGHT, 20)
    found, gradients = {}, {
        # r = 0.1 (1 + cos(π 5/20)) = 0.17 of 5, thus one: 4 goes, and the place of 2 comes, where |−0.7| is largest.
        5: [9.0, 9.0, 9.0, 9.0, 0.1, 0.2, -0.7, 0.3],
        # r = 0.16 of 3, thus one: 6 goes, 4 comes.
        6: [9.0, 9.0, 0.1, 0.2, -0.7, 0.3, 0.5, 0.0],
        # r = 0.12 of 4: one of 8, −7, 6, −5; of the places of the old mask, −5 and 2, the latter has more.
        9: [9.0, 9.0, 9.0, 0.2, 5.0, 5.0, 0.3, 5.0],
        # r = 0.1 of 2: −7 goes; of its place and that of 4, the latter has more.
        10: [9.0, 0.1, 9.0, 9.0, 0.2, 9.0, 9.0, 9.0],
        # As many as there were, and r = 0.05 of 4: the three largest, and of the old mask only the place of 2 is left.
        13: [9.0, 9.0, 9.0, 0.4, 5.0, 5.0, 0.3, 5.0],
    }  # fmt: skip
    for step in range(1, 15):
        gradient = {"w": jnp.asarray([gradients.get(step, [0.0] * 8)])}
        params, masks, trace = changed(method, params, masks, step, 20, gradient)
        found[step] = ones(masks)
        assert trace.theta["w"].tolist() == [[1.0] * 8]
    first, second = [0, 1, 2, 3, 6], [0, 1, 4]
    assert found == {step: list(range(8)) for step in range(1, 6)} | {
        6: first, 7: second, 8: first, 9: second, 10: [0, 1, 2, 6], 11: [0, 4], 12: [0, 1, 2, 6], 13: [0, 4],
        14: [0, 1, 2, 6],
    }  # fmt: skip
    # The weights are shared: a mask hides, and loses nothing.
    assert params.theta["w"].tolist() == EIGHT["w"].tolist()
    assert method.weights(params, masks)["w"].tolist() == [[8.0, -7.0, 6.0, 0.0, 0.0, 0.0, 2.0, 0.0]]
    assert params.parts["w"].tolist() == [[3, 1, 1, 0, 2, 0, 1, 0]]
    _, masks, _ = changed(method, params, masks, 20, 20, EIGHT)
    assert ones(masks) == [0, 4]


def test_str_by_hand():
    theta, s = jnp.asarray([[-2.0, 0.3, 1.0, -0.1]]), jnp.asarray(-np.log(3.0))  # sigmoid(s) = 1/4, its slope 3/16

    @partial(jax.jit, compiler_options=QUICK)
    def slopes(theta, s):
        w, pull = jax.vjp(soft_threshold, theta, s)
        return w, *pull(jnp.asarray([[1.0, 2.0, 3.0, 4.0]]))

    w, of_theta, of_s = slopes(theta, s)
    np.testing.assert_allclose(w, [[-1.75, 0.05, 0.75, 0.0]], atol=1e-15)
    np.testing.assert_array_equal(of_theta, [[1.0, 2.0, 3.0, 0.0]])
    np.testing.assert_allclose(of_s, -(-1.0 + 2.0 + 3.0) * 3 / 16, rtol=1e-14)
    method = htt.STR(sparsity=0.5, weight_decay=0.1, s_init=-2.0, settle=0.25)
    params, masks = method.init(jax.random.key(0), {"b": jnp.ones(2), "w": theta}, 8)
    zeros = jax.tree.map(jnp.zeros_like, params)
    grads = method.regularised(zeros, params, 5, 8)
    np.testing.assert_allclose(grads.theta["w"], [[-0.2, 0.03, 0.1, -0.01]], rtol=1e-7)
    np.testing.assert_allclose(grads.s["w"], -0.2, rtol=1e-7)
    assert grads.theta["b"].tolist() == [0.0, 0.0] and grads.s["b"] is None
    # Settled after (1 − 0.25) 8 = 6 steps: no decay, and the two largest. With s at −ln 3, 0.05 and 0 go.
    assert not np.any(method.regularised(zeros, params, 6, 8).theta["w"])
    params = htt.Thresholded(params.theta, {"b": None, "w": s})
    assert ones(changed(method, params, masks, 5, 8)[1]) == [0, 1, 2, 3]
    params, masks, _ = changed(method, params, masks, 6, 8)
    assert ones(masks) == [0, 2] and params.theta["w"].tolist() == [[-2.0, 0.0, 1.0, 0.0]] and params.s["w"] == s
    np.testing.assert_allclose(method.weights(params, masks)["w"], [[-1.75, 0.0, 0.75, 0.0]], rtol=1e-14)


def test_balanced_factors_have_the_least_decay():
    w = np.asarray([-3.0, -1e-6, 0.0, 0.25, 40.0])
    m, v = map(np.asarray, factors(jnp.asarray(w), 0.0))
    np.testing.assert_allclose(m * v, w, rtol=1e-14)
    np.testing.assert_allclose(m**2 + v**2, 2 * np.abs(w), rtol=1e-14)
    for scale in (0.3, 0.99, 1.01, 5.0):  # m v = w as well, with more decay: c² + 1/c² > 2
        assert np.all((scale * m) ** 2 + (v / scale) ** 2 >= 2 * np.abs(w))


def test_spred_by_hand():
    method = htt.Spred(sparsity=0.5, kappa=0.25, settle=0.25)
    params, masks = method.init(jax.random.key(0), {"b": jnp.ones(1), "w": jnp.asarray([[4.0, -9.0, 1.0, 0.25]])}, 8)
    assert params.m["w"].tolist() == [[2.0, 3.0, 1.0, 0.5]] and params.v["w"].tolist() == [[2.0, -3.0, 1.0, 0.5]]
    assert params.m["b"] is None and params.v["b"].tolist() == [1.0]
    grads = method.regularised(jax.tree.map(jnp.zeros_like, params), params, 5, 8)  # 2κ times themselves
    assert grads.m["w"].tolist() == [[1.0, 1.5, 0.5, 0.25]] and grads.v["w"].tolist() == [[1.0, -1.5, 0.5, 0.25]]
    assert grads.v["b"].tolist() == [0.0] and float(method.strength(6, 8)) == 0.0
    assert ones(changed(method, params, masks, 5, 8)[1]) == [0, 1, 2, 3]
    params, masks, _ = changed(method, params, masks, 6, 8)  # (1 − 0.25) 8
    assert ones(masks) == [0, 1]
    assert params.m["w"].tolist() == [[2.0, 3.0, 0.0, 0.0]] and params.v["w"].tolist() == [[2.0, -3.0, 0.0, 0.0]]


def test_spred_stops_where_the_lasso_does():
    # ½(w − t)² + 2κ|w| is least at sign(t) max(|t| − 2κ, 0): for t = 2, −1, 0.3 and κ = 1/4 at 1.5, −0.5, 0. There the
    # gradient in both factors is 0; and next to 0, at m = v = 0.1, (0.01 − 0.3) 0.1 + 0.5 · 0.1 points back to it.
    method, target = htt.Spred(sparsity=0.25, kappa=0.25), jnp.asarray([[2.0, -1.0, 0.3]])

    @partial(jax.jit, compiler_options=QUICK)
    def gradient(w):
        params, masks = method.init(jax.random.key(0), {"w": w}, 10)
        weights, pull = jax.vjp(lambda p: method.weights(p, masks), params)
        return method.regularised(pull({"w": weights["w"] - target})[0], params, 0, 10)

    for third, slope in ((0.0, 0.0), (0.01, 0.021)):
        grads = gradient(jnp.asarray([[1.5, -0.5, third]]))
        np.testing.assert_allclose(grads.m["w"], [[0.0, 0.0, slope]], atol=1e-15)
        np.testing.assert_allclose(grads.v["w"], [[0.0, 0.0, slope]], atol=1e-15)


def test_pilot_decays_and_is_switched_off():
    method = htt.PILoT(sparsity=0.5, kappa=0.1, ratio=0.5, off=0.5, settle=0.2)
    # Two steps are a hundredth of the training, and halve κ.
    np.testing.assert_allclose([method.strength(t, 200) for t in (0, 2, 4, 98)], [0.1, 0.05, 0.025, 0.1 / 2**49],
                               rtol=1e-5)  # fmt: skip
    assert [float(method.strength(t, 200)) for t in (100, 199)] == [0.0, 0.0]
    late = htt.PILoT(sparsity=0.5, kappa=0.1, ratio=1.0, off=1.0, settle=0.2)  # never off before it is settled
    assert [float(late.strength(t, 200)) for t in (159, 160)] == [pytest.approx(0.1), 0.0]
    # m² = (1 + √(1 + 4w²))/2: 2 for w = −√2, where √9 = 3; 3 for √6, where √25 = 5; and 1 for 0.
    w = jnp.asarray([[-np.sqrt(2.0), np.sqrt(6.0), 0.0]])
    params, _ = method.init(jax.random.key(0), {"w": w}, 200)
    np.testing.assert_allclose(params.m["w"] ** 2, [[2.0, 3.0, 1.0]], rtol=1e-14)
    np.testing.assert_allclose(params.v["w"], [[-1.0, np.sqrt(2.0), 0.0]], rtol=1e-14)


def test_sign_in_resets_the_imbalance_and_keeps_the_weights():
    method = htt.SignIn(sparsity=0.5, every=0.1, imbalance=5.0)
    assert method.events(40).tolist() == [4, 8, 12, 16, 20, 24, 28, 32, 36]
    # w = 6 · 1 = 6, again with m² − v² = 5: m² = (5 + √(25 + 144))/2 = 9. And −2 · 3 = −6, with m > 0. Masked: 0.
    masks = {"w": jnp.asarray([[True, True, False]])}
    params = htt.Product({"w": jnp.asarray([[6.0, -2.0, 0.4]])}, {"w": jnp.asarray([[1.0, 3.0, 0.4]])})
    between, _, _ = changed(method, params, masks, 5, 40)
    assert between.m["w"].tolist() == [[6.0, -2.0, 0.0]] and between.v["w"].tolist() == [[1.0, 3.0, 0.0]]
    new, after, trace = changed(method, params, masks, 8, 40)
    np.testing.assert_allclose(new.m["w"], [[3.0, 3.0, 0.0]], rtol=1e-15)
    np.testing.assert_allclose(new.v["w"], [[2.0, -2.0, 0.0]], rtol=1e-15)
    assert ones(after) == [0, 1] and trace.m["w"].tolist() == [[1.0] * 3]


def at_the_end(method):
    """How many weights each of two layers of 20 and 80 keeps, the first with the larger ones; of those that count."""
    weights = {"a": jnp.linspace(2.0, 3.0, 20).reshape(2, 10), "c": jnp.linspace(0.5, 1.5, 80).reshape(8, 10)}
    params, masks = method.init(jax.random.key(0), weights, 400)
    _, masks = method.final(params, masks)
    return [int(mask.sum()) for mask in jax.tree.leaves(masks)]


def along(*times, steps, number):
    """A probe: how many of the weights 1, …, `number` are kept after so many steps."""

    def probe(method):
        params, masks = method.init(jax.random.key(0), ladder(number), steps)
        found = []
        for step in times:
            params, masks, _ = changed(method, params, masks, step, steps, ladder(number))
            found.append(len(ones(masks)))
        return found

    return probe


def ladder(number):
    return {"w": jnp.arange(1.0, number + 1.0)[None]}


def rewired(method):
    """How many weights of 2,000, half of them active, RigL moves after so many of 1,000 steps."""
    params, masks = method.init(jax.random.key(0), ladder(2000), 1000)
    elsewhere = {"w": jnp.where(masks["w"], 0.0, 1.0)}
    updates = (changed(method, params, masks, step, 1000, elsewhere) for step in (100, 150, 300, 600, 700, 750, 800))
    return [int((new["w"] & ~masks["w"]).sum()) for _, new, _ in updates]


def first_masks(method):
    """The first three new masks of alternating training, as they are shown: their sizes, and how many of them are
    weights that the gradient, larger for small weights, has chosen."""
    params, masks = method.init(jax.random.key(0), ladder(1000), 480)
    shown = []
    for step in range(1, 21):
        params, masks, _ = changed(method, params, masks, step, 480, {"w": 1.0 / ladder(1000)["w"]})
        shown.append(np.asarray(masks["w"][0]))
    return [(int(mask.sum()), int(np.argmin(mask))) for mask in shown[17:20]]


def thresholded(method):
    """What STR makes of a weight of 1, and the decay of one of 2 and of a threshold at first."""
    params, masks = method.init(jax.random.key(0), {"w": jnp.asarray([[1.0, 2.0]])}, 100)
    grads = method.regularised(jax.tree.map(jnp.zeros_like, params), params, 0, 100)
    return method.weights(params, masks)["w"][0, 0], grads.theta["w"][0, 1], grads.s["w"]


def factored(method):
    """m² and v² of a weight of √2, and the decay of a factor of m = 1 after so many of 1,000 steps."""
    params, _ = method.init(jax.random.key(0), {"w": jnp.asarray([[np.sqrt(2.0)]])}, 1000)
    unit = jax.tree.map(jnp.ones_like, params)
    decays = [
        method.regularised(jax.tree.map(jnp.zeros_like, unit), unit, step, 1000).m["w"] for step in (0, 10, 499, 500)
    ]
    return [*(float(x["w"][0, 0]) ** 2 for x in params), *(float(decay[0, 0]) for decay in decays)]


def reset_factors(method):
    """m² − v² at first, and after 4 and 5 of 100 steps, of m = 2 and v = √2/2, whose product √2 has m² = 2, v² = 1."""
    start, masks = method.init(jax.random.key(0), {"w": jnp.asarray([[np.sqrt(2.0)]])}, 100)
    far = htt.Product({"w": jnp.asarray([[2.0]])}, {"w": jnp.asarray([[np.sqrt(0.5)]])})
    all_ = [start, *(changed(method, far, masks, step, 100)[0] for step in (4, 5))]
    return [float((params.m["w"] ** 2 - params.v["w"] ** 2)[0, 0]) for params in all_]


EVERY = {"layers": "uniform", "dense_layers": ("first",)}
GLOBAL, ERK = [20, 10], [12, 18]  # of 30 weights; uniform would be 6 and 24. Erdős–Rényi kernel: Σ n is 12 and 18.
# Of every method: what its defaults do, by hand; and for each field another value, with which it does something else.
DEFAULTS = {
    htt.RandomPruning: [(0.7, at_the_end, ERK, EVERY)],
    htt.MagnitudePruning: [(0.7, at_the_end, ERK, EVERY)],  # own choice
    htt.OneShot: [
        (0.7, at_the_end, GLOBAL, EVERY),  # own choice
        (0.5, along(49, 50, steps=100, number=10), [10, 5], {"at": 0.4}),  # own choice: at half of it
    ],
    htt.Gradual: [
        (0.7, at_the_end, GLOBAL, EVERY),  # own choice
        # Own choice: t₀ = 20, Δt = 6, n = 20, so the first weights go at 26: 0.8 (1 − 0.95³) = 0.1141; at 80 it is
        # 0.8 · 7/8, and 0.8 (1 − 0.55³) = 0.6669 before. s_i = 0, [zhu2017prune].
        (0.8, along(20, 26, 79, 80, 140, 150, steps=200, number=100), [100, 89, 89, 30, 20, 20],
         {"start_at": 0.2, "stop_at": 0.8, "updates": 10, "initial": 0.1, "cycles": 2}),
    ],
    htt.ACDC: [
        (0.7, at_the_end, GLOBAL, EVERY),  # [peste2021acdc]
        # [peste2021acdc], the authors' code: 10, 5, 10 and 15 of 100 epochs.
        (0.9, along(9, 10, 14, 15, 20, 70, 75, 84, 85, 100, steps=100, number=50), [50, 5, 5, 50, 5, 5, 50, 50, 5, 5],
         {"warmup": 0.2, "phase": 0.1, "last_dense": 0.2, "last_sparse": 0.1}),
    ],
    htt.RigL: [
        (0.7, at_the_end, ERK, EVERY),
        # [evci2020rigging], the authors' code: Δt = 100, α = 0.3, a cosine; T_end at 3/4 is own choice. Of 1,000
        # weights 150 (1 + cos(π t/750)): with cosines of 24°, 72°, 144°, 168°; none between, and none after the end.
        (0.5, rewired, [287, 0, 196, 28, 3, 0, 0], {"every": 50, "alpha": 0.2, "stop_at": 1.0}),
    ],
    htt.Alternating: [
        (0.7, at_the_end, GLOBAL, EVERY),  # [yang2022more]
        # [yang2022more], the authors' code for CIFAR-10: densities 0.1, 0.05, 0.02, from t₀ = 0 to 110/160, α = 1/2; n
        # = 20 is own choice, thus Δt = 15 of 480 steps. 1,000 (1 − s (1 − 0.95³)) with s = 0.9, 0.95 and 0.98 are kept,
        # of which the gradient chooses ⌈k (1 + cos(π t/480))/4⌉ at t = 16, 17 and 18.
        (0.98, first_masks, [(872, 435), (865, 432), (860, 429)],
         {"multiples": (5.0, 2.0), "start_at": 0.1, "stop_at": 0.9, "updates": 10, "alpha": 0.25}),
    ],
    htt.STR: [
        (0.7, at_the_end, GLOBAL, EVERY),
        # Own choices: s = −4, a threshold of 1/(1 + e⁴); λ = 5e-4; settled at 80 of 100 steps.
        (0.5, thresholded, [1 - 1 / (1 + np.exp(4.0)), 1e-3, -2e-3], {"s_init": -3.0, "weight_decay": 1e-3}),
        (0.5, along(79, 80, steps=100, number=10), [10, 5], {"settle": 0.3}),
    ],
    htt.Spred: [
        (0.7, at_the_end, GLOBAL, EVERY),
        # [ziyin2023spred] tries 2κ from 1e-5 to 1e-3; κ = 1e-4, balanced factors and 80 of 100 steps are own choices.
        (0.5, factored, [np.sqrt(2.0), np.sqrt(2.0), *[2e-4] * 4], {"kappa": 2e-4}),
        (0.5, along(79, 80, steps=100, number=10), [10, 5], {"settle": 0.3}),
    ],
    htt.PILoT: [
        (0.7, at_the_end, GLOBAL, EVERY),
        # [jacobs2025mask]: m² − v² = 1. Own choices: κ = 1e-3, falling by 0.95 in a hundredth of the steps, until half.
        (0.5, factored, [2.0, 1.0, 2e-3, 1.9e-3, 2e-3 * 0.95**49.9, 0.0],
         {"imbalance": 0.5, "kappa": 2e-3, "ratio": 0.9, "off": 0.6}),
        (0.5, along(79, 80, steps=100, number=10), [10, 5], {"settle": 0.3}),
    ],
    htt.SignIn: [
        (0.7, at_the_end, ERK, EVERY),
        # [gadhikar2025signin]: m² − v² = 1, again and again; every 5 of 100 steps is own choice.
        (0.0, reset_factors, [1.0, 3.5, 1.0], {"imbalance": 0.5, "every": 0.1}),
    ],
}  # fmt: skip


def test_every_default_of_every_method_is_among_them():
    classes = {type(make(sparsity=0.0)) for make in htt.METHODS.values()} - {
        htt.Dense
    }  # which keeps all, whatever else
    assert DEFAULTS.keys() == classes
    for kind, probes in DEFAULTS.items():
        fields = {field.name for field in dataclasses.fields(kind)} - {"sparsity"}
        assert fields == {name for *_, others in probes for name in others}, kind


@pytest.mark.parametrize("kind", DEFAULTS, ids=lambda kind: kind.__name__)
def test_what_the_defaults_do(kind):
    for sparsity, probe, expected, others in DEFAULTS[kind]:
        method = kind(sparsity=sparsity)
        close = lambda value, probe=probe, expected=expected: np.allclose(probe(value), expected, rtol=1e-6, atol=1e-12)  # noqa: E731
        assert close(method), (probe(method), expected)
        for name, value in others.items():
            other = dataclasses.replace(method, **{name: value})
            found = probe(other)
            assert np.shape(found) != np.shape(expected) or not close(other), name


def test_cyclical_pruning_has_three_cycles():
    # Own choice. In each third of 300 steps, the last of 20 updates is after 70; all weights come back with the next.
    counts = along(69, 70, 100, 169, 170, 200, 300, steps=300, number=10)(htt.method_of("cyclical", sparsity=0.8))
    assert counts == [10, 2, 10, 10, 2, 10, 10]


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
        (lambda: htt.Alternating(sparsity=0.5, multiples=()), "multiples must be one, two or three numbers"),
        (lambda: htt.Alternating(sparsity=0.5).events(40), "so that there are 3 steps for each update"),
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
