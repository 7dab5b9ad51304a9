"""What follows from an inverse metric alone, for arrays of NumPy and of JAX."""

import math
from typing import Any

import numpy as np

from .._array import Array, is_jax, leaves, mapped, namespace, quiet
from ._table import MOST_LANES, Table


def integral(geo: Any, kind: str, theta: Array) -> Array:
    """R′, R or `∫₀^|θ| s / g⁻¹` as `kind` is "mirror", "potential" or "moment"."""
    if namespace(theta) is not np:
        from . import _march

        return _march.integral(geo, kind, theta)
    value = _on_host(geo, lambda table, x: table.integral(kind, np.abs(x)), theta)
    return np.copysign(value, theta) if kind == "mirror" else value


def inverse_mirror_map(geo: Any, mu: Array) -> Array:
    """The θ with `R′(θ) = μ`; NaN where there is none."""
    if namespace(mu) is not np:
        from . import _march

        return _march.inverse_mirror_map(geo, mu)
    return np.copysign(_on_host(geo, lambda table, y: table.inverse(np.abs(y)), mu), mu)


def conjugate(geo: Any, mu: Array) -> Array:
    """`R*(μ) = ∫₀^θ s / g⁻¹` at the θ with `R′(θ) = μ`; NaN where there is none."""
    if namespace(mu) is not np:
        from . import _march

        return _march.conjugate(geo, mu)
    return _on_host(geo, lambda table, y: table.integral("moment", table.inverse(np.abs(y))), mu)


def mirror_bound(geo: Any) -> Array:
    """The supremum of R′, from R′ at a large θ and the power law of g⁻¹ there.

    A metric that grows within 2 per cent of linearly (`θ log θ`, say; in float32, 4) counts as unbounded.
    """
    if is_jax(geo):
        from . import _march

        return _march.mirror_bound(geo)
    return _on_host(geo, lambda table, _: table.bound(), np.float64(0))


def passage_time(geo: Any, a: Array, y: Array) -> Array:
    """`∫₀^a ds / (g⁻¹(s) (y + s))` for positive a and y."""
    if is_jax(geo, a, y):
        from . import _march

        return _march.passage_time(geo, *map(namespace(a, y, *leaves(geo)).asarray, (a, y)))
    return _on_host(geo, lambda table, a, y: table.passage(a, y), a, y)


def _on_host(geo, ask, *arguments):
    """What the geometry's table answers, which computes in float64 whatever the dtype."""
    dtype = arguments[0].dtype
    if dtype != np.float64:
        arguments = [argument.astype(np.float64) for argument in arguments]
    kept = vars(geo).get("_table")
    with quiet():
        if kept is None:
            many = math.prod(np.broadcast_shapes(*(np.shape(leaf) for leaf in leaves(geo)))) > MOST_LANES
            kept = vars(geo)["_table"] = () if many else Table(geo)
        result = ask(kept, *arguments) if kept else _in_parts(geo, ask, arguments)
    return result[()] if dtype == np.float64 else result.astype(dtype)[()]


def _in_parts(geo, ask, arguments):
    """The same for so many parameters that no table of each can be kept."""
    shape = np.broadcast_shapes(*(array.shape for array in arguments), *(np.shape(leaf) for leaf in leaves(geo)))
    flat = [np.broadcast_to(array, shape).ravel() for array in arguments]
    spread = mapped(lambda leaf: np.broadcast_to(leaf, shape).ravel(), geo)
    result = np.empty(math.prod(shape))
    for start in range(0, result.size, MOST_LANES):
        some = slice(start, start + MOST_LANES)
        part = mapped(lambda leaf: leaf[some], spread)  # noqa: B023
        result[some] = ask(Table(part), *(array[some] for array in flat))
    return result.reshape(shape)
