"""The flow of m⊙w with weight decay, up to the integral of its gradient."""

import numpy as np
import sympy as sp

from .._flows import factors_velocity, gradient, integrate, product_path, regression
from .._theorem import Step, Theorem


def prove(rate, decay):
    t, b = sp.symbols("t beta", positive=True)
    u0, v0 = sp.symbols("u0 v0", real=True)
    m, w, slope = sp.Symbol("m", real=True), sp.Symbol("w", real=True), sp.Symbol("g", real=True)
    G = sp.Function("G", real=True)(t)  # ∫∇f
    g = G.diff(t)
    dm, dw = -(w * slope + 2 * b * m), -(m * slope + 2 * b * w)
    u, v = u0 * sp.exp(-G - 2 * b * t), v0 * sp.exp(G - 2 * b * t)
    theta = u0**2 * sp.exp(-rate * G - decay * b * t) - v0**2 * sp.exp(rate * G - decay * b * t)
    return [
        Step("mw = u² − v² with u = (m + w)/2, v = (m − w)/2", sp.expand(((m + w) ** 2 - (m - w) ** 2) / 4 - m * w)),
        Step("du/dt = −(∂f + 2β)u", sp.expand((dm + dw) / 2 + (slope + 2 * b) * (m + w) / 2)),
        Step("dv/dt = (∂f − 2β)v", sp.expand((dm - dw) / 2 - (slope - 2 * b) * (m - w) / 2)),
        Step("u = u₀ e^(−G − 2βt) solves the first", u.diff(t) + (g + 2 * b) * u),
        Step("v = v₀ e^(G − 2βt) solves the second", v.diff(t) - (g - 2 * b) * v),
        Step("θ = u² − v²", sp.powsimp(sp.expand(theta - u**2 + v**2))),
    ]


def check(rng, rate, decay):
    X, y, m, w, beta, end = _instance(rng)
    path, integral = product_path(X, y, m, w, beta, end)
    return _error(np.asarray(path.theta), m, w, integral, rate, decay * beta * end)


def violate(rng, rate, decay):
    X, y, m, w, beta, end = _instance(rng)
    of_factors = factors_velocity(X, y, lambda t: 1.5 * beta, lambda t: 0.5 * beta)
    field = lambda t, x: np.append(of_factors(t, x[:12]), gradient(X, y, x[:6] * x[6:12]))  # noqa: E731
    state = integrate(field, np.concatenate([m, w, np.zeros(6)]), [end])[-1]
    return _error(state[:6] * state[6:12], m, w, state[12:], rate, decay * beta * end)


def _instance(rng):
    X, y = regression(rng, 3, 6)
    m, w = 10 ** rng.uniform(-1, 0) * rng.normal(size=(2, 6))
    return X, y, m, w, 10 ** rng.uniform(-1, 0), rng.uniform(0.5, 1.5)


def _error(theta, m, w, integral, rate, decayed):
    """The largest difference of θ to the formula, relative to the sum of the sizes of its terms."""
    up, down = (m + w) ** 2 / 4 * np.exp(-rate * integral), (m - w) ** 2 / 4 * np.exp(rate * integral)
    return np.max(np.abs(theta - (up - down) * np.exp(-decayed)) / (up + down) / np.exp(-decayed))


THEOREM = Theorem(
    id="mw.closed-form",
    title="m⊙w with weight decay, up to the integral of the gradient",
    source="jacobs2026ham, the solution of m⊙w with weight decay",
    statement=r"""\theta_t = u_0^2\exp\Bigl(-2\int_0^t\nabla f\,ds-4\beta t\Bigr)
- v_0^2\exp\Bigl(2\int_0^t\nabla f\,ds-4\beta t\Bigr), \quad u_0 = \tfrac12(m_0+w_0),\ v_0 = \tfrac12(m_0-w_0)""",
    hypotheses="Gradient flow of f(m⊙w) + β(‖m‖² + ‖w‖²), f differentiable; one β for both factors.",
    constants={"rate": 2, "decay": 4},
    check=check,
    tolerance=1e-10,
    why="the integrator's tolerance of 1e-12, as a part of factors with exponents of up to 10; Gauss's quadrature of "
    "23 nodes is exact to it",
    violate=violate,
    violated="one β for both factors: m decays at 3 times the rate of w (with the same mean)",
    mutations={
        "decay e^(−βt), as in the first version of the paper (in another convention)": {"decay": 1},
        "decay e^(−2βt), that of a factor": {"decay": 2},
        "the gradient once, as for a factor": {"rate": 1},
    },
    prove=prove,
)
