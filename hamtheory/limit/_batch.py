"""Many limits at once: paths to the limits of an exponential geometry, or Newton's method, in batches of instances.

The steps are those of `solve_limit`, one factorisation each; see `hamtheory/_batching.py` for the loop around them. An
instance takes 5 steps at the L2 end, 25 where α ~ e³⁰, and leaves when it has arrived. A step of an instance takes
12 µs on a core (n = 40, d = 100): 3 for its Gram matrix, if X is shared, 3 for the factorisation, 2 for three
right-hand sides.

What was tried instead, and lost: docs/decisions/batches.md.
"""

from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._array import Array
from .._batching import (
    IDLE,
    RUNNING,
    Inputs,
    Progress,
    Source,
    drain,
    has_products,
    in_pieces,
    widest_of_limits,
    width_for,
)
from .._device import device_engine
from .._validate import count, tolerance
from ..metrics import relative_residual
from ..problem import LinearRegression
from ._device import feasible, solve_from
from ._path import Path, PathState, start_of_path
from ._result import LimitResult
from ._solve import ROUNDING_REACH

_STEPS = 2  # a round
_LOOK = -4  # the code of an instance that has arrived, or will not: besides those of `Result`, RUNNING and IDLE


@device_engine
def solve_limits(
    problems, geos, theta0s=None, *, which=None, share=None, ys=None, tol, max_steps, width=None, report=None
) -> LimitResult:
    """As the public one, which has its text."""
    source = Source(problems, which, geos, theta0s, share, ys=ys)
    within = jnp.asarray(tolerance(tol, "tol", source.dtype, ROUNDING_REACH), source.dtype)
    budget = jnp.asarray(count(max_steps, "max_steps"))
    most = widest_of_limits(source.rank, source.d, source.shared)
    width = width_for(source.instances, most) if width is None else count(width, "width")
    work = _follow if geos.log_sparsity is not None else _at_once
    found = work(source, within, budget, width, Progress(source.instances, report))
    stats = {name: found.pop(name) for name in ("steps", "relative_gap")}
    return LimitResult(result=found.pop("codes"), stats=stats, **found)


class _Instances(eqx.Module):
    """A batch of instances on their paths; `targets` are those of their own y, if they have one."""

    targets: Any
    geo: Any
    theta0: Array
    state: PathState
    code: Array


def _follow(source: Source, tol, budget, width: int, progress: Progress) -> dict[str, np.ndarray]:
    """All instances to the ends of their paths, those with the longest first.

    An instance leaves where it may have arrived. A certificate costs as much as two steps: it is computed for all at
    the end, and those that have not arrived go on.
    """
    shared, products = source.shared, _products(source)
    order = np.argsort(-np.asarray(source.geos.log_sparsity), kind="stable")
    states: Any = None
    found: dict[str, np.ndarray] = {}

    def at(index) -> Any:
        return None if states is None else jax.tree.map(lambda x: x[index], states)

    def entering(places, live):
        inputs = source.at(order[places])
        targets = source.targets_at(order[places])
        return None if shared else inputs.problem, _enter(inputs, targets, before and at(order[places]), live, shared)

    def advancing(batch):
        problem, instances = batch
        instances = _advance(source.problem if shared else problem, products, instances, tol, budget, shared)
        return (problem, instances), instances.code

    def leaving(places, slots, batch):
        nonlocal states
        ended = jax.tree.map(np.asarray, batch[1].state)
        if states is None:
            states = jax.tree.map(lambda x: np.empty((source.instances, *x.shape[1:]), x.dtype), ended)
        for stored, values in zip(jax.tree.leaves(states), jax.tree.leaves(ended), strict=True):
            stored[order[places]] = values[slots]

    def piece(index):
        return _describe(source.at(index), source.targets_at(index), products, at(index), tol, budget, shared)

    before = None
    while order.size:
        drain(np.arange(order.size), width, entering, advancing, leaving)
        before, index = states, np.sort(order)
        part = in_pieces(piece, index, width)
        found = found or part
        for name, values in part.items():
            found[name][index] = values
        order = order[found["codes"][order] == RUNNING]
        progress.add(index.size - order.size)
    return found


def _products(source: Source) -> Array | None:
    """`Q_iᵀQ_j` of all rows, entry by entry, (d, r²): with it the Gram matrices of many instances are one product."""
    if not has_products(source.rank, source.d, source.shared):
        return None
    basis = source.problem.row_space.basis
    return (basis.T[:, :, None] * basis.T[:, None, :]).reshape(source.d, -1)


def _aimed(problem: LinearRegression, targets: Any) -> LinearRegression:
    return problem if targets is None else problem.aimed(targets)


def _path(problem, products, geo, theta0, tol, budget) -> Path:
    rank = problem.row_space.target.size
    gram = None if products is None else lambda weights: (weights @ products).reshape(rank, rank)
    return Path(problem, geo, theta0, tol, budget, gram=gram)


@partial(jax.jit, static_argnames="shared")
def _enter(inputs: Inputs, targets, states: PathState | None, live, shared: bool) -> _Instances:
    def one(problem, geo, theta0, targets, state, live):
        state = start_of_path(_aimed(problem, targets), geo, theta0) if state is None else state
        return _Instances(targets, geo, theta0, state, jnp.where(live, RUNNING, IDLE))

    return jax.vmap(one, in_axes=(None if shared else 0, 0, 0, 0, 0, 0))(*inputs, targets, states, live)


@partial(jax.jit, static_argnames="shared")
def _advance(problem, products, instances: _Instances, tol, budget, shared: bool) -> _Instances:
    def one(problem, instance: _Instances) -> _Instances:
        aimed = _aimed(problem, instance.targets)
        path = _path(aimed, products, instance.geo, instance.theta0, tol, budget)

        def step(_, carry):
            # A path that has ended stays where it is, whenever its batch is looked at.
            state, code = carry
            state = jax.tree.map(lambda new, old: jnp.where(code == RUNNING, new, old), path.advance(state), state)
            return state, jnp.where((code == RUNNING) & (state.close | ~path.runs(state)), _LOOK, code)

        state, code = jax.lax.fori_loop(0, _STEPS, step, (instance.state, instance.code))
        return _Instances(instance.targets, instance.geo, instance.theta0, state, code)

    return jax.vmap(one, in_axes=(None if shared else 0, 0))(problem, instances)


@partial(jax.jit, static_argnames="shared")
def _describe(inputs: Inputs, targets, products, states: PathState, tol, budget, shared: bool) -> dict[str, Array]:
    def one(problem, geo, theta0, targets, state):
        problem = _aimed(problem, targets)
        path = _path(problem, products, geo, theta0, tol, budget)
        point = path.point(state)
        state = path.proven(state, point)
        ended = feasible(problem, path.result(state, point))
        return {
            "theta": point.theta,
            "dual": problem.row_space.dual(point.coordinates),
            "residual": relative_residual(problem, point.theta),
            "duality_gap": point.certificate.duality_gap,
            "relative_gap": point.certificate.relative_gap,
            "codes": jnp.where(path.runs(state), RUNNING, ended),
            "steps": state.steps,
        }

    return jax.vmap(one, in_axes=(None if shared else 0, 0, 0, 0, 0))(*inputs, targets, states)


def _at_once(source: Source, tol, budget, width: int, progress: Progress) -> dict[str, np.ndarray]:
    """All instances, a batch after the other, each until its slowest instance is done."""

    def piece(index):
        progress.add(min(width, source.instances - progress.done))
        return _solved(source.at(index), source.targets_at(index), tol, budget, source.shared)

    return in_pieces(piece, np.arange(source.instances), width)


@eqx.filter_jit
def _solved(inputs: Inputs, targets, tol, budget, shared: bool) -> dict[str, Array]:
    def one(problem, geo, theta0, targets):
        limit = solve_from(_aimed(problem, targets), geo, theta0, tol, budget)
        return {
            "theta": limit.theta,
            "dual": limit.dual,
            "residual": limit.residual,
            "duality_gap": limit.duality_gap,
            "relative_gap": limit.stats["relative_gap"],
            "codes": limit.result,
            "steps": limit.stats["steps"],
        }

    return jax.vmap(one, in_axes=(None if shared else 0, 0, 0, 0))(*inputs, targets)
