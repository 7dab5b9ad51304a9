"""From L2 to L1: the norms of the limits of HAM and of m*w over twelve decades of their parameters."""

import dataclasses

import numpy as np
import tqdm
import xarray as xr

import hamtheory as ht

from . import store
from ._draws import labelled_problems

FAMILIES = {"HAM": lambda log: ht.HAM(log_alpha=log), "m*w": lambda log: ht.Hypentropy(log_gamma=log)}


@dataclasses.dataclass(frozen=True)
class Config:
    """`instances` random problems of n rows, d columns and k spikes of ±1, and real `data`; `points` parameters."""

    n: int = 40
    d: int = 100
    k: int = 5
    instances: int = 50
    points: int = 61
    lowest: float = 1e-6
    highest: float = 1e6
    data: tuple[str, ...] = ("fermentation", "mnist")
    seed: int = 0

    @classmethod
    def quick(cls) -> "Config":
        return cls(instances=20)

    @classmethod
    def smoke(cls) -> "Config":
        return cls(instances=3, points=7, data=())


def _limits(problem, family: str, logs):
    """L1 and L2 norm, residual, relative gap and code of the limit from zero, for each value of the parameter."""
    limits = [ht.solve_limit(problem, FAMILIES[family](log), throw=False) for log in logs]
    rows = [
        (
            np.abs(limit.theta).sum(),
            np.linalg.norm(limit.theta),
            limit.residual,
            limit.stats["relative_gap"],
            limit.result,
        )
        for limit in limits
    ]
    return zip(*rows, strict=True)


def run(config: Config) -> xr.Dataset:
    """The norms of the limits from zero, against those of basis pursuit and of the least L2 norm."""
    problems = labelled_problems(config.n, config.d, config.k, config.instances, config.seed)
    problems |= {name: ht.datasets.load(name) for name in config.data}
    logs = np.linspace(np.log(config.lowest), np.log(config.highest), config.points)
    ends, cases = [], []
    for problem in tqdm.tqdm(problems.values(), desc="interpolation", leave=False, delay=2):
        ends.append((np.abs(ht.basis_pursuit(problem)).sum(), np.linalg.norm(ht.min_norm(problem))))
        cases.append([list(_limits(problem, family, logs)) for family in FAMILIES])
    least_l1, least_l2 = np.asarray(ends).T
    l1, l2, residual, gap, codes = (np.array([[f[i] for f in p] for p in cases]) for i in range(5))
    dims = ("problem", "family", "log_parameter")
    return xr.Dataset(
        {
            "l1": store.variable(dims, l1, "L1 norm of the limit"),
            "l2": store.variable(dims, l2, "L2 norm of the limit"),
            "least_l1": store.variable("problem", least_l1, "L1 norm of basis pursuit"),
            "least_l2": store.variable("problem", least_l2, "least L2 norm of an interpolator"),
            "residual": store.variable(dims, residual, "relative residual"),
            "relative_gap": store.variable(dims, gap, "duality gap over divergence"),
            "status": store.status(dims, codes),
        },
        coords={
            "problem": list(problems),
            "family": list(FAMILIES),
            "log_parameter": store.variable("log_parameter", logs, "ln alpha (HAM), ln gamma (m*w)"),
            "is_real": ("problem", [label in config.data for label in problems]),
        },
    )
