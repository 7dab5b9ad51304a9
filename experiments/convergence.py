"""How fast the flows converge: the loss against the bounds of theory, and the measured against the asymptotic rate."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import tqdm
import xarray as xr

import hamtheory as ht

from . import store
from ._lanes import flow_and_limit, flow_coordinates, geometries


@dataclasses.dataclass(frozen=True)
class Config:
    """`instances` random problems of n rows, d columns and k spikes of ±1, from zero.

    The rate is fitted where the loss, relative to its start, is within `window`: far enough down for the slowest mode
    to be left alone, and above what the tolerance `tol` on the relative residual leaves undetermined, `tol²`.
    """

    n: int = 40
    d: int = 100
    k: int = 5
    instances: int = 30
    alphas: tuple[float, ...] = (1.0, 100.0)
    gammas: tuple[float, ...] = (1e-1, 1e-3)
    tol: float = 1e-12
    window: tuple[float, float] = (1e-22, 1e-16)
    seed: int = 0

    @classmethod
    def smoke(cls) -> "Config":
        return cls(instances=3)


def _bound_rate(problem: ht.LinearRegression, geo: ht.geometry.AbstractGeometry) -> float:
    """The κ of the bound `f(θ_t) ≤ f(θ₀) exp(−κt)`: `2Λ min g⁻¹`, so 2Λ for GD and HAM, 4γΛ for m*w."""
    return float(2 * problem.convergence_rate * geo.inverse_metric(jnp.zeros(())))


def _tail_rate(ts: np.ndarray, loss: np.ndarray, window: tuple[float, float]) -> float:
    """Minus the slope of ln(loss) against time, by least squares over the points with a loss in the window."""
    inside = (loss > window[0]) & (loss < window[1])
    return -np.polyfit(ts[inside], np.log(loss[inside]), 1)[0] if inside.sum() > 2 else np.nan


def _lane(problem, geo, config: Config):
    flow, limit, code = flow_and_limit(problem, geo, jnp.zeros(problem.d), config.tol)
    ts, loss = np.asarray(flow.ts), np.asarray(flow.loss / flow.loss[0])
    bound = _bound_rate(problem, geo)
    rates = _tail_rate(ts, loss, config.window), 2 * float(ht.metrics.asymptotic_rate(problem, geo, limit.theta)), bound
    closest = np.exp(np.max(np.log(loss) + bound * ts))
    return ts, loss, *rates, closest, float(flow.residual), float(flow.stats["relative_gap"]), code


def run(config: Config) -> xr.Dataset:
    """Losses relative to their start, with their bounds, and the rates of their tails."""
    flows, lanes = geometries(config.alphas, config.gammas), []
    for i in tqdm.trange(config.instances, desc="convergence", leave=False, delay=2):
        problem = ht.sparse_regression(config.n, config.d, config.k, seed=config.seed + i)
        lanes.append([_lane(problem, geo, config) for geo in flows.values()])
    points = max(lane[0].size for row in lanes for lane in row)
    ts, loss = (
        np.array([[np.pad(lane[i], (0, points - lane[i].size), mode="edge") for lane in row] for row in lanes])
        for i in range(2)
    )
    measured, predicted, bound, closest, residual, gap, codes = (
        np.array([[lane[i] for lane in row] for row in lanes]) for i in range(2, 9)
    )
    dims, path = ("instance", "flow"), ("instance", "flow", "point")
    return xr.Dataset(
        {
            "time": store.variable(path, ts, "time of the flow"),
            "loss": store.variable(path, loss, "loss over its start"),
            "bound": store.variable(path, np.exp(-bound[..., None] * ts), "bound on the loss over its start"),
            "bound_rate": store.variable(dims, bound, "rate of the bound on the loss", "1/time"),
            "closest": store.variable(dims, closest, "largest loss over its bound, at any time"),
            "measured_rate": store.variable(dims, measured, "rate of decay of the loss, fitted to its tail", "1/time"),
            "predicted_rate": store.variable(dims, predicted, "asymptotic rate of decay of the loss", "1/time"),
            "rate_error": store.variable(dims, np.abs(measured / predicted - 1), "relative error of the rate"),
            "residual": store.variable(dims, residual, "relative residual at the end of the flow"),
            "relative_gap": store.variable(dims, gap, "duality gap over divergence at the end of the flow"),
            "status": store.status(dims, codes),
        },
        coords={"instance": config.seed + np.arange(config.instances), **flow_coordinates(list(flows))},
    )
