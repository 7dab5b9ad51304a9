"""Many limits and many trajectories against the usual ways to compute them, on the same instances.

*Limits*: every instance's Bregman projection; the error is the largest relative residual. Peers work an instance at a
time, on a sample of the instances; Clarabel solves the same problem (exponential cones), HiGHS basis pursuit, LSODA
integrates the flow in θ until its residual is 1e-8.

*Trajectories*: every flow to a residual of 1e-8. The peer is `vmap` of a diffrax solve of the same flow in the same
dual coordinates, stopped instance by instance; of its solvers and tolerances (PEERS, RTOLS) the fastest on a sample
that gets there. The error is that of the loss along the way, relative to the loss at 0, against a tight reference.
Implicit solvers are left out of the search: on the same sample they take 10 to 40 times as long (see `work_precision`).

*Analytic trajectories*: those of m⊙w, against heyoka's Taylor method on the same dual equations (HAM's |θ| has no
Taylor series at 0); the error is the distance of the ends from the limits.

*Growth*: time an instance from 10³ to 10⁵ instances, and the largest memory of a process that sweeps so many.
"""

import statistics
import subprocess
import sys
import tempfile
import time

import jax
import jax.numpy as jnp
import numpy as np

import hamtheory as ht

from ._peers import EXPLICIT, conic, lsoda, mapped, newton_loop, taylor, vmapped
from ._table import Row, interleaved, rows_of

N, D, K = 40, 100, 5
TS = np.geomspace(1e-3, 30, 24)
RTOLS = (1e-6, 1e-7, 1e-8, 1e-9)


def _limits(instances: int) -> list[Row]:
    problem = ht.sparse_regression(N, D, K)
    logs = np.log(np.logspace(-2, 4, instances))
    sample = range(0, instances, instances // 10)
    residual = lambda theta: float(ht.metrics.relative_residual(problem, jnp.asarray(theta)))  # noqa: E731
    solvers = {
        "solve_limits": lambda: ht.solve_limits(problem, ht.HAM(log_alpha=logs)).theta,
        "lax.map of solve_limit": lambda: mapped(problem, logs),
        "solve_limit, one by one": lambda: [ht.solve_limit(problem, ht.HAM(log_alpha=logs[i])).theta for i in sample],
        "NumPy loop, Newton on the dual": lambda: [newton_loop(problem, float(np.exp(logs[i]))) for i in sample],
        "Clarabel through CVXPY": lambda: [conic(problem, float(np.exp(logs[i])))[0] for i in sample],
        "LSODA, flows to 1e-8": lambda: [lsoda(problem, float(np.exp(logs[i])))[0] for i in sample],
    }
    per_instance = {"solve_limits": instances, "lax.map of solve_limit": instances}
    task = f"{instances} limits, α in [1e-2, 1e4], n={N}, d={D}"
    rows = _per_instance(task, solvers, per_instance, len(sample), residual, 5)
    own = [conic(problem, float(np.exp(logs[i])))[1] for i in sample]
    rows.append(_without_translation(rows, own))
    deep = np.full(instances, 30.0)
    solvers = {
        "solve_limits": lambda: ht.solve_limits(problem, ht.HAM(log_alpha=deep)).theta,
        "HiGHS (basis_pursuit)": lambda: [ht.basis_pursuit(problem) for _ in sample],
    }
    return rows + _per_instance(
        f"{instances} limits, ln α = 30, n={N}, d={D}", solvers, per_instance, len(sample), residual, 5
    )


def _without_translation(rows: list[Row], seconds: list[float]) -> Row:
    """The row of Clarabel with its own times alone."""
    base = next(row["median_ms"] for row in rows if row["solver"] == "solve_limits")
    row = next(row for row in rows if row["solver"].startswith("Clarabel"))
    mean = round(1e3 * statistics.mean(seconds), 3)
    return row | {
        "solver": "Clarabel itself, by its own clock",
        "median_ms": mean,
        "ratio": round(mean / base, 3),
        "fastest_ms": round(1e3 * min(seconds), 3),
        "slowest_ms": round(1e3 * max(seconds), 3),
        "rounds": 1,
    }


def _per_instance(task, solvers, instances_of, otherwise, error, rounds) -> list[Row]:
    """Rows in milliseconds an instance."""
    errors = {}
    for name, call in solvers.items():
        thetas = list(call())
        errors[name] = max(error(theta) for theta in thetas[:: max(1, len(thetas) // 10)])
    seconds = interleaved(solvers, rounds)
    each = {name: [s / instances_of.get(name, otherwise) for s in times] for name, times in seconds.items()}
    return rows_of(task + ", an instance", each, errors, next(iter(solvers)))


def _best_peer(problem, alphas, reference) -> tuple[str, float]:
    """The solver and tolerance of the fastest vmapped solve that arrives, with losses good to 1e-4."""
    found: dict[tuple[str, float], float] = {}
    for name, solver in EXPLICIT.items():
        for rtol in RTOLS:
            call = lambda save: jax.block_until_ready(  # noqa: E731
                vmapped(problem, alphas, rtol, 1e-8, jnp.asarray(TS), solver=solver, save=save)  # noqa: B023
            )
            _, residual, loss = call(True)
            good = float(jnp.max(residual)) <= 1e-8 and np.abs(loss - reference).max() <= 1e-4 * reference.max()
            if good:
                call(False)
                started = time.perf_counter()
                call(False)
                found[name, rtol] = time.perf_counter() - started
    return min(found, key=found.__getitem__)


def _trajectories(instances: int) -> list[Row]:
    problem = ht.sparse_regression(N, D, K)
    alphas = np.logspace(-2, 3, instances)
    fewer = alphas[
        :: instances // 128
    ]  # enough instances for the peer, whose time an instance does not depend on their number
    some = alphas[:: instances // 16]
    tight = {"rtol": 1e-11, "atol": 1e-13, "solver": "tsit5"}
    reference = np.stack([np.asarray(ht.solve_flow(problem, ht.HAM(alpha=a), ts=TS, **tight).loss) for a in some])
    stripped = ht.LinearRegression(problem.X, problem.y)
    name, rtol = _best_peer(stripped, jnp.asarray(some), reference)
    peer, ts, solver = f"vmap of diffrax ({name}, rtol {rtol:g})", jnp.asarray(TS), EXPLICIT[name]
    solvers = {
        "solve_flows, rtol 1e-5": lambda: ht.solve_flows(problem, ht.HAM(alpha=alphas), rtol=1e-5),
        "solve_flows, rtol 1e-6": lambda: ht.solve_flows(problem, ht.HAM(alpha=alphas), rtol=1e-6),
        peer: lambda: vmapped(stripped, jnp.asarray(fewer), rtol, 1e-8, ts, solver=solver),
    }
    seconds = {k: [s / (len(fewer) if k == peer else instances) for s in v] for k, v in interleaved(solvers, 5).items()}
    along = {
        "solve_flows, rtol 1e-5": ht.solve_flows(problem, ht.HAM(alpha=some), ts=TS, rtol=1e-5).loss,
        "solve_flows, rtol 1e-6": ht.solve_flows(problem, ht.HAM(alpha=some), ts=TS, rtol=1e-6).loss,
        peer: vmapped(stripped, jnp.asarray(some), rtol, 1e-8, ts, solver=solver, save=True)[2],
    }
    errors = {
        label: float(np.abs(np.asarray(loss) - reference).max() / reference.max()) for label, loss in along.items()
    }
    rows = rows_of(f"{instances} trajectories to 1e-8, one X, n={N}, d={D}, an instance", seconds, errors, peer)

    problems = [ht.sparse_regression(N, D, K, seed=seed) for seed in range(64)]
    which = np.random.default_rng(0).permutation(np.arange(instances) % 64)
    stack = jax.tree.map(lambda *x: jnp.stack(x), *[ht.LinearRegression(p.X, p.y) for p in problems])
    own = jax.tree.map(lambda x: x[which[:: instances // 128]], stack)
    peers = jax.jit(jax.vmap(lambda p, a: vmapped(p, a[None], rtol, 1e-8, ts, solver=solver)[1][0]))
    solvers = {
        "solve_flows, rtol 1e-5": lambda: ht.solve_flows(problems, ht.HAM(alpha=alphas), which=which, rtol=1e-5),
        "solve_flows, rtol 1e-6": lambda: ht.solve_flows(problems, ht.HAM(alpha=alphas), which=which, rtol=1e-6),
        peer: lambda: peers(own, jnp.asarray(fewer)),
    }
    seconds = {k: [s / (len(fewer) if k == peer else instances) for s in v] for k, v in interleaved(solvers, 5).items()}
    return rows + rows_of(f"{instances} trajectories to 1e-8, 64 X, n={N}, d={D}, an instance", seconds, errors, peer)


def _analytic(instances: int) -> list[Row]:
    """Trajectories of m⊙w, whose flow is analytic: then a Taylor method of any order applies, an instance at a time."""
    problem = ht.sparse_regression(N, D, K)
    gammas = np.logspace(0, -3, instances)
    by_taylor = taylor(problem)
    limits = ht.solve_limits(problem, ht.Hypentropy(gamma=gammas)).theta
    solvers = {
        "solve_flows": lambda: ht.solve_flows(problem, ht.Hypentropy(gamma=gammas)).theta,
        "solve_flow, one by one": lambda: [ht.solve_flow(problem, ht.Hypentropy(gamma=g)).theta for g in gammas],
        "heyoka, one by one": lambda: [by_taylor(float(gamma)) for gamma in gammas],
    }
    errors = {name: float(np.abs(np.stack(call()) - limits).max()) for name, call in solvers.items()}
    seconds = {name: [s / instances for s in times] for name, times in interleaved(solvers, 5).items()}
    task = f"{instances} trajectories of m⊙w to 1e-8, γ in [1e-3, 1], n={N}, d={D}, an instance"
    return rows_of(task, seconds, errors, "solve_flows")


_SWEEP = """
import sys
import hamtheory as ht
problems = {"kind": "sparse", "n": 40, "d": 100, "k": 5, "seeds": {"start": 0, "count": int(sys.argv[1]) // 500}}
alphas = {"start": 1e-2, "stop": 1e4, "count": 500, "scale": "log"}
spec = {"problems": problems, "geometries": {"family": "ham", "alpha": alphas}, "chunk": 1000}
ht.sweep(spec, sys.argv[2], progress=False).close()
# Not getrusage, which counts what the parent had when it made this process.
print(next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def _growth() -> list[Row]:
    """Time an instance for more and more of them, in one call and as a sweep in chunks of 1,000: it should not grow."""
    problem = ht.sparse_regression(N, D, K)
    many = {instances: np.linspace(-5, 9, instances) for instances in (1_000, 10_000, 100_000)}
    calls = {
        str(instances): lambda logs=logs: ht.solve_limits(problem, ht.HAM(log_alpha=logs))
        for instances, logs in many.items()
    }
    seconds = {name: [s / int(name) for s in times] for name, times in interleaved(calls, 3).items()}
    errors = {name: float(call().residual.max()) for name, call in calls.items()}
    rows = rows_of("solve_limits, ln α in [−5, 9], so many instances: time of one", seconds, errors, "1000")
    sizes: dict[str, list[float]] = {}
    memory: dict[str, float] = {}
    for instances in (1_000, 10_000, 100_000):
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            words = [sys.executable, "-c", _SWEEP, str(instances), f"{folder}/store"]
            memory[f"{instances}"] = float(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
            sizes[f"{instances}"] = [(time.perf_counter() - started) / instances]
    label = lambda instances: f"{instances} ({memory[instances]:.0f} MiB)"  # noqa: E731
    rows += rows_of(
        "ht.sweep, process and compilation included, so many instances (memory): time of one",
        {label(instances): times for instances, times in sizes.items()},
        {label(instances): float("nan") for instances in sizes},
        label("1000"),
    )
    return rows


def _large() -> list[Row]:
    """One limit with 500 rows and 50,000 columns."""
    problem = ht.sparse_regression(500, 50_000, 10)
    found = {log: ht.solve_limit(problem, ht.HAM(log_alpha=log)) for log in (0.0, 5.0, 9.0, 30.0)}
    calls = {
        f"solve_limit, ln α = {log:g}: {int(limit.stats['steps'])} Newton steps": lambda log=log: (
            ht.solve_limit(problem, ht.HAM(log_alpha=log)).theta
        )
        for log, limit in found.items()
    }
    errors = dict(zip(calls, (float(limit.residual) for limit in found.values()), strict=True))
    return rows_of("one limit, n=500, d=50000", interleaved(calls, 1), errors, next(iter(calls)))


def run() -> list[Row]:
    """Limits, trajectories, and how the time grows with the number of instances and the size of the problem."""
    return _limits(1000) + _trajectories(512) + _analytic(64) + _growth() + _large()
