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
_HIT = 1e-10  # relative, how near to a level ln L is where it is saved


class State(NamedTuple):
    """ν, where it is not what is integrated, or None; ν or Aᵀν; v: in the units of the flow."""

    nu: Array | None
    inner: Array
    v: Array


class Point(NamedTuple):
    """A state, and θ, s and ln L there."""

    state: State
    theta: Array
    clock: Array
    log_loss: Array


class Instances(NamedTuple):
    """A batch; every leaf has a leading axis.

    `h` is the step that the error allows, and `aim` the one to the next level. `saved` are the points at the levels,
    `early` those after half of the way to them; both have an axis of levels.
    """

    geo: Any
    theta0: Array
    now: Point
    h: Array
    aim: Array
    saved: Point
    early: Point
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

    def losses(self, theta: Array) -> tuple[Array, Array]:
        """ln L, and how fast it falls in the clock."""
        margins = self.margins(theta)
        pull = self.problem.weights_at(margins) @ self.rows
        return self.problem.log_loss_at(margins), self.unit * jnp.sum(pull * self.geo.inverse_metric(theta) * pull)

    def velocity(self, state: State) -> State:
        theta = self.theta(state)
        q = self.problem.weights_at(self.margins(theta))
        pull = q @ self.rows
        end = 1 - state.v * (self.unit * jnp.sum(pull * self.geo.inverse_metric(theta) * pull))
        return State(None, q, end) if self.is_nu else State(q, pull, end)

    def solver(self, theta: Array, v: Array, g: Array):
        """`(I − gJ)⁻¹`."""
        A = self.rows
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
            K, root, force = (A * metric[None]) @ A.T, jnp.sqrt(curved), q
            inner, before, after = root[:, None] * K * root[None], lambda b: root * (K @ b), lambda x: root * x
            dual = seen
        else:
            B, root, force = (A.T * curved[None]) @ A, jnp.sqrt(metric), pull
            inner, before, after = root[:, None] * B * root[None], lambda b: root * b, lambda x: B @ (root * x)
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
            return State(nu, k, (right.v - g * v * (of_fall @ k)) / (1 + g * fall))

        return solve

    def rests(self, theta: Array) -> Array:
        """As on the host, whether the forces of the samples cancel."""
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

    def step(self, point: Point, h: Array) -> tuple[State, State]:
        solve = self.solver(point.theta, point.state.v, _rosenbrock.GAMMA * h)
        return _rosenbrock.step(self.velocity, solve, h, point.state)


def _each(function, shared: bool):
    """A function of a problem and more, of all instances."""
    return lambda problem, *more: jax.vmap(function, in_axes=(None if shared else 0, *(0 for _ in more)))(
        problem, *more
    )


def _where(condition: Array, new: Any, old: Any) -> Any:
    """The one or the other pytree; a condition with an axis chooses along their first."""

    def chosen(a, b):
        a, b = jnp.broadcast_arrays(a, b)
        return jnp.where(condition.reshape(condition.shape + (1,) * (b.ndim - condition.ndim)), a, b)

    return jax.tree.map(chosen, new, old)


@eqx.filter_jit
def enter(inputs: Any, apart: Array, live: Array, plan: Plan, shared: bool) -> Instances:
    """The instances of a batch at their starts; `apart` are those whose classes are known to be separable."""

    def one(problem, geo, theta0, apart, live):
        flow = Flow(problem, geo, theta0)
        state, zero, count = flow.initial(), jnp.zeros((), theta0.dtype), jnp.zeros((), int)
        log_loss, fall = flow.losses(theta0)
        start = Point(state, theta0, zero, log_loss)
        saved = jax.tree.map(lambda x: jnp.broadcast_to(x, (*plan.levels.shape, *x.shape)), start)
        aim = (log_loss - jnp.max(jnp.where(plan.levels < log_loss, plan.levels, -jnp.inf))) / fall
        code = jnp.where(log_loss <= plan.levels[-1], Result.reached_end, RUNNING)
        code = jnp.where(live, code, IDLE)
        return Instances(geo, theta0, start, zero + _FIRST, aim, saved, saved, count, count, apart, code)

    return _each(one, shared)(*inputs, apart, live)


@eqx.filter_jit
def advance(problem: Any, instances: Instances, plan: Plan, shared: bool) -> Instances:
    """A round."""

    def one(problem, instance: Instances) -> Instances:
        flow = Flow(problem, instance.geo, instance.theta0)

        def step(_, last: Instances) -> Instances:
            now, runs = last.now, last.code == RUNNING
            h = jnp.minimum(last.h, last.aim)
            state, error = flow.step(now, h)
            theta = flow.theta(state)
            log_loss, fall = flow.losses(theta)
            size = flow.error(plan, now.state, state, error)
            size = jnp.where(jnp.isfinite(log_loss), size, jnp.inf)
            exact = size <= 1
            # Newton's steps to the level: back if it is passed, or on.
            level = jnp.max(jnp.where(plan.levels < now.log_loss, plan.levels, -jnp.inf))
            near = _HIT * jnp.maximum(jnp.abs(level), 1)
            hit, far = jnp.abs(log_loss - level) <= near, log_loss < level - near
            good = runs & exact & ~far
            after = Point(state, theta, now.clock + h, jnp.where(hit, level, log_loss))
            target = jnp.max(jnp.where(plan.levels < after.log_loss, plan.levels, -jnp.inf))
            aim = jnp.where(good, (log_loss - target) / fall, jnp.clip(h + (log_loss - level) / fall, 0.1 * h, h))
            factor = jnp.clip(0.9 * size ** (-1 / _rosenbrock.ORDER), 0.2, 6.0)
            allowed = jnp.where(exact, jnp.maximum(last.h, h * factor), h * factor)
            lost = jnp.where(jnp.isfinite(size), Result.stalled, Result.nonfinite)
            code = jnp.where(now.clock + jnp.minimum(allowed, last.aim) <= now.clock, lost, RUNNING)
            code = jnp.where(last.steps + 1 >= plan.max_steps, Result.max_steps, code)
            code = jnp.where(good & (after.log_loss <= plan.levels[-1]), Result.reached_end, code)
            halves, passes = plan.levels / 2, lambda x: good & (now.log_loss > x) & (after.log_loss <= x)
            return last._replace(
                now=_where(good, after, now),
                h=jnp.where(runs, allowed, last.h),
                aim=jnp.where(runs & exact, aim, last.aim),
                saved=_where(passes(plan.levels), after, last.saved),
                early=_where(passes(halves), after, last.early),
                steps=last.steps + jnp.where(runs, 1, 0),
                rejected=last.rejected + jnp.where(runs & ~good, 1, 0),
                code=jnp.where(runs, code, last.code),
            )

        last = jax.lax.fori_loop(0, _STEPS, step, instance)
        at_rest = (last.code == RUNNING) & ~last.apart & flow.rests(last.now.theta)
        return last._replace(code=jnp.where(at_rest, RESTS, last.code))

    return _each(one, shared)(problem, instances)


@eqx.filter_jit
def describe(inputs: Any, now: Point, saved: Point, early: Point, levels: Array, shared: bool) -> dict[str, Array]:
    """What there is to know at the levels, half-way to them, and at the start, on one axis after that of instances."""

    def one(problem, geo, theta0, now, saved, early):
        flow = Flow(problem, geo, theta0)
        saved = _where(now.log_loss <= levels, saved, jax.tree.map(lambda x: x[None], now))
        start = Point(flow.initial(), theta0, jnp.zeros_like(now.clock), now.log_loss)
        points = jax.tree.map(lambda a, b, c: jnp.concatenate([a, b, c[None]]), saved, early, start)
        margins = jax.vmap(flow.margins)(points.theta)
        log_loss = problem.log_loss_at(margins)
        scale = flow.mirror_size / flow.largest
        return {
            "nu": points.state.inner if flow.is_nu else points.state.nu,
            "thetas": points.theta,
            "margins": margins,
            "log_loss": log_loss,
            "clock": scale * points.clock,
            "log_ts": jnp.log(points.state.v) + jnp.log(scale) - log_loss,
            "rows": flow.rows,
            "largest": flow.largest,
        }

    return _each(one, shared)(*inputs, now, saved, early)
