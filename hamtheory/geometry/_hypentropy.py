"""The geometry of the pointwise overparameterisation m*w."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._types import Number, Parameter
from ._base import AbstractGeometry, Scalars
from ._numerics import asinh_quotient, floating, sinh_times
from ._parameter import positive_or_log

BALANCED = (
    ": gamma = 0 is the balanced flow of m*w, whose inverse metric vanishes at zero, so that it has no mirror "
    "potential on all of R^d; integrate it in its own parameters with product_flow(problem, m0, w0)"
)


class Hypentropy(AbstractGeometry):
    """The geometry of θ = m⊙w (hypentropy): `g⁻¹(θ) = 2√(θ² + γ²)` with `γ = |m₀² − w₀²|/2`.

    `R(θ) = ½[θ asinh(θ/γ) − √(θ² + γ²) + γ]`: the squared L2 norm as γ → ∞, the L1 norm as γ → 0, both up to scale.
    With weight decay `β(‖m‖² + ‖w‖²)` it moves: `dθ/dt = −2√(θ² + γ_t²) ⊙ ∇f − 4βθ`, `γ_t = γ e^(−4βt)`, and the
    limit is the lasso with penalty `2β‖θ‖₁`.

    Arguments: `gamma` > 0, or its natural logarithm `log_gamma`; a scalar, or an array that broadcasts against θ.
    Source: [woodworth2020kernel], [ghai2020exponentiated]; with weight decay [jacobs2025mask], [jacobs2025mirror].

    ```python
    >>> import hamtheory as ht
    >>> float(ht.Hypentropy(gamma=4.0).inverse_metric(3.0))
    10.0

    ```
    """

    parameter: Float[Array, "..."]
    logarithmic: bool = eqx.field(static=True)

    def __init__(self, gamma: Parameter | None = None, *, log_gamma: Parameter | None = None):
        self.parameter, self.logarithmic = positive_or_log(gamma, log_gamma, "gamma", BALANCED)

    @property
    def gamma(self) -> Scalars:
        return jnp.exp(self.parameter) if self.logarithmic else self.parameter

    @property
    def log_gamma(self) -> Scalars:
        return self.parameter if self.logarithmic else jnp.log(self.parameter)

    def inverse_metric(self, theta: Parameter) -> Scalars:
        theta = floating(theta)
        return 2 * jnp.hypot(theta, self.gamma.astype(theta.dtype))

    def mirror_map(self, theta: Parameter) -> Scalars:
        theta = floating(theta)
        return asinh_quotient(theta, self.gamma.astype(theta.dtype)) / 2

    def inverse_mirror_map(self, mu: Parameter) -> Scalars:
        mu = floating(mu)
        return sinh_times(self.gamma.astype(mu.dtype), 2 * mu)

    def potential(self, theta: Parameter) -> Scalars:
        theta = floating(theta)
        gamma = self.gamma.astype(theta.dtype)
        return theta / 2 * (asinh_quotient(theta, gamma) - theta / (gamma + jnp.hypot(theta, gamma)))

    def conjugate(self, mu: Parameter) -> Scalars:
        mu = floating(mu)
        return jnp.square(sinh_times(jnp.sqrt(self.gamma.astype(mu.dtype)), mu))

    def mirror_bound(self) -> Scalars:
        return jnp.asarray(jnp.inf)

    def decayed(self, t: Number, weight_decay: Number) -> "tuple[Hypentropy, Number]":
        shift = 4 * weight_decay * t
        moved = self.parameter - shift if self.logarithmic else self.parameter * jnp.exp(-shift)
        return eqx.tree_at(lambda geo: geo.parameter, self, moved), 4 * weight_decay

    def stationarity(self, theta: Array, gradient: Array, weight_decay: Number) -> Scalars:
        # The prox residual of the lasso f + 2 beta |theta|_1, in units of theta for a unit step.
        step = theta - gradient
        return theta - jnp.sign(step) * jnp.maximum(jnp.abs(step) - 2 * weight_decay, 0)
