"""Diagonal networks of any depth: Woodworth's potential is that of the metric L² (u^(2L−2) + v^(2L−2))."""

import numpy as np
import scipy.integrate
import sympy as sp

import hamtheory as ht

from .._potentials import relative
from .._theorem import Step, Theorem


def prove(power, shift):
    # A = 1 − z and B = 1 + z with z = μ/bound = p L a^p μ, for all depths L = p + 2 > 2 at once
    A, B, a, p = sp.symbols("A B a p", positive=True)
    L = p + 2
    along = lambda f: p * L * a**p * (sp.diff(f, B) - sp.diff(f, A))  # noqa: E731 d/dμ
    root = L - shift
    u, v = a * A ** (-1 / root), a * B ** (-1 / root)
    theta = a**L * (A ** (-L / root) - B ** (-L / root))
    conjugate = (u**2 + v**2 - 2 * a**2) / (2 * L)
    z = (B - A) / 2
    mu = z / (p * L * a**p)
    q = z * theta / a**L - p * (A ** (-2 / p) + B ** (-2 / p) - 2) / 2  # Woodworth's q_L at h_L(z)
    return [
        Step("gradient flow on u: du/dμ = L u^(L−1)", along(u) / (L * u ** (L - 1)) - 1),
        Step("gradient flow on v: dv/dμ = −L v^(L−1)", along(v) / (L * v ** (L - 1)) + 1),
        Step("θ = u^L − v^L = a^L h_L(z)", sp.powdenest(u**L - v**L) - theta),
        Step(
            "dθ/dμ = g⁻¹",
            sp.powsimp(sp.expand(along(theta) - L**power * (u ** (2 * L - 2) + v ** (2 * L - 2)))),
        ),
        Step("dR*/dμ = θ", sp.powsimp(sp.expand(along(conjugate) - theta))),
        Step("R*(0) = 0", conjugate.subs({A: 1, B: 1})),
        # z = h_L⁻¹(θ/a^L): the derivative along μ of both sides, with B = 2 − A in mind
        Step("q_L′ = h_L⁻¹: dq/dμ = z d(θ/a^L)/dμ", sp.powsimp(sp.expand(along(q) - z * along(theta) / a**L))),
        Step(
            "R = θμ − R* = a² q_L(θ/a^L)/(L(L−2))",
            sp.powsimp(sp.expand(theta * mu - conjugate - a**2 * q / (L * p))),
        ),
    ]


def check(rng, power, shift):
    return _error(rng, power, shift, 1.0)


def violate(rng, power, shift):
    return _error(rng, power, shift, rng.uniform(1.1, 2))


def _error(rng, power, shift, ratio):
    """The flow on u and v, integrated in μ = −∫∇f, against the formulas and the library."""
    depth, a = int(rng.integers(3, 8)), 10 ** rng.uniform(-0.3, 0.3)
    geo = ht.DiagonalNetwork(depth, a)
    z = rng.uniform(0.1, 0.9) * rng.choice([-1.0, 1.0])
    mu = z / (depth * (depth - 2) * a ** (depth - 2))
    field = lambda t, x: [depth * x[0] ** (depth - 1), -depth * x[1] ** (depth - 1)]  # noqa: E731
    with np.errstate(over="ignore", invalid="ignore"):  # for other ratios than 1 it may end at infinity
        u, v = scipy.integrate.solve_ivp(field, (0, mu), [a, ratio * a], "DOP853", rtol=1e-13, atol=1e-15).y[:, -1]
    theta = u**depth - v**depth
    exponent = -depth / (depth - shift)
    conjugate = (u**2 + v**2 - 2 * a**2) / (2 * depth)
    return max(
        relative(a**depth * ((1 - z) ** exponent - (1 + z) ** exponent), theta),
        relative(depth**power * (u ** (2 * depth - 2) + v ** (2 * depth - 2)), geo.inverse_metric(theta)),
        relative(geo.inverse_mirror_map(mu), theta),
        relative(geo.mirror_map(theta), mu),
        relative(geo.conjugate(mu), conjugate),
        relative(geo.potential(theta), theta * mu - conjugate),
    )


THEOREM = Theorem(
    id="geometry.network",
    title="Diagonal networks of depth L: metric and potential",
    source="woodworth2020kernel, Theorem 3; the metric and R*: own",
    statement=r"""\theta = u^L - v^L,\ u_0 = v_0 = a:\quad g^{-1}(\theta) = L^2\bigl(u^{2L-2} + v^{2L-2}\bigr), \quad
u = a(1-z)^{-1/(L-2)},\ v = a(1+z)^{-1/(L-2)},\ z = L(L-2)a^{L-2}R'(\theta) \in (-1, 1), \quad
R^*(\mu) = \frac{u^2+v^2-2a^2}{2L}, \quad
R(\theta) = \frac{a^2}{L(L-2)}\,q_L(\theta/a^L),\ q_L' = h_L^{-1},\ h_L(z) = (1-z)^{-L/(L-2)} - (1+z)^{-L/(L-2)}""",
    hypotheses="L ≥ 3, an integer or not; u₀ = v₀ = a > 0; gradient flow on u and v without weight decay.",
    constants={"power": 2, "shift": 2},
    check=check,
    tolerance=1e-10,
    why="the flow on u and v is integrated to rtol = 1e-13; R and R* are differences of which two digits may cancel",
    violate=violate,
    violated="u₀ ≠ v₀, by 10 % or more",
    mutations={
        "metric with L, not L²": {"power": 1},
        "exponents with L − 1": {"shift": 1},
    },
    prove=prove,
)
