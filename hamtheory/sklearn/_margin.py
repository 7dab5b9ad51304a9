"""The largest margin with an intercept that costs nothing.

    γ = max { min_i z_i(⟨x_i, θ⟩ + b) : ‖θ‖_ρ ≤ 1 } = min { ‖Σ λ_i z_i x_i‖_ρ′ : λ ≥ 0, Σ λ_i = 1, Σ λ_i z_i = 0 }

`ht.solve_margin` has no intercept. A column of ones would be priced by the norm; but where the best b is 0, a price on
b changes nothing. So the origin is moved onto the plane that was found, half-way between the points of the two convex
hulls that λ says are nearest, until b is 0. With a column r times as large as X, this contracts what is left of b by r²
or so. That it has arrived, both sides of the equation above say. With ρ = 1 and ρ = ∞ the price has a kink at b = 0,
and λ need not be balanced there: of the samples on the margin a linear programme finds one that is.
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
_NEAR = 1e-6  # the samples on the margin, those so near to it, relative to it
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
        margins = z * (scores - (low + high) / 2)
        if rho in (1, np.inf) and lower > 0 and upper - lower > tol * upper:
            near = margins - lower <= _NEAR * upper
            other = _balanced(rows, z, rho, near)
            bound = float(p_norm(other @ rows, conjugate_exponent(rho)))
            dual, upper = (other, bound) if bound < upper else (dual, upper)
        rounding = 4 * _EPS * float(p_norm(dual @ np.abs(rows), conjugate_exponent(rho)))
    converged = lower > 0 and upper - lower <= tol * upper + rounding
    ran_out = found.result == Result.max_steps
    result = Result.converged if converged else Result.max_steps if ran_out else Result.stalled
    support = dual > (margins - lower) / upper + 1e-12
    stats = {"steps": np.int64(steps), "relative_gap": np.float64((upper - lower) / upper)}
    margin = MarginResult(theta, np.float64(lower), dual, np.float64(upper - lower), support, result, stats)
    return Separating(margin, -(low + high) / 2 - float(origin @ theta))


def _balanced(rows: np.ndarray, z: np.ndarray, rho: float, near: np.ndarray) -> np.ndarray:
    """The λ of some samples, half of it in each class, for which `‖Σ λ_i z_i x_i‖_ρ′` is least, ρ′ = ∞ or 1."""
    from scipy.optimize import linprog

    some = rows[near].T / np.max(np.abs(rows))
    d, k = some.shape
    sizes = np.ones((d, 1)) if rho == 1 else np.eye(d)  # of the entries of the sum: their largest one, or each
    above = np.block([[some, -sizes], [-some, -sizes]])
    halves = np.array([np.append(z[near] == sign, np.zeros(sizes.shape[1])) for sign in (1.0, -1.0)])
    cost = np.append(np.zeros(k), np.ones(sizes.shape[1]))
    options = {f"{side}_feasibility_tolerance": 1e-10 for side in ("primal", "dual")}
    found = linprog(cost, above, np.zeros(2 * d), halves, [0.5, 0.5], method="highs", options=options)
    dual = np.zeros(len(z))
    if found.x is None:
        return np.full(len(z), np.inf)
    dual[near] = np.maximum(found.x[:k], 0.0)
    for half in (z > 0, z < 0):
        dual[half] /= 2 * dual[half].sum()
    return dual
