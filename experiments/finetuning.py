"""Fine-tuning a pretrained diagonal network: which regime each coordinate is in, and how many samples it takes.

Pretraining ends at β and leaves to each coordinate a γ of its own (`ht.geometry.finetuning`), from c/2·(1 + λ) where
β = 0 to |β|/2 where |β| ≫ c. So the cost of a coordinate is one of four: of ridge or of L1, with what was pretrained
or without. Here the truth to be learned has some of the support of β, all of it, or none. Theory is
`ht.asymptotics.predict` of the joint law of the truth and γ.
"""

import dataclasses

import numpy as np
import tqdm
import xarray as xr

import hamtheory as ht

from . import store

OVERLAPS = {"the same": 1.0, "half of it": 0.5, "another": 0.0}
_TOL = 1e-6  # of predictions


@dataclasses.dataclass(frozen=True)
class Config:
    """Gaussian samples without noise; k of the d entries of the truth are ±1, and so are k of β, those shared with it.

    `scales`: c. The map is over |θ|/c and |β|/c, (first, last, count) each. The theory is for so many `places` from the
    least number of samples to the largest.
    """

    d: int = 100
    k: int = 8
    ns: tuple[int, ...] = (4, 8, 12, 16, 20, 24, 32, 40, 48, 60)
    scales: tuple[float, ...] = (1e-6, 1e-2, 100.0)
    instances: int = 40
    imbalance: float = 0.0
    map: tuple[float, float, int] = (1e-6, 1e6, 121)
    places: int = 57
    tol: float = 1e-10
    seed: int = 0

    @classmethod
    def smoke(cls) -> "Config":
        return cls(ns=(8, 16, 40), instances=6, map=(1e-6, 1e6, 13), places=9)


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


def predicted(config: Config, rows: np.ndarray, share: float) -> np.ndarray:
    """The error in high dimension if β has this share of the support of the truth, (scale, rows).

    A coordinate is one of four: in the truth or not, and in β or not.
    """
    kept = round(share * config.k)
    counts = np.array([kept, config.k - kept, config.k - kept, 0])
    counts[3] = config.d - counts.sum()
    gammas = [
        ht.geometry.finetuning([1.0, 0.0, 1.0, 0.0], scale=c, imbalance=config.imbalance).geo for c in config.scales
    ]
    geos = [ht.Hypentropy(column[:, None]) for column in np.transpose([np.asarray(geo.gamma) for geo in gammas])]
    prior = ([1.0, 1.0, 0.0, 0.0], counts / config.d)
    found = ht.asymptotics.predict(geos, delta=rows / config.d, prior=prior, tol=_TOL)
    return np.sqrt(config.d * np.asarray(found.mse) / config.k)


def predicted_anew(config: Config, rows: np.ndarray) -> np.ndarray:
    """The same without pretraining."""
    share = config.k / config.d
    fresh = [ht.geometry.finetuning([0.0], scale=c, imbalance=config.imbalance).geo for c in config.scales]
    geo = ht.Hypentropy(np.array([np.asarray(one.gamma) for one in fresh]))
    found = ht.asymptotics.predict(geo, delta=rows / config.d, prior=([0.0, 1.0], [1 - share, share]), tol=_TOL)
    return np.sqrt(config.d * np.asarray(found.mse) / config.k)


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
    rows = np.linspace(min(config.ns), max(config.ns), config.places)
    return xr.Dataset(
        {
            "exponent": store.variable(
                ("of", "pretrained_size", "size"),
                exponents(config),
                "∂ln R/∂ln of the coordinate, of the pretrained one",
            ),
            "error": store.variable(("overlap", *dims), error, "L2 distance to the truth over its norm"),
            "scratch": store.variable(dims, scratch, "the same without pretraining"),
            "predicted": store.variable(
                ("overlap", "scale", "rows"),
                [predicted(config, rows, share) for share in OVERLAPS.values()],
                "the error in high dimension",
            ),
            "predicted_scratch": store.variable(
                ("scale", "rows"), predicted_anew(config, rows), "the same without pretraining"
            ),
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
            "rows": store.variable("rows", rows, "n of the theory"),
            "instance": np.arange(config.instances),
        },
        attrs={"d": config.d, "k": config.k},
    )
