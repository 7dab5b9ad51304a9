"""Which margin is robust to which attack, on samples held out; and what α does to a classification, on one X.

A linear classifier loses `ε‖θ‖_q` of every margin to the worst attack of size ε in the norm dual to ℓ_q, so that the
largest margin over ℓ_q is the largest attack that some direction survives on all samples to train [tsilivis2024price].
"""

import dataclasses
from collections.abc import Sequence
from typing import cast

import numpy as np
import tqdm
import xarray as xr

import hamtheory as ht
from hamtheory.problem.datasets import Classes

from . import store
from ._cases import flow_coordinates, geometries, stacked
from .held_out import at_losses, ended

NORMS = {"ℓ∞": np.inf, "ℓ2": 2.0}  # of the attacks


@dataclasses.dataclass(frozen=True)
class Config:
    """Data sets with the size of an attack in ℓ_∞ and in ℓ_2, of which the parts `sizes` are made; flows from 0.

    `n`, `d`, `held_out`: of what is drawn, a `k`-sparse teacher and a mixture; `points`: of 1/ρ from 1 to 0; `losses` =
    (first, last, number) of −ln L; `decades` = (first, last, number) of α, whose flows are seen at −ln L = `seen`.
    """

    cases: tuple[tuple[str, float, float], ...] = (
        ("sparse", 0.1, 0.3),
        ("mixture", 0.05, 0.5),
        ("mnist-4-9", 0.1, 1.0),
    )
    sizes: tuple[float, ...] = (0.0, 0.5, 1.0, 2.0)
    n: int = 40
    d: int = 100
    k: int = 3
    separation: float = 4.0
    held_out: int = 2000
    instances: int = 50
    points: int = 11
    alphas: tuple[float, ...] = (1.0, 100.0, 1e6)
    gammas: tuple[float, ...] = (1.0,)
    losses: tuple[float, float, int] = (0.5, 3000.0, 61)
    decades: tuple[int, int, int] = (-2, 12, 15)
    seen: tuple[float, ...] = (5.0, 30.0, 300.0)
    rtol: float = 1e-5
    tol: float = 1e-9
    seed: int = 0

    @classmethod
    def quick(cls) -> "Config":
        return cls(instances=8)

    @classmethod
    def smoke(cls) -> "Config":
        return cls(instances=2, points=5, losses=(0.5, 3000.0, 21), decades=(-2, 8, 3))


def problems(name: str, seed: int, config: Config) -> tuple[ht.BinaryClassification, ht.BinaryClassification]:
    """Samples to train and samples held out; of what is drawn, with the direction of its truth."""
    if name not in ("sparse", "mixture"):
        parts = ht.datasets.split(cast(Classes, name), seed=seed)
        return parts.train, ht.BinaryClassification(parts.X_test, parts.z_test)
    count, d = config.n + config.held_out, config.d
    if name == "sparse":
        drawn = ht.sparse_classification(count, d, config.k, seed=seed)
    else:
        drawn = ht.gaussian_mixture(count, d, config.separation, seed=seed)
    kept, others = slice(config.n), slice(config.n, None)
    train, test = (
        ht.BinaryClassification(drawn.X[part], drawn.z[part], theta_star=drawn.theta_star) for part in (kept, others)
    )
    return train, test


def attacked(test, thetas: np.ndarray, sizes: Sequence[float], parts: tuple[float, ...]) -> np.ndarray:
    """Accuracy under the attacks, (norms, parts, ...)."""
    rows = zip(NORMS.values(), sizes, strict=True)
    return np.array([[ht.metrics.accuracy(test, thetas, attack=size * x, p=p) for x in parts] for p, size in rows])


def instance(name: str, sizes: Sequence[float], seed: int, config: Config, at: np.ndarray) -> dict[str, np.ndarray]:
    """The largest margins for every ρ and the flows of one draw, attacked."""
    train, test = problems(name, seed, config)
    path = ht.margin_path(train, exponents(config), tol=config.tol, throw=False)
    found = [flow_of(train, geo, at[-1], config) for geo in geometries(config.alphas, config.gammas).values()]
    thetas = np.stack([at_losses(flow, at) for flow in found])
    return {
        "margins": attacked(test, path.theta, sizes, config.sizes),
        "flows": attacked(test, thetas, sizes, config.sizes),
        "status": np.array([ended(flow, path) for flow in found]),
    }


def exponents(config: Config) -> np.ndarray:
    """ρ, from 1 to ∞."""
    return np.append(1 / np.linspace(1, 0, config.points)[:-1], np.inf)


def flow_of(problem, geo, last: float, config: Config) -> ht.ClassificationFlow:
    """The flow from 0 to −ln L = `last`."""
    return ht.solve_flow(problem, geo, log_loss=-last, rtol=config.rtol, atol=config.rtol / 100, throw=False)


def both(seed: int, config: Config) -> dict[str, np.ndarray]:
    """Against α: the limits of the regression y = Xθ*, and flow and limit of the classification sign y, on one X."""
    train, _ = problems("sparse", seed, config)
    truth = np.asarray(train.theta_star)
    logs = log_alphas(config)
    path = ht.limit_path(ht.LinearRegression(train.X, train.X @ truth), ht.HAM, logs, throw=False)
    found = [flow_of(train, ht.HAM(log_alpha=float(log)), config.seen[-1], config) for log in logs]
    best = ht.solve_margin(train, rho=1.0, tol=config.tol, throw=False)
    thetas = np.stack([at_losses(flow, np.array(config.seen)) for flow in found])
    lines = [path.thetas, *np.moveaxis(thetas, 1, 0), np.broadcast_to(best.theta, path.thetas.shape)]
    return {
        "ratio": np.array([np.abs(line).sum(axis=-1) / np.linalg.norm(line, axis=-1) for line in lines]),
        "angle": np.array([angle(line, truth) for line in lines]),
        "alpha_status": np.maximum(path.result, [ended(flow, best) for flow in found]),
    }


def log_alphas(config: Config) -> np.ndarray:
    """ln α."""
    return np.log(10.0) * np.linspace(*config.decades)


def angle(thetas: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Between the directions, which half of a chord tells best."""
    ways = thetas / np.linalg.norm(thetas, axis=-1, keepdims=True)
    return 2 * np.arcsin(np.minimum(ht.metrics.distance(ways, truth / np.linalg.norm(truth)) / 2, 1))


def run(config: Config) -> xr.Dataset:
    """Every case and instance, and what α does, in the instances of the sparse teacher."""
    at, seeds = np.geomspace(*config.losses), config.seed + np.arange(config.instances)
    rows = tqdm.tqdm(config.cases, desc="cases", leave=False, delay=2)
    found = stacked([stacked([instance(name, sizes, int(s), config, at) for s in seeds]) for name, *sizes in rows])
    against = stacked([both(int(s), config) for s in tqdm.tqdm(seeds, desc="α", leave=False, delay=2)])
    dims, attack, grid = ("case", "instance"), ("norm", "part"), ("instance", "line", "alpha")
    right = "share of the samples held out that no attack turns"
    return xr.Dataset(
        {
            "margins": store.variable((*dims, *attack, "inverse"), found["margins"], f"{right}, largest margins"),
            "flows": store.variable((*dims, *attack, "flow", "loss"), found["flows"], f"{right}, flows"),
            "ratio": store.variable(grid, against["ratio"], "L1 over L2 norm"),
            "angle": store.variable(grid, np.degrees(against["angle"]), "angle to the truth", "degrees"),
            "size": store.variable(("case", "norm"), [sizes for _, *sizes in config.cases], "size of the attack"),
            "alpha_status": store.status(("instance", "alpha"), against["alpha_status"]),
            "status": store.status((*dims, "flow"), found["status"]),
        },
        coords={
            "case": [name for name, *_ in config.cases],
            "instance": seeds,
            "norm": list(NORMS),
            "part": store.variable("part", config.sizes, "attack over its size"),
            "inverse": store.variable("inverse", 1 / exponents(config), "1/ρ"),
            **flow_coordinates(list(geometries(config.alphas, config.gammas))),
            "loss": store.variable("loss", at, "−ln L"),
            "line": ["regression", *(f"{x:g}" for x in config.seen), "margin"],
            "alpha": store.variable("alpha", np.exp(log_alphas(config)), "α"),
        },
        attrs={"n": config.n, "d": config.d, "k": config.k, "seen": config.seen},
    )
