"""The potential of m⊙w at the L2 end: its correction is of the second order in 1/γ, as its metric is smooth at 0."""

import sympy as sp

import hamtheory as ht

from .._potentials import excess, signed
from .._theorem import Step, Theorem


def prove(first, second):
    x, c, r = sp.symbols("theta gamma r", positive=True)
    # in units of γ: R'' = 1/(2γ √(1 + x²)); r = √(1 + x²)
    potential = x * sp.asinh(x) - sp.sqrt(x**2 + 1) + 1
    rest = potential - x**2 / 2 + x**4 / first
    left = x**6 / second - rest
    of_root = lambda f: sp.simplify(f.subs(x, sp.sqrt(r**2 - 1)))  # noqa: E731
    curvature, remaining = sp.diff(rest, x, 2), sp.diff(left, x, 2)
    # 1/r − (1 − (r² − 1)/2) = (r − 1)² (r + 2)/(2r) and so on, positive for r ≥ 1
    return [
        Step(
            "2γR is γ² times this function of θ/γ",
            2 * c * (x * sp.asinh(x / c) - sp.sqrt(x**2 + c**2) + c) / 2 - (c**2 * potential.subs(x, x / c)),
        ),
        Step("the rest is 0 at θ = 0", rest.subs(x, 0)),
        Step("so is its slope", rest.diff(x).subs(x, 0)),
        Step("and it is convex, by (r − 1)²(r + 2)/(2r)", of_root(curvature) - (r - 1) ** 2 * (r + 2) / (2 * r)),
        Step("what is left to the bound is 0 at θ = 0", left.subs(x, 0)),
        Step("so is its slope", left.diff(x).subs(x, 0)),
        Step(
            "and it is convex, by (r − 1)³(3r² + 9r + 8)/(8r)",
            of_root(remaining) - (r - 1) ** 3 * (3 * r**2 + 9 * r + 8) / (8 * r),
        ),
    ]


def check(rng, first, second):
    gamma = 10 ** rng.uniform(-3, 3)
    return _error(rng, first, second, gamma, ht.Hypentropy(gamma), 2 * gamma)


def violate(rng, first, second):
    gamma = 10 ** rng.uniform(-3, 3)
    return _error(rng, first, second, gamma, ht.HAM(1 / gamma), 1.0)


def _error(rng, first, second, gamma, geo, scale):
    theta = signed(rng, 100, -7, 1) * gamma
    value = scale * geo.potential(theta)
    leading = theta**2 / 2 - theta**4 / (first * gamma**2)
    return excess(value, leading, leading + theta**6 / (second * gamma**4), theta**2)


THEOREM = Theorem(
    id="geometry.mw-l2",
    title="m⊙w at the L2 end, and how fast",
    source="woodworth2020kernel, Theorem 1; the bounds and the rate: own",
    statement=r"""0 \le 2\gamma R_\gamma(\theta) - \Bigl(\frac{\theta^2}{2} - \frac{\theta^4}{24\gamma^2}\Bigr)
\le \frac{\theta^6}{80\gamma^4} \quad \text{for all } \theta \in \mathbb{R},\ \gamma > 0, \qquad
2\gamma R_\gamma \to \tfrac12\theta^2 \text{ at the rate } \gamma^{-2} \text{ as } \gamma \to \infty""",
    hypotheses="γ > 0; the inverse metric is smooth at 0, 2√(θ² + γ²).",
    constants={"first": 24, "second": 80},
    check=check,
    tolerance=2e-14,
    why="rounding of the potential, in units of θ²; the bounds are tight to it for |θ| near 1e-7 γ",
    violate=violate,
    violated="an inverse metric with a kink at 0, HAM's: its rate is the first order in α = 1/γ",
    mutations={
        "the coefficient of √(1 + x²), not of its inverse": {"first": 48},
        "the next coefficient not integrated twice": {"second": 90},
    },
    prove=prove,
)
