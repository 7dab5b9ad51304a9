"""The way into the device engine, and out of it again.

What JAX computes of a problem in NumPy's arrays is computed in the precision of the problem, which is switched on for
that call alone, and comes back in NumPy's arrays.
"""

import contextlib
import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from . import _validate
from ._arguments import check_arguments
from ._array import Struct, is_jax
from ._products import refuse_products
from ._result import Result
from ._validate import is_traced
from .geometry import believe, refuse_dead_zone

_STARTS = ("theta0", "theta0s", "m0", "w0")
_Function = TypeVar("_Function", bound=Callable)


def device_engine(function: _Function) -> _Function:
    """A function of a problem, or of several, and more, by JAX: its problems and geometries become JAX's.

    The result is of NumPy unless a problem or a start was of JAX, or JAX is tracing.
    """

    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*args, **options):
        given = signature.bind(*args, **options).arguments
        check_arguments(given)
        for value in given.values():
            believe(value)
            refuse_dead_zone(value, function.__name__)
            refuse_products(value, f"{function.__name__} on JAX")
        problem = next(iter(given.values()))
        problems = [problem] if isinstance(problem, Struct) else problem
        starts = [start for name, start in given.items() if name in _STARTS and _is_array(start)]
        if is_jax(list(problems), starts) or is_traced(args, options):
            return function(*_moved(args), **_moved(options))
        dtype = getattr(problems[0], "dtype", np.dtype(np.float64)) if len(problems) else np.dtype(np.float64)
        with jax.enable_x64(True) if dtype == np.float64 else contextlib.nullcontext():
            return to_numpy(function(*_moved(args), **_moved(options)))

    return call  # type: ignore[return-value]


def to_numpy(result: Any) -> Any:
    """A result with NumPy's arrays in place of JAX's, but for random keys."""

    def moved(leaf):
        if not isinstance(leaf, jax.Array) or jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return leaf
        return np.asarray(leaf)

    if is_traced(result):  # by numbers that a function closes over, such as a schedule's
        return result
    result = jax.tree.map(moved, result)
    if np.ndim(code := getattr(result, "result", np.zeros(1))) == 0:
        result = eqx.tree_at(lambda r: r.result, result, Result(int(code)))
    return result


def _is_array(value: Any) -> bool:
    return isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jnp.floating)


def _moved(values: Any) -> Any:
    """Problems and geometries with JAX's arrays, and NumPy's real arrays as JAX's; all else as it is."""
    if isinstance(values, (Struct, eqx.Module)):
        return jax.tree.map(_as_jax, values)
    if isinstance(values, np.ndarray):
        return _as_jax(values) if values.dtype in (np.float32, np.float64) else values
    if isinstance(values, dict):
        return {name: _moved(value) for name, value in values.items()}
    if isinstance(values, (list, tuple)) and any(isinstance(entry, (Struct, np.ndarray)) for entry in values):
        return type(values)(_moved(entry) for entry in values)
    return values


def _as_jax(leaf: Any) -> Any:
    return jnp.asarray(leaf) if isinstance(leaf, (np.ndarray, np.generic, float)) else leaf


def _checked_by(check: Callable) -> Callable[..., jax.Array]:
    """A check of an argument that returns an array of JAX's."""
    return lambda *args, **options: jnp.asarray(check(*args, **options))


real_array = _checked_by(_validate.real_array)
finite = _checked_by(_validate.finite)
positive = _checked_by(_validate.positive)
nonnegative = _checked_by(_validate.nonnegative)
nonnegative_number = _checked_by(_validate.nonnegative_number)
start = _checked_by(_validate.start)
times = _checked_by(_validate.times)


def strength(value: Any, name: str, dtype: Any) -> tuple[jax.Array, bool]:
    """As that of `_validate`."""
    array, possible = _validate.strength(value, name, dtype)
    return jnp.asarray(array), possible
