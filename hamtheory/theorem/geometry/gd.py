"""Gradient descent's geometry is flat: its limit is the Euclidean projection, its flow an exponential."""

import numpy as np
import sympy as sp

import hamtheory as ht

from .._potentials import relative
from .._theorem import Step, Theorem


def prove(two):
    s, s0, m, t, n = sp.symbols("theta theta_0 mu t n", positive=True)
    a, b, y, p, q, c = sp.symbols("a b y p q c", real=True)  # one equation, a θ₁ + b θ₂ = y, from (p, q)
    potential = lambda x: x**2 / two  # noqa: E731
    mirror = sp.diff(potential(s), s)
    divergence = potential(s) - potential(s0) - mirror.subs(s, s0) * (s - s0)
    squared, missing = a**2 + b**2, y - a * p - b * q
    share = (1 - sp.exp(-squared * t / n)) * missing / squared
    flow, limit = (p + a * share, q + b * share), (p + a * missing / squared, q + b * missing / squared)
    residual = a * flow[0] + b * flow[1] - y
    other = (limit[0] + c * b, limit[1] - c * a)  # any interpolator
    distance = lambda u, v: (u[0] - v[0]) ** 2 + (u[1] - v[1]) ** 2  # noqa: E731
    return [
        Step("R'' g⁻¹ = 1", sp.diff(mirror, s) - 1),
        Step(
            "R* is the conjugate: at μ = R'(θ) it is θμ − R(θ)", (m**2 / 2).subs(m, mirror) - s * mirror + potential(s)
        ),
        Step("D_R(θ, θ₀) = (θ − θ₀)²/2", divergence - (s - s0) ** 2 / 2),
        Step("the exponential solves the flow, first coordinate", sp.diff(flow[0], t) + a * residual / n),
        Step("the exponential solves the flow, second coordinate", sp.diff(flow[1], t) + b * residual / n),
        Step("it starts at θ₀", flow[0].subs(t, 0) - p),
        Step("its limit interpolates", a * limit[0] + b * limit[1] - y),
        Step(
            "Pythagoras: D_R(θ, θ₀) = D_R(θ, θ_∞) + D_R(θ_∞, θ₀) on Xθ = y, so that θ_∞ is the projection",
            distance(other, (p, q)) - distance(other, limit) - distance(limit, (p, q)),
        ),
    ]


def check(rng, two):
    return _error(rng, two, ht.Euclidean())


def violate(rng, two):
    return _error(rng, two, ht.HAM(10 ** rng.uniform(0, 1)))


def _error(rng, two, geo):
    n, d = (2, 5) if rng.integers(2) else (3, 6)
    X, y, start = rng.normal(size=(n, d)), rng.normal(size=n), rng.normal(size=d) * 10 ** rng.uniform(-1, 1)
    problem = ht.LinearRegression(X, y)
    inverse = np.linalg.pinv(X)
    limit = start + inverse @ (y - X @ start)
    values, vectors = np.linalg.eigh(X @ X.T / n)
    times = np.sort(10 ** rng.uniform(-1, 1, 4)) / values.max()
    shares = [vectors @ ((1 - np.exp(-values * t)) * (vectors.T @ (y - X @ start))) for t in times]
    flow = start + np.array([inverse @ share for share in shares])
    solved = ht.solve_flow(problem, geo, start, ts=times, rtol=1e-11, atol=1e-12)
    theta = rng.normal(size=d)
    found = ht.bregman_divergence(geo, theta, start)
    errors = [
        np.linalg.norm(ht.solve_limit(problem, geo, start, tol=1e-12).theta - limit) / np.linalg.norm(limit),
        np.linalg.norm(solved.thetas - flow) / np.linalg.norm(flow),
        relative(found, np.sum((theta - start) ** 2) / two),
    ]
    return float(max(errors))


THEOREM = Theorem(
    id="geometry.gd",
    title="Gradient descent: the flat geometry",
    source="own; classical",
    statement=r"""g^{-1} = 1:\quad R(\theta) = \tfrac12\theta^2, \quad R^*(\mu) = \tfrac12\mu^2, \quad
D_R(\theta,\theta_0) = \tfrac12\|\theta-\theta_0\|_2^2, \quad
\theta_t = \theta_0 + X^+\bigl(I - e^{-tXX^\top/n}\bigr)(y - X\theta_0)
\to \theta_0 + X^+(y - X\theta_0) = \operatorname{argmin}_{X\theta=y} D_R(\theta,\theta_0)""",
    hypotheses="X of full row rank; the inverse metric is 1.",
    constants={"two": 2},
    check=check,
    tolerance=1e-10,
    why="the flow is integrated to rtol = 1e-11; the limit and the divergence are exact to rounding",
    violate=violate,
    violated="an inverse metric that is not 1 but HAM's, with α from 1 to 10",
    mutations={"without the half": {"two": 1}},
    prove=prove,
    special="the flow and the projection for one equation in two unknowns",
)
