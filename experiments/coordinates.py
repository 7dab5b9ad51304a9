"""Euler's method in dual and in primal coordinates: which limit does it reach, against the size of its step?"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import tqdm
import xarray as xr

import hamtheory as ht

from . import store
from ._cases import flow_coordinates, geometries

COORDINATES = ("dual", "primal")


@dataclasses.dataclass(frozen=True)
class Config:
    """`instances` random problems of n rows, d columns and k spikes of ±1, from zero.

    `scales`: step sizes over the largest stable one, `2/λ_max(X diag(g⁻¹(θ_∞)) Xᵀ/n)`. Every run takes the same
    multiple `efolds` of the slowest time constant of the residual; `tol` is the residual that counts as interpolation.
    """

    n: int = 40
    d: int = 100
    k: int = 5
    instances: int = 5
    alphas: tuple[float, ...] = (100.0,)
    gammas: tuple[float, ...] = (1e-2,)
    scales: tuple[float, ...] = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.6, 0.85, 0.95, 1.1, 1.3, 1.6)
    efolds: float = 25.0
    tol: float = 1e-9
    seed: int = 0

    @classmethod
    def smoke(cls) -> "Config":
        return cls(n=16, d=446, k=2, instances=1, scales=(0.01, 0.04, 0.16, 0.6, 1.6))


def _numbers(problem, geo, flow, limit):
    """Relative error of the end of a flow, how far it left the row space, its certificate and that of the limit."""
    theta = np.asarray(flow.theta)
    error = ht.metrics.distance(theta, limit.theta) / np.linalg.norm(limit.theta)
    drift = ht.metrics.invariant_drift(problem, geo, theta, np.zeros(problem.d))
    return error, drift, flow.residual, flow.stats["relative_gap"], flow.result, limit.result


def _cases(problem, geo, config: Config):
    """For each step size and each coordinates: the step size and the numbers of the run."""
    limit = ht.solve_limit(problem, geo, throw=False)
    compiled = jax.tree.map(jnp.asarray, problem)  # up to 10⁵ steps a run, of a fixed size
    root = problem.X * np.sqrt(geo.inverse_metric(limit.theta))[None, :]
    stable = 2 * problem.n / float(np.linalg.norm(root, 2)) ** 2
    end = config.efolds / float(ht.metrics.asymptotic_rate(problem, geo, limit.theta))
    for scale in config.scales:
        for coordinates in COORDINATES:
            flow = ht.solve_flow(
                compiled,
                geo,
                ts=[end],
                solver="euler",
                dt=scale * stable,
                coordinates=coordinates,
                tol=config.tol,
                max_steps=10**8,
                throw=False,
            )
            *numbers, flow_code, limit_code = map(float, _numbers(problem, geo, flow, limit))
            yield [scale * stable, *numbers, flow_code or limit_code]


def _status(certificate: np.ndarray, residual: np.ndarray, tol: float) -> np.ndarray:
    """Converged also where the flow rests on an interpolator that is not its limit: the gap says that it is not."""
    rests_elsewhere = (certificate == ht.NAMES.index("reached_end")) & (residual <= tol)
    return np.where(rests_elsewhere, ht.NAMES.index("converged"), certificate)


def run(config: Config) -> xr.Dataset:
    """Relative distances of the ends of Euler's method to the limits of the flows."""
    flows = {label: geo for label, geo in geometries(config.alphas, config.gammas).items() if label != "GD"}
    rows = []
    for i in tqdm.trange(config.instances, desc="coordinates", leave=False, delay=2):
        problem = ht.sparse_regression(config.n, config.d, config.k, seed=config.seed + i).without_truth()
        rows.append([list(_cases(problem, geo, config)) for geo in flows.values()])
    shape = (config.instances, len(flows), len(config.scales), len(COORDINATES), 6)
    dt, error, drift, residual, gap, certificate = np.moveaxis(np.reshape(rows, shape), -1, 0)
    certificate = certificate.astype(np.int8)
    dims = ("instance", "flow", "scale", "coordinates")
    status = store.status(dims, _status(certificate, residual, config.tol))
    status.attrs["long_name"] = "how the case ended; converged: on an interpolator, whether or not it is the limit"
    return xr.Dataset(
        {
            "dt": store.variable(dims[:3], dt[..., 0], "step size", "time"),
            "error": store.variable(dims, error, "relative distance to the limit"),
            "drift": store.variable(dims, drift, "relative distance of the mirror image from the row space"),
            "residual": store.variable(dims, residual, "relative residual"),
            "relative_gap": store.variable(dims, gap, "duality gap over divergence"),
            "certificate": store.status(dims, certificate),
            "status": status,
        },
        coords={
            "instance": config.seed + np.arange(config.instances),
            "scale": store.variable("scale", config.scales, "step size over the largest stable one"),
            "coordinates": list(COORDINATES),
            **flow_coordinates(list(flows)),
        },
    )
