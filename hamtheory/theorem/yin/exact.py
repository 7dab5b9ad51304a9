"""From a finite λδ on, the limit of the linearized Bregman flow is the solution of basis pursuit."""

from typing import Any

import numpy as np
import scipy.optimize
import sympy as sp

import hamtheory as ht

from .._flows import regression
from .._theorem import Step, Theorem

ROWS, COLUMNS, HALVINGS = 4, 9, 30


def prove(quadratic, edge):
    t, theta, more = sp.symbols("t theta s", positive=True)
    z, u, c = sp.symbols("z u c", real=True)
    # An entry of the support stands for all, those below zero by symmetry; z is a step between interpolators, Xz = 0,
    # so that Σ u_i z_i = 0 for u = Xᵀw.
    value: Any = lambda x: t * x + x**2 / 2  # noqa: E731
    on = t + quadratic * theta
    return [
        Step(
            "on S, as long as the sign stays, the value grows by (u − t − θ)z + ½z² beyond uz, which is ½z²",
            value(theta + z) - value(theta) - on * z - z**2 / 2,
        ),
        Step(
            "off S it grows by t|z| − uz + ½z² beyond uz: not below 0 for either sign of z up to u = ±t",
            sp.limit(sp.diff(value(more) - edge * t * more, more), more, 0),
        ),
        Step("w + s c is for t + s what w is for t, on S", on + more - (t + more + quadratic * theta)),
        Step(
            "and off S: |u + s c| ≤ t + s where |u| ≤ t, |c| ≤ 1, as at the ends",
            (u + more * c - t - more).subs({u: t, c: 1}),
        ),
        Step(
            "no less will do: where Xz = 0, t (⟨sign θ, z⟩ + Σ_J |z_j|) + ⟨θ, z⟩ is the slope of the value along z",
            sp.diff(value(theta + more * z), more).subs(more, 0) - t * z - theta * z,
        ),
    ]


def check(rng, quadratic, edge):
    X, y = regression(rng, ROWS, COLUMNS)
    return _error(X, y, ht.basis_pursuit(ht.LinearRegression(X, y)), quadratic, edge)


def violate(rng, quadratic, edge):
    X, y = regression(rng, ROWS, COLUMNS)
    theta = ht.basis_pursuit(ht.LinearRegression(X, y))
    at = int(np.argmax(np.abs(theta)))
    X[:, np.flatnonzero(theta == 0)[0]] = X[:, at]  # θ is still a solution, but not the one of least L2 norm
    return _error(X, y, theta, quadratic, edge)


def _error(X, y, theta, quadratic, edge):
    """How far the value of the linear programme is from the least t of which θ is the limit, by bisection."""
    problem, size = ht.LinearRegression(X, y), np.abs(theta).max()

    def is_limit(t):
        limit = ht.solve_limit(problem, ht.LinearizedBregman(t), throw=False)
        return np.abs(limit.theta - theta).max() <= 1e-8 * size

    low, high = 0.0, size
    while not is_limit(high):
        low, high = high, 4 * high
        if high > 1e8 * size:
            return np.inf
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if is_limit(middle) else (middle, high)
    return abs(_value(X, theta / size, quadratic, edge) * size / high - 1)


def _value(X, theta, quadratic, edge):
    """`min t` over (w, t) with `X_Sᵀw = t sign θ_S + θ_S` and |X_Jᵀw| ≤ t."""
    on = np.abs(theta) > 1e-9
    others, one = X[:, ~on].T, np.full((int(np.sum(~on)), 1), edge)
    found = scipy.optimize.linprog(
        np.append(np.zeros(len(X)), 1.0),
        A_eq=np.hstack([X[:, on].T, -np.sign(theta[on, None])]),
        b_eq=quadratic * theta[on],
        A_ub=np.block([[others, -one], [-others, -one]]),
        b_ub=np.zeros(2 * len(others)),
        bounds=[(None, None)] * len(X) + [(0, None)],
    )
    return found.fun if found.success else np.inf


THEOREM = Theorem(
    id="yin.exact",
    title="Linearized Bregman is basis pursuit from a finite λδ on",
    source="friedlander2007exact; the value, and that it is a linear programme: own",
    statement=r"""\operatorname*{argmin}_{X\theta = y}\ \lambda\|\theta\|_1 + \tfrac{1}{2\delta}\|\theta\|_2^2
= \theta^* \iff \lambda\delta \ge t^*, \qquad
t^* = \min\bigl\{t \ge 0 :\ \exists w:\ X_S^\top w = t\,\operatorname{sign}\theta^*_S + \theta^*_S,\
|X_{S^c}^\top w| \le t\bigr\} < \infty""",
    hypotheses="θ* solves basis pursuit; if several do, it is the one of least L2 norm. S is its support.",
    constants={"quadratic": 1, "edge": 1},
    check=check,
    tolerance=1e-5,
    why="the limit is told from θ* at 1e-8 of its size, which just below t* it leaves at a rate of the problem's own",
    violate=violate,
    violated="a column of θ* occurs twice, and θ* has all of it on one: it has not the least L2 norm",
    mutations={
        "θ²/δ instead of θ²/(2δ)": {"quadratic": 2},
        "a dead zone that ends at 0.8 λ": {"edge": 0.8},
    },
    prove=prove,
    special="entry by entry; that some t is enough is strict complementarity of linear programmes, not derived here",
)
