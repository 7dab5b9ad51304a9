"""What is measured of a parameter vector: residuals, norms, rates."""

import numpy as np
from jaxtyping import Float, Int

from .._arguments import entrance
from .._array import Array, namespace, norm, quiet
from .._products import ProductBasis, refuse_products
from .._types import Number, Parameter, Vector, Vectors
from ..geometry import AbstractGeometry, refuse_dead_zone
from ..problem import BinaryClassification, LinearRegression, RowSpace
from ._certificate import as_arrays, scale_of

_quietly = quiet()  # of θ that are not finite, the metrics are not either


@_quietly
@entrance
def relative_residual(problem: LinearRegression, theta: Vectors) -> Float[Array, "*batch"]:
    """`‖Xθ − y‖ / ‖y‖` (the numerator alone if y = 0).

    Args:
        problem: Any regression.
        theta: θ, (..., d).

    Returns:
        The quotient, (...).

    ```python
    >>> import hamtheory as ht
    >>> problem = ht.LinearRegression([[1.0, 2.0]], [2.0])
    >>> float(ht.metrics.relative_residual(problem, [0.0, 0.5]))
    0.5

    ```
    """
    return norm(problem.residual(theta), axis=-1) / scale_of(problem)


@_quietly
@entrance
def relative_distance_to_least_squares(problem: LinearRegression, theta: Vector) -> Float[Array, ""]:
    """`‖Xθ − Py‖ / ‖y‖` with P the projection on the range of X: the part of the residual that can be removed.

    Equal to `relative_residual` where `Xθ = y` has a solution.

    Args:
        problem: Any regression.
        theta: θ, (d,).

    Returns:
        The quotient, a scalar.

    ```python
    >>> import hamtheory as ht
    >>> problem = ht.LinearRegression([[1.0], [1.0]], [1.0, 0.0])
    >>> round(float(ht.metrics.relative_residual(problem, [0.5])), 4)  # the least there is
    0.7071
    >>> round(float(ht.metrics.relative_distance_to_least_squares(problem, [0.5])), 4)
    0.0

    ```
    """
    space = problem.row_space
    with quiet():
        return norm(space.singular_values * (space.project(theta) - space.target)) / scale_of(problem)


@_quietly
@entrance
def invariant_drift(
    problem: LinearRegression, geo: AbstractGeometry, theta: Vector, theta0: Vector
) -> Float[Array, ""]:
    """How far `R′(θ) − R′(θ₀)` has left row(X), relative to its size: zero along an exact flow.

    Args:
        problem: Any regression.
        geo: Any geometry.
        theta: θ, (d,).
        theta0: θ₀, (d,).

    Returns:
        A scalar, from 0 to 1.

    ```python
    >>> import hamtheory as ht
    >>> problem = ht.LinearRegression([[1.0, 2.0]], [2.0])
    >>> for theta in ([0.4, 0.8], [1.0, 0.5]):
    ...     print(round(float(ht.metrics.invariant_drift(problem, ht.Euclidean(), theta, [0.0, 0.0])), 4))
    0.0
    0.6

    ```
    """
    refuse_dead_zone(geo, "invariant_drift")
    shift = geo.mirror_map(theta) - geo.mirror_map(theta0)
    outside = norm(shift - problem.row_space.project(shift) @ problem.row_space.basis)
    size = norm(shift)
    return outside / namespace(size).where(size > 0, size, 1)


@_quietly
@entrance
def relative_stationarity(
    problem: LinearRegression, geo: AbstractGeometry, theta: Vector, weight_decay: Number
) -> Float[Array, ""]:
    """The largest violation of the optimality condition of the limit under weight decay, over the largest |∇f(0)|.

    Args:
        problem: Any regression.
        geo: The geometry.
        theta: θ, (d,).
        weight_decay: β, a number.

    Returns:
        A scalar; 0 at the limit.

    Raises:
        ValueError: For a geometry that knows no weight decay.

    ```python
    >>> import hamtheory as ht
    >>> problem, geo = ht.LinearRegression([[1.0, 2.0]], [2.0]), ht.Euclidean()
    >>> for theta in (ht.solve_limit(problem, geo, weight_decay=1.0).theta, [0.0, 0.0]):
    ...     print(round(float(ht.metrics.relative_stationarity(problem, geo, theta, 1.0)), 6))
    0.0
    1.0

    ```
    """
    (theta,) = as_arrays(problem, geo, theta)
    violation = geo.stationarity(theta, problem.gradient(theta), weight_decay)
    xp = namespace(violation)
    scale = xp.max(xp.abs(problem.gradient(xp.zeros_like(theta))))
    return xp.max(xp.abs(violation)) / xp.where(scale > 0, scale, 1)


@_quietly
def relative_excess(norm: Parameter, least: Parameter) -> Float[Array, "..."]:
    """`norm / least − 1`: how far a norm is above the least possible one.

    Args:
        norm: A number or an array.
        least: The least possible norm, a number or an array that broadcasts against `norm`.

    Returns:
        The excess, of their common shape.

    ```python
    >>> import hamtheory as ht
    >>> float(ht.metrics.relative_excess(3.0, 2.0))
    0.5

    ```
    """
    xp = namespace(norm, least)
    return xp.asarray(norm) / xp.asarray(least) - 1


@_quietly
def distance(theta: Vectors, reference: Vector) -> Float[Array, "*batch"]:
    """`‖θ − reference‖₂`.

    Args:
        theta: θ, (..., d).
        reference: Of shape (d,).

    Returns:
        The distance, (...).

    ```python
    >>> import hamtheory as ht
    >>> float(ht.metrics.distance([3.0, 4.0], [0.0, 0.0]))
    5.0

    ```
    """
    xp = namespace(theta, reference)
    theta, reference = xp.asarray(theta), xp.asarray(reference)
    return norm(theta - reference.reshape((1,) * (theta.ndim - 1) + (-1,)), axis=-1)


@_quietly
def entries_carrying(theta: Vectors, share: float = 0.99) -> Int[Array, "*batch"]:
    """The least number of entries of θ that carry the given share of its L1 norm: how sparse it is in effect.

    Args:
        theta: θ, (..., d).
        share: From 0 to 1.

    Returns:
        The number, (...), integers; 0 for θ = 0.

    ```python
    >>> import numpy as np
    >>> import hamtheory as ht
    >>> int(ht.metrics.entries_carrying(np.array([0.0, 5.0, -4.0, 0.05])))
    2

    ```
    """
    xp = namespace(theta)
    sizes = xp.sort(xp.abs(xp.asarray(theta)), axis=-1)[..., ::-1]
    short = xp.cumsum(sizes, axis=-1) < share * xp.sum(sizes, axis=-1, keepdims=True)
    return xp.where(sizes[..., 0] > 0, xp.sum(short, axis=-1) + 1, 0)[()]


@_quietly
@entrance
def asymptotic_rate(problem: LinearRegression, geo: AbstractGeometry, theta: Vector) -> Float[Array, ""]:
    """`λ_min⁺(X diag(g⁻¹(θ)) Xᵀ) / n`: the rate at which the residual of the flow decays near its limit θ.

    The loss decays at twice that rate. Units: inverse time.

    Args:
        problem: Any regression.
        geo: Any geometry.
        theta: The limit, (d,).

    Returns:
        The rate, a scalar.

    ```python
    >>> import hamtheory as ht
    >>> problem = ht.LinearRegression([[1.0, 2.0]], [2.0])
    >>> round(float(ht.metrics.asymptotic_rate(problem, ht.HAM(alpha=5.0), [0.0, 1.0])), 4)
    25.0

    ```
    """
    space, (theta,) = problem.row_space, as_arrays(problem, geo, theta)
    xp = namespace(theta)
    metric = xp.broadcast_to(geo.inverse_metric(theta), theta.shape)
    if isinstance(space.basis, ProductBasis):
        rank = min(int(problem.rank), int(np.count_nonzero(metric)))
        return _rates(space, metric)[-rank] / problem.n
    root = space.singular_values[:, None] * space.basis * xp.sqrt(metric)[None, :]
    values = xp.linalg.svd(root, compute_uv=False)
    # The rank is that of X, whatever the metric: the smallest nonzero value stands at its place. A dead zone has none.
    rank = xp.minimum(problem.rank, xp.count_nonzero(metric))
    return xp.square(values[rank - 1]) / problem.n


def _rates(space: RowSpace, metric: Float[Array, " d"]) -> Float[Array, " r"]:
    """The eigenvalues of `X diag(g⁻¹) Xᵀ` that are not 0 by the rank of X, in ascending order."""
    rank = int(space.rank)
    return np.linalg.eigvalsh((space.singular_values[:rank, None] * space.basis[:rank]).gram(metric))


@_quietly
@entrance
def gradient_second_moments(
    problem: LinearRegression | BinaryClassification,
    theta: Vector,
    *,
    batch_size: int | None = None,
    label_noise: Number = 0.0,
) -> Float[Array, " d"]:
    """`E[gᵢ²]` of the gradient g at θ of a mini-batch drawn with replacement, with noise δ on the labels.

    `(1 − 1/b)(∇ᵢf)² + Σⱼ (rⱼ² + δ²) xⱼᵢ² / (n b)`, r the residual; of all samples (None), `(∇ᵢf)² + δ² Σⱼ xⱼᵢ² / n²`.

    Args:
        problem: Any regression.
        theta: θ, (d,).
        batch_size: b; left out: all samples.
        label_noise: δ.

    Returns:
        The moments, (d,).

    References:
        The noise of the gradient: [pesme2021implicit].

    ```python
    >>> import hamtheory as ht
    >>> problem = ht.LinearRegression([[1.0, 0.0], [0.0, 1.0]], [1.0, 0.0])
    >>> for batch_size in (1, None):
    ...     print(ht.metrics.gradient_second_moments(problem, [0.0, 0.0], batch_size=batch_size).tolist())
    [0.5, 0.0]
    [0.25, 0.0]

    ```
    """
    refuse_products(problem, "gradient_second_moments")
    X, n, residual = problem.X, problem.n, problem.residual(theta)
    xp = namespace(residual, label_noise)
    exact, noise = xp.square(residual @ X / n), xp.square(xp.asarray(label_noise, problem.dtype))
    if batch_size is None:
        return exact + noise * xp.mean(xp.square(X), axis=0) / n
    return exact * (1 - 1 / batch_size) + (xp.square(residual) + noise) @ xp.square(X) / (n * batch_size)


@_quietly
@entrance
def stable_learning_rate(problem: LinearRegression, geo: AbstractGeometry, theta: Vector) -> Float[Array, ""]:
    """`2 / λ_max(X diag(g⁻¹(θ)) Xᵀ / n)`: the learning rate up to which first-order rules are stable near a limit θ.

    Of `GD`, `HYP`, `HAMStep`, `ProductGD`, `LinearizedBregmanStep`, mirror descent and the natural gradient, without
    weight decay.

    Args:
        problem: Any regression.
        geo: Any geometry.
        theta: The limit, (d,).

    Returns:
        The learning rate, a scalar.

    References:
        For HAM, [jacobs2026ham].

    ```python
    >>> import hamtheory as ht
    >>> problem = ht.LinearRegression([[1.0, 2.0]], [2.0])
    >>> for geo in (ht.Euclidean(), ht.HAM(alpha=5.0)):
    ...     print(round(float(ht.metrics.stable_learning_rate(problem, geo, [0.0, 1.0])), 4))
    0.4
    0.08

    ```
    """
    (theta,) = as_arrays(problem, geo, theta)
    if isinstance(problem.row_space.basis, ProductBasis):
        metric = np.broadcast_to(geo.inverse_metric(theta), theta.shape)
        return 2 * problem.n / _rates(problem.row_space, metric)[-1]
    xp = namespace(theta)
    root = problem.X * xp.sqrt(geo.inverse_metric(theta))[None, :]
    return 2 * problem.n / xp.square(xp.linalg.norm(root, ord=2))
