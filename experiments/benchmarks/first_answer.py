"""The first answer: what a user waits for, against the best that they could write with SciPy in twenty lines.

Whole processes are interleaved, command line against script, and so are warm calls; of every candidate the error that
it reached is given: of a limit, the relative residual; of a flow, the distance of its end from the limit.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import scipy.integrate
import scipy.optimize

import hamtheory as ht

from ._peers import newton_loop
from ._table import Row, interleaved, rows_of

_LOAD = {
    "two": "import numpy as np; t = np.loadtxt('two.csv', delimiter=',', skiprows=1); X, y = t[:, :-1], t[:, -1]",
    "sparse": (
        "import numpy as np; r = np.random.default_rng(0); X = r.standard_normal((40, 100)); t = np.zeros(100)\n"
        "t[r.choice(100, 5, replace=False)] = r.choice([-1.0, 1.0], 5); y = X @ t"
    ),
    "fermentation": (
        "import numpy as np; from chemotools.datasets import load_fermentation_train as load; X, y = load()\n"
        "w = X.columns.to_numpy(float).astype(int); X, y = X.to_numpy(float), y.to_numpy(float)[:, 0]\n"
        "X = X[:, {band}]; X = X[:, np.ptp(X, axis=0) > 0]; X = (X - X.mean(0)) / X.std(0); y = y - y.mean()"
    ),
}
_DUAL = """
from scipy.optimize import minimize
a = {alpha}; size = lambda nu: a * np.abs(X.T @ nu)
theta = lambda nu: np.sign(X.T @ nu) * np.expm1(size(nu)) / a
value = lambda nu: ((np.exp(size(nu)) - 1 - size(nu)) / a**2).sum() - y @ nu
hess = lambda nu: (X * np.exp(size(nu))) @ X.T
r = minimize(value, np.zeros(len(y)), jac=lambda nu: X @ theta(nu) - y, hess=hess, method='trust-exact', tol=1e-9)
t = theta(r.x); print(np.abs(t).sum(), np.linalg.norm(X @ t - y) / np.linalg.norm(y))
"""
_PROGRAMME = """
from scipy.optimize import linprog
f = linprog(np.ones(2 * X.shape[1]), A_eq=np.hstack([X, -X]), b_eq=y, bounds=(0, None), method='highs')
t = f.x[: X.shape[1]] - f.x[X.shape[1] :]; print(np.abs(t).sum(), np.linalg.norm(X @ t - y) / np.linalg.norm(y))
"""
_FLOW = """
from scipy.integrate import solve_ivp
U, s, Q = np.linalg.svd(X, full_matrices=False); k = s > 1e-12 * s[0]; s, Q = s[k], Q[k]; b = U[:, k].T @ y / s
n = len(y); theta = lambda mu: {theta}; metric = lambda t: {metric}
rate = s**2 / n; f = lambda t, x: -rate * (Q @ theta(x @ Q) - b)
jac = lambda t, x: -rate[:, None] * ((Q * metric(theta(x @ Q))) @ Q.T)
done = lambda t, x: np.linalg.norm(s * (Q @ theta(x @ Q) - b)) / np.linalg.norm(y) - 1e-8
done.terminal = True
r = solve_ivp(f, (0, 1e12), np.zeros(len(s)), method='LSODA', jac=jac, rtol=1e-9, atol=1e-11, events=done)
t = theta(r.y[:, -1] @ Q); print(np.abs(t).sum(), np.linalg.norm(X @ t - y) / np.linalg.norm(y))
"""
_HAM = {"theta": "np.sign(mu) * np.expm1(100 * np.abs(mu)) / 100", "metric": "1 + 100 * np.abs(t)"}
_MW = {"theta": "1e-3 * np.sinh(2 * mu)", "metric": "2 * np.sqrt(t**2 + 1e-6)"}
# Of each job: the words of the command line, and the script for the same.
JOBS = {
    "limit of a 2 x 2 .csv": (["limit", "two.csv"], _LOAD["two"] + _DUAL.format(alpha=100.0)),
    "limit of fermentation, ln α = 5000": (
        ["limit", "fermentation", "--log-alpha", "5000"],
        _LOAD["fermentation"].format(band="w > 0") + _PROGRAMME,
    ),
    "flow of fermentation-band, m⊙w, γ = 1e-3": (
        ["flow", "fermentation-band", "--geometry", "mw", "--gamma", "1e-3"],
        _LOAD["fermentation"].format(band="(w >= 950) & (w <= 1550)") + _FLOW.format(**_MW),
    ),
    "flow of sparse:40,100,5, α = 100": (
        ["flow", "sparse:40,100,5", "--alpha", "100"],
        _LOAD["sparse"] + _FLOW.format(**_HAM),
    ),
}


def run() -> list[Row]:
    """Whole processes, limits, and flows."""
    return [*processes(), *limits(), *flows()]


def processes(rounds: int = 5) -> list[Row]:
    """The command line against a script, as fresh processes."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "two.csv").write_text("a,b,y\n1,2,3\n2,1,4\n")
        environment = os.environ | {"PYTHONPATH": os.getcwd()}
        for task, (words, script) in JOBS.items():
            call = {
                "SciPy script": [sys.executable, "-c", script],
                "hamtheory": [sys.executable, "-m", "hamtheory", *words],
            }
            candidates = {
                name: lambda command=command: subprocess.run(
                    command, check=True, stdout=subprocess.DEVNULL, cwd=folder, env=environment
                )
                for name, command in call.items()
            }
            unknown = dict.fromkeys(candidates, float("nan"))
            rows += rows_of(f"process: {task}", interleaved(candidates, rounds), unknown, "SciPy script")
    return rows


def limits() -> list[Row]:
    """Warm limits against a Newton loop in NumPy, and against basis pursuit by HiGHS."""
    rows, problem = [], ht.sparse_regression(40, 100, 5)
    wide = ht.sparse_regression(40, 100_000, 5)
    error = lambda problem, theta: float(ht.metrics.relative_residual(problem, theta))  # noqa: E731
    for task, some, alpha, rounds in (
        ("α = 1", problem, 1.0, 60),
        ("α = 100", problem, 100.0, 60),
        ("α = 1e4", problem, 1e4, 60),
        ("α = 100, d = 1e5", wide, 100.0, 8),
    ):
        candidates: dict[str, Any] = {
            "Newton's loop in NumPy": lambda p=some, a=alpha: newton_loop(p, a),
            "solve_limit": lambda p=some, a=alpha: ht.solve_limit(p, ht.HAM(alpha=a)).theta,
        }
        errors = {name: error(some, call()) for name, call in candidates.items()}
        rows += rows_of(f"limit, {task}", interleaved(candidates, rounds), errors, "Newton's loop in NumPy")
    candidates = {
        "basis pursuit by HiGHS": lambda: _basis_pursuit(problem),
        "solve_limit": lambda: ht.solve_limit(problem, ht.HAM(log_alpha=5000.0)).theta,
    }
    errors = {name: error(problem, call()) for name, call in candidates.items()}
    return rows + rows_of("limit, ln α = 5000", interleaved(candidates, 40), errors, "basis pursuit by HiGHS")


def _basis_pursuit(problem: ht.LinearRegression) -> np.ndarray:
    both = np.hstack([problem.X, -problem.X])
    found = scipy.optimize.linprog(np.ones(2 * problem.d), A_eq=both, b_eq=problem.y, bounds=(0, None), method="highs")
    return found.x[: problem.d] - found.x[problem.d :]


METHODS = ("LSODA", "BDF", "Radau", "DOP853")


def flows(rounds: int = 3, patience: float = 20.0) -> list[Row]:
    """Warm flows to a residual of 1e-8, against SciPy's integrators in the same coordinates, and in θ."""
    problems = {name: ht.datasets.load(name) for name in ("fermentation", "fermentation-band", "mnist")}
    problems["sparse:40,100,5"] = ht.sparse_regression(40, 100, 5)
    geometries = {
        "GD": ht.Euclidean(),
        "HAM, α = 10": ht.HAM(alpha=10.0),
        "HAM, α = 1e3": ht.HAM(alpha=1e3),
        "m⊙w, γ = 1e-1": ht.Hypentropy(gamma=1e-1),
        "m⊙w, γ = 1e-6": ht.Hypentropy(gamma=1e-6),
    }
    rows = []
    for data, problem in problems.items():
        for label, geo in geometries.items():
            limit = ht.solve_limit(problem, geo, tol=1e-12).theta
            candidates: dict[str, Any] = {"solve_flow": lambda p=problem, g=geo: ht.solve_flow(p, g, tol=1e-8).theta}
            for dual in (True, False):
                for method in METHODS if dual else ("LSODA", "DOP853"):
                    name = f"{method}, {'dual' if dual else 'primal'}"
                    candidates[name] = lambda p=problem, g=geo, m=method, d=dual: by_scipy(p, g, m, d, patience)
            ends = {name: call() for name, call in candidates.items()}
            errors = {
                name: float(np.abs(end - limit).max() / np.abs(limit).max())
                for name, end in ends.items()
                if end is not None
            }
            reached = {name: candidates[name] for name in errors}
            seconds = interleaved(reached, rounds)
            best = min((name for name in reached if name != "solve_flow"), key=lambda name: np.median(seconds[name]))
            rows += rows_of(f"flow, {data}, {label}", seconds, errors, best)
    return rows


def by_scipy(problem: ht.LinearRegression, geo: Any, method: str, dual: bool, patience: float) -> np.ndarray | None:
    """The end of a flow as one writes it: dual coordinates with their Jacobian, or θ; None if it takes too long."""
    X, y, n, scale = problem.X, problem.y, problem.n, np.linalg.norm(problem.y)
    theta_of, metric = _functions(geo)
    U, s, Q = np.linalg.svd(X, full_matrices=False)
    keep = s > 1e-12 * s[0]
    s, Q, b = s[keep], Q[keep], U[:, keep].T @ y / s[keep]
    rate, until = s**2 / n, time.perf_counter() + patience
    if dual:
        point = lambda x: theta_of(x @ Q)  # noqa: E731
        velocity = lambda t, x: -rate * (Q @ point(x) - b)  # noqa: E731
        jacobian = lambda t, x: -rate[:, None] * ((Q * metric(point(x))) @ Q.T)  # noqa: E731
        start = np.zeros(len(s))
    else:
        point = lambda x: x  # noqa: E731
        velocity = lambda t, x: -metric(x) * (X.T @ (X @ x - y)) / n  # noqa: E731
        jacobian, start = None, np.zeros(problem.d)

    def arrived(t, x):
        missing = np.linalg.norm(s * (Q @ point(x) - b)) / scale - 1e-8
        return 0.0 if time.perf_counter() > until else missing

    arrived.terminal = True  # type: ignore[attr-defined]
    options: dict[str, Any] = {"jac": jacobian} if jacobian is not None and method in ("LSODA", "BDF", "Radau") else {}
    found = scipy.integrate.solve_ivp(
        velocity, (0, 1e12), start, method=method, rtol=1e-9, atol=1e-11, events=arrived, **options
    )
    return None if time.perf_counter() > until else point(found.y[:, -1])


def _functions(geo: Any) -> tuple[Any, Any]:
    """The inverse mirror map and the inverse metric, as one would write them."""
    if geo.name == "ham":
        a = float(geo.alpha)
        return lambda mu: np.sign(mu) * np.expm1(a * np.abs(mu)) / a, lambda theta: 1 + a * np.abs(theta)
    if geo.name == "mw":
        g = float(geo.gamma)
        return lambda mu: g * np.sinh(2 * mu), lambda theta: 2 * np.sqrt(theta**2 + g * g)
    return lambda mu: mu, np.ones_like
