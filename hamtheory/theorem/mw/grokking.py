"""m⊙w under weight decay walks along the limits of its own moving geometry: grokking is the limit path."""

import numpy as np
import sympy as sp

import hamtheory as ht

from .._flows import factors_velocity, integrate, regression
from .._theorem import Step, Theorem
from ..flow.basic_solutions import basic_solutions


def prove(decay, source):
    t, b, u, v = sp.symbols("t beta u v", positive=True)  # u² = |m₀ + w₀|²/4, v likewise
    n = sp.Symbol("n", positive=True)
    N, theta0 = sp.Function("N", real=True)(t), u**2 - v**2  # N = (Xᵀν)ᵢ = −∫∂f
    theta = u**2 * sp.exp(2 * N - 4 * b * t) - v**2 * sp.exp(-2 * N - 4 * b * t)
    gamma = 2 * u * v * sp.exp(-decay * b * t)
    mapped = gamma * sp.sinh(sp.log(u / v) + 2 * N)  # asinh(θ₀/γ₀) = ln(u/v)
    start = 2 * u * v * sp.sinh(sp.log(u / v))
    # a residual ρ of n = 1, d = 2, r = y − Xθ: dr/dt = −(K + 4β) r + 4βy with K = XWXᵀ/n
    x, w, s = (sp.symbols(name, real=True) for name in ("x1:3", "w1:3", "theta1:3"))
    y = sp.Symbol("y", real=True)
    r = y - x[0] * s[0] - x[1] * s[1]
    velocity = [w[i] * x[i] * r / n - 4 * b * s[i] for i in range(2)]
    K = (w[0] * x[0] ** 2 + w[1] * x[1] ** 2) / n
    return [
        Step("γ₀ sinh(asinh θ₀/γ₀) = θ₀", sp.expand(start.rewrite(sp.exp) - theta0)),
        Step("θ_t = γ_t sinh(asinh(θ₀/γ₀) + 2Xᵀν_t)", sp.expand((mapped - theta).rewrite(sp.exp))),
        Step("and θ₀/γ₀ = θ₀e^(−4βt)/γ_t", sp.simplify(theta0 * sp.exp(-4 * b * t) / gamma - theta0 / (2 * u * v))),
        Step(
            "dr/dt = −(K + 4β)r + 4βy",
            sp.expand(-x[0] * velocity[0] - x[1] * velocity[1] + (K + 4 * b) * r - source * b * y),
        ),
    ]


def check(rng, decay, source):
    return max(_exact(rng, decay, source), _leading(rng, decay, source))


def violate(rng, decay, source):
    return _exact(rng, decay, source, of_w=0.5)


def _instance(rng):
    X, y = regression(rng, 3, 6)
    m, w = 10 ** rng.uniform(-1, 0) * rng.normal(size=(2, 6))
    return X, y, m, w, np.abs(m**2 - w**2) / 2


def _limit(X, y, gamma, start):
    return np.asarray(ht.solve_limit(ht.LinearRegression(X, y), ht.Hypentropy(gamma), start, tol=1e-13).theta)


def _exact(rng, decay, source, of_w=1.0):
    """How far θ_t is from the limit with its own image, and by how much two bounds are exceeded, relative.

    w has the decay `of_w` β.
    """
    X, y, m, w, gamma = _instance(rng)
    beta, end = 10 ** rng.uniform(-2, 0), rng.uniform(1, 10)
    ts = np.linspace(0, end, 201)
    velocity = factors_velocity(X, y, lambda _: beta, lambda _: of_w * beta)
    states = integrate(velocity, np.concatenate([m, w]), ts)
    thetas, moved = states[:, :6] * states[:, 6:], np.exp(-decay * beta * ts)
    shrunk = gamma * moved[-1], m * w * np.exp(-4 * beta * end)
    last, size = thetas[-1], np.linalg.norm(thetas[-1])
    error = np.linalg.norm(_limit(X, X @ last, *shrunk) - last) / size

    r = y - thetas @ X.T
    most = np.linalg.norm(basic_solutions(X, r[-1]), axis=1).max()
    over = np.linalg.norm(_limit(X, y, *shrunk) - last) / most - 1
    metrics = 2 * np.hypot(thetas, gamma * moved[:, None])
    least = min(np.linalg.eigvalsh((X * metric) @ X.T / 3)[0] for metric in metrics) + 4 * beta
    bound = np.exp(-least * end) * np.linalg.norm(r[0]) + source * beta * np.linalg.norm(y) / least
    return float(max(error, over, np.linalg.norm(r[-1]) / bound - 1))


def _leading(rng, decay, source):
    """How far (θ̂_t − θ_t)/β at βt = τ is from its limit β → 0, by extrapolation, relative."""
    X, y, m, w, gamma = _instance(rng)
    tau, found = rng.uniform(0.1, 0.4), []
    shrunk = gamma * np.exp(-decay * tau), m * w * np.exp(-4 * tau)
    limit = _limit(X, y, *shrunk)
    metric = 2 * np.hypot(limit, shrunk[0])
    gram = (X * metric) @ X.T
    for beta in 1e-4 * np.linalg.eigvalsh(gram)[0] * np.array([4, 2, 1]):
        flow = ht.product_flow(
            ht.LinearRegression(X, y), m, w, weight_decay=beta, ts=[tau / beta], rtol=1e-12, atol=1e-14
        )
        found.append((limit - np.asarray(flow.thetas)[-1]) / beta)
    law = source * len(y) * metric * (X.T @ np.linalg.solve(gram, np.linalg.solve(gram, y)))
    extrapolated = (found[0] - 6 * found[1] + 8 * found[2]) / 3
    return float(np.linalg.norm(extrapolated - law) / np.linalg.norm(law))


THEOREM = Theorem(
    id="mw.grokking",
    title="Grokking of m⊙w is its limit path, walked at constant speed in ln γ",
    source="own, from the closed form of jacobs2025mirror; the two phases: boursier2025theoretical",
    statement=r"""\theta_t = \arg\min\{D_{R_{\gamma_t}}(\theta,\theta_0e^{-4\beta t}) : X\theta = X\theta_t\}
\text{ for every } t,\quad \gamma_t = \gamma_0e^{-4\beta t};\quad
\hat\theta_t = \arg\min\{D_{R_{\gamma_t}}(\theta,\theta_0e^{-4\beta t}) : X\theta = y\},\ r_t = y - X\theta_t:\quad
\|\hat\theta_t-\theta_t\| \le \max_B\|X_B^{-1}r_t\|,\quad
\|r_t\| \le e^{-(\kappa+4\beta)t}\|r_0\| + \frac{4\beta\|y\|}{\kappa+4\beta},\
\kappa = \min_{s\le t}\lambda_{\min}(\tfrac1nXW_sX^\top);\quad
\hat\theta_t-\theta_t = 4\beta n\,W X^\top(XWX^\top)^{-2}y + O(\beta^2)
\text{ at fixed } \beta t > 0""",
    hypotheses="Gradient flow of f(m⊙w) + β(‖m‖² + ‖w‖²), f = ‖Xθ − y‖²/2n, X of rank n, γ₀ = |m₀² − w₀²|/2 > 0, "
    "W = 2 diag √(θ² + γ_t²) (W_s on the way, W at the limit); one β for both factors.",
    constants={"decay": 4, "source": 4},
    check=check,
    tolerance=1e-6,
    why="differences over β, 1e-4 of the least eigenvalue, of flows and limits to 1e-12; the first statement is exact "
    "to 1e-10",
    violate=violate,
    violated="one β for both factors: w has half of that of m",
    mutations={
        "γ decays as a factor does": {"decay": 2},
        "γ does not move": {"decay": 0},
        "the distance of a decay that is half as strong": {"source": 2},
    },
    prove=prove,
    special="the law of the residual for n = 1, d = 2",
)
