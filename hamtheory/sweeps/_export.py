"""A sweep as a table: one row a lane, for everything that does not read Zarr."""

import csv
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ._run import open_store
from ._sealed import SUFFIX
from ._store import Store

SUFFIXES = (".csv", ".parquet")


def export(store: str | Path, out: str | Path) -> int:
    """Write the finished chunks of a store as a table, one row a lane.

    Arguments: `store`, the folder of a sweep. `out`: a `.csv`, or a `.parquet` (needs the extra `parquet`); replaced if
      it is there. Codes become words; an array of a lane becomes numbered columns, `theta_0`, `theta_1`, ...
    Returns: the number of rows.
    Errors: `ValueError` for another suffix, `FileNotFoundError`, `ImportError` if pyarrow is missing.
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
    ...     ht.sweeps.export(f"{folder}/store", f"{folder}/table.csv")
    4

    ```
    """
    out = Path(out)
    if out.suffix not in SUFFIXES:
        raise ValueError(f"out must end in {' or '.join(SUFFIXES)}; got {str(out)!r}")
    if not out.parent.is_dir():
        raise FileNotFoundError(f"out: there is no folder {str(out.parent)!r}")
    draft = out.with_name(out.name + SUFFIX)
    try:
        rows = (_write_csv if out.suffix == ".csv" else _write_parquet)(draft, _tables(store))
        os.replace(draft, out)
    finally:
        draft.unlink(missing_ok=True)
    return rows


def _tables(store: str | Path) -> Iterator[dict[str, np.ndarray]]:
    """The columns of one finished chunk after the other."""
    here = Store(store)
    spec = here.spec()
    with open_store(store) as dataset:
        names = list(spec.layout())
        for chunk, _ in here.records(spec):
            first, stop = spec.bounds(chunk)
            part = dataset.isel(lane=slice(first, stop))
            columns = {"lane": np.arange(first, stop)}
            for name in names:
                values = _words(part[name])
                if values.ndim == 1:
                    columns[name] = values
                    continue
                for index in np.ndindex(values.shape[1:]):
                    columns["_".join([name, *map(str, index)])] = values[(slice(None), *index)]
            yield columns


def _words(variable: Any) -> np.ndarray:
    values, about = variable.to_numpy(), variable.attrs
    if "flag_meanings" not in about:
        return values
    words = dict(zip(np.asarray(about["flag_values"]).tolist(), about["flag_meanings"].split(), strict=True))
    return np.array([words.get(code, "") for code in values.ravel().tolist()], object).reshape(values.shape)


def _write_csv(path: Path, tables: Iterator[dict[str, np.ndarray]]) -> int:
    rows = 0
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        for columns in tables:
            if rows == 0:
                writer.writerow(columns)
            writer.writerows(zip(*(values.tolist() for values in columns.values()), strict=True))
            rows += len(columns["lane"])
    return rows


def _write_parquet(path: Path, tables: Iterator[dict[str, np.ndarray]]) -> int:
    try:
        import pyarrow as pa  # type: ignore[import-not-found]
        import pyarrow.parquet as parquet  # type: ignore[import-not-found]
    except ImportError as error:
        raise ImportError('pyarrow is missing; pip install "hamtheory[parquet]", or write a .csv') from error
    rows, writer = 0, None
    try:
        for columns in tables:
            table = pa.table({name: pa.array(values) for name, values in columns.items()})
            writer = writer or parquet.ParquetWriter(path, table.schema)
            writer.write_table(table)
            rows += table.num_rows
        if writer is None:
            parquet.write_table(pa.table({}), path)
    finally:
        if writer is not None:
            writer.close()
    return rows
