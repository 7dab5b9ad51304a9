"""Steepest descent of an exponent between that of signs and that of gradients."""

import jax
import jax.numpy as jnp
import optax

from .._optax import Coefficient, rate
from .._types import Number
from .._validate import real_array


def steepest(learning_rate: Coefficient, q: Number = 1.0) -> optax.GradientTransformation:
    """Steepest descent of exponent q: `θ ← θ − η sign(g)|g|^(q−1)`; q = 1 is `optax.sign_sgd`, q = 2 `optax.sgd`.

    Args:
        learning_rate: η > 0; a number, a scalar array or a schedule.
        q: 1 ≤ q ≤ 2, a number.

    Returns:
        A transformation whose `update(grads, state, params)` gives what is to be added to θ, in the dtype of the
            gradient; a base for `ham`.

    Raises:
        ValueError: For a q that is not between 1 and 2, and a learning rate that is not positive.
        TypeError: For a learning rate that is neither a number nor a schedule.

    References:
        [bernstein2018signsgd] (q = 1).

    ```python
    >>> import jax, hamtheory as ht
    >>> gradient = jax.numpy.asarray([4.0, -1.0, 0.0])
    >>> optimizer = ht.optim.steepest(0.1, q=1.5)
    >>> optimizer.update(gradient, optimizer.init(gradient))[0].round(4).tolist()
    [-0.2, 0.1, -0.0]

    ```
    """
    exponent = float(real_array(q, "q", ndim=0)) - 1
    if not 0 <= exponent <= 1:
        raise ValueError(f"q must be from 1, signs, to 2, gradients; got {exponent + 1}")
    learning_rate = rate(learning_rate)

    def powered(grads, params=None):
        return jax.tree.map(lambda g: jnp.sign(g) * jnp.abs(g) ** exponent, grads)

    return optax.chain(optax.stateless(powered), optax.scale_by_learning_rate(learning_rate))
