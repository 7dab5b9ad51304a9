"""Curves of limits by JAX, each from its neighbour."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._device import device_engine, finite, positive, real_array, start
from .._result import Result, throw_unless
from .._validate import count, is_traced, tolerance
from ..metrics import relative_residual
from ._device import differentiable, feasible, regularised_limit
from ._implicit import attached
from ._path import effective, follow, retarget, start_of_path
from ._penalty import known_penalty
from ._regularized import Interior, bounded, cold, regularised, warm
from ._result import LimitPath, RegularizationPath
from ._solve import ROUNDING_REACH

_PATIENCE = 150  # factorisations from one point to the next, before it is sought from the beginning


@device_engine
def limit_path(problem, family, grid, theta0, *, tol, max_steps, throw) -> LimitPath:
    """As the public one, which has its text."""
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
    given = problem, grid, theta0
    problem, grid, theta0 = jax.lax.stop_gradient(given)
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
    by_log = lambda log, point: attached(given[0], family.at_log(log), given[2], point.theta, point.coordinates)  # noqa: E731
    thetas, coordinates = jax.vmap(by_log)(given[1], points)
    return LimitPath(
        log_parameters=given[1],
        thetas=thetas,
        duals=jax.vmap(problem.row_space.dual)(coordinates),
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


@device_engine
def regularization_path(problem, geo, weight_decays, *, tol, max_steps, throw) -> RegularizationPath:
    """As the public one, which has its text."""
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
    given = problem, geo, grid
    problem, geo, grid = jax.lax.stop_gradient(given)
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
    by_decay = lambda decay, limit: differentiable(  # noqa: E731
        (given[0], known_penalty(given[1], decay, problem.dtype)), limit
    )
    limits = jax.vmap(by_decay)(given[2], limits)
    return RegularizationPath(
        weight_decays=given[2],
        thetas=limits.theta,
        duals=limits.dual,
        residual=relative_residual(problem, limits.theta),
        stationarity=limits.stats["stationarity"],
        duality_gap=limits.duality_gap,
        relative_gap=limits.stats["relative_gap"],
        result=limits.result,
        steps=limits.stats["steps"],
    )
