"""HAM's potential at the L1 end: what is between αR/ln α and |θ| falls like 1/ln α, with this coefficient."""

import numpy as np
import sympy as sp

import hamtheory as ht

from .._potentials import excess, signed
from .._theorem import Step, Theorem


def prove(offset, bound):
    x, a = sp.symbols("theta alpha", positive=True)
    scaled = ((1 + a * x) * sp.log(1 + a * x) - a * x) / a
    rest = scaled - x * sp.log(a) - x * (sp.log(x) - offset)
    gap = (1 + sp.log(1 + a * x)) / (bound * a) - rest
    step = sp.log(1 + 1 / (a * x))
    return [
        Step("the rest is 0 at θ = 0", sp.limit(rest, x, 0, "+")),
        Step(
            "and grows by ln(1 + 1/(αθ)) ≥ 0",
            sp.expand_log(sp.diff(rest, x) - sp.log(1 + a * x) + sp.log(a) + sp.log(x)),
        ),
        Step("which is ln(1 + αθ) − ln(αθ)", sp.expand_log(sp.logcombine(step - sp.log((1 + a * x) / (a * x))))),
        Step(
            "what is left to the bound is (1 − αθ ln(1 + 1/(αθ)))/α ≥ 0, as ln(1 + u) ≤ u",
            sp.expand_log(sp.expand(a * gap - 1 + a * x * (sp.log(1 + a * x) - sp.log(a) - sp.log(x)))),
        ),
        Step("the limit is |θ|", sp.limit(scaled / sp.log(a), a, sp.oo) - x),
    ]


def check(rng, offset, bound):
    return _error(rng, offset, bound, 1.0)


def violate(rng, offset, bound):
    return _error(rng, offset, bound, rng.uniform(1.01, 2))


def _error(rng, offset, bound, power):
    """In units of |θ|. `power`: of |θ| in an inverse metric 1 + α|θ|^power, whose R isn't asymptotic to |θ| ln α/α."""
    log = rng.uniform(0.1, 15)
    alpha, theta = np.exp(log), signed(rng, 100, -2, 3)
    size = np.abs(theta)
    value = ht.HAM(log_alpha=log).potential(theta)
    if power > 1:  # R(θ) = ∫ (θ − s)/(1 + αs^power) ds, in u with s = e^u
        nodes, weights = np.polynomial.legendre.leggauss(200)
        top, low = np.log(size), -30.0
        u = low + (top - low)[:, None] * (1 + nodes) / 2
        s = np.exp(u)
        value = ((size[:, None] - s) * s / (1 + alpha * s**power)) @ weights * (top - low) / 2
    first = size + size * (np.log(size) - offset) / log
    return excess(alpha * value / log, first, first + (1 + np.log1p(alpha * size)) / (bound * alpha * log), size)


THEOREM = Theorem(
    id="geometry.ham-l1",
    title="HAM at the L1 end, and how slowly",
    source="jacobs2026ham, Theorem 4.6; the bounds and the rate: own",
    statement=r"""0 \le \frac{\alpha R_\alpha(\theta)}{\ln\alpha} - |\theta|
- \frac{|\theta|(\ln|\theta| - 1)}{\ln\alpha}
\le \frac{1 + \ln(1+\alpha|\theta|)}{\alpha\ln\alpha} \quad \text{for all } \theta \ne 0,\ \alpha > 1""",
    hypotheses="α > 1; the inverse metric grows linearly, 1 + α|θ|.",
    constants={"offset": 1, "bound": 1},
    check=check,
    tolerance=1e-13,
    why="rounding of terms that are up to 100 times |θ|, where ln α is small",
    violate=violate,
    violated="an inverse metric that grows faster, 1 + α|θ|^p with p from 1.01 to 2",
    mutations={
        "the correction without its −|θ|": {"offset": 0},
        "half of the remainder's bound": {"bound": 2},
    },
    prove=prove,
)
