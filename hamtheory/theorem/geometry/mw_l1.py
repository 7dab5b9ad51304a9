"""The potential of m⊙w at the L1 end: 2R is |θ| ln(1/γ) and a correction without γ, up to less than γ."""

import numpy as np
import sympy as sp

import hamtheory as ht

from .._potentials import excess, signed
from .._theorem import Step, Theorem


def prove(two, bound):
    x, c = sp.symbols("theta gamma", positive=True)
    root = sp.sqrt(x**2 + c**2)
    asinh = sp.log(x + root) - sp.log(c)  # asinh(x/c)
    doubled = x * asinh - root + c
    rest = doubled + x * sp.log(c) - x * (sp.log(two * x) - 1)
    slope = sp.log(x + root) - sp.log(2 * x)
    left = bound * c - rest
    return [
        Step("asinh(θ/γ) is that logarithm", sp.diff(asinh - sp.asinh(x / c), x)),
        Step("2R'' = 2/g⁻¹ = 1/√(θ² + γ²)", sp.diff(doubled, x, 2) - 1 / root),
        Step("the rest is 0 at θ = 0", sp.limit(rest, x, 0, "+")),
        Step("and grows by ln((θ + √(θ² + γ²))/(2θ)) ≥ 0", sp.expand_log(sp.simplify(sp.diff(rest, x)) - slope)),
        Step("to γ as θ → ∞", sp.limit(left.subs(x, c / (2 * x)), x, 0, "+")),
    ]


def check(rng, two, bound):
    return _error(rng, two, bound, 2.0)


def violate(rng, two, bound):
    return _error(rng, two, bound, rng.uniform(0.5, 1.9))


def _error(rng, two, bound, speed):
    """In units of |θ|; `speed`: of the metric, 2 for m⊙w."""
    log = rng.uniform(-15, -0.1)
    gamma, theta = np.exp(log), signed(rng, 100, -2, 3)
    size = np.abs(theta)
    value = 2 / speed * ht.Hypentropy(log_gamma=log).potential(theta)
    first = size - size * (np.log(two * size) - 1) / log
    return excess(2 * value / -log, first, first - bound * gamma / log, size)


THEOREM = Theorem(
    id="geometry.mw-l1",
    title="m⊙w at the L1 end, and how slowly",
    source="woodworth2020kernel, Theorem 1; the bounds and the rate: own",
    statement=r"""0 \le \frac{2R_\gamma(\theta)}{\ln(1/\gamma)} - |\theta|
- \frac{|\theta|(\ln|2\theta| - 1)}{\ln(1/\gamma)}
\le \frac{\gamma}{\ln(1/\gamma)} \quad \text{for all } \theta \ne 0,\ 0 < \gamma < 1""",
    hypotheses="0 < γ < 1; the inverse metric 2√(θ² + γ²), whose factor 2 fixes the unit of R.",
    constants={"two": 2, "bound": 1},
    check=check,
    tolerance=1e-13,
    why="rounding of terms that are up to 100 times |θ|, where ln(1/γ) is small",
    violate=violate,
    violated="a metric of another unit of time, 0.5 to 1.9 √(θ² + γ²)",
    mutations={
        "the correction of HAM with α = 1/γ": {"two": 1},
        "half of the remainder's bound": {"bound": 0.5},
    },
    prove=prove,
)
