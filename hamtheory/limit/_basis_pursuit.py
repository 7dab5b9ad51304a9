"""The sparse end: basis pursuit as a linear programme, with its certificate."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from .._arguments import entrance
from .._array import Array, Struct, namespace
from .._products import ProductBasis, is_sparse, refuse_products
from .._validate import tolerance
from ..problem import LinearRegression

# The tightest that HiGHS accepts; its own default is 1e-7.
_TIGHTEST = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}


@entrance
def basis_pursuit(problem: LinearRegression) -> Float[Array, " d"]:
    """An interpolator of least L1 norm: `argmin { ‖θ‖₁ : Xθ = y }`.

    The linear programme in θ = p − q, p, q ≥ 0 is solved by HiGHS on the orthonormalised constraint `Qθ = b`, which
    removes dependent rows. For an inconsistent y, the least L1 norm on the least-squares set. The minimiser need not
    be unique; its norm is.

    Cannot be traced by JAX.

    Args:
        problem: Any regression.

    Returns:
        Of shape (d,), in the problem's dtype (computed in float64).

    Raises:
        RuntimeError: With the solver's message, if it fails.

    References:
        [chen1998atomic]; the solver, [huangfu2018highs].

    ```python
    >>> import hamtheory as ht
    >>> ht.basis_pursuit(ht.LinearRegression([[1.0, 2.0]], [2.0])).tolist()
    [0.0, 1.0]

    ```
    """
    from scipy.optimize import linprog  # not at the top: it takes a quarter of a second to import

    basis, target = _constraint(problem)
    scale = np.abs(target).max(initial=0.0) or 1.0  # the solver's tolerances are absolute
    solution = linprog(
        np.ones(2 * problem.d),
        A_eq=np.hstack([basis, -basis]) if isinstance(basis, np.ndarray) else _beside(basis),
        b_eq=target / scale,
        bounds=(0, None),
        method="highs-ds",
        options=_TIGHTEST,
    )
    if not solution.success:
        raise RuntimeError(f"basis_pursuit: {solution.message}")
    positive, negative = np.split(solution.x * scale, 2)
    return namespace(problem.X).asarray(_refit(basis, target, positive - negative), dtype=problem.dtype)


def _constraint(problem: LinearRegression) -> tuple[Any, np.ndarray]:
    """A matrix of independent rows, and their targets: of a sparse X those of its rows, over their lengths."""
    space = problem.row_space
    rank = int(space.rank)
    basis, target = space.basis, np.asarray(space.target, float)[:rank]
    if not isinstance(basis, ProductBasis):
        return np.asarray(basis, float)[:rank], target
    if not is_sparse(problem.X) or basis.inverse is None:
        refuse_products(problem, "basis_pursuit")
    import scipy.sparse

    rows: Any = basis.rows
    return scipy.sparse.vstack([rows.matrix, scipy.sparse.csr_array(rows.dense)]).tocsc(), basis.inverse @ target


def _beside(matrix: Any) -> Any:
    import scipy.sparse

    return scipy.sparse.hstack([matrix, -matrix])


def _refit(basis: Any, target: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """Solve for the values on the support of θ, to rounding; θ itself where that is not the better interpolator."""
    support = np.flatnonzero(theta)
    refitted = np.zeros_like(theta)
    columns = basis[:, support]
    columns = columns if isinstance(columns, np.ndarray) else columns.toarray()
    refitted[support] = np.linalg.lstsq(columns, target, rcond=None)[0]
    same_signs = np.all(np.sign(refitted[support]) == np.sign(theta[support]))
    better = np.linalg.norm(basis @ refitted - target) <= np.linalg.norm(basis @ theta - target)
    return refitted if same_signs and better else theta


class BasisPursuit(Struct):
    """A solution of basis pursuit with what is known of all of them; see `certify_basis_pursuit`.

    Attributes:
        theta: A minimiser, (d,), the one of `basis_pursuit`.
        norm: Its L1 norm.
        dual: ν, (n,), for which |c| ≤ 1 and `c = sign θ` on the support of every minimiser; among those ν, one whose
            largest |c| elsewhere is smallest.
        correlations: `c = Xᵀν`, (d,).
        face: Where |c| = 1, (d,). Every minimiser lives there, with the signs of c.
        margin: 1 − max |c| outside of `face`, which is 1 if that is everything.
        is_unique: Whether `theta` is the only minimiser: whether the columns of X in `face` are independent.
        gap: `1 − yᵀν/‖θ‖₁`, the proof of optimality.

    References:
        [chen1998atomic], [zhang2015necessary].
    """

    theta: Float[Array, " d"]
    norm: float
    dual: Float[Array, " n"]
    correlations: Float[Array, " d"]
    face: Bool[Array, " d"]
    margin: float
    is_unique: bool
    gap: float


@entrance
def certify_basis_pursuit(problem: LinearRegression, *, tol: float = 1e-9) -> BasisPursuit:
    """Basis pursuit with its dual certificate: is the least L1 norm attained once, and how clearly?

    The *margin* m of the certificate is the rate at which HAM and m⊙w come to their L1 end: from zero, an entry off the
    support has `|θ| ≍ α^(|c| − 1)`, so the excess of the norm falls like `α^(−m)` = `e^(−m ln α)`, unless the
    minimiser is not unique.

    Where the minimiser is not unique, the limits have a limit all the same, the minimiser that the next order of the
    potential selects: `α R_α = ln α |θ| + |θ| ln|θ| − |θ| + o(1)` (and `2R_γ` is the same with `ln(2/γ)`), so the one
    of largest entropy `−Σ |θ| ln|θ|`: equal parts on equal columns.

    Cannot be traced by JAX.

    Args:
        problem: Any regression with y ≠ 0.
        tol: The distance of |c| from 1, and relative singular values, below which they count as 1 and 0.

    Returns:
        A `BasisPursuit`.

    Raises:
        ValueError: If y is 0, or for a `tol` below the rounding of the problem's dtype, as the default is in float32,
            where rounding would decide what is unique.
        RuntimeError: With the solver's message, if a linear programme fails.

    References:
        [chen1998atomic], [zhang2015necessary]; the selection, [cominetti1994asymptotic].

    ```python
    >>> import hamtheory as ht
    >>> twice = ht.certify_basis_pursuit(ht.LinearRegression([[1.0, 1.0, 0.5]], [2.0]))
    >>> twice.is_unique, twice.face.tolist(), twice.margin
    (False, [True, True, False], 0.5)

    ```
    """
    refuse_products(problem, "certify_basis_pursuit")
    tol = tolerance(tol, "tol", problem.dtype, 10)
    theta = np.asarray(basis_pursuit(problem), float)
    space, norm = problem.row_space, float(np.abs(theta).sum())
    rank = int(space.rank)
    basis, target = np.asarray(space.basis, float)[:rank], np.asarray(space.target, float)[:rank]
    if norm == 0:
        raise ValueError("y must not be 0 (up to rounding): every certificate belongs to theta = 0")
    signs = np.where(np.abs(theta) > tol * np.abs(theta).max(), np.sign(theta), 0.0)
    coordinates, level = least_level(basis, signs)
    if level >= 1 - tol:  # no certificate is strict: other minimisers, or entries that are zero by accident
        signs = _face(basis, target / norm)
        coordinates, level = least_level(basis, signs)
    face = signs != 0
    dual = space.dual(np.pad(coordinates, (0, space.target.size - rank)))
    as_given = lambda array, dtype: namespace(problem.X).asarray(array, dtype=dtype)  # noqa: E731
    values = np.linalg.svd(basis[:, face], compute_uv=False)
    return BasisPursuit(
        theta=as_given(theta, problem.dtype),
        norm=norm,
        dual=as_given(dual, problem.dtype),
        correlations=as_given(coordinates @ basis, problem.dtype),
        face=as_given(face, bool),
        margin=1 - level,
        is_unique=bool(face.sum() <= rank and values[-1] > tol * values[0]),
        gap=1 - float(target @ coordinates) / norm,
    )


def least_level(basis: np.ndarray, signs: np.ndarray) -> tuple[np.ndarray, float]:
    """Among the λ with `Qᵀλ = signs` wherever these are not 0, one whose largest |Qᵀλ| elsewhere is smallest."""
    face, rank = signs != 0, len(basis)
    others, bounded = basis[:, ~face].T, {}
    if len(others):
        bounded["A_ub"] = np.hstack([np.vstack([others, -others]), -np.ones((2 * len(others), 1))])
        bounded["b_ub"] = np.zeros(2 * len(others))
    solution = linear_programme(
        np.append(np.zeros(rank), 1.0),
        A_eq=np.hstack([basis[:, face].T, np.zeros((int(face.sum()), 1))]),
        b_eq=signs[face],
        bounds=[(None, None)] * rank + [(0, None)],
        **bounded,
    ).x
    coordinates = solution[:rank]
    return coordinates, float(np.abs(coordinates @ basis)[~face].max(initial=0.0))


def _face(basis: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The signs of the minimisers of the L1 norm (which is 1 here) at every entry that is not 0 in all of them.

    One linear programme finds a minimiser of largest support [freund1985identifying]: in `θ = (p − q)/τ` with
    `(p, q) = w + z`, `0 ≤ w ≤ 1`, `z ≥ 0`, the largest `Σ w` has w = 1 wherever any minimiser is positive.
    """
    rank, d = basis.shape
    both, one = np.hstack([basis, -basis]), np.ones((1, 2 * d))
    longest = 1e6  # values below its inverse count as 0
    solution = linear_programme(
        np.concatenate([-np.ones(2 * d), np.zeros(2 * d + 1)]),
        A_eq=np.hstack([both, both, -target[:, None]]),
        b_eq=np.zeros(rank),
        A_ub=np.hstack([one, one, [[-(1 + 1e-11)]]]),
        b_ub=[0.0],
        bounds=[(0, 1)] * (2 * d) + [(0, None)] * (2 * d) + [(1, longest)],
    ).x
    positive, negative = np.split(solution[: 2 * d] > 0.5, 2)
    return positive.astype(float) - negative.astype(float)


def linear_programme(cost: np.ndarray, **constraints) -> Any:
    """SciPy's solution, by whichever of HiGHS's methods gets there; rarely, the first gives up without a reason."""
    from scipy.optimize import linprog

    message = ""
    for method in ("highs", "highs-ipm", "highs-ds"):
        solution = linprog(cost, method=method, options=_TIGHTEST, **constraints)
        if solution.success:
            return solution
        message = message or solution.message
    raise RuntimeError(f"linear programme: {message}")
