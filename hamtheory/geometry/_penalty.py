"""What weight decay adds to the loss in the limit of a flow."""

from jaxtyping import Float

from .._array import Array, Struct


class Penalty(Struct):
    """`P(θ) = λ Σ |θ| − μ ln(1 + |θ|/μ)`, with μ = 0 for the lasso; for ridge, μ = ∞ and λ/μ → `curvature`.

    `slope`: λ. `barrier`: μ. `curvature`: β.
    Source: own; for HAM, [jacobs2026ham].
    """

    slope: Float[Array, ""]
    barrier: Float[Array, ""]
    curvature: Float[Array, ""]
