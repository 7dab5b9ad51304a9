"""Limits of flows that noise or a step size has moved, and the learning rates there, shared by the experiments."""

from collections.abc import Iterable
from typing import Any

import jax
import numpy as np

import hamtheory as ht


def largest_rate(problem: ht.LinearRegression, geometry: ht.geometry.AbstractGeometry) -> float:
    """The largest learning rate that is stable at the limit of the flow from zero."""
    return float(ht.metrics.stable_learning_rate(problem, geometry, ht.solve_limit(problem, geometry).theta))


def limits_of(cases: Iterable[tuple[ht.LinearRegression, Any, Any]], tol: float = 1e-10) -> tuple[np.ndarray, ...]:
    """The limits of flows, each a problem, a geometry and a start (or None), one a row; and the codes."""
    ends = []
    for problem, geometry, start in cases:
        geometry, start = jax.tree.map(np.asarray, (geometry, start))  # one by one, nothing is worth compiling
        ends.append(ht.solve_limit(problem, geometry, start, tol=tol, throw=False))
    return np.stack([end.theta for end in ends]), np.array([int(end.result) for end in ends])


def limits_of_gammas(problem: ht.LinearRegression, gammas) -> tuple[np.ndarray, ...]:
    """The limits of m⊙w from zero, with a γ for each entry."""
    return limits_of((problem, ht.Hypentropy(gamma), None) for gamma in np.asarray(gammas))


def limits_from_mirror(problem: ht.LinearRegression, geometry, starts) -> tuple[np.ndarray, ...]:
    """The limits of a flow from these mirror coordinates."""
    return limits_of((problem, geometry, start) for start in geometry.inverse_mirror_map(np.asarray(starts)))
