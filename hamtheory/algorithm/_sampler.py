"""Where the gradients come from: all samples, or a mini-batch at every step; exact labels, or noisy ones."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float, Int, PRNGKeyArray

from .._array import Array, replaced
from ..problem import BinaryClassification, LinearRegression


class Sampler(eqx.Module):
    """Draws by the number of the step, so that they do not depend on how the steps are grouped.

    With `batch_key, noise_key = jax.random.split(key)`, step k has the indices `randint(fold_in(batch_key, k), (b,), 0,
    n)`. Without replacement it has the next b of `permutation(fold_in(batch_key, epoch), n)`, and an epoch has `n // b`
    steps; what is left over sits it out. The noise is `σ normal(fold_in(noise_key, k), (b,))`.
    """

    batch_key: Any  # a key, where it is needed
    noise_key: Any
    noise: Float[Array, ""] | None
    batch_size: int | None = eqx.field(static=True)
    replace: bool = eqx.field(static=True)

    def __init__(self, key: PRNGKeyArray | None, batch_size: int | None, replace: bool, noise: Array | None):
        self.batch_key, self.noise_key = (None, None) if key is None else jax.random.split(key)
        self.batch_size, self.replace, self.noise = batch_size, replace, noise

    def first_order(self, problem: LinearRegression | BinaryClassification) -> Int[Array, " n"] | None:
        """Room for the order of the samples in an epoch, if there are epochs."""
        return None if self.batch_size is None or self.replace else jnp.arange(problem.n)

    def gradient(
        self,
        problem: LinearRegression | BinaryClassification,
        theta: Float[Array, " d"],
        step: Int[Array, ""],
        order: Any,
    ):
        """`X_Bᵀ(X_Bθ − y_B − noise)/|B|`, or of classes `∇L_B`, at this step; the order of the samples in the epoch."""
        if self.batch_size is None and self.noise is None:
            return problem.gradient(theta), order
        index, order = self._indices(problem.n, step, order)
        if isinstance(problem, BinaryClassification):  # without noise
            return replaced(problem, X=problem.X[index], z=problem.z[index]).gradient(theta), order
        X, y = (problem.X, problem.y) if index is None else (problem.X[index], problem.y[index])
        residual = theta @ X.T - y
        if self.noise is not None:
            key = jax.random.fold_in(self.noise_key, step)
            residual = residual - self.noise * jax.random.normal(key, residual.shape, residual.dtype)
        return residual @ X / y.size, order

    def _indices(self, n: int, step, order):
        if self.batch_size is None:
            return None, order
        if self.replace:
            return jax.random.randint(jax.random.fold_in(self.batch_key, step), (self.batch_size,), 0, n), order
        epoch, place = jnp.divmod(step, n // self.batch_size)
        # The number of the step is the same in all runs of a vmap: this stays a branch.
        order = jax.lax.cond(
            place == 0,
            lambda order: jax.random.permutation(jax.random.fold_in(self.batch_key, epoch), n),
            lambda order: order,
            order,
        )
        return jax.lax.dynamic_slice(order, (place * self.batch_size,), (self.batch_size,)), order
