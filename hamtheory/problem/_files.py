"""Problems from files: the archives of NumPy, and tables of text."""

import zipfile
from pathlib import Path

import numpy as np

from ._csv import read_csv


def read_npz(path: str, needed: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """Arrays of an .npz as float64, which the command line then computes in unless told otherwise."""
    with opened(path) as archive:
        missing = [name for name in needed if name not in archive.files]
        if missing:
            there = ", ".join(archive.files) or "none"
            raise ValueError(f"{path} has no array {' and no array '.join(missing)}; its arrays are: {there}")
        return {name: _array(archive, name) for name in needed + optional if name in archive.files}


def numbers(array: np.ndarray, name: str) -> np.ndarray:
    """`array` in float64, if that loses nothing; what is wrong with any other array, the library says best."""
    return array.astype(float) if array.dtype.kind in "fiub" else array


def opened(path: str):
    try:
        return np.load(path)
    except (zipfile.BadZipFile, ValueError, EOFError):
        raise ValueError(f"{path} is not an .npz file of NumPy's") from None


def _array(archive, name: str) -> np.ndarray:
    try:
        return numbers(archive[name], name)
    except ValueError:  # pickled: never loaded
        raise ValueError(f"{name} must hold real numbers; it holds Python objects") from None


def read_problem(path: str, target: str | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """X, y and θ* (or None) of an `.npz` or a `.csv`, of shapes that fit but with NaN and infinities as they are."""
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
