"""Flows by NumPy and SciPy, of one problem at a time."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .. import metrics
from .._array import in_dtype, quiet, replaced
from .._products import has_products, without_columns
from .._result import Result, outcome, throw_unless
from .._threads import few_threads, threads_for
from .._units import Units, in_units, scaled
from .._validate import count, finite, fits, nonnegative_number, positive, start, strength, times, tolerance
from ..geometry import Hypentropy
from ..problem import LinearRegression
from ._host import Trajectory, integrate
from ._host_dwelling import DwellingFlow, integrate as integrate_dwelling
from ._host_flows import DualFlow, ExponentialDualFlow, Flow, ProductFlow
from ._host_primal import MirrorFlow, PrimalFlow
from ._result import FlowResult, ProductFlowResult

_REACH = 16
_quietly = quiet()  # what leaves the range of numbers is reported by `result`
_SUCCESS = (Result.converged, Result.reached_end, Result.infeasible)


@dataclass(frozen=True, eq=False)
class Plan:
    """How to integrate, and what: `make(tolerance)` is the flow, `options` those of `integrate`."""

    make: Callable[[float], Any]
    tolerance: float
    options: dict[str, Any]
    unit: float  # t over the time of the flow

    def sharper(self, rtol: float) -> "Plan":
        """The same with a tolerance of at most `rtol`."""
        options = {**self.options, "max_steps": 4 * self.options["max_steps"], "save": "log", "report": None}
        return replace(self, tolerance=min(self.tolerance, rtol), options=options)

    def crossings(self, rtol: float, most: int) -> dict[str, Any]:
        """The fields of a `Crossed`, in the time of the problem, of the flow integrated again."""
        from ._host_crossings import Crossings

        plan = self.sharper(rtol)
        flow = plan.make(plan.tolerance)
        watch = Crossings(flow)
        integrate(flow, **plan.options, dense=watch.after_step)
        found = vars(watch.crossed(most))
        return found | {name: found[name] * plan.unit for name in ("first", "last", "times")}

    def run(self, **more: Any) -> tuple[Flow, Trajectory]:
        """The flow, and its trajectory in its own units."""
        flow = self.make(self.tolerance)
        with threads_for(*flow.lift.shape, least=0):
            return flow, integrate(flow, **self.options, **more)


class DwellingPlan(Plan):
    """The same of a flow with a dead zone, which has nothing to sharpen."""

    def run(self, **more: Any) -> tuple[Any, Trajectory]:
        flow: Any = self.make(self.tolerance)
        return flow, integrate_dwelling(flow, **self.options, **more)

    def crossings(self, rtol: float, most: int) -> dict[str, Any]:
        flow, _ = replace(self, options={**self.options, "report": None}).run()
        return flow.crossings(most, self.unit * flow.time_unit)


@few_threads(least=0)
@_quietly
def solve_flow(problem, geo, theta0, *, weight_decay, coordinates, throw, rtol, atol, **options) -> FlowResult:
    """As the public one, which has its text."""
    problem, geo = problem.without_truth(), in_dtype(geo, problem.dtype)
    fits(geo, problem.d)
    theta0 = start(theta0, problem.d, problem.dtype)
    beta, decays = strength(weight_decay, "weight_decay", problem.dtype)
    if decays:
        geo.decayed(0.0, float(beta))  # a geometry that knows no weight decay says so here
    if coordinates not in (None, "primal", "dual"):
        raise ValueError(f"coordinates must be 'primal', 'dual' or None; got {coordinates!r}")
    if geo.dead_zone() is not None:
        return _dwelling(problem, geo, theta0, coordinates, throw, rtol, atol, options)
    is_dual_under_decay = geo.log_decaying_scale() is not None
    if coordinates == "dual" and decays and not is_dual_under_decay:
        raise ValueError(
            f"coordinates='dual' needs weight_decay=0 for {type(geo).__name__}: weight decay leaves the row space; use "
            "'primal'"
        )
    units, inner, inner_geo, inner_start = in_units(problem, geo, theta0)
    inner_decay = float(beta) / units.decay
    relative, absolute, options = _checked(problem, units, rtol, atol, options)

    def make(within: float) -> Flow:
        if coordinates == "primal":
            return PrimalFlow(inner, inner_geo, inner_start, inner_decay, within, absolute * within / relative)
        if not decays:
            return DualFlow(inner, inner_geo, inner_start, within)
        if is_dual_under_decay:
            return ExponentialDualFlow.of_geometry(inner, inner_geo, inner_start, inner_decay, within)
        return MirrorFlow(inner, inner_geo, inner_start, inner_decay, within)

    def certificate(state, theta) -> metrics.Certificate:
        if coordinates == "primal" or decays:
            found = metrics.nearest_coordinates(inner, inner_geo, theta, inner_start)
        else:
            found = np.pad(state, (0, inner.row_space.target.size - state.size))
        return metrics.certify(inner, inner_geo, theta, inner_start, found)

    def violation(t, state, theta) -> float:
        theta = theta.astype(problem.dtype)
        if decays:
            return float(metrics.relative_stationarity(inner, inner_geo, theta, inner_decay))
        return float(certificate(state, theta).violation)

    plan = Plan(make, relative, options | {"violation": violation}, 1 / units.time)
    _, found = plan.run()
    result = _result(problem, units, plan, found, None if decays else certificate)
    return _thrown(result, throw, "solve_flow")


def _dwelling(problem, geo, theta0, coordinates, throw, rtol, atol, options) -> FlowResult:
    """The flow of a geometry with a dead zone, of checked arguments: exact, whatever the tolerances."""
    for name, value in {"solver": options["solver"], "dt": options["dt"]}.items():
        if value is not None:
            raise ValueError(f"{name} must be left out for {type(geo).__name__}, whose flow is integrated exactly")
    if coordinates == "primal":
        raise ValueError(f"coordinates must be 'dual' or None for {type(geo).__name__}: in a dead zone θ is no state")
    units, inner, inner_geo, inner_start = in_units(problem, geo, theta0)
    _, _, options = _checked(problem, units, rtol, atol, options)

    def certificate(state, theta) -> metrics.Certificate:
        found = np.pad(state, (0, inner.row_space.target.size - state.size))
        return metrics.certify(inner, inner_geo, theta, inner_start, found)

    def violation(t, state, theta) -> float:
        return float(certificate(state, theta.astype(problem.dtype)).violation)

    def make(_: float) -> DwellingFlow:
        return DwellingFlow(inner, inner_geo, inner_start)

    del options["method"], options["dt"]
    plan = DwellingPlan(make, 0.0, options | {"violation": violation}, 1 / units.time)
    _, found = plan.run()
    return _thrown(_result(problem, units, plan, found, certificate), throw, "solve_flow")


@few_threads(least=0)
@_quietly
def product_flow(problem, m0, w0, *, weight_decay, throw, rtol, atol, **options) -> ProductFlowResult:
    """As the public one, which has its text."""
    problem = problem.without_truth()
    m0, w0 = (start(factor, problem.d, problem.dtype, label) for factor, label in ((m0, "m0"), (w0, "w0")))
    beta = float(nonnegative_number(weight_decay, "weight_decay"))
    theta0 = finite(m0 * w0, "the product of m0 and w0")
    gamma = finite(np.abs((m0 - w0) * (m0 + w0)) / 2, "the difference of the squares of m0 and w0")
    geo = Hypentropy(gamma=np.maximum(gamma, np.finfo(problem.dtype).tiny))
    units, inner, inner_geo, inner_start = in_units(problem, geo, theta0)
    root = problem.dtype.type(math.sqrt(units.theta))
    alive = (m0 != 0) | (w0 != 0)
    reachable = inner if alive.all() else LinearRegression(_of_columns(inner.X, alive), inner.y)
    inner_decay = beta / units.decay
    relative, _, options = _checked(problem, units, rtol, atol, options)

    def certificate(state, theta) -> metrics.Certificate:
        found = metrics.nearest_coordinates(reachable, inner_geo, theta, inner_start)
        proof = metrics.certify(reachable, inner_geo, theta, inner_start, found)
        return replaced(proof, residual=metrics.relative_distance_to_least_squares(inner, theta))

    def violation(t, state, theta) -> float:
        theta = theta.astype(problem.dtype)
        if beta:
            return float(metrics.relative_stationarity(inner, inner_geo, theta, inner_decay))
        return float(certificate(state, theta).violation)

    def make(within: float) -> Flow:
        return ProductFlow(inner, m0 / root, w0 / root, inner_decay, within)

    plan = Plan(make, relative, options | {"violation": violation}, 1 / units.time)
    flow, found = plan.run()
    assert isinstance(flow, ProductFlow)
    states = tuple((factor * root).astype(problem.dtype) for factor in flow.sums(found.ts, found.states))
    result = _result(problem, units, plan, replace(found, states=states), None if beta else certificate)
    return _thrown(ProductFlowResult(**{name: getattr(result, name) for name in _FIELDS}), throw, "product_flow")


def _of_columns(X: Any, alive: np.ndarray) -> Any:
    """X without what the other columns hold."""
    return without_columns(X, alive) if has_products(X) else np.where(alive, X, 0)


_FIELDS = ("ts", "thetas", "theta", "loss", "residual", "duality_gap", "result", "stats", "states", "how")


def _checked(problem, units: Units, rtol, atol, options: dict[str, Any]) -> tuple[float, float, dict[str, Any]]:
    """The tolerances, and what `integrate` is told."""
    dtype, ts, dt, solver = problem.dtype, options["ts"], options["dt"], options["solver"]
    rtol, atol = tolerance(rtol, "rtol", dtype, _REACH), tolerance(atol, "atol", dtype, 0)
    tol = rtol if options["tol"] is None else tolerance(options["tol"], "tol", dtype, _REACH)
    if options["save"] not in ("log", "steps"):
        raise ValueError(f"save must be 'log' or 'steps'; got {options['save']!r}")
    if ts is not None:
        if options["save"] == "steps":
            raise ValueError("give either ts or save='steps', not both")
        ts = times(ts, np.float64)
    if dt is None and solver in ("euler", "heun", "rk4"):
        raise ValueError(f"dt must be given for {solver}, which has no error estimate to adapt by")
    report = None
    if options["progress"]:
        from ._progress import progress_report

        report = progress_report(float(tol), ts)
    # Errors in stiff directions hover at the integrator's tolerance: converging to tol takes a tighter one.
    tighter = min(1.0, 0.1 * tol / rtol) if ts is None else 1.0
    plan = {
        "ts": None if ts is None else ts * units.time,
        "tol": tol,
        "save": options["save"],
        "max_steps": count(options["max_steps"], "max_steps"),
        "method": solver,
        "dt": None if dt is None else float(positive(dt, "dt")) * units.time,
        "report": report,
    }
    return tighter * rtol, tighter * atol, plan


def _result(problem, units: Units, plan: Plan, found: Trajectory, certificate) -> FlowResult:
    """A trajectory in the units of the problem, with what is proven of its end."""
    if plan.options["report"] is not None:
        plan.options["report"].close()
    theta = found.theta.astype(problem.dtype)
    gap = relative = np.float64(np.nan)
    violation = found.violation
    if certificate is not None and np.isfinite(theta).all():
        end = found.end_state
        proof = certificate(end, theta)
        gap, relative, violation = scaled(proof.duality_gap, units.value), proof.relative_gap, float(proof.violation)
    elif np.isfinite(theta).all():
        violation = plan.options["violation"](found.end_time, found.end_state, theta)
    thetas = scaled(found.thetas, units.theta).astype(problem.dtype)
    theta = scaled(theta, units.theta)
    thetas[-1] = theta  # found one by one, it is rounded differently
    residual = metrics.relative_residual(problem, theta)
    result = _outcome(plan, found.ended, violation)
    if certificate is not None:
        result = outcome(problem, result, theta, residual, plan.options["tol"])
    stats = {name: found.counts[name] for name in ("steps", "accepted", "rejected")}
    return FlowResult(
        ts=found.ts * plan.unit,
        thetas=thetas,
        theta=theta,
        loss=problem.loss(thetas),
        residual=residual,
        duality_gap=gap,
        result=result,
        stats=stats
        | {
            "time": found.end_time * plan.unit,
            "violation": violation,
            "relative_gap": relative,
            "rank": problem.rank,
            "distance": problem.distance,
        },
        states=found.states,
        how=plan,
    )


def _outcome(plan: Plan, ended: str, violation: float) -> Result:
    """How it ended: a violation within the tolerance is convergence, unless the steps ran out before the end."""
    result = Result[ended]
    if result in (Result.max_steps, Result.nonfinite):
        return result
    if violation <= plan.options["tol"]:
        return Result.converged
    return Result.stalled if result == Result.converged else result


def _thrown(result: Any, throw: bool, what: str) -> Any:
    if throw:
        stats = result.stats
        detail = (
            f"time {stats['time']:.3g} after {stats['steps']} steps, relative residual {float(result.residual):.2e}, "
            f"violation of the convergence criterion {stats['violation']:.2e}"
        )
        throw_unless(result.result, _SUCCESS, None, what, detail)
    return result
