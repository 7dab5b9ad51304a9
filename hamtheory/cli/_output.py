"""Results as files: arrays in .npz, .zarr and .nc, and the summary in all of them and, alone, in .json."""

import datetime
import importlib.metadata
import json
import math
import os
import platform
from pathlib import Path
from typing import Any

import numpy as np

Arrays = dict[str, tuple[tuple[str, ...], np.ndarray]]

SUFFIXES = (".npz", ".zarr", ".nc", ".json")
_PACKAGES = ("hamtheory", "jax", "diffrax", "numpy", "scipy", "sympy")


def check_target(path: Path | None) -> None:
    """Refuse, before any work, a place that could not be written to afterwards."""
    if path is None:
        return
    if path.suffix not in SUFFIXES:
        raise ValueError(f"--out must end in {', '.join(SUFFIXES)}; got {str(path)!r}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"--out: there is no folder {str(path.parent)!r}")
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"--out: the folder {str(path.parent)!r} cannot be written to")
    if path.is_dir() and not _is_store(path):
        raise FileExistsError(f"--out: {str(path)!r} is a folder, and no Zarr store to be replaced")
    if path.is_file() and path.suffix == ".zarr":
        raise FileExistsError(f"--out: {str(path)!r} is a file; a Zarr store is a folder")


def write(path: Path, summary: dict[str, Any], arrays: Arrays, columns: np.ndarray | None) -> None:
    """Write a result in the format of the suffix; the summary as JSON, as the array or the attribute `summary`."""
    suffix = path.suffix
    text = to_json(summary)
    if suffix == ".json":
        path.write_text(text + "\n", encoding="utf-8")
    elif suffix == ".npz":
        contents: dict[str, Any] = {name: values for name, (_, values) in arrays.items()}
        if columns is not None:
            contents["columns"] = columns
        np.savez(path, summary=np.array(text), **contents)
    else:
        import xarray as xr  # half a second to import

        if columns is not None and columns.dtype.kind == "U":  # Zarr has no lasting format for text of fixed length
            columns = columns.astype(object)
        labels = {} if columns is None else {"columns": (("column",), columns)}
        dataset = xr.Dataset(arrays, coords=labels, attrs={"summary": text})
        if suffix == ".zarr":
            dataset.to_zarr(path, mode="w", consolidated=False)
        else:
            dataset.to_netcdf(path)


def provenance() -> dict[str, Any]:
    """What a result was made with, and when."""
    return {
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in _PACKAGES},
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def to_json(summary: dict[str, Any]) -> str:
    """The summary as standard JSON, in which NaN and the infinities are null."""
    return json.dumps(_standard(summary), indent=2, allow_nan=False)


def _standard(value):
    if isinstance(value, dict):
        return {name: _standard(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_standard(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _is_store(path: Path) -> bool:
    return path.suffix == ".zarr" and (not any(path.iterdir()) or (path / "zarr.json").exists())
