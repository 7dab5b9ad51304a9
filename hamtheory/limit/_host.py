"""Limits by NumPy and LAPACK, of one problem at a time."""

from typing import Any

import numpy as np

from .._array import in_dtype
from .._result import Result, throw_unless
from .._units import Units, in_units, scaled
from .._validate import count, start, strength, tolerance
from ..geometry import AbstractGeometry
from ..metrics import relative_residual
from ..problem import LinearRegression
from ..problem._regression import without_truth
from ._host_newton import HostLimit, newton
from ._host_path import follow
from ._result import LimitResult
from ._solve import ROUNDING_REACH


def solve_limit(problem, geo, theta0, *, weight_decay, tol, max_steps, throw) -> LimitResult:
    """As the public one, which has its text."""
    problem, geo = without_truth(problem), in_dtype(geo, problem.dtype)
    theta0 = start(theta0, problem.d, problem.dtype)
    tol = tolerance(tol, "tol", problem.dtype, ROUNDING_REACH)
    budget = count(max_steps, "max_steps")
    beta, decays = strength(weight_decay, "weight_decay", problem.dtype)
    units, inner, inner_geo, inner_start = in_units(problem, geo, theta0)
    if decays:
        from ._host_interior import solve_regularised

        limit = solve_regularised(inner, inner_geo, float(beta) / units.time, tol, budget)
    else:
        limit = limit_from(inner, inner_geo, inner_start, tol, budget)
    result = limit_result(problem, units, limit)
    if throw:
        detail = f"relative residual {float(result.residual):.2e}, distance of y {float(problem.distance):.2e}"
        throw_unless(result.result, (Result.converged,), None, "solve_limit", detail)
    return result


def limit_from(
    problem: LinearRegression, geo: AbstractGeometry, theta0: np.ndarray, tol: float, max_steps: int
) -> HostLimit:
    """The limit without weight decay, of checked arguments."""
    is_path = geo.log_sparsity is not None and np.ndim(geo.log_sparsity) == 0
    return (follow if is_path else newton)(problem, geo, theta0, tol, max_steps)


def limit_result(problem: LinearRegression, units: Units, limit: Any) -> LimitResult:
    """A limit found in some units, in those of the problem."""
    theta = scaled(limit.theta, units.theta).astype(problem.dtype)
    certificate = limit.certificate
    return LimitResult(
        theta=theta,
        dual=scaled(dual_of(problem, limit.coordinates), units.theta / units.metric),
        residual=relative_residual(problem, theta),
        duality_gap=scaled(certificate.duality_gap, units.value),
        result=outcome(problem, limit.ended),
        stats={
            "steps": limit.steps,
            "evaluations": limit.evaluations,
            "relative_gap": certificate.relative_gap,
            "rank": problem.rank,
            "distance": problem.distance,
        },
    )


def dual_of(problem: LinearRegression, coordinates: np.ndarray) -> np.ndarray:
    """The ν, (n,), of the coordinates λ of the directions that carry the rank."""
    space = problem.row_space
    missing = space.target.size - coordinates.size
    return space.dual(np.pad(coordinates, (0, missing))).astype(problem.dtype)


def outcome(problem: LinearRegression, ended: str) -> Result:
    """How it ended; what converged although no interpolator exists has its own name."""
    result = Result[ended]
    return Result.infeasible if result == Result.converged and not problem.is_consistent else result
