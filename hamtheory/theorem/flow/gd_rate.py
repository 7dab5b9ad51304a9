"""Gradient descent's flow, mode by mode, and the rate of its slowest one."""

import numpy as np
import sympy as sp

import hamtheory as ht

from .._flows import regression
from .._theorem import Step, Theorem


def prove(factor):
    # The residual's equation for n = 2 and d = 3; then a mode j of any number of them, in the eigenbasis of XXᵀ/n.
    n, t = sp.Integer(2), sp.Symbol("t", positive=True)
    X, y = sp.Matrix(2, 3, sp.symbols("x1:7", real=True)), sp.Matrix(sp.symbols("y1:3", real=True))
    theta = sp.Matrix(sp.symbols("theta1:4", real=True))
    residual = X * theta - y
    loss = residual.dot(residual) / (2 * n)
    velocity = -sp.Matrix([loss.diff(x) for x in theta])
    moved = (residual.jacobian(theta) * velocity + X * X.T * residual / n).applyfunc(sp.expand)
    size, rate, least, m = sp.symbols("rho lambda_j Lambda n", positive=True)
    mode = size * sp.exp(-rate * t)
    of_loss = size**2 * sp.exp(-factor * rate * t) / (2 * m)
    return [
        Step("dr/dt = −XXᵀ r/n, the first entry", moved[0]),
        Step("and the second", moved[1]),
        Step("a mode of it is ρ e^(−λt)", mode.diff(t) + rate * mode),
        Step("its part of the loss is ρ² e^(−2λt)/2n", mode**2 / (2 * m) - of_loss),
        Step(
            "−df/dt − 2Λf is (λ − Λ)r²/n ≥ 0 in every mode",
            -of_loss.diff(t) - factor * least * of_loss - (rate - least) * mode**2 / m,
        ),
    ]


def check(rng, factor):
    return _error(
        *regression(rng, 3, 6, 10 ** rng.uniform(0, 1)), 10 ** rng.uniform(-2, 2) * rng.normal(size=6), factor
    )


def violate(rng, factor):
    X, y = regression(rng, 3, 6)
    X[2] = X[1]  # and y is not: no interpolator
    return _error(X, y, rng.normal(size=6), factor)


def _error(X, y, theta0, factor):
    """The relative error of the sum over the modes, and by how much the bound is violated."""
    values, modes = np.linalg.eigh(X @ X.T / len(y))
    least = values[values > 1e-10 * values[-1]][0]
    ts = np.geomspace(0.01, 4, 9) / least
    flow = ht.solve_flow(
        ht.LinearRegression(X, y), ht.Euclidean(), theta0, ts=ts, rtol=1e-12, atol=1e-14, solver="dop853"
    )
    parts = (modes.T @ (X @ theta0 - y)) ** 2 / (2 * len(y))
    loss = flow.loss
    summed = np.exp(-factor * ts[:, None] * values) @ parts
    bound = parts.sum() * np.exp(-factor * least * ts)
    return max(np.abs(loss / summed - 1).max(), (loss / bound - 1).max())


THEOREM = Theorem(
    id="flow.gd-rate",
    title="Gradient descent's loss, mode by mode",
    source="jacobs2026ham, Theorem 4.3, of gradient descent; mode by mode: own",
    statement=r"""f(\theta_t) = \tfrac{1}{2n}\sum_j (u_j^\top r_0)^2 e^{-2\lambda_j t} \le f(\theta_0)\,e^{-2\Lambda t},
\quad \tfrac1n XX^\top = \sum_j\lambda_j u_ju_j^\top,\ r_0 = X\theta_0 - y,
\Lambda = \min\{\lambda_j : \lambda_j > 0\}""",
    hypotheses="f = ‖Xθ − y‖²/2n, and an interpolator exists.",
    constants={"factor": 2},
    check=check,
    tolerance=3e-9,
    why="the integrator's tolerance of 1e-12, relative to a residual that falls by up to e⁻⁴",
    violate=violate,
    violated="no interpolator exists: y is not in the range of X",
    mutations={"the rate of the residual for that of the loss": {"factor": 1}, "twice the rate": {"factor": 4}},
    prove=prove,
    special="n = 2 and d = 3, and one mode at a time",
)
