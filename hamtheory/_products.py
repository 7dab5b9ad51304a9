"""An X that is known by its products alone, SciPy's sparse matrices and linear operators, and the basis of its rows.

The basis is a product `Q = T Z` of a small matrix and rows of X (`row_space_of_products`, of `problem/`).

Tried and lost: docs/decisions/products.md.
"""

import abc
import functools
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from ._array import quiet

Array = Any
_BLOCK = 2**24  # numbers in a block of dense rows
_PAIRS = 2**24  # pairs of entries in a column, which are kept


def is_sparse(X: Any) -> bool:
    """Whether X is one of SciPy's sparse matrices or arrays."""
    return "scipy.sparse" in sys.modules and sys.modules["scipy.sparse"].issparse(X)


def is_operator(X: Any) -> bool:
    """Whether X is one of SciPy's linear operators."""
    return "scipy.sparse.linalg" in sys.modules and isinstance(X, sys.modules["scipy.sparse.linalg"].LinearOperator)


def has_products(X: Any) -> bool:
    """Whether X is known by its products alone."""
    return is_sparse(X) or is_operator(X)


def refuse_products(value: Any, what: str) -> None:
    """An error if a problem, or one among several, has an X that `what` cannot use."""
    for problem in value if isinstance(value, (list, tuple)) else (value,):
        if has_products(X := getattr(problem, "X", None)):
            kind = "sparse" if is_sparse(X) else "a LinearOperator"
            raise TypeError(
                f"X must be an array for {what}; it is {kind}, which solve_limit, limit_path, regularization_path, "
                "min_norm, solve_flow and product_flow take. If it fits into memory: X.toarray(), or X @ numpy.eye(d)"
            )


def own_matrix(X: Any, y_dtype: np.dtype) -> Array:
    """A copy of X in the dtype that it has with y: a CSR array, or an operator.

    Args:
        X: Of SciPy, (n, d).
        y_dtype: That of y.

    Returns:
        X, (n, d), finite if it is sparse.
    """
    if len(X.shape) != 2:
        raise ValueError(f"X must have 2 axes; got shape {tuple(X.shape)}")
    kind = np.dtype(np.float64 if X.dtype is None else X.dtype)
    if kind.kind not in "fiub":
        raise ValueError(f"X must hold real numbers; got dtype {kind}")
    if kind.itemsize == 2 and kind.kind == "f":
        raise ValueError(f"X must be in float32 or float64; got {kind}, whose rounding leaves no certificate")
    dtype = np.promote_types(np.float32 if kind == np.float32 else np.float64, y_dtype)
    if not is_sparse(X):
        return _operator(X, dtype)
    import scipy.sparse

    with np.errstate(over="ignore"):
        own = scipy.sparse.csr_array(X, dtype=dtype, copy=True)
    own.sum_duplicates()
    own.eliminate_zeros()
    if not np.isfinite(own.data).all():
        bad = int(np.flatnonzero(~np.isfinite(own.data))[0])
        row = int(np.searchsorted(own.indptr, bad, side="right")) - 1
        raise ValueError(f"X must be finite; got {own.data[bad]} at index {row}, {own.indices[bad]}")
    for array in (own.data, own.indices, own.indptr):
        array.setflags(write=False)
    return own


def _operator(X: Any, dtype: np.dtype) -> Array:
    """A linear operator of that dtype whose products are arrays of it."""
    _check_adjoint(X)
    return _linear(X, lambda vectors: X.matmat(vectors), lambda vectors: X.rmatmat(vectors), dtype)


def _linear(X: Any, matmat: Callable, rmatmat: Callable, dtype: np.dtype) -> Array:
    """An operator of the shape of X with these products."""
    from scipy.sparse import linalg

    make: Any = linalg.LinearOperator
    there, back = (lambda vectors, of=of: np.asarray(of(vectors), dtype) for of in (matmat, rmatmat))
    return make(
        X.shape,
        matvec=lambda vector: there(vector.reshape(-1, 1))[:, 0],
        rmatvec=lambda vector: back(vector.reshape(-1, 1))[:, 0],
        matmat=there,
        rmatmat=back,
        dtype=dtype,
    )


def _check_adjoint(X: Any) -> None:
    """An error unless there are products with Xᵀ, and they fit those with X."""
    rng = np.random.default_rng(0)
    u, v = rng.standard_normal(X.shape[0]), rng.standard_normal(X.shape[1])
    try:
        back = X.rmatvec(u)
    except (NotImplementedError, TypeError):
        raise ValueError(
            "X must know its products with vectors from the left: give the LinearOperator an rmatvec"
        ) from None
    there = X.matvec(v)
    with quiet():
        off, size = abs(u @ there - back @ v), np.linalg.norm(u) * np.linalg.norm(there) + np.linalg.norm(back * v)
        if off > 1e-4 * size:
            raise ValueError(f"X must be linear, with rmatvec its transpose: ⟨u, Xv⟩ and ⟨Xᵀu, v⟩ differ by {off:.1e}")


def times(X: Array, theta: Array) -> Array:
    """`Xθ` of any number of θ.

    Args:
        X: Of SciPy, (n, d).
        theta: Of shape (..., d).

    Returns:
        Of shape (..., n).
    """
    return (X @ theta.reshape(-1, X.shape[1]).T).T.reshape(*theta.shape[:-1], X.shape[0])


def combined(X: Array, dual: Array) -> Array:
    """`Xᵀν` of any number of ν.

    Args:
        X: Of SciPy, (n, d).
        dual: Of shape (..., n).

    Returns:
        Of shape (..., d).
    """
    flat = dual.reshape(-1, X.shape[0]).T
    return (X.T @ flat if is_sparse(X) else X.rmatmat(flat)).T.reshape(*dual.shape[:-1], X.shape[1])


def divided(X: Array, by: Any) -> Array:
    """X over a number."""
    if is_sparse(X):
        return X / by
    return _linear(X, lambda vectors: X.matmat(vectors) / by, lambda vectors: X.rmatmat(vectors) / by, X.dtype)


def terms(X: Array, theta: Array) -> Array:
    """A bound on `|X| |θ|`, (n,): what the rounding of Xθ is relative to."""
    if is_sparse(X):
        return abs(X) @ np.abs(theta)
    return lengths_of(X) * float(np.linalg.norm(theta))


def without_columns(X: Array, kept: Array) -> Array:
    """X with zeros in place of the columns that are not kept, (n, d)."""
    if is_sparse(X):
        return X.multiply(kept[None, :]).tocsr()
    column = kept[:, None].astype(X.dtype)
    return _linear(X, lambda vectors: X.matmat(vectors * column), lambda vectors: X.rmatmat(vectors) * column, X.dtype)


def lengths_of(X: Array) -> Array:
    """The lengths of the rows, (n,), also of numbers whose squares leave the range."""
    if is_sparse(X):
        largest = abs(X).max(axis=1).toarray().reshape(-1).astype(float)
        units = np.where(largest > 0, largest, 1.0)
        per_entry = np.repeat(units, np.diff(X.indptr))
        squares = np.bincount(
            np.repeat(np.arange(X.shape[0]), np.diff(X.indptr)), np.square(X.data / per_entry), X.shape[0]
        )
        return np.sqrt(squares) * units
    found = np.zeros(X.shape[0])
    for rows in blocks(*X.shape):
        dense = combined(X, np.eye(X.shape[0])[rows])
        units = np.max(np.abs(dense), axis=1)
        units = np.where(units > 0, units, 1.0)
        found[rows] = np.linalg.norm(dense / units[:, None], axis=1) * units
    return found


def blocks(n: int, d: int) -> list[slice]:
    step = max(1, _BLOCK // d)
    return [slice(first, min(first + step, n)) for first in range(0, n, step)]


class Rows(abc.ABC):
    """Rows Z of X over their lengths, and dense rows below them: what there is to do with them.

    Args:
        dense: The dense rows, (k, d).
    """

    def __init__(self, count: int, dense: Array):
        self.count, self.dense = count, dense
        self.shape = count + dense.shape[0], dense.shape[1]
        self._kept: Any = None

    @abc.abstractmethod
    def of_matrix(self, vectors: Array) -> Array:
        """The products of the rows of X with vectors, (d, many)."""

    @abc.abstractmethod
    def of_rows(self, factors: Array) -> Array:
        """The combinations of the rows of X with these factors, (many, count)."""

    @abc.abstractmethod
    def own_gram(self, weights: Array | None) -> Array:
        """`Z diag(w) Zᵀ` of the rows of X; None for weights of 1."""

    @abc.abstractmethod
    def own_squares(self) -> Array:
        """The squared norms of their columns, (d,)."""

    @abc.abstractmethod
    def of_columns(self, index: Array) -> "Rows":
        """Some of the columns."""

    def columns(self, index: Array) -> "Rows":
        """The same, kept for who asks for the same columns again."""
        if self._kept is None or self._kept[0] is not index:
            self._kept = index, self.of_columns(index)
        return self._kept[1]

    def products(self, vectors: Array) -> Array:
        """Z times (d,) or (d, many)."""
        found = self.of_matrix(vectors.reshape(self.shape[1], -1))
        if len(self.dense):
            found = np.concatenate([found, self.dense @ vectors.reshape(self.shape[1], -1)])
        return found.reshape(self.shape[0], *vectors.shape[1:])

    def combination(self, factors: Array) -> Array:
        """(r,) or (many, r) times Z."""
        flat = factors.reshape(-1, self.shape[0])
        found = self.of_rows(flat[:, : self.count])
        if len(self.dense):
            found += flat[:, self.count :] @ self.dense
        return found.reshape(*factors.shape[:-1], self.shape[1])

    def squares(self) -> Array:
        return self.own_squares() + np.square(self.dense).sum(axis=0)

    def gram(self, weights: Array) -> Array:
        """`Z diag(w) Zᵀ`, (r, r)."""
        own = self.own_gram(weights)
        if not len(self.dense):
            return own
        weighted = self.dense * weights
        mixed = self.of_matrix(weighted.T)
        return np.block([[own, mixed], [mixed.T, weighted @ self.dense.T]])


class SparseRows(Rows):
    """Those of a sparse X.

    Args:
        matrix: Rows of length 1, a CSR array, (count, d).
        dense: The dense rows, (k, d).
    """

    def __init__(self, matrix: Array, dense: Array):
        super().__init__(matrix.shape[0], dense)
        self.matrix, self.transposed = matrix, matrix.T.tocsr()

    def of_matrix(self, vectors):
        return self.matrix @ vectors

    def of_rows(self, factors):
        return np.ascontiguousarray((self.transposed @ factors.T).T)

    def own_gram(self, weights):
        import scipy.sparse

        m = self.matrix
        if weights is None:
            return (m @ self.transposed).toarray()
        if self.pairs is not None:
            return self.pairs.gram(weights)
        scaled = scipy.sparse.csr_array((m.data * weights[m.indices], m.indices, m.indptr), shape=m.shape)
        return (scaled @ self.transposed).toarray()

    @functools.cached_property
    def pairs(self) -> "Pairs | None":
        """Those of the entries of each column, unless there are too many."""
        counts = np.diff(self.transposed.indptr).astype(float)
        return Pairs(self.transposed) if np.sum(counts * (counts + 1)) / 2 <= _PAIRS else None

    def own_squares(self):
        return np.bincount(self.matrix.indices, np.square(self.matrix.data), self.shape[1])

    def of_columns(self, index):
        return SparseRows(self.transposed[index].T.tocsr(), self.dense[:, index])


class Pairs:
    """`w ↦ Z diag(w) Zᵀ` as a sum over the pairs of entries of each column, in the order of the sum's places.

    Args:
        transposed: Zᵀ, a CSR array, (d, rows).
    """

    def __init__(self, transposed: Array):
        self.count, ends = transposed.shape[1], np.repeat(transposed.indptr[1:], np.diff(transposed.indptr))
        columns = np.repeat(np.arange(transposed.shape[0]), np.diff(transposed.indptr))
        places, values, of = [], [], []
        first, apart = np.arange(transposed.nnz), 0
        while first.size:
            i, j = transposed.indices[first].astype(np.int64), transposed.indices[first + apart]
            places.append(np.maximum(i, j) * self.count + np.minimum(i, j))
            values.append(transposed.data[first] * transposed.data[first + apart])
            of.append(columns[first])
            apart += 1
            first = first[first + apart < ends[first]]
        places = np.concatenate(places)
        order = np.argsort(places, kind="stable")
        places = places[order]
        self.values, self.of = np.concatenate(values)[order], np.concatenate(of)[order]
        self.starts = np.flatnonzero(np.diff(places, prepend=-1))
        self.below, self.beside = np.divmod(places[self.starts], self.count)

    def gram(self, weights: Array) -> Array:
        found = np.zeros((self.count, self.count))
        if self.starts.size:
            sums = np.add.reduceat(self.values * weights[self.of], self.starts)
            found[self.below, self.beside] = sums
            found[self.beside, self.below] = sums
        return found


class OperatorRows(Rows):
    """Those of a linear operator: its Gram matrix takes a product with X and one with Xᵀ for each row.

    Args:
        X: The operator, (n, d).
        lengths: Of its rows, (n,).
        index: Which of the rows, (count,).
        dense: The dense rows, (k, columns).
        seen: Which columns; None for all.
    """

    def __init__(self, X: Array, lengths: Array, index: Array, dense: Array, seen: Array | None = None):
        super().__init__(len(index), dense)
        self.X, self.lengths, self.index, self.seen = X, lengths, index, seen

    def of_matrix(self, vectors):
        if self.seen is not None:
            whole = np.zeros((self.X.shape[1], vectors.shape[1]))
            whole[self.seen] = vectors
            vectors = whole
        return self.X.matmat(vectors)[self.index] / self.lengths[self.index, None]

    def of_rows(self, factors):
        whole = np.zeros((self.X.shape[0], len(factors)))
        whole[self.index] = (factors / self.lengths[self.index]).T
        found = self.X.rmatmat(whole).T
        return np.array(found if self.seen is None else found[:, self.seen], float)

    def own_gram(self, weights):
        found, one = np.empty((self.count, self.count)), np.eye(self.count)
        for rows in blocks(self.count, self.shape[1]):
            part = self.of_rows(one[rows])
            found[:, rows] = self.of_matrix((part if weights is None else part * weights).T)
        return (found + found.T) / 2

    def own_squares(self):
        one, total = np.eye(self.count), np.zeros(self.shape[1])
        for rows in blocks(self.count, self.shape[1]):
            total += np.square(self.of_rows(one[rows])).sum(axis=0)
        return total

    def of_columns(self, index):
        seen = index if self.seen is None else self.seen[index]
        return OperatorRows(self.X, self.lengths, self.index, self.dense[:, index], seen)


class ProductBasis:
    """`Q = T Z`, (r, d), with what an array of this shape is asked for: products from both sides, and rows or columns.

    Attributes:
        turn: T, (r, rows).
        rows: Z.
        inverse: That of T, or None if it has none.
    """

    ndim, dtype = 2, np.dtype(np.float64)
    __array_ufunc__ = None  # so that arrays leave their products to it

    def __init__(self, turn: Array, rows: Rows, inverse: Array | None = None):
        self.turn, self.rows, self.inverse = turn, rows, inverse
        self.shape = turn.shape[0], rows.shape[1]

    def __len__(self) -> int:
        return self.shape[0]

    def __matmul__(self, vectors: Array) -> Array:
        return self.turn @ self.rows.products(vectors)

    def __rmatmul__(self, factors: Array) -> Array:
        return self.rows.combination(factors @ self.turn)

    def __rmul__(self, factors: Array) -> "ProductBasis":
        """Its rows times a column of factors, (r, 1)."""
        return ProductBasis(factors * self.turn, self.rows)

    def __array_function__(self, function: Callable, types: Any, args: Any, kwargs: Any) -> Array:
        if function is not np.dot:
            return NotImplemented
        return args[0] @ args[1]

    def __getitem__(self, which: Any) -> "ProductBasis":
        if isinstance(which, slice):
            inverse = self.inverse if len(range(*which.indices(len(self)))) == len(self) else None
            return ProductBasis(self.turn[which], self.rows, inverse)
        every, index = which
        return ProductBasis(self.turn[every], self.rows.columns(index), self.inverse)

    @property
    def T(self) -> "_Transposed":
        return _Transposed(self)

    def squares(self) -> Array:
        """The squared norms of the columns of Z, which are 0 where those of Q are, (d,)."""
        return self.rows.squares()

    def gram(self, weights: Array) -> Array:
        """`Q diag(w) Qᵀ`, (r, r)."""
        found = self.turn @ self.rows.gram(weights) @ self.turn.T
        return (found + found.T) / 2


class _Transposed:
    __array_ufunc__ = None

    def __init__(self, basis: ProductBasis):
        self.basis = basis

    def __rmatmul__(self, vectors: Array) -> Array:
        return (self.basis @ vectors.T).T

    def __matmul__(self, other: Any) -> Array:
        return (np.eye(self.basis.shape[1]) @ self) @ other


def weighted_gram(basis: Any, weights: Array) -> Array:
    """`Q diag(w) Qᵀ`, of an array or by products, (r, r)."""
    return basis.gram(weights) if isinstance(basis, ProductBasis) else (basis * weights) @ basis.T
