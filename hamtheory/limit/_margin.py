"""The largest margin on separable data: where flows of a classification loss go in direction."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .._array import Array, conjugate_exponent, p_norm, quiet
from .._result import Result, throw_unless
from .._threads import threads_for
from .._validate import count, fits, is_traced, real_array, tolerance
from ..geometry import AbstractGeometry, Horizon
from ..problem import BinaryClassification
from ._interior_margin import Bounds, Margin, Point, improved, start, stepped, unbounded
from ._result import MarginResult

REACH = 64
_HIGHS: Any = {"method": "highs", "options": {f"{side}_feasibility_tolerance": 1e-10 for side in ("primal", "dual")}}
_PATIENCE = 12  # steps without a better certificate


def solve_margin(
    problem: BinaryClassification,
    geo: AbstractGeometry | Horizon | None = None,
    *,
    rho: float | None = None,
    tol: float = 1e-9,
    max_steps: int = 200,
    throw: bool = True,
) -> MarginResult:
    """The direction that the flow of `geo` takes on separable data: where the margin over its horizon is largest.

    `max { min_i z_i⟨x_i, θ⟩ : φ_∞(θ) ≤ 1 }`, where φ_∞ is ℓ_ρ: ρ = 2 for gradient descent, 1 for HAM and m⊙w, whatever
    their parameters. By an interior-point method, which for ρ = 1 and ρ = ∞ ends at a vertex, and certified by weak
    duality: no margin is above `φ_∞*(Σ λ_i z_i x_i)`, with any weights λ ≥ 0 of sum 1.

    Args:
        problem: Any classification; the loss does not matter.
        geo: A geometry, or its `horizon()`.
        rho: The exponent ρ of the norm instead, from 1 to `numpy.inf`.
        tol: The largest relative duality gap of a converged margin.
        max_steps: The budget of steps.
        throw: Raise unless the margin has converged or the classes cannot be separated.

    Returns:
        A `MarginResult`. Classes that cannot be separated have the result `infeasible`, with weights that prove it.

    Raises:
        ValueError: For a geometry whose mirror map is bounded, ρ < 1, not exactly one of `geo` and `rho`, and a `tol`
            out of the dtype's reach.
        RuntimeError: On failure, if `throw`.
        TypeError: Inside a transformation of JAX's, and for a problem that is no classification.

    References:
        [pesme2024implicit]; for ρ = 2, [soudry2018implicit]; for steepest descent, [gunasekar2018characterizing].

    ```python
    >>> import hamtheory as ht
    >>> problem = ht.BinaryClassification([[2.0, 1.0], [1.0, 2.0], [-1.0, 0.0]], [1, 1, -1])
    >>> found = ht.solve_margin(problem, ht.HAM(alpha=10.0))
    >>> found.theta.round(6).tolist(), round(float(found.margin), 6), found.support_vectors.tolist()
    ([1.0, 0.0], 1.0, [False, True, True])

    ```
    """
    rho, units = norm_of(problem, geo, rho)
    tol, max_steps = tolerance(tol, "tol", problem.dtype, REACH), count(max_steps, "max_steps")
    rows = np.asarray(problem.signed, float) / units
    with threads_for(*rows.shape), quiet():
        theta, dual, steps = _solved(problem, rows, units, rho, tol, max_steps)
        result = certified(problem, rows, units, theta, dual, rho, tol, steps)
    if throw and result.result not in (Result.converged, Result.infeasible):
        detail = f"relative gap {float(result.stats['relative_gap']):.1e}, {int(result.stats['steps'])} steps"
        throw_unless(result.result, (), None, "solve_margin", detail)
    return result


def margin_path(
    problem: BinaryClassification,
    rhos: Any,
    *,
    tol: float = 1e-9,
    max_steps: int = 200,
    throw: bool = True,
) -> MarginResult:
    """The largest margins over ℓ_ρ for a grid of ρ: from the sparsest direction to the one of equal entries.

    Args:
        problem: As in `solve_margin`.
        rhos: ρ, (points,), each from 1 to `numpy.inf`.
        tol: As in `solve_margin`.
        max_steps: As in `solve_margin`.
        throw: As in `solve_margin`.

    Returns:
        A `MarginResult` with an axis of points before all others.

    Raises:
        ValueError: As `solve_margin`.
        RuntimeError: As `solve_margin`.
        TypeError: As `solve_margin`.

    References:
        As of `solve_margin`.

    ```python
    >>> import hamtheory as ht
    >>> problem = ht.BinaryClassification([[3.0, 1.0], [-3.0, -1.0]], [1, -1])
    >>> ht.margin_path(problem, [1.0, 2.0, float("inf")]).margin.round(6).tolist()
    [3.0, 3.162278, 4.0]

    ```
    """
    rhos = np.asarray(real_array(rhos, "rhos", ndim=1), float)
    if rhos.size == 0:
        raise ValueError("rhos must hold at least one exponent; got none")
    found = [solve_margin(problem, rho=rho, tol=tol, max_steps=max_steps, throw=throw) for rho in rhos.tolist()]
    return stacked(found)


def stacked(found: list[MarginResult]) -> MarginResult:
    """Results of one shape as one, with an axis before all others."""
    names = ("theta", "margin", "dual", "duality_gap", "support_vectors")
    arrays: Any = {name: np.stack([getattr(one, name) for one in found]) for name in names}
    stats = {name: np.stack([one.stats[name] for one in found]) for name in found[0].stats}
    return MarginResult(**arrays, result=np.array([int(one.result) for one in found], np.int32), stats=stats)


def norm_of(problem: Any, geo: Any, rho: float | None) -> tuple[float, np.ndarray]:
    """ρ, and the units of the columns in which the horizon is ℓ_ρ, after a look at the arguments."""
    if not isinstance(problem, BinaryClassification):
        raise TypeError(f"problem must be a BinaryClassification; got a {type(problem).__name__}")
    if is_traced(problem.X):
        raise TypeError("solve_margin must be asked of concrete data; X is traced by JAX")
    if (geo is None) == (rho is None):
        raise ValueError(f"solve_margin needs either geo or rho; got {'neither' if geo is None else 'both'}")
    if geo is not None and not isinstance(geo, (AbstractGeometry, Horizon)):
        raise TypeError(f"geo must be a geometry or a horizon; got a {type(geo).__name__}")
    if isinstance(geo, AbstractGeometry):
        fits(geo, problem.d)
        geo = geo.horizon()
    given: Any = rho if geo is None else geo.rho
    try:
        rho = float(given)
    except (TypeError, ValueError):
        raise ValueError(f"rho must be a number; got {given}") from None
    if not rho >= 1:
        raise ValueError(f"rho must be from 1 to infinity; got {rho:g}, with which it is no norm")
    units = np.ones(()) if geo is None else np.asarray(geo.units(), float)
    if units.shape not in ((), (problem.d,)):
        raise ValueError(f"weights of the horizon must have shape ({problem.d},); got {units.shape}")
    return rho, units


def _solved(problem, rows, units, rho, tol, most) -> tuple[np.ndarray, np.ndarray, int]:
    """θ and λ that bound the margin of these rows, and the number of steps."""
    sizes = np.max(np.abs(rows), axis=1)
    if not sizes.all():
        return np.zeros(problem.d), problem.separability().weights, 0
    scaled = Margin(rows / sizes[:, None], np.min(sizes) / sizes, rho)
    is_vertex = rho in (1, np.inf)

    def at_vertex(best):
        return improved(scaled, best, _on_face(scaled, best)) if is_vertex and best.lower > 0 else best

    def is_open(best):
        return not best.upper - best.lower <= tol * best.upper < np.inf

    best, steps = _iterated(scaled, _cholesky, None, tol, most)
    best = at_vertex(best)
    if is_open(best):
        apart = problem.separability()
        if apart.holds is False:
            return np.zeros(problem.d), apart.weights, 0
        if apart.holds:  # barely, or by rows of very different sizes: from a θ that does
            again, more = _iterated(scaled, _orthogonal, apart.theta * units, tol, most)
            best, steps = at_vertex(_better(best, again)), steps + more
        if is_vertex and is_open(best):  # of hundreds of rows and columns this may take minutes
            best = _programmed(scaled, best)
    return best.theta, best.weights * scaled.levels, steps


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


def certified(problem, rows, units, theta, dual, rho, tol, steps) -> MarginResult:
    """The result, with bounds computed anew from what is returned."""
    dtype = problem.dtype.type
    dual = dual / dual.sum()
    upper = float(p_norm(dual @ rows, conjugate_exponent(rho)))
    stats = {"steps": np.int64(steps)}
    if not theta.any():
        none = np.zeros(problem.n, bool)
        result = Result.infeasible if problem.separability().holds is False else Result.stalled
        stats["relative_gap"] = dtype(1.0)
        return MarginResult(
            theta.astype(problem.dtype), dtype(0.0), dual.astype(problem.dtype), dtype(upper), none, result, stats
        )
    theta = theta / float(p_norm(theta, rho))
    margins = rows @ theta
    lower = float(np.min(margins))
    gap = upper - lower
    # What rounding makes of the upper bound, where the margin is small beside the rows.
    rounding = 4 * np.finfo(problem.dtype).eps * float(p_norm(dual @ np.abs(rows), conjugate_exponent(rho)))
    converged = gap <= tol * upper + rounding
    stats["relative_gap"] = dtype(gap / upper)
    return MarginResult(
        theta=(theta / units).astype(problem.dtype),
        margin=dtype(lower),
        dual=dual.astype(problem.dtype),
        duality_gap=dtype(gap),
        support_vectors=dual > (margins - lower) / upper + 1e-12,
        result=Result.converged if converged else Result.stalled,
        stats=stats,
    )
