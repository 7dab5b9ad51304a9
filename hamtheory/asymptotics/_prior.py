"""The law of the entries of θ*: atoms, densities, and mixtures of both."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .._array import quiet
from .._validate import finite, nonnegative, real_array

_STEPS = tuple(1 / n for n in (8, 12, 16, 20, 24, 28))
_SURE = 1e-8  # of the integral of a density
_LEAST = 1e-20  # a weight below it is dropped


class Prior:
    """The sizes of the entries with their weights: of their signs nothing depends.

    Args:
        prior: As in `predict`.
    """

    def __init__(self, prior: Any):
        atoms, weights = _pair(prior)
        weights = nonnegative(real_array(weights, "the weights of prior", ndim=1), "the weights of prior")
        if len(atoms) != weights.size or not len(atoms):
            raise ValueError(
                f"prior must have as many weights as atoms, at least one; got {weights.size}, {len(atoms)}"
            )
        if abs(weights.sum() - 1) > 1e-10:
            raise ValueError(f"the weights of prior must sum to 1; got a sum of {weights.sum():.12g}")
        self._densities = [(atom, w) for atom, w in zip(atoms, weights, strict=True) if callable(atom)]
        numbers = [(atom, w) for atom, w in zip(atoms, weights, strict=True) if not callable(atom) and w > 0]
        sizes = np.abs(finite(real_array([atom for atom, _ in numbers], "the atoms of prior", ndim=1), "prior"))
        self._atoms, where = np.unique(sizes, return_inverse=True)
        self._weights = np.bincount(where, [w for _, w in numbers], self._atoms.size)
        sizes, weights = self.nodes(len(_STEPS) - 1)
        if not np.any(sizes * weights > 0):
            raise ValueError("prior must not be zero alone: with no signal there is nothing to predict; got atoms of 0")
        unit = sizes.max()
        self.size = float(unit * np.sqrt(weights @ (sizes / unit) ** 2))
        self.smallest = float(np.min(self._atoms[self._atoms > 0])) if np.any(self._atoms > 0) else self.size

    def nodes(self, level: int) -> tuple[np.ndarray, np.ndarray]:
        """Sizes and their weights, of a density those of a rule."""
        sizes, weights = [self._atoms], [self._weights]
        for density, weight in self._densities:
            points, masses = _rule(density, _STEPS[level])
            sizes.append(points)
            weights.append(weight * masses)
        return np.concatenate(sizes), np.concatenate(weights)


def _pair(prior: Any) -> tuple[Any, Any]:
    if callable(prior):
        return [prior], [1.0]
    if not isinstance(prior, (tuple, list)) or len(prior) != 2:
        raise TypeError(f"prior must be a pair (atoms, weights) or a density; got {prior!r}")
    atoms, weights = prior
    return (atoms if isinstance(atoms, (list, tuple)) else np.atleast_1d(atoms)), weights


def _rule(density: Callable, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Sizes and weights: the trapezoidal rule in t, |θ| = exp(π/2 sinh t), of a density that is smooth beside 0."""
    t = step * np.arange(-round(3.8 / step), round(3.8 / step) + 1)
    sizes = np.exp(np.pi / 2 * np.sinh(t))
    with quiet():
        values = np.array([density(size) + density(-size) for size in sizes], float)
        weights = step * np.pi / 2 * np.cosh(t) * sizes * values
    if not np.all(values >= 0) or not abs(weights.sum() - 1) <= (_SURE if step == _STEPS[-1] else np.inf):
        raise ValueError(
            "a density of prior must be at least 0, smooth on either side of 0, and integrate to 1; got "
            f"values from {values.min():g} and an integral of {weights.sum():.10g}"
        )
    kept = weights > _LEAST
    return sizes[kept], weights[kept] / weights[kept].sum()
