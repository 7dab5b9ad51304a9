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
    is_over: Callable[[float, Array], bool],
    goal: float | None,
    max_steps: int,
    rtol: float,
    grid: Array | None,
    report: Callable[[float, float], None] | None = None,
) -> Course:
    """From 0 to the last of `ts`, or until `is_over(t, state)`, or until f has come down to `goal`.

    All in the units of the flow. Without `ts` the states are those at times of `grid`, or at all steps.
    """
    from scipy.integrate import DOP853

    modes, course = SignFlow(flow), Course()
    due = ts if ts is not None else grid
    reach = float(ts[-1]) if ts is not None else math.inf
    course.times.append(np.zeros(1 if due is None or due[0] == 0 else 0))
    course.states.append(np.broadcast_to(modes.state, (course.times[0].size, modes.state.size)))
    course.pushed = np.zeros(modes.state.size)
    k, first, still = course.times[0].size, flow.first_step(), 0
    while modes.t < reach:
        if is_over(modes.t, modes.state):
            course.ended = "converged"
            break
        if course.steps >= max_steps:
            course.ended = "max_steps"
            break
        if still > _STILL:
            course.ended = "stalled"
            break
        side = np.sign(np.where(modes.state == 0, modes.velocity(modes.t, modes.state), modes.state))
        bound = min(reach, modes.t + 1e14 * first) if math.isinf(reach) else reach
        inner = DOP853(
            modes.velocity,
            modes.t,
            modes.state,
            bound,
            rtol=rtol,
            atol=rtol / 10,
            first_step=min(first, bound - modes.t),
        )
        happened = False
        while not happened and inner.status == "running" and course.steps < max_steps:
            inner.step()
            course.steps += 1
            if inner.status == "failed" or not np.isfinite(inner.y).all():
                course.ended = "nonfinite" if not np.isfinite(inner.y).all() else "stalled"
                return course
            dense, before = inner.dense_output(), modes.t
            at = _event(modes, dense, inner.t_old, inner.t, side)
            over = None if goal is None else _fallen(flow, modes, dense, inner.t_old, at or inner.t, goal)
            end = over or at or inner.t
            _add(modes, course, dense, inner.t_old, end)
            if due is None:
                course.times.append(np.array([end]))
                course.states.append(dense(end)[None])
            else:
                last = int(np.searchsorted(due, end, side="right"))
                course.times.append(due[k:last])
                course.states.append(dense(due[k:last]).T)
                k = max(k, last)
            modes.t, modes.state = end, np.array(dense(end) if end < inner.t else inner.y)
            if report is not None:
                report(modes.t, modes.t)
            if over:
                return course
            if at:
                course.events += 1
                still = still + 1 if end - before <= 1e-14 * end else 0
                modes.settle()
                modes.project()
                course.sliding = max(course.sliding, int(np.sum(modes.slides)))
            elif modes.slides.any():
                gradient = flow.gradient(modes.theta(modes.t, modes.state))
                if np.max(np.abs(gradient[modes.slides])) > rtol:
                    modes.project()
                    at = end
            happened = bool(at) or is_over(modes.t, modes.state)
        first = max(inner.step_size or first, 1e-12 * max(modes.t, 1e-300))
    if ts is not None and k == ts.size:
        return course
    if course.ended == "converged" and ts is not None:  # there it rests
        course.times.append(ts[k:])
        course.ended = "reached_end"
    else:
        course.times.append(np.array([modes.t]))
    course.states.append(np.broadcast_to(modes.state, (course.times[-1].size, modes.state.size)))
    return course


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
    return brentq(gap, start, end, xtol=1e-300, rtol=1e-14) if gap(end) <= 0 else None


def _add(modes: SignFlow, course: Course, dense: Any, start: float, end: float) -> None:
    """The integrals over a part of the last step, by Gauss's rule."""
    times, half = (start + end) / 2 + (end - start) / 2 * _NODES, (end - start) / 2
    v, power = modes.power(times, dense(times).T)
    course.pushed = course.pushed + half * (_WEIGHTS @ v)
    course.lost += half * float(_WEIGHTS @ power)
