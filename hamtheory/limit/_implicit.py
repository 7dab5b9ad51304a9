"""Derivatives of limits, by the implicit function theorem.

The limit is `θ = (R*)′(R′(θ₀) + XᵀBλ)` with λ the root of `Φ(λ) = Bᵀ(Xθ − y)`, r equations for r numbers: B = U s⁻¹ is
any matrix that picks r independent equations, and a constant here, so that no singular vector is ever differentiated,
and repeated singular values do no harm. One solve with `Φ′ = Q diag(g⁻¹) Qᵀ` gives the derivative, whatever found the
limit; the rule is made of functions that JAX can differentiate, so that it has derivatives of any order, in both modes.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Float

from .._array import Array
from ..geometry import Penalty

_REFINEMENTS = 3
_VISIBLE = 1e-6  # the part of the right-hand side that may be missed


def attached(problem, geo, theta0, theta, coordinates) -> tuple[Float[Array, " d"], Float[Array, " r"]]:
    """θ and λ with the derivatives that a limit has; NaN where what H sees does not determine them."""
    space = jax.lax.stop_gradient(problem.row_space)
    picked = space.left / jnp.where(space.active, space.singular_values, 1)[None, :]
    fixed = jax.lax.stop_gradient((theta, coordinates, picked, space.active, problem.is_consistent))
    return _attached((problem.X, problem.y, geo, theta0), fixed)


@jax.custom_jvp
def _attached(given: Any, fixed: Any):
    theta, coordinates, *_ = fixed
    return theta, coordinates


@_attached.defjvp
def _attached_jvp(primals, tangents):
    given, fixed = primals
    along = tangents[0]
    theta, coordinates = _attached(given, fixed)
    _, _, picked, active, consistent = fixed

    def at(given, coordinates):
        X, _, geo, theta0 = given
        return geo.inverse_mirror_map(geo.mirror_map(theta0) + (picked @ coordinates) @ X)

    def missing(given, coordinates):
        """Φ; of an inconsistent y, the normal equations in the same directions."""
        X, y, *_ = given
        residual = X @ at(given, coordinates) - y
        basis = jax.lax.stop_gradient((X.T @ picked).T)
        size = jnp.square(jnp.linalg.norm(picked, axis=0))
        normal = size * (basis @ (residual @ X))
        return jnp.where(active, jnp.where(consistent, residual @ picked, normal), 0)

    rhs = -jax.jvp(lambda given: missing(given, coordinates), (given,), (along,))[1]
    weights = given[2].inverse_metric(at(given, coordinates))
    step = _solved(weights, (given[0].T @ picked).T, active, rhs)
    return (theta, coordinates), (jax.jvp(at, (given, coordinates), (along, step))[1], step)


def _solved(weights, basis, active, rhs):
    """The solution of `Q diag(w) Qᵀ x = rhs`, of weights over many orders of magnitude.

    Those below the rounding of the largest are raised to it in the factor, which steps of refinement make up for: the
    directions that they alone would determine are no part of a right-hand side that has a meaning in floating point.
    """
    eps = jnp.finfo(weights.dtype).eps
    largest = jax.lax.stop_gradient(jnp.max(weights))
    scaled = weights / largest

    def product(x):
        return jnp.where(active, basis @ (scaled * (x @ basis)), x)

    def solve(_, right):
        floored = jnp.maximum(jax.lax.stop_gradient(scaled), 4096 * eps)
        fixed = jax.lax.stop_gradient(basis)
        matrix = (fixed * floored[None, :]) @ fixed.T + jnp.diag(jnp.where(active, 0, 1).astype(weights.dtype))
        factor = jax.scipy.linalg.cho_factor(matrix)
        x = jax.scipy.linalg.cho_solve(factor, right)
        for _ in range(_REFINEMENTS):
            x = x + jax.scipy.linalg.cho_solve(factor, right - product(x))
        left_over = jnp.linalg.norm(right - product(x))
        return jnp.where(left_over <= _VISIBLE * jnp.linalg.norm(right), x, jnp.nan)

    return jax.lax.custom_linear_solve(product, rhs / largest, solve, symmetric=True)


def attached_under_decay(problem, penalty: Penalty, theta: Float[Array, " d"]) -> Float[Array, " d"]:
    """The minimiser of loss plus penalty with its derivatives: where `∇f(θ) + P′(θ) = 0`; the lasso's zeros stay."""
    return _minimiser((problem.X, problem.y, penalty), jax.lax.stop_gradient(theta))


@jax.custom_jvp
def _minimiser(given: Any, theta: Float[Array, " d"]):
    return theta


@_minimiser.defjvp
def _minimiser_jvp(primals, tangents):
    given, theta = primals[0], _minimiser(*primals)

    def missing(given):
        X, y, penalty = given
        return (X @ theta - y) @ X / X.shape[0] + penalty.derivative(theta)

    X, _, penalty = given
    curvature = jax.jvp(penalty.derivative, (theta,), (jnp.ones_like(theta),))[1]
    moves = (penalty.barrier > 0) | (theta != 0)
    rhs = jnp.where(moves, -jax.jvp(missing, (given,), (tangents[0],))[1], 0)
    return theta, _solved_under_decay(X, curvature, moves, rhs)


def _solved_under_decay(X, curvature, moves, rhs):
    """The solution of `(XᵀX/n + diag(c)) x = rhs` among the entries that move, by a matrix of n × n."""
    n = X.shape[0]

    def product(x):
        moving = jnp.where(moves, x, 0)
        return jnp.where(moves, (X @ moving) @ X / n + curvature * moving, x)

    def solve(_, right):
        fixed, size = jax.lax.stop_gradient((X, curvature))
        least = 1e3 * jnp.finfo(X.dtype).eps * jnp.sum(jnp.square(fixed), axis=0) / n
        raised = jnp.maximum(size, jnp.where(least > 0, least, 1))
        weights = jnp.where(moves, 1 / raised, 0)
        factor = jax.scipy.linalg.cho_factor((fixed * weights[None, :]) @ fixed.T + n * jnp.eye(n, dtype=X.dtype))

        def once(right):
            x = weights * (right - jax.scipy.linalg.cho_solve(factor, fixed @ (weights * right)) @ fixed)
            return jnp.where(moves, x, right)

        x = once(right)
        for _ in range(_REFINEMENTS):
            x = x + once(right - product(x))
        left_over = jnp.linalg.norm(right - product(x))
        return jnp.where(left_over <= _VISIBLE * jnp.linalg.norm(right), x, jnp.nan)

    return jax.lax.custom_linear_solve(product, rhs, solve, symmetric=True)
