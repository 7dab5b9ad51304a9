"""Grids, and level sets of functions that increase along every ray, shared by the experiments."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float


def grid(reach: float, count: int) -> Float[np.ndarray, " count"]:
    """Evenly spaced numbers from −reach to reach, exactly symmetric; 0 is one of them if `count` is odd."""
    return reach * (np.linspace(-1, 1, count) - np.linspace(1, -1, count)) / 2


def circle(count: int) -> Float[np.ndarray, " count"]:
    """Angles from 0 to 2π, both included; a `count` of 4k + 1 includes the axes."""
    return np.linspace(0, 2 * np.pi, count)


def directions(angles: Float[np.ndarray, " angles"]) -> Float[np.ndarray, "angles 2"]:
    """Unit vectors at the angles."""
    return np.stack([np.cos(angles), np.sin(angles)], axis=-1)


def level_radii(
    function: Callable, level: float, angles: Float[np.ndarray, " angles"]
) -> tuple[Float[np.ndarray, " angles"], float]:
    """The radius at which `function`, increasing along rays from its minimum at 0, attains `level`, for every angle.

    `function` takes points, (angles, 2). The upper end of the bracket is doubled until it is outside, then bisected to
    rounding. Returns the radii and the certificate: the largest relative deviation from the level on the contour.
    """
    rays = directions(angles)
    along = lambda radii: function(radii[:, None] * rays)  # noqa: E731
    outer = np.full_like(angles, 1e-3)
    for _ in range(60):
        outer = np.where(along(outer) < level, 2 * outer, outer)
    low, high = np.zeros_like(outer), outer
    for _ in range(80):
        middle = (low + high) / 2
        within = along(middle) < level
        low, high = np.where(within, middle, low), np.where(within, high, middle)
    radii = (low + high) / 2
    return radii, np.max(np.abs(along(radii) / level - 1))
