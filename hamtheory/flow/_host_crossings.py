"""Where the entries of θ cross zero: the roots of the dense output of every step, all of them.

In the coordinates of every flow the sign of θ is that of a linear functional of the state, and the dense output of a
step is a polynomial. Its Bernstein coefficients say at once where there is no root, and by Descartes' rule where there
is one; what they leave open is halved until they do not, so that none is missed, however close to another one.
"""

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from .._array import quiet
from ._host_stepper import Stepper

Array = Any
_HALVINGS = 24  # two crossings closer than 1e-7 of a step are none
_ITERATIONS = 40


@dataclass
class Crossed:
    """Of every entry: `initial` and `sign`, the first and the last sign, `gross`, how often it changed, `first` and
    `last`, when, NaN if never, (d,) each, and `times`, of the first changes, (most, d), NaN where there are fewer."""

    initial: Array
    sign: Array
    gross: Array
    first: Array
    last: Array
    times: Array


class Crossings:
    """Watches an integration of `flow`: `integrate(flow, dense=crossings.after_step)`, then `crossings.crossed()`.

    A zero has no sign of its own: an entry keeps the last one that it had, and leaving a start at zero is no crossing.
    """

    def __init__(self, flow: Any):
        self.flow = flow
        values, noise = flow.signals(0.0, flow.initial())
        self.sign = np.where(np.abs(values) <= noise, 0, np.sign(values)).astype(np.int8)
        self.initial = self.sign.copy()
        self._entries: list[Array] = []
        self._times: list[Array] = []

    def after_step(self, t0: float, t1: float, stepper: Stepper) -> None:
        degree = stepper.degree
        nodes, bernstein = _bernstein(degree)
        times = t0 + (t1 - t0) * nodes
        times[-1] = t1
        values, noise = self.flow.signals(times, stepper.interpolate(times))
        values = np.where(np.abs(values) <= noise, 0.0, values)
        hull = bernstein @ values
        hull[0], hull[-1] = values[0], values[-1]
        high, low = np.max(hull, axis=0), np.min(hull, axis=0)
        up, down = (high > 0) | (self.sign > 0), (low < 0) | (self.sign < 0)
        open_ = np.flatnonzero(up & down)
        sign = np.where(up, np.int8(1), np.where(down, np.int8(-1), self.sign))
        if open_.size:
            sign[open_] = self._search(open_, hull[:, open_], t0, t1)
        self.initial = np.where(self.initial == 0, sign, self.initial)
        self.sign = sign

    def _search(self, entries: Array, hull: Array, t0: float, t1: float) -> Array:
        """Record the crossings of these entries; their signs at the end."""
        hull = np.where(np.abs(hull) <= 64 * np.finfo(float).eps * np.max(np.abs(hull), axis=0), 0.0, hull)
        kept = self.sign[entries].astype(float)
        # What lies between the sign from before and the start of the polynomial is rounding.
        hull[0] = np.where((kept != 0) & (hull[0] * kept <= 0), kept * np.finfo(float).tiny, hull[0])
        left_half, right_half = _halves(hull.shape[0] - 1)
        left, width = np.zeros(entries.size), 1.0
        columns, found_entries, found_at, ends = np.arange(entries.size), [], [], _last_sign(hull)
        for halving in range(_HALVINGS + 1):
            changes = _sign_changes(hull)
            single = changes == 1 if halving < _HALVINGS else changes % 2 == 1
            if np.any(single):
                roots = left[single] + width * _roots(hull[:, single])
                found_entries.append(entries[columns[single]])
                found_at.append(roots)
            undecided = changes > 1
            if halving == _HALVINGS or not np.any(undecided):
                break
            hull, left, columns = hull[:, undecided], left[undecided], columns[undecided]
            first, second = left_half @ hull, right_half @ hull
            width /= 2
            # A root at the middle belongs to one of the halves: an end of sign zero takes that of the half before.
            before = _last_sign(first)
            second[0] = np.where(second[0] == 0, before * np.finfo(float).tiny, second[0])
            hull = np.concatenate([first, second], axis=1)
            left, columns = np.concatenate([left, left + width]), np.concatenate([columns, columns])
        if found_at:
            self._entries.append(np.concatenate(found_entries))
            self._times.append(t0 + (t1 - t0) * np.concatenate(found_at))
        return np.where(ends == 0, kept, ends).astype(np.int8)

    def crossed(self, most: int = 16) -> Crossed:
        """All crossings so far, in physical time."""
        d, unit = self.sign.size, self.flow.time_unit
        entries = np.concatenate(self._entries) if self._entries else np.zeros(0, int)
        times = np.concatenate(self._times) * unit if self._times else np.zeros(0)
        order = np.lexsort((times, entries))
        entries, times = entries[order], times[order]
        gross = np.bincount(entries, minlength=d).astype(np.int32)
        start = np.concatenate([[0], np.cumsum(gross)[:-1]])
        kept = np.full((most, d), np.nan)
        rank = np.arange(entries.size) - start[entries]
        few = rank < most
        kept[rank[few], entries[few]] = times[few]
        first, last, any_ = np.full(d, np.nan), np.full(d, np.nan), gross > 0
        first[any_] = times[start[any_]]
        last[any_] = times[(start + gross - 1)[any_]]
        return Crossed(self.initial, self.sign, gross, first, last, kept)


def _last_sign(hull: Array) -> Array:
    """Of the last coefficient that is not zero; 0 if all are."""
    signs = np.sign(hull)
    last = hull.shape[0] - 1 - np.argmax(signs[::-1] != 0, axis=0)
    return np.take_along_axis(signs, last[None], axis=0)[0]


def _sign_changes(hull: Array) -> Array:
    """The changes of sign in each column, zeros left out."""
    count, current = np.zeros(hull.shape[1], int), np.zeros(hull.shape[1])
    for sign in np.sign(hull):
        count += current * sign < 0
        current = np.where(sign == 0, current, sign)
    return count


def _roots(hull: Array) -> Array:
    """The root in [0, 1] of each column, which changes its sign once: Newton's method, bracketed."""
    coefficients = _powers(hull.shape[0] - 1) @ hull
    sign = -_last_sign(hull)  # on the left
    left, right = np.zeros(hull.shape[1]), np.ones(hull.shape[1])
    x = np.clip(np.nan_to_num(hull[0] / (hull[0] - hull[-1]), nan=0.5), 0.05, 0.95)
    for _ in range(_ITERATIONS):
        value, slope = coefficients[-1], np.zeros_like(x)
        for coefficient in coefficients[-2::-1]:
            slope, value = slope * x + value, value * x + coefficient
        on_left = value * sign > 0
        left, right = np.where(on_left, x, left), np.where(on_left, right, x)
        with quiet():
            new = x - value / slope
        new = np.where((new >= left) & (new <= right), new, (left + right) / 2)
        done = np.abs(new - x) <= 1e-13 * (1e-3 + np.abs(new))
        x = new
        if done.all():
            break
    return x


@cache
def _binomials(degree: int) -> Array:
    return np.array([math.comb(degree, i) for i in range(degree + 1)], float)


@cache
def _bernstein(degree: int) -> tuple[Array, Array]:
    """Chebyshev's points of the second kind on [0, 1], and from the values there to the coefficients of Bernstein."""
    x = (1 - np.cos(np.pi * np.arange(degree + 1) / degree)) / 2
    j = np.arange(degree + 1)
    basis = _binomials(degree) * x[:, None] ** j * (1 - x[:, None]) ** (degree - j)
    return x, np.linalg.inv(basis)


@cache
def _halves(degree: int) -> tuple[Array, Array]:
    """From the coefficients of Bernstein to those on the left and on the right half."""
    left = np.zeros((degree + 1, degree + 1))
    for i in range(degree + 1):
        left[i, : i + 1] = _binomials(i) / 2**i
    return left, left[::-1, ::-1].copy()


@cache
def _powers(degree: int) -> Array:
    """From the coefficients of Bernstein to those of the powers."""
    matrix = np.zeros((degree + 1, degree + 1))
    for k in range(degree + 1):
        for i in range(k + 1):
            matrix[k, i] = math.comb(degree, k) * math.comb(k, i) * (-1) ** (k - i)
    return matrix
