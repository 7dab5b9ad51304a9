"""m⊙w with a schedule of weight decay: the Bregman function that moves with it, and where the flow ends."""

import numpy as np
import sympy as sp

import hamtheory as ht

from .._flows import factors_velocity, gradient, integrate, regression
from .._theorem import Step, Theorem


def prove(scale, exponent):
    t = sp.Symbol("t", positive=True)
    u0, v0 = sp.symbols("u0 v0", positive=True)
    A, G = sp.Function("A", real=True)(t), sp.Function("G", real=True)(t)  # ∫α, ∫∇f
    m, w, g, strength = sp.symbols("m w g alpha", real=True)
    dm, dw = -(w * g + 2 * strength * m), -(m * g + 2 * strength * w)
    u, v = u0 * sp.exp(-G - 2 * A), v0 * sp.exp(G - 2 * A)  # (m ± w)/√2
    a = scale * 2 * u0 * v0 * sp.exp(-exponent * A)
    x = (u**2 - v**2) / 2
    inverse = a * sp.sinh(sp.log(u0 / v0) - 2 * G)
    s, width = sp.symbols("x a", positive=True)
    potential = (s * sp.asinh(s / width) - sp.sqrt(s**2 + width**2) - s * sp.log(u0 / v0)) / 2
    least = (scale * 2 * u0 * v0 * sp.sinh(sp.log(u0 / v0))).rewrite(sp.exp)
    return [
        Step("mw = (u² − v²)/2 with u = (m + w)/√2, v = (m − w)/√2", ((m + w) ** 2 / 2 - (m - w) ** 2 / 2) / 2 - m * w),
        Step("du/dt = −(∂f + 2α)u", sp.expand(dm + dw + (g + 2 * strength) * (m + w))),
        Step("dv/dt = (∂f − 2α)v", sp.expand(dm - dw - (g - 2 * strength) * (m - w))),
        Step("u₀ e^(−G − 2A) solves the first", u.diff(t) + (G.diff(t) + 2 * A.diff(t)) * u),
        Step("v₀ e^(G − 2A) solves the second", v.diff(t) - (G.diff(t) - 2 * A.diff(t)) * v),
        Step("R_a′(x) = ½[asinh(x/a) − ln(u₀/v₀)]", potential.diff(s) - (sp.asinh(s / width) - sp.log(u0 / v0)) / 2),
        Step("R_a′(x_t) = −G at a = u₀v₀e^(−4A): x = a sinh(ln(u₀/v₀) − 2G)", sp.expand((x - inverse).rewrite(sp.exp))),
        Step("R_a is least at m₀w₀ = (u₀² − v₀²)/2 for A = 0", sp.expand(least - (u0**2 - v0**2) / 2)),
    ]


def check(rng, scale, exponent):
    return _error(rng, scale, exponent, 1.0)


def violate(rng, scale, exponent):
    return _error(rng, scale, exponent, rng.uniform(0.2, 0.6))


def _error(rng, scale, exponent, of_w):
    """How far R_a′ is from −∫∇f at a time and at the end of the flow, relative, and the end from the library's limit.

    w has the decay `of_w` α_t.
    """
    X, y = regression(rng, 3, 6)
    w = 10 ** rng.uniform(-0.5, 0.3) * rng.normal(size=6)
    m = np.abs(w) * rng.uniform(1.1, 3, 6)
    total, length = rng.uniform(0.2, 1), 1.0
    # α_t = (30 A/T)(t/T)²(1 − t/T)² until T, and 0 from then on; its integral at T is A
    rise = lambda t: 30 * total / length * (t / length) ** 2 * (1 - t / length) ** 2 if t < length else 0.0  # noqa: E731
    factors = factors_velocity(X, y, rise, lambda t: of_w * rise(t))
    field = lambda t, s: np.append(factors(t, s[:12]), gradient(X, y, s[:6] * s[6:12]))  # noqa: E731
    begun = integrate(field, np.concatenate([m, w, np.zeros(6)]), [0.5 * length, length])
    # a of 2u₀v₀ = m₀² − w₀², and u₀/v₀ = (m₀ + w₀)/(m₀ − w₀)
    a_of, ratio = lambda A: scale * (m**2 - w**2) * np.exp(-exponent * A), (m + w) / (m - w)
    # R_a is a divergence of the hypentropy with γ = a, from where it is least
    problem, geometry, least = (
        ht.LinearRegression(X, y),
        ht.Hypentropy(a_of(total)),
        a_of(total) * np.sinh(np.log(ratio)),
    )
    limit = ht.solve_limit(problem, geometry, least, tol=1e-12).theta
    rest = 60 / float(ht.metrics.asymptotic_rate(problem, geometry, limit))
    settled = integrate(lambda t, s: field(t + length, s), begun[-1], [rest], method="LSODA")[-1]
    errors = [np.linalg.norm(settled[:6] * settled[6:12] - limit) / np.linalg.norm(limit)]
    for state, integral in ((begun[0], total / 2), (begun[1], total), (settled, total)):
        mirrored = (np.arcsinh(state[:6] * state[6:12] / a_of(integral)) - np.log(ratio)) / 2
        errors.append(np.linalg.norm(mirrored + state[12:]) / np.linalg.norm(state[12:]))
    return float(max(errors))


THEOREM = Theorem(
    id="pilot.time-dependent",
    title="The time-dependent Bregman function of m⊙w under a schedule of weight decay",
    source="jacobs2025mask, Theorems 3.1 and 3.3 and Lemma A.1",
    statement=r"""\nabla R_{a_t}(x_t) = -\int_0^t\nabla f\,ds,\quad
R_a(x) = \tfrac12\sum_i x_i\operatorname{asinh}\tfrac{x_i}{a_i} - \sqrt{x_i^2+a_i^2} - x_i\ln\tfrac{u_{0,i}}{v_{0,i}},
\quad a_t = \tfrac12(m_0^2-w_0^2)e^{-4A_t} = u_0v_0e^{-4A_t},\ A_t=\int_0^t\alpha_s\,ds;
\quad\text{so } x_\infty = \arg\min\{R_{a_\infty}(x) : Xx = y\} \text{ if } x = m\odot w
\text{ converges to an interpolator}""",
    hypotheses="Gradient flow of f(m⊙w) + α_t(‖m‖² + ‖w‖²), f a function of Xx; m₀ > |w₀|, u₀ = (m₀ + w₀)/√2, "
    "v₀ = (m₀ − w₀)/√2; one α_t for both factors, and ∫α < ∞.",
    constants={"scale": 0.5, "exponent": 4},
    check=check,
    tolerance=1e-9,
    why="the integrators' tolerance of 1e-12, over a/x where a is small",
    violate=violate,
    violated="one α_t for both factors",
    mutations={
        "as published": {"scale": 1, "exponent": 2},
        "the exponent alone": {"exponent": 2},
        "the scale alone": {"scale": 1},
    },
    prove=prove,
    is_erratum=True,
    published=r"a_t = 2u_0v_0e^{-2A_t} = (m_0^2-w_0^2)\,e^{-2A_t}, \quad u_0, v_0 = (m_0\pm w_0)/\sqrt2",
    correction="With these u₀ and v₀, u² − v² is twice x = m⊙w, so that a has the factor ½; and each of m and w decays "
    "as e^(−2A), so that a, quadratic in them, decays as e^(−4A). Without decay the published function is least at "
    "2m₀w₀ instead of the start m₀w₀.",
)
