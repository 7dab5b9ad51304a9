"""What a step of HAM costs on many instances at once: n = 40, d = 100, 256 values of α, one problem.

Against two matrix products and an exponential, of which it consists; against what one writes first in JAX, `vmap` over
a `scan`; and against NumPy, with the instances in a matrix, and instance by instance. Then a million steps, in a
process of its own, with the largest memory that it had.
"""

import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

import hamtheory as ht

from ._table import Row, interleaved, rows_of

N, D, K, LANES, RATE = 40, 100, 5, 256, 1e-3
_STEPS, _FEWER, _FEWEST = 20_000, 1000, 20
_FLOOR = "two products and an exponential"


def run() -> list[Row]:
    """The time of a step, and that of a million."""
    problem = ht.sparse_regression(N, D, K)
    X, y, alphas = np.asarray(problem.X), np.asarray(problem.y), np.geomspace(1, 30, LANES)
    floor = _floor(jnp.asarray(X))
    naive = _naive(jnp.asarray(X), jnp.asarray(y), jnp.asarray(alphas))
    counts = {
        _FLOOR: (_STEPS, lambda: floor(jnp.zeros((LANES, D)))),
        "ht.run_many": (
            _STEPS,
            lambda: (
                ht.run_many(
                    problem, ht.HAMStep(alphas), learning_rate=RATE, steps=_STEPS, save_every=_STEPS, progress=False
                ).theta
            ),
        ),
        "jax.vmap over ht.run": (_STEPS, lambda: _vmapped(problem, jnp.asarray(alphas))),
        "naive: jax.vmap over lax.scan, all iterates kept": (_FEWER, naive),
        "NumPy, instances in a matrix": (_FEWER, lambda: _numpy(X, y, alphas, _FEWER)),
        "NumPy, instance by instance": (_FEWEST, lambda: _numpy_instances(X, y, alphas, _FEWEST)),
    }
    seconds = {
        name: [s / counts[name][0] for s in times]
        for name, times in interleaved({name: call for name, (_, call) in counts.items()}, 5).items()
    }
    expected = _numpy(X, y, alphas, _STEPS)
    ends = {name: np.asarray(call()) for name, (steps, call) in counts.items() if steps == _STEPS and name != _FLOOR}
    errors = {name: float("nan") for name in counts} | {
        name: float(np.abs(end - expected).max()) for name, end in ends.items()
    }
    short = _numpy(X, y, alphas, _FEWER)
    errors["naive: jax.vmap over lax.scan, all iterates kept"] = float(np.abs(np.asarray(naive()) - short).max())
    return rows_of(f"a step of HAM on {LANES} instances, n={N}, d={D}", seconds, errors, _FLOOR) + _long()


def _floor(X):
    @jax.jit
    def loop(theta):
        return jax.lax.fori_loop(0, _STEPS, lambda _, theta: jnp.exp(-RATE * ((theta @ X.T) @ X) / N), theta)

    return loop


@jax.jit
def _vmapped(problem, alphas):
    one = lambda alpha: ht.run(  # noqa: E731
        problem, ht.HAMStep(alpha), learning_rate=RATE, steps=_STEPS, save_every=_STEPS, throw=False
    )
    return jax.vmap(lambda alpha: one(alpha).theta)(alphas)


def _naive(X, y, alphas):
    def one(alpha):
        def step(theta, _):
            gradient = X.T @ (X @ theta - y) / N
            half = theta - RATE * gradient
            theta = half * jnp.exp(-RATE * alpha * jnp.sign(half) * gradient)
            return theta, theta

        return jax.lax.scan(step, jnp.zeros(D), None, length=_FEWER)[1]

    every = jax.jit(lambda: jax.vmap(one)(alphas))
    return lambda: every()[:, -1]


def _numpy(X, y, alphas, steps):
    theta = np.zeros((len(alphas), X.shape[1]))
    for _ in range(steps):
        gradient = (theta @ X.T - y) @ X / len(y)
        half = theta - RATE * gradient
        theta = half * np.exp(-RATE * alphas[:, None] * np.sign(half) * gradient)
    return theta


def _numpy_instances(X, y, alphas, steps):
    return np.concatenate([_numpy(X, y, alphas[i : i + 1], steps) for i in range(len(alphas))])


_LONG = """
import sys
import jax
jax.config.update("jax_enable_x64", True)
import numpy as np
import hamtheory as ht
problem = ht.sparse_regression(40, 100, 5)
rule = ht.HAMStep(np.geomspace(1, 30, 256))
found = ht.run_many(problem, rule, learning_rate=1e-3, steps=int(sys.argv[1]), progress=sys.argv[2] == "1")
memory = next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(memory, found.residual.max())
"""


def _long() -> list[Row]:
    """10⁴ and 10⁶ steps, each in a process of its own, compilation included."""
    times, residuals = {}, {}
    for steps in (10_000, 1_000_000):
        started = time.perf_counter()
        words = [sys.executable, "-c", _LONG, str(steps), str(int(sys.stderr.isatty()))]
        out = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout
        memory, residual = map(float, out.split())
        label = f"{steps} ({memory:.0f} MiB)"
        times[label], residuals[label] = [(time.perf_counter() - started) / steps], residual
    task = f"ht.run_many, process and compilation included, {LANES} instances, so many steps (memory): time of one"
    return rows_of(task, times, residuals, next(iter(times)))
