"""Largest margins against a conic solver and HiGHS, and flows of a classification loss against SciPy's integrators.

Of every candidate the error that it reached is given: of a margin, what is missing of the largest one, in parts; of a
flow, the distance of its end from that of a flow with a hundred times smaller tolerances, relative.
"""

import functools
import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.integrate
import scipy.optimize
import scipy.sparse as sp

import hamtheory as ht

from ._table import Row, interleaved, rows_of


def run() -> list[Row]:
    """Margins, then flows."""
    return [*margins(), *flows()]


def margins(rounds: int = 15) -> list[Row]:
    """Warm margins at n = 40, d = 100, and of digits."""
    problems = {"n = 40, d = 100": ht.sparse_classification(40, 100, 5), "digits-3-8": ht.datasets.load("digits-3-8")}
    rows = []
    for data, problem in problems.items():
        for rho in (1.0, 1.5, 2.0, 4.0):
            ours: dict[str, Callable] = {"solve_margin": lambda p=problem, r=rho: ht.solve_margin(p, rho=r).theta}
            peers = _programmes(problem) if rho == 1 else _conic(problem, rho)
            best = ht.solve_margin(problem, rho=rho, tol=1e-12, throw=False)
            upper = float(best.margin + best.duality_gap)
            candidates = ours | peers
            errors = {
                name: 1 - float(ht.metrics.margin(problem, call(), rho)) / upper for name, call in candidates.items()
            }
            seconds = interleaved(candidates, rounds)
            rows += rows_of(f"margin, {data}, ρ = {rho:g}", seconds, errors, _fastest(seconds, peers))
    return rows


def _fastest(seconds: dict[str, list[float]], peers: Any) -> str:
    return min(peers, key=lambda name: float(np.median(seconds[name])))


def _conic(problem: ht.BinaryClassification, rho: float) -> dict[str, Callable]:
    """Clarabel through its own interface: a power cone for each column, or where they do it second-order cones."""
    kinds = ["power"] * (rho != 2) + ["second-order"] * (rho in (2, 4))
    return {f"Clarabel, {kind} cones": functools.partial(by_clarabel, problem, rho, kind) for kind in kinds}


def by_clarabel(problem: ht.BinaryClassification, rho: float, kind: str) -> np.ndarray:
    """`max t` over margins of at least t and ‖θ‖_ρ ≤ 1, in θ, t and, but for ρ = 2, bounds r of |θ|^ρ."""
    clarabel: Any = importlib.import_module("clarabel")  # the extra `bench`

    rows = problem.signed
    n, d = rows.shape
    bounds = 0 if rho == 2 else d
    none, one = sp.csc_matrix, lambda k: sp.csc_matrix(np.ones((k, 1)))
    above = sp.hstack([sp.csc_matrix(-rows), one(n), none((n, bounds))])
    eye = sp.identity(d, format="csc")
    if rho == 2:
        norm = sp.vstack([none((1, d + 1)), sp.hstack([-eye, none((d, 1))])])
        constants, cones = np.append(1.0, np.zeros(d)), [clarabel.SecondOrderConeT(d + 1)]
    elif kind == "second-order":  # θ² ≤ r, as (r + 1, r − 1, 2θ), and ‖r‖₂ ≤ 1
        bound = sp.hstack([none((d, d + 1)), -eye])
        squares = _interleaved(bound, bound, sp.hstack([-2 * eye, none((d, 1 + d))]))
        norm = sp.vstack([squares, none((1, 2 * d + 1)), bound])
        constants = np.concatenate([np.tile([1.0, -1.0, 0.0], d), [1.0], np.zeros(d)])
        cones = [clarabel.SecondOrderConeT(3)] * d + [clarabel.SecondOrderConeT(d + 1)]
    else:  # |θ| ≤ r^(1/ρ) 1^(1 − 1/ρ) and Σ r = 1
        bound = sp.hstack([none((d, d + 1)), -eye])
        powers = _interleaved(bound, none((d, 2 * d + 1)), sp.hstack([-eye, none((d, d + 1))]))
        norm = sp.vstack([sp.hstack([none((1, d + 1)), one(d).T]), powers])
        constants = np.append(1.0, np.tile([0.0, 1.0, 0.0], d))
        cones = [clarabel.ZeroConeT(1)] + [clarabel.PowerConeT(1 / rho)] * d
    size = d + 1 + bounds
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-9
    objective = np.zeros(size)
    objective[d] = -1.0
    found = clarabel.DefaultSolver(
        sp.csc_matrix((size, size)),
        objective,
        sp.csc_matrix(sp.vstack([above, norm])),
        np.concatenate([np.zeros(n), constants]),
        [clarabel.NonnegativeConeT(n), *cones],
        settings,
    ).solve()
    return np.asarray(found.x)[:d]


def _interleaved(*parts: Any) -> Any:
    """The first rows of all parts, then the second rows, and so on."""
    rows, parts_of = parts[0].shape[0], len(parts)
    return sp.csr_matrix(sp.vstack(parts))[np.arange(parts_of * rows).reshape(parts_of, rows).T.ravel()]


def _programmes(problem: ht.BinaryClassification) -> dict[str, Callable]:
    """HiGHS, on three ways to write the linear programme."""
    rows = problem.signed
    n, d = rows.shape
    both = np.hstack([-rows, rows])

    def split(found):
        return found.x[:d] - found.x[d : 2 * d]

    def least_norm():
        return split(scipy.optimize.linprog(np.ones(2 * d), A_ub=both, b_ub=-np.ones(n)))

    def largest_margin():
        objective, sums = np.append(np.zeros(2 * d), -1.0), np.append(np.ones(2 * d), 0.0)[None]
        margins = np.hstack([both, np.ones((n, 1))])
        return split(scipy.optimize.linprog(objective, A_ub=margins, b_ub=np.zeros(n), A_eq=sums, b_eq=[1.0]))

    def dual():
        bounds = np.hstack([-both.T, -np.ones((2 * d, 1))])
        found = scipy.optimize.linprog(
            np.append(np.zeros(n), 1.0), bounds, np.zeros(2 * d), np.append(np.ones(n), 0.0)[None], [1.0]
        )
        held = found.ineqlin.marginals
        return held[d:] - held[:d]

    return {"HiGHS, least norm": least_norm, "HiGHS, largest margin": largest_margin, "HiGHS, dual": dual}


def flows(rounds: int = 5, log_loss: float = -300.0) -> list[Row]:
    """Warm flows to −ln L = 300 against SciPy on the same equations: in dual coordinates, with their Jacobian."""
    problems = {
        "n = 15, d = 30": ht.sparse_classification(15, 30, 3),
        "n = 40, d = 100": ht.sparse_classification(40, 100, 5),
    }
    geometries = {"GD": ht.Euclidean(), "HAM, α = 10": ht.HAM(alpha=10.0), "m⊙w, γ = 0.1": ht.Hypentropy(gamma=0.1)}
    rows = []
    for data, problem in problems.items():
        for label, geo in geometries.items():
            exact = ht.solve_flow(problem, geo, log_loss=log_loss, rtol=1e-10, atol=1e-12).theta
            peers: dict[str, Callable] = {
                f"{method}, clock s": functools.partial(by_scipy, problem, geo, log_loss, method)
                for method in ("LSODA", "BDF", "Radau")
            }
            peers["odeint, clock −ln L"] = functools.partial(by_odeint, problem, geo, log_loss)
            candidates = {"solve_flow": lambda p=problem, g=geo: ht.solve_flow(p, g, log_loss=log_loss).theta} | peers
            errors = {
                name: float(np.abs(call() - exact).max() / np.abs(exact).max()) for name, call in candidates.items()
            }
            seconds = interleaved(candidates, rounds)
            rows += rows_of(f"flow, {data}, {label}", seconds, errors, _fastest(seconds, peers))
    return rows


def _equations(problem: ht.BinaryClassification, geo: Any):
    """θ by ν; the weights q and ln L at θ, of the logistic loss; and the Jacobian of q."""
    rows, n = problem.signed, problem.n

    def theta(nu):
        return geo.inverse_mirror_map(nu @ rows)

    def logs(margins):
        # ln ln(1 + e^(−m)) and ln 1/(1 + e^m), as margins are large
        small = np.exp(-np.clip(margins, -700, 700))
        losses = np.where(margins > 30, -margins, np.log(np.log1p(small)))
        return losses, -np.logaddexp(0, margins)

    def weights(point):
        losses, slopes = logs(rows @ point)
        top = losses.max()
        total = top + np.log(np.exp(losses - top).sum())
        return np.exp(slopes - total), total - np.log(n)

    def jacobian(point):
        q, _ = weights(point)
        curved = q * -np.expm1(-np.logaddexp(0, rows @ point))
        return (np.outer(q, q) - np.diag(curved)) @ ((rows * geo.inverse_metric(point)) @ rows.T)

    return theta, weights, jacobian


def by_scipy(problem: ht.BinaryClassification, geo: Any, log_loss: float, method: str) -> np.ndarray:
    """In the clock s = ∫ L dt, until an event."""
    theta, weights, jacobian = _equations(problem, geo)

    def arrived(s, nu):
        return weights(theta(nu))[1] - log_loss

    arrived.terminal = True  # type: ignore[attr-defined]
    found = scipy.integrate.solve_ivp(
        lambda s, nu: weights(theta(nu))[0],
        (0, 1e12),
        np.zeros(problem.n),
        method=method,
        jac=lambda s, nu: jacobian(theta(nu)),
        rtol=1e-9,
        atol=1e-11,
        events=arrived,
    )
    return theta(found.y[:, -1])


def by_odeint(problem: ht.BinaryClassification, geo: Any, log_loss: float) -> np.ndarray:
    """In the clock −ln L, whose end is known: LSODA without a step of Python's between its own."""
    theta, weights, _ = _equations(problem, geo)
    rows = problem.signed

    def velocity(nu, u):
        point = theta(nu)
        q, _ = weights(point)
        pull = q @ rows
        return q / (pull @ (geo.inverse_metric(point) * pull))

    zero = np.zeros(problem.n)
    begin = -float(weights(theta(zero))[1])
    ends = np.array([begin, -log_loss])
    return theta(scipy.integrate.odeint(velocity, zero, ends, rtol=1e-9, atol=1e-11, mxstep=100_000)[-1])
