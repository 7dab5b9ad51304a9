"""Gauss-Legendre quadrature on [0, 1] with the weight 1 - u: second-order Taylor remainders without cancellation.

`f(x + h) - f(x) - f'(x) h = h**2 * int_0^1 (1 - u) f''(x + u h) du`, where for a convex `f` every term is positive.
"""

import numpy as np

from .._array import namespace

# Twelve nodes integrate an integrand whose nearest singularity is half an interval away from its ends to rounding.
_ROOTS, _WEIGHTS = np.polynomial.legendre.leggauss(12)
NODES = (_ROOTS + 1) / 2
WEIGHTS = _WEIGHTS / 2
REMAINDER_WEIGHTS = WEIGHTS * (1 - NODES)


def taylor_remainder(second_derivative, x, h, ndim: int = 0):
    """`f(x + h) - f(x) - f'(x) h` for arrays `x` and `h` of one shape, from `f''`, by quadrature.

    `ndim`: the axes of the parameters that `f''` broadcasts against.
    """
    xp = namespace(x, h)
    nodes, weights = xp.asarray(NODES, x.dtype), xp.asarray(REMAINDER_WEIGHTS, x.dtype)
    if xp is not np:
        import jax

        values = jax.vmap(lambda u: second_derivative(x + u * h))(nodes)
        return h * (h * xp.tensordot(weights, values, axes=1))
    nodes = nodes.reshape((-1,) + (1,) * max(x.ndim, ndim))  # they come first, whatever the shapes of the parameters
    values = second_derivative(padded(x, nodes.ndim) + nodes * padded(h, nodes.ndim))
    h = padded(h, nodes.ndim - 1)
    return h * (h * xp.tensordot(weights, values, axes=1))


def padded(x, ndim: int):
    """`x` with so many axes, the first ones of length 1: what broadcasting does, where JAX is to be told of it."""
    return x.reshape((1,) * (ndim - x.ndim) + x.shape)
