"""One largest margin on the host: which solvers, in which order, and the vertices of linear programmes."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .._array import Array
from ._interior_margin import Bounds, Margin, Point, improved, start, stepped, unbounded

_HIGHS: Any = {"method": "highs", "options": {f"{side}_feasibility_tolerance": 1e-10 for side in ("primal", "dual")}}
_FIRST = 4  # steps after which it is worth a look at the certificate
_ROUNDS = 8  # of rows that are added
_PATIENCE = 12  # steps without a better certificate


def solved(problem, rows, units, rho, tol, most) -> tuple[np.ndarray, np.ndarray, int]:
    """θ and λ that bound the margin of these rows, and the number of steps."""
    sizes = np.max(np.abs(rows), axis=1)
    if not sizes.all():
        return np.zeros(problem.d), problem.separability().weights, 0
    scaled = Margin(rows / sizes[:, None], np.min(sizes) / sizes, rho)
    best, steps = (_least_norm(scaled), 0) if rho == 2 else (unbounded(scaled), 0)
    if _is_open(best, tol):
        n, d = rows.shape
        again, steps = _iterated(scaled, _cholesky if n <= 2 * d else _normal, None, tol, most)
        best = _at_vertex(scaled, _better(best, again))
    if _is_open(best, tol) and n > 2 * d and best.lower > 0:
        best, more = _restricted(scaled, best, tol, most)
        return best.theta, best.weights * scaled.levels, steps + more
    if _is_open(best, tol):
        apart = problem.separability()
        if apart.holds is False:
            return np.zeros(problem.d), apart.weights, 0
        if apart.holds:  # barely, or by rows of very different sizes: from a θ that does
            best, more = _finished(scaled, best, apart.theta * units, tol, most)
            steps += more
    return best.theta, best.weights * scaled.levels, steps


def _is_open(best: Bounds, tol: float) -> bool:
    return not best.upper - best.lower <= tol * best.upper < np.inf


def _at_vertex(margin: Margin, best: Bounds) -> Bounds:
    is_vertex = margin.rho in (1, np.inf) and best.lower > 0
    return improved(margin, best, _on_face(margin, best)) if is_vertex else best


def _finished(margin: Margin, best: Bounds, theta: np.ndarray, tol: float, most: int) -> tuple[Bounds, int]:
    """From a θ that separates, by the solvers that take longest."""
    again, steps = _iterated(margin, _orthogonal, theta, tol, most)
    best = _at_vertex(margin, _better(best, again))
    if margin.rho in (1, np.inf) and _is_open(best, tol):
        best = _programmed(margin, best)
    return best, steps


def _least_norm(margin: Margin) -> Bounds:
    """For ρ = 2, by non-negative least squares: λ is a multiple of the solution of `Aᵀλ = 0, bᵀλ = 1`."""
    from scipy.optimize import nnls

    A, b, _ = margin
    unit = np.sqrt(A.shape[1])
    try:
        weights, _ = nnls(np.vstack([A.T, unit * b]), np.append(np.zeros(A.shape[1]), unit))
    except RuntimeError:  # too many steps
        return unbounded(margin)
    return improved(margin, unbounded(margin), _outer(weights @ A, weights))


def _better(one: Bounds, other: Bounds) -> Bounds:
    primal, dual = max((one, other), key=lambda b: b.lower), min((one, other), key=lambda b: b.upper)
    return Bounds(primal.theta, primal.lower, dual.weights, dual.upper)


def _iterated(margin: Margin, solver: Callable, theta: np.ndarray | None, tol: float, most: int) -> tuple[Bounds, int]:
    """By the interior-point method."""
    factor = solver(margin.rows)
    if theta is not None:
        theta = theta * (1.5 / np.min(margin.rows @ theta / margin.levels))
    point, best, gap, at = start(margin, theta), unbounded(margin), np.inf, 0
    for step in range(most + 1):
        if step >= min(_FIRST, most):
            best = improved(margin, best, point)
            now = best.upper - best.lower
            if now < 0.5 * gap:
                gap, at = now, step
            if now <= tol * best.upper or step - at > _PATIENCE:
                return best, step
        point = stepped(margin, point, factor)
        if not np.isfinite(point.weights).all():
            return best, step
    return best, most


def _restricted(margin: Margin, best: Bounds, tol: float, most: int) -> tuple[Bounds, int]:
    """Of many rows: with those alone whose margins are least, and with those that then have less."""
    A, b, rho = margin
    n, d = A.shape
    held, steps = np.zeros(n, bool), 0
    for _ in range(_ROUNDS):
        relative = A @ best.theta / b
        fresh = np.argsort(relative)[: d if held.any() else 2 * d]
        fresh = fresh[~held[fresh]]
        if fresh.size == 0:
            break
        held[fresh] = True
        few = Margin(A[held], b[held], rho)
        part, more = _iterated(few, _cholesky, best.theta, tol, most)
        part = _at_vertex(few, part)
        if _is_open(part, tol):
            part, again = _finished(few, part, best.theta, tol, most)
            more += again
        weights = np.zeros(n)
        weights[held] = part.weights
        best, steps = improved(margin, best, _outer(part.theta, weights)), steps + more
        if not _is_open(best, tol):
            break
    return best, steps


def _cholesky(rows: np.ndarray) -> Callable:
    """Solvers by the Cholesky factor of the n × n matrix, the quickest."""
    from scipy.linalg import lapack

    dpotrf, dpotrs = lapack.dpotrf, lapack.dpotrs  # type: ignore[attr-defined]

    def factor(K, S):
        matrix = (rows * K) @ rows.T
        matrix.flat[:: len(matrix) + 1] += S
        found, failed = dpotrf(matrix)
        if failed:
            return lambda h, q: np.full_like(q, np.nan)
        return lambda h, q: dpotrs(found, -q - rows @ h)[0]

    return factor


def _normal(rows: np.ndarray) -> Callable:
    """Solvers by a d × d matrix, with one refinement: of many rows."""
    from scipy.linalg import lapack

    dpotrf, dpotrs = lapack.dpotrf, lapack.dpotrs  # type: ignore[attr-defined]

    def factor(K, S):
        matrix = (rows.T / S) @ rows
        matrix.flat[:: len(matrix) + 1] += 1 / K
        found, failed = dpotrf(matrix)
        if failed:
            return lambda h, q: np.full_like(q, np.nan)

        def once(h, q):
            theta = dpotrs(found, h / K - (q / S) @ rows)[0]
            return -(q + rows @ theta) / S

        def solve(h, q):
            x = once(h, q)
            left = rows @ (h + K * (x @ rows)) + q + S * x
            return x + once(np.zeros_like(h), left)

        return solve

    return factor


def _orthogonal(rows: Array) -> Callable:
    """Solvers by least squares, `min ‖K^½Aᵀx + K^(−½)h‖² + ‖S^½x + S^(−½)q‖²`, which do not square the condition."""
    from scipy.linalg import solve_triangular

    def factor(K, S):
        roots = np.sqrt(np.concatenate([K, S]))
        stacked = np.vstack([rows.T, np.eye(len(rows))]) * roots[:, None]
        if not np.isfinite(stacked).all():
            return lambda h, q: np.full_like(q, np.nan)
        Q, R = np.linalg.qr(stacked)

        def solve(h, q):
            return -solve_triangular(R, Q.T @ (np.concatenate([h, q]) / roots), check_finite=False)

        return solve

    return factor


def _programmed(margin: Margin, best: Bounds) -> Bounds:
    """For ρ = 1 and ρ = ∞, by linear programming: `min ‖θ‖_ρ` over `Aθ ≥ b`, whose numbers are of one size."""
    from scipy.optimize import linprog

    (n, d), b = margin.rows.shape, margin.levels
    if margin.rho == 1:
        found = linprog(np.ones(2 * d), A_ub=np.hstack([-margin.rows, margin.rows]), b_ub=-b, **_HIGHS)
        theta = None if found.x is None else found.x[:d] - found.x[d:]
    else:
        eye, one = np.eye(d), np.ones((d, 1))
        constraints = np.block([[-margin.rows, np.zeros((n, 1))], [eye, -one], [-eye, -one]])
        level = np.append(np.zeros(d), 1.0)
        bounds = [(None, None)] * d + [(0, None)]
        found = linprog(level, constraints, np.concatenate([-b, np.zeros(2 * d)]), bounds=bounds, **_HIGHS)
        theta = None if found.x is None else found.x[:d]
    if theta is None or not theta.any():
        return best
    weights = np.maximum(-found.ineqlin.marginals[:n], 0)
    best = improved(margin, best, _outer(theta, weights))
    return improved(margin, best, _on_face(margin, best))


def _outer(theta: np.ndarray, weights: np.ndarray) -> Point:
    """θ and λ as a point, of which there is nothing else to know."""
    nothing = np.zeros(0)
    return Point(nothing, nothing, nothing, weights, theta, nothing)


def _on_face(margin: Margin, best: Bounds) -> Point:
    """Of a linear programme: the point next to this one at which all equations hold that nearly do, to rounding."""
    A, b, rho = margin
    is_l1, theta, weights = rho == 1, best.theta, best.weights
    held = weights > A @ theta / b / best.lower - 1 + 1e-9
    # Of each pair of an entry and its multiplier, the one that is farther from its bound is free.
    size, image = np.abs(theta) / np.max(np.abs(theta)), np.abs(weights @ A)
    free = size > 1 - image / np.max(image) if is_l1 else (1 - size) * np.max(np.abs(A), axis=0) > image
    sign = np.sign(theta)
    fixed = np.where(free, 0.0, 0.0 if is_l1 else sign)
    slope = sign[free] if is_l1 else np.zeros(int(free.sum()))  # of the norm, in the free entries
    rows, levels = A[held], b[held]
    inner = rows[:, free]
    # The margins that hold are equal, and the norm is 1; Aᵀλ is a multiple of the slope.
    primal = np.vstack([np.column_stack([inner, -levels]), np.append(slope, 0.0)])
    theta_free = _nearest(primal, np.append(-rows @ fixed, float(is_l1)), np.append(theta[free], best.lower))[:-1]
    dual = np.vstack([np.column_stack([inner.T, -slope]), np.append(levels, 0.0)])
    weights_held = _nearest(dual, np.append(0.0 * slope, 1.0), np.append(weights[held], best.upper))[:-1]
    theta, weights = fixed, np.zeros_like(weights)
    theta[free], weights[held] = theta_free, np.maximum(weights_held, 0)
    return _outer(theta, weights)


def _nearest(matrix: np.ndarray, wanted: np.ndarray, here: np.ndarray) -> np.ndarray:
    """The solution of the equations that is nearest to a point."""
    return here + np.linalg.lstsq(matrix, wanted - matrix @ here, rcond=None)[0]
