"""The limit of a flow, without integrating it."""

from jaxtyping import Float

from .._arguments import entrance
from .._array import Array, is_jax
from .._types import Number, Vector
from .._validate import start
from ..geometry import AbstractGeometry, Euclidean
from ..problem import LinearRegression
from ._result import LimitResult

ROUNDING_REACH = 16  # a tolerance below this many units of rounding cannot be promised


@entrance
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

    Can be compiled and vmapped over problems, geometries and starting points; it compiles once a shape.

    Args:
        problem: Any regression.
        geo: Any geometry.
        theta0: The start, (d,); zeros if left out.
        weight_decay: The paper's β ≥ 0. If β > 0 the limit is `argmin f + P` instead, whatever θ₀: ridge, `P = ½β‖θ‖²`,
            for `Euclidean`; the lasso, `P = 2β‖θ‖₁`, for `Hypentropy`, whatever γ; and `P = βΣ(α|θ| − ln(1 + α|θ|))/α²`
            for `HAM`, ridge as α → 0 and the lasso with `β/α` as α → ∞.
        tol: The largest relative residual and relative duality gap of a converged limit. With weight decay it is that
            of the relative violation of `∇f + ∇P = 0`.
        max_steps: The budget of Newton steps.
        throw: Raise on anything but convergence (otherwise, see `.result`).

    Returns:
        A `LimitResult`, in the dtype of the problem. If `Xθ = y` has no solution and β = 0, `result` is `infeasible`
        and `theta` is the projection on the least-squares set, which is where the flow goes.

    Raises:
        ValueError: For bad arguments, or a `tol` out of the dtype's reach.
        TypeError: For what is no problem, or no geometry.
        RuntimeError: On failure, if `throw`.

    References:
        [gunasekar2018characterizing], [li2022implicit].

    ```python
    >>> import hamtheory as ht
    >>> problem = ht.LinearRegression([[1.0, 2.0]], [2.0])
    >>> ht.solve_limit(problem, ht.Euclidean()).theta.round(3).tolist()
    [0.4, 0.8]
    >>> ht.solve_limit(problem, ht.HAM(alpha=1e6)).theta.round(3).tolist()
    [0.001, 1.0]

    ```
    """
    if is_jax(problem, geo, theta0, weight_decay):
        from ._device import solve_limit as solve
    else:
        from ._host import solve_limit as solve
    return solve(problem, geo, theta0, weight_decay=weight_decay, tol=tol, max_steps=max_steps, throw=throw)


@entrance
def min_norm(problem: LinearRegression, theta0: Vector | None = None) -> Float[Array, " d"]:
    """The interpolator closest to θ₀ in the Euclidean norm: `θ₀ + X⁺(y − Xθ₀)`, gradient descent's limit.

    By the singular value decomposition, not by iteration.

    Args:
        problem: Any regression.
        theta0: The start, (d,); zeros if left out.

    Returns:
        Of shape (d,); for an inconsistent y, the closest point of the least-squares set.

    Raises:
        ValueError: For a start of another shape, or one that is not finite.

    References:
        [gunasekar2018characterizing].

    ```python
    >>> import hamtheory as ht
    >>> ht.min_norm(ht.LinearRegression([[3.0, 4.0]], [5.0])).tolist()
    [0.6, 0.8]

    ```
    """
    theta0 = start(theta0, problem.d, problem.dtype)
    space = problem.row_space
    coordinates = space.target - space.project(theta0)
    theta = theta0 + coordinates @ space.basis
    if not is_jax(problem, theta0):
        return theta
    from ._implicit import attached

    return attached(problem, Euclidean(), theta0, theta, coordinates)[0]
