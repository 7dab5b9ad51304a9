"""Fenchel–Young: R and R* are conjugate for GD, HAM and m⊙w, equal to θμ at μ = R′(θ); the gap is a divergence."""

import numpy as np
import sympy as sp

import hamtheory as ht

from .._theorem import Step, Theorem

GOLDEN = (np.sqrt(5) - 1) / 2


def prove(rate, linear):
    x, t, y, a, c = sp.symbols("theta t mu alpha gamma", positive=True)
    families = {
        "GD": (x**2 / 2, y**2 / 2),
        "HAM": (((1 + a * x) * sp.log(1 + a * x) - a * x) / a**2, (sp.exp(a * y) - 1 - linear * a * y) / a**2),
        "m⊙w": ((x * sp.asinh(x / c) - sp.sqrt(x**2 + c**2) + c) / 2, c * (sp.cosh(rate * y) - 1) / 2),
    }
    steps = []
    for name, (potential, conjugate) in families.items():
        slope = sp.diff(potential, x)
        at = {x: t}  # μ = R′(t), which takes every value as t does
        mu, base = slope.subs(at), potential.subs(at)
        steps += [
            Step(f"{name}: (R*)′(R′(t)) = t", sp.diff(conjugate, y).subs(y, mu) - t),
            Step(
                f"{name}: R*(μ) = tμ − R(t), the largest value of a concave function",
                conjugate.subs(y, mu) - t * mu + base,
            ),
            Step(
                f"{name}: R(θ) + R*(μ) − θμ = D_R(θ, t), which is ≥ 0, and 0 for θ = t",
                potential + conjugate.subs(y, mu) - x * mu - (potential - base - mu * (x - t)),
            ),
        ]
    return steps


def check(rng, rate, linear):
    return _error(rng, rate, linear, 1.0)


def violate(rng, rate, linear):
    return _error(rng, rate, linear, rng.uniform(0.1, 0.9))


def _error(rng, rate, linear, domain):
    """`max μθ − R(θ)` by golden section, against R*; for `domain` < 1, over θ up to that part of the maximiser."""
    alpha, gamma = 10 ** rng.uniform(-3, 3, 2)
    mu = 10 ** rng.uniform(-1.5, 1, 20)  # times α, or 2: their exponentials are numbers, and R* is not all rounding
    cases = [
        (ht.Euclidean(), mu, mu**2 / 2, 1.0),
        (ht.HAM(alpha), mu / alpha, (np.expm1(mu) - linear * mu) / alpha**2, 1 / alpha),
        (ht.Hypentropy(gamma), mu / 2, gamma * np.sinh(rate * mu / 4) ** 2, gamma),
    ]
    errors = []
    for geo, dual, conjugate, unit in cases:
        end = 12.0 if domain == 1 else np.arcsinh(domain * geo.inverse_mirror_map(dual) / unit)
        most = _largest(geo, dual, unit, end)
        errors += [np.abs(most / conjugate - 1).max(), np.abs(geo.conjugate(dual) / conjugate - 1).max()]
    return max(errors)


def _largest(geo, dual, unit, end):
    """The largest value of μθ − R(θ), θ = unit · sinh u, u in [0, end]: its error is the square of that in u."""

    def f(u):
        theta = unit * np.sinh(u)
        return dual * theta - geo.potential(theta)

    left, right = np.zeros(20), np.broadcast_to(end, (20,))
    for _ in range(60):
        inner, outer = right - GOLDEN * (right - left), left + GOLDEN * (right - left)
        keep = f(inner) > f(outer)
        left, right = np.where(keep, left, inner), np.where(keep, outer, right)
    return f((left + right) / 2)


THEOREM = Theorem(
    id="geometry.fenchel",
    title="Conjugate pairs, and Fenchel–Young",
    source="own; classical convex analysis, of the potentials of the three geometries",
    statement=r"""R(\theta) + R^*(\mu) - \theta\mu = D_R\bigl(\theta, (R^*)'(\mu)\bigr) \ge 0
\ \text{with equality iff}\ \mu = R'(\theta), \quad R^*(\mu) = \max_\theta \mu\theta - R(\theta) =
\tfrac12\mu^2,\ \tfrac{1}{\alpha^2}\bigl(e^{\alpha|\mu|} - 1 - \alpha|\mu|\bigr),\ \tfrac12\gamma(\cosh 2\mu - 1)
\quad\text{for GD, HAM}(\alpha), m \odot w(\gamma)""",
    hypotheses="α, γ > 0; the maximum is over all of the line.",
    constants={"rate": 2, "linear": 1},
    check=check,
    tolerance=1e-12,
    why="rounding: R* is a difference of which up to two digits cancel; golden section errs by the square of 1e-12",
    violate=violate,
    violated="the maximum is over |θ| up to 0.1 to 0.9 of the maximiser",
    mutations={
        "cosh μ, of the metric √(θ² + γ²)": {"rate": 1},
        "HAM's conjugate without its linear term": {"linear": 0},
    },
    prove=prove,
)
