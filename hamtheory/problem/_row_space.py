"""The row space of X: what every limit and every dual flow lives in."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from .._types import Samples, Vector


class RowSpace(eqx.Module):
    """The thin singular value decomposition `X = U diag(s) Q`, restricted to its numerical rank, with the target `b`.

    The rows of `Q` are orthonormal, so the interpolators (or, for an inconsistent y, the least-squares set) are
    `{θ : Qθ = b}` with `b = s⁻¹ Uᵀ y`: a constraint that is as well conditioned as the question allows, whatever the
    conditioning or the rank of X. With r = min(n, d), the trailing r − rank entries and rows are zero, so that shapes
    stay static under `jit` and `vmap`.

    Fields: `left`: U, (n, r). `singular_values`: s, (r,). `basis`: Q, (r, d). `target`: b, (r,). `rank`: of X, an
      integer. `distance`: of y from the range of X.
    Source: own.
    """

    left: Float[Array, "n r"]
    singular_values: Float[Array, " r"]
    basis: Float[Array, "r d"]
    target: Float[Array, " r"]
    rank: Int[Array, ""]
    distance: Float[Array, ""]

    def __init__(self, X: Float[Array, "n d"], y: Float[Array, " n"]):
        left, s, basis = jnp.linalg.svd(X, full_matrices=False)
        cutoff = jnp.max(s) * max(X.shape) * jnp.finfo(X.dtype).eps
        keep = s > cutoff
        self.left = jnp.where(keep, left, 0)
        self.singular_values = jnp.where(keep, s, 0)
        self.basis = jnp.where(keep[:, None], basis, 0)
        self.target = jnp.where(keep, self.left.T @ y / jnp.where(keep, s, 1), 0)
        self.rank = jnp.sum(keep)
        self.distance = jnp.linalg.norm(y - self.left @ (self.left.T @ y))

    @property
    def active(self) -> Bool[Array, " r"]:
        """Which of the r directions carry the numerical rank."""
        return self.singular_values > 0

    def coordinates(self, dual: Samples) -> Float[Array, " r"]:
        """`λ = s Uᵀν`, the coordinates in the basis Q of `Xᵀν = Qᵀλ`."""
        return self.singular_values * (self.left.T @ jnp.asarray(dual))

    def dual(self, coordinates: Float[Array, " r"]) -> Float[Array, " n"]:
        """The ν of least norm with `Xᵀν = Qᵀλ`."""
        return self.left @ (coordinates / jnp.where(self.active, self.singular_values, 1))

    def project(self, vector: Vector) -> Float[Array, " r"]:
        """The coordinates of the orthogonal projection of a d-vector on row(X)."""
        return self.basis @ jnp.asarray(vector)
