"""The rules on θ itself that HAM may be wrapped around: gradient, sign and steepest descent, and optax's optimizers."""

import abc
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float, PyTree

from .._array import Array
from .._types import Parameter
from .._validate import finite, is_traced, per_coordinate, real_array
from ..geometry import Euclidean
from ._base import AbstractAlgorithm


class BaseState(NamedTuple):
    """The state of a base that remembers.

    Attributes:
        theta: θ, (d,).
        memory: What it remembers, a pytree of arrays.
    """

    theta: Float[Array, "*runs d"]
    memory: PyTree


class AbstractBase(AbstractAlgorithm):
    """A rule `θ ← θ − ηp`, whose direction p is made of the gradient, and of what the rule remembers of earlier ones.

    The state is θ, or a `BaseState` where there is a memory. `HYP` and `HAMStep` take one as their `base`.

    ```python
    >>> import jax.numpy as jnp
    >>> import hamtheory as ht
    >>> class Momentum(ht.algorithm.AbstractBase):
    ...     def memory(self, theta0):
    ...         return jnp.zeros_like(theta0)
    ...
    ...     def direction(self, memory, gradient, theta):
    ...         memory = 0.9 * memory + gradient
    ...         return memory, memory
    >>> problem = ht.LinearRegression([[1.0, 2.0]], [2.0])
    >>> ht.run(problem, ht.HAMStep(alpha=5.0, base=Momentum()), learning_rate=0.01, steps=900).theta.round(2).tolist()
    [0.42, 0.79]

    ```
    """

    def memory(self, theta0: Float[Array, " d"]) -> PyTree:
        """What the rule remembers before the first step.

        Args:
            theta0: θ₀, (d,).

        Returns:
            A pytree of arrays, or None if it never remembers anything.
        """
        return None

    @abc.abstractmethod
    def direction(
        self, memory: PyTree, gradient: Float[Array, " d"], theta: Float[Array, " d"]
    ) -> tuple[Float[Array, " d"], PyTree]:
        """The direction of a step.

        Args:
            memory: As `memory` or the step before left it.
            gradient: At θ, (d,).
            theta: θ, (d,).

        Returns:
            p, (d,), which is subtracted, and what to remember.
        """

    def at(self, state: Any, theta: Float[Array, "*runs d"]) -> Any:
        """The state, moved to another θ.

        Args:
            state: As `init` or `step` returned it.
            theta: (d,).

        Returns:
            A state with the same memory.
        """
        return BaseState(theta, state.memory) if isinstance(state, BaseState) else theta

    def init(self, problem, theta0):
        memory = self.memory(theta0)
        return theta0 if memory is None else BaseState(theta0, memory)

    def step(self, state, gradient, learning_rate):
        theta, before = state if isinstance(state, BaseState) else (state, None)
        shape = jnp.broadcast_shapes(theta.shape, gradient.shape)
        direction, memory = self._checked(self.direction(before, gradient, theta), before, shape)
        theta = theta - learning_rate * direction
        return theta if memory is None else BaseState(theta, memory)

    def theta(self, state):
        return state.theta if isinstance(state, BaseState) else state

    def _checked(self, made: Any, memory: PyTree, shape: tuple) -> tuple[Array, PyTree]:
        """What `direction` has made, or an error that says what it must be."""
        what = f"direction of {type(self).__name__} must return p and what to remember, a pair"
        if not isinstance(made, tuple) or len(made) != 2:
            raise TypeError(f"{what}; got {type(made).__name__}")
        direction, after = made
        if jnp.shape(direction) != shape:
            raise ValueError(f"{what}, p of the shape of theta, {shape}; got one of {jnp.shape(direction)}")
        if jax.tree.structure(after) != jax.tree.structure(memory):
            raise ValueError(f"{what}, this as `memory` has it, {memory!r}; got {after!r}")
        return direction, after


class GD(AbstractBase):
    """Gradient descent: `θ ← θ − η∇f(θ)`.

    References:
        The textbook rule.

    ```python
    >>> import hamtheory as ht
    >>> problem = ht.LinearRegression([[1.0, 2.0]], [2.0])
    >>> ht.run(problem, ht.GD(), learning_rate=0.1, steps=2).thetas.round(2).tolist()
    [[0.0, 0.0], [0.2, 0.4], [0.3, 0.6]]

    ```
    """

    follows = Euclidean

    def direction(self, memory, gradient, theta):
        return gradient, None

    @classmethod
    def along(cls, geo: Any, weight_decay=0.0):
        if weight_decay:
            raise ValueError("weight_decay must be 0 for gradient descent")
        return cls()

    def of_flow(self):
        return Euclidean()

    def mirror_drift(self, theta):
        return jnp.zeros_like(theta)


class SteepestDescent(AbstractBase):
    """Steepest descent of exponent q: `θ ← θ − η sign(∇f)|∇f|^(q−1)`; q = 1 is sign descent, q = 2 gradient descent.

    Below q = 2 no limit is stable: it ends in a cycle around one. On `f = hθ²/2` that is between θ and −θ with
    `2|θ|^(2−q) = ηh^(q−1)`.

    Args:
        q: 1 ≤ q ≤ 2; a scalar, or (d,).

    Raises:
        ValueError: For bad arguments.

    References:
        [bernstein2018signsgd] (q = 1).

    ```python
    >>> import hamtheory as ht
    >>> problem = ht.LinearRegression([[1.0, 2.0]], [2.0])
    >>> ht.run(problem, ht.algorithm.SteepestDescent(q=1.0), learning_rate=0.25, steps=2).theta.tolist()
    [0.5, 0.5]

    ```
    """

    q: Float[Array, "..."]

    def __init__(self, q: Parameter = 1.0):
        q = finite(real_array(q, "q"), "q")
        if is_traced(q):
            q = eqx.error_if(q, (q < 1) | (q > 2), "q must be from 1 to 2")
        elif np.any((np.asarray(q) < 1) | (np.asarray(q) > 2)):
            raise ValueError(f"q must be from 1, sign descent, to 2, gradient descent; got {np.asarray(q)}")
        self.q = q

    def init(self, problem, theta0):
        per_coordinate(problem.d, q=self.q)
        return theta0

    def direction(self, memory, gradient, theta):
        return jnp.sign(gradient) * jnp.abs(gradient) ** (self.q - 1), None


class Optax(AbstractBase):
    """An optimizer of optax, whose updates are multiplied by η: give it the learning rate 1.

    Two of them are two programs, so make one, and use it again. Its numbers are compiled in.

    Args:
        optimizer: Such as `optax.adam(1.0)`, `optax.sgd(1.0, momentum=0.9)` or `optax.lion(1.0)`.

    Raises:
        TypeError: If `optimizer` is none, and, in the first step, if it asks for more than gradients and θ, as those
            with a line search do.

    ```python
    >>> import optax
    >>> import hamtheory as ht
    >>> problem, adam = ht.LinearRegression([[1.0, 2.0]], [2.0]), ht.algorithm.Optax(optax.adam(1.0))
    >>> ht.run(problem, adam, learning_rate=0.01, steps=500).theta.round(2).tolist()
    [0.67, 0.67]

    ```
    """

    optimizer: optax.GradientTransformation = eqx.field(static=True)

    def __init__(self, optimizer: optax.GradientTransformation):
        if not isinstance(optimizer, optax.GradientTransformation):
            raise TypeError(f"optimizer must be one of optax, such as optax.adam(1.0); got {optimizer!r}")
        self.optimizer = optimizer

    def memory(self, theta0):
        return self.optimizer.init(theta0)

    def direction(self, memory, gradient, theta):
        try:
            with jax.numpy_dtype_promotion("standard"):  # optax mixes dtypes
                updates, memory = self.optimizer.update(gradient, memory, theta)
        except TypeError as error:
            raise TypeError(f"optimizer must take gradients, its state and θ, and nothing else: {error}") from error
        return -jnp.asarray(updates), memory


def as_base(base: Any) -> AbstractBase:
    """The base that is meant, or an error."""
    if isinstance(base, AbstractBase):
        return base
    if isinstance(base, optax.GradientTransformation):
        return Optax(base)
    raise TypeError(
        "base must be a rule such as ht.algorithm.SteepestDescent(), or an optimizer of optax of learning rate 1 such "
        f"as optax.adam(1.0); got {base!r}"
    )
