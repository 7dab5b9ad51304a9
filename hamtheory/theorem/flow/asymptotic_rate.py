"""The exact rate at which the residual of a flow decays in the end."""

import numpy as np
import sympy as sp

import hamtheory as ht

from .._flows import dual_limit, euclidean, ham, integrate, product, regression
from .._theorem import Step, Theorem


def prove(factor, place):
    # For n = d = 2 and any metric: the residual's equation is linear in it, with the matrix at θ_t.
    n, t, rate = sp.Integer(2), sp.Symbol("t"), sp.Symbol("lambda", positive=True)
    X, y = sp.Matrix(2, 2, sp.symbols("x1:5", real=True)), sp.Matrix(sp.symbols("y1:3", real=True))
    theta, metric = sp.Matrix(sp.symbols("theta1:3", real=True)), sp.Function("h")
    residual = X * theta - y
    gradient = sp.Matrix([(residual.dot(residual) / (2 * n)).diff(x) for x in theta])
    moved = X * sp.Matrix([-metric(x) * g for x, g in zip(theta.flat(), gradient.flat(), strict=True)])
    matrix = X * sp.diag(*(metric(place * x) for x in theta)) * X.T / n
    first = (moved + matrix * residual).applyfunc(sp.expand)
    mode = sp.exp(-rate * t)
    return [
        Step("dr/dt = −X diag(g⁻¹(θ_t)) Xᵀ r/n, the first entry", first[0]),
        Step("and the second: as θ_t → θ_∞, a linear equation with a constant matrix", first[1]),
        Step("its slowest mode decays at the least eigenvalue λ", mode.diff(t) + factor * rate * mode),
    ]


def check(rng, factor, place):
    return _error(rng, factor, place, mode=0)


def violate(rng, factor, place):
    return _error(rng, factor, place, mode=1)


def _error(rng, factor, place, mode):
    """The largest relative difference of the three flows to the rate at which the residual falls, near the limit.

    Integrated in ν, where nothing but the residual has to vanish, from 1e-6 beside the limit, in one mode.
    """
    n, d = int(rng.integers(2, 6)), int(rng.integers(6, 9))
    X, y = regression(rng, n, d)
    problem, theta0, errors = ht.LinearRegression(X, y), rng.normal(size=d), []
    for flow in (euclidean(), ham(10 ** rng.uniform(-0.5, 2)), product(10 ** rng.uniform(-2, 0))):

        def theta_of(nu, of=flow):
            return of.inverse_mirror_map(of.mirror_map(theta0) + X.T @ nu)

        end = dual_limit(flow, X, y, theta0)
        theta = theta_of(end)
        predicted = factor * float(ht.metrics.asymptotic_rate(problem, flow.geo, place * theta))
        rates, modes = np.linalg.eigh((X * flow.inverse_metric(theta)) @ X.T / n)
        # A step in ν changes the residual by nH, H the matrix above: this one by a multiple of the mode.
        near = end + 1e-6 * np.linalg.norm(y) / (n * rates[mode]) * modes[:, mode]
        ts = np.linspace(0, 1, 5) / rates[mode]
        path = integrate(lambda t, nu, of=theta_of: -(X @ of(nu) - y) / n, near, ts, rtol=1e-13, atol=1e-17)
        sizes = [np.linalg.norm(X @ theta_of(nu) - y) for nu in path]
        errors.append(abs(-np.polyfit(ts, np.log(sizes), 1)[0] / predicted - 1))
    return float(max(errors))


THEOREM = Theorem(
    id="flow.asymptotic-rate",
    title="The rate at which a flow's residual decays in the end",
    source="own; linearisation at the limit",
    statement=r"""\dot r = -\tfrac1n X\operatorname{diag}(g^{-1}(\theta_t))X^\top r,\ r = X\theta_t - y; \quad
\lim_{t\to\infty} -\tfrac1t\ln\|r_t\| = \lambda_{\min}^+\bigl(X\operatorname{diag}(g^{-1}(\theta_\infty))X^\top\bigr)/n
\text{ if the slowest mode is in } r; \text{ the loss decays at twice that rate}""",
    hypotheses="f = ‖Xθ − y‖²/2n; the flow converges to an interpolator θ_∞; g⁻¹ is continuous and positive; the "
    "residual has a part in the slowest mode.",
    constants={"factor": 1, "place": 1},
    check=check,
    tolerance=1e-4,
    why="a residual of 1e-6 of y where the rate is measured, by which the metric differs from that at the limit",
    violate=violate,
    violated="the residual has no part in the slowest mode",
    mutations={
        "the rate of the loss": {"factor": 2},
        "the metric at zero": {"place": 0},
    },
    prove=prove,
    special="the residual's equation for n = d = 2; not that its rate tends to that at the limit",
)
