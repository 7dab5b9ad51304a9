"""The bias of SGD, run by run: the effective γ of m⊙w, the shift of HAM, and the stochastic flows that follow them.

Runs with mini-batches of one sample, from zero. Of m⊙w, `γ_∞ = |m² − w²|/2` at the end of a run is predicted from that
run by `γ exp(−η∫E[g²]dt)`, and, with Pesme et al., by `γ exp(−2η diag(XᵀX/n)∫f dt)`. Of HAM, the part of R′(θ_∞) off
the row space of X is predicted by that of `½η∫κ(θ)E[g²]dt`, Itô's correction. All are of first order in η. The
predicted limits are the Bregman projections with these γ, or from these starts.
"""

import dataclasses

import jax
import numpy as np
import xarray as xr

import hamtheory as ht

from . import store
from ._limits import largest_rate, limits_from_mirror, limits_of_gammas


@dataclasses.dataclass(frozen=True)
class Config:
    """One random problem of n rows, d columns and k spikes of ±1; `runs` of each rule and each of `rates`.

    The rates are in units of the largest stable one at the limit of the flow. Runs end at a relative residual of `tol`.
    Stochastic flows at the rate `at`: `paths`, of `substeps` a step, saved `looks` times up to `last / at` steps.
    """

    n: int = 40
    d: int = 100
    k: int = 5
    alpha: float = 20.0
    gamma: float = 0.1
    runs: int = 200
    rates: tuple[float, ...] = (0.006, 0.0125, 0.025, 0.05)
    tol: float = 1e-5
    times: float = 2000.0
    at: float = 0.0125
    paths: int = 200
    substeps: int = 2
    looks: int = 6
    last: float = 60.0
    seed: int = 0

    @classmethod
    def quick(cls) -> "Config":
        return cls(runs=60, paths=60, rates=(0.0125, 0.025, 0.05))

    @classmethod
    def smoke(cls) -> "Config":
        return cls(n=10, d=20, k=2, runs=32, rates=(0.01, 0.04), tol=1e-4, at=0.01, paths=32, looks=3, last=20.0)


def _moments_of_m_w(problem, algorithm, theta, learning_rate):
    """E[g²] of single samples, and the loss."""
    return ht.metrics.gradient_second_moments(problem, theta, batch_size=1), problem.loss(theta)


def _drift_of_ham(problem, algorithm, theta, learning_rate):
    """½ η κ(θ) E[g²] of single samples."""
    moments = ht.metrics.gradient_second_moments(problem, theta, batch_size=1)
    return learning_rate * algorithm.mirror_drift(theta) * moments / 2


def looks(config: Config) -> np.ndarray:
    """The steps at which losses are compared in law."""
    return np.unique(np.round(np.geomspace(5.0, config.last, config.looks) / config.at).astype(int))


def _l1(thetas) -> np.ndarray:
    return np.abs(np.asarray(thetas)).sum(axis=-1)


def _worst(*codes) -> np.ndarray:
    return np.max([np.asarray(code) for code in codes], axis=0)


def _runs(config: Config, problem, rule, rate: float, seed: int, integrand) -> ht.RunResult:
    return ht.run_many(
        problem,
        rule,
        np.zeros((config.runs, config.d)),
        learning_rate=rate,
        steps=round(config.times / min(config.rates)),
        batch_size=1,
        key=jax.random.key(seed),
        save_every=500,
        tol=config.tol,
        integrand=integrand,
        progress=False,
    )


def _product(config: Config, problem, rate: float, seed: int) -> dict[str, np.ndarray]:
    """Of m⊙w: the gains ln(γ/γ_∞) and the norms, measured and predicted, of every run."""
    ends = _runs(config, problem, ht.ProductGD(gamma=config.gamma), rate, seed, _moments_of_m_w)
    squares, losses = ends.integral
    diagonal = np.mean(np.square(np.asarray(problem.X)), axis=0)
    measured = np.log(config.gamma / (np.abs(ends.states.m**2 - ends.states.w**2) / 2))
    gains = {"measured": measured, "ito": rate * squares, "pesme": 2 * rate * losses[:, None] * diagonal}
    found = {"gain_" + name: gain.mean(axis=1) for name, gain in gains.items()}
    found |= {"gains_" + name: gain.mean(axis=0) for name, gain in gains.items()}
    limits = {
        name: limits_of_gammas(problem, config.gamma * np.exp(-gain))
        for name, gain in gains.items()
        if name != "measured"
    }
    found |= {"l1_measured": _l1(ends.theta)} | {"l1_" + name: _l1(theta) for name, (theta, _) in limits.items()}
    return found | {"status": _worst(ends.result, *(code for _, code in limits.values()))}


def _hyperbolic(config: Config, problem, rate: float, seed: int) -> dict[str, np.ndarray]:
    """Of HAM: the shifts off the row space, measured against predicted ones, and the norms, of every run."""
    rule = ht.HAMStep(config.alpha)
    geometry = rule.of_flow()
    ends = _runs(config, problem, rule, rate, seed, _drift_of_ham)
    kernel = np.linalg.svd(np.asarray(problem.X))[2][int(problem.rank) :]
    measured, predicted = np.asarray(geometry.mirror_map(ends.theta)) @ kernel.T, ends.integral @ kernel.T
    theta, code = limits_from_mirror(problem, geometry, ends.integral)
    return {
        "slope": (measured * predicted).sum(axis=1) / (predicted**2).sum(axis=1),
        "l1_measured": _l1(ends.theta),
        "l1_ito": _l1(theta),
        "status": _worst(ends.result, code),
    }


def _in_law(config: Config, problem, rule, largest: float, seed: int) -> dict[str, np.ndarray]:
    """The losses of runs and of paths of the stochastic flow at the same times, and the norms at the last."""
    rate, grid = config.at * largest, looks(config)
    ends = ht.run_many(
        problem,
        rule,
        np.zeros((config.paths, config.d)),
        learning_rate=rate,
        steps=int(grid[-1]),
        batch_size=1,
        key=jax.random.key(seed),
        save_every=grid,
        progress=False,
    )
    flow = ht.stochastic_flow(
        problem,
        rule,
        learning_rate=rate,
        ts=rate * grid,
        batch_size=1,
        paths=config.paths,
        substeps=config.substeps,
        key=jax.random.key(seed + 1),
    )
    fine = (flow.result == ht.NAMES.index("reached_end")) & (ends.result == ht.NAMES.index("reached_end"))
    codes = np.where(fine, 0, ht.NAMES.index("nonfinite"))
    losses = np.stack([ends.loss[:, 1:], np.asarray(flow.loss)])
    return {"loss": losses, "norm": np.stack([_l1(ends.theta), _l1(flow.theta)]), "code": codes}


def run(config: Config) -> xr.Dataset:
    """Measured and predicted gains, shifts and norms; losses in law."""
    made = ht.sparse_regression(config.n, config.d, config.k, seed=config.seed)
    problem = ht.LinearRegression(made.X, made.y)
    rules = {"m*w": ht.ProductGD(gamma=config.gamma), "HAM": ht.HAMStep(config.alpha), "GD": ht.GD()}
    limits = {name: ht.solve_limit(problem, rule.of_flow()).theta for name, rule in rules.items()}
    stable = {name: largest_rate(problem, rule.of_flow()) for name, rule in rules.items()}
    data = {}
    for prefix, family, measure in (("product", "m*w", _product), ("ham", "HAM", _hyperbolic)):
        rows = [measure(config, problem, f * stable[family], config.seed + 10 * i) for i, f in enumerate(config.rates)]
        for name in rows[0]:
            values = np.stack([row[name] for row in rows])
            inner = "column" if name.startswith("gains_") else "run"
            if name == "status":
                data[f"{prefix}_status"] = store.status(("rate", "run"), values)
            else:
                data[f"{prefix}_{name}"] = store.variable(("rate", inner), values, MEANINGS[name])
    laws = {name: _in_law(config, problem, rules[name], stable[name], config.seed + 100) for name in rules}
    dims = ("family", "kind", "path")
    losses, norms = (np.stack([law[key] for law in laws.values()]) for key in ("loss", "norm"))
    data |= {
        "loss": store.variable((*dims, "look"), losses, "loss on the way"),
        "norm": store.variable(dims, norms, "L1 norm at the last look"),
        "status": store.status(("family", "path"), np.stack([law["code"] for law in laws.values()])),
        "flow_l1": store.variable("family", [_l1(limits[name]) for name in rules], "L1 norm of the flow's limit"),
        "least_l1": store.variable((), _l1(ht.basis_pursuit(problem)), "least L1 norm of an interpolator"),
    }
    coords = {
        "rate": store.variable("rate", config.rates, "learning rate in units of the largest stable one"),
        "family": list(rules),
        "kind": ["algorithm", "stochastic flow"],
        "step": store.variable("look", looks(config), "number of the step"),
    }
    return xr.Dataset(data, coords)


MEANINGS = {
    "gain_measured": "mean over the entries of ln(gamma_0 / gamma) at the end of a run",
    "gain_ito": "the same, by the second moments of the gradient",
    "gain_pesme": "the same, by the integral of the loss",
    "gains_measured": "mean over the runs of ln(gamma_0 / gamma) of each entry",
    "gains_ito": "the same, by the second moments of the gradient",
    "gains_pesme": "the same, by the integral of the loss",
    "l1_measured": "L1 norm of the end of a run",
    "l1_ito": "L1 norm of the limit with the predicted gamma or start, to first order in the learning rate",
    "l1_pesme": "L1 norm of the limit with the gamma of Pesme et al.",
    "slope": "measured over predicted shift off the row space, by least squares over its entries",
}
