"""A positive parameter given as itself or by its logarithm."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._types import Parameter
from .._validate import finite, is_traced, positive, real_array

LARGEST_LOG = 1e5  # the rounding of a logarithm is an error of this many units of rounding in what it is the log of


def positive_or_log(
    value: Parameter | None, log: Parameter | None, name: str, hint: str = ""
) -> tuple[jax.Array, bool]:
    """The one that was given, checked, and whether it is the logarithm."""
    if (value is None) == (log is None):
        raise ValueError(f"give exactly one of {name} and log_{name}; got {name}={value}, log_{name}={log}")
    if log is None:
        return positive(value, name, hint), False
    log = finite(real_array(log, f"log_{name}"), f"log_{name}")
    if not is_traced(log) and np.any(np.abs(np.asarray(log)) > LARGEST_LOG):
        raise ValueError(
            f"log_{name} must be within ±{LARGEST_LOG:g}, beyond which its rounding alone spoils the result; "
            f"got {np.asarray(log).flat[np.argmax(np.abs(np.asarray(log)))]:g}"
        )
    return log, True


def with_log(geo, log: Parameter):
    """The member of a geometry's family whose parameter has this logarithm, unchecked.

    For use inside of compiled solvers: the checks of traced values keep XLA from storing what it compiled.
    """
    if not geo.logarithmic:
        with jax.ensure_compile_time_eval():
            geo = type(geo).at_log(0.0)
    return eqx.tree_at(lambda geo: geo.parameter, geo, log)


def largest_unscaled_log(dtype) -> float:
    """Up to where a parameter is used as it is: beyond, geometries change the unit of time (their `log_rescaling`)."""
    return 0.4 * float(np.log(jnp.finfo(dtype).max))


def split(parameter: jax.Array, logarithmic: bool, dtype) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The parameter clipped into the dtype's range, the logarithm of what is missing above, and its own logarithm."""
    parameter, cap = parameter.astype(dtype), largest_unscaled_log(dtype)
    log = parameter if logarithmic else jnp.log(parameter)
    least = -2.3 * cap  # a normal number, and so are its products with numbers of moderate size
    clipped = jnp.exp(jnp.clip(log, least, cap))
    value = clipped if logarithmic else jnp.clip(parameter, *np.exp([least, cap]).astype(dtype))
    return value, jnp.maximum(log - cap, 0), log
