"""A sweep on disk, which survives whatever happens to the process that writes it.

    STORE/data.zarr/       the arrays, and nothing that depends on when, where or how often they were computed
    STORE/chunks/N.json    one record a finished chunk: outcomes, seconds, device
    STORE/manifest.json    the spec and its hash, the checksums of the empty store, every session with its versions
    STORE/progress.json    the heartbeat of the writer     STORE/lock    held by the writer as long as it lives

Every file is written beside its place and renamed, and has a checksum: in Zarr's chunks its codec's, in the others a
seal. A chunk counts as done only if its record is there, which is written after its arrays, and if all of them are
whole. Records have times in them, so two runs of one spec agree in `data.zarr`, to the bit, and not in the rest.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .._result import STATUSES
from . import _sealed
from ._declaration import Declaration
from ._spec import spec_of
from ._template import checksum, file_of, sum_of

FORMAT = 2


@dataclass(frozen=True)
class Damage:
    """What `Store.verify` found.

    Attributes:
        missing: The chunks without a record.
        damaged: Those that are not what was written, and the file that shows it.
        files: Other damaged files.
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

    Args:
        path: The folder, `~` being the home; nothing is read yet.

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
    ...     store.spec().instances, store.verify().is_complete
    (4, True)

    ```
    """

    def __init__(self, path: str | Path):
        self.path = Path(path).expanduser()
        self.data = self.path / "data.zarr"
        self.manifest_file = self.path / "manifest.json"

    def manifest(self) -> dict[str, Any]:
        """The manifest: the spec, its hash, and the sessions.

        Returns:
            A table.

        Raises:
            FileNotFoundError: If there is none.
            ValueError: If it is damaged, or of another format, saying what to do.
        """
        try:
            return self._manifest()
        except FileNotFoundError:
            raise FileNotFoundError(f"{str(self.path)!r} is no store of a sweep: it has no manifest.json") from None
        except _sealed.Damaged:
            raise ValueError(
                f"{self.manifest_file} is damaged; run the sweep again with its spec and this store, which makes a new "
                "one and keeps what is computed"
            ) from None

    def _manifest(self) -> dict[str, Any]:
        """The same, or `Damaged`. What another version has sealed in its own way is of another format, and intact."""
        try:
            format_ = json.loads(self.manifest_file.read_bytes()).get("format", FORMAT)
        except (ValueError, AttributeError):
            format_ = FORMAT
        if format_ != FORMAT:
            raise ValueError(
                f"{self.path} is a store of format {format_!r}, and this version knows only {FORMAT}: it is left as it "
                "is; read it with the version that wrote it, or compute the sweep again in another folder"
            )
        manifest = _sealed.read(self.manifest_file)
        if "format" not in manifest:
            raise ValueError(f"{self.manifest_file} does not say its format: it is left as it is; use another folder")
        return manifest

    def spec(self) -> Declaration:
        """The spec that the store was made with.

        Returns:
            The spec.

        Raises:
            FileNotFoundError: As of `manifest`.
            ValueError: As of `manifest`.
        """
        return spec_of(self.manifest()["spec"])

    def record_file(self, chunk: int) -> Path:
        """The file of a chunk's record, there or not.

        Args:
            chunk: The number of the chunk.

        Returns:
            Its path.
        """
        return self.path / "chunks" / f"{chunk}.json"

    def records(self, spec: Declaration) -> Iterator[tuple[int, dict[str, Any]]]:
        """The intact records of a spec.

        Args:
            spec: That of the store; records of another one are left out.

        Yields:
            The number of a chunk, and its record.
        """
        for file in sorted((self.path / "chunks").glob("*.json"), key=lambda file: (len(file.name), file.name)):
            try:
                record = _sealed.read(file)
            except (_sealed.Damaged, OSError):
                continue
            if record.get("spec_sha256") == spec.hash and file == self.record_file(record["chunk"]):
                yield record["chunk"], record

    def verify(self, spec: Declaration | None = None) -> Damage:
        """Compare every file with its checksum.

        Takes no lock: a sweep may be running.

        Args:
            spec: That of the store; read from it if left out.

        Returns:
            What is missing or damaged.

        Raises:
            FileNotFoundError: As of `manifest`.
            ValueError: As of `manifest`.
        """
        manifest = self.manifest()
        spec = spec or self.spec()
        found = Damage()
        for name, expected in manifest["template"].items():
            file = self.data / name
            if not file.is_file() or checksum(file.read_bytes()) != expected:
                found.files.append(f"data.zarr/{name}")
        dimensions = {name: 1 + len(variable.dims) for name, variable in spec.layout().items()}
        done = dict(self.records(spec))
        for chunk in range(spec.chunks):
            if chunk not in done:
                broken = self.record_file(chunk).exists()
                found.damaged.update({chunk: f"chunks/{chunk}.json"}) if broken else found.missing.append(chunk)
                continue
            files = (file_of(name, chunk, count) for name, count in dimensions.items())
            sums = done[chunk]["sums"]  # of this chunk: another one's would be whole, too
            wrong = next((name for name in files if sum_of(self.data / name) != sums.get(name, -1)), None)
            if wrong:
                found.damaged[chunk] = f"data.zarr/{wrong}"
        return found


def statuses(status: np.ndarray) -> dict[str, int]:
    """How many instances ended how; a curve ends as its worst point."""
    worst = status.reshape(len(status), -1).max(axis=1)
    return {STATUSES[code + 1]: number for code, number in sorted(Counter(worst.tolist()).items())}
