"""Gradient descent on the factors of m⊙w is mirror descent with the hypentropy, up to second order."""

import jax.numpy as jnp
import numpy as np
import sympy as sp

import hamtheory as ht

from .._expansions import coefficient, extrapolated, signed
from .._theorem import Step, Theorem


def prove(imbalance, second):
    u, v = sp.symbols("u v", positive=True)
    g, h = sp.symbols("g eta", real=True)
    # θ = m w, u = (m + w)/2, v = (m − w)/2, which a step multiplies by 1 − ηg and 1 + ηg
    m, w = u + v, u - v
    theta, gamma = u**2 - v**2, (m**2 - w**2) / imbalance
    descended = (m - h * w * g) * (w - h * m * g)
    # γ sinh(asinh(θ/γ) − 2ηg), with asinh(θ/γ) = ln((θ + √(θ² + γ²))/γ) and √(θ² + γ²) = u² + v²
    mirrored = ((theta + u**2 + v**2) * sp.exp(-2 * h * g) - gamma**2 / (theta + u**2 + v**2) * sp.exp(2 * h * g)) / 2
    gap = descended - mirrored
    return [
        Step("√(θ² + γ²) = u² + v²", theta**2 + gamma**2 - (u**2 + v**2) ** 2),
        Step("a step of gradient descent is u²(1 − ηg)² − v²(1 + ηg)²", descended
             - (u**2 * (1 - h * g) ** 2 - v**2 * (1 + h * g) ** 2)),
        Step("one of mirror descent is u² e^(−2ηg) − v² e^(2ηg)", mirrored
             - (u**2 * sp.exp(-2 * h * g) - v**2 * sp.exp(2 * h * g))),
        Step("both are at θ for η = 0", gap.subs(h, 0)),
        Step("their first orders are equal", coefficient(gap, h, 1)),
        Step("their second orders differ by −g²θ", coefficient(gap, h, 2) + second * g**2 * theta),
    ]  # fmt: skip


def check(rng, imbalance, second):
    return _error(rng, 0.0, imbalance, second)


def violate(rng, imbalance, second):
    return _error(rng, rng.uniform(0.01, 0.5), imbalance, second)


def _error(rng, beta, imbalance, second):
    """By how much η⁻²(θ of a step on the factors − θ of a mirror step) is not −g²θ as η → 0, in units of g²√(θ² + γ²).

    `beta`: weight decay on the factors.
    """
    d, scale = (5, 20)[int(rng.integers(2))], 10 ** rng.uniform(-4, 4)
    m, w = (signed(rng, d) * scale for _ in range(2))
    theta, gamma = m * w, np.abs(m**2 - w**2) / imbalance
    g = signed(rng, d)
    root = np.sqrt(theta**2 + gamma**2)
    problem = ht.LinearRegression(np.eye(d), theta)
    rule = ht.ProductGD(beta, m0=m, w0=w)
    state = rule.init(problem, jnp.zeros(d))
    mirror = ht.algorithm.MirrorDescent(ht.Hypentropy(gamma))

    def gap(eta):
        descended = rule.theta(rule.step(state, jnp.asarray(g), jnp.asarray(eta)))
        mirrored = mirror.step(jnp.asarray(theta), jnp.asarray(g), jnp.asarray(eta))
        return (np.asarray(descended) - np.asarray(mirrored)) / eta**2

    limit = extrapolated([gap(4e-3 / 2**k) for k in range(4)])
    return np.abs((limit + second * g**2 * theta) / (g**2 * root)).max()


THEOREM = Theorem(
    id="wu.exponentiated",
    title="Gradient descent on factors approximates exponentiated gradient descent",
    source="wu2020continuous, abstract; the term of second order: own",
    statement=r"""\theta = m\odot w,\ \gamma = \tfrac12|m^2 - w^2|:\quad
(m-\eta w g)(w - \eta m g) = \gamma\sinh\bigl(\operatorname{asinh}(\theta/\gamma) - 2\eta g\bigr)
- \eta^2 g^2\,\theta + O(\eta^3)""",
    hypotheses="One step of gradient descent on (m, w), without weight decay, and one of mirror descent in the "
    "hypentropy R' = ½ asinh(θ/γ), from one point, with one gradient g.",
    constants={"imbalance": 2, "second": 1},
    check=check,
    tolerance=1e-6,
    why="rounding, 1e-16 over η² of 1e-7, magnified some times by the extrapolation",
    violate=violate,
    violated="there is no weight decay",
    mutations={
        "γ = |m² − w²|": {"imbalance": 1},
        "no second-order difference": {"second": 0},
        "its other sign": {"second": -1},
    },
    prove=prove,
)
