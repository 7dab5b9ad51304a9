"""The limit of a flow with its certificate."""

from typing import Any

from jaxtyping import Float

from .._array import Array, Struct


class LimitResult(Struct):
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
