"""Whole curves of limits in one call: over the parameter of a family, and over the strength of weight decay."""

from .._array import is_jax
from .._types import Times, Vector
from ..geometry import AbstractExponentialGeometry, AbstractGeometry
from ..problem import LinearRegression
from ._result import LimitPath, RegularizationPath


def limit_path(
    problem: LinearRegression,
    family: type[AbstractExponentialGeometry],
    grid: Times,
    theta0: Vector | None = None,
    *,
    tol: float = 1e-10,
    max_steps: int = 2000,
    throw: bool = True,
) -> LimitPath:
    """The limits of `solve_limit` for every parameter of a grid, each followed from its neighbour.

    Arguments:
      `problem`: any regression. `family`: `ht.HAM` or `ht.Hypentropy`.
      `grid`: values of `ln α` (HAM) or `ln γ` (Hypentropy) within ±10⁵, (points,), in any order.
      `theta0`, `tol`, `throw`: as in `solve_limit`. `max_steps`: the budget of each point.
    Returns: a `LimitPath`, in the order of the grid. `result` is per point; with `throw`, all must have converged.
    Errors: as `solve_limit`; `TypeError` if `family` is no such class.

    Can be compiled, and vmapped over problems, starting points and grids.
    Source: own.

    ```python
    >>> import hamtheory as ht
    >>> path = ht.limit_path(ht.LinearRegression([[1.0, 2.0]], [2.0]), ht.HAM, [-30.0, 5.0, 1e4])
    >>> path.thetas.round(3).tolist()
    [[0.4, 0.8], [0.074, 0.963], [0.0, 1.0]]

    ```
    """
    if not (isinstance(family, type) and hasattr(family, "at_log")):
        raise TypeError(f"family must be a class of geometries, ht.HAM or ht.Hypentropy; got {family!r}")
    if is_jax(problem, grid, theta0):
        from ._device_paths import limit_path as solve
    else:
        from ._host import limit_path as solve
    return solve(problem, family, grid, theta0, tol=tol, max_steps=max_steps, throw=throw)


def regularization_path(
    problem: LinearRegression,
    geo: AbstractGeometry,
    weight_decays: Times,
    *,
    tol: float = 1e-10,
    max_steps: int = 2000,
    throw: bool = True,
) -> RegularizationPath:
    """`argmin f + P_β` of `solve_limit(..., weight_decay=β)` over a grid of β, with warm starts.

    For `Hypentropy` it is the lasso's regularisation path (penalty 2β‖θ‖₁), for `Euclidean` that of ridge regression,
    for `HAM(alpha)` one between them.

    Arguments: `problem`; `geo`, one of the three; `weight_decays`, positive, (points,), in any order (they are visited
      from the largest down); `tol`, `max_steps` (a point) and `throw` as in `solve_limit`.
    Returns: a `RegularizationPath` in the order of the grid. Can be compiled, and vmapped over problems and geometries.
    Errors: as `solve_limit`.
    Source: own; the penalties, [ziyin2023spred] (m⊙w).

    ```python
    >>> import hamtheory as ht
    >>> problem = ht.LinearRegression([[1.0, 2.0]], [2.0])
    >>> ht.regularization_path(problem, ht.Hypentropy(1.0), [0.5, 2.0]).thetas.round(6).tolist()
    [[0.0, 0.75], [0.0, 0.0]]

    ```
    """
    if is_jax(problem, geo, weight_decays):
        from ._device_paths import regularization_path as solve
    else:
        from ._host import regularization_path as solve
    return solve(problem, geo, weight_decays, tol=tol, max_steps=max_steps, throw=throw)
