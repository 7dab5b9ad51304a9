"""Elementary functions that neither overflow early nor lose derivatives at zero, of NumPy's arrays and of JAX's.

A positive scale whose logarithm may be far outside the dtype's range is given as a pair: a factor within the range and
the logarithm of the rest (`excess` ≥ 0), or the scale with its logarithm.
"""

import numpy as np

from .._array import choose, namespace


def odd(f, x):
    """The odd extension of `f` (with `f(0) = 0`) from x >= 0; differentiable at zero, unlike `sign(x) * f(abs(x))`."""
    xp = namespace(x)
    if xp is np:
        return np.copysign(f(np.abs(x)), x)
    sign = xp.where(x >= 0, xp.ones((), x.dtype), -xp.ones((), x.dtype))  # of integers: a conversion for each
    return sign * f(sign * x)


_ORDINARY = 1e-100  # a scale above it needs no care where its products with numbers of moderate size underflow


def _is_ordinary(a, product, excess, largest) -> bool:
    """Whether NumPy may use the textbook formula: a solver asks a thousand times for a hundred numbers."""
    return bool(np.ndim(a) == 0 == excess and a > _ORDINARY and product.size > 0 and product.max() < largest)


def log1p_over(a, x, excess):
    """`log(1 + a e^excess x) / a` for a > 0, x >= 0, also where the product overflows or underflows."""
    xp = namespace(a, x, excess)
    product = a * x
    if xp is np and _is_ordinary(a, product, excess, np.inf):
        return np.log1p(product) / a
    huge, tiny = xp.isinf(product) | ((excess > 0) & (x > 0)), product < xp.finfo(product.dtype).eps / 4

    def far():
        return xp.logaddexp(xp.zeros_like(product), xp.log(a) + excess + xp.log(xp.where(huge, x, 1))) / a

    return choose(huge, far, lambda: xp.where(tiny, x, xp.log1p(xp.where(huge, 1, product)) / a))


def expm1_over(a, x, excess):
    """`(exp(a x) - 1) / (a e^excess)` for a > 0, x >= 0, also where the exponential overflows."""
    xp = namespace(a, x, excess)
    s = a * x
    if xp is np and _is_ordinary(a, s, excess, 80):
        return np.expm1(s) / a
    large, tiny = s > 80, s < xp.finfo(s.dtype).eps / 4
    return choose(
        large,
        lambda: xp.exp(xp.where(large, s, 0) - xp.log(a) - excess),
        lambda: xp.where(tiny, x, xp.expm1(xp.where(large, 0, s)) / a) * xp.exp(-excess),
    )


def asinh_quotient(x, scale, log_scale):
    """`asinh(x / scale)` for scale > 0 with its logarithm, also where the scale or the quotient leaves the range."""
    xp = namespace(x, scale, log_scale)
    quotient = x / scale
    if xp is np and _is_ordinary(scale, np.abs(quotient), 0, np.inf):
        return np.arcsinh(quotient)
    outside = xp.isinf(quotient) | ((xp.abs(xp.log(scale) - log_scale) > 1e-10) & (x != 0))

    def far():
        inside = xp.where(outside, x, 1)
        log_quotient = xp.log(xp.abs(inside)) - log_scale
        large = log_quotient > 40
        small = xp.arcsinh(xp.exp(xp.where(large, 0, log_quotient)))
        return xp.sign(inside) * xp.where(large, log_quotient + xp.log(xp.asarray(2, x.dtype)), small)

    return choose(outside, far, lambda: xp.arcsinh(xp.where(outside, 1, quotient)))


def sinh_times(scale, log_scale, s):
    """`scale * sinh(s)` for scale > 0 with its logarithm, also where only one of the factors leaves the range."""
    xp = namespace(scale, log_scale, s)
    if xp is np and _is_ordinary(scale, np.abs(s), 0, 80):
        return scale * np.sinh(s)
    large = xp.abs(s) > 80
    exact = xp.abs(xp.log(scale) - log_scale) <= 1e-10
    scale = xp.where(exact, scale, xp.exp(log_scale))

    def far():
        x = xp.where(large, s, 1)
        return xp.sign(x) * xp.exp(xp.abs(x) + log_scale) / 2

    return choose(large, far, lambda: scale * xp.sinh(xp.where(large, 0, s)))


def contracted(f, x, excess):
    """`e^excess f(e^−excess x)` for an f with f(x) = x + O(x³): x itself once the difference is below rounding."""
    xp = namespace(x, excess)
    factor = xp.exp(xp.minimum(excess, 0.9 * xp.log(xp.finfo(x.dtype).max)))
    inside = x / factor
    return xp.where((excess > 0) & (xp.abs(inside) < xp.sqrt(xp.finfo(x.dtype).eps)), x, factor * f(inside))
