"""The law of the entries of θ*, jointly with where they start and with their geometry: atoms, densities, and both."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .._array import quiet
from .._validate import finite, nonnegative, real_array

# Panels, their order, and the step of densities; those need ever finer ones where they are wide against τ.
_OF_ATOMS = tuple((*rule, 0.0) for rule in ((8, 8), (10, 14), (16, 20), (24, 28), (40, 40), (64, 64)))
_OF_DENSITIES = ((8, 8, 1 / 8), (10, 14, 1 / 12), (16, 20, 1 / 16), (24, 28, 1 / 24))
_OF_DENSITIES += tuple((16, 20, 1 / (24 * 2**i)) for i in range(1, 6))
_FINE = 1 / 28  # of the rule that a density is judged by
_REACH = 3.8  # of t
_CENTRED = 1.5  # a mean of ln |θ| within it needs no unit
_SURE = 1e-8  # of the integral of a density
_LEAST = 1e-20  # a weight below it is dropped
_UNITS = (1e-150, 1e150)  # of the signal: its square is a number
_WANTED = "a density of prior must be at least 0, smooth on either side of 0, and integrate to 1"


class Nodes(NamedTuple):
    """Entries at least 0, with their probabilities, their starts, and the number of their atom; (entries,) each.

    The numbers of atoms do not decrease.
    """

    size: np.ndarray
    weight: np.ndarray
    start: np.ndarray
    atom: np.ndarray

    def over(self, unit: float) -> "Nodes":
        """In a unit."""
        return self._replace(size=self.size / unit, start=self.start / unit)


class Prior:
    """The joint law of the entries, their starts and their geometries: of the sign of both together nothing depends.

    Args:
        prior: As in `predict`.
        start: As in `predict`.
        apart: Whether each atom has a geometry of its own.

    Attributes:
        size: The root mean square of what there is to go.
        smallest: The smallest atom but 0, or the root mean square of the entries if there is none.
        shares: The weights of the atoms, (atoms,).
        rules: Panels, their order, and the step of densities, each finer than the one before.
    """

    def __init__(self, prior: Any, start: Any = None, apart: bool = False):
        atoms, weights = _pair(prior)
        self.shares = _weights(weights, len(atoms))
        starts = _starts(start, len(atoms))
        self._apart, self._made = apart, {}
        kept = [i for i in range(len(atoms)) if self.shares[i] > 0]
        self._densities = [(i, Density(atoms[i]), starts[i]) for i in kept if callable(atoms[i])]
        numbers = [i for i in kept if not callable(atoms[i])]
        values = finite(real_array([atoms[i] for i in numbers], "the atoms of prior", ndim=1), "prior").astype(float)
        of = np.array(numbers, int)
        self._atoms = _folded(values, self.shares[of], starts[of], of if apart else 0 * of)
        self.rules = _OF_DENSITIES if self._densities else _OF_ATOMS
        nodes = self._nodes(_FINE)
        self.size = _root_mean_square(nodes.size - nodes.start, nodes.weight)
        if not self.size > 0:
            raise ValueError(
                "prior must not be zero alone: with no signal there is nothing to predict; got atoms of 0"
                if start is None
                else "prior must not be where all starts: then there is nowhere to go; got atoms equal to start"
            )
        some = self._atoms.size[self._atoms.size > 0]
        self.smallest = float(some.min()) if some.size else _root_mean_square(nodes.size, nodes.weight) or self.size

    def nodes(self, level: int) -> Nodes:
        """The entries, of a density those of a rule."""
        step = self.rules[level][-1]
        if step not in self._made:
            self._made[step] = self._nodes(step)
        return self._made[step]

    def _nodes(self, step: float) -> Nodes:
        parts = [self._atoms]
        for i, density, start in self._densities:
            size, above, below = density.rule(step)
            for weight, begin in ((above, start), (below, -start)) if start else ((above + below, 0.0),):
                own = np.full(size.size, i)
                parts.append(Nodes(size, self.shares[i] * weight, np.full(size.size, begin), own))
        made = Nodes(*map(np.concatenate, zip(*parts, strict=True)))
        order = np.argsort(made.atom, kind="stable")
        return Nodes(*(array[order] for array in made)) if self._apart else made


def law_of(prior: Any, start: Any = None, apart: bool = False) -> Prior:
    """The law, of a size whose square is a number."""
    law = Prior(prior, start, apart)
    if not _UNITS[0] <= law.size <= _UNITS[1]:
        raise ValueError(
            f"prior, less start, must have a root mean square from {_UNITS[0]:g} to {_UNITS[1]:g}: its square has to "
            f"be a number. Measure theta in other units; got {law.size:g}"
        )
    return law


def check_noise(sigma: np.ndarray, law: Prior) -> None:
    """An error for noise whose square is no number."""
    if np.any(sigma > _UNITS[1] * min(law.size, 1)):
        raise ValueError(
            f"sigma must be at most {_UNITS[1]:g}, in units of the signal too, of which the root mean square is "
            f"{law.size:g}; got {sigma.max():g}"
        )


def broadcast(names: str, shapes: dict[str, tuple[int, ...]]) -> tuple[int, ...]:
    """The shape of all arguments that are arrays."""
    try:
        shape = np.broadcast_shapes(*shapes.values())
    except ValueError:
        found = ", ".join(f"{name} {shape}" for name, shape in shapes.items() if shape)
        raise ValueError(f"{names} must broadcast; got the shapes {found}") from None
    if 0 in shape:
        raise ValueError(f"{names} must not be empty; got the shape {shape}")
    return shape


def _weights(weights: Any, count: int) -> np.ndarray:
    given = real_array(weights, "the weights of prior", ndim=1)
    weights = nonnegative(given, "the weights of prior").astype(float)
    if count != weights.size or not count:
        raise ValueError(f"prior must have as many weights as atoms, at least one; got {weights.size}, {count}")
    if abs(weights.sum() - 1) > (1e-10 if given.dtype == float else 1e-6):
        raise ValueError(f"the weights of prior must sum to 1; got a sum of {weights.sum():.12g}")
    return weights


def _starts(start: Any, count: int) -> np.ndarray:
    starts = finite(real_array(0.0 if start is None else start, "start"), "start").astype(float)
    if starts.shape not in ((), (count,)):
        raise ValueError(f"start must be a number, or one for each of the {count} atoms of prior; got {starts.shape}")
    return np.broadcast_to(starts, (count,))


def _folded(values: np.ndarray, weights: np.ndarray, starts: np.ndarray, of: np.ndarray) -> Nodes:
    """Numbers turned to at least 0, with their starts, and those that are alike put together."""
    turned = np.where((values < 0) | (values == 0) & (starts < 0), -1.0, 1.0)
    (of, size, start), where = np.unique([of, np.abs(values), turned * starts], axis=1, return_inverse=True)
    return Nodes(size, np.bincount(where.ravel(), weights, size.size), start, of.astype(int))


def _root_mean_square(values: np.ndarray, weights: np.ndarray) -> float:
    unit = np.max(np.abs(values), initial=0.0)
    return float(unit * np.sqrt(weights @ (values / unit) ** 2)) if unit > 0 else 0.0


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
            logs = np.arange(-1400.0, 1401.0) / 2
            masses = np.exp(logs) * self._values(np.exp(logs)) / 2
        both = masses.sum(axis=0)
        if both.sum() > 0 and abs(mean := float(both @ logs / both.sum())) > _CENTRED:
            self._log_unit = mean
            _, masses = self._masses(_FINE)
        if not abs(masses.sum() - 1) <= _SURE:
            raise ValueError(f"{_WANTED}; got an integral of {masses.sum():.10g}")
        sizes, masses, squares = self._nodes(_FINE)
        if not squares[-1] <= _SURE * squares.sum():
            raise ValueError(
                "a density of prior must have a mean square, its tails falling off faster than |θ|^(-3); got one of "
                f"which the sizes about {sizes[-1]:.1g} still make a part of {squares[-1] / squares.sum():.1g}"
            )

    def _values(self, sizes: np.ndarray) -> np.ndarray:
        """Of both signs, (2, sizes)."""
        try:
            with quiet():
                values = np.array([[self._density(sign * size) for size in sizes] for sign in (1, -1)], float)
        except (TypeError, ValueError) as error:
            raise TypeError(f"a density of prior must take a number and return one: {error}") from None
        if values.shape != (2, sizes.size) or not np.all(values >= 0):
            raise ValueError(f"{_WANTED}; got values from {values.min():g}")
        return values

    def _masses(self, step: float) -> tuple[np.ndarray, np.ndarray]:
        """ln |θ| and weights."""
        t = step * np.arange(-round(_REACH / step), round(_REACH / step) + 1)
        logs = self._log_unit + np.pi / 2 * np.sinh(t)
        sizes = np.exp(logs)
        return logs, step * np.pi / 2 * np.cosh(t) * sizes * self._values(sizes)

    def rule(self, step: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Sizes, and the weights of both signs."""
        if step not in self._rules:
            sizes, masses, squares = self._nodes(step)
            kept = (masses.sum(axis=0) > _LEAST) | (squares > _LEAST * squares.sum())
            self._rules[step] = sizes[kept], *(masses[:, kept] / masses[:, kept].sum())
        return self._rules[step]

    def _nodes(self, step: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Sizes, the weights of both signs, and what each adds to the mean square, in the unit of the density."""
        logs, masses = self._masses(step)
        with quiet():
            return np.exp(logs), masses, masses.sum(axis=0) * np.exp(2 * (logs - self._log_unit))
