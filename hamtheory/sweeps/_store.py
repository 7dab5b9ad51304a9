"""A sweep on disk, which survives whatever happens to the process that writes it.

    STORE/data.zarr/       the arrays, and nothing that depends on when, where or how often they were computed
    STORE/chunks/N.json    one record a finished chunk: hashes, statuses, seconds, device
    STORE/manifest.json    the spec and its hash, the hashes of the empty store, every session with its versions
    STORE/progress.json    the heartbeat of the writer     STORE/lock    held by the writer as long as it lives

A chunk counts as done only if its record is there, and the record is written (in one step, by renaming) after the disk
has the arrays. Records have times in them, so two runs of one spec agree in `data.zarr`, to the bit, and not in the
rest.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from . import _sealed, _template
from ._declaration import STATUSES, Declaration
from ._spec import spec_of

FORMAT = 1


@dataclass(frozen=True)
class Damage:
    """What `Store.verify` found.

    Fields: `missing`: the chunks without a record. `damaged`: those that are not what was written, and the file that
      shows it. `files`: other damaged files.
    Source: own.
    """

    missing: list[int] = field(default_factory=list)
    damaged: dict[int, str] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether everything is there, as it was written."""
        return not (self.missing or self.damaged or self.files)


class Store:
    """A store, for reading: the folder of a sweep.

    Arguments: `path`: the folder; nothing is read yet.
    Source: own.

    ```python
    >>> import tempfile
    >>> import hamtheory as ht
    >>> spec = {
    ...     "problems": {"kind": "sparse", "n": 4, "d": 8, "k": 1, "seeds": [0, 1]},
    ...     "geometries": {"family": "ham", "alpha": [1.0, 1e4]},
    ... }
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ht.sweep(spec, f"{folder}/store", progress=False).close()
    ...     store = ht.sweeps.Store(f"{folder}/store")
    ...     store.spec().lanes, store.verify().is_complete
    (4, True)

    ```
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.data = self.path / "data.zarr"
        self.manifest_file = self.path / "manifest.json"

    def manifest(self) -> dict[str, Any]:
        """The manifest: the spec, its hash, and the sessions.

        Errors: `FileNotFoundError` if there is none; `ValueError` if it is damaged, or of another format, saying what
          to do.
        """
        try:
            manifest = _sealed.read(self.manifest_file)
        except FileNotFoundError:
            raise FileNotFoundError(f"{str(self.path)!r} is no store of a sweep: it has no manifest.json") from None
        except _sealed.Damaged:
            raise ValueError(
                f"{self.manifest_file} is damaged; run the sweep again with its spec and this store, which makes a new "
                "one and keeps what is computed"
            ) from None
        if manifest["format"] != FORMAT:
            raise ValueError(f"{self.path} has format {manifest['format']}; this version reads {FORMAT}")
        return manifest

    def spec(self) -> Declaration:
        """The spec that the store was made with.

        Errors: as `manifest`.
        """
        return spec_of(self.manifest()["spec"])

    def record_file(self, chunk: int) -> Path:
        """The file of a chunk's record, there or not."""
        return self.path / "chunks" / f"{chunk}.json"

    def records(self, spec: Declaration) -> Iterator[tuple[int, dict[str, Any]]]:
        """The intact records of this spec, by chunk."""
        for file in sorted((self.path / "chunks").glob("*.json"), key=lambda file: (len(file.name), file.name)):
            try:
                record = _sealed.read(file)
            except (_sealed.Damaged, FileNotFoundError):
                continue
            if record["spec_sha256"] == spec.hash and file == self.record_file(record["chunk"]):
                yield record["chunk"], record

    def verify(self, spec: Declaration | None = None, *, values: bool = True) -> Damage:
        """Compare every file with the hash it was written with; `values`: and every chunk, as it is read, with its own.

        Takes no lock: a sweep may be running.

        Errors: as `manifest`.
        """
        import zarr

        manifest = self.manifest()
        spec = spec or self.spec()
        found = Damage()
        for name, expected in manifest["template"].items():
            file = self.data / name
            if not file.is_file() or _template.digest(file) != expected:
                found.files.append(f"data.zarr/{name}")
        group = zarr.open_group(self.data, mode="r") if values and not found.files else None
        records = dict(self.records(spec))
        for chunk in range(spec.chunks):
            if chunk not in records:
                broken = self.record_file(chunk).exists()
                found.damaged.update({chunk: f"chunks/{chunk}.json"}) if broken else found.missing.append(chunk)
                continue
            wrong = self._wrong(records[chunk], group, spec)
            if wrong:
                found.damaged[chunk] = wrong
        return found

    def _wrong(self, record: dict[str, Any], group: Any, spec: Declaration) -> str | None:
        for name, expected in record["files"].items():
            file = self.data / name
            if not file.is_file() or _template.digest(file) != expected:
                return f"data.zarr/{name}"
        if group is not None:
            first, stop = spec.bounds(record["chunk"])
            if hash_of({name: np.asarray(group[name][first:stop]) for name in spec.layout()}) != record["sha256"]:
                return "data.zarr: values"
        return None


def hash_of(arrays: dict[str, np.ndarray]) -> str:
    """The SHA-256 of arrays: their names, dtypes, shapes and values."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(json.dumps([name, array.dtype.str, array.shape]).encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def statuses(status: np.ndarray) -> dict[str, int]:
    """How many lanes ended how; a curve ends as its worst point."""
    worst = status.reshape(len(status), -1).max(axis=1)
    return {STATUSES[code + 1]: number for code, number in sorted(Counter(worst.tolist()).items())}
