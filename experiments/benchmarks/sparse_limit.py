"""Limits of a sparse X against those of its array, and of one that no array would hold: time and memory.

The large one is computed in a process of its own, whose peak of resident memory is that of the problem and its limits;
an array of this shape has 16 GB. The error is, beside the array, that of θ relative to its largest entry; of the large
one, the relative residual, as the limits are certified by it and the gap.
"""

import multiprocessing
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
import scipy.sparse as sp

import hamtheory as ht

from ._table import Row, interleaved, rows_of

LARGE = (2000, 1_000_000, 1e-3)  # n, d, the part of the entries that is not 0
GEOMETRIES = {"α = 100": ht.HAM(alpha=100.0), "ln α = 5000": ht.HAM(log_alpha=5000.0)}


def run() -> list[Row]:
    """Beside arrays, then alone."""
    return [*beside_arrays(), *large()]


def data(n: int, d: int, filled: float) -> tuple[Any, np.ndarray]:
    """A sparse X, (n, d), with normal entries, and y = Xθ* of a normal θ*, (n,)."""
    rng = np.random.default_rng(0)
    X = sp.random_array((n, d), density=filled, format="csr", rng=rng, data_sampler=rng.standard_normal)
    return X, X @ rng.standard_normal(d)


def beside_arrays(rounds: int = 5) -> list[Row]:
    """Problem and limit of the same data, as an array and sparse."""
    rows = []
    for n, d, filled in ((50, 2000, 0.05), (200, 20_000, 0.01)):
        X, y = data(n, d, filled)
        dense = X.toarray()
        for name, geo in GEOMETRIES.items():
            solvers = {
                "array": lambda geo=geo, dense=dense, y=y: ht.solve_limit(ht.LinearRegression(dense, y), geo).theta,
                "sparse": lambda geo=geo, X=X, y=y: ht.solve_limit(ht.LinearRegression(X, y), geo).theta,
            }
            expected = solvers["array"]()
            errors = {
                way: float(np.abs(call() - expected).max() / np.abs(expected).max()) for way, call in solvers.items()
            }
            found = rows_of(f"n = {n}, d = {d}, HAM {name}", interleaved(solvers, rounds), errors, "array")
            rows += [row | {"peak_mib": ""} for row in found]
    return rows


def large() -> list[Row]:
    """The large problem and its limits, once each, in CPU time: ratios are those to making the problem."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        measured = process.submit(_measured, *LARGE).result()
    n, d, filled = LARGE
    rows = []
    for solver, (seconds, error, peak) in measured.items():
        errors = {solver: error, "problem": 0.0}
        times = {solver: [seconds], "problem": [measured["problem"][0]]}
        row = rows_of(f"n = {n:,}, d = {d:,}, {filled:.1%} filled", times, errors, "problem")[0]
        rows.append(row | {"peak_mib": round(peak)})
    return rows


def _measured(n: int, d: int, filled: float) -> dict[str, tuple[float, float, float]]:
    """Of the problem and of each limit: CPU seconds, residual, and the peak of memory so far in MiB."""
    X, y = data(n, d, filled)
    started = time.process_time()
    problem = ht.LinearRegression(X, y)
    found = {"problem": (time.process_time() - started, 0.0, _peak())}
    for name, geo in GEOMETRIES.items():
        started = time.process_time()
        limit = ht.solve_limit(problem, geo)
        found[f"solve_limit, HAM {name}"] = (time.process_time() - started, float(limit.residual), _peak())
    return found


def _peak() -> float:
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest / 2**20 if sys.platform == "darwin" else largest / 2**10
