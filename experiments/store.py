"""Where experiments leave their data: one Zarr store each, with all it takes to run it again.

What benchmarks measure depends on the machine, and is worth keeping: it is committed, a JSON file each. So is what
takes hours to compute.
"""

import contextvars
import dataclasses
import datetime
import importlib.metadata
import json
import os
import platform
import shutil
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
import xarray as xr

from hamtheory import NAMES

from . import QUICK
from ._sources import digest

# How large an experiment is: to try it; for `make figures`, with captions that hold; with all instances and seeds.
SCALES = ("smoke", "quick", "full")
ROOT = Path(__file__).parent / "out"
SWEEPS: contextvars.ContextVar[Path | None] = contextvars.ContextVar("sweeps", default=None)  # of what is computed
MEASURED = Path(__file__).parent / "benchmarks" / "results"


def path(name: str, scale: str = "quick") -> Path:
    """The store of an experiment at one of `SCALES`; of what was measured, the committed file, which has but one.

    Without a smaller version, the quick one is the full one.
    """
    measured = MEASURED / f"{name}.json"
    if measured.exists():
        return measured
    return ROOT / ("full" if scale == "quick" and name not in QUICK else scale) / f"{name}.zarr"


def config_of(module: Any, scale: str = "quick") -> Any:
    """The configuration of an experiment at one of `SCALES`."""
    if scale == "smoke":
        return module.Config.smoke()
    return module.Config.quick() if scale == "quick" and hasattr(module.Config, "quick") else module.Config()


def fingerprint(name: str, config: Any) -> str:
    """A hash of the configuration, and of the code of the experiment with all that it uses."""
    return digest(name, json.dumps(dataclasses.asdict(config), sort_keys=True))


def compute(module: Any, name: str, config: Any, scale: str = "quick", *, fresh: bool = False) -> tuple[Path, bool]:
    """Run an experiment and store its data, unless they are there already; returns where, and whether it ran."""
    target, mark = path(name, scale), fingerprint(name, config)
    if not fresh and target.exists() and xr.open_zarr(target, consolidated=False).attrs.get("fingerprint") == mark:
        return target, False
    started = time.monotonic()
    sweeps = target.with_suffix(".sweeps")
    within = SWEEPS.set(sweeps)
    try:
        dataset = module.run(config)
    finally:
        SWEEPS.reset(within)
    _describe(dataset, name, config, time.monotonic() - started)
    dataset.attrs["fingerprint"] = mark
    unfinished = target.with_suffix(".partial")
    shutil.rmtree(unfinished, ignore_errors=True)
    dataset.to_zarr(unfinished, mode="w", zarr_format=2, consolidated=False)  # version 3 has no strings yet
    shutil.rmtree(target, ignore_errors=True)
    unfinished.rename(target)
    shutil.rmtree(sweeps, ignore_errors=True)
    return target, True


def compute_long(module: Any, name: str, config: Any, scale: str = "full") -> Path:
    """Run an experiment that takes hours, and write its data where they are committed; a small version, elsewhere.

    Its sweeps are kept until it is done: interrupted, it goes on where it was.
    """
    started, sweeps = time.monotonic(), ROOT / ("smoke" if scale == "smoke" else "full") / f"{name}.sweeps"
    within = SWEEPS.set(sweeps)
    try:
        dataset = module.run(config)
    finally:
        SWEEPS.reset(within)
    _describe(dataset, name, config, time.monotonic() - started)
    target = keep(dataset, (ROOT / "smoke" if scale == "smoke" else MEASURED) / f"{name}.json")
    shutil.rmtree(sweeps, ignore_errors=True)
    return target


def _describe(dataset: xr.Dataset, name: str, config: Any, seconds: float) -> None:
    """Say in the data set what it takes to believe it, or to make it again."""
    if "status" not in dataset:
        raise ValueError(
            f"experiment {name}: the dataset must carry a status for every case, store.status(dims, results)"
        )
    dataset.attrs |= {
        "experiment": name,
        "config": json.dumps(dataclasses.asdict(config)),
        "seed": getattr(config, "seed", -1),
        "dtype": jax.numpy.zeros(()).dtype.name,
        "device": f"{jax.devices()[0].device_kind} ({platform.machine()}, {os.cpu_count()} cores)",
        "versions": json.dumps({p: importlib.metadata.version(p) for p in ("jax", "diffrax", "numpy", "scipy")}),
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 2),
    }


def measure(module: Any, name: str, config: Any) -> xr.Dataset:
    """Run a benchmark that has a data set."""
    started = time.monotonic()
    dataset = module.run(config)
    _describe(dataset, name, config, time.monotonic() - started)
    return dataset


def keep(dataset: xr.Dataset, target: Path | None = None) -> Path:
    """Write a data set as JSON; where it is committed, if it isn't said where."""
    target = target or MEASURED / f"{dataset.attrs['experiment']}.json"
    target.parent.mkdir(exist_ok=True, parents=True)
    target.write_text(json.dumps(dataset.to_dict(), indent=1) + "\n", encoding="utf-8")
    return target


def load(name: str, scale: str = "quick") -> xr.Dataset:
    """The stored data of an experiment, in memory; or what was measured once, and committed."""
    target = path(name, scale)
    if target.suffix == ".json":
        return read_json(target.read_text(encoding="utf-8"))
    if not target.exists():
        command = f"python -m experiments {name}" + ("" if scale == "quick" else f" --{scale}")
        raise FileNotFoundError(f"no data of experiment {name!r} yet; compute them: {command}")
    with xr.open_zarr(target, consolidated=False) as dataset:
        return dataset.load()


def read_json(text: str) -> xr.Dataset:
    """A data set that `keep` has written."""
    return xr.Dataset.from_dict(json.loads(text))


def status(dims: tuple[str, ...], results: Any) -> xr.Variable:
    """The status of every instance, from a `Result` or its integer codes: 0 is converged."""
    values = np.asarray(results, np.int8)
    flags = {"flag_values": list(range(len(NAMES))), "flag_meanings": " ".join(NAMES)}
    return xr.Variable(dims, values, {"long_name": "how the case ended", **flags})


def variable(dims: tuple[str, ...] | str, values: Any, long_name: str, units: str = "1") -> xr.Variable:
    """A variable with its meaning and its unit."""
    return xr.Variable(dims, np.asarray(values), {"long_name": long_name, "units": units})
