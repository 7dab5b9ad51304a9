"""Whole paths of limits, shared by the experiments."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

import hamtheory as ht

from . import store
from ._lanes import without_truth

# The sign makes the L1 end the right one: ln α, and ln 1/γ.
FAMILIES = {"HAM": (ht.HAM, 1.0), "m*w": (ht.Hypentropy, -1.0)}


def whole_range(lowest: float, knee: float, highest: float, below: int, above: int) -> np.ndarray:
    """Even up to the knee, then even in the logarithm: limits approach the L1 end exponentially, then rest there."""
    return np.concatenate([np.linspace(lowest, knee, below), np.geomspace(knee, highest, above)[1:]])


@eqx.filter_jit
def _summary(problem, family, grid, theta0):
    path = ht.limit_path(problem, family, grid, theta0, throw=False)
    norms = jnp.sum(jnp.abs(path.thetas), axis=1), jnp.linalg.norm(path.thetas, axis=1)
    start = jnp.zeros(problem.d) if theta0 is None else theta0

    def value(log, theta):
        geo = family.at_log(log)
        return jnp.log(ht.bregman_divergence(geo, theta, start)) - geo.log_rescaling

    return *norms, jax.vmap(value)(grid, path.thetas), path.residual, path.relative_gap, path.result


def path_summary(problem: ht.LinearRegression, family: str, sparsity: np.ndarray, theta0=None) -> tuple:
    """Along `sparsity` (ln α or ln 1/γ): L1 and L2 norm, ln of the least divergence, residual, relative gap, code."""
    geometry, sign = FAMILIES[family]
    return tuple(map(np.asarray, _summary(without_truth(problem), geometry, jnp.asarray(sign * sparsity), theta0)))


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
