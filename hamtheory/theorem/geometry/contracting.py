"""Level sets of the divergences are bounded, with their radius, and contract as γ (or α) falls."""

import numpy as np
import sympy as sp

import hamtheory as ht

from .._potentials import divergence, excess, relative, signed
from .._theorem import Step, Theorem


def prove(two, four):
    y, a, c, level, s = sp.symbols("theta alpha gamma c s", positive=True)
    ham = ((1 + a * y) * sp.log(1 + a * y) - a * y) / a**2
    mw = (y * sp.asinh(y / c) - sp.sqrt(y**2 + c**2) + c) / 2
    from_zero = lambda R: y * sp.diff(R, y) - R  # noqa: E731 D_R(0, θ)
    size = s**2 / 2 + sp.sqrt(two / sp.Integer(2)) * s  # α(αc + √(2c)) with s = α √(2c), so that s²/2 = α²c
    radius = sp.sqrt(four * level * (level + c))
    return [
        Step("HAM: D_R(0, θ) = (αθ − ln(1 + αθ))/α²", from_zero(ham) - (a * y - sp.log(1 + a * y)) / a**2),
        Step("HAM: at the radius, D_R(0, θ) = c for c = 0", (size - sp.log(1 + size) - s**2 / 2).subs(s, 0)),
        Step(
            "HAM: there α²(D_R(0, θ) − c) grows with s by s²/(2 + 2s + s²) ≥ 0",
            sp.diff(size - sp.log(1 + size) - s**2 / 2, s) - s**2 / (2 + 2 * s + s**2),
        ),
        Step("m⊙w: D_R(0, θ) = (√(θ² + γ²) − γ)/2", from_zero(mw) - (sp.sqrt(y**2 + c**2) - c) / 2),
        Step("m⊙w: it is c at the radius", radius**2 + c**2 - (2 * level + c) ** 2),
        Step(
            "m⊙w: it contracts, ∂γ R'' = −γ/(2 (θ² + γ²)^(3/2)) ≤ 0",
            sp.diff(mw, y, 2, c) + c / (2 * (y**2 + c**2) ** sp.Rational(3, 2)),
        ),
        Step("HAM: ∂α R'' = −θ/(1 + αθ)² ≤ 0", sp.diff(ham, y, 2, a) + y / (1 + a * y) ** 2),
        Step(
            "m⊙w: by a factor at most, ∂γ (γR'') = θ²/(2 (θ² + γ²)^(3/2)) ≥ 0",
            sp.diff(c * mw, y, 2, c) - y**2 / (2 * (y**2 + c**2) ** sp.Rational(3, 2)),
        ),
        Step("HAM: ∂α (αR'') = 1/(1 + αθ)² ≥ 0", sp.diff(a * ham, y, 2, a) - (1 + a * y) ** -2),
    ]


def check(rng, two, four):
    return _error(rng, two, four, 1)


def violate(rng, two, four):
    return _error(rng, two, four, 2)


def _error(rng, two, four, growth):
    """Radii of level sets of D_R(0, ·), by bisection, against the bounds; and D at a smaller γ or α against D.

    `growth`: the power of |θ| with which HAM's metric grows; with 2 in the place of 1, of 1 + (αθ)².
    """
    alpha, gamma = 10 ** rng.uniform(-3, 3, 2)
    levels = 10 ** rng.uniform(-20, 4, 25)
    levels[0] = 3.0  # of a size that shows the growth of the metric
    ham, mw = ht.HAM(alpha), ht.Hypentropy(gamma)
    from_zero = lambda geo: lambda s: ht.geometry.divergence_terms(geo, np.zeros(25), s)  # noqa: E731
    quadratic = lambda s: np.log1p((alpha * s) ** 2) / 2 / alpha**2  # noqa: E731
    bound = alpha * levels / alpha**2 + np.sqrt(two * levels / alpha**2)
    radius = _radius(from_zero(ham) if growth == 1 else quadratic, levels / alpha**2, bound)
    exact = np.sqrt(four * levels * (levels + 1)) * gamma
    errors = [
        excess(radius, 0, bound, bound),
        relative(_radius(from_zero(mw), levels * gamma, exact), exact),
    ]
    theta, theta0 = signed(rng, 25, -2, 2), signed(rng, 25, -2, 2)
    factor = 10 ** -rng.uniform(0, 3)
    for geo, metric, unit in (
        (ham, lambda s: 1 + factor * alpha * np.abs(s), 1 / alpha),
        (mw, lambda s: 2 * np.hypot(s, factor * gamma), factor * gamma),
    ):
        before = ht.geometry.divergence_terms(geo, theta, theta0)
        after = divergence(metric, theta, theta0, unit)
        errors.append(excess(after, before, before / factor, after))
    return max(errors)


def _radius(distance, levels, guess):
    """Where increasing functions take the values `levels`: by bisection in ln θ, between 1/1000 and e^60 of a guess."""
    low, high = np.log(guess) - 7, np.log(guess) + 60
    for _ in range(64):
        middle = (low + high) / 2
        below = distance(np.exp(middle)) < levels
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.exp((low + high) / 2)


THEOREM = Theorem(
    id="geometry.contracting",
    title="Level sets of the divergence: bounded, and contracting",
    source="own; the notion: jacobs2025mirror, Definition 3.2",
    statement=r"""D_\alpha(0,\theta) \le c \Rightarrow |\theta| \le \alpha c + \sqrt{2c} \ \text{(HAM)}, \qquad
D_\gamma(0,\theta) \le c \Leftrightarrow |\theta| \le \sqrt{4c(c+\gamma)} \ (m \odot w); \qquad
D_{\kappa'} \le D_{\kappa} \le \tfrac{\kappa'}{\kappa} D_{\kappa'}
\quad\text{for } \kappa \le \kappa',\ \kappa = \alpha \text{ or } \gamma""",
    hypotheses="c ≥ 0; α, γ > 0; the inverse metric grows no faster than linearly. As γ_t falls (weight decay), level "
    "sets of D_γ(θ*, ·) can only shrink, so that what a fixed level set holds stays bounded.",
    constants={"two": 2, "four": 4},
    check=check,
    tolerance=3e-13,
    why="rounding, of a logarithm near 0 to 60 for the radii; bisection goes to it",
    violate=violate,
    violated="an inverse metric that grows quadratically, 1 + (αθ)²: its level sets are exponentially large",
    mutations={
        "HAM's radius with √c": {"two": 1},
        "the radius of m⊙w without the half of its metric": {"four": 1},
    },
    prove=prove,
)
