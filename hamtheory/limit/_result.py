"""The limit of a flow with its certificate."""

from typing import Any

from jaxtyping import Float

from .._array import Array, Struct


class LimitResult(Struct):
    """The limit of a flow with its certificate, see `solve_limit`; or those of many, with an axis of lanes before all
    others, see `solve_limits`.

    `theta`: the limit, (d,). `dual`: ν, (n,), with `R′(θ) = R′(θ₀) + Xᵀν`. `residual`: `‖Xθ − y‖/‖y‖`.
    `duality_gap`: primal minus dual value, `νᵀ(Xθ − y)`. `result`: a member of `hamtheory.Result`, of many an array of
    their numbers.
    `stats`: `steps` (Newton steps), `evaluations` (of the dual gradient), `relative_gap` (the gap divided by
    `D_R(θ, θ₀)`), `rank` (of X), `distance` (of y from the range of X); of many `steps` and `relative_gap` alone.
    With weight decay: `dual` is `ν = (y − Xθ)/n`, `duality_gap` that of `min f + P`, `relative_gap` is over its value,
    and `stats["stationarity"]` the relative violation of the optimality condition.
    Source: own.
    """

    theta: Float[Array, "*lanes d"]
    dual: Float[Array, "*lanes n"]
    residual: Float[Array, "*lanes"]
    duality_gap: Float[Array, "*lanes"]
    result: Any
    stats: dict[str, Array]


class LimitPath(Struct):
    """The limits of a family over a grid of its logarithmic parameter; see `limit_path`.

    `log_parameters`: the grid, (points,). `thetas`: (points, d). `duals`: (points, n). `residual`, `duality_gap`,
    `relative_gap`, `result` as in a `LimitResult`, one a point. `stats`: `steps` (factorisations, one a point), `rank`
    (of X), `distance` (of y from the range of X).
    Source: own.
    """

    log_parameters: Float[Array, " points"]
    thetas: Float[Array, "points d"]
    duals: Float[Array, "points n"]
    residual: Float[Array, " points"]
    duality_gap: Float[Array, " points"]
    relative_gap: Float[Array, " points"]
    result: Any
    stats: dict[str, Array]


class RegularizationPath(Struct):
    """The limits of a geometry's flow for a grid of weight decays; see `regularization_path`.

    `weight_decays`: the grid, (points,). `thetas`: (points, d). `duals`: ν = (y − Xθ)/n, (points, n). `residual`,
    `stationarity`, `duality_gap`, `relative_gap`, `result`, `steps`: one a point, as in a `LimitResult`.
    Source: own.
    """

    weight_decays: Float[Array, " points"]
    thetas: Float[Array, "points d"]
    duals: Float[Array, "points n"]
    residual: Float[Array, " points"]
    stationarity: Float[Array, " points"]
    duality_gap: Float[Array, " points"]
    relative_gap: Float[Array, " points"]
    result: Any
    steps: Array
