"""Steepest flows on factors: where they end, how far from a projection, and what weight decay makes of them.

From θ = 0, one factor being zero and the others of one size, to an interpolator of a sparse regression. The exponent
that decoupled weight decay induces is fitted to the ends of flows with it, on problems of their own.
"""

import dataclasses

import numpy as np
import tqdm
import xarray as xr

import hamtheory as ht

from . import store


@dataclasses.dataclass(frozen=True)
class Config:
    """Gaussian samples without noise; k of the d entries of the truth are ±1.

    `scale`: of the factors that are not zero at the start. `times`: of the trajectories, (first, last, count).
    `decays`: problems of n = 3, d = 6 with weight decay, an exponent in `decay_q` and a depth of `decay_depths`.
    """

    n: int = 100
    d: int = 300
    k: int = 5
    instances: int = 2
    depths: tuple[int, ...] = (1, 2, 3)
    qs: tuple[float, ...] = (1.0, 1.25, 1.5, 1.75, 2.0)
    scale: float = 0.1
    times: tuple[float, float, int] = (1e-3, 1e6, 181)
    rtol: float = 1e-6
    decays: int = 60
    decay_q: tuple[float, float] = (1.25, 1.95)
    decay_depths: tuple[int, ...] = (2, 3)
    weight_decay: float = 0.1
    smallest: float = 1e-3
    seed: int = 0

    @classmethod
    def quick(cls) -> "Config":
        return cls(n=16, d=30, k=2, instances=2, rtol=1e-5, decays=50)

    @classmethod
    def smoke(cls) -> "Config":
        return cls(n=8, d=12, k=1, instances=1, depths=(1, 2), qs=(1.0, 1.5, 2.0), decays=4)


def start(config: Config, depth: int) -> np.ndarray:
    """The factors at the start, (depth, d)."""
    return np.concatenate([np.zeros((1, config.d)), np.full((depth - 1, config.d), config.scale)])


def recoveries(config: Config) -> dict[str, xr.Variable]:
    """Where the flows end, by instance, depth and exponent; and the way of the first instance."""
    shape = (config.instances, len(config.depths), len(config.qs))
    found = {name: np.empty(shape) for name in ("error", "l1", "arrival", "kkt", "drift", "balance")}
    status, times = np.empty(shape, int), np.geomspace(*config.times)
    paths = np.empty((*shape[1:], times.size))
    for i in tqdm.tqdm(range(config.instances), desc="instances", leave=False, delay=2):
        problem = ht.sparse_regression(config.n, config.d, config.k, seed=config.seed + i)
        truth = np.asarray(problem.theta_star)
        for j, depth in enumerate(config.depths):
            for k, q in enumerate(config.qs):
                flow = ht.steepest_flow(problem, start(config, depth), q=q, rtol=config.rtol, throw=False)
                at = i, j, k
                found["error"][at] = np.linalg.norm(flow.theta - truth) / np.linalg.norm(truth)
                found["l1"][at] = np.abs(flow.theta).sum() / np.abs(truth).sum()
                found["arrival"][at], status[at] = flow.ts[-1], flow.result
                for name in ("kkt", "drift", "balance"):
                    found[name][at] = getattr(flow, name)
                if i == 0:
                    errors = np.linalg.norm(flow.thetas - truth, axis=1) / np.linalg.norm(truth)
                    paths[j, k] = np.interp(times, flow.ts, errors)  # at the end it rests
    said = {
        "error": "L2 distance of the limit to the truth over its norm",
        "l1": "L1 norm of the limit over that of the truth",
        "arrival": "time of convergence",
        "kkt": "distance of R'(θ) − R'(θ₀) to the row space, relative",
        "drift": "change of the conserved quantities, relative",
        "balance": "error of the energy balance, relative",
    }
    dims = ("instance", "depth", "q")
    return {name: store.variable(dims, found[name], meaning) for name, meaning in said.items()} | {
        "path": store.variable(("depth", "q", "time"), paths, "error along the flow, of the first instance"),
        "status": store.status(dims, status),
    }


def slope(x: np.ndarray, y: np.ndarray) -> float:
    """That of the line of least squares."""
    return float(np.polyfit(x, y, 1)[0])


def decayed(config: Config) -> dict[str, xr.Variable]:
    """The powers of θ that weight decay induces: fitted to the ends of flows, and what they should be."""
    names = ("decay_q", "decay_depth", "own_power", "own_theory", "penalty_power", "penalty_theory")
    found, status = {name: np.empty(config.decays) for name in names}, np.empty(config.decays, int)
    for i in tqdm.tqdm(range(config.decays), desc="decays", leave=False, delay=2):
        rng = np.random.default_rng([config.seed, i])
        q, depth = rng.uniform(*config.decay_q), int(rng.choice(config.decay_depths))
        X, factors = rng.standard_normal((3, 6)), rng.uniform(0.5, 1.5, (depth, 6))
        factors[0] *= rng.choice([-1.0, 1.0], 6)
        problem = ht.LinearRegression(X, X @ (3 * rng.standard_normal(6)))
        flow = ht.steepest_flow(problem, factors, q=q, weight_decay=config.weight_decay, throw=False)
        large = np.abs(flow.theta) > config.smallest
        sizes, forces = np.log(np.abs(flow.theta[large])), np.log(np.abs(problem.gradient(flow.theta)[large]))
        m = q * (depth - 1) / depth
        fitted = slope(sizes, forces) if large.sum() > 1 else np.nan
        row = q, depth, 1 + (q - 1) * fitted, 2 - m, 1 + fitted, q / (q - 1) / depth
        for name, value in zip(names, row, strict=True):
            found[name][i] = value
        status[i] = flow.result
    said = {
        "decay_q": "q",
        "decay_depth": "number of factors",
        "own_power": "1 + slope of ln φ(|∇f|) over ln|θ| at rest",
        "own_theory": "2 − m",
        "penalty_power": "1 + slope of ln|∇f| over ln|θ| at rest",
        "penalty_theory": "q*/L",
    }
    return {name: store.variable(("draw",), found[name], meaning) for name, meaning in said.items()} | {
        "draw_status": store.status(("draw",), status)
    }


def run(config: Config) -> xr.Dataset:
    """The limits and the ways to them, and the ends under weight decay."""
    return xr.Dataset(
        recoveries(config) | decayed(config),
        coords={
            "instance": np.arange(config.instances),
            "depth": store.variable("depth", config.depths, "number of factors L"),
            "q": store.variable("q", config.qs, "exponent"),
            "time": store.variable("time", np.geomspace(*config.times), "time"),
            "draw": np.arange(config.decays),
        },
        attrs={"n": config.n, "d": config.d, "k": config.k, "scale": config.scale},
    )
