"""A positive parameter given as itself or by its logarithm."""

import jax
import jax.numpy as jnp
import numpy as np

from .._types import Parameter
from .._validate import finite, is_traced, positive, real_array


def positive_or_log(
    value: Parameter | None, log: Parameter | None, name: str, hint: str = ""
) -> tuple[jax.Array, bool]:
    """The one that was given, checked, and whether it is the logarithm."""
    if (value is None) == (log is None):
        raise ValueError(f"give exactly one of {name} and log_{name}; got {name}={value}, log_{name}={log}")
    if log is None:
        return positive(value, name, hint), False
    log = finite(real_array(log, f"log_{name}"), f"log_{name}")
    if not is_traced(log):
        largest = -float(np.log(jnp.finfo(log.dtype).tiny))
        if np.any(np.abs(np.asarray(log)) > largest):
            raise ValueError(
                f"log_{name} must be within ±{largest:.4g}, where {name} itself is a {log.dtype.name} number; "
                f"got {np.asarray(log).flat[np.argmax(np.abs(np.asarray(log)))]:g}"
            )
    return log, True
