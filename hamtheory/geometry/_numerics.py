"""Elementary functions that neither overflow early nor lose derivatives at zero."""

import jax.numpy as jnp


def floating(x):
    """`x` as a floating array: integers become the default float, floating dtypes stay what they are."""
    x = jnp.asarray(x)
    return x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(float)


def odd(f, x):
    """The odd extension of `f` (with `f(0) = 0`) from x >= 0; differentiable at zero, unlike `sign(x) * f(abs(x))`."""
    return f(jnp.maximum(x, 0)) - f(jnp.maximum(-x, 0))


def log1p_over(a, x):
    """`log(1 + a x) / a` for a > 0, x >= 0, also where `a x` overflows or underflows."""
    product = a * x
    huge, tiny = jnp.isinf(product), product < jnp.finfo(product.dtype).eps / 4
    far = jnp.log(a) + jnp.log(jnp.where(huge, x, 1))
    return jnp.where(tiny, x, jnp.where(huge, far, jnp.log1p(jnp.where(huge, 1, product))) / a)


def expm1_over(a, x):
    """`(exp(a x) - 1) / a` for a > 0, x >= 0, also where the exponential overflows and the quotient does not."""
    s = a * x
    large, tiny = s > 80, s < jnp.finfo(s.dtype).eps / 4
    far = jnp.exp(jnp.where(large, s, 0) - jnp.log(a))
    return jnp.where(tiny, x, jnp.where(large, far, jnp.expm1(jnp.where(large, 0, s)) / a))


def asinh_quotient(x, scale):
    """`asinh(x / scale)` for scale > 0, also where the quotient overflows."""
    quotient = x / scale
    huge = jnp.isinf(quotient)
    x = jnp.where(huge, x, 1)
    far = jnp.sign(x) * (jnp.log(2 * jnp.abs(x)) - jnp.log(scale))
    return jnp.where(huge, far, jnp.arcsinh(jnp.where(huge, 1, quotient)))


def sinh_times(scale, s):
    """`scale * sinh(s)` for scale > 0, also where `sinh(s)` overflows and the product does not."""
    large = jnp.abs(s) > 80
    x = jnp.where(large, s, 1)
    far = jnp.sign(x) * jnp.exp(jnp.abs(x) + jnp.log(scale)) / 2
    return jnp.where(large, far, scale * jnp.sinh(jnp.where(large, 0, s)))
