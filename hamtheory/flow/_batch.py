"""Many flows at once: batches of instances in step, which one leaves when it has converged and another one enters.

The flows are those of `solve_flow` in dual coordinates, and the methods are diffrax solvers, stepped and controlled
through diffrax's interface; the loop is ours. A *round* is a number of steps of a batch of fixed width, after which the
instances that are done are exchanged. Instances enter in the order of their stiffness, so that those of a batch are
alike; X is shared by all instances with the same problem, and then one step is a few products of a (instances × r) with
an (r × d) matrix.

Every instance begins with a method of order 5. Where stability, not accuracy, holds its steps up, it goes over to a
second queue, that of a stabilised explicit method (`RKC`): both errors are known at every step, and so is what each
method would cost from there.

What was tried instead, and lost: docs/decisions/batches.md.
"""

import jax
import jax.numpy as jnp
import numpy as np

from .._batching import RUNNING, Progress, Source, drain, in_pieces, widest_of_flows, width_for
from .._device import device_engine, times
from .._validate import count, tolerance
from ..problem import BinaryClassification, LinearRegression
from ._result import ClassificationFlow, FlowResult
from ._rounds import STABILISED, STIFF, Entry, Plan, advance, describe, enter, uncrossed
from ._solvers import solver_named


@device_engine
def solve_flows(
    problems,
    geos,
    theta0s=None,
    *,
    which=None,
    share=None,
    ts=None,
    rtol,
    atol=None,
    log_loss=None,
    tol=None,
    solver=None,
    max_steps,
    width=None,
    flips=False,
    report=None,
) -> FlowResult | ClassificationFlow:
    """As the public one, which has its text."""
    first = problems if isinstance(problems, (LinearRegression, BinaryClassification)) else next(iter(problems), None)
    if isinstance(first, BinaryClassification):
        from ._class_batch import solve_classifications

        return solve_classifications(
            problems,
            geos,
            theta0s,
            which=which,
            share=share,
            log_loss=log_loss,
            rtol=rtol,
            atol=atol,
            max_steps=max_steps,
            width=width,
            report=report,
            ts=ts,
            tol=tol,
            solver=solver,
            flips=flips,
        )
    if log_loss is not None:
        raise ValueError(f"log_loss is for classifications; of a regression the flow converges, got {log_loss}")
    source = Source(problems, which, geos, theta0s, share)
    dtype = source.dtype
    rtol = tolerance(rtol, "rtol", dtype, 16)
    atol = 1e-2 * rtol if atol is None else tolerance(atol, "atol", dtype, 0)
    explicit = ("tsit5", "dopri8", "heun", "rkc")
    if solver is not None and solver not in explicit:
        raise ValueError(f"solver must be one of {', '.join(explicit)}, or None; got {solver!r}")
    if ts is not None:
        ts = times(ts, dtype)
    as_array = lambda value: jnp.asarray(value, dtype)  # noqa: E731
    tol = tolerance(1e-8 if tol is None else tol, "tol", dtype, 16)
    plan = Plan(as_array(rtol), as_array(atol), as_array(tol), ts, jnp.asarray(count(max_steps, "max_steps")), flips)
    most = widest_of_flows(source.rank, source.d)
    width = width_for(source.instances, most) if width is None else count(width, "width")
    ends = _integrate(source, plan, solver, width, Progress(source.instances, report))
    return _finished(source, ends, plan)


def _stiffness(source: Source) -> np.ndarray:
    """A number for each instance by which to sort: how much the inverse metric varies between 0 and the size of θ."""
    space = source.problem.row_space
    largest = lambda target, basis: jnp.max(jnp.abs(target @ basis))  # noqa: E731
    if source.shared:
        sizes = jnp.broadcast_to(largest(space.target, space.basis), (source.instances,))
    else:
        sizes = jax.vmap(largest)(space.target, space.basis)[source.which]
    if source.theta0s is not None:
        sizes = jnp.maximum(sizes, jnp.max(jnp.abs(source.theta0s), axis=1))
    ratio = jax.vmap(lambda geo, x: geo.inverse_metric(x) / geo.inverse_metric(jnp.zeros_like(x)))(source.geos, sizes)
    return np.nan_to_num(np.asarray(ratio), nan=np.inf)


class _Ends:
    """Where the instances are: at first at their starts, at last at their ends."""

    def __init__(self, source: Source, plan: Plan):
        instances, rank = source.instances, source.rank
        self.state = np.zeros((instances, rank), source.dtype)
        self.t, self.h = np.zeros(instances, source.dtype), np.zeros(instances, source.dtype)
        self.steps, self.rejected = np.zeros(instances, int), np.zeros(instances, int)
        self.codes = np.full(instances, RUNNING)
        self.saved = None if plan.ts is None else np.zeros((instances, plan.ts.size, rank), source.dtype)
        self.crossings = None
        if plan.flips:
            at_start = lambda index: uncrossed(source.at(index), source.shared)  # noqa: E731
            self.crossings = in_pieces(at_start, np.arange(instances))

    def entering(self, places: np.ndarray) -> Entry:
        fields = (self.state, self.t, self.h, self.steps, self.rejected, self.saved, self.crossings)
        return Entry(*jax.tree.map(lambda x: x[places], fields))

    def leave(self, places: np.ndarray, slots: np.ndarray, instances):
        """Write down the instances in these slots."""
        self.state[places] = np.asarray(instances.state)[slots]
        self.t[places] = np.asarray(instances.t)[slots]
        self.h[places] = np.asarray(instances.t_next)[slots] - self.t[places]
        self.steps[places], self.rejected[places] = (
            np.asarray(instances.steps)[slots],
            np.asarray(instances.rejected)[slots],
        )
        self.codes[places] = np.asarray(instances.code)[slots]
        for kept, found in zip(
            jax.tree.leaves((self.saved, self.crossings)),
            jax.tree.leaves((instances.saved, instances.crossings)),
            strict=True,
        ):
            kept[places] = np.asarray(found)[slots]


def _integrate(source: Source, plan: Plan, solver: str | None, width: int, progress: Progress) -> _Ends:
    """All instances to their ends, the stiffest first."""
    ends = _Ends(source, plan)

    def run(queue, method, may_change: bool):
        def entering(places, live):
            inputs = source.at(queue[places])
            instances = enter(inputs, ends.entering(queue[places]), live, plan, method, may_change, source.shared)
            return None if source.shared else inputs.problem, instances

        def advancing(batch):
            problem, instances = batch
            given = source.problem if source.shared else problem
            instances = advance(given, instances, plan, method, may_change, source.shared)
            return (problem, instances), instances.code

        def leaving(places, slots, batch):
            ends.leave(queue[places], slots, batch[1])
            progress.add(int((ends.codes[queue[places]] != STIFF).sum()))

        drain(np.arange(len(queue)), width, entering, advancing, leaving)

    order = np.argsort(-_stiffness(source), kind="stable")
    first = STABILISED if solver == "rkc" else solver_named(solver or "tsit5", False, 0, 0)
    run(order, first, solver is None)
    stiff = order[ends.codes[order] == STIFF]
    if stiff.size:
        run(stiff, STABILISED, False)
    return ends


def _finished(source: Source, ends: _Ends, plan: Plan) -> FlowResult:
    """The ends with θ, its certificate, and the losses."""

    def piece(index):
        saved = None if ends.saved is None else ends.saved[index]
        return describe(source.at(index), ends.state[index], ends.t[index], saved, plan, source.shared)

    found = in_pieces(piece, np.arange(source.instances))
    return FlowResult(
        ts=None if plan.ts is None else np.asarray(plan.ts),
        thetas=None,
        theta=found["theta"],
        loss=found.get("loss"),
        residual=found["residual"],
        duality_gap=found["duality_gap"],
        result=ends.codes,
        stats={"steps": ends.steps, "rejected": ends.rejected, "time": ends.t, "relative_gap": found["relative_gap"]},
        flips=None if ends.crossings is None else ends.crossings.flips,
    )
