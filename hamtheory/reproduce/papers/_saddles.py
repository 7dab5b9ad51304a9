"""The limit of vanishing initialization: from saddle to saddle, in rescaled time.

In the time τ = 2t/ln(1/γ) the signs s = asinh(θ/γ)/ln(1/γ) move by ds/dτ = −∇f(θ) and stay within ±1, where an entry
leaves zero. At a saddle the gradient is constant, and 0 on the entries that have left; the next saddle is the least
loss among those with θᵢ ≥ 0 where s_i = 1, ≤ 0 where s_i = −1, and 0 elsewhere.
"""

import numpy as np
from scipy.optimize import lsq_linear

import hamtheory as ht

SMALL = 1e-9


def saddles(problem: ht.LinearRegression, most: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """The times τ of the jumps, (jumps,), and the saddles between them, from zero on, (jumps + 1, d)."""
    X, y = np.asarray(problem.X), np.asarray(problem.y)
    signs, theta, times, visited = np.zeros(problem.d), np.zeros(problem.d), [0.0], [np.zeros(problem.d)]
    largest = np.abs(X.T @ y / problem.n).max()
    for _ in range(most):
        force = -problem.gradient(theta)
        force[np.abs(force) < SMALL * largest] = 0
        wall = np.where(theta != 0, np.inf, np.where(force > 0, 1 - signs, 1 + signs))
        with np.errstate(divide="ignore", invalid="ignore"):
            waits = np.where(force != 0, wall / np.abs(force), np.inf)
        if not np.isfinite(waits.min()):
            break
        times.append(times[-1] + waits.min())
        signs = np.clip(signs + waits.min() * force, -1, 1)
        free = 1 - np.abs(signs) < SMALL
        signs[free] = np.sign(signs[free])
        theta = np.zeros(problem.d)
        bounds = np.where(signs[free] > 0, 0, -np.inf), np.where(signs[free] > 0, np.inf, 0)
        theta[free] = lsq_linear(X[:, free], y, bounds, method="bvls", tol=1e-14).x
        theta[np.abs(theta) < SMALL] = 0
        visited.append(theta)
    return np.array(times[1:]), np.array(visited)
