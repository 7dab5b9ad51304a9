"""The two equations of high dimension, solved for ln τ and ln κ/τ, of many instances at once.

In units where θ and R′ are of order one, with D = E η′ and ρ the strength of weight decay (0 without):
`τ² = σ² + E(η − Θ)²/δ` and `D = δ(1 − ρ/κ)`. The steps are Newton's in both; τ stays while the second equation is far
from solved, within bounds that signs have proved, and so does κ/τ within its bounds for one τ.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from .._array import Struct, mapped
from ._panels import Moments, Panels
from ._prior import Prior

LEAST = -300.0  # ln τ below it is a recovery
_CLOSE = 0.3  # of the second equation: from here on τ moves
_KEPT = 0.1  # the most that nodes are kept for
ENOUGH = 1e-6  # a step as small leaves its square
_SATURATED = 1e-12


class Equations(Struct):
    """The equations of many instances: all arrays (instances,).

    Attributes:
        sources: The geometry or the penalty, or one for each atom, their parameters scalars or (instances, 1, 1, 1).
        unit: Their mean R′ at 1.
        delta: δ.
        noise: σ².
        decay: ln ρ, −∞ without weight decay.
    """

    sources: tuple[Any, ...]
    unit: np.ndarray
    delta: np.ndarray
    noise: np.ndarray
    decay: np.ndarray

    def some(self, which: np.ndarray) -> "Equations":
        """Those of some instances: a mask, or increasing numbers."""
        if which.all() if which.dtype == bool else which.size == self.delta.size:
            return self
        return mapped(lambda leaf: leaf[which] if np.ndim(leaf) else leaf, self)

    def mirror(self, size: float, atom: np.ndarray) -> Callable:
        """R′ in units, for the entries of these atoms, at θ of shape (instances or 1, entries, ., .)."""
        maps = [getattr(source, "mirror_map", None) or source.derivative for source in self.sources]
        unit = self.unit[:, None, None, None]
        if len(maps) == 1:
            return lambda theta: maps[0](size * theta) / unit
        ends = np.searchsorted(atom, np.arange(len(maps) + 1))
        own = [(of, slice(*pair)) for of, *pair in zip(maps, ends, ends[1:], strict=False) if pair[0] < pair[1]]
        return lambda theta: np.concatenate([of(size * theta[:, some]) / unit for of, some in own], axis=1)

    def start(self) -> tuple[np.ndarray, np.ndarray]:
        """The solution for R = θ²/2 and E(Θ − θ₀)² = 1."""
        ridge, delta = np.exp(self.decay), self.delta
        b = 1 - delta + delta * ridge
        root = np.sqrt(b * b + 4 * delta**2 * ridge)
        kappa = np.where(b > 0, (b + root) / (2 * delta), 2 * delta * ridge / (root - b))
        gain = delta - 1 + kappa * (2 + kappa) / (1 + kappa) ** 2  # δ − η′²
        tau = np.sqrt((self.noise * delta + (kappa / (1 + kappa)) ** 2) / gain)
        return np.log(tau), np.log(kappa / tau)

    def linearised(self, moments: Moments, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, ...]:
        """Both residuals, and their derivatives by x = ln τ and y = ln κ/τ; and where the second is within rounding.

        The second is the difference of the logits of D and of δ(1 − ρ/κ), nearly linear in y, or ln(D/δ + ρ/κ).
        """
        square, slope, square_x, square_y, slope_x, slope_y = moments
        total = self.noise + square / self.delta
        share = np.exp(self.decay - x - y)
        target = self.delta * (1 - share)
        plain = (self.delta > 1) | (share > 0.5)  # then it is the logits that are lost in rounding
        known = plain | ((np.maximum(slope, target) < 1 - 10 * _SATURATED) & (target > 0))
        slope, target = (np.clip(value, 1e-300, 1 - _SATURATED) for value in (slope, target))
        whole = slope / self.delta + share
        second = np.where(plain, np.log(whole), np.log(slope / target) - np.log((1 - slope) / (1 - target)))
        by_slope = np.where(plain, 1 / (self.delta * whole), 1 / (slope * (1 - slope)))
        shift = share * np.where(plain, 1 / whole, self.delta / (target * (1 - target)))
        by_x = np.where(known, by_slope * (slope_x + slope_y) - shift, 0.0)
        by_y = np.where(known, np.minimum(by_slope * slope_y - shift, -1e-3), -1.0)
        by_tau, by_kappa = (square_x + square_y) / self.delta / total - 2, square_y / self.delta / total
        return np.log(total) - 2 * x, second, by_tau, by_kappa, by_x, by_y, known


class _State(Struct):
    """x = ln τ and y = ln κ/τ, the bounds of each, how far x may go, and E(η − Θ)² there; of many instances."""

    x: np.ndarray
    y: np.ndarray
    x_low: np.ndarray
    x_high: np.ndarray
    y_low: np.ndarray
    y_high: np.ndarray
    most: np.ndarray
    square: np.ndarray
    step: np.ndarray


def _state(x: np.ndarray, y: np.ndarray) -> _State:
    none = lambda: np.full(x.shape, np.inf)  # noqa: E731
    return _State(x.copy(), y.copy(), -none(), none(), -none(), none(), np.ones(x.shape), none(), none())


def _advance(equations: Equations, moments: Moments, state: _State) -> _State:
    first, second, a, b, c, d, known = equations.linearised(moments, state.x, state.y)
    along, slope = first - b / d * second, a - b / d * c  # the first equation where the second holds
    close = known & (np.abs(second) < _CLOSE)
    moves = close | (np.minimum(first, second) > 0) & (b > 0)  # with κ/τ the first only grows
    x_low = np.where(moves & (along > 0), np.maximum(state.x_low, state.x), state.x_low)
    x_high = np.where(moves & (along < 0), np.minimum(state.x_high, state.x), state.x_high)
    dx = np.clip(np.where(slope < 0, -along / slope, np.copysign(np.inf, along)), -state.most, state.most)
    outside = ~((state.x + dx > x_low) & (state.x + dx < x_high)) & np.isfinite(x_high - x_low)
    dx = np.where(moves, np.where(outside, (x_low + x_high) / 2 - state.x, dx), 0.0)
    y_low = np.where(second > 0, np.maximum(state.y_low, state.y), state.y_low)
    y_high = np.where(second < 0, np.minimum(state.y_high, state.y), state.y_high)
    dy = np.clip(-(second + c * dx) / d, -2, 2)
    outside = ~moves & ~((state.y + dy > y_low) & (state.y + dy < y_high)) & np.isfinite(y_high - y_low)
    dy = np.where(outside, (y_low + y_high) / 2 - state.y, dy)
    square = moments.square + (moments.square_by_tau + moments.square_by_kappa) * dx + moments.square_by_kappa * dy
    return _State(
        state.x + dx,
        state.y + dy,
        x_low,
        x_high,
        np.where(moves, -np.inf, y_low),
        np.where(moves, np.inf, y_high),
        np.where(np.abs(dx) >= state.most, 2 * state.most, 1.0),
        square,
        np.where(close, np.maximum(np.abs(dx), np.abs(dy)), np.inf),
    )


def solve(
    equations: Equations, prior: Prior, level: int, x: np.ndarray, y: np.ndarray, max_steps: int
) -> tuple[_State, np.ndarray, np.ndarray]:
    """The solutions by one rule, from a guess, the steps taken, and `E|η|` and `(E η²)^½` there, (2, instances)."""
    nodes = prior.nodes(level)

    def placed(some: Equations, tau: np.ndarray, kappa: np.ndarray) -> Panels:
        mirror = some.mirror(prior.size, nodes.atom)
        return Panels(mirror, nodes.over(prior.size), tau, kappa, *prior.rules[level][:2])

    whole, steps, norms = _state(x, y), np.zeros(x.size, int), np.full((2, x.size), np.nan)
    active, some, state = np.arange(x.size), equations, _state(x, y)
    running = np.ones(x.size, bool)
    panels: Any = None
    for step in range(1, max_steps + 1):
        tau, kappa = np.exp(state.x), np.exp(state.x + state.y)
        stale = ~(state.step <= _KEPT)  # of each for itself: what it gives depends on no other
        if panels is None:
            panels = placed(some, tau, kappa)
        elif stale.any():
            panels.put(stale, placed(some.some(stale), tau[stale], kappa[stale]))
        state = _advance(some, panels.moments(tau, kappa), state)
        now = active[running]
        steps[now] += 1
        for name in ("x", "y", "square", "step"):
            getattr(whole, name)[now] = getattr(state, name)[running]
        ended = running & (~((state.step > ENOUGH) & (state.x > LEAST)) | (step == max_steps))
        if ended.any():
            norms[:, active[ended]] = panels.norms(ended, np.exp(state.x), np.exp(state.x + state.y))
        running &= ~ended
        if not running.any():
            break
        if np.count_nonzero(running) <= active.size / 2:
            active, some, state = active[running], some.some(running), mapped(lambda leaf: leaf[running], state)  # noqa: B023
            panels.keep(running)
            running = running[running]
    return whole, steps, norms
