"""Whether the signs are those of the ground truth, and when the last of them came right."""

from jaxtyping import Float

from .._array import Array, namespace, quiet
from .._flips import Flips
from .._types import Vectors
from .._validate import default_float, real_array


def agreement(theta: Vectors, theta_star: Vectors) -> Float[Array, "..."]:
    """The fraction of the entries of θ* that are not zero of which θ has the sign.

    Args:
        theta: θ, (..., d).
        theta_star: θ*, of the same shape.

    Returns:
        Of shape (...), from 0 to 1; NaN where θ* is zero throughout. A zero of θ has no sign, and is not right.

    Raises:
        ValueError: For different shapes.

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
    xp = namespace(theta, truth)
    right = xp.sum(support & (xp.sign(theta) == xp.sign(truth).astype(theta.dtype)), axis=-1)
    dtype = default_float(xp)
    with quiet():
        return right.astype(dtype) / xp.sum(support, axis=-1).astype(dtype)


def recovery_time(flips: Flips, theta_star: Vectors) -> Float[Array, "..."]:
    """When the last of the entries of θ* that are not zero has got its sign for good.

    Args:
        flips: Those of θ, of a flow (times) or of a run (numbers of steps), (..., d).
        theta_star: θ*, (..., d).

    Returns:
        Of shape (...), 0 if the signs were right from the beginning; infinity if they are not all right at the end; NaN
        where θ* is zero throughout.

    Raises:
        ValueError: For different shapes.

    ```python
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
    xp = namespace(truth, flips.sign)
    right = flips.sign == xp.sign(truth).astype(flips.sign.dtype)
    last = xp.where(flips.gross > 0, xp.asarray(flips.last), 0).astype(default_float(xp))
    time = xp.max(xp.where(support, xp.where(right, last, xp.inf), -xp.inf), axis=-1)
    return xp.where(xp.any(support, axis=-1), time, xp.nan)
