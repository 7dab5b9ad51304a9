"""An explicit integrator for stiff gradient flows: stabilised by Chebyshev polynomials.

The Jacobian of every flow of this package has real eigenvalues, and where the flow is stiff they are negative: it is
the Hessian of a convex function in the metric of the geometry. On a real spectrum an explicit method of s stages can
be stable up to `h ρ ~ 0.65 s²`, where a classical one of six stages ends at `h ρ ~ 3`. So what stiffness costs is its
square root, in products with X and Xᵀ and no factorisation: the right trade for many small flows at once.
"""

from typing import Any, ClassVar

import diffrax
import equinox as eqx
import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from .._array import Array
from .._types import Number

LARGEST = 128  # stages; a step that would need more is shortened
_DAMPING = 2 / 13
_SAFETY = 1.2  # on the power iteration's estimate, which is from below
_FIRST_ITERATIONS = 12


def _coefficients() -> tuple[np.ndarray, np.ndarray]:
    """`μ̃₁` for every s, and `(μ_j, ν_j, μ̃_j, γ̃_j)` for every s and j, from the Chebyshev polynomials at w₀."""
    first, table = np.zeros(LARGEST + 1), np.zeros((LARGEST + 1, LARGEST + 1, 4))
    for s in range(2, LARGEST + 1):
        w0 = 1 + _DAMPING / s**2
        T, d1, d2 = np.zeros(s + 1), np.zeros(s + 1), np.zeros(s + 1)  # T_j and its derivatives at w₀
        T[0], T[1], d1[1] = 1, w0, 1
        for j in range(2, s + 1):
            T[j] = 2 * w0 * T[j - 1] - T[j - 2]
            d1[j] = 2 * T[j - 1] + 2 * w0 * d1[j - 1] - d1[j - 2]
            d2[j] = 4 * d1[j - 1] + 2 * w0 * d2[j - 1] - d2[j - 2]
        w1 = d1[s] / d2[s]
        b = np.empty(s + 1)
        b[2:] = d2[2:] / d1[2:] ** 2
        b[:2] = b[2]
        first[s] = b[1] * w1
        for j in range(2, s + 1):
            weight = 2 * b[j] * w1 / b[j - 1]
            table[s, j] = 2 * b[j] * w0 / b[j - 1], -b[j] / b[j - 2], weight, -(1 - b[j - 1] * T[j - 1]) * weight
    return first, table


_FIRST, _TABLE = _coefficients()


class ChebyshevState(eqx.Module):
    """The velocity at the current point, and the power iteration: its vector, its eigenvalue ρ, the steps tried."""

    velocity: Float[Array, " m"]
    vector: Float[Array, " m"]
    radius: Float[Array, ""]
    tried: Int[Array, ""]


class RKC(diffrax.AbstractAdaptiveSolver):
    """The Runge–Kutta–Chebyshev method of second order, as many stages a step as stability asks for.

    `Y₀ = y, Y₁ = Y₀ + μ̃₁hF₀, Y_j = (1 − μ_j − ν_j)Y₀ + μ_jY_{j−1} + ν_jY_{j−2} + μ̃_jhF_{j−1} + γ̃_jhF₀`, stable on
    `[−0.65(s² − 1), 0]` and damped inside. Error estimate `0.8(y₀ − y₁) + 0.4h(F₀ + F₁)`. The spectral radius comes
    from a power iteration with finite differences, one evaluation every `refresh` steps. For flows whose Jacobian has
    a real spectrum, as all of this package have.

    Attributes:
        refresh: The steps between updates of the spectral radius; 0 leaves these to the caller (`refreshed`).

    References:
        [sommeijer1998rkc].
    """

    refresh: int = 4

    term_structure: ClassVar = diffrax.AbstractTerm
    interpolation_cls: ClassVar = diffrax.ThirdOrderHermitePolynomialInterpolation

    def order(self, terms):
        return 2

    def error_order(self, terms):
        return 3

    def func(self, terms, t0, y0, args):
        return terms.vf(t0, y0, args)

    def init(self, terms, t0, t1, y0, args) -> ChebyshevState:
        flat, field = _flattened(terms, y0, args)
        vector = np.random.default_rng(0).standard_normal(flat.size)
        state = ChebyshevState(
            velocity=field(t0, flat),
            vector=jnp.asarray(vector / np.linalg.norm(vector), flat.dtype),
            radius=jnp.zeros((), flat.dtype),
            tried=jnp.zeros((), int),
        )
        return jax.lax.fori_loop(0, _FIRST_ITERATIONS, lambda _, s: self.refreshed(terms, t0, t1, y0, args, s), state)

    def refreshed(self, terms, t0, t1, y0, args, state: ChebyshevState) -> ChebyshevState:
        """One step of the power iteration on the Jacobian at y₀; `state.velocity` is that at y₀."""
        flat, field = _flattened(terms, y0, args)
        eps = jnp.finfo(flat.dtype).eps
        scale = jnp.maximum(jnp.linalg.norm(flat), jnp.abs(t1 - t0) * jnp.linalg.norm(state.velocity))
        nudge = jnp.sqrt(eps) * jnp.where(scale > 0, scale, 1)
        image = (field(t0, flat + nudge * state.vector) - state.velocity) / nudge
        size = jnp.linalg.norm(image)
        good = jnp.isfinite(size) & (size > 0)
        vector = jnp.where(good, image / jnp.where(good, size, 1), state.vector)
        radius = jnp.where(good, size, state.radius)
        return eqx.tree_at(lambda s: (s.vector, s.radius), state, (vector, radius))

    def stages(self, h: Number, radius: Number) -> Float[Array, ""]:
        """The stages that a step of length h needs, where the spectral radius is estimated to be `radius`."""
        wanted = jnp.floor(1 + jnp.sqrt(1.54 * _SAFETY * h * radius + 1))
        return jnp.clip(jnp.where(jnp.isfinite(wanted), wanted, 2), 2, LARGEST)

    def longest(self, radius: Float[Array, ""]) -> Float[Array, ""]:
        """The longest step that the largest number of stages allows."""
        return (LARGEST**2 - 1) / (1.54 * _SAFETY) / jnp.maximum(radius, jnp.finfo(radius.dtype).tiny)

    def step(self, terms, t0, t1, y0, args, solver_state, made_jump) -> tuple[Any, Any, dict, ChebyshevState, Any]:
        del made_jump
        flat, field = _flattened(terms, y0, args)
        h, state = t1 - t0, solver_state
        if self.refresh:
            state = jax.lax.cond(
                state.tried % self.refresh == 0,
                lambda s: self.refreshed(terms, t0, t1, y0, args, s),
                lambda s: s,
                state,
            )
        dtype = flat.dtype
        first, table = jnp.asarray(_FIRST, dtype), jnp.asarray(_TABLE, dtype)
        stages = self.stages(h, state.radius).astype(int)
        unit = h * state.velocity

        def stage(j, carry):
            before, last = carry
            mu, nu, weight, start = table[stages, j]
            new = (1 - mu - nu) * flat + mu * last + nu * before + weight * h * field(t0, last) + start * unit
            return last, new

        _, end = jax.lax.fori_loop(2, stages + 1, stage, (flat, flat + first[stages] * unit))
        velocity = field(t1, end)
        error = 0.8 * (flat - end) + 0.4 * h * (state.velocity + velocity)
        error = jnp.where(h > self.longest(state.radius), jnp.inf, error)
        state = eqx.tree_at(lambda s: (s.velocity, s.tried), state, (velocity, state.tried + 1))
        unravel = jax.flatten_util.ravel_pytree(y0)[1]
        dense = {"y0": y0, "y1": unravel(end), "k0": unravel(unit), "k1": unravel(h * velocity)}
        return unravel(end), unravel(jnp.abs(error)), dense, state, diffrax.RESULTS.successful


def _flattened(terms, y0, args) -> tuple[Array, Any]:
    """The state as one vector, and the vector field on such vectors."""
    flat, unravel = jax.flatten_util.ravel_pytree(y0)

    def field(t: Number, vector: Float[Array, " m"]) -> Float[Array, " m"]:
        return jax.flatten_util.ravel_pytree(terms.vf(t, unravel(vector), args))[0]

    return flat, field
