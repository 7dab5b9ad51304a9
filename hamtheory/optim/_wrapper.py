"""HAM around a base optimizer."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int

from .._optax import Coefficient, Where, bound, now, rate, same_tree, selection, strength
from .._types import Number
from ._factor import moved


class HamState(NamedTuple):
    """The state of `ham` and `ham_natural`. There is no copy of the parameters in it.

    Attributes:
        base_state: That of the base optimizer.
        steps: A scalar, int32: how many steps it has taken; what schedules are called with.
    """

    base_state: Any
    steps: Int[Array, ""]


def ham(
    base: optax.GradientTransformation,
    learning_rate: Coefficient,
    alpha: Coefficient = 200.0,
    beta: Coefficient = 1e-3,
    where: Where = None,
    *,
    clip: Number | None = 5.0,
) -> optax.GradientTransformationExtraArgs:
    """Hyperbolic Aware Minimization around any optimizer: its step, then a hyperbolic one.

    `θ_{k+½} = θ_k + (the update of the base)`, `θ_{k+1} = θ_{k+½} exp(clip(−η(α sign(θ_{k+½}) g + β), −c, c))`, with g
    the raw gradient at θ_k, which is what `update` is given, and not what the base makes of it. The defaults are those
    of the authors' code: α = 200, β = 1e-3, c = 5, tensors with two axes or more, the sign after the step of the base.
    (That code bounds the norms of gradients and weights besides; `ham` does not.)

    With other transformations: HAM needs the raw gradient and the parameters after the step of the base. A link of
    `optax.chain` has neither, since it sees the parameters before that step and the output of the link before, so HAM
    is a wrapper. It should be the last to touch the update.

    * `chain(clip_by_global_norm(1.0), ham(base, …))`: the clipped gradient counts as the raw one;
      `ham(chain(clip_by_global_norm(1.0), base), …)`: only the base sees it clipped.
    * `MultiSteps(ham(…), k)`: the raw gradient is the mean of k, and η is that of the actual step. Not the other way
      round: the factor would act in every mini-step.
    * `contrib.sam(ham(…), adversary)`: the raw gradient is that at the perturbed point, and the sign that of θ_{k+½}
      without perturbation.
    * `masked`, `partition`: `where` chooses among the tensors that are left.
    * `inject_hyperparams`: of a function that hands one learning rate to both,
      `lambda learning_rate: ham(adam(learning_rate), learning_rate)`.

    *What the base freezes still moves*: a tensor whose update is 0, as of `set_to_zero` within the base, gets the
    factor all the same; an update of 0 does not say whether it is meant to stay. Leave it out of `where`, or freeze
    around HAM: `partition({"train": ham(base, …), "freeze": set_to_zero()}, labels)`.

    *Two axes or more are not always a matrix*: the biases of networks stacked by `vmap`, or of layers stacked for
    `scan`, have two, and get the factor. With `where="weight"` it is a matter of names.

    Args:
        base: Any optax optimizer.
        learning_rate: η > 0, that of the base: a number, a scalar array or a schedule, which is called with the number
            of base steps before this one. It is not read off the base: give the same to both.
        alpha: α ≥ 0, the strength of the geometry; a number, a scalar array or a schedule.
        beta: β ≥ 0, that of the decay; a number, a scalar array or a schedule.
        where: Which tensors get the factor; the others get the step of the base alone. None: those with two axes or
            more. A string: those in whose path, such as `layers/0/weight`, this regular expression is found
            (`re.search`): "weight", "^layers/[01]/", "layers/1/weight$" for a single one. Otherwise as the mask of
            `optax.masked`: a pytree of bools with the structure of the parameters or a prefix of it (True: all), or a
            function of all the parameters that returns one.
        clip: c > 0, the largest size of the exponent; None for no bound.

    Returns:
        A transformation whose `update(grads, state, params, **extra)` gives `θ_{k+1} − θ_k`, in the dtype of the base's
            update; `extra` goes to the base. Adding it costs accuracy where an entry shrinks by more than half in one
            step: `ham_apply` is the direct form. 0 stays 0; NaN propagates as in optax, and nothing is skipped or
            reverted.

    Raises:
        TypeError: If `base` is no transformation, or `where` holds no bools or chooses complex or integer tensors.
        ValueError: For numbers out of range, an `update` without `params`, trees that don't match, and if `where`
            chooses nothing or is no regular expression. Traced values and schedules are not looked at.

    References:
        [jacobs2026ham], Algorithm 1, with the sign at θ_{k+½} (HYP*), so that no copy of θ_k is kept.

    ```python
    >>> import jax, optax, hamtheory as ht
    >>> theta = {"w": jax.numpy.ones((2, 2)), "b": jax.numpy.ones(2)}
    >>> optimizer = ht.optim.ham(optax.sgd(1e-3), 1e-3, alpha=100.0)
    >>> updates, state = optimizer.update(theta, optimizer.init(theta), theta)
    >>> theta = optax.apply_updates(theta, updates)
    >>> theta["w"][0].round(4).tolist(), theta["b"].round(4).tolist()
    ([0.9039, 0.9039], [0.999, 0.999])
    >>> stacked = {"w": jax.numpy.ones((3, 2, 2)), "b": jax.numpy.ones((3, 2))}  # of three networks
    >>> for where in (None, "w"):
    ...     optimizer = ht.optim.ham(optax.set_to_zero(), 0.1, alpha=5.0, where=where)
    ...     updates, state = optimizer.update(stacked, optimizer.init(stacked), stacked)
    ...     print(updates["b"][0].round(4).tolist())
    [-0.3935, -0.3935]
    [0.0, 0.0]

    ```
    """
    if not isinstance(base, optax.GradientTransformation):
        hint = "; MultiSteps goes around ham" if isinstance(base, optax.MultiSteps) else ""
        raise TypeError(f"base must be an optax.GradientTransformation; got {base!r}{hint}")
    base = optax.with_extra_args_support(base)
    eta, alpha, beta, clip = rate(learning_rate), strength(alpha, "alpha"), strength(beta, "beta"), bound(clip)

    def init(params):
        selection(where, params)
        return HamState(base.init(params), jnp.zeros([], jnp.int32))

    def update(updates, state, params=None, **extra):
        grads = updates
        same_tree(params, grads, "grads")
        chosen = selection(where, params)
        updates, base_state = base.update(grads, state.base_state, params, **extra)
        rate_now, alpha_now, beta_now = (now(value, state.steps) for value in (eta, alpha, beta))

        def leaf(p, u, g, flag):
            if not flag:
                return u
            new = moved(p, u, g, rate_now, alpha_now, beta_now, clip)
            return (new - jnp.asarray(p).astype(new.dtype)).astype(jnp.asarray(u).dtype)

        updates = jax.tree.map(leaf, params, updates, grads, chosen)
        return updates, HamState(base_state, jnp.asarray(optax.safe_increment(state.steps)))

    return optax.GradientTransformationExtraArgs(init, update)
