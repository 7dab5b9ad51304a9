"""What entries on geometry share: random numbers over orders of magnitude, quadrature and bounds, in NumPy alone."""

from collections.abc import Callable

import numpy as np

import hamtheory as ht
from hamtheory.geometry import AbstractExponentialGeometry

SHAPE = (2, 5)  # of every problem whose limit is sought here
NODES, WEIGHTS = np.polynomial.legendre.leggauss(200)


def signed(rng: np.random.Generator, size: int, low: float, high: float) -> np.ndarray:
    """Numbers of either sign with `log10` uniform between `low` and `high`."""
    return rng.choice([-1.0, 1.0], size) * 10 ** rng.uniform(low, high, size)


def excess(values, low, high, scale) -> float:
    """By how much the values leave [low, high], in units of `scale`; 0 if none does."""
    below, above = np.asarray(low) - np.asarray(values), np.asarray(values) - np.asarray(high)
    return float(np.max(np.maximum(np.maximum(below, above), 0) / scale))


def relative(values, reference) -> float:
    """The largest relative difference of numbers."""
    return float(np.max(np.abs(np.asarray(values) / np.asarray(reference) - 1)))


def integral(f: Callable, start: np.ndarray, end: np.ndarray, unit: float) -> np.ndarray:
    """`∫ f ds` from each start to its end: in u with s = unit · sinh u, and not across 0, where f may have a kink."""
    total = np.zeros(np.broadcast(start, end).shape)
    middle = np.where(start * end < 0, 0.0, start)
    for left, right in ((start, middle), (middle, end)):
        a, b = np.arcsinh(left / unit), np.arcsinh(right / unit)
        u = a[:, None] + (b - a)[:, None] * (1 + NODES) / 2
        total = total + (f(unit * np.sinh(u)) * unit * np.cosh(u)) @ WEIGHTS * (b - a) / 2
    return total


def divergence(metric: Callable, theta: np.ndarray, theta0: np.ndarray, unit: float) -> np.ndarray:
    """`D_R(θ, θ₀) = ∫ (θ − s)/g⁻¹(s) ds` from θ₀ to θ: from the inverse metric alone, and nothing cancels."""
    return integral(lambda s: (theta[:, None] - s) / metric(s), theta0, theta, unit)


def limits(
    problem: ht.LinearRegression, family: type[AbstractExponentialGeometry], logs, theta0: np.ndarray | None = None
) -> np.ndarray:
    """The limits of flows for these `ln α`, or `ln γ`; from 0, if not from `theta0`. Shape (logs, d)."""
    return np.stack([ht.solve_limit(problem, family.at_log(float(log)), theta0, tol=1e-13).theta for log in logs])
