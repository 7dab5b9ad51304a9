"""Steepest flows of a classification loss in the clock `s = ∫ L^(q−1) dt`, and the time that belongs to it."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ._host_steepest import SteepestClassFlow

Array = Any

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)
_SHARP: Any = {"rtol": 1e-14}
_RESOLVED = 2.0  # the change of ln dt/ds over a piece of the quadrature of t


class Path:
    """The states at all steps, or at times: `clock`, `states` and `log_ts`."""

    def __init__(self, flow: SteepestClassFlow, after_step: Callable[[float, float, Any], Any]):
        self.flow, self._after_step = flow, after_step
        self.inner: Any = flow.integrator(flow, flow.first_step(), math.inf)
        self.clock, self.states, self.log_ts = [0.0], [self.inner.state], [-math.inf]
        self._log_t = -math.inf

    def run(self, ts: Array | None, goal: float | None, is_over: Callable[[float, Array], bool], max_steps: int) -> str:
        """Down to the goal, or through all times; says how it ended."""
        due: list[Any] = [] if ts is None else list(np.log(ts[ts > 0]))
        if ts is not None and ts[0] > 0:
            self.clock, self.states, self.log_ts = [], [], []
        inner = self.inner
        while ts is None or due:
            if inner.accepted + inner.rejected >= max_steps:
                return self._ended("max_steps")
            if not inner.step():
                return self._ended("stalled" if np.isfinite(inner.velocity).all() else "nonfinite")
            self.flow.latest = inner.t
            after = self._log_time(inner.t)
            while due and due[0] <= after:
                self._add(self._root(lambda s: self._log_time(s) - due[0]), due[0])
                due.pop(0)
            if goal is not None and self._log_loss(inner.t) <= goal:
                last = self._root(lambda s: goal - self._log_loss(s))
                self._after_part(last)
                self._add(last, self._log_time(last))
                return "reached_end"
            self._after_part(inner.t if ts is None or due else self.clock[-1])
            self._log_t = after
            if ts is None:
                self._add(inner.t, after)
            if is_over(inner.t, inner.state):
                for log_t in due:  # there it stays
                    self._add(inner.t, log_t)
                return "converged"
        return "reached_end"

    def _after_part(self, end: float) -> None:
        self._after_step(self.inner.t_old, end, self.inner)

    def _ended(self, how: str) -> str:
        self._add(self.inner.t, self._log_t)
        return how

    def _add(self, clock: float, log_t: float) -> None:
        self.clock.append(clock)
        self.states.append(self._at(np.array([clock]))[0])
        self.log_ts.append(float(log_t))

    def _at(self, clock: Array) -> Array:
        return self.inner.interpolate(clock) if self.inner.accepted else self.inner.state[None]

    def _losses(self, clock: Array) -> Array:
        return self.flow.value(self.flow.factors.theta(clock, self._at(clock)))

    def _log_loss(self, clock: float) -> float:
        return float(self._losses(np.array([clock]))[0])

    def _log_time(self, clock: float) -> float:
        return float(np.logaddexp(self._log_t, self._log_elapsed(clock)))

    def _log_elapsed(self, clock: float) -> float:
        """`ln ∫ L^(1−q) ds` from the start of the last step."""
        begin, unit = self.inner.t_old, math.log(self.flow.clock_unit)
        if clock <= begin:
            return -math.inf
        ends = self._losses(np.array([begin, clock]))
        pieces = 1 + int(min(abs(ends[1] - ends[0]) * (self.flow.q - 1) / _RESOLVED, 1000))
        edges = np.linspace(begin, clock, pieces + 1)
        half = np.diff(edges)[:, None] / 2
        times = (edges[:-1, None] + half) + half * _NODES
        logs = (1 - self.flow.q) * self._losses(times.ravel()).reshape(times.shape) + np.log(half * _WEIGHTS)
        return float(np.logaddexp.reduce(logs, axis=None)) + unit

    def _root(self, gap: Callable[[float], float]) -> float:
        """Where, in the last step, a rising function is zero."""
        from scipy.optimize import brentq

        bounded = lambda s: max(gap(s), -1e300)  # noqa: E731  (ln t is −∞ at the start)
        found: Any = brentq(bounded, self.inner.t_old, self.inner.t, xtol=1e-300, maxiter=1000, **_SHARP)
        return float(found)
