"""The largest margin with an intercept that costs nothing.

    γ = max { min_i z_i(⟨x_i, θ⟩ + b) : ‖θ‖_ρ ≤ 1 } = min { ‖Σ λ_i z_i x_i‖_ρ′ : λ ≥ 0, Σ λ_i = 1, Σ λ_i z_i = 0 }

`ht.solve_margin` has no intercept. A column of ones would be priced by the norm; but where the best b is 0, a price on b
changes nothing. So the origin is moved onto the plane that was found, half-way between the points of the two convex
hulls that λ says are nearest, until b is 0. With a column r times as large as X, this contracts what is left of b by r² or
so. That it has arrived, both sides of the equation above say.
"""

from typing import NamedTuple

import numpy as np

from .._array import conjugate_exponent, p_norm, quiet, replaced
from .._result import Result
from ..limit import MarginResult, solve_margin
from ..problem import BinaryClassification

_REACH = 30.0  # the size of the column of the intercept, in units of X; of a larger one rounding is, too
_ROUNDS = 8  # of the origin
_LEAST_TOL = 1e-13  # of what is asked for on the way: an error of λ is the root of a gap
_EPS = float(np.finfo(float).eps)


class Separating(NamedTuple):
    """The largest margin, and the intercept b of its plane `⟨x, θ⟩ + b = 0`."""

    margin: MarginResult
    intercept: float


def largest_margin(
    X: np.ndarray, z: np.ndarray, rho: float, *, intercept: bool, tol: float, max_steps: int
) -> Separating:
    """The largest margin over ℓ_ρ; its `result` is `infeasible` if no plane separates the classes."""
    if not intercept:
        problem = BinaryClassification(X, z)
        return Separating(solve_margin(problem, rho=rho, tol=tol, max_steps=max_steps, throw=False), 0.0)
    origin, steps = (X[z > 0].mean(axis=0) + X[z < 0].mean(axis=0)) / 2, 0
    best: Separating | None = None
    for step in range(_ROUNDS):
        shifted = X - origin
        size = float(np.max(np.abs(shifted)))
        column = np.full((len(X), 1), _REACH * (size if size > 0 else 1.0))
        problem = BinaryClassification(np.hstack([shifted, column]), z)
        found = solve_margin(problem, rho=rho, tol=max(tol / 100**step, _LEAST_TOL), max_steps=max_steps, throw=False)
        steps += int(found.stats["steps"])
        here = _certified(shifted, z, rho, found, tol, steps, origin)
        if here is None:  # not separable, or not known to be
            none = replaced(found, theta=np.zeros(X.shape[1]), stats={**found.stats, "steps": np.int64(steps)})
            return best or Separating(none, 0.0)
        is_better = best is None or here.margin.duality_gap < best.margin.duality_gap
        best = here if is_better else best
        if here.margin.result == Result.converged or not is_better:
            break
        halves = np.where(z > 0, 1.0, 0.0), np.where(z < 0, 1.0, 0.0)
        origin = origin + sum((half * here.margin.dual) @ shifted for half in halves)
    assert best is not None
    return best


def _certified(shifted, z, rho, found, tol, steps, origin) -> Separating | None:
    """θ without the price of the intercept, and both bounds on the margin."""
    with quiet():
        theta, dual = found.theta[:-1], np.asarray(found.dual)
        halves = [np.where(z == sign, dual, 0.0) for sign in (1.0, -1.0)]
        if not theta.any() or not all(half.sum() > 0 for half in halves):
            return None
        dual = sum(half / half.sum() for half in halves) / 2
        theta = theta / p_norm(theta, rho)
        scores, rows = shifted @ theta, z[:, None] * shifted
        low, high = float(scores[z > 0].min()), float(scores[z < 0].max())
        lower, upper = (low - high) / 2, float(p_norm(dual @ rows, conjugate_exponent(rho)))
        rounding = 4 * _EPS * float(p_norm(dual @ np.abs(rows), conjugate_exponent(rho)))
        margins = z * (scores - (low + high) / 2)
    converged = lower > 0 and upper - lower <= tol * upper + rounding
    ran_out = found.result == Result.max_steps
    result = Result.converged if converged else Result.max_steps if ran_out else Result.stalled
    support = dual > (margins - lower) / upper + 1e-12
    stats = {"steps": np.int64(steps), "relative_gap": np.float64((upper - lower) / upper)}
    margin = MarginResult(theta, np.float64(lower), dual, np.float64(upper - lower), support, result, stats)
    return Separating(margin, -(low + high) / 2 - float(origin @ theta))
