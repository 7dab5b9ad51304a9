"""Matched bias: the γ for which m⊙w's limit is as near as possible to HAM's, and the distance that remains."""

import dataclasses

import numpy as np
import tqdm
import xarray as xr

import hamtheory as ht

from . import store
from ._draws import labelled_problems


@dataclasses.dataclass(frozen=True)
class Config:
    """`instances` random problems of n rows, d columns and k spikes of ±1, from zero, and real `data`.

    For each of `alphas` = (lowest, highest, count) of ln α, evenly spaced, the nearest limit of m⊙w is looked for on a
    grid of `candidates` values of ln(2/γ), evenly spaced and `wider` on both sides, then by `refinements` steps of
    Gauss and Newton's method on the distance, whose derivative is a difference over ± `difference`.
    """

    n: int = 40
    d: int = 100
    k: int = 5
    instances: int = 30
    alphas: tuple[float, float, int] = (-6.0, 24.0, 41)
    candidates: int = 121
    wider: float = 10.0
    refinements: int = 5
    difference: float = 1e-2
    data: tuple[str, ...] = ("fermentation",)
    seed: int = 0

    @classmethod
    def quick(cls) -> "Config":
        return cls(instances=10)

    @classmethod
    def smoke(cls) -> "Config":
        return cls(n=10, d=30, k=2, instances=2, alphas=(-4.0, 16.0, 11), candidates=41, data=())


def _matches(problem, logs, candidates, refinements: int, difference: float):
    """For each ln α: the matching ln(2/γ), the relative distance, the norms, and the codes of all solves it took."""
    ham = ht.limit_path(problem, ht.HAM, logs, throw=False)
    mw = ht.limit_path(problem, ht.Hypentropy, np.log(2.0) - candidates, throw=False)
    spacing = candidates[1] - candidates[0]

    def limit(sparsity):
        return ht.solve_limit(problem, ht.Hypentropy(log_gamma=np.log(2.0) - sparsity), throw=False)

    def match(target):
        best = candidates[np.argmin(np.linalg.norm(mw.thetas - target, axis=1))]
        for _ in range(refinements):
            slope = (limit(best + difference).theta - limit(best - difference).theta) / (2 * difference)
            size = slope @ slope
            step = slope @ (limit(best).theta - target) / size if size > 0 else 0.0
            best = best - np.clip(step, -spacing, spacing)
        last = limit(best)
        return best, np.linalg.norm(last.theta - target), np.abs(last.theta).sum(), int(last.result)

    sparsity, distance, l1, codes = map(np.array, zip(*map(match, ham.thetas), strict=True))
    codes = np.where(ham.result > 0, ham.result, codes)
    codes = np.where(codes > 0, codes, np.max(mw.result))
    return sparsity, distance, np.linalg.norm(ham.thetas, axis=1), np.abs(ham.thetas).sum(axis=1), l1, codes


def run(config: Config) -> xr.Dataset:
    """The matching γ, what remains, and the size of it all, for every α and problem."""
    problems = labelled_problems(config.n, config.d, config.k, config.instances, config.seed)
    problems |= {name: ht.datasets.load(name) for name in config.data}
    logs = np.linspace(*config.alphas)
    candidates = np.linspace(logs[0] - config.wider, logs[-1] + config.wider, config.candidates)
    cases, ends = [], []
    for problem in tqdm.tqdm(problems.values(), desc="matched_bias", leave=False, delay=2):
        cases.append(_matches(problem, logs, candidates, config.refinements, config.difference))
        sparse, dense = ht.basis_pursuit(problem), ht.min_norm(problem)
        ends.append((np.linalg.norm(sparse - dense), np.abs(sparse).sum()))
    sparsity, distance, l2, l1, mw_l1, codes = np.array([[case[i] for case in cases] for i in range(6)])
    span, least_l1 = np.asarray(ends).T
    # A match at the edge of the search is none.
    edge = np.minimum(abs(sparsity - float(candidates[0])), abs(sparsity - float(candidates[-1])))
    codes = np.where((codes == 0) & (edge < 1e-3), ht.NAMES.index("stalled"), codes)
    dims = ("problem", "log_alpha")
    return xr.Dataset(
        {
            "log_sparsity": store.variable(dims, sparsity, "ln(2/gamma) of the nearest limit of m*w"),
            "distance": store.variable(dims, distance, "distance of the nearest limit of m*w from that of HAM"),
            "l2": store.variable(dims, l2, "L2 norm of HAM's limit"),
            "l1": store.variable(dims, l1, "L1 norm of HAM's limit"),
            "mw_l1": store.variable(dims, mw_l1, "L1 norm of the nearest limit of m*w"),
            "least_l1": store.variable("problem", least_l1, "least L1 norm of an interpolator"),
            "span": store.variable("problem", span, "distance of the L1 from the L2 end"),
            "status": store.status(dims, codes.astype(np.int8)),
        },
        coords={
            "problem": list(problems),
            "log_alpha": store.variable("log_alpha", logs, "ln alpha"),
            "is_real": ("problem", [label in config.data for label in problems]),
        },
    )
