"""Problems from files: the arrays of NumPy and of NetCDF, tables of text and of Parquet."""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ._classification import BinaryClassification
from ._csv import place_of, read_columns
from ._kinds import refuse_other_kinds
from ._regression import LinearRegression

TEXT = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
TABLES = (*TEXT, ".parquet")
ARRAYS = (".npz", ".nc")
SUFFIXES = (*TABLES, *ARRAYS, ".npy")


def suffix_of(path: str) -> str:
    """The suffix in lower case, with the one before `.gz`.

    Args:
        path: Of a file, which need not exist.

    Returns:
        The suffix.

    ```python
    >>> import hamtheory as ht
    >>> ht.problem.suffix_of("mine.CSV.gz")
    '.csv.gz'

    ```
    """
    suffixes = [suffix.lower() for suffix in Path(path).suffixes]
    return "".join(suffixes[-2:] if suffixes[-1:] == [".gz"] else suffixes[-1:])


@dataclass(frozen=True)
class Table:
    """What a file holds of a problem: X, (n, d), y, (n,), names of X's columns, θ*, (d,), θ₀, (d,), and y's name."""

    X: np.ndarray
    y: np.ndarray
    names: np.ndarray | None = None
    theta_star: np.ndarray | None = None
    theta0: np.ndarray | None = None
    response: str | None = None


def read_table(
    path: str, target: str | None = None, *, decimal: str = ".", classes: bool = False, finite: bool = True
) -> Table:
    """The arrays of a problem in a file, by its suffix, and the names of its columns.

    Args:
        path: Ending in one of `SUFFIXES`.
        target: As in `read_problem`.
        decimal: As in `read_problem`.
        classes: As in `read_csv`.
        finite: As in `read_csv`.

    Returns:
        A `Table`.

    Raises:
        FileNotFoundError: Where there is no file.
        ValueError: For files of another kind than their names say, and for what they lack.
        ImportError: If the package that reads such files is missing.

    ```python
    >>> import os, tempfile
    >>> import hamtheory as ht, numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(path := os.path.join(folder, "mine.npy"), [[1.0, 2.0, 3.0]])
    ...     ht.problem.read_table(path).y
    array([3.])

    ```
    """
    suffix = suffix_of(path)
    if suffix not in SUFFIXES:
        raise ValueError(f"path must end in {', '.join(SUFFIXES)}; got {path!r}")
    if target is not None and suffix not in TABLES:
        raise ValueError(f"target names a column of a table ({', '.join(TABLES)}); got {target!r} for {path!r}")
    if target is not None and not isinstance(target, str):
        raise TypeError(f"target must be text, the name of a column or its number, such as '3'; got {target!r}")
    if decimal != "." and suffix not in TEXT:
        raise ValueError(f"decimal is for tables of text ({', '.join(TEXT)}); got {decimal!r} for {path!r}")
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no file {path!r}")
    if suffix in TEXT:
        X, y, names, response = read_columns(path, target, finite=finite, decimal=decimal, classes=classes)
        return Table(X, y, names, response=response)
    if suffix == ".npz":
        arrays = read_npz(path, needed=("X", "y"), optional=("theta_star", "theta0"))
        return Table(arrays["X"], arrays["y"], None, arrays.get("theta_star"), arrays.get("theta0"))
    refuse_other_kinds(path)
    if suffix == ".parquet":
        return _parquet(path, target)
    return _netcdf(path) if suffix == ".nc" else _npy(path)


def read_problem(
    path: str, target: str | None = None, *, kind: str = "regression", decimal: str = "."
) -> LinearRegression | BinaryClassification:
    """The problem in a file.

    Args:
        path: A table of text (`.csv`, `.tsv`, and these with `.gz`), of Parquet (`.parquet`, with the extra `parquet`)
            or of NumPy (`.npy`), with y in one column; or X and y, and theta_star if it is known, in an `.npz` or a
            NetCDF file (`.nc`).
        target: The name of the column that is y, or of a table of text without a header its number, from 1, as text;
            left out: the last one.
        kind: "regression", or "classification", whose y has two values: the larger one is the class 1. In text they may
            be yes and no, true and false, or positive and negative.
        decimal: Of text, "." or ",".

    Returns:
        The problem in float64, with the `names` of X's columns, where there are any.

    Raises:
        FileNotFoundError: Where there is no file.
        ValueError: For what is no such file, with the line or the array, and for a problem that is none.
        TypeError: For a target that is no text.
        ImportError: If the package that reads such files is missing.

    ```python
    >>> import os, tempfile
    >>> import hamtheory as ht
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with open(path := os.path.join(folder, "mine.csv"), "w") as file:
    ...         _ = file.write("height;shoes;weight\\n1,5;36;60\\n1,8;44;75\\n")
    ...     problem = ht.read_problem(path, decimal=",")
    >>> problem, problem.names
    (LinearRegression(n=2, d=2, dtype=float64), ('height', 'shoes'))

    ```
    """
    if kind not in ("regression", "classification"):
        raise ValueError(f"kind must be 'regression' or 'classification'; got {kind!r}")
    table = read_table(path, target, decimal=decimal, classes=kind == "classification")
    return problem_of(table, kind)


def problem_of(table: Table, kind: str) -> LinearRegression | BinaryClassification:
    """The problem of a table, with its names.

    Args:
        table: Of `read_table`.
        kind: As in `read_problem`.

    Returns:
        The problem.

    ```python
    >>> import hamtheory as ht, numpy as np
    >>> ht.problem.problem_of(ht.problem.Table(np.eye(2), np.array([3.0, 5.0])), "classification").z
    array([-1.,  1.])

    ```
    """
    names = None if table.names is None else tuple(map(str, table.names))
    if kind != "classification":
        return LinearRegression(table.X, table.y, table.theta_star).named(names)
    y = np.asarray(table.y)
    if y.dtype.kind in "fiub" and np.isfinite(y).all():
        values = np.unique(y)
        if values.size != 2:
            shown = ", ".join(f"{value:g}" for value in values[:5])
            raise ValueError(f"y must have two values, one a class; got {shown}{', ...' if values.size > 5 else ''}")
        y = np.where(y == values[1], 1, -1)
    return BinaryClassification(table.X, y, theta_star=table.theta_star).named(names)


def _parquet(path: str, target: str | None) -> Table:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError('Parquet files need pyarrow; pip install "hamtheory[parquet]"') from error
    try:
        table = pyarrow.parquet.read_table(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"{path} is a damaged Parquet file: {error}") from None
    names = table.column_names
    at = len(names) - 1 if target is None else place_of(path, target, names)
    columns = {}
    for place, name in enumerate(names):
        kind = table.schema.field(place).type
        if not (pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind) or pyarrow.types.is_boolean(kind)):
            raise ValueError(f"{path}, column {name!r} must hold real numbers; it holds {kind}")
        columns[place] = table.column(place).cast(pyarrow.float64()).to_numpy()
    if len(names) < 2 or table.num_rows == 0:
        raise ValueError(f"{path} must have at least two columns, those of X and y, and a row; got {table.shape[::-1]}")
    others = [place for place in columns if place != at]
    X = np.stack([columns[place] for place in others], axis=1)
    return Table(X, columns[at], np.array([names[place] for place in others]), response=names[at])


def _npy(path: str) -> Table:
    try:
        array = np.load(path)
    except (ValueError, EOFError, OSError):  # pickled: never loaded
        raise ValueError(f"{path} is damaged, or holds Python objects") from None
    names = array.dtype.names
    if names is not None:
        array = np.stack([array[name].astype(float) for name in names], axis=-1)
    if array.ndim != 2 or array.shape[1] < 2 or array.dtype.kind not in "fiub":
        raise ValueError(
            f"{path} must hold a table of real numbers with at least two columns, y in the last one; got "
            f"{array.dtype}{array.shape}"
        )
    array = array.astype(float)
    response = f"column {array.shape[1]}" if names is None else names[-1]
    return Table(array[:, :-1], array[:, -1], None if names is None else np.array(names[:-1]), response=response)


def _netcdf(path: str) -> Table:
    import xarray as xr  # half a second to import

    try:
        opened = xr.open_dataset(path)
    except (OSError, TypeError, ValueError):
        raise ValueError(
            f"{path} is not a NetCDF file that can be read here: one of version 4 needs the package h5netcdf"
        ) from None
    with opened as dataset:
        missing = [name for name in ("X", "y") if name not in dataset.variables]
        if missing:
            raise ValueError(
                f"{path} has no array {' and no array '.join(missing)}; its arrays are: {_some(dataset.variables)}"
            )
        get = lambda name: dataset[name].to_numpy() if name in dataset.variables else None  # noqa: E731
        names = get("columns") if "columns" in dataset.variables else get(dataset["X"].dims[-1])
        return Table(dataset["X"].to_numpy(), dataset["y"].to_numpy(), names, get("theta_star"), get("theta0"))


def _some(names: Any) -> str:
    names = list(map(str, names))
    return ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")


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
        archive = np.load(path)
    except (zipfile.BadZipFile, ValueError, EOFError):
        raise ValueError(f"{path} is not an .npz file of NumPy's") from None
    if isinstance(archive, np.ndarray):
        raise ValueError(f"{path} is not an .npz file of NumPy's: it holds one array; name it with .npy")
    return archive


def _array(archive, name: str) -> np.ndarray:
    try:
        array = archive[name]
        return array.astype(float) if array.dtype.kind in "fiub" else array
    except ValueError:  # pickled: never loaded
        raise ValueError(f"{name} must hold real numbers; it holds Python objects") from None


def read_arrays(
    path: str, target: str | None = None, *, decimal: str = ".", classes: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """The arrays of a problem in a file, with NaN and infinities as they are.

    Args:
        path: As in `read_problem`.
        target: As in `read_problem`.
        decimal: As in `read_problem`.
        classes: As in `read_csv`.

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
    table = read_table(path, target, decimal=decimal, classes=classes, finite=False)
    X, y, truth = table.X, table.y, table.theta_star
    arrays = {name: array for name, array in (("X", X), ("y", y), ("theta_star", truth)) if array is not None}
    for name, array in arrays.items():
        if array.dtype.kind != "f" or array.ndim != (2 if name == "X" else 1):
            axes = "2 axes" if name == "X" else "1 axis"
            raise ValueError(f"{path}: {name} must hold real numbers and have {axes}; got {array.dtype}{array.shape}")
    if X.size == 0 or y.shape != X.shape[:1] or (truth is not None and truth.shape != X.shape[1:]):
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise ValueError(f"{path}: X must be (n, d), y (n,) and theta_star (d,); got {shapes}")
    return X, y, truth
