"""What a sparsity method is: how the network's weights come from what is trained, and when the masks change."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, PRNGKeyArray, PyTree

from ._density import RULES, exact, kept_of
from ._masks import DENSE_LAYERS, everything, kept, magnitude, masked, sparsified, total_of

Step = int | Int[Array, ""]


@dataclass(frozen=True, kw_only=True)
class AbstractMethod(ABC):
    """A sparsity method. Times are fractions of the training, so that it fits any budget.

    Three things are kept apart: the *weights* of the network, a pytree; the *parameters*, which the optimizer moves:
    the weights themselves, unless a method says otherwise; and the *masks*, a pytree like the weights with a bool
    tensor for each that is sparsified and None for the others. Tensors with two axes or more are sparsified, biases
    never. One step of training is

        weights = method.weights(params, masks)         (at first: params, masks = method.init(key, weights, steps))
        gradient = (of the loss, in the weights: dense)
        grads = method.regularised((gradient pulled back to params), params, step, steps)
        params = params + optimizer(grads)              (those that are integers are the method's own, and not moved)
        params, masks, optimizer_state = method.update(params, masks, gradient, step + 1, steps, optimizer_state)

    and at the end of training `method.final(params, masks)` has exactly ⌊(1 − sparsity) · total + 1/2⌋ weights left in
    its masks, of the `total` entries of the tensors that are sparsified. All of it works under `jit`, and under `vmap`
    over everything but `step`, which has to be the same in all instances; so are the steps at which masks change.

    Attributes:
        sparsity: From 0 to below 1, of the end.
        layers: How the weights that are kept are distributed over layers: "erk" or "uniform", see `layer_counts`, or
            "global": the best of all layers together.
        dense_layers: "first", "last" or both: tensors that stay dense, and don't count. The published rules differ in
            this; none is the default here, for all methods alike.

    Raises:
        ValueError: For values out of range, and unknown names.

    References:
        Each method has its own.
    """

    #: Fields that may differ from seed to seed of one training: numbers that no shape and no schedule depends on.
    tunable: ClassVar[tuple[str, ...]] = ()

    sparsity: float = 0.0
    layers: str = "erk"
    dense_layers: tuple[str, ...] = ()

    def __post_init__(self):
        if not 0 <= float(self.sparsity) < 1:
            raise ValueError(f"sparsity must be at least 0 and less than 1; got {self.sparsity}")
        one_of(self.layers, "layers", (*RULES, "global"))
        object.__setattr__(self, "dense_layers", tuple(self.dense_layers))
        for name in self.dense_layers:
            one_of(name, "dense_layers", DENSE_LAYERS)

    @property
    def density(self):
        """`1 − sparsity`, as an exact fraction of what was written."""
        return 1 - exact(self.sparsity)

    def tuned(self, hyper: Mapping[str, Any]) -> "AbstractMethod":
        """This method with those of the hyperparameters that are tunable fields of it.

        Args:
            hyper: Names and numbers, which may be traced.

        Returns:
            A method; this one, if none of them is tunable.
        """
        own = {name: value for name, value in hyper.items() if name in self.tunable}
        if not own:
            return self
        made = copy.copy(self)
        for name, value in own.items():
            object.__setattr__(made, name, value)
        return made

    def chosen(self, weights: PyTree) -> PyTree:
        """A bool for each tensor of the weights: whether it is sparsified.

        Args:
            weights: Of the network, a pytree.

        Returns:
            A pytree of bools like `weights`.

        Raises:
            ValueError: If none is sparsified.
        """
        return sparsified(weights, self.dense_layers)

    def start(self, key: PRNGKeyArray, weights: PyTree) -> PyTree:
        """The masks at first: everything, unless a method prunes at initialisation.

        Args:
            key: For random masks.
            weights: Of the network, a pytree.

        Returns:
            The masks, a pytree like `weights`.
        """
        return everything(weights, self.chosen(weights))

    def parameters(self, weights: PyTree, masks: PyTree) -> PyTree:
        """What is trained, from the weights at first.

        Args:
            weights: Of the network at first, a pytree.
            masks: Those at first.

        Returns:
            The parameters, a pytree.
        """
        return masked(weights, masks)

    def init(self, key: PRNGKeyArray, weights: PyTree, steps: int) -> tuple[PyTree, PyTree]:
        """Parameters and masks before the first step.

        Args:
            key: For random masks.
            weights: Of the network, a pytree.
            steps: Of the whole training.

        Returns:
            Parameters and masks.
        """
        masks = self.start(key, weights)
        params = self.parameters(weights, masks)
        if 0 in self.events(steps):
            params, masks = self.remask(params, masks, weights, 0, steps)
        return params, masks

    def weights(self, params: PyTree, masks: PyTree) -> PyTree:
        """The weights of the network.

        Args:
            params: The parameters.
            masks: Those so far.

        Returns:
            A pytree of arrays.
        """
        return masked(params, masks)

    def regularised(self, grads: PyTree, params: PyTree, step: Step, steps: int) -> PyTree:
        """The gradient in the parameters, with that of the method's own penalty.

        Args:
            grads: The gradient in the parameters, of the loss.
            params: The parameters.
            step: The number of steps taken.
            steps: Of the whole training.

        Returns:
            A pytree like `grads`.
        """
        return grads

    def clean(self, params: PyTree, masks: PyTree) -> PyTree:
        """The parameters, with zeros where the optimizer may have moved what is masked.

        Args:
            params: As the optimizer has left them.
            masks: Those so far.

        Returns:
            A pytree like `params`.
        """
        return masked(params, masks)

    def events(self, steps: int) -> np.ndarray:
        """After which numbers of steps the masks change; a method without any has a static mask.

        Args:
            steps: Of the whole training.

        Returns:
            Integers, (events,), increasing.

        Raises:
            ValueError: Where the steps are too few for the schedule.
        """
        return np.zeros(0, np.int64)

    @abstractmethod
    def remask(self, params: PyTree, masks: PyTree, gradient: PyTree, step: Step, steps: int) -> tuple[PyTree, PyTree]:
        """Parameters and masks after an event.

        Args:
            params: The parameters before it.
            masks: Those before it.
            gradient: The last one, in the weights, dense.
            step: The number of steps taken, that of the event.
            steps: Of the whole training.

        Returns:
            Parameters and masks.

        Raises:
            ValueError: Where the steps are too few for the schedule.
        """

    def promise(self, step: int, steps: int, weights: PyTree) -> int | None:
        """How many weights the masks keep.

        Args:
            step: The number of steps taken.
            steps: Of the whole training.
            weights: Of the network, a pytree.

        Returns:
            An integer; None if the method leaves this open.

        Raises:
            ValueError: Where the steps are too few for the schedule.
        """
        total = total_of(weights, self.chosen(weights))
        return kept_of(self.density, total)

    def final(self, params: PyTree, masks: PyTree) -> tuple[PyTree, PyTree]:
        """Weights and masks at the end, of exactly the sparsity asked for.

        If the masks keep more, the largest weights are kept. A weight that is 0 where a mask is True counts as kept.

        Args:
            params: The parameters after the last step.
            masks: Those after the last step.

        Returns:
            Weights and masks.
        """
        weights = self.weights(params, masks)
        ending = magnitude(weights, self.chosen(weights), self.density, self.layers)
        dense = kept(masks) > self.target(weights)
        masks = jax.tree.map(lambda old, new: jnp.where(dense, new, old), masks, ending)
        return masked(weights, masks), masks

    def target(self, weights: PyTree) -> int:
        """How many weights are kept at the end.

        Args:
            weights: Of the network, a pytree.

        Returns:
            An integer.
        """
        return kept_of(self.density, total_of(weights, self.chosen(weights)))

    def due(self, step: Step, steps: int) -> Bool[Array, ""]:
        """Whether there is an event.

        Args:
            step: The number of steps taken.
            steps: Of the whole training.

        Returns:
            A scalar, bool.
        """
        return jnp.any(jnp.asarray(step, jnp.int32) == jnp.asarray(self.events(steps), jnp.int32))

    def update(
        self, params: PyTree, masks: PyTree, gradient: PyTree, step: Step, steps: int, state: Any = None
    ) -> tuple[PyTree, PyTree, Any]:
        """What the method does after a step of the optimizer.

        Args:
            params: As the optimizer has left them.
            masks: Those so far.
            gradient: Of the loss in the weights, dense.
            step: The number of steps taken, from 1.
            steps: Of the whole training.
            state: Of the optimizer.

        Returns:
            Parameters, masks and the state of the optimizer. Masked parameters are 0. Where a mask becomes True, the
                entries of the optimizer's state that belong to it (momentum) become 0.

        Raises:
            ValueError: Where the steps are too few for the schedule.
        """
        params = self.clean(params, masks)
        if len(self.events(steps)) == 0:
            return params, masks, state

        def change(params, masks, gradient, state):
            new_params, new_masks = self.remask(params, masks, gradient, step, steps)
            grown = jax.tree.map(lambda new, old: new & ~old, new_masks, masks)
            return new_params, new_masks, reset(state, params, self._per_parameter(params, grown))

        keep = lambda params, masks, gradient, state: (params, masks, state)  # noqa: E731
        return jax.lax.cond(self.due(step, steps), change, keep, params, masks, gradient, state)

    def _per_parameter(self, params: PyTree, flags: PyTree) -> PyTree:
        """Flags for weights, as a pytree of the parameters."""
        return flags


def reset(state: Any, params: PyTree, flags: PyTree) -> Any:
    """The optimizer's state, with zeros at the entries of the parameters that are flagged.

    Whatever part of the state is built like the parameters, with their shapes, is one of their properties: momentum,
    the mean of squares. Counts of steps stay.
    """
    structure, shapes = jax.tree.structure(params), [jnp.shape(p) for p in jax.tree.leaves(params)]

    def like_params(node) -> bool:
        if jax.tree.structure(node) != structure:
            return False
        leaves = jax.tree.leaves(node)
        return [jnp.shape(x) for x in leaves] == shapes and all(jnp.issubdtype(x.dtype, jnp.floating) for x in leaves)

    def forget(node):
        if not like_params(node):
            return node
        clear = lambda x, flag: x if flag is None else jnp.where(flag, jnp.zeros((), x.dtype), x)  # noqa: E731
        return jax.tree.map(clear, node, flags)

    return jax.tree.map(forget, state, is_leaf=like_params)


def at(fraction: float | Fraction, steps: int) -> int:
    """The number of steps that a fraction of the training takes, rounded half up."""
    return floor(exact(fraction) * steps + exact(0.5))


def one_of(value, name: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, known))}; got {value!r}")


def fraction(
    value, name: str, test: Callable[[float], bool] = lambda x: 0 <= x <= 1, need: str = "from 0 to 1"
) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not test(float(value)):
        raise ValueError(f"{name} must be {need}; got {value!r}")
