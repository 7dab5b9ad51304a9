"""From a vector field to a certified trajectory, through diffrax."""

import dataclasses
from typing import Any, cast

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optimistix
from jaxtyping import Float, Int

from .._array import Array
from .._result import Result, select
from .._validate import is_traced
from ..metrics import relative_residual
from ._derivative import saved
from ._fields import AbstractFlow
from ._progress import ProgressBar
from ._result import FlowResult

LOGARITHMIC_TIMES = 640  # about 30 a decade


class Plan(eqx.Module):
    """How to integrate, when to stop and where to save. Its static fields are compiled in."""

    solver: diffrax.AbstractSolver
    rtol: Float[Array, ""]
    atol: Float[Array, ""]
    tol: Float[Array, ""]
    dt: Float[Array, ""] | None
    ts: Float[Array, " times"] | None
    save: str = eqx.field(static=True)
    max_steps: int = eqx.field(static=True)
    report: ProgressBar | None = eqx.field(static=True)


def integrate(flow: AbstractFlow, plan: Plan) -> FlowResult:
    """Integrate from t = 0 to the last of `plan.ts`, or until converged; trimmed to the times that were reached.

    While JAX traces, nothing can be trimmed: there the last point is repeated to the full length.
    """
    result, reached = _integrate(flow, plan)
    if is_traced(result):
        return result
    if plan.report is not None:
        plan.report.close()
    # By NumPy: JAX would compile a slice for every length.
    trimmed = jax.tree.map(
        lambda x: jax.device_put(np.asarray(x)[: int(reached)], x.sharding),
        (result.ts, result.thetas, result.loss, result.states),
    )
    result = eqx.tree_at(lambda r: (r.ts, r.thetas, r.loss, r.states), result, trimmed)
    return dataclasses.replace(result, how=(flow, dataclasses.replace(plan, report=None)))


@eqx.filter_jit
def _integrate(flow: AbstractFlow, plan: Plan) -> tuple[FlowResult, Int[Array, ""]]:
    found, reached = jax.lax.stop_gradient(_trajectory(*_held(flow, plan)))
    ts = found.ts if plan.ts is None else plan.ts
    thetas, theta, loss = saved(flow, ts, found.thetas, found.theta, _held(plan))
    return eqx.tree_at(lambda r: (r.thetas, r.theta, r.loss), found, (thetas, theta, loss)), reached


def _held(*trees: Any) -> Any:
    """Without derivatives."""
    held = jax.tree.map(lambda x: jax.lax.stop_gradient(x) if eqx.is_inexact_array(x) else x, trees)
    return held[0] if len(trees) == 1 else held


def _trajectory(flow: AbstractFlow, plan: Plan) -> tuple[FlowResult, Int[Array, ""]]:
    times = _logarithmic_times(flow) if plan.ts is None else plan.ts
    path = diffrax.SubSaveAt(t0=True, steps=True) if plan.save == "steps" else diffrax.SubSaveAt(ts=times)
    last = diffrax.SubSaveAt(t1=True)
    solution = integrated(flow, plan, times[-1], plan.solver, diffrax.SaveAt(subs=(path, last)))
    (ts, end), (states, final) = cast(Any, solution.ts), cast(Any, solution.ys)
    final = jax.tree.map(lambda x: x[0], final)
    # Past the end the buffers hold infinities: close the path with the last point, and repeat it.
    reached = jnp.sum(ts < end)

    def closed(path, last):
        return jnp.where((jnp.arange(ts.size) < reached).reshape((-1,) + (1,) * last.ndim), path, last[None])

    states, ts = jax.tree.map(closed, states, final), closed(ts, end[0])
    theta = flow.theta(final)
    thetas = closed(jax.vmap(flow.theta)(states), theta)
    certificate = flow.certificate(final)
    violation = flow.violation(final)
    problem = flow.problem
    result = FlowResult(
        ts=ts,
        thetas=thetas,
        theta=theta,
        loss=problem.loss(thetas),
        residual=relative_residual(problem, theta),
        duality_gap=jnp.where(flow.has_projection(), certificate.duality_gap, jnp.nan),
        result=_outcome(flow, plan, solution, final, violation),
        stats={
            "steps": solution.stats["num_steps"],
            "accepted": solution.stats["num_accepted_steps"],
            "rejected": solution.stats["num_rejected_steps"],
            "time": end[0],
            "violation": violation,
            "relative_gap": jnp.where(flow.has_projection(), certificate.relative_gap, jnp.nan),
            "rank": problem.rank,
            "distance": problem.distance,
        },
        states=states,
    )
    return result, jnp.minimum(reached + 1, ts.size)


def integrated(flow: AbstractFlow, plan: Plan, end: Array, solver: diffrax.AbstractSolver, saveat: diffrax.SaveAt):
    """The solution by the solver, to t = `end` or until converged."""

    def stop(t, state, args, **_):
        residual = flow.residual(state)
        violation = jax.lax.cond(residual <= plan.tol, lambda: flow.violation(state), lambda: residual)
        if plan.report is not None:
            jax.debug.callback(plan.report, t, violation)
        return until_converged & ((violation <= plan.tol) | flow.is_at_rest(state) | ~_is_finite(state))

    until_converged = plan.ts is None
    controller = (
        # On stiff flows this controller was seen to reject three times fewer steps than the purely integral one.
        diffrax.PIDController(
            plan.rtol,
            jax.tree.map(lambda unit: plan.atol * unit, flow.absolute_scale()),
            pcoeff=0.1,
            icoeff=0.3,
            norm=error_norm,
        )
        if plan.dt is None
        else diffrax.ConstantStepSize()
    )
    return diffrax.diffeqsolve(
        diffrax.ODETerm(lambda t, state, args: flow.velocity(t, state)),
        solver,
        t0=0.0,
        t1=jnp.inf if until_converged and plan.dt is not None else end,  # a fixed step counts to t1 in 32 bits
        dt0=plan.dt,
        y0=flow.initial(),
        stepsize_controller=controller,
        saveat=saveat,
        event=diffrax.Event(stop) if until_converged or plan.report is not None else None,
        max_steps=plan.max_steps,
        adjoint=diffrax.ForwardMode(),
        throw=False,
    )


def end_of(flow: AbstractFlow, plan: Plan) -> Float[Array, ""]:
    """The time at which the integration ends, if not before."""
    return _logarithmic_times(flow)[-1] if plan.ts is None else plan.ts[-1]


def _logarithmic_times(flow: AbstractFlow) -> Float[Array, " times"]:
    """0, then times evenly spaced in log t: from a thousandth of the fastest time constant to a horizon by which any
    flow that converges has done so, 10¹² of gradient descent's slowest time constants."""
    first, last = 1e-3 / flow.fastest_rate(), 1e12 / flow.problem.convergence_rate
    times = jnp.geomspace(first, last, LOGARITHMIC_TIMES - 1)
    return jnp.concatenate([jnp.zeros(1, times.dtype), times])


def error_norm(scaled_error):
    """The root mean square; a step so long that it overflows counts as a large error, so that it is shortened.

    The controller would turn a NaN into a step size of NaN, and reject every step from then on.
    """
    norm = optimistix.rms_norm(scaled_error)
    return jnp.where(jnp.isfinite(norm), norm, 1e10)


def _is_finite(tree):
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(tree)]))


def _outcome(flow, plan, solution, final, violation):
    """Why the integration ended."""
    in_time = (solution.result == diffrax.RESULTS.successful) | (solution.result == diffrax.RESULTS.event_occurred)
    out_of_steps = solution.result == diffrax.RESULTS.max_steps_reached
    unfinished = select(
        flow.is_at_rest(final),
        Result.stuck,
        select(in_time, Result.reached_end, select(out_of_steps, Result.max_steps, Result.stalled)),
    )
    converged = select(flow.problem.is_consistent | ~flow.has_projection(), Result.converged, Result.infeasible)
    # With given times, a budget that ran out before the last of them is a failure, however good the end is.
    outcome = select((violation <= plan.tol) & ~out_of_steps, converged, unfinished)
    return select(_is_finite((final, flow.theta(final))), outcome, Result.nonfinite)
