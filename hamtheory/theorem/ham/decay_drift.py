"""Where HAM's weight decay takes an interpolator: down its own penalty, off the path of limits."""

import numpy as np
import sympy as sp

import hamtheory as ht

from .._flows import integrate, regression
from .._theorem import Step, Theorem

# The problem whose least Ψ₁ is at (1, 1/3, 1/7), where θ/(1 + θ) = X/8.
ROW, LEAST = (4, 2, 1), (1, 3, 7)


def prove(power):
    a, z = sp.symbols("a z", positive=True)
    # n = 1, d = 2, θ > 0: the drift −θ + WXᵀ(XWXᵀ)⁻¹Xθ, W = g⁻¹
    w, x, s = sp.symbols("w1:3", positive=True), sp.symbols("x1:3", real=True), sp.symbols("theta1:3", positive=True)
    force = (x[0] * s[0] + x[1] * s[1]) / (x[0] ** 2 * w[0] + x[1] ** 2 * w[1])
    drift = [-s[i] + w[i] ** power * x[i] * force for i in range(2)]
    slope, best = z / (1 + z), [sp.Rational(1, k) for k in LEAST]
    return [
        Step("the drift stays on the interpolators", sp.simplify(x[0] * drift[0] + x[1] * drift[1])),
        Step("dΣΨ/dτ = −Σ (drift)²/g⁻¹, as Ψ′ = θ/g⁻¹",
             sp.simplify(sp.Add(*(s[i] / w[i] * drift[i] + drift[i] ** 2 / w[i] for i in range(2))))),
        *(Step(f"θ*/(1 + θ*) is X/8: entry {i + 1}", slope.subs(z, best[i]) - sp.Rational(ROW[i], 8))
          for i in range(3)),
        Step("a limit with this support has (1 + aθ₂)² = 1 + aθ₁ for its a: a = 3",
             sp.expand((1 + a * best[1]) ** 2 - (1 + a * best[0]) - a * (a - 3) / 9)),
        Step("and (1 + aθ₃)² = 1 + aθ₂: a = 7/3, another",
             sp.expand((1 + a * best[2]) ** 2 - (1 + a * best[1]) - a * (a - sp.Rational(7, 3)) / 49)),
    ]  # fmt: skip


def check(rng, power):
    return max(_drift(rng, power), _counterexample())


def violate(rng, power):
    return _drift(rng, power, small=1e3)


def _projected(X, theta, alpha, power):
    """The drift."""
    weighted = X.T * ((1 + alpha * np.abs(theta)) ** power)[:, None]
    return weighted @ np.linalg.solve(X @ weighted, X @ theta) - theta


def _drift(rng, power, small=1.0):
    """How far the flow at t = τ/β is from the drift at τ, for β → 0, and the end from its least Ψ; relative."""
    X, y = regression(rng, 3, 6)
    problem, alpha, tau = ht.LinearRegression(X, y), 10 ** rng.uniform(-0.5, 1), rng.uniform(0.5, 1.5)
    geo, start = ht.HAM(alpha), rng.normal(size=6)
    begin = np.asarray(ht.solve_limit(problem, geo, start, tol=1e-13).theta)
    slow = lambda _, theta: _projected(X, theta, alpha, power)  # noqa: E731
    drifted, end = integrate(slow, begin, [tau, 40 * (1 + alpha * np.abs(begin).max())], rtol=1e-10, atol=1e-12)
    betas = small * np.array([4e-3, 2e-3, 1e-3])
    found = [
        np.asarray(ht.solve_flow(problem, geo, start, weight_decay=beta, ts=[tau / beta], rtol=1e-11).thetas)[-1]
        for beta in betas
    ]
    limit = (found[0] - 6 * found[1] + 8 * found[2]) / 3
    least = ht.solve_limit(problem, geo, weight_decay=1e-8, tol=1e-12).theta
    return float(max(np.linalg.norm(limit - drifted), np.linalg.norm(least - end)) / np.linalg.norm(drifted))


def _counterexample():
    """How far the flow of α = 1 ends from the least Ψ₁, relative; 1 unless that is off the limits of HAM and of m⊙w."""
    best = 1 / np.array(LEAST, float)
    problem = ht.LinearRegression(np.array([ROW], float), [np.dot(ROW, best)])
    end = ht.solve_limit(problem, ht.HAM(1.0), weight_decay=1e-9, tol=1e-12).theta
    logs = np.linspace(-8, 12, 201)
    limits = [ht.limit_path(problem, family, logs * sign).thetas for family, sign in ((ht.HAM, 1), (ht.Hypentropy, -1))]
    nearest = np.min(np.linalg.norm(np.concatenate(limits) - best, axis=1)) / np.linalg.norm(best)
    return float(np.linalg.norm(end - best)) if nearest > 4e-3 else 1.0


THEOREM = Theorem(
    id="ham.decay-drift",
    title="HAM's weight decay drifts down its own penalty, off the path of limits",
    source="own; the two phases: boursier2025theoretical",
    statement=r"""\dot\theta = -(1+\alpha|\theta|)\odot\nabla f - \beta\theta,\ \beta \to 0:\quad
\theta_{\tau/\beta} \to z_\tau,\quad \dot z = -(I - WX^\top(XWX^\top)^{-1}X)z,\ W = \operatorname{diag}(1+\alpha|z|),
\ z_0 = \theta_\infty(\beta=0);\quad
\frac{d\Psi_\alpha(z)}{d\tau} = -\dot z^\top W^{-1}\dot z,\quad
z_\infty = \arg\min\{\Psi_\alpha(z) : Xz = y\},\quad
\Psi_\alpha = \sum_i \frac{\alpha|z_i| - \ln(1+\alpha|z_i|)}{\alpha^2};\quad
\text{for } X = (4,2,1),\ X\theta = \tfrac{101}{21},\ \alpha = 1:\ z_\infty = (1,\tfrac13,\tfrac17),
\text{ which is the limit of HAM from } 0 \text{ for no } \alpha""",
    hypotheses="α > 0, X of rank n, f = ‖Xθ − y‖²/2n; β → 0 at fixed τ = βt > 0.",
    constants={"power": 1},
    check=check,
    tolerance=1e-5,
    why="the rest of two extrapolations in β ≤ 4e-3, and kinks of the metric where entries pass through 0",
    violate=violate,
    violated="β → 0: it is 1 to 4",
    mutations={"the Euclidean projection": {"power": 0}, "the metric squared": {"power": 2}},
    prove=prove,
    special="the drift for n = 1, d = 2; the counterexample",
)
