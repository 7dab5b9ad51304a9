"""A sweep as a table, one row an instance, for everything that does not read Zarr; and its distribution."""

import json
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._result import NAMES
from ._run import open_store
from ._sealed import SUFFIX
from ._store import Store

if TYPE_CHECKING:
    import pandas as pd
    import xarray

SUFFIXES = (".csv", ".parquet")
AXES = ("problem", "geometry", "start")
_LABELS = {"problem": ("source", "seed", "n", "d"), "start": ("start_scale", "start_seed")}
_USABLE = ("converged", "reached_end")


def export(store: str | Path, out: str | Path) -> int:
    """Write the finished chunks of a store as a table, one row an instance.

    Codes become words; an array of an instance becomes numbered columns, `theta_0`, `theta_1`, ...

    Args:
        store: The folder of a sweep.
        out: A `.csv`, or a `.parquet` (needs the extra `parquet`); replaced if it is there.

    Returns:
        The number of rows.

    Raises:
        ValueError: For another suffix.
        FileNotFoundError: If there is no such store, or no folder for `out`.
        ImportError: If pyarrow is missing.

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
    out = Path(out).expanduser()
    if out.suffix not in SUFFIXES:
        raise ValueError(f"out must end in {' or '.join(SUFFIXES)}; got {str(out)!r}")
    if Store(store).manifest_file.exists() and Store(store).path.resolve() in out.resolve().parents:
        raise ValueError(f"out must lie outside of the store; got {str(out)!r}")
    if not out.parent.is_dir():
        raise FileNotFoundError(f"out: there is no folder {str(out.parent)!r}")
    draft = out.with_name(out.name + SUFFIX)
    try:
        rows = (_write_csv if out.suffix == ".csv" else _write_parquet)(draft, _frames(store))
        os.replace(draft, out)
    finally:
        draft.unlink(missing_ok=True)
    return rows


def _frames(store: str | Path) -> "Iterator[pd.DataFrame]":
    """One finished chunk after the other."""
    import pandas as pd

    here = Store(store)
    spec, found = here.spec(), here.verify()
    if found.damaged or found.files:
        raise ValueError(
            f"{here.path} is damaged: {', '.join([*found.damaged.values(), *found.files][:3])}; run the sweep again, "
            "which computes what is lost"
        )
    with open_store(store) as dataset:
        for chunk, _ in here.records(spec):
            first, stop = spec.bounds(chunk)
            columns: dict[str, Any] = {"instance": np.arange(first, stop)}
            for name in spec.layout():
                values = _words(dataset[name][first:stop])
                for index in np.ndindex(values.shape[1:]):
                    key = "_".join([name, *map(str, index)])
                    if key in columns:
                        raise ValueError(
                            f"the table would have two columns {key!r}: rename the variable of the quantity"
                        )
                    columns[key] = values[(slice(None), *index)]
            yield pd.DataFrame(columns)


def _words(variable: Any) -> np.ndarray:
    values, about = variable.to_numpy(), variable.attrs
    if "flag_meanings" not in about:
        return values
    words = dict(zip(np.asarray(about["flag_values"]).tolist(), about["flag_meanings"].split(), strict=True))
    return np.array([words.get(code, "") for code in values.ravel().tolist()], object).reshape(values.shape)


def _write_csv(path: Path, frames: "Iterator[pd.DataFrame]") -> int:
    rows = 0
    with open(path, "w", newline="", encoding="utf-8") as file:
        for frame in frames:
            frame.to_csv(file, index=False, header=not rows, na_rep="nan")
            rows += len(frame)
    return rows


def _write_parquet(path: Path, frames: "Iterator[pd.DataFrame]") -> int:
    try:
        import pyarrow as pa  # type: ignore[import-not-found]
        import pyarrow.parquet as parquet  # type: ignore[import-not-found]
    except ImportError as error:
        raise ImportError('pyarrow is missing; pip install "hamtheory[parquet]", or write a .csv') from error
    tables = (pa.Table.from_pandas(frame, preserve_index=False) for frame in frames)
    first = next(tables, pa.table({}))
    rows = first.num_rows
    with parquet.ParquetWriter(path, first.schema) as writer:
        writer.write_table(first)
        for table in tables:
            writer.write_table(table)
            rows += table.num_rows
    return rows


def summary(
    dataset: "xarray.Dataset",
    by: Sequence[str] = ("geometry",),
    quantiles: Sequence[float] = (0.05, 0.25, 0.5, 0.75, 0.95),
) -> "xarray.Dataset":
    """Quantiles of every variable over the instances of a sweep, for each geometry.

    What failed or is not done yet is left out of the quantiles, and counted.

    Args:
        dataset: What `ht.sweep` returns.
        by: The axes that are kept, of "problem", "geometry" and "start"; the others are what the quantiles are taken
            over.
        quantiles: Between 0 and 1.

    Returns:
        A data set with the dimensions `by` and `quantile`, the labels of what is kept, and `instances`, how many ended
        in
            which `outcome`.

    Raises:
        ValueError: For bad arguments, naming the argument.

    ```python
    >>> import tempfile
    >>> import hamtheory as ht
    >>> spec = {
    ...     "problems": {"kind": "sparse", "n": 4, "d": 8, "k": 1, "seeds": range(3)},
    ...     "geometries": {"family": "ham", "alpha": [1.0, 1e4]},
    ... }
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with ht.sweep(spec, folder, progress=False) as dataset:
    ...         table = ht.sweeps.summary(dataset, quantiles=[0.5])
    >>> table.parameter.to_numpy().tolist(), table.instances.sel(outcome="converged").to_numpy().tolist()
    ([1.0, 10000.0], [3, 3])

    ```
    """
    import pandas as pd
    import xarray as xr

    if set(json.loads(dataset.attrs.get("sizes", "{}"))) != set(AXES) or "status" not in dataset:
        raise ValueError("dataset must be that of a sweep, as ht.sweep returns it")
    if isinstance(by, str) or any(axis not in AXES for axis in by):
        raise ValueError(f"by must be a list of {', '.join(AXES)}; got {by!r}")
    if not _in_order(dataset):
        raise ValueError("dataset must have all instances in their order: take parts of the summary instead")
    levels = np.asarray(quantiles, float)
    if levels.ndim != 1 or levels.size == 0 or not np.all((levels >= 0) & (levels <= 1)):
        raise ValueError(f"quantiles must be numbers between 0 and 1; got {quantiles!r}")
    sizes = json.loads(dataset.attrs["sizes"])
    places = pd.MultiIndex.from_product([range(sizes[axis]) for axis in AXES], names=AXES)
    kept, gone = ([axis for axis in AXES if (axis in by) is wanted] for wanted in (True, False))
    dropped = [*AXES, *(name for name, variable in dataset.variables.items() if "column" in variable.dims)]
    whole = dataset.drop_vars(dropped, errors="ignore").assign_coords(
        xr.Coordinates.from_pandas_multiindex(places, "instance")
    )
    whole = whole.unstack("instance")
    status, values = whole["status"], whole.drop_vars("status")
    usable = status.isin([NAMES.index(name) for name in _USABLE])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)  # nothing came out: NaN says so
        without = lambda variable: [dim for dim in usable.dims if dim not in variable.dims]  # noqa: E731
        found = values.map(lambda variable: _quantiles(variable.where(usable.any(without(variable))), levels, gone))
    counts = xr.concat([(status == code).sum(gone) for code in range(-1, len(NAMES))], dim="outcome")
    found["instances"] = counts.transpose(*kept, ..., "outcome").assign_attrs(
        long_name="number of instances", units="1"
    )
    own = ["family", *(str(name) for name in whole.coords if "parameter" in str(name))]
    labels = {name: [axis for axis in AXES if axis != of] for of in kept for name in _LABELS.get(of, own)}
    known = {name: whole[name].max(others, keep_attrs=True) for name, others in labels.items()}  # -1 and NaN: not done
    found = found.assign_coords(known | {"outcome": ["not_computed", *NAMES]})
    extra = [name for name in found.coords if name not in (*found.dims, *known)]
    return found.drop_vars([*extra, *kept]).assign_attrs({key: dataset.attrs[key] for key in ("title", "spec_sha256")})


def _quantiles(values: "xarray.DataArray", levels: np.ndarray, gone: list[str]) -> "xarray.DataArray":
    """Quantiles over the dimensions `gone`; between a number and an infinity it is the infinity."""
    values = values.expand_dims("one")
    with np.errstate(invalid="ignore"):
        found = {
            how: values.quantile(levels, dim=["one", *gone], method=how, keep_attrs=True)
            for how in ("linear", "lower", "higher")
        }
    return found["linear"].fillna(found["higher"].where(np.isinf(found["higher"]), found["lower"]))


def _in_order(dataset: "xarray.Dataset") -> bool:
    """Whether the instances are all there, as the sweep has numbered them; what is not computed has no number."""
    sizes = json.loads(dataset.attrs["sizes"])
    places = np.indices([sizes[axis] for axis in AXES]).reshape(len(AXES), -1)
    numbers = [np.asarray(dataset[axis]) for axis in AXES]
    return all(
        own.shape == place.shape and bool(np.all((own == place) | (own < 0)))
        for own, place in zip(numbers, places, strict=True)
    )
