"""Timing, and tables of what was timed."""

import csv
import importlib.metadata
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

Row = dict[str, Any]


def interleaved(candidates: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each candidate, one after the other in every round, so that a busy machine slows all alike.

    Each is called once before, for compilation and caches.
    """
    for call in candidates.values():
        jax.block_until_ready(call())
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, call in candidates.items():
            started = time.perf_counter()
            jax.block_until_ready(call())
            seconds[name].append(time.perf_counter() - started)
    return seconds


def rows_of(task: str, seconds: dict[str, list[float]], errors: dict[str, float], reference: str) -> list[Row]:
    """A row a candidate: median time, its ratio to that of the reference, spread, and the error that it reached."""
    base = statistics.median(seconds[reference])
    return [
        {
            "task": task,
            "solver": name,
            "median_ms": round(1e3 * statistics.median(times), 3),
            "ratio": round(statistics.median(times) / base, 3),
            "fastest_ms": round(1e3 * min(times), 3),
            "slowest_ms": round(1e3 * max(times), 3),
            "rounds": len(times),
            "error": f"{errors[name]:.1e}",
        }
        for name, times in seconds.items()
    ]


def markdown(rows: list[Row]) -> str:
    """The rows as a table."""
    keys = list(rows[0])
    width = {key: max(len(key), *(len(str(row[key])) for row in rows)) for key in keys}
    line = lambda cells: "| " + " | ".join(str(c).ljust(width[k]) for k, c in zip(keys, cells, strict=True)) + " |"  # noqa: E731
    return "\n".join([line(keys), line(["-" * width[k] for k in keys]), *(line(row.values()) for row in rows)])


def machine() -> str:
    """Where this runs."""
    versions = {name: importlib.metadata.version(name) for name in ("jax", "numpy", "scipy")}
    return f"{jax.devices()[0].device_kind} ({platform.machine()}, {os.cpu_count()} cores), {versions}"


def write(path: Path, rows: list[Row]) -> Path:
    """The rows as CSV, each with the machine."""
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], "machine"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(row | {"machine": machine()} for row in rows)
    return path
