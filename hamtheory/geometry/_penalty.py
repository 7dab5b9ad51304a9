"""What weight decay adds to the loss in the limit of a flow."""

from jaxtyping import Float

from .._array import Array, Struct, namespace

Scalars = Float[Array, "..."]


class Penalty(Struct):
    """`P(θ) = λ Σ |θ| − μ ln(1 + |θ|/μ)`, with μ = 0 for the lasso; for ridge, μ = ∞ and λ/μ → `curvature`.

    Attributes:
        slope: λ.
        barrier: μ.
        curvature: β.

    References:
        For HAM, [jacobs2026ham].

    ```python
    >>> import hamtheory as ht
    >>> penalty = ht.HAM(alpha=10.0).penalty(0.5, float)
    >>> penalty.slope.round(3).tolist(), penalty.barrier.round(3).tolist()
    (0.05, 0.1)

    ```
    """

    slope: Scalars
    barrier: Scalars
    curvature: Scalars

    def derivative(self, theta: Scalars) -> Scalars:
        """`P′(θ)`, elementwise: `λ θ/(μ + |θ|)`; for the lasso λ sign θ, for ridge β θ.

        Args:
            theta: θ, of any shape.

        Returns:
            `P′` of each entry.
        """
        xp = namespace(theta, self.slope)
        smooth = self.barrier > 0
        curvature = xp.where(smooth, self.curvature, 0)
        bent = curvature * theta / (1 + xp.abs(theta) / xp.where(smooth, self.barrier, 1))
        return xp.where(smooth, bent, xp.where(smooth, 0, self.slope) * xp.sign(theta))
