"""The three computations of a batch of lanes, each behind one function.

A lane's numbers must not depend on which lanes share its batch. Lanes are therefore computed in blocks whose width
depends on the shape of the problem alone, the last one filled up with copies of its first lane: whatever the chunk, the
compiled program is the same, and so are its roundings for each lane.
"""

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
from ..geometry import AbstractExponentialGeometry, AbstractGeometry
from ..limit import solve_limit, solve_limits
from ..limit._batch import widest_of as limits_widest_of
from ..limit._device_paths import _limit_path
from ..problem import LinearRegression
from ..signs._count import CountedState

_ENTRIES = 1 << 19  # entries of X, over all lanes of a block
_WIDEST = 32
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


def limits(
    problems: list[LinearRegression],
    which: np.ndarray,
    geos: AbstractGeometry,
    theta0s: np.ndarray | None,
    *,
    tol: float,
    max_steps: int,
    weight_decay: float = 0.0,
    alike: int = 1,
) -> Limits:
    """The limit of every lane.

    Arguments: `problems` of one shape (n, d); `which` of them is each lane's, (lanes,); `geos`, a geometry whose arrays
    have a leading axis of lanes; `theta0s`, (lanes, d), or None for zeros; `alike`, how many lanes of the whole sweep
    have the same problem; the others as in `solve_limit`.
    """
    if weight_decay:
        return _stacked(
            Limits,
            [_regularised(*lane, tol, max_steps, weight_decay) for lane in _lanes(problems, which, geos, theta0s)],
        )
    how = {"tol": tol, "max_steps": max_steps}
    return _batched(Limits, solve_limits, problems, which, geos, theta0s, alike, how)


def paths(
    problems: list[LinearRegression],
    which: np.ndarray,
    geos: AbstractExponentialGeometry,
    theta0s: np.ndarray | None,
    *,
    tol: float,
    max_steps: int,
) -> Limits:
    """The limits of every lane along its curve: arrays of (lanes, points, ...). `geos` has arrays (lanes, points)."""
    return _in_blocks(_path_block, problems, which, geos, theta0s, tol, max_steps)


def flows(
    problems: list[LinearRegression],
    which: np.ndarray,
    geos: AbstractGeometry,
    theta0s: np.ndarray | None,
    *,
    rtol: float,
    tol: float,
    max_steps: int,
    ts: np.ndarray | None = None,
    weight_decay: float = 0.0,
    alike: int = 1,
    flips: bool = False,
) -> Flows:
    """The end of the flow of every lane, and the loss at the times `ts`; arguments as in `limits` and `solve_flows`.

    With weight decay they are integrated one by one, and then those with `ts` end at the last of these.
    """
    if not weight_decay:
        how = {"ts": ts, "rtol": rtol, "tol": tol, "max_steps": max_steps, "flips": flips}
        return _batched(Flows, solve_flows, problems, which, geos, theta0s, alike, how)
    rows = []
    for problem, geo, theta0 in _lanes(problems, which, geos, theta0s):
        options = {"weight_decay": weight_decay, "ts": ts, "rtol": rtol, "tol": tol, "max_steps": max_steps}
        flow = solve_flow(problem, geo, theta0, throw=False, **options)
        stats, loss = flow.stats, None
        if ts is not None:  # what was not reached is not a number
            loss = np.full(len(ts), np.nan, np.asarray(flow.loss).dtype)
            loss[: len(flow.loss)] = flow.loss
        certificate = flow.residual, flow.duality_gap, stats["relative_gap"]
        rows.append(
            (flow.theta, *certificate, stats["steps"], flow.result, stats["time"], stats["rejected"], loss, None)
        )
    return _stacked(Flows, rows)


def _regularised(problem, geo, theta0, tol, max_steps, weight_decay):
    options = {"weight_decay": weight_decay, "tol": tol, "max_steps": max_steps}
    limit = solve_limit(problem, geo, theta0, throw=False, **options)
    gaps = limit.residual, limit.duality_gap, limit.stats["relative_gap"]
    return limit.theta, *gaps, limit.stats["steps"], limit.result


def _lanes(problems, which, geos, theta0s):
    """The lanes one by one."""
    arrays, static = eqx.partition(geos, eqx.is_array)
    arrays = jax.tree.map(np.asarray, arrays)
    for lane, place in enumerate(which):
        geo = eqx.combine(jax.tree.map(lambda x: jnp.asarray(x[lane]), arrays), static)  # noqa: B023
        yield _on_device(problems[place]), geo, None if theta0s is None else theta0s[lane]


def _stacked(kind, rows):
    columns = zip(*rows, strict=True)
    return kind(*(None if column[0] is None else np.stack([np.asarray(x) for x in column]) for column in columns))


def _in_blocks(compute, problems, which, geos, theta0s, tol, max_steps) -> Limits:
    d, dtype = problems[0].d, problems[0].X.dtype
    width = _width(problems, _WIDEST)
    lanes, settings = len(which), (jnp.asarray(tol, dtype), jnp.asarray(max_steps))
    arrays, static = eqx.partition(geos, eqx.is_array)
    arrays = jax.tree.map(np.asarray, arrays)
    blocks = []
    for first in range(0, lanes, width):
        place = np.arange(first, first + width)
        place = np.where(place < lanes, place, first)
        stack = jax.tree.map(lambda *leaves: np.stack(leaves), *(problems[which[lane]] for lane in place))
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


def _batched(kind, solve, problems, which, geos, theta0s, alike: int, how: dict[str, Any]):
    """The lanes by one of the batch solvers: all at once, or those of each problem together, if there are many."""
    problems, geos = [_on_device(problem) for problem in problems], _on_device(geos)
    (n, d), share = problems[0].X.shape, alike >= _MANY
    widest = limits_widest_of(min(n, d), d, share) if solve is solve_limits else flows_widest_of(min(n, d), d)
    which, how = np.asarray(which), how | {"width": width_for(2 * alike, widest) if share else widest}
    if not share:
        ends = solve(problems, geos, theta0s, which=which, share=False, **how)
        return _fields(kind, ends)
    parts = [np.flatnonzero(which == place) for place in range(len(problems))]
    found = []
    for problem, lanes in zip(problems, parts, strict=True):
        some = jax.tree.map(lambda x: x[lanes], geos)  # noqa: B023
        which_of_one = np.zeros(len(lanes), int)
        found.append(
            solve(problem, some, None if theta0s is None else theta0s[lanes], which=which_of_one, share=True, **how)
        )
    back = np.argsort(np.concatenate(parts), kind="stable")
    return jax.tree.map(lambda *parts: np.concatenate(parts)[back], *(_fields(kind, ends) for ends in found))


def _fields(kind, ends):
    return kind(*(ends.stats[field] if field in ends.stats else getattr(ends, field) for field in kind._fields))


@eqx.filter_jit
def _path_block(problems, geos, theta0s, tol, max_steps):
    family = type(geos)

    def one(problem, grid, theta0):
        path = _limit_path(problem, family, grid, theta0, tol, max_steps)
        gaps = path.residual, path.duality_gap, path.relative_gap
        return path.thetas, *gaps, path.stats["steps"], path.result

    return eqx.filter_vmap(one)(problems, geos.parameter, theta0s)
