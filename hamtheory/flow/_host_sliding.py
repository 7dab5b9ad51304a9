"""Sign flows, the steepest flows of exponent q = 1, as the differential inclusions that they are.

`dz/dt ∈ −φ(∏ w_j) Sign(∇f)`, and `dθ/dt = −(u + b)` with `u_k = M_k v_k`, `v_k ∈ Sign(∂_k f)`, M = dθ/ds, and b what is
smooth. Between events it is a smooth equation: an entry has v_k = ±1, or it slides, ∂_k f = 0, and v_k is what keeps it
there. At an event (a partial derivative vanishes, or a v_k reaches ±1) the velocity is the one of Filippov's,

    u = argmin ‖B(u + b)‖  over  |u_k| ≤ M_k where ∂_k f = 0,    BᵀB the Hessian of f,

for its optimality condition is that ∂_k f rises where v_k = 1, falls where v_k = −1, and stays elsewhere. So nothing
chatters, and a flow arrives at the interpolators, where all entries slide, in finite time.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ._host_steepest import SteepestClassFlow, SteepestFlow

Array = Any

_LEVEL = 1e-13  # below zero, where an event is found
_NEAR = 1e-9  # of zero, the partial derivatives that an event looks at, relative to the largest
_ROUNDING = 1e-15
_INNER = 1e-9  # relative, how far from ±1 a v_k slides
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)
_SAMPLES = np.linspace(0, 1, 17)[1:]
_STILL = 200  # events without time passing, after which it is given up
_SHARP: Any = {"rtol": 1e-14}
_FARTHEST = 1e14  # times the last step, to integrate at most at a time


@dataclass
class Course:
    """What was found: times and states there, how it ended, and what was lost on the way.

    `lost`: f at the start less f at the end, by the integral of the power; `pushed`: ∫v dt.
    """

    times: list[Array] = field(default_factory=list)
    states: list[Array] = field(default_factory=list)
    lost: float = 0.0
    pushed: Any = 0.0
    ended: str = "reached_end"
    steps: int = 0
    events: int = 0
    sliding: int = 0
    modes: Any = None  # at the end


class SignFlow:
    """The flow with the modes of its entries: `sigma` is v where it is ±1, `slides` where it is not."""

    def __init__(self, flow: SteepestFlow | SteepestClassFlow):
        self.flow, self.factors = flow, flow.factors
        self.is_linear = isinstance(flow, SteepestFlow)
        self.state = np.array(flow.factors.start)
        self.t = 0.0
        gradient = flow.gradient(self.theta(0.0, self.state))
        self.sigma, self.slides = np.sign(gradient), np.zeros(gradient.size, bool)
        self._inverse = None
        self.settle()

    def theta(self, t: Array, state: Array) -> Array:
        return self.factors.theta(t, state)

    def hessian_factor(self, theta: Array) -> Array:
        """B, (..., n, d): of ln L that of L, over L, the same where ∇L = 0."""
        flow = self.flow
        if isinstance(flow, SteepestFlow):
            return flow.lift
        return np.sqrt(flow.curved(theta @ flow.rows.T))[..., None] * flow.rows

    def smooth(self, theta: Array, gradient: Array) -> Array:
        """b: what moves θ besides the signs."""
        decay = self.factors.count * self.factors.rate * theta
        return decay + self.flow.hyperbolic(theta) * gradient if self.flow.alpha else decay

    def signs(self, t: Array, state: Array) -> tuple[Array, Array, Array]:
        """v, θ and ∇f at states (..., d)."""
        theta = self.theta(t, state)
        gradient = self.flow.gradient(theta)
        v = np.broadcast_to(self.sigma, theta.shape)
        if not self.slides.any():
            return v, theta, gradient
        metric = self.factors.metric(t, state)
        moved = np.where(self.slides, 0.0, metric * self.sigma) + self.smooth(theta, gradient)
        factor, v = self.hessian_factor(theta), np.array(v)
        inverse = self._inverse if self.is_linear else None
        if inverse is None:
            inverse = np.linalg.pinv(factor[..., self.slides])
            self._inverse = inverse if self.is_linear else None
        kept = -(inverse @ (factor @ moved[..., None]))[..., 0]
        v[..., self.slides] = kept / np.maximum(metric[..., self.slides], np.finfo(float).tiny)
        return v, theta, gradient

    def velocity(self, t: float, state: Array) -> Array:
        v = self.signs(t, state)[0]
        speed = self.factors.moved(t, state)[1]
        velocity = -speed * v
        if self.flow.alpha:
            theta = self.theta(t, state)
            velocity = velocity - self.flow.hyperbolic(theta) * self.flow.gradient(theta)
        return velocity - self.factors.decay(state) if self.factors.rate else velocity

    def power(self, t: Array, state: Array) -> tuple[Array, Array]:
        """v and `−∇f · dθ/dt`."""
        v, theta, gradient = self.signs(t, state)
        moved = self.factors.metric(t, state) * v + self.smooth(theta, gradient)
        return v, np.sum(gradient * moved, axis=-1)

    def stationarity(self) -> float:
        """With weight decay: how fast θ moves, over how fast the decay alone would move it; now, or once the factors
        are balanced, when the metric is least and the signs may no longer hold what they hold now."""
        v, theta, gradient = self.signs(self.t, self.state)
        pull, least = self.smooth(theta, gradient), self.factors.balanced(theta)
        now = np.abs(self.factors.metric(self.t, self.state) * v + pull)
        then = np.where(self.slides, np.abs(pull) - least, np.abs(least * self.sigma + pull))
        return float(np.max(np.maximum(now, then)) / (self.factors.count * self.factors.rate))

    def settle(self) -> None:
        """The modes at an event, of the entries whose partial derivative vanishes: Filippov's velocity."""
        self._inverse = None
        theta = self.theta(self.t, self.state)
        gradient, metric = self.flow.gradient(theta), self.factors.metric(self.t, self.state)
        near = np.abs(gradient) <= _NEAR * np.max(np.abs(gradient)) + 10 * _ROUNDING
        open_entries = self.slides | near | (self.sigma * gradient <= 0)
        asked = np.flatnonzero(open_entries & (metric > 0))
        self.slides = np.zeros(theta.size, bool)
        if not asked.size:
            return
        factor = self.hessian_factor(theta)
        others = np.where(open_entries, 0.0, metric * self.sigma) + self.smooth(theta, gradient)
        found = _nearest(factor[:, asked], -(factor @ others), metric[asked])
        inner = np.abs(found) < metric[asked] * (1 - _INNER)
        self.slides[asked[inner]] = True
        self.sigma[asked] = np.where(inner, 0.0, np.sign(found))

    def project(self) -> None:
        """Back on the manifold where the sliding partial derivatives vanish, by a step of Newton's."""
        if not self.slides.any():
            return
        theta = self.theta(self.t, self.state)
        columns = self.hessian_factor(theta)[:, self.slides]
        missing = self.flow.gradient(theta)[self.slides]
        slope = self.factors.at(self.t, self.state).slope[self.slides]
        change = np.linalg.lstsq(columns.T @ columns, -missing, rcond=1e-12)[0]
        moved = np.where(slope != 0, change / np.where(slope != 0, slope, 1.0), 0.0)
        if np.max(np.abs(moved)) < 1e-6:
            self.state[self.slides] += moved

    def margins(self, t: Array, state: Array, side: Array) -> Array:
        """What becomes negative at an event, (..., 3d): v is σ no longer, slides no longer, or z changes its sign."""
        v, _, gradient = self.signs(t, state)
        largest = np.max(np.abs(gradient), axis=-1, keepdims=True) + _ROUNDING / _LEVEL
        turned = np.where(self.slides, 1.0, self.sigma * gradient / largest)
        left = np.where(self.slides, 1 - np.abs(v), 1.0)
        crossed = side * state if self.factors.count > 1 or self.flow.alpha else np.ones_like(state)
        return np.concatenate([turned, left, crossed], axis=-1)


def _nearest(columns: Array, target: Array, bound: Array) -> Array:
    """The u of least `‖columns u − target‖` within ±bound."""
    if bound.size == 1:
        square = float(columns[:, 0] @ columns[:, 0])
        return np.clip(columns.T @ target / square if square else np.zeros(1), -bound, bound)
    from scipy.optimize import lsq_linear

    scaled = columns * bound  # in units in which the box is that of v
    return lsq_linear(scaled, target, (-1, 1), method="bvls", tol=1e-15).x * bound


def integrate(
    flow: SteepestFlow | SteepestClassFlow,
    ts: Array | None,
    is_over: Callable[[SignFlow], bool],
    goal: float | None,
    max_steps: int,
    rtol: float,
    grid: Array | None,
) -> Course:
    """From 0 to the last of `ts`, or until `is_over(modes)`, or until f has come down to `goal`.

    All in the units of the flow. Without `ts` the states are those at times of `grid`, or at all steps.
    """
    return _Run(flow, ts, is_over, goal, max_steps, rtol, grid).run()


class _Run:
    """From event to event: between them by SciPy's DOP853, of which an event is found on its dense output."""

    def __init__(self, flow, ts, is_over, goal, max_steps, rtol, grid):
        self.flow, self.ts, self.goal = flow, ts, goal
        self.is_over, self.max_steps, self.rtol = is_over, max_steps, rtol
        self.modes, self.course = SignFlow(flow), Course(pushed=np.zeros(flow.factors.start.size))
        self.due = ts if ts is not None else grid
        self.reach = float(ts[-1]) if ts is not None else math.inf
        self.first, self.still, self.k = flow.first_step(), 0, 0
        if self.due is None or self.due[0] == 0:
            self._save(np.zeros(1), self.modes.state[None])

    def run(self) -> Course:
        course, modes = self.course, self.modes
        ended = None
        while ended is None and modes.t < self.reach:
            if self.is_over(modes):
                ended = "converged"
            elif course.steps >= self.max_steps:
                ended = "max_steps"
            elif self.still > _STILL:
                ended = "stalled"
            else:
                ended = self._piece()
        course.ended, course.modes = ended or "reached_end", modes
        self._rest()
        return course

    def _piece(self) -> str | None:
        """Up to the next event; says how the flow ended, if it did."""
        from scipy.integrate import DOP853

        modes, first = self.modes, self.first
        side = np.sign(np.where(modes.state == 0, modes.velocity(modes.t, modes.state), modes.state))
        bound = min(self.reach, modes.t + _FARTHEST * first)
        options: dict[str, Any] = {"rtol": self.rtol, "atol": self.rtol / 10 * modes.factors.unit(modes.t)}
        inner: Any = DOP853(
            modes.velocity, modes.t, modes.state, bound, first_step=min(first, bound - modes.t), **options
        )
        while inner.status == "running" and self.course.steps < self.max_steps:
            inner.step()
            self.course.steps += 1
            if not np.isfinite(inner.y).all():
                return "nonfinite"
            if inner.status == "failed":
                return "stalled"
            if (how := self._stepped(inner, side)) is not None:
                self.first = max(float(inner.step_size or first), 1e-12 * max(modes.t, 1e-300))
                return how or None
        self.first = float(inner.step_size or first)  # to go on from the bound
        return None

    def _stepped(self, inner: Any, side: Array) -> str | None:
        """After a step: how the flow ended, "" at an event, None to go on."""
        modes, before = self.modes, float(inner.t_old)
        dense = inner.dense_output()
        at = _event(modes, dense, before, float(inner.t), side)
        over = None if self.goal is None else _fallen(self.flow, modes, dense, before, at or float(inner.t), self.goal)
        end = over or at or float(inner.t)
        _add(modes, self.course, dense, before, end)
        self._save_until(dense, end)
        modes.t, modes.state = end, np.array(dense(end) if end < inner.t else inner.y)
        if over:
            return "reached_end"
        if at:
            self.course.events += 1
            self.still = self.still + 1 if end - before <= 1e-14 * end else 0
            modes.settle()
            modes.project()
            self.course.sliding = max(self.course.sliding, int(np.sum(modes.slides)))
            return ""
        drifted = modes.slides.any() and self._drift() > self.rtol
        if drifted:
            modes.project()
        return "" if drifted or self.is_over(modes) else None

    def _drift(self) -> float:
        gradient = self.flow.gradient(self.modes.theta(self.modes.t, self.modes.state))
        return float(np.max(np.abs(gradient[self.modes.slides])))

    def _save(self, times: Array, states: Array) -> None:
        self.course.times.append(times)
        self.course.states.append(states)
        self.k += times.size

    def _save_until(self, dense: Any, end: float) -> None:
        if self.due is None:
            self._save(np.array([end]), dense(end)[None])
            return
        last = int(np.searchsorted(self.due, end, side="right"))
        if last > self.k:
            times = self.due[self.k : last]
            self._save(times, dense(times).T)

    def _rest(self) -> None:
        """The end; of given times those that are left, at which it rests, if it has come to rest."""
        left = np.zeros(0) if self.ts is None else self.ts[self.k :]
        if self.ts is not None and not left.size:
            return
        modes = self.modes
        if self.ts is None or self.course.ended != "converged":
            left, states = np.array([modes.t]), modes.state[None]
        elif modes.factors.rate:  # θ rests, and the imbalance of its factors decays
            self.course.ended = "reached_end"
            states = modes.factors.state_of(left, modes.theta(modes.t, modes.state))
        else:
            self.course.ended = "reached_end"
            states = np.broadcast_to(modes.state, (left.size, modes.state.size))
        self._save(left, states)


def _event(modes: SignFlow, dense: Any, start: float, end: float, side: Array) -> float | None:
    """The first time at which one of the margins is below zero, in the last step: sampled ever more closely."""
    left, right, found = start, end, None
    while True:
        times = left + (right - left) * _SAMPLES
        below = np.any(modes.margins(times, dense(times).T, side) < -_LEVEL, axis=-1)
        if not below.any():
            return found
        row = int(np.argmax(below))
        found = float(times[row])
        left, right = (float(times[row - 1]) if row else left), found
        if right - left <= 4e-16 * right:
            return found


def _fallen(flow: Any, modes: SignFlow, dense: Any, start: float, end: float, goal: float) -> float | None:
    """When f comes down to the goal, in the last step."""
    from scipy.optimize import brentq

    gap = lambda t: float(flow.value(modes.theta(t, dense(t)))) - goal  # noqa: E731
    found: Any = brentq(gap, start, end, xtol=1e-300, **_SHARP) if gap(end) <= 0 else None
    return found


def _add(modes: SignFlow, course: Course, dense: Any, start: float, end: float) -> None:
    """The integrals over a part of the last step, by Gauss's rule."""
    times, half = (start + end) / 2 + (end - start) / 2 * _NODES, (end - start) / 2
    v, power = modes.power(times, dense(times).T)
    course.pushed = course.pushed + half * (_WEIGHTS @ v)
    course.lost += half * float(_WEIGHTS @ power)
