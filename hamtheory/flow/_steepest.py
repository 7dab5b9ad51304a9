"""Steepest flows on factors: the public function, its checks, and what is proven of what was found."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import metrics
from .._arguments import entrance
from .._array import is_jax, quiet
from .._products import refuse_products
from .._result import Result, outcome, throw_unless
from .._threads import threads_for
from .._types import Number, Times, Vectors
from .._validate import count, finite, is_traced, nonnegative_number, real_array, start, times, tolerance
from ..problem import BinaryClassification, LinearRegression
from . import _host_sliding as sliding
from ._host import integrate, logarithmic_times
from ._host_steepest import SteepestClassFlow, SteepestFlow
from ._result import SteepestFlowResult

Array = Any

_REACH = 16
_ASTRAY = 1e-2  # of the loss: from here on the way is another flow's
_DEFAULT, _FARTHEST = -30.0, 1e300  # of ln L
_SHARPER = 1e-3  # times `rtol`: of a sign flow, which is smooth between its events
_FINEST = 1e-13
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)


@entrance
def steepest_flow(
    problem: LinearRegression | BinaryClassification,
    factors: Vectors,
    *,
    q: Number = 2.0,
    hyperbolic: Number = 0.0,
    weight_decay: Number = 0.0,
    ts: Times | None = None,
    log_loss: float | None = None,
    rtol: float = 1e-8,
    tol: float | None = None,
    save: str = "log",
    max_steps: int = 100_000,
    progress: bool = False,
    throw: bool = True,
) -> SteepestFlowResult:
    """Integrate the steepest flow of exponent q on the factors of `θ = ∏ w_i`.

    `dw_i/dt = −sign(∂_i)|∂_i|^(q−1) − 2βw_i`, with `∂_i = ∇f(θ) ⊙ ∏_{j≠i} w_j`: gradient flow for q = 2, sign flow for
    q = 1, of which the limit of q ↓ 1 is taken, a differential inclusion with sliding modes. It conserves
    `|w_i|^q − |w_j|^q`, and it is `d∇R(θ)/dt = −sign(∇f)|∇f|^(q−1)` with `R″ = 1/Σ_i ∏_{j≠i} |w_j|^q`. For q < 2 it
    arrives at an interpolator in finite time, and rests there.

    An entry two of whose factors are equally small can pass zero if `(q − 1)t < 1`, t being the number of the others as
    small as the smallest: it does, as the limit of an imbalance that vanishes, and the first of the smallest factors is
    the one that changes its sign.

    Args:
        problem: Any regression or classification.
        factors: w_i at the start, a sequence of arrays (d,), or an array (L, d).
        q: The exponent, from 1 to 2. Near 1, but not at it, the flow takes many steps.
        hyperbolic: α ≥ 0 of HAM, which adds `−α|θ| ⊙ ∇f`: of one factor alone.
        weight_decay: Of regressions, β ≥ 0, decoupled. For q = 2 it is the gradient of `β Σ ‖w_i‖²`, as in
            `product_flow`; of one factor twice the β of `solve_flow`.
        ts: Increasing times ≥ 0 at which to save. Left out: until converged, or down to `log_loss`.
        log_loss: Of classifications, instead of `ts`: down to where ln L is this; −30 if both are left out.
        rtol: The integrator's relative tolerance, tightened to a tenth of `tol` on the way to convergence.
        tol: Converged when the relative residual (with weight decay, the speed of θ relative to that of the decay
            alone) is at most this; `rtol` if left out.
        save: Without `ts`: evenly in log t ("log"), or at the integrator's own steps ("steps"), as always of
            classifications.
        max_steps: The integrator's budget.
        progress: Show a bar on work over two seconds.
        throw: Raise on failure, instead of returning the partial trajectory with its `result`.

    Returns:
        A `SteepestFlowResult`, in arrays of NumPy's.

    Raises:
        TypeError: For what is no problem or no number, and for arrays that JAX traces.
        ValueError: For bad arguments, where two factors of an entry are zero that could leave it in more than one way,
            and, without `ts`, for a weight decay below what rounding leaves of `tol`.
        RuntimeError: On failure, if `throw`.

    References:
        [jacobs2026never]; the inclusion, [filippov1988differential].

    ```python
    >>> import hamtheory as ht
    >>> problem = ht.LinearRegression([[1.0, 2.0]], [2.0])
    >>> for q in (2.0, 1.5, 1.0):
    ...     flow = ht.steepest_flow(problem, [[1.0, 1.0], [0.0, 0.0]], q=q)
    ...     print(flow.theta.round(3).tolist())
    [0.342, 0.829]
    [0.479, 0.76]
    [0.667, 0.667]

    ```
    """
    if is_traced(problem, factors, q, hyperbolic, weight_decay, ts):
        raise TypeError("a steepest flow must be asked of concrete data; one of its arguments is traced by JAX")
    problem = _on_host(problem)
    if save not in ("log", "steps"):
        raise ValueError(f"save must be 'log' or 'steps'; got {save!r}")
    if ts is not None and save == "steps":
        raise ValueError("give either ts or save='steps', not both")
    rtol = tolerance(rtol, "rtol", problem.dtype, _REACH)
    task = _Task(
        problem,
        _stacked(factors, problem),
        _exponent(q),
        float(nonnegative_number(hyperbolic, "hyperbolic")),
        2 * float(nonnegative_number(weight_decay, "weight_decay")),
        None if ts is None else np.asarray(times(ts, np.float64)),
        rtol,
        rtol if tol is None else tolerance(tol, "tol", problem.dtype, _REACH),
        save,
        count(max_steps, "max_steps"),
    )
    if task.alpha and len(task.factors) > 1:
        raise ValueError(f"hyperbolic must be 0 of {len(task.factors)} factors, it is for one; got {task.alpha:g}")
    solve = _regression if isinstance(problem, LinearRegression) else _classification
    with quiet(), threads_for(problem.n, problem.d, least=0):
        found = solve(task, log_loss, progress)
    if throw:
        allowed = (Result.converged, Result.infeasible, Result.reached_end)
        reached = f"time {found.stats['time']:.3g} after {found.stats['steps']} steps"
        if ts is None and isinstance(problem, LinearRegression):
            allowed = allowed[:2]
            if found.result == Result.reached_end:
                reached += ", the latest at which one is waited for; from a start so near to a saddle, give `ts`"
        detail = f"{reached}, ln of the loss {float(found.log_loss[-1]):.3g}"
        throw_unless(found.result, allowed, None, "steepest_flow", detail)
    return found


@dataclass(frozen=True, eq=False)
class _Task:
    problem: Any
    factors: Array
    q: float
    alpha: float
    rate: float  # ρ = 2β
    ts: Array | None
    rtol: float
    tol: float
    save: str
    max_steps: int


def _on_host(problem: Any) -> Any:
    refuse_products(problem, "steepest_flow")
    problem = problem.without_truth()
    if not is_jax(problem):
        return problem
    if isinstance(problem, LinearRegression):
        return LinearRegression(np.asarray(problem.X), np.asarray(problem.y))
    return BinaryClassification(np.asarray(problem.X), np.asarray(problem.z), problem.loss_name)


def _exponent(q: Any) -> float:
    q = float(finite(real_array(q, "q", ndim=0), "q"))
    if not 1 <= q <= 2:
        raise ValueError(f"q must be from 1 to 2; got {q:g}")
    return q


def _stacked(factors: Any, problem: Any) -> Array:
    """(L, d), in float64."""
    if isinstance(factors, (str, dict)) or not hasattr(factors, "__len__"):
        raise TypeError(f"factors must be a sequence of arrays, ({problem.d},) each; got {type(factors).__name__}")
    if len(factors) == 0:
        raise ValueError("factors must hold at least one array; got none")
    stacked = np.stack(
        [np.asarray(start(w, problem.d, problem.dtype, f"factors[{i}]"), float) for i, w in enumerate(factors)]
    )
    with quiet():
        finite(np.prod(stacked, axis=0), "the product of the factors")
    return stacked


def _unambiguous(flow: Any) -> None:
    if flow.factors.is_ambiguous.any():
        where = int(np.flatnonzero(flow.factors.is_ambiguous)[0])
        raise ValueError(
            f"factors must not have two zeros in an entry for this q, or the flow could leave it in more than one way; "
            f"got two at index {where}. Make one of them small instead"
        )


class _Audit:
    """The integrals along a flow of q > 1: of the power, of φ(∇f), and, of a classification, the time at every step."""

    def __init__(self, flow: SteepestFlow | SteepestClassFlow):
        self.flow = flow
        self.lost, self.pushed = 0.0, np.zeros(flow.factors.start.size)

    def add(self, begin: float, end: float, stepper: Any, /) -> None:
        """A step, or a part of it."""
        times = (begin + end) / 2 + (end - begin) / 2 * _NODES
        states = stepper.interpolate(times)
        pushed, _, power = self.flow.moves(times, states)
        self.lost += (end - begin) / 2 * float(_WEIGHTS @ power)
        self.pushed = self.pushed + (end - begin) / 2 * (_WEIGHTS @ pushed)


def _regression(task: _Task, log_loss: Any, progress: bool) -> SteepestFlowResult:
    problem = task.problem
    if log_loss is not None:
        raise ValueError(f"log_loss is for classifications; of a regression the flow converges, got {log_loss}")
    within = task.rtol if task.ts is not None else min(task.rtol, 0.1 * task.tol)
    flow = SteepestFlow(problem, task.factors, task.q, task.alpha, task.rate, within)
    if not math.isfinite(flow.time_unit):
        raise ValueError("X and y must be of a size for which times are in the range of numbers. Divide them by it")
    _unambiguous(flow)
    if task.rate and task.q > 1 and task.ts is None and (least := flow.least_stationarity()) > _REACH * task.tol:
        raise ValueError(
            f"weight_decay must be 0, or larger, for q = {task.q:g} and tol = {task.tol:g}: rounding alone moves theta "
            f"by {least:.1e} of what the decay does. Give `ts`, or a larger tol; got {task.rate / 2:g}"
        )
    report = None
    if progress:
        from ._progress import progress_report

        report = progress_report(task.tol, task.ts)
    if task.q == 1:
        natural, states, lost, pushed, ended, stats, violation = _sign_flow(task, flow, report)
    else:
        audit = _Audit(flow)
        path = integrate(
            flow,
            ts=task.ts,
            tol=task.tol,
            violation=(lambda t, state, theta: flow.stationarity(t / flow.time_unit, state)) if task.rate else None,
            save=task.save,
            max_steps=task.max_steps,
            report=report,
            dense=audit.add,
        )
        natural, states, ended = path.ts / flow.time_unit, path.states, path.ended
        lost, pushed, stats = audit.lost, audit.pushed, {"steps": path.counts["steps"]}
        violation = flow.stationarity(natural[-1], states[-1]) if task.rate else math.nan
    if report is not None:
        report.close()
    kept = task.rate == 0 and (task.alpha == 0 or task.q == 2)
    ts = natural * flow.time_unit if task.ts is None else task.ts[: natural.size]
    values = flow.value(flow.factors.theta(natural[[0, -1]], states[[0, -1]]))
    start_value = float(flow.value(flow.factors.theta(0.0, flow.factors.start)))
    balance = abs(start_value - values[-1] - lost) / max(start_value, values[-1], np.finfo(float).tiny)
    found = _described(task, flow, ts, natural, states)
    residual = metrics.relative_residual(problem, found["theta"])
    if not task.rate:
        violation = flow.missing(flow.factors.theta(natural[-1], states[-1]))
    result = Result[ended]
    if result not in (Result.max_steps, Result.nonfinite) and violation <= task.tol:
        result = Result.converged
    if task.rate == 0:
        result = outcome(problem, result, found["theta"], residual, task.tol)
        way = metrics.relative_residual(problem, flow.factors.theta(0.0, flow.factors.start)) > task.tol
        if result == Result.converged and task.q < 2 and way and balance > _ASTRAY:
            result = Result.stalled  # at an interpolator, but not at that of this flow, which only its way knows
    return SteepestFlowResult(
        **found,
        residual=residual,
        balance=np.float64(balance),
        kkt=np.float64(_outside(flow, pushed) if kept else np.nan),
        result=result,
        stats=stats | {"time": float(ts[-1]), "violation": float(violation)},
    )


def _sign_flow(
    task: _Task, flow: SteepestFlow, report: Any
) -> tuple[Array, Array, float, Array, str, dict[str, Any], float]:
    def violation(modes: sliding.SignFlow) -> float:
        theta = modes.theta(modes.t, modes.state)
        missing = flow.missing(theta)
        if not task.rate:
            return missing
        # At an interpolator it rests if the signs can hold it against the decay, for good.
        pull, least = flow.factors.count * flow.factors.rate * np.abs(theta), flow.factors.balanced(theta)
        is_held = missing <= task.tol and bool(np.all(pull <= least * (1 + task.tol)))
        return 0.0 if is_held else modes.stationarity()

    def is_over(modes: sliding.SignFlow) -> bool:
        return violation(modes) <= task.tol

    at = None if task.ts is None else task.ts / flow.time_unit
    grid = None if task.ts is not None or task.save == "steps" else logarithmic_times(flow)
    within = max(_SHARPER * task.rtol, _FINEST)
    course = sliding.integrate(flow, at, is_over, None, task.max_steps, within, grid)
    natural, states = np.concatenate(course.times), np.concatenate(course.states)
    stats = {"steps": course.steps, "events": course.events, "sliding": course.sliding}
    return natural, states, course.lost, course.pushed, course.ended, stats, violation(course.modes)


def _described(task: _Task, flow: Any, ts: Array, natural: Array, states: Array) -> dict[str, Any]:
    """What is read off a trajectory, in the units of the problem."""
    as_given = lambda array: np.asarray(array, task.problem.dtype)  # noqa: E731
    factors = flow.factors.factors(natural, states)
    raised = np.abs(factors) ** task.q
    conserved = raised[:1] - raised[1:]
    first = flow.factors.factors(0.0, flow.factors.start) if natural.size else factors[:, 0]
    raised_first = np.abs(first) ** task.q
    decayed = np.exp(-task.q * flow.factors.rate * natural)[:, None]
    gone = np.abs(conserved - (raised_first[:1] - raised_first[1:])[:, None] * decayed)
    largest = np.maximum(np.max(raised, axis=0), np.finfo(float).tiny)
    thetas = flow.factors.theta(natural, states) * flow.size
    log_loss = _log_loss(task.problem, thetas)
    return {
        "ts": ts,
        "log_ts": np.log(ts),
        "thetas": as_given(thetas),
        "theta": as_given(thetas[-1]),
        "factors": as_given(factors * flow.factor_unit),
        "loss": as_given(np.exp(log_loss)),
        "log_loss": as_given(log_loss),
        "conserved": as_given(conserved * flow.factor_unit**task.q),
        "drift": np.float64(np.max(gone / largest)) if len(conserved) else np.float64(np.nan),
    }


def _log_loss(problem: Any, thetas: Array) -> Array:
    if isinstance(problem, BinaryClassification):
        return problem.log_loss(thetas)
    return np.log(problem.loss(thetas))


def _outside(flow: SteepestFlow, pushed: Array) -> float:
    """How far ∫φ(∇f) dt is from the row space, relative, in the entries that can move."""
    alive = ~flow.factors.is_dead
    length = float(np.linalg.norm(pushed[alive]))
    if not (alive.any() and length > 0):
        return 0.0
    rows = flow.basis[:, alive]
    left = pushed[alive] - np.linalg.lstsq(rows.T, pushed[alive], rcond=None)[0] @ rows
    return float(np.linalg.norm(left)) / length


def _classification(task: _Task, log_loss: Any, progress: bool) -> SteepestFlowResult:
    from ._host_steepest_classes import Path

    problem = task.problem
    if task.rate:
        raise ValueError(f"weight_decay is for regressions; of a classification there is none, got {task.rate / 2:g}")
    if log_loss is not None and task.ts is not None:
        raise ValueError("log_loss and ts both say where to end; give one of them")
    flow = SteepestClassFlow(problem, task.factors, task.q, task.alpha, task.rtol)
    _unambiguous(flow)
    first = float(flow.value(flow.factors.theta(0.0, flow.factors.start)))
    goal = None if task.ts is not None else _goal(log_loss, first)
    is_over = lambda t, state: flow.rests(flow.factors.theta(t, state)) and not problem.is_separable  # noqa: E731
    if task.q == 1:
        at = None if task.ts is None else task.ts / flow.clock_unit
        ended_at = lambda modes: is_over(modes.t, modes.state)  # noqa: E731
        course = sliding.integrate(flow, at, ended_at, goal, task.max_steps, max(_SHARPER * task.rtol, _FINEST), None)
        clock, states = np.concatenate(course.times), np.concatenate(course.states)
        log_ts, lost, ended = np.log(clock) + math.log(flow.clock_unit), course.lost, course.ended
        stats = {"steps": course.steps, "events": course.events, "sliding": course.sliding}
        if not is_over(0.0, states[-1]) and ended == "converged":
            ended = "stalled"
    else:
        audit = _Audit(flow)
        path = Path(flow, audit.add)
        ended = path.run(task.ts, goal, is_over, task.max_steps)
        clock, states, log_ts = np.array(path.clock), np.array(path.states), np.array(path.log_ts)
        lost, stats = audit.lost, {"steps": path.inner.accepted + path.inner.rejected}
    ts = np.exp(log_ts) if task.ts is None else task.ts[: clock.size]
    found = _described(task, flow, ts, clock, states)
    rests = is_over(0.0, states[-1])
    fallen = first - float(found["log_loss"][-1])
    return SteepestFlowResult(
        **found | {"log_ts": log_ts},
        residual=np.float64(np.nan),
        balance=np.float64(abs(fallen - lost) / (1 + abs(fallen))),
        kkt=np.float64(np.nan),
        result=Result.infeasible if rests else Result[ended],
        stats=stats | {"time": float(ts[-1])},
    )


def _goal(log_loss: Any, first: float) -> float:
    try:
        goal = _DEFAULT if log_loss is None else float(log_loss)
    except (TypeError, ValueError):
        raise TypeError(f"log_loss must be a number; got {log_loss!r}") from None
    if not -_FARTHEST < goal < first:
        raise ValueError(f"log_loss must be below {first:.6g}, that of the start, and finite; got {goal:g}")
    return goal
