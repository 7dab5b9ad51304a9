"""Many flows in one call: by whom they are integrated."""

from collections.abc import Callable, Sequence
from typing import Any, overload

import numpy as np
from jaxtyping import Int

from .._arguments import entrance
from .._array import ArrayLike, is_jax
from .._flips import Flips
from .._instances import Few, few
from .._types import Times, Vectors
from .._validate import count, times, tolerance
from ..geometry import AbstractGeometry, refuse_dead_zone
from ..problem import BinaryClassification, LinearRegression
from ._result import ClassificationFlow, FlowResult
from ._solve import crossings, solve_flow

_STATS = ("steps", "rejected", "time", "relative_gap")
_FEW = 16  # instances, from which on the batches of JAX are faster
_FINEST = 1e-8  # at least so fine is the integration that looks for flips


@overload
def solve_flows(
    problems: LinearRegression | Sequence[LinearRegression],
    geos: AbstractGeometry,
    theta0s: Vectors | None = None,
    **options: Any,
) -> FlowResult: ...


@overload
def solve_flows(
    problems: BinaryClassification | Sequence[BinaryClassification],
    geos: AbstractGeometry,
    theta0s: Vectors | None = None,
    **options: Any,
) -> ClassificationFlow: ...


@entrance
def solve_flows(  # pyright: ignore[reportInconsistentOverload]
    problems: LinearRegression | BinaryClassification | Sequence[LinearRegression] | Sequence[BinaryClassification],
    geos: AbstractGeometry,
    theta0s: Vectors | None = None,
    *,
    which: Int[ArrayLike, " instances"] | None = None,
    share: bool | None = None,
    ts: Times | None = None,
    rtol: float = 1e-6,
    atol: float | None = None,
    log_loss: Any = None,
    tol: float | None = None,
    solver: str | None = None,
    max_steps: int = 100_000,
    width: int | None = None,
    flips: bool = False,
    report: Callable[[int, int], None] | None = None,
) -> FlowResult | ClassificationFlow:
    """Integrate many flows `dθ/dt = −g⁻¹(θ) ⊙ ∇f(θ)`, each until it has converged.

    Those of a classification loss, down to `log_loss`, by a linearly implicit method in float64. An instance's result
    does not depend on the others. It agrees with that of `solve_flow` within the tolerances. Fewer than 16 instances
    of regressions in NumPy's arrays are left to that, one by one, so that nothing has to be compiled; not if `width` or
    `solver` is given.

    Args:
        problems: One regression or classification, or several of one kind and shape.
        geos: A geometry whose parameters are arrays, one entry an instance (a scalar is the same for all).
        theta0s: The starts, (instances, d); zeros if left out.
        which: The problem of each instance, (instances,).
        share: Whether instances share the products with X of their one problem, which rounds differently than instances
            with an X each; left out: if there is one problem.
        ts: Of regressions, increasing times at which to save the loss.
        rtol: The relative tolerance of the integrator.
        atol: The absolute one, in units of the natural size of the coordinates; a hundredth of `rtol` if left out.
        log_loss: Of classifications, the ln L at which to end, −300 if left out; or a list of falling ones, at which to
            save: at one that is not below that of the start, the start.
        tol: Of regressions, converged when the relative residual and the relative duality gap are at most this; 1e-8
            if left out.
        solver: Of regressions, "tsit5" or another explicit method of `hamtheory.flow.SOLVERS`, or "rkc"; left out, the
            first, and the second for instances that turn out to be stiff.
        max_steps: The budget of each instance.
        width: Instances in step, on which rounding depends; left out: a third of the instances, from 8 to 64 (fewer of
            large problems).
        flips: Look for sign flips in every step, as `ht.signs.flip_events` does; their times have the integrator's
            accuracy, of which 1e-6 relative takes an `rtol` of about 1e-8.
        report: Called as `report(done, instances)` after every round.

    Returns:
        A `FlowResult`, of classifications a `ClassificationFlow`, with an axis of instances. Nothing is raised for an
            instance that fails; its `result` says how it ended.

    Raises:
        ValueError: For bad arguments.
        TypeError: For what is no problem, or no geometry.

    References:
        The flow, [jacobs2026ham]; the dual coordinates, [li2022implicit]; the methods, [tsitouras2011runge],
        [sommeijer1998rkc]; that of classifications, [steinebach2023construction].

    ```python
    >>> import hamtheory as ht
    >>> flows = ht.solve_flows(ht.LinearRegression([[1.0, 2.0]], [2.0]), ht.HAM(alpha=[1.0, 1e3]))
    >>> flows.theta.round(3).tolist()
    [[0.351, 0.825], [0.03, 0.985]]
    >>> classes = ht.BinaryClassification([[2.0, 1.0], [-1.0, -1.0]], [1, -1])
    >>> flows = ht.solve_flows(classes, ht.HAM(alpha=[1.0, 1e3]), log_loss=[-30.0, -300.0])
    >>> flows.thetas.shape, flows.log_loss[:, 1].round(6).tolist()
    ((2, 2, 2), [-300.0, -300.0])

    ```
    """
    options: dict[str, Any] = {"rtol": rtol, "atol": atol, "tol": tol, "max_steps": max_steps}
    numpy = not is_jax(problems, geos, theta0s, ts)
    alone = numpy and width is None and solver is None and log_loss is None and share is not False
    if alone and (found := few(problems, geos, theta0s, which, None, _FEW)) is not None:
        return _one_by_one(found, ts, flips, report, **options)
    from ._batch import solve_flows as solve

    options |= {"log_loss": log_loss, "solver": solver, "ts": ts, "flips": flips, "report": report}
    return solve(problems, geos, theta0s, which=which, share=share, width=width, **options)


def _one_by_one(
    some: Few, ts: Any, flips: bool, report: Any, *, rtol: float, atol: float | None, tol: float | None, max_steps: int
) -> FlowResult:
    dtype = some.problems[0].dtype
    rtol = tolerance(rtol, "rtol", dtype, 16)
    tol = tolerance(1e-8 if tol is None else tol, "tol", dtype, 16)
    how: dict[str, Any] = {"rtol": rtol, "atol": 1e-2 * rtol if atol is None else atol, "tol": tol, "throw": False}
    how |= {"max_steps": count(max_steps, "max_steps")}
    ts = None if ts is None else times(ts, dtype)
    refuse_dead_zone(some.geos, "solve_flows")
    ends, losses, events = [], [], []
    for instance in some:
        ends.append(end := solve_flow(*instance, **how))
        if ts is not None:
            losses.append(solve_flow(*instance, ts=ts, **how).loss_at(ts))
        if flips:
            found = crossings(end, min(rtol, _FINEST), 1)
            events.append([found[name] for name in Flips.__dataclass_fields__])
        if report is not None:
            report(len(ends), len(some))
    stacked = lambda values: np.stack([np.asarray(value) for value in values])  # noqa: E731
    return FlowResult(
        ts=ts,
        thetas=None,
        theta=stacked([end.theta for end in ends]),
        loss=None if ts is None else np.stack(losses),
        residual=stacked([end.residual for end in ends]),
        duality_gap=stacked([end.duality_gap for end in ends]),
        result=np.array([int(end.result) for end in ends]),
        stats={name: stacked([end.stats[name] for end in ends]) for name in _STATS},
        flips=Flips(*map(stacked, zip(*events, strict=True))) if flips else None,
    )
