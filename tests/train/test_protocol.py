"""What training may look at and when: the parts of the images, the learning rate, masks, resets."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import hamtheory as ht
import hamtheory.train as htt
from hamtheory.train import _data, _step
from hamtheory.train._step import Setup, _static, epoch, first_carry, keys_of, one_step
from tests.train.toy import CLASSES, SHAPE, model, toy

PARTS = ("train", "validation", "test")
HOW = {"epochs": 4, "batch_size": 20, "progress": False}  # 3 steps an epoch


# ---- which images


@pytest.fixture
def numbered(monkeypatch):
    """A source of 200 images of four classes whose one pixel is their number; and a way to change some."""

    def install(shift=lambda number: 0.0):
        number = np.arange(200.0)
        x = (number + shift(number)).astype(np.float32)[:, None, None]
        monkeypatch.setitem(_data._SOURCES, "digits", lambda: (x, (number % 4).astype(np.int32)))

    install()
    return install


def numbers_of(data):
    return [getattr(data, f"x_{part}").ravel().astype(int) for part in PARTS]


@pytest.mark.parametrize("seed", [0, 7])
def test_the_parts_share_no_image(numbered, seed):
    data = htt.images("digits", seed=seed, validation=0.2, test=0.1, scale="unit")
    numbers = numbers_of(data)
    assert [len(part) for part in numbers] == [140, 40, 20]
    assert sorted(np.concatenate(numbers)) == list(range(200))
    for part, number in zip(PARTS, numbers, strict=True):
        np.testing.assert_array_equal(getattr(data, f"y_{part}"), number % 4)
        assert np.ptp(np.bincount(number % 4)) == 0
    other = htt.images("digits", seed=seed + 1, validation=0.2, test=0.1, scale="unit")
    assert not np.array_equal(numbers_of(other)[2], numbers[2])


def test_the_scale_is_that_of_the_training_part(numbered):
    train, validation, test = numbers_of(htt.images("digits", scale="unit"))
    before = htt.images("digits").x_train
    np.testing.assert_allclose(before.ravel(), (train - train.mean()) / train.std(), rtol=1e-5, atol=1e-6)
    for part in (validation, test):
        numbered(lambda number, part=part: 1e4 * np.isin(number, part))
        np.testing.assert_array_equal(htt.images("digits").x_train, before)


def optimizer(hyper):
    return ht.optim.ham(optax.adam(0.03), 0.03, alpha=20.0, beta=1e-3)


def test_training_looks_at_the_training_part_alone_and_is_judged_by_the_others():
    rng, data = np.random.default_rng(1), toy()
    others = {
        name: rng.permutation(getattr(data, name)) for name in ("x_validation", "y_validation", "x_test", "y_test")
    }
    first, second = (
        htt.train(some, model, htt.RigL(sparsity=0.5, every=3), optimizer, seeds=2, **HOW)
        for some in (data, dataclasses.replace(data, **others))
    )
    for ours, theirs in zip(
        *(jax.tree.leaves((end.weights, end.masks, end.flips, end.loss, end.result)) for end in (first, second)),
        strict=True,
    ):
        np.testing.assert_array_equal(ours, theirs)
    found = {}
    for part in PARTS[1:]:
        x, y = others[f"x_{part}"], others[f"y_{part}"]
        logits = np.stack([np.asarray(second.network(i)(jnp.asarray(x))) for i in range(2)])
        found[part] = (logits.argmax(axis=-1) == y).mean(axis=1)
        np.testing.assert_allclose(getattr(second, f"final_{part}_accuracy"), found[part], rtol=1e-6)
        np.testing.assert_allclose(getattr(second, f"{part}_accuracy")[-1], found[part], rtol=1e-6)
        if part == "validation":
            losses = optax.softmax_cross_entropy_with_integer_labels(jnp.asarray(logits), jnp.asarray([y, y]))
            np.testing.assert_allclose(second.final_validation_loss, losses.mean(axis=1), rtol=1e-5)
    assert np.all(found["validation"] != found["test"]) and np.all(first.final_validation_accuracy > 0.9)


def test_an_epoch_has_each_image_once_but_for_those_that_fill_no_batch(monkeypatch):
    """`finite` of what an epoch leaves counts, here, how often each of the 60 images was in a batch."""

    def counting(setup, static, hyper, carry, x, y, step):
        seen = carry.finite.at[x[:, 0, 0].astype(jnp.int32)].add(1, mode="promise_in_bounds")
        return carry._replace(finite=seen), jnp.zeros((), jnp.float32)

    monkeypatch.setattr(_step, "one_step", counting)
    data = {"x_train": jnp.broadcast_to(jnp.arange(60.0)[:, None, None], (60, *SHAPE)), "y_train": jnp.zeros(60, int)}
    keys = jax.tree.map(lambda *some: jnp.stack(some), keys_of(3), keys_of(4))
    for batch_size, seen in ((20, 60), (16, 48)):
        setup = Setup(model, htt.Dense(), optax.sgd(0.0625), batch_size, 60 // batch_size, 2, None)
        carry = first_carry(setup, {}, keys)._replace(finite=jnp.zeros((2, 60), jnp.int32))
        counts = [np.asarray(epoch(setup, {}, keys.order, data, carry, jnp.int32(i))[0].finite) for i in (0, 1)]
        assert all(np.all(count.sum(axis=1) == seen) and count.max() == 1 for count in counts)
        if seen < 60:  # of each seed others, and in each epoch
            assert len({count.tobytes() for both in counts for count in both}) == 4


# ---- the learning rate


@pytest.mark.parametrize("clip", [None, 0.1])
@pytest.mark.parametrize("ham", [False, True])
@pytest.mark.parametrize("base", ["sgd", "adam"])
def test_the_learning_rate_falls_along_a_cosine_to_0(base, ham, clip):
    """Constant gradients at a constant θ: SGD's momentum is (1 − 0.9^k) 10 times the first, Adam's step ±1. HAM's
    factor has the same rate; its raw gradient is without decay, and both are of the gradient that is clipped."""
    steps, decay, theta = 8, 0.2, np.asarray([[1.0, -0.03]])
    hyper = {"learning_rate": 0.1, "weight_decay": decay, "alpha": 3.0, "beta": 0.01}
    optimizer = htt.Recipe(steps, base=base, ham=ham, clip=clip)(hyper)
    g = np.asarray([[0.3, 0.4]])
    with jax.numpy_dtype_promotion("standard"):
        state = optimizer.init(jnp.asarray(theta))
        for k in range(steps + 1):
            updates, state = optimizer.update(jnp.asarray(g), state, jnp.asarray(theta))
            rate = 0.05 * (1 + np.cos(np.pi * k / steps))
            raw = g if clip is None else g * clip / 0.5
            move = np.sign(raw) + decay * theta if base == "adam" else 10 * (1 - 0.9 ** (k + 1)) * (raw + decay * theta)
            half = theta - rate * move
            new = half * np.exp(-rate * (3.0 * np.sign(half) * raw + 0.01)) if ham else half
            np.testing.assert_allclose(updates, new - theta, rtol=1e-5, atol=1e-8)  # the schedule is in float32
    assert not np.any(updates)


def test_schedules_and_training_count_the_same_steps():
    """Of an optimizer whose k-th step is −k, weights fall by 0 + 1 + … + (steps − 1)."""
    data = toy()
    falling = optax.GradientTransformation(
        lambda params: jnp.zeros((), jnp.float32),
        lambda grads, k, params=None: (jax.tree.map(lambda g: -k.astype(g.dtype) * jnp.ones_like(g), grads), k + 1),
    )
    for batch_size in (20, 16):
        how = HOW | {"batch_size": batch_size}
        end = htt.train(data, model, htt.Dense(), falling, seeds=[5], **how)
        steps = htt.steps_of(data, how["epochs"], batch_size)
        assert end.steps == steps == 12
        fall = end.network(0).layers[0].weight - model(keys_of(5).model).layers[0].weight
        np.testing.assert_allclose(fall, -steps * (steps - 1) / 2, rtol=1e-5)


# ---- masks and resets


def test_masks_change_in_training_after_the_steps_that_they_are_to_change_after():
    """After 6 of 12 steps, at the end of the second epoch: all of its batches saw dense networks, none after it did."""
    total = 8 * np.prod(SHAPE) + CLASSES * 8
    few = total // 4
    end = htt.train(toy(), model, htt.OneShot(sparsity=0.75, at=0.5), optax.sgd(0.1), seeds=2, **HOW)
    assert end.kept.tolist() == [[total] * 2, [few] * 2, [few] * 2, [few] * 2]
    assert end.mean_kept.sum(axis=2).tolist() == [[total] * 2, [total] * 2, [few] * 2, [few] * 2]


def stepped(method, steps):
    """Parameters, masks and momentum after each of so many steps with SGD, of one network."""
    x, y = jnp.asarray(toy().x_train), jnp.asarray(toy().y_train)
    setup = Setup(model, method, optax.sgd(0.5, momentum=0.9), 20, steps, 1, None)
    carry = jax.tree.map(lambda leaf: leaf[0], first_carry(setup, {}, jax.tree.map(lambda key: key[None], keys_of(0))))
    step = jax.jit(lambda carry, i: one_step(setup, _static(model), {}, carry, x, y, i)[0])
    for i in range(steps):
        carry = step(carry, jnp.asarray(i, jnp.int32))
        yield carry.params, carry.masks, carry.state[0].trace


def test_sign_in_resets_in_training():
    gaps = []
    for params, masks, _ in stepped(htt.SignIn(sparsity=0.5, every=0.5), 4):
        m, v, on = (tree.layers[0].weight for tree in (params.m, params.v, masks))
        gaps.append(float(jnp.max(jnp.where(on, jnp.abs(m**2 - v**2 - 1), 0.0))))
    assert gaps[1] < 1e-5 and min(gaps[0], gaps[2], gaps[3]) > 1e-3


def test_acdc_forgets_the_momentum_in_training():
    """Sparse after 1 of 5 steps, dense after 2 and sparse after 3."""
    method = htt.ACDC(sparsity=0.5, warmup=0.2, phase=0.2, last_dense=0.2, last_sparse=0.4)
    assert method.phases(5) == [(1, True), (2, False), (3, True)]
    trace = [max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(trace)) for *_, trace in stepped(method, 5)]
    assert trace[1] == 0 and min(trace[0], *trace[2:]) > 0
