"""What the tests of sweeps share."""

import hashlib
import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
collect_ignore = ["toy.py"]  # imported once, by its own name
sys.path.insert(0, str(HERE))  # spawned workers get the path, and import `toy` by its name


@pytest.fixture(autouse=True)
def compiled_once(monkeypatch):
    """Worker processes share what the tests compiled."""
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(HERE.parents[1] / ".pytest_cache" / "xla"))
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")


@pytest.fixture(scope="session")
def contents():
    """The bytes of all files of a store's data."""

    def of(store):
        root = Path(store) / "data.zarr"
        files = [path for path in root.rglob("*") if path.is_file()]
        return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    return of


@pytest.fixture
def elsewhere():
    """The environment of a process of its own that can import `toy`."""
    return {**os.environ, "PYTHONPATH": str(HERE), "OMP_NUM_THREADS": "1"}
