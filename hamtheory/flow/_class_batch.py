"""Many classification flows at once, on the device engine, in float64: as `_batch`, with an implicit method.

What they cost is about a hundred steps of order 5 (`_rosenbrock`); an explicit method of that order takes two to seven
times as many.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .._array import in_dtype, quiet
from .._batching import Progress, Source, drain, in_pieces, widest_of_flows, width_for
from .._result import Result
from .._validate import count, is_traced, tolerance
from ._class_rounds import RESTS, Plan, advance, describe, enter
from ._classification import bounds_of
from ._result import ClassificationFlow

_SHARPER = 0.3  # the error of θ is a multiple of that of ν


class _Seen(NamedTuple):
    """What the bounds of the host ask of a flow."""

    problem: Any
    geo: Any
    rows: np.ndarray
    largest: np.ndarray


def solve_classifications(
    problems: Any,
    geos: Any,
    theta0s: Any,
    *,
    which: Any,
    share: bool | None,
    log_loss: Any,
    rtol: float,
    atol: float | None,
    max_steps: int,
    width: int | None,
    report: Callable[[int, int], None] | None,
    **others: Any,
) -> ClassificationFlow:
    """As `solve_flows`, which has its text."""
    for name, value in others.items():
        if value is not None and value is not False:
            raise ValueError(f"{name} is for regressions; flows of a classification loss have none, got {value!r}")
    if is_traced(problems, geos, theta0s):
        raise TypeError("classification flows must be asked of concrete data; problems, geos or theta0s are traced")
    levels = _levels(log_loss)
    given = [problems] if hasattr(problems, "loss_name") else list(problems)
    dtype = given[0].dtype
    with jax.enable_x64(True), quiet():
        exact = lambda tree: jax.tree.map(jnp.asarray, in_dtype(tree, np.float64))  # noqa: E731
        source = Source([exact(one) for one in given], which, exact(geos), theta0s, share)
        rtol = tolerance(rtol, "rtol", dtype, 16)
        atol = 1e-2 * rtol if atol is None else tolerance(atol, "atol", np.float64, 0)
        budget = jnp.asarray(count(max_steps, "max_steps"))
        plan = Plan(jnp.asarray(_SHARPER * rtol), jnp.asarray(_SHARPER * atol), jnp.asarray(levels), budget)
        most = widest_of_flows(source.rank, source.d, classes=True)
        width = width_for(source.instances, most) if width is None else count(width, "width")
        ends = _integrated(source, plan, width, given, Progress(source.instances, report))

        def piece(index):
            at = lambda points: jax.tree.map(lambda x: x[index], points)  # noqa: E731
            now, saved, early = at(ends.now), at(ends.saved), at(ends.early)
            return describe(source.at(index), now, saved, early, plan.levels, source.shared)

        return _finished(source, ends, in_pieces(piece, np.arange(source.instances)), len(levels), dtype)


def _levels(log_loss: Any) -> np.ndarray:
    try:
        levels = np.atleast_1d(np.asarray(-300.0 if log_loss is None else log_loss, float))
    except (TypeError, ValueError):
        raise TypeError(f"log_loss must be a number, or a list of falling ones; got {log_loss!r}") from None
    if levels.ndim != 1 or levels.size == 0 or not np.isfinite(levels).all() or np.any(np.diff(levels) >= 0):
        raise ValueError(f"log_loss must be a finite number, or a list of falling ones; got {log_loss!r}")
    return levels


def _integrated(source: Source, plan: Plan, width: int, problems: list, progress: Progress) -> Any:
    """All instances at their ends, in NumPy's arrays."""
    ends: Any = None
    apart = np.zeros(source.instances, bool)

    def run(queue: np.ndarray):
        def entering(places, live):
            inputs = source.at(queue[places])
            instances = enter(inputs, jnp.asarray(apart[queue[places]]), jnp.asarray(live), plan, source.shared)
            return None if source.shared else inputs.problem, instances

        def advancing(batch):
            problem, instances = batch
            instances = advance(source.problem if source.shared else problem, instances, plan, source.shared)
            return (problem, instances), instances.code

        def leaving(places, slots, batch):
            nonlocal ends
            part = jax.tree.map(np.asarray, batch[1])
            if ends is None:
                ends = jax.tree.map(lambda x: np.zeros((source.instances, *x.shape[1:]), x.dtype), part)
            jax.tree.map(lambda kept, x: kept.__setitem__(queue[places], x[slots]), ends, part)
            progress.add(int((part.code[slots] != RESTS).sum()))

        drain(np.arange(len(queue)), width, entering, advancing, leaving)

    run(np.arange(source.instances))
    # A saddle, which the flow leaves again, is no rest: of separable classes there is none.
    resting = np.flatnonzero(ends.code == RESTS)
    apart[resting] = [problems[source.which[i]].is_separable is True for i in resting]
    progress.add(int((~apart[resting]).sum()))
    ends.code[resting] = Result.infeasible
    if apart.any():
        run(np.flatnonzero(apart))
    return ends


def _finished(source: Source, ends: Any, found: dict[str, np.ndarray], levels: int, dtype: Any) -> ClassificationFlow:
    """The result, with the bounds of the host."""
    geos, certificates = jax.tree.map(np.asarray, source.geos), []
    for i, log_loss in enumerate(found["log_loss"]):
        geo = jax.tree.map(lambda x: x[i], geos)  # noqa: B023
        order = np.argsort(-log_loss, kind="stable")
        along = (found[name][i, order] for name in ("nu", "thetas", "margins", "log_loss"))
        horizon, *rest = bounds_of(_Seen(source.problem, geo, found["rows"][i], found["largest"][i]), *along)
        back = np.argsort(order)[:levels]
        certificates.append((horizon, *(part[back].astype(dtype) for part in rest)))
    horizon, dual, bound, gap = zip(*certificates, strict=True)
    thetas, log_loss = (found[name][:, :levels].astype(dtype) for name in ("thetas", "log_loss"))
    lost = (ends.code == Result.reached_end) & ~np.isfinite(thetas).all(axis=(1, 2))
    return ClassificationFlow(
        log_ts=found["log_ts"][:, :levels],
        clock=found["clock"][:, :levels],
        thetas=thetas,
        theta=thetas[:, -1],
        log_loss=log_loss,
        dual=np.stack(dual),
        margin_bound=np.stack(bound),
        margin_gap=np.stack(gap),
        horizon=horizon,
        result=np.where(lost, Result.nonfinite, ends.code),
        stats={"steps": ends.steps, "rejected": ends.rejected},
    )
