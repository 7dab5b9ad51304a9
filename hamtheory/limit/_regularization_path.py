"""The limits under weight decay for many strengths, each from its neighbour."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Real

from .._array import Array, ArrayLike
from .._device import device_engine, positive, real_array
from .._result import Result, throw_unless
from .._validate import count, is_traced, tolerance
from ..geometry import AbstractGeometry
from ..metrics import relative_residual
from ..problem import LinearRegression
from ._device import regularised_limit
from ._penalty import known_penalty
from ._regularized import Interior, bounded, cold, regularised, warm
from ._solve import ROUNDING_REACH


class RegularizationPath(eqx.Module):
    """The limits of a geometry's flow for a grid of weight decays; see `regularization_path`.

    `weight_decays`: the grid, (points,). `thetas`: (points, d). `duals`: ν = (y − Xθ)/n, (points, n). `residual`,
    `stationarity`, `duality_gap`, `relative_gap`, `result`, `steps`: one a point, as in a `LimitResult`.
    Source: own.
    """

    weight_decays: Float[Array, " points"]
    thetas: Float[Array, "points d"]
    duals: Float[Array, "points n"]
    residual: Float[Array, " points"]
    stationarity: Float[Array, " points"]
    duality_gap: Float[Array, " points"]
    relative_gap: Float[Array, " points"]
    result: Any
    steps: Array


@device_engine
def regularization_path(
    problem: LinearRegression,
    geo: AbstractGeometry,
    weight_decays: Real[ArrayLike, " points"] | list[float],
    *,
    tol: float = 1e-10,
    max_steps: int = 2000,
    throw: bool = True,
) -> RegularizationPath:
    """`argmin f + P_β` of `solve_limit(..., weight_decay=β)` over a grid of β, with warm starts.

    For `Hypentropy` it is the lasso's regularisation path (penalty 2β‖θ‖₁), for `Euclidean` that of ridge regression,
    for `HAM(alpha)` one between them.

    Arguments: `problem`; `geo`, one of the three; `weight_decays`, positive, (points,), in any order (they are visited
      from the largest down); `tol`, `max_steps` (a point) and `throw` as in `solve_limit`.
    Returns: a `RegularizationPath` in the order of the grid. Can be compiled, and vmapped over problems and geometries.
    Errors: as `solve_limit`.
    Source: own; the penalties, [ziyin2023spred] (m⊙w).

    ```python
    >>> import jax
    >>> jax.config.update("jax_enable_x64", True)
    >>> import hamtheory as ht
    >>> problem = ht.LinearRegression([[1.0, 2.0]], [2.0])
    >>> ht.regularization_path(problem, ht.Hypentropy(1.0), [0.5, 2.0]).thetas.round(6).tolist()
    [[0.0, 0.75], [0.0, 0.0]]

    ```
    """
    grid = positive(real_array(weight_decays, "weight_decays", ndim=1), "weight_decays").astype(problem.dtype)
    if grid.size == 0:
        raise ValueError("weight_decays must hold at least one strength; got none")
    known_penalty(geo, grid[0], problem.dtype)
    within = jnp.asarray(tolerance(tol, "tol", problem.dtype, ROUNDING_REACH), problem.dtype)
    path = _regularization_path(problem, geo, grid, within, jnp.asarray(count(max_steps, "max_steps")))
    if not throw:
        return path
    if is_traced(path):
        return throw_unless(path.result, (Result.converged,), path, "regularization_path")
    failed = np.flatnonzero(np.asarray(path.result))
    if failed.size:
        first = int(failed[0])
        detail = f"{failed.size} of {grid.size} points failed; the first at weight_decay={float(grid[first]):g}"
        one = jax.tree.map(lambda leaf: leaf[first], path.result)
        throw_unless(one, (Result.converged,), path, "regularization_path", detail)
    return path


@eqx.filter_jit
def _regularization_path(problem, geo, grid, tol, max_steps) -> RegularizationPath:
    order = jnp.argsort(-grid)

    def visit(previous: Interior, weight_decay):
        penalty = bounded(known_penalty(geo, weight_decay, problem.dtype), problem)
        point = regularised(problem, geo, penalty, weight_decay, warm(problem, previous), tol, max_steps)
        # A start near a solution can be near the boundary elsewhere: then the way from the centre is the safer one.
        again = jnp.where(point.done, jnp.zeros_like(max_steps), max_steps)
        fallback = regularised(problem, geo, penalty, weight_decay, cold(problem), tol, again)
        point = jax.tree.map(lambda a, b: jnp.where(point.done, a, b), point, fallback)
        return point, regularised_limit(problem, geo, penalty, weight_decay, point)

    _, limits = jax.lax.scan(visit, cold(problem), grid[order])
    limits = jax.tree.map(lambda x: x[jnp.argsort(order)], limits)
    return RegularizationPath(
        weight_decays=grid,
        thetas=limits.theta,
        duals=limits.dual,
        residual=relative_residual(problem, limits.theta),
        stationarity=limits.stats["stationarity"],
        duality_gap=limits.duality_gap,
        relative_gap=limits.stats["relative_gap"],
        result=limits.result,
        steps=limits.stats["steps"],
    )
