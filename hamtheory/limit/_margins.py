"""Largest margins of many classifications at once, on the device engine."""

from collections.abc import Iterable, Sequence
from functools import partial

import jax
import jax.numpy as jnp
import jax.scipy.linalg as jsl
import numpy as np

from .._array import quiet
from .._result import Result
from .._validate import count, tolerance
from ..geometry import AbstractGeometry, Horizon
from ..problem import BinaryClassification
from ._interior_margin import Margin, improved, start, stepped, unbounded
from ._margin import REACH, certified, norm_of, solve_margin, stacked
from ._result import MarginResult


def solve_margins(
    problems: Sequence[BinaryClassification],
    geo: AbstractGeometry | Horizon | None = None,
    *,
    rho: float | None = None,
    tol: float = 1e-9,
    max_steps: int = 60,
) -> MarginResult:
    """The largest margins of many classifications: `solve_margin` of each, all at once.

    The steps are those of `solve_margin`, of all problems together; of ρ = 1 and ρ = ∞, too. Problems that have not
    converged then, such as those whose classes cannot be separated, are looked at by `solve_margin` one by one.

    Args:
        problems: Of one shape, with concrete data.
        geo: As in `solve_margin`.
        rho: As in `solve_margin`.
        tol: As in `solve_margin`.
        max_steps: The budget of steps of all together; `solve_margin` has its own.

    Returns:
        A `MarginResult` with an axis of problems before all others, of NumPy; nothing is raised for what failed, see
            `result`.

    Raises:
        ValueError: As `solve_margin`, for no problems and for different shapes.
        TypeError: As `solve_margin`.

    References:
        As of `solve_margin`.

    ```python
    >>> import hamtheory as ht
    >>> problems = [ht.BinaryClassification([[x, 1.0], [0.0, -1.0]], [1, -1]) for x in (1.0, 2.0)]
    >>> ht.solve_margins(problems, ht.Euclidean()).margin.round(6).tolist()
    [1.0, 1.0]

    ```
    """
    if isinstance(problems, BinaryClassification):
        raise TypeError("problems must be a list of classifications; of one, use solve_margin")
    if not isinstance(problems, Iterable):
        raise TypeError(f"problems must be a list of classifications; got a {type(problems).__name__}")
    problems = list(problems)
    if not problems:
        raise ValueError("problems must hold at least one classification; got none")
    for problem in problems:
        if not isinstance(problem, BinaryClassification):
            raise TypeError(f"problems must be classifications; got a {type(problem).__name__}")
    rho, units = norm_of(problems[0], geo, rho)
    shapes = {problem.X.shape for problem in problems}
    if len(shapes) > 1:
        raise ValueError(f"problems must be of one shape; got {', '.join(map(str, sorted(shapes)))}")
    tol, most = tolerance(tol, "tol", problems[0].dtype, REACH), count(max_steps, "max_steps")
    every = np.stack([np.asarray(problem.signed, float) for problem in problems]) / units
    with quiet():
        sizes = np.max(np.abs(every), axis=2)
        least = np.min(sizes, axis=1)
        scaled = every / np.where(sizes > 0, sizes, 1)[:, :, None]
        levels = least[:, None] / np.where(sizes > 0, sizes, np.inf)
        with jax.enable_x64(True):
            thetas, weights, steps = map(np.asarray, _solved(scaled, levels, rho, tol, most))
        found = []
        for i, problem in enumerate(problems):
            one = None
            if thetas[i].any():
                one = certified(
                    problem, every[i], units, thetas[i], weights[i] * levels[i], rho, tol, int(steps[i]), most
                )
            if one is None or one.result != Result.converged:
                one = solve_margin(problem, geo, rho=None if geo is not None else rho, tol=tol, throw=False)
            found.append(one)
    return stacked(found)


@partial(jax.jit, static_argnames=("rho", "tol", "most"))
def _solved(rows, levels, rho, tol, most):
    """θ and λ of all, and the steps that each took."""

    def one(A, b):
        margin = Margin(A, b, rho)

        def factor(K, S):
            found = jsl.cho_factor((A * K[None]) @ A.T + jnp.diag(S))
            return lambda h, q: jsl.cho_solve(found, -q - A @ h)

        def goes_on(state):
            point, bounds, step = state
            missing = bounds.upper - bounds.lower > tol * bounds.upper
            return missing & (step < most) & jnp.all(jnp.isfinite(point.weights))

        def go(state):
            point, bounds, step = state
            point = stepped(margin, point, factor)
            return point, improved(margin, bounds, point), step + 1

        first = start(margin)
        _, bounds, step = jax.lax.while_loop(goes_on, go, (first, improved(margin, unbounded(margin), first), 0))
        return bounds.theta, bounds.weights, step

    return jax.vmap(one)(rows, levels)
