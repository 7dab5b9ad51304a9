"""Sweeps of experiments, which an interrupted experiment goes on with."""

import tempfile
from pathlib import Path
from typing import Any

import xarray as xr

import hamtheory as ht

from . import store
from ._sources import digest


def swept(spec: Any, name: str, *, workers: int = 0, lasting: bool = False) -> xr.Dataset:
    """The data of a sweep of the experiment `name`, in memory; in so many processes, or in this one.

    It lies beside the data of the experiment until these are there: interrupted, it goes on where it was, unless the
    spec or the sources have changed; if it is `lasting`, whatever the sources. Called from elsewhere than `compute`, in
    a temporary folder.
    """
    parent, mark = store.SWEEPS.get(), spec.hash if lasting else digest(name, spec.hash)
    executor = ht.sweeps.DaskExecutor(workers) if workers else None
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "sweep" if parent is None else parent / mark[:16]
        with ht.sweep(spec, folder, executor=executor, progress=parent is not None) as data:
            return data.load()
