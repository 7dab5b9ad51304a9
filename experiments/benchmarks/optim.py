"""What the hyperbolic step costs on top of Adam: 10⁷ parameters in three matrices, float32, compiled, donated buffers.

Alone, with the gradients given, and in a training step of a network with these matrices as its layers. Memory is what
XLA has allocated at the peak of the step, arguments included.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import hamtheory as ht

from ._table import Row, interleaved, rows_of

_SHAPES = {"a": (2000, 2000), "b": (2000, 2500), "c": (2500, 400)}
_ETA, _ALPHA, _BETA = 1e-3, 200.0, 1e-3
_ADAM, _WRAPPER, _DIRECT = "optax.adam", "ht.optim.ham around it", "ht.optim.ham_apply after it"


def run() -> list[Row]:
    """The step of the optimizer alone, and the training step."""
    theta, grads = ({k: _normal(seed, k, shape) for k, shape in _SHAPES.items()} for seed in (0, 1))
    rows = _measured("the update, 10^7 parameters", theta, grads, lambda theta, grads: grads, 60)
    theta = {name: x / x.shape[0] ** 0.5 for name, x in theta.items()}
    inputs = _normal(2, "a", (128, 2000))
    return rows + _measured("a training step, batch of 128", theta, inputs, jax.grad(_loss), 20)


def _normal(seed: int, name: str, shape: tuple[int, ...]) -> jax.Array:
    return jnp.asarray(np.random.default_rng([seed, ord(name)]).standard_normal(shape, np.float32))


def _loss(theta, inputs):
    hidden = inputs
    for weights in theta.values():
        hidden = jnp.tanh(hidden @ weights)
    return jnp.mean(jnp.square(hidden))


def _measured(task: str, theta, data, gradient: Callable, rounds: int) -> list[Row]:
    base = optax.adam(_ETA)
    wrapper = ht.optim.ham(base, _ETA, _ALPHA, _BETA)

    def added(optimizer) -> Callable:
        def step(theta, state, data):
            updates, state = optimizer.update(gradient(theta, data), state, theta)
            return optax.apply_updates(theta, updates), state

        return step

    def direct(theta, state, data):
        grads = gradient(theta, data)
        updates, state = base.update(grads, state, theta)
        return ht.optim.ham_apply(theta, updates, grads, _ETA, _ALPHA, _BETA), state

    steps = {_ADAM: (base, added(base)), _WRAPPER: (wrapper, added(wrapper)), _DIRECT: (base, direct)}
    grads = jax.jit(gradient)(theta, data)
    calls, errors, peaks = {}, {}, {}
    for name, (optimizer, step) in steps.items():
        start = jax.tree.map(jnp.copy, theta), optimizer.init(theta)
        compiled = jax.jit(step, donate_argnums=(0, 1)).lower(*start, data).compile()
        peaks[name] = _peak(compiled.memory_analysis())
        calls[name] = _repeated(compiled, start, data)
        errors[name] = _error(calls[name]()[0], theta, grads, name != _ADAM)
    rows = rows_of(task, interleaved(calls, rounds), errors, _ADAM)
    for row in rows:
        peak = peaks[row["solver"]]
        row |= {"memory_MiB": round(peak / 2**20, 1), "memory_ratio": round(peak / peaks[_ADAM], 3)}
    return rows


def _repeated(step: Callable, start: tuple, data) -> Callable[[], Any]:
    """A call that goes on from where the last one ended, since its buffers are gone."""
    carried = list(start)

    def call():
        carried[:] = step(*carried, data)
        return carried

    return call


def _peak(memory) -> int:
    kept = memory.argument_size_in_bytes + memory.output_size_in_bytes - memory.alias_size_in_bytes
    return kept + memory.temp_size_in_bytes


def _error(found, theta, grads, hyperbolic: bool) -> float:
    """Of the first step, against the rule in NumPy and float64, relative to the largest entry."""
    worst = 0.0
    for name in theta:
        x, g = (np.asarray(tree[name], np.float64) for tree in (theta, grads))
        half = x - _ETA * g / (np.abs(g) + 1e-8)
        exponent = np.clip(-_ETA * (_ALPHA * np.sign(half) * g + _BETA), -5, 5)
        expected = half * np.exp(exponent) if hyperbolic else half
        worst = max(worst, float(np.abs(np.asarray(found[name]) - expected).max() / np.abs(expected).max()))
    return worst
