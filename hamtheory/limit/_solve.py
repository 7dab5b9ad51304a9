"""The limit of a flow, without integrating it."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._result import Result, throw_unless
from .._types import Number, Vector
from .._validate import count, is_traced, start, strength, tolerance
from ..geometry import AbstractExponentialGeometry, AbstractGeometry
from ..metrics import certify, relative_residual, relative_stationarity
from ..problem import LinearRegression
from ..problem._regression import without_truth
from ._newton import newton
from ._path import follow, start_of_path
from ._regularized import Penalty, cold, penalty_of, primal_minus_dual, regularised, reported

ROUNDING_REACH = 16  # a tolerance below this many units of rounding cannot be promised


class LimitResult(eqx.Module):
    """The limit of a flow with its certificate; see `solve_limit`.

    `theta`: the limit, (d,). `dual`: ν, (n,), with `R′(θ) = R′(θ₀) + Xᵀν`. `residual`: `‖Xθ − y‖/‖y‖`.
    `duality_gap`: primal minus dual value, `νᵀ(Xθ − y)`. `result`: a member of `hamtheory.Result`.
    `stats`: `steps` (Newton steps), `evaluations` (of the dual gradient), `relative_gap` (the gap divided by
    `D_R(θ, θ₀)`), `rank` (of X), `distance` (of y from the range of X).
    With weight decay: `dual` is `ν = (y − Xθ)/n`, `duality_gap` that of `min f + P`, `relative_gap` is over its value,
    and `stats["stationarity"]` the relative violation of the optimality condition.
    Source: own.
    """

    theta: Float[Array, " d"]
    dual: Float[Array, " n"]
    residual: Float[Array, ""]
    duality_gap: Float[Array, ""]
    result: Any
    stats: dict[str, Array]


def solve_limit(
    problem: LinearRegression,
    geo: AbstractGeometry,
    theta0: Vector | None = None,
    *,
    weight_decay: Number = 0.0,
    tol: float = 1e-10,
    max_steps: int = 2000,
    throw: bool = True,
) -> LimitResult:
    """Where the flow of `geo` from θ₀ converges: the Bregman projection of θ₀ on the interpolators.

    `θ_∞ = argmin { D_R(θ, θ₀) : Xθ = y }`, found by Newton's method on the dual problem
    `min_ν Σ R*(R′(θ₀) + Xᵀν) − yᵀν` in the r ≤ min(n, d) dimensions of the row space. Nothing is integrated.

    Arguments:
      `problem`, `geo`: any regression and any geometry. `theta0`: the start, (d,); zeros if left out.
      `tol`: the largest relative residual and relative duality gap of a converged limit.
      `max_steps`: the budget of Newton steps. `throw`: raise on anything but convergence (otherwise, see `.result`).
      `weight_decay`: the paper's β ≥ 0. If β > 0 the limit is `argmin f + P` instead, whatever θ₀: ridge,
        `P = ½β‖θ‖²`, for `Euclidean`; the lasso, `P = 2β‖θ‖₁`, for `Hypentropy`, whatever γ; and
        `P = βΣ(α|θ| − ln(1 + α|θ|))/α²` for `HAM`, ridge as α → 0 and the lasso with `β/α` as α → ∞. `tol` is then that
        of the relative violation of `∇f + ∇P = 0`.
    Returns: a `LimitResult`, in the dtype of the problem. If `Xθ = y` has no solution and β = 0, `result` is
      `infeasible` and `theta` is the projection on the least-squares set, which is where the flow goes.
    Errors: `ValueError` for bad arguments, or a `tol` out of the dtype's reach; `RuntimeError` on failure, if `throw`.

    Can be compiled and vmapped over problems, geometries and starting points; it compiles once a shape.
    Source: [gunasekar2018characterizing], [li2022implicit]; THEORY: implicit bias as a Bregman projection.

    ```python
    >>> import jax
    >>> jax.config.update("jax_enable_x64", True)
    >>> import hamtheory as ht
    >>> problem = ht.LinearRegression([[1.0, 2.0]], [2.0])
    >>> ht.solve_limit(problem, ht.Euclidean()).theta.round(3).tolist()
    [0.4, 0.8]
    >>> ht.solve_limit(problem, ht.HAM(alpha=1e6)).theta.round(3).tolist()
    [0.001, 1.0]

    ```
    """
    problem = without_truth(problem)
    theta0 = start(theta0, problem.d, problem.dtype)
    within = jnp.asarray(tolerance(tol, "tol", problem.dtype, ROUNDING_REACH), problem.dtype)
    budget = jnp.asarray(count(max_steps, "max_steps"))
    weight_decay, decays = strength(weight_decay, "weight_decay", problem.dtype)
    if decays:
        penalty = known_penalty(geo, weight_decay, problem.dtype)
        limit = _solve_regularised(problem, geo, penalty, weight_decay, within, budget)
    else:
        limit = solve_from(problem, geo, theta0, within, budget)
    if not throw:
        return limit
    detail = ""
    if not is_traced(limit):
        detail = f"relative residual {float(limit.residual):.2e}, distance of y {float(problem.distance):.2e}"
    return throw_unless(limit.result, (Result.converged,), limit, "solve_limit", detail)


def known_penalty(geo: AbstractGeometry, weight_decay, dtype) -> Penalty:
    """The penalty of a geometry under weight decay, or an error that says where else to go."""
    penalty = penalty_of(geo, weight_decay, dtype)
    if penalty is None:
        if not is_traced(weight_decay):
            geo.decayed(0.0, float(weight_decay))  # a geometry that knows no weight decay at all says why
        raise ValueError(
            f"weight_decay must be 0 for {type(geo).__name__} in solve_limit: what its limits minimise is known for "
            "Euclidean, Hypentropy and HAM with a scalar parameter; integrate solve_flow(..., weight_decay=...)"
        )
    return penalty


@eqx.filter_jit
def _solve_regularised(problem, geo, penalty, weight_decay, tol, max_steps) -> LimitResult:
    penalty = penalty.bounded(problem)
    point = regularised(problem, geo, penalty, weight_decay, cold(problem), tol, max_steps)
    return regularised_limit(problem, geo, penalty, weight_decay, point)


def regularised_limit(problem, geo, penalty, weight_decay, point) -> LimitResult:
    """The result of the interior-point method, with its certificates."""
    theta = reported(problem, point, penalty.barrier)
    dual, gap, relative = primal_minus_dual(problem, penalty, theta, point)
    finite = jnp.all(jnp.isfinite(theta))
    return LimitResult(
        theta=theta,
        dual=dual,
        residual=relative_residual(problem, theta),
        duality_gap=gap,
        result=Result.where(point.done, Result.converged, Result.where(finite, Result.max_steps, Result.nonfinite)),
        stats={
            "steps": point.steps,
            "evaluations": point.steps,
            "relative_gap": relative,
            "stationarity": relative_stationarity(problem, geo, theta, weight_decay),
            "rank": problem.rank,
            "distance": problem.distance,
        },
    )


@eqx.filter_jit
def solve_from(problem, geo, theta0, tol, max_steps) -> LimitResult:
    """The limit without weight decay, of checked arguments."""
    if isinstance(geo, AbstractExponentialGeometry) and geo.log_sparsity.ndim == 0:
        start = start_of_path(problem, geo, theta0)
        state, point, result = follow(problem, geo, theta0, start, tol, max_steps)
        theta, coordinates, certificate = point.theta, point.coordinates, point.certificate
        evaluations = state.steps
    else:
        state, result = newton(problem, geo, theta0, tol, max_steps)
        theta, coordinates, evaluations = state.theta, state.coordinates, state.evaluations
        certificate = certify(problem, geo, theta, theta0, coordinates)
    return LimitResult(
        theta=theta,
        dual=problem.row_space.dual(coordinates),
        residual=relative_residual(problem, theta),
        duality_gap=certificate.duality_gap,
        result=feasible(problem, result),
        stats={
            "steps": state.steps,
            "evaluations": evaluations,
            "relative_gap": certificate.relative_gap,
            "rank": problem.rank,
            "distance": problem.distance,
        },
    )


def feasible(problem: LinearRegression, result):
    """The result, with what converged although no interpolator exists by its own name."""
    return Result.where((result == Result.converged) & ~problem.is_consistent, Result.infeasible, result)


def min_norm(problem: LinearRegression, theta0: Vector | None = None) -> Float[Array, " d"]:
    """The interpolator closest to θ₀ in the Euclidean norm: `θ₀ + X⁺(y − Xθ₀)`, gradient descent's limit.

    By the singular value decomposition, not by iteration.

    Arguments: `problem`: any regression. `theta0`: the start, (d,); zeros if left out.
    Returns: shape (d,); for an inconsistent y, the closest point of the least-squares set.
    Errors: `ValueError` for a start of another shape, or one that is not finite.
    Source: [gunasekar2018characterizing].

    ```python
    >>> import hamtheory as ht
    >>> ht.min_norm(ht.LinearRegression([[3.0, 4.0]], [5.0])).tolist()
    [0.6, 0.8]

    ```
    """
    theta0 = start(theta0, problem.d, problem.dtype)
    space = problem.row_space
    return theta0 + (space.target - space.project(theta0)) @ space.basis
