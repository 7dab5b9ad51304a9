"""What accuracy costs: limits and trajectories by every solver, each at a range of its tolerances.

One X; a few instances of HAM's flow from zero, α evenly in ln α. *Limits*: the error of an instance is `‖θ − θ*‖/‖θ*‖`,
with θ* certified to 1e-13. *Trajectories*: an integrator with tolerance `rtol` runs until the residual is 10 rtol, and
the error is that of the loss along the way over the loss at 0, against a tight integration. The largest over the
instances counts. Times are those of an instance, without saving the losses; solvers that work on all instances at once
are given more.
"""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tqdm
import xarray as xr

import hamtheory as ht

from .. import store
from ._peers import EXPLICIT, IMPLICIT, conic, lsoda, newton_loop, vmapped
from ._table import interleaved


@dataclass(frozen=True)
class Config:
    n: int = 40
    d: int = 100
    k: int = 5
    alpha_min: float = 1e-2
    alpha_max: float = 1e3
    instances: int = 512
    peer_instances: int = 64
    sample: int = 8
    rounds: int = 3
    seed: int = 0

    @classmethod
    def smoke(cls) -> "Config":
        return cls(n=8, d=16, k=2, alpha_max=10.0, instances=16, peer_instances=8, sample=2, rounds=1)


Found = tuple[Any, Any]  # θ of every instance, and the losses at the times, if they were asked for


@dataclass(frozen=True)
class Candidate:
    """A solver at a setting: `call(problem, alphas, ts, setting)`, and on how many instances it is timed."""

    task: str
    solver: str
    setting: float
    instances: int
    call: Callable[[ht.LinearRegression, np.ndarray, np.ndarray | None, float], Found]


def _limits(problem, alphas, ts, tol) -> Found:
    return ht.solve_limits(problem, ht.HAM(alpha=alphas), tol=tol).theta, None


def _newton(problem, alphas, ts, tol) -> Found:
    return [newton_loop(problem, float(alpha), tol) for alpha in alphas], None


def _conic(problem, alphas, ts, tol) -> Found:
    how = {"tol_gap_abs": 1e-2 * tol, "tol_gap_rel": tol, "tol_feas": tol}
    return [conic(problem, float(alpha), **how)[0] for alpha in alphas], None


def _flows(problem, alphas, ts, rtol) -> Found:
    flows = ht.solve_flows(problem, ht.HAM(alpha=alphas), rtol=rtol, tol=10 * rtol, ts=ts)
    return flows.theta, flows.loss


def _lsoda(problem, alphas, ts, rtol) -> Found:
    ends = [lsoda(problem, float(alpha), rtol=rtol, residual=10 * rtol, ts=ts) for alpha in alphas]
    return [theta for theta, _ in ends], [loss for _, loss in ends]


def _diffrax(name: str):
    solver = (EXPLICIT | IMPLICIT)[name]

    def call(problem, alphas, ts, rtol) -> Found:
        times = jnp.ones(1) if ts is None else jnp.asarray(ts)
        how = {"solver": solver, "save": ts is not None}
        thetas, _, losses = vmapped(problem, jnp.asarray(alphas), rtol, 10 * rtol, times, **how)
        return jax.block_until_ready(thetas), losses

    return call


def _candidates(config: Config) -> list[Candidate]:
    few = min(16, config.peer_instances)
    tols, rtols = (1e-3, 1e-5, 1e-7, 1e-9, 1e-11), (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
    return [
        *(Candidate("limits", "solve_limits", tol, config.instances, _limits) for tol in tols),
        *(Candidate("limits", "NumPy Newton", tol, config.sample, _newton) for tol in tols),
        *(Candidate("limits", "Clarabel", tol, config.sample, _conic) for tol in tols[:-1]),  # then it gives up
        *(Candidate("flows", "solve_flows", rtol, config.instances, _flows) for rtol in rtols),
        *(Candidate("flows", "LSODA", rtol, config.sample, _lsoda) for rtol in rtols),
        *(
            Candidate("flows", f"diffrax {name}, vmap", rtol, config.peer_instances, _diffrax(name))
            for name in EXPLICIT
            for rtol in rtols
        ),
        *(
            Candidate("flows", f"diffrax {name}, vmap", rtol, few, _diffrax(name))  # it takes long
            for name in IMPLICIT
            for rtol in (1e-4, 1e-6)
        ),
    ]


def run(config: Config) -> xr.Dataset:
    problem = ht.sparse_regression(config.n, config.d, config.k, seed=config.seed)
    problem = ht.LinearRegression(problem.X, problem.y)
    alphas = lambda count: np.geomspace(config.alpha_min, config.alpha_max, count)  # noqa: E731
    some, ts = alphas(config.sample), np.geomspace(1e-3, 30, 24)
    truths = np.asarray(ht.solve_limits(problem, ht.HAM(alpha=some), tol=1e-13).theta)
    tight = {"rtol": 1e-11, "atol": 1e-13, "solver": "tsit5", "tol": 1e-9}
    losses = np.stack([np.asarray(ht.solve_flow(problem, ht.HAM(alpha=a), ts=ts, **tight).loss) for a in some])
    rows = []
    candidates = _candidates(config)
    for candidate in tqdm.tqdm(candidates, desc="work and precision", leave=False):
        thetas, along = candidate.call(problem, some, ts, candidate.setting)
        assert candidate.task == "limits" or along is not None
        end = np.linalg.norm(np.asarray(thetas) - truths, axis=1) / np.linalg.norm(truths, axis=1)
        error = end if along is None else np.abs(np.asarray(along) - losses).max(axis=1) / float(losses.max())
        instances = alphas(candidate.instances)
        seconds = interleaved(
            {"": lambda c=candidate, a=instances: c.call(problem, a, None, c.setting)}, config.rounds
        )[""]
        residual = max(float(ht.metrics.relative_residual(problem, jnp.asarray(theta))) for theta in thetas)
        limit = candidate.setting * (1 if candidate.task == "limits" else 10)
        arrived = residual <= 2 * limit
        median = statistics.median(seconds) / candidate.instances
        rows.append((median, min(seconds) / candidate.instances, float(error.max()), residual, 0 if arrived else 3))
    median, fastest, error, residual, status = map(np.array, zip(*rows, strict=True))
    names = {
        field: np.array([getattr(c, field) for c in candidates]) for field in ("task", "solver", "setting", "instances")
    }
    return xr.Dataset(
        {
            "seconds": store.variable("point", median, "median time of an instance", "s"),
            "fastest": store.variable("point", fastest, "least time of an instance", "s"),
            "error": store.variable("point", error, "largest error over the instances"),
            "residual": store.variable("point", residual, "largest relative residual at the end"),
            "status": store.status(("point",), np.asarray(status)),
        },
        {name: ("point", values) for name, values in names.items()},
    )
