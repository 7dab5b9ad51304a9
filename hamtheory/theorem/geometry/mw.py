"""The hyperbolic entropy: mirror map, potential and conjugate of m⊙w, and its γ."""

import numpy as np
import sympy as sp

import hamtheory as ht

from .._potentials import integral, relative, signed
from .._theorem import Step, Theorem


def prove(two, offset):
    m, w, x, y, c = sp.symbols("m w theta mu gamma", positive=True)
    metric = two * sp.sqrt(x**2 + c**2)
    mirror = sp.asinh(x / c) / 2
    potential = (x * sp.asinh(x / c) - sp.sqrt(x**2 + c**2) + c) / 2
    inverse, conjugate = c * sp.sinh(2 * y), c * (sp.cosh(2 * y) - 1) / 2
    imbalance = (m**2 - w**2) / offset
    # dm/dt = −w∇f and dw/dt = −m∇f, in units of −∇f
    return [
        Step("m² − w² is conserved", sp.diff(m**2 - w**2, m) * w + sp.diff(m**2 - w**2, w) * m),
        Step(
            "the metric m² + w² of the flow on m and w, as a function of θ = mw and γ",
            (sp.diff(m * w, m) * w + sp.diff(m * w, w) * m) ** 2 - two**2 * ((m * w) ** 2 + imbalance**2),
        ),
        Step("R'' g⁻¹ = 1", sp.diff(mirror, x) * metric - 1),
        Step("R' is the derivative of R", sp.diff(potential, x) - mirror),
        Step("R(0) = 0", potential.subs(x, 0)),
        Step("(R*)' is the derivative of R*", sp.diff(conjugate, y) - inverse),
        Step("(R*)' inverts R'", inverse.subs(y, mirror) - x),
        Step("R* is the conjugate: R*(R'(θ)) = θ R'(θ) − R(θ)", conjugate.subs(y, mirror) - (x * mirror - potential)),
    ]


def check(rng, two, offset):
    return _error(rng, two, offset, 1.0)


def violate(rng, two, offset):
    return _error(rng, two, offset, 10 ** rng.uniform(-1, -0.1))


def _error(rng, two, offset, kept):
    """Quadrature of 1/(m² + w²) at the m and w with mw = s and m² − w² = Δ, against the formulas with γ of Δ."""
    delta = 10 ** rng.uniform(-3, 3)
    theta = signed(rng, 50, -3, 3)

    def metric(s):
        larger = (kept * delta + np.hypot(kept * delta, 2 * s)) / 2  # m²
        return larger + s**2 / larger

    gamma = delta / offset
    geo = ht.Hypentropy(gamma)
    start, unit = np.zeros(theta.shape), delta / 2
    mirror = integral(lambda s: 1 / metric(s), start, theta, unit)
    potential = integral(lambda s: (theta[:, None] - s) / metric(s), start, theta, unit)
    return max(
        relative(two * np.hypot(theta, gamma), metric(theta)),
        relative(geo.inverse_metric(theta), metric(theta)),
        relative(geo.mirror_map(theta), mirror),
        relative(geo.potential(theta), potential),
        relative(geo.inverse_mirror_map(mirror), theta),
        relative(geo.conjugate(mirror), theta * mirror - potential),
    )


THEOREM = Theorem(
    id="geometry.mw",
    title="The hyperbolic entropy of m⊙w, and its γ",
    source="woodworth2020kernel, Theorem 1",
    statement=r"""\theta = m \odot w,\ \gamma = \tfrac12|m_0^2 - w_0^2|:\quad
g^{-1}(\theta) = 2\sqrt{\theta^2+\gamma^2}, \quad
R'(\theta) = \tfrac12\operatorname{asinh}(\theta/\gamma), \quad
R(\theta) = \tfrac12\bigl[\theta\operatorname{asinh}(\theta/\gamma) - \sqrt{\theta^2+\gamma^2} + \gamma\bigr], \quad
R^*(\mu) = \tfrac12\gamma(\cosh 2\mu - 1)""",
    hypotheses="Gradient flow on m and w without weight decay, so that m² − w² is conserved; γ > 0.",
    constants={"two": 2, "offset": 2},
    check=check,
    tolerance=1e-12,
    why="rounding: θ spans six orders of magnitude, and R* is a difference of which up to a digit cancels",
    violate=violate,
    violated="m² − w² has shrunk, to 0.1 to 0.8 of what it was",
    mutations={
        "the metric of another unit of time": {"two": 1},
        "γ = |m² − w²|": {"offset": 1},
    },
    prove=prove,
)
