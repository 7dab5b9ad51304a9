"""One panel of a quadrature: its integrals, and whether they have converged. For NumPy's arrays and JAX's.

Panels are at most as long as they are far from zero, so that a feature of the integrand at any scale is met by panels
of its own size; the one that touches zero, where `s = x u**4` makes |s|, sqrt(s), s**(3/2), ... polynomials of u,
reaches as far as the metric is still about what it is at zero.
"""

from typing import NamedTuple

import numpy as np

from .._array import Array, namespace
from ._quadrature import NODES, WEIGHTS

ROOTED, ROOTED_WEIGHTS = NODES**4, 4 * NODES**3 * WEIGHTS  # of the panel that touches zero


def _legendre(orders):
    """The rules for these Legendre coefficients."""
    values = np.polynomial.legendre.legvander(2 * NODES - 1, NODES.size - 1)
    rules = (values[:, orders] * (2 * np.asarray(orders) + 1) * WEIGHTS[:, None]).T
    low = values[:, :4]  # cubic polynomials: the nodes are rounded, and 80 units of it would be seen of a constant
    return rules - (rules @ low) @ np.linalg.pinv(low)


_LAST = _legendre([NODES.size - 3, NODES.size - 2, NODES.size - 1])
_MIDDLE = _legendre([NODES.size - 8, NODES.size - 7, NODES.size - 6])
_RULE = np.concatenate([WEIGHTS[None], _LAST, _MIDDLE])


class Moments(NamedTuple):
    """Of an integrand f on a panel of length 1, with u from 0 to 1: what its integrals are, and how well known."""

    mass: Array  # ∫ f
    lean: Array  # ∫ u f
    size: Array  # ∫ |f|
    last: Array  # the largest of the last three Legendre coefficients
    middle: Array  # the largest of three of five orders less


def moments(values: Array, u: Array) -> Moments:
    """Of an f with these values at the nodes, times ds/du; s is linear in `u`. The nodes are the first axis of both."""
    xp = namespace(values)
    found = apply(_RULE, values)
    lean, size = apply(WEIGHTS, values * u), apply(WEIGHTS, xp.abs(values))
    return Moments(found[0], lean, size, xp.max(xp.abs(found[1:4]), axis=0), xp.max(xp.abs(found[4:]), axis=0))


def apply(rule: np.ndarray, values: Array) -> Array:
    """A linear rule applied to values along their first axis."""
    xp = namespace(values)
    if xp is np:
        return np.tensordot(rule, values, axes=1)
    return xp.tensordot(xp.asarray(rule, values.dtype), values, axes=1, precision="highest")


def error(panel: Moments) -> Array:
    """An estimate of the error of the mass.

    Gauss-Legendre rules square the error of interpolation, if the coefficients fall like a power of ρ > 1: by a factor
    ρ⁻⁵ from the middle to the last ones, and so by as many again and more from there to the error. At a kink they fall
    slowly, and the estimate is about the last.
    """
    xp = namespace(panel.last)
    falls = panel.last < panel.middle
    return panel.last * xp.square(xp.where(falls, panel.last / xp.where(falls, panel.middle, 1), 1))


def only_rounding(panel: Moments, eps: float) -> Array:
    """Whether the last coefficients are no more than the rounding of f, which halving the panel does not help.

    This does not fall from the middle to the last coefficients; nor does it exceed `eps**(2/3)`.
    """
    noise = (panel.last <= (4 * eps) ** (2 / 3) * panel.size) & (panel.last >= 0.7 * panel.middle)
    return (panel.last <= 16 * eps * panel.size) | noise
