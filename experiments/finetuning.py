"""Fine-tuning a pretrained diagonal network: which regime each coordinate is in, and how many samples it takes.

Pretraining ends at β and leaves to each coordinate a γ of its own (`ht.geometry.finetuning`), from c/2·(1 + λ) where
β = 0 to |β|/2 where |β| ≫ c. So the cost of a coordinate is one of four: of ridge or of L1, with what was pretrained
or without. Here the truth to be learned has some of the support of β, all of it, or none.
"""

import dataclasses

import numpy as np
import tqdm
import xarray as xr

import hamtheory as ht

from . import store

OVERLAPS = {"the same": 1.0, "half of it": 0.5, "another": 0.0}


@dataclasses.dataclass(frozen=True)
class Config:
    """Gaussian samples without noise; k of the d entries of the truth are ±1, and so are k of β, those shared with it.

    `scales`: c. The map is over |θ|/c and |β|/c, (first, last, count) each.
    """

    d: int = 100
    k: int = 8
    ns: tuple[int, ...] = (4, 8, 12, 16, 20, 24, 32, 40, 48, 60)
    scales: tuple[float, ...] = (1e-6, 1e-2, 100.0)
    instances: int = 40
    imbalance: float = 0.0
    map: tuple[float, float, int] = (1e-6, 1e6, 121)
    tol: float = 1e-10
    seed: int = 0

    @classmethod
    def smoke(cls) -> "Config":
        return cls(ns=(8, 16, 40), instances=6, map=(1e-6, 1e6, 13))


def exponents(config: Config) -> np.ndarray:
    """∂ln R/∂ln|θ| and ∂ln R/∂ln|β| over the map, (2, |β|/c, |θ|/c)."""
    sizes = np.geomspace(*config.map)
    tuned = ht.geometry.finetuning(sizes, scale=1.0, imbalance=config.imbalance)
    own, other = tuned.exponents(np.broadcast_to(sizes[:, None], (sizes.size, sizes.size)))
    return np.stack([own.T, other.T])


def drawn(config: Config, seed: int) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Samples, the truth, and β by its overlap with it: shared entries have the sign of the truth."""
    rng = np.random.default_rng([config.seed, seed])
    X = rng.standard_normal((max(config.ns), config.d))
    order, signs = rng.permutation(config.d), rng.choice([-1.0, 1.0], 2 * config.k)
    truth = np.zeros(config.d)
    truth[order[: config.k]] = signs[: config.k]
    betas = {}
    for name, share in OVERLAPS.items():
        first = round((1 - share) * config.k)
        beta = np.zeros(config.d)
        beta[order[first : first + config.k]] = signs[first : first + config.k]
        betas[name] = beta
    return X, truth, betas


def run(config: Config) -> xr.Dataset:
    """The map of regimes, and the error of fine-tuning by the number of samples."""
    shape = (len(OVERLAPS), len(config.scales), len(config.ns), config.instances)
    error, status = np.empty(shape), np.empty(shape, int)
    scratch, ended = np.empty(shape[1:]), np.empty(shape[1:], int)
    for seed in tqdm.tqdm(range(config.instances), desc="instances", leave=False, delay=2):
        X, truth, betas = drawn(config, seed)
        for j, n in enumerate(config.ns):
            problem = ht.LinearRegression(X[:n], X[:n] @ truth)
            for i, scale in enumerate(config.scales):
                for o, beta in enumerate(betas.values()):
                    tuned = ht.geometry.finetuning(beta, scale=scale, imbalance=config.imbalance)
                    found = ht.solve_limit(problem, tuned.geo, tuned.theta0, tol=config.tol, throw=False)
                    error[o, i, j, seed] = np.linalg.norm(found.theta - truth) / np.linalg.norm(truth)
                    status[o, i, j, seed] = found.result
                fresh = ht.geometry.finetuning(np.zeros(config.d), scale=scale, imbalance=config.imbalance)
                found = ht.solve_limit(problem, fresh.geo, tol=config.tol, throw=False)
                scratch[i, j, seed] = np.linalg.norm(found.theta - truth) / np.linalg.norm(truth)
                ended[i, j, seed] = found.result
    sizes, dims = np.geomspace(*config.map), ("scale", "samples", "instance")
    return xr.Dataset(
        {
            "exponent": store.variable(
                ("of", "pretrained_size", "size"),
                exponents(config),
                "∂ln R/∂ln of the coordinate, of the pretrained one",
            ),
            "error": store.variable(("overlap", *dims), error, "L2 distance to the truth over its norm"),
            "scratch": store.variable(dims, scratch, "the same without pretraining"),
            "status": store.status(("overlap", *dims), status),
            "scratch_status": store.status(dims, ended),
        },
        coords={
            "of": ["theta", "beta"],
            "size": store.variable("size", sizes, "|θ|/c"),
            "pretrained_size": store.variable("pretrained_size", sizes, "|β|/c"),
            "overlap": list(OVERLAPS),
            "scale": store.variable("scale", config.scales, "c"),
            "samples": store.variable("samples", config.ns, "n"),
            "instance": np.arange(config.instances),
        },
        attrs={"d": config.d, "k": config.k},
    )
