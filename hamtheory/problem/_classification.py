"""Binary classification by a linear predictor, and whether there is one without errors."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from .._array import Array, kept, namespace, norm, quiet, static
from .._products import has_products
from .._types import Matrix, Vector, Vectors
from .._validate import is_traced
from ._frames import names_of
from ._problem import Problem, checked

LOSSES = ("logistic", "exponential")
_SCALINGS = 6  # of the columns, before separability is left open


class Separability(NamedTuple):
    """Whether the classes can be separated, with what proves it; see `BinaryClassification.separability`.

    Attributes:
        holds: Whether they can; None where neither is proved beyond rounding.
        theta: If so, θ of length 1 with `z_i⟨x_i, θ⟩ > 0` for all i, the direction of the largest L2 margin, (d,); or
            else None.
        weights: If not, w ≥ 0 of sum 1 with `Σ w_i z_i x_i = 0`, which no θ survives, (n,); or else None.
        margin: `min_i z_i⟨x_i, θ⟩` if they can, or else the length that is left of `Σ w_i z_i x_i`.
    """

    holds: bool | None
    theta: np.ndarray | None
    weights: np.ndarray | None
    margin: float


class BinaryClassification(Problem):
    """Binary classification with the loss `L(θ) = (1/n) Σ ℓ(m_i)` of the margins `m_i = z_i⟨x_i, θ⟩`.

    `ℓ(m) = ln(1 + e^(−m))` ("logistic") or `e^(−m)` ("exponential"). The loss is computed by its logarithm, which no
    margin takes out of the range of numbers. There is no intercept: append a column of ones for one.

    Args:
        X: Samples, (n, d), real and finite.
        z: Classes, (n,): ±1, or 0 and 1, or booleans, of which 0 and False become −1. Both have to occur.
        loss: "logistic" or "exponential".
        theta_star: The direction of the ground truth, of shape (d,); left out: there is none.

    Attributes:
        X: As given, an array of shape (n, d).
        z: −1 or 1, of the dtype of X, (n,).
        theta_star: As given, an array of shape (d,), or None.
        loss_name: The argument `loss`.

    Raises:
        ValueError: For wrong ranks or mismatched shapes, empty data, NaN or infinities, an X of zeros, a z that is not
            two-valued or of one class only, and an unknown loss.

    ```python
    >>> import hamtheory as ht
    >>> problem = ht.BinaryClassification([[1.0, 2.0], [0.0, 1.0]], [1, 0])
    >>> problem.margins([1.0, -1.0]).tolist(), round(float(problem.log_loss([1.0, -1.0])), 4)
    ([-1.0, 1.0], -0.2067)

    ```
    """

    z: Float[Array, " n"]
    loss_name: str = static()

    def __init__(self, X: Matrix, z: Any, loss: str = "logistic", theta_star: Vector | None = None):
        if loss not in LOSSES:
            raise ValueError(f"loss must be one of {', '.join(map(repr, LOSSES))}; got {loss!r}")
        if has_products(X):
            raise TypeError(
                "X must be an array for a BinaryClassification; got a sparse matrix or a LinearOperator, which are for "
                "a LinearRegression. If it fits into memory: X.toarray()"
            )
        vars(self)["_names"] = names_of(X)
        self.X, z, self.theta_star = checked(X, z, "z", theta_star)
        if not is_traced(self.X) and not np.any(np.asarray(self.X)):
            raise ValueError("X must not be zero: every θ has the margins 0")
        self.z = namespace(self.X).asarray(_classes(z), self.dtype)
        self.loss_name = loss

    @property
    def signed(self) -> Float[Array, "n d"]:
        """The rows `z_i x_i`, with which every sample is of the class 1."""
        return self.z[:, None] * self.X

    @property
    def row_space(self) -> Any:
        """None: that is of a regression.

        Raises:
            TypeError: Always, so that what is for regressions says so.
        """
        raise TypeError(
            "problem must be a LinearRegression here; got a BinaryClassification, for which there are solve_flow, "
            "solve_margin, run and stochastic_flow"
        )

    def margins(self, theta: Vectors) -> Float[Array, "*batch n"]:
        """`z_i⟨x_i, θ⟩`.

        Args:
            theta: Of shape (..., d).

        Returns:
            The margins, of shape (..., n).
        """
        xp = namespace(self.X, theta)
        with quiet():
            margins = xp.asarray(theta, self.dtype) @ self.X.T
            return margins * _along(self.z, margins)

    def log_loss(self, theta: Vectors) -> Float[Array, "*batch"]:
        """`ln L(θ)`: finite for all margins that are.

        Args:
            theta: Of shape (..., d).

        Returns:
            The logarithm of the loss, of shape (...).
        """
        return self.log_loss_at(self.margins(theta))

    def log_loss_at(self, margins: Float[Array, "*batch n"]) -> Float[Array, "*batch"]:
        """`log_loss` by the margins.

        Args:
            margins: m, (..., n).

        Returns:
            The logarithm of the loss, of shape (...).
        """
        return log_mean_exp(self.log_losses(margins))

    def loss(self, theta: Vectors) -> Float[Array, "*batch"]:
        """`L(θ)`, which underflows where `log_loss` does not.

        Args:
            theta: Of shape (..., d).

        Returns:
            The loss, of shape (...).
        """
        with quiet():
            return namespace(self.X, theta).exp(self.log_loss(theta))

    def residual(self, theta: Vectors) -> Float[Array, "*batch n"]:
        """`−|ℓ′(m_i)| z_i`, which stands in the gradient `Xᵀ residual/n` where a regression has `Xθ − y`.

        Args:
            theta: Of shape (..., d).

        Returns:
            The residual, of shape (..., n): of the logistic loss, the probability of the class less the class.
        """
        with quiet():
            slopes = namespace(self.X, theta).exp(self.log_slopes(self.margins(theta)))
            return -slopes * _along(self.z, slopes)

    def weights(self, theta: Vectors) -> Float[Array, "*batch n"]:
        """`|ℓ′(m_i)| / Σ_j ℓ(m_j)`: `−∇ ln L = Σ weights_i z_i x_i`. They sum to 1 for the exponential loss.

        Args:
            theta: Of shape (..., d).

        Returns:
            The weights, of shape (..., n).
        """
        return self.weights_at(self.margins(theta))

    def weights_at(self, margins: Float[Array, "*batch n"]) -> Float[Array, "*batch n"]:
        """`weights` by the margins.

        Args:
            margins: m, (..., n).

        Returns:
            The weights, of shape (..., n).
        """
        xp = namespace(self.X, margins)
        with quiet():
            total = self.log_loss_at(margins)[..., None] + np.log(margins.shape[-1])
            return xp.exp(self.log_slopes(margins) - total)

    def log_losses(self, margins: Float[Array, "*batch n"]) -> Float[Array, "*batch n"]:
        """`ln ℓ(m)`.

        Args:
            margins: m, of any shape.

        Returns:
            The logarithms, of that shape.
        """
        if self.loss_name == "exponential" or _are_far(margins):
            return -margins
        xp = namespace(margins)
        with quiet():
            # ln ln(1 + e^(−m)): from e^(−m) where that is small, since 1 + e^(−m) would lose it. Beyond 40 it is −m.
            small = xp.exp(-xp.clip(margins, 1, 40))
            return xp.where(
                margins > 1,
                -margins + xp.log(xp.log1p(small) / small),
                xp.log(xp.logaddexp(0.0 * margins, -xp.minimum(margins, 1))),
            )

    def log_slopes(self, margins: Float[Array, "*batch n"]) -> Float[Array, "*batch n"]:
        """`ln |ℓ′(m)|`.

        Args:
            margins: m, of any shape.

        Returns:
            The logarithms, of that shape.
        """
        if self.loss_name == "exponential" or _are_far(margins):
            return -margins
        with quiet():
            return -namespace(margins).logaddexp(0.0 * margins, margins)

    def separability(self) -> Separability:
        """Whether some θ has `z_i⟨x_i, θ⟩ > 0` for all samples, decided with a certificate either way.

        The point of the convex hull of the rows `z_i x_i` that is nearest to 0 is found by non-negative least squares.
        It separates, or it is 0 (Gordan's alternative). Rows and columns are brought to one size before, which
        changes neither.

        Returns:
            A `Separability`.

        Raises:
            TypeError: Inside a transformation of JAX's.

        References:
            [gordan1873ueber]; non-negative least squares, [lawson1995solving].

        ```python
        >>> import hamtheory as ht
        >>> apart = ht.BinaryClassification([[1.0, 2.0], [1.0, -1.0]], [1, -1]).separability()
        >>> same = ht.BinaryClassification([[1.0, 2.0], [1.0, 2.0]], [1, -1]).separability()
        >>> apart.holds, same.holds, same.weights.tolist()
        (True, False, [0.5, 0.5])

        ```
        """
        if is_traced(self.X):
            raise TypeError("separability must be asked of concrete data; X is traced by JAX")
        return kept(self, "_separability", lambda: _decided(np.asarray(self.signed, float)))

    @property
    def is_separable(self) -> bool | None:
        """`separability().holds`."""
        return self.separability().holds

    def __repr__(self) -> str:
        return f"BinaryClassification(n={self.n}, d={self.d}, loss={self.loss_name!r}, dtype={self.dtype})"


def log_mean_exp(exponents: Array) -> Array:
    """`ln mean exp`, over the last axis."""
    xp = namespace(exponents)
    with quiet():
        largest = xp.max(exponents, axis=-1, keepdims=True)
        shift = xp.where(xp.isfinite(largest), largest, xp.zeros_like(largest))
        return xp.log(xp.mean(xp.exp(exponents - shift), axis=-1)) + shift[..., 0]


def _are_far(margins: Array) -> bool:
    """Whether the logistic loss is the exponential one, to the last digit: what NumPy need not compute."""
    return type(margins) is np.ndarray and margins.size > 0 and bool(margins.min() > 40)


def _along(vector: Array, values: Array) -> Array:
    """A vector with the axes of `values` before its own."""
    return vector.reshape((1,) * (values.ndim - 1) + (-1,))


def _classes(z: Array) -> Array:
    """±1 of two classes."""
    if is_traced(z):
        import equinox as eqx

        xp = namespace(z)
        signs = (xp.abs(z) == 1).all()
        return xp.where(eqx.error_if(z, ~(signs | (z * (z - 1) == 0).all()), "z must be ±1, or 0 and 1") > 0, 1.0, -1.0)
    values = np.unique(np.asarray(z))
    if not (set(values) <= {-1.0, 1.0} or set(values) <= {0.0, 1.0}):
        raise ValueError(
            f"z must be ±1, or 0 and 1, or booleans; got {', '.join(f'{v:g}' for v in values[:5])}"
            f"{', ...' if values.size > 5 else ''}"
        )
    if values.size < 2:
        raise ValueError(f"z must have both classes; got {values[0]:g} alone")
    return namespace(z).where(z > 0, 1.0, -1.0)


def _decided(signed: np.ndarray) -> Separability:
    from scipy.optimize import nnls

    n, d = signed.shape
    sizes = np.max(np.abs(signed), axis=1)
    if np.any(sizes == 0):  # a sample at 0 has the margin 0, whatever θ
        return Separability(False, None, np.eye(n)[np.argmin(sizes)], 0.0)
    rows, rounding = signed / sizes[:, None], 4 * np.finfo(float).eps * np.sqrt(n + d)
    units, scale, left = np.ones(d), np.max(np.abs(rows), axis=0), np.inf
    for _ in range(_SCALINGS):
        # Columns as large as what is summed in them, and rows of one length: none is lost beside the others.
        scale = np.where(scale > 0, scale, 1.0)
        rows, units = rows / scale, units * scale
        lengths = np.linalg.norm(rows, axis=1)
        rows, sizes = rows / lengths[:, None], sizes * lengths
        # Least squares of [rowsᵀ; 1] w = [0; 1]: a multiple of the point of the convex hull that is nearest to 0.
        found, _ = nnls(np.vstack([rows.T, np.ones(n)]), np.append(np.zeros(d), 1.0), maxiter=30 * (n + d))
        weights = found / found.sum()
        nearest, scale = weights @ rows, weights @ np.abs(rows)
        left = float(np.linalg.norm(nearest))
        if left > 0 and np.all(rows @ nearest > rounding * (np.abs(rows) @ np.abs(nearest))):
            theta = nearest / units
            theta = theta / norm(theta)
            return Separability(True, theta, None, float(np.min(signed @ theta)))
        if np.all(np.abs(nearest) <= rounding * scale):
            weights = weights / (sizes / np.min(sizes[weights > 0]))
            weights = weights / weights.sum()
            return Separability(False, None, weights, float(norm(weights @ signed)))
    return Separability(None, None, None, left)
