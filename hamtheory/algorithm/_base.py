"""The interface of a discrete algorithm."""

import abc
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from .._array import Array
from .._validate import is_traced
from ..geometry import AbstractGeometry
from ..problem import BinaryClassification, LinearRegression


class AbstractAlgorithm(eqx.Module):
    """A rule that takes a state, the gradient there and a learning rate to the next state.

    A frozen pytree. Its real numbers are traced, in the dtype of the problem, so that new ones compile nothing; fields
    marked static are compiled in. The methods see one run: `vmap` makes many of it.

    ```python
    >>> import jax.numpy as jnp
    >>> import hamtheory as ht
    >>> class SignDescent(ht.algorithm.AbstractAlgorithm):
    ...     def init(self, problem, theta0):
    ...         return theta0
    ...
    ...     def step(self, state, gradient, learning_rate):
    ...         return state - learning_rate * jnp.sign(gradient)
    ...
    ...     def theta(self, state):
    ...         return state
    >>> problem = ht.LinearRegression([[1.0, 2.0]], [2.0])
    >>> ht.run(problem, SignDescent(), learning_rate=0.25, steps=2).theta.tolist()
    [0.5, 0.5]

    ```
    """

    follows: ClassVar[type[AbstractGeometry] | None] = None  #: the geometries whose flow it discretises

    @classmethod
    def along(cls, geo: AbstractGeometry, weight_decay: float = 0.0) -> "AbstractAlgorithm":
        """The rule of this kind that discretises the flow of a geometry, with weight decay.

        Args:
            geo: One that the rule `follows`.
            weight_decay: Of the flow; 0 if left out.

        Returns:
            The rule.

        Raises:
            ValueError: Where there is none.
        """
        raise NotImplementedError

    @abc.abstractmethod
    def init(self, problem: LinearRegression | BinaryClassification, theta0: Float[Array, " d"]) -> Any:
        """The state at θ₀.

        Args:
            problem: The regression or classification.
            theta0: θ₀, (d,).

        Returns:
            A pytree of arrays.

        Raises:
            ValueError: For a start that does not suit the rule.
        """

    @abc.abstractmethod
    def step(self, state: Any, gradient: Float[Array, " d"], learning_rate: Float[Array, ""]) -> Any:
        """The next state.

        Args:
            state: The state before, as `init` or `step` returned it.
            gradient: That of the loss, or of a mini-batch of it, at `theta(state)`, (d,).
            learning_rate: η of this step, a scalar array.

        Returns:
            A pytree like `state`.
        """

    @abc.abstractmethod
    def theta(self, state: Any) -> Float[Array, " d"]:
        """The parameter vector of a state.

        Args:
            state: As `init` or `step` returned it.

        Returns:
            θ, (d,).
        """

    def in_dtype(self, dtype: Any) -> "AbstractAlgorithm":
        """The rule with its real numbers as arrays of the dtype, Python floats among them.

        Args:
            dtype: That of the problem.

        Returns:
            The rule; what is no real number in it stays as it is.
        """

        def real(x) -> bool:
            return isinstance(x, float) or (hasattr(x, "dtype") and jnp.issubdtype(x.dtype, jnp.floating))

        return jax.tree.map(lambda x: jnp.asarray(x, dtype) if real(x) else x, self)

    def of_flow(self) -> AbstractGeometry:
        """The geometry of the flow that the rule discretises, without weight decay, if it is known.

        Returns:
            The geometry.
        """
        raise NotImplementedError

    def mirror_drift(self, theta: Float[Array, " d"]) -> Float[Array, " d"]:
        """κ(θ) in `R′(θ⁺) − R′(θ) = −ηg + ½ κ(θ) η²g² + O(η³)`, if the rule has one: `hamtheory.symbolic.ito_drift`.

        Args:
            theta: θ, (d,).

        Returns:
            κ(θ), (d,).
        """
        raise NotImplementedError


def refused_if(bad: Bool[Array, ""], value: Array, message: str) -> Array:
    """`value`, or an error with the message."""
    if is_traced(bad):
        return eqx.error_if(value, bad, message)
    if bad:
        raise ValueError(message)
    return value
