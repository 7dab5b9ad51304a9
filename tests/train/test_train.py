"""Training: seeds alone and together, failures, checkpoints, HAM and SAM, and what is recorded."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import hamtheory as ht
import hamtheory.train as htt
from hamtheory.train import _data, _loop
from hamtheory.train._checkpoint import load, save
from hamtheory.train._models import MODELS, Convolution
from hamtheory.train._step import Setup, _static, first_carry, keys_of, one_step
from tests.train.toy import CLASSES, SHAPE, changed, model, toy, with_

ROOT = Path(__file__).parents[2]


def optimizer(hyper):
    return ht.optim.ham(optax.adam(hyper["rate"]), hyper["rate"], alpha=20.0, beta=1e-3)


METHOD = htt.RigL(sparsity=0.8, every=3)
SGD = optax.sgd(0.1)
HOW = {"epochs": 5, "batch_size": 16, "progress": False}


@pytest.fixture(scope="module")
def together():
    return htt.train(toy(), model, METHOD, optimizer, seeds=[5, 9], hyper={"rate": [0.03, 1e30]}, **HOW)


def test_what_is_recorded(together):
    total = 8 * 64 + 3 * 8
    assert (together.total, together.steps, together.loss.shape) == (total, 15, (5, 2))
    assert together.final_kept.tolist() == [107, 107] and np.all(together.kept == 107)  # ⌊0.2 · 536 + 1/2⌋
    assert together.sparsity == pytest.approx(1 - 107 / total)
    assert together.loss[-1, 0] < together.loss[0, 0] / 3 and together.final_test_accuracy[0] > 0.9
    assert together.results == ("reached_end", "nonfinite") and together.nonfinite_step[0] == -1
    assert 1 <= together.nonfinite_step[1] <= 3
    instance = jax.tree.map(lambda leaf: np.asarray(leaf)[0], together.flips)
    totals = ht.signs.totals(instance)
    assert totals["entries"] == total and totals["gross"] > 0
    assert [totals[name] for name in ("gross", "net", "flipped_back")] == [
        getattr(together, name)[-1, 0] for name in ("gross", "net", "flipped_back")
    ]
    logits = np.asarray(together.network(0)(jnp.asarray(toy().x_test)))
    right = logits.argmax(axis=-1) == toy().y_test
    assert float(np.mean(right)) == pytest.approx(float(together.final_test_accuracy[0]), rel=1e-6)
    for layer, mask in zip(together.weights.layers, together.masks.layers, strict=True):
        assert mask.bias is None and not np.any(np.asarray(layer.weight)[0][~np.asarray(mask.weight)[0]])


def test_a_seed_does_the_same_alone(together):
    alone = htt.train(toy(), model, METHOD, optimizer, seeds=[5], hyper={"rate": 0.03}, **HOW)
    # Rounding may differ with the number of networks, and grows over the 15 steps.
    np.testing.assert_allclose(alone.loss[:, 0], together.loss[:, 0], rtol=1e-4)
    for one, many in zip(jax.tree.leaves(alone.weights), jax.tree.leaves(together.weights), strict=True):
        np.testing.assert_allclose(one[0], many[0], rtol=1e-3, atol=1e-5)
    np.testing.assert_array_equal(alone.test_accuracy[:, 0], together.test_accuracy[:, 0])


def test_a_resumed_run_is_the_same_bit_by_bit(together, tmp_path, monkeypatch):
    how = {"seeds": [5, 9], "hyper": {"rate": [0.03, 1e30]}, "checkpoint": tmp_path, "checkpoint_every": 1, **HOW}

    def interrupted(folder, settings, state):
        save(folder, settings, state)
        if state[0] == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(_loop, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        htt.train(toy(), model, METHOD, optimizer, **how)
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["train.eqx"]
    for _ in ("the rest", "nothing but the end"):
        resumed = htt.train(toy(), model, METHOD, optimizer, **how)
        for name in ("loss", "test_accuracy", "gross", "final_test_accuracy", "nonfinite_step"):
            np.testing.assert_array_equal(getattr(resumed, name), getattr(together, name))
        for ours, theirs in zip(
            jax.tree.leaves((resumed.weights, resumed.flips)),
            jax.tree.leaves((together.weights, together.flips)),
            strict=True,
        ):
            np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(ValueError, match=r"belongs to another run: its seeds is \[5, 9\]; got \[5, 8\]"):
        htt.train(toy(), model, METHOD, optimizer, **how | {"seeds": [5, 8]})


TINY = {"epochs": 1, "batch_size": 30, "seeds": 1, "progress": False}


def ending(folder, **change):
    """The loss of a short training with a checkpoint there, of which something is changed."""
    how = {"data": toy(), "model": model, "method": METHOD, "optimizer": SGD, "checkpoint": folder} | TINY | change
    return htt.train(**how).loss


def wider(key):
    return htt.MLP(SHAPE, CLASSES, (9,), key=key)


def doubled(key):
    """Of the same shapes as `model`."""
    net = model(key)
    return eqx.tree_at(lambda net: net.layers[0], net, Doubled(net.layers[0]))


class Doubled(eqx.Module):
    layer: eqx.Module

    def __call__(self, x):
        return 2 * self.layer(x)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with the checkpoint of a whole training."""
    folder = tmp_path_factory.mktemp("finished")
    ending(folder)
    return folder


@pytest.mark.parametrize(
    "change, differs",
    [
        ({"optimizer": optax.sgd(0.2)}, r"its optimizer is \"EmptyState \(program \w+\)\"; got \"EmptyState \(program"),
        ({"optimizer": optax.sgd(jnp.float32(0.1))}, "its optimizer is"),
        ({"optimizer": optax.adam(0.1)}, r"its optimizer is \"EmptyState .*; got \"ScaleByAdamState, EmptyState"),
        ({"optimizer": ht.optim.ham(SGD, 0.1)}, r"its optimizer is .*; got \"HamState"),
        ({"optimizer": htt.Recipe(2), "hyper": {"learning_rate": 0.1, "weight_decay": 0.0}}, 'got "Recipe.steps=2, '),
        ({"model": wider}, "its model is"),
        ({"model": doubled}, "its model is"),
        ({"model": "cnn"}, r"its model is \"a function .*; got \"cnn \(program"),
        ({"method": htt.RigL(sparsity=0.8, every=2)}, r"its method is \"RigL\(.*every=3.*; got \"RigL\(.*every=2"),
        ({"data": dataclasses.replace(toy(), seed=1)}, "its data is"),
        ({"data": dataclasses.replace(toy(), **changed("x_train", with_(0.5, 0, 0, 0)))}, "its images is"),
        ({"data": dataclasses.replace(toy(), **changed("y_test", with_(2, 0)))}, "its images is"),
        ({"epochs": 2}, "its epochs is 1; got 2"),
        ({"batch_size": 20}, "its batch_size is 30; got 20"),
        ({"sam": 0.1}, "its sam is null; got 0.1"),
        ({"hyper": {"rate": 0.1}}, r"its hyper is \{\}; got \{\"rate\": \[0.1"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused_by_name_and_left_alone(finished, change, differs):
    before = (finished / "train.eqx").read_bytes()
    with pytest.raises(ValueError, match=f"checkpoint .*train.eqx belongs to another run: .*{differs}"):
        ending(finished, **change)
    assert (finished / "train.eqx").read_bytes() == before and len(list(finished.iterdir())) == 1


@pytest.mark.parametrize(
    "damage, message",
    [
        (lambda whole: b"", "train.eqx is of another version, or damaged"),
        (lambda whole: b"\x93NUMPY\x01 something else", "is of another version, or damaged"),
        (lambda whole: b"[1, 2]\n" + whole, "is of another version, or damaged"),
        (
            lambda whole: whole[: len(whole) // 2],
            r"train.eqx is damaged: after its first line it holds \d+ bytes of \d+",
        ),
        (lambda whole: whole[:-1], "is damaged"),
        (lambda whole: whole + b" ", "is damaged"),
        (lambda whole: whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:], "holds other bytes than were written"),
    ],
)
def test_half_a_checkpoint_is_refused_by_name_and_left_alone(finished, tmp_path, damage, message):
    damaged = damage((finished / "train.eqx").read_bytes())
    (tmp_path / "train.eqx").write_bytes(damaged)
    with pytest.raises(ValueError, match=message):
        ending(tmp_path)
    assert (tmp_path / "train.eqx").read_bytes() == damaged


def test_checkpoints_that_go_on(finished, tmp_path, monkeypatch):
    """The same words, but other objects; and hyperparameters that are NaN are themselves."""
    monkeypatch.setattr(_loop, "epoch", None)  # nothing is left to train
    assert np.isfinite(ending(finished, optimizer=optax.sgd(0.1), model=lambda key: model(key))).all()
    monkeypatch.undo()
    first = ending(tmp_path, hyper={"rate": np.nan})
    np.testing.assert_array_equal(ending(tmp_path, hyper={"rate": np.nan}), first)


def test_what_is_no_folder_or_holds_another_state(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match=r"checkpoint must be a folder; got .*file, which is a file"):
        ending(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"
    save(tmp_path, {"epochs": 1}, {"w": jnp.ones(3)})
    with pytest.raises(ValueError, match=r"train.eqx holds another state than this run has"):
        load(tmp_path, {"epochs": 1}, {"w": jnp.ones(4)})


@pytest.mark.slow
def test_another_process_finds_the_same_programs(tmp_path):
    """What is compared are texts that a compiler prints: they must not depend on hashes and addresses."""
    code = """
import sys, jax, optax, hamtheory as ht, hamtheory.train as htt
recipe = htt.Recipe(2, base="adam", ham=True)
hyper = {"learning_rate": 0.1, "weight_decay": 0.0, "alpha": 1.0, "beta": 0.0}
how = {"epochs": 1, "batch_size": 600, "seeds": 1, "hyper": hyper, "progress": False, "checkpoint": sys.argv[1]}
print(htt.train(htt.images("digits"), "cnn", htt.Spred(sparsity=0.9), recipe, **how).loss)
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    losses = {
        subprocess.run(
            command, check=True, capture_output=True, text=True, cwd=ROOT, env=os.environ | {"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    }
    assert len(losses) == 1


def test_products_are_float32_on_every_device():
    """Training and measuring are traced with it; left alone, it is TF32 on some accelerators."""
    asked = set()

    class Recording(htt.MLP):
        def __call__(self, x):
            asked.add(jax.config.jax_default_matmul_precision)
            return super().__call__(x)

    htt.train(
        toy(),
        lambda key: Recording(SHAPE, CLASSES, (8,), key=key),
        METHOD,
        optimizer,
        seeds=1,
        hyper={"rate": 0.03},
        **HOW,
    )
    assert asked == {"highest"}


def test_a_broken_promise_is_an_error(together):
    with pytest.raises(RuntimeError, match=r"RigL.* must keep 107 weights; it kept \[107, 106\]"):
        _loop._hold(107, np.array([107, 106]), METHOD)


def test_sam_takes_the_gradient_at_the_perturbed_point():
    data = toy()
    x, y = jnp.asarray(data.x_train[:9]), jnp.asarray(data.y_train[:9])
    setup = Setup(model, htt.Dense(), optax.sgd(0.5), 9, 6, 1, 0.2)
    keys = jax.tree.map(lambda key: key[None], keys_of(0))
    carry = jax.tree.map(lambda leaf: leaf[0], first_carry(setup, {}, keys))

    @jax.jit
    def both(carry):
        def loss(net):
            return optax.softmax_cross_entropy_with_integer_labels(net(x), y).mean()

        gradient = jax.grad(loss)(carry.params)
        norm = optax.tree.norm(gradient)
        near = jax.tree.map(lambda p, g: p + 0.2 * g / norm, carry.params, gradient)
        by_hand = jax.tree.map(lambda p, g: p - 0.5 * g, carry.params, jax.grad(loss)(near))
        return one_step(setup, _static(model), {}, carry, x, y, jnp.asarray(0, jnp.int32))[0].params, by_hand

    for ours, by_hand in zip(*map(jax.tree.leaves, both(carry)), strict=True):
        np.testing.assert_allclose(ours, by_hand, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name, shape, inputs", [("mlp", (3, 5), 15), ("cnn", (8, 8), 64), ("lenet", (28, 28), 256)])
def test_models(name, shape, inputs):
    net = jax.eval_shape(lambda key: MODELS[name](shape, 7, key=key), jax.random.key(0))
    logits = jax.eval_shape(lambda net, x: net(x), net, jax.ShapeDtypeStruct((4, *shape), jnp.float32))
    assert logits.shape == (4, 7) and logits.dtype == jnp.float32
    first = net.last if name == "cnn" else net.layers[0]
    assert first.weight.shape[1] == inputs


def test_convolution_is_that_of_xla():
    rng = np.random.default_rng(0)
    layer = Convolution(jnp.asarray(rng.normal(size=(3, 2, 3, 3)), jnp.float32))
    x = jnp.asarray(rng.normal(size=(2, 6, 5, 2)), jnp.float32)
    theirs = jax.lax.conv_general_dilated(x, layer.weight, (1, 1), "VALID", dimension_numbers=("NHWC", "OIHW", "NHWC"))
    np.testing.assert_allclose(layer(x), theirs, rtol=1e-5, atol=1e-5)


def test_images():
    data = htt.images("digits", scale="unit", seed=4)
    parts = [(data.x_train, data.y_train), (data.x_validation, data.y_validation), (data.x_test, data.y_test)]
    assert sum(len(y) for _, y in parts) == 1797
    for x, y in parts:
        assert x.dtype == np.float32 and x.min() == 0 and x.max() == 1 and y.dtype == np.int32
        shares = np.bincount(y) / len(y)
        np.testing.assert_allclose(shares, 0.1, atol=0.01)
    rows = np.concatenate([x for x, _ in parts]).reshape(1797, -1)
    standard = htt.images("digits", seed=4)
    assert standard.x_train.mean() == pytest.approx(0, abs=1e-6) and standard.x_train.std() == pytest.approx(
        1, abs=1e-6
    )
    np.testing.assert_array_equal(standard.y_test, data.y_test)
    from sklearn.datasets import load_digits

    theirs = load_digits().data.astype(np.float32) / 16
    np.testing.assert_array_equal(rows[np.lexsort(rows.T)], theirs[np.lexsort(theirs.T)])


BAD_IMAGES = [
    (changed("y_train", lambda y: y + 1), "y_train must be classes from 0 to 2; got 3 at index 2, and 19 more"),
    (changed("y_train", with_(-1, 7)), "y_train must be classes from 0 to 2; got -1 at index 7$"),
    (changed("y_validation", with_(3, 0)), "y_validation must be classes from 0 to 2; got 3 at index 0"),
    (changed("y_test", lambda y: y.astype(np.int64) + 2**32), "y_test must be classes from 0 to 2; got 4294967296"),
    (changed("y_test", lambda y: y + 0.5), "y_test must hold integers, the classes from 0 to 2; got dtype float64"),
    (changed("y_train", lambda y: y.astype(float)), "y_train must hold integers, .* got dtype float64"),
    (changed("y_train", lambda y: y > 0), "y_train must hold integers, .* got dtype bool"),
    (changed("y_train", lambda y: np.ma.masked_equal(y, 1)), "y_train must hold integers, .* got a masked entry"),
    (changed("y_train", lambda y: y[:-1]), r"y_train must have shape \(60,\), one class for each image; got \(59,\)"),
    (changed("y_test", lambda y: y[:, None]), r"y_test must have shape \(15,\)"),
    (changed("x_train", with_(np.nan, 3, 1, 2)), "x_train must be finite; got nan at index 3, 1, 2"),
    (changed("x_validation", with_(np.inf, 0, 0, 0)), "x_validation must be finite; got inf at index 0, 0, 0"),
    (changed("x_test", lambda x: x.astype(float) + 1e39), "x_test must be finite; got inf"),
    (changed("x_test", lambda x: x[:, :4]), r"x_test must hold images of \(8, 8\) pixels, as x_train; got \(4, 8\)"),
    (changed("x_train", lambda x: x.reshape(60, 64)), r"x_train must have 3 axes; got shape \(60, 64\)"),
    (changed("x_test", lambda x: x.astype(str)), "x_test must hold real numbers"),
    (changed("x_train", lambda x: x[:0]), r"x_train must hold one image .* at least; got shape \(0, 8, 8\)"),
    (changed("x_validation", lambda x: x[:0]), "x_validation must hold one image"),
    (changed("x_test", lambda x: x[:0]), "x_test must hold one image"),
    ({"classes": 0}, "classes must be at least 1; got 0"),
]


@pytest.mark.parametrize("change, message", BAD_IMAGES)
@pytest.mark.usefixtures("unchecked")
def test_images_that_cannot_be_trained_on_are_refused(change, message, monkeypatch):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(toy(), **change)
    # Nor does training begin with what has been made of good ones behind their back.
    data = toy()
    for name, value in change.items():
        object.__setattr__(data, name, value)
    monkeypatch.setattr(_loop, "first_carry", None)
    with pytest.raises(ValueError, match=message):
        htt.train(data, model, htt.Dense(), SGD, seeds=1, **HOW)


@pytest.mark.usefixtures("unchecked")
def test_other_numbers_become_float32_and_int32():
    data = toy()
    parts = {"x_test": data.x_test.astype(float), "y_test": data.y_test.astype(np.uint8), "y_train": list(data.y_train)}
    again = dataclasses.replace(data, **parts)
    for name in ("x_test", "y_test", "y_train"):
        ours = getattr(again, name)
        assert ours.dtype == getattr(data, name).dtype
        np.testing.assert_array_equal(ours, getattr(data, name))


class Blind(htt.MLP):
    """A network whose logits are NaN for what it sees, with a gradient of 0."""

    def __call__(self, x):
        return jnp.where(jnp.isfinite(super().__call__(x)), jnp.float32(jnp.nan), jnp.float32(0.0))


def test_a_loss_that_is_not_finite_is_a_failure():
    end = htt.train(toy(), lambda key: Blind(SHAPE, CLASSES, (8,), key=key), htt.Dense(), SGD, seeds=2, **HOW)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(end.weights))
    assert np.isnan(end.loss).all() and end.results == ("nonfinite",) * 2 and end.nonfinite_step.tolist() == [1, 1]


def test_a_missing_package_is_named(monkeypatch):
    def missing():
        raise ImportError("No module named 'sklearn'")

    monkeypatch.setitem(_data._SOURCES, "digits", missing)
    with pytest.raises(ImportError, match=r"hamtheory\[train\]"):
        htt.images("digits")


@pytest.mark.parametrize(
    "change, kind, message",
    [
        ({"data": np.ones((3, 8, 8))}, TypeError, "data must be Images"),
        ({"model": "resnet"}, ValueError, "model must be one of 'mlp', 'cnn', 'lenet'"),
        ({"model": lambda key: htt.MLP((8, 8), 4, (8,), key=key)}, ValueError, r"logits of shape \(batch, 3\)"),
        ({"method": "rigl"}, TypeError, "method must be a sparsity method"),
        ({"method": htt.Gradual(sparsity=0.5, updates=50)}, ValueError, "updates must be less"),
        ({"optimizer": None}, TypeError, "optimizer must be of optax"),
        ({"epochs": 0}, ValueError, "epochs must be at least 1"),
        ({"batch_size": 61}, ValueError, "batch_size must be at most 60"),
        ({"seeds": []}, ValueError, "seeds must hold one integer"),
        ({"seeds": [-1]}, ValueError, "seeds must be at least 0"),
        ({"hyper": {"rate": [1.0, 2.0, 3.0]}}, ValueError, r"hyper\['rate'\] must be a number, or have shape \(2,\)"),
        ({"sam": 0.0}, ValueError, "sam must be a positive number"),
        ({"checkpoint_every": 0}, ValueError, "checkpoint_every must be at least 1"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_bad_input(change, kind, message):
    how = {"data": toy(), "model": model, "method": htt.Dense(), "optimizer": SGD, "epochs": 2, "batch_size": 16}
    how |= {"seeds": 2} | change
    with pytest.raises(kind, match=message):
        htt.train(**how)
