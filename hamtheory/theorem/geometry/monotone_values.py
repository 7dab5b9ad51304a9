"""What is monotone along HAM's path from L2 to L1: the optimal values, with their derivatives in α."""

import numpy as np
import sympy as sp

import hamtheory as ht

from .._potentials import SHAPE, excess, limits
from .._theorem import Step, Theorem

STEP = 0.01


def prove(log, power):
    x, a = sp.symbols("theta alpha", positive=True)
    potential = ((1 + a * x) * sp.log(1 + a * x) - a * x) / a**2
    penalty = (a * x - log * sp.log(1 + a * x)) / a**power
    return [
        Step("R'' decreases: ∂α 1/(1 + αθ) = −θ/(1 + αθ)² ≤ 0", sp.diff(potential, x, 2, a) + x / (1 + a * x) ** 2),
        Step("αR'' increases: ∂α α/(1 + αθ) = 1/(1 + αθ)² ≥ 0", sp.diff(a * potential, x, 2, a) - (1 + a * x) ** -2),
        Step("∂α(αR) = Ψ", sp.diff(a * potential, a) - penalty),
        Step("∂αR = (Ψ − R)/α", sp.diff(potential, a) - (penalty - potential) / a),
        Step("Ψ is 0 at θ = 0", penalty.subs(x, 0)),
        Step("and increases, by θ/(1 + αθ) ≥ 0", sp.diff(penalty, x) - x / (1 + a * x)),
        Step("R − Ψ is 0 at θ = 0", (potential - penalty).subs(x, 0)),
        Step("so is its slope", (potential - penalty).diff(x).subs(x, 0)),
        Step("and it is convex, by αθ/(1 + αθ)² ≥ 0", sp.diff(potential - penalty, x, 2) - a * x / (1 + a * x) ** 2),
    ]


def check(rng, log, power):
    return _error(rng, log, power, 0.0)


def violate(rng, log, power):
    return _error(rng, log, power, 1.0)


def _error(rng, log, power, from_elsewhere):
    """d ln(αV)/d ln α by differences of fourth order along the path, V = min R_α by Newton, against ΣΨ/V."""
    X, theta = rng.normal(size=SHAPE), rng.normal(size=SHAPE[1])
    theta0 = from_elsewhere * rng.normal(size=SHAPE[1])
    center = rng.uniform(-3, 8)
    grid = center + STEP * np.arange(-2, 3)
    thetas = limits(ht.LinearRegression(X, X @ theta), ht.HAM, grid, theta0)
    z = np.abs(thetas) * np.exp(grid)[:, None]
    potentials = [ht.HAM(log_alpha=at).potential(t) for at, t in zip(grid, thetas, strict=True)]
    values = np.sum(potentials, axis=1)
    growth = np.log(values) + grid
    difference = (growth[0] - 8 * growth[1] + 8 * growth[3] - growth[4]) / (12 * STEP)
    small = z[2] < 1e-4  # the difference, by its series
    psi = np.where(small, (1 - log) * z[2] + log * (z[2] ** 2 / 2 - z[2] ** 3 / 3), z[2] - log * np.log1p(z[2]))
    predicted = np.sum(psi) / np.exp(power * center) / values[2]
    return max(abs(difference - predicted), excess(difference, 0, 1, 1))


THEOREM = Theorem(
    id="geometry.monotone-values",
    title="The optimal values are monotone from L2 to L1",
    source="own",
    statement=r"""V(\alpha) = \min_{X\theta=y} \sum_i R_\alpha(\theta_i):\quad
\frac{d}{d\alpha}\,\alpha V = \sum_i \Psi_\alpha(\theta_{\infty,i}) \ge 0, \quad
\alpha\frac{dV}{d\alpha} = \sum_i (\Psi_\alpha - R_\alpha)(\theta_{\infty,i}) \le 0, \quad
\Psi_\alpha(\theta) = \tfrac{1}{\alpha^2}\bigl[\alpha|\theta| - \ln(1+\alpha|\theta|)\bigr]
\qquad \text{for all } \alpha > 0""",
    hypotheses="Xθ = y has a solution; θ_∞(α) is the limit of HAM's flow from 0, which is where R_α is least.",
    constants={"log": 1, "power": 2},
    check=check,
    tolerance=1e-8,
    why="differences of fourth order in ln α, with steps of 0.01; values are exact to the square of the solver's 1e-13",
    violate=violate,
    violated="the flow starts elsewhere: its limit is not where R_α is least",
    mutations={
        "Ψ without its logarithm": {"log": 0},
        "Ψ in units of 1/α": {"power": 1},
    },
    prove=prove,
    special="the derivatives of R_α at a fixed θ; that V has them (the envelope theorem) is taken as known",
)
