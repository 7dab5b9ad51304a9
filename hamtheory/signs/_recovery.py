"""Whether the signs are those of the ground truth, and when the last of them came right."""

import jax.numpy as jnp
from jaxtyping import Float

from .._array import Array
from .._device import real_array
from .._flips import Flips
from .._types import Vectors


def agreement(theta: Vectors, theta_star: Vectors) -> Float[Array, "..."]:
    """The fraction of the entries of θ* that are not zero of which θ has the sign.

    Arguments: `theta`, `theta_star`, of the same shape (..., d).
    Returns: (...), from 0 to 1; NaN where θ* is zero throughout. A zero of θ has no sign, and is not right.
    Errors: `ValueError` for different shapes.
    Source: own.

    ```python
    >>> import hamtheory as ht
    >>> ht.signs.agreement([0.1, -2.0, 0.0, 7.0], [1.0, 1.0, 1.0, 0.0]).round(3).tolist()
    0.333

    ```
    """
    theta, truth = real_array(theta, "theta"), real_array(theta_star, "theta_star")
    if theta.shape != truth.shape:
        raise ValueError(f"theta and theta_star must have the same shape; got {theta.shape} and {truth.shape}")
    support = truth != 0
    right = jnp.sum(support & (jnp.sign(theta) == jnp.sign(truth).astype(theta.dtype)), axis=-1)
    dtype = jnp.result_type(float)
    return right.astype(dtype) / jnp.sum(support, axis=-1).astype(dtype)


def recovery_time(flips: Flips, theta_star: Vectors) -> Float[Array, "..."]:
    """When the last of the entries of θ* that are not zero has got its sign for good.

    Arguments: `flips`: those of θ, of a flow (times) or of a run (numbers of steps), (..., d). `theta_star`: (..., d).
    Returns: (...): 0 if the signs were right from the beginning; infinity if they are not all right at the end; NaN
      where θ* is zero throughout.
    Errors: `ValueError` for different shapes.
    Source: own.

    ```python
    >>> import jax
    >>> jax.config.update("jax_enable_x64", True)
    >>> import hamtheory as ht
    >>> problem = ht.LinearRegression([[1.0, 2.0]], [2.0])
    >>> flow = ht.solve_flow(problem, ht.HAM(alpha=50.0), [0.1, -0.3])
    >>> ht.signs.recovery_time(ht.signs.flip_events(flow), [0.0, 1.0]).round(4).tolist()
    0.0146

    ```
    """
    truth = real_array(theta_star, "theta_star")
    if truth.shape != flips.sign.shape:
        raise ValueError(f"theta_star must have shape {flips.sign.shape}, that of the flips; got {truth.shape}")
    support = truth != 0
    right = flips.sign == jnp.sign(truth).astype(flips.sign.dtype)
    last = jnp.where(flips.gross > 0, jnp.asarray(flips.last), 0).astype(jnp.result_type(float))
    time = jnp.max(jnp.where(support, jnp.where(right, last, jnp.inf), -jnp.inf), axis=-1)
    return jnp.where(jnp.any(support, axis=-1), time, jnp.nan)
