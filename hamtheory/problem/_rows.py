"""The row space of an X that is known by its products alone.

With rows of length 1, the Gram matrix of X has a pivoted Cholesky factorisation, which says which rows are far from the
span of those before them. Of the others remains nothing but rounding, or a direction near it, which is kept as a dense
row: so nothing is decided by the squares of singular values. In the orthonormal basis that this defines X is a matrix
with n rows and at most n columns, whose singular value decomposition is that of X (`RowSpace`), and the basis of the
row space is a product `Q = T Z` with T of n rows and Z such rows of X. Nothing of size n × d is ever formed.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from .._array import quiet, replaced
from .._products import OperatorRows, ProductBasis, Rows, SparseRows, blocks, is_sparse, lengths_of
from ._row_space import RowSpace

Array = Any
_FAR = 1e-4  # the squared distance of a row from the span of others, above which the Gram matrix has its digits
_MOST = 2**27  # numbers in dense rows
_PROBES = 4  # random vectors that tell whether anything is left of a row
_EPS = float(np.finfo(float).eps)


def row_space_of_products(X: Array, y: Array) -> RowSpace:
    """The row space of an X that is known by its products; of one with more rows than columns, of the array.

    Args:
        X: Of SciPy, (n, d).
        y: The target, (n,).

    Returns:
        A `RowSpace` whose basis is a `ProductBasis`, or an array if n > d.
    """
    n, d = X.shape
    with quiet():
        if n > d:
            return RowSpace(X.toarray() if is_sparse(X) else X.matmat(np.eye(d, dtype=X.dtype)), y)
        lengths = lengths_of(X)
        if not np.isfinite(lengths).all():
            raise ValueError(f"X must be finite; row {int(np.argmin(np.isfinite(lengths)))} of it is not")
        rows, core, lower = _independent(X, np.where(lengths > 0, lengths, 1.0))
        space = RowSpace((lengths[:, None] * core).astype(X.dtype), y, size=max(n, d))
        turn = np.asarray(space.basis, float)
        inverse = lower @ turn.T if int(space.rank) == len(turn) else None
        return replaced(space, basis=ProductBasis(_solved(lower, turn.T, transposed=True).T, rows, inverse))


def _solved(lower: Array, right: Array, transposed: bool = False) -> Array:
    """`L⁻¹ right` or `L⁻ᵀ right`, of a triangular matrix."""
    from scipy.linalg import solve_triangular

    return solve_triangular(lower, right, lower=True, trans=1 if transposed else 0)


def _independent(X: Array, lengths: Array) -> tuple[Rows, Array, Array]:
    """Rows Z that span those of X; the rows of X over their lengths in the basis `L⁻¹ Z`, (n, r), and L."""
    from scipy.linalg import lapack

    (n, d), none = X.shape, np.zeros((0, X.shape[1]))
    if is_sparse(X):
        import scipy.sparse

        data = X.data / np.repeat(lengths, np.diff(X.indptr))
        matrix = scipy.sparse.csr_array((data, X.indices, X.indptr), shape=X.shape)
        some: Callable[[Array, Array], Rows] = lambda index, dense: SparseRows(matrix[index], dense)  # noqa: E731
    else:
        some = lambda index, dense: OperatorRows(X, lengths, index, dense)  # noqa: E731
    whole = some(np.arange(n), none)
    gram = whole.own_gram(None)
    routines: Any = lapack
    factor, pivots, rank, _ = routines.dpstrf(gram, tol=_FAR, lower=1)
    order = pivots - 1
    picked, others = order[:rank], order[rank:]
    lower = np.tril(factor)[:rank, :rank]
    rows = some(picked, none)
    dense = _near_dependent(whole, rows, lower, gram, picked, others) if len(others) else none
    if not rank + len(dense):
        dense = np.zeros((1, d))
    inside = _solved(lower, gram[:, picked].T).T if rank else np.zeros((n, 0))
    core = np.hstack([inside, whole.products(dense.T)])
    everything = np.eye(rank + len(dense))
    everything[:rank, :rank] = lower
    return some(picked, dense), core, everything


def _near_dependent(whole: Rows, rows: Rows, lower: Array, gram: Array, picked: Array, others: Array) -> Array:
    """Orthonormal rows, (k, d), that span with the picked ones what the others leave of the row space."""
    n, d = whole.shape
    least = max(n, d) * _EPS
    factors = np.zeros((len(others), n))
    factors[np.arange(len(others)), others] = 1.0
    if len(picked):
        inner = _solved(lower, _solved(lower, gram[picked][:, others]), transposed=True)
        factors[:, picked] = -inner.T
    probes = np.random.default_rng(0).standard_normal((d, _PROBES))
    left = np.abs(factors @ whole.products(probes)).max(axis=1)
    found = np.zeros((0, d))
    suspects = factors[left > least]
    for block in blocks(len(suspects), d):
        rest = whole.combination(suspects[block])
        for _ in range(2):
            rest = _removed(rest, rows, lower, found)
        _, sizes, directions = np.linalg.svd(rest, full_matrices=False)
        new = directions[sizes > least]
        for _ in range(2):
            new = np.linalg.qr(_removed(new, rows, lower, found).T)[0].T
        found = np.concatenate([found, new])
        if found.size > _MOST:
            raise ValueError(
                f"X has at least {len(found)} rows that depend on the others but for a part below "
                f"{_FAR**0.5:g} of their length: too many to be told apart by products; give X as an array"
            )
    return found


def _removed(vectors: Array, rows: Rows, lower: Array, dense: Array) -> Array:
    """Vectors, (many, d), without their parts in the span of rows."""
    if len(lower):
        along = _solved(lower, _solved(lower, rows.products(vectors.T)), transposed=True)
        vectors = vectors - rows.combination(np.ascontiguousarray(along.T))
    return vectors - (vectors @ dense.T) @ dense if len(dense) else vectors
