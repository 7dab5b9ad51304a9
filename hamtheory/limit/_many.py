"""Many limits in one call: by whom they are computed."""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int, Real

from .._arguments import entrance
from .._array import ArrayLike, Struct, is_jax, leaves
from .._instances import Few, few, members
from .._types import Vectors
from .._validate import count, tolerance
from ..geometry import AbstractGeometry, believe, refuse_dead_zone
from ..problem import LinearRegression
from ._host_table import LEAST, can_tabulate, tabulated
from ._result import LimitResult
from ._solve import ROUNDING_REACH, solve_limit

_FIELDS, _STATS = ("theta", "dual", "residual", "duality_gap", "result"), ("steps", "relative_gap")
_LOOKS = 5_000  # instances of several problems, from which on an accelerator would be worth its start
Report = Callable[[int, int], None] | None


@entrance
def solve_limits(
    problems: LinearRegression | Sequence[LinearRegression],
    geos: AbstractGeometry,
    theta0s: Vectors | None = None,
    *,
    which: Int[ArrayLike, " instances"] | None = None,
    share: bool | None = None,
    ys: Real[ArrayLike, "*targets n"] | Sequence | None = None,
    tol: float = 1e-10,
    max_steps: int = 2000,
    width: int | None = None,
    report: Report = None,
) -> LimitResult:
    """The limits of many flows, each as `solve_limit` finds it.

    An instance's result does not depend on the others; it is that of `solve_limit` within the tolerance. How many there
    are, and what they share, decides who computes them, and so their rounding:

    * 48 or more members of a family with one parameter (`HAM`, `Hypentropy`) in NumPy's arrays, all from 0 with one X
      and one y, or fewer with `share=True`: NumPy, from a table of limits that are interpolated and corrected, on all
      cores; those that it does not reach, with ln(α|θ|) beyond 60 or so, are left to the others;
    * in NumPy's arrays, without `width`: each problem of several by itself, from a table or one by one; and one by one
      where there are fewer than 48, by `solve_limit`, as nothing has to be compiled;
    * else JAX, in batches.

    Args:
        problems: One regression, or several of one shape.
        geos: A geometry whose parameters are arrays, one entry an instance (a scalar is the same for all).
        theta0s: The starts, (instances, d); zeros if left out.
        which: The problem of each instance, (instances,).
        share: Whether instances share the products with X of their one problem, which rounds differently than instances
            with an X each; left out: if there is one problem. True: also if they are few.
        ys: A y for each instance in place of that of the one problem, whose X all share, (instances, n).
        tol: As in `solve_limit`.
        max_steps: As in `solve_limit`.
        width: Instances in step on JAX, on which rounding depends; left out: a third of the instances, from 8 to 256
            (fewer of large problems).
        report: Called as `report(done, instances)` after every round.

    Returns:
        A `LimitResult` with an axis of instances. Nothing is raised for an instance that fails; its `result` says how
        it ended.

    Raises:
        ValueError: For bad arguments.
        TypeError: For what is no problem, or no geometry.

    References:
        As of `solve_limit`.

    ```python
    >>> import hamtheory as ht
    >>> limits = ht.solve_limits(ht.LinearRegression([[1.0, 2.0]], [2.0]), ht.HAM(log_alpha=[-30.0, 5.0, 1e4]))
    >>> limits.theta.round(3).tolist()
    [[0.4, 0.8], [0.074, 0.963], [0.0, 1.0]]

    ```
    """
    options: dict[str, Any] = {"tol": tol, "max_steps": max_steps, "report": report}
    if share is not False and not is_jax(problems, geos, theta0s, ys):
        alone = theta0s is None and which is None and ys is None
        if alone and can_tabulate(problems, geos) and (share or np.size(next(leaves(geos))) >= LEAST):
            return _from_table(problems, geos, width, **options)
        several = not isinstance(problems, Struct) and len(problems) > 1 and _on_processor(which)
        most = sys.maxsize if several else LEAST
        if width is None and (found := few(problems, geos, theta0s, which, ys, most)) is not None:
            return _by_problem(found, **options) if several else _one_by_one(found, **options)
    from ._batch import solve_limits as solve

    return solve(problems, geos, theta0s, which=which, share=share, ys=ys, width=width, **options)


def _from_table(
    problem: Any, geos: Any, width: int | None, *, tol: float, max_steps: int, report: Report
) -> LimitResult:
    """By the table, and what it does not reach by the others."""
    within, _ = tolerance(tol, "tol", problem.dtype, ROUNDING_REACH), count(max_steps, "max_steps")
    believe(geos)
    fields, found = tabulated(problem, geos, within)
    left, instances = np.flatnonzero(~found), len(found)

    def tell(done: int, _: int) -> None:
        if report is not None:
            report(int(found.sum()) + done, instances)

    if found.any():
        tell(0, 0)
    if left.size:
        others: dict[str, Any] = {"tol": tol, "max_steps": max_steps, "report": tell}
        rest = members(geos, left)
        if width is None and left.size < LEAST:
            limits = _one_by_one(Few([problem], np.zeros(left.size, int), rest, None), **others)
        else:
            from ._batch import solve_limits as solve

            limits = solve(problem, rest, width=width, **others)
        for name in _FIELDS:
            fields[name][left] = getattr(limits, name)
        for name in _STATS:
            fields[name][left] = limits.stats[name]
    return _result(fields)


def _on_processor(which: Any) -> bool:
    """Whether there is no accelerator; where few are asked for, nobody looks."""
    if np.size(which) < _LOOKS:
        return True
    import jax

    return jax.default_backend() == "cpu"


def _by_problem(some: Few, *, tol: float, max_steps: int, report: Report) -> LimitResult:
    """Those of one problem after the other: from a table if they are many."""
    parts, fields, done = [], [], 0
    refuse_dead_zone(some.geos, "solve_limits")

    def tell(now: int, _: int) -> None:
        if report is not None:
            report(done + now, len(some))

    for place, problem in enumerate(some.problems):
        part = np.flatnonzero(some.which == place)
        if not part.size:
            continue
        geos, how = members(some.geos, part), {"tol": tol, "max_steps": max_steps, "report": tell}
        if some.theta0s is None and part.size >= LEAST and can_tabulate(problem, geos):
            limits = _from_table(problem, geos, None, **how)
        else:
            theta0s = None if some.theta0s is None else np.asarray(some.theta0s)[part]
            limits = _one_by_one(Few([problem], np.zeros(part.size, int), geos, theta0s), **how)
        done += part.size
        parts.append(part)
        fields.append({name: getattr(limits, name) for name in _FIELDS} | {name: limits.stats[name] for name in _STATS})
    back = np.argsort(np.concatenate(parts))
    return _result({name: np.concatenate([own[name] for own in fields])[back] for name in fields[0]})


def _one_by_one(some: Few, *, tol: float, max_steps: int, report: Report) -> LimitResult:
    refuse_dead_zone(some.geos, "solve_limits")
    limits = []
    for problem, geo, theta0 in some:
        limits.append(solve_limit(problem, geo, theta0, tol=tol, max_steps=max_steps, throw=False))
        if report is not None:
            report(len(limits), len(some))
    fields = {name: [getattr(limit, name) for limit in limits] for name in _FIELDS}
    fields |= {name: [limit.stats[name] for limit in limits] for name in _STATS}
    arrays = {name: np.stack([np.asarray(value) for value in values]) for name, values in fields.items()}
    return _result(arrays | {"result": arrays["result"].astype(np.int32)})


def _result(fields: dict[str, np.ndarray]) -> LimitResult:
    stats = {name: fields[name] for name in _STATS}
    return LimitResult(**{name: fields[name] for name in _FIELDS}, stats=stats)
