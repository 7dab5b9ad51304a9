"""The Bregman divergence, once for every geometry."""

import numpy as np
from jaxtyping import Float

from .._arguments import entrance
from .._array import Array, choose, floating, namespace, quiet
from .._types import Vectors
from ._base import AbstractGeometry, parameter_ndim
from ._quadrature import taylor_remainder

_TWO_NODES = ((4 - np.sqrt(6)) / 10, (4 + np.sqrt(6)) / 10)
_TWO_WEIGHTS = ((9 + np.sqrt(6)) / 36, (9 - np.sqrt(6)) / 36)


@entrance
def bregman_divergence(geo: AbstractGeometry, theta: Vectors, theta0: Vectors) -> Float[Array, "..."]:
    """The Bregman divergence of the potential, summed over the last axis.

    `D_R(θ, θ₀) = Σᵢ R(θᵢ) − R(θ₀ᵢ) − R′(θ₀ᵢ)(θᵢ − θ₀ᵢ) ≥ 0`. Where |θ − θ₀| ≤ |θ₀|/2 the difference is evaluated as
    `(θ − θ₀)² ∫₀¹ (1 − u) / g⁻¹(θ₀ + u(θ − θ₀)) du`, whose terms are all positive: no digits cancel, however close the
    points are.

    Args:
        geo: Any geometry.
        theta: Of shape (..., d).
        theta0: Of shape (..., d), broadcast against `theta`.

    Returns:
        The divergence, of shape (...).

    References:
        [bregman1967relaxation].

    ```python
    >>> import hamtheory as ht
    >>> float(ht.bregman_divergence(ht.Euclidean(), [3.0, 0.0], [0.0, 4.0]))
    12.5

    ```
    """
    return divergence_terms(geo, theta, theta0).sum(axis=-1)


def divergence_terms(geo: AbstractGeometry, theta: Vectors, theta0: Vectors) -> Float[Array, "..."]:
    """The terms of `bregman_divergence`, one a coordinate.

    Args:
        geo: As in `bregman_divergence`.
        theta: As in `bregman_divergence`.
        theta0: As in `bregman_divergence`.

    Returns:
        The terms, of the common shape (..., d); each is at least 0.

    References:
        [bregman1967relaxation].

    ```python
    >>> import hamtheory as ht
    >>> ht.geometry.divergence_terms(ht.Euclidean(), [3.0, 0.0], [0.0, 4.0]).tolist()
    [4.5, 8.0]

    ```
    """
    theta, theta0 = floating(theta, geo), floating(theta0, geo)
    xp = namespace(theta, theta0)
    if theta.shape != theta0.shape or xp is not np:
        theta, theta0 = xp.broadcast_arrays(xp.asarray(theta), xp.asarray(theta0))
    if xp is np and not theta0.any():
        return geo.potential(theta)  # R(0) = R′(0) = 0
    if (known := geo.known_divergence(theta, theta0)) is not None:
        return known
    step = theta - theta0
    near = (xp.abs(step) <= xp.abs(theta0) / 2) & (xp.abs(theta0) >= xp.finfo(theta0.dtype).tiny)

    def close():
        # At zero the inverse metric may be too small for a number.
        start, by = xp.where(near, theta0, 1), xp.where(near, step, 0)
        if xp is np and np.max(np.abs(by) - 1e-4 * np.abs(start)) <= 0:
            # Two nodes of Gauss, for the weight 1 − u: exact up to the cube of the relative step
            first, second = (geo.inverse_metric(start + u * by) for u in _TWO_NODES)
            return by * (by * (_TWO_WEIGHTS[0] / first + _TWO_WEIGHTS[1] / second))
        return taylor_remainder(lambda s: 1 / geo.inverse_metric(s), start, by, parameter_ndim(geo))

    def far():
        return geo.potential(theta) - geo.potential(theta0) - geo.mirror_map(theta0) * step

    with quiet():
        return choose(near, close, far)
