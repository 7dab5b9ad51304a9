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
    """A geometry that weight decay leaves in place: `dθ/dt = −g⁻¹(θ) ⊙ ∇f(θ) − βθ` (HAM, Theorem 4.2)."""

    def decayed(self, t: Number, weight_decay: Number) -> "tuple[AbstractGeometry, Number]":
        return self, weight_decay

    def stationarity(self, theta: Array, gradient: Array, weight_decay: Number) -> Scalars:
        return gradient + weight_decay * theta / self.inverse_metric(theta)
