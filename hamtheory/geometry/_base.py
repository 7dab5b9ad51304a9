"""The interface of a separable geometry."""

import abc

import equinox as eqx
from jaxtyping import Array, Float

from .._types import Number, Parameter

Scalars = Float[Array, "..."]


class AbstractGeometry(eqx.Module):
    """A separable Riemannian geometry: an even, positive inverse metric `g⁻¹(θ)` applied to every coordinate.

    The Riemannian gradient flow `dθ/dt = −g⁻¹(θ) ⊙ ∇f(θ)` is the mirror flow `d∇R(θ)/dt = −∇f(θ)` of the potential
    with `R″ = 1/g⁻¹`, `R(0) = R′(0) = 0`. Every method acts elementwise on arrays of any shape, broadcasts against the
    parameters, keeps the dtype of its argument, and can be differentiated.

    A new geometry fills in the abstract methods; `AbstractStaticGeometry` fills in the last two for geometries that
    weight decay does not move. Check it with `hamtheory.geometry.check_geometry`.
    Source: own; the flow and its mirror flow, [jacobs2026ham], [li2022implicit].
    """

    @abc.abstractmethod
    def inverse_metric(self, theta: Parameter) -> Scalars:
        """`g⁻¹(θ)`."""

    @abc.abstractmethod
    def mirror_map(self, theta: Parameter) -> Scalars:
        """`R′(θ) = ∫₀^θ ds / g⁻¹(s)`, odd and increasing."""

    @abc.abstractmethod
    def inverse_mirror_map(self, mu: Parameter) -> Scalars:
        """`(R*)′(μ)`, the θ with `R′(θ) = μ`; NaN where `|μ|` is not below `mirror_bound`."""

    @abc.abstractmethod
    def potential(self, theta: Parameter) -> Scalars:
        """`R(θ)`."""

    @abc.abstractmethod
    def conjugate(self, mu: Parameter) -> Scalars:
        """`R*(μ) = max_θ μθ − R(θ)`; NaN where `|μ|` is not below `mirror_bound`."""

    @abc.abstractmethod
    def mirror_bound(self) -> Scalars:
        """The supremum of `R′`, infinity unless the mirror map has a bounded range."""

    @abc.abstractmethod
    def decayed(self, t: Number, weight_decay: Number) -> "tuple[AbstractGeometry, Number]":
        """The geometry `g_t` and the rate `c` of the flow with weight decay β: `dθ/dt = −g_t⁻¹(θ) ⊙ ∇f(θ) − c θ`."""

    @abc.abstractmethod
    def stationarity(self, theta: Array, gradient: Array, weight_decay: Number) -> Scalars:
        """How far each coordinate is from the optimality of the flow's limit under weight decay; zero exactly there.

        Arguments: `theta` and `gradient = ∇f(theta)` of one shape, `weight_decay` the paper's β > 0.
        """


class AbstractStaticGeometry(AbstractGeometry):
    """A geometry that weight decay leaves in place: `dθ/dt = −g⁻¹(θ) ⊙ ∇f(θ) − βθ`.

    Source: [jacobs2026ham], Theorem 4.2.
    """

    def decayed(self, t: Number, weight_decay: Number) -> "tuple[AbstractGeometry, Number]":
        return self, weight_decay

    def stationarity(self, theta: Array, gradient: Array, weight_decay: Number) -> Scalars:
        return gradient + weight_decay * theta / self.inverse_metric(theta)


class AbstractExponentialGeometry(AbstractGeometry):
    """A family between L2 and L1 that is simple in the *exponent* `s`, a multiple of the mirror map.

    `s` is `R′` in units that make `θ ~ ± e^(|s| − ℓ)` for large |s|, with `ℓ = log_sparsity`, so that a vector whose
    entries span thousands of orders of magnitude has exponents of moderate size, and a parameter far outside the range
    of floating-point numbers is one more number. In both families `∂θ/∂ℓ = −θ` at constant s. Limits are found in
    these coordinates, following the path in ℓ from the L2 end.
    Source: own.
    """

    @classmethod
    @abc.abstractmethod
    def at_log(cls, log: Parameter) -> "AbstractExponentialGeometry":
        """The member with this natural logarithm of its parameter, `ln α` or `ln γ`.

        Errors: `ValueError` for a logarithm that is not finite or not within ±10⁵.
        """

    @property
    @abc.abstractmethod
    def log_rescaling(self) -> Scalars:
        """The logarithm of the factor on R, R′ and R* (and 1/g⁻¹) that keeps them in the range of numbers, mostly 0."""

    @property
    @abc.abstractmethod
    def log_sparsity(self) -> Scalars:
        """`ℓ`: −∞ at the L2 end, ∞ at the L1 end."""

    @abc.abstractmethod
    def shifted(self, by: Number) -> "AbstractExponentialGeometry":
        """The member of the family at `ℓ + by`."""

    @abc.abstractmethod
    def exponent(self, theta: Array) -> Scalars:
        """`s(θ)`, elementwise."""

    @abc.abstractmethod
    def from_exponent(self, s: Array) -> Scalars:
        """`θ(s)`, elementwise."""

    @abc.abstractmethod
    def log_weight(self, s: Array) -> Scalars:
        """`ln dθ/ds`, elementwise."""

    @abc.abstractmethod
    def log_exponent_unit(self, dtype) -> Scalars:
        """`ln(R′/s)`, of the (rescaled) mirror map; a constant, up to rounding."""
