"""How times grow: with the number of instances, of columns and of rows, for every solver of limits and trajectories.

*Instances*: time of one instance, α evenly in ln α, one X. *Columns* and *rows*: a limit at α = 100, and the L1 end
(HiGHS's basis pursuit against the limit at ln α = 30). What would take longer than the patience, in proportion to the
size before, is not measured.
"""

import time
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
from ._peers import EXPLICIT, conic, lsoda, newton_loop, vmapped


@dataclass(frozen=True)
class Config:
    n: int = 40
    d: int = 100
    k: int = 5
    instances: tuple[int, ...] = (1, 10, 100, 1_000, 10_000, 100_000)
    columns: tuple[int, ...] = (100, 1_000, 10_000, 100_000)
    rows: tuple[int, ...] = (10, 30, 100, 300, 1_000)
    columns_of_rows: int = 2_000
    patience: float = 15.0
    rounds: int = 3
    seed: int = 0

    @classmethod
    def smoke(cls) -> "Config":
        return cls(instances=(1, 10), columns=(50, 100), rows=(5, 10), columns_of_rows=50, rounds=1)


Point = tuple[str, str, int, float, float, int]


class _Measure:
    """Times of solvers for larger and larger tasks, until one is too long."""

    def __init__(self, config: Config):
        self.config, self.points, self.spent = config, [], {}

    def __call__(self, problem, panel: str, solver: str, size: int, instances: int, call: Callable[[], Any]):
        before, smaller = self.spent.get((panel, solver), (0.0, size))
        if before * size / smaller > self.config.patience:
            return
        try:
            found = call()
        except Exception as failure:  # a peer that gives up on one of its instances is a finding
            tqdm.tqdm.write(f"{solver}, {panel} {size}: {failure}")
            self.points.append((panel, solver, size, np.nan, np.nan, 5))
            self.spent[panel, solver] = np.inf, size
            return
        seconds: list[float] = []
        while len(seconds) < (self.config.rounds if sum(seconds) < 1 else 1):
            started = time.perf_counter()
            jax.block_until_ready(call())
            seconds.append(time.perf_counter() - started)
        self.spent[panel, solver] = min(seconds), size
        thetas = jnp.asarray(np.atleast_2d(np.asarray(found)))
        error = float(ht.metrics.relative_residual(problem, thetas).max())
        status = 0 if error <= 1e-6 else 3
        self.points.append((panel, solver, size, float(np.median(seconds)) / instances, error, status))


def _instances(problem: ht.LinearRegression, instances: int) -> dict[tuple[str, str], Callable[[], Any]]:
    """By panel and solver: so many instances, all at once or one after the other."""
    many, some = np.geomspace(1e-2, 1e4, instances), np.geomspace(1e-2, 1e3, instances)
    how = {"solver": EXPLICIT["Tsit5"]}
    return {
        ("limits", "solve_limits"): lambda: ht.solve_limits(problem, ht.HAM(alpha=many)).theta,
        ("limits", "Clarabel"): lambda: [conic(problem, float(a))[0] for a in many],
        ("limits", "NumPy Newton"): lambda: [newton_loop(problem, float(a)) for a in many],
        ("flows", "solve_flows"): lambda: ht.solve_flows(problem, ht.HAM(alpha=some), rtol=1e-6).theta,
        ("flows", "LSODA"): lambda: [lsoda(problem, float(a))[0] for a in some],
        ("flows", "diffrax Tsit5, vmap"): lambda: jax.block_until_ready(
            vmapped(problem, jnp.asarray(some), 1e-9, 1e-8, jnp.ones(1), **how)[0]
        ),
    }


def _sizes(problem: ht.LinearRegression) -> dict[str, tuple[int, Callable[[], Any]]]:
    """By solver: the number of instances, and the call."""
    alphas = np.geomspace(10, 1_000, 64)
    return {
        "solve_limit": (1, lambda: ht.solve_limit(problem, ht.HAM(alpha=100.0)).theta),
        "solve_limits, 64 instances": (64, lambda: ht.solve_limits(problem, ht.HAM(alpha=alphas)).theta),
        "NumPy Newton": (1, lambda: newton_loop(problem, 100.0)),
        "Clarabel": (1, lambda: conic(problem, 100.0)[0]),
        "solve_limit, L1 end": (1, lambda: ht.solve_limit(problem, ht.HAM(log_alpha=30.0)).theta),
        "HiGHS, L1 end": (1, lambda: ht.basis_pursuit(problem)),
    }


def _problem(config: Config, n: int, d: int, k: int) -> ht.LinearRegression:
    problem = ht.sparse_regression(n, d, k, seed=config.seed)
    return ht.LinearRegression(problem.X, problem.y)


def run(config: Config) -> xr.Dataset:
    measure = _Measure(config)
    problem = _problem(config, config.n, config.d, config.k)
    for instances in tqdm.tqdm(config.instances, desc="instances", leave=False):
        for (panel, solver), call in _instances(problem, instances).items():
            measure(problem, panel, solver, instances, instances, call)
    shapes = [("columns", d, config.n, d) for d in config.columns]
    shapes += [("rows", n, n, config.columns_of_rows) for n in config.rows]
    for panel, size, n, d in tqdm.tqdm(shapes, desc="sizes", leave=False):
        problem = _problem(config, n, d, max(1, n // 8))
        for solver, (instances, call) in _sizes(problem).items():
            measure(problem, panel, solver, size, instances, call)
    panel, solver, size, seconds, error, status = map(np.array, zip(*measure.points, strict=True))
    return xr.Dataset(
        {
            "seconds": store.variable("point", seconds, "median time of an instance", "s"),
            "error": store.variable("point", error, "largest relative residual"),
            "status": store.status(("point",), status),
        },
        {"panel": ("point", panel), "solver": ("point", solver), "size": ("point", size)},
    )
