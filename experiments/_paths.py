"""Whole paths of limits, shared by the experiments."""

import numpy as np
import xarray as xr

import hamtheory as ht

from . import store

# The sign makes the L1 end the right one: ln α, and ln 1/γ.
FAMILIES = {"HAM": (ht.HAM, 1.0), "m*w": (ht.Hypentropy, -1.0)}


def whole_range(lowest: float, knee: float, highest: float, below: int, above: int) -> np.ndarray:
    """Even up to the knee, then even in the logarithm: limits approach the L1 end exponentially, then rest there."""
    return np.concatenate([np.linspace(lowest, knee, below), np.geomspace(knee, highest, above)[1:]])


def path_summary(problem: ht.LinearRegression, family: str, sparsity: np.ndarray, theta0=None) -> tuple:
    """Along `sparsity` (ln α or ln 1/γ): L1 and L2 norm, ln of the least divergence, residual, relative gap, code."""
    geometry, sign = FAMILIES[family]
    path = ht.limit_path(problem, geometry, sign * sparsity, theta0, throw=False)
    start = np.zeros(problem.d) if theta0 is None else theta0
    with np.errstate(divide="ignore"):  # y = 0 has the value 0 everywhere
        values = [
            np.log(ht.bregman_divergence(geo, theta, start)) - geo.log_rescaling
            for geo, theta in zip(map(geometry.at_log, path.log_parameters), path.thetas, strict=True)
        ]
    norms = np.abs(path.thetas).sum(axis=1), np.linalg.norm(path.thetas, axis=1)
    return *norms, np.array(values), path.residual, path.relative_gap, path.result


def path_variables(dims: tuple[str, ...], summaries: np.ndarray) -> dict[str, xr.Variable]:
    """The variables of stacked `path_summary` results, whose first axis tells them apart."""
    l1, l2, value, residual, gap, codes = summaries
    return {
        "l1": store.variable(dims, l1, "L1 norm of the limit"),
        "l2": store.variable(dims, l2, "L2 norm of the limit"),
        "log_value": store.variable(dims, value, "ln of the least divergence"),
        "residual": store.variable(dims, residual, "relative residual"),
        "relative_gap": store.variable(dims, gap, "duality gap over divergence"),
        "status": store.status(dims, codes.astype(np.int8)),
    }
