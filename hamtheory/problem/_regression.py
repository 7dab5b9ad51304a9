"""Linear regression, the problem of every flow."""

import contextlib
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from .._array import Array, is_jax, namespace, quiet, replaced
from .._products import has_products, times
from .._threads import threads_for
from .._types import Matrix, Samples, Vector, Vectors
from ._frames import names_of
from ._problem import Problem, checked
from ._row_space import RowSpace
from ._rows import row_space_of_products


class Targets(NamedTuple):
    """What of a `LinearRegression` depends on y, see `RowSpace`: of one y, or of many, with an axis of instances.

    Attributes:
        y: (n,).
        target: (r,).
        distance: Of y from the range of X.
        is_consistent: Whether y is in it.
    """

    y: Array
    target: Array
    distance: Array
    is_consistent: Array


class LinearRegression(Problem):
    """Linear regression with the loss `f(θ) = ‖Xθ − y‖² / (2n)`.

    Lists, NumPy's arrays and the tables of pandas and Polars become arrays of NumPy, in float64 unless X and y are both
    float32; what is asked of the problem is then answered by NumPy and SciPy, and in NumPy. If X or y is an array of
    JAX's, so is everything else, in the wider dtype of the two. A sparse X of SciPy's stays sparse, and a
    `scipy.sparse.linalg.LinearOperator` is asked for its products alone: for limits, their paths, and flows by NumPy.

    Construction decomposes X (singular values, O(n·d·min(n, d)); of a sparse one O(n³)). Nothing is assumed of X: its
    `rank` and the `distance` of y from its range are computed, and reported by everything downstream. The class is a
    pytree of JAX's: build it under `vmap` for a batch of problems.

    Args:
        X: Of shape (n, d), real and finite.
        y: Of shape (n,), real and finite.
        theta_star: The ground truth, of shape (d,); left out: there is none.

    Attributes:
        X: As given, an array of shape (n, d); if sparse, a `csr_array`.
        y: As given, an array of shape (n,).
        theta_star: As given, an array of shape (d,), or None.
        row_space: A `RowSpace`, made from X and y.

    Raises:
        ValueError: For wrong ranks or mismatched shapes, empty or non-numeric data, NaN or infinities; for tables whose
            rows are in different orders, and for an operator that is not linear.

    ```python
    >>> import hamtheory as ht
    >>> problem = ht.LinearRegression([[1.0, 2.0]], [4.0])
    >>> float(problem.loss([0.0, 1.0]))
    2.0

    ```
    """

    y: Float[Array, " n"]
    row_space: RowSpace

    def __init__(self, X: Matrix, y: Samples, theta_star: Vector | None = None):
        vars(self)["_names"] = names_of(X)
        self.X, self.y, self.theta_star = checked(X, y, "y", theta_star)
        with contextlib.nullcontext() if is_jax(self.X, self.y) else threads_for(*self.X.shape):
            self.row_space = (row_space_of_products if has_products(self.X) else RowSpace)(self.X, self.y)

    def shared(self, ys: Float[Array, "instances n"]) -> tuple["LinearRegression", Targets]:
        """Regressions of the same X on other y. X is decomposed once, by NumPy.

        Args:
            ys: One y an instance, (instances, n).

        Returns:
            A regression of X, and what to aim it at, with an axis of instances.
        """
        ys = np.asarray(ys)
        space = RowSpace(np.asarray(self.X), ys)
        targets = Targets(ys, space.target, space.distance, space.is_consistent)
        return replaced(self, row_space=space).aimed(Targets(*(leaf[0] for leaf in targets))), targets

    def aimed(self, targets: Targets) -> "LinearRegression":
        """The regression of the same X on another y.

        Args:
            targets: Of one y.

        Returns:
            The regression, without a ground truth.
        """
        y, target, distance, is_consistent = targets
        space = replaced(self.row_space, target=target, distance=distance, is_consistent=is_consistent)
        return replaced(self, y=y, row_space=space, theta_star=None)

    @property
    def rank(self) -> Int[Array, ""]:
        """The numerical rank of X, its rows being scaled to one length: see `RowSpace`."""
        return self.row_space.rank

    @property
    def distance(self) -> Float[Array, ""]:
        """The Euclidean distance of y from the range of X; zero, up to rounding, if an interpolator exists."""
        return self.row_space.distance

    @property
    def is_consistent(self) -> Bool[Array, ""]:
        """Whether `Xθ = y` has a solution, up to rounding of each equation."""
        return self.row_space.is_consistent

    @property
    def convergence_rate(self) -> Float[Array, ""]:
        """`Λ = λ_min⁺(XXᵀ)/n`: the loss of gradient descent's flow and of HAM's is at most `f(θ₀) exp(−2Λt)`."""
        space = self.row_space
        xp = namespace(space.singular_values)
        return xp.square(xp.min(xp.where(space.active, space.singular_values, np.inf))) / self.n

    def residual(self, theta: Vectors) -> Float[Array, "*batch n"]:
        """`Xθ − y`.

        Args:
            theta: Of shape (..., d).

        Returns:
            The residual, of shape (..., n).
        """
        xp = namespace(self.X, theta)
        theta = xp.asarray(theta, self.dtype)
        with quiet():
            fitted = times(self.X, theta) if has_products(self.X) else theta @ self.X.T
            return fitted - self.y.reshape((1,) * (theta.ndim - 1) + (-1,))

    def loss(self, theta: Vectors) -> Float[Array, "*batch"]:
        """`‖Xθ − y‖² / (2n)`.

        Args:
            theta: Of shape (..., d).

        Returns:
            The loss, of shape (...).
        """
        residual = self.residual(theta)
        with quiet():
            return (residual * residual).sum(axis=-1) / (2 * self.n)

    def __repr__(self) -> str:
        return f"LinearRegression(n={self.n}, d={self.d}, dtype={self.dtype})"
