"""Many limits and many trajectories against the usual ways to compute them, on the same instances.

*Limits*: every lane's Bregman projection; the error is the largest relative residual. Peers work a lane at a time, on
a sample of the lanes; Clarabel solves the same problem (exponential cones), HiGHS basis pursuit, LSODA integrates the
flow in θ until its residual is 1e-8.

*Trajectories*: every flow to a residual of 1e-8. The peer is `vmap` of a diffrax solve of the same flow in the same
dual coordinates, stopped lane by lane; of its solvers and tolerances the fastest on a sample that gets there. The error
is that of the loss along the way, relative to the loss at 0, against a tight reference.
"""

import functools
import time
from typing import Any, cast

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import scipy.integrate

import hamtheory as ht
from hamtheory.flow._fields import DualFlow

from ._table import Row, interleaved, rows_of
from .limits import conic

N, D, K = 40, 100, 5
TS = np.geomspace(1e-3, 30, 24)
PEERS = {"Tsit5": diffrax.Tsit5(), "Dopri8": diffrax.Dopri8()}
RTOLS = (1e-6, 1e-7, 1e-8, 1e-9)


def _lsoda(problem: ht.LinearRegression, alpha: float) -> np.ndarray:
    """HAM's flow in θ by SciPy's LSODA, until the relative residual is 1e-8."""
    X, y = np.asarray(problem.X), np.asarray(problem.y)
    flow = lambda t, theta: -(1 + alpha * np.abs(theta)) * (X.T @ (X @ theta - y)) / len(y)  # noqa: E731
    arrived = lambda t, theta: np.linalg.norm(X @ theta - y) / np.linalg.norm(y) - 1e-8  # noqa: E731
    arrived.terminal = True  # type: ignore[attr-defined]
    end = 1e3 / float(problem.convergence_rate)
    found = scipy.integrate.solve_ivp(
        flow, (0, end), np.zeros(X.shape[1]), method="LSODA", rtol=1e-9, atol=1e-12, events=arrived
    )
    return found.y[:, -1]


def _limits(lanes: int) -> list[Row]:
    problem = ht.sparse_regression(N, D, K)
    logs = np.log(np.logspace(-2, 4, lanes))
    sample = range(0, lanes, lanes // 10)
    residual = lambda theta: float(ht.metrics.relative_residual(problem, jnp.asarray(theta)))  # noqa: E731
    solvers = {
        "solve_limits": lambda: ht.solve_limits(problem, ht.HAM(log_alpha=logs)).theta,
        "solve_limit, one by one": lambda: [ht.solve_limit(problem, ht.HAM(log_alpha=logs[i])).theta for i in sample],
        "Clarabel through CVXPY": lambda: [conic(problem, float(np.exp(logs[i]))) for i in sample],
        "LSODA, flows to 1e-8": lambda: [_lsoda(problem, float(np.exp(logs[i]))) for i in sample],
    }
    per_lane = {"solve_limits": lanes}
    rows = _per_lane(f"{lanes} limits, α in [1e-2, 1e4], n={N}, d={D}", solvers, per_lane, len(sample), residual, 3)
    deep = np.full(lanes, 30.0)
    solvers = {
        "solve_limits": lambda: ht.solve_limits(problem, ht.HAM(log_alpha=deep)).theta,
        "HiGHS (basis_pursuit)": lambda: [ht.basis_pursuit(problem) for _ in sample],
    }
    return rows + _per_lane(f"{lanes} limits, ln α = 30, n={N}, d={D}", solvers, per_lane, len(sample), residual, 3)


def _per_lane(task, solvers, lanes_of, otherwise, error, rounds) -> list[Row]:
    """Rows in milliseconds a lane."""
    errors = {}
    for name, call in solvers.items():
        thetas = list(call())
        errors[name] = max(error(theta) for theta in thetas[:: max(1, len(thetas) // 10)])
    seconds = interleaved(solvers, rounds)
    each = {name: [s / lanes_of.get(name, otherwise) for s in times] for name, times in seconds.items()}
    return rows_of(task + ", a lane", each, errors, next(iter(solvers)))


@functools.partial(jax.jit, static_argnames=("solver", "save"))
def _vmapped(problem, alphas, rtol, solver, save: bool):
    """The peer: all flows by one vmapped diffrax solve."""

    def one(alpha):
        flow = DualFlow(problem, ht.HAM(log_alpha=jnp.log(alpha)), jnp.zeros(problem.d))
        unit = flow.absolute_scale()
        event = diffrax.Event(lambda t, y, args, **_: flow.residual(y) <= 1e-8)
        last = diffrax.SubSaveAt(t1=True)
        path = diffrax.SubSaveAt(ts=jnp.asarray(TS)) if save else None
        found = diffrax.diffeqsolve(
            diffrax.ODETerm(lambda t, y, args: flow.velocity(t, y)),
            solver,
            0.0,
            1e6,
            None,
            flow.initial(),
            stepsize_controller=diffrax.PIDController(rtol, 1e-2 * rtol * unit, pcoeff=0.1, icoeff=0.3),
            saveat=diffrax.SaveAt(subs=(path, last) if save else (last,)),
            event=event,
            max_steps=10_000,
            throw=False,
        )
        times, states = cast(Any, found.ts), cast(Any, found.ys)
        end = flow.theta(states[-1][0])
        loss = None
        if save:
            reached = jnp.isfinite(times[0])[:, None]
            loss = problem.loss(jax.vmap(flow.theta)(jnp.where(reached, states[0], states[-1][0][None])))
        return end, ht.metrics.relative_residual(problem, end), loss

    return jax.vmap(one)(alphas)


def _best_peer(problem, alphas, reference) -> tuple[str, float]:
    """The solver and tolerance of the fastest vmapped solve that arrives, with losses good to 1e-4."""
    found: dict[tuple[str, float], float] = {}
    for name, solver in PEERS.items():
        for rtol in RTOLS:
            call = lambda save: jax.block_until_ready(_vmapped(problem, alphas, rtol, solver, save))  # noqa: B023, E731
            _, residual, loss = call(True)
            good = float(jnp.max(residual)) <= 1e-8 and np.abs(loss - reference).max() <= 1e-4 * reference.max()
            if good:
                call(False)
                started = time.perf_counter()
                call(False)
                found[name, rtol] = time.perf_counter() - started
    return min(found, key=found.__getitem__)


def _trajectories(lanes: int) -> list[Row]:
    problem = ht.sparse_regression(N, D, K)
    alphas = np.logspace(-2, 3, lanes)
    fewer = alphas[:: lanes // 128]  # enough lanes for the peer, whose time a lane does not depend on their number
    some = alphas[:: lanes // 16]
    tight = {"rtol": 1e-11, "atol": 1e-13, "solver": "tsit5"}
    reference = np.stack([np.asarray(ht.solve_flow(problem, ht.HAM(alpha=a), ts=TS, **tight).loss) for a in some])
    stripped = ht.LinearRegression(problem.X, problem.y)
    name, rtol = _best_peer(stripped, jnp.asarray(some), reference)
    peer = f"vmap of diffrax ({name}, rtol {rtol:g})"
    solvers = {
        "solve_flows, rtol 1e-5": lambda: ht.solve_flows(problem, ht.HAM(alpha=alphas), rtol=1e-5),
        "solve_flows, rtol 1e-6": lambda: ht.solve_flows(problem, ht.HAM(alpha=alphas), rtol=1e-6),
        peer: lambda: _vmapped(stripped, jnp.asarray(fewer), rtol, PEERS[name], False),
    }
    seconds = {k: [s / (len(fewer) if k == peer else lanes) for s in v] for k, v in interleaved(solvers, 3).items()}
    along = {
        "solve_flows, rtol 1e-5": ht.solve_flows(problem, ht.HAM(alpha=some), ts=TS, rtol=1e-5).loss,
        "solve_flows, rtol 1e-6": ht.solve_flows(problem, ht.HAM(alpha=some), ts=TS, rtol=1e-6).loss,
        peer: _vmapped(stripped, jnp.asarray(some), rtol, PEERS[name], True)[2],
    }
    errors = {
        label: float(np.abs(np.asarray(loss) - reference).max() / reference.max()) for label, loss in along.items()
    }
    rows = rows_of(f"{lanes} trajectories to 1e-8, one X, n={N}, d={D}, a lane", seconds, errors, peer)

    problems = [ht.sparse_regression(N, D, K, seed=seed) for seed in range(64)]
    which = np.random.default_rng(0).permutation(np.arange(lanes) % 64)
    stack = jax.tree.map(lambda *x: jnp.stack(x), *[ht.LinearRegression(p.X, p.y) for p in problems])
    own = jax.tree.map(lambda x: x[which[:: lanes // 128]], stack)
    peers = jax.jit(jax.vmap(lambda p, a: _vmapped(p, a[None], rtol, PEERS[name], False)[1][0]))
    solvers = {
        "solve_flows, rtol 1e-5": lambda: ht.solve_flows(problems, ht.HAM(alpha=alphas), which=which, rtol=1e-5),
        "solve_flows, rtol 1e-6": lambda: ht.solve_flows(problems, ht.HAM(alpha=alphas), which=which, rtol=1e-6),
        peer: lambda: peers(own, jnp.asarray(fewer)),
    }
    seconds = {k: [s / (len(fewer) if k == peer else lanes) for s in v] for k, v in interleaved(solvers, 3).items()}
    return rows + rows_of(f"{lanes} trajectories to 1e-8, 64 X, n={N}, d={D}, a lane", seconds, errors, peer)


def _growth() -> list[Row]:
    """Time a lane for more and more lanes: it should not grow."""
    problem = ht.sparse_regression(N, D, K)
    rows = []
    for lanes in (1_000, 10_000, 100_000):
        logs = np.linspace(-5, 9, lanes)
        ends = ht.solve_limits(problem, ht.HAM(log_alpha=logs))
        started = time.perf_counter()
        ends = ht.solve_limits(problem, ht.HAM(log_alpha=logs))
        seconds = {"solve_limits": [(time.perf_counter() - started) / lanes]}
        errors = {"solve_limits": float(ends.residual.max())}
        rows += rows_of(f"{lanes} limits, ln α in [−5, 9], a lane", seconds, errors, "solve_limits")
    return rows


def run() -> list[Row]:
    """Limits, trajectories, and how the time grows with the number of lanes."""
    return _limits(1000) + _trajectories(512) + _growth()
