"""The limit of a flow, without integrating it."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._result import Result, throw_unless
from .._types import Number, Vector
from .._validate import count, is_traced, start, tolerance
from ..geometry import AbstractGeometry
from ..metrics import certify, relative_residual
from ..problem import LinearRegression
from ._newton import newton

ROUNDING_REACH = 16  # a tolerance below this many units of rounding cannot be promised


class LimitResult(eqx.Module):
    """The limit of a flow with its certificate; see `solve_limit`.

    `theta`: the limit, (d,). `dual`: ν, (n,), with `R′(θ) = R′(θ₀) + Xᵀν`. `residual`: `‖Xθ − y‖/‖y‖`.
    `duality_gap`: primal minus dual value, `νᵀ(Xθ − y)`. `result`: a member of `hamtheory.Result`.
    `stats`: `steps` (Newton steps), `evaluations` (of the dual gradient), `relative_gap` (the gap divided by
    `D_R(θ, θ₀)`), `rank` (of X), `distance` (of y from the range of X).
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
    max_steps: int = 500,
    throw: bool = True,
) -> LimitResult:
    """Where the flow of `geo` from θ₀ converges: the Bregman projection of θ₀ on the interpolators.

    `θ_∞ = argmin { D_R(θ, θ₀) : Xθ = y }`, found by Newton's method on the dual problem
    `min_ν Σ R*(R′(θ₀) + Xᵀν) − yᵀν` in the r ≤ min(n, d) dimensions of the row space. Nothing is integrated.

    Arguments:
      `problem`, `geo`: any regression and any geometry. `theta0`: the start, (d,); zeros if left out.
      `tol`: the largest relative residual and relative duality gap of a converged limit.
      `max_steps`: the budget of Newton steps. `throw`: raise on anything but convergence (otherwise, see `.result`).
      `weight_decay`: must be 0 here; integrate `solve_flow(..., weight_decay=β)` for the regularised limits.
    Returns: a `LimitResult`, in the dtype of the problem. If `Xθ = y` has no solution, `result` is `infeasible` and
      `theta` is the projection on the least-squares set, which is where the flow goes.
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
    theta0 = start(theta0, problem.d, problem.dtype)
    tol = tolerance(tol, "tol", problem.dtype, ROUNDING_REACH)
    max_steps = count(max_steps, "max_steps")
    if is_traced(weight_decay) or weight_decay != 0:
        raise ValueError(
            f"weight_decay must be 0 in solve_limit; got {weight_decay}: the limits of flows with weight decay are "
            "reached by solve_flow(problem, geo, theta0, weight_decay=...)"
        )
    limit = _solve(problem, geo, theta0, jnp.asarray(tol, problem.dtype), jnp.asarray(max_steps))
    if not throw:
        return limit
    detail = "" if is_traced(limit) else f"relative residual {limit.residual:.2e}, distance of y {problem.distance:.2e}"
    return throw_unless(limit.result, (Result.converged,), limit, "solve_limit", detail)


@eqx.filter_jit
def _solve(problem, geo, theta0, tol, max_steps) -> LimitResult:
    state, result = newton(problem, geo, theta0, tol, max_steps)
    certificate = certify(problem, geo, state.theta, theta0, state.coordinates)
    return LimitResult(
        theta=state.theta,
        dual=problem.row_space.dual(state.coordinates),
        residual=relative_residual(problem, state.theta),
        duality_gap=certificate.duality_gap,
        result=Result.where((result == Result.converged) & ~problem.is_consistent, Result.infeasible, result),
        stats={
            "steps": state.steps,
            "evaluations": state.evaluations,
            "relative_gap": certificate.relative_gap,
            "rank": problem.rank,
            "distance": problem.distance,
        },
    )


def min_norm(problem: LinearRegression, theta0: Vector | None = None) -> Float[Array, " d"]:
    """The interpolator closest to θ₀ in the Euclidean norm: `θ₀ + X⁺(y − Xθ₀)`, gradient descent's limit.

    Arguments: `theta0` of shape (d,); zeros if left out. Returns: shape (d,); for an inconsistent y, the closest point
    of the least-squares set. By the singular value decomposition, not by iteration.

    ```python
    >>> import hamtheory as ht
    >>> ht.min_norm(ht.LinearRegression([[3.0, 4.0]], [5.0])).tolist()
    [0.6, 0.8]

    ```
    """
    theta0 = start(theta0, problem.d, problem.dtype)
    space = problem.row_space
    return theta0 + (space.target - space.project(theta0)) @ space.basis
