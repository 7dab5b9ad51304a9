"""HAM's mirror map, potential, conjugate and inverse mirror map follow from 1 + α|θ|."""

import numpy as np
import sympy as sp

import hamtheory as ht

from .._potentials import integral, relative
from .._theorem import Step, Theorem


def prove(factor):
    x, y, a = sp.symbols("theta mu alpha", positive=True)
    metric = 1 + factor * a * x
    mirror = sp.log(1 + a * x) / a
    potential = ((1 + a * x) * sp.log(1 + a * x) - a * x) / a**2
    inverse = (sp.exp(a * y) - 1) / a
    conjugate = (sp.exp(a * y) - 1 - a * y) / a**2
    return [
        Step("R'' g⁻¹ = 1", sp.diff(mirror, x) * metric - 1),
        Step("R' is the derivative of R", sp.diff(potential, x) - mirror),
        Step("R(0) = 0", potential.subs(x, 0)),
        Step("R'(0) = 0, so that both sides of 0 fit", mirror.subs(x, 0)),
        Step("(R*)' is the derivative of R*", sp.diff(conjugate, y) - inverse),
        Step("(R*)' inverts R'", inverse.subs(y, mirror) - x),
        Step("R* is the conjugate: R*(R'(θ)) = θ R'(θ) − R(θ)", conjugate.subs(y, mirror) - (x * mirror - potential)),
    ]


def check(rng, factor):
    alpha, theta = 10 ** rng.uniform(-3, 3), rng.normal(size=50) * 10 ** rng.uniform(-2, 2)
    return _error(theta, lambda s: 1 + factor * alpha * np.abs(s), ht.HAM(alpha), 1 / alpha)


def violate(rng, factor):
    alpha, theta = 10 ** rng.uniform(-1, 3), rng.normal(size=50)
    return _error(theta, lambda s: 1 + factor * alpha * np.maximum(s, 0), ht.HAM(alpha), 1 / alpha)


def _error(theta, metric, geo, unit):
    """The largest relative difference of R′ to ∫ ds/g⁻¹, of R to ∫ R′, and of (R*)′(R′(θ)) to θ."""
    mirror, zero = geo.mirror_map(theta), np.zeros(theta.shape)
    return max(
        relative(integral(lambda s: 1 / metric(s), zero, theta, unit), mirror),
        relative(integral(geo.mirror_map, zero, theta, unit), geo.potential(theta)),
        relative(geo.inverse_mirror_map(mirror), theta),
    )


THEOREM = Theorem(
    id="geometry.ham",
    title="HAM's potential, from its inverse metric",
    source="jacobs2026ham, Theorem 4.5",
    statement=r"""R'(\theta) = \tfrac{1}{\alpha}\operatorname{sign}(\theta)\ln(1+\alpha|\theta|), \quad
R(\theta) = \tfrac{1}{\alpha^2}\bigl[(1+\alpha|\theta|)\ln(1+\alpha|\theta|) - \alpha|\theta|\bigr], \quad
R^*(\mu) = \tfrac{1}{\alpha^2}\bigl[e^{\alpha|\mu|} - 1 - \alpha|\mu|\bigr]
\quad\text{if}\quad R'' = 1/(1+\alpha|\theta|)""",
    hypotheses="α > 0; the inverse metric is even in θ.",
    constants={"factor": 1},
    check=check,
    tolerance=1e-11,
    why="rounding: quadrature of 200 nodes, in units of 1/α, is exact to it",
    violate=violate,
    violated="an inverse metric that is not even, 1 + α max(θ, 0)",
    mutations={"another slope of the metric": {"factor": 1.01}},
    prove=prove,
)
