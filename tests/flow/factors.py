"""The equations of factors that steepest flows drive, in plain NumPy and SciPy."""

import numpy as np
import scipy.integrate

import hamtheory as ht

CLASSES = ht.sparse_classification(6, 10, 2)


def start(count, seed=0, d=8):
    return np.random.default_rng(seed).standard_normal((count, d))


def gradient_of(problem):
    """∇f in plain NumPy: called thousands of times, and apart from the library."""
    X, n = problem.X, problem.n
    if isinstance(problem, ht.LinearRegression):
        return lambda theta: X.T @ (X @ theta - problem.y) / n
    A, is_logistic = problem.signed, problem.loss_name == "logistic"
    return lambda theta: -A.T @ (1 / (np.exp(A @ theta) + is_logistic)) / n


def factors_by_scipy(problem, w0, q, ts, weight_decay=0.0, epsilon=0.0, rtol=1e-11, method="DOP853"):
    """The equations of the factors themselves, (L, times, d); with ε, of a smoothed sign of ∇f."""

    of = gradient_of(problem)

    def velocity(t, w):
        w = w.reshape(w0.shape)
        gradient = of(np.prod(w, axis=0))
        others = np.stack([np.prod(np.delete(w, i, axis=0), axis=0) for i in range(len(w))])
        if epsilon:
            return -(np.sign(others) * gradient / np.sqrt(gradient**2 + epsilon**2)).ravel()
        return (-np.sign(gradient * others) * np.abs(gradient * others) ** (q - 1) - 2 * weight_decay * w).ravel()

    solved = scipy.integrate.solve_ivp(velocity, (0, ts[-1]), w0.ravel(), method, ts, rtol=rtol, atol=rtol / 100)
    return np.moveaxis(solved.y.T.reshape(len(ts), *w0.shape), 0, 1)
