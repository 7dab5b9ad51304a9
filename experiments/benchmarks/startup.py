"""What is waited for before anything is computed: processes that start, and programs that are compiled.

Processes are timed as a whole, interleaved. Compilation is the first call of a new process less the second, with no
compilation cache.
"""

import json
import os
import subprocess
import sys

from ._table import Row, interleaved, rows_of

_IMPORTS = {
    "import diffrax": "import diffrax",
    "import hamtheory": "import hamtheory",
    "import hamtheory, and touch its solvers": (
        "import hamtheory as ht; ht.LinearRegression, ht.HAM, ht.solve_flow, ht.solve_limit, ht.solve_flows"
    ),
    "hamtheory --help": "import sys; from hamtheory.cli import main; sys.exit(main(['--help']))",
}
_CALLS = {
    "solve_limit": "ht.solve_limit(problem, ht.HAM(alpha=100.0))",
    "solve_flow": "ht.solve_flow(problem, ht.HAM(alpha=100.0))",
    "solve_limits, 64 instances": "ht.solve_limits(problem, ht.HAM(alpha=alphas))",
    "solve_flows, 64 instances": "ht.solve_flows(problem, ht.HAM(alpha=alphas))",
    "vmap of a diffrax solve (Tsit5), 64 instances": (
        "vmapped(problem, jax.numpy.asarray(alphas), 1e-9, 1e-8, jax.numpy.ones(1), solver=EXPLICIT['Tsit5'])"
    ),
}
_COMPILE = """
import json, sys, time
import jax
jax.config.update("jax_enable_x64", True)
import numpy as np, hamtheory as ht
from experiments.benchmarks._peers import EXPLICIT, vmapped
problem = ht.sparse_regression(40, 100, 5)
problem, alphas = ht.LinearRegression(problem.X, problem.y), np.logspace(-2, 3, 64)
def call():
    started = time.perf_counter()
    jax.block_until_ready(jax.tree.leaves({call}))
    return time.perf_counter() - started
first = call()
print(json.dumps(first - call()))
"""


def run() -> list[Row]:
    """Imports, and compilations."""
    processes = {
        name: lambda code=code: subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
        for name, code in _IMPORTS.items()
    }
    exact = dict.fromkeys(processes, float("nan"))
    rows = rows_of("a process that starts", interleaved(processes, 7), exact, "import diffrax")
    environment = {name: value for name, value in os.environ.items() if name != "JAX_COMPILATION_CACHE_DIR"}
    seconds: dict[str, list[float]] = {name: [] for name in _CALLS}
    for _ in range(3):
        for name, call in _CALLS.items():
            words = [sys.executable, "-c", _COMPILE.replace("{call}", call)]
            done = subprocess.run(words, check=True, capture_output=True, text=True, env=environment)
            seconds[name].append(json.loads(done.stdout))
    last = next(reversed(_CALLS))
    return rows + rows_of("compilation, n=40, d=100", seconds, dict.fromkeys(_CALLS, float("nan")), last)
