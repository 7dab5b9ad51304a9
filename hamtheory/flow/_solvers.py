"""The integrators on offer, and the choice between explicit and implicit ones."""

import dataclasses

import diffrax
import jax.numpy as jnp
import optimistix
from jaxtyping import Float

from .._array import Array
from ..geometry import AbstractGeometry
from ..problem import LinearRegression
from ._chebyshev import RKC
from ._solve import HOST_SOLVERS

# Name -> integrator. Kvaerno's methods are implicit (L-stable), the others explicit, "rkc" with stages for stability;
# "euler" needs a fixed step `dt`.
SOLVERS = {
    "euler": diffrax.Euler(),
    "heun": diffrax.Heun(),
    "tsit5": diffrax.Tsit5(),
    "dopri8": diffrax.Dopri8(),
    "kvaerno3": diffrax.Kvaerno3(),
    "kvaerno5": diffrax.Kvaerno5(),
    "rkc": RKC(),
}

# An implicit step costs about this many explicit ones, in a row space of dimension 40 (measured; see the benchmarks).
STIFF = 10_000.0


def stiffness(problem: LinearRegression, geo: AbstractGeometry, theta: Float[Array, " d"]) -> Float[Array, ""]:
    """The condition number of `X diag(g⁻¹(θ)) Xᵀ` on the range of X.

    At the limit θ, the number of steps that an explicit integrator's stability demands is a small multiple of it: from
    10⁴ on, `solve_flow` takes an implicit one.

    Args:
        problem: Any regression.
        geo: Any geometry.
        theta: θ, an array, (d,).

    Returns:
        A scalar, at least 1.

    ```python
    >>> import jax.numpy as jnp
    >>> import hamtheory as ht
    >>> problem = ht.LinearRegression([[1.0, 0.0], [0.0, 1.0]], [0.0, 3.0])
    >>> float(ht.flow.stiffness(problem, ht.HAM(alpha=5.0), jnp.array([0.0, 3.0])))
    16.0

    ```
    """
    space = problem.row_space
    root = space.singular_values[:, None] * space.basis * jnp.sqrt(geo.inverse_metric(theta))[None, :]
    values = jnp.linalg.svd(root, compute_uv=False)
    return jnp.square(values[0] / values[problem.rank - 1])


def solver_named(
    solver: str | diffrax.AbstractSolver, fixed_step: bool, rtol: float, atol: float
) -> diffrax.AbstractSolver:
    """The integrator of that name, or the one given, ready for an adaptive or for a fixed step.

    An implicit method solves its stages to the tolerances of the step-size controller; where there is none, to these.
    """
    if isinstance(solver, str) and solver not in SOLVERS:
        known = ", ".join(dict.fromkeys((*HOST_SOLVERS, *SOLVERS)))
        raise ValueError(f"solver must be one of {known}, or a diffrax solver; got {solver!r}")
    chosen = SOLVERS[solver] if isinstance(solver, str) else solver
    if not fixed_step and not isinstance(chosen, diffrax.AbstractAdaptiveSolver):
        raise ValueError(f"dt must be given for {type(chosen).__name__}, which has no error estimate to adapt by")
    if fixed_step and isinstance(chosen, diffrax.AbstractImplicitSolver):
        return dataclasses.replace(chosen, root_finder=optimistix.Newton(rtol=rtol, atol=atol))
    return chosen
