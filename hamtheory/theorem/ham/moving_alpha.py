"""Which weight decay leaves dual coordinates: that whose metric shrinks along; HAM's is not one."""

import numpy as np
import sympy as sp

import hamtheory as ht

from .._flows import Formulas, any_of_three, gradient, ham, integrate, regression
from .._theorem import Step, Theorem


def prove(growth):
    t, b, a, x = sp.symbols("t beta alpha x", positive=True)
    theta, g, p, q = sp.Function("theta", positive=True)(t), *sp.symbols("g p q", real=True)
    h, c = sp.Function("h"), sp.Symbol("c", positive=True)
    scaled = theta * sp.exp(growth * b * t)
    velocity = -c * h(theta * sp.exp(b * t)) * g - b * theta
    moved = scaled.diff(t).subs(theta.diff(t), velocity) / h(scaled)  # R″ = 1/h
    # φ_t(θ) with dφ/dt = −c∂f: φ′g⁻¹ = c and ∂φ/∂t = βθφ′, so φ = cR′ + b(t) and βθ/g⁻¹ = pR′ + q for all θ
    slope, wrong = sp.log(1 + a * x) / a, b * x / (1 + a * x) - p * sp.log(1 + a * x) / a - q
    power = sp.Symbol("C") * x**p - q / p
    return [
        Step("dR′(θ/λ)/dt = −(c/λ)∂f, λ = e^(−βt)", sp.simplify(moved + c * g * sp.exp(growth * b * t))),
        Step("HAM's: λ(1 + α|θ|/λ) is λ + α|θ|", sp.expand(sp.exp(-b * t) * (1 + a * x * sp.exp(b * t)))
             - sp.exp(-b * t) - a * x),
        Step("HAM that does not move: R′ = ln(1 + αθ)/α", slope.diff(x) - 1 / (1 + a * x)),
        Step("at θ = 0, βθ/g⁻¹ − pR′ − q is −q", wrong.subs(x, 0) + q),
        Step("its first derivative there β − p", wrong.diff(x).subs(x, 0) - b + p),
        Step("its second, for p = β, −αβ ≠ 0", wrong.diff(x, 2).subs({x: 0, p: b}) + a * b),
        Step("θR″ = pR′ + q has the solutions R′ = Cθ^p − q/p, with g⁻¹ ∝ θ^(1 − p); and q ln θ for p = 0",
             sp.simplify(x * power.diff(x) - p * power - q)),
    ]  # fmt: skip


def check(rng, growth):
    return max(_error(rng, growth, any_of_three(rng)), _error(rng, growth, ham(10 ** rng.uniform(0, 1.5))))


def violate(rng, growth):
    return _error(rng, growth, ham(10 ** rng.uniform(0, 1.5)), moves=False)


def _error(rng, growth, flow: Formulas, moves=True):
    """How far θ_t/λ_t is from the limit, from θ₀, of the problem with its own image, relative, at three times.

    Not `moves`: the metric stays as it is at the start.
    """
    X, y = regression(rng, 3, 6)
    beta, start, ts = 10 ** rng.uniform(-0.5, 0), rng.normal(size=6), np.array([0.5, 1.0, 2.0])

    def velocity(t, x):
        shrunk = np.exp(-beta * t) if moves else 1.0
        return -shrunk * flow.inverse_metric(x / shrunk) * gradient(X, y, x) - beta * x

    errors = []
    for t, theta in zip(ts, integrate(velocity, start, ts), strict=True):
        scaled = theta * np.exp(growth * beta * t)
        limit = ht.solve_limit(ht.LinearRegression(X, X @ scaled), flow.geo, start, tol=1e-13).theta
        errors.append(np.linalg.norm(limit - scaled) / np.linalg.norm(scaled))
    return float(max(errors))


THEOREM = Theorem(
    id="ham.moving-alpha",
    title="Which weight decay leaves dual coordinates, and that HAM's does not",
    source="own; for m⊙w in jacobs2025mirror",
    statement=r"""\dot\theta = -c_t\,h(\theta/\lambda_t)\odot\nabla f - \beta\theta,\ \lambda_t = e^{-\beta t}:\quad
R'(\theta_t/\lambda_t) - R'(\theta_0) \in \operatorname{range}X^\top \text{ for every } t,\quad R'' = 1/h;
\quad\text{for HAM: } h(\theta/\lambda_t) = 1 + \alpha_t|\theta|,\ \alpha_t = \alpha e^{\beta t};
\quad\text{with } g^{-1} \text{ that does not move such coordinates exist if and only if }
\theta/g^{-1} = pR'+q: \text{ for powers of }|\theta| \text{ alone, and not for } 1+\alpha|\theta|""",
    hypotheses="f a differentiable function of Xθ, c_t > 0, h > 0; coordinates φ_t(θ), elementwise, with "
    "dφ_t/dt = −c_t∇f whatever f is. (m⊙w has c_t = λ_t, with 4β.)",
    constants={"growth": 1},
    check=check,
    tolerance=1e-9,
    why="the integrator's tolerance of 1e-12 over the kinks of HAM's metric, times α",
    violate=violate,
    violated="the metric moves along: HAM's stays",
    mutations={"γ of m⊙w, in units of the decay of a factor": {"growth": 2}, "α does not move": {"growth": 0}},
    prove=prove,
)
