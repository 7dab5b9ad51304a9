"""From which λδ on the linearized Bregman limit is basis pursuit's solution: a linear programme."""

from typing import Any

import numpy as np
from jaxtyping import Float

from .._arguments import entrance
from .._array import Array, Struct, namespace
from .._products import refuse_products
from .._validate import tolerance
from ..problem import LinearRegression
from ._basis_pursuit import BasisPursuit, certify_basis_pursuit, linear_programme
from ._host_sparse import Dual

_MOST = 1000  # steps


class ExactThreshold(Struct):
    """From which λδ on the limit is basis pursuit's solution; see `exact_threshold`.

    Attributes:
        value: t*, in the units of θ: the limit of `LinearizedBregman(lam, delta)` from zero is `theta` if λδ ≥ t*, and
            is not if λδ < t*.
        theta: The solution of basis pursuit of least L2 norm among all, (d,).
        dual: w, (n,), which proves that t* is enough: `Xᵀw = t* sign θ + θ` on the support, and |Xᵀw| ≤ t* elsewhere.
        direction: z, (d,), which proves that nothing below is: `Xz = 0` and
            `t* = −⟨θ, z⟩ / (⟨sign θ, z⟩ + Σ |z_j|)`, the sum over the j off the support; zeros if t* is 0.
        bound: An upper bound on t*, from the certificate of basis pursuit alone.
        margin: That of this certificate, see `certify_basis_pursuit`.
        violation: The largest violation of what `dual` and `direction` prove, relative.

    References:
        [friedlander2007exact].
    """

    value: float
    theta: Float[Array, " d"]
    dual: Float[Array, " n"]
    direction: Float[Array, " d"]
    bound: float
    margin: float
    violation: float


@entrance
def exact_threshold(problem: LinearRegression, *, tol: float = 1e-9) -> ExactThreshold:
    """The least λδ from which on the limit of `LinearizedBregman` from zero *is* basis pursuit's solution.

    The limit θ of λδ = t is known by a w with `Xᵀw ∈ t ∂‖θ‖₁ + θ`. With a w for t and a certificate c of basis pursuit,
    w + s c is one for t + s: the t of which basis pursuit's solution is the limit are an interval [t*, ∞), and t* is
    the value of the linear programme `min t` over (w, t) with `X_Sᵀw = t sign θ_S + θ_S`, |X_jᵀw| ≤ t off the support
    S. If there are several solutions, θ is that of least L2 norm: there is no t for the others.

    A bound needs no other programme than the certificate's: with `X_Sᵀv = θ_S`, w = v + t c proves
    t ≤ max |X_jᵀv|/(1 − |c_j|), where v and the margin of c say how far t* can be.

    Cannot be traced by JAX.

    Args:
        problem: Any regression with y ≠ 0.
        tol: As in `certify_basis_pursuit`.

    Returns:
        An `ExactThreshold`.

    Raises:
        ValueError: As `certify_basis_pursuit`.
        RuntimeError: With the solver's message, if a linear programme fails.

    References:
        [friedlander2007exact], Theorem 2.1; for this penalty, [yin2010analysis].

    ```python
    >>> import hamtheory as ht
    >>> problem = ht.LinearRegression([[1.0, 2.0]], [2.0])
    >>> threshold = ht.exact_threshold(problem)
    >>> threshold.value, threshold.theta.tolist()
    (1.0, [0.0, 1.0])
    >>> for t in (1.0, 0.5):
    ...     print(ht.solve_limit(problem, ht.LinearizedBregman(t)).theta.round(3).tolist())
    [0.0, 1.0]
    [0.2, 0.9]

    ```
    """
    refuse_products(problem, "exact_threshold")
    tol = tolerance(tol, "tol", problem.dtype, 10)
    certificate = certify_basis_pursuit(problem, tol=tol)
    space, rank = problem.row_space, int(problem.row_space.rank)
    basis, target = np.asarray(space.basis, float)[:rank], np.asarray(space.target, float)[:rank]
    theta, inner = _least_norm(basis, target, certificate)
    size = float(np.max(np.abs(theta)))
    bound = _bound(inner @ basis, np.asarray(certificate.correlations, float), theta != 0)
    found, direction = _least(basis, theta / size)
    value = max(float(found[-1]), 0.0)
    as_given = lambda array: namespace(problem.X).asarray(array, dtype=problem.dtype)  # noqa: E731
    dual = space.dual(np.pad(size * found[:-1], (0, space.target.size - rank)))
    return ExactThreshold(
        value=size * value,
        theta=as_given(theta),
        dual=as_given(dual),
        direction=as_given(direction),
        bound=float(bound),
        margin=certificate.margin,
        violation=_violation(basis, theta / size, found[:-1], value, direction),
    )


def _least_norm(basis: np.ndarray, target: np.ndarray, found: BasisPursuit) -> tuple[np.ndarray, np.ndarray]:
    """The solution of basis pursuit of least L2 norm, and v with `θ = Qᵀv` on its support, in the face no further
    outwards."""
    face = np.asarray(found.face)
    signs = np.sign(np.asarray(found.correlations, float))
    columns = basis[:, face] * signs[face]
    theta = np.zeros(len(face))
    if found.is_unique:
        theta[face] = np.linalg.lstsq(columns, target, rcond=None)[0]
        sizes = np.where(np.asarray(found.theta) != 0, theta, 0.0)  # an entry of the face may be 0
        return sizes * signs + 0.0, np.linalg.lstsq(columns.T, sizes[face], rcond=None)[0]
    size = float(np.max(np.abs(target)))
    dual = Dual(columns, target / size)
    zero = np.zeros(int(face.sum()))
    v, sizes, done = dual.minimise(np.zeros(len(target)), zero, zero + np.inf, _MOST)
    if not done:
        raise RuntimeError("exact_threshold: the solution of least L2 norm among those of basis pursuit was not found")
    theta[face] = dual.refitted(sizes) * size
    return theta * signs + 0.0, v * size


def _bound(along: np.ndarray, correlations: np.ndarray, support: np.ndarray) -> float:
    """The least t with |along + t c| ≤ t off the support."""
    a, c = np.concatenate([along, -along])[~np.tile(support, 2)], np.concatenate([correlations, -correlations])
    c = c[~np.tile(support, 2)]
    outwards = a > 64 * np.finfo(float).eps * np.max(np.abs(along))
    return float(np.max(a[outwards] / np.maximum(1 - c[outwards], 0), initial=0.0))


def _least(basis: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(w, t) of the linear programme, and the z that proves it, of the scale of its statement."""
    support, signs = theta != 0, np.sign(theta)
    others, columns = basis[:, ~support].T, basis[:, support]
    one = np.ones((len(others), 1))
    programme: Any = linear_programme(
        np.append(np.zeros(len(basis)), 1.0),
        A_eq=np.hstack([columns.T, -signs[support, None]]),
        b_eq=theta[support],
        A_ub=np.block([[others, -one], [-others, -one]]),
        b_ub=np.zeros(2 * len(others)),
        bounds=[(None, None)] * len(basis) + [(0, None)],
    )
    direction = np.zeros(len(theta))
    up, down = np.split(programme.ineqlin.marginals, 2)
    direction[support], direction[~support] = -programme.eqlin.marginals, -(up - down)
    return programme.x, direction


def _violation(basis: np.ndarray, theta: np.ndarray, w: np.ndarray, value: float, z: np.ndarray) -> float:
    """The largest of: what w leaves of its conditions, z of `Qz = 0`, and the gap between both values."""
    support, signs = theta != 0, np.sign(theta)
    u = w @ basis
    missing = np.where(support, np.abs(u - value * signs - theta), np.maximum(np.abs(u) - value, 0))
    scale = max(value, 1.0)
    off = float(np.max(missing)) / scale
    if value == 0:
        return off
    cost = float(signs @ z) + float(np.abs(z[~support]).sum())
    return max(off, float(np.linalg.norm(basis @ z)), abs(value * cost + float(theta @ z)) / scale)
