"""Training: epochs one after the other, of all seeds together."""

import dataclasses
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import tqdm

from .._result import NAMES
from .._validate import count, real_array
from ._checkpoint import load, save, settings_of
from ._data import Images
from ._masks import total_of
from ._method import AbstractMethod
from ._models import MODELS
from ._result import TrainResult
from ._step import Carry, Keys, Setup, epoch, first_carry, keys_of, last, measured

_PATIENCE = 2.0  # seconds before the bar shows
_HISTORY = {
    "loss": np.float32,
    "validation_accuracy": np.float32,
    "validation_loss": np.float32,
    "test_accuracy": np.float32,
    "kept": np.int32,
    "nonzero": np.int32,
    "gross": np.int32,
    "net": np.int32,
    "flipped_back": np.int32,
}


def steps_of(data: Images, epochs: int, batch_size: int = 64) -> int:
    """The number of steps that `train` takes, as schedules need it.

    Args:
        data: See `images`.
        epochs: An integer, of the training.
        batch_size: An integer, of the training.

    Returns:
        An integer; images that fill no batch at the end of an epoch are left out of it.

    ```python
    >>> import hamtheory.train as htt
    >>> htt.steps_of(htt.images("digits"), epochs=10, batch_size=64)
    190

    ```
    """
    return len(data.y_train) // batch_size * epochs


def train(
    data: Images,
    model: str | Callable,
    method: AbstractMethod,
    optimizer: optax.GradientTransformation | Callable[[dict], optax.GradientTransformation],
    *,
    epochs: int,
    batch_size: int = 64,
    seeds: int | Sequence[int] = 10,
    hyper: Mapping[str, Any] | None = None,
    sam: float | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 10,
    progress: bool = True,
) -> TrainResult:
    """Train networks, one for each seed, all in one compiled program.

    `w_{k+1} = method(optimizer(gradient at w_k))`, on batches of images that each seed draws in its own order, with the
    mean cross-entropy as the loss. See `AbstractMethod` for what a step is.

    Args:
        data: See `images`.
        model: "mlp", "cnn", "lenet" or "strided"; or a function of a PRNG key that returns an Equinox module from a
            batch of images, (batch, rows, columns), to its logits, (batch, classes), with float32 arrays alone.
        method: Such as `RigL(sparsity=0.9)`.
        optimizer: Of optax; or a function of `hyper` that returns one. `ht.optim.ham(base, learning_rate, alpha, beta)`
            goes around any base: its raw gradient is that of the parameters, through mask, threshold or product, and
            its factor acts on their tensors with two axes or more.
        epochs: An integer.
        batch_size: An integer.
        seeds: Integers, or their number, from 0. A seed decides the initial weights, the random mask and the order of
            the images; not the parts of the data.
        hyper: Names and numbers, or arrays with one entry for each seed: a grid costs one compilation, if `optimizer`
            is the same function from call to call.
        sam: ρ > 0: the gradient is taken at `θ + ρ g/‖g‖` in the parameters [foret2021sharpness]. HAM around a base
            then sees that gradient. None: at θ.
        checkpoint: A folder. All is stored there every `checkpoint_every` epochs, and at the end; if it has something,
            it is where training goes on, with the result of an uninterrupted one, bit by bit. If that is of other data,
            another model, optimizer (both compared by what they compute) or argument, or damaged, it is an error, and
            the file is left as it is.
        checkpoint_every: An integer, see `checkpoint`.
        progress: Whether a bar is shown after two seconds.

    Returns:
        A `TrainResult`. What a seed does depends on no other, but for rounding in float32. A network that is no longer
            finite is data (`result`).

    Raises:
        TypeError: For bad arguments, before any step.
        ValueError: For bad arguments, those of `Images` among them, and a checkpoint of another run or that cannot be
            read, before any step.
        RuntimeError: If a method breaks its promise of sparsity.

    ```python
    >>> import optax, hamtheory as ht, hamtheory.train as htt
    >>> data, optimizer = htt.images("digits"), ht.optim.ham(optax.adam(3e-3), 3e-3, alpha=10.0, beta=0.0)
    >>> end = htt.train(data, "mlp", htt.RandomPruning(sparsity=0.9), optimizer, epochs=4, seeds=2)
    >>> end.final_kept.tolist(), end.total, bool((end.final_test_accuracy > 0.8).all())
    ([1702, 1702], 17024, True)

    ```
    """
    # Float32 in all products, not what accelerators take for it (TF32): seeds alone and together must agree.
    with jax.default_matmul_precision("highest"):
        count(checkpoint_every, "checkpoint_every")
        setup, seeds_, hyper_ = checked(data, model, method, optimizer, epochs, batch_size, seeds, hyper, sam)
        names = ("train", "validation", "test")
        arrays = {f"{a}_{part}": jnp.asarray(getattr(data, f"{a}_{part}")) for part in names for a in "xy"}
        keys = Keys(*(jnp.stack(some) for some in zip(*(keys_of(int(seed)) for seed in seeds_), strict=True)))
        carry = first_carry(setup, hyper_, keys)
        weights = eqx.filter_eval_shape(lambda c: jax.vmap(method.weights)(c.params, c.masks), carry)
        instance = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), weights)
        history: dict[str, np.ndarray] = {
            name: np.zeros((epochs, len(seeds_)), dtype) for name, dtype in _HISTORY.items()
        }
        history["mean_kept"] = np.zeros((epochs, len(seeds_), len(jax.tree.leaves(carry.masks))), np.float32)
        done, folder = np.asarray(0), None if checkpoint is None else Path(checkpoint)
        settings = {} if folder is None else settings_of(data, model, setup, seeds_, hyper_, carry)
        if folder is not None and (found := load(folder, settings, (done, carry, history))) is not None:
            done, carry, history = found

        with _bar(epochs, int(done), progress) as bar:
            for number in range(int(done), epochs):
                carry, now, record = epoch(setup, hyper_, keys.order, arrays, carry, jnp.asarray(number, jnp.int32))
                record |= measured(setup, now, carry.masks, arrays)
                for name, values in record.items():
                    history[name][number] = np.asarray(values)
                _hold(
                    method.promise((number + 1) * setup.per_epoch, setup.steps, instance),
                    history["kept"][number],
                    method,
                )
                if folder is not None and ((number + 1) % checkpoint_every == 0 or number + 1 == epochs):
                    save(folder, settings, (np.asarray(number + 1), carry, history))
                bar.set_postfix_str(f"validation {np.mean(history['validation_accuracy'][number]):.4f}", refresh=False)
                bar.update()
        return _summary(setup, arrays, carry, history, seeds_, hyper_, instance)


def _bar(epochs: int, done: int, progress: bool) -> tqdm.tqdm:
    silent: dict[str, Any] = {} if progress else {"disable": True}  # else it is up to TQDM_DISABLE
    often = 0.25 if sys.stderr.isatty() else 10.0  # a log keeps every line
    return tqdm.tqdm(
        total=epochs,
        initial=done,
        desc="train",
        unit="epoch",
        delay=_PATIENCE,
        mininterval=often,
        dynamic_ncols=True,
        **silent,
    )


def _hold(promised: int | None, kept: np.ndarray, method: AbstractMethod) -> None:
    """Sparsity is exact, or this is a defect of the method."""
    if promised is not None and (kept != promised).any():
        raise RuntimeError(f"{method!r} must keep {promised} weights; it kept {kept.tolist()}")


def _summary(setup: Setup, arrays, carry: Carry, history, seeds, hyper, instance) -> TrainResult:
    weights, masks = last(setup, carry)
    end = {f"final_{name}": np.asarray(value) for name, value in measured(setup, weights, masks, arrays).items()}
    _hold(setup.method.target(instance), end["final_kept"], setup.method)
    finite = np.asarray(carry.finite)
    failed = finite < setup.steps
    return TrainResult(
        seeds=seeds,
        hyper={name: np.asarray(values) for name, values in hyper.items()},
        steps=setup.steps,
        total=total_of(instance, setup.method.chosen(instance)),
        weights=weights,
        masks=masks,
        flips=carry.flips,
        result=np.where(failed, NAMES.index("nonfinite"), NAMES.index("reached_end")),
        nonfinite_step=np.where(failed, finite + 1, -1),
        **history,
        **end,
    )


@cache
def _builder(name: str, shape: tuple[int, int], classes: int) -> Callable:
    return lambda key: MODELS[name](shape, classes, key=key)


def checked(data, model, method, optimizer, epochs, batch_size, seeds, hyper, sam):
    """The setup, the seeds, and the hyperparameters of each; or an error."""
    if not isinstance(data, Images):
        raise TypeError(f'data must be Images, such as images("digits"); got {type(data).__name__}')
    dataclasses.replace(data)  # its arrays may have been written to since it was made
    if isinstance(model, str) and model not in MODELS:
        raise ValueError(f"model must be one of {', '.join(map(repr, MODELS))}, or a function; got {model!r}")
    build: Any = _builder(model, data.shape, data.classes) if isinstance(model, str) else model
    if isinstance(build, eqx.Module) or not callable(build):
        raise TypeError(
            f"model must be a name, or a function of a key that returns a module; got {type(model).__name__}"
        )
    if not isinstance(method, AbstractMethod):
        raise TypeError(f"method must be a sparsity method, such as Dense(); got {method!r}")
    if not (isinstance(optimizer, optax.GradientTransformation) or callable(optimizer)):
        raise TypeError(f"optimizer must be of optax, or a function of hyper that returns one; got {optimizer!r}")
    batch_size = count(batch_size, "batch_size")
    if batch_size > len(data.y_train):
        raise ValueError(f"batch_size must be at most {len(data.y_train)}, all training images; got {batch_size}")
    numbers = range(count(seeds, "seeds")) if isinstance(seeds, (int, np.integer)) else seeds
    seeds_ = np.asarray([count(seed, "seeds", least=0) for seed in numbers], np.int64)
    if not seeds_.size:
        raise ValueError("seeds must hold one integer at least; got none")
    hyper_ = {}
    for name, value in (hyper or {}).items():
        value = real_array(value, f"hyper[{name!r}]")
        if value.shape not in ((), seeds_.shape):
            raise ValueError(
                f"hyper[{name!r}] must be a number, or have shape {seeds_.shape}, one entry a seed; got {value.shape}"
            )
        hyper_[name] = jnp.broadcast_to(value.astype(jnp.float32), seeds_.shape)
    if sam is not None and not 0 < float(sam) < float("inf"):
        raise ValueError(f"sam must be a positive number, or None; got {sam}")
    per_epoch = len(data.y_train) // batch_size
    setup = Setup(build, method, optimizer, batch_size, per_epoch, count(epochs, "epochs"), sam and float(sam))
    _fitting(setup, data)
    return setup, seeds_, hyper_


def _fitting(setup: Setup, data: Images) -> None:
    """An error unless the model fits the images, and the method the model and the number of steps."""
    model = eqx.filter_eval_shape(setup.build, jax.random.key(0))
    weights, _ = eqx.partition(model, lambda leaf: isinstance(leaf, jax.ShapeDtypeStruct))
    for leaf in jax.tree.leaves(weights):
        if leaf.dtype != jnp.float32:
            raise TypeError(f"model must hold float32 arrays alone; got {leaf.dtype}")
    x = jax.ShapeDtypeStruct((2, *data.shape), jnp.float32)
    logits = eqx.filter_eval_shape(lambda model, x: model(x), model, x)
    if logits.shape != (2, data.classes):
        raise ValueError(
            f"model must return logits of shape (batch, {data.classes}); got {logits.shape} of a batch of 2"
        )
    setup.method.chosen(weights)
    setup.method.events(setup.steps)
