"""How a computation ended: one enumeration for every solver."""

import enum
from typing import Any

import numpy as np

from ._array import Array, namespace, norm, quiet
from ._products import has_products, terms
from ._validate import is_traced

_ADVICE = {
    "converged": "converged: the certificate is within tolerance",
    "reached_end": (
        "reached the end: the last requested time or step came before convergence. To go further, (a) of a flow, ask "
        "for later times, or leave `ts` out to run until converged, (b) of an algorithm, give it more `steps`"
    ),
    "infeasible": (
        "infeasible: X theta = y has no solution, so the answer lies on the least-squares set instead. Likely causes: "
        "(a) more rows than columns, (b) noise on y with repeated or dependent rows of X, (c) X and y that do not "
        "belong together. Of a classification: no theta separates the classes, and a flow ends where the loss is least"
    ),
    "max_steps": (
        "max steps: the step budget ran out before the certificate was within tolerance. Try (a) a larger "
        "`max_steps`, (b) coordinates='dual', (c) an implicit solver, (d) a larger `tol`"
    ),
    "stuck": (
        "stuck: the flow came to rest away from the interpolators, where its inverse metric vanishes (a balanced m*w "
        "coordinate at zero, or one that would have to change its sign)"
    ),
    "stalled": (
        "stalled: rounding errors stopped the progress before the certificate was within tolerance. Try (a) a larger "
        "`tol`, (b) a less extreme alpha or gamma, (c) removing nearly dependent rows of X, (d) float64"
    ),
    "nonfinite": (
        "non-finite: an infinity or NaN appeared. Likely causes: (a) data or theta0 near the end of the dtype's "
        "range, (b) a fixed step size far outside the stability region"
    ),
}


class Result(enum.IntEnum):
    """How a flow, a limit or a run ended: 0 is `converged`. `message` says it in words, with what to try.

    Of many at once, `result` is an integer array, which compares with the members; `NAMES` has the names in order.

    ```python
    >>> import hamtheory as ht
    >>> result = ht.solve_limit(ht.LinearRegression([[1.0, 2.0]], [2.0]), ht.HAM(alpha=5.0)).result
    >>> result == ht.Result.converged, result.message
    (True, 'converged: the certificate is within tolerance')

    ```
    """

    converged = 0
    reached_end = 1
    infeasible = 2
    max_steps = 3
    stuck = 4
    stalled = 5
    nonfinite = 6

    def __str__(self) -> str:
        return self.name

    @property
    def message(self) -> str:
        """What happened, likely causes, and what to try."""
        return _ADVICE[self.name]


NAMES = tuple(member.name for member in Result)
STATUSES = ("not_computed", *NAMES)
FLAGS = {"flag_values": list(range(-1, len(NAMES))), "flag_meanings": " ".join(STATUSES)}


def select(condition: Array, one: Any, other: Any) -> Array:
    """The one or the other result, of each entry of an array."""
    xp = namespace(condition)
    as_array = lambda result: xp.asarray(int(result) if isinstance(result, Result) else result, np.int32)  # noqa: E731
    return xp.where(condition, as_array(one), as_array(other))


def result_of(code: Any) -> Result:
    """The member of a single concrete code."""
    return Result(int(code))


def throw_unless(result: Any, allowed: tuple[Result, ...], value: Any, what: str, detail: str = "") -> Any:
    """Return `value`, or raise with the diagnosis of `result` if it is none of the `allowed` members.

    A concrete result raises a `RuntimeError` at once, a traced one through Equinox when the compiled computation runs
    (under `vmap`: if any instance failed).
    """
    if is_traced(result):
        import equinox.internal as eqxi
        import jax.numpy as jnp

        accepted = jnp.any(jnp.stack([result == int(member) for member in allowed]), axis=0)
        return eqxi.branched_error_if(value, ~accepted, result, [member.message for member in Result])
    failed = [code for code in np.ravel(np.asarray(result)) if Result(int(code)) not in allowed]
    if failed:
        raise RuntimeError(
            f"{what}: {result_of(failed[0]).message}. {f'Measured: {detail}. ' if detail else ''}"
            "Pass throw=False to keep the partial result and its reason."
        )
    return value


def outcome(problem: Any, result: Result, theta: np.ndarray, residual: Any, tol: float) -> Result:
    """How it ended in the units of the problem.

    What converged although no interpolator exists has its own name. And a θ that leaves the range of numbers in these
    units has another residual in them, as any has if y = 0.
    """
    if result != Result.converged:
        return result
    if not problem.is_consistent:
        return Result.infeasible
    if not residual < np.inf:
        return Result.nonfinite
    if residual <= 1.01 * tol:
        return result
    with quiet():
        sizes = terms(problem.X, theta) if has_products(problem.X) else np.abs(problem.X) @ np.abs(theta)
        rounded = norm(sizes + np.abs(problem.y)) / (norm(problem.y) or 1)
    return result if residual <= tol + 64 * np.finfo(problem.dtype).eps * rounded else Result.stalled
