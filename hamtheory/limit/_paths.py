"""Whole curves of limits in one call: over the parameter of a family, and over the strength of weight decay."""

from .._arguments import entrance
from .._array import is_jax
from .._types import Times, Vector
from ..geometry import AbstractExponentialGeometry, AbstractGeometry
from ..problem import LinearRegression
from ._result import LimitPath, RegularizationPath


@entrance
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

    Under weight decay β the flow of m⊙w from zero follows the limits at `ln γ − 4βt`, once it fits the data: off by
    the order of β, with the bound of `mw.grokking` in the ledger. HAM's does not follow any.

    Can be compiled, and vmapped over problems, starting points and grids.

    Args:
        problem: Any regression.
        family: `ht.HAM` or `ht.Hypentropy`.
        grid: Values of `ln α` (HAM) or `ln γ` (Hypentropy) within ±10⁵, (points,), in any order.
        theta0: As in `solve_limit`.
        tol: As in `solve_limit`.
        max_steps: The budget of each point.
        throw: As in `solve_limit`.

    Returns:
        A `LimitPath`, in the order of the grid. Its `result` is per point; with `throw`, all must have converged.

    Raises:
        ValueError: As in `solve_limit`.
        RuntimeError: As in `solve_limit`.
        TypeError: If `family` is no such class.

    ```python
    >>> import hamtheory as ht
    >>> path = ht.limit_path(ht.LinearRegression([[1.0, 2.0]], [2.0]), ht.HAM, [-30.0, 5.0, 1e4])
    >>> path.thetas.round(3).tolist()
    [[0.4, 0.8], [0.074, 0.963], [0.0, 1.0]]

    ```
    """
    if not (isinstance(family, type) and hasattr(family, "at_log")):
        raise TypeError(
            f"family must be a class of geometries, ht.HAM or ht.Hypentropy; got {family!r}. Of others, "
            "ht.solve_limits finds many limits at once"
        )
    if is_jax(problem, grid, theta0):
        from ._device_paths import limit_path as solve
    else:
        from ._host import limit_path as solve
    return solve(problem, family, grid, theta0, tol=tol, max_steps=max_steps, throw=throw)


@entrance
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

    Can be compiled, and vmapped over problems and geometries.

    Args:
        problem: Any regression.
        geo: One of these three.
        weight_decays: Positive, (points,), in any order (they are visited from the largest down).
        tol: As in `solve_limit`.
        max_steps: The budget of each point, as in `solve_limit`.
        throw: As in `solve_limit`.

    Returns:
        A `RegularizationPath` in the order of the grid.

    Raises:
        ValueError: As in `solve_limit`.
        RuntimeError: As in `solve_limit`.

    References:
        The penalties, [ziyin2023spred] (m⊙w).

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
