"""The Bregman divergences of HAM and m⊙w in closed form, their sign, and the three-point identity."""

import mpmath
import numpy as np
import sympy as sp

import hamtheory as ht

from .._potentials import divergence, excess, relative, signed
from .._theorem import Step, Theorem


def prove(crossing, turn):
    x, y, a, c = sp.symbols("theta theta_0 alpha gamma", positive=True)
    ham = ((1 + a * x) * sp.log(1 + a * x) - a * x) / a**2
    mw = (x * sp.asinh(x / c) - sp.sqrt(x**2 + c**2) + c) / 2
    by_definition = lambda R, sign: R - R.subs(x, y) - sign * sp.diff(R, x).subs(x, y) * (x - sign * y)  # noqa: E731
    p, q = 1 + a * x, 1 + a * y
    same = (p * (sp.log(p) - sp.log(q)) - p + q) / a**2
    closed = (x * (sp.asinh(x / c) - sp.asinh(y / c)) - sp.sqrt(x**2 + c**2) + sp.sqrt(y**2 + c**2)) / 2
    R, s, t, u = sp.Function("R"), *sp.symbols("s t u", real=True)
    general = lambda s, t: R(s) - R(t) - sp.diff(R(t), t) * (s - t)  # noqa: E731
    three = general(s, u) - general(s, t) - general(t, u) - turn * (sp.diff(R(t), t) - sp.diff(R(u), u)) * (s - t)
    return [
        Step("HAM, θθ₀ ≥ 0", by_definition(ham, 1) - same),
        Step("HAM, θθ₀ < 0", by_definition(ham, -1) - same - crossing * x * sp.log(q) / a),
        Step("m⊙w", by_definition(mw, 1) - closed),
        Step("HAM: it grows away from θ₀ = θ, as ∂D/∂θ₀ = (θ₀ − θ)/g⁻¹(θ₀)", sp.diff(same, y) - (y - x) / q),
        Step("m⊙w: ∂D/∂θ₀ = (θ₀ − θ)/g⁻¹(θ₀)", sp.diff(closed, y) - (y - x) / (2 * sp.sqrt(y**2 + c**2))),
        Step("HAM: D = 0 at θ₀ = θ", same.subs(y, x)),
        Step("m⊙w: D = 0 at θ₀ = θ", closed.subs(y, x)),
        Step("three points, of any potential", three.doit()),
    ]


def check(rng, crossing, turn):
    return _error(rng, crossing, turn, 1.0)


def violate(rng, crossing, turn):
    return _error(rng, crossing, turn, rng.uniform(1.1, 2))


def _error(rng, crossing, turn, moved):
    """Closed forms in 50 digits, and the library, against quadrature of (θ − s)/g⁻¹(s); `moved`: α and γ, meanwhile."""
    alpha, gamma = 10 ** rng.uniform(-3, 3, 2)
    errors = []
    for geo, metric, unit, closed in (
        (ht.HAM(alpha), lambda s: 1 + moved * alpha * np.abs(s), 1 / alpha, lambda x, y: _ham(x, y, alpha, crossing)),
        (ht.Hypentropy(gamma), lambda s: 2 * np.hypot(s, moved * gamma), gamma, lambda x, y: _mw(x, y, gamma)),
    ):
        x, y, z = (signed(rng, 20, -2, 2) * unit for _ in range(3))
        want = divergence(metric, x, y, unit)
        found, first, second = (ht.geometry.divergence_terms(geo, s, t) for s, t in ((x, z), (x, y), (y, z)))
        slope = geo.mirror_map(y) - geo.mirror_map(z)
        three = found - first - second - turn * slope * (x - y)
        errors += [
            relative([closed(s, t) for s, t in zip(x, y, strict=True)], want),
            relative(first, want),
            np.max(np.abs(three) / (found + first + second)),
            excess(found, 0, np.inf, 1),
        ]
    return max(errors)


def _ham(x, y, alpha, crossing):
    with mpmath.workdps(50):
        p, q = 1 + mpmath.mpf(alpha) * abs(x), 1 + mpmath.mpf(alpha) * abs(y)
        same = (p * mpmath.log(p / q) - p + q) / mpmath.mpf(alpha) ** 2
        return float(same + (crossing * abs(x) * mpmath.log(q) / alpha if x * y < 0 else 0))


def _mw(x, y, gamma):
    with mpmath.workdps(50):
        x, y, c = mpmath.mpf(x), mpmath.mpf(y), mpmath.mpf(gamma)
        root = lambda s: mpmath.sqrt(s**2 + c**2)  # noqa: E731
        return float((x * (mpmath.asinh(x / c) - mpmath.asinh(y / c)) - root(x) + root(y)) / 2)


THEOREM = Theorem(
    id="geometry.bregman",
    title="The Bregman divergences in closed form",
    source="own",
    statement=r"""\text{HAM, with } p = 1+\alpha|\theta|,\ q = 1+\alpha|\theta_0|:\quad
D(\theta,\theta_0) = \tfrac{1}{\alpha^2}\bigl[p\ln\tfrac{p}{q} - p + q\bigr]
+ \tfrac{2}{\alpha}|\theta|\ln q\ [\theta\theta_0 < 0]; \qquad
m \odot w:\quad D(\theta,\theta_0) = \tfrac12\bigl[\theta(\operatorname{asinh}\tfrac{\theta}{\gamma}
- \operatorname{asinh}\tfrac{\theta_0}{\gamma}) - \sqrt{\theta^2+\gamma^2} + \sqrt{\theta_0^2+\gamma^2}\bigr]; \qquad
D \ge 0, \quad D(x,z) = D(x,y) + D(y,z) + (R'(y)-R'(z))(x-y)""",
    hypotheses="α, γ > 0, the same at θ and θ₀.",
    constants={"crossing": 2, "turn": 1},
    check=check,
    tolerance=1e-11,
    why="rounding, magnified where θ and θ₀ happen to be close: quadrature then knows θ − s to fewer digits",
    violate=violate,
    violated="a geometry that has moved between θ₀ and θ: α or γ is 1.1 to 2 times larger",
    mutations={
        "the cost of a sign flip counted once": {"crossing": 1},
        "the sign of the third term": {"turn": -1},
    },
    prove=prove,
)
