"""One step, one epoch, and the accuracy: compiled, for a batch of networks at once."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from .._flips import observed, sign_of, unflipped
from ._masks import kept, kept_by_layer, tensors_of
from ._method import AbstractMethod

_CHUNK = 250  # images whose logits are computed at once


@dataclass(frozen=True, eq=True)
class Setup:
    """What is the same for all networks, and compiled in. `optimizer`: one, or a function of the hyperparameters."""

    build: Any  # key -> model
    method: AbstractMethod
    optimizer: Any
    batch_size: int
    per_epoch: int
    epochs: int
    sam: float | None

    @property
    def steps(self) -> int:
        return self.per_epoch * self.epochs

    def method_of(self, hyper) -> AbstractMethod:
        return self.method.tuned(hyper)

    def optimizer_of(self, hyper) -> optax.GradientTransformationExtraArgs:
        known = isinstance(self.optimizer, optax.GradientTransformation)
        return optax.with_extra_args_support(self.optimizer if known else self.optimizer(hyper))


class Carry(NamedTuple):
    """What an epoch leaves to the next, with an axis of seeds. `flips`: a list of `Flips`, of the tensors that are
    sparsified. `finite`: how many steps had a finite loss and led to finite parameters, which is all or those before
    the first that did not."""

    params: Any
    masks: Any
    state: Any
    flips: Any
    finite: Any


class Keys(NamedTuple):
    model: Any
    method: Any
    order: Any


def keys_of(seed: int) -> Keys:
    return Keys(*jax.random.split(jax.random.key(seed), 3))


def split(tree) -> tuple[PyTree, PyTree]:
    """What of a model or of parameters is trained, its arrays of real numbers, and the rest."""
    return eqx.partition(tree, eqx.is_inexact_array)


def _static(build) -> PyTree:
    shape = eqx.filter_eval_shape(build, jax.random.key(0))
    return eqx.partition(shape, lambda leaf: isinstance(leaf, jax.ShapeDtypeStruct))[1]


@eqx.filter_jit
def first_carry(setup: Setup, hyper, keys: Keys) -> Carry:
    """Networks before the first step."""

    def instance(hyper, key):
        weights, _ = split(setup.build(key.model))
        params, masks = setup.method_of(hyper).init(key.method, weights, setup.steps)
        now = setup.method.weights(params, masks)
        never = jnp.asarray(-1, jnp.int32)
        flips = [unflipped(sign_of(w), never) for w in tensors_of(now, setup.method.chosen(now))]
        finite = jnp.zeros((), jnp.int32)
        return Carry(params, masks, setup.optimizer_of(hyper).init(split(params)[0]), flips, finite)

    return jax.vmap(instance)(hyper, keys)


def forward(static: PyTree, weights: PyTree, x: Array) -> Float[Array, "batch classes"]:
    return eqx.combine(weights, static)(x)


def _gradient(method: AbstractMethod, static, trained, rest, masks, x, y):
    """Loss, its gradient in the weights, dense, and in the parameters that are trained."""

    def loss_of(weights):
        return optax.softmax_cross_entropy_with_integer_labels(forward(static, weights, x), y).mean()

    weights, pull = jax.vjp(lambda p: method.weights(eqx.combine(p, rest), masks), trained)
    loss, dense = jax.value_and_grad(loss_of)(weights)
    return loss, dense, pull(dense)[0]


def _perturbed(params, grads, radius: float):
    """`θ + ρ g/‖g‖`: where SAM takes the gradient."""
    norm = optax.tree.norm(grads)
    scale = jnp.where(norm > 0, radius / jnp.where(norm > 0, norm, jnp.ones((), norm.dtype)), jnp.zeros((), norm.dtype))
    return jax.tree.map(lambda p, g: p + scale.astype(p.dtype) * g, params, grads)


def one_step(setup: Setup, static, hyper, carry: Carry, x, y, step: Int[Array, ""]) -> tuple[Carry, Float[Array, ""]]:
    """The next step of one network, on one batch. `step`: how many were before it."""
    method, steps = setup.method_of(hyper), setup.steps
    (trained, rest), masks = split(carry.params), carry.masks
    loss, dense, grads = _gradient(method, static, trained, rest, masks, x, y)
    if setup.sam is not None:
        _, dense, grads = _gradient(method, static, _perturbed(trained, grads, setup.sam), rest, masks, x, y)
    grads = method.regularised(grads, carry.params, step, steps)
    with jax.numpy_dtype_promotion("standard"):  # optax relies on it
        updates, state = setup.optimizer_of(hyper).update(grads, carry.state, trained)
        trained = optax.apply_updates(trained, updates)
    step = step + 1
    params, masks, state = method.update(eqx.combine(trained, rest), masks, dense, step, steps, state)
    weights = method.weights(params, masks)
    watched = tensors_of(weights, method.chosen(weights))
    flips = [observed(old, w, step) for old, w in zip(carry.flips, watched, strict=True)]
    finite = jnp.all(jnp.stack([jnp.all(jnp.isfinite(p)) for p in (loss, *jax.tree.leaves(trained))]))
    still = finite & (carry.finite == step - 1)
    return Carry(params, masks, state, flips, carry.finite + still.astype(jnp.int32)), loss


def _judged(static, weights, x: Array, y: Array) -> tuple[Bool[Array, "seeds images"], Float[Array, "seeds images"]]:
    """Which images each network gets right, and the cross-entropy of each image."""
    chunks = -(-x.shape[0] // _CHUNK)
    x = jnp.pad(x, ((0, chunks * _CHUNK - x.shape[0]), (0, 0), (0, 0))).reshape(chunks, _CHUNK, *x.shape[1:])
    labels = jnp.pad(y, (0, chunks * _CHUNK - y.size)).reshape(chunks, _CHUNK)

    def judge(w, images, labels):
        logits = forward(static, w, images)
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        return jnp.argmax(logits, axis=-1).astype(labels.dtype) == labels, losses

    found = jax.lax.map(lambda some: jax.vmap(judge, in_axes=(0, None, None))(weights, *some), (x, labels))
    right, losses = (part.swapaxes(0, 1).reshape(part.shape[1], -1)[:, : y.size] for part in found)
    return right, losses


@eqx.filter_jit
def measured(setup: Setup, weights: PyTree, masks: PyTree, data: dict[str, Array]) -> dict[str, Array]:
    """What there is to know of the weights of all networks, (seeds,) each."""
    held, tested = data["y_validation"], data["y_test"]
    x = jnp.concatenate([data["x_validation"], data["x_test"]])
    right, losses = _judged(_static(setup.build), weights, x, jnp.concatenate([held, tested]))
    right = right.astype(jnp.float32)

    def nonzero(weights):
        watched = tensors_of(weights, setup.method.chosen(weights))
        return sum((jnp.sum(w != 0, dtype=jnp.int32) for w in watched), jnp.zeros((), jnp.int32))

    return {
        "validation_accuracy": right[:, : held.size].mean(axis=1),
        "validation_loss": losses[:, : held.size].mean(axis=1),
        "test_accuracy": right[:, held.size :].mean(axis=1),
        "kept": jax.vmap(kept)(masks),
        "nonzero": jax.vmap(nonzero)(weights),
    }


@eqx.filter_jit
def epoch(
    setup: Setup, hyper, order: Key[Array, " seeds"], data: dict[str, Array], carry: Carry, number: Int[Array, ""]
) -> tuple[Carry, PyTree, dict[str, Array]]:
    """An epoch of all networks, their weights, and what is recorded of it, (seeds,) each.

    Each network goes through the training images in its own order, which depends on its seed and the number of the
    epoch alone; the images of a last batch that would not be full are left out.
    """
    static, size = _static(setup.build), setup.per_epoch * setup.batch_size
    images = data["y_train"].size
    shuffle = lambda key: jax.random.permutation(jax.random.fold_in(key, number), images)[:size]  # noqa: E731
    batches = jax.vmap(shuffle)(order).reshape(-1, setup.per_epoch, setup.batch_size).swapaxes(0, 1)

    def step(carry, both):
        rows, i = both
        instance = lambda h, c, r: one_step(  # noqa: E731
            setup, static, h, c, data["x_train"][r], data["y_train"][r], number * setup.per_epoch + i
        )
        kept = jax.vmap(kept_by_layer)(carry.masks)
        carry, loss = jax.vmap(instance)(hyper, carry, rows)
        return carry, (loss, kept)

    carry, (losses, used) = jax.lax.scan(step, carry, (batches, jnp.arange(setup.per_epoch, dtype=jnp.int32)))
    record = {"loss": losses.mean(axis=0), "mean_kept": used.astype(jnp.float32).mean(axis=0)}
    parts = {"gross": lambda f: f.gross, "net": lambda f: f.net, "flipped_back": lambda f: f.flipped_back}
    for name, part in parts.items():
        sums = [jnp.sum(part(f), axis=range(1, f.gross.ndim), dtype=jnp.int32) for f in carry.flips]
        record[name] = sum(sums[1:], sums[0])
    return carry, jax.vmap(setup.method.weights)(carry.params, carry.masks), record


@eqx.filter_jit
def last(setup: Setup, carry: Carry) -> tuple[PyTree, PyTree]:
    """Weights and masks, once the sparsity is exact."""
    return jax.vmap(setup.method.final)(carry.params, carry.masks)
