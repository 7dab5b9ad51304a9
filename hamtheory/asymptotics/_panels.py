"""Expectations over Θ + τZ of what a proximal map makes of it, as integrals over its values.

With `v(θ) = θ + κ(R′(θ) − R′(θ₀))`, the inverse of the proximal map η, and Q the tail of the standard normal law,
integration by parts gives, for an entry a,

    E(η(a + τZ) − a)² = ∫ 2|θ − a| Q(±(v(θ) − a)/τ) dθ,  + for θ > a, − below,
    E η′(a + τZ) = ∫ φ((v(θ) − a)/τ) dθ/τ,

positive terms with no derivative of R′: nothing cancels, and a kink of η is no kink of v. The panels end where
(v − a)/τ has evenly spaced values, and at 0, a/2 and a; on each the rule is Gauss's in the cube root of the distance
from 0 or from a, whichever is nearer: near 0 R′ may be like a logarithm, and near a, θ − a can be far below the
rounding of a.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from ._prior import Nodes

_REACH = 9.0  # standard deviations to either side: Q(9) = 1e-19
_POWER = 3
_AHEAD = np.array([1, 1 + 1e-4])  # for a difference quotient
_NEAR = 0.03  # of τ: so exact have the ends of panels to be
_GONE = 1e-30  # of τ: a θ below it counts as 0
_STEPS = 60


class Moments(NamedTuple):
    """`E(η − Θ)²` and `E η′`, and their derivatives by ln τ and ln κ; one an instance."""

    square: np.ndarray
    slope: np.ndarray
    square_by_tau: np.ndarray
    square_by_kappa: np.ndarray
    slope_by_tau: np.ndarray
    slope_by_kappa: np.ndarray


class Panels:
    """Nodes θ with weights for every instance and entry, placed for some (τ, κ) and good for those nearby.

    Args:
        mirror: R′ at θ ≥ 0 of shape (instances, entries, ., .).
        nodes: The entries.
        tau: τ, (instances,).
        kappa: κ, (instances,).
        panels: Between the evenly spaced values of (v − a)/τ.
        order: The nodes a panel.
    """

    def __init__(
        self,
        mirror: Callable,
        nodes: Nodes,
        tau: np.ndarray,
        kappa: np.ndarray,
        panels: int,
        order: int,
    ):
        a, start = nodes.size[:, None], nodes.start[:, None]
        zero = np.zeros((1, *start.shape, 1))
        first = signed(mirror, start[None, :, :, None]) if start.any() else zero  # R′(θ₀)
        theta, beyond = _edges(mirror, a, start, first[..., 0], tau[:, None, None], kappa[:, None, None], panels)
        left, right = theta[..., :-1], theta[..., 1:]
        high = (left + right > a) & (a > 0)  # nearer to a than to 0
        ends = np.where(high, beyond[..., :-1], left), np.where(high, beyond[..., 1:], right)
        low, top = (np.copysign(np.abs(end) ** (1 / _POWER), end)[..., None] for end in ends)
        x, w = _gauss(order)
        root = (low + top) / 2 + (top - low) / 2 * x
        offset, at = np.copysign(np.abs(root) ** _POWER, root), a[..., None]
        halves = np.where((a == 0) & (start == 0), 2, 1) * nodes.weight[:, None]  # of 0 from 0 there is but one half
        self.weight = _POWER * root**2 * (top - low) / 2 * w * halves[..., None]
        self.theta = np.where(high[..., None], at + offset, offset)
        self.beyond = np.where(high[..., None], offset, offset - at)
        self.mirror = signed(mirror, self.theta) - first

    def put(self, which: np.ndarray, other: "Panels") -> None:
        """Other nodes for some instances."""
        for name, nodes in vars(other).items():
            getattr(self, name)[which] = nodes

    def keep(self, which: np.ndarray) -> None:
        """These instances alone."""
        for name, nodes in vars(self).items():
            setattr(self, name, nodes[which])

    def _scores(self, tau: np.ndarray, kappa: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`(v − a)/τ`, and its derivative by ln κ."""
        tau, kappa = tau[:, None, None, None], kappa[:, None, None, None]
        pull = kappa / tau * self.mirror
        return self.beyond / tau + pull, pull

    def moments(self, tau: np.ndarray, kappa: np.ndarray) -> Moments:
        """The two expectations and their derivatives."""
        z, pull = self._scores(tau, kappa)
        density = np.exp(-z * z / 2) * (self.weight / np.sqrt(2 * np.pi))
        lean = density * self.beyond
        tail = ndtr(-np.copysign(z, z * self.beyond))
        return Moments(
            2 * _summed(np.abs(self.beyond) * tail * self.weight),
            _summed(density) / tau,
            2 * _summed(lean * z),
            -2 * _summed(lean * pull),
            _summed(density * (z * z - 1)) / tau,
            -_summed(density * z * pull) / tau,
        )

    def norms(self, which: np.ndarray, tau: np.ndarray, kappa: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`E|η|` and `(E η²)^½` of some instances."""
        some = slice(None) if which.all() else which
        theta = self.theta[some]
        z = self._scores(tau, kappa)[0][some]
        tail = ndtr(-np.copysign(z, z * theta)) * self.weight[some]
        return _summed(tail), np.sqrt(2 * _summed(np.abs(theta) * tail))


@functools.cache
def _gauss(order: int) -> tuple[np.ndarray, np.ndarray]:
    return np.polynomial.legendre.leggauss(order)


def _summed(values: np.ndarray) -> np.ndarray:
    """Over all nodes of each instance: a row of memory, whose sum does not depend, to the bit, on the other rows."""
    return values.reshape(len(values), -1).sum(axis=1)


def signed(mirror: Callable, theta: np.ndarray) -> np.ndarray:
    """R′ at any θ."""
    return np.copysign(mirror(np.abs(theta)), theta)


def _edges(
    mirror: Callable,
    a: np.ndarray,
    start: np.ndarray,
    first: np.ndarray,
    tau: np.ndarray,
    kappa: np.ndarray,
    panels: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Where panels end: θ and θ − a, increasing; `first` is R′(θ₀).

    A proximal map to within `_NEAR`, by Newton's method between bounds: of the offset t from a, if v(a/2) is below.
    """
    full = (a > 0) | (start != 0)
    z = np.where(full, np.linspace(-_REACH, _REACH, panels + 1), np.linspace(0, _REACH, panels + 1))
    push = tau * z + kappa * first
    v = a + push
    near = (v > a / 2 + kappa * mirror(np.broadcast_to(a / 2, tau.shape[:1] + a.shape)[..., None])[..., 0]) & (a > 0)
    base, target = np.where(near, a, 0.0), np.where(near, push, np.abs(v))
    low, high = np.where(near, -a / 2, 0.0), target
    t = np.clip(np.where(near, target, target / (1 + kappa)), low, high)
    for _ in range(_STEPS):
        theta = base + t
        both = mirror(theta[..., None] * _AHEAD)  # one call costs less than two
        value, ahead = both[..., 0], both[..., 1]
        excess = t + kappa * value - target
        low, high = np.where(excess > 0, low, t), np.where(excess > 0, t, high)
        done = (
            (np.abs(excess) <= _NEAR * tau)
            | (high - low <= 1e-2 * np.minimum(np.abs(high), tau))
            | (~near & (high <= _GONE * tau))
        )
        if done.all():
            break
        slope = (ahead - value) / (1e-4 * theta)
        step = t - excess / (1 + kappa * slope)
        middle = np.where(near, (low + high) / 2, np.sqrt(np.maximum(low, 1e-8 * high) * high))
        t = np.where(done, t, np.where((step > low) & (step < high), step, middle))
    theta = np.where(near, base + t, np.copysign(t, v))
    beyond = np.where(near, t, theta - a)
    marks = np.broadcast_to(a * [0, 0.5, 1], (*theta.shape[:2], 3))
    return np.sort(np.append(theta, marks, -1), -1), np.sort(np.append(beyond, marks - a, -1), -1)
