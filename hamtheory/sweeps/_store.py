"""A sweep on disk, which survives whatever happens to the process that writes it.

    STORE/data.zarr/       the arrays, and nothing that depends on when, where or how often they were computed
    STORE/chunks/N.json    one record a finished chunk: hashes, statuses, seconds, device
    STORE/manifest.json    the spec and its hash, the hashes of the empty store, every session with its versions
    STORE/progress.json    the heartbeat of the writer     STORE/lock    held by the writer as long as it lives

A chunk counts as done only if its record is there, and the record is written (in one step, by renaming) after the disk
has the arrays. Records have times in them, so two runs of one spec agree in `data.zarr`, to the bit, and not in the
rest.
"""

import errno
import hashlib
import json
import shutil
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from . import _sealed, _template
from ._chunk import STATUSES, ChunkResult, layout
from ._environment import environment, now
from ._lock import locked
from ._spec import SweepSpec, differences

FORMAT = 1
OURS = ("data.zarr", "chunks", "manifest.json", "progress.json", "lock")
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Damage:
    """What `verify` found: chunks without a record, chunks that are not what was written, and other damaged files."""

    missing: list[int] = field(default_factory=list)
    damaged: dict[int, str] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether everything is there, as it was written."""
        return not (self.missing or self.damaged or self.files)


class Store:
    """A store, for reading. `writer` is the one who may change it."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.data = self.path / "data.zarr"
        self.manifest_file = self.path / "manifest.json"

    def manifest(self) -> dict[str, Any]:
        """The manifest, or an error that says what to do."""
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

    def spec(self) -> SweepSpec:
        """The spec that the store was made with."""
        return SweepSpec.from_table(self.manifest()["spec"])

    def record_file(self, chunk: int) -> Path:
        return self.path / "chunks" / f"{chunk}.json"

    def records(self, spec: SweepSpec) -> Iterator[tuple[int, dict[str, Any]]]:
        """The intact records of this spec, by chunk."""
        for file in sorted((self.path / "chunks").glob("*.json"), key=lambda file: (len(file.name), file.name)):
            try:
                record = _sealed.read(file)
            except (_sealed.Damaged, FileNotFoundError):
                continue
            if record["spec_sha256"] == spec.hash and file == self.record_file(record["chunk"]):
                yield record["chunk"], record

    def verify(self, spec: SweepSpec | None = None, *, values: bool = True) -> Damage:
        """Compare every file with the hash it was written with; `values`: and every chunk, as it is read, with its own.

        Takes no lock: a sweep may be running.
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

    def _wrong(self, record: dict[str, Any], group: Any, spec: SweepSpec) -> str | None:
        for name, expected in record["files"].items():
            file = self.data / name
            if not file.is_file() or _template.digest(file) != expected:
                return f"data.zarr/{name}"
        if group is not None:
            first, stop = spec.bounds(record["chunk"])
            if hash_of({name: np.asarray(group[name][first:stop]) for name in layout(spec)}) != record["sha256"]:
                return "data.zarr: values"
        return None


class Writer(Store):
    """The one process that writes; made by `writer`."""

    def __init__(self, path: Path, spec: SweepSpec, columns: int | None):
        import zarr

        super().__init__(path)
        self.spec_, self.columns = spec, columns
        self._clean()
        session = environment(spec.dtype) | {"started": now()}
        known = self.manifest_file.exists()
        manifest = self._continued(session) if known else self._new() | {"sessions": [session]}
        (self.path / "chunks").mkdir(exist_ok=True)
        _sealed.write(self.manifest_file, manifest)
        self.session = len(manifest["sessions"]) - 1
        found = self.verify(spec, values=False)
        if found.files:
            self._repair_template(manifest, found.files)
        for chunk in found.damaged:
            self.record_file(chunk).unlink(missing_ok=True)
        self.todo = sorted([*found.missing, *found.damaged])
        self.damaged = found.damaged
        self._group = zarr.open_group(self.data, mode="r+")
        self.manifest_ = manifest
        self.devices = {record["device"] for _, record in self.records(spec)}
        self._arrays: dict[str, Any] = {name: self._group[name] for name in layout(spec)}

    def write(self, result: ChunkResult) -> dict[str, Any]:
        """Store a chunk; when this returns, it is done, whatever happens next. Returns its record."""
        with _room(self.path, result.chunk):
            first, stop = self.spec_.bounds(result.chunk)
            files = {}
            for name, array in self._arrays.items():
                array[first:stop] = result.arrays[name]
                files[name] = _template.file_of(name, result.chunk, result.arrays[name].ndim)
            for name in files.values():
                _sealed.sync(self.data / name)
            for name in files:
                _sealed.sync_folder(self.data / name)
            record = {
                "chunk": result.chunk,
                "spec_sha256": self.spec_.hash,
                "lanes": stop - first,
                "statuses": statuses(result.arrays["status"]),
                "sha256": hash_of(result.arrays),
                "files": {name: _template.digest(self.data / name) for name in files.values()},
                "seconds": result.seconds,
                "device": result.device,
                "dtype": self.spec_.dtype,
                "worker": result.worker,
                "session": self.session,
                "finished": now(),
            }
            self._remark_on(result.device)
            _sealed.write(self.record_file(result.chunk), record)
        return record

    def _remark_on(self, device: str) -> None:
        """A store whose chunks come from different devices says so."""
        if self.devices and device not in self.devices:
            text = f"{self.path} mixes devices: {', '.join(sorted({*self.devices, device}))}"
            self.manifest_["warnings"].append({"time": now(), "text": text})
            _sealed.write(self.manifest_file, self.manifest_)
            warnings.warn(text, stacklevel=4)
        self.devices.add(device)

    def _new(self) -> dict[str, Any]:
        with _room(self.path, None):
            template = _template.make(self.data, self.spec_, self.columns)
        return {
            "format": FORMAT,
            "spec": self.spec_.as_table(),
            "spec_sha256": self.spec_.hash,
            "lanes": self.spec_.lanes,
            "chunks": self.spec_.chunks,
            "template": template,
            "warnings": [],
        }

    def _continued(self, session: dict[str, Any]) -> dict[str, Any]:
        try:
            manifest = self.manifest()
        except ValueError:
            return self._rebuilt() | {"sessions": [session]}
        if manifest["spec_sha256"] != self.spec_.hash:
            old = SweepSpec.from_table(manifest["spec"]).identity()
            changed = differences(old, self.spec_.identity())
            raise ValueError(
                f"{self.path} holds another sweep; the spec has changed in {len(changed)} place(s): "
                f"{'; '.join(changed[:8])}. Use another store, or the old spec"
            )
        before = manifest["sessions"][-1]
        for what in ("versions", "device"):
            changed = differences(before[what], session[what], what)
            if changed:
                text = f"{self.path} goes on in another environment than it was begun: {'; '.join(changed)}"
                manifest["warnings"].append({"time": session["started"], "text": text})
                warnings.warn(text, stacklevel=4)
        return manifest | {"spec": self.spec_.as_table(), "sessions": [*manifest["sessions"], session]}

    def _rebuilt(self) -> dict[str, Any]:
        """A manifest in the place of a damaged one, if the records are of this spec."""
        for file in (self.path / "chunks").glob("*.json"):
            try:
                other = _sealed.read(file)["spec_sha256"] != self.spec_.hash
            except (_sealed.Damaged, FileNotFoundError):
                continue
            if other:
                raise ValueError(f"{self.path} holds another sweep, and its manifest is damaged; use another store")
        text = f"{self.manifest_file} was damaged, and made anew"
        warnings.warn(text, stacklevel=5)
        beside = self.path / f"template{_sealed.SUFFIX}"
        template = _template.make(beside, self.spec_, self.columns)
        shutil.rmtree(beside)
        return {
            "format": FORMAT,
            "spec": self.spec_.as_table(),
            "spec_sha256": self.spec_.hash,
            "lanes": self.spec_.lanes,
            "chunks": self.spec_.chunks,
            "template": template,
            "warnings": [{"time": now(), "text": text}],
        }

    def _repair_template(self, manifest: dict[str, Any], names: list[str]) -> None:
        beside = self.path / f"template{_sealed.SUFFIX}"
        fresh = _template.make(beside, self.spec_, self.columns)
        for name in names:
            inner = name.removeprefix("data.zarr/")
            (self.data / inner).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(beside / inner, self.data / inner)
            _sealed.sync(self.data / inner)
            manifest["template"][inner] = fresh[inner]
        shutil.rmtree(beside)
        _sealed.write(self.manifest_file, manifest)

    def _clean(self) -> None:
        """Remove what a killed writer left unfinished."""
        for leftover in self.path.rglob(f"*{_sealed.SUFFIX}"):
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()


@contextmanager
def writer(path: str | Path, spec: SweepSpec, columns: int | None) -> Iterator[Writer]:
    """The only writer of a store, new or begun before; refused if there is another one."""
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise FileExistsError(f"store {str(path)!r} is a file; a store is a folder")
    if path.is_dir():
        foreign = sorted(p.name for p in path.iterdir() if p.name not in OURS and p.suffix != _sealed.SUFFIX)
        if foreign:
            raise FileExistsError(f"store {str(path)!r} is a folder with other things in it: {', '.join(foreign[:5])}")
    path.mkdir(parents=True, exist_ok=True)
    with locked(path / "lock", path):
        yield Writer(path, spec, columns)


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


@contextmanager
def _room(path: Path, chunk: int | None) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        what = "the empty store" if chunk is None else f"chunk {chunk}"
        raise OSError(
            error.errno,
            f"the disk is full: {what} could not be written to {path}. All chunks that were finished are safe; make "
            "room, and run the sweep again to go on",
        ) from error
