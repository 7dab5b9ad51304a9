"""How many samples it takes to recover a sparse vector, against the scale that the flow starts from.

The set-up of [woodworth2020kernel], Figure 1, for HAM, for m⊙w, and for deeper diagonal networks θ = u^L − v^L: noisy
samples of a vector with k equal entries, and for each number of samples the largest scale, which is the least sparse
bias, whose limit is within a given error of it.
"""

import dataclasses

import numpy as np
import tqdm
import xarray as xr

import hamtheory as ht

from . import store


@dataclasses.dataclass(frozen=True)
class Config:
    """Gaussian X, `y = Xθ* + noise`, θ* with k entries of 1/√k; recovered: `‖θ − θ*‖² ≤ error`.

    `scales` = (largest, smallest, count) of ln(scale): where a geometry turns from L2 to L1. It is 1/α for HAM, γ/2 for
    m⊙w, a^L for a network of depth L that starts from u = v = a: of the size of a θ in each case. For a depth L it
    does not go below `least` (a itself): there the mirror map comes closer to its bound than a number can tell.
    """

    d: int = 300
    k: int = 5
    noise: float = 0.1
    samples: tuple[int, ...] = (30, 40, 50, 60, 80, 120)
    seeds: int = 5
    depths: tuple[int, ...] = (3, 4)
    scales: tuple[float, float, int] = (1.0, -22.0, 24)
    least: float = 1e-3
    error: float = 0.025
    tol: float = 1e-8
    seed: int = 0

    @classmethod
    def quick(cls) -> "Config":
        return cls(seeds=3, scales=(1.0, -22.0, 12))

    @classmethod
    def smoke(cls) -> "Config":
        return cls(d=40, k=2, samples=(10, 20), seeds=2, depths=(3,), scales=(1.0, -10.0, 12))


def _problem(config: Config, samples: int, seed: int) -> ht.LinearRegression:
    """The first `samples` of as many equations as the largest number."""
    rng = np.random.default_rng(seed)
    largest = max(config.samples)
    X = rng.standard_normal((largest, config.d))
    theta = np.zeros(config.d)
    theta[rng.choice(config.d, config.k, replace=False)] = 1 / np.sqrt(config.k)
    y = X @ theta + config.noise * rng.standard_normal(largest)
    return ht.LinearRegression(X[:samples], y[:samples], theta)


def _along(problem, family, grid, tol: float):
    path = ht.limit_path(problem, family, grid, tol=tol, throw=False)
    return np.sum(np.square(path.thetas - problem.theta_star), axis=1), path.residual, path.result


def _deep(problem, depth: int, scales, tol: float):
    limits = [ht.solve_limit(problem, ht.DiagonalNetwork(depth, scale), tol=tol, throw=False) for scale in scales]
    numbers = [(np.sum(np.square(x.theta - problem.theta_star)), x.residual, int(x.result)) for x in limits]
    return zip(*numbers, strict=True)


def predicted(config: Config, logs: np.ndarray) -> np.ndarray:
    """The squared error in high dimension, (family, samples, scale)."""
    rows, share = np.array(config.samples)[:, None], config.k / config.d
    families: list[ht.geometry.AbstractGeometry] = [ht.HAM(log_alpha=-logs), ht.Hypentropy(log_gamma=logs + np.log(2))]
    families += [ht.DiagonalNetwork(depth, log_scale=logs / depth) for depth in config.depths]
    prior, sigma = ([0.0, 1 / np.sqrt(config.k)], [1 - share, share]), config.noise / np.sqrt(rows)
    found = [ht.asymptotics.predict(family, delta=rows / config.d, prior=prior, sigma=sigma) for family in families]
    return np.array([config.d * one.mse for one in found])


def largest_scale(logs: np.ndarray, errors: np.ndarray, bound: float) -> float:
    """The largest ln(scale) from which on, to smaller ones, the error stays within the bound; −inf if there is none.

    `logs` decrease. Between two grid points the error is interpolated linearly.
    """
    outside = np.flatnonzero(~(errors <= bound))
    if outside.size == 0:
        return float(logs[0])
    last = outside[-1]
    if last == logs.size - 1:
        return -np.inf
    share = (errors[last] - bound) / (errors[last] - errors[last + 1])
    return float(logs[last] + share * (logs[last + 1] - logs[last]))


def run(config: Config) -> xr.Dataset:
    """Errors of the limits over scales, samples and seeds, and the largest scales that recover the truth."""
    logs = np.linspace(*config.scales)
    families = ["HAM", "m*w", *(f"depth {depth}" for depth in config.depths)]
    shape = (len(families), len(config.samples), config.seeds, logs.size)
    error, residual = np.full(shape, np.nan), np.full(shape, np.nan)
    status, inside = np.zeros(shape, np.int8), np.zeros(shape, bool)
    end = np.full(shape[1:3], np.nan)
    cases = [(i, j) for i in range(len(config.samples)) for j in range(config.seeds)]
    for i, j in tqdm.tqdm(cases, desc="samples", leave=False, delay=2):
        problem = _problem(config, config.samples[i], config.seed + j)
        end[i, j] = np.sum(np.square(ht.basis_pursuit(problem) - problem.theta_star))
        for f in range(len(families)):
            mask = np.ones(logs.size, bool)
            if f == 0:
                found = _along(problem, ht.HAM, -logs, config.tol)
            elif f == 1:
                found = _along(problem, ht.Hypentropy, logs + np.log(2), config.tol)
            else:
                scales = np.exp(logs / config.depths[f - 2])
                mask = scales >= config.least
                found = _deep(problem, config.depths[f - 2], scales[mask], config.tol)
            error[f, i, j, mask], residual[f, i, j, mask], status[f, i, j, mask] = map(np.asarray, found)
            inside[f, i, j, mask] = True
    largest = np.empty(shape[:3])
    for case in np.ndindex(largest.shape):
        within = inside[case]
        largest[case] = largest_scale(logs[within], error[case][within], config.error)
    theory = predicted(config, logs)
    expected = [[largest_scale(logs, errors, config.error) for errors in own] for own in theory]
    dims = ("family", "samples", "seed", "log_scale")
    return xr.Dataset(
        {
            "error": store.variable(dims, error, "squared distance to the truth"),
            "residual": store.variable(dims, residual, "relative residual"),
            "computed": store.variable(dims, inside, "within the range of scales of the family"),
            "largest_log_scale": store.variable(dims[:3], largest, "ln of the largest scale that recovers the truth"),
            "predicted": store.variable(
                ("family", "samples", "log_scale"), theory, "squared distance in high dimension"
            ),
            "predicted_log_scale": store.variable(dims[:2], expected, "ln of the largest scale by it"),
            "basis_pursuit_error": store.variable(dims[1:3], end, "squared distance of basis pursuit to the truth"),
            "status": store.status(dims, status),
        },
        coords={
            "family": families,
            "samples": store.variable("samples", config.samples, "number of samples"),
            "seed": config.seed + np.arange(config.seeds),
            "log_scale": store.variable("log_scale", logs, "ln of the scale"),
        },
        attrs={"error_bound": config.error},
    )
