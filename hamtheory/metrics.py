"""What is measured of a parameter vector: residuals, certificates, norms. Defined here and nowhere else."""

import math
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from ._array import Array, Struct, is_jax, kept, namespace, norm, quiet
from ._types import Number, Parameter, Vector, Vectors
from .geometry import AbstractGeometry, bregman_divergence
from .problem import LinearRegression

_TINY = float(np.finfo(np.float64).tiny)
_quietly = quiet()  # of θ that are not finite, the metrics are not either


@_quietly
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
    return norm(problem.residual(theta), axis=-1) / _scale(problem)


@_quietly
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
        return norm(space.singular_values * (space.project(theta) - space.target)) / _scale(problem)


def _scale(problem: LinearRegression) -> Float[Array, ""]:
    if type(problem.y) is np.ndarray:
        return kept(problem, "_size_of_y", lambda: norm(problem.y) or problem.dtype.type(1))
    size = norm(problem.y)
    return namespace(size).where(size > 0, size, 1)


def _as_arrays(problem: LinearRegression, geo: AbstractGeometry, *vectors: Any) -> tuple[Array, ...]:
    """Vectors as arrays of JAX, if one of the arguments is of it, else of NumPy, whose certificates are in float64."""
    import sys

    if is_jax(problem, geo, *vectors):
        xp: Any = sys.modules["jax.numpy"]
        return tuple(xp.asarray(vector, problem.dtype) for vector in vectors)
    return tuple(np.asarray(vector, np.float64) for vector in vectors)


class Certificate(Struct):
    """Proof of how close θ is to the limit of a flow, without a reference solution.

    Attributes:
        residual: The removable relative residual.
        duality_gap: Of the Bregman projection, see `certify`.
        relative_gap: Its size relative to the divergence D_R(θ, θ₀) that the limit minimises.
    """

    residual: Float[Array, ""]
    duality_gap: Float[Array, ""]
    relative_gap: Float[Array, ""]

    @property
    def violation(self) -> Float[Array, ""]:
        """The larger of the residual and the relative gap: the certificate is within `tol` if this is."""
        return namespace(self.residual, self.relative_gap).maximum(self.residual, self.relative_gap)


def _divergence_of_neighbours(geo: AbstractGeometry, theta: np.ndarray, other: np.ndarray) -> np.floating | None:
    """`D_R(θ, θ′)` by one node, to eight digits, where no entry differs by more than 1e-4 of itself; else None."""
    step = theta - other
    if not (np.abs(step) <= 1e-4 * np.abs(other)).all():
        return None
    metric = np.maximum(geo.inverse_metric(other + step / 3), _TINY)  # 0 where θ is too
    value = np.dot(step / metric, step) / 2
    return value if math.isfinite(value) else None


@_quietly
def certify(
    problem: LinearRegression,
    geo: AbstractGeometry,
    theta: Vector,
    theta0: Vector,
    coordinates: Float[Array, " r"],
) -> Certificate:
    """The certificate of θ for the dual point ν, given by its row-space coordinates λ (`Xᵀν = Qᵀλ`).

    The primal problem is `min D_R(θ, θ₀)` over `Xθ = y`, the dual `max yᵀν − Σ [R*(R′(θ₀) + Xᵀν) − R*(R′(θ₀))]`, and
    the difference of their values at (θ, ν) equals `D_R(θ, θ(ν)) + νᵀ(Xθ − y)` with `θ(ν) = (R*)′(R′(θ₀) + Xᵀν)`,
    which is how it is evaluated: nothing cancels. For `θ = θ(ν)` only the second term remains. For an inconsistent y,
    the least-squares set takes the place of the interpolators.

    Args:
        problem: Any regression.
        geo: Any geometry.
        theta: θ, (d,).
        theta0: θ₀, (d,).
        coordinates: λ, (r,), such as those of `nearest_coordinates`.

    Returns:
        A `Certificate` of scalars.

    ```python
    >>> import hamtheory as ht
    >>> problem, geo, start = ht.LinearRegression([[1.0, 2.0]], [2.0]), ht.HAM(alpha=5.0), [0.0, 0.0]
    >>> for theta in (ht.solve_limit(problem, geo).theta, [0.0, 1.0]):  # two interpolators
    ...     coordinates = ht.metrics.nearest_coordinates(problem, geo, theta, start)
    ...     print(bool(ht.metrics.certify(problem, geo, theta, start, coordinates).violation < 1e-9))
    True
    False

    ```
    """
    theta, theta0, coordinates = _as_arrays(problem, geo, theta, theta0, coordinates)
    xp, space = namespace(theta), problem.row_space
    if xp is np:
        return _certify(problem, geo, theta, theta0, coordinates)[0]
    start, removable = geo.mirror_map(theta0), space.project(theta) - space.target
    mirrored = geo.inverse_mirror_map(start + coordinates @ space.basis)
    gap = bregman_divergence(geo, theta, mirrored) + coordinates @ removable
    scale = bregman_divergence(geo, theta, theta0) + xp.finfo(theta.dtype).eps * (theta0 @ start)
    residual = norm(space.singular_values * removable) / _scale(problem)
    relative = xp.where(gap == 0, 0, xp.abs(gap) / xp.where(scale > 0, scale, 1))
    return Certificate(residual, gap, relative)


def _certify(
    problem: LinearRegression, geo: AbstractGeometry, theta: np.ndarray, theta0: np.ndarray, coordinates: np.ndarray
) -> tuple[Certificate, np.floating]:
    """`certify` by NumPy, of vectors in float64; and the `relative_residual`, which it needs."""
    space, size, rounding = problem.row_space, _scale(problem), 0.0
    removable, along = np.dot(space.basis, theta) - space.target, np.dot(coordinates, space.basis)
    if theta0.any():
        start = geo.mirror_map(theta0)
        along, rounding = start + along, np.finfo(theta.dtype).eps * np.dot(theta0, start)
    mirrored = geo.inverse_mirror_map(along)
    gap = _divergence_of_neighbours(geo, theta, mirrored)
    gap = (bregman_divergence(geo, theta, mirrored) if gap is None else gap) + np.dot(coordinates, removable)
    scale = bregman_divergence(geo, theta, theta0) + rounding
    # Q has the rounding of the largest entries of X, where a column may have none of them.
    misfit = problem.residual(theta)
    residual = np.maximum(norm(space.singular_values * removable), norm(np.dot(misfit, space.left))) / size
    relative = np.float64(0.0) if gap == 0 else np.abs(gap) / (scale if scale > 0 else 1.0)
    return Certificate(residual, gap, relative), norm(misfit) / size


@_quietly
def nearest_coordinates(
    problem: LinearRegression, geo: AbstractGeometry, theta: Vector, theta0: Vector
) -> Float[Array, " r"]:
    """The row-space coordinates λ nearest to `R′(θ) − R′(θ₀)`, which lies in row(X) all along a flow.

    Nearest in the metric `Σ g⁻¹(θ) (·)²` of the geometry: to leading order this makes the duality gap smallest, and
    coordinates at which the mirror map magnifies the errors of θ do not spoil it.

    Args:
        problem: Any regression.
        geo: Any geometry.
        theta: θ, (d,).
        theta0: θ₀, (d,).

    Returns:
        λ, (r,).

    ```python
    >>> import hamtheory as ht
    >>> problem = ht.LinearRegression([[1.0, 2.0]], [2.0])
    >>> found = ht.metrics.nearest_coordinates(problem, ht.Euclidean(), [0.4, 0.8], [0.0, 0.0])
    >>> (found @ problem.row_space.basis).round(4).tolist()
    [0.4, 0.8]

    ```
    """
    theta, theta0 = _as_arrays(problem, geo, theta, theta0)
    xp, space = namespace(theta), problem.row_space
    with quiet():
        weights = geo.inverse_metric(theta)
        if xp is np:
            moved = geo.mirror_map(theta) - geo.mirror_map(theta0)
            return _least_squares(space.basis, int(space.rank), np.sqrt(weights), moved)
        inactive = xp.diag(xp.where(space.active, 0, 1).astype(weights.dtype))
        normal = (space.basis * weights[None, :]) @ space.basis.T + inactive * xp.max(weights)
        target = space.basis @ (weights * (geo.mirror_map(theta) - geo.mirror_map(theta0)))
    return _solve_positive(normal, target)


def _least_squares(basis: np.ndarray, rank: int, roots: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The λ, (r,), with the least `‖roots ⊙ (Qᵀλ − target)‖`; NaN if there are several.

    By QR with the largest rows first, which errs by what the roots differ by, not by their squares, as normal equations
    would.

    Args:
        basis: Q, (r, d).
        rank: How many of its rows are not zero.
        roots: The roots of the weights, (d,).
        target: Of shape (d,).

    Returns:
        λ.

    References:
        [cox1998stability].
    """
    import scipy.linalg

    found, order = np.zeros(len(basis), target.dtype), np.argsort(-roots, kind="stable")
    try:
        decomposed: Any = scipy.linalg.qr(roots[order, None] * basis[:rank, order].T, mode="economic", pivoting=True)
        rotated, upper, places = decomposed
        found[places] = scipy.linalg.solve_triangular(upper, rotated.T @ (roots * target)[order])
    except (np.linalg.LinAlgError, ValueError):
        found[:rank] = np.nan
    return found


def _solve_positive(matrix: Array, right: Array) -> Array:
    """The solution, by JAX, of a system with a symmetric positive matrix; NaN if it is not positive."""
    import jax.scipy.linalg

    return jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(matrix), right)


@_quietly
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
    shift = geo.mirror_map(theta) - geo.mirror_map(theta0)
    outside = norm(shift - problem.row_space.project(shift) @ problem.row_space.basis)
    size = norm(shift)
    return outside / namespace(size).where(size > 0, size, 1)


@_quietly
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
    (theta,) = _as_arrays(problem, geo, theta)
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
    space, (theta,) = problem.row_space, _as_arrays(problem, geo, theta)
    xp = namespace(theta)
    root = space.singular_values[:, None] * space.basis * xp.sqrt(geo.inverse_metric(theta))[None, :]
    values = xp.linalg.svd(root, compute_uv=False)
    # The rank is that of X, whatever the metric: the smallest nonzero value stands at its place.
    return xp.square(values[problem.rank - 1]) / problem.n


@_quietly
def gradient_second_moments(
    problem: LinearRegression, theta: Vector, *, batch_size: int | None = None, label_noise: Number = 0.0
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
    X, n, residual = problem.X, problem.n, problem.residual(theta)
    xp = namespace(residual, label_noise)
    exact, noise = xp.square(residual @ X / n), xp.square(xp.asarray(label_noise, problem.dtype))
    if batch_size is None:
        return exact + noise * xp.mean(xp.square(X), axis=0) / n
    return exact * (1 - 1 / batch_size) + (xp.square(residual) + noise) @ xp.square(X) / (n * batch_size)


@_quietly
def stable_learning_rate(problem: LinearRegression, geo: AbstractGeometry, theta: Vector) -> Float[Array, ""]:
    """`2 / λ_max(X diag(g⁻¹(θ)) Xᵀ / n)`: the learning rate up to which first-order rules are stable near a limit θ.

    Of `GD`, `HYP`, `HAMStep`, `ProductGD`, mirror descent and the natural gradient, without weight decay.

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
    (theta,) = _as_arrays(problem, geo, theta)
    xp = namespace(theta)
    root = problem.X * xp.sqrt(geo.inverse_metric(theta))[None, :]
    return 2 * problem.n / xp.square(xp.linalg.norm(root, ord=2))
