"""Trajectories with their certificates."""

from dataclasses import field
from typing import Any

import numpy as np
from jaxtyping import Float

from .._array import Array, Struct
from .._flips import Flips
from .._types import Course, Instants, Trajectory


class FlowResult(Struct):
    """A trajectory with its certificate, see `solve_flow`; or the ends of many, see `solve_flows`.

    Those of many have an axis of instances before all others but that of `ts`.

    Attributes:
        ts: Times, (times,); of many None without given times.
        thetas: θ along the trajectory, (times, d); of many None.
        theta: The last point, (d,).
        loss: The loss along the trajectory, (times,); of many None without given times.
        residual: `‖Xθ − y‖/‖y‖` at the end.
        duality_gap: That of the Bregman projection of θ₀, at the end; NaN with weight decay, whose limit is no such
            projection.
        result: A member of `hamtheory.Result`, of many an array of numbers.
        stats: `steps`, `accepted`, `rejected`, `time` (reached), `violation` (of the convergence criterion),
            `relative_gap`, `rank`, `distance`; of many `steps`, `rejected`, `time` and `relative_gap`.
        states: The trajectory in the coordinates of the integration, a pytree of (times, ...) arrays; of many None.
        how: The flow and its plan, from which `ht.signs.flip_times` integrates it again; None inside `jit` and `vmap`,
            and of many.
        flips: Of many a `hamtheory.signs.Flips` of (instances, d), if asked for.
    """

    ts: Instants
    thetas: Trajectory
    theta: Float[Array, "*instances d"]
    loss: Course
    residual: Float[Array, "*instances"]
    duality_gap: Float[Array, "*instances"]
    result: Any
    stats: dict[str, Array]
    states: Any = None
    how: Any = field(default=None, repr=False)
    flips: Flips | None = None

    def loss_at(self, ts: np.ndarray) -> np.ndarray:
        """The loss at the times that one flow, in NumPy's arrays, was given, as far as it has come.

        Args:
            ts: Those times, (times,).

        Returns:
            The loss, (times,), NaN where it has not come.

        ```python
        >>> import hamtheory as ht, numpy as np
        >>> problem, ts = ht.sparse_regression(4, 8, 2), np.array([0.01, 1e6])
        >>> ht.solve_flow(problem, ht.HAM(alpha=1.0), ts=ts, max_steps=3, throw=False).loss_at(ts).round(3).tolist()
        [0.953, nan]

        ```
        """
        loss = np.asarray(self.loss)
        found = np.full(len(ts), np.nan, loss.dtype)
        reached = np.isclose(self.ts, ts[: len(loss)], rtol=1e-9, atol=0)  # the last point may be where it failed
        found[: len(loss)] = np.where(reached, loss, np.nan)
        return found


class ProductFlowResult(FlowResult):
    """A `FlowResult` of m⊙w in parameter space, with the factors `ms` and `ws`, (times, d).

    Its `states` are m + w and m − w.
    """

    @property
    def ms(self) -> Float[Array, "times d"]:
        """m along the trajectory."""
        return (self.states[0] + self.states[1]) / 2

    @property
    def ws(self) -> Float[Array, "times d"]:
        """w along the trajectory."""
        return (self.states[0] - self.states[1]) / 2


class ClassificationFlow(Struct):
    """The flow of a classification loss, see `solve_flow`, with a bound on the largest margin at every time.

    Or many, see `solve_flows`, with an axis of instances before all others.

    Attributes:
        log_ts: ln t, (saves,): t is of the size of 1/L, beyond any number.
        clock: `s = ∫ L dt`, (saves,).
        thetas: θ, (saves, d). Of many, a level that was not reached has the last one, here and in what follows.
        theta: The last one, (d,).
        log_loss: ln L, (saves,).
        dual: λ ≥ 0 of sum 1, (saves, n): shares of the samples in the force on θ, over a part of the time until then.
        margin_bound: The dual norm of `Σ λ_i z_i x_i`, (saves,): no margin over `horizon` is above any of them. NaN
            without a horizon.
        margin_gap: 1 less the margin of θ over its norm, divided by that bound, (saves,): once it is positive, the
            margin is at most that far, in parts, from the largest one.
        horizon: That of the geometry; None if it has none. Of many a tuple.
        result: A member of `hamtheory.Result`, of many an array of numbers: `reached_end`, or `infeasible` if the
            classes cannot be separated and the flow has come to rest at the minimum of the loss.
        stats: `steps`, `evaluations`, `jacobians`; of many `steps` and `rejected`.
    """

    log_ts: Float[Array, "*instances saves"]
    clock: Float[Array, "*instances saves"]
    thetas: Float[Array, "*instances saves d"]
    theta: Float[Array, "*instances d"]
    log_loss: Float[Array, "*instances saves"]
    dual: Float[Array, "*instances saves n"]
    margin_bound: Float[Array, "*instances saves"]
    margin_gap: Float[Array, "*instances saves"]
    horizon: Any
    result: Any
    stats: dict[str, Array]


class SteepestFlowResult(Struct):
    """A steepest flow on factors with its certificates, see `steepest_flow`.

    Attributes:
        ts: Times, (times,); infinite where `log_ts` is out of the range of numbers.
        log_ts: ln t, (times,).
        thetas: θ along the trajectory, (times, d).
        theta: The last point, (d,).
        factors: The factors, (L, times, d).
        loss: The loss along the trajectory, (times,).
        log_loss: Its logarithm, (times,).
        residual: `‖Xθ − y‖/‖y‖` at the end; NaN of a classification.
        conserved: `|w_1|^q − |w_i|^q`, i = 2 … L, along the trajectory, (L − 1, times, d).
        drift: How far these are from what they were at the start (under weight decay from `e^(−2qβt)` times that),
            relative to the largest |w_i|^q of their entry: the largest. They are kept by the coordinates, so it is of
            the size of rounding. NaN of one factor.
        balance: How far the loss has come down, less the integral of `Σ |∇f ⊙ dθ/dt|`, over the larger of the losses
            at both ends (of a classification, over 1 plus the fall of ln L): the error of the integration. For q < 2,
            where only the way says which interpolator it is, a flow of which it is above 0.01 has not converged.
        kkt: How far `R′(θ) − R′(θ₀)` is from the row space, relative: 0 if θ, an interpolator, is the one of least
            divergence from θ₀, which for q < 2 it need not be. NaN of a classification, with weight decay, and with the
            hyperbolic step for q < 2.
        result: A member of `hamtheory.Result`.
        stats: `steps`, `time` (reached), of a regression `violation` (of the convergence criterion), and for q = 1
            `events` and `sliding`, the most entries that slid at a time.
    """

    ts: Float[Array, " times"]
    log_ts: Float[Array, " times"]
    thetas: Float[Array, "times d"]
    theta: Float[Array, " d"]
    factors: Float[Array, "factors times d"]
    loss: Float[Array, " times"]
    log_loss: Float[Array, " times"]
    residual: Float[Array, ""]
    conserved: Float[Array, "others times d"]
    drift: Float[Array, ""]
    balance: Float[Array, ""]
    kkt: Float[Array, ""]
    result: Any
    stats: dict[str, Any]
