"""The largest margin on separable data: where flows of a classification loss go in direction."""

from typing import Any

import numpy as np

from .._array import conjugate_exponent, p_norm, quiet
from .._result import Result, throw_unless
from .._threads import threads_for
from .._validate import count, fits, is_traced, real_array, tolerance
from ..geometry import AbstractGeometry, Horizon
from ..problem import BinaryClassification
from ._host_margin import solved
from ._result import MarginResult

REACH = 64


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
        theta, dual, steps = solved(problem, rows, units, rho, tol, max_steps)
        result = certified(problem, rows, units, theta, dual, rho, tol, steps, max_steps)
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


def certified(problem, rows, units, theta, dual, rho, tol, steps, most) -> MarginResult:
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
    converged = lower > 0 and gap <= tol * upper + rounding
    stats["relative_gap"] = dtype(gap / upper)
    return MarginResult(
        theta=(theta / units).astype(problem.dtype),
        margin=dtype(lower),
        dual=dual.astype(problem.dtype),
        duality_gap=dtype(gap),
        support_vectors=dual > (margins - lower) / upper + 1e-12,
        result=Result.converged if converged else Result.max_steps if steps >= most else Result.stalled,
        stats=stats,
    )
