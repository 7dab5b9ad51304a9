"""A positive parameter given as itself or by its logarithm."""

import functools
import math
from typing import Any

import numpy as np

from .._array import Array, namespace, quiet, replaced
from .._types import Parameter
from .._validate import finite, is_traced, positive, real_array

_PLAIN = 1e-10  # from here to its inverse a parameter needs no clipping, in any dtype
LARGEST_LOG = 1e5  # the rounding of a logarithm is an error of this many units of rounding in what it is the log of


def positive_or_log(value: Parameter | None, log: Parameter | None, name: str, hint: str = "") -> tuple[Array, bool]:
    """The one that was given, checked, and whether it is the logarithm."""
    if (value is None) == (log is None):
        raise ValueError(f"give exactly one of {name} and log_{name}; got {name}={value}, log_{name}={log}")
    if log is None:
        if type(value) is float and 0 < value < math.inf:  # the usual case
            return np.float64(value), False
        return positive(value, name, hint)[()], False
    log = finite(real_array(log, f"log_{name}"), f"log_{name}")[()]
    if not is_traced(log) and np.any(np.abs(np.asarray(log)) > LARGEST_LOG):
        raise ValueError(
            f"log_{name} must be within ±{LARGEST_LOG:g}, beyond which its rounding alone spoils the result; "
            f"got {np.asarray(log).flat[np.argmax(np.abs(np.asarray(log)))]:g}. It is the natural logarithm of {name}"
        )
    return log, True


def with_log(geo: Any, log: Parameter) -> Any:
    """The member of a geometry's family whose parameter has this logarithm, unchecked.

    For use inside of compiled solvers: the checks of traced values keep XLA from storing what it compiled.
    """
    return replaced(geo, parameter=log, logarithmic=True)


def multiplied(geo: Any, by: float) -> Any:
    """The member of a geometry's family whose parameter is so many times this one: `by` is a power of two."""
    if geo.logarithmic:
        return with_log(geo, geo.parameter + np.log(by))
    with quiet():
        moved = geo.parameter * by
    limits = np.finfo(np.dtype(moved.dtype))
    if np.all((moved >= limits.tiny) & (moved <= limits.max)):
        return replaced(geo, parameter=moved)
    return with_log(geo, np.log(geo.parameter) + np.log(by))


@functools.cache
def largest_unscaled_log(dtype: Any) -> float:
    """Up to where a parameter is used as it is: beyond, geometries change the unit of time (their `log_rescaling`)."""
    return 0.4 * float(np.log(np.finfo(np.dtype(dtype)).max))


def split(geo: Any, dtype: Any) -> tuple[Array, Array, Array]:
    """The parameter clipped into the dtype's range, the logarithm of what is missing above, and its own logarithm."""
    parts = geo.__dict__.setdefault("_parts", {})  # on the host one solve asks a thousand times
    key = np.dtype(dtype)
    if key in parts:
        return parts[key]
    if type(geo.parameter) is key.type and not geo.logarithmic and _PLAIN <= geo.parameter <= 1 / _PLAIN:
        found = parts[key] = geo.parameter, key.type(0), key.type(math.log(geo.parameter))
        return found
    xp = namespace(geo.parameter)
    parameter, cap = geo.parameter.astype(dtype), largest_unscaled_log(dtype)
    with quiet():
        log = parameter if geo.logarithmic else xp.log(parameter)
        least = -2.3 * cap  # a normal number, and so are its products with numbers of moderate size
        clipped = xp.exp(xp.clip(log, least, cap))
        value = clipped if geo.logarithmic else xp.clip(parameter, *np.exp([least, cap]).astype(key))
        found = value, xp.maximum(log - cap, 0), log
    if xp is np:
        parts[key] = found
    return found
