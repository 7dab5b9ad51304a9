"""The bound on the rate of m⊙w, which degenerates with the smallest imbalance."""

import numpy as np
import sympy as sp

import hamtheory as ht

from .._flows import regression
from .._theorem import Step, Theorem


def prove(factor):
    # A coordinate's part of −df/dt for the factors, and of its lower bound; then, for n = 2, that of ‖∇f‖² = rᵀKr/n.
    m, w, n = sp.symbols("m w n", positive=True)
    g, least = sp.symbols("g gamma", real=True)
    metric = m**2 + w**2  # dθ = m dw + w dm with dm = −w g, dw = −m g
    imbalance = (m**2 - w**2) / 2
    k11, k12, value, r1, r2 = sp.symbols("k11 k12 Lambda r1 r2", real=True)
    K, r = sp.Matrix([[k11, k12], [k12, value + k12**2 / (k11 - value)]]), sp.Matrix([r1, r2])
    gamma = sp.Symbol("gamma_i", positive=True)
    theta = sp.Symbol("theta", real=True)
    return [
        Step("dθ/dt = −(m² + w²)∂f", m * (-m * g) + w * (-w * g) + metric * g),
        Step("(m² + w²)² = 4(θ² + γ²), γ = |m² − w²|/2", metric**2 - 4 * ((m * w) ** 2 + imbalance**2)),
        Step("d(m² − w²)/dt = 0", 2 * m * (-w * g) - 2 * w * (-m * g)),
        Step(
            "2√(θ² + γ²) − 2γ = 2θ²/(√(θ² + γ²) + γ) ≥ 0, and 0 at θ = 0: the metric is at least 2γ",
            2 * sp.sqrt(theta**2 + gamma**2)
            - factor * gamma / 2
            - 2 * theta**2 / (sp.sqrt(theta**2 + gamma**2) + gamma),
        ),
        Step(
            "2γ‖∇f‖² − 4γΛf is a square times 2γ/(n(K₁₁ − Λ)) ≥ 0",
            2 * least * (r.T * K * r)[0] / n
            - factor * least * value * r.dot(r) / (2 * n)
            - 2 * least * ((k11 - value) * r1 + k12 * r2) ** 2 / (n * (k11 - value)),
        ),
    ]


def check(rng, factor):
    X, y, gamma, theta0 = _instance(rng)
    generic = _excess(X, y, gamma, theta0, gamma.min(), factor).max()
    # From zero, with one γ far above θ and the residual in the slowest mode, the bound is attained.
    _, modes = np.linalg.eigh(X @ X.T)
    small = 1e-4 * gamma.min() * modes[:, 0]
    tight = np.abs(_excess(X, small, np.full(6, gamma.min()), np.zeros(6), gamma.min(), factor)).max()
    return max(generic, tight)


def violate(rng, factor):
    X, _, gamma, _ = _instance(rng)
    _, modes = np.linalg.eigh((X * gamma) @ X.T)
    return _excess(X, 1e-4 * gamma.min() * modes[:, 0], gamma, np.zeros(6), gamma.max(), factor).max()


def _instance(rng):
    X, y = regression(rng, 3, 6)
    return X, y, 10 ** rng.uniform(-2, 1) * 10 ** rng.uniform(0, 1, 6), rng.normal(size=6)


def _excess(X, y, gamma, theta0, least, factor):
    """(ln(f(θ_t)/f(θ₀)) + 4γΛt)/4γΛt, positive where the bound is violated, of factors with these γ."""
    # m² − w² = 2γ and mw = θ₀
    m = np.sqrt(np.hypot(theta0, gamma) + gamma)
    rate = least * np.linalg.eigvalsh(X @ X.T / len(y))[0]
    ts = np.concatenate([[0.0], np.geomspace(0.05, 1, 23) / rate])
    flow = ht.product_flow(ht.LinearRegression(X, y), m, theta0 / m, ts=ts, rtol=1e-13, atol=1e-15)
    loss = np.maximum(flow.loss, 1e-300)
    return np.log(loss[1:] / loss[0]) / (factor * rate * ts[1:]) + 1


THEOREM = Theorem(
    id="mw.rate",
    title="The rate of m⊙w degenerates with its imbalance",
    source="jacobs2025mask, Theorem 2.3; that the constant is the best one: own",
    statement=r"""f(\theta_t) \le f(\theta_0)\,e^{-4\gamma\Lambda t},\quad
\gamma = \min_i |m_{0,i}^2-w_{0,i}^2|/2,\ \Lambda = \lambda_{\min}^+(XX^\top)/n; \quad
\text{the constant is the best one: equality holds as } \|\theta\|/\gamma\to 0 \text{ in the slowest mode,}\
\text{so that no rate is left as } \gamma\to 0""",
    hypotheses="f = ‖Xθ − y‖²/2n, θ = m⊙w, gradient flow on the factors; an interpolator exists; no weight decay; γ is "
    "that of the least imbalanced coordinate.",
    constants={"factor": 4},
    check=check,
    tolerance=1e-7,
    why="(θ/γ)² ~ 1e-8 where the bound is attained; of the integrator, 1e-13 over θ/γ ~ 1e-4",
    violate=violate,
    violated="γ is that of the most imbalanced coordinate",
    mutations={
        "without the 2 of the metric": {"factor": 2},
        "twice the rate": {"factor": 8},
        "a rate 1 % larger": {"factor": 4.04},
    },
    prove=prove,
    special="n = 2, X of full rank; not that the constant is the best one",
)
