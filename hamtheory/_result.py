"""How a computation ended: one enumeration for every solver."""

import equinox.internal as eqxi
import jax
import jax.numpy as jnp

from ._validate import is_traced


class Result(eqxi.Enumeration):
    """How a flow or a limit ended.

    Compare with `==`; `Result[r]` is the message. Under `vmap` the comparison is an array with one entry a lane, and
    `codes(r)` are the integers stored with data, in the order of `NAMES` (0 is `converged`).
    Source: own.
    """

    converged = "converged: the certificate is within tolerance"
    reached_end = (
        "reached the end: the last requested time or step came before convergence. To go further, (a) of a flow, ask "
        "for later times, or leave `ts` out to run until converged, (b) of an algorithm, give it more `steps`"
    )
    infeasible = (
        "infeasible: X theta = y has no solution, so the answer lies on the least-squares set instead. Likely causes: "
        "(a) more rows than columns, (b) noise on y with repeated or dependent rows of X, (c) X and y that do not "
        "belong together"
    )
    max_steps = (
        "max steps: the step budget ran out before the certificate was within tolerance. Try (a) a larger "
        "`max_steps`, (b) coordinates='dual', (c) the implicit solver='kvaerno5', (d) a larger `tol`"
    )
    stuck = (
        "stuck: the flow came to rest away from the interpolators, where its inverse metric vanishes (a balanced m*w "
        "coordinate at zero, or one that would have to change its sign)"
    )
    stalled = (
        "stalled: rounding errors stopped the progress before the certificate was within tolerance. Try (a) a larger "
        "`tol`, (b) a less extreme alpha or gamma, (c) removing nearly dependent rows of X, (d) float64"
    )
    nonfinite = (
        "non-finite: an infinity or NaN appeared. Likely causes: (a) data or theta0 near the end of the dtype's "
        "range, (b) a fixed step size far outside the stability region"
    )


NAMES = ("converged", "reached_end", "infeasible", "max_steps", "stuck", "stalled", "nonfinite")


def codes(result) -> jax.Array:
    """The integer code of each lane, in the order of `NAMES`.

    Arguments: `result`: a member of `Result`, or under `vmap` an array of them.
    Returns: integers, a scalar or one entry a lane.
    Source: own.

    ```python
    >>> import hamtheory as ht
    >>> code = int(ht.codes(ht.Result.max_steps))
    >>> code, ht.NAMES[code]
    (3, 'max_steps')

    ```
    """
    return jnp.asarray(result._value)


def name(result) -> str:
    """The name of a single concrete result, such as `"max_steps"`."""
    return NAMES[int(codes(result))]


def throw_unless(result, allowed, value, what: str, detail: str = ""):
    """Return `value`, or raise with the diagnosis of `result` if it is none of the `allowed` members.

    A concrete result raises a `RuntimeError` at once, a traced one through `equinox.error_if` when the compiled
    computation runs (under `vmap`: if any lane failed).
    """
    accepted = jnp.any(jnp.stack([codes(result) == codes(member) for member in allowed]), axis=0)
    if is_traced(accepted):
        return result.error_if(value, jnp.logical_not(accepted))
    if not bool(jnp.all(accepted)):
        raise RuntimeError(
            f"{what}: {Result[result]}. {f'Measured: {detail}. ' if detail else ''}"
            "Pass throw=False to keep the partial result and its reason."
        )
    return value
