"""Many runs at once: side by side, in blocks of one width, so that their gradients are two matrix products."""

from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, Key, PRNGKeyArray, Real, UInt

from .._array import Array, Struct
from .._batching import Inputs, Source, width_of_runs
from .._device import device_engine, finite, positive, real_array
from .._result import NAMES
from .._types import Parameter
from .._validate import count, tolerance
from ..problem import BinaryClassification, LinearRegression
from ._base import AbstractAlgorithm
from ._loop import Carry, Plan, RunResult, bar_of, chunks, first_carry, one_step, residual_of, steps_in_chunk
from ._run import checked_integrand, grid_of, rate_of, refuse_of_classes, sampler_of
from ._sampler import Sampler

_RUNNING = -1
_CONVERGED, _REACHED_END, _NONFINITE = (NAMES.index(name) for name in ("converged", "reached_end", "nonfinite"))
_MOST_SAVES = 256


@device_engine
def run_many(
    problems: LinearRegression | BinaryClassification | Sequence[LinearRegression] | Sequence[BinaryClassification],
    algorithm: AbstractAlgorithm,
    theta0s: Real[Array | np.ndarray, "instances d"] | None = None,
    *,
    learning_rate: Parameter | Callable[..., Any],
    steps: int,
    which: Sequence[int] | Int[np.ndarray, " instances"] | None = None,
    batch_size: int | None = None,
    replace: bool = True,
    label_noise: float = 0.0,
    key: PRNGKeyArray | UInt[Array, "2"] | None = None,
    keys: Key[Array, " instances"] | None = None,
    save_every: int | Sequence[int] | Int[np.ndarray, " saves"] | None = None,
    integrand: Callable[..., Any] | None = None,
    tol: float | None = None,
    width: int | None = None,
    share: bool | None = None,
    progress: bool = True,
) -> RunResult:
    """Run a discrete algorithm many times, each run as `run` does it, with progress and in memory that does not grow.

    A run's result does not depend on the others, and agrees with that of `run` up to rounding.

    Args:
        problems: One regression or classification, or several of one kind and shape.
        algorithm: A rule whose parameters are numbers, the same for all, or (runs, ...) arrays.
        theta0s: The starts, (runs, d); zeros if left out.
        learning_rate: A number, one of each run, (runs,), or a function of the number of the step.
        steps: As in `run`, the same for all runs.
        which: The problem of each run, (runs,).
        batch_size: As in `run`, the same for all runs.
        replace: As in `run`, the same for all runs.
        label_noise: As in `run`, the same for all runs.
        key: Run i draws by `jax.random.fold_in(key, i)`.
        keys: In place of `key`, one of each run, (runs,).
        save_every: As in `run`, the same for all runs; left out: a hundred times.
        integrand: As in `run`, the same for all runs.
        tol: As in `run`, the same for all runs.
        width: Runs in step, on which rounding depends; left out: as many as there are, 256 at most, fewer of large
            problems, and of those with an X each.
        share: Whether runs share the products with X of their one problem; left out: if there is one problem.
        progress: Show a bar on work over two seconds.

    Returns:
        A `RunResult` with an axis of runs. Nothing is raised for a run that fails: its `result` says how it ended.

    Raises:
        ValueError: For bad arguments.
        TypeError: For bad arguments.

    References:
        As of `run`.

    ```python
    >>> import hamtheory as ht
    >>> problem = ht.LinearRegression([[1.0, 2.0]], [2.0])
    >>> many = ht.run_many(problem, ht.HAMStep(alpha=[2.0, 20.0]), learning_rate=0.01, steps=400)
    >>> many.theta.round(2).tolist(), many.loss.shape
    ([[0.32, 0.84], [0.16, 0.92]], (2, 101))

    ```
    """
    if not isinstance(algorithm, AbstractAlgorithm):
        raise TypeError(f"algorithm must be one such as ht.GD() or ht.HAMStep(alpha=100.0); got {algorithm!r}")
    if key is not None and keys is not None:
        raise ValueError("give either key or keys")
    if not isinstance(problems, Struct) and not problems:
        raise ValueError("problems must hold at least one problem; got none")
    first = problems if isinstance(problems, Struct) else problems[0]
    refuse_of_classes(first, tol)
    steps, dtype, rate = count(steps, "steps"), first.dtype, learning_rate
    if not callable(rate):
        rate = positive(real_array(rate, "learning_rate"), "learning_rate").astype(dtype)
        if rate.ndim > 1:
            raise ValueError(f"learning_rate must be a number or have shape (instances,); got shape {rate.shape}")
    sampler = sampler_of(first, batch_size, replace, label_noise, key if keys is None else keys[0])
    rules = algorithm.in_dtype(dtype), None if callable(rate) else rate, keys
    source = Source(problems, which, rules, theta0s, share, "algorithm, learning_rate and keys", 2)
    if source.theta0s is not None:
        finite(source.theta0s, "theta0s")
    source.geos = (*source.geos[:2], _split(sampler, key, keys, source.instances))
    shared = _Shared(
        sampler,
        rate_of(rate, steps, dtype) if callable(rate) else None,
        checked_integrand(integrand),
        jnp.asarray(-1.0 if tol is None else tolerance(tol, "tol", dtype, 16), dtype),  # −1: even an exact 0 goes on
        source.shared,
    )
    if width is None:
        width = width_of_runs(first.n, first.d, source.instances, source.shared, batch_size)
    width = count(width, "width")
    grid = grid_of(max(1, steps // 100) if save_every is None else save_every, steps, first)
    with bar_of(source.instances * steps, progress) as bar:
        blocks = [
            _block(source, shared, np.arange(at, min(at + width, source.instances)), width, grid, bar)
            for at in range(0, source.instances, width)
        ]
    theta, residual, codes, loss, ended, states, integral = jax.tree.map(lambda *parts: np.concatenate(parts), *blocks)
    return RunResult(grid, None, theta, loss, residual, codes, {"steps": ended}, states, integral)


def _split(sampler: Sampler, key, keys, instances: int) -> tuple[Array, Array] | None:
    """The keys of the mini-batches and of the noise of each run, if they are needed."""
    if sampler.batch_key is None:
        return None
    if keys is None:
        base = key if jnp.issubdtype(key.dtype, jax.dtypes.prng_key) else jax.random.wrap_key_data(key)
        keys = jax.vmap(jax.random.fold_in, (None, 0))(base, jnp.arange(instances))
    split: Any = jax.vmap(jax.random.split)(keys)
    return split[:, 0], split[:, 1]


class _Shared(eqx.Module):
    """What all runs have in common. The keys of its sampler are those of no run."""

    sampler: Sampler
    rate: Any
    integrand: Any
    tol: Float[Array, ""]
    one_problem: bool = eqx.field(static=True)

    def each(self, function: Callable[..., Any], inputs: Inputs, carry: Carry, out_axes: Any = 0) -> Any:
        """`function(plan, carry)` of every run, all of which are at the same step."""

        def one(problem, rules, carry):
            algorithm, rate, keys = rules
            sampler = self.sampler
            if keys is not None:
                sampler = eqx.tree_at(lambda s: (s.batch_key, s.noise_key), sampler, keys)
            rate = self.rate if rate is None else rate
            return function(Plan(problem, algorithm, sampler, rate, self.integrand), carry)

        return jax.vmap(one, (None if self.one_problem else 0, 0, _AXES), out_axes)(inputs.problem, inputs.geos, carry)


_AXES = Carry(state=0, step=None, finite=0, order=0, integral=0)


class _Instances(eqx.Module):
    """A block of runs on its way. `code`: how each ended, `ended`: when."""

    carry: Carry
    code: Int[Array, " instances"]
    ended: Int[Array, " instances"]


@eqx.filter_jit
def _enter(inputs: Inputs, shared: _Shared) -> _Instances:
    """The runs at their starts."""

    def first(problem, rules, theta0):
        plan = Plan(problem, rules[0], shared.sampler, None, shared.integrand)
        return first_carry(plan, theta0)

    carry = jax.vmap(first, (None if shared.one_problem else 0, 0, 0), _AXES)(
        inputs.problem, inputs.geos, inputs.theta0s
    )
    width = inputs.theta0s.shape[0]
    return _Instances(carry, jnp.full(width, _RUNNING), jnp.zeros(width, int))


@eqx.filter_jit
def _advance(inputs: Inputs, shared: _Shared, instances: _Instances, gaps, saves, is_save):
    """Take `gaps[i]` steps and save, for every i below `saves`; or, unless `is_save`, take the steps alone."""

    def save(i, both):
        old, losses = both
        step = lambda _, carry: shared.each(_unwatched, inputs, carry, _AXES)  # noqa: E731
        carry = jax.lax.fori_loop(0, gaps[i], step, old.carry)
        running = old.code == _RUNNING
        carry = _chosen(running, carry, old.carry)
        loss, residual, is_finite = shared.each(_measured, inputs, carry)
        converged = False if residual is None else residual <= shared.tol
        code = jnp.where(is_finite, jnp.where(converged, _CONVERGED, _RUNNING), _NONFINITE)
        code = jnp.where(running, jnp.where(is_save, code, _RUNNING), old.code)
        ended = jnp.where(running, carry.step, old.ended)
        return _Instances(carry, code, ended), losses.at[:, i].set(loss)

    room = jnp.zeros((instances.code.size, gaps.size), inputs.theta0s.dtype)
    return jax.lax.fori_loop(0, saves, save, (instances, room))


def _unwatched(plan: Plan, carry: Carry) -> Carry:
    return one_step(plan, carry, watch=False)


def _measured(plan: Plan, carry: Carry):
    theta = plan.algorithm.theta(carry.state)
    return plan.problem.loss(theta), residual_of(plan.problem, theta), jnp.all(jnp.isfinite(theta))


@eqx.filter_jit
def _leave(inputs: Inputs, shared: _Shared, instances: _Instances):
    theta, residual = shared.each(
        lambda plan, carry: (plan.algorithm.theta(carry.state), _measured(plan, carry)[1]), inputs, instances.carry
    )
    code = jnp.where(instances.code == _RUNNING, _REACHED_END, instances.code)
    return theta, residual, code, instances.ended, instances.carry.state, instances.carry.integral


def _chosen(mask: Array, new: Carry, old: Carry) -> Carry:
    """The runs of `new` where the mask is set; the step is that of all."""
    choose = lambda a, b: jnp.where(mask.reshape((-1,) + (1,) * (a.ndim - 1)), a, b)  # noqa: E731
    parts = [(carry.state, carry.finite, carry.order, carry.integral) for carry in (new, old)]
    state, finite, order, integral = jax.tree.map(choose, *parts)
    return Carry(state, new.step, finite, order, integral)


def _block(source: Source, shared: _Shared, instances: np.ndarray, width: int, grid: np.ndarray, bar):
    """These runs from their starts to their ends; the block is filled up with copies of its first run."""
    inputs = source.at(np.concatenate([instances, np.repeat(instances[:1], width - len(instances))]))
    now, losses, before = _enter(inputs, shared), np.empty((len(instances), grid.size), source.dtype), 0
    most = steps_in_chunk(source.n, source.d, shared.sampler.batch_size, width)
    for chunk in chunks(grid, min(_MOST_SAVES, grid.size), most):
        targets = chunk.place.stop - chunk.place.start
        gaps, saves, is_save = jnp.asarray(chunk.gaps), jnp.asarray(chunk.saves), jnp.asarray(targets > 0)
        now, part = _advance(inputs, shared, now, gaps, saves, is_save)
        losses[:, chunk.place] = np.asarray(part)[: len(instances), :targets]
        bar.update((chunk.end - before) * len(instances))
        before = chunk.end
        if (np.asarray(now.code) != _RUNNING).all():
            last = losses[:, chunk.place.stop - 1] if chunk.place.stop else np.nan
            losses[:, chunk.place.stop :] = np.reshape(last, (-1, 1))
            bar.update((int(grid[-1]) - before) * len(instances))
            break
    theta, residual, code, ended, state, integral = jax.tree.map(
        lambda x: np.asarray(x)[: len(instances)], _leave(inputs, shared, now)
    )
    return theta, residual, code, losses, ended, state, integral
