"""Newton's method on the dual of a Bregman projection, for one problem, in NumPy."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from .._array import quiet
from .._products import ProductBasis
from ..geometry import AbstractGeometry, divergence_terms
from ..metrics import Certificate, certified
from ..problem import LinearRegression

Vector = np.ndarray
Ended = Literal["converged", "stalled", "max_steps", "nonfinite"]

_ARMIJO = 1e-4
_PARTS = tuple(0.5**halvings for halvings in range(47))  # of a step, down to 1e-14
_ROUNDING = 16 * float(np.finfo(np.float64).eps)
_PATIENCE = 20  # steps at the level of rounding
_BLOCK = 1 << 18  # numbers in a block of scaled columns: what fits into the cache beside the matrix


@dataclass(frozen=True)
class HostLimit:
    """A limit: θ, (d,); the coordinates λ of its dual point, (r,), as those of the row
    space; its certificate, the effort, how it ended; the relative residual, if it is known."""

    theta: Vector
    coordinates: Vector
    certificate: Certificate
    steps: int
    evaluations: int
    ended: Ended
    misfit: np.floating | None = None


class Gram:
    """`w ↦ Q diag(w) Qᵀ` and its Cholesky factor, of weights given by their roots, without another array like Q.

    The columns are scaled block by block into a buffer; as a product with its own transpose the matrix is symmetric
    and positive semidefinite in every digit, for half the work.
    """

    def __init__(self, basis: np.ndarray):
        from scipy.linalg import lapack

        routines: Any = lapack
        self.basis, self._factor, self._solve = basis, routines.dpotrf, routines.dpotrs
        rank, columns = basis.shape
        width = max(512, _BLOCK // max(rank, 1))
        self._buffer = np.empty((rank, min(columns, width)))

    def matrix(self, root: Vector) -> np.ndarray:
        basis, buffer = self.basis, self._buffer
        width, columns = buffer.shape[1], basis.shape[1]
        if width == columns:
            np.multiply(basis, root, out=buffer)
            return buffer @ buffer.T
        total = np.zeros((basis.shape[0],) * 2)
        for first in range(0, columns, width):
            block = buffer[:, : min(width, columns - first)]
            np.multiply(basis[:, first : first + width], root[first : first + width], out=block)
            total += block @ block.T
        return total

    def factorise(self, matrix: np.ndarray) -> np.ndarray:
        """The Cholesky factor; of a matrix that is singular to rounding, with the least multiple of 1 that makes it
        regular. NaN for one that is not finite."""
        ridge = 0.0
        while True:
            # Its transpose, the same matrix, is stored as LAPACK wants it.
            trial = matrix.T if ridge == 0 else matrix.T + ridge * np.eye(len(matrix))
            factor, fault = self._factor(trial, lower=1)
            if fault <= 0:
                return factor
            size = float(np.max(np.diag(matrix)))
            if not (0 < size < np.inf) or ridge > size:
                return np.full_like(matrix, np.nan)
            ridge = max(1e2 * ridge, 1e-15 * size)

    def solve(self, factor: np.ndarray, rhs: np.ndarray) -> np.ndarray:
        """`H⁻¹ rhs`, (rank,) or (rank, many)."""
        return self._solve(factor, rhs, lower=1)[0]

    def solver(self, root: Vector) -> Callable[[np.ndarray], np.ndarray]:
        """`rhs ↦ H⁻¹ rhs`, of weights given by their roots."""
        factor = self.factorise(self.matrix(root))
        return lambda rhs: self.solve(factor, rhs)


class ProductGram(Gram):
    """The same of a basis `Q = T Z`: it is `Z diag(w) Zᵀ` that is factorised."""

    def __init__(self, basis: ProductBasis):
        super().__init__(np.zeros((1, 1)))
        self.products = basis

    def matrix(self, root: Vector) -> np.ndarray:
        return self.products.gram(np.square(root))

    def solver(self, root: Vector) -> Callable[[np.ndarray], np.ndarray]:
        inverse = self.products.inverse
        if inverse is None:
            return super().solver(root)
        factor = self.factorise(self.products.rows.gram(np.square(root)))
        return lambda rhs: inverse.T @ self.solve(factor, inverse @ rhs)


def gram_of(basis: Any) -> Gram:
    return ProductGram(basis) if isinstance(basis, ProductBasis) else Gram(basis)


def squared_columns(basis: Any) -> Vector:
    """The squared norms of the columns."""
    if isinstance(basis, ProductBasis):
        return basis.squares()
    if basis.size <= _BLOCK:
        return np.square(basis).sum(axis=0)
    return np.einsum("ij,ij->j", basis, basis)


def scaled_norm(vector: Vector) -> float:
    """The Euclidean norm, also of numbers whose squares leave the range."""
    square = float(vector @ vector)
    if 1e-250 < square < 1e250:
        return math.sqrt(square)
    size = float(np.max(np.abs(vector), initial=0.0))
    if not 0 < size < math.inf:
        return size
    return size * float(np.linalg.norm(vector / size))


def doubled(array: Any) -> Any:
    """In float64: what float32 data define is computed without another rounding, until θ is rounded to their dtype."""
    return array if isinstance(array, ProductBasis) else np.asarray(array, np.float64)


def newton(problem: LinearRegression, geo: AbstractGeometry, theta0: Vector, tol: float, max_steps: int) -> HostLimit:
    """Minimise the dual `φ(λ) = Σ R*(R′(θ₀) + Qᵀλ) − bᵀλ` by damped Newton steps from λ = 0.

    Its gradient is `Qθ(λ) − b`, its Hessian `Q diag(g⁻¹(θ)) Qᵀ`. Along a step p the decrease is known without
    cancellation, `φ(λ + tp) − φ(λ) = D_R(θ(λ), θ(λ + tp)) + t pᵀ(Qθ − b)`, so that the line search (Armijo, halving
    from t = 1; a step out of the domain or the range is not finite and is halved too) works down to rounding. As φ is
    convex, the decrease is at least `−t φ′(t)`: where that is enough, the divergence is not needed. A step after
    convergence polishes the result, and is kept only if it lowers the residual.
    """
    with quiet():
        return _Newton(problem, geo, theta0, tol).run(max_steps)


class _Newton:
    def __init__(self, problem: LinearRegression, geo: AbstractGeometry, theta0: Vector, tol: float):
        space = problem.row_space
        rank = int(space.rank)
        self.problem, self.geo, self.theta0, self.tol, self.rank = problem, geo, theta0, tol, rank
        self.basis, self.target = doubled(space.basis)[:rank], doubled(space.target)[:rank]
        self.gram, self.mirrored = gram_of(self.basis), doubled(geo.mirror_map(doubled(theta0)))
        self.weights = doubled(space.singular_values)[:rank]
        self.size = scaled_norm(doubled(problem.y)) or 1.0
        self.coordinates = np.zeros(rank)
        self.steps = self.evaluations = 0
        self.theta, self.gradient = self.evaluate(self.coordinates)

    def evaluate(self, coordinates: Vector) -> tuple[Vector, Vector]:
        """θ(λ) and the gradient there."""
        self.evaluations += 1
        theta = self.geo.inverse_mirror_map(self.mirrored + coordinates @ self.basis)
        return theta, self.basis @ theta - self.target

    def direction(self) -> Vector:
        """The Newton step."""
        metric = self.geo.inverse_metric(self.theta)
        largest = float(np.max(metric))
        return self.gram.solver(np.sqrt(metric / largest))(-self.gradient) / largest

    def line_search(self, step: Vector) -> tuple[Vector, Vector, Vector] | None:
        """λ, θ and the gradient where the dual has decreased enough; None if it nowhere does."""
        slope = float(step @ self.gradient)
        for t in _PARTS:
            coordinates = self.coordinates + t * step
            theta, gradient = self.evaluate(coordinates)
            # A θ near the end of the range makes the change a difference of overflows, of either sign.
            if not (np.isfinite(theta).all() and np.isfinite(gradient).all()):
                continue
            if float(step @ gradient) > _ARMIJO * slope:
                change = float(np.sum(divergence_terms(self.geo, self.theta, theta))) + t * slope
                if not change <= _ARMIJO * t * slope:
                    continue
            return coordinates, theta, gradient
        return None

    def residual(self, gradient: Vector) -> float:
        return scaled_norm(self.weights * gradient) / self.size

    def prove(self) -> HostLimit:
        """The point with its certificate, converged if that is within tolerance."""
        dtype = self.problem.dtype
        theta, coordinates = self.theta.astype(dtype, copy=False), np.zeros_like(self.problem.row_space.target)
        coordinates[: self.rank] = self.coordinates
        certificate, misfit = certified(
            self.problem, self.geo, doubled(theta), doubled(self.theta0), doubled(coordinates)
        )
        ended: Ended = "converged" if certificate.violation <= self.tol else "max_steps"
        return HostLimit(theta, coordinates, certificate, self.steps, self.evaluations, ended, misfit)

    def run(self, max_steps: int) -> HostLimit:
        if self.rank == 0:
            self.theta = doubled(self.theta0)  # to rounding of the mirror map
            return self.prove()
        stalled, waited = False, 0
        while self.steps < max_steps and not stalled:
            found = self.line_search(self.direction())
            self.steps += 1
            if found is not None:
                self.coordinates, self.theta, self.gradient = found
            # The certificate cannot be better than the residual.
            if self.residual(self.gradient) <= self.tol or found is None:
                limit = self.prove()
                if limit.ended == "converged":
                    return self.polish(limit)
                stalled = found is None
            # Nothing but the rounding of Qθ is left.
            waited += scaled_norm(self.gradient) <= _ROUNDING * scaled_norm(self.theta)
            stalled = stalled or waited > _PATIENCE
        limit = self.prove()
        if limit.ended == "converged":
            return limit
        finite = bool(np.isfinite(self.theta).all())
        return replace(limit, ended=("stalled" if stalled else "max_steps") if finite else "nonfinite")

    def polish(self, limit: HostLimit) -> HostLimit:
        """Another step, if it lowers the residual: predicted decreases drown in rounding, residuals do not."""
        coordinates = self.coordinates + self.direction()
        theta, gradient = self.evaluate(coordinates)
        self.steps += 1
        if self.residual(gradient) < self.residual(self.gradient) and np.isfinite(theta).all():
            self.coordinates, self.theta, self.gradient = coordinates, theta, gradient
            better = self.prove()
            if better.ended == "converged":
                return better
        return replace(limit, steps=self.steps, evaluations=self.evaluations)
