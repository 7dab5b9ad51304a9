"""∇R(θ_t) − ∇R(θ₀) = Xᵀν_t with n numbers ν, and any integrator of ν that converges ends at the flow's limit."""

import numpy as np
import sympy as sp

import hamtheory as ht

from .._flows import any_of_three, gradient, integrate, regression
from .._theorem import Step, Theorem


def prove(exponent):
    # For n = 2, d = 3: ∇f from the loss, and d(R′(θ))/dt = R″(θ) dθ/dt. That every ν has its θ is all that integrators
    # need: whatever their steps, R′(θ(ν)) − R′(θ₀) is in row(X), which is the optimality condition of the projection.
    n, theta = sp.Integer(2), sp.Matrix(sp.symbols("theta1:4", real=True))
    X, y = sp.Matrix(2, 3, sp.symbols("x1:7", real=True)), sp.Matrix(sp.symbols("y1:3", real=True))
    residual = X * theta - y
    loss = residual.dot(residual) / (2 * n)
    velocity = -residual / n**exponent
    a, g, x, mu = sp.symbols("alpha gamma x mu", positive=True)
    steps = []
    # the inverse metrics, mirror maps and their inverses, for θ > 0; all three are odd
    for name, metric, mirror, inverse in (
        ("GD", sp.Integer(1), x, mu),
        ("HAM", 1 + a * x, sp.log(1 + a * x) / a, (sp.exp(a * mu) - 1) / a),
        ("m⊙w", 2 * sp.sqrt(x**2 + g**2), sp.asinh(x / g) / 2, g * sp.sinh(2 * mu)),
    ):
        moved = sp.diff(mirror, x) * (-metric * sp.diff(loss, theta[0]))
        steps.append(Step(f"{name}: dR′(θ)/dt = (Xᵀ dν/dt)", sp.simplify(moved - (X.T * velocity)[0])))
        steps.append(Step(f"{name}: (R*)′ inverts R′: every ν has its θ", inverse.subs(mu, mirror) - x))
    return steps


def check(rng, exponent):
    n, d = 3, 6
    flow, (X, y), theta0 = any_of_three(rng), regression(rng, n, d), rng.normal(size=d)

    def field(t, x):  # of θ, and of ν as one more integral
        return np.append(-flow.inverse_metric(x[:d]) * gradient(X, y, x[:d]), -(X @ x[:d] - y) / n**exponent)

    path = integrate(field, np.append(theta0, np.zeros(n)), 10 ** rng.uniform(-1, 0.5, 1))[-1]
    shift = flow.mirror_map(path[:d]) - flow.mirror_map(theta0)
    along = float(np.linalg.norm(shift - X.T @ path[d:]) / np.linalg.norm(shift))
    return max(along, _euler(rng, flow, X, y, theta0, dual=True))


def violate(rng, exponent):
    flow = any_of_three(rng)
    while np.ptp(flow.inverse_metric(np.array([0.1, 1.0]))) == 0:  # where dual coordinates are those of θ
        flow = any_of_three(rng)
    return _euler(rng, flow, *regression(rng, 3, 6), rng.normal(size=6), dual=False)


def _euler(rng, flow, X, y, theta0, dual):
    """Where Euler's method ends, with steps of 0.3 to 1 of the stable ones, relative to the limit of the flow."""
    n, origin, nu, theta = len(y), flow.mirror_map(theta0), np.zeros(len(y)), theta0
    for _ in range(2000):
        residual = X @ theta - y
        if np.linalg.norm(residual) < 1e-12 * np.linalg.norm(y):
            break
        step = rng.uniform(0.3, 1) / np.linalg.norm((X * flow.inverse_metric(theta)) @ X.T / n, 2)
        for _ in range(40):  # shorter, where the residual would not fall
            if dual:
                new = nu - step * residual / n
                after = flow.inverse_mirror_map(origin + X.T @ new)
            else:
                new, after = nu, theta - step * flow.inverse_metric(theta) * gradient(X, y, theta)
            if np.linalg.norm(X @ after - y) < np.linalg.norm(residual):
                break
            step /= 2
        nu, theta = new, after
    limit = ht.solve_limit(ht.LinearRegression(X, y), flow.geo, theta0).theta
    return float(np.linalg.norm(theta - limit) / np.linalg.norm(limit))


THEOREM = Theorem(
    id="flow.dual-coordinates",
    title="n dual numbers carry the flow, and their integrators its bias",
    source="li2022implicit, mirror flow of a commuting reparametrisation; Euler's steps on ν: own",
    statement=r"""\nabla R(\theta_t) - \nabla R(\theta_0) = X^\top\nu_t, \quad \dot\nu = -\tfrac{1}{n}(X\theta - y),
\quad \theta = (\nabla R^*)(\nabla R(\theta_0) + X^\top\nu); \qquad \text{every sequence } \nu_k
\text{ with } X\theta(\nu_k) \to y \text{ has } \theta(\nu_k)\to\arg\min\{D_R(\theta,\theta_0):X\theta=y\}""",
    hypotheses="f = ‖Xθ − y‖²/2n; the inverse metric is separable and positive; no weight decay; the integration is "
    "one of ν (Euler's method, steps of random length, up to half the limit of stability).",
    constants={"exponent": 1},
    check=check,
    tolerance=1e-9,
    why="the tolerance 1e-10 of the limit's solver, times the condition of the problem; 1e-12 of the integrators",
    violate=violate,
    violated="Euler's method on θ instead of ν",
    mutations={"the 1/n of the loss forgotten": {"exponent": 0}, "1/n twice": {"exponent": 2}},
    prove=prove,
    special="n = 2 and d = 3, of three geometries; not that θ(ν_k) converges where its residual does",
)
