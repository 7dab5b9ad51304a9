"""What a sweep was computed with."""

import datetime
import importlib.metadata
import os
import platform
import socket
from typing import Any

_PACKAGES = ("hamtheory", "jax", "jaxlib", "numpy", "diffrax", "equinox", "zarr")


def environment(dtype: str) -> dict[str, Any]:
    """Versions, the precision, and where the writer runs; the device of each chunk is in its record."""
    return {
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in _PACKAGES},
        "device": {"machine": platform.machine(), "system": platform.system()},
        "dtype": dtype,
        "host": socket.gethostname(),
        "process": os.getpid(),
    }


def now() -> str:
    """The time, in UTC."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
