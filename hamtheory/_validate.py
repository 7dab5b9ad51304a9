"""Checks of arguments: before any work, naming the argument, what it got and what it needs."""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from ._array import Array, is_jax, leaves, namespace

_HALF = ("float16", "bfloat16", "float8")


def is_traced(*values: Any) -> bool:
    """Whether any array in any of the values is being traced by JAX, so that its value cannot be looked at."""
    if "jax" not in sys.modules:
        return False
    import jax
    from jax.core import Tracer

    found = (leaf for value in values for leaf in leaves(value))
    return any(isinstance(leaf, Tracer) for leaf in (*found, *jax.tree.leaves(values)))


def default_float(xp: Any) -> np.dtype:
    """The dtype of what is not floating: JAX's default, or float64."""
    return np.dtype(np.float64) if xp is np else np.dtype(xp.asarray(0.0).dtype)


def real_array(value: Any, name: str, ndim: int | None = None) -> Array:
    """`value` as a floating array with `ndim` axes, or an error that names the argument.

    Of JAX if it is one already, else of NumPy: in the machine's byte order, and float64 unless it is float32. A masked
    or missing value is NaN.
    """
    value = value if is_jax(value) and hasattr(value, "dtype") else _numpy_array(value, name)
    if value.dtype.itemsize <= 2 and str(value.dtype).startswith(_HALF):
        kind = str(value.dtype)
        raise ValueError(f"{name} must be in float32 or float64; got {kind}, whose rounding leaves no certificate")
    if not isinstance(value, np.ndarray):
        xp = namespace(value)
        if xp.issubdtype(value.dtype, xp.complexfloating):
            raise ValueError(f"{name} must hold real numbers; got dtype {value.dtype}")
        if not xp.issubdtype(value.dtype, xp.floating):
            value = value.astype(default_float(xp))
    if ndim is not None and value.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} ax{'i' if ndim == 1 else 'e'}s; got shape {tuple(value.shape)}")
    return value


def _numpy_array(value: Any, name: str) -> np.ndarray:
    """`value` as an array of NumPy's, float32 or float64."""
    if isinstance(value, str):
        raise ValueError(f"{name} must hold real numbers; got the text {value!r}")
    if isinstance(value, np.ma.MaskedArray):
        value = np.ma.filled(value.astype(np.float64), np.nan) if np.any(value.mask) else value.data
    if hasattr(value, "to_numpy"):  # a table, whose nullable columns are objects to NumPy
        value = _of_pandas(value, name)
    if isinstance(value, (list, tuple)) and is_jax(value):
        value = [np.asarray(entry) if is_jax(entry) else entry for entry in value]
    try:
        value = np.asarray(value)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{name} must be a rectangular array of real numbers: {error}") from None
    if value.dtype.kind == "f":
        if value.dtype.itemsize == 2:
            return value
        with np.errstate(over="ignore"):
            return value.astype(np.float32 if value.dtype.itemsize == 4 else np.float64, copy=False)
    if value.dtype.kind not in "iub":
        raise ValueError(f"{name} must hold real numbers; got dtype {value.dtype}")
    return value.astype(np.float64)


def _of_pandas(table: Any, name: str) -> np.ndarray:
    array = table.to_numpy()
    if array.dtype.kind in "fiub":
        return array
    try:
        return table.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError):
        pass
    columns = _columns(table)
    numbers = []
    for column, values in columns.items():
        if values is None:
            raise ValueError(f"{name} must hold real numbers; got a table whose column {column!r} holds others")
        numbers.append(values)
    if not numbers:
        raise ValueError(f"{name} must hold real numbers; got a table of dtype {array.dtype}")
    return np.stack(numbers, axis=-1)


def _columns(table: Any) -> dict[Any, np.ndarray | None]:
    """The columns of a table as numbers, NaN where one is missing; None for one of other things."""
    names = getattr(table, "columns", None)
    if names is None or len(set(names)) < len(names):
        return {}
    found: dict[Any, np.ndarray | None] = {}
    for name in names:
        values = table[name].to_numpy()
        entries = [np.nan if value is None else value for value in values.tolist()]
        is_number = values.dtype.kind in "fiub" or all(isinstance(entry, (bool, int, float)) for entry in entries)
        found[name] = np.array(entries, np.float64) if is_number else None
    return found


def finite(value: Array, name: str, columns: Sequence[str] | None = None) -> Array:
    """`value`, or an error with the index of its first NaN or infinity, and the name of its column if it has one."""
    if is_traced(value):
        import equinox as eqx

        xp = namespace(value)
        return eqx.error_if(value, ~xp.isfinite(value), f"{name} must be finite; it holds NaN or an infinity")
    array = np.asarray(value)
    if not np.isfinite(array).all():
        bad = np.argwhere(~np.isfinite(array))
        index = tuple(int(i) for i in bad[0])
        where = f" at index {', '.join(map(str, index))}" if index else ""
        where += "" if columns is None else f", in the column {columns[index[-1]]!r}"
        raise ValueError(f"{name} must be finite; got {array[index]}{where}")
    return value


def positive(value: Any, name: str, hint: str = "") -> Array:
    """`value` as a finite, positive floating array."""
    value = finite(real_array(value, name), name)
    if is_traced(value):
        import equinox as eqx

        return eqx.error_if(value, value <= 0, f"{name} must be positive{hint}")
    if np.any(np.asarray(value) <= 0):
        raise ValueError(f"{name} must be positive; got {np.asarray(value).min()}{hint}")
    return value


def start(theta0: Any, d: int, dtype: Any, name: str = "theta0", xp: Any = None) -> Array:
    """The starting point: zeros for `None`, else a finite array of shape (d,). `xp`: the module, unless it is JAX's."""
    if theta0 is None:
        return (np if xp is None else xp).zeros(d, dtype)
    theta0 = real_array(theta0, name, ndim=1)
    if theta0.shape != (d,):
        raise ValueError(f"{name} must have shape ({d},), one entry a column of X; got shape {tuple(theta0.shape)}")
    theta0 = theta0 if xp is None else xp.asarray(theta0)
    with np.errstate(over="ignore"):
        return finite(theta0.astype(dtype), name)


def nonnegative(value: Any, name: str) -> Array:
    """`value` as a finite floating array that is at least 0."""
    value = finite(real_array(value, name), name)
    if is_traced(value):
        import equinox as eqx

        return eqx.error_if(value, value < 0, f"{name} must not be negative")
    if np.any(np.asarray(value) < 0):
        raise ValueError(f"{name} must not be negative; got {np.asarray(value).min()}")
    return value


def nonnegative_number(value: Any, name: str) -> Array:
    """`value` as a finite number that is at least 0 (a traced scalar passes with a run-time check)."""
    return nonnegative(real_array(value, name, ndim=0), name)


def per_coordinate(d: int, **values: Any) -> None:
    """An error unless each of the arrays is a scalar or has one entry a column of X; `None` passes."""
    for name, value in values.items():
        if value is not None and value.shape not in ((), (d,)):
            raise ValueError(
                f"{name} must be a scalar or have shape ({d},), one entry a column of X; got shape {value.shape}. "
                "For many runs at once, use jax.vmap"
            )


def fits(geo: Any, d: int) -> None:
    """An error unless each parameter of a geometry is a scalar or has one entry a column of X."""
    for name, value in geo.arguments().items():
        if np.ndim(value) and np.shape(value) not in ((1,), (d,)):
            raise ValueError(
                f"{name} must be a scalar or have shape ({d},), one entry a column of X; got shape {np.shape(value)}"
            )


def count(value: Any, name: str, least: int = 1) -> int:
    """`value` as a Python integer that is at least `least`."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} must be an integer; got {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}; got {value}")
    return int(value)


def tolerance(value: Any, name: str, dtype: Any, reach: float) -> float:
    """`value` as a positive number that `dtype` can deliver: at least `reach` units of rounding."""
    try:
        value = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number; got {value!r}") from None
    if not 0 < value < np.inf:
        raise ValueError(f"{name} must be positive and finite; got {value}")
    limits = np.finfo(np.dtype(dtype))
    floor = reach * float(limits.eps)
    if value < floor:
        advice = (
            "use float64 data; those of JAX are float32 unless jax.config.update('jax_enable_x64', True) comes first"
            if limits.bits < 64
            else "float64 is the widest dtype there is"
        )
        raise ValueError(f"{name}={value:g} is below what {limits.dtype.name} can reach ({floor:.1e}); {advice}")
    return value


def times(ts: Any, dtype: Any) -> Array:
    """Increasing times that are at least 0, at least one, (times,)."""
    ts = finite(real_array(ts, "ts", ndim=1), "ts").astype(dtype)
    if ts.size == 0:
        raise ValueError("ts must hold at least one time; got none")
    if not is_traced(ts):
        values = np.asarray(ts, float)  # of JAX's, ts[0] would be traced inside `jit`
        if values[0] < 0 or np.any(np.diff(values) <= 0):
            raise ValueError(f"ts must be increasing times that are at least 0; got {np.asarray(ts)}")
    return ts


def strength(value: Any, name: str, dtype: Any) -> tuple[Array, bool]:
    """`value` as a finite scalar array that is at least 0, and whether it can be positive: not if it is a concrete 0.

    Looked at before it becomes an array, since under `jit` every new array is traced.
    """
    if type(value) is float and value == 0:  # the usual case
        return np.zeros((), dtype), False
    try:
        possible = is_traced(value) or float(value) != 0
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number; got {value!r}") from None
    return nonnegative_number(value, name).astype(dtype), possible
