"""What size means for HAM and m⊙w: θ, y and the start in another unit are another α, or γ."""

import numpy as np
import sympy as sp

import hamtheory as ht

from .._potentials import SHAPE, limits, relative, signed
from .._theorem import Step, Theorem


def prove(square, power):
    x, c, a, g = sp.symbols("theta c alpha gamma", positive=True)  # the potentials are even
    ham = lambda x, a: ((1 + a * x) * sp.log(1 + a * x) - a * x) / a**2  # noqa: E731
    mw = lambda x, g: (x * sp.asinh(x / g) - sp.sqrt(x**2 + g**2) + g) / 2  # noqa: E731
    alpha, gamma = c**power * a, g / c**power
    return [
        Step("HAM: R_α(cθ) = c² R_cα(θ)", ham(c * x, a) - c**square * ham(x, alpha)),
        Step("HAM: R_α'(cθ) = c R_cα'(θ)", (ham(c * x, a).diff(x) - c**square * ham(x, alpha).diff(x)) / c),
        Step("HAM: the metric at cθ is that of cα at θ: flows keep their time", (1 + a * c * x) - (1 + alpha * x)),
        Step("m⊙w: R_γ(cθ) = c R_γ/c(θ)", mw(c * x, g) - c ** (square - 1) * mw(x, gamma)),
        Step(
            "m⊙w: the metric at cθ is c times that of γ/c at θ: flows are c times as fast",
            sp.sqrt((c * x) ** 2 + g**2) - c ** (square - 1) * sp.sqrt(x**2 + gamma**2),
        ),
    ]


def check(rng, square, power):
    return _error(rng, square, power, moved=True)


def violate(rng, square, power):
    return _error(rng, square, power, moved=False)


def _error(rng, square, power, moved):
    """Relative differences: of potentials, and of limits from a start that is scaled like the labels, or is not."""
    c, log = 10 ** rng.choice([rng.uniform(-1.5, -0.3), rng.uniform(0.3, 1.5)]), rng.uniform(-2, 4)
    X, y, start = rng.normal(size=SHAPE), rng.normal(size=SHAPE[0]), rng.normal(size=SHAPE[1])
    theta, errors = np.asarray(signed(rng, 20, -3, 3)), []
    for family, sign in ((ht.HAM, 1), (ht.Hypentropy, -1)):
        here, there = sign * log, sign * (log + power * np.log(c))
        factor = c ** (square if sign == 1 else square - 1)
        errors.append(
            relative(family.at_log(here).potential(c * theta), factor * family.at_log(there).potential(theta))
        )
        scaled = limits(ht.LinearRegression(X, c * y), family, [here], c * start if moved else start)
        plain = limits(ht.LinearRegression(X, y), family, [there], start)
        errors.append(np.abs(scaled - c * plain).max() / np.abs(c * plain).max())
    return max(errors)


THEOREM = Theorem(
    id="geometry.homogeneity",
    title="Another size is another α",
    source="own",
    statement=r"""R_\alpha(c\,\theta) = c^2 R_{c\alpha}(\theta), \quad R_\gamma(c\,\theta) = c\,R_{\gamma/c}(\theta)
\quad (c > 0), \quad\text{hence}\quad
\theta_\infty(\alpha;\, cy,\, c\,\theta_0) = c\,\theta_\infty(c\alpha;\, y,\, \theta_0), \quad
\theta_\infty(\gamma;\, cy,\, c\,\theta_0) = c\,\theta_\infty(\gamma/c;\, y,\, \theta_0). \quad
\text{The best } \alpha \text{ for } y = X\theta^\ast + \xi \text{ from } 0:\quad
\alpha^\ast(c\,\theta^\ast, c\,\xi) = \alpha^\ast(\theta^\ast, \xi)/c, \quad
\alpha^\ast(c\,\theta^\ast, \xi) = \alpha^\ast(\theta^\ast, \xi/c)/c""",
    hypotheses="The start is in the other unit, too; zero is. Best: of least ‖θ_∞ − θ*‖. With θ* alone the ratio of "
    "signal to noise is another one, and the best α is not proportional to 1/‖θ*‖.",
    constants={"square": 2, "power": 1},
    check=check,
    tolerance=1e-11,
    why="rounding: the solver takes the same steps in both units; a rounding unit of y, magnified by 2 × 5 matrices",
    violate=violate,
    violated="the start is not scaled with the labels",
    mutations={
        "potentials of degree 1 and 0": {"square": 1},
        "the parameter goes with the square root of the size": {"power": 0.5},
        "α goes with the size, not against it": {"power": -1},
    },
    prove=prove,
)
