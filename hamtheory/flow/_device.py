"""Flows by diffrax, of one problem, traced or not; `_batch.py` has those of many."""

from typing import TypeVar

import jax.numpy as jnp

from .._device import device_engine, nonnegative_number, positive, start, strength, times
from .._result import Result, throw_unless
from .._validate import count, is_traced, tolerance
from ..limit import solve_limit
from ._fields import DualFlow, PrimalFlow, ProductFlow
from ._integrate import Plan, integrate
from ._progress import progress_report
from ._result import FlowResult, ProductFlowResult
from ._solvers import STIFF, solver_named, stiffness

_REACH = 16
_Flow = TypeVar("_Flow", bound=FlowResult)
_SUCCESS = (Result.converged, Result.reached_end, Result.infeasible)


@device_engine
def solve_flow(problem, geo, theta0, *, weight_decay, coordinates, throw, **options) -> FlowResult:
    """As the public one, which has its text."""
    problem = problem.without_truth()
    theta0 = start(theta0, problem.d, problem.dtype)
    beta, decays = strength(weight_decay, "weight_decay", problem.dtype)
    if decays and not is_traced(beta):
        geo.decayed(0.0, float(beta))  # a geometry that knows no weight decay says so here
    if coordinates not in (None, "primal", "dual"):
        raise ValueError(f"coordinates must be 'primal', 'dual' or None; got {coordinates!r}")
    if coordinates == "dual" and decays:
        raise ValueError("coordinates='dual' needs weight_decay=0: weight decay leaves the row space; use 'primal'")
    if coordinates == "primal" or decays:
        flow = PrimalFlow(problem, geo, theta0, beta)
    else:
        flow = DualFlow(problem, geo, theta0)
    solver = options["solver"]
    if solver is None:
        solver = _choose_solver(problem, geo, theta0, decays, isinstance(flow, DualFlow))
    plan = _plan(problem, **options | {"solver": solver})
    return _checked(integrate(flow, plan), throw, "solve_flow")


@device_engine
def product_flow(problem, m0, w0, *, weight_decay, throw, **options) -> ProductFlowResult:
    """As the public one, which has its text."""
    problem = problem.without_truth()
    m0, w0 = (start(factor, problem.d, problem.dtype, label) for factor, label in ((m0, "m0"), (w0, "w0")))
    weight_decay = nonnegative_number(weight_decay, "weight_decay").astype(problem.dtype)
    plan = _plan(problem, **options | {"solver": options["solver"] or "tsit5"})
    result = integrate(ProductFlow(problem, m0, w0, weight_decay), plan)
    return _checked(ProductFlowResult(**vars(result)), throw, "product_flow")


def _choose_solver(problem, geo, theta0, decays: bool, dual: bool) -> str:
    if decays or is_traced(problem, geo, theta0):
        return "kvaerno5" if dual else "tsit5"
    limit = solve_limit(problem, geo, theta0, weight_decay=0.0, tol=1e-4, max_steps=2000, throw=False)
    # In primal coordinates an implicit step costs a dense d x d solve, in dual ones at most n x n.
    return "kvaerno5" if dual and float(stiffness(problem, geo, limit.theta)) > STIFF else "tsit5"


def _plan(problem, ts, rtol, atol, solver, dt, tol, save, max_steps, progress) -> Plan:
    dtype = problem.dtype
    rtol = tolerance(rtol, "rtol", dtype, _REACH)
    tol = rtol if tol is None else tolerance(tol, "tol", dtype, _REACH)
    atol = tolerance(atol, "atol", dtype, 0)
    solver = solver_named(solver, dt is not None, rtol, atol)
    if save not in ("log", "steps"):
        raise ValueError(f"save must be 'log' or 'steps'; got {save!r}")
    if ts is not None:
        if save == "steps":
            raise ValueError("give either ts or save='steps', not both")
        ts = times(ts, dtype)
    as_array = lambda value: jnp.asarray(value, dtype)  # noqa: E731
    # Errors in stiff directions hover at the integrator's tolerance: converging to tol takes a tighter one.
    tighter = min(1.0, 0.1 * tol / rtol) if ts is None else 1.0
    return Plan(
        solver=solver,
        rtol=as_array(tighter * rtol),
        atol=as_array(tighter * atol),
        tol=as_array(tol),
        dt=None if dt is None else positive(dt, "dt").astype(dtype),
        ts=ts,
        save=save,
        max_steps=count(max_steps, "max_steps"),
        report=progress_report(float(tol), ts) if progress else None,
    )


def _checked(result: _Flow, throw: bool, what: str) -> _Flow:
    if not throw:
        return result
    detail = ""
    if not is_traced(result):
        stats = result.stats
        detail = (
            f"time {float(stats['time']):.3g} after {int(stats['steps'])} steps, relative residual "
            f"{float(result.residual):.2e}, violation of the convergence criterion {float(stats['violation']):.2e}"
        )
    return throw_unless(result.result, _SUCCESS, result, what, detail)
