"""Sign changes along a trajectory, as it was saved."""

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Real

from .._array import Array, ArrayLike


def flips(thetas: Real[ArrayLike, "times d"]) -> Bool[Array, "gaps d"]:
    """Where the sign of an entry has changed from one saved time to the next.

    A zero has no sign of its own: the entry keeps the last one that it had. So +, 0, − is one flip, at the last step,
    +, 0, + none, and leaving a start at zero none.

    Arguments: `thetas`, (times, d), such as those of a flow or a run. What happens between two saved times is not seen.
    Returns: (times − 1, d), true where it flips; the sum over the first axis counts the flips of each entry.
    Errors: `ValueError` for fewer than two times or another number of axes.
    Source: [jacobs2026ham].

    ```python
    >>> import jax.numpy as jnp
    >>> import hamtheory as ht
    >>> ht.signs.flips(jnp.array([[-1.0, 0.0], [0.0, 0.5], [2.0, -1.0]])).tolist()
    [[False, False], [True, True]]

    ```
    """
    thetas = jnp.asarray(thetas)
    if thetas.ndim != 2 or thetas.shape[0] < 2:
        raise ValueError(f"thetas must have shape (times, d) with at least two times; got {thetas.shape}")
    signs = jnp.sign(thetas)
    kept = jax.lax.associative_scan(lambda old, new: jnp.where(new == 0, old, new), signs, axis=0)
    return kept[1:] * kept[:-1] < 0
