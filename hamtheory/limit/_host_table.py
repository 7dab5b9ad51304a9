"""Limits of many members of one family on one problem, from a table of a few of them, in NumPy.

In the exponent the limit is `s = Qᵀη`, with η the root of `Qθ − b`, and η is a smooth function of ℓ = `log_sparsity`
but where an entry of θ changes its sign, and even there its slope is continuous. So η, its slope and the inverse of
`H = Q W Qᵀ` are computed at equidistant ℓ, by Newton's method from one to the next. In between, η is interpolated from
four neighbours, to 1e-6 or better, and corrected by `η ← η − M (Qθ − b)` with M the interpolated inverse, which gains
three digits a time: two products with Q and one with M, of many instances at once, and no factorisation. What is found
that way is certified as every limit is, and what is not within tolerance is left to the other methods.

The table begins where the problem is nearly Euclidean; below, H is nearly a multiple of 1. It begins at the same ℓ for
whatever instances, and every correction is of a fixed number of rows: what an instance gives does not depend on others.
"""

import math
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from .._array import kept, leaves, mapped, quiet
from .._products import has_products
from .._result import Result, outcome
from .._threads import one_thread
from .._units import in_units
from ..geometry import AbstractExponentialGeometry
from ..metrics import certified_rows, relative_residual
from ..problem import LinearRegression
from ._host_newton import gram_of
from ._host_point import EPS, log_weight_at_rest

_SPACING = 0.5  # of the table, in ℓ
_LOWEST, _HIGHEST = -6.0, 60.0  # of ln(α·size) in it
_EUCLIDEAN = -60.0  # where the geometry is Euclidean in every digit
_NEIGHBOURS = np.arange(-1, 3)  # of the table, around an ℓ
_ROWS = 32  # corrected together
_CERTIFIED_ROWS = 256  # certified together
_MOST_CORRECTIONS = 12
_SOLVED = 1e-12  # the relative residual that an entry of the table must have
_VISIBLE = 1e-10  # the least pivot of H over its largest: below, rounding of Qθ hides a direction of η
_MOST_RANK = 512  # for which the inverses are kept
LEAST = 48  # instances for which the table is worth it


def can_tabulate(problem: Any, geos: Any) -> bool:
    """Whether the limits of these members, from 0, may come from a table."""
    if not (isinstance(problem, LinearRegression) and isinstance(geos, AbstractExponentialGeometry)):
        return False
    parameters = list(leaves(geos))
    if len(parameters) != 1 or np.ndim(parameters[0]) != 1:
        return False
    numpy = all(type(leaf) is np.ndarray and leaf.dtype == np.float64 for leaf in (*parameters, problem.y))
    if not numpy or has_products(problem.X) or not 0 < int(problem.row_space.rank) <= _MOST_RANK:
        return False
    size = _size(problem)
    if not 0 < size < math.inf:
        return False
    units, *_ = in_units(problem, type(geos).at_log(np.float64(0.0)), np.zeros(problem.d))
    return bool(units.X == units.theta == units.metric == units.rescaling == 1)


def _size(problem: LinearRegression) -> float:
    """The largest entry of the nearest interpolator."""
    space = problem.row_space
    return float(kept(space, "largest", lambda: np.abs(space.nearest).max()))


class Table:
    """`eta`, `slopes`, (nodes, r), and `inverses`, (nodes, r, r), at `ℓ = (first + node) · spacing`."""

    def __init__(self, problem: LinearRegression, profile: Callable, highest: float):
        space = problem.row_space
        rank = int(space.rank)
        self.basis, self.target, self.profile = np.ascontiguousarray(space.basis[:rank]), space.target[:rank], profile
        self.scale, self.gram = float(np.linalg.norm(self.target)), gram_of(self.basis)
        self.rest = math.exp(log_weight_at_rest(profile))
        log_size = math.log(_size(problem))
        self.first = math.floor((_LOWEST - log_size) / _SPACING)
        last = math.ceil(min(highest, _HIGHEST - log_size) / _SPACING) + int(_NEIGHBOURS[-1])
        found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        for node in range(self.first, last + 1):
            entry = self._solved(self._extrapolated(found, node), node * _SPACING)
            if entry is None:
                break
            found.append(entry)
        self.eta, self.slopes, self.inverses = (np.stack(part) for part in zip(*found, strict=True))
        self.nodes = len(found)

    def theta(self, eta: np.ndarray, sparsity: Any) -> tuple[np.ndarray, np.ndarray]:
        """θ and dθ/ds, of one η or of many with an ℓ each, (rows, 1)."""
        relative, log_weight = self.profile(eta @ self.basis)
        weight = np.exp(log_weight - sparsity)
        return relative * weight, weight

    def _extrapolated(self, found: list, node: int) -> np.ndarray:
        if len(found) >= 2:  # Hermite's cubic
            (before, its_slope, _), (here, slope, _) = found[-2:]
            return 5 * before - 4 * here + _SPACING * (2 * its_slope + 4 * slope)
        if found:
            return found[0][0] + _SPACING * found[0][1]
        return self.target * (math.exp(node * _SPACING) / self.rest)

    def _solved(self, eta: np.ndarray, sparsity: float) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """η at ℓ, its slope and the inverse of H; None where Newton's method does not get there, or where
        rounding would decide about small entries, as it may at the L1 end."""
        least = math.inf
        for _ in range(_MOST_CORRECTIONS):
            theta, weight = self.theta(eta, sparsity)
            residual = self.basis @ theta - self.target
            missing = float(np.linalg.norm(residual)) / self.scale
            factor = self.gram.factorise(self.gram.matrix(np.sqrt(weight)))
            if not math.isfinite(missing) or (missing > _SOLVED and missing > 0.5 * least):
                return None
            if missing <= 16 * EPS or (missing <= _SOLVED and missing > 0.5 * least):
                pivots = np.square(np.diagonal(factor))
                if not pivots.min() > _VISIBLE * pivots.max():
                    return None
                inverse = self.gram.solve(factor, np.eye(len(eta)))
                # dθ/dℓ = −θ + W ds/dℓ, and Qθ stays.
                found = eta, self.gram.solve(factor, self.basis @ theta), (inverse + inverse.T) / 2
                return found if all(np.isfinite(part).all() for part in found) else None
            least, eta = missing, eta - self.gram.solve(factor, residual)
        return None

    def cells(self, sparsity: np.ndarray) -> np.ndarray:
        """The node below each ℓ, counted from the first; −1 below the table, and −2 where it has too few neighbours."""
        cell = np.floor(sparsity / _SPACING).astype(int) - self.first
        low, high = -int(_NEIGHBOURS[0]), self.nodes - 1 - int(_NEIGHBOURS[-1])
        # Just above the first node there is none below: what is nearly Euclidean does without.
        cell = np.where(cell < low, -1, np.where(cell > high, -2, cell))
        return np.where(sparsity < _EUCLIDEAN + (self.first * _SPACING - _LOWEST), -2, cell)

    def corrected(self, sparsity: np.ndarray, cell: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """η and θ of instances with ℓ in one cell, (rows, r) and (rows, d), and how often they were corrected."""
        level = sparsity[:, None]
        if cell < 0:
            unit = np.exp(level) / self.rest
            eta, step = self.target * unit, lambda residual: residual * unit
        else:
            eta, step = self._interpolated(sparsity / _SPACING - (self.first + cell), cell + _NEIGHBOURS)
        least, steps, better = (
            np.full(len(sparsity), np.inf),
            np.zeros(len(sparsity), int),
            np.ones(len(sparsity), bool),
        )
        best, best_theta = eta, np.zeros((len(eta), self.basis.shape[1]))
        for _ in range(_MOST_CORRECTIONS + 1):
            theta, _ = self.theta(eta, level)
            residual = theta @ self.basis.T - self.target
            missing = np.sqrt(np.einsum("ij,ij->i", residual, residual))
            better &= missing < least
            best_theta = np.where(better[:, None], theta, best_theta)
            best = np.where(better[:, None], eta, best)
            steps += better
            better &= (missing < 0.5 * least) & (missing > 4 * EPS * self.scale)
            least = np.minimum(least, missing)
            if not better.any():
                break
            eta = np.where(better[:, None], eta - step(residual), eta)
        return best, best_theta, steps

    def _interpolated(self, x: np.ndarray, nodes: np.ndarray) -> tuple[np.ndarray, Callable]:
        """η at `x` spacings from the second of these nodes, by values and slopes, and `r ↦ M r`."""
        weights, slopes = _lagrange(x)
        values = (1 - 2 * slopes * (x[:, None] - _NEIGHBOURS)) * weights**2
        moves = (x[:, None] - _NEIGHBOURS) * weights**2 * _SPACING
        known = np.concatenate([self.eta[nodes], self.slopes[nodes]])
        rank = known.shape[1]
        inverses = np.ascontiguousarray(self.inverses[nodes].transpose(1, 0, 2)).reshape(rank, -1)

        def step(residual: np.ndarray) -> np.ndarray:
            return np.einsum("ik,ikj->ij", weights, (residual @ inverses).reshape(len(x), len(nodes), rank))

        return np.concatenate([values, moves], axis=1) @ known, step


def _lagrange(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lagrange's polynomials of the neighbours at x, (rows, neighbours), and the slope of each at its own node."""
    apart = _NEIGHBOURS[:, None] - _NEIGHBOURS + np.eye(len(_NEIGHBOURS))
    factors = np.where(np.eye(len(_NEIGHBOURS), dtype=bool), 1, x[:, None, None] - _NEIGHBOURS) / apart
    return factors.prod(axis=-1), (1 / apart).sum(axis=-1) - 1


def tabulated(
    problem: LinearRegression,
    geos: AbstractExponentialGeometry,
    tol: float,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The limits from 0 of a family's members, with an axis of instances, and which of them are found.

    The fields are those of a `LimitResult`, with `steps` and `relative_gap`.
    """
    with quiet(), one_thread():
        sparsity = np.asarray(geos.log_sparsity)
        table = Table(problem, geos.profile, float(sparsity.max()))
        cells, instances = table.cells(sparsity), len(sparsity)
        eta, theta = np.zeros((instances, len(table.target))), np.zeros((instances, problem.d))
        steps, found = np.zeros(instances, int), cells > -2

        def correct(rows: np.ndarray) -> None:
            some = np.resize(rows, _ROWS)
            parts = table.corrected(sparsity[some], int(cells[rows[0]]))
            eta[rows], theta[rows], steps[rows] = (part[: len(rows)] for part in parts)

        with _workers(instances) as spread:
            spread(correct, _of_one_cell(np.flatnonzero(found), cells))
            fields = _certified(problem, geos, eta, theta, tol, spread)
        found &= fields["result"] != Result.max_steps
        return fields | {"steps": steps}, found


def _of_one_cell(rows: np.ndarray, cells: np.ndarray) -> Iterator[np.ndarray]:
    order = rows[np.argsort(cells[rows], kind="stable")]
    for group in np.split(order, np.flatnonzero(np.diff(cells[order])) + 1):
        yield from (group[start : start + _ROWS] for start in range(0, len(group), _ROWS))


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _workers:
    """`spread(function, pieces)`: the function of each piece, on all cores if there is enough to do."""

    def __init__(self, instances: int):
        several = cores() > 1 and instances >= 1024
        self._pool = ThreadPoolExecutor(min(cores(), 4)) if several else None

    def __enter__(self) -> Callable:
        return self._spread

    def __exit__(self, *error: Any) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    def _spread(self, function: Callable, pieces: Any) -> list:
        def quietly(piece):
            with quiet():
                return function(piece)

        return list((map if self._pool is None else self._pool.map)(quietly, pieces))


def _certified(problem, geos, eta, theta, tol, spread) -> dict[str, np.ndarray]:
    """The fields of the results, converged if their certificates are within tolerance."""
    rank, instances = eta.shape[1], len(eta)
    fields: dict[str, Any] = {
        "theta": theta,
        "dual": np.zeros((instances, problem.n)),
        "result": np.full(instances, int(Result.max_steps), np.int32),
    }
    fields |= {name: np.zeros(instances) for name in ("residual", "duality_gap", "relative_gap")}
    [parameter], space = leaves(geos), problem.row_space
    divisors = np.where(space.active, space.singular_values, 1)

    def certify(rows: slice) -> None:
        own = np.resize(np.arange(rows.start, rows.stop), _CERTIFIED_ROWS)
        geo = mapped(lambda _: parameter[own, None], geos)
        coordinates = np.zeros((len(own), len(space.target)))
        coordinates[:, :rank] = eta[own] * np.exp(geo.log_exponent_unit(problem.dtype))
        certificate = certified_rows(problem, geo, theta[own], coordinates)
        residual = relative_residual(problem, theta[own])
        codes = np.full(len(own), int(Result.max_steps), np.int32)
        proven = certificate.violation <= tol
        if problem.is_consistent:
            codes[proven & (residual <= tol)] = int(Result.converged)
            proven &= ~(residual <= tol)
        for place in np.flatnonzero(proven):
            codes[place] = outcome(problem, Result.converged, theta[own[place]], residual[place], tol)
        values = {
            "dual": coordinates / divisors @ space.left.T,
            "result": codes,
            "residual": residual,
            "duality_gap": certificate.duality_gap,
            "relative_gap": certificate.relative_gap,
        }
        for name, value in values.items():
            fields[name][rows] = value[: rows.stop - rows.start]

    pieces = [slice(start, min(start + _CERTIFIED_ROWS, instances)) for start in range(0, instances, _CERTIFIED_ROWS)]
    spread(certify, pieces)
    return fields
