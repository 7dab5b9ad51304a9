"""From which sizes Sign-In's neuron recovers: the boundary by the imbalances of the layers, in the exact metric."""

import numpy as np
import sympy as sp

import hamtheory as ht

from .._expansions import integrate
from .._theorem import Step, Theorem


def prove(four, power):
    m, w, g = sp.symbols("m w g", real=True)
    s, t, b, c = sp.symbols("s t b_a b_w", positive=True)
    # θ = m w with m² − w² = b on layer a: dm = −w g dt, dw = −m g dt
    dm, dw = -w * g, -m * g
    metric = lambda s, b: sp.sqrt(four * s**2 + b**power)  # noqa: E731
    moment = lambda s, b: (metric(s, b) - sp.sqrt(b**power)) / four  # noqa: E731
    steps = [
        Step("m² − w² stays", 2 * m * dm - 2 * w * dw),
        Step("θ moves by −√(4θ² + (m² − w²)²) g", (m * dw + w * dm) ** 2
             - (four * (m * w) ** 2 + (m**2 - w**2) ** power) * g**2),
        Step("I' = s/h", sp.diff(moment(s, b), s) - s / metric(s, b)),
        Step("I(0) = 0", moment(sp.Integer(0), b)),
    ]  # fmt: skip
    loss, u = sp.Function("L"), sp.Symbol("u", real=True)
    for i in (1, -1):
        slope = sp.diff(loss(u), u).subs(u, i * s * t)
        ds, dt = -i * metric(s, b) * t * slope, -i * metric(t, c) * s * slope
        rate = sp.diff(moment(s, b), s) * ds - sp.diff(moment(t, c), t) * dt
        steps.append(Step(f"sign of a {i}: I_a(|a|) − I_w(|w|) stays, of any loss of aw", rate))
    return steps


def check(rng, four, power):
    return _error(rng, 1.0, four, power)


def violate(rng, four, power):
    return _error(rng, -1.0, four, power)


def _error(rng, sign, four, power):
    """Of a flow of the factors of both layers: the error of √(4w² + b_w²) where a crosses zero; the share of |a₀| by
    which a flow is on the wrong side of the boundary; and the relative difference of the library's boundary.

    `sign` = −1: from w₀ < 0.
    """
    b = 10 ** rng.uniform(-0.5, 0.5, 2)
    root = lambda x, b: np.sqrt(four * x**2 + b**power)  # noqa: E731
    w0 = 10 ** rng.uniform(-0.3, 0.3)
    # the a with I_a = I_w(w₀), the critical size, and an a₀ within
    bound = np.sqrt(((root(w0, b[1]) - root(0, b[1]) + root(0, b[0])) ** 2 - b[0] ** power) / four)
    a0 = -bound * rng.uniform(0.1, 0.7)
    _, w = _first_zero(a0, sign * w0, b)
    worst = abs(root(w, b[1]) / (root(w0, b[1]) - root(a0, b[0]) + root(0, b[0])) - 1)
    neuron = ht.neuron.Neuron(ht.Hypentropy(b[0] / 2), ht.Hypentropy(b[1] / 2))
    worst = max(worst, abs(float(neuron.critical_size(sign * w0)) / bound - 1))
    for share in (-0.3, -1e-3, 1e-3, 0.3):
        a, w = _first_zero(-bound * (1 + share), sign * w0, b)
        worst = max(worst, 0.0 if (abs(a) < 1e-9 < w) == (share < 0) else abs(share))
    return worst


def _first_zero(a0, w0, b):
    """a and w where one of them is zero first, by the flow of their factors."""

    def field(x):
        a, w = x[0] * x[1], x[2] * x[3]
        slope = (a * w - 1) / 2 if w0 > 0 else a * w / 2
        return -slope * np.array([w * x[1], w * x[0], a * x[3], a * x[2]])

    start = np.concatenate([_factors(a0, b[0]), _factors(w0, b[1])])
    end = integrate(field, start, 1e3, [lambda x: x[0] * x[1], lambda x: x[2] * x[3]])
    return end[0] * end[1], end[2] * end[3]


def _factors(theta, b):
    """m > 0 and w of the product θ with m² − w² = b."""
    m = np.sqrt((np.sqrt(4 * theta**2 + b**2) + b) / 2)
    return np.array([m, theta / m])


THEOREM = Theorem(
    id="signin.neuron",
    title="Sign-In: the imbalance of the layers decides which neuron recovers",
    source="own; the setting and the condition at |a₀| = w₀: gadhikar2025signin, Theorem 5.2",
    statement=r"""a = m_a w_a,\ w = m_w w_w,\quad m_a^2 - w_a^2 = b_a > 0,\ m_w^2 - w_w^2 = b_w > 0,
\quad a_0 < 0 < w_0:\quad
\frac{da}{dt} = -\sqrt{4a^2+b_a^2}\;\partial_a L,\quad \text{the teacher is learned} \iff
\sqrt{4a_0^2+b_a^2} - b_a < \sqrt{4w_0^2+b_w^2} - b_w;\quad \text{from}\ |a_0| = w_0 \iff b_a > b_w""",
    hypotheses="Gradient flow on the factors of both weights of a ReLU neuron a σ(wz), teacher σ(z); w₀ > 0. "
    "(The condition at |a₀| = w₀ is the published one: the erratum of `geometry.imbalance` moves only the rest of the "
    "boundary.)",
    constants={"four": 4, "power": 2},
    check=check,
    tolerance=1e-11,
    why="the flow of the factors is integrated to 1e-12 of its size; starts as near as 1e-3 to the boundary are all on "
    "the right side",
    violate=violate,
    violated="w₀ > 0",
    mutations={
        "the metric √(θ² + β) of geometry.imbalance's erratum": {"four": 1, "power": 1},
        "b_a for its square": {"power": 1},
        "θ² without its factor": {"four": 1},
    },
    prove=prove,
    special="what the flow conserves; not that it goes on until it recovers, or can't",
)
