"""HAM's flow, discretised by one explicit step."""

import jax
import jax.numpy as jnp
import optax

from .._optax import Coefficient, Where, now, rate, same_tree, scalar, selection, strength, wide
from ._wrapper import HamState


def ham_natural(
    learning_rate: Coefficient, alpha: Coefficient, beta: Coefficient = 0.0, where: Where = None
) -> optax.GradientTransformation:
    """Natural gradient descent in HAM's geometry: `θ ← θ − η((1 + α|θ|) ⊙ g + βθ)`.

    This is Euler's method for HAM's flow `dθ = −(1 + α|θ|) ⊙ ∇f dt − βθ dt`. To first order in η it is `ham` around
    gradient descent (HYP and HYP*): a step from the same θ differs by O(η²). That difference decides where noise in
    the gradient leads: on linear regression this step towards smaller L1 norms, `ham` away from them (figure E5, and
    `hamtheory.symbolic.ito_drift`). It has no factor that keeps signs, and no bound: it is stable while
    `η λ_max(H diag(1 + α|θ|)) < 2`, with H the Hessian of f.

    Args:
        learning_rate: η > 0; a number, a scalar array or a schedule.
        alpha: α ≥ 0; a number, a scalar array or a schedule.
        beta: β ≥ 0; a number, a scalar array or a schedule.
        where: Which tensors it is for, as in `ham`: a regular expression of their paths, or bools; those with two axes
            or more, if left out. For the others it is gradient descent, `θ − ηg`.

    Returns:
        A transformation whose `update(grads, state, params)` gives what is to be added to θ, in the dtype of the
            gradient. In `optax.chain` g is what the link before returns.

    Raises:
        TypeError: As in `ham`, for `where`.
        ValueError: As in `ham`.

    References:
        [jacobs2026ham], Theorem 4.2 (the flow).

    ```python
    >>> import jax, optax, hamtheory as ht
    >>> theta = jax.numpy.asarray([[1.0, -3.0]])
    >>> optimizer = ht.optim.ham_natural(0.1, alpha=2.0)
    >>> updates, state = optimizer.update(jax.numpy.ones((1, 2)), optimizer.init(theta), theta)
    >>> updates.round(4).tolist()
    [[-0.3, -0.7]]

    ```
    """
    eta, alpha, beta = rate(learning_rate), strength(alpha, "alpha"), strength(beta, "beta")

    def init(params):
        selection(where, params)
        return HamState(optax.EmptyState(), jnp.zeros([], jnp.int32))

    def update(updates, state, params=None):
        same_tree(params, updates, "grads")
        coefficients = [now(value, state.steps) for value in (eta, alpha, beta)]

        def leaf(p, g, flag):
            p, g = jnp.asarray(p), jnp.asarray(g)
            dtype = wide(p, g)
            eta, alpha, beta = (scalar(value, dtype) for value in coefficients)
            direction = g.astype(dtype)
            if flag:
                theta = p.astype(dtype)
                direction = (1 + alpha * jnp.abs(theta)) * direction + beta * theta
            return (-eta * direction).astype(g.dtype)

        updates = jax.tree.map(leaf, params, updates, selection(where, params))
        return updates, HamState(state.base_state, jnp.asarray(optax.safe_increment(state.steps)))

    return optax.GradientTransformation(init, update)
