"""What HAM does around bases other than gradient descent: signs, and Adam.

Runs of `ht.HAMStep` from zero, with a learning rate that falls linearly to 0, so that signs and Adam come to rest. Of
each base the run of the smallest η that arrives is the nearest to the flow, and the one that arrives first the fastest.

The loss is ‖Xθ − y‖²/2n with columns of the length √n; *unit* is a factor of it. *Noise* is that of the labels, √n σ,
new in every step, so that every entry of the gradient has the noise σ.
"""

import dataclasses
from typing import Any

import jax
import numpy as np
import optax
import xarray as xr

import hamtheory as ht
from hamtheory.algorithm import AbstractAlgorithm, SteepestDescent

from . import store

BASES: dict[str, Any] = {"GD": ht.GD(), "sign": SteepestDescent(1.0), "Adam": optax.adam(1.0)}
EXPONENTS = {"GD": 2, "sign": 1, "Adam": 1}


@dataclasses.dataclass(frozen=True)
class Config:
    """`problems` random problems of n rows, d columns and k spikes of ±1; runs of `steps` steps.

    Every base at all `alphas`, and at `unit_alpha` with the loss times each of `units`, with `rates`, first, last and
    count, in the logarithm, of η; one arrives with a relative residual of `tol`, and has come near at `near`.
    With noise, `sigmas`: the first `noisy_problems`, at `noisy_alpha` and `noisy_rate`, `noisy_steps` steps.
    """

    n: int = 20
    d: int = 50
    k: int = 3
    problems: int = 30
    steps: int = 8000
    alphas: tuple[float, ...] = (1.0, 10.0, 100.0, 1e3, 1e4)
    units: tuple[float, ...] = (1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0)
    unit_alpha: float = 100.0
    rates: tuple[float, float, int] = (1e-5, 1.0, 16)
    tol: float = 0.01
    near: float = 0.1
    sigmas: tuple[float, ...] = (0.1, 0.3, 1.0, 3.0, 10.0)
    noisy_problems: int = 10
    noisy_alpha: float = 100.0
    noisy_rate: float = 1e-5
    noisy_steps: int = 300_000
    seed: int = 0

    @classmethod
    def quick(cls) -> "Config":
        return cls(
            problems=12,
            steps=3000,
            rates=(3e-5, 1.0, 10),
            sigmas=(0.1, 0.6, 3.0, 10.0),
            noisy_problems=5,
            noisy_steps=40_000,
            noisy_rate=3e-5,
        )

    @classmethod
    def smoke(cls) -> "Config":
        return cls(
            n=8, d=20, k=2, problems=6, steps=1000, alphas=(1.0, 100.0), units=(1e-3, 1.0), rates=(1e-4, 1.0, 8),
            sigmas=(3.0,), noisy_problems=3, noisy_steps=10_000, noisy_rate=3e-4,
        )  # fmt: skip


class Rated(AbstractAlgorithm):
    """A rule with its own factor of the learning rate, which follows one schedule."""

    rule: AbstractAlgorithm
    rate: Any

    def init(self, problem, theta0):
        return self.rule.init(problem, theta0)

    def step(self, state, gradient, learning_rate):
        return self.rule.step(state, gradient, self.rate * learning_rate)

    def theta(self, state):
        return self.rule.theta(state)


def problems_of(config: Config, unit: float = 1.0) -> list[ht.LinearRegression]:
    """The problems, with columns of one length, and the loss times `unit`."""
    made = []
    for i in range(config.problems):
        one = ht.sparse_regression(config.n, config.d, config.k, seed=config.seed + i)
        X = one.X * np.sqrt(unit * config.n) / np.linalg.norm(one.X, axis=0)
        made.append(ht.LinearRegression(X, X @ one.theta_star, one.theta_star))
    return made


def _runs(config: Config, base: str, problems: list, which: np.ndarray, alphas: np.ndarray, units: np.ndarray):
    """One run for each problem that is named, its α and its unit, at all rates: (cases, rates, ...)."""
    # What `base.unit` says that η has to be for a loss of another unit.
    rates = np.outer(units ** (1 - EXPONENTS[base]), np.geomspace(*config.rates))
    rule = ht.HAMStep(np.repeat(alphas, rates.shape[1]), base=BASES[base])
    end = ht.run_many(
        problems,
        ht.signs.FlipCounter(Rated(rule, rates.ravel())),
        which=np.repeat(which, rates.shape[1]),
        learning_rate=lambda step: 1 - step / config.steps,
        steps=config.steps,
        save_every=max(config.steps // 1000, 1),
        progress=False,
    )
    loss = np.where(np.isfinite(end.loss), end.loss, np.inf).reshape(*rates.shape, -1)
    residual = np.sqrt(loss / loss[..., :1])
    away = residual > config.near
    last = np.max(np.where(away, np.arange(away.shape[-1]), -1), axis=-1)
    return {
        "theta": end.theta.reshape(*rates.shape, -1),
        "residual": residual[..., -1],
        "arrival": np.append(end.steps, np.inf)[1 + last],
        "flips": end.states.flips.gross.sum(axis=-1).reshape(rates.shape),
    }


def _best(config: Config, runs: dict[str, np.ndarray], least: np.ndarray) -> dict[str, np.ndarray]:
    """Of each case: excess L1 norm and flips of the smallest η that arrives, and the least steps to `near`."""
    arrives = runs["residual"] <= config.tol
    at, some = (np.arange(len(arrives)), np.argmax(arrives, axis=1)), arrives.any(axis=1)
    return {
        "excess": np.where(some, np.abs(runs["theta"][at]).sum(axis=-1) / least - 1, np.nan),
        "flips": np.where(some, runs["flips"][at], np.nan),
        "fastest": runs["arrival"].min(axis=1),
        "status": np.where(some, ht.Result.converged.value, ht.Result.max_steps.value),
    }


def _cases(config: Config, base: str, least: np.ndarray) -> dict[str, np.ndarray]:
    """The best of all problems at all α, and then in all units, (alphas + units, problems)."""
    problems = [one for unit in (1.0, *config.units) for one in problems_of(config, unit)]
    number, settings = config.problems, len(config.alphas) + len(config.units)
    block = np.append(np.zeros(len(config.alphas), int), 1 + np.arange(len(config.units)))
    which = (block[:, None] * number + np.arange(number)).ravel()
    alphas = np.append(config.alphas, np.full(len(config.units), config.unit_alpha))
    units = np.append(np.ones(len(config.alphas)), config.units)
    each = (np.repeat(values, number) for values in (alphas, units))
    found = _best(config, _runs(config, base, problems, which, *each), np.tile(least, settings))
    return {name: values.reshape(settings, number) for name, values in found.items()}


NOISY = {"sign": np.sqrt(np.pi / 2), "Adam": 1.0}  # α' over ασ


def _noisy(config: Config, problems: list, least: np.ndarray) -> dict[str, Any]:
    """Runs with noise, and HAM's limits at the α' that noise makes of α, (noisy_base, sigma, noisy)."""
    used, alpha = problems[: config.noisy_problems], config.noisy_alpha
    schedule = lambda step: config.noisy_rate * (1 - step / config.noisy_steps)  # noqa: E731  one, so that it compiles once
    norms = least[: len(used)]
    ends, limits, distance, status = [], [], [], []
    for name, factor in NOISY.items():
        for sigma in config.sigmas:
            end = ht.run_many(
                used,
                ht.HAMStep(np.full(len(used), alpha), base=BASES[name]),
                which=np.arange(len(used)),
                learning_rate=schedule,
                steps=config.noisy_steps,
                label_noise=float(np.sqrt(config.n) * sigma),
                key=jax.random.key(config.seed),
                progress=False,
            )
            theory = np.array([ht.solve_limit(one, ht.HAM(alpha * sigma * factor)).theta for one in used])
            ends.append(np.abs(end.theta).sum(axis=1) / norms - 1)
            limits.append(np.abs(theory).sum(axis=1) / norms - 1)
            distance.append(np.linalg.norm(end.theta - theory, axis=1) / np.linalg.norm(theory, axis=1))
            status.append(end.result)
    dims = ("noisy_base", "sigma", "noisy")
    shaped = lambda values: np.reshape(values, (len(NOISY), len(config.sigmas), len(used)))  # noqa: E731
    return {
        "noisy_excess": store.variable(dims, shaped(ends), "L1 norm with noise over that of basis pursuit, minus 1"),
        "noisy_limit": store.variable(dims, shaped(limits), "the same of the limit of HAM that noise makes"),
        "noisy_distance": store.variable(dims, shaped(distance), "relative distance from it"),
        "noisy_status": store.status(dims, shaped(status)),
    }


def run(config: Config) -> xr.Dataset:
    """Excess norms, flips and speed of every base; what the unit of the loss does; what noise does."""
    problems = problems_of(config)
    least = np.array([np.abs(ht.basis_pursuit(one)).sum() for one in problems])
    cases, split = [_cases(config, base, least) for base in BASES], len(config.alphas)
    limits = [
        [
            np.abs(ht.solve_limit(one, ht.HAM(a)).theta).sum() / norm - 1
            for one, norm in zip(problems, least, strict=True)
        ]
        for a in config.alphas
    ]
    dims, unit_dims = ("base", "alpha", "problem"), ("base", "unit", "problem")
    found = {name: np.array([case[name][:split] for case in cases]) for name in cases[0]}
    units = {name: np.array([case[name][split:] for case in cases]) for name in cases[0]}
    return xr.Dataset(
        {
            "excess": store.variable(dims, found["excess"], "L1 norm over that of basis pursuit, minus 1"),
            "flips": store.variable(dims, found["flips"], "sign flips of all entries"),
            "fastest": store.variable(dims, found["fastest"], "steps to the residual `near`, at the best rate"),
            "status": store.status(dims, found["status"]),
            "limit": store.variable(dims[1:], limits, "the same of the limit of HAM's flow"),
            "unit_excess": store.variable(unit_dims, units["excess"], "the same of the loss in another unit"),
            "unit_status": store.status(unit_dims, units["status"]),
            **_noisy(config, problems, least),
        },
        coords={
            "base": list(BASES),
            "noisy_base": list(NOISY),
            "alpha": store.variable("alpha", config.alphas, "alpha"),
            "unit": store.variable("unit", config.units, "factor of the loss"),
            "sigma": store.variable("sigma", config.sigmas, "noise of the gradient"),
        },
    )
