"""Flows that take d numbers: in θ itself, and in its image under the mirror map."""

from typing import Any

import numpy as np

from ._host_flows import Flow, euclidean, natural_gradient
from ._host_jacobians import DiagonalPlusLowRank

Array = Any


class PrimalFlow(Flow):
    """`dθ/dt = −g_t⁻¹(θ) ⊙ ∇f(θ) − cθ` in θ itself: d numbers, any weight decay."""

    def __init__(self, problem, geo, theta0, weight_decay=0.0, tolerance=1e-9, absolute=None):
        super().__init__(problem, theta0, tolerance)
        self.geo, self.weight_decay = geo, float(weight_decay)
        self.has_projection = self.weight_decay == 0
        size = np.full(problem.d, self.size)
        mirrored, metric = geo.scales(size)
        self.metric = float(np.max(metric))
        self.time_unit = 1 / self.metric / self.strength / self.strength
        # An error of one dual unit at zero, where the metric, and with it what an error in θ means, is smallest.
        at_zero = mirrored * (geo.inverse_metric(np.zeros(problem.d)) / self.size)
        self.floor = np.minimum(1.0, np.fmax(at_zero, np.finfo(float).tiny))
        self._absolute = self.floor * (tolerance if absolute is None else absolute)
        moved, rate = geo.decayed(0.0, self.weight_decay) if self.weight_decay else (geo, 0.0)
        self.autonomous, self._rate = moved is geo, float(np.max(rate)) * self.time_unit
        self.start = self.theta0 / self.size

    def _inverse_metric(self, t, state):
        geo = self.geo
        if not self.autonomous:
            geo, _ = geo.decayed(np.asarray(t)[..., None] * self.time_unit, self.weight_decay)
        return geo.inverse_metric(state * self.size) * (1 / self.metric)

    def velocity(self, t, state):
        return -self._inverse_metric(t, state) * natural_gradient(self, state) - self._rate * state

    def linearise(self, t, state):
        nudge = 1e-6 * (np.abs(state) + self.floor)
        slope = (self._inverse_metric(t, state + nudge) - self._inverse_metric(t, state - nudge)) / (2 * nudge)
        diagonal = self._rate + slope * natural_gradient(self, state)
        return DiagonalPlusLowRank(diagonal, self._inverse_metric(t, state), self.lift, np.ones(1))

    def weights(self, state):
        return 1 / (self._absolute + self.tolerance * np.abs(state))

    def norm(self, weighted):
        return float(np.max(np.abs(weighted)))

    def points(self, t, state):
        return state * self.size

    def physical_state(self, state):
        return state * self.size

    def signals(self, t, state):
        return state, 0.0

    def residual(self, state, velocity):
        return 0.0 if self.weight_decay else self._residual_unit * euclidean(self.lift @ state - self.target)

    def fastest_rate(self):
        return 1.0

    def first_step(self):
        speed = self.norm(self.velocity(0.0, self.start))
        return min(0.01 / speed if speed > 0 else 1.0, 0.1)


class MirrorFlow(Flow):
    """`dR′(θ)/dt = −∇f(θ) − cθ/g⁻¹(θ)` in R′(θ): d numbers, weight decay of a geometry that it does not move.

    Smoother than in θ: where the metric has a kink, so has the velocity there, and here only its derivative.
    """

    def __init__(self, problem, geo, theta0, weight_decay=0.0, tolerance=1e-9):
        super().__init__(problem, theta0, tolerance)
        self.geo, self.weight_decay = geo, float(weight_decay)
        self.has_projection = self.weight_decay == 0
        origin = np.asarray(geo.mirror_map(self.theta0), float)
        mirrored, metric = geo.scales(np.full(problem.d, self.size))
        self.mirror_size = max(float(np.max(mirrored)), float(np.max(np.abs(origin))))
        self.metric = float(np.max(metric))
        self.time_unit = self.mirror_size / self.size / self.strength / self.strength
        rate = geo.decayed(0.0, self.weight_decay)[1] if self.weight_decay else 0.0
        self._rate = float(np.max(rate)) * self.time_unit
        self.start = origin / self.mirror_size
        self._weights = np.full(problem.d, self.mirror_size * self.metric / self.size / self.tolerance)

    def points(self, t, state):
        return self.geo.inverse_mirror_map(state * self.mirror_size)

    def _decay(self, theta):
        return theta / self.geo.inverse_metric(theta) * (1 / self.mirror_size)

    def velocity(self, t, state):
        theta = self.points(t, state)
        velocity = -natural_gradient(self, theta * (1 / self.size))
        return velocity - self._rate * self._decay(theta) if self._rate else velocity

    def linearise(self, t, state):
        slope = self.geo.inverse_metric(self.points(t, state)) * (self.mirror_size / self.size)
        nudge = 1e-6 * (np.abs(state) + 1e-3)
        above, below = (self._decay(self.points(t, state + sign * nudge)) for sign in (1, -1))
        return DiagonalPlusLowRank(self._rate * (above - below) / (2 * nudge), np.ones(1), self.lift, slope)

    def weights(self, state):
        return self._weights

    def norm(self, weighted):
        return float(np.max(np.abs(weighted)))

    def physical_state(self, state):
        return state * self.mirror_size

    def signals(self, t, state):
        return state, 0.0

    def residual(self, state, velocity):
        if self.weight_decay:
            return 0.0
        return self._residual_unit * euclidean(self.lift @ (self.points(0.0, state) / self.size) - self.target)

    def fastest_rate(self):
        return self.metric * self.mirror_size / self.size

    def first_step(self):
        speed = self.norm(self.velocity(0.0, self.start))
        return min(0.01 / speed if speed > 0 else 1.0, 0.1 / self.fastest_rate())
