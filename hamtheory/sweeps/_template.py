"""The empty Zarr store of a sweep: its arrays, their meaning and their chunks."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from ._declaration import Declaration, fill
from ._quantity import Variable
from ._sealed import sync, sync_folder

SEPARATOR = "."  # one file a chunk and array: problem/c.17, theta/c.17.0


def make(target: Path, spec: Declaration, columns: int | None) -> dict[str, str]:
    """Make the empty store; returns the SHA-256 of each of its files. The same spec makes the same bytes."""
    import zarr

    shutil.rmtree(target, ignore_errors=True)
    names = spec.labels()
    attributes = {
        "title": f"sweep of {spec.lanes} lanes: {spec.what}",
        "spec": json.dumps(spec.identity(), sort_keys=True),
        "spec_sha256": spec.hash,
        "sizes": json.dumps(spec.axes),
        "coordinates": " ".join(names),
    }
    group = zarr.create_group(target, zarr_format=3, attributes=attributes)
    lengths = spec.lengths() | {"lane": spec.lanes} | {"column": columns}
    for name, variable in spec.layout().items():
        dims = ("lane", *variable.dims)
        shape = tuple(lengths[dim] or 0 for dim in dims)
        chunk = (spec.chunk, *(max(1, length) for length in shape[1:]))
        _create(group, name, variable, dims, shape, chunk, spec.dtype_of(variable))
    for name, (variable, values) in spec.coordinates().items():
        values = np.asarray(values, spec.dtype_of(variable))
        _create(group, name, variable, (name,), values.shape, values.shape, values.dtype)[...] = values
    files = sorted(path for path in target.rglob("*") if path.is_file())
    for path in files:
        sync(path)
    for folder in (target, *(path for path in target.iterdir() if path.is_dir())):
        sync_folder(folder)
    return {str(path.relative_to(target)): digest(path) for path in files}


def file_of(name: str, chunk: int, dimensions: int) -> str:
    """Where, in the store, a chunk of an array is."""
    return f"{name}/" + SEPARATOR.join(["c", str(chunk), *["0"] * (dimensions - 1)])


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _create(group: Any, name: str, variable: Variable, dims, shape, chunk, dtype) -> Any:
    about = {"long_name": variable.long_name, "units": variable.units} | dict(variable.attributes)
    return group.create_array(
        name,
        shape=shape,
        chunks=chunk,
        dtype=dtype,
        fill_value=fill(dtype),
        dimension_names=dims,
        attributes=about,
        chunk_key_encoding={"name": "default", "separator": SEPARATOR},
        config={"write_empty_chunks": True},
    )
