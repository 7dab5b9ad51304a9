"""From a table to a problem and back: weights of samples, an intercept, columns of one size."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from .._array import Array, Struct, is_jax, namespace, quiet, static
from .._products import is_sparse
from .._types import Matrix, Samples, Vectors
from .._validate import finite, is_traced, nonnegative, real_array
from ._frames import check_order, names_of
from ._regression import LinearRegression


class Prepared(Struct):
    """A problem that `prepare` has made of a table, and the way back to the units of the table.

    Attributes:
        problem: The problem of the rows that count, `√w_i (x_i − centre)/scale` and `√w_i (y_i − y_centre)`, w being of
            mean 1.
        rows: Which rows of the table these are, (n,).
        roots: `√w_i` of each, (n,).
        centre: What is subtracted from the columns, (d,); zeros without an intercept.
        scale: What they are then divided by, (d,); ones unless they are standardised.
        y_centre: What is subtracted from y, (); 0 without an intercept.
        samples: The number of rows of the table.
        has_intercept: The argument `intercept`.

    ```python
    >>> import hamtheory as ht
    >>> prepared = ht.prepare([[1.0, 0.0], [3.0, 1.0], [9.0, 9.0]], [5.0, 9.0, 0.0], sample_weight=[1, 1, 0])
    >>> theta = ht.solve_limit(prepared.problem, ht.HAM(log_alpha=1e3)).theta
    >>> prepared.coefficients(theta).round(6).tolist(), round(float(prepared.intercept(theta)), 6)
    ([2.0, 0.0], 3.0)

    ```
    """

    problem: LinearRegression
    rows: Int[Array, " n"]
    roots: Float[Array, " n"]
    centre: Float[Array, " d"]
    scale: Float[Array, " d"]
    y_centre: Float[Array, ""]
    samples: int = static()
    has_intercept: bool = static()

    @property
    def names(self) -> tuple[str, ...] | None:
        """Those of the columns, (d,), if the table has some: those of the problem."""
        return self.problem.names

    def coefficients(self, theta: Vectors) -> Float[Array, "*batch d"]:
        """`θ/scale`: what multiplies the columns of the table.

        Args:
            theta: θ of the problem, (..., d).

        Returns:
            The coefficients, (..., d).
        """
        theta = namespace(self.scale, theta).asarray(theta, self.problem.dtype)
        with quiet():
            return theta / self.scale.reshape((1,) * (theta.ndim - 1) + (-1,))

    def intercept(self, theta: Vectors) -> Float[Array, "*batch"]:
        """`y_centre − ⟨centre, coefficients⟩`, with which the loss is least for this θ; 0 without an intercept.

        Args:
            theta: θ of the problem, (..., d).

        Returns:
            The intercepts, (...).
        """
        with quiet():
            return self.y_centre - self.coefficients(theta) @ self.centre

    def predict(self, theta: Vectors, X: Matrix) -> Float[Array, "*batch m"]:
        """`⟨x_i, coefficients⟩ + intercept`, for rows in the units of the table.

        Args:
            theta: θ of the problem, (..., d).
            X: Other rows of the same columns, (m, d).

        Returns:
            The predictions, (..., m).

        Raises:
            ValueError: For another number of columns.
            TypeError: For a sparse X.
        """
        X = namespace(self.scale, X).asarray(_dense(X), self.problem.dtype)
        if X.shape[1] != self.centre.shape[0]:
            raise ValueError(f"X must have {self.centre.shape[0]} columns, as the table had; got {X.shape[1]}")
        with quiet():
            return self.coefficients(theta) @ (X - self.centre[None, :]).T + self.y_centre

    def dual(self, nu: Samples) -> Float[Array, " samples"]:
        """`√w_i ν_i` of each row of the table, 0 of those that do not count.

        With it `R′(θ) = R′(θ₀) + X̂ᵀ dual` where X̂ is the table divided by `scale`, not centred: with an intercept
        `Σ dual_i = 0`, for the ν of least norm and under weight decay.

        Args:
            nu: ν of the problem, (n,).

        Returns:
            The multipliers, (samples,).
        """
        xp = namespace(self.roots, nu)
        dual = self.roots * xp.asarray(nu, self.problem.dtype)
        if self.has_intercept:  # where the sum is no zero it is rounding, which the mean of X would make larger
            dual = dual - self.roots**2 * (dual.sum() / (self.roots**2).sum())
        places = np.zeros(self.samples, int)
        places[np.asarray(self.rows)] = np.arange(1, len(self.rows) + 1)
        return xp.concatenate([xp.zeros_like(dual[:1]), dual])[places]


class _Columns(NamedTuple):
    """Columns in units: `values` (n, d), and with `unit`, a power of two for each, what has been subtracted."""

    values: np.ndarray
    centre: np.ndarray
    unit: np.ndarray


def prepare(
    X: Matrix,
    y: Samples,
    *,
    sample_weight: Samples | None = None,
    intercept: bool = True,
    standardize: bool = False,
) -> Prepared:
    """The problem of a table with weights of samples, an intercept and, on demand, columns of one size.

    Its loss is `min_b Σ w_i (⟨x_i, θ/s⟩ + b − y_i)² / (2 Σ w_i)`: with weights, as if row i were there w_i times.

    *The intercept* is no coordinate of the geometry: it takes its best value at every θ, which centring by the weighted
    means does. A flow that trained it would take it for one more entry of θ, as does a column of ones; that costs what
    R says, so that no limit would be left as it is when a constant is added to y.

    *Weights* change what a flow does on its way, limits under weight decay, and those of inconsistent equations. Of
    consistent ones they do not change the limit without weight decay, which is the solution that R prefers, but for
    the standard deviations of standardised columns. Those that are 0 take their rows out.

    *Standardised* columns are another problem with another bias: R sees `θ = s · coefficients`, s being the standard
    deviations, and prices an entry by what it does to the predictions, in any units of the columns.

    Equations whose digits centring takes away are consistent as far as the digits that were given tell.

    Args:
        X: The table, (samples, d), real and finite, dense.
        y: The target, (samples,).
        sample_weight: w ≥ 0, (samples,), in any unit; left out: all are alike.
        intercept: Whether there is one.
        standardize: Divide the columns by their weighted standard deviation, about 0 without an intercept. Columns that
            are constant stay as they are: with an intercept their coefficient is 0.

    Returns:
        A `Prepared`, with `problem`, `coefficients(theta)`, `intercept(theta)` and `predict(theta, X)`.

    Raises:
        ValueError: As `LinearRegression`; for weights of another length, negative ones, and none that is positive.
        TypeError: For a sparse X, and for arrays that JAX traces.

    ```python
    >>> import hamtheory as ht
    >>> prepared = ht.prepare([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0]], [1.0, 3.0, 5.0])
    >>> theta = ht.min_norm(prepared.problem)
    >>> prepared.coefficients(theta).round(6).tolist(), prepared.predict(theta, [[3.0, 1.0]]).round(6).tolist()
    ([2.0, 0.0], [7.0])

    ```
    """
    if is_traced((X, y, sample_weight)):
        raise TypeError("prepare must be asked of concrete data; X, y or sample_weight is traced by JAX")
    xp = namespace(*(array for array in (X, y) if is_jax(array)))
    given, target = finite(_dense(X), "X"), finite(real_array(y, "y", ndim=1), "y")
    if target.shape[0] != given.shape[0] or given.size == 0:
        LinearRegression(given, target)  # says what is wrong
    check_order(X, y, "y", None)
    rows, roots = _weights(sample_weight, given.shape[0])
    dtype = np.promote_types(given.dtype, target.dtype)
    table, values = np.asarray(given, float)[rows], np.asarray(target, float)[rows, None]
    with quiet():
        columns, outcome = (_in_units(array, roots, intercept, dtype) for array in (table, values))
        scale = _sizes(columns, roots) if standardize else np.ones(table.shape[1])
        matrix = columns.values * (columns.unit / scale) * roots[:, None]
        vector = (outcome.values * outcome.unit)[:, 0] * roots
        centre, y_centre = columns.centre * columns.unit, (outcome.centre * outcome.unit)[0]
        sizes = (np.abs(table) + np.abs(centre)) / scale, np.abs(values[:, 0]) + np.abs(y_centre)
    as_own = lambda array: xp.asarray(array.astype(dtype))  # noqa: E731
    problem = LinearRegression(as_own(matrix), as_own(vector))
    if intercept and not bool(problem.is_consistent):
        fitted = _matched(problem, matrix, vector, (sizes[0] * roots[:, None], sizes[1] * roots))
        problem = problem if fitted is None else LinearRegression(problem.X, as_own(fitted))
    problem = problem.named(names_of(X))
    roots, centre, scale, y_centre = map(as_own, (roots, centre, scale, y_centre))
    return Prepared(problem, xp.asarray(rows), roots, centre, scale, y_centre, given.shape[0], intercept)


def _matched(problem: LinearRegression, matrix: np.ndarray, vector: np.ndarray, sizes: Any) -> np.ndarray | None:
    """The y that least squares fits, if no equation misses it by more than rounding of terms of these sizes."""
    with quiet():
        theta = np.asarray(problem.row_space.target @ problem.row_space.basis, float)
        fitted, terms = matrix @ theta, sizes[0] @ np.abs(theta) + sizes[1]
        is_rounding = np.abs(vector - fitted) <= 10 * max(matrix.shape) * np.finfo(problem.dtype).eps * terms
    return fitted if is_rounding.all() else None


def _dense(X: Any) -> Array:
    """X as a floating array."""
    if is_sparse(X):
        raise TypeError(f"X must be dense here; got a sparse {type(X).__name__}, of which X.toarray() is an array")
    return real_array(X, "X", ndim=2)


def _weights(sample_weight: Any, n: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows that count, and the root of the weight of each, the mean being 1."""
    if sample_weight is None:
        return np.arange(n), np.ones(n)
    weights = np.asarray(nonnegative(real_array(sample_weight, "sample_weight", ndim=1), "sample_weight"), float)
    if weights.size != n:
        raise ValueError(f"sample_weight must have one entry a row of X, {n}; got {weights.size}")
    rows = np.flatnonzero(weights)
    if rows.size == 0:
        raise ValueError("sample_weight must be positive for at least one row; got zeros alone, so that no row counts")
    roots = np.sqrt(weights[rows]) / np.sqrt(weights.max())
    return rows, roots / np.sqrt(np.mean(np.square(roots)))


def _in_units(columns: np.ndarray, roots: np.ndarray, intercept: bool, dtype: np.dtype) -> _Columns:
    """The columns in units of their size, centred if there is an intercept: twice, as the mean is rounded, too.

    Columns that differ by no more than rounding are constant, and exactly 0 when they are centred.
    """
    largest = np.max(np.abs(columns), axis=0)
    unit = np.exp2(np.floor(np.log2(np.where(largest > 0, largest, 1.0))))
    values, centre = columns / unit, np.zeros(columns.shape[1])
    if intercept:
        shares = np.square(roots) / np.sum(np.square(roots))
        is_constant = np.ptp(values, axis=0) <= 4 * np.finfo(dtype).eps * np.max(np.abs(values), axis=0)
        for _ in range(2):
            mean = shares @ values
            values, centre = values - mean, centre + mean
        values = np.where(is_constant, 0.0, values)
    return _Columns(values, centre, unit)


def _sizes(columns: _Columns, roots: np.ndarray) -> np.ndarray:
    """The weighted root mean squares; of columns of zeros, 1."""
    sizes = np.linalg.norm(columns.values * roots[:, None], axis=0) / np.linalg.norm(roots)
    return np.where(sizes > 0, sizes * columns.unit, 1.0)
