"""Certificates: proofs of how close θ is to the limit of a flow, without a reference solution."""

import math
from typing import Any

import numpy as np
from jaxtyping import Float

from .._arguments import entrance
from .._array import Array, Struct, is_jax, kept, namespace, norm, quiet
from .._products import ProductBasis
from .._types import Vector
from ..geometry import AbstractGeometry, bregman_divergence, divergence_terms, refuse_dead_zone
from ..problem import LinearRegression

_TINY = float(np.finfo(np.float64).tiny)
_quietly = quiet()  # of θ that are not finite, the certificates are not either


def scale_of(problem: LinearRegression) -> Float[Array, ""]:
    """`‖y‖`, or 1 if that is 0."""
    if type(problem.y) is np.ndarray:
        return kept(problem, "_size_of_y", lambda: norm(problem.y) or problem.dtype.type(1))
    size = norm(problem.y)
    return namespace(size).where(size > 0, size, 1)


def as_arrays(problem: LinearRegression, geo: AbstractGeometry, *vectors: Any) -> tuple[Array, ...]:
    """Vectors as arrays of JAX, if one of the arguments is of it, else of NumPy, whose certificates are in float64."""
    import sys

    if is_jax(problem, geo, *vectors):
        xp: Any = sys.modules["jax.numpy"]
        return tuple(xp.asarray(vector, problem.dtype) for vector in vectors)
    return tuple(np.asarray(vector, np.float64) for vector in vectors)


class Certificate(Struct):
    """Proof of how close θ is to the limit of a flow, without a reference solution; of many, with an axis of them.

    Attributes:
        residual: The removable relative residual.
        duality_gap: Of the Bregman projection, see `certify`.
        relative_gap: Its size relative to the divergence D_R(θ, θ₀) that the limit minimises.
    """

    residual: Float[Array, "*rows"]
    duality_gap: Float[Array, "*rows"]
    relative_gap: Float[Array, "*rows"]

    @property
    def violation(self) -> Float[Array, "*rows"]:
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


def _divergence_from(geo: AbstractGeometry, theta: Array, theta0: Array, mu: Array) -> Array:
    """`D_R(θ, θ₀)` at the μ in R′(θ₀), which matters where R′ jumps."""
    terms = geo.known_divergence(theta, theta0, mu)
    return bregman_divergence(geo, theta, theta0) if terms is None else terms.sum()


@_quietly
@entrance
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
    theta, theta0, coordinates = as_arrays(problem, geo, theta, theta0, coordinates)
    xp, space = namespace(theta), problem.row_space
    if xp is np:
        return certified(problem, geo, theta, theta0, coordinates)[0]
    start, removable = geo.mirror_map(theta0), space.project(theta) - space.target
    mirrored = geo.inverse_mirror_map(start + coordinates @ space.basis)
    gap = _divergence_from(geo, theta, mirrored, start + coordinates @ space.basis) + coordinates @ removable
    scale = bregman_divergence(geo, theta, theta0) + xp.finfo(theta.dtype).eps * (theta0 @ start)
    residual = norm(space.singular_values * removable) / scale_of(problem)
    relative = xp.where(gap == 0, 0, xp.abs(gap) / xp.where(scale > 0, scale, 1))
    return Certificate(residual, gap, relative)


def certified(
    problem: LinearRegression, geo: AbstractGeometry, theta: np.ndarray, theta0: np.ndarray, coordinates: np.ndarray
) -> tuple[Certificate, np.floating]:
    """`certify` by NumPy, of vectors in float64; and the `relative_residual`, which it needs: for loops that ask both.

    Args:
        problem: A regression of NumPy's arrays.
        geo: Any geometry.
        theta: θ, (d,).
        theta0: θ₀, (d,).
        coordinates: λ, (r,).

    Returns:
        The certificate, and the residual.

    ```python
    >>> import hamtheory as ht, numpy as np
    >>> problem, zero = ht.LinearRegression([[1.0, 2.0]], [2.0]), np.zeros(2)
    >>> _, residual = ht.metrics.certified(problem, ht.Euclidean(), np.array([0.0, 0.5]), zero, np.zeros(1))
    >>> float(residual)
    0.5

    ```
    """
    space, size, rounding = problem.row_space, scale_of(problem), 0.0
    removable, along = np.dot(space.basis, theta) - space.target, np.dot(coordinates, space.basis)
    if theta0.any():
        start = geo.mirror_map(theta0)
        along, rounding = start + along, np.finfo(theta.dtype).eps * np.dot(theta0, start)
    mirrored = geo.inverse_mirror_map(along)
    gap = None if geo.dead_zone() is not None else _divergence_of_neighbours(geo, theta, mirrored)
    gap = (_divergence_from(geo, theta, mirrored, along) if gap is None else gap) + np.dot(coordinates, removable)
    scale = bregman_divergence(geo, theta, theta0) + rounding
    # Q has the rounding of the largest entries of X, where a column may have none of them.
    misfit = problem.residual(theta)
    residual = np.maximum(norm(space.singular_values * removable), norm(np.dot(misfit, space.left))) / size
    relative = np.float64(0.0) if gap == 0 else np.abs(gap) / (scale if scale > 0 else 1.0)
    return Certificate(residual, gap, relative), norm(misfit) / size


@_quietly
def certified_rows(
    problem: LinearRegression,
    geo: AbstractGeometry,
    thetas: Float[Array, "rows d"],
    coordinates: Float[Array, "rows r"],
) -> Certificate:
    """`certified` of many θ that are to be limits from 0, each of a geometry of its own.

    Args:
        problem: A regression of NumPy's arrays in float64.
        geo: A geometry whose parameters are of shape (rows, 1), or numbers.
        thetas: θ, (rows, d).
        coordinates: λ, (rows, r), with `θ(λ)` within 1e-4 of θ in every entry: elsewhere there is no gap, but NaN.

    Returns:
        The certificate, of arrays of shape (rows,).

    ```python
    >>> import hamtheory as ht, numpy as np
    >>> problem = ht.LinearRegression([[1.0, 2.0]], [2.0])
    >>> thetas, coordinates = np.array([[0.4, 0.8], [0.0, 0.5]]), np.stack([problem.row_space.target] * 2)
    >>> ht.metrics.certified_rows(problem, ht.Euclidean(), thetas, coordinates).violation.round(3).tolist()
    [0.0, nan]

    ```
    """
    space = problem.row_space
    removable, along = thetas @ space.basis.T - space.target, coordinates @ space.basis
    mirrored = geo.inverse_mirror_map(along)
    step = thetas - mirrored
    metric = np.maximum(geo.inverse_metric(mirrored + step / 3), _TINY)
    gap = (step / metric * step).sum(axis=-1) / 2 + (coordinates * removable).sum(axis=-1)
    gap = np.where((np.abs(step) <= 1e-4 * np.abs(mirrored)).all(axis=-1), gap, np.nan)
    scale = divergence_terms(geo, thetas, np.zeros_like(thetas)).sum(axis=-1)
    misfit = problem.residual(thetas) @ space.left
    residual = np.maximum(norm(space.singular_values * removable, axis=-1), norm(misfit, axis=-1)) / scale_of(problem)
    relative = np.where(gap == 0, 0, np.abs(gap) / np.where(scale > 0, scale, 1))
    return Certificate(residual, gap, relative)


@_quietly
@entrance
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
    refuse_dead_zone(geo, "nearest_coordinates")
    theta, theta0 = as_arrays(problem, geo, theta, theta0)
    xp, space = namespace(theta), problem.row_space
    with quiet():
        weights = geo.inverse_metric(theta)
        if xp is np:
            moved = geo.mirror_map(theta) - geo.mirror_map(theta0)
            if isinstance(space.basis, ProductBasis):
                return _by_products(space.basis, int(space.rank), weights, moved)
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


def _by_products(basis: ProductBasis, rank: int, weights: np.ndarray, target: np.ndarray) -> np.ndarray:
    """`_least_squares` by the normal equations, and once again for what is left; NaN if there are several.

    Args:
        basis: Q, (r, d).
        rank: How many of its rows are not zero.
        weights: Of shape (d,).
        target: Of shape (d,).

    Returns:
        λ, (r,).
    """
    import scipy.linalg

    found, inside, weights = np.zeros(len(basis)), basis[:rank], weights / np.max(weights)
    try:
        factor: Any = scipy.linalg.cho_factor(inside.gram(weights))
        for _ in range(3):
            found[:rank] += scipy.linalg.cho_solve(factor, inside @ (weights * (target - found[:rank] @ inside)))
    except (np.linalg.LinAlgError, ValueError):
        found[:rank] = np.nan
    return found


def _solve_positive(matrix: Array, right: Array) -> Array:
    """The solution, by JAX, of a system with a symmetric positive matrix; NaN if it is not positive."""
    import jax.scipy.linalg

    return jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(matrix), right)
