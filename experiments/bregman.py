"""Who finds the support first: the linearized Bregman iteration or HAM, at equal cost?

A step of either is one product with X and one with its transpose. Each takes the same `fraction` of its largest stable
learning rate at the limit of its flow, and its parameter is swept, λδ and α. The support is *found* when the k largest
entries are those of the truth, for good; the *pattern* when the entries that are not 0 are, and of HAM, which has no
zeros, those above `threshold` of the largest one.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import tqdm
import xarray as xr

import hamtheory as ht

from . import store
from ._cases import stacked

NAMES = ("linearized Bregman", "HAM")
RULES: tuple[tuple[Callable[..., Any], Callable[..., Any]], ...] = (
    (ht.LinearizedBregmanStep, ht.LinearizedBregman),
    (ht.HAMStep, ht.HAM),
)


@dataclasses.dataclass(frozen=True)
class Config:
    """`instances` random problems of n rows, d columns and k spikes of ±1, for each of `noises`, from zero.

    `strengths` and `alphas`, as many: λδ and α. Every step is looked at up to `dense`, and then `looks` of them up to
    `steps`, evenly in the logarithm.
    """

    n: int = 40
    d: int = 100
    k: int = 5
    noises: tuple[float, ...] = (0.0, 0.3)
    instances: int = 60
    strengths: tuple[float, ...] = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
    alphas: tuple[float, ...] = (1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6)
    fraction: float = 0.5
    threshold: float = 0.01
    steps: int = 3000
    dense: int = 100
    looks: int = 100
    seed: int = 0

    @classmethod
    def quick(cls) -> "Config":
        return cls(instances=24)

    @classmethod
    def smoke(cls) -> "Config":
        return cls(instances=8)


def looked_at(config: Config) -> np.ndarray:
    """The steps that are looked at, with 0."""
    late = np.geomspace(config.dense, config.steps, config.looks).round().astype(int)
    return np.unique(np.concatenate([np.arange(config.dense), late]))


@eqx.filter_jit
def _paths(problem, rule: int, parameters, rates, saves: tuple[int, ...]):
    """θ of runs from zero, (parameters, saves, d), and how they ended."""

    def one(parameter, rate):
        algorithm = RULES[rule][0](parameter)
        end = ht.run(problem, algorithm, learning_rate=rate, steps=saves[-1], save_every=saves, throw=False)
        return end.thetas, end.result

    return jax.vmap(one)(parameters, rates)


def for_good(found: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """The first of the steps from which on it is found at all, over the last axis; NaN if it is not at the end."""
    place = found.shape[-1] - np.argmin(found[..., ::-1], axis=-1)
    place = np.where(found.all(axis=-1), 0, np.where(found[..., -1], place, 0))
    return np.where(found[..., -1], steps[place], np.nan)


def _of_rule(problem, rule: int, config: Config) -> dict[str, np.ndarray]:
    """The numbers of the runs of a rule, one a parameter."""
    parameters = np.array((config.strengths, config.alphas)[rule])
    geometries = [RULES[rule][1](parameter) for parameter in parameters]
    limits = [ht.solve_limit(problem, geo, throw=False) for geo in geometries]
    rates = [
        config.fraction * float(ht.metrics.stable_learning_rate(problem, geo, limit.theta))
        for geo, limit in zip(geometries, limits, strict=True)
    ]
    steps, truth = looked_at(config), problem.theta_star != 0
    made = jax.tree.map(jnp.asarray, problem.without_truth())
    thetas, codes = map(
        np.asarray, _paths(made, rule, jnp.asarray(parameters), jnp.asarray(rates), tuple(steps.tolist()))
    )
    sizes = np.abs(thetas)
    # The least of the truth against the largest of the others: ties are not found.
    largest = np.min(np.where(truth, sizes, np.inf), -1) > np.max(np.where(truth, 0, sizes), -1)
    cut = 0.0 if rule == 0 else config.threshold * sizes.max(axis=-1, keepdims=True)
    pattern = ((sizes > cut) == truth).all(axis=-1)
    lost = codes == ht.NAMES.index("nonfinite")
    return {
        "found": for_good(largest, steps),
        "pattern": for_good(pattern, steps),
        "pattern_ever": pattern.any(axis=-1),
        "norm": sizes.sum(axis=-1),
        "status": np.where(lost, codes, [int(limit.result) for limit in limits]),
    }


def run(config: Config) -> xr.Dataset:
    """The steps to the support and to its pattern, and the excess of the L1 norm along the runs."""
    cases, thresholds, least = [], [], []
    for noise in config.noises:
        for seed in tqdm.trange(config.instances, desc=f"bregman, noise {noise:g}", leave=False, delay=2):
            problem = ht.sparse_regression(config.n, config.d, config.k, seed=config.seed + seed, noise=noise)
            thresholds.append(ht.exact_threshold(problem).value)
            least.append(np.abs(ht.basis_pursuit(problem)).sum())
            cases.append(stacked([_of_rule(problem, rule, config) for rule in range(len(RULES))]))
    shape = (len(config.noises), config.instances)
    of = {name: values.reshape(*shape, *values.shape[1:]) for name, values in stacked(cases).items()}
    bound = np.reshape(least, shape)[:, :, None, None, None]
    dims, problem_dims = ("noise", "instance", "rule", "place"), ("noise", "instance")
    return xr.Dataset(
        {
            "found": store.variable(dims, of["found"], "step from which on the k largest are the support"),
            "pattern": store.variable(dims, of["pattern"], "step from which on the pattern is the support"),
            "pattern_ever": store.variable(dims, of["pattern_ever"], "whether the pattern is the support at any step"),
            "excess": store.variable((*dims, "step"), of["norm"] / bound - 1, "L1 norm over the least, minus 1"),
            "threshold": store.variable(problem_dims, np.reshape(thresholds, shape), "least λδ of an exact limit"),
            "parameter": store.variable(("rule", "place"), [config.strengths, config.alphas], "λδ, or α"),
            "status": store.status(dims, of["status"].astype(int)),
        },
        coords={
            "noise": store.variable("noise", list(config.noises), "standard deviation of the noise of y"),
            "instance": config.seed + np.arange(config.instances),
            "rule": list(NAMES),
            "step": store.variable("step", looked_at(config), "steps"),
        },
    )
