"""Trajectories with their certificates."""

from typing import Any

from jaxtyping import Float

from .._array import Array, Struct
from .._flips import Flips
from .._types import Course, Instants, Trajectory


class FlowResult(Struct):
    """A trajectory with its certificate, see `solve_flow`; or the ends of many, with an axis of lanes before all others
    but that of `ts`, see `solve_flows`.

    `ts`: times, (times,). `thetas`: (times, d). `theta`: the last point, (d,). `loss`: along the trajectory, (times,).
    `residual`: `‖Xθ − y‖/‖y‖` at the end. `duality_gap`: of the Bregman projection of θ₀, at the end; NaN with weight
    decay, whose limit is no such projection. `result`: a member of `hamtheory.Result`, of many an array of numbers.
    `stats`: `steps`, `accepted`, `rejected`, `time` (reached), `violation` (of the convergence criterion),
    `relative_gap`, `rank`, `distance`.
    `states`: the trajectory in the coordinates of the integration, a pytree of (times, ...) arrays.
    `how`: the flow and its plan, from which `ht.signs.flip_times` integrates it again; None inside `jit` and `vmap`.
    Of many, `thetas`, `states` and `how` are None, `ts` and `loss` as well without given times, `stats` has `steps`,
    `rejected`, `time` and `relative_gap`, and `flips` is a `hamtheory.signs.Flips` of (lanes, d), if asked for.
    Source: own.
    """

    ts: Instants
    thetas: Trajectory
    theta: Float[Array, "*lanes d"]
    loss: Course
    residual: Float[Array, "*lanes"]
    duality_gap: Float[Array, "*lanes"]
    result: Any
    stats: dict[str, Array]
    states: Any = None
    how: Any = None
    flips: Flips | None = None


class ProductFlowResult(FlowResult):
    """A `FlowResult` of m⊙w in parameter space, with the factors `ms` and `ws`, (times, d).

    Its `states` are m + w and m − w.
    Source: own.
    """

    @property
    def ms(self) -> Float[Array, "times d"]:
        """m along the trajectory."""
        return (self.states[0] + self.states[1]) / 2

    @property
    def ws(self) -> Float[Array, "times d"]:
        """w along the trajectory."""
        return (self.states[0] - self.states[1]) / 2
