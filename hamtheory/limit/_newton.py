"""Newton's method on the dual of a Bregman projection."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Int

from .._array import Array
from .._result import Result, select
from .._types import Number
from ..geometry import AbstractGeometry, divergence_terms
from ..metrics import certify
from ..problem import LinearRegression

_ARMIJO = 1e-4
_SHORTEST = 1e-14


class NewtonState(eqx.Module):
    """Where the iteration stands: the dual coordinates λ, `θ(λ)`, the gradient `Qθ − b`, and how it fares."""

    coordinates: Float[Array, " r"]
    theta: Float[Array, " d"]
    gradient: Float[Array, " r"]
    steps: Int[Array, ""]
    evaluations: Int[Array, ""]
    done: Bool[Array, ""]
    stalled: Bool[Array, ""]


def newton(
    problem: LinearRegression, geo: AbstractGeometry, theta0: Float[Array, " d"], tol: Number, max_steps: Number
) -> tuple[NewtonState, Any]:
    """Minimise the dual `φ(λ) = Σ R*(R′(θ₀) + Qᵀλ) − bᵀλ` by damped Newton steps from λ = 0.

    Its gradient is `Qθ(λ) − b`, its Hessian `Q diag(g⁻¹(θ)) Qᵀ`. Along a step p the decrease is known without
    cancellation, `φ(λ + tp) − φ(λ) = D_R(θ(λ), θ(λ + tp)) + t pᵀ(Qθ − b)`, so that the line search (Armijo, halving
    from t = 1; a step out of the domain or the range of the dtype is not finite and is halved too) works down to
    rounding. A step after convergence polishes the result, and is kept only if it lowers the residual.
    """
    space = problem.row_space
    mu0 = geo.mirror_map(theta0)

    def evaluate(coordinates):
        theta = geo.inverse_mirror_map(mu0 + coordinates @ space.basis)
        return theta, jnp.where(space.active, space.project(theta) - space.target, 0)

    def direction(state):
        weights = geo.inverse_metric(state.theta)
        hessian = (space.basis * weights[None, :]) @ space.basis.T + jnp.diag(
            jnp.where(space.active, 0, 1).astype(weights.dtype)
        )
        factor = jax.scipy.linalg.cho_factor(hessian)
        return -jax.scipy.linalg.cho_solve(factor, state.gradient)

    def line_search(state, step, slope):
        def trial(t):
            theta, gradient = evaluate(state.coordinates + t * step)
            change = jnp.sum(divergence_terms(geo, state.theta, theta)) + t * slope
            # A theta near the end of the range makes the change a difference of overflows, of either sign.
            accepted = (change <= _ARMIJO * t * slope) & jnp.isfinite(change)
            return theta, gradient, accepted

        def halve(carry):
            t, _, _, _, evaluations = carry
            return (t / 2, *trial(t / 2), evaluations + 1)

        one = jnp.ones((), state.theta.dtype)
        return jax.lax.while_loop(
            lambda c: ~c[3] & (c[0] > _SHORTEST), halve, (one, *trial(one), state.evaluations + 1)
        )

    def advance(state):
        step = direction(state)
        t, theta, gradient, accepted, evaluations = line_search(state, step, step @ state.gradient)
        # At convergence the predicted decrease drowns in rounding: then only the residual can tell progress.
        improved = jnp.linalg.norm(gradient) < jnp.linalg.norm(state.gradient)
        keep = jnp.where(state.done, improved, accepted) & jnp.all(jnp.isfinite(theta))
        new = NewtonState(
            coordinates=state.coordinates + t * step,
            theta=theta,
            gradient=gradient,
            steps=state.steps + 1,
            evaluations=evaluations,
            done=state.done,
            stalled=state.stalled,
        )
        old = eqx.tree_at(lambda s: (s.steps, s.evaluations), state, (new.steps, new.evaluations))
        chosen = jax.tree.map(lambda a, b: jnp.where(keep, a, b), new, old)
        certificate = certify(problem, geo, chosen.theta, theta0, chosen.coordinates)
        done = certificate.violation <= tol
        return eqx.tree_at(lambda s: (s.done, s.stalled), chosen, (done, ~keep & ~done))

    theta, gradient = evaluate(jnp.zeros_like(space.target))
    zero = jnp.zeros((), int)
    state = NewtonState(jnp.zeros_like(gradient), theta, gradient, zero, zero + 1, jnp.array(False), jnp.array(False))
    state = jax.lax.while_loop(lambda s: ~s.done & ~s.stalled & (s.steps < max_steps), advance, state)
    state = advance(state)
    result = select(
        state.done,
        Result.converged,
        select(
            jnp.all(jnp.isfinite(state.gradient)),
            select(state.stalled, Result.stalled, Result.max_steps),
            Result.nonfinite,
        ),
    )
    return state, result
