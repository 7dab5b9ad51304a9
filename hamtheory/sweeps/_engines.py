"""The three computations of a batch of lanes, each behind one function.

A lane's numbers must not depend on which lanes share its batch. Lanes are therefore computed in blocks whose width
depends on the shape of the problem alone, the last one filled up with copies of its first lane: whatever the chunk, the
compiled program is the same, and so are its roundings for each lane.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._batching import width_for
from .._flips import Flips
from ..algorithm import AbstractAlgorithm, run_many
from ..algorithm._batch import width_of as runs_width
from ..flow import solve_flow, solve_flows
from ..flow._batch import widest_of as flows_widest_of
from ..geometry import AbstractGeometry
from ..limit import limit_path, solve_limit, solve_limits
from ..limit._batch import widest_of as limits_widest_of
from ..limit._device_paths import _limit_path
from ..problem import LinearRegression
from ..signs import flip_events
from ..signs._count import CountedState
from ._quantity import LaneBatch

_ENTRIES = 1 << 19  # entries of X, over all lanes of a block
_WIDEST = 32
_PIECE = 64  # lanes that are measured side by side
_MANY = 64  # lanes with the same problem, from which on they share its products


class Limits(NamedTuple):
    """The limits of lanes: arrays with a leading axis of lanes (and then one of points, of paths)."""

    theta: np.ndarray
    residual: np.ndarray
    duality_gap: np.ndarray
    relative_gap: np.ndarray
    steps: np.ndarray
    result: np.ndarray


class Flows(NamedTuple):
    """The ends of flows: as `Limits`, with the times reached, and, if asked for, the loss at times and the flips."""

    theta: np.ndarray
    residual: np.ndarray
    duality_gap: np.ndarray
    relative_gap: np.ndarray
    steps: np.ndarray
    result: np.ndarray
    time: np.ndarray
    rejected: np.ndarray
    loss: np.ndarray | None
    flips: Flips | None


def limits(lanes: LaneBatch, *, tol: float, max_steps: int, weight_decay: float = 0.0) -> Limits:
    """The limit of every lane; the other arguments as in `solve_limit`."""
    if not weight_decay and not lanes.on_host:
        return _batched(Limits, solve_limits, lanes, lanes.alike, {"tol": tol, "max_steps": max_steps})
    how: dict[str, Any] = {"weight_decay": weight_decay, "tol": tol, "max_steps": max_steps, "throw": False}
    return _one_by_one(Limits, lanes, lambda *lane: (solve_limit(*lane, **how), {}))


def paths(lanes: LaneBatch, *, tol: float, max_steps: int) -> Limits:
    """The limits of every lane along its curve: arrays of (lanes, points, ...). The geometry has (lanes, points)."""
    if not lanes.on_host:
        return _in_blocks(_path_block, lanes, tol, max_steps)

    def along(problem, geo, theta0):
        path = limit_path(problem, type(geo), geo.parameter, theta0, tol=tol, max_steps=max_steps, throw=False)
        return path, {"theta": path.thetas, "relative_gap": path.relative_gap}

    return _one_by_one(Limits, lanes, along)


def flows(
    lanes: LaneBatch,
    *,
    rtol: float,
    tol: float,
    max_steps: int,
    ts: np.ndarray | None = None,
    weight_decay: float = 0.0,
    flips: bool = False,
) -> Flows:
    """The end of the flow of every lane, and the loss at the times `ts`; the other arguments as in `solve_flows`.

    With weight decay they are integrated one by one, and then those with `ts` end at the last of these.
    """
    if not weight_decay and not lanes.on_host:
        how = {"ts": ts, "rtol": rtol, "tol": tol, "max_steps": max_steps, "flips": flips}
        return _batched(Flows, solve_flows, lanes, lanes.alike, how)
    how: dict[str, Any] = {"weight_decay": weight_decay, "rtol": rtol, "max_steps": max_steps, "throw": False}

    def end_of(*lane):
        flow = timed = solve_flow(*lane, tol=tol, ts=ts if weight_decay else None, **how)
        loss = None
        if ts is not None:
            timed = flow if weight_decay else solve_flow(*lane, ts=ts, **how)
            loss = np.full(len(ts), np.nan, np.asarray(timed.loss).dtype)  # what was not reached is not a number
            loss[: len(timed.loss)] = timed.loss
        return flow, {"loss": loss, "flips": flip_events(flow, most=1) if flips else None}

    return _one_by_one(Flows, lanes, end_of)


def _one_by_one(kind, lanes: LaneBatch, solve: Callable[..., tuple[Any, dict[str, Any]]]):
    """What `solve` says of each problem, geometry and start: a result, and what there is besides."""
    rows = []
    for lane, (problem, geo) in enumerate(_each(lanes)):
        found, more = solve(problem, geo, None if lanes.theta0s is None else lanes.theta0s[lane])
        rows.append([more[name] if name in more else _field(found, name) for name in kind._fields])
    return kind(*(None if column[0] is None else _stacked(column) for column in zip(*rows, strict=True)))


def measured(
    function: Callable[[LinearRegression, AbstractGeometry, Any], Any], lanes: LaneBatch, thetas: np.ndarray
) -> Any:
    """What a function, of a module, says of the problem and the geometry of every lane, and of a θ, (lanes, d)."""
    if lanes.on_host:
        return _stacked([function(*lane, theta) for lane, theta in zip(_each(lanes), thetas, strict=True)])
    parts, width = [], _width(lanes.problems, _PIECE)
    for first in range(0, len(lanes), width):  # of one width, as blocks are
        place = np.resize(np.arange(first, min(first + width, len(lanes))), width)
        stack = _stacked([lanes.problems[lanes.which[lane]] for lane in place])
        geos = jax.tree.map(lambda x: np.asarray(x)[place], lanes.geometry)  # noqa: B023
        part = _vmapped(function)(*_on_device((stack, geos, thetas[place])))
        parts.append(jax.tree.map(lambda x: np.asarray(x)[: len(lanes) - first], part))  # noqa: B023
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts)


@cache
def _vmapped(function: Callable) -> Callable:
    return eqx.filter_jit(jax.vmap(function))


def _each(lanes: LaneBatch) -> Iterator[tuple[LinearRegression, AbstractGeometry]]:
    """The problem and the geometry of each lane, in NumPy's arrays on the host, otherwise in JAX's."""
    array_of = np.asarray if lanes.on_host else jnp.asarray
    problems = lanes.problems if lanes.on_host else [_on_device(problem) for problem in lanes.problems]
    geos = jax.tree.map(lambda x: np.asarray(x) if np.ndim(x) else x, lanes.geometry)
    for lane, place in enumerate(lanes.which):
        yield problems[place], jax.tree.map(lambda x: array_of(x[lane]) if np.ndim(x) else x, geos)  # noqa: B023


def _stacked(parts: Sequence[Any]) -> Any:
    return jax.tree.map(lambda *leaves: np.stack(leaves), *parts)


def _field(ends: Any, name: str) -> Any:
    return ends.stats[name] if name in ends.stats else getattr(ends, name)


def _in_blocks(compute, batch: LaneBatch, tol, max_steps) -> Limits:
    problems, which, theta0s = batch.problems, batch.which, batch.theta0s
    d, dtype = problems[0].d, problems[0].X.dtype
    width = _width(problems, _WIDEST)
    lanes, settings = len(which), (jnp.asarray(tol, dtype), jnp.asarray(max_steps))
    arrays, static = eqx.partition(_on_device(batch.geometry), eqx.is_array)
    arrays = jax.tree.map(np.asarray, arrays)
    blocks = []
    for first in range(0, lanes, width):
        place = np.arange(first, first + width)
        place = np.where(place < lanes, place, first)
        stack = _stacked([problems[which[lane]] for lane in place])
        geo = eqx.combine(jax.tree.map(lambda x: x[place], arrays), static)  # noqa: B023
        theta0 = np.zeros((width, d), dtype) if theta0s is None else theta0s[place]
        block = compute(*_on_device((stack, geo, theta0)), *settings)
        blocks.append(jax.tree.map(lambda x: np.asarray(x)[: lanes - first], block))  # noqa: B023
    return Limits(*(np.concatenate(parts) for parts in zip(*blocks, strict=True)))


def _width(problems, most: int) -> int:
    """The lanes of a batch: as many as hold a moderate number of entries of X."""
    return max(1, min(most, _ENTRIES // problems[0].X.size))


def _on_device(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.asarray(leaf) if isinstance(leaf, (np.ndarray, np.generic)) else leaf, tree)


def runs(
    problems: list[LinearRegression],
    which: np.ndarray,
    rule: AbstractAlgorithm,
    theta0s: np.ndarray | None,
    *,
    rates: np.ndarray,
    keys: Any,
    alike: int,
    like: np.ndarray,
    how: dict[str, Any],
) -> dict[str, Any]:
    """The ends of the runs of lanes, by `ht.run_many`, the losses, and the flips if they are counted.

    `alike` as in `limits`.

    `like`: numbers that are near for lanes that take about as many steps, (lanes,): these go side by side.
    """
    share = alike >= _MANY and how["batch_size"] is None  # of mini-batches there is nothing to share
    problems = [_on_device(problem) for problem in problems]
    order = np.argsort(like, kind="stable")
    parts = [order[which[order] == place] for place in range(len(problems))] if share else [order]
    found = []
    for place, lanes in enumerate(parts):
        some = jax.tree.map(lambda x: x[lanes] if np.ndim(x) else x, rule)  # noqa: B023
        found.append(
            run_many(
                problems[place] if share else problems,
                some,
                None if theta0s is None else theta0s[lanes],
                which=np.zeros(len(lanes), int) if share else which[lanes],
                share=share,
                learning_rate=rates[lanes],
                keys=keys[lanes],
                width=runs_width(problems[0], alike, share, how["batch_size"]),
                progress=False,
                **how,
            )
        )
    back = np.argsort(np.concatenate(parts), kind="stable")
    ends = [
        {name: getattr(ends, name) for name in ("theta", "residual", "result", "loss")}
        | {"steps": ends.stats["steps"]}
        | _flips_in(ends.states)
        for ends in found
    ]
    return jax.tree.map(lambda *parts: np.concatenate(parts)[back], *ends)


def _flips_in(states: Any) -> dict[str, Flips]:
    return {"flips": states.flips} if isinstance(states, CountedState) else {}


def _batched(kind, solve, lanes: LaneBatch, alike: int, how: dict[str, Any]):
    """The lanes by one of the batch solvers: all at once, or those of each problem together, if `alike` are many."""
    problems, geos = [_on_device(problem) for problem in lanes.problems], _on_device(lanes.geometry)
    theta0s = lanes.theta0s
    (n, d), share = problems[0].X.shape, alike >= _MANY
    widest = limits_widest_of(min(n, d), d, share) if solve is solve_limits else flows_widest_of(min(n, d), d)
    which, how = np.asarray(lanes.which), how | {"width": width_for(2 * alike, widest) if share else widest}
    if not share:
        ends = solve(problems, geos, theta0s, which=which, share=False, **how)
        return _fields(kind, ends)
    parts = [np.flatnonzero(which == place) for place in range(len(problems))]
    found = []
    for problem, part in zip(problems, parts, strict=True):
        some = jax.tree.map(lambda x: x[part], geos)  # noqa: B023
        which_of_one = np.zeros(len(part), int)
        found.append(
            solve(problem, some, None if theta0s is None else theta0s[part], which=which_of_one, share=True, **how)
        )
    back = np.argsort(np.concatenate(parts), kind="stable")
    return jax.tree.map(lambda *parts: np.concatenate(parts)[back], *(_fields(kind, ends) for ends in found))


def _fields(kind, ends):
    return kind(*(_field(ends, name) for name in kind._fields))


@eqx.filter_jit
def _path_block(problems, geos, theta0s, tol, max_steps):
    family = type(geos)

    def one(problem, grid, theta0):
        path = _limit_path(problem, family, grid, theta0, tol, max_steps)
        gaps = path.residual, path.duality_gap, path.relative_gap
        return path.thetas, *gaps, path.stats["steps"], path.result

    return eqx.filter_vmap(one)(problems, geos.parameter, theta0s)
