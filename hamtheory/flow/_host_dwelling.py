"""The flow of a geometry with a dead zone, exactly: linear between the times when an entry leaves 0 or comes to it.

In the coordinates x of the row space, with M and b as below, `dx/dt = b − Mz`, `z = (u − h)₊ + (u + l)₋`, `u = Mᵀx`. As
long as the support S stays, `v = dx/dt` obeys `dv/dt = −M_S M_Sᵀ v`: with the singular values σ and vectors U of M_S,
`v = U e^(−σ²t) Uᵀv₀ + v_⊥`, v_⊥ staying as it is.

The support changes where some u reaches h or −l. How far it is, and how fast it comes closer, is known, and its second
derivative is at most a sum of falling exponentials: a parabola below the distance says for how long nothing can happen.
Steps of that length never pass an event, and come to it as Newton's method does. θ is continuous there, and so is v:
what is rounded at an event is not amplified.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._array import quiet
from .._dead_zone import DeadZone
from ._host import LOGARITHMIC_TIMES, Trajectory

Array = Any
_EPS = float(np.finfo(np.float64).eps)
_NEAR = 16 * _EPS  # of h, l and θ: at an event
_REST = 1e-13  # of b: a velocity that stays as it is and is below is rounding
_LAST = 1e-15  # relative residual: below, it is rounding
_STILL = 50  # events an entry without time passing, to rounding, after which it is given up
_HORIZON = 1e14  # of the time of the slowest direction


@dataclass
class Piece:
    """The flow on one support, from `begin` on: x, u and v there; U, σ² and Uᵀv; v_⊥ or None."""

    begin: float
    x: Array
    u: Array
    along: Array
    squares: Array
    part: Array
    rest: Array | None
    modes: Array  # MᵀU, (d, modes)
    drift: Array | float  # Mᵀv_⊥

    def moved(self, by: Array) -> Array:
        """`∫ e^(−σ²t) dt Uᵀv` over a time, (..., modes)."""
        exponent = self.squares * np.asarray(by)[..., None]
        return np.where(exponent > 0, -np.expm1(-exponent) / np.where(exponent > 0, exponent, 1), 1.0) * (
            np.asarray(by)[..., None] * self.part
        )

    def at(self, by: Array) -> Array:
        """u after a time."""
        found = self.u + self.moved(by) @ self.modes.T
        return found if self.rest is None else found + np.multiply.outer(by, self.drift)

    def states(self, by: Array) -> Array:
        """x after a time."""
        found = self.x + self.moved(by) @ self.along.T
        return found if self.rest is None else found + np.multiply.outer(by, self.rest)

    def speed(self, by: float) -> tuple[Array, Array, Array]:
        """du/dt after a time, its rounding, and a bound on the size of its derivative from then on."""
        part, sizes = np.exp(-self.squares * by) * self.part, np.abs(self.modes)
        noise = 8 * _EPS * (sizes @ np.abs(part) + np.abs(self.drift))
        return self.modes @ part + self.drift, noise, sizes @ np.abs(self.squares * part)

    def velocity(self, by: float) -> float:
        """`‖v‖` after a time."""
        falling = np.linalg.norm(np.exp(-self.squares * by) * self.part)
        return float(np.hypot(falling, 0.0 if self.rest is None else np.linalg.norm(self.rest)))

    def ahead(self, by: float) -> Array:
        """How far u can still go from there on, if the support stays; infinite with a v_⊥."""
        if self.rest is not None:
            return np.full(len(self.u), np.inf)
        with quiet():
            left = np.abs(np.exp(-self.squares * by) * self.part / self.squares)
        return np.abs(self.modes) @ np.nan_to_num(left, nan=0.0, posinf=np.inf)


class DwellingFlow:
    """From θ₀ on, in natural units: θ of size 1, and the fastest rate of gradient descent 1.

    Attributes:
        status: Of every entry, −1, 0 or 1: its sign, but of one without a dead zone that it has had last.
        events: The times with the entries and the status before and after.
    """

    def __init__(self, problem: Any, geo: Any, theta0: Array):
        self.zone = zone = DeadZone(problem, geo, theta0)
        s = np.asarray(problem.row_space.singular_values, float)[: len(zone.target)]
        stiffest = float(np.max(s, initial=0.0)) or 1.0
        self.relative = s / stiffest
        self.matrix, self.target = self.relative[:, None] * zone.matrix, self.relative * zone.target
        self.high, self.low = zone.thresholds()
        self.time_unit = problem.n / stiffest / zone.largest / stiffest
        size = float(np.linalg.norm(problem.y / np.max(np.abs(problem.y), initial=0.0))) if problem.y.any() else 1.0
        self.scale = stiffest * zone.size / ((np.max(np.abs(problem.y)) if problem.y.any() else 1.0) * size)
        self.open = zone.high_slope + zone.low_slope == 0  # no dead zone at all
        self.near = _NEAR * (1 + np.maximum(np.abs(self.high), np.abs(self.low)))
        self.x, self.t = np.zeros(len(self.target)), 0.0
        self.status = zone.signs.astype(np.int8)
        at_rest = self.open & (self.status == 0)
        self.status[at_rest] = np.where(self.matrix.T[at_rest] @ self.velocity() < 0, -1, 1)
        self.initial = zone.signs.astype(np.int8)
        self.events: list[tuple[float, int, int, int]] = []

    def sizes(self, u: Array) -> Array:
        """z, from the status."""
        return np.where(self.status > 0, u - self.high, np.where(self.status < 0, u + self.low, 0.0))

    def velocity(self) -> Array:
        return self.target - self.matrix @ self.sizes(self.x @ self.matrix)

    def piece(self) -> Piece:
        """The flow on the support of now."""
        v, on = self.velocity(), self.status != 0
        left, values, _ = np.linalg.svd(self.matrix[:, on], full_matrices=False)
        part = left.T @ v
        rest = v - left @ part
        floor = _REST * (float(np.linalg.norm(self.target)) or 1.0)
        kept = rest if np.linalg.norm(rest) > floor else None
        modes = self.matrix.T @ left
        drift = 0.0 if kept is None else kept @ self.matrix
        return Piece(self.t, self.x, self.x @ self.matrix, left, np.square(values), part, kept, modes, drift)

    def gaps(self, u: Array) -> tuple[Array, Array]:
        """How far u is from where the status of each entry changes, (2, d), above and below, infinite where nothing is
        there; at an event just made, 0 and not the rounding of it."""
        above = np.where(self.status == 0, self.high - u, np.where(self.status < 0, -self.low - u, np.inf))
        below = np.where(self.status == 0, u + self.low, np.where(self.status > 0, u - self.high, np.inf))
        return np.maximum(above, 0.0), np.maximum(below, 0.0)

    def next_event(self, piece: Piece, reach: float) -> tuple[float, Array]:
        """After which time the status changes next, and of which entries; of none, if that is not before `reach`."""
        by, none = 0.0, np.zeros(0, int)
        while True:
            above, below = self.gaps(piece.at(by))
            speed, noise, bound = piece.speed(by)
            hit = ((above <= self.near) & (speed > noise)) | ((below <= self.near) & (speed < -noise))
            if hit.any():
                return by, np.flatnonzero(hit)
            if np.all(piece.ahead(by) <= np.minimum(above, below)):
                return reach, none
            free = np.minimum(_times(above, -speed, bound), _times(below, speed, bound))
            step = float(np.min(free, initial=np.inf))
            if by + step >= reach:
                return reach, none
            if by + step == by:  # it is there, but for rounding
                return by, np.array([np.argmin(free)])
            by += step

    def advance(self, piece: Piece, by: float) -> None:
        self.t, self.x = piece.begin + by, piece.states(by)

    def change(self, entries: Array, piece: Piece, by: float) -> None:
        """The events of these entries, now."""
        speed, *_ = piece.speed(by)
        for i in map(int, entries):
            before = int(self.status[i])
            after = int(np.sign(speed[i])) if before == 0 else -before if self.open[i] else 0
            self.status[i] = after
            self.events.append((self.t, i, before, after))

    def thetas(self, u: Array) -> Array:
        """θ at u, (..., d), by the status, in the units of the problem: at an event 0, not the rounding of it."""
        z = self.sizes(u)
        return self.zone.size * self.zone.root * np.where(self.open | (z * self.status > 0), z, 0.0)

    def crossings(self, most: int, unit: float) -> dict[str, Array]:
        """The flips so far: the fields of `ht.signs.FlipEvents`. A flip is when an entry leaves 0."""
        shape = (most, len(self.status))
        times, arrivals = np.full(shape, np.nan), np.full(shape, np.nan)
        initial, last = self.initial.copy(), self.initial.copy()
        gross, latest = np.zeros(shape[1], np.int32), np.full((2, shape[1]), np.nan)
        for t, i, before, after in self.events:
            if before:
                latest[1, i] = t * unit
            if after and last[i] == -after:
                if gross[i] < most:
                    times[gross[i], i], arrivals[gross[i], i] = t * unit, latest[1, i]
                gross[i] += 1
                latest[0, i] = t * unit
            if after:
                last[i] = after
                initial[i] = initial[i] or after
        ever_open = self.open & (initial == 0)
        initial[ever_open] = last[ever_open] = self.status[ever_open]
        return {"initial": initial, "sign": last, "gross": gross, "first": times[0], "last": latest[0]} | {
            "times": times,
            "arrivals": arrivals,
        }

    def coordinates(self, x: Array) -> Array:
        """λ of `Xᵀν = Qᵀλ`, (..., r), at x, in the units of the problem."""
        return x * (self.relative * self.zone.size / self.zone.largest)


def _times(gap: Array, speed: Array, bound: Array) -> Array:
    """For how long `gap + speed·t − bound·t²/2` is positive."""
    with quiet():
        root = np.sqrt(speed * speed + 2 * np.where(np.isfinite(gap), gap, 0.0) * bound)
        times = np.where(speed < 0, 2 * gap / (root - speed), (speed + root) / bound)
    return np.where(np.isfinite(gap) & ~np.isnan(times), times, np.inf)


class _Saved:
    """What is kept of a path: at given times, or at the events."""

    def __init__(self, flow: DwellingFlow, times: Array | None):
        self.flow, self.times, self.done = flow, times, 0
        self.parts: list[tuple[Array, Array, Array]] = []

    def keep(self, piece: Piece, to: float) -> None:
        """The piece, up to a time."""
        times = np.array([piece.begin])
        if self.times is not None:
            upto = int(np.searchsorted(self.times, to, "right"))
            times, self.done = self.times[self.done : upto], max(upto, self.done)
        self._add(times, piece.states(times - piece.begin), piece.at(times - piece.begin))

    def end(self) -> None:
        """Where the flow is now, if that is not kept."""
        if not any(times.size for times, *_ in self.parts) or self.parts[-1][0][-1:] < self.flow.t:
            self._add(np.array([self.flow.t]), self.flow.x[None], (self.flow.x @ self.flow.matrix)[None])

    def _add(self, times: Array, x: Array, u: Array) -> None:
        if times.size:
            self.parts.append((times, self.flow.coordinates(x), self.flow.thetas(u)))


@quiet()
def integrate(
    flow: DwellingFlow, *, ts: Array | None, tol: float, violation: Any, save: str, max_steps: int, report: Any
) -> Trajectory:
    """From t = 0 to the last of `ts`, or until converged; the arguments are those of `_host.integrate`, the steps are
    events."""
    unit = flow.time_unit
    slowest = float(np.min(flow.relative, initial=1.0)) ** 2
    grid = np.concatenate([[0.0], np.geomspace(1e-3, _HORIZON / slowest, LOGARITHMIC_TIMES - 1)])
    grid = grid if ts is None else ts / unit
    saved = _Saved(flow, None if ts is None and save == "steps" else grid)
    goal, ended, worst, still = 0.1 * tol, "", math.nan, 0
    while not ended:
        piece = flow.piece()
        if report is not None:
            report(flow.t * unit, flow.scale * piece.velocity(0.0))
        reach = _when_small(piece, goal / flow.scale) if ts is None else grid[-1] - flow.t
        by, entries = flow.next_event(piece, reach)
        if not math.isfinite(by):
            ended = "stalled"
            break
        flow.advance(piece, by)
        saved.keep(piece, flow.t)
        if entries.size:
            flow.change(entries, piece, by)
            still = still + 1 if by <= _NEAR * flow.t else 0
            ended = "stalled" if still > _STILL * len(flow.high) else ""
            ended = "max_steps" if len(flow.events) > max_steps else ended
        elif ts is not None:
            ended = "reached_end"
        else:
            worst = violation(flow.t * unit, flow.coordinates(flow.x), flow.thetas(flow.x @ flow.matrix))
            # What the gap multiplies the residual with may be large.
            ended, goal = "converged" if worst <= tol else "" if goal > _LAST else "stalled", 0.01 * goal
    saved.end()
    times, states, thetas = (np.concatenate(parts) for parts in zip(*saved.parts, strict=True))
    if not np.isfinite(thetas[-1]).all():
        ended = "nonfinite"
    times = times * unit if ts is None else ts[: times.size]
    counts = {"steps": len(flow.events), "accepted": len(flow.events), "rejected": 0}
    return Trajectory(times, states, thetas, states[-1], thetas[-1], flow.t * unit, ended, worst, counts)


def _when_small(piece: Piece, size: float) -> float:
    """When `‖v‖` is at most that, if the support stays; infinity if never."""
    if piece.velocity(0.0) <= size:
        return 0.0
    if piece.rest is not None and np.linalg.norm(piece.rest) > size:
        return math.inf
    low, high = 0.0, 1.0
    while piece.velocity(high) > size:
        low, high = high, 4 * high
        if high > 1e300:
            return math.inf
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if piece.velocity(middle) > size else (low, middle)
    return high
