"""Limits against a linear-programming and a conic solver, and weight decay against a library's coordinate descent.

The same instances for all, and the error that each reached: of the L1 norm, relative to HiGHS's; for HAM at moderate α,
of θ, relative to a limit with tol = 1e-13; for the lasso, the same.
"""

import functools
import statistics

import jax.numpy as jnp
import numpy as np

import hamtheory as ht

from ._peers import conic
from ._table import Row, interleaved, rows_of

SIZES = ((40, 100, 5), (100, 400, 10))
INSTANCES = 5


def _merged(parts: list[list[Row]], task: str) -> list[Row]:
    """The rows of several instances as one row a solver: medians of medians, the worst error."""
    merged = []
    for rows in zip(*parts, strict=True):
        row = dict(rows[0]) | {"task": task}
        for key in ("median_ms", "ratio", "fastest_ms", "slowest_ms"):
            row[key] = round(statistics.median(r[key] for r in rows), 3)
        row["error"] = f"{max(float(r['error']) for r in rows):.1e}"
        merged.append(row)
    return merged


def _sparse_end(n: int, d: int, k: int) -> list[Row]:
    parts = []
    for seed in range(INSTANCES):
        problem = ht.sparse_regression(n, d, k, seed=seed)
        least = float(jnp.abs(ht.basis_pursuit(problem)).sum())
        solvers = {
            "HiGHS (basis_pursuit)": lambda p=problem: ht.basis_pursuit(p),
            "solve_limit, ln α = 5000, cold": lambda p=problem: ht.solve_limit(p, ht.HAM(log_alpha=5000.0)).theta,
            "solve_limit, ln 1/γ = 5000, cold": lambda p=problem: (
                ht.solve_limit(p, ht.Hypentropy(log_gamma=-5000.0)).theta
            ),
            "Clarabel through CVXPY": lambda p=problem: conic(p, None)[0],
        }
        errors = {name: abs(float(np.abs(np.asarray(call())).sum()) / least - 1) for name, call in solvers.items()}
        parts.append(rows_of("", interleaved(solvers, 9), errors, "HiGHS (basis_pursuit)"))
    return _merged(parts, f"L1 end, n={n}, d={d}, k={k}")


def _path(n: int, d: int, k: int) -> list[Row]:
    grid = np.concatenate([np.linspace(-30, 0, 6), np.linspace(2, 60, 30), np.geomspace(80, 1e4, 14)])
    parts = []
    for seed in range(INSTANCES):
        problem = ht.sparse_regression(n, d, k, seed=seed)
        least = float(jnp.abs(ht.basis_pursuit(problem)).sum())
        solvers = {
            "50 conic solves (Clarabel, basis pursuit)": lambda p=problem: [conic(p, None)[0] for _ in range(50)],
            "50 cold solve_limit": lambda p=problem: [ht.solve_limit(p, ht.HAM(log_alpha=x)).theta for x in grid],
            "limit_path, 50 points of ln α in [−30, 10⁴]": lambda p=problem: ht.limit_path(p, ht.HAM, grid).thetas,
        }
        errors = {name: abs(float(np.abs(np.asarray(call()[-1])).sum()) / least - 1) for name, call in solvers.items()}
        parts.append(rows_of("", interleaved(solvers, 3), errors, "50 conic solves (Clarabel, basis pursuit)"))
    return _merged(parts, f"path, n={n}, d={d}, k={k}")


def _moderate(n: int, d: int, k: int, alpha: float) -> list[Row]:
    parts = []
    for seed in range(INSTANCES):
        problem = ht.sparse_regression(n, d, k, seed=seed)
        truth = np.asarray(ht.solve_limit(problem, ht.HAM(alpha=alpha), tol=1e-13, throw=False).theta)
        solvers = {
            "Clarabel through CVXPY": lambda p=problem: conic(p, alpha)[0],
            "solve_limit": lambda p=problem: ht.solve_limit(p, ht.HAM(alpha=alpha)).theta,
        }
        errors = {
            name: float(np.linalg.norm(np.asarray(call()) - truth) / np.linalg.norm(truth))
            for name, call in solvers.items()
        }
        parts.append(rows_of("", interleaved(solvers, 5), errors, "Clarabel through CVXPY"))
    return _merged(parts, f"HAM, α={alpha:g}, n={n}, d={d}, k={k}")


def _lasso(n: int, d: int, k: int) -> list[Row]:
    from sklearn.linear_model import lasso_path

    parts = []
    for seed in range(INSTANCES):
        problem = ht.sparse_regression(n, d, k, seed=seed, noise=0.1)
        X, y = np.asarray(problem.X), np.asarray(problem.y)
        slopes = np.abs(X.T @ y).max() / n * np.geomspace(1e-3, 0.9, 50)
        descend = functools.partial(lasso_path, X, y, alphas=slopes[::-1], max_iter=1_000_000)
        truth = descend(tol=1e-15)[1].T[::-1]
        solvers = {
            "lasso_path (scikit-learn), tol 1e-12": lambda f=descend: f(tol=1e-12)[1].T[::-1],
            "lasso_path (scikit-learn), default tol": lambda f=descend: f()[1].T[::-1],
            "regularization_path, m⊙w": lambda p=problem, s=slopes: (
                ht.regularization_path(p, ht.Hypentropy(1.0), s / 2).thetas
            ),
        }
        errors = {name: float(np.abs(np.asarray(call()) - truth).max()) for name, call in solvers.items()}
        parts.append(rows_of("", interleaved(solvers, 5), errors, "lasso_path (scikit-learn), tol 1e-12"))
    return _merged(parts, f"lasso path, 50 points, n={n}, d={d}, k={k}")


def run() -> list[Row]:
    """One table: the L1 end, whole paths, HAM at moderate α, and the lasso's path."""
    rows = []
    for n, d, k in SIZES:
        rows += _sparse_end(n, d, k)
    rows += _path(*SIZES[0])
    rows += _moderate(*SIZES[0], alpha=100.0)
    rows += _lasso(*SIZES[0])
    return rows
