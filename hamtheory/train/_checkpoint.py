"""The whole state of a training run in one file, written beside the last one and put in its place."""

import hashlib
import io
import json
import os
import re
from collections.abc import Callable
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np

from ._data import PARTS, Images
from ._step import Carry, Setup, forward

_FILE = "train.eqx"
_ADVICE = "Give another folder, or delete this one"


def save(folder: Path, settings: dict[str, Any], state: Any) -> None:
    """The file is either the old one or the new one, whenever this is interrupted."""
    folder.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    eqx.tree_serialise_leaves(content, state)
    header = {"settings": settings, "bytes": content.tell(), "sha256": _digest(content.getvalue())}
    beside = folder / f"{_FILE}.{os.getpid()}.tmp"
    with beside.open("wb") as file:
        file.write(json.dumps(header, sort_keys=True).encode() + b"\n" + content.getvalue())
        file.flush()
        os.fsync(file.fileno())
    beside.replace(folder / _FILE)


def load(folder: Path, settings: dict[str, Any], like: Any) -> Any:
    """The state, or None if there is none; `ValueError` if it belongs to another training run, or cannot be read."""
    path = folder / _FILE
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"checkpoint must be a folder; got {folder}, which is a file")
    if not path.exists():
        return None
    first, _, content = path.read_bytes().partition(b"\n")
    try:
        header = json.loads(first)
        theirs, size, digest = (header[name] for name in ("settings", "bytes", "sha256"))
    except (ValueError, KeyError, TypeError):
        raise ValueError(
            f"checkpoint {path} is of another version, or damaged: its first line does not say what it holds. {_ADVICE}"
        ) from None
    for name, value in settings.items():
        was, now = (json.dumps(some, sort_keys=True) for some in (theirs.get(name), value))  # NaN is NaN
        if was != now:
            raise ValueError(f"checkpoint {path} belongs to another run: its {name} is {was}; got {now}. {_ADVICE}")
    if len(content) != size or _digest(content) != digest:
        found = f"{len(content)} bytes of {size}" if len(content) != size else "other bytes than were written"
        raise ValueError(f"checkpoint {path} is damaged: after its first line it holds {found}. {_ADVICE}")
    try:
        return eqx.tree_deserialise_leaves(io.BytesIO(content), like)
    except (RuntimeError, TypeError, ValueError, EOFError) as error:
        raise ValueError(f"checkpoint {path} holds another state than this run has: {error}. {_ADVICE}") from None


def settings_of(data: Images, model: str | Callable, setup: Setup, seeds, hyper, carry: Carry) -> dict[str, Any]:
    """What has to be the same for a run to go on.

    Model and optimizer are functions, and compared by the programs that they are compiled from.
    """
    instance = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), (carry, hyper))
    images = [getattr(data, f"{letter}_{part}") for letter in "xy" for part in PARTS]
    return {  # what others depend on comes first, and is named if several differ
        "jax": jax.__version__,
        "data": [data.name, data.seed, data.scale, *(len(part) for part in images[3:])],
        "images": _digest(b"".join(np.ascontiguousarray(part).tobytes() for part in images)),
        "model": f"{model if isinstance(model, str) else 'a function'} ({_model_program(setup, data)})",
        "method": repr(setup.method),
        "epochs": setup.epochs,
        "batch_size": setup.batch_size,
        "sam": setup.sam,
        "seeds": seeds.tolist(),
        "optimizer": f"{_optimizer_name(setup, instance[0])} ({_optimizer_program(setup, *instance)})",
        "hyper": {name: np.asarray(values).tolist() for name, values in hyper.items()},
    }


def _model_program(setup: Setup, data: Images) -> str:
    shape = eqx.filter_eval_shape(setup.build, jax.random.key(0))
    weights, static = eqx.partition(shape, lambda leaf: isinstance(leaf, jax.ShapeDtypeStruct))
    x = jax.ShapeDtypeStruct((2, *data.shape), np.float32)
    return _program(lambda weights, x: forward(static, weights, x), weights, x)


def _optimizer_program(setup: Setup, carry: Carry, hyper) -> str:
    def step(hyper, grads, state, params):
        return setup.optimizer_of(hyper).update(grads, state, params)

    trained, _ = eqx.partition(carry.params, lambda leaf: np.issubdtype(leaf.dtype, np.inexact))
    with jax.numpy_dtype_promotion("standard"):
        return _program(step, hyper, trained, carry.state, trained)


def _optimizer_name(setup: Setup, carry: Carry) -> str:
    """Of a recipe, its fields; of what optax makes, the states that it keeps."""
    if is_dataclass(setup.optimizer):
        return repr(setup.optimizer)
    states = re.findall(r"namedtuple\[(\w+)\]", str(jax.tree.structure(carry.state)))
    return ", ".join(dict.fromkeys(states)) or "of optax"


def _program(function: Callable, *like: Any) -> str:
    """A digest of what a function computes: the same in every process, on every device."""
    traced = jax.jit(function).trace(*like)
    constants = b"".join(np.asarray(value).tobytes() for value in traced.jaxpr.consts)
    text = traced.lower(lowering_platforms=("cpu",)).as_text()
    return f"program {_digest(text.encode() + constants)[:12]}"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
