"""The one process that changes a store."""

import errno
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from . import _sealed
from ._chunk import ChunkResult
from ._declaration import Declaration
from ._environment import environment, now
from ._progress import heartbeat, writer_of
from ._spec import differences, spec_of
from ._store import FORMAT, Store, statuses
from ._template import checksum, file_of, sum_of, template

OURS = ("data.zarr", "chunks", "manifest.json", "progress.json", "lock")
THE_SYSTEMS = ("Thumbs.db", "desktop.ini", "Icon\r")  # and hidden files
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Writer(Store):
    """The one process that writes; made by `writer`."""

    def __init__(self, path: Path, spec: Declaration, columns: int | None):
        import zarr

        super().__init__(path)
        self.spec_ = spec
        files = template(spec, columns)
        session = environment(spec.dtype) | {"started": now()}
        begun = self.manifest_file.exists() or any((self.path / "chunks").glob("*.json"))
        self.manifest_ = self._continued(session) if begun else self._new()
        self.manifest_ |= {"template": {name: checksum(data) for name, data in files.items()}}
        self.manifest_["sessions"].append(session)
        drafts = (file for name in OURS for file in self.path.glob(f"{name}.*{_sealed.SUFFIX}"))
        inner = (file for name in OURS[:2] for file in (self.path / name).rglob(f"*{_sealed.SUFFIX}"))
        for leftover in [*drafts, *inner]:  # of a killed writer
            leftover.unlink()
        (self.path / "chunks").mkdir(exist_ok=True)
        for name, data in files.items():
            file = self.data / name
            if not file.is_file() or file.read_bytes() != data:
                file.parent.mkdir(parents=True, exist_ok=True)
                _sealed.put(file, data)
        _sealed.write(self.manifest_file, self.manifest_)
        found = self.verify(spec)
        for chunk in found.damaged:
            self.record_file(chunk).unlink(missing_ok=True)
        self.todo = sorted([*found.missing, *found.damaged])
        self.devices = {record["device"] for _, record in self.records(spec)}
        with zarr.config.set({"array.write_empty_chunks": True}):  # each chunk is a file, whatever is in it
            group = zarr.open_group(self.data, mode="r+")
            self._arrays: dict[str, Any] = {name: group[name] for name in spec.layout()}

    def write(self, result: ChunkResult) -> dict[str, Any]:
        """Store a chunk; when this returns, it is done, whatever happens next.

        Args:
            result: The chunk.

        Returns:
            Its record.
        """
        with _room(self.path, f"chunk {result.chunk}"):
            first, stop = self.spec_.bounds(result.chunk)
            files = {}
            for name, array in self._arrays.items():
                array[first:stop] = result.arrays[name]
                files[name] = file_of(name, result.chunk, result.arrays[name].ndim)
            record = {
                "chunk": result.chunk,
                "spec_sha256": self.spec_.hash,
                "instances": stop - first,
                "statuses": statuses(result.arrays["status"]),
                "sums": {name: sum_of(self.data / name) for name in files.values()},
                "seconds": result.seconds,
                "device": result.device,
                "dtype": self.spec_.dtype,
                "worker": result.worker,
                "session": len(self.manifest_["sessions"]) - 1,
                "finished": now(),
            }
            self._remark_on(result.device)
            _sealed.write(self.record_file(result.chunk), record)
        return record

    def _remark_on(self, device: str) -> None:
        """A store whose chunks come from different devices says so."""
        if self.devices and device not in self.devices:
            self._warn(f"{self.path} mixes devices: {', '.join(sorted({*self.devices, device}))}", self.manifest_)
            _sealed.write(self.manifest_file, self.manifest_)
        self.devices.add(device)

    def _warn(self, text: str, manifest: dict[str, Any]) -> None:
        manifest["warnings"].append({"time": now(), "text": text})
        warnings.warn(text, stacklevel=6)

    def _new(self) -> dict[str, Any]:
        spec = self.spec_
        about = {"spec": spec.as_table(), "spec_sha256": spec.hash, "instances": spec.instances, "chunks": spec.chunks}
        return {"format": FORMAT, **about, "warnings": [], "sessions": []}

    def _continued(self, session: dict[str, Any]) -> dict[str, Any]:
        try:
            manifest = self._manifest()
        except (_sealed.Damaged, FileNotFoundError):
            return self._rebuilt()
        if manifest["spec_sha256"] != self.spec_.hash:
            changed = differences(spec_of(manifest["spec"]).identity(), self.spec_.identity())
            raise ValueError(
                f"{self.path} holds another sweep; the spec has changed in {len(changed) or 1} place(s): "
                f"{'; '.join(changed[:8]) or 'how a number is written, 1 and 1.0'}. Use another store, or the old spec"
            )
        for what in ("versions", "device"):
            changed = differences(manifest["sessions"][-1][what], session[what], what)
            if changed:
                text = f"{self.path} goes on in another environment than it was begun: {'; '.join(changed)}"
                self._warn(text, manifest)
        return manifest | {"spec": self.spec_.as_table()}  # the files of its data may have moved

    def _rebuilt(self) -> dict[str, Any]:
        """A manifest in the place of a damaged one, if the records are of this spec."""
        for file in (self.path / "chunks").glob("*.json"):
            try:
                other = _sealed.read(file).get("spec_sha256") != self.spec_.hash
            except (_sealed.Damaged, OSError):
                continue
            if other:
                raise ValueError(
                    f"{self.path} holds another sweep, and its manifest is damaged or gone; use another store"
                )
        manifest = self._new()
        self._warn(f"{self.manifest_file} was damaged or gone, and made anew", manifest)
        return manifest


@contextmanager
def writer(path: str | Path, spec: Declaration, columns: int | None) -> Iterator[Writer]:
    """The only writer of a store, new or begun before; refused if there is another one."""
    path = Path(path).expanduser()
    if path.exists() and not path.is_dir():
        raise FileExistsError(f"store {str(path)!r} is a file; a store is a folder")
    foreign = sorted(file.name for file in path.iterdir() if not _is_known(file)) if path.is_dir() else []
    if foreign:
        raise FileExistsError(f"store {str(path)!r} is a folder with other things in it: {', '.join(foreign[:5])}")
    with _room(path, "the store"):
        path.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path / "lock", timeout=0):
            with _room(path, "the store"):
                target = Writer(path, spec, columns)
            yield target
    except Timeout:
        beat = heartbeat(path / "progress.json")
        holder = "another process"
        if beat is not None and writer_of(beat) in ("running", "unknown"):
            holder = f"process {beat['process']} on {beat['host']}"
        raise RuntimeError(f"{path} is being written to by {holder}; a store has one writer at a time") from None


def _is_known(file: Path) -> bool:
    name = file.name
    draft = file.suffix == _sealed.SUFFIX and name.startswith(tuple(f"{own}." for own in OURS))
    return name in OURS or name.startswith(".") or name in THE_SYSTEMS or draft


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
