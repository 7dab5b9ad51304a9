"""The distribution of what came out, without its million lanes."""

import json
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._result import NAMES

if TYPE_CHECKING:
    import xarray

AXES = ("problem", "geometry", "start")
_LABELS = {"problem": ("source", "seed", "n", "d"), "start": ("start_scale", "start_seed")}
_USABLE = ("converged", "reached_end")


def summary(
    dataset: "xarray.Dataset",
    by: Sequence[str] = ("geometry",),
    quantiles: Sequence[float] = (0.05, 0.25, 0.5, 0.75, 0.95),
) -> "xarray.Dataset":
    """Quantiles of every variable over the lanes of a sweep, for each geometry.

    Arguments: `dataset`, what `ht.sweep` returns. `by`: the axes that are kept, of "problem", "geometry" and "start";
      the others are what the quantiles are taken over. `quantiles`: between 0 and 1.
    Returns: a data set with the dimensions `by` and `quantile`, the labels of what is kept, and `lanes`, how many ended
      in which `outcome`. Lanes that failed or are not done yet are left out of the quantiles, and counted.
    Errors: `ValueError`, naming the argument.
    Source: own.

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
    >>> table.parameter.to_numpy().tolist(), table.lanes.sel(outcome="converged").to_numpy().tolist()
    ([1.0, 10000.0], [3, 3])

    ```
    """
    import xarray as xr

    if "sizes" not in dataset.attrs or "status" not in dataset:
        raise ValueError("dataset must be that of a sweep, as ht.sweep returns it")
    if isinstance(by, str) or any(axis not in AXES for axis in by):
        raise ValueError(f"by must be a list of {', '.join(AXES)}; got {by!r}")
    levels = np.asarray(quantiles, float)
    if levels.ndim != 1 or levels.size == 0 or not np.all((levels >= 0) & (levels <= 1)):
        raise ValueError(f"quantiles must be numbers between 0 and 1; got {quantiles!r}")
    sizes = json.loads(dataset.attrs["sizes"])
    grid = tuple(sizes[axis] for axis in AXES)
    kept = tuple(axis for axis in AXES if axis in by)
    gone = tuple(i for i, axis in enumerate(AXES) if axis not in by)
    status = dataset["status"].to_numpy()
    usable = np.isin(status, [NAMES.index(name) for name in _USABLE])
    made: dict[str, Any] = {"lanes": _counts(status, grid, gone, (*kept, *dataset["status"].dims[1:]))}
    for name, variable in dataset.data_vars.items():
        if name == "status" or "column" in variable.dims:
            continue
        values = variable.to_numpy().astype(float)
        values[~(usable if usable.ndim == values.ndim else _like(usable, values))] = np.nan
        found = _quantiles(values.reshape(grid + values.shape[1:]), gone, levels)
        dims = ("quantile", *kept, *variable.dims[1:])
        made[str(name)] = (dims, found, {key: variable.attrs[key] for key in ("long_name", "units")})
    coords: dict[str, Any] = {"quantile": levels, "outcome": ["not_computed", *NAMES]}
    for axis in kept:
        coords |= _labels(dataset, axis, grid)
    coords |= {str(name): dataset[name] for name in dataset.dims if name in dataset.coords}
    return xr.Dataset(made, coords, {key: dataset.attrs[key] for key in ("title", "spec_sha256")})


def _like(usable: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.broadcast_to(usable.reshape(usable.shape + (1,) * (values.ndim - usable.ndim)), values.shape)


def _quantiles(values: np.ndarray, gone: tuple[int, ...], levels: np.ndarray) -> np.ndarray:
    if not gone:
        return np.broadcast_to(values, (len(levels), *values.shape)).copy()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)  # nothing came out: NaN says so
        return np.nanquantile(values, levels, axis=gone)


def _counts(status: np.ndarray, grid: tuple[int, ...], gone: tuple[int, ...], dims: tuple[Any, ...]) -> tuple[Any, ...]:
    status = status.reshape(grid + status.shape[1:])
    counts = np.stack([np.sum(status == code, axis=gone) for code in range(-1, len(NAMES))], axis=-1)
    return (*dims, "outcome"), counts, {"long_name": "number of lanes", "units": "1"}


def _labels(dataset: Any, axis: str, grid: tuple[int, ...]) -> dict[str, Any]:
    own = [name for name in map(str, dataset.coords) if "parameter" in name] + ["family"]
    others = tuple(i for i, name in enumerate(AXES) if name != axis)
    made = {}
    for name in _LABELS.get(axis, own):
        values = dataset[name].to_numpy().reshape(grid)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)
            known = np.nanmax(values, axis=others)  # what stands where nothing is computed yet is the least, or NaN
        made[name] = (axis, known, dict(dataset[name].attrs))
    return made
