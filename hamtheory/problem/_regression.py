"""Linear regression, the problem of every flow."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from .._types import Matrix, Samples, Vector, Vectors
from .._validate import finite, real_array
from ._row_space import RowSpace


class LinearRegression(eqx.Module):
    """Linear regression with the loss `f(θ) = ‖Xθ − y‖² / (2n)`.

    Arguments: `X` of shape (n, d) and `y` of shape (n,), real and finite; they take the wider floating dtype of the
      two. `theta_star`: the ground truth of shape (d,), if there is one. `row_space` is made from X and y: a
      `RowSpace`.

    Construction decomposes X once (singular values, O(nd·min(n, d))). Nothing is assumed of X: its `rank` and the
    `distance` of y from its range are computed, and reported by everything downstream. The class is a pytree: build
    it under `vmap` for a batch of problems.

    Errors: `ValueError` for wrong ranks or mismatched shapes, empty or non-numeric data, NaN or infinities.
    Source: own.

    ```python
    >>> import hamtheory as ht
    >>> problem = ht.LinearRegression([[1.0, 2.0]], [4.0])
    >>> float(problem.loss([0.0, 1.0]))
    2.0

    ```
    """

    X: Float[Array, "n d"]
    y: Float[Array, " n"]
    theta_star: Float[Array, " d"] | None
    row_space: RowSpace

    def __init__(self, X: Matrix, y: Samples, theta_star: Vector | None = None):
        X, y = real_array(X, "X", ndim=2), real_array(y, "y", ndim=1)
        if X.size == 0:
            raise ValueError(f"X must have at least one row and one column; got shape {X.shape}")
        if y.shape[0] != X.shape[0]:
            raise ValueError(f"y must have one entry a row of X, {X.shape[0]}; got {y.shape[0]}")
        dtype = jnp.promote_types(X.dtype, y.dtype)
        self.X, self.y = finite(X.astype(dtype), "X"), finite(y.astype(dtype), "y")
        if theta_star is not None:
            theta_star = real_array(theta_star, "theta_star", ndim=1).astype(dtype)
            if theta_star.shape[0] != X.shape[1]:
                raise ValueError(
                    f"theta_star must have one entry a column of X, {X.shape[1]}; got {theta_star.shape[0]}"
                )
            theta_star = finite(theta_star, "theta_star")
        self.theta_star = theta_star
        self.row_space = RowSpace(self.X, self.y)

    @property
    def n(self) -> int:
        """The number of rows (samples)."""
        return self.X.shape[0]

    @property
    def d(self) -> int:
        """The number of columns (parameters)."""
        return self.X.shape[1]

    @property
    def dtype(self) -> jnp.dtype:
        """The dtype of the data, and of everything computed from them."""
        return self.X.dtype

    @property
    def rank(self) -> Int[Array, ""]:
        """The numerical rank of X: the singular values above `max(n, d) · eps` times the largest."""
        return self.row_space.rank

    @property
    def distance(self) -> Float[Array, ""]:
        """The Euclidean distance of y from the range of X; zero, up to rounding, if an interpolator exists."""
        return self.row_space.distance

    @property
    def is_consistent(self) -> Bool[Array, ""]:
        """Whether `Xθ = y` has a solution, up to rounding of y."""
        rounding = 10 * max(self.X.shape) * jnp.finfo(self.dtype).eps
        return self.distance <= rounding * jnp.linalg.norm(self.y)

    @property
    def convergence_rate(self) -> Float[Array, ""]:
        """`Λ = λ_min⁺(XXᵀ)/n`: the loss of gradient descent's flow and of HAM's is at most `f(θ₀) exp(−2Λt)`."""
        s = self.row_space.singular_values
        return jnp.square(jnp.min(jnp.where(self.row_space.active, s, jnp.inf))) / self.n

    def residual(self, theta: Vectors) -> Float[Array, "*batch n"]:
        """`Xθ − y`, for `theta` of shape (..., d)."""
        theta = jnp.asarray(theta, self.dtype)
        return theta @ self.X.T - self.y.reshape((1,) * (theta.ndim - 1) + (-1,))

    def loss(self, theta: Vectors) -> Float[Array, "*batch"]:
        """`‖Xθ − y‖² / (2n)`, for `theta` of shape (..., d)."""
        return jnp.sum(jnp.square(self.residual(theta)), axis=-1) / (2 * self.n)

    def gradient(self, theta: Vectors) -> Float[Array, "*batch d"]:
        """`Xᵀ(Xθ − y) / n`, for `theta` of shape (..., d)."""
        return self.residual(theta) @ self.X / self.n


def without_truth(problem: LinearRegression) -> LinearRegression:
    """The problem as flows and limits see it: those with and without a ground truth share what they compile."""
    return eqx.tree_at(lambda p: p.theta_star, problem, None, is_leaf=lambda leaf: leaf is None)
