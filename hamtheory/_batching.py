"""A loop over batches of instances: a fixed number of slots, which one leaves when it is done and another one enters.

Under `vmap` a loop that stops when it has converged runs as long as the slowest instance. Here batches advance by
*rounds* of a few steps, and between them the instances that are done are exchanged. A batch has one shape from the
first round to the last, so that it is compiled once, and so that an instance's rounding depends neither on how many
there are nor on which of them it shares the batch with.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ._array import Array, Struct
from ._instances import checked_targets, instance_count
from .problem import LinearRegression

RUNNING, IDLE = -1, -3  # besides the codes of `Result`, which are not negative
_MOST_PRODUCTS = 1 << 20  # numbers, 8 MiB: what a cache may hold


class Inputs(NamedTuple):
    """The problem of a batch of instances (or a batch of problems), their geometries and starts."""

    problem: Any
    geos: Any
    theta0s: Array


class Source:
    """Instances as a user gives them: problems and which of them each one has, geometries, starts; checked.

    Args:
        problems: One regression or classification, or several of one kind, shape and dtype.
        which: Which of them each instance has; None for one problem.
        geos: Any pytree of arrays, with a leading axis of instances or for all the same.
        theta0s: The starts, (instances, d); None for zeros.
        share: Whether all instances have the one problem; None: if there is but one.
        name: What errors call `geos` by.
        axes: The most axes that its arrays have.
        ys: Of one regression, a y for each instance in place of its own, (instances, n).
    """

    def __init__(
        self,
        problems: Any,
        which,
        geos: Any,
        theta0s,
        share: bool | None,
        name: str = "geos",
        axes: int = 1,
        ys: Any = None,
    ):
        problems = [problems] if isinstance(problems, Struct) else list(problems)
        ys = None if ys is None else checked_targets(problems, ys, share)
        self.instances, self.which = instance_count(problems, jax.tree.leaves(geos), theta0s, which, name, ys)
        for leaf in jax.tree.leaves(geos):
            if leaf.ndim > axes:
                most = "one number" if axes == 1 else "at most one array"
                raise ValueError(f"{name} must have {most} an instance for each parameter; got shape {leaf.shape}")
        first = problems[0]
        self.shared = len(problems) == 1 if share is None else share
        if self.shared and len(problems) > 1:
            raise ValueError(f"share=True needs one problem; got {len(problems)}")
        stripped = [problem.without_truth() for problem in problems]
        self.problem = stripped[0] if self.shared else jax.tree.map(lambda *leaves: jnp.stack(leaves), *stripped)
        self.n, self.d, self.dtype = first.n, first.d, first.dtype
        self.rank = first.row_space.target.size if isinstance(first, LinearRegression) else min(first.n, first.d)
        self.geos = jax.tree.map(
            lambda leaf: jnp.broadcast_to(leaf, (self.instances,)) if leaf.ndim == 0 else leaf, geos
        )
        self.theta0s = None if theta0s is None else jnp.asarray(theta0s, first.dtype)
        self.targets = None
        if ys is not None:
            self.problem, self.targets = jax.tree.map(jnp.asarray, self.problem.shared(ys))

    def at(self, index: np.ndarray) -> Inputs:
        """What these instances were given."""
        problem, geos, theta0s = _gathered(
            None if self.shared else self.problem, self.which[index], self.geos, self.theta0s, index
        )
        if theta0s is None:
            theta0s = jnp.zeros((len(index), self.d), self.dtype)
        return Inputs(self.problem if self.shared else problem, geos, theta0s)

    def targets_at(self, index: np.ndarray) -> Any:
        """Their `Targets`; None where each has the y of its problem."""
        return None if self.targets is None else jax.tree.map(lambda leaf: leaf[index], self.targets)


@eqx.filter_jit
def _gathered(problems, which, geos, theta0s, index):
    take = lambda tree, at: jax.tree.map(lambda x: x[at] if eqx.is_array(x) else x, tree)  # noqa: E731
    return take(problems, which), take(geos, index), take(theta0s, index)


def widest(entries: int, most: int) -> int:
    """The widest batch, at most `most`, if an instance's largest array has so many entries: 32 MiB, a power of two."""
    return 1 << max(0, min(most, (1 << 22) // entries).bit_length() - 1)


def width_for(instances: int, most: int) -> int:
    """As wide a batch as is filled three times, within limits: the last instances of all are on their own."""
    return max(min(8, most), min(most, 1 << max(0, (instances // 3).bit_length() - 1)))


def has_products(rank: int, d: int, share: bool) -> bool:
    """Whether limits keep the products of all pairs of rows of their one problem, (d, rank²)."""
    return share and rank**2 * d <= _MOST_PRODUCTS


def widest_of_limits(rank: int, d: int, share: bool) -> int:
    """The widest batch of limits that is worth it."""
    return widest(max(rank**2, d), 256) if has_products(rank, d, share) else widest(rank * d, 64)


def widest_of_flows(rank: int, d: int, classes: bool = False) -> int:
    """The widest batch of flows that is worth it; those of classes have a matrix each."""
    return widest(rank * max(rank, d) if classes else rank + d, 64)


def width_of_runs(n: int, d: int, instances: int, share: bool, batch_size: int | None) -> int:
    """The runs in step, of so many. With an X each, their gradients are no products of large matrices."""
    most = widest(n + d, 256) if share else widest(d * (batch_size or 16 * n), 256)
    return min(most, 1 << (instances - 1).bit_length())


class Progress:
    """Instances done, for whoever wants to know."""

    def __init__(self, instances: int, report: Callable[[int, int], None] | None):
        self.instances, self.report, self.done = instances, report, 0

    def add(self, done: int):
        self.done += done
        if self.report is not None and done:
            self.report(self.done, self.instances)


def drain(waiting: np.ndarray, width: int, enter, advance, leave):
    """Let the instances at the places `waiting` of a queue run until all are done, `width` at a time.

    Args:
        waiting: The places.
        width: How many slots a batch has.
        enter: `enter(places, live)`: a batch of these instances; a slot that is not live holds a copy of some instance,
            and does nothing.
        advance: `advance(batch)`: the batch after a round, and the code of each slot.
        leave: `leave(places, slots, batch)`: the instances of these slots are done.
    """
    places, queue = np.full(width, -1), list(waiting[::-1])
    batch = None
    while True:
        idle = np.flatnonzero(places < 0)
        if queue and len(idle) * 8 >= width:
            for slot in idle[: len(queue)]:
                places[slot] = queue.pop()
            new = enter(np.where(places < 0, places.max(), places), places >= 0)
            batch = new if batch is None else _exchange(batch, new, np.isin(np.arange(width), idle))
        if (places < 0).all():
            return
        batch, codes = advance(batch)
        slots = np.flatnonzero((np.asarray(codes) != RUNNING) & (places >= 0))
        if slots.size:
            leave(places[slots], slots, batch)
            places[slots] = -1


@eqx.filter_jit
def _exchange(old, new, fresh):
    """The batch `old`, but for the slots that are `fresh`."""
    return jax.tree.map(lambda a, b: jnp.where(fresh.reshape((-1,) + (1,) * (a.ndim - 1)), b, a), old, new)


def in_pieces(describe: Callable[[np.ndarray], Any], index: np.ndarray, piece: int = 256) -> Any:
    """`describe(instances)`, a pytree of arrays with an axis of them, for those of `index`, in pieces of one shape."""
    found = []
    for start in range(0, len(index), piece):
        some = index[start : start + piece]
        part = describe(np.resize(some, piece))
        found.append(jax.tree.map(lambda values: np.asarray(values)[: len(some)], part))  # noqa: B023
    return jax.tree.map(lambda *parts: np.concatenate(parts), *found)
