"""On the way to the sparse ground truth, from zero and from a random start; and on real spectra, to a prediction."""

import dataclasses

import numpy as np
import tqdm
import xarray as xr

import hamtheory as ht

from . import store
from ._cases import flow_and_limit, flow_coordinates, geometries

SETTINGS = ("zero", "random", "spectra")


@dataclasses.dataclass(frozen=True)
class Config:
    """`instances` random problems of n rows, d columns and k spikes of ±1, and as many splits of the real `data`.

    m*w with gamma = 1/alpha has nearly the bias of HAM with alpha. Random starts are Gaussian with variance 1/sqrt(n).
    """

    n: int = 40
    d: int = 100
    k: int = 5
    instances: int = 12
    alphas: tuple[float, ...] = (1.0, 100.0, 1000.0)
    gammas: tuple[float, ...] = (1e-2, 1e-3)
    data: str = "fermentation-band"
    tol: float = 1e-7
    first: float = 1e-4
    last: float = 1e5
    points: int = 181
    seed: int = 0

    @classmethod
    def quick(cls) -> "Config":
        return cls(instances=5, points=91)

    @classmethod
    def smoke(cls) -> "Config":
        return cls(n=16, d=446, k=2, instances=2, alphas=(1.0, 100.0), gammas=(1e-2,), points=37)


def _case(problem, theta0, error, geo, tol: float, times: np.ndarray):
    """The error along the flow, at its limit, and the certificate of the flow."""
    flow, limit, code = flow_and_limit(problem, geo, theta0, tol)
    path = ht.solve_flow(problem, geo, theta0, ts=times, rtol=tol, throw=False).thetas
    deviation = ht.metrics.distance(flow.theta, limit.theta)
    numbers = error(limit.theta), deviation, flow.residual, flow.stats["relative_gap"], code
    return error(path), *map(float, numbers)


def run(config: Config) -> xr.Dataset:
    """Distances to the ground truth, and errors on held-out rows, on one logarithmic grid of times."""
    times = np.geomspace(config.first, config.last, config.points)
    flows = geometries(config.alphas, config.gammas)
    cases, baseline = [], []
    for i in tqdm.trange(config.instances, desc="recovery", leave=False, delay=2):
        problem = ht.sparse_regression(config.n, config.d, config.k, seed=config.seed + i)
        split = ht.datasets.split(config.data, seed=config.seed + i)
        draw = np.random.default_rng([config.seed + i, 1]).standard_normal(config.d) / config.n**0.25

        def to_truth(theta, problem=problem):
            assert problem.theta_star is not None
            return ht.metrics.distance(theta, problem.theta_star)

        def prediction(theta, split=split):
            return ht.metrics.distance(theta @ split.X_test.T, split.y_test) / split.y_test.size**0.5

        settings = (
            (problem, np.zeros(config.d), to_truth),
            (problem, draw, to_truth),
            (split.train, np.zeros(split.train.d), prediction),
        )
        baseline.append(float(prediction(np.zeros(split.train.d))))
        cases.append([[_case(*setting, geo, config.tol, times) for geo in flows.values()] for setting in settings])
    path, limit, deviation, residual, gap, codes = (
        np.array([[[case[i] for case in flows_] for flows_ in instance] for instance in cases]).swapaxes(0, 1)
        for i in range(6)
    )
    dims, line = ("setting", "instance", "flow"), ("instance", "flow", "time")
    return xr.Dataset(
        {
            "distance": store.variable(("start", *line), path[:2], "distance to the ground truth"),
            "rmse": store.variable(line, path[2], "root mean square error on held-out rows", "g/L"),
            "limit_distance": store.variable(("start", *line[:2]), limit[:2], "distance of the limit to the truth"),
            "limit_rmse": store.variable(line[:2], limit[2], "root mean square error of the limit", "g/L"),
            "mean_rmse": store.variable("instance", baseline, "error of the mean of the training rows", "g/L"),
            "deviation": store.variable(dims, deviation, "distance of the end of the flow to its limit"),
            "residual": store.variable(dims, residual, "relative residual at the end of the flow"),
            "relative_gap": store.variable(dims, gap, "duality gap over divergence at the end of the flow"),
            "status": store.status(dims, codes.astype(int)),
        },
        coords={
            "setting": list(SETTINGS),
            "start": list(SETTINGS[:2]),
            "instance": config.seed + np.arange(config.instances),
            "time": store.variable("time", times, "time of the flow"),
            **flow_coordinates(list(flows)),
        },
    )
