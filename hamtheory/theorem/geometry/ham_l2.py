"""HAM's potential at the L2 end: half the square, less α|θ|³/6, which is the first order in α."""

import numpy as np
import sympy as sp

import hamtheory as ht

from .._potentials import excess, signed
from .._theorem import Step, Theorem


def prove(six, twelve):
    x, a = sp.symbols("theta alpha", positive=True)
    potential = ((1 + a * x) * sp.log(1 + a * x) - a * x) / a**2
    rest = potential - (x**2 / 2 - a * x**3 / six)
    left = a**2 * x**4 / twelve - rest
    return [
        Step("the rest is 0 at θ = 0", rest.subs(x, 0)),
        Step("so is its slope", rest.diff(x).subs(x, 0)),
        Step("the rest is convex: its curvature is α²θ²/(1 + αθ) ≥ 0", sp.diff(rest, x, 2) - a**2 * x**2 / (1 + a * x)),
        Step("what is left to the bound is 0 at θ = 0", left.subs(x, 0)),
        Step("so is its slope", left.diff(x).subs(x, 0)),
        Step("and it is convex, by α³θ³/(1 + αθ) ≥ 0", sp.diff(left, x, 2) - a**3 * x**3 / (1 + a * x)),
        Step("the limit is θ²/2", sp.limit(potential, a, 0, "+") - x**2 / 2),
    ]


def check(rng, six, twelve):
    return _error(rng, six, twelve, 1.0)


def violate(rng, six, twelve):
    return _error(rng, six, twelve, -1.0)


def _error(rng, six, twelve, sign):
    alpha = 10 ** rng.uniform(-3, 3)
    theta = signed(rng, 100, -9, 2) / alpha
    value = ht.HAM(alpha).potential(theta)
    if sign < 0:  # for −α, where 1 − α|θ| is positive
        theta = theta[np.abs(alpha * theta) < 0.9]
        z = alpha * np.abs(theta)
        value, alpha = ((1 - z) * np.log1p(-z) + z) / alpha**2, -alpha
    first = theta**2 / 2 - alpha * np.abs(theta) ** 3 / six
    return excess(value, first, first + alpha**2 * theta**4 / twelve, theta**2)


THEOREM = Theorem(
    id="geometry.ham-l2",
    title="HAM at the L2 end, and how fast",
    source="jacobs2026ham, Theorem 4.6; the bounds and the rate: own",
    statement=r"""0 \le R_\alpha(\theta) - \Bigl(\frac{\theta^2}{2} - \frac{\alpha|\theta|^3}{6}\Bigr)
\le \frac{\alpha^2\theta^4}{12} \quad \text{for all } \theta \in \mathbb{R},\ \alpha > 0, \qquad
R_\alpha \to \tfrac12\theta^2 \text{ at the rate } \alpha \text{ as } \alpha \to 0""",
    hypotheses="α > 0.",
    constants={"six": 6, "twelve": 12},
    check=check,
    tolerance=2e-14,
    why="rounding of the potential, in units of θ²; the bounds are tight to it for α|θ| near 1e-9",
    violate=violate,
    violated="α < 0: the metric 1 − |α||θ|",
    mutations={
        "the third derivative, not its sixth": {"six": 3},
        "the next coefficient of 1/(1 + αθ), once integrated": {"twelve": 13},
    },
    prove=prove,
)
