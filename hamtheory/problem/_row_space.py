"""The row space of X: what every limit and every dual flow lives in."""

import functools
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from .._array import Array, Struct, kept, namespace, norm, quiet
from .._types import Samples, Vector


class RowSpace(Struct):
    """The thin singular value decomposition `X = U diag(s) Q`, restricted to its numerical rank, with the target `b`.

    The rows of `Q` are orthonormal, so the interpolators (or, for an inconsistent y, the least-squares set) are
    `{θ : Qθ = b}`: a constraint that is as well conditioned as the question allows, whatever the conditioning or the
    rank of X.

    Which directions there are, the *rank*, and whether y is in the range of X are decided for rows of one length, since
    an equation in other units is the same equation: the singular values of `D⁻¹X` count that are above
    `max(n, d) · eps` times the largest, D being the lengths of the rows. So is the target, unless y is inconsistent:
    then it is that of least squares in the units of y. The decomposition itself is that of X in its own units, in
    which the flow is `dλ/dt = −s²(Qθ − b)/n`.

    With r = min(n, d), the trailing r − rank entries and rows are zero, so that shapes stay static under `jit` and
    `vmap`.

    Args:
        X: The matrix, (n, d).
        y: The target, (n,), or several that share X, (instances, n): then so has all that depends on it.
        size: What rounding grows with; left out: max(n, d).

    Attributes:
        left: U, (n, r).
        singular_values: s, (r,).
        basis: Q, (r, d).
        target: b, (r,).
        active: Which of the r directions carry the rank.
        rank: Of X, an integer.
        distance: Of y from the range of X.
        is_consistent: Whether there is no more between y and the range than rounding, in every equation.
    """

    left: Float[Array, "n r"]
    singular_values: Float[Array, " r"]
    basis: Float[Array, "r d"]
    target: Float[Array, "*instances r"]
    active: Bool[Array, " r"]
    rank: Int[Array, ""]
    distance: Float[Array, "*instances"]
    is_consistent: Bool[Array, "*instances"]

    def __init__(self, X: Float[Array, "n d"], y: Float[Array, "*instances n"], size: int | None = None):
        xp = namespace(X, y)
        eps, extent = xp.finfo(X.dtype).eps, max(X.shape) if size is None else size
        with quiet():
            lengths = norm(X, axis=1)
            is_equation = lengths > 0  # a row of zeros has no terms
            lengths = xp.where(is_equation, lengths, xp.ones_like(lengths))
            rows, values = X / lengths[:, None], y / lengths
            rotated, spread, basis = xp.linalg.svd(rows, full_matrices=False)
            active = spread > xp.max(spread) * extent * eps
            rotated, basis = xp.where(active[None, :], rotated, 0), xp.where(active[:, None], basis, 0)
            target = xp.where(active, _times(values, rotated) / xp.where(active, spread, 1), 0)
            # In rows of length 1 an equation may be as large as θ, and its rounding is relative to that.
            missing = xp.where(is_equation, values - _times(spread * target, rotated.T), values)
            terms = xp.where(is_equation, xp.maximum(xp.abs(values), norm(target, axis=-1)[..., None]), 0)
            self.is_consistent = xp.all(xp.abs(missing) <= 10 * extent * eps * terms, axis=-1)
            left, s, turn, inside = _in_own_units(lengths, rotated, spread, active)
            target, basis = _times(target, turn.T), turn @ basis
            # Of an inconsistent y, least squares in the units of y.
            squares = xp.where(inside, _times(y, left) / xp.where(inside, s, 1), 0)
            target = xp.where(self.is_consistent[..., None], target, squares)
            self.distance = norm(y - _times(_times(y, left), left.T), axis=-1)
        self.left, self.singular_values, self.basis, self.target = left, s, basis, target
        self.active, self.rank = inside, xp.sum(inside)

    def coordinates(self, dual: Samples) -> Float[Array, " r"]:
        """`λ = s Uᵀν`, the coordinates in the basis Q of `Xᵀν = Qᵀλ`.

        Args:
            dual: ν, (n,).

        Returns:
            λ, (r,).
        """
        return self.singular_values * (self.left.T @ namespace(self.left, dual).asarray(dual))

    def dual(self, coordinates: Float[Array, " r"]) -> Float[Array, " n"]:
        """The ν of least norm with `Xᵀν = Qᵀλ`.

        Args:
            coordinates: λ, (r,).

        Returns:
            ν, (n,).
        """
        xp = namespace(self.left, coordinates)
        divisors = lambda: xp.where(self.active, self.singular_values, 1)  # noqa: E731
        return self.left @ (coordinates / (kept(self, "_divisors", divisors) if xp is np else divisors()))

    @functools.cached_property
    def nearest(self) -> Float[Array, " d"]:
        """`Qᵀb`, the least-squares solution nearest to 0. Of NumPy's arrays only, as it is kept."""
        return self.target @ self.basis

    def project(self, vector: Vector) -> Float[Array, " r"]:
        """The coordinates of the orthogonal projection of a d-vector on row(X).

        Args:
            vector: Of shape (d,).

        Returns:
            The coordinates, (r,).
        """
        return self.basis @ namespace(self.basis, vector).asarray(vector)


_PIECE = 256  # rows


def _times(rows: Array, matrix: Array) -> Array:
    """A row by a matrix; many in pieces of one shape, so that the rounding of one does not depend on how many."""
    if rows.ndim == 1:
        return rows @ matrix
    xp, count = namespace(rows), len(rows)
    padded = xp.concatenate([rows, xp.zeros((-count % _PIECE, rows.shape[1]), rows.dtype)])
    pieces = padded.reshape(-1, _PIECE, rows.shape[1])
    return xp.concatenate([piece @ matrix for piece in pieces])[:count]


_UNEVEN = 1e3  # from this ratio of the lengths on, small singular values need more than absolute accuracy


def _in_own_units(lengths: Any, rotated: Any, spread: Any, active: Any) -> tuple[Any, Any, Any, Any]:
    """`diag(lengths) rotated diag(spread) = U diag(s) V` with V (r, r) orthogonal on the active directions: U, s, V and
    which are."""
    rows = rotated * spread[None, :]
    xp = namespace(rows)
    is_uneven = xp is np and np.min(lengths) * _UNEVEN < np.max(lengths) and rows.dtype == np.float64
    unit = xp.max(lengths)
    if is_uneven:  # the squares of a pair whose quotient is a number are then numbers, too
        unit = max(np.sqrt(np.min(lengths)) * np.sqrt(unit), unit / 1e150)
    scaled = rows * (lengths / unit)[:, None]
    inside = xp.arange(rows.shape[1]) < xp.sum(active)
    if is_uneven and np.sum(active) < len(lengths):
        return _of_dependent_rows(lengths, rows, int(np.sum(active)))
    if is_uneven:
        left, s, turn = _jacobi(scaled)
        left = _graded(rotated, spread, turn, lengths / unit, s)
    else:
        left, s, turn = xp.linalg.svd(scaled, full_matrices=False)
    # A direction of a zero column is sorted behind the others, where s is zero to rounding.
    least = xp.finfo(s.dtype).tiny
    s = xp.where(inside, xp.maximum(s, least) * unit, 0)
    return xp.where(inside[None, :], left, 0), s, xp.where(inside[:, None], turn, 0), inside


def _jacobi(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The singular value decomposition by Jacobi's method, whose small singular values have their digits.

    Of a square matrix of independent rows that differ in scale.

    Args:
        matrix: Of shape (r, r).

    Returns:
        U, s and V, with `matrix = U diag(s) V`.

    References:
        [drmac2008jacobi].
    """
    from scipy.linalg import lapack

    s, left, v, work, _, info = lapack.dgejsv(matrix, joba=2, jobu=0, jobv=0)  # type: ignore[attr-defined]
    return np.linalg.svd(matrix) if info else (left, s * (work[0] / work[1]), v.T)


def _graded(rotated: np.ndarray, spread: np.ndarray, turn: np.ndarray, lengths: np.ndarray, s: np.ndarray) -> Any:
    """U, (n, n), whose entries are as small as the lengths of the rows tell, to rounding of that.

    Both U and its inverse's transpose, which it equals, are products with the lengths: in each entry, that one is taken
    which makes rounding smaller.
    """
    larger = lengths[:, None] / s[None, :]
    above, below = (rotated * spread) @ turn.T, (rotated / spread) @ turn.T
    return np.where(larger <= 1, larger * above, below / larger)


def _of_dependent_rows(lengths: np.ndarray, rows: np.ndarray, rank: int) -> tuple[Any, Any, Any, Any]:
    """As `_in_own_units`, where there are more rows than directions: of `diag(lengths) rows`.

    That is L times as many independent rows as there are directions, those that were the longest when all before them
    had been taken out, and L = QT. With T upper triangular, T times rows of decreasing lengths are rows of these
    lengths: a square matrix, of which `_in_own_units` knows what to do; U is Q times that of it. Products with Q, like
    Gram and Schmidt's of the columns of L, are sums of terms as small as they should be: none is rounded with another
    row's unit, as it is by reflections.
    """
    n, r = rows.shape
    rows = rows[:, :rank]
    picked, parts, counts = _independent(lengths, rows, rank)
    sizes = lengths[picked]
    ratios = np.linalg.solve(parts[picked].T, parts.T).T  # rows in terms of the picked ones
    ratios[picked] = np.eye(rank)
    known = np.arange(rank) < counts[:, None]
    Q, T = _orthogonalised(np.where(known, ratios * (lengths[:, None] / sizes[None, :]), 0.0))
    square = np.where(T == 0, 0.0, T * (sizes[None, :] / sizes[:, None])) @ rows[picked]
    rotated, spread, basis = np.linalg.svd(square)
    own = np.ones(rank, bool)
    left, s, turn = np.zeros((n, r)), np.zeros(r), np.zeros((r, r))
    inner, s[:rank], inner_turn, _ = _in_own_units(sizes, rotated, spread, own)
    left[:, :rank], turn[:rank, :rank] = Q @ inner, inner_turn @ basis
    return left, s, turn, np.arange(r) < rank


def _independent(lengths: np.ndarray, rows: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which rows of length 1 span all: each time that with the longest rest, in its own unit, of those that have more
    than rounding left; the parts of all rows along the rests, (n, rank), and how many of these each row has, (n,)."""
    rest, picked, parts, counts = rows.copy(), [], np.zeros((len(rows), rank)), np.zeros(len(rows), int)
    for step in range(rank):
        left = np.linalg.norm(rest, axis=1)
        left[picked] = 0.0
        is_there = left > 64 * max(rows.shape) * np.finfo(float).eps
        if not is_there.any():
            is_there = left == left.max()
        sizes = np.log(np.where(is_there, left, 1.0)) + np.log(lengths)
        at = int(np.argmax(np.where(is_there, sizes, -np.inf)))
        along = rest[at] / left[at]
        parts[:, step] = np.where(is_there, rest @ along, 0.0)
        counts[is_there] = step + 1
        for _ in range(2):
            rest -= np.outer(rest @ along, along)
        picked.append(at)
    return np.array(picked, int), parts, counts


def _orthogonalised(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The QR decomposition by Gram and Schmidt, twice."""
    Q, T = matrix.copy(), np.zeros((matrix.shape[1],) * 2)
    for k in range(Q.shape[1]):
        for _ in range(2):
            along = Q[:, :k].T @ Q[:, k]
            T[:k, k] += along
            Q[:, k] -= Q[:, :k] @ along
        T[k, k] = np.linalg.norm(Q[:, k])
        Q[:, k] /= T[k, k]
    return Q, T
