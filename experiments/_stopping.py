"""Flows with orthogonal columns, XᵀX = nI, from zero: θ_t coordinate by coordinate, and risks as integrals.

With z = Xᵀy/n, a coordinate is that of `vaskevicius.early-stopping`; with z normal around θ*, what is expected of its
error is an integral over one variable. Everything here is in units of the deviation of z.
"""

from collections.abc import Callable

import numpy as np

_REACH = 9.0  # standard deviations to either side: Q(9) = 1e-19
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(200)


def _gd(z: np.ndarray, t: np.ndarray, _: float) -> np.ndarray:
    return -z * np.expm1(-t)


def _ham(z: np.ndarray, t: np.ndarray, alpha: float) -> np.ndarray:
    rate = 1 + alpha * z
    return -z * np.expm1(-rate * t) / (1 + alpha * z * np.exp(-rate * t))


def _mw(z: np.ndarray, t: np.ndarray, gamma: float) -> np.ndarray:
    omega = np.hypot(z, gamma)
    top, low = (z + omega) / gamma, -gamma / (z + omega)
    left = (top - 1) / (1 - low) * np.exp(-2 * omega * t)
    p = (top + left * low) / (1 + left)
    return gamma * (p - 1 / p) / 2


_FLOWS: dict[str, Callable] = {"GD": _gd, "HAM": _ham, "m*w": _mw}


def coordinates(family: str, parameter: float, z: np.ndarray, ts: np.ndarray) -> np.ndarray:
    """θ_t for every z, (times, z)."""
    return np.sign(z) * _FLOWS[family](np.abs(z), ts[:, None], parameter)


def along(family: str, parameter: float, ts: np.ndarray) -> Callable:
    """The risk of an entry at all times, as a function of the entry."""
    return lambda truth: risk(lambda z: coordinates(family, parameter, z, ts), truth)


def in_units(family: str, parameter: float, ts: np.ndarray, unit: float) -> tuple[str, float, np.ndarray]:
    """The flow of θ counted in a unit: α becomes α·unit, γ becomes γ/unit, and the time of m⊙w is another, too."""
    if family == "HAM":
        return family, parameter * unit, ts
    return (family, parameter / unit, ts * unit) if family == "m*w" else (family, parameter, ts)


def risk(estimate: Callable, truth: float) -> np.ndarray:
    """E(estimate(z) − θ*)² for z normal around θ* ≥ 0 of variance 1, by Gauss's rule on both sides of 0.

    `estimate(z)`: (..., z), smooth on either side of 0.
    """
    low, high = truth - _REACH, truth + _REACH
    parts = [(low, 0.0), (0.0, high)] if low < 0 else [(low, high)]
    z = np.concatenate([(a + b) / 2 + (b - a) / 2 * _NODES for a, b in parts])
    weights = np.concatenate([(b - a) / 2 * _WEIGHTS for a, b in parts])
    weights *= np.exp(-((z - truth) ** 2) / 2) / np.sqrt(2 * np.pi)
    return np.square(estimate(z) - truth) @ weights


def thresholded(thresholds: np.ndarray) -> Callable:
    """The same of lasso, which is soft thresholding, at all thresholds."""
    soft = lambda z: np.sign(z) * np.maximum(np.abs(z) - thresholds[:, None], 0)  # noqa: E731
    return lambda truth: risk(soft, truth)


def worst(of: Callable, amplitudes: np.ndarray, zeros: float) -> float:
    """The largest risk over amplitudes of one entry and `zeros` zeros, each at its best time or threshold.

    `of(amplitude)`: the risk of an entry at each of them.
    """
    none = zeros * of(0.0)
    return max(float(np.min(none + of(amplitude))) for amplitude in amplitudes)
