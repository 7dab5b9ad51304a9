"""Gauss-Legendre quadrature on [0, 1] with the weight 1 - u: second-order Taylor remainders without cancellation.

`f(x + h) - f(x) - f'(x) h = h**2 * int_0^1 (1 - u) f''(x + u h) du`, where for a convex `f` every term is positive.
"""

import jax
import jax.numpy as jnp
import numpy as np

# Twelve nodes integrate an integrand whose nearest singularity is half an interval away from its ends to rounding.
_ROOTS, _WEIGHTS = np.polynomial.legendre.leggauss(12)
NODES = (_ROOTS + 1) / 2
WEIGHTS = _WEIGHTS / 2
REMAINDER_WEIGHTS = WEIGHTS * (1 - NODES)


def taylor_remainder(second_derivative, x, h):
    """`f(x + h) - f(x) - f'(x) h` for arrays `x` and `h` of one shape, from `f''`, by quadrature."""
    nodes, weights = jnp.asarray(NODES, x.dtype), jnp.asarray(REMAINDER_WEIGHTS, x.dtype)
    values = jax.vmap(lambda u: second_derivative(x + u * h))(
        nodes
    )  # nodes come first, whatever the parameters' shapes
    return h * (h * jnp.tensordot(weights, values, axes=1))
