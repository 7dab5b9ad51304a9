"""The hyperbolic factor: what HAM does to the parameters that a base optimizer has moved."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from .._optax import Where, bound, rate, same_tree, scalar, selection, strength, wide
from .._types import Number


def ham_step(
    params: PyTree,
    grads: PyTree,
    learning_rate: Number,
    alpha: Number,
    beta: Number,
    where: Where = None,
    *,
    clip: Number | None = 5.0,
) -> PyTree:
    """The hyperbolic factor alone: `θ_{k+1} = θ_{k+½} exp(clip(−η(α sign(θ_{k+½}) g + β), −c, c))`.

    Args:
        params: θ_{k+½}, what the base optimizer has made of θ_k; a pytree of arrays.
        grads: g, the raw gradient at θ_k, a pytree like `params`.
        learning_rate: η > 0, that of the base optimizer at this step.
        alpha: α ≥ 0, the strength of the geometry; a number or a scalar array.
        beta: β ≥ 0, that of the decay; a number or a scalar array.
        where: Which tensors get the factor, as in `ham`: a regular expression of their paths, or bools; those with two
            axes or more, if left out, stacked biases among them.
        clip: c > 0, the largest size of the exponent; None for no bound, and then the factor can overflow.

    Returns:
        θ_{k+1}, like `params` in structure, shapes and dtypes; the exponent is computed in float32 at least. Tensors
            that `where` leaves out come back as they are. 0 stays 0. A NaN in the gradient becomes a NaN in θ.

    Raises:
        ValueError: For bad numbers, for trees that don't match, and if `where` chooses nothing or is no regular
            expression. Values that are traced are not looked at.
        TypeError: If `where` holds no bools, or chooses complex or integer tensors.

    References:
        [jacobs2026ham], Algorithm 1, with the sign at θ_{k+½} (HYP*).

    ```python
    >>> import jax.numpy as jnp, hamtheory as ht
    >>> theta, gradient = jnp.asarray([[2.0, -2.0, 0.0]]), jnp.asarray([[0.5, 0.5, 0.5]])
    >>> ht.optim.ham_step(theta, gradient, 0.1, alpha=20.0, beta=0.0).round(4).tolist()
    [[0.7358, -5.4366, 0.0]]

    ```
    """
    return ham_apply(params, None, grads, learning_rate, alpha, beta, where, clip=clip)


def ham_apply(
    params: PyTree,
    updates: PyTree,
    grads: PyTree,
    learning_rate: Number,
    alpha: Number,
    beta: Number,
    where: Where = None,
    *,
    clip: Number | None = 5.0,
) -> PyTree:
    """A whole step, in the direct form: θ_k and the updates of the base optimizer to θ_{k+1}.

    `θ_{k+½} = θ_k + updates`, then `ham_step`; in low precision, with one rounding for both. What `ham` returns has to
    be added to θ_k: that is the same as long as no entry shrinks to less than half or changes its sign, and otherwise
    has an error of a rounding unit of θ_k rather than of θ_{k+1}. With the base optimizer alone, and no wrapper:

        updates, state = base.update(grads, state, params)
        params = ham_apply(params, updates, grads, learning_rate, alpha, beta)

    Args:
        params: θ_k, a pytree of arrays.
        updates: Those of the base optimizer, a pytree like `params`; None: no updates.
        grads: The raw gradient at θ_k, a pytree like `params`.
        learning_rate: As in `ham_step`; a schedule is called by you, with the number of steps before.
        alpha: As in `ham_step`; a schedule is called by you.
        beta: As in `ham_step`; a schedule is called by you.
        where: As in `ham_step`.
        clip: As in `ham_step`.

    Returns:
        θ_{k+1}, like `params` in structure, shapes and dtypes.

    Raises:
        ValueError: As in `ham_step`.
        TypeError: As in `ham_step`.

    References:
        [jacobs2026ham], Algorithm 1.

    ```python
    >>> import jax, optax, hamtheory as ht
    >>> theta, base = jax.numpy.ones((2, 2)), optax.sgd(0.1)
    >>> updates, state = base.update(theta, base.init(theta), theta)  # of the loss ½‖θ‖²
    >>> ht.optim.ham_apply(theta, updates, theta, 0.1, alpha=10.0, beta=0.0)[0].round(4).tolist()
    [0.3311, 0.3311]

    ```
    """
    same_tree(params, grads, "grads")
    if updates is not None:
        same_tree(params, updates, "updates")
    chosen = selection(where, params)
    eta, alpha, beta, clip = rate(learning_rate), strength(alpha, "alpha"), strength(beta, "beta"), bound(clip)

    def leaf(p, g, flag, u=None):
        if not flag:
            return p if u is None else _sum(p, u).astype(jnp.asarray(p).dtype)
        return moved(p, u, g, eta, alpha, beta, clip).astype(jnp.asarray(p).dtype)

    return jax.tree.map(leaf, params, grads, chosen, *([] if updates is None else [updates]))


def moved(p, u, g, eta, alpha, beta, clip):
    """θ_{k+1} of one tensor, from θ_k, the base update and the raw gradient, in the dtype that it is computed in."""
    p, g = jnp.asarray(p), jnp.asarray(g)
    half = p.astype(wide(p, g)) if u is None else _sum(p, u, g)
    eta, alpha, beta = (scalar(value, half.dtype) for value in (eta, alpha, beta))
    quick = half.dtype == jnp.float32 and isinstance(clip, float) and clip <= _REACH
    unit = math.log2(math.e) if quick else 1.0  # of the exponents: powers of 2, or of e
    # sign(θ) g by a choice: cheaper than jnp.sign, and 0 stays 0 whatever the finite factor.
    push = unit * eta * alpha * g.astype(half.dtype)
    exponent = jnp.where(half < 0, push, -push) - unit * eta * beta
    if clip is not None:
        most = unit * scalar(clip, half.dtype)
        exponent = jnp.clip(exponent, -most, most)  # keeps NaN
    return half * (_power_of_two(exponent) if quick else jnp.exp(exponent))


_REACH = 80.0  # exponents, of e, up to which the power is a normal float32
_TAYLOR = [math.log(2) ** k / math.factorial(k) for k in range(8)]  # of 2^r: to 4e-9 for |r| ≤ 1/2


def _power_of_two(t: Float[Array, "..."]) -> Float[Array, "..."]:
    """`2^t` in float32 for |t| < 126, about as precise as `jnp.exp`, which is most of what HAM costs on a CPU.

    With it a step of Adam with HAM takes 1.2 to 1.5 times one of Adam, and 1.4 to 1.7 times with `jnp.exp`.
    """
    whole = jnp.round(t)
    rest = t - whole  # exact
    power = jnp.full_like(t, _TAYLOR[-1])
    for coefficient in reversed(_TAYLOR[:-1]):
        power = power * rest + coefficient
    bits = (whole.astype(jnp.int32) + 127) << 23  # of the float32 2^whole
    return power * jax.lax.bitcast_convert_type(bits, jnp.float32)


def _sum(p, u, *others):
    p, u = jnp.asarray(p), jnp.asarray(u)
    dtype = wide(p, u, *others)
    return p.astype(dtype) + u.astype(dtype)
