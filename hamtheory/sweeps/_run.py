"""The sweep, as a user calls it."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._executors import Executor, executor_of
from ._progress import Meter
from ._spec import spec_of
from ._store import Store
from ._writer import writer

if TYPE_CHECKING:
    import xarray


def sweep(spec: Any, store: str | Path, *, executor: Executor | None = None, progress: bool = True) -> "xarray.Dataset":
    """Compute a quantity for every problem, geometry and start of a spec, and store it so that nothing is lost.

    Call it again to go on with a sweep that was interrupted, however that happened: chunks that are done are checked
    against their checksums and kept, the others computed. What comes out is the same to the bit.

    Args:
        spec: A `SweepSpec`, a table, the path of a `.toml` file, or "smoke", "paper", "hundred-thousand" or "million".
        store: A folder, made if it is not there. It has one writer at a time.
        executor: `ht.sweeps.SerialExecutor()` (this process) if left out, `DaskExecutor(2)` (two others on this
            machine), or `DaskExecutor("tcp://...")`.
        progress: Show a bar.

    Returns:
        The data set `STORE/data.zarr`, opened lazily. Each instance has its labels (problem, seed, family, parameter,
            start, ...), what was measured, and an integer `status` with its meanings: a failed one is data with a
            reason.

    Raises:
        ValueError: For a bad spec, and for a store that holds another sweep, naming what has changed.
        RuntimeError: If another process writes to the store.
        OSError: If the disk is full.

    ```python
    >>> import tempfile
    >>> import hamtheory as ht
    >>> spec = {
    ...     "problems": {"kind": "sparse", "n": 4, "d": 8, "k": 1, "seeds": [0, 1]},
    ...     "geometries": {"family": "ham", "alpha": [1.0, 1e4]},
    ... }
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with ht.sweep(spec, folder, progress=False) as dataset:
    ...         dataset.status.to_numpy().tolist(), bool(dataset.residual.max() < 1e-10)
    ([0, 0, 0, 0], True)

    ```
    """
    spec, executor = spec_of(spec), executor_of(executor)
    width = spec.prepare()
    with writer(store, spec, width) as target:
        before = Counter[str]()
        for _, record in target.records(spec):
            before.update(record["statuses"])
        meter, state = Meter(target.path / "progress.json", spec.instances, before, progress), "interrupted"
        try:
            left = set(target.todo)
            results: Any = executor.run(spec, width, target.todo)
            try:
                for result in results:
                    meter.add(target.write(result)["statuses"])
                    left.discard(result.chunk)
            finally:
                getattr(results, "close", lambda: None)()
            state = "interrupted" if left else "finished"
        finally:
            meter.close(state)
    return open_store(store)


def open_store(store: str | Path) -> "xarray.Dataset":
    """The data set of a sweep, opened lazily; what is not done has the status -1.

    Args:
        store: The folder of a sweep that may still be running.

    Returns:
        As `sweep`.

    Raises:
        FileNotFoundError: If it is none.

    ```python
    >>> import tempfile
    >>> import hamtheory as ht
    >>> spec = {
    ...     "problems": {"kind": "sparse", "n": 4, "d": 8, "k": 1, "seeds": [0, 1]},
    ...     "geometries": {"family": "ham", "alpha": [1.0, 1e4]},
    ... }
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ht.sweep(spec, f"{folder}/store", progress=False).close()
    ...     with ht.sweeps.open_store(f"{folder}/store") as dataset:
    ...         dataset.parameter.to_numpy().tolist()
    [1.0, 10000.0, 1.0, 10000.0]

    ```
    """
    import xarray as xr

    here = Store(store)
    names = here.spec().layout()
    dataset = xr.open_zarr(here.data, consolidated=False, chunks=None)
    return dataset[[name for name in names if name in dataset.data_vars]]
