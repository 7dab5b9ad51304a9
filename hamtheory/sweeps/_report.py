"""What there is to say of a store, while it is written or afterwards."""

import os
import socket
from collections import Counter
from pathlib import Path
from typing import Any

from ._progress import heartbeat
from ._store import Store


def report(store: str | Path) -> dict[str, Any]:
    """How far a sweep has come, from its records and the heartbeat of its writer; no lock is taken.

    Returns: a table with `lanes`, `done`, `statuses` (lanes by outcome), `chunks`, `chunks_done`, `seconds` (of
      computation), `devices`, `writer` (see `writer_of`), `rate` (lanes per second) and `seconds_left` while it runs,
      `sessions`, `warnings`, and more.
    Errors: `FileNotFoundError` if there is no store, `ValueError` if its manifest is damaged.
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
    ...     table = ht.sweeps.report(f"{folder}/store")
    >>> table["done"], table["statuses"], table["writer"]
    (4, {'converged': 4}, 'finished')

    ```
    """
    here = Store(store)
    manifest, spec = here.manifest(), here.spec()
    statuses, devices, seconds, chunks = Counter[str](), Counter[str](), 0.0, 0
    for _, record in here.records(spec):
        statuses.update(record["statuses"])
        devices[record["device"]] += 1
        seconds += record["seconds"]
        chunks += 1
    beat = heartbeat(here.path / "progress.json")
    writer = writer_of(beat)
    running = beat if beat is not None and writer == "running" else {}
    axes = {_plural(name): size for name, size in spec.axes.items()}
    return {
        "store": str(here.path),
        "quantity": spec.what,
        "dtype": spec.dtype,
        "axes": list(axes),
        **axes,
        "lanes": spec.lanes,
        "done": sum(statuses.values()),
        "statuses": dict(statuses),
        "chunks": spec.chunks,
        "chunks_done": chunks,
        "seconds": round(seconds, 2),
        "devices": dict(devices),
        "writer": writer,
        "heartbeat": beat,
        "rate": running.get("lanes_per_second"),
        "seconds_left": running.get("seconds_left"),
        "sessions": len(manifest["sessions"]),
        "warnings": manifest["warnings"],
        "spec_sha256": manifest["spec_sha256"],
    }


def _plural(name: str) -> str:
    return f"{name[:-1]}ies" if name.endswith("y") else f"{name}s"


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
