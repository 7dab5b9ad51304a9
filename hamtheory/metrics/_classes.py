"""What is measured of a parameter vector that tells classes apart: margins, and accuracy under attacks."""

import math

from jaxtyping import Float

from .._arguments import entrance
from .._array import Array, conjugate_exponent, namespace, p_norm, quiet
from .._types import Number, Vectors
from .._validate import nonnegative_number
from ..problem import BinaryClassification

_quietly = quiet()  # of θ that are not finite, the metrics are not either


@_quietly
@entrance
def margin(problem: BinaryClassification, theta: Vectors, rho: float = 2.0) -> Float[Array, "*batch"]:
    """`min_i z_i⟨x_i, θ⟩ / ‖θ‖_ρ`: the margin of the direction of θ over ℓ_ρ.

    Args:
        problem: Any classification.
        theta: θ ≠ 0, (..., d).
        rho: ρ, from 1 to `numpy.inf`.

    Returns:
        The margin, (...); NaN where θ = 0.

    Raises:
        ValueError: For ρ < 1, and a θ of another length.
        TypeError: For a problem that is no classification.

    ```python
    >>> import hamtheory as ht
    >>> problem = ht.BinaryClassification([[1.0, 2.0], [-2.0, 0.0]], [1, -1])
    >>> float(ht.metrics.margin(problem, [3.0, 4.0])), float(ht.metrics.margin(problem, [3.0, 4.0], rho=1.0))
    (1.2, 0.8571428571428571)

    ```
    """
    if not rho >= 1:
        raise ValueError(f"rho must be from 1 to infinity; got {rho:g}, with which it is no norm")
    xp = namespace(problem.X, theta)
    theta = _of_classes(problem, xp.asarray(theta, problem.dtype))
    return xp.min(problem.margins(theta), axis=-1) / p_norm(theta, float(rho))


@_quietly
@entrance
def accuracy(
    problem: BinaryClassification, theta: Vectors, *, attack: Number = 0.0, p: float = math.inf
) -> Float[Array, "*batch"]:
    """The share of samples whose class the sign of ⟨x, θ⟩ gets right, whatever is added to x within an attack's ball.

    `mean_i [z_i⟨x_i, θ⟩ > ε‖θ‖_q]`, 1/p + 1/q = 1: no δ with `‖δ‖_p ≤ ε` lowers
    a margin by more than `ε‖θ‖_q`, and one does.

    Args:
        problem: Any classification, as one of held-out rows.
        theta: θ, (..., d).
        attack: ε, at least 0.
        p: The exponent of the norm of the attack, from 1 to `numpy.inf`.

    Returns:
        The share, (...); NaN where θ is not finite.

    Raises:
        ValueError: For a negative attack, an exponent below 1, and a θ of another length.
        TypeError: For a problem that is no classification.

    References:
        [tsilivis2024price].

    ```python
    >>> import hamtheory as ht
    >>> problem = ht.BinaryClassification([[3.0, 0.0], [-1.0, 0.0]], [1, -1])
    >>> [float(ht.metrics.accuracy(problem, [1.0, 1.0], attack=a)) for a in (0.0, 0.75)]
    [1.0, 0.5]

    ```
    """
    attack = nonnegative_number(attack, "attack")
    if not p >= 1:
        raise ValueError(f"p must be from 1 to infinity; got {p:g}, with which it is no norm")
    xp = namespace(problem.X, theta, attack)
    theta = _of_classes(problem, xp.asarray(theta, problem.dtype))
    reach = attack * p_norm(theta, conjugate_exponent(float(p)))
    right = xp.mean(problem.margins(theta) > reach[..., None], axis=-1, dtype=problem.dtype)
    return xp.where(xp.all(xp.isfinite(theta), axis=-1), right, xp.nan)[()]


def _of_classes(problem: BinaryClassification, theta: Array) -> Array:
    """θ, after a look at both."""
    if not isinstance(problem, BinaryClassification):
        raise TypeError(f"problem must be a BinaryClassification; got a {type(problem).__name__}")
    if theta.ndim == 0 or theta.shape[-1] != problem.d:
        raise ValueError(f"theta must have shape (..., {problem.d}); got {theta.shape}")
    return theta
