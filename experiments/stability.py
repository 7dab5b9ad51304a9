"""The largest stable learning rates: near the limit, against linear theory, and of whole runs from zero."""

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
from ._limits import limits_of


@dataclasses.dataclass(frozen=True)
class Config:
    """`instances` random problems of n rows, d columns and k spikes of ±1; `alphas` and `gammas`: the first logarithm,
    the last one, and how many.

    Near the limit: a perturbation whose relative residual is `perturbation` grows at some look, one every `look_every`
    of `near_steps` steps, or it decays; `bisections` of the logarithms of `rates` find where. From zero: `ratios`, of
    learning rates over that of theory, first, last and how many, evenly in the logarithm, and again as many between the
    last one before the first failure and that; a run has converged if its relative residual is at most `converged`
    after `far_steps` steps.
    """

    n: int = 10
    d: int = 30
    k: int = 2
    instances: int = 10
    alphas: tuple[float, float, int] = (-2.0, 10.0, 13)
    gammas: tuple[float, float, int] = (-12.0, 4.0, 9)
    rates: tuple[float, float] = (1e-8, 1e2)
    bisections: int = 18
    perturbation: float = 1e-8
    near_steps: int = 2000
    look_every: int = 5
    ratios: tuple[float, float, int] = (0.5, 3.0, 25)
    far_steps: int = 8000
    converged: float = 1e-3
    tol: float = 1e-12
    seed: int = 0

    @classmethod
    def quick(cls) -> "Config":
        return cls(instances=5)

    @classmethod
    def smoke(cls) -> "Config":
        return cls(instances=2, alphas=(-2.0, 10.0, 3), gammas=(-12.0, 4.0, 3), ratios=(0.5, 3.0, 9), far_steps=4000)


# The rule of a parameter, and the geometry of the flow that it follows.
RULES: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "GD": (lambda _: ht.GD(), lambda _: ht.Euclidean()),
    "HYP": (ht.HYP, ht.HAM),
    "HYP*": (ht.HAMStep, ht.HAM),
    "m*w": (lambda gamma: ht.ProductGD(gamma=gamma), ht.Hypentropy),
}


def _theory(problem, parameters: np.ndarray, geometry: Callable[..., Any], tol: float) -> tuple[np.ndarray, ...]:
    """The limits of the flows from zero, g⁻¹ there, the largest stable learning rates, and how the limits ended."""
    geometries = [geometry(parameter) for parameter in parameters]
    thetas, codes = limits_of([(problem, geo, None) for geo in geometries], tol)
    metrics = [geo.inverse_metric(theta) for geo, theta in zip(geometries, thetas, strict=True)]
    rates = [ht.metrics.stable_learning_rate(problem, *case) for case in zip(geometries, thetas, strict=True)]
    return thetas, np.array(metrics), np.array(rates), codes


@eqx.filter_jit
def _near(problem, parameters, limits, metrics, direction, rule: str, config: Config):
    """The learning rates above which a perturbation of the limits along g⁻¹ ⊙ Xᵀu grows, by bisection."""
    pushed = metrics * (direction @ problem.X)[None, :]
    size = config.perturbation * jnp.linalg.norm(problem.y) / jnp.linalg.norm(pushed @ problem.X.T, axis=1)
    starts, steps, every = limits + size[:, None] * pushed, config.near_steps, config.look_every

    def decays(parameter, start, log_rate):
        algorithm, rate = RULES[rule][0](parameter), jnp.exp(log_rate)
        loss = ht.run(problem, algorithm, start, learning_rate=rate, steps=steps, save_every=every, throw=False).loss
        return jnp.all(loss <= loss[0])  # NaN is not. One that grows may come to rest at another interpolator

    def halve(_, bracket):
        low, high = bracket
        middle = (low + high) / 2
        stable = jax.vmap(decays)(parameters, starts, middle)
        return jnp.where(stable, middle, low), jnp.where(stable, high, middle)

    ends = tuple(jnp.full(parameters.shape, np.log(rate)) for rate in config.rates)
    low, high = jax.lax.fori_loop(0, config.bisections, halve, ends)
    return jnp.exp((low + high) / 2)


@eqx.filter_jit
def _far(problem, parameters, rates, rule: str, config: Config):
    """Relative residuals of runs from zero, (parameters, rates), η over the largest at their ends, and their codes."""

    def one(parameter, rate):
        algorithm, steps = RULES[rule][0](parameter), config.far_steps
        end = ht.run(
            problem, algorithm, learning_rate=rate, steps=steps, save_every=steps, tol=config.converged, throw=False
        )
        if rule == "m*w":  # steps of any size change the imbalance of the factors
            root = problem.X * jnp.hypot(end.ms[-1], end.ws[-1])[None, :]
            largest = 2 * problem.n / jnp.square(jnp.linalg.norm(root, ord=2))
        else:
            largest = ht.metrics.stable_learning_rate(problem, RULES[rule][1](parameter), end.theta)
        return end.residual, rate / largest, end.result

    return jax.vmap(jax.vmap(one, (None, 0)))(parameters, rates)


def _bracket(rates: np.ndarray, converged: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The last rate before the first failure, that of the failure, and whether there are both; a row a parameter."""
    count = np.where(converged.all(axis=1), rates.shape[1], np.argmin(converged, axis=1))
    each, last = np.arange(len(rates)), rates.shape[1] - 1
    low, high = rates[each, np.maximum(count - 1, 0)], rates[each, np.minimum(count, last)]
    return low, high, (count > 0) & (count <= last)


def _cases(problem, rule: str, parameters, direction, config: Config) -> dict[str, np.ndarray]:
    """All numbers of one problem and rule, an entry a parameter."""
    limits, metrics, theory, codes = _theory(problem, parameters, RULES[rule][1], config.tol)
    parameters, limits, metrics = map(jnp.asarray, (parameters, limits, metrics))
    near = np.asarray(_near(problem, parameters, limits, metrics, direction, rule, config))
    rates = theory[:, None] * np.geomspace(*config.ratios)
    residual, end_sharpness, outcome = map(np.asarray, _far(problem, parameters, rates, rule, config))
    low, high, bracketed = _bracket(rates, outcome == 0)
    rates = np.geomspace(low, high, rates.shape[1], axis=1)
    far, _, _ = _bracket(rates, np.asarray(_far(problem, parameters, rates, rule, config)[2]) == 0)
    found = bracketed & (near > 1.01 * config.rates[0]) & (near < 0.99 * config.rates[1])
    return {
        "theory": theory,
        "near": near,
        "far": far,
        "residual": residual,
        "end_sharpness": end_sharpness,
        "outcome": outcome,
        "status": np.where((codes == 0) & ~found, ht.NAMES.index("stalled"), codes),
    }


def run(config: Config) -> xr.Dataset:
    """The largest stable learning rates of every rule and parameter: of theory, measured near the limit, from zero."""
    logs = {"GD": np.array([np.nan])} | {rule: np.linspace(*config.alphas) for rule in ("HYP", "HYP*")}
    logs |= {"m*w": np.linspace(*config.gammas)}
    rows = []
    for seed in tqdm.trange(config.seed, config.seed + config.instances, desc="stability", leave=False, delay=2):
        problem = ht.sparse_regression(config.n, config.d, config.k, seed=seed).without_truth()
        direction = jnp.asarray(np.random.default_rng(seed).standard_normal(config.n))
        parts = [_cases(problem, rule, np.exp(values), direction, config) for rule, values in logs.items()]
        rows.append({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})
    of = stacked(rows)
    dims, runs = ("instance", "case"), ("instance", "case", "ratio")
    status = store.status(dims, of["status"].astype(np.int8))
    status.attrs["long_name"] = "how the case ended; converged: the limit is certified, both rates bracketed"
    rule = [name for name, values in logs.items() for _ in values]
    return xr.Dataset(
        {
            "theory": store.variable(dims, of["theory"], "largest stable learning rate at the limit, of theory"),
            "near": store.variable(dims, of["near"], "largest stable learning rate at the limit, measured"),
            "far": store.variable(dims, of["far"], "largest learning rate up to which runs from zero converge"),
            "residual": store.variable(runs, of["residual"], "relative residual at the end of a run from zero"),
            "end_sharpness": store.variable(runs, of["end_sharpness"], "learning rate over the largest at its end"),
            "outcome": store.status(runs, of["outcome"].astype(np.int8)),
            "status": status,
        },
        coords={
            "instance": config.seed + np.arange(config.instances),
            "rule": xr.Variable("case", rule),
            "log_parameter": store.variable("case", np.concatenate(list(logs.values())), "ln alpha (HYP), ln gamma"),
            "ratio": store.variable("ratio", np.geomspace(*config.ratios), "learning rate over that of theory"),
        },
    )
