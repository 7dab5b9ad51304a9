"""The sparse end: basis pursuit as a linear programme."""

import jax.numpy as jnp
import numpy as np
import scipy.optimize
from jaxtyping import Array, Float

from ..problem import LinearRegression


def basis_pursuit(problem: LinearRegression) -> Float[Array, " d"]:
    """An interpolator of least L1 norm: `argmin { ‖θ‖₁ : Xθ = y }`.

    The linear programme in θ = p − q, p, q ≥ 0 is solved by HiGHS on the orthonormalised constraint `Qθ = b`, which
    removes dependent rows. For an inconsistent y, the least L1 norm on the least-squares set. The minimiser need not
    be unique; its norm is.

    Returns: shape (d,), in the problem's dtype (computed in float64).
    Errors: `RuntimeError` with the solver's message, if it fails. Cannot be traced by JAX.
    Source: [chen1998atomic]; the solver: [huangfu2018highs].

    ```python
    >>> import hamtheory as ht
    >>> ht.basis_pursuit(ht.LinearRegression([[1.0, 2.0]], [2.0])).tolist()
    [0.0, 1.0]

    ```
    """
    space = problem.row_space
    rank = int(space.rank)
    basis, target = np.asarray(space.basis, float)[:rank], np.asarray(space.target, float)[:rank]
    scale = np.abs(target).max(initial=0.0) or 1.0  # the solver's tolerances are absolute
    solution = scipy.optimize.linprog(
        np.ones(2 * problem.d),
        A_eq=np.hstack([basis, -basis]),
        b_eq=target / scale,
        bounds=(0, None),
        method="highs-ds",
    )
    if not solution.success:
        raise RuntimeError(f"basis_pursuit: {solution.message}")
    positive, negative = np.split(solution.x * scale, 2)
    return jnp.asarray(_refit(basis, target, positive - negative), problem.dtype)


def _refit(basis: np.ndarray, target: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """Solve for the values on the support of θ, to rounding; θ itself where that is not the better interpolator."""
    support = np.flatnonzero(theta)
    refitted = np.zeros_like(theta)
    refitted[support] = np.linalg.lstsq(basis[:, support], target, rcond=None)[0]
    same_signs = np.all(np.sign(refitted[support]) == np.sign(theta[support]))
    better = np.linalg.norm(basis @ refitted - target) <= np.linalg.norm(basis @ theta - target)
    return refitted if same_signs and better else theta
