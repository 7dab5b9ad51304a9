"""The whole curve of limits, from one end of a family to the other, in one call."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float, Real

from .._array import Array, ArrayLike
from .._device import device_engine, finite, real_array, start
from .._result import Result, throw_unless
from .._types import Vector
from .._validate import count, is_traced, tolerance
from ..geometry import AbstractExponentialGeometry
from ..metrics import relative_residual
from ..problem import LinearRegression
from ._device import feasible
from ._path import effective, follow, retarget, start_of_path
from ._solve import ROUNDING_REACH

_PATIENCE = 150  # factorisations from one point to the next, before it is sought from the beginning


class LimitPath(eqx.Module):
    """The limits of a family over a grid of its logarithmic parameter; see `limit_path`.

    `log_parameters`: the grid, (points,). `thetas`: (points, d). `duals`: (points, n). `residual`, `duality_gap`,
    `relative_gap`, `result` as in a `LimitResult`, one a point. `stats`: `steps` (factorisations, one a point), `rank`
    (of X), `distance` (of y from the range of X).
    Source: own.
    """

    log_parameters: Float[Array, " points"]
    thetas: Float[Array, "points d"]
    duals: Float[Array, "points n"]
    residual: Float[Array, " points"]
    duality_gap: Float[Array, " points"]
    relative_gap: Float[Array, " points"]
    result: Any
    stats: dict[str, Array]


@device_engine
def limit_path(
    problem: LinearRegression,
    family: type[AbstractExponentialGeometry],
    grid: Real[ArrayLike, " points"] | list[float],
    theta0: Vector | None = None,
    *,
    tol: float = 1e-10,
    max_steps: int = 2000,
    throw: bool = True,
) -> LimitPath:
    """The limits of `solve_limit` for every parameter of a grid, each followed from its neighbour.

    Arguments:
      `problem`: any regression. `family`: `ht.HAM` or `ht.Hypentropy`.
      `grid`: values of `ln α` (HAM) or `ln γ` (Hypentropy) within ±10⁵, (points,), in any order.
      `theta0`, `tol`, `throw`: as in `solve_limit`. `max_steps`: the budget of each point.
    Returns: a `LimitPath`, in the order of the grid. `result` is per point; with `throw`, all must have converged.
    Errors: as `solve_limit`; `TypeError` if `family` is no such class.

    Can be compiled, and vmapped over problems, starting points and grids.
    Source: own.

    ```python
    >>> import jax
    >>> jax.config.update("jax_enable_x64", True)
    >>> import hamtheory as ht
    >>> path = ht.limit_path(ht.LinearRegression([[1.0, 2.0]], [2.0]), ht.HAM, [-30.0, 5.0, 1e4])
    >>> path.thetas.round(3).tolist()
    [[0.4, 0.8], [0.074, 0.963], [0.0, 1.0]]

    ```
    """
    if not (isinstance(family, type) and issubclass(family, AbstractExponentialGeometry)):
        raise TypeError(f"family must be a class of geometries, ht.HAM or ht.Hypentropy; got {family!r}")
    grid = finite(real_array(grid, "grid", ndim=1), "grid").astype(problem.dtype)
    if grid.size == 0:
        raise ValueError("grid must hold at least one parameter; got none")
    family.at_log(grid)  # checks the range
    theta0 = start(theta0, problem.d, problem.dtype)
    tol = tolerance(tol, "tol", problem.dtype, ROUNDING_REACH)
    max_steps = count(max_steps, "max_steps")
    path = _limit_path(problem, family, grid, theta0, jnp.asarray(tol, problem.dtype), jnp.asarray(max_steps))
    if not throw:
        return path
    failed = path.result != Result.converged
    if is_traced(path):
        return throw_unless(path.result, (Result.converged,), path, "limit_path")
    if bool(jnp.any(failed)):
        first = int(jnp.argmax(failed))
        detail = (
            f"{int(jnp.sum(failed))} of {grid.size} points failed; the first at {float(grid[first]):g}, relative "
            f"residual {float(path.residual[first]):.2e}, distance of y {float(problem.distance):.2e}"
        )
        one = jax.tree.map(lambda leaf: leaf[first], path.result)
        throw_unless(one, (Result.converged,), path, "limit_path", detail)
    return path


@eqx.filter_jit
def _limit_path(problem, family, grid, theta0, tol, max_steps) -> LimitPath:
    order = jnp.argsort(jax.vmap(lambda log: family.at_log(log).log_sparsity)(grid))

    def visit(carry, log):
        previous, state = carry
        geo = family.at_log(log)
        here, _ = effective(problem, geo, theta0)
        state = retarget(state, here.log_sparsity - previous)
        near = follow(problem, geo, theta0, state, tol, jnp.minimum(max_steps, _PATIENCE), straight=False)
        # A tiny start bends this path sharply where α|θ₀| ~ 1. The straight one has no bend.
        spent = near[0].steps
        afresh = eqx.tree_at(lambda s: s.steps, start_of_path(problem, here, theta0), spent)
        budget = jnp.where(near[2] == Result.converged, 0, max_steps - (spent - state.steps))
        far = follow(problem, geo, theta0, afresh, tol, budget)
        better = (near[2] != Result.converged) & (far[2] == Result.converged)
        state, point, result = jax.tree.map(lambda new, old: jnp.where(better, new, old), far, near)
        return (here.log_sparsity, state), (point, feasible(problem, result), state.steps)

    first = family.at_log(grid[order[0]])
    here, _ = effective(problem, first, theta0)
    carry = (here.log_sparsity, start_of_path(problem, here, theta0))
    _, visited = jax.lax.scan(visit, carry, grid[order])
    points, results, steps = jax.tree.map(lambda x: x[jnp.argsort(order)], visited)
    totals = jnp.sort(steps)
    return LimitPath(
        log_parameters=grid,
        thetas=points.theta,
        duals=jax.vmap(problem.row_space.dual)(points.coordinates),
        residual=relative_residual(problem, points.theta),
        duality_gap=points.certificate.duality_gap,
        relative_gap=points.certificate.relative_gap,
        result=results,
        stats={
            "steps": jnp.diff(totals, prepend=0)[jnp.argsort(order)],
            "rank": problem.rank,
            "distance": problem.distance,
        },
    )
