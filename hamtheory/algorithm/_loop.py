"""From a rule to a trajectory: a compiled loop over steps in one over saves, in one over chunks of these."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import tqdm
from jaxtyping import Float, Int

from .._array import Array
from .._batching import widest
from .._result import Result, select
from .._types import Trajectory
from .._validate import is_traced
from ..metrics import relative_residual
from ..problem import BinaryClassification, LinearRegression
from ._base import AbstractAlgorithm
from ._product import ProductState
from ._sampler import Sampler

_PATIENCE = 2.0  # seconds before the bar shows
_MOST_SAVES, _MOST_STEPS = 2048, 50_000  # a chunk: what stays on the device, and half a second


class RunResult(eqx.Module):
    """The trajectory of an algorithm, or the ends of many.

    See `run` for a trajectory. Of many, see `run_many`, all but `steps` have an axis of runs before all others; the
    shapes below are without it.

    Attributes:
        steps: The numbers of the saved steps, from 0, (saves,).
        thetas: (saves, d). Of many: None.
        theta: The last one, (d,).
        loss: Of all samples, along the trajectory, (saves,). Of many: that of a run that has ended stays as it was.
        residual: `‖Xθ − y‖/‖y‖` at the end; of a classification, None.
        result: A member of `hamtheory.Result`. Of many: an array of numbers.
        stats: `steps`, the number of the last one; `nonfinite_step`, the first that led to an infinity or NaN, −1 if
            none did. Of many: `steps` is, of a run that has left the range of numbers, the save at which that was
            found.
        states: The saved states of the algorithm, a pytree of (saves, ...) arrays. Of `ProductGD`, `ms` and `ws`:
            (saves, d). Of many: the last ones.
        integral: That of the `integrand`, a pytree of (saves, ...) arrays; None without one. Of many: the last ones.
    """

    steps: Int[Array, " saves"]
    thetas: Trajectory
    theta: Float[Array, "*instances d"]
    loss: Float[Array, "*instances saves"]
    residual: Float[Array, "*instances"] | None
    result: Any
    stats: dict[str, Array]
    states: Any
    integral: Any

    @property
    def ms(self) -> Float[Array, "saves d"]:
        """m after the saved steps, of `ProductGD`.

        Raises:
            AttributeError: For any other algorithm.
        """
        return self._factors.m

    @property
    def ws(self) -> Float[Array, "saves d"]:
        """w after the saved steps, of `ProductGD`.

        Raises:
            AttributeError: For any other algorithm.
        """
        return self._factors.w

    @property
    def _factors(self) -> ProductState:
        if not isinstance(self.states, ProductState):
            raise AttributeError("only runs of ProductGD have ms and ws; see .states for those of other algorithms")
        return self.states


class Plan(eqx.Module):
    """What a step consists of. `rate`: a number, or a function of the number of the step. `integrand`: see `run`."""

    problem: LinearRegression | BinaryClassification
    algorithm: AbstractAlgorithm
    sampler: Sampler
    rate: Any
    integrand: Any


class Carry(NamedTuple):
    """What a step leaves to the next one. `finite`: how many steps have led to finite numbers, which is all of them or
    those before the first that did not; `order`: of the samples in the epoch; `integral`: so far."""

    state: Any
    step: Any
    finite: Any
    order: Any
    integral: Any


class Path(NamedTuple):
    """What is saved. `thetas` is `None` where θ is the state, `residual` of a classification."""

    states: Any
    thetas: Any
    loss: Any
    residual: Any
    integral: Any


def first_carry(plan: Plan, theta0: Float[Array, " d"]) -> Carry:
    state = plan.algorithm.init(plan.problem, theta0)
    rate = jnp.zeros((), theta0.dtype)
    integral = jax.tree.map(
        lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(lambda s: _integrand_at(plan, s, rate), state)
    )
    return Carry(state, jnp.asarray(0), jnp.asarray(0), plan.sampler.first_order(plan.problem), integral)


def _integrand_at(plan: Plan, state: Any, rate: Array) -> Any:
    if plan.integrand is None:
        return None
    return plan.integrand(plan.problem, plan.algorithm, plan.algorithm.theta(state), rate)


def one_step(plan: Plan, carry: Carry, watch: bool = True) -> Carry:
    """The next step. `watch`: whether it is counted if it is finite, which takes a twentieth of the time."""
    theta = plan.algorithm.theta(carry.state)
    gradient, order = plan.sampler.gradient(plan.problem, theta, carry.step, carry.order)
    rate = jnp.asarray(plan.rate(carry.step) if callable(plan.rate) else plan.rate, theta.dtype)
    state = plan.algorithm.step(carry.state, gradient, rate)
    finite = carry.finite
    if watch:
        finite = finite + jnp.all(jnp.isfinite(plan.algorithm.theta(state))).astype(finite.dtype)
    integral = jax.tree.map(lambda sum, x: sum + rate * x, carry.integral, _integrand_at(plan, carry.state, rate))
    return Carry(state, carry.step + 1, finite, order, integral)


def _point(plan: Plan, carry: Carry) -> Path:
    state, problem = carry.state, plan.problem
    theta = plan.algorithm.theta(state)
    thetas = None if theta is state else theta
    return Path(state, thetas, problem.loss(theta), residual_of(problem, theta), carry.integral)


def residual_of(problem: LinearRegression | BinaryClassification, theta: Array) -> Array | None:
    """The relative residual of a regression."""
    return relative_residual(problem, theta) if isinstance(problem, LinearRegression) else None


@eqx.filter_jit
def advance(plan: Plan, carry: Carry, gaps: Int[Array, " room"], saves: Int[Array, ""]) -> tuple[Carry, Path]:
    """Take `gaps[i]` steps and save, for every i below `saves`."""

    def save(i, both):
        carry, path = both
        carry = jax.lax.fori_loop(0, gaps[i], lambda _, carry: one_step(plan, carry), carry)
        return carry, jax.tree.map(lambda saved, x: saved.at[i].set(x), path, _point(plan, carry))

    room = jax.tree.map(
        lambda x: jnp.zeros((gaps.size, *x.shape), x.dtype), jax.eval_shape(lambda c: _point(plan, c), carry)
    )
    return jax.lax.fori_loop(0, saves, save, (carry, room))


class Chunk(NamedTuple):
    """Some of the saves, the first `saves` of the `gaps` between them, and the step at their end.

    `place`: theirs in the grid, empty if the next save is too far away.
    """

    place: slice
    gaps: np.ndarray
    saves: int
    end: int


def chunks(grid: np.ndarray, room: int, most: int) -> Iterator[Chunk]:
    """The grid in chunks of at most `room` saves and about `most` steps."""
    done, now = 0, 0
    while done < grid.size:
        targets = grid[done : min(done + room, np.searchsorted(grid, now + most, side="right"))]
        stops = targets if targets.size else np.array([now + most])
        gaps = np.zeros(room, grid.dtype)
        gaps[: stops.size] = np.diff(stops, prepend=now)
        place = slice(done, done + targets.size)
        yield Chunk(place, gaps, stops.size, int(stops[-1]))
        done, now = place.stop, int(stops[-1])


def bar_of(total: int, progress: bool) -> tqdm.tqdm:
    """A bar for steps, shown on long work."""
    silent: dict[str, Any] = {} if progress else {"disable": True}  # else it is up to TQDM_DISABLE
    return tqdm.tqdm(
        total=total, desc="run", unit="step", unit_scale=True, delay=_PATIENCE, dynamic_ncols=True, **silent
    )


def trajectory(plan: Plan, carry: Carry, grid: np.ndarray, tol, progress: bool) -> RunResult:
    """Run through the steps of `grid`, which begins at 0, and trim the path to where it ended early.

    While JAX traces, nothing can be trimmed: there the last point is repeated to the full length.
    """
    if is_traced(plan, carry, tol):
        carry, path = advance(plan, carry, jnp.asarray(np.diff(grid, prepend=0)), jnp.asarray(grid.size))
        steps = jnp.asarray(grid)
        kept = jnp.minimum(jnp.arange(grid.size), _last(steps, path, carry, tol, jnp))
    else:
        with bar_of(int(grid[-1]), progress) as bar:
            carry, path, steps = _by_chunks(plan, carry, grid, tol, bar)
        kept = slice(int(_last(steps, path, carry, tol, np)) + 1)
    # On the host this is NumPy until the end: JAX would compile a slice for every length.
    steps, path = jax.tree.map(lambda x: x[kept], (steps, path))
    return _summary(steps, path, carry, tol)


def steps_in_chunk(n: int, d: int, batch_size: int | None, instances: int = 1) -> int:
    """About half a second's worth."""
    return max(1, min(_MOST_STEPS, (1 << 28) // (instances * d * (batch_size or n))))


def _by_chunks(plan: Plan, carry: Carry, grid: np.ndarray, tol, bar: tqdm.tqdm) -> tuple[Carry, Path, np.ndarray]:
    """The path on the host, in chunks of one shape that take about half a second; to a NaN or convergence at most.

    Nothing that is computed depends on the chunks.
    """
    problem = plan.problem
    most = steps_in_chunk(problem.n, problem.d, plan.sampler.batch_size)
    path = jax.tree.map(
        lambda x: np.empty((grid.size, *x.shape), x.dtype), jax.eval_shape(lambda c: _point(plan, c), carry)
    )
    done = before = 0
    for chunk in chunks(grid, widest(2 * problem.d + 2, _MOST_SAVES), most):
        carry, part = advance(plan, carry, jnp.asarray(chunk.gaps), jnp.asarray(chunk.saves))
        targets = chunk.place.stop - chunk.place.start
        for stored, values in zip(jax.tree.leaves(path), jax.tree.leaves(part), strict=True):
            stored[chunk.place] = np.asarray(values)[:targets]
        bar.update(chunk.end - before)
        done, before = chunk.place.stop, chunk.end
        if int(carry.finite) < chunk.end:
            if not targets:  # the last point is where it stopped
                grid = np.append(grid[:done], chunk.end)
                for stored, values in zip(jax.tree.leaves(path), jax.tree.leaves(part), strict=True):
                    stored[done] = np.asarray(values)[0]
                done += 1
            break
        if tol is not None and np.any(path.residual[chunk.place] <= float(tol)):
            break
    return carry, jax.tree.map(lambda x: x[:done], path), grid[:done]


def _last(steps, path: Path, carry: Carry, tol, xp):
    """The place of the last point: the first that is not finite, or has converged, or the last of all."""
    ends = steps > xp.asarray(carry.finite)
    if tol is not None:
        ends = ends | (path.residual <= xp.asarray(tol))
    return xp.where(ends.any(), ends.argmax(), steps.size - 1)


def _summary(steps, path: Path, carry: Carry, tol) -> RunResult:
    thetas = path.states if path.thetas is None else path.thetas
    residual = None if path.residual is None else path.residual[-1]
    fields = (steps, thetas, thetas[-1], path.loss, residual, path.states, path.integral, steps[-1])
    steps, thetas, theta, loss, residual, states, integral, last = jax.tree.map(jax.device_put, fields)
    failed = last > carry.finite
    converged = jnp.asarray(False) if tol is None else residual <= tol
    return RunResult(
        steps=steps,
        thetas=thetas,
        theta=theta,
        loss=loss,
        residual=residual,
        result=select(failed, Result.nonfinite, select(converged, Result.converged, Result.reached_end)),
        stats={"steps": last, "nonfinite_step": jnp.where(failed, carry.finite + 1, -1)},
        states=states,
        integral=integral,
    )
