"""HAM and m⊙w with γ = 1/α are the same geometry up to √2, and a unit of time; with another γ, up to more."""

import numpy as np
import sympy as sp

import hamtheory as ht

from .._potentials import excess, signed
from .._theorem import Step, Theorem


def prove(two, speed):
    x, c, p = sp.symbols("theta gamma p", positive=True)
    ham, mw = 1 + x / c, 2 * sp.sqrt(x**2 + c**2)  # at α = 1/γ
    squared, unit = sp.expand((c * ham) ** 2), mw**2 / speed**2
    return [
        Step("(|θ| + γ)² − (θ² + γ²) = 2γ|θ| ≥ 0", squared - unit - 2 * c * x),
        Step(
            "2(θ² + γ²) − (|θ| + γ)² = (|θ| − γ)² ≥ 0; R', R and D_R are integrals of 1/g⁻¹, with weights of one sign",
            two * unit - squared - (x - c) ** 2,
        ),
        Step(  # x = α|θ|
            "γ = p/α: (1 + 1/p²)(x² + p²) − (1 + x)² = (x/p − p)² ≥ 0",
            (two - 1 + p**-2) * (x**2 + p**2) - (1 + x) ** 2 - (x / p - p) ** 2,
        ),
        Step("p ≤ 1: (1 + x)² − (x² + p²) = 1 − p² + 2x ≥ 0", (1 + x) ** 2 - (x**2 + p**2) - (1 - p**2 + 2 * x)),
        Step(
            "p ≥ 1: p²(1 + x)² − (x² + p²) = (p² − 1)x² + 2p²x ≥ 0",
            p**2 * (1 + x) ** 2 - (x**2 + p**2) - (p**2 - 1) * x**2 - 2 * p**2 * x,
        ),
    ]


def check(rng, two, speed):
    return _error(rng, two, speed, 1.0)


def violate(rng, two, speed):
    return _error(rng, two, speed, 10 ** rng.choice([rng.uniform(-2, -0.5), rng.uniform(0.5, 2)]))


def _error(rng, two, speed, moved):
    """How far the quotients of HAM's metric, 1/R', 1/R and 1/D to those of m⊙w leave [1, √2]; γ = moved/α.

    And that of the metrics with γ = p/α its own interval, whose ends are reached.
    """
    alpha = 10 ** rng.uniform(-3, 3)
    ham, mw = ht.HAM(alpha), ht.Hypentropy(moved / alpha)
    theta = np.concatenate([signed(rng, 50, -17, 17) / alpha, [1 / alpha]])  # the last is where the bound is reached
    other = np.roll(theta, 1)
    divergence = ht.geometry.divergence_terms
    quotients = [
        ham.inverse_metric(theta) / mw.inverse_metric(theta) * speed / alpha,
        mw.mirror_map(theta) / ham.mirror_map(theta) * speed / alpha,
        mw.potential(theta) / ham.potential(theta) * speed / alpha,
        divergence(mw, theta, other) / divergence(ham, theta, other) * speed / alpha,
    ]
    p = 10 ** rng.uniform(-1, 1)
    x = np.append(10 ** rng.uniform(-17, 17, 50), [0, p**2, 1e17])
    other = ham.inverse_metric(x / alpha) / ht.Hypentropy(p / alpha).inverse_metric(x / alpha) * speed / alpha
    high = np.sqrt(two - 1 + p**-2)
    ends = np.abs([np.max(other) / high - 1, np.min(other) / min(1, 1 / p) - 1])
    return max(*(excess(quotient, 1, np.sqrt(two), 1) for quotient in quotients), *ends)


THEOREM = Theorem(
    id="geometry.sandwich",
    title="HAM and m⊙w are one geometry up to √2",
    source="own",
    statement=r"""\sqrt{\theta^2+\gamma^2} \le |\theta| + \gamma \le \sqrt2\,\sqrt{\theta^2+\gamma^2},
\quad\text{hence for } \gamma = 1/\alpha:\quad
1 \le \frac{g^{-1}_{\text{HAM}}}{\tfrac{\alpha}{2}\,g^{-1}_{m \odot w}} \le \sqrt2, \quad
1 \le \frac{\tfrac{2}{\alpha}F_{m \odot w}}{F_{\text{HAM}}} \le \sqrt2 \quad \text{for } F = R', R, D_R;
\quad\text{for } \gamma = p/\alpha:\quad
\min(1, \tfrac1p) \le \frac{g^{-1}_{\text{HAM}}}{\tfrac{\alpha}{2}\,g^{-1}_{m \odot w}} \le \sqrt{1 + p^{-2}}""",
    hypotheses="γ = 1/α > 0, or p/α: the ends of its interval are reached or tended to, so that the metrics agree to "
    "√(1 + max(p, 1/p)²) up to a unit of time, and best at p = 1. Both in the time of HAM: m⊙w is slower by α/2.",
    constants={"two": 2, "speed": 2},
    check=check,
    tolerance=1e-12,
    why="rounding: of divergences between points nine decades apart a few digits cancel; √2 is reached at |θ| = γ",
    violate=violate,
    violated="γ is not 1/α but 3 to 100 times smaller or larger",
    mutations={
        "a constant below √2": {"two": 1.98},
        "the metric √(θ² + γ²)": {"speed": 1},
    },
    prove=prove,
)
