"""Flows of a classification loss, down to losses that no number can hold, on the host.

`_host_classes` has the equations; the integrator is that of all flows on the host, collocation. What ν has grown by, over
its sum, is a point of the dual of the margin problem: with it weak duality bounds how far the direction is from the best
margin, at every time.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .._array import in_dtype, quiet
from .._result import Result, throw_unless
from .._threads import threads_for
from .._validate import count, fits, is_traced, start, times, tolerance
from ..geometry import AbstractGeometry, Horizon
from ..problem import BinaryClassification
from ._host_classes import ClassFlow
from ._host_collocation import Collocation
from ._result import ClassificationFlow

_DEFAULT = -300.0  # of ln L, where there is neither `log_loss` nor `ts`
_REACH = 16
_FARTHEST = 1e300
_FIRST = 0.01  # the first step of the clock


def solve_classification(
    problem: BinaryClassification,
    geo: AbstractGeometry,
    theta0: Any,
    *,
    log_loss: Any,
    ts: Any,
    rtol: float,
    atol: float,
    coordinates: str | None,
    max_steps: int,
    throw: bool,
    **others: Any,
) -> ClassificationFlow:
    """As `solve_flow`, which has its text."""
    for name, value in others.items():
        if value is not None and value != 0:
            raise ValueError(f"{name} is for regressions; a flow of a classification loss has none, got {value!r}")
    if is_traced(problem.X, theta0, geo):
        raise TypeError("a classification flow must be asked of concrete data; X, theta0 or geo is traced by JAX")
    if coordinates not in (None, "primal", "dual"):
        raise ValueError(f"coordinates must be 'primal', 'dual' or None; got {coordinates!r}")
    geo = in_dtype(geo, problem.dtype)
    fits(geo, problem.d)
    first = np.asarray(start(theta0, problem.d, problem.dtype), float)
    rtol = tolerance(rtol, "rtol", problem.dtype, _REACH)
    atol = tolerance(atol, "atol", np.float64, 0)  # in which it is integrated
    budget = count(max_steps, "max_steps")
    with quiet(), threads_for(problem.n, problem.d, least=0):
        field = ClassFlow(problem, geo, first, coordinates or "dual", rtol, atol, eased=ts is None)
        begin = float(problem.log_loss(first))
        if ts is None:
            goal = _DEFAULT if log_loss is None else _number(log_loss)
            if not -_FARTHEST < goal < begin:
                raise ValueError(f"log_loss must be below {begin:.6g}, that of the start, and finite; got {goal:g}")
            instants = None
        else:
            if log_loss is not None:
                raise ValueError("log_loss and ts both say where to end; give one of them")
            goal, instants = -math.inf, np.asarray(times(ts, np.float64))
        path = _Path(field)
        found = _result(path, *_integrated(path, goal, instants, budget), instants)
    if throw and found.result not in (Result.reached_end, Result.infeasible):
        throw_unless(found.result, (), None, "solve_flow", f"ln L = {float(found.log_loss[-1]):.6g}")
    return found


def _number(log_loss: Any) -> float:
    try:
        return float(log_loss)
    except (TypeError, ValueError):
        raise TypeError(f"log_loss must be a number; got {log_loss!r}") from None


class _Point(NamedTuple):
    """A state, s there, and ν, all in the units of the flow."""

    state: np.ndarray
    clock: float
    nu: np.ndarray


class _Path:
    """An integrator that also knows ν."""

    def __init__(self, field: ClassFlow):
        self.field, self.inner = field, Collocation(field, _FIRST, math.inf)
        self._nus = np.zeros((1, field.problem.n))  # at the start and at the nodes of the last step

    def end(self) -> _Point:
        return _Point(self.inner.state, self.inner.t, self._nus[-1])

    def step(self) -> bool:
        """One step; False if none can be made."""
        if not self.inner.step():
            return False
        _, states = self.inner.nodes()
        start = self._nus[-1:]
        if self.field.is_nu:
            self._nus = np.concatenate([start, states[:, :-1]])
        else:
            self._nus = start + self.inner.integral(self.field.weights_at(self.field.theta(states)))
        return True

    def nodes(self, before: float = math.inf) -> list[_Point]:
        """The nodes of the last step, those before a time of the clock."""
        clock, states = self.inner.nodes()
        points = map(_Point, states, clock.tolist(), self._nus[1:])
        return [point for point in points if point.clock < before]

    def crossing(self, value: Callable[[np.ndarray], Any], target: float) -> _Point:
        """Where in the last step a rising function of the state is at its target."""
        from scipy.optimize import brentq

        at = lambda s: self.inner.interpolate(np.array([s]))[0]  # noqa: E731
        gap = lambda s: max(value(at(s)) - target, -_FARTHEST)  # noqa: E731  (ln t is −∞ at the start)
        clock: Any = brentq(gap, self.inner.t_old, self.inner.t, xtol=1e-300, maxiter=2000)
        return _Point(at(clock), clock, (self.inner.basis(np.array([clock])) @ self._nus)[0])


def _integrated(path: _Path, goal: float, instants: np.ndarray | None, budget: int) -> tuple[list[_Point], Result]:
    """The nodes of all steps down to `goal`, or the points at `instants`, and how it ended."""
    field, inner = path.field, path.inner
    due = [] if instants is None else list(np.log(instants[instants > 0]))
    points = [path.end()] if instants is None or instants[0] == 0 else []

    def ended(how: Result) -> tuple[list[_Point], Result]:
        return points or [path.end()], how

    while instants is None or due:
        if inner.accepted >= budget:
            return ended(Result.max_steps)
        if not path.step():
            return ended(Result.stalled)
        theta = field.theta(inner.state)
        margins = field.margins(theta)
        now = -float(field.problem.log_loss_at(margins))
        if not (np.isfinite(now) and np.isfinite(inner.state).all()):
            return ended(Result.nonfinite)
        if instants is None:
            last = path.crossing(lambda state: -field.log_loss(state), -goal) if now >= -goal else None
            points += path.nodes() if last is None else [*path.nodes(before=last.clock), last]
            if last is not None:
                return ended(Result.reached_end)
        while due and field.log_time(inner.state) >= due[0]:
            points.append(path.crossing(field.log_time, due.pop(0)))
        # A saddle, which the flow leaves again, is no rest: of separable classes there is none.
        if margins.min() <= 0 and field.rests(theta) and not field.problem.is_separable:
            points += [path.end() for _ in due]  # there it stays: at all times that are still to come
            return ended(Result.infeasible)
    return ended(Result.reached_end)


def _result(path: _Path, points: list[_Point], ended: Result, instants: np.ndarray | None) -> ClassificationFlow:
    field, inner = path.field, path.inner
    states, clock, nus = (np.array(part) for part in zip(*points, strict=True))
    thetas = field.theta(states)
    margins = field.margins(thetas)
    log_loss = field.problem.log_loss_at(margins)
    log_ts = np.where(states[:, -1] > 0, field.log_time(states), -np.inf)
    if ended in (Result.infeasible, Result.reached_end) and instants is not None:
        log_ts = np.log(instants)
    horizon, dual, bound, gap = bounds_of(field, nus, thetas, margins, log_loss)
    if not np.isfinite(thetas).all() and ended == Result.reached_end:
        ended = Result.nonfinite
    as_given = lambda array: array.astype(field.problem.dtype)  # noqa: E731
    return ClassificationFlow(
        log_ts=log_ts[: len(thetas)],
        clock=field.unit * clock,
        thetas=as_given(thetas),
        theta=as_given(thetas[-1]),
        log_loss=as_given(log_loss),
        dual=as_given(dual),
        margin_bound=as_given(bound),
        margin_gap=as_given(gap),
        horizon=horizon,
        result=ended,
        stats={
            "steps": np.int64(inner.accepted),
            "evaluations": np.int64(inner.evaluations),
            "jacobians": np.int64(inner.jacobians),
        },
    )


def bounds_of(field, nu, thetas, margins, log_loss) -> tuple[Horizon | None, np.ndarray, np.ndarray, np.ndarray]:
    """The horizon; λ and the upper bound of the largest margin that it proves, the best until then at every state; and
    how far θ is from the bound, in parts."""
    halfway = np.searchsorted(-log_loss, -log_loss / 2)  # the early weights are those of all samples
    grown = nu - nu[np.minimum(halfway, np.arange(len(nu)))]
    candidates = np.maximum(np.stack([field.problem.weights_at(margins), nu, grown]), 0)
    total = np.sum(candidates, axis=-1, keepdims=True)
    candidates = np.where(total > 0, candidates / np.where(total > 0, total, 1), 1 / field.problem.n)
    try:
        horizon = field.geo.horizon()
    except ValueError:
        nothing = np.full(len(thetas), np.nan)
        return None, candidates[0], nothing, nothing
    bounds = field.largest * horizon.dual_gauge(candidates @ field.rows)
    which, steps = np.argmin(bounds, axis=0), np.arange(len(thetas))
    bound = bounds[which, steps]
    best = np.maximum.accumulate(np.where(bound <= np.minimum.accumulate(bound), steps, 0))
    bound, dual = bound[best], candidates[which[best], best]
    norms = horizon.gauge(thetas)
    margin = np.min(margins, axis=-1) / np.where(norms > 0, norms, 1)
    return horizon, dual, bound, np.where(bound > 0, 1 - margin / bound, np.nan)
