"""m⊙w with weight decay in θ alone: its metric moves, because the imbalance decays."""

import numpy as np
import sympy as sp

from .._flows import factors_velocity, gradient, integrate, product_path, regression
from .._theorem import Step, Theorem


def prove(metric, decay):
    t, b, g0 = sp.symbols("t beta gamma0", positive=True)
    m, w, g = sp.symbols("m w g", real=True)
    dm, dw = -(w * g + 2 * b * m), -(m * g + 2 * b * w)
    gamma = g0 * sp.exp(-decay * b * t)
    theta, imbalance = m * w, (m**2 - w**2) / 2
    return [
        Step("d(mw)/dt = −(m² + w²)∂f − 4βmw", sp.expand(w * dm + m * dw + (m**2 + w**2) * g + 4 * b * theta)),
        Step("m² + w² = 2√(θ² + γ²), squared", sp.expand((m**2 + w**2) ** 2 - metric**2 * (theta**2 + imbalance**2))),
        Step("d(m² − w²)/dt = −4β(m² − w²)", sp.expand(2 * m * dm - 2 * w * dw + 4 * b * (m**2 - w**2))),
        Step("which γ₀e^(−4βt) solves", gamma.diff(t) + 4 * b * gamma),
    ]


def check(rng, metric, decay):
    X, y, m, w, beta, end = _instance(rng)
    path, _ = product_path(X, y, m, w, beta, end)
    return _error(X, y, m, w, beta, end, np.asarray(path.theta), metric, decay)


def violate(rng, metric, decay):
    X, y, m, w, beta, end = _instance(rng)
    velocity = factors_velocity(X, y, lambda t: 1.5 * beta, lambda t: 0.5 * beta)
    state = integrate(velocity, np.concatenate([m, w]), [end])[-1]
    return _error(X, y, m, w, beta, end, state[:6] * state[6:], metric, decay)


def _instance(rng):
    X, y = regression(rng, 3, 6)
    m, w = 10 ** rng.uniform(-1, 0.3) * rng.normal(size=(2, 6))
    return X, y, m, w, 10 ** rng.uniform(-1, 0), rng.uniform(0.5, 1.5)


def _error(X, y, m, w, beta, end, theta, metric, decay):
    """The relative distance of θ, from the factors, to the end of the flow of θ itself."""
    gamma = np.abs(m**2 - w**2) / 2

    def velocity(t, x):
        return -metric * np.hypot(x, gamma * np.exp(-decay * beta * t)) * gradient(X, y, x) - 4 * beta * x

    return float(np.linalg.norm(integrate(velocity, m * w, [end])[-1] - theta) / np.linalg.norm(theta))


THEOREM = Theorem(
    id="mw.gamma",
    title="Weight decay moves the geometry of m⊙w",
    source="jacobs2025mirror, time-dependent mirror flow of m⊙w",
    statement=r"""\dot\theta = -2\sqrt{\theta^2+\gamma_t^2}\odot\nabla f - 4\beta\theta,\quad
\gamma_t = \gamma_0 e^{-4\beta t},\quad \gamma_0 = \tfrac12|m_0^2-w_0^2|""",
    hypotheses="Gradient flow of f(m⊙w) + β(‖m‖² + ‖w‖²), f differentiable; one β for both factors.",
    constants={"metric": 2, "decay": 4},
    check=check,
    tolerance=1e-10,
    why="the tolerances of two integrators, 1e-12, magnified by up to the ratio of the factors to θ",
    violate=violate,
    violated="one β for both factors: m decays at 3 times the rate of w (with the same mean)",
    mutations={
        "the metric √(θ² + γ²), whose factor 2 papers leave to the unit of time": {"metric": 1},
        "γ decays as a factor does": {"decay": 2},
        "γ does not move": {"decay": 0},
    },
    prove=prove,
)
