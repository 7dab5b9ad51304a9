"""The law of the entries of θ*: atoms, densities, and mixtures of both."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .._array import quiet
from .._validate import finite, nonnegative, real_array

# Panels, their order, and the step of densities; those need ever finer ones where they are wide against τ.
_OF_ATOMS = tuple((*rule, 0.0) for rule in ((8, 8), (10, 14), (16, 20), (24, 28), (40, 40), (64, 64)))
_OF_DENSITIES = ((8, 8, 1 / 8), (10, 14, 1 / 12), (16, 20, 1 / 16), *((24, 28, 1 / (24 * 2**i)) for i in range(6)))
_FINE = 1 / 28  # of the rule that a density is judged by
_REACH = 3.8  # of t
_CENTRED = 1.5  # a mean of ln |θ| within it needs no unit
_SURE = 1e-8  # of the integral of a density
_LEAST = 1e-20  # a weight below it is dropped
_WANTED = "a density of prior must be at least 0, smooth on either side of 0, and integrate to 1"


class Prior:
    """The sizes of the entries with their weights: of their signs nothing depends.

    Args:
        prior: As in `predict`.

    Attributes:
        size: The root mean square.
        smallest: The smallest atom but 0, or the size if there is none.
        rules: Panels, their order, and the step of densities, each finer than the one before.
    """

    def __init__(self, prior: Any):
        atoms, weights = _pair(prior)
        given = real_array(weights, "the weights of prior", ndim=1)
        weights = nonnegative(given, "the weights of prior").astype(float)
        if len(atoms) != weights.size or not len(atoms):
            raise ValueError(
                f"prior must have as many weights as atoms, at least one; got {weights.size}, {len(atoms)}"
            )
        if abs(weights.sum() - 1) > (1e-10 if given.dtype == float else 1e-6):
            raise ValueError(f"the weights of prior must sum to 1; got a sum of {weights.sum():.12g}")
        self._densities = [
            (Density(atom), w) for atom, w in zip(atoms, weights, strict=True) if callable(atom) and w > 0
        ]
        numbers = [(atom, w) for atom, w in zip(atoms, weights, strict=True) if not callable(atom) and w > 0]
        sizes = np.abs(finite(real_array([atom for atom, _ in numbers], "the atoms of prior", ndim=1), "prior"))
        self._atoms, where = np.unique(sizes, return_inverse=True)
        self._weights = np.bincount(where, [w for _, w in numbers], self._atoms.size)
        self.rules = _OF_DENSITIES if self._densities else _OF_ATOMS
        sizes, weights = self._nodes(_FINE)
        if not np.any(sizes * weights > 0):
            raise ValueError("prior must not be zero alone: with no signal there is nothing to predict; got atoms of 0")
        unit = sizes.max()
        self.size = float(unit * np.sqrt(weights @ (sizes / unit) ** 2))
        self.smallest = float(np.min(self._atoms[self._atoms > 0])) if np.any(self._atoms > 0) else self.size

    def nodes(self, level: int) -> tuple[np.ndarray, np.ndarray]:
        """Sizes and their weights, of a density those of a rule."""
        return self._nodes(self.rules[level][-1])

    def _nodes(self, step: float) -> tuple[np.ndarray, np.ndarray]:
        sizes, weights = [self._atoms], [self._weights]
        for density, weight in self._densities:
            points, masses = density.rule(step)
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


class Density:
    """A density by the trapezoidal rule in t, |θ| = c exp(π/2 sinh t), where c is about its own size.

    Args:
        density: A function of θ that is smooth beside 0.
    """

    def __init__(self, density: Callable):
        self._density, self._log_unit, self._rules = density, 0.0, {}
        logs, masses = self._masses(_FINE)
        if not 0.5 < masses.sum() < 2:  # nothing seen: look at each size that there is
            logs = np.arange(-700.0, 701.0) / 2
            masses = np.exp(logs) * self._values(np.exp(logs)) / 2
        if masses.sum() > 0 and abs(mean := float(masses @ logs / masses.sum())) > _CENTRED:
            self._log_unit = mean
            _, masses = self._masses(_FINE)
        if not abs(masses.sum() - 1) <= _SURE:
            raise ValueError(f"{_WANTED}; got an integral of {masses.sum():.10g}")

    def _values(self, sizes: np.ndarray) -> np.ndarray:
        """Of both signs together."""
        try:
            with quiet():
                values = np.array([self._density(size) + self._density(-size) for size in sizes], float)
        except (TypeError, ValueError) as error:
            raise TypeError(f"a density of prior must take a number and return one: {error}") from None
        if values.shape != sizes.shape or not np.all(values >= 0):
            raise ValueError(f"{_WANTED}; got values from {values.min():g}")
        return values

    def _masses(self, step: float) -> tuple[np.ndarray, np.ndarray]:
        """ln |θ| and weights."""
        t = step * np.arange(-round(_REACH / step), round(_REACH / step) + 1)
        logs = self._log_unit + np.pi / 2 * np.sinh(t)
        sizes = np.exp(logs)
        return logs, step * np.pi / 2 * np.cosh(t) * sizes * self._values(sizes)

    def rule(self, step: float) -> tuple[np.ndarray, np.ndarray]:
        """Sizes and weights."""
        if step not in self._rules:
            logs, masses = self._masses(step)
            kept = masses > _LEAST
            self._rules[step] = np.exp(logs[kept]), masses[kept] / masses[kept].sum()
        return self._rules[step]
