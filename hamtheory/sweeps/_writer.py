"""The one process that changes a store."""

import errno
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import _sealed, _template
from ._chunk import ChunkResult
from ._declaration import Declaration
from ._environment import environment, now
from ._lock import locked
from ._spec import differences, spec_of
from ._store import FORMAT, Store, hash_of, statuses

OURS = ("data.zarr", "chunks", "manifest.json", "progress.json", "lock")
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Writer(Store):
    """The one process that writes; made by `writer`."""

    def __init__(self, path: Path, spec: Declaration, columns: int | None):
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
        self.manifest_ = manifest
        self.devices = {record["device"] for _, record in self.records(spec)}
        with zarr.config.set({"array.write_empty_chunks": True}):  # each chunk is a file, whatever is in it
            group = zarr.open_group(self.data, mode="r+")
            self._arrays: dict[str, Any] = {name: group[name] for name in spec.layout()}

    def write(self, result: ChunkResult) -> dict[str, Any]:
        """Store a chunk; when this returns, it is done, whatever happens next. Returns its record."""
        with _room(self.path, f"chunk {result.chunk}"):
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
        return self._manifest_of(_template.make(self.data, self.spec_, self.columns), [])

    def _manifest_of(self, template: dict[str, str], remarks: list[dict[str, str]]) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "spec": self.spec_.as_table(),
            "spec_sha256": self.spec_.hash,
            "lanes": self.spec_.lanes,
            "chunks": self.spec_.chunks,
            "template": template,
            "warnings": remarks,
        }

    def _continued(self, session: dict[str, Any]) -> dict[str, Any]:
        try:
            manifest = self.manifest()
        except ValueError:
            return self._rebuilt() | {"sessions": [session]}
        if manifest["spec_sha256"] != self.spec_.hash:
            old = spec_of(manifest["spec"]).identity()
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
        return self._manifest_of(template, [{"time": now(), "text": text}])

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
def writer(path: str | Path, spec: Declaration, columns: int | None) -> Iterator[Writer]:
    """The only writer of a store, new or begun before; refused if there is another one."""
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise FileExistsError(f"store {str(path)!r} is a file; a store is a folder")
    if path.is_dir():
        foreign = sorted(p.name for p in path.iterdir() if p.name not in OURS and p.suffix != _sealed.SUFFIX)
        if foreign:
            raise FileExistsError(f"store {str(path)!r} is a folder with other things in it: {', '.join(foreign[:5])}")
    with _room(path, "the store"):
        path.mkdir(parents=True, exist_ok=True)
    with locked(path / "lock", path):
        with _room(path, "the store"):
            target = Writer(path, spec, columns)
        yield target


@contextmanager
def _room(path: Path, what: str) -> Iterator[None]:
    """Say what a full disk means."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise OSError(
            error.errno,
            f"the disk is full: {what} could not be written ({path}). All chunks that were finished are safe; make "
            "room, and run the sweep again to go on",
        ) from error
