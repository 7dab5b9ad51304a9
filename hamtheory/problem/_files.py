"""Problems from files: the archives of NumPy, and tables of text."""

import zipfile
from pathlib import Path

import numpy as np

from ._csv import read_csv


def read_npz(path: str, needed: tuple[str, ...] = (), optional: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """Arrays of an `.npz`, in float64 if that loses nothing; what is wrong with others, whoever needs them says best.

    Args:
        path: Of the file.
        needed: The names of the arrays that must be there.
        optional: The names of those that may be.

    Returns:
        The arrays by their names, of any shapes.

    Raises:
        ValueError: For what is no such file, holds Python objects, or has not what is needed.

    ```python
    >>> import os, tempfile
    >>> import hamtheory as ht, numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(path := os.path.join(folder, "mine.npz"), X=[[1, 2]])
    ...     ht.problem.read_npz(path, needed=("X",), optional=("y",))
    {'X': array([[1., 2.]])}

    ```
    """
    with _opened(path) as archive:
        missing = [name for name in needed if name not in archive.files]
        if missing:
            there = ", ".join(archive.files) or "none"
            raise ValueError(f"{path} has no array {' and no array '.join(missing)}; its arrays are: {there}")
        return {name: _array(archive, name) for name in needed + optional if name in archive.files}


def _opened(path: str):
    try:
        return np.load(path)
    except (zipfile.BadZipFile, ValueError, EOFError):
        raise ValueError(f"{path} is not an .npz file of NumPy's") from None


def _array(archive, name: str) -> np.ndarray:
    try:
        array = archive[name]
        return array.astype(float) if array.dtype.kind in "fiub" else array
    except ValueError:  # pickled: never loaded
        raise ValueError(f"{name} must hold real numbers; it holds Python objects") from None


def read_arrays(path: str, target: str | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """The arrays of a regression in a file, with NaN and infinities as they are.

    Args:
        path: An `.npz` with X, y, and theta_star if it is known, or a `.csv`.
        target: Of a `.csv`, the column that is y; left out: the last one.

    Returns:
        X (n, d), y (n,) and θ* (d,) or None, in float64 if that loses nothing.

    Raises:
        FileNotFoundError: Where there is no file.
        ValueError: For what is no such file, missing arrays, and shapes that do not fit.

    ```python
    >>> import os, tempfile
    >>> import hamtheory as ht, numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(path := os.path.join(folder, "mine.npz"), X=[[1.0, 2.0]], y=[2.0])
    ...     X, y, truth = ht.problem.read_arrays(path)
    >>> X.tolist(), y.tolist(), truth
    ([[1.0, 2.0]], [2.0], None)

    ```
    """
    if Path(path).suffix.lower() == ".csv":
        X, y, _ = read_csv(path, target, finite=False)
        return X, y, None
    arrays = read_npz(path, needed=("X", "y"), optional=("theta_star",))
    X, y, truth = arrays["X"], arrays["y"], arrays.get("theta_star")
    for name, array in arrays.items():
        if array.dtype.kind != "f" or array.ndim != (2 if name == "X" else 1):
            axes = "2 axes" if name == "X" else "1 axis"
            raise ValueError(f"{path}: {name} must hold real numbers and have {axes}; got {array.dtype}{array.shape}")
    if X.size == 0 or y.shape != X.shape[:1] or (truth is not None and truth.shape != X.shape[1:]):
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise ValueError(f"{path}: X must be (n, d), y (n,) and theta_star (d,); got {shapes}")
    return X, y, truth
