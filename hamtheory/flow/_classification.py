"""Flows of a classification loss, down to losses that no number can hold, on the host.

`_host_classes` has the equations; the integrator is that of all flows on the host, collocation. What ν has grown by,
over its sum, is a point of the dual of the margin problem: weak duality then bounds how far the direction is from the
best margin, at every time.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .._array import in_dtype, quiet
from .._result import Result, throw_unless
from .._threads import threads_for
from .._validate import count, fits, is_traced, start, times, tolerance
from ..geometry import AbstractGeometry, Horizon, refuse_dead_zone
from ..problem import BinaryClassification
from ._host_classes import ClassFlow
from ._host_collocation import Collocation
from ._result import ClassificationFlow

_DEFAULT = -300.0  # of ln L, where there is neither `log_loss` nor `ts`
_REACH = 16
_FARTHEST = 1e300
_THERE = 1e-8  # relative, how near to `log_loss` the end is
_TINY = np.finfo(float).tiny
_MEMORY = 30.0  # by so much less ln L, v has forgotten that it was 0 at first
_RESOLVED = 3.0  # and until then, a step with so much less ln L follows it
_EASED = 100.0  # times `rtol`, the error of t where it is not asked for
_SHORTEST = 1e-9  # relative to the clock, a step that is not made again
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
    if not isinstance(geo, AbstractGeometry):
        raise TypeError(f"geo must be a geometry; got {geo!r}")
    refuse_dead_zone(geo, "solve_flow of a classification")
    geo = in_dtype(geo, problem.dtype)
    fits(geo, problem.d)
    first = np.asarray(start(theta0, problem.d, problem.dtype), float)
    rtol = tolerance(rtol, "rtol", problem.dtype, _REACH)
    atol = tolerance(atol, "atol", np.float64, 0)  # in which it is integrated
    budget = count(max_steps, "max_steps")
    with quiet(), threads_for(problem.n, problem.d, least=0):
        field = ClassFlow(problem, geo, first, coordinates or "dual", rtol, atol)
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
        path = _Path(field, rtol * (1 if log_loss is None and ts is not None else _EASED))
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
    """A state, s there, ν, and `v = L t`, all in the units of the flow."""

    state: np.ndarray
    clock: float
    nu: np.ndarray
    v: float


class _Path:
    """An integrator that also knows ν and t: `dv/ds = 1 + v d ln L/ds`, v being of the size of a step of the clock."""

    def __init__(self, field: ClassFlow, within: float):
        self._within = within  # the relative error of t, as long as it remembers its start
        self.field, self.inner = field, Collocation(field, _FIRST, math.inf)
        self._others = np.zeros((1, field.problem.n + 1))  # ν and v, at the start and at the nodes of the last step
        theta = field.theta(self.inner.state)
        self._first = self._gain = -float(field.problem.log_loss_at(field.margins(theta)))  # −ln L
        self._fall = max(float(field.fall(theta, field.weights_at(theta))), _TINY)

    def end(self) -> _Point:
        return _Point(self.inner.state, self.inner.t, self._others[-1, :-1], self._others[-1, -1])

    def step(self) -> bool:
        """One step; False if none can be made."""
        inner = self.inner
        while True:
            remembers, before = self._gain - self._first < _MEMORY, vars(inner).copy()
            if remembers:
                inner.h = min(inner.h, _RESOLVED / self._fall)
            if not inner.step():
                return False
            _, states = inner.nodes()
            thetas = self.field.theta(states)
            margins = self.field.margins(thetas)
            q, gains = self.field.problem.weights_at(margins), -self.field.problem.log_loss_at(margins)
            fall, steps, start = self.field.fall(thetas, q), inner.integral(np.eye(len(states))), self._others[-1]
            # v by the same collocation: it is linear in v, which may be stiff.
            v = np.linalg.solve(np.eye(len(states)) + steps[1:] * fall, start[-1] + np.sum(steps[1:], axis=1))
            length, rises = inner.t - inner.t_old, np.diff(gains, prepend=self._gain)
            with_start = np.log(np.maximum(np.append(start[-1], v), 0))
            missed = float(abs(inner.missed(length, 1 - start[-1] * self._fall, 1 - fall * v)))
            is_sound = bool(np.all(np.diff(with_start) + rises > 0))
            is_known = is_sound and gains[-1] - self._gain <= 2 * _RESOLVED and missed <= self._within * abs(v[-1])
            if is_known or not remembers or not length > _SHORTEST * inner.t:
                break
            vars(inner).update(before)  # once more, with a shorter step
            inner.h = length / 3
        others = start + steps @ np.column_stack([q, 1 - fall * v])
        if not is_sound:  # the force is lost in rounding, but not the loss
            others[1:, -1] = _followed(start[-1], np.diff(inner.nodes()[0], prepend=inner.t_old), rises)
        self._others, self._gain, self._fall = others, float(gains[-1]), max(float(fall[-1]), _TINY)
        return True

    def nodes(self, before: float = math.inf) -> list[_Point]:
        """The nodes of the last step, those before a time of the clock."""
        clock, states = self.inner.nodes()
        points = map(_Point, states, clock.tolist(), self._others[1:, :-1], self._others[1:, -1].tolist())
        return [point for point in points if point.clock < before]

    def at(self, clock: float) -> _Point:
        """The point at a time in the last step."""
        others = (self.inner.basis(np.array([clock])) @ self._others)[0]
        return _Point(self.inner.interpolate(np.array([clock]))[0], clock, others[:-1], others[-1])

    def log_loss(self, point: _Point) -> float:
        return float(self.field.problem.log_loss_at(self.field.margins(self.field.theta(point.state))))

    def log_time(self, point: _Point) -> float:
        return float(np.log(max(self.field.unit * point.v, 0.0))) - self.log_loss(point)

    def crossing(self, value: Callable[[_Point], float], target: float) -> _Point:
        """Where in the last step a rising function of the point is at its target."""
        from scipy.optimize import brentq

        gap = lambda s: max(value(self.at(s)) - target, -_FARTHEST)  # noqa: E731  (ln t is −∞ at the start)
        clock: Any = brentq(gap, self.inner.t_old, self.inner.t, xtol=1e-300, maxiter=2000)
        return self.at(clock)


def _followed(v: float, steps: np.ndarray, rises: np.ndarray) -> np.ndarray:
    """v after steps of the clock in which −ln L rises linearly."""
    found = []
    for step, rise in zip(steps, rises, strict=True):
        v = v * math.exp(-rise) + step * (-math.expm1(-rise) / rise if rise > 0 else 1.0)
        found.append(v)
    return np.array(found)


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
            last = path.crossing(lambda point: -path.log_loss(point), -goal) if now >= -goal else None
            points += path.nodes() if last is None else [*path.nodes(before=last.clock), last]
            if last is not None:
                is_there = abs(path.log_loss(last) - goal) <= _THERE * max(1.0, abs(goal))
                return ended(Result.reached_end if is_there else Result.stalled)
        while due and path.log_time(path.end()) >= due[0]:
            points.append(path.crossing(path.log_time, due.pop(0)))
        # A saddle, which the flow leaves again, is no rest: of separable classes there is none.
        if margins.min() <= 0 and field.rests(theta) and not field.problem.is_separable:
            points += [path.end() for _ in due]  # there it stays: at all times that are still to come
            return ended(Result.infeasible)
    return ended(Result.reached_end)


def _result(path: _Path, points: list[_Point], ended: Result, instants: np.ndarray | None) -> ClassificationFlow:
    field, inner = path.field, path.inner
    states, clock, nus, vs = (np.array(part) for part in zip(*points, strict=True))
    thetas = field.theta(states)
    margins = field.margins(thetas)
    log_loss = field.problem.log_loss_at(margins)
    log_ts = np.log(np.maximum(field.unit * vs, 0)) - log_loss
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
