"""How fast the flows converge: the loss against the bounds of theory, and the measured against the asymptotic rate."""

import dataclasses

import numpy as np
import tqdm
import xarray as xr

import hamtheory as ht

from . import store
from ._cases import flow_and_limit, flow_coordinates, geometries


@dataclasses.dataclass(frozen=True)
class Config:
    """`instances` random problems of n rows, d columns and k spikes of ±1, from zero.

    Rates are fitted where the loss, relative to its start, is within `window`: far down, where few modes are left, and
    above what the tolerance `tol` on the relative residual leaves undetermined, `tol²`. A tail is `settled` where all
    modes but the slowest have at most the share `mixed` of the loss from the beginning of the window.
    """

    n: int = 40
    d: int = 100
    k: int = 5
    instances: int = 30
    alphas: tuple[float, ...] = (1.0, 100.0)
    gammas: tuple[float, ...] = (1e-1, 1e-3)
    tol: float = 1e-12
    window: tuple[float, float] = (1e-22, 1e-16)
    mixed: float = 0.01
    seed: int = 0

    @classmethod
    def smoke(cls) -> "Config":
        return cls(instances=3)


def _bound_rate(problem: ht.LinearRegression, geo: ht.geometry.AbstractGeometry) -> float:
    """The κ of the bound `f(θ_t) ≤ f(θ₀) exp(−κt)`: `2Λ min g⁻¹`, so 2Λ for GD and HAM, 4γΛ for m*w."""
    return float(2 * problem.convergence_rate * geo.inverse_metric(0.0))


def _slowest_mode(problem: ht.LinearRegression, geo: ht.geometry.AbstractGeometry, theta) -> np.ndarray:
    """The eigenvector of `X diag(g⁻¹(θ)) Xᵀ` with the least nonzero eigenvalue: the residual that decays last."""
    left, *_ = np.linalg.svd(np.asarray(problem.X) * np.sqrt(np.asarray(geo.inverse_metric(theta))))
    return left[:, int(problem.rank) - 1]


def _decay(ts: np.ndarray, values: np.ndarray) -> float:
    """Minus the slope of ln(values) against time, by least squares; NaN for fewer than three points."""
    return -np.polyfit(ts, np.log(values), 1)[0] if ts.size > 2 else np.nan


def _case(problem, geo, config: Config) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
    """Times, losses relative to their start, and the numbers of the flow."""
    flow, limit, code = flow_and_limit(problem, geo, np.zeros(problem.d), config.tol)
    ts, residuals = np.asarray(flow.ts), np.asarray(flow.thetas) @ np.asarray(problem.X).T - np.asarray(problem.y)
    start = np.sum(residuals[0] ** 2)
    loss, mode = (
        np.sum(residuals**2, axis=1) / start,
        (residuals @ _slowest_mode(problem, geo, limit.theta)) ** 2 / start,
    )
    tail = (loss > config.window[0]) & (loss < config.window[1])
    bound = _bound_rate(problem, geo)
    return (
        ts,
        loss,
        {
            "bound_rate": bound,
            "closest": np.exp(np.max((np.log(loss) + bound * ts)[loss >= config.tol**2])),  # below, it is rounding
            "predicted_rate": 2 * float(ht.metrics.asymptotic_rate(problem, geo, limit.theta)),
            "loss_rate": _decay(ts[tail], loss[tail]),
            "mode_rate": _decay(ts[tail], mode[tail]),
            "mixture": 1 - (mode[tail] / loss[tail])[0] if tail.any() else np.nan,
            "residual": float(flow.residual),
            "relative_gap": float(flow.stats["relative_gap"]),
            "status": code,
        },
    )


def run(config: Config) -> xr.Dataset:
    """Losses relative to their start, with their bounds, and the rates of their tails."""
    flows, cases = geometries(config.alphas, config.gammas), []
    for i in tqdm.trange(config.instances, desc="convergence", leave=False, delay=2):
        problem = ht.sparse_regression(config.n, config.d, config.k, seed=config.seed + i)
        cases.append([_case(problem, geo, config) for geo in flows.values()])
    points = max(case[0].size for row in cases for case in row)
    ts, loss = (
        np.array([[np.pad(case[i], (0, points - case[i].size), mode="edge") for case in row] for row in cases])
        for i in range(2)
    )
    of = {name: np.array([[case[2][name] for case in row] for row in cases]) for name in cases[0][0][2]}
    dims, path = ("instance", "flow"), ("instance", "flow", "point")
    axis = np.geomspace(1e-3, 1e5, 321)
    bound = np.exp(-of["bound_rate"][..., None] * axis)
    return xr.Dataset(
        {
            "time": store.variable(path, ts, "time of the flow (the last one is repeated)"),
            "loss": store.variable(path, loss, "loss over its start"),
            "bound": store.variable((*dims, "bound_time"), bound, "bound on the loss over its start"),
            "bound_rate": store.variable(dims, of["bound_rate"], "rate of the bound on the loss", "1/time"),
            "closest": store.variable(dims, of["closest"], "largest loss over its bound, at any time"),
            "predicted_rate": store.variable(dims, of["predicted_rate"], "asymptotic rate of the loss", "1/time"),
            "loss_rate": store.variable(dims, of["loss_rate"], "rate fitted to the tail of the loss", "1/time"),
            "mode_rate": store.variable(dims, of["mode_rate"], "rate fitted to the slowest mode's loss", "1/time"),
            "mixture": store.variable(dims, of["mixture"], "share of the other modes where the tail begins"),
            "settled": store.variable(dims, of["mixture"] <= config.mixed, "the tail is the slowest mode alone"),
            "residual": store.variable(dims, of["residual"], "relative residual at the end of the flow"),
            "relative_gap": store.variable(dims, of["relative_gap"], "duality gap over divergence at the end"),
            "status": store.status(dims, of["status"].astype(int)),
        },
        coords={
            "instance": config.seed + np.arange(config.instances),
            "bound_time": store.variable("bound_time", axis, "time of the bound"),
            **flow_coordinates(list(flows)),
        },
    )
