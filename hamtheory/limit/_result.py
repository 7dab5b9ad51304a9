"""The limit of a flow with its certificate."""

from typing import Any

from jaxtyping import Bool, Float

from .._array import Array, Struct


class LimitResult(Struct):
    """The limit of a flow with its certificate, see `solve_limit`; or those of many, see `solve_limits`.

    Those of many have an axis of instances before all others.

    Attributes:
        theta: The limit, (d,).
        dual: ν, (n,), with `R′(θ) = R′(θ₀) + Xᵀν`; with weight decay `ν = (y − Xθ)/n`.
        residual: `‖Xθ − y‖/‖y‖`.
        duality_gap: Primal minus dual value, `νᵀ(Xθ − y)`; with weight decay that of `min f + P`.
        result: A member of `hamtheory.Result`, of many an array of their numbers.
        stats: `steps` (Newton steps), `evaluations` (of the dual gradient), `relative_gap` (the gap divided by
            `D_R(θ, θ₀)`), `rank` (of X), `distance` (of y from the range of X); of many `steps` and `relative_gap`
            alone. With weight decay `relative_gap` is over the value of `min f + P`, and `stationarity` is the relative
            violation of the optimality condition.
    """

    theta: Float[Array, "*instances d"]
    dual: Float[Array, "*instances n"]
    residual: Float[Array, "*instances"]
    duality_gap: Float[Array, "*instances"]
    result: Any
    stats: dict[str, Array]


class LimitPath(Struct):
    """The limits of a family over a grid of its logarithmic parameter; see `limit_path`.

    Attributes:
        log_parameters: The grid, (points,).
        thetas: The limits, (points, d).
        duals: ν of each, (points, n).
        residual: As in a `LimitResult`, one a point.
        duality_gap: As in a `LimitResult`, one a point.
        relative_gap: As in a `LimitResult`, one a point.
        result: As in a `LimitResult`, one a point.
        stats: `steps` (factorisations, one a point), `rank` (of X), `distance` (of y from the range of X).
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

    Attributes:
        weight_decays: The grid, (points,).
        thetas: The limits, (points, d).
        duals: ν = (y − Xθ)/n, (points, n).
        residual: As in a `LimitResult`, one a point.
        stationarity: As in a `LimitResult`, one a point.
        duality_gap: As in a `LimitResult`, one a point.
        relative_gap: As in a `LimitResult`, one a point.
        result: As in a `LimitResult`, one a point.
        steps: As in a `LimitResult`, one a point.
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


class MarginResult(Struct):
    """The largest margin over a norm with its certificate, see `solve_margin`; or those of many, see `solve_margins`.

    Those of many have an axis of instances before all others.

    Attributes:
        theta: Where the margin is largest, of norm 1, (d,); zeros if the classes cannot be separated.
        margin: `min_i z_i⟨x_i, θ⟩`, a lower bound of the largest one.
        dual: λ ≥ 0 with sum 1, (n,): the dual norm of `Σ λ_i z_i x_i` is an upper bound. Where the classes cannot be
            separated that is 0 up to rounding, which proves it.
        duality_gap: The upper minus the lower bound; of classes that cannot be separated the upper bound.
        support_vectors: The samples that hold the margin, bool, (n,).
        result: A member of `hamtheory.Result`, of many an array of their numbers: `infeasible` if the classes cannot be
            separated.
        stats: `steps` (of the interior-point method), `relative_gap` (over the upper bound).
    """

    theta: Float[Array, "*instances d"]
    margin: Float[Array, "*instances"]
    dual: Float[Array, "*instances n"]
    duality_gap: Float[Array, "*instances"]
    support_vectors: Bool[Array, "*instances n"]
    result: Any
    stats: dict[str, Array]
