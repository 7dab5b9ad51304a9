"""With weight decay on its factors m⊙w ends at the lasso, unless a balanced coordinate is held by its sign."""

import numpy as np
import sympy as sp

import hamtheory as ht

from .._flows import gradient, integrate, regression
from .._theorem import Step, Theorem


def prove(factor):
    m, w, theta, b = sp.symbols("m w theta beta", positive=True)
    g = sp.Symbol("g", real=True)
    dm, dw = -(w * g + 2 * b * m), -(m * g + 2 * b * w)
    root = sp.sqrt(theta)
    return [
        Step("β(m² + w²) = 2β mw + β(m − w)² ≥ 2β|θ|", b * (m**2 + w**2) - factor * b * m * w - b * (m - w) ** 2),
        Step("attained at m = w = √θ", (b * (m**2 + w**2)).subs({m: root, w: root}) - factor * b * theta),
        Step("which rests where ∂f = −2β", dm.subs({m: root, w: root, g: -factor * b})),
        Step("d(m + w)/dt = −(∂f + 2β)(m + w)", dm + dw + (g + factor * b) * (m + w)),
        Step("d(m − w)/dt = (∂f − 2β)(m − w): θ = 0 is stable where |∂f| < 2β", dm - dw - (g - factor * b) * (m - w)),
    ]


def check(rng, factor):
    X, y, beta, limit = _instance(rng, factor)
    m, w = rng.normal(size=(2, 6)) * 10 ** rng.uniform(-2, 1)
    return _error(X, y, beta, m, w, limit)


def violate(rng, factor):
    X, y, beta, limit = _instance(rng, factor)
    m = np.abs(rng.normal(size=6))
    return _error(X, y, beta, m, np.where(limit > 0, -m, m), limit)


def _instance(rng, factor):
    """X, y, β, and the lasso's solution for f + factor·β‖θ‖₁; one of a clear support (of the true factor)."""
    while True:
        X, y = regression(rng, 3, 6)
        beta = rng.uniform(0.05, 0.4) * np.abs(gradient(X, y, np.zeros(6))).max() / 2
        limit, true = (
            np.asarray(
                ht.solve_limit(
                    ht.LinearRegression(X, y), ht.Hypentropy(1.0), weight_decay=beta * c / 2, tol=1e-12
                ).theta
            )
            for c in (factor, 2)
        )
        on = np.abs(true) > 1e-6
        slack = 2 * beta - np.abs(gradient(X, y, true)[~on])
        if slack.min(initial=beta) > 0.4 * beta and np.abs(true[on]).min() > 0.05:
            return X, y, beta, limit


def _error(X, y, beta, m, w, limit):
    """The relative distance of where the flow ends from `limit`; integrated in m + w and m − w, which decouple."""

    def theta(state):
        s, v = np.split(state, 2)
        return (s**2 - v**2) / 4

    def velocity(t, state):
        slope = gradient(X, y, theta(state))
        return np.concatenate([-(slope + 2 * beta), slope - 2 * beta]) * state

    start = np.concatenate([m + w, m - w])
    end = integrate(velocity, start, [6000 / beta], rtol=1e-10, atol=1e-12, method="LSODA")[-1]
    return float(np.linalg.norm(theta(end) - limit) / np.linalg.norm(limit))


THEOREM = Theorem(
    id="mw.lasso",
    title="m⊙w with weight decay ends at the lasso",
    source="ziyin2023spred, equivalence of the penalties; that the flow gets there: own",
    statement=r"""\min_{m\odot w=\theta}\beta(\|m\|^2+\|w\|^2) = 2\beta\|\theta\|_1;\quad \text{gradient flow on }
f(m\odot w)+\beta(\|m\|^2+\|w\|^2) \text{ converges to } \arg\min f+2\beta\|\theta\|_1
\text{ if } |m_{0,i}|\ne|w_{0,i}| \text{ for all } i""",
    hypotheses="f = ‖Xθ − y‖²/2n, β > 0, the lasso's solution is unique; the start is arbitrary, but imbalanced in "
    "every coordinate (a balanced one keeps its sign, and then the limit is the lasso under this constraint).",
    constants={"factor": 2},
    check=check,
    tolerance=1e-10,
    why="the integrator's 1e-10 and the limit's 1e-12, times the condition of the problem; the flow rests at 6000/β",
    violate=violate,
    violated="imbalance: every coordinate is balanced, with the sign that it should not have",
    mutations={"the penalty β‖θ‖₁": {"factor": 1}, "the penalty 4β‖θ‖₁": {"factor": 4}},
    prove=prove,
    special="the least penalty, and where θ = 0 is stable; not that the flow converges",
)
