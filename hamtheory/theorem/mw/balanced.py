"""Balanced factors stay balanced, and θ keeps its sign."""

import numpy as np
import sympy as sp

from .._flows import product_path, regression
from .._theorem import Step, Theorem


def prove(rate, decay):
    t, b, size = sp.symbols("t beta theta0", positive=True)
    m, w, g = sp.symbols("m w g", real=True)
    dm, dw = -(w * g + 2 * b * m), -(m * g + 2 * b * w)
    G, sign = sp.Function("G", real=True)(t), sp.Symbol("s", real=True)
    theta = sign * size * sp.exp(-rate * sign * G - decay * b * t)
    velocity = -2 * sign * theta * G.diff(t) - 4 * b * theta  # −(m² + w²)∂f − 4βθ with m² = w² = |θ| = sθ
    return [
        Step("d(m² − w²)/dt = −4β(m² − w²): 0 stays 0", sp.expand(2 * m * dm - 2 * w * dw + 4 * b * (m**2 - w**2))),
        Step(
            "m² + w² = 2|θ| where m = sw, s = ±1",
            ((m**2 + w**2) - 2 * sign * m * w).subs(m, sign * w).expand() - w**2 * (1 - sign**2),
        ),
        Step("θ₀ e^(−2sG − 4βt) solves dθ/dt = −2|θ|∂f − 4βθ, and has the sign of θ₀", theta.diff(t) - velocity),
    ]


def check(rng, rate, decay):
    return _error(rng, 1.0, rate, decay)


def violate(rng, rate, decay):
    return _error(rng, 1 + 10 ** rng.uniform(-3, -1), rate, decay)


def _error(rng, ratio, rate, decay):
    """The largest difference of ln(θ_t/θ₀) to the formula, with |m₀| = `ratio` |w₀|; infinite where a sign changes.

    The target has the other signs: every coordinate is drawn across zero.
    """
    X, _ = regression(rng, 3, 6)
    w = rng.choice([-1.0, 1.0], 6) * 10 ** rng.uniform(-1, 0.1, 6)
    m = ratio * w * rng.choice([-1.0, 1.0], 6)
    y = X @ (-np.sign(m * w) * rng.uniform(1, 2, 6))
    beta, end = 10 ** rng.uniform(-2, -0.5), rng.uniform(0.5, 1)
    path, integral = product_path(X, y, m, w, beta, end)
    growth = np.asarray(path.theta) / (m * w)
    balance = np.abs(np.abs(np.asarray(path.ms)[-1] / np.asarray(path.ws)[-1]) - 1).max()
    if growth.min() <= 0:
        return np.inf
    formula = -rate * np.sign(m * w) * integral - decay * beta * end
    return max(np.abs(np.log(growth) - formula).max(), balance)


THEOREM = Theorem(
    id="mw.balanced-no-flip",
    title="Balanced factors never change the sign of θ",
    source="jacobs2026ham, Theorem 3.1",
    statement=r"""|m_0|=|w_0| \;\Rightarrow\; |m_t|=|w_t| \text{ and }
\theta_t = \theta_0\exp\Bigl(-2\operatorname{sign}(\theta_0)\int_0^t\nabla f\,ds-4\beta t\Bigr) \text{ for all } t:
\text{ no coordinate reaches } 0""",
    hypotheses="Gradient flow of f(m⊙w) + β(‖m‖² + ‖w‖²) from |m₀| = |w₀| ≠ 0 in every coordinate, f differentiable.",
    constants={"rate": 2, "decay": 4},
    check=check,
    tolerance=1e-9,
    why="the integrator's tolerance of 1e-12, relative to θ that falls by many orders of magnitude",
    violate=violate,
    violated="balance: the factors differ by 0.1 to 10 %",
    mutations={
        "the gradient once, as for a factor": {"rate": 1},
        "decay e^(−βt)": {"decay": 1},
    },
    prove=prove,
)
