"""Label noise never ends: it drives the algorithms along the interpolators, each towards an end of its own.

*Theory.* Labels with noise of standard deviation δ, anew at every step, give the entries of the gradient the variance
`δ² hᵢ/n`, with `h = diag(XᵀX/n)`, at the interpolators too. Of m⊙w, `ln γᵢ` falls by `η²δ²hᵢ/n` a step. Of the others
the start of the Bregman projection moves in mirror coordinates by `½κ(θ)η²δ²h/n` a step, κ the drift coefficient of the
step (`ht.symbolic.ito_drift`), and θ with it: a slow gradient flow on the interpolators, in the metric of the geometry.
HYP and HYP*, with `κ = α sign(θ)/(1+α|θ|)`, ascend `Σ hᵢ ln(1+α|θᵢ|)`; the natural gradient step, with
`κ = −α sign(θ)`, descends `Σ hᵢ|θᵢ|`, the L1 norm with the weights h. Gradient descent, with κ = 0, stays where it is.
"""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

import hamtheory as ht

from . import store
from ._cases import stacked
from ._limits import largest_rate, limits_from_mirror, limits_of, limits_of_gammas

RULES = ("GD", "m*w", "HYP*", "natural gradient")


@dataclasses.dataclass(frozen=True)
class Config:
    """`problems` random problems of n rows, d columns and k spikes of ±1, from zero; `draws` of the noise each.

    All labels in use, with noise of standard deviation `noise`, at `rate` times the largest stable learning rate at the
    limit of the flow. At `looks` = (first, last, count) steps, evenly spaced in ratio, the noise is taken away: the
    limits from there are what is measured. The slow flow takes `slow` steps of Heun's method to the first of these.
    """

    n: int = 40
    d: int = 100
    k: int = 5
    problems: int = 3
    draws: int = 8
    alpha: float = 20.0
    gamma: float = 0.1
    noise: float = 1.0
    rate: float = 0.07
    looks: tuple[int, int, int] = (500, 64_000, 8)
    slow: int = 8
    seed: int = 0

    @classmethod
    def quick(cls) -> "Config":
        return cls(draws=4, looks=(500, 32_000, 7))

    @classmethod
    def smoke(cls) -> "Config":
        return cls(n=10, d=20, k=2, problems=2, draws=4, looks=(500, 8000, 5), slow=8)


def rule_of(config: Config, name: str) -> ht.algorithm.AbstractAlgorithm:
    """The rule of a name."""
    rules: dict[str, ht.algorithm.AbstractAlgorithm] = {
        "GD": ht.GD(),
        "m*w": ht.ProductGD(gamma=config.gamma),
        "HYP*": ht.HAMStep(config.alpha),
        "natural gradient": ht.algorithm.NaturalGradient(ht.HAM(config.alpha)),
    }
    return rules[name]


def steps_of(config: Config) -> np.ndarray:
    """The numbers of the steps at which it is looked."""
    return np.unique(np.round(np.geomspace(*config.looks)).astype(int))


def _segment(config: Config, problem, rule, rate: float, steps: int, key, at: ht.RunResult | None) -> ht.RunResult:
    """So many steps from where the last ones ended, at first from zero."""
    theta0s = np.zeros((config.draws, config.d))
    if at is not None and isinstance(rule, ht.ProductGD):
        rule = ht.ProductGD(m0=at.states.m, w0=at.states.w)
    elif at is not None:
        theta0s = at.theta
    how = {"learning_rate": rate, "steps": steps, "label_noise": config.noise, "save_every": steps, "progress": False}
    return ht.run_many(problem, rule, theta0s, key=key, **how)


def _measured(config: Config, problem, rule, rate: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The limits at all looks, (looks, draws, d), and the codes."""
    at, found = None, []
    for i, steps in enumerate(np.diff(steps_of(config), prepend=0)):
        at = _segment(config, problem, rule, rate, int(steps), jax.random.key(1000 * seed + i), at)
        geometries = [rule.of_flow()] * config.draws
        if isinstance(rule, ht.ProductGD):  # with the γ of each
            geometries = [ht.Hypentropy(gamma) for gamma in np.abs(at.states.m**2 - at.states.w**2) / 2]
        left = at.result == ht.NAMES.index("nonfinite")
        starts = np.where(left[:, None], 0, at.theta)
        thetas, codes = limits_of(zip([problem] * config.draws, geometries, starts, strict=True))
        found.append((thetas, np.where(left, at.result, codes)))
    thetas, codes = zip(*found, strict=True)
    return np.stack(thetas), np.stack(codes)


@eqx.filter_jit
def _shifts(config: Config, problem, rule, times, weights):
    """How far the slow flow of a rule has moved off the row space, (times, d), by Heun's method."""
    geometry = rule.of_flow()

    def velocity(shift):
        end = ht.solve_limit(problem, geometry, geometry.inverse_mirror_map(shift), throw=False)
        return rule.mirror_drift(end.theta) * weights / 2

    gaps = jnp.diff(times, prepend=0)
    counts = jnp.ceil(config.slow * gaps / times[0] - 1e-6)

    def look(shift, gap):
        length, count = gap[0] / gap[1], gap[1].astype(int)

        def half(i, state):  # of a step: both ask for a velocity at one place of the program, which is compiled once
            shift, first = state
            here = velocity(jnp.where(i % 2 == 0, shift, shift + length * first))
            return jnp.where(i % 2 == 0, shift, shift + length * (first + here) / 2), here

        shift, _ = jax.lax.fori_loop(0, 2 * count, half, (shift, jnp.zeros_like(shift)))
        return shift, shift

    return jax.lax.scan(look, jnp.zeros(config.d), jnp.stack([gaps, counts], axis=1))[1]


def _slow(config: Config, problem, rule, times, weights) -> tuple[np.ndarray, ...]:
    """The slow flow of a rule at these values of η²k δ²/n: θ, (times, d), and the codes."""
    shifts = _shifts(config, problem, rule, jnp.asarray(times), jnp.asarray(weights))
    return limits_from_mirror(problem, rule.of_flow(), shifts)


def _predicted(config: Config, problem, rule, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """The limits of theory at all looks, (looks, d), and the codes."""
    times = rate**2 * steps_of(config) * config.noise**2 / config.n
    weights = np.mean(np.square(np.asarray(problem.X)), axis=0)
    if isinstance(rule, ht.ProductGD):
        thetas, codes = limits_of_gammas(problem, config.gamma * np.exp(-times[:, None] * weights))
    else:
        thetas, codes = _slow(config, problem, rule, times, weights)
    return thetas, codes


def run(config: Config) -> xr.Dataset:
    """The limits after so many noisy steps, and those of theory: excess L1 norms, and what the slow flows optimise."""
    least, rows = [], []
    for i in range(config.problems):
        made = ht.sparse_regression(config.n, config.d, config.k, seed=config.seed + i)
        problem = ht.LinearRegression(made.X, made.y)
        weights = np.mean(np.square(np.asarray(problem.X)), axis=0)
        weighted = ht.basis_pursuit(ht.LinearRegression(np.asarray(problem.X) / weights, problem.y))
        least.append({"least_l1": np.abs(ht.basis_pursuit(problem)).sum(), "least_weighted": np.abs(weighted).sum()})
        for name in RULES:
            rule = rule_of(config, name)
            rate = config.rate * largest_rate(problem, rule.of_flow())
            thetas, codes = _measured(config, problem, rule, rate, config.seed + i)
            theory, theory_codes = _predicted(config, problem, rule, rate)
            row = {"status": np.maximum(codes, theory_codes[:, None])}
            for suffix, sizes in (("", np.abs(thetas)), ("_theory", np.abs(theory))):
                row["l1" + suffix], row["weighted_l1" + suffix] = sizes.sum(axis=-1), sizes @ weights
                row["spread" + suffix] = np.log1p(config.alpha * sizes) @ weights
            row["flow_l1"] = np.abs(np.asarray(ht.solve_limit(problem, rule.of_flow()).theta)).sum()
            row["profile"] = np.sort(np.abs(thetas[-1]), axis=-1)[:, ::-1]
            rows.append(row)
    shape = (config.problems, len(RULES))
    of = {name: values.reshape(*shape, *values.shape[1:]) for name, values in stacked(rows).items()} | stacked(least)
    case, look = ("problem", "rule"), ("problem", "rule", "step")
    data = {"status": store.status((*look, "draw"), of["status"].astype(int))}
    for name, meaning in MEANINGS.items():
        data[name] = store.variable((*look, "draw"), of[name], meaning)
        data[f"{name}_theory"] = store.variable(look, of[f"{name}_theory"], f"{meaning}, by theory")
    data |= {
        "flow_l1": store.variable(case, of["flow_l1"], "L1 norm of the flow's limit"),
        "least_l1": store.variable("problem", of["least_l1"], "least L1 norm of an interpolator"),
        "least_weighted": store.variable("problem", of["least_weighted"], "least weighted L1 norm of an interpolator"),
        "profile": store.variable((*case, "draw", "entry"), of["profile"], "sizes of the entries at the end"),
    }
    coords = {
        "problem": config.seed + np.arange(config.problems),
        "rule": list(RULES),
        "step": store.variable("step", steps_of(config), "number of noisy steps"),
        "entry": store.variable("entry", 1 + np.arange(config.d), "entries from the largest on"),
    }
    return xr.Dataset(data, coords)


MEANINGS = {
    "l1": "L1 norm of the limit without noise",
    "weighted_l1": "L1 norm with the weights diag(X^T X / n)",
    "spread": "sum of ln(1 + alpha |theta|) with the same weights",
}
