"""How fast HAM with weight decay gets to the regularised minimiser: at β, divided by the metric there."""

import numpy as np
import sympy as sp

import hamtheory as ht

from .._flows import regression
from .._theorem import Step, Theorem


def prove(power, decay):
    # θ, θ* > 0 of one coordinate; g = ∂f at θ, h at θ*, where h + βΨ′ = 0. Ψ′ = θ/(1 + αθ), and R′ = ln(1 + αθ)/α
    x, best, a, b, rho = sp.symbols("theta theta_* alpha beta rho", positive=True)
    g, p, q = sp.symbols("g p q", real=True)
    metric = 1 + a * x
    slope, penalty = sp.log(metric) / a, x / metric
    velocity = -metric * g - decay * b * x
    h = -b * penalty.subs(x, best)

    def divergence(of, at):
        return ((1 + a * of) * sp.log((1 + a * of) / (1 + a * at)) - a * (of - at)) / a**2

    # the matrix at the limit, for n = 1, d = 2: D = diag(1 + αθ), H = (p, q)ᵀ(p, q), and z = (q, −p) with Hz = 0
    t = sp.symbols("t1:3", positive=True)
    residual = sp.Symbol("r", real=True)  # pθ₁ + qθ₂ − y, where r (p, q) + βΨ′ = 0 at the limit
    field = [-(1 + a * s) * c * (residual + p * (t[0] - best) + q * (t[1] - rho)) - b * s
             for s, c in zip(t, (p, q), strict=True)]  # fmt: skip
    at = {t[0]: best, t[1]: rho}
    diagonal = [sp.diff(field[i], t[i]).subs(at).subs(residual * c, -b * s / (1 + a * s))
                for i, (c, s) in enumerate(((p, best), (q, rho)))]  # fmt: skip
    return [
        Step("dR′(θ)/dt = −∂f − βΨ′(θ)", sp.diff(slope, x) * velocity + g + b * penalty),
        Step("dD_R(θ*, θ)/dt = (θ − θ*) dR′(θ)/dt", sp.diff(divergence(best, x), x) - (x - best) * sp.diff(slope, x)),
        Step("which is −(θ − θ*)(∂f(θ) − ∂f(θ*)) − β(θ − θ*)(Ψ′(θ) − Ψ′(θ*))",
             sp.expand((x - best) * (-g - b * penalty + (g - h) + b * (penalty - penalty.subs(x, best))))),
        Step("(1 + αρ)Ψ″ − R″ = α(ρ − θ)/(1 + αθ)² ≥ 0 for θ ≤ ρ",
             (1 + a * rho) ** power * sp.diff(penalty, x) - sp.diff(slope, x) - a * (rho - x) / metric**2),
        Step("(θ − θ*)(R′(θ) − R′(θ*)) = D_R(θ*, θ) + D_R(θ, θ*)",
             sp.expand_log((x - best) * (slope - slope.subs(x, best)) - divergence(best, x) - divergence(x, best),
                           force=True)),
        *(Step(f"at the limit the flow's derivative is −(DH + βD⁻¹): entry {i + 1} of the diagonal",
               sp.simplify(of + (1 + a * s) * c**2 + decay * b / (1 + a * s) ** power))
          for i, (of, c, s) in enumerate(zip(diagonal, (p, q), (best, rho), strict=True))),
        Step("and the entry off it", sp.diff(field[0], t[1]) + (1 + a * t[0]) * p * q),
        Step("β − βD⁻¹ = βα|θ|D⁻¹ ≥ 0: in the kernel of X the rate is β at most", b - b / metric - b * a * x / metric),
        Step("D⁻¹ − 1/(1 + αρ) = α(ρ − θ)/((1 + αθ)(1 + αρ)) ≥ 0: and β/(1 + αρ) at least",
             sp.simplify(1 / metric - 1 / (1 + a * rho) - a * (rho - x) / metric / (1 + a * rho))),
    ]  # fmt: skip


def check(rng, power, decay):
    return _error(rng, power, decay, held=True)


def violate(rng, power, decay):
    return _error(rng, power, decay, held=False)


def _error(rng, power, decay, held):
    """By how much the flow exceeds the bound, and the relative error of its rate near the limit; of an exponent.

    Not `held`: without the weight decay.
    """
    X, y = regression(rng, 3, 6)
    problem, alpha, beta = ht.LinearRegression(X, y), 10 ** rng.uniform(0, 1.5), 10 ** rng.uniform(-1.5, 0)
    geometry = ht.HAM(alpha)
    best = np.asarray(ht.solve_limit(problem, geometry, weight_decay=beta, tol=1e-14, throw=False).theta)
    metric = 1 + alpha * np.abs(best)
    root = X * np.sqrt(metric)
    rates, modes = np.linalg.eigh(root.T @ root / 3 + decay * beta * np.diag(metric ** -float(power)))
    how = {"weight_decay": beta if held else 0.0, "rtol": 1e-12, "atol": 1e-14}

    def flow(start, ts):
        return np.asarray(ht.solve_flow(problem, geometry, start, ts=ts, **how).thetas)

    ts = np.linspace(0, 1, 9)
    path = flow(rng.normal(size=6), 3 * ts * metric.max() / beta)
    largest = 1 + alpha * max(np.abs(path).max(), np.abs(best).max())
    distance = np.array([float(ht.bregman_divergence(geometry, best, theta)) for theta in path])
    bound = decay * beta * 3 * ts * metric.max() / beta / largest ** float(power)
    over = np.max(np.log(distance[1:] / distance[0]) + bound[1:])

    near = flow(best + 1e-6 * np.sqrt(metric) * modes[:, 0], ts / rates[0]) - best
    fitted = -np.polyfit(ts, np.log(np.linalg.norm(near, axis=1)), 1)[0]
    sides = max(decay * beta / metric.max() ** float(power) - rates[0], rates[0] - decay * beta, 0.0) / rates[0]
    return float(max(over, abs(fitted - 1), sides))


THEOREM = Theorem(
    id="ham.decay-rate",
    title="How fast HAM with weight decay gets to its limit",
    source="own",  # the flow: jacobs2026ham, Theorem 4.2
    statement=r"""\dot\theta = -(1+\alpha|\theta|)\odot\nabla f - \beta\theta,\
\theta^* = \operatorname*{argmin} f + \beta\Psi_\alpha:\quad
D_R(\theta^*,\theta_t) \le e^{-\beta t/(1+\alpha\rho)}D_R(\theta^*,\theta_0),\
\rho = \sup_{s\le t}\max(\|\theta_s\|_\infty,\|\theta^*\|_\infty);\quad
\lim_{t\to\infty}-\tfrac1t\ln\|\theta_t-\theta^*\| = \lambda
= \lambda_{\min}\bigl(D^{1/2}\tfrac1nX^\top XD^{1/2} + \beta D^{-1}\bigr),\
D = \operatorname{diag}(1+\alpha|\theta^*|);\quad
\frac{\beta}{1+\alpha\|\theta^*\|_\infty} \le \lambda \le \beta\ \text{if}\ n < d""",
    hypotheses="α, β > 0. The bound: any convex and differentiable f. The rate: f = ‖Xθ − y‖²/2n, and a part of θ₀ in "
    "the slowest mode.",
    constants={"power": 1, "decay": 1},
    check=check,
    tolerance=1e-5,
    why="the flow is 1e-6 away from the limit where the rate is measured, times α and the condition of the problem",
    violate=violate,
    violated="β > 0 (the flow has none, and ends elsewhere)",
    mutations={
        "the rate β": {"power": 0},
        "Ψ″ without the metric before it": {"power": 2},
        "the rate of m⊙w's γ": {"decay": 4},
    },
    prove=prove,
    special="the rate for n = 1 and d = 2; the bound coordinate by coordinate",
)
