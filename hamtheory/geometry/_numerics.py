"""Elementary functions that neither overflow early nor lose derivatives at zero.

A positive scale whose logarithm may be far outside the dtype's range is given as a pair: a factor within the range and
the logarithm of the rest (`excess` ≥ 0), or the scale with its logarithm.
"""

import jax.numpy as jnp


def floating(x):
    """`x` as a floating array: integers become the default float, floating dtypes stay what they are."""
    x = jnp.asarray(x)
    return x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(float)


def odd(f, x):
    """The odd extension of `f` (with `f(0) = 0`) from x >= 0; differentiable at zero, unlike `sign(x) * f(abs(x))`."""
    sign = jnp.where(x >= 0, jnp.ones((), x.dtype), -jnp.ones((), x.dtype))  # of integers: a conversion for each
    return sign * f(sign * x)


def log1p_over(a, x, excess):
    """`log(1 + a e^excess x) / a` for a > 0, x >= 0, also where the product overflows or underflows."""
    product = a * x
    huge, tiny = jnp.isinf(product) | ((excess > 0) & (x > 0)), product < jnp.finfo(product.dtype).eps / 4
    far = jnp.logaddexp(jnp.zeros_like(product), jnp.log(a) + excess + jnp.log(jnp.where(huge, x, 1)))
    return jnp.where(huge, far / a, jnp.where(tiny, x, jnp.log1p(jnp.where(huge, 1, product)) / a))


def expm1_over(a, x, excess):
    """`(exp(a x) - 1) / (a e^excess)` for a > 0, x >= 0, also where the exponential overflows."""
    s = a * x
    large, tiny = s > 80, s < jnp.finfo(s.dtype).eps / 4
    far = jnp.exp(jnp.where(large, s, 0) - jnp.log(a) - excess)
    return jnp.where(large, far, jnp.where(tiny, x, jnp.expm1(jnp.where(large, 0, s)) / a) * jnp.exp(-excess))


def asinh_quotient(x, scale, log_scale):
    """`asinh(x / scale)` for scale > 0 with its logarithm, also where the scale or the quotient leaves the range."""
    quotient = x / scale
    outside = jnp.isinf(quotient) | ((jnp.abs(jnp.log(scale) - log_scale) > 1e-10) & (x != 0))
    x = jnp.where(outside, x, 1)
    log_quotient = jnp.log(jnp.abs(x)) - log_scale
    large = log_quotient > 40
    small = jnp.arcsinh(jnp.exp(jnp.where(large, 0, log_quotient)))
    far = jnp.sign(x) * jnp.where(large, log_quotient + jnp.log(jnp.asarray(2, x.dtype)), small)
    return jnp.where(outside, far, jnp.arcsinh(jnp.where(outside, 1, quotient)))


def sinh_times(scale, log_scale, s):
    """`scale * sinh(s)` for scale > 0 with its logarithm, also where only one of the factors leaves the range."""
    large = jnp.abs(s) > 80
    x = jnp.where(large, s, 1)
    far = jnp.sign(x) * jnp.exp(jnp.abs(x) + log_scale) / 2
    exact = jnp.abs(jnp.log(scale) - log_scale) <= 1e-10
    scale = jnp.where(exact, scale, jnp.exp(log_scale))
    return jnp.where(large, far, scale * jnp.sinh(jnp.where(large, 0, s)))


def contracted(f, x, excess):
    """`e^excess f(e^−excess x)` for an f with f(x) = x + O(x³): x itself once the difference is below rounding."""
    factor = jnp.exp(jnp.minimum(excess, 0.9 * jnp.log(jnp.finfo(x.dtype).max)))
    inside = x / factor
    return jnp.where((excess > 0) & (jnp.abs(inside) < jnp.sqrt(jnp.finfo(x.dtype).eps)), x, factor * f(inside))
