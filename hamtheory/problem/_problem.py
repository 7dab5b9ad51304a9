"""What all problems share: samples, one number for each, and perhaps a ground truth."""

from typing import Any

import numpy as np
from jaxtyping import Float

from .._array import Array, Struct, is_jax, kept, namespace, quiet, replaced
from .._products import combined, has_products, own_matrix
from .._types import Matrix, Vector, Vectors
from .._validate import finite, real_array
from ._frames import check_order, names_of


class Problem(Struct):
    """X, (n, d), and perhaps the ground truth, (d,)."""

    X: Float[Array, "n d"]
    theta_star: Float[Array, " d"] | None

    @property
    def n(self) -> int:
        """The number of rows (samples)."""
        return self.X.shape[0]

    @property
    def d(self) -> int:
        """The number of columns (parameters)."""
        return self.X.shape[1]

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the data, and of everything computed from them."""
        return self.X.dtype

    @property
    def names(self) -> tuple[str, ...] | None:
        """The names of the columns, (d,), where X was a table that had some or was read from one; of NumPy's alone."""
        return vars(self).get("_names")

    def named(self, names: tuple[str, ...] | None) -> Any:
        """The problem, with other names of its columns.

        Args:
            names: One for each column, or None.

        Returns:
            The problem.

        Raises:
            ValueError: For another number of names.
        """
        if names is not None and len(names) != self.d:
            raise ValueError(f"names must have one entry a column of X, {self.d}; got {len(names)}")
        made = replaced(self)
        vars(made)["_names"] = names
        return made

    def without_truth(self) -> Any:
        """The problem as flows and limits see it: those with and without a ground truth share what they compile.

        Returns:
            The problem, with `theta_star=None`.
        """
        return kept(self, "_without_truth", lambda: replaced(self, theta_star=None))

    def residual(self, theta: Vectors) -> Float[Array, "*batch n"]:
        """What stands in the gradient `Xᵀ residual/n`.

        Args:
            theta: Of shape (..., d).
        """
        raise NotImplementedError

    def gradient(self, theta: Vectors) -> Float[Array, "*batch d"]:
        """The gradient of the loss, `Xᵀ residual/n`.

        Args:
            theta: Of shape (..., d).

        Returns:
            The gradient, of shape (..., d).
        """
        with quiet():
            residual = self.residual(theta)
            return (combined(self.X, residual) if has_products(self.X) else residual @ self.X) / self.n


def checked(X: Matrix, target: Any, name: str, theta_star: Vector | None) -> tuple[Array, Array, Array | None]:
    """X, what is known of its rows, and the ground truth, in one dtype: the problem's own."""
    check_order(X, target, name, theta_star)
    by_products = has_products(X)
    if by_products and is_jax(target, theta_star):
        raise TypeError(f"{name} must be an array of NumPy where X is sparse or a LinearOperator; got one of JAX")
    target, names = real_array(target, name, ndim=1), names_of(X)
    X = own_matrix(X, target.dtype) if by_products else real_array(X, "X", ndim=2)
    if 0 in X.shape:
        raise ValueError(f"X must have at least one row and one column; got shape {X.shape}")
    if target.shape[0] != X.shape[0]:
        raise ValueError(f"{name} must have one entry a row of X, {X.shape[0]}; got {target.shape[0]}")
    own = _owned(X, target)
    if theta_star is not None:
        truth = real_array(theta_star, "theta_star", ndim=1)
        if truth.shape[0] != X.shape[1]:
            raise ValueError(f"theta_star must have one entry a column of X, {X.shape[1]}; got {truth.shape[0]}")
        theta_star = finite(own(truth), "theta_star")
    return X if by_products else finite(own(X), "X", names), finite(own(target), name), theta_star


def _owned(X: Any, y: Any):
    """What makes an array the problem's own: in the common dtype, and of JAX if X or y is, else a copy that is kept."""
    if is_jax(X, y):
        xp = namespace(X, y)
        X, y = xp.asarray(X), xp.asarray(y)
        dtype = xp.promote_types(X.dtype, y.dtype)
        return lambda array: xp.asarray(array).astype(dtype)
    dtype = np.promote_types(X.dtype, y.dtype)

    def copied(array):
        array = np.array(array, dtype)
        array.setflags(write=False)
        return array

    return copied
