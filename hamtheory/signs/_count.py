"""Sign flips of runs and of training, counted as they happen: no trajectory is stored."""

from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Int, PyTree

from .._array import Array
from .._flips import Flips, observed, sign_of, unflipped
from .._optax import Where, same_tree, selection
from ..algorithm import AbstractAlgorithm


class CountedState(NamedTuple):
    """The state of a `FlipCounter`.

    Attributes:
        rule: The state of the rule itself.
        flips: A `Flips`, its times numbers of steps.
        step: The number of steps taken so far.
    """

    rule: Any
    flips: Flips
    step: Int[Array, "*saves"]


class FlipCounter(AbstractAlgorithm):
    """A rule whose sign flips are counted at every step; it does what it did.

    The `states` of a run are then `CountedState`s: `states.flips` is the `Flips` up to every save, `states.rule` what
    the rule keeps itself. A step that jumps from one side of zero to the other and back is two flips; what a flow would
    do between two steps is not seen.

    Args:
        rule: Any algorithm.

    Raises:
        TypeError: For a `rule` that is anything else.

    ```python
    >>> import hamtheory as ht
    >>> problem = ht.LinearRegression([[1.0]], [1.0])
    >>> counter = ht.signs.FlipCounter(ht.HAMStep(alpha=50.0))
    >>> end = ht.run(problem, counter, [-0.7], learning_rate=0.001, steps=500, save_every=100)
    >>> end.states.flips.gross[:, 0].tolist(), int(end.states.flips.first[-1, 0])
    ([0, 1, 1, 1, 1, 1], 63)

    ```
    """

    rule: AbstractAlgorithm

    def __init__(self, rule: AbstractAlgorithm):
        if not isinstance(rule, AbstractAlgorithm):
            raise TypeError(f"rule must be an algorithm such as ht.GD() or ht.HAMStep(alpha=100.0); got {rule!r}")
        self.rule = rule

    def init(self, problem, theta0):
        state, step = self.rule.init(problem, theta0), jnp.zeros((), jnp.int32)
        return CountedState(state, unflipped(sign_of(self.rule.theta(state)), step - 1), step)

    def step(self, state, gradient, learning_rate):
        new, step = self.rule.step(state.rule, gradient, learning_rate), state.step + 1
        return CountedState(new, observed(state.flips, self.rule.theta(new), step), step)

    def theta(self, state):
        return self.rule.theta(state.rule)

    def of_flow(self):
        return self.rule.of_flow()

    def mirror_drift(self, theta):
        return self.rule.mirror_drift(theta)


class FlipState(NamedTuple):
    """The state of `count_flips`.

    Attributes:
        flips: A `Flips` for every tensor that is watched, None for the others.
        step: A scalar, the number of steps taken.
    """

    flips: PyTree
    step: Int[Array, ""]


def count_flips(where: Where = None) -> optax.GradientTransformationExtraArgs:
    """An optax transformation that changes nothing, and counts the sign flips of the parameters.

    It belongs at the end of a chain, where the update is that which `optax.apply_updates` will apply:
    `optax.chain(ht.optim.ham(optax.adam(1e-3), 1e-3), ht.signs.count_flips())`.

    Args:
        where: Which tensors to watch, as in `ht.optim.ham`, a regular expression of their paths or bools; None: all
            that are real and floating.

    Returns:
        The transformation. Its state is a `FlipState`; it takes 14 bytes for every entry that is watched.

    Raises:
        ValueError: For an `update` without `params`, trees that don't match, and a `where` that chooses nothing.
        TypeError: For a `where` that holds no bools or chooses complex or integer tensors.

    References:
        Counted in [jacobs2026ham], Fig. 2.

    ```python
    >>> import jax.numpy as jnp, optax, hamtheory as ht
    >>> theta = {"w": jnp.array([0.05, -1.0])}
    >>> optimizer = optax.chain(optax.sgd(0.1), ht.signs.count_flips())
    >>> updates, state = optimizer.update({"w": jnp.array([1.0, 1.0])}, optimizer.init(theta), theta)
    >>> ht.signs.totals(state[-1].flips)
    {'entries': 2, 'gross': 1, 'net': 1, 'flipped_back': 0, 'never': 1}

    ```
    """

    def chosen(params):
        floating = lambda tree: jax.tree.map(lambda p: jnp.issubdtype(jnp.result_type(p), jnp.floating), tree)  # noqa: E731
        return selection(floating if where is None else where, params)

    def init(params):
        step = jnp.zeros((), jnp.int32)
        first = lambda p, flag: unflipped(sign_of(jnp.asarray(p)), step - 1) if flag else None  # noqa: E731
        return FlipState(jax.tree.map(first, params, chosen(params)), step)

    def update(updates, state, params=None, **extra):
        same_tree(params, updates, "updates")
        step = state.step + 1
        new = optax.apply_updates(cast(Any, params), updates)
        watch = lambda p, flag, flips: observed(flips, p, step) if flag else None  # noqa: E731
        return updates, FlipState(jax.tree.map(watch, new, chosen(params), state.flips), step)

    return optax.GradientTransformationExtraArgs(init, update)
