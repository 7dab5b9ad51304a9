"""Every rule against its own flow as the learning rate is halved: orders of a run and of a step, and Theorem 3.1."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import tqdm
import xarray as xr

import hamtheory as ht

from . import store
from ._cases import stacked


@dataclasses.dataclass(frozen=True)
class Config:
    """`instances` problems of n rows and d columns for each kind of start, `halvings` learning rates from `largest` on.

    "away": entries of size 1 to 2 with random signs, and y = Xθ for a θ whose entries are at most `nearby` from them,
    so that no flow gets to zero. "across": normal starts of deviation `spread`, and y of k spikes of ±1. A run ends at
    time `end`, a multiple of `largest`; α, β and γ are those of the rules, the tolerances those of their flows.
    """

    n: int = 6
    d: int = 10
    k: int = 2
    instances: int = 40
    alpha: float = 5.0
    beta: float = 0.1
    gamma: float = 0.3
    nearby: float = 0.3
    spread: float = 0.3
    end: float = 1.0
    largest: float = 2.0**-8
    halvings: int = 6
    rtol: float = 1e-12
    atol: float = 1e-14
    seed: int = 0

    @classmethod
    def smoke(cls) -> "Config":
        return cls(instances=4, halvings=4)


STARTS = ("away", "across")
RULES = ("GD", "HYP", "HYP*", "EXP", "balanced m*w", "m*w")
# What they compile, a flow and a rule; m⊙w with any γ.
_FLOWS = {"GD": "GD", "HYP": "HAM", "HYP*": "HAM", "EXP": "m*w", "balanced m*w": "m*w", "m*w": "m*w"}
_KINDS = {"balanced m*w": "m*w"}


def _problem(start: str, config: Config, seed: int) -> tuple[ht.LinearRegression, np.ndarray]:
    """A problem and its start."""
    rng = np.random.default_rng([STARTS.index(start), seed])
    if start == "across":
        theta0 = config.spread * rng.standard_normal(config.d)
        return ht.sparse_regression(config.n, config.d, config.k, seed).without_truth(), theta0
    X = rng.standard_normal((config.n, config.d))
    theta0 = rng.choice([-1.0, 1.0], config.d) * rng.uniform(1, 2, config.d)
    return ht.LinearRegression(X, X @ (theta0 + rng.uniform(-config.nearby, config.nearby, config.d))), theta0


@eqx.filter_jit
def _flows(problems, theta0s, kind: str, gamma, ts, config: Config):
    """A flow at the times, (problems, times, d), and how it ended."""
    how = {"ts": ts, "rtol": config.rtol, "atol": config.atol, "solver": "tsit5", "throw": False}

    def one(problem, theta0):
        if kind == "m*w":
            m, w, _ = ht.ProductGD(gamma=gamma).init(problem, theta0)
            flow = ht.product_flow(problem, m, w, weight_decay=config.beta, **how)
        else:
            geo, beta = (ht.Euclidean(), 0.0) if kind == "GD" else (ht.HAM(config.alpha), config.beta)
            flow = ht.solve_flow(problem, geo, theta0, weight_decay=beta, coordinates="primal", **how)
        return flow.thetas, flow.result

    return jax.vmap(one)(problems, theta0s)


@eqx.filter_jit
def _runs(problems, theta0s, kind: str, gamma, rates, saves: tuple[int, ...], config: Config):
    """Iterates of a rule at the numbers of steps to save, (problems, rates, saves, d), and how the runs ended."""
    rule = {
        "GD": ht.GD(),
        "HYP": ht.HYP(config.alpha, config.beta),
        "HYP*": ht.HAMStep(config.alpha, config.beta),
        "EXP": ht.Exponentiated(config.beta),
        "m*w": ht.ProductGD(config.beta, gamma=gamma),
    }[kind]

    def one(problem, theta0, rate):
        end = ht.run(problem, rule, theta0, learning_rate=rate, steps=saves[-1], save_every=saves, throw=False)
        return end.thetas[1:], end.result

    return jax.vmap(jax.vmap(one, (None, None, 0)), (0, 0, None))(problems, theta0s, rates)


def _orders(rates: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Slopes of ln(error) against ln(rate), by least squares over the last axis."""
    return np.polyfit(np.log(rates), np.log(errors).reshape(-1, rates.size).T, 1)[0].reshape(errors.shape[:-1])


def _setting(config: Config) -> tuple[ht.LinearRegression, np.ndarray, np.ndarray]:
    """All problems, in one, with their starts; and the learning rates."""
    made = [_problem(start, config, config.seed + i) for start in STARTS for i in range(config.instances)]
    problems = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(problem for problem, _ in made))
    return problems, np.array([theta0 for _, theta0 in made]), config.largest * 0.5 ** np.arange(config.halvings)


def run(config: Config) -> xr.Dataset:
    """Largest errors of an entry after a run and after a step, EXP's distance from m⊙w's step, and their orders."""
    problems, theta0s, rates = _setting(config)
    saves = (1, *(round(config.end / rate) for rate in rates))
    times, each = jnp.asarray([*rates[::-1], config.end]), np.arange(rates.size)
    first, rows = {}, []
    for rule in tqdm.tqdm(RULES, desc="orders", leave=False, delay=2):
        gamma = jnp.asarray(config.gamma if rule == "m*w" else 0.0)
        exact, ended = map(np.asarray, _flows(problems, theta0s, _FLOWS[rule], gamma, times, config))
        kind = _KINDS.get(rule, rule)
        thetas, codes = map(np.asarray, _runs(problems, theta0s, kind, gamma, jnp.asarray(rates), saves, config))
        codes = np.column_stack([ended, codes])
        reached = codes <= ht.NAMES.index("reached_end")  # which is what is asked for
        first[rule] = thetas[:, :, 0]
        row = {
            "run_error": np.abs(thetas[:, each, each + 1] - exact[:, -1:]).max(axis=-1),
            "step_error": np.abs(first[rule] - exact[:, -2::-1]).max(axis=-1),
            "changes": np.sum(exact[:, -1] * theta0s < 0, axis=1),
            "status": np.where(reached, 0, codes).max(axis=1),
        }
        rows.append({name: values.reshape(len(STARTS), -1, *values.shape[1:]) for name, values in row.items()})
    of = stacked(rows)
    distance = np.abs(first["EXP"] - first["balanced m*w"]).max(axis=-1).reshape(len(STARTS), -1, rates.size)
    dims, pair = ("rule", "start", "instance"), ("start", "instance")
    return xr.Dataset(
        {
            "run_error": store.variable(
                (*dims, "rate"), of["run_error"], "largest error of an entry at the end of a run"
            ),
            "step_error": store.variable((*dims, "rate"), of["step_error"], "largest error of an entry after one step"),
            "distance": store.variable(
                (*pair, "rate"), distance, "largest difference of a step of EXP from one of m*w"
            ),
            "run_order": store.variable(dims, _orders(rates, of["run_error"]), "order of the error of a run"),
            "step_order": store.variable(dims, _orders(rates, of["step_error"]), "order of the error of a step"),
            "distance_order": store.variable(pair, _orders(rates, distance), "order of the difference of steps"),
            "changes": store.variable(dims, of["changes"], "entries of the flow that change their sign"),
            "status": store.status(dims, of["status"].astype(np.int8)),
        },
        coords={
            "rule": list(RULES),
            "start": list(STARTS),
            "instance": config.seed + np.arange(config.instances),
            "rate": store.variable("rate", rates, "learning rate"),
        },
    )
