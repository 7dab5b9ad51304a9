"""Checks of arguments: before any work, naming the argument, what it got and what it needs."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer


def is_traced(*values) -> bool:
    """Whether any array of any of the pytrees is being traced by JAX, so that its value cannot be looked at."""
    return any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(values))


def real_array(value, name: str, ndim: int | None = None) -> jax.Array:
    """`value` as a floating JAX array with `ndim` axes, or an error that names the argument."""
    if isinstance(value, (bool, int, float)):
        value = jnp.asarray(float(value))  # weakly typed, as a Python number is
    if not isinstance(value, jax.Array):
        try:
            value = np.asarray(value)
        except ValueError as error:
            raise ValueError(f"{name} must be a rectangular array of real numbers: {error}") from None
        if value.dtype.kind not in "fiub":
            raise ValueError(f"{name} must hold real numbers; got dtype {value.dtype}")
    if jnp.issubdtype(value.dtype, jnp.complexfloating):
        raise ValueError(f"{name} must hold real numbers; got dtype {value.dtype}")
    if not jnp.issubdtype(value.dtype, jnp.floating):
        value = value.astype(float)
    if ndim is not None and value.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} ax{'i' if ndim == 1 else 'e'}s; got shape {tuple(value.shape)}")
    return jnp.asarray(value)


def finite(value: jax.Array, name: str) -> jax.Array:
    """`value`, or an error with the index of its first NaN or infinity."""
    if is_traced(value):
        return eqx.error_if(value, ~jnp.isfinite(value), f"{name} must be finite; it holds NaN or an infinity")
    bad = np.argwhere(~np.isfinite(np.asarray(value)))
    if len(bad):
        index = tuple(int(i) for i in bad[0])
        where = f" at index {', '.join(map(str, index))}" if index else ""
        raise ValueError(f"{name} must be finite; got {np.asarray(value)[index]}{where}")
    return value


def positive(value, name: str, hint: str = "") -> jax.Array:
    """`value` as a finite, positive floating array."""
    value = finite(real_array(value, name), name)
    if is_traced(value):
        return eqx.error_if(value, value <= 0, f"{name} must be positive{hint}")
    if np.any(np.asarray(value) <= 0):
        raise ValueError(f"{name} must be positive; got {np.asarray(value).min()}{hint}")
    return value


def start(theta0, d: int, dtype, name: str = "theta0") -> jax.Array:
    """The starting point: zeros for `None`, else a finite array of shape (d,)."""
    if theta0 is None:
        return jnp.zeros(d, dtype)
    theta0 = real_array(theta0, name, ndim=1)
    if theta0.shape != (d,):
        raise ValueError(f"{name} must have shape ({d},), one entry a column of X; got shape {tuple(theta0.shape)}")
    return finite(theta0.astype(dtype), name)


def nonnegative(value, name: str) -> jax.Array:
    """`value` as a finite floating array that is at least 0."""
    value = finite(real_array(value, name), name)
    if is_traced(value):
        return eqx.error_if(value, value < 0, f"{name} must not be negative")
    if np.any(np.asarray(value) < 0):
        raise ValueError(f"{name} must not be negative; got {np.asarray(value).min()}")
    return value


def nonnegative_number(value, name: str) -> jax.Array:
    """`value` as a finite number that is at least 0 (a traced scalar passes with a run-time check)."""
    return nonnegative(real_array(value, name, ndim=0), name)


def per_coordinate(d: int, **values) -> None:
    """An error unless each of the arrays is a scalar or has one entry a column of X; `None` passes."""
    for name, value in values.items():
        if value is not None and value.shape not in ((), (d,)):
            raise ValueError(
                f"{name} must be a scalar or have shape ({d},), one entry a column of X; got shape {value.shape}. "
                "For many runs at once, use jax.vmap"
            )


def count(value, name: str, least: int = 1) -> int:
    """`value` as a Python integer that is at least `least`."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} must be an integer; got {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}; got {value}")
    return int(value)


def tolerance(value, name: str, dtype, reach: float) -> float:
    """`value` as a positive number that `dtype` can deliver: at least `reach` units of rounding."""
    value = float(value)
    if not value > 0:
        raise ValueError(f"{name} must be positive; got {value}")
    floor = reach * float(jnp.finfo(dtype).eps)
    if value < floor:
        advice = (
            "use float64: jax.config.update('jax_enable_x64', True) before any array is made, and float64 data"
            if jnp.finfo(dtype).bits < 64
            else "float64 is the widest dtype there is"
        )
        raise ValueError(f"{name}={value:g} is below what {jnp.dtype(dtype).name} can reach ({floor:.1e}); {advice}")
    return value


def strength(value, name: str, dtype) -> tuple[jax.Array, bool]:
    """`value` as a finite scalar array that is at least 0, and whether it can be positive: not if it is a concrete 0.

    Looked at before it becomes an array, since under `jit` every new array is traced.
    """
    possible = is_traced(value) or float(value) != 0
    return nonnegative_number(value, name).astype(dtype), possible
