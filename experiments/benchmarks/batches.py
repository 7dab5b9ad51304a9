"""Limits of HAM in batches of every size, by every way that there is: which one is the fastest, and by how much.

*One X and y*: α evenly in ln α from 10⁻² to 10⁴. *Many y*, *an X each*: the same with instances of their own. A time is
that of the whole batch; peers that take an instance at a time are timed on at most 50, and scaled. The error is the
largest relative residual of the sample.

The NumPy loop proves nothing: it stops at a relative residual of 10⁻¹⁰.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import hamtheory as ht

from ._peers import mapped, newton_loop
from ._table import Row, interleaved, rows_of

N, D, K = 40, 100, 5
SIZES = (1, 3, 10, 30, 48, 100, 1_000, 10_000, 100_000)
_MOST, _ROUNDS = 50, 5
_OURS = "solve_limits"


@jax.jit
def _vmapped(problem, logs):
    return jax.vmap(lambda log: ht.solve_limit(problem, ht.HAM(log_alpha=log)).theta)(logs)


def few_of(instances: int) -> list[int]:
    """A sample of the instances."""
    return list(range(0, instances, max(1, instances // _MOST)))[:_MOST]


def _rows(task: str, calls: dict[str, tuple[int, Callable[[], Any]]], instances: int, problems) -> list[Row]:
    """Rows of calls, each for so many of the instances."""
    errors = {}
    for name, (count, call) in calls.items():
        thetas = np.asarray(call())
        places = np.linspace(0, count - 1, min(count, 10)).astype(int)
        shown = lambda i, count=count: problems(i if count == instances else few_of(instances)[i])  # noqa: E731
        errors[name] = max(float(ht.metrics.relative_residual(shown(i), thetas[i])) for i in places)
    seconds = interleaved({name: call for name, (_, call) in calls.items()}, _ROUNDS)
    scaled = {name: [s * instances / calls[name][0] for s in times] for name, times in seconds.items()}
    return rows_of(task, scaled, errors, _OURS)


def _one_problem(instances: int) -> list[Row]:
    problem = ht.sparse_regression(N, D, K)
    moved = jax.tree.map(jnp.asarray, problem.without_truth())
    logs = np.log(np.geomspace(1e-2, 1e4, instances))
    few = logs[few_of(instances)]
    calls = {
        _OURS: (instances, lambda: ht.solve_limits(problem, ht.HAM(log_alpha=logs)).theta),
        "batches of JAX": (
            instances,
            lambda: ht.solve_limits(moved, ht.HAM(log_alpha=jnp.asarray(logs))).theta,
        ),
        "solve_limit, one by one": (
            len(few),
            lambda: [ht.solve_limit(problem, ht.HAM(log_alpha=log)).theta for log in few],
        ),
        "NumPy loop, Newton on the dual": (len(few), lambda: [newton_loop(problem, float(np.exp(x))) for x in few]),
    }
    if instances <= 1_000:
        calls["lax.map of solve_limit"] = (instances, lambda: mapped(problem, logs))
    if instances <= 100:
        calls["vmap of solve_limit"] = (instances, lambda: _vmapped(moved, jnp.asarray(logs)))
    return _rows(f"one X and y, {instances} limits", calls, instances, lambda _: problem)


def _many(instances: int) -> list[Row]:
    """Instances with a y of their own, and with an X of their own."""
    problem, rng = ht.sparse_regression(N, D, K), np.random.default_rng(1)
    alphas = np.geomspace(1e-2, 1e4, instances)
    ys = rng.standard_normal((instances, N))
    each = [ht.LinearRegression(problem.X, y) for y in ys]
    which = np.arange(instances)
    few = few_of(instances)
    loops = {
        "solve_limit, one by one": (
            len(few),
            lambda: [ht.solve_limit(each[i], ht.HAM(alpha=alphas[i])).theta for i in few],
        ),
        "NumPy loop, Newton on the dual": (len(few), lambda: [newton_loop(each[i], float(alphas[i])) for i in few]),
    }
    shared = {_OURS: (instances, lambda: ht.solve_limits(problem, ht.HAM(alpha=alphas), ys=ys).theta)} | loops
    own = {_OURS: (instances, lambda: ht.solve_limits(each, ht.HAM(alpha=alphas), which=which).theta)} | loops
    return [
        row
        for task, calls in {"many y on one X": shared, "an X each": own}.items()
        for row in _rows(f"{task}, {instances} limits", calls, instances, lambda i: each[i])
    ]


def run() -> list[Row]:
    """One table."""
    rows = [row for instances in SIZES for row in _one_problem(instances)]
    return rows + [row for instances in (10, 1_000) for row in _many(instances)]
