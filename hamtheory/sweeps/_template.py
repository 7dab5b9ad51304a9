"""The empty Zarr store of a sweep: its arrays, their meaning and their chunks."""

import json
from pathlib import Path
from typing import Any

import google_crc32c  # Zarr's own
import numpy as np

from ._declaration import Declaration, fill

SEPARATOR = "."  # one file a chunk and array: problem/c.17, theta/c.17.0


def template(spec: Declaration, columns: int | None) -> dict[str, bytes]:
    """The files of the empty store, by their paths in it. The same spec makes the same bytes."""
    import zarr
    from zarr.codecs import Crc32cCodec, ZstdCodec
    from zarr.storage import MemoryStore

    attributes = {
        "title": f"sweep of {spec.instances} instances: {spec.what}",
        "spec": json.dumps(spec.identity(), sort_keys=True),
        "spec_sha256": spec.hash,
        "sizes": json.dumps(spec.axes),
        "coordinates": " ".join(spec.labels()),
    }
    files: dict[str, Any] = {}
    group = zarr.create_group(MemoryStore(files), zarr_format=3, attributes=attributes)

    def create(name, variable, dims, shape, chunks) -> Any:
        dtype = spec.dtype_of(variable)
        return group.create_array(
            name,
            shape=shape,
            chunks=chunks,
            dtype=dtype,
            fill_value=fill(dtype),
            dimension_names=dims,
            compressors=[ZstdCodec(), Crc32cCodec()],  # the checksum is of what is on the disk
            attributes={"long_name": variable.long_name, "units": variable.units} | dict(variable.attributes),
            chunk_key_encoding={"name": "default", "separator": SEPARATOR},
            config={"write_empty_chunks": True},
        )

    lengths = spec.lengths() | {"instance": spec.instances, "column": columns}
    for name, variable in spec.layout().items():
        dims = ("instance", *variable.dims)
        shape = tuple(lengths[dim] or 0 for dim in dims)
        create(
            name, variable, dims, shape, (min(spec.chunk, spec.instances), *(max(1, length) for length in shape[1:]))
        )
    for name, (variable, values) in spec.coordinates().items():
        values = np.asarray(values, spec.dtype_of(variable))
        create(name, variable, (name,), values.shape, values.shape)[...] = values
    return {name: buffer.to_bytes() for name, buffer in files.items()}


def file_of(name: str, chunk: int, dimensions: int) -> str:
    """Where, in the store, a chunk of an array is."""
    return f"{name}/" + SEPARATOR.join(["c", str(chunk), *["0"] * (dimensions - 1)])


def checksum(data: bytes) -> int:
    """The CRC-32C of some bytes."""
    return google_crc32c.value(data)


def sum_of(chunk: Path) -> int | None:
    """The checksum at the end of a file, as Zarr's codec makes it; None if it is not there, or not that of the rest."""
    try:
        data = chunk.read_bytes()
    except OSError:
        return None
    found = checksum(data[:-4])
    return found if len(data) > 4 and found.to_bytes(4, "little") == data[-4:] else None
