"""HAM's loss falls at least as fast as the bound on gradient descent's."""

import numpy as np
import sympy as sp

import hamtheory as ht

from .._flows import regression
from .._theorem import Step, Theorem


def prove(factor):
    # For n = 2, d = 3 and θ of any signs. K = XXᵀ/n has the eigenvalue Λ: K₂₂ = Λ + K₁₂²/(K₁₁ − Λ).
    n, a = sp.symbols("n alpha", positive=True)
    X, y = sp.Matrix(2, 3, sp.symbols("x1:7", real=True)), sp.Matrix(sp.symbols("y1:3", real=True))
    theta = sp.Matrix(sp.symbols("theta1:4", real=True))
    residual = X * theta - y
    gradient = sp.Matrix([(residual.dot(residual) / (2 * n)).diff(x) for x in theta])
    falling = sum(g * (1 + a * sp.Abs(x)) * g for x, g in zip(theta.flat(), gradient.flat(), strict=True))  # −df/dt
    extra = a * sum(sp.Abs(x) * g**2 for x, g in zip(theta.flat(), gradient.flat(), strict=True))
    k11, k12, least, r1, r2 = sp.symbols("k11 k12 Lambda r1 r2", real=True)
    K, r = sp.Matrix([[k11, k12], [k12, least + k12**2 / (k11 - least)]]), sp.Matrix([r1, r2])
    slack = (r.T * K * r)[0] / n - factor * least * r.dot(r) / (2 * n)
    return [
        Step(
            "−df/dt = rᵀKr/n + α Σ|θᵢ|(∂ᵢf)², K = XXᵀ/n",
            sp.expand(falling - extra - (residual.T * X * X.T * residual)[0] / n**2),
        ),
        Step("Λ is an eigenvalue of K", (K - least * sp.eye(2)).det()),
        Step(
            "rᵀKr/n − 2Λf is a square over n(K₁₁ − Λ) ≥ 0: so −df/dt ≥ 2Λf",
            slack - ((k11 - least) * r1 + k12 * r2) ** 2 / (n * (k11 - least)),
        ),
    ]


def check(rng, factor):
    alpha, X, y, theta0 = _instance(rng)
    generic = _excess(alpha, X, y, theta0, factor).max()
    # Nearly gradient descent, from zero, with the residual in the slowest mode: there the bound is attained.
    _, modes = np.linalg.eigh(X @ X.T)
    tight = np.abs(_excess(1e-9, X, modes[:, 0], np.zeros(X.shape[1]), factor)).max()
    return max(generic, tight)


def violate(rng, factor):
    alpha, X, y, theta0 = _instance(rng)
    X[2], y[2] = X[1], y[1] + 3 * np.linalg.norm(y)  # one row twice, with two values of y
    return _excess(alpha, X, y, 0 * theta0, factor).max()


def _instance(rng):
    return 10 ** rng.uniform(-2, 2), *regression(rng, 3, 6), 10 ** rng.uniform(-1, 1) * rng.normal(size=6)


def _excess(alpha, X, y, theta0, factor):
    """(ln(f(θ_t)/f(θ₀)) + 2Λt)/2Λt, positive where the bound is violated."""
    values = np.linalg.eigvalsh(X @ X.T / len(y))
    least = values[values > 1e-10 * values[-1]][0]
    ts = np.concatenate([[0.0], np.geomspace(0.05, 2, 7) / least])
    flow = ht.solve_flow(
        ht.LinearRegression(X, y), ht.HAM(alpha), theta0, ts=ts, rtol=1e-11, atol=1e-13, solver="dop853"
    )
    loss = np.maximum(flow.loss, 1e-300)
    exponent = factor * least * ts[1:]
    return np.log(loss[1:] / loss[0]) / exponent + 1


THEOREM = Theorem(
    id="ham.convergence",
    title="HAM converges at least at gradient descent's rate",
    source="jacobs2026ham, Theorem 4.3; that the constant is the best one: own",
    statement=r"""f(\theta_t) \le f(\theta_0)\,e^{-2\Lambda t} \quad\text{for}\quad
\dot\theta = -(1+\alpha|\theta|)\odot\nabla f,\ \alpha \ge 0,\ \Lambda = \lambda_{\min}^+(XX^\top)/n;
\quad\text{the constant is the best one: equality holds at } \alpha = 0 \text{ in the slowest mode}""",
    hypotheses="f = ‖Xθ − y‖²/2n, and an interpolator exists; no weight decay.",
    constants={"factor": 2},
    check=check,
    tolerance=1e-8,
    why="α|θ| ≤ 1e-9·|θ| where the bound is attained, and the integrator's tolerance of 1e-11",
    violate=violate,
    violated="no interpolator exists: y is not in the range of X",
    mutations={
        "the rate of the residual for that of the loss": {"factor": 1},
        "a rate 1 % larger": {"factor": 2.02},
        "the rate doubled, as if α doubled the metric": {"factor": 4},
    },
    prove=prove,
    special="n = 2 and d = 3, X of full rank; not that the constant is the best one",
)
