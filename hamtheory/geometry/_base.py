"""The interface of a separable geometry."""

import abc
import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Bool

from .._array import Array, Struct, floating, is_jax, leaves, namespace, quiet, shown
from .._types import Number, Parameter, Scalars
from ._horizon import Horizon, numerical_horizon
from ._penalty import Penalty

_ELEMENTWISE = (
    "inverse_metric",
    "mirror_map",
    "inverse_mirror_map",
    "potential",
    "conjugate",
    "moment",
    "exponent",
    "from_exponent",
    "log_weight",
)


_OF_ONE_NUMBER = ("0-dimensional arrays", "length-1 arrays", "truth value of an array")  # what NumPy says of it


def _elementwise(method: Callable) -> Callable:
    """The method for whatever holds real numbers, which it gets as a floating array, of JAX if the geometry's are."""

    @functools.wraps(method)
    def call(self, x):
        x = floating(x, self)
        xp = namespace(x)
        if xp is not np:
            found = _traced_as_jax(self, method, x)
            return found if hasattr(found, "dtype") else xp.full_like(x, found)
        with quiet():
            try:
                found = method(self, x)
            except (TypeError, ValueError) as error:
                _explain(self, method, error)
                raise
        if not hasattr(found, "dtype"):  # of a constant
            return np.full_like(x, found)
        if is_jax(found):
            raise TypeError(
                f"{type(self).__name__}.{method.__name__} gave an array of JAX's for one of NumPy's: compute with the "
                "module hamtheory.geometry.namespace(theta) instead of jax.numpy"
            )
        return found

    return call


def _explain(geo: "AbstractGeometry", method: Callable, error: Exception) -> None:
    """An error that says what to write, where a method can answer for one number alone."""
    if any(words in str(error) for words in _OF_ONE_NUMBER):
        raise TypeError(
            f"{type(geo).__name__}.{method.__name__} is for one number, and gets an array: instead of math.tanh write "
            "hamtheory.geometry.namespace(theta).tanh, and instead of `if` its where"
        ) from error


def _traced_as_jax(geo: "AbstractGeometry", method: Callable, x: Array) -> Array:
    """What the method gives for an array of JAX's, or what to write in it instead of NumPy's functions."""
    import jax

    try:
        return method(geo, x)
    except jax.errors.TracerArrayConversionError as error:
        raise TypeError(
            f"{type(geo).__name__}.{method.__name__} computes with NumPy what JAX is to trace: use the module "
            "hamtheory.geometry.namespace(theta), which is NumPy or JAX's, instead of numpy"
        ) from error


class AbstractGeometry(Struct, abc.ABC):
    """A separable Riemannian geometry: an even, positive inverse metric `g⁻¹(θ)` applied to every coordinate.

    The Riemannian gradient flow `dθ/dt = −g⁻¹(θ) ⊙ ∇f(θ)` is the mirror flow `d∇R(θ)/dt = −∇f(θ)` of the potential
    with `R″ = 1/g⁻¹`, `R(0) = R′(0) = 0`. Every method acts elementwise on arrays of any shape, broadcasts against the
    parameters, keeps the dtype of its argument, and can be differentiated.

    A geometry is a class with its parameters as annotated fields (numbers, or arrays that broadcast against θ), and
    one method, `inverse_metric`: the others follow from it by quadrature, to rounding. Override what is known in
    closed form, and check it with `hamtheory.geometry.check_geometry`. What a method computes with is the module
    `hamtheory.geometry.namespace(theta)`, NumPy or JAX's; Python's operators and `abs` need neither.

    Attributes:
        name: The one word for it in tables, on the command line and in legends; the class's name in lower case, unless
            the class says otherwise.
        formula: Of g⁻¹, for tables.
        example: Arguments for where there are none, on the command line.

    References:
        The flow and its mirror flow: [jacobs2026ham], [li2022implicit].

    ```python
    >>> import hamtheory as ht
    >>> class Quadratic(ht.geometry.AbstractGeometry):
    ...     a: float
    ...
    ...     def inverse_metric(self, theta):
    ...         return 1 + self.a * theta**2
    >>> round(float(Quadratic(a=4.0).mirror_bound()), 4)  # π/4, and everything else follows too
    0.7854

    ```
    """

    name: ClassVar[str] = ""
    formula: ClassVar[str] = ""  #: of g⁻¹, for tables
    example: ClassVar[Mapping[str, Any]] = {}  #: arguments for where there are none, on the command line

    def __init_subclass__(cls, **options: Any) -> None:
        for method in _ELEMENTWISE:
            if method in cls.__dict__ and not getattr(cls.__dict__[method], "__isabstractmethod__", False):
                setattr(cls, method, _elementwise(cls.__dict__[method]))
        if "name" not in cls.__dict__:
            cls.name = cls.__name__.lower()
        if "__repr__" not in cls.__dict__:
            cls.__repr__ = cls.__repr__  # inherited, instead of a dataclass's own
        super().__init_subclass__(**options)

    @abc.abstractmethod
    def inverse_metric(self, theta: Scalars) -> Scalars:
        """`g⁻¹(θ)`.

        Args:
            theta: θ, of any shape that broadcasts against the parameters.

        Returns:
            `g⁻¹` of each entry, positive.
        """

    def mirror_map(self, theta: Parameter) -> Scalars:
        """`R′(θ) = ∫₀^θ ds / g⁻¹(s)`, odd and increasing.

        Args:
            theta: θ, of any shape that broadcasts against the parameters.

        Returns:
            `R′` of each entry.
        """
        from . import _defaults

        return _defaults.integral(self, "mirror", floating(theta, self))

    def inverse_mirror_map(self, mu: Parameter) -> Scalars:
        """`(R*)′(μ)`, the θ with `R′(θ) = μ`; NaN where `|μ|` is not below `mirror_bound`.

        Args:
            mu: μ, of any shape that broadcasts against the parameters.

        Returns:
            θ of each entry.
        """
        from . import _defaults

        return _defaults.inverse_mirror_map(self, floating(mu, self))

    def potential(self, theta: Parameter) -> Scalars:
        """`R(θ)`.

        Args:
            theta: θ, of any shape that broadcasts against the parameters.

        Returns:
            `R` of each entry; it is not summed.
        """
        from . import _defaults

        return _defaults.integral(self, "potential", floating(theta, self))

    def conjugate(self, mu: Parameter) -> Scalars:
        """`R*(μ) = max_θ μθ − R(θ)`; NaN where `|μ|` is not below `mirror_bound`.

        Args:
            mu: μ, of any shape that broadcasts against the parameters.

        Returns:
            `R*` of each entry; it is not summed.
        """
        from . import _defaults

        return _defaults.conjugate(self, floating(mu, self))

    def moment(self, theta: Parameter) -> Scalars:
        """`∫₀^|θ| s ds / g⁻¹(s) = R*(R′(θ))`: its gradient is θ/g⁻¹(θ), of which weight decay is a multiple.

        Args:
            theta: θ, of any shape that broadcasts against the parameters.

        Returns:
            The integral, of each entry.
        """
        from . import _defaults

        return _defaults.integral(self, "moment", floating(theta, self))

    def mirror_bound(self) -> Scalars:
        """The supremum of `R′`, infinity unless the mirror map has a bounded range.

        Returns:
            The supremum, of the shape of the parameters, or a scalar.
        """
        from . import _defaults

        return _defaults.mirror_bound(self)

    def scales(self, size: Scalars) -> tuple[Scalars, Scalars]:
        """R′ and g⁻¹ at a θ of this size, by which flows measure their steps.

        Args:
            size: A θ > 0, of any shape that broadcasts against the parameters.

        Returns:
            Both, positive.
        """
        return self.mirror_map(size), self.inverse_metric(size)

    def horizon(self) -> Horizon:
        """The shape of the level sets of the potential at infinity: which margin the flow maximises.

        Returns:
            A `Horizon`; by default from values of g⁻¹, with an estimate of the error.

        Raises:
            ValueError: Where the mirror map is bounded, and for parameters that are no scalars, unless the class knows.
            TypeError: For parameters that are arrays of JAX's, unless the class knows.
        """
        return numerical_horizon(self)

    def passage_time(self, a: Scalars, y: Scalars) -> Scalars:
        """`∫₀^a ds / (g⁻¹(s) (y + s))`: see `hamtheory.signs.first_passage_time`.

        Args:
            a: Where the integral ends; a positive floating array.
            y: A positive floating array of the shape and dtype of `a`.

        Returns:
            The integral, of each entry.
        """
        from . import _defaults

        return _defaults.passage_time(self, a, y)

    def closed_form(self, what: str, x: Scalars) -> tuple[Scalars, Bool[Array, "..."]] | None:
        """What the method `what` gives at x ≥ 0, and where that can be relied on; None where there is no such form.

        Asked on the device before a quadrature, for `mirror_map` and `inverse_mirror_map`.

        Args:
            what: `"mirror_map"` or `"inverse_mirror_map"`.
            x: The argument of that method, at least 0.

        Returns:
            The values, and where they can be relied on; or None.
        """
        return None

    def hyperbola(self) -> tuple[Scalars, Scalars, Scalars] | None:
        """`(c, κ, γ)` with `g⁻¹(θ) = c + 2√((κθ)² + γ²)`, if that is what it is: these share what they compile.

        Returns:
            `(c, κ, γ)`; None if it is none.
        """
        return None

    @property
    def log_sparsity(self) -> Scalars | None:
        """`ℓ` of an `AbstractExponentialGeometry`; None of any other one."""
        return None

    @property
    def log_rescaling(self) -> Scalars:
        """The logarithm of the factor on R, R′ and R* (and 1/g⁻¹) that keeps them in the range of numbers, mostly 0."""
        return np.float64(0.0)

    def dead_zone(self) -> Scalars | None:
        """λ, if R′ jumps at 0 from −λ to λ: the flow is then that of μ, and θ does not say where it is.

        What needs θ to be the state, or a derivative of the mirror map everywhere, refuses such a geometry.

        Returns:
            λ; None of a continuous mirror map.
        """
        return None

    def known_divergence(self, theta: Scalars, theta0: Scalars, mu: Scalars | None = None) -> Scalars | None:
        """The terms of `R(θ) + R*(μ) − μθ`, μ in R′(θ₀), without cancellation, if the class knows them.

        Args:
            theta: θ.
            theta0: θ₀, of the shape of `theta`, `(R*)′(μ)`.
            mu: μ, which θ₀ does not determine where R′ jumps; left out: `mirror_map(theta0)`.

        Returns:
            The terms of `bregman_divergence`, each at least 0; None: by quadrature.
        """
        return None

    def power_barrier(self) -> tuple[int, float] | None:
        """`(L, ln a)` if this is the geometry of u^L − v^L from u = v = a, with one depth L ≥ 3 for all entries.

        Its mirror map has a bounded range, at whose ends no digit is left: limits near them are found another way.

        Returns:
            `(L, ln a)`; None for any other geometry.
        """
        return None

    def proportional(self) -> "tuple[AbstractGeometry, Number] | None":
        """Another geometry and κ with `g⁻¹ = κ ĝ⁻¹`, if limits are better found with that: it has the same ones.

        `R′ = R̂′/κ`, so that κ knows of any `log_rescaling`.

        Returns:
            The geometry of ĝ⁻¹, and κ; None if limits are found with this one.
        """
        return None

    def log_decaying_scale(self) -> Scalars | None:
        """`ln γ`, if the flow under weight decay has dual coordinates.

        It has them if it is `θ_t = γ_t sinh(2(R′(θ₀) + Xᵀν))`, `γ_t = γ e^(−4βt)`, `dν/dt = −(Xθ − y)/n`.

        Returns:
            `ln γ`; None for any other flow.
        """
        return None

    def penalty(self, weight_decay: Number, dtype: Any) -> Penalty | None:
        """What weight decay β adds to the loss in the limit of the flow; None where that is not known.

        Args:
            weight_decay: β.
            dtype: That of the penalty.

        Returns:
            A `Penalty`, or None.
        """
        return None

    def in_units(self, size: float) -> "tuple[AbstractGeometry, float]":
        """`ĝ⁻¹` and κ with `g⁻¹(c θ̂) = κ ĝ⁻¹(θ̂)`: the geometry for a θ in units of c, a power of two.

        Args:
            size: c, a power of two.

        Returns:
            The geometry of ĝ⁻¹, and κ.
        """
        return Rescaled(self, size), 1.0

    def decayed(self, t: Number, weight_decay: Number) -> "tuple[AbstractGeometry, Number]":
        """The geometry `g_t` and the rate `c` of the flow with weight decay β: `dθ/dt = −g_t⁻¹(θ) ⊙ ∇f(θ) − c θ`.

        Weight decay leaves a geometry where it is, and c is β, unless the class says otherwise.

        Args:
            t: The time.
            weight_decay: β.

        Returns:
            The geometry of `g_t`, and c.

        References:
            [jacobs2026ham], Theorem 4.2.
        """
        return self, weight_decay

    def stationarity(self, theta: Scalars, gradient: Scalars, weight_decay: Number) -> Scalars:
        """How far each coordinate is from the optimality of the flow's limit under weight decay; zero exactly there.

        Args:
            theta: θ.
            gradient: `∇f(theta)`, of the shape of `theta`.
            weight_decay: The paper's β > 0.

        Returns:
            The violation of each coordinate, of the shape of `theta`.
        """
        return gradient + weight_decay * theta / self.inverse_metric(theta)

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}  # not what it remembers

    def arguments(self) -> dict[str, Any]:
        """What makes the same geometry again: `type(geo)(**geo.arguments())`.

        Returns:
            The arguments by their names.
        """
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.init}

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={shown(value)}" for name, value in self.arguments().items())
        return f"{type(self).__name__}({given})"


class Rescaled(AbstractGeometry):
    """A geometry for a θ in units of `size`: `g⁻¹(c θ̂)`."""

    geo: AbstractGeometry
    size: float

    def inverse_metric(self, theta: Scalars) -> Scalars:
        return self.geo.inverse_metric(theta * theta.dtype.type(self.size))

    def mirror_map(self, theta: Scalars) -> Scalars:
        size = theta.dtype.type(self.size)
        return self.geo.mirror_map(theta * size) / size

    def inverse_mirror_map(self, mu: Scalars) -> Scalars:
        size = mu.dtype.type(self.size)
        return self.geo.inverse_mirror_map(mu * size) / size

    def potential(self, theta: Scalars) -> Scalars:
        size = theta.dtype.type(self.size)
        return self.geo.potential(theta * size) / size / size

    def conjugate(self, mu: Scalars) -> Scalars:
        size = mu.dtype.type(self.size)
        return self.geo.conjugate(mu * size) / size / size

    def mirror_bound(self) -> Scalars:
        return self.geo.mirror_bound() / self.size

    def scales(self, size: Scalars) -> tuple[Scalars, Scalars]:
        mirror, metric = self.geo.scales(size * self.size)
        return mirror / self.size, metric

    def horizon(self) -> Horizon:
        return self.geo.horizon()

    def power_barrier(self) -> tuple[int, float] | None:
        barrier = self.geo.power_barrier()
        return barrier and (barrier[0], barrier[1] - float(np.log(self.size)) / barrier[0])

    def decayed(self, t: Number, weight_decay: Number) -> "tuple[AbstractGeometry, Number]":
        geo, rate = self.geo.decayed(t, weight_decay)
        return Rescaled(geo, self.size), rate

    def stationarity(self, theta: Scalars, gradient: Scalars, weight_decay: Number) -> Scalars:
        size = theta.dtype.type(self.size)
        return self.geo.stationarity(theta * size, gradient * size, weight_decay) / size


def parameter_ndim(geo: AbstractGeometry) -> int:
    """The most axes that any parameter has."""
    return max((np.ndim(leaf) for leaf in leaves(geo)), default=0)


class AbstractExponentialGeometry(AbstractGeometry):
    """A family between L2 and L1 that is simple in the *exponent* `s`, a multiple of the mirror map.

    `s` is `R′` in units that make `θ ~ ± e^(|s| − ℓ)` for large |s|, with `ℓ = log_sparsity`, so that a vector whose
    entries span thousands of orders of magnitude has exponents of moderate size, and a parameter far outside the range
    of floating-point numbers is one more number. In both families `∂θ/∂ℓ = −θ` at constant s. Limits are found in
    these coordinates, following the path in ℓ from the L2 end.
    """

    @classmethod
    @abc.abstractmethod
    def at_log(cls, log: Parameter) -> "AbstractExponentialGeometry":
        """The member with this natural logarithm of its parameter, `ln α` or `ln γ`.

        Args:
            log: `ln α` or `ln γ`, within ±10⁵.

        Returns:
            The geometry.

        Raises:
            ValueError: For a logarithm that is not finite or not within ±10⁵.
        """

    @property
    @abc.abstractmethod
    def log_sparsity(self) -> Scalars:
        """`ℓ`: −∞ at the L2 end, ∞ at the L1 end."""

    @abc.abstractmethod
    def shifted(self, by: Number) -> "AbstractExponentialGeometry":
        """The member of the family at `ℓ + by`.

        Args:
            by: What is added to ℓ.

        Returns:
            The geometry.
        """

    @staticmethod
    @abc.abstractmethod
    def profile(s: Scalars) -> tuple[Scalars, Scalars]:
        """`Θ/Θ′` and `ln Θ′`, elementwise: the family is `θ = e^(−ℓ) Θ(s)`, which is exponential for large |s|.

        Args:
            s: Exponents, of any shape.

        Returns:
            `Θ/Θ′` and `ln Θ′`, of each entry.
        """

    @abc.abstractmethod
    def exponent(self, theta: Scalars) -> Scalars:
        """`s(θ)`, elementwise.

        Args:
            theta: θ, of any shape that broadcasts against the parameters.

        Returns:
            `s` of each entry.
        """

    @abc.abstractmethod
    def from_exponent(self, s: Scalars) -> Scalars:
        """`θ(s)`, elementwise.

        Args:
            s: Exponents, of any shape that broadcasts against the parameters.

        Returns:
            `θ` of each entry.
        """

    @abc.abstractmethod
    def log_weight(self, s: Scalars) -> Scalars:
        """`ln dθ/ds`, elementwise.

        Args:
            s: Exponents, of any shape that broadcasts against the parameters.

        Returns:
            `ln dθ/ds` of each entry.
        """

    @abc.abstractmethod
    def log_exponent_unit(self, dtype) -> Scalars:
        """`ln(R′/s)`, of the (rescaled) mirror map; a constant, up to rounding.

        Args:
            dtype: That of the numbers, on whose range the rescaling depends.

        Returns:
            The logarithm.
        """
