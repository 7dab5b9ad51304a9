"""A batch of instances: how they enter, advance and are described. The loop around it is in `_batch.py`."""

from typing import Any, NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp

from .._array import Array
from .._batching import IDLE, RUNNING, Inputs
from .._result import NAMES
from ..metrics import relative_residual
from ._chebyshev import RKC
from ._crossings import Crossings, after_step, before, degree_of
from ._fields import DualFlow
from ._integrate import error_norm

STIFF = -2  # besides the codes of `Result`, and RUNNING and IDLE
STABILISED = RKC(refresh=0)  # refreshed here, for all instances of a batch at the same steps
_STEPS, _REFRESH = 16, 4  # a round, and the steps between updates of the spectral radius
_GAIN = 1.0  # an instance changes its method if what remains then costs less than this part
_SHARE = 0.02  # of the change in a step that its error may be
_CODES = {name: code for code, name in enumerate(NAMES)}


class Plan(eqx.Module):
    """Tolerances, times at which to save, the budget of each instance, and whether sign flips are looked for."""

    rtol: Array
    atol: Array
    tol: Array
    ts: Array | None
    max_steps: Array
    flips: bool = eqx.field(static=True)


class Entry(NamedTuple):
    """Where instances enter a batch: at their starts, or where another method left them."""

    state: Any
    t: Any
    h: Any
    steps: Any
    rejected: Any
    saved: Any
    crossings: Any


class Instances(eqx.Module):
    """A batch of instances; every leaf has a leading axis. `spectrum`: a power iteration, where the method has none."""

    geo: Any
    theta0: Array
    state: Array
    t: Array
    t_next: Array
    solver: Any
    spectrum: Any
    controller: Any
    steps: Array
    rejected: Array
    code: Array
    saved: Array | None
    crossings: Crossings | None


def _parts(problem, geo, theta0, plan: Plan):
    """The flow of an instance, as a diffrax term, and the controller of its steps."""
    flow = DualFlow(problem, geo, theta0)
    term = diffrax.ODETerm(lambda t, state, args: flow.velocity(t, state))
    unit = plan.atol * flow.absolute_scale()
    return flow, term, diffrax.PIDController(plan.rtol, unit, pcoeff=0.1, icoeff=0.3, norm=error_norm)


@eqx.filter_jit
def enter(inputs: Inputs, entry: Entry, live, plan: Plan, solver, may_change: bool, shared: bool) -> Instances:
    """The instances of a batch where they enter it. A step `h` of 0 leaves the first one to the controller."""

    def one(problem, geo, theta0, entry, live):
        _, term, controller = _parts(problem, geo, theta0, plan)
        order = solver.error_order(term)
        anew = (term, entry.t, entry.t + 1, entry.state)
        t_first, memory = controller.init(*anew, None, None, solver.func, order)
        t_next = jnp.where(entry.h > 0, entry.t + entry.h, t_first)
        anew = (term, entry.t, t_next, entry.state, None)
        memory_of_solver = solver.init(*anew)
        if isinstance(solver, diffrax.AbstractRungeKutta) and memory_of_solver is not None:
            # diffrax evaluates the first stage of all instances anew where that of any is missing: another rounding.
            memory_of_solver = (jnp.array(False), term.vf(entry.t, entry.state, None))
        return Instances(
            geo=geo,
            theta0=theta0,
            state=entry.state,
            t=entry.t,
            t_next=t_next,
            solver=memory_of_solver,
            spectrum=STABILISED.init(*anew) if may_change else None,
            controller=jax.tree.map(jnp.asarray, memory),
            steps=entry.steps,
            rejected=entry.rejected,
            code=jnp.where(live, RUNNING, IDLE),
            saved=entry.saved,
            crossings=entry.crossings,
        )

    return jax.vmap(one, in_axes=(None if shared else 0, 0, 0, 0, 0))(*inputs, entry, live)


@eqx.filter_jit
def uncrossed(inputs: Inputs, shared: bool) -> Crossings:
    """The crossings of instances at their starts: none."""

    def one(problem, geo, theta0):
        flow = DualFlow(problem, geo, theta0)
        return before(flow, flow.initial(), jnp.zeros((), theta0.dtype), None)

    return jax.vmap(one, in_axes=(None if shared else 0, 0, 0))(*inputs)


@eqx.filter_jit
def advance(problem, instances: Instances, plan: Plan, solver, may_change: bool, shared: bool) -> Instances:
    """A round, at the end of which every instance is looked at: has it converged, failed, or become too stiff?"""

    def one(problem, instance: Instances) -> Instances:
        flow, term, controller = _parts(problem, instance.geo, instance.theta0, plan)
        order = solver.error_order(term)

        def step(_, carry):
            instance, _ = carry
            t, t_next = instance.t, jnp.where(instance.code == RUNNING, instance.t_next, instance.t)
            state, error, dense, memory, _ = solver.step(term, t, t_next, instance.state, None, instance.solver, False)
            error = error * _magnified(controller, instance.state, state, error)
            keep, t_new, t_after, _, control, _ = controller.adapt_step_size(
                t, t_next, instance.state, state, None, error, order, instance.controller
            )
            path = solver.interpolation_cls(t0=t, t1=t_next, **dense)
            saved = instance.saved
            if saved is not None and plan.ts is not None:
                passed = jax.vmap(path.evaluate)(jnp.clip(plan.ts, t, t_next))
                now = keep & (plan.ts > t) & (plan.ts <= t_next)
                saved = jnp.where(now[:, None], passed, saved)
            chosen = lambda new, old: jax.tree.map(lambda a, b: jnp.where(keep, a, b), new, old)  # noqa: E731
            crossings = instance.crossings
            if crossings is not None:
                moved = keep & (t_next > t)  # which an idle instance is not
                crossed = after_step(flow, crossings, path, t, t_next, degree_of(solver), moved)
                crossings = jax.tree.map(lambda a, b: jnp.where(moved, a, b), crossed, crossings)
            after = Instances(
                geo=instance.geo,
                theta0=instance.theta0,
                state=chosen(state, instance.state),
                t=jnp.asarray(t_new),
                t_next=jnp.asarray(t_after),
                solver=chosen(memory, instance.solver),
                spectrum=instance.spectrum,
                controller=jax.tree.map(lambda new, old: jnp.asarray(new, old.dtype), control, instance.controller),
                steps=instance.steps + 1,
                rejected=instance.rejected + jnp.where(keep, 0, 1),
                code=instance.code,
                saved=saved,
                crossings=crossings,
            )
            return after, (instance.state, state, t_next - t)

        def steps(_, carry):
            instance, last = carry
            if isinstance(solver, RKC):
                fresh = solver.refreshed(term, instance.t, instance.t_next, instance.state, None, instance.solver)
                instance = eqx.tree_at(lambda x: x.solver, instance, fresh)
            return jax.lax.fori_loop(0, _REFRESH, step, (instance, last))

        last = (instance.state, instance.state, instance.t_next - instance.t)
        instance, last = jax.lax.fori_loop(0, _STEPS // _REFRESH, steps, (instance, last))
        violation = flow.violation(instance.state)
        good = jnp.where(problem.is_consistent, _CODES["converged"], _CODES["infeasible"])
        code = jnp.where(instance.steps >= plan.max_steps, _CODES["max_steps"], RUNNING)
        spectrum = instance.spectrum
        if may_change:
            spectrum, cheaper = _compare(term, controller, instance, last)
            code = jnp.where((code == RUNNING) & cheaper, STIFF, code)
        code = jnp.where(violation <= plan.tol, good, code)
        code = jnp.where(jnp.isfinite(violation) & jnp.all(jnp.isfinite(instance.state)), code, _CODES["nonfinite"])
        code = jnp.where(instance.code == RUNNING, code, instance.code)
        return eqx.tree_at(lambda x: (x.code, x.spectrum), instance, (code, spectrum), is_leaf=lambda x: x is None)

    return jax.vmap(one, in_axes=(None if shared else 0, 0))(problem, instances)


def _scaled(controller, before, after, error) -> Array:
    """The size of an error in units of what the controller accepts."""
    return controller.norm(error / (controller.atol + controller.rtol * jnp.maximum(jnp.abs(before), jnp.abs(after))))


def _magnified(controller, before, after, error) -> Array:
    """A factor ≥ 1 on an error, by which it counts as too large also where it is more than a part of the change.

    A state hardly changes on the last decades of the residual, and a tolerance relative to the state would let its
    errors be all that is left of the residual.
    """
    scaled = _scaled(controller, before, after, error)
    rounding = 64 * jnp.finfo(before.dtype).eps * jnp.linalg.norm(after)
    share = jnp.linalg.norm(error) / (_SHARE * jnp.linalg.norm(after - before) + rounding)
    factor = share / scaled
    return jnp.where(jnp.isfinite(factor) & (factor > 1), factor, 1)


def _compare(term, controller, instance: Instances, last) -> tuple[Any, Array]:
    """The power iteration, continued, and whether the stabilised method would be cheaper from here.

    Its error in the last step is `0.8(y₀ − y₁) + 0.4h(F₀ + F₁)`, of third order in h; this gives the step that it could
    take, and the spectral radius the stages of that. The other one has six stages, and takes the step that it took.
    """
    before, after, h = last
    first, end = term.vf(instance.t, before, None), term.vf(instance.t, after, None)
    error = 0.8 * (before - after) + 0.4 * h * (first + end)
    scaled = _scaled(controller, before, after, error * _magnified(controller, before, after, error))
    reach = 0.8 * h * jnp.maximum(scaled, 1e-12) ** (-1 / 3)
    spectrum = eqx.tree_at(lambda s: s.velocity, instance.spectrum, term.vf(instance.t, instance.state, None))
    for _ in range(2):
        spectrum = STABILISED.refreshed(term, instance.t, instance.t_next, instance.state, None, spectrum)
    stages = STABILISED.stages(reach, spectrum.radius)
    reach = jnp.minimum(reach, STABILISED.longest(spectrum.radius))
    return spectrum, (stages + 1 / _REFRESH) / reach < _GAIN * 6 / h


@eqx.filter_jit
def describe(inputs: Inputs, states, times, saved, plan: Plan, shared: bool) -> dict[str, Array]:
    """θ and its certificate, and the losses at the given times (at rest once arrived)."""

    def one(problem, geo, theta0, state, time, saved):
        flow = DualFlow(problem, geo, theta0)
        theta, certificate = flow.theta(state), flow.certificate(state)
        ends = {
            "theta": theta,
            "residual": relative_residual(problem, theta),
            "duality_gap": certificate.duality_gap,
            "relative_gap": certificate.relative_gap,
        }
        if saved is not None and plan.ts is not None:
            path = jnp.where((plan.ts <= time)[:, None], saved, state[None])
            ends["loss"] = problem.loss(jax.vmap(flow.theta)(path))
        return ends

    return jax.vmap(one, in_axes=(None if shared else 0, 0, 0, 0, 0, 0))(*inputs, states, times, saved)
