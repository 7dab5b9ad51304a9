"""Does anyone ever see the largest margin? Accuracy and sparsity of flows on images that they were not trained on.

A split is drawn for every case and instance: so many images to train, one half of each class, and all others held out.
Flow and limit see the same images, so that what one has more than the other is known better than either.
"""

import dataclasses

import numpy as np
import tqdm
import xarray as xr
from scipy.interpolate import interp1d

import hamtheory as ht
from hamtheory.problem.datasets import Classes

from . import store
from ._cases import flow_coordinates, geometries, stacked
from .margins import Power


@dataclasses.dataclass(frozen=True)
class Config:
    """Images (name, number to train), flows from 0, and `losses` = (first, last, number) of −ln L."""

    cases: tuple[tuple[Classes, int], ...] = (
        ("mnist-4-9", 20),
        ("mnist-4-9", 50),
        ("mnist-4-9", 100),
        ("mnist-4-9", 200),
        ("mnist-4-9", 500),
        ("digits-3-8", 20),
        ("digits-3-8", 50),
        ("digits-3-8", 100),
        ("digits-3-8", 200),
    )
    instances: int = 50
    alphas: tuple[float, ...] = (1.0, 100.0, 1e6)
    gammas: tuple[float, ...] = (1.0,)
    powers: tuple[float, ...] = (0.5,)
    losses: tuple[float, float, int] = (0.5, 3000.0, 61)
    trained: tuple[float, ...] = (1e-2, 1e-3)  # the losses at which training ends
    rtol: float = 1e-5
    tol: float = 1e-9
    seed: int = 0

    @classmethod
    def quick(cls) -> "Config":
        return cls(cases=tuple(case for case in cls().cases if case[1] < 500), instances=6)

    @classmethod
    def smoke(cls) -> "Config":
        return cls(cases=(("mnist-4-9", 100), ("digits-3-8", 50)), instances=2, losses=(0.5, 3000.0, 21))


def flows(config: Config) -> dict[str, ht.geometry.AbstractGeometry]:
    """The geometries by label."""
    return geometries(config.alphas, config.gammas) | {f"power {s:g}": Power(s) for s in config.powers}


def levels(config: Config) -> np.ndarray:
    """−ln L, increasing, those at which training ends among them."""
    return np.array(sorted({*np.geomspace(*config.losses).tolist(), *(-np.log(config.trained)).tolist()}))


def at_losses(flow: ht.ClassificationFlow, at: np.ndarray) -> np.ndarray:
    """θ at these −ln L, between the steps of the flow: there it is nearly linear."""
    reached = -flow.log_loss
    return interp1d(reached, flow.thetas, axis=0)(np.clip(at, reached[0], reached[-1]))


def ended(flow: ht.ClassificationFlow, *limits: ht.MarginResult) -> int:
    """The first code of what has failed, or 0."""
    codes = [int(np.max(limit.result)) for limit in limits]
    return max(codes) or (0 if flow.result == ht.Result.reached_end else int(flow.result))


def case(problem, test, geo, best: ht.MarginResult, config: Config, at: np.ndarray) -> dict[str, np.ndarray]:
    """One flow, and its limit: what they say of the images held out, and how many entries they have."""
    flow = ht.solve_flow(problem, geo, log_loss=-at[-1], rtol=config.rtol, atol=config.rtol / 100, throw=False)
    thetas, rho = at_losses(flow, at), float(flow.horizon.rho)
    sides = test.margins(thetas) > 0
    return {
        "accuracy": ht.metrics.accuracy(test, thetas),
        "disagreement": np.mean(sides != (test.margins(best.theta) > 0), axis=-1),
        "entries": ht.metrics.entries_carrying(thetas),
        "share": ht.metrics.margin(problem, thetas, rho) / best.margin,
        "limit_accuracy": ht.metrics.accuracy(test, best.theta),
        "limit_entries": ht.metrics.entries_carrying(best.theta),
        "rho": np.array(rho),
        "status": np.array(ended(flow, best)),
    }


def instance(name: Classes, n: int, seed: int, config: Config, at: np.ndarray) -> dict[str, np.ndarray]:
    """All flows on one split, and the number of its columns."""
    parts = ht.datasets.split(name, rows_per_class=n // 2, seed=seed)
    test = ht.BinaryClassification(parts.X_test, parts.z_test)
    cases = flows(config)
    rhos = {label: float(geo.horizon().rho) for label, geo in cases.items()}
    best = {rho: ht.solve_margin(parts.train, rho=rho, tol=config.tol, throw=False) for rho in set(rhos.values())}
    rows = [case(parts.train, test, geo, best[rhos[label]], config, at) for label, geo in cases.items()]
    return stacked(rows) | {"d": np.array(parts.train.d)}


def run(config: Config) -> xr.Dataset:
    """Every flow on every split of every case."""
    at, seeds = levels(config), config.seed + np.arange(config.instances)
    rows = tqdm.tqdm(config.cases, desc="cases", leave=False, delay=2)
    found = stacked([stacked([instance(*row, int(seed), config, at) for seed in seeds]) for row in rows])
    dims = ("case", "instance", "flow")
    along = (*dims, "loss")
    return xr.Dataset(
        {
            "accuracy": store.variable(along, found["accuracy"], "share of the images held out that are right"),
            "disagreement": store.variable(
                along, found["disagreement"], "share of them of which the limit says another class"
            ),
            "entries": store.variable(along, found["entries"], "entries that carry 99 % of the L1 norm"),
            "share": store.variable(along, found["share"], "margin over the largest, in the norm of the horizon"),
            "limit_accuracy": store.variable(dims, found["limit_accuracy"], "accuracy of the largest margin"),
            "limit_entries": store.variable(dims, found["limit_entries"], "entries of the largest margin"),
            "columns": store.variable(dims[:2], found["d"], "columns that are not constant"),
            "status": store.status(dims, found["status"]),
        },
        coords={
            "case": [f"{name}, {n}" for name, n in config.cases],
            "data": ("case", [name for name, _ in config.cases]),
            "n": store.variable("case", [n for _, n in config.cases], "images to train"),
            "instance": seeds,
            **flow_coordinates(list(flows(config))),
            "rho": store.variable("flow", found["rho"][0, 0], "exponent of the norm of the horizon"),
            "loss": store.variable("loss", at, "−ln L"),
        },
        attrs={"trained": config.trained},
    )
