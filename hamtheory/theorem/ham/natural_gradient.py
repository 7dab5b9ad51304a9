"""HYP's step against the exact mirror step in HAM's potential, and against the natural gradient step."""

import jax.numpy as jnp
import numpy as np
import sympy as sp

import hamtheory as ht

from .._expansions import coefficient
from .._theorem import Step, Theorem


def prove(linear, power):
    # θ > 0, before the step and after it; θ < 0 by symmetry
    x, a, h = sp.symbols("theta alpha eta", positive=True)
    g = sp.Symbol("g", real=True)
    z = a * h * g
    hyp, natural = (x - h * g) * sp.exp(-z), x - h * (1 + a * x) * g
    mirror = ((1 + a * x) * sp.exp(-z) - 1) / a
    above, below = (1 - (1 + linear * z) * sp.exp(-z)) / a, (1 + a * x) ** power * (sp.exp(-z) - 1 + z) / a
    return [
        Step("the mirror step moves R' by −ηg", sp.log(1 + a * mirror) - sp.log(1 + a * x) + z),
        Step("HYP − mirror step depends on z = αηg alone", hyp - mirror - above),
        Step("it has its minimum, 0, at z = 0", above.subs(h, 0)),
        Step("for its derivative by z is z e^(−z)/α", sp.diff(above, h) - g * z * sp.exp(-z)),
        Step("mirror step − natural gradient step", mirror - natural - below),
        Step("HYP − mirror step = ½αη²g² + O(η³)", coefficient(above, h, 2) - a * g**2 / 2),
        Step(
            "mirror − natural gradient step = ½α(1+αθ)η²g² + O(η³)",
            coefficient(below, h, 2) - a * (1 + a * x) * g**2 / 2,
        ),
    ]


def check(rng, linear, power):
    return _error(rng, lambda size: rng.uniform(-1, 1, size), linear, power)


def violate(rng, linear, power):
    return _error(rng, lambda size: rng.uniform(1.5, 3, size), linear, power)


def _error(rng, share, linear, power):
    """The largest error of the two gaps, in units of the numbers that are subtracted. ηg is a `share` of R′(θ)."""
    alpha, eta, d = 10 ** rng.uniform(-3, 3), 10 ** rng.uniform(-4, 1), (5, 50)[int(rng.integers(2))]
    theta = rng.choice([-1.0, 1.0], d) * 10 ** rng.uniform(-2, 0.5, d) / alpha
    geometry = ht.HAM(alpha)
    g = np.asarray(geometry.mirror_map(jnp.asarray(theta))) * share(d) / eta
    rules = ht.HYP(alpha), ht.algorithm.MirrorDescent(geometry), ht.algorithm.NaturalGradient(geometry)
    arrays = jnp.asarray(theta), jnp.asarray(g), jnp.asarray(eta)
    hyp, mirror, natural = (np.asarray(rule.step(*arrays)) for rule in rules)
    s, z = np.sign(theta), np.sign(theta) * alpha * eta * g
    above = s * (1 - (1 + linear * z) * np.exp(-z)) / alpha
    below = s * (1 + alpha * np.abs(theta)) ** power * (np.expm1(-z) + z) / alpha
    errors = np.abs(hyp - mirror - above), np.abs(mirror - natural - below)
    return max(np.max(error / (np.abs(theta) + 1 / alpha) / np.exp(np.abs(z))) for error in errors)


THEOREM = Theorem(
    id="ham.natural-gradient",
    title="HAM's step, the mirror step and the natural gradient step",
    source="own; that all three discretise one flow: jacobs2026ham, Theorem 4.2",
    statement=r"""\theta^{\mathrm{HYP}} - \theta^{\mathrm{mirror}}
= \tfrac{1}{\alpha}\operatorname{sign}(\theta)\bigl[1-(1+z)e^{-z}\bigr]
= \tfrac{1}{2}\alpha\operatorname{sign}(\theta)\eta^2 g^2 + O(\eta^3),\quad
\theta^{\mathrm{mirror}} - \theta^{\mathrm{natural}}
= \tfrac{1}{\alpha}\operatorname{sign}(\theta)(1+\alpha|\theta|)\bigl[e^{-z}-1+z\bigr]
= \tfrac{1}{2}\alpha\operatorname{sign}(\theta)(1+\alpha|\theta|)\eta^2g^2 + O(\eta^3),\quad
z = \alpha\eta\operatorname{sign}(\theta)g;\quad \text{both brackets are}\ \ge 0:\
|\theta^{\mathrm{HYP}}| \ge |\theta^{\mathrm{mirror}}| \ge |\theta^{\mathrm{natural}}|""",
    hypotheses="α > 0, β = 0; one step from one θ ≠ 0 of HYP, of mirror descent in HAM's potential and of θ − ηg⁻¹g; "
    "for the inequalities, and the mirror step's formula, that none of them changes the sign of θ.",
    constants={"linear": 1, "power": 1},
    check=check,
    tolerance=1e-13,
    why="rounding of differences, in units of what is subtracted",
    violate=violate,
    violated="no step crosses zero",
    mutations={
        "a gap that is not of second order": {"linear": 0},
        "the gap to the natural gradient without g⁻¹": {"power": 0},
        "with its square": {"power": 2},
    },
    prove=prove,
)
