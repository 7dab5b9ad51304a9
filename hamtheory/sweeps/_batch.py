"""Instances that are computed side by side, and how each of the computations is done, by either engine.

What comes out of an instance must not depend on which others share its batch. They are therefore computed in blocks
whose width depends on the shape of the problem alone, the last one filled up with copies of its first: whatever the
chunk, the compiled program is the same, and so are its roundings for each instance.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._batching import widest_of_flows, widest_of_limits, width_for, width_of_runs
from .._flips import Flips
from ..algorithm import AbstractAlgorithm, run_many
from ..flow import solve_flow, solve_flows
from ..geometry import AbstractGeometry
from ..limit import limit_path, solve_limit, solve_limits
from ..problem import LinearRegression
from ..signs import CountedState, flip_events

_ENTRIES = 1 << 19  # entries of X, over a whole block
_WIDEST = 32
_PIECE = 64  # instances that are measured side by side
_MANY = 64  # instances with the same problem, from which on they share its products


class Ends(NamedTuple):
    """Limits or ends of flows: arrays with a leading axis of instances (and then one of points, of paths).

    Attributes:
        theta: The limits or ends.
        residual: As in a `LimitResult` or a `FlowResult`.
        duality_gap: As in a `LimitResult` or a `FlowResult`.
        relative_gap: As in their `stats`.
        steps: As in their `stats`.
        result: The numbers of members of `hamtheory.Result`.
        time: The times reached, of flows; otherwise None.
        rejected: Rejected steps of the solver, of flows; otherwise None.
        loss: The loss at times, of flows, if asked for; otherwise None.
        flips: The flips, of flows, if asked for; otherwise None.
    """

    theta: np.ndarray
    residual: np.ndarray
    duality_gap: np.ndarray
    relative_gap: np.ndarray
    steps: np.ndarray
    result: np.ndarray
    time: np.ndarray | None = None
    rejected: np.ndarray | None = None
    loss: np.ndarray | None = None
    flips: Flips | None = None


_OF_LIMITS = Ends._fields[:6]


@dataclass(frozen=True)
class Batch:
    """Instances that can be computed side by side: problems of one shape, geometries of one family.

    Whether instances share the products with X, and how many of them are in step, is a matter of speed and of rounding:
    one of the spec, therefore, and not of the chunk. So is the engine.

    Attributes:
        problems: Regressions, or classifications of one loss, of one (n, d), finite, without their ground truth.
        which: The problem of each instance, (instances,).
        geometry: A pytree whose arrays have a leading axis of instances (then one of points, in a curve).
        theta0s: The starts, (instances, d); None is zeros.
        truths: θ* of each problem, (problems, d), NaN if unknown.
        alike: How many instances have the same problem and family of geometries, all over the sweep. On it depends
            whether they share the products with X, and how many of them are in step.
        on_host: Whether the engine is the host's. With it all arrays are NumPy's, otherwise those of the geometry are
            JAX's.
    """

    problems: list[Any]
    which: np.ndarray
    geometry: AbstractGeometry
    theta0s: np.ndarray | None
    truths: np.ndarray
    alike: int
    on_host: bool = False

    def __len__(self) -> int:
        return len(self.which)

    def take(self, places: np.ndarray, geometry: Any) -> "Batch":
        """The instances at these places, each as often as it is asked for.

        Args:
            places: The numbers of the instances.
            geometry: Their geometries.

        Returns:
            A `Batch`.
        """
        theta0s = None if self.theta0s is None else self.theta0s[places]
        return replace(self, which=self.which[places], theta0s=theta0s, geometry=geometry)

    def limits(self, *, tol: float = 1e-10, max_steps: int = 2000, weight_decay: float = 0.0) -> Ends:
        """The limit of every instance.

        Args:
            tol: As in `ht.solve_limit`.
            max_steps: As in `ht.solve_limit`.
            weight_decay: As in `ht.solve_limit`.

        Returns:
            An `Ends`.
        """
        if not weight_decay and not self.on_host:
            return Ends(*self._batched(solve_limits, _OF_LIMITS, {"tol": tol, "max_steps": max_steps}))
        how: dict[str, Any] = {"weight_decay": weight_decay, "tol": tol, "max_steps": max_steps, "throw": False}
        return self._one_by_one(_OF_LIMITS, lambda *instance: (solve_limit(*instance, **how), {}))

    def paths(self, *, tol: float = 1e-10, max_steps: int = 2000) -> Ends:
        """The limits of every instance along its curve.

        Args:
            tol: As in `ht.limit_path`.
            max_steps: As in `ht.limit_path`.

        Returns:
            An `Ends` with arrays of (instances, points, ...).
        """
        if not self.on_host:
            return self._paths_in_blocks(tol, max_steps)

        def along(problem, geo, theta0):
            path = limit_path(problem, type(geo), geo.parameter, theta0, tol=tol, max_steps=max_steps, throw=False)
            return path, {"theta": path.thetas, "relative_gap": path.relative_gap}

        return self._one_by_one(_OF_LIMITS, along)

    def flows(
        self,
        *,
        rtol: float,
        tol: float,
        max_steps: int,
        ts: np.ndarray | None = None,
        weight_decay: float = 0.0,
        flips: bool = False,
        solver: str | None = None,
    ) -> Ends:
        """The end of the flow of every instance, and the loss at the times `ts`.

        With weight decay they are integrated one by one, and then those with `ts` end at the last of these.

        Args:
            rtol: As in `ht.solve_flows`.
            tol: As in `ht.solve_flows`.
            max_steps: As in `ht.solve_flows`.
            ts: As in `ht.solve_flows`.
            weight_decay: As in `ht.solve_flow`.
            flips: As in `ht.solve_flows`.
            solver: As in `ht.solve_flows`.

        Returns:
            An `Ends`.
        """
        how: dict[str, Any] = {"rtol": rtol, "max_steps": max_steps, "solver": solver}
        if not weight_decay and not self.on_host:
            return Ends(*self._batched(solve_flows, Ends._fields, how | {"tol": tol, "ts": ts, "flips": flips}))
        how |= {"weight_decay": weight_decay, "throw": False}

        def end_of(*instance):
            flow = solve_flow(*instance, tol=tol, ts=ts if weight_decay else None, **how)
            loss = None
            if ts is not None:
                timed = flow if weight_decay else solve_flow(*instance, ts=ts, **how)
                loss = timed.loss_at(ts)
            return flow, {"loss": loss, "flips": flip_events(flow, most=1) if flips else None}

        return self._one_by_one(Ends._fields, end_of)

    def class_flows(self, names: Sequence[str], **how: Any) -> dict[str, np.ndarray]:
        """The flows of a classification loss, by `ht.solve_flows`.

        Args:
            names: Of fields of a `ClassificationFlow`, or of its `stats`.
            **how: Other arguments of `ht.solve_flows`.

        Returns:
            By name, arrays of (instances, ...).
        """
        return dict(zip(names, self._batched(solve_flows, names, how), strict=True))

    def runs(self, rule: AbstractAlgorithm, *, rates: np.ndarray, keys: Any, like: np.ndarray, **how) -> dict[str, Any]:
        """The ends of runs, by `ht.run_many`.

        Args:
            rule: Of each, its parameters being numbers or arrays, (instances, ...).
            rates: The learning rate of each, (instances,).
            keys: The key of each.
            like: Numbers that are near for those that take about as many steps, (instances,): these go side by side.
            **how: Other arguments of `ht.run_many`.

        Returns:
            A table with `theta`, `residual`, `result`, `loss`, `steps`, and `flips` if counted.
        """
        (n, d), size = self.problems[0].X.shape, how.get("batch_size")
        share = self.alike >= _MANY and size is None  # of mini-batches there is nothing to share
        problems = [_on_device(problem) for problem in self.problems]
        order = np.argsort(like, kind="stable")
        which = self.which[order]
        parts = [order[which == place] for place in range(len(problems))] if share else [order]
        found = []
        for place, some in enumerate(parts):
            ends = run_many(
                problems[place] if share else problems,
                jax.tree.map(lambda x: x[some] if np.ndim(x) else x, rule),  # noqa: B023
                None if self.theta0s is None else self.theta0s[some],
                which=np.zeros(len(some), int) if share else self.which[some],
                share=share,
                learning_rate=rates[some],
                keys=keys[some],
                width=width_of_runs(n, d, self.alike, share, size),
                progress=False,
                **how,
            )
            states: Any = ends.states
            found.append(
                {name: getattr(ends, name) for name in ("theta", "residual", "result", "loss")}
                | {"steps": ends.stats["steps"]}
                | ({"flips": states.flips} if isinstance(states, CountedState) else {})
            )
        return _in_order(parts, found)

    def measured(self, function: Callable[[LinearRegression, AbstractGeometry, Any], Any], thetas: np.ndarray) -> Any:
        """What a function says of each problem and geometry, and of a θ.

        Args:
            function: Of a problem, a geometry and a θ; one of a module.
            thetas: The θ of each, (instances, d).

        Returns:
            What the function returns, with a leading axis of instances.
        """
        if self.on_host:
            return stacked([function(*own, theta) for own, theta in zip(self._each(), thetas, strict=True)])
        parts = []
        for place, count in blocks_of(len(self), self._width(_PIECE)):
            geos = jax.tree.map(lambda x: np.asarray(x)[place], self.geometry)  # noqa: B023
            part = _vmapped(function)(*_on_device((self._stack(place), geos, thetas[place])))
            parts.append(jax.tree.map(lambda x: np.asarray(x)[:count], part))  # noqa: B023
        return jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts)

    def _each(self) -> Iterator[tuple[LinearRegression, AbstractGeometry]]:
        """The problem and the geometry of each, in NumPy's arrays on the host, otherwise in JAX's."""
        array_of = np.asarray if self.on_host else jnp.asarray
        problems = self.problems if self.on_host else [_on_device(problem) for problem in self.problems]
        geos = jax.tree.map(lambda x: np.asarray(x) if np.ndim(x) else x, self.geometry)
        for i, place in enumerate(self.which):
            yield problems[place], jax.tree.map(lambda x: array_of(x[i]) if np.ndim(x) else x, geos)  # noqa: B023

    def _one_by_one(self, names: Sequence[str], solve: Callable[..., tuple[Any, dict[str, Any]]]) -> Ends:
        """What `solve` says of each problem, geometry and start: a result, and what there is besides."""
        rows = []
        for i, (problem, geo) in enumerate(self._each()):
            found, more = solve(problem, geo, None if self.theta0s is None else self.theta0s[i])
            rows.append([more[name] if name in more else _field(found, name) for name in names])
        columns: list[Any] = [None if column[0] is None else stacked(column) for column in zip(*rows, strict=True)]
        return Ends(*columns)

    def _batched(self, solve: Callable[..., Any], names: Sequence[str], how: dict[str, Any]) -> tuple[Any, ...]:
        """By one of the batch solvers: all at once, or those of each problem together, if `alike` are many."""
        (n, d), share = self.problems[0].X.shape, self.alike >= _MANY
        # Of NumPy's arrays, `solve_limits` chooses the engine itself: for many on one X that is not always JAX.
        stays = share and solve is solve_limits and jax.default_backend() == "cpu"
        given = self.problems, jax.tree.map(np.asarray, self.geometry)
        problems, geos = given if stays else ([_on_device(problem) for problem in given[0]], _on_device(given[1]))
        rank, classes = min(n, d), hasattr(problems[0], "loss_name")
        widest = widest_of_limits(rank, d, share) if solve is solve_limits else widest_of_flows(rank, d, classes)
        width = width_for(2 * self.alike, widest) if share else widest
        parts = [np.flatnonzero(self.which == i) for i in range(len(problems))] if share else [np.arange(len(self))]
        found = []
        for place, part in enumerate(parts):
            ends = solve(
                problems[place] if share else problems,
                jax.tree.map(lambda x: x[part], geos),  # noqa: B023
                None if self.theta0s is None else self.theta0s[part],
                which=None if share else np.asarray(self.which),
                share=share,
                width=width,
                **how,
            )
            found.append(tuple(_field(ends, name) for name in names))
        return _in_order(parts, found)

    def _paths_in_blocks(self, tol: float, max_steps: int) -> Ends:
        d, dtype = self.problems[0].d, self.problems[0].X.dtype
        arrays, static = eqx.partition(_on_device(self.geometry), eqx.is_array)
        arrays = jax.tree.map(np.asarray, arrays)
        found = []
        for place, count in blocks_of(len(self), self._width(_WIDEST)):
            geo = eqx.combine(jax.tree.map(lambda x: x[place], arrays), static)  # noqa: B023
            theta0 = np.zeros((len(place), d), dtype) if self.theta0s is None else self.theta0s[place]
            block = _path_block(_on_device((self._stack(place), geo, theta0)), tol, max_steps)
            found.append(jax.tree.map(lambda x: np.asarray(x)[:count], block))  # noqa: B023
        columns: list[Any] = [np.concatenate(parts) for parts in zip(*found, strict=True)]
        return Ends(*columns)

    def _stack(self, place: np.ndarray) -> LinearRegression:
        return stacked([self.problems[self.which[i]] for i in place])

    def _width(self, most: int) -> int:
        """As many as hold a moderate number of entries of X."""
        return max(1, min(most, _ENTRIES // self.problems[0].X.size))


def blocks_of(instances: int, width: int) -> Iterator[tuple[np.ndarray, int]]:
    """The places of blocks of one width, the last one filled up, and how many of them count."""
    for first in range(0, instances, width):
        place = np.arange(first, first + width)
        yield np.where(place < instances, place, first), min(width, instances - first)


def _in_order(parts: Sequence[np.ndarray], found: Sequence[Any]) -> Any:
    """What was found of the parts, put together in the order of the instances."""
    back = np.argsort(np.concatenate(parts), kind="stable")
    return jax.tree.map(lambda *arrays: np.concatenate(arrays)[back], *found)


@cache
def _vmapped(function: Callable) -> Callable:
    return eqx.filter_jit(jax.vmap(function))


def stacked(parts: Sequence[Any]) -> Any:
    return jax.tree.map(lambda *leaves: np.stack(leaves), *parts)


def _field(ends: Any, name: str) -> Any:
    return ends.stats[name] if name in ends.stats else getattr(ends, name)


def _on_device(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.asarray(leaf) if isinstance(leaf, (np.ndarray, np.generic)) else leaf, tree)


@eqx.filter_jit
def _path_block(instances, tol, max_steps):
    problems, geos, theta0s = instances
    family = type(geos)

    def one(problem, grid, theta0):
        path = limit_path(problem, family, grid, theta0, tol=tol, max_steps=max_steps, throw=False)
        gaps = path.residual, path.duality_gap, path.relative_gap
        return path.thetas, *gaps, path.stats["steps"], path.result

    return eqx.filter_vmap(one)(problems, geos.parameter, theta0s)
