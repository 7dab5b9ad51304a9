"""With weight decay HAM minimises the loss plus a penalty between ridge and lasso."""

import numpy as np
import sympy as sp

import hamtheory as ht

from .._flows import gradient, integrate, regression
from .._theorem import Step, Theorem


def prove(power):
    # For θ > 0; Ψ is even, and Ψ′(0) = 0.
    x, a, b = sp.symbols("theta alpha beta", positive=True)
    g = sp.Symbol("g", real=True)
    penalty = (a * x - sp.log(1 + a * x)) / a**power
    slope = sp.diff(penalty, x)
    velocity = -(1 + a * x) * g - b * x
    return [
        Step("dθ/dt = −(1 + αθ)(∂f + βΨ′): it rests where ∂f + βΨ′ = 0", velocity + (1 + a * x) * (g + b * slope)),
        Step("Ψ″ = (1 + αθ)⁻² > 0: strictly convex", sp.diff(penalty, x, 2) - (1 + a * x) ** -2),
        Step(
            "d(f + βΨ)/dt = −(1 + αθ)(∂f + βΨ′)² ≤ 0", (g + b * slope) * velocity + (1 + a * x) * (g + b * slope) ** 2
        ),
        Step("Ψ → θ²/2 as α → 0: ridge", sp.limit(penalty, a, 0) - x**2 / 2),
        Step("αΨ → θ as α → ∞: the lasso with β/α", sp.limit(a * penalty, a, sp.oo) - x),
        Step("Ψ(0) = 0", sp.expand(penalty.subs(x, 0))),
        Step("Ψ′(0) = 0", sp.expand(slope.subs(x, 0))),
    ]


def check(rng, power):
    return _error(rng, power, coupled=False)


def violate(rng, power):
    return _error(rng, power, coupled=True)


def _error(rng, power, coupled):
    """The relative distance of where the flow, and the library's, comes to rest from the minimiser.

    `coupled`: the flow −(1 + α|θ|)(∇f + βθ) instead, which the library does not have.
    """
    X, y = regression(rng, 3, 6)
    alpha, beta = 10 ** (rng.uniform(0.3, 1.5) * rng.choice([-1, 1])), 10 ** rng.uniform(-2, 0)

    def velocity(t, x):
        metric = 1 + alpha * np.abs(x)
        return -metric * gradient(X, y, x) - (metric if coupled else 1) * beta * x

    end = 40 * (1 + alpha * 10 * np.linalg.norm(y)) / beta
    start, problem, geometry = rng.normal(size=6), ht.LinearRegression(X, y), ht.HAM(alpha)
    weight_decay = beta * alpha ** (2 - power)  # f + βα^(2−power) Ψ, with the library's Ψ
    limit = ht.solve_limit(problem, geometry, weight_decay=weight_decay, tol=1e-12).theta
    ends = [integrate(velocity, start, [end], rtol=1e-10, atol=1e-13, method="LSODA")[-1]]
    if not coupled:
        flow = ht.solve_flow(problem, geometry, start, weight_decay=beta, ts=[end], rtol=1e-12, atol=1e-15)
        ends.append(flow.theta)
    return max(float(np.linalg.norm(theta - limit) / np.linalg.norm(theta)) for theta in ends)


THEOREM = Theorem(
    id="ham.stationarity",
    title="HAM with weight decay: between ridge and lasso",
    source="own; the flow with weight decay: jacobs2026ham, Theorem 4.2",
    statement=r"""\dot\theta = -(1+\alpha|\theta|)\odot\nabla f - \beta\theta \to
\arg\min f + \beta\Psi_\alpha,\quad \Psi_\alpha(\theta)
= \sum_i\frac{\alpha|\theta_i| - \ln(1+\alpha|\theta_i|)}{\alpha^2},
\quad \Psi_\alpha'' = (1+\alpha|\theta|)^{-2};\quad
\Psi_\alpha\to\tfrac12\|\theta\|^2\ (\alpha\to0),\quad \alpha\Psi_\alpha\to\|\theta\|_1\ (\alpha\to\infty)""",
    hypotheses="α > 0, β > 0; f is convex and differentiable; any start. The weight decay is decoupled: it is not "
    "multiplied by the metric.",
    constants={"power": 2},
    check=check,
    tolerance=1e-12,
    why="the integrator's 1e-10 and the limit's 1e-12, times the condition of the problem",
    violate=violate,
    violated="the weight decay is in the gradient, and multiplied by the metric (then the limit is ridge for every α)",
    mutations={"the lasso's strength β instead of β/α": {"power": 1}, "a power of α too many": {"power": 3}},
    prove=prove,
    special="where the flow rests, and that f + βΨ falls along it; not that it converges",
)
