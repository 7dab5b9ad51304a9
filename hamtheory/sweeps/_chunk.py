"""One chunk: from its number to the arrays that are stored. All that a worker does."""

import os
import socket
import time
from dataclasses import dataclass

import jax
import numpy as np

from ._declaration import Declaration, fill


@dataclass(frozen=True)
class ChunkResult:
    """The arrays of a chunk, each with a leading axis of instances, and how they were made."""

    chunk: int
    arrays: dict[str, np.ndarray]
    seconds: float
    device: str
    worker: str


def compute_chunk(spec: Declaration, chunk: int, columns: int | None) -> ChunkResult:
    """Compute a chunk in the precision of the spec, whatever that of the caller; products, in no less (as TF32 is)."""
    started = time.monotonic()
    with jax.enable_x64(spec.dtype == "float64"), jax.default_matmul_precision("highest"):
        instances = np.arange(*spec.bounds(chunk))
        arrays = spec.compute(instances, _empty(spec, len(instances), columns))
        device = jax.devices()[0]
    where = f"{device.platform}: {device.device_kind}"
    return ChunkResult(chunk, arrays, time.monotonic() - started, where, f"{socket.gethostname()}:{os.getpid()}")


def _empty(spec: Declaration, instances: int, columns: int | None) -> dict[str, np.ndarray]:
    lengths = spec.lengths() | {"column": columns or 0}
    made = {}
    for name, variable in spec.layout().items():
        dtype = spec.dtype_of(variable)
        made[name] = np.full((instances, *(lengths[dim] for dim in variable.dims)), fill(dtype), dtype)
    return made
