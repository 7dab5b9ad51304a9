"""A separable flow that converges to an interpolator converges to the Bregman projection of its start."""

import numpy as np
import sympy as sp

import hamtheory as ht

from .._flows import any_of_three, gradient, integrate, regression
from .._theorem import Step, Theorem


def prove(start):
    # Of any potential, a coordinate at a time: that R′(θ_∞) − R′(θ₀) = Xᵀν, and then for every other interpolator
    # θ_∞ + z, Xz = 0, that its divergence is larger by D_R(θ_∞ + z, θ_∞) ≥ 0.
    t = sp.Symbol("t", positive=True)
    R, path = sp.Function("R"), sp.Function("theta")(t)
    g, metric, s = sp.Symbol("g"), sp.Function("h"), sp.Symbol("s")
    mirrored = sp.diff(R(path), path).diff(t).subs(sp.diff(path, t), -metric(path) * g)
    mirrored = mirrored.subs(path, s).doit().subs(sp.diff(R(s), s, 2), 1 / metric(s))

    theta, first, z, q, c = sp.symbols("theta theta_0 z q c", real=True)  # q = R′(θ₀) and c = (Xᵀν)ᵢ
    to_start = lambda x: R(x) - R(first) - start * q * (x - first)  # noqa: E731
    to_limit = R(theta + z) - R(theta) - (q + c) * z
    return [
        Step("dR′(θ)/dt = −∂f if R″ g⁻¹ = 1: R′(θ) moves along the gradients, which are in row(X)", mirrored + g),
        Step(
            "D(θ_∞ + z, θ₀) − D(θ_∞, θ₀) − D(θ_∞ + z, θ_∞) = (Xᵀν)ᵢzᵢ, in all νᵀXz, which is 0",
            to_start(theta + z) - to_start(theta) - to_limit - c * z,
        ),
    ]


def check(rng, start):
    return _error(rng, start, 0.0)


def violate(rng, start):
    return _error(rng, start, 10 ** rng.uniform(-1, 0.5))


def _error(rng, start, weight_decay):
    """The relative distance of the end of a flow, with weight decay until t = 1, from the projection of its start."""
    n, d = 3, 6
    flow, (X, y), theta0 = any_of_three(rng), regression(rng, n, d), rng.normal(size=d) * 10 ** rng.uniform(-1, 0.5)
    slowest = np.linalg.eigvalsh(X @ X.T / n)[0] * flow.inverse_metric(np.zeros(1))[0]
    begin = integrate(lambda t, x: -flow.inverse_metric(x) * gradient(X, y, x) - weight_decay * x, theta0, [1.0])[-1]
    end = integrate(lambda t, x: -flow.inverse_metric(x) * gradient(X, y, x), begin, [35 / slowest])[-1]
    limit = ht.solve_limit(ht.LinearRegression(X, y), flow.geo, start * theta0).theta
    return float(np.linalg.norm(end - limit) / np.linalg.norm(end))


THEOREM = Theorem(
    id="flow.bregman-projection",
    title="The limit of a flow is the Bregman projection of its start",
    source="jacobs2026ham, Theorems 4.5 and 4.6",
    statement=r"""\lim_{t\to\infty}\theta_t = \arg\min\{D_R(\theta,\theta_0) : X\theta = y\}, \quad
D_R(\theta,\theta_0) = \sum_i R(\theta_i) - R(\theta_{0,i}) - R'(\theta_{0,i})(\theta_i-\theta_{0,i})
\quad\text{for}\quad \dot\theta = -g^{-1}(\theta)\odot\nabla f(\theta),\ R'' = 1/g^{-1}""",
    hypotheses="X has linearly independent rows; the inverse metric is separable and positive (here GD, HAM and m⊙w "
    "with γ > 0); the loss is a function of Xθ; no weight decay; the flow converges to an interpolator.",
    constants={"start": 1},
    check=check,
    tolerance=3e-10,
    why="the tolerance 1e-10 of the limit's solver, times the condition of the problem, and 1e-12 of the integrator",
    violate=violate,
    violated="weight decay, although only until t = 1",
    mutations={"the least potential, whatever the start": {"start": 0}},
    prove=prove,
)
