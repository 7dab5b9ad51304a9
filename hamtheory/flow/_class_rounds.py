"""A batch of classification flows: the equations by JAX, and how they enter, advance and are described.

The equations, clock and units are those of `_host_classes`: `dν/ds = q`, in ν or, where these are fewer, in Aᵀν, and
`dv/ds = 1 + v d ln L/ds`. The Jacobian is a symmetric matrix times a metric, and one of rank one:

    of ν: −(D − qqᵀ) K,  K = A g⁻¹ Aᵀ;        of Aᵀν: −(AᵀDA − pp ᵀ) g⁻¹,  p = Aᵀq,

so that a step takes one Cholesky factor of the smaller side of A, of a matrix `I + γh …` whose eigenvalues are at
least 1.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.scipy.linalg as jsl

from .._array import Array
from .._batching import IDLE, RUNNING
from .._result import Result
from . import _rosenbrock

RESTS = -2  # besides the codes of `Result`, and RUNNING and IDLE: infeasible, if no θ separates the classes
_STEPS = 8  # a round
_FIRST, _REST, _EASED = 0.01, 1e-8, 100.0  # as on the host
_REFINED = 6  # Newton steps to where ln L is at a level


class State(NamedTuple):
    """ν, where it is not what is integrated, or None; ν or Aᵀν; v: in the units of the flow."""

    nu: Array | None
    inner: Array
    v: Array


class Mark(NamedTuple):
    """The last state above a level, s there, and the step that passed it."""

    state: State
    clock: Array
    h: Array


class Instances(NamedTuple):
    """A batch; every leaf has a leading axis. `marks` have one of levels after it."""

    geo: Any
    theta0: Array
    state: State
    clock: Array
    h: Array
    log_loss: Array
    marks: Mark
    steps: Array
    rejected: Array
    apart: Array
    code: Array


class Plan(NamedTuple):
    """Tolerances, the levels of ln L at which to save (falling), and the budget of each instance."""

    rtol: Array
    atol: Array
    levels: Array
    max_steps: Array


class Flow:
    """The flow of one instance."""

    def __init__(self, problem: Any, geo: Any, theta0: Array):
        rows = problem.signed
        self.problem, self.geo, self.theta0 = problem, geo, theta0
        self.largest = jnp.max(jnp.abs(rows))
        self.rows = rows / self.largest
        self.is_nu = problem.n <= problem.d
        size = 1 / (self.largest * jnp.mean(jnp.sum(jnp.abs(self.rows), axis=1)))
        size = jnp.maximum(size, jnp.max(jnp.abs(theta0)))
        self.mirror_size = jnp.max(geo.mirror_map(jnp.full_like(theta0, size)))
        self.origin, self.unit = geo.mirror_map(theta0), self.largest * self.mirror_size

    def initial(self) -> State:
        n, d = self.rows.shape
        zeros = lambda *shape: jnp.zeros(shape, self.rows.dtype)  # noqa: E731
        return State(None if self.is_nu else zeros(n), zeros(n if self.is_nu else d), zeros())

    def theta(self, state: State) -> Array:
        image = state.inner @ self.rows if self.is_nu else state.inner
        return self.geo.inverse_mirror_map(self.origin + self.mirror_size * image)

    def margins(self, theta: Array) -> Array:
        return self.largest * (self.rows @ theta)

    def log_loss(self, state: State) -> Array:
        return self.problem.log_loss_at(self.margins(self.theta(state)))

    def fall(self, state: State) -> Array:
        """`−d ln L/ds`."""
        theta = self.theta(state)
        pull = self.problem.weights_at(self.margins(theta)) @ self.rows
        return self.unit * jnp.sum(pull * self.geo.inverse_metric(theta) * pull)

    def velocity(self, state: State) -> State:
        theta = self.theta(state)
        q = self.problem.weights_at(self.margins(theta))
        pull = q @ self.rows
        end = 1 - state.v * (self.unit * jnp.sum(pull * self.geo.inverse_metric(theta) * pull))
        return State(None, q, end) if self.is_nu else State(q, pull, end)

    def solver(self, state: State, g: Array):
        """`(I − gJ)⁻¹`."""
        theta, A = self.theta(state), self.rows
        margins = self.margins(theta)
        q, ones = self.problem.weights_at(margins), jnp.ones_like(theta)
        curved = q if self.problem.loss_name == "exponential" else q * -jnp.expm1(self.problem.log_slopes(margins))
        metric, bend = jax.jvp(self.geo.inverse_metric, (theta,), (ones,))
        pull = q @ A
        # What a change of the coordinates does to the margins and, transposed, what it says of θ.
        metric = self.unit * metric
        moved = (lambda k: A @ (metric * (k @ A))) if self.is_nu else (lambda k: A @ (metric * k))
        sloped = lambda m: q * (q @ m) - curved * m  # noqa: E731  (dq/dm)
        seen = A @ (metric * pull)
        of_theta = metric * (2 * (sloped(seen) @ A) + self.mirror_size * bend * pull**2)
        of_fall = A @ of_theta if self.is_nu else of_theta
        fall = pull @ (metric * pull)

        if self.is_nu:
            K, root, force = (A * metric) @ A.T, jnp.sqrt(curved), q
            inner, before, after = root[:, None] * K * root, lambda b: root * (K @ b), lambda x: root * x
            dual = seen
        else:
            B, root, force = (A.T * curved) @ A, jnp.sqrt(metric), pull
            inner, before, after = root[:, None] * B * root, lambda b: root * b, lambda x: B @ (root * x)
            dual = metric * pull
        factor = jnp.linalg.cholesky(jnp.eye(len(inner)) + g * inner)

        def without(b):
            lower = jsl.solve_triangular(factor, before(b), lower=True)
            return b - g * after(jsl.solve_triangular(factor, lower, lower=True, trans=1))

        image = without(force)
        denominator = 1 - g * (dual @ image)

        def solve(right: State) -> State:
            k = without(right.inner)
            k = k + image * (g * (dual @ k) / denominator)
            nu = None if right.nu is None else right.nu + g * sloped(moved(k))
            return State(nu, k, (right.v - g * state.v * (of_fall @ k)) / (1 + g * fall))

        return solve

    def rests(self, state: State) -> Array:
        """As on the host, whether the forces of the samples cancel."""
        theta = self.theta(state)
        margins, metric = self.margins(theta), jnp.sqrt(self.geo.inverse_metric(theta))
        q = self.problem.weights_at(margins)
        force, terms = (jnp.linalg.norm(metric * (q @ rows)) for rows in (self.rows, jnp.abs(self.rows)))
        return (jnp.min(margins) <= 0) & jnp.isfinite(terms) & (force <= _REST * terms)

    def error(self, plan: Plan, before: State, after: State, error: State) -> Array:
        """The size of an error, 1 where it is as large as it may be."""
        sizes = jnp.max(jnp.abs(self.rows), axis=1) if self.is_nu else 1.0
        largest = jnp.maximum(*(jnp.max(sizes * jnp.abs(state.inner)) for state in (before, after)))
        inner = jnp.max(sizes * jnp.abs(error.inner)) / (plan.atol + plan.rtol * largest)
        end = jnp.abs(error.v) / (plan.atol + _EASED * plan.rtol * jnp.maximum(jnp.abs(before.v), jnp.abs(after.v)))
        found = jnp.maximum(inner, end)
        return jnp.where(jnp.isfinite(found), found, jnp.inf)

    def step(self, state: State, h: Array) -> tuple[State, State]:
        return _rosenbrock.step(self.velocity, self.solver(state, _rosenbrock.GAMMA * h), h, state)


def _each(function, shared: bool):
    """A function of a problem and more, of all instances."""
    return lambda problem, *more: jax.vmap(function, in_axes=(None if shared else 0, *(0 for _ in more)))(problem, *more)


@eqx.filter_jit
def enter(inputs: Any, apart: Array, live: Array, plan: Plan, shared: bool) -> Instances:
    """The instances of a batch at their starts; `apart` are those whose classes are known to be separable."""

    def one(problem, geo, theta0, apart, live):
        flow = Flow(problem, geo, theta0)
        state, zero = flow.initial(), jnp.zeros((), theta0.dtype)
        log_loss, count = flow.log_loss(state), jnp.zeros((), int)
        marks = jax.tree.map(lambda x: jnp.broadcast_to(x, (*plan.levels.shape, *x.shape)), Mark(state, zero, zero))
        code = jnp.where(live, RUNNING, IDLE)
        return Instances(geo, theta0, state, zero, zero + _FIRST, log_loss, marks, count, count, apart, code)

    return _each(one, shared)(*inputs, apart, live)


@eqx.filter_jit
def advance(problem: Any, instances: Instances, plan: Plan, shared: bool) -> Instances:
    """A round."""

    def one(problem, instance: Instances) -> Instances:
        flow = Flow(problem, instance.geo, instance.theta0)

        def step(_, now: Instances) -> Instances:
            runs = now.code == RUNNING
            after, error = flow.step(now.state, now.h)
            size, log_loss = flow.error(plan, now.state, after, error), flow.log_loss(after)
            size = jnp.where(jnp.isfinite(log_loss), size, jnp.inf)
            good = runs & (size <= 1)
            factor = jnp.clip(0.9 * size ** (-1 / _rosenbrock.ORDER), 0.2, 6.0)
            chosen = lambda keep, new, old: jax.tree.map(lambda a, b: jnp.where(keep, a, b), new, old)  # noqa: E731
            passed = good & (now.log_loss > plan.levels) & (log_loss <= plan.levels)
            here = Mark(now.state, now.clock, now.h)
            marks = jax.tree.map(
                lambda a, b: jnp.where(passed.reshape((-1,) + (1,) * a.ndim), a, b), here, now.marks
            )
            h = jnp.where(runs, now.h * factor, now.h)
            lost = jnp.where(jnp.isfinite(size), Result.stalled, Result.nonfinite)
            code = jnp.where(runs & (now.clock + h <= now.clock), lost, now.code)
            code = jnp.where(runs & (now.steps + 1 >= plan.max_steps), Result.max_steps, code)
            code = jnp.where(good & (log_loss <= plan.levels[-1]), Result.reached_end, code)
            return now._replace(
                state=chosen(good, after, now.state),
                clock=jnp.where(good, now.clock + now.h, now.clock),
                h=h,
                log_loss=jnp.where(good, log_loss, now.log_loss),
                marks=marks,
                steps=now.steps + runs,
                rejected=now.rejected + (runs & ~good),
                code=code,
            )

        now = jax.lax.fori_loop(0, _STEPS, step, instance)
        at_rest = (now.code == RUNNING) & ~now.apart & flow.rests(now.state)
        return now._replace(code=jnp.where(at_rest, RESTS, now.code))

    return _each(one, shared)(problem, instances)


@eqx.filter_jit
def describe(inputs: Any, state: State, clock: Array, marks: Mark, levels: Array, shared: bool) -> dict[str, Array]:
    """What there is to know at the start, at the levels, and at the end: arrays of (instances, 1 + levels + 1, ...)."""

    def one(problem, geo, theta0, state, clock, marks):
        flow = Flow(problem, geo, theta0)

        def located(mark: Mark, level):
            def closer(_, h):
                after, _ = flow.step(mark.state, h)
                moved = h + (flow.log_loss(after) - level) / flow.fall(after)
                return jnp.where(jnp.isfinite(moved), jnp.clip(moved, 0, mark.h), h)

            h = jax.lax.fori_loop(0, _REFINED, closer, mark.h)
            return flow.step(mark.state, h)[0], mark.clock + h

        # Where a level was not reached, the end.
        short = flow.log_loss(state) > levels
        ended = Mark(state, clock, jnp.zeros_like(clock))
        marks = jax.tree.map(lambda a, b: jnp.where(short.reshape((-1,) + (1,) * a.ndim), a, b), ended, marks)
        at_levels = jax.vmap(located)(marks, levels)
        start = flow.initial(), jnp.zeros_like(clock)
        states, clocks = jax.tree.map(
            lambda a, b, c: jnp.concatenate([a[None], b, c[None]]), start, at_levels, (state, clock)
        )
        thetas = jax.vmap(flow.theta)(states)
        margins = jax.vmap(flow.margins)(thetas)
        log_loss = problem.log_loss_at(margins)
        return {
            "nu": states.inner if flow.is_nu else states.nu,
            "thetas": thetas,
            "margins": margins,
            "log_loss": log_loss,
            "clock": flow.mirror_size / flow.largest * clocks,
            "log_ts": jnp.log(states.v) + jnp.log(flow.mirror_size / flow.largest) - log_loss,
            "rows": flow.rows,
            "largest": flow.largest,
        }

    return _each(one, shared)(*inputs, state, clock, marks)
