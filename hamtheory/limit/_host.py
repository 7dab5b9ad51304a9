"""Limits by NumPy and LAPACK, of one problem at a time."""

from dataclasses import replace
from typing import Any

import numpy as np

from .._array import in_dtype, quiet, replaced
from .._result import Result, outcome, throw_unless
from .._threads import few_threads
from .._units import Units, in_units, of_geometry, scaled
from .._validate import count, finite, fits, positive, real_array, start, strength, tolerance
from ..geometry import AbstractGeometry
from ..metrics import relative_residual
from ..problem import LinearRegression
from ._host_interior import HostRegularised, regularised, regularised_path
from ._host_network import is_hidden, network
from ._host_newton import HostLimit, newton
from ._host_path import follow, follow_many
from ._host_sparse import sparse
from ._host_table import can_tabulate, tabulated
from ._penalty import known_penalty
from ._result import LimitPath, LimitResult, RegularizationPath
from ._solve import ROUNDING_REACH

_FIELDS = ("theta", "dual", "residual", "duality_gap")
_LONG = 200  # points, from which on a table pays: it takes as long as a hundred of them
_quietly = quiet()  # what leaves the range of numbers is reported by `result`


@few_threads()
@_quietly
def solve_limit(problem, geo, theta0, *, weight_decay, tol, max_steps, throw) -> LimitResult:
    """As the public one, which has its text."""
    problem, geo = problem.without_truth(), in_dtype(geo, problem.dtype)
    fits(geo, problem.d)
    theta0 = start(theta0, problem.d, problem.dtype)
    tol = tolerance(tol, "tol", problem.dtype, ROUNDING_REACH)
    budget = count(max_steps, "max_steps")
    beta, decays = strength(weight_decay, "weight_decay", problem.dtype)
    units, inner, inner_geo, inner_start = in_units(problem, geo, theta0)
    if decays:
        strength_in_units = float(beta) / units.decay
        penalty = known_penalty(inner_geo, strength_in_units, np.float64)
        limit = regularised(inner, inner_geo, penalty, strength_in_units, tol, budget)
        result = regularised_result(problem, units, limit)
    else:
        limit = limit_from(inner, inner_geo, inner_start, tol, budget)
        result = limit_result(problem, units, limit, tol)
    if throw and result.result != Result.converged:
        detail = f"relative residual {float(result.residual):.2e}, distance of y {float(problem.distance):.2e}"
        throw_unless(result.result, (), None, "solve_limit", detail)
    return result


@few_threads()
@_quietly
def limit_path(problem, family, grid, theta0, *, tol, max_steps, throw) -> LimitPath:
    """As the public one, which has its text."""
    problem = problem.without_truth()
    grid = finite(real_array(grid, "grid", ndim=1), "grid").astype(problem.dtype)
    if grid.size == 0:
        raise ValueError("grid must hold at least one parameter; got none")
    family.at_log(grid)  # checks the range
    theta0 = start(theta0, problem.d, problem.dtype)
    tol, budget = tolerance(tol, "tol", problem.dtype, ROUNDING_REACH), count(max_steps, "max_steps")
    fields, left = None, np.ones(grid.size, bool)
    if grid.size >= _LONG and not theta0.any() and can_tabulate(problem, geos := family.at_log(grid)):
        fields, found = tabulated(problem, geos, tol)
        left = ~found
    if fields is None or left.any():
        followed = _followed(problem, family, grid[left], theta0, tol, budget)
        fields = followed if fields is None else _filled(fields, left, followed)
    path = LimitPath(
        log_parameters=grid,
        thetas=fields["theta"],
        duals=fields["dual"],
        residual=fields["residual"],
        duality_gap=fields["duality_gap"],
        relative_gap=fields["relative_gap"],
        result=fields["result"],
        stats={"steps": fields["steps"], "rank": problem.rank, "distance": problem.distance},
    )
    failed = np.flatnonzero(path.result)
    if throw and failed.size:
        first = int(failed[0])
        detail = (
            f"{failed.size} of {grid.size} points failed; the first at {float(grid[first]):g}, relative residual "
            f"{float(path.residual[first]):.2e}, distance of y {float(problem.distance):.2e}"
        )
        throw_unless(path.result[first], (Result.converged,), None, "limit_path", detail)
    return path


def _followed(problem, family, grid, theta0, tol, budget) -> dict[str, np.ndarray]:
    """The limits of a grid, each from its neighbour."""
    units, inner, _, inner_start = in_units(problem, family.at_log(grid[0]), theta0)
    moved: list[Any] = [of_geometry(units.X, units.theta, family.at_log(log)) for log in grid]
    found = follow_many(inner, [geo for _, geo in moved], inner_start, tol, budget)
    limits = [limit_result(problem, own, limit, tol) for limit, (own, _) in zip(found, moved, strict=True)]
    fields = {name: np.stack([getattr(limit, name) for limit in limits]) for name in _FIELDS}
    fields |= {name: np.array([limit.stats[name] for limit in limits]) for name in ("steps", "relative_gap")}
    return fields | {"result": np.array([limit.result for limit in limits], np.int32)}


def _filled(fields: dict[str, np.ndarray], left: np.ndarray, others: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The fields, with those of others where something was left."""
    for name, values in others.items():
        fields[name][left] = values
    return fields


@few_threads()
@_quietly
def regularization_path(problem, geo, weight_decays, *, tol, max_steps, throw) -> RegularizationPath:
    """As the public one, which has its text."""
    problem, geo = problem.without_truth(), in_dtype(geo, problem.dtype)
    fits(geo, problem.d)
    grid = positive(real_array(weight_decays, "weight_decays", ndim=1), "weight_decays").astype(problem.dtype)
    if grid.size == 0:
        raise ValueError("weight_decays must hold at least one strength; got none")
    known_penalty(geo, grid[0], problem.dtype)
    tol, budget = tolerance(tol, "tol", problem.dtype, ROUNDING_REACH), count(max_steps, "max_steps")
    units, inner, inner_geo, _ = in_units(problem, geo, np.zeros(problem.d, problem.dtype))
    order = np.argsort(-grid, kind="stable")
    penalty = lambda beta: known_penalty(inner_geo, beta, np.float64)  # noqa: E731
    found = regularised_path(inner, inner_geo, penalty, grid[order].astype(float) / units.decay, tol, budget)
    results = [regularised_result(problem, units, limit) for limit in found]
    limits = [results[place] for place in np.argsort(order)]
    stats = lambda name: np.array([limit.stats[name] for limit in limits])  # noqa: E731
    path = RegularizationPath(
        weight_decays=grid,
        thetas=np.stack([limit.theta for limit in limits]),
        duals=np.stack([limit.dual for limit in limits]),
        residual=np.array([limit.residual for limit in limits]),
        stationarity=stats("stationarity"),
        duality_gap=np.array([limit.duality_gap for limit in limits]),
        relative_gap=stats("relative_gap"),
        result=np.array([limit.result for limit in limits], np.int32),
        steps=stats("steps"),
    )
    failed = np.flatnonzero(path.result)
    if throw and failed.size:
        first = int(failed[0])
        detail = f"{failed.size} of {grid.size} points failed; the first at weight_decay={float(grid[first]):g}"
        throw_unless(path.result[first], (Result.converged,), None, "regularization_path", detail)
    return path


def regularised_result(problem: LinearRegression, units: Units, limit: HostRegularised) -> LimitResult:
    """A limit under weight decay, found in some units, in those of the problem."""
    theta = scaled(limit.theta, units.theta).astype(problem.dtype)
    return LimitResult(
        theta=theta,
        dual=scaled(limit.dual, units.X * units.theta).astype(problem.dtype),
        residual=relative_residual(problem, theta),
        duality_gap=scaled(np.float64(limit.duality_gap), units.loss),
        result=Result[limit.ended],
        stats={
            "steps": limit.steps,
            "evaluations": limit.steps,
            "relative_gap": limit.relative_gap,
            "stationarity": limit.stationarity,
            "rank": problem.rank,
            "distance": problem.distance,
        },
    )


def limit_from(
    problem: LinearRegression, geo: AbstractGeometry, theta0: np.ndarray, tol: float, max_steps: int
) -> HostLimit:
    """The limit without weight decay, of checked arguments."""
    if (other := geo.proportional()) is not None:
        found, factor = limit_from(problem, other[0], theta0, tol, max_steps), float(other[1])
        certificate = replaced(found.certificate, duality_gap=found.certificate.duality_gap / factor)
        return replace(found, coordinates=found.coordinates / factor, certificate=certificate)
    if geo.power_barrier() is not None and not theta0.any():
        size = float(np.max(np.abs(problem.row_space.nearest)))
        if size > 0 and is_hidden(geo, size, tol):
            return network(problem, geo, tol, max_steps)
    if geo.dead_zone() is not None:
        return sparse(problem, geo, theta0, tol, max_steps)
    is_path = geo.log_sparsity is not None and np.ndim(geo.log_sparsity) == 0
    solve: Any = follow if is_path else newton
    return solve(problem, geo, theta0, tol, max_steps)


def limit_result(problem: LinearRegression, units: Units, limit: Any, tol: float) -> LimitResult:
    """A limit found in some units, in those of the problem."""
    theta = scaled(limit.theta, units.theta).astype(problem.dtype)
    certificate, residual = limit.certificate, limit.misfit
    if residual is None or not units.X == units.theta == 1:
        residual = relative_residual(problem, theta)
    return LimitResult(
        theta=theta,
        dual=dual_of(problem, scaled(limit.coordinates, units.mirror)),
        residual=residual,
        duality_gap=scaled(certificate.duality_gap, units.value),
        result=outcome(problem, Result[limit.ended], theta, residual, tol),
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
    all_of_them = np.zeros(space.target.size)
    all_of_them[: coordinates.size] = coordinates
    return space.dual(all_of_them).astype(problem.dtype)
