"""Instances and plain numerics of the entries on discrete algorithms, apart from what they check."""

import itertools
import math
from typing import Any

import numpy as np
import sympy as sp
from scipy.integrate import solve_ivp


def coefficient(expression, variable, order: int) -> Any:
    """The coefficient of `variable ** order` in Taylor's series of an expression at zero."""
    return sp.diff(expression, variable, order).subs(variable, 0) / math.factorial(order)  # pyright: ignore


def data(rng, n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian X, with columns of unequal sizes, and a y that it interpolates."""
    X = rng.normal(size=(n, d)) * np.exp(rng.normal(size=d) / 3)
    return X, X @ rng.normal(size=d)


def signed(rng, size: int, least: float = 0.3) -> np.ndarray:
    """Entries of either sign, none of them small."""
    return rng.choice([-1.0, 1.0], size) * (least + rng.uniform(size=size))


def integrate(field, start, t: float, events=None, tol: float = 1e-12):
    """The solution of dx/dt = field(x) until `t`, or until one of the terminal `events` of x."""
    timeless = [lambda _, x, event=event: event(x) for event in events or ()]
    for event in timeless:
        event.terminal = True  # pyright: ignore[reportFunctionMemberAccess]
    found = solve_ivp(
        lambda _, x: field(x), (0, t), start, method="DOP853", rtol=tol, atol=tol / 100, events=timeless or None
    )
    return found.y[:, -1]


def extrapolated(values) -> np.ndarray:
    """Richardson's limit of values at step sizes h, h/2, h/4, …, with errors in powers 1, 2, 3, … of h."""
    table = [np.asarray(value) for value in values]
    for order in range(1, len(table)):
        table = [(2**order * fine - coarse) / (2**order - 1) for coarse, fine in itertools.pairwise(table)]
    return table[0]


def dual_solution(X, y, theta, metric) -> tuple[np.ndarray, np.ndarray]:
    """The θ(Xᵀν) with Xθ = y, and μ = Xᵀν, by damped Newton steps in ν: `theta` and its derivative `metric`, of μ.

    `metric`: a matrix, or of a separable one the diagonal.
    """
    nu = np.zeros(len(y))
    residual = X @ theta(X.T @ nu) - y
    for _ in range(300):
        weights = metric(X.T @ nu)
        step = np.linalg.solve((X * weights if weights.ndim == 1 else X @ weights) @ X.T, -residual)
        length, size = 1.0, np.linalg.norm(residual)
        # A step is kept if it is finite and makes the residual smaller, as Newton's does if it is short enough.
        while length > 1e-10:
            with np.errstate(all="ignore"):
                new = X @ theta(X.T @ (nu + length * step)) - y
                is_smaller = np.all(np.isfinite(new)) and np.linalg.norm(new) < size
            if is_smaller:
                break
            length /= 2
        else:
            break
        nu, residual = nu + length * step, new
    return theta(X.T @ nu), X.T @ nu


def end_of_flow(field, start, t: float) -> np.ndarray:
    """x(t) of dx/dt = field(x), which comes to rest."""
    return solve_ivp(lambda _, x: field(x), (0, t), start, method="LSODA", rtol=1e-11, atol=1e-13).y[:, -1]


def relative(found, expected) -> float:
    """The largest difference over the largest entry that is expected."""
    found, expected = np.asarray(found), np.asarray(expected)
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def first_zero(metric, a0: float, w0: float) -> np.ndarray:
    """(a, w) of the flow of a ReLU neuron, student aσ(wz) of σ(z), where one of them is zero, or at rest for long."""

    def field(x):
        slope = (x[0] * x[1] - 1) / 2 if w0 > 0 else x[0] * x[1] / 2
        return -slope * metric(x) * x[::-1]

    return integrate(field, [a0, w0], 1e3, [lambda x: x[0], lambda x: x[1]])
