"""The Jacobians of the flows, by the structure that makes implicit steps cheap."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .._products import weighted_gram

Array = Any


class Symmetric:
    """A Jacobian −M with M = `negated` symmetric and positive, by its eigenvalues."""

    costs_a_solver = False

    def __init__(self, negated: Array, d: int):
        self._negated, self._decomposed = negated, None
        r, stages = negated.shape[0], 9
        new, again = 2 * r * r * d + 25 * r**3 + 2e6, stages * d * (4 * r + 100) + 1e6
        # Iterations from which a new one is the cheaper course; stale for too long, it would keep the steps short.
        self.patience = min(5, int(2 + math.sqrt(new / again)))

    @property
    def _eigen(self):
        if self._decomposed is None:
            values, vectors = np.linalg.eigh(self._negated)
            self._decomposed = np.maximum(values, 0), vectors
        return self._decomposed

    def is_finite(self) -> bool:
        return bool(np.isfinite(self._negated).all())

    def matrix(self) -> Array:
        return -self._negated

    def solver(self, forth: Array, shifts: Array, back: Array) -> Callable[[Array], Array]:
        """The solution of `(I − A ⊗ J) Z = R`, `A = back diag(shifts) forth`, (stages, r)."""
        values, vectors = self._eigen
        divided = 1 / (1 + shifts[:, None] * values)

        def solve(residual):
            return (back @ ((forth @ (residual @ vectors)) * divided)).real @ vectors.T

        return solve

    def damped(self, vector: Array, shift: float) -> Array:
        """`(I − shift J)⁻¹ vector`."""
        values, vectors = self._eigen
        return vectors @ ((vector @ vectors) / (1 + shift * values))

    def inverse(self, vector: Array) -> Array:
        """`−J⁻¹ vector`, how far it is to the equilibrium."""
        values, vectors = self._eigen
        return vectors @ ((vector @ vectors) / np.maximum(values, np.finfo(float).tiny))

    def product(self, states: Array) -> Array:
        return -states @ self._negated


class Factored:
    """A Jacobian J with `Jᵀ = −P Q`, for which `Q P` is the diagonal matrix of its eigenvalues.

    So it is of a product of two symmetric matrices: with `W = Wᵀ` and `V Λ Vᵀ = FᵀWF`, of `J = −W F Fᵀ` by P = FV and
    Q = VᵀFᵀW, of `J = −F Fᵀ W` by P = WFV and Q = VᵀFᵀ; F Fᵀ may be singular.
    """

    costs_a_solver, patience = False, 3

    def __init__(self, left: Array, values: Array, right: Array):
        sizes = np.max(np.abs(right), axis=1)  # what is between the two then is of the size of the state
        self._left, self._values = left * sizes, np.maximum(values, 0)
        self._right = right / np.where(sizes > 0, sizes, 1)[:, None]

    def is_finite(self) -> bool:
        return bool(
            np.isfinite(self._values).all() and np.isfinite(self._left).all() and np.isfinite(self._right).all()
        )

    def matrix(self) -> Array:
        return -(self._left @ self._right).T

    def solver(self, forth: Array, shifts: Array, back: Array) -> Callable[[Array], Array]:
        shares = shifts[:, None] / (1 + shifts[:, None] * self._values)

        def solve(residual):
            return residual - (back @ (shares * (forth @ (residual @ self._left)))).real @ self._right

        return solve

    def damped(self, vector: Array, shift: float) -> Array:
        return vector - shift * ((vector @ self._left) / (1 + shift * self._values)) @ self._right

    def product(self, states: Array) -> Array:
        return -(states @ self._left) @ self._right


class DiagonalPlusLowRank:
    """A Jacobian `−diag(p) − diag(l) BᵀB diag(r)` in d dimensions, by Woodbury's formula: no d × d matrix."""

    patience, costs_a_solver = 3, True

    def __init__(self, diagonal: Array, left: Array, factor: Array, right: Array):
        self._p, self._left, self._factor, self._right = diagonal, left, factor, right

    def is_finite(self) -> bool:
        return bool(np.isfinite(self._p).all() and np.isfinite(self._left * self._right).all())

    def matrix(self) -> Array:
        return -(np.reshape(self._left, (-1, 1)) * (self._factor.T @ self._factor) * self._right) - np.diag(self._p)

    def _core(self, shift: complex, inverse: Array) -> Array:
        """`(I + shift B diag(l r/(1 + shift p)) Bᵀ)⁻¹`."""
        B, weights = self._factor, shift * (self._left * self._right) * inverse
        core = weighted_gram(B, weights.real)
        if np.iscomplexobj(weights) and np.any(weights.imag):
            core = core + 1j * weighted_gram(B, weights.imag)
        core.flat[:: core.shape[0] + 1] += 1
        try:
            return np.linalg.inv(core)
        except np.linalg.LinAlgError:
            return np.full_like(core, np.nan)

    def solver(self, forth: Array, shifts: Array, back: Array) -> Callable[[Array], Array]:
        B = self._factor
        inverses = 1 / (1 + shifts[:, None] * self._p)
        cores = np.stack([self._core(z, inverse) for z, inverse in zip(shifts, inverses, strict=True)])
        scaled, right = shifts[:, None] * self._left * inverses, self._right * inverses

        # Products with complex matrices as real ones of twice the size: NumPy would convert the large real factors.
        there, again = np.concatenate([forth.real, forth.imag]), np.concatenate([back.real, -back.imag], axis=1)

        def solve(residual):
            moved = _complex(there @ residual)
            inner = (cores @ _complex(_real(right * moved) @ B.T)[:, :, None])[:, :, 0]
            return again @ _real(inverses * moved - scaled * _complex(_real(inner) @ B))

        return solve

    def damped(self, vector: Array, shift: float) -> Array:
        inverse = 1 / (1 + shift * np.maximum(self._p, 0))
        inner = self._core(shift, inverse) @ (self._factor @ (self._right * inverse * vector))
        return inverse * (vector - shift * self._left * (inner @ self._factor))

    def product(self, states: Array) -> Array:
        return -self._p * states - self._left * (((self._right * states) @ self._factor.T) @ self._factor)


def _complex(stacked: Array) -> Array:
    half = stacked.shape[0] // 2
    return stacked[:half] + 1j * stacked[half:]


def _real(matrix: Array) -> Array:
    return np.concatenate([matrix.real, matrix.imag])
