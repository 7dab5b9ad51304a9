"""Limits by JAX: of one problem, traced or not; `_batch.py` has those of many."""

import equinox as eqx
import jax
import jax.numpy as jnp

from .._device import device_engine, start, strength
from .._result import Result, select, throw_unless
from .._validate import count, is_traced, tolerance
from ..metrics import certify, relative_residual, relative_stationarity
from ..problem import LinearRegression
from ._implicit import attached, attached_under_decay
from ._newton import newton
from ._path import follow, start_of_path
from ._penalty import known_penalty
from ._regularized import bounded, cold, primal_minus_dual, regularised, reported
from ._result import LimitResult
from ._solve import ROUNDING_REACH


@device_engine
def solve_limit(problem, geo, theta0, *, weight_decay, tol, max_steps, throw) -> LimitResult:
    """As the public one, which has its text."""
    problem = problem.without_truth()
    theta0 = start(theta0, problem.d, problem.dtype)
    within = jnp.asarray(tolerance(tol, "tol", problem.dtype, ROUNDING_REACH), problem.dtype)
    budget = jnp.asarray(count(max_steps, "max_steps"))
    weight_decay, decays = strength(weight_decay, "weight_decay", problem.dtype)
    if decays:
        limit = _solve_regularised(problem, geo, weight_decay, within, budget)
    else:
        limit = solve_from(problem, geo, theta0, within, budget)
    if not throw:
        return limit
    detail = ""
    if not is_traced(limit):
        detail = f"relative residual {float(limit.residual):.2e}, distance of y {float(problem.distance):.2e}"
    return throw_unless(limit.result, (Result.converged,), limit, "solve_limit", detail)


@eqx.filter_jit
def _solve_regularised(problem, geo, weight_decay, tol, max_steps) -> LimitResult:
    given = problem, known_penalty(geo, weight_decay, problem.dtype)
    problem, geo, weight_decay = jax.lax.stop_gradient((problem, geo, weight_decay))
    penalty = bounded(jax.lax.stop_gradient(given[1]), problem)
    point = regularised(problem, geo, penalty, weight_decay, cold(problem), tol, max_steps)
    return differentiable(given, regularised_limit(problem, geo, penalty, weight_decay, point))


def differentiable(given, limit: LimitResult) -> LimitResult:
    """A limit under weight decay, with the derivatives of θ and of the dual by the problem and the penalty given."""
    problem, penalty = given
    theta = attached_under_decay(problem, penalty, limit.theta)
    moved = (problem.y - problem.X @ theta) / problem.n
    dual = jax.lax.stop_gradient(limit.dual) + moved - jax.lax.stop_gradient(moved)
    return eqx.tree_at(lambda r: (r.theta, r.dual), limit, (theta, dual))


def regularised_limit(problem, geo, penalty, weight_decay, point) -> LimitResult:
    """The result of the interior-point method, with its certificates."""
    theta = reported(problem, point, penalty.barrier)
    dual, gap, relative = primal_minus_dual(problem, penalty, theta, point)
    finite = jnp.all(jnp.isfinite(theta))
    return LimitResult(
        theta=theta,
        dual=dual,
        residual=relative_residual(problem, theta),
        duality_gap=gap,
        result=select(point.done, Result.converged, select(finite, Result.max_steps, Result.nonfinite)),
        stats={
            "steps": point.steps,
            "evaluations": point.steps,
            "relative_gap": relative,
            "stationarity": relative_stationarity(problem, geo, theta, weight_decay),
            "rank": problem.rank,
            "distance": problem.distance,
        },
    )


@eqx.filter_jit
def solve_from(problem, geo, theta0, tol, max_steps) -> LimitResult:
    """The limit without weight decay, of checked arguments."""
    given = problem, geo, theta0
    problem, own, theta0 = jax.lax.stop_gradient(given)
    geo, factor = own.proportional() or (own, 1.0)
    if geo.log_sparsity is not None and geo.log_sparsity.ndim == 0:
        start = start_of_path(problem, geo, theta0)
        state, point, result = follow(problem, geo, theta0, start, tol, max_steps)
        theta, coordinates, certificate = point.theta, point.coordinates, point.certificate
        evaluations = state.steps
    else:
        state, result = newton(problem, geo, theta0, tol, max_steps)
        theta, coordinates, evaluations = state.theta, state.coordinates, state.evaluations
        certificate = certify(problem, geo, theta, theta0, coordinates)
    theta, coordinates = attached(*given, theta, coordinates / factor)
    return LimitResult(
        theta=theta,
        dual=problem.row_space.dual(coordinates),
        residual=relative_residual(problem, jax.lax.stop_gradient(theta)),
        duality_gap=certificate.duality_gap / factor,
        result=feasible(problem, result),
        stats={
            "steps": state.steps,
            "evaluations": evaluations,
            "relative_gap": certificate.relative_gap,
            "rank": problem.rank,
            "distance": problem.distance,
        },
    )


def feasible(problem: LinearRegression, result):
    """The result, with what converged although no interpolator exists by its own name."""
    return select((result == Result.converged) & ~problem.is_consistent, Result.infeasible, result)
