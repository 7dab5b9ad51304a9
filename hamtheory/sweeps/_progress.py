"""How far a sweep has come: for the terminal, and for other processes."""

import os
import socket
import time
from collections import Counter
from pathlib import Path
from typing import Any

import tqdm

from . import _sealed
from ._environment import now
from ._store import Store

_EVERY = 1.0  # seconds between heartbeats
_FINE = ("converged", "reached_end")


class Meter:
    """Counts instances, draws the bar and writes the heartbeat."""

    def __init__(self, file: Path, instances: int, before: Counter, show: bool):
        self.file, self.instances, self.statuses = file, instances, Counter(before)
        self.already = sum(before.values())
        self.started, self.begun, self.beaten = time.monotonic(), now(), -_EVERY
        silent: dict[str, Any] = {} if show else {"disable": True}  # else it is up to TQDM_DISABLE
        self.bar = tqdm.tqdm(total=instances, initial=self.already, unit_scale=True, desc="sweep", **silent)
        self.add({})

    def add(self, statuses: dict[str, int]) -> None:
        """Count the instances of a finished chunk."""
        self.statuses.update(statuses)
        failed = ", ".join(f"{number} {name}" for name, number in self.statuses.items() if name not in _FINE)
        self.bar.set_postfix_str(failed and f"failures: {failed}", refresh=False)
        self.bar.update(sum(statuses.values()))
        if time.monotonic() - self.beaten >= _EVERY:
            self.beat()

    def beat(self, state: str = "running") -> None:
        """Write the heartbeat. A disk that is full is no reason to stop: the chunks will say so."""
        self.beaten = time.monotonic()
        done, seconds = sum(self.statuses.values()), self.beaten - self.started
        rate = (done - self.already) / seconds if seconds > 0 else 0.0
        content = {
            "state": state,
            "process": os.getpid(),
            "host": socket.gethostname(),
            "started": self.begun,
            "updated": now(),
            "instances": self.instances,
            "done": done,
            "statuses": dict(self.statuses),
            "instances_per_second": rate,
            "seconds_left": (self.instances - done) / rate if rate > 0 else None,
        }
        try:
            _sealed.write(self.file, content)
        except OSError:
            return

    def close(self, state: str) -> None:
        """The last heartbeat."""
        self.bar.close()
        self.beat(state)


def heartbeat(file: Path) -> dict[str, Any] | None:
    """The last heartbeat, if there is one to be read."""
    try:
        return _sealed.read(file)
    except (_sealed.Damaged, FileNotFoundError):
        return None


def writer_of(beat: dict[str, Any] | None) -> str:
    """What became of the last writer: finished, interrupted, running, killed, or unknown (on another machine)."""
    if beat is None:
        return "none"
    if beat["state"] != "running":
        return beat["state"]
    if beat["host"] != socket.gethostname():
        return "unknown"
    try:
        os.kill(beat["process"], 0)
    except ProcessLookupError:
        return "killed"
    except PermissionError:
        pass
    return "running"


def report(store: str | Path) -> dict[str, Any]:
    """How far a sweep has come, from its records and the heartbeat of its writer; no lock is taken.

    Args:
        store: The folder of a sweep.

    Returns:
        A table with `instances`, `done`, `statuses` (instances by outcome), `chunks`, `chunks_done`, `seconds` (of
            computation), `devices`, `writer` (see `writer_of`), `rate` (instances per second) and `seconds_left` while
            it runs, `sessions`, `warnings`, and more.

    Raises:
        FileNotFoundError: If there is no store.
        ValueError: If its manifest is damaged.

    ```python
    >>> import tempfile
    >>> import hamtheory as ht
    >>> spec = {
    ...     "problems": {"kind": "sparse", "n": 4, "d": 8, "k": 1, "seeds": [0, 1]},
    ...     "geometries": {"family": "ham", "alpha": [1.0, 1e4]},
    ... }
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ht.sweep(spec, f"{folder}/store", progress=False).close()
    ...     table = ht.sweeps.report(f"{folder}/store")
    >>> table["done"], table["statuses"], table["writer"]
    (4, {'converged': 4}, 'finished')

    ```
    """
    here = Store(store)
    manifest, spec = here.manifest(), here.spec()
    records = [record for _, record in here.records(spec)]
    statuses = sum((Counter(record["statuses"]) for record in records), Counter[str]())
    beat = heartbeat(here.path / "progress.json")
    writer = writer_of(beat)
    running = beat if beat is not None and writer == "running" else {}
    axes = {f"{name[:-1]}ies" if name.endswith("y") else f"{name}s": size for name, size in spec.axes.items()}
    return {
        "store": str(here.path),
        "quantity": spec.what,
        "dtype": spec.dtype,
        "axes": list(axes),
        **axes,
        "instances": spec.instances,
        "done": sum(statuses.values()),
        "statuses": dict(statuses),
        "chunks": spec.chunks,
        "chunks_done": len(records),
        "seconds": round(sum(record["seconds"] for record in records), 2),
        "devices": dict(Counter(record["device"] for record in records)),
        "writer": writer,
        "heartbeat": beat,
        "rate": running.get("instances_per_second"),
        "seconds_left": running.get("seconds_left"),
        "sessions": len(manifest["sessions"]),
        "warnings": manifest["warnings"],
        "spec_sha256": manifest["spec_sha256"],
    }
