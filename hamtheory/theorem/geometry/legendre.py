"""HAM's potential is Legendre on all of the line: strictly convex, its slope takes every value, and it outgrows |θ|."""

import numpy as np
import sympy as sp

import hamtheory as ht

from .._potentials import excess, relative, signed
from .._theorem import Step, Theorem


def prove(two, whole):
    x, y, a = sp.symbols("theta mu alpha", positive=True)
    potential = ((1 + a * x) * sp.log(1 + a * x) - a * x) / a**2
    mirror = sp.log(1 + a * x) / a
    lower, upper = potential - x * mirror / two, whole * x * mirror - potential
    rest = mirror - x * sp.diff(mirror, x)
    return [
        Step("strictly convex: R'' = 1/(1 + αθ) > 0", sp.diff(potential, x, 2) - 1 / (1 + a * x)),
        Step("the slope takes every value μ > 0, and −μ by symmetry", mirror.subs(x, (sp.exp(a * y) - 1) / a) - y),
        Step("both sides of 0 fit: R'(0) = 0", mirror.subs(x, 0)),
        Step("R = θR'/2 at 0", lower.subs(x, 0)),
        Step("its difference grows by half of R' − θR''", sp.diff(lower, x) - rest / 2),
        Step("R' − θR'' is 0 at 0", rest.subs(x, 0)),
        Step("and grows by αθ/(1 + αθ)² ≥ 0", sp.diff(rest, x) - a * x / (1 + a * x) ** 2),
        Step("θR' = R at 0", upper.subs(x, 0)),
        Step("its difference grows by θR'' = θ/(1 + αθ) ≥ 0", sp.diff(upper, x) - x / (1 + a * x)),
    ]


def check(rng, two, whole):
    alpha = 10 ** rng.uniform(-3, 3)
    geo = ht.HAM(alpha)
    return _error(
        rng,
        two,
        whole,
        alpha,
        geo.mirror_map,
        geo.potential,
        geo.inverse_mirror_map,
        geo.conjugate,
    )


def violate(rng, two, whole):
    # g⁻¹ = 1 + (αθ)²: R' = atan(αθ)/α stays below π/(2α); the best that θ can do for a μ beyond is to go to infinity
    alpha = 10 ** rng.uniform(-3, 3)
    mirror = lambda s: np.arctan(alpha * s) / alpha  # noqa: E731
    potential = lambda s: (alpha * s * np.arctan(alpha * s) - np.log(np.hypot(1, alpha * s))) / alpha**2  # noqa: E731
    inverse = lambda m: np.where(np.abs(alpha * m) < 1.57, np.tan(alpha * m), 1e300 * np.sign(m)) / alpha  # noqa: E731
    return _error(rng, two, whole, alpha, mirror, potential, inverse, None)


def _error(rng, two, whole, alpha, mirror, potential, inverse, conjugate):
    """How far R' misses values, isn't increasing, and how far R leaves the bounds; of 60 θ up to 1e250/α."""
    theta = np.sort(np.concatenate([signed(rng, 30, -8, 0), signed(rng, 30, 0, 250)])) / alpha
    slopes = signed(rng, 60, -3, 2.7) / alpha
    largest = np.abs(theta * mirror(theta))
    errors = [
        relative(mirror(inverse(slopes)), slopes),
        excess(np.diff(mirror(theta)) / np.diff(theta), 0, np.inf, 1),
        excess(potential(theta), largest / two, whole * largest, largest),
    ]
    if conjugate is not None:  # R* is as Legendre: it is finite for every μ
        errors.append(0.0 if np.all(np.isfinite(conjugate(slopes))) else np.inf)
    return max(errors)


THEOREM = Theorem(
    id="geometry.legendre",
    title="HAM's potential is Legendre and superlinear",
    source="jacobs2026ham, Theorem 4.6; the bounds: own",
    statement=r"""R_\alpha'' > 0, \quad \operatorname{dom} R_\alpha = R_\alpha'(\mathbb{R}) = \mathbb{R}, \quad
\tfrac12|\theta R_\alpha'(\theta)| \le R_\alpha(\theta) \le |\theta R_\alpha'(\theta)|, \quad
|\theta R_\alpha'(\theta)| = \tfrac{1}{\alpha}|\theta|\ln(1+\alpha|\theta|)
\qquad \text{for all } \theta \in \mathbb{R},\ \alpha > 0""",
    hypotheses="α > 0; 1/g⁻¹ isn't integrable at infinity, as for every metric that grows at most linearly.",
    constants={"two": 2, "whole": 1},
    check=check,
    tolerance=1e-13,
    why="rounding: of the mirror map and its inverse at α|μ| up to 500, where e^(α|μ|) magnifies it 500 times",
    violate=violate,
    violated="an inverse metric that grows quadratically, 1 + (αθ)²: its mirror map is bounded",
    mutations={
        "the lower bound of another power of θ": {"two": 1.95},
        "the upper bound of a power of θ": {"whole": 0.99},
    },
    prove=prove,
)
