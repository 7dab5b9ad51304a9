"""Far out, the level sets of a potential are those of a norm that the growth of the metric gives."""

import numpy as np
import sympy as sp

import hamtheory as ht

from .._theorem import Step, Theorem


class Power(ht.geometry.AbstractGeometry):
    """`g⁻¹ = (1 + θ²)^(s/2)`."""

    s: float

    def inverse_metric(self, theta):
        return (1 + theta * theta) ** (self.s / 2)


def prove(two):
    x, c, a, g = sp.symbols("x c alpha gamma", positive=True)
    s = sp.Symbol("s", real=True)
    ham = ((1 + a * x) * sp.log(1 + a * x) - a * x) / a**2
    mw = (x * sp.asinh(x / g) - sp.sqrt(x**2 + g**2) + g) / 2
    linear = x ** (two - 1) * sp.log(x)
    return [
        Step("g⁻¹ = cx^s: R = x^(2 − s)/(c(1 − s)(2 − s))",
             sp.powsimp(sp.expand(c * x**s * sp.diff(x ** (two - s) / (c * (two - 1 - s) * (two - s)), x, 2))) - 1),
        Step("of HAM αR/(|θ| ln|θ|) tends to 1, whatever α", sp.limit(a * ham / linear, x, sp.oo) - 1),
        Step("of m⊙w 2R/(|θ| ln|θ|) does, whatever γ", sp.limit(2 * mw / linear, x, sp.oo) - 1),
    ]  # fmt: skip


def check(rng, two):
    return _error(rng, two, rng.uniform(-2, 0.7))


def violate(rng, two):
    return _error(rng, two, rng.uniform(1.3, 1.7))


def _error(rng, two, s):
    """How far ΣR is from the same on vectors of one gauge, far out, relative."""
    worst = 0.0
    for geo, growth, log in ((Power(s), s, 140.0), (ht.HAM(10 ** rng.uniform(-2, 3)), 1.0, 600.0),
                             (ht.Hypentropy(10 ** rng.uniform(-3, 2)), 1.0, 600.0)):  # fmt: skip
        thetas = rng.uniform(0.1, 1, size=(8, 5)) * rng.choice([-1, 1], size=(8, 5))
        rho = float(two) - growth
        thetas /= np.sum(np.abs(thetas) ** rho, axis=1, keepdims=True) ** (1 / rho)
        values = geo.potential(np.exp(log) * thetas).sum(axis=1)
        worst = max(worst, float(np.ptp(values) / np.max(values)))
        if s <= 1:
            worst = max(worst, float(np.ptp(geo.horizon().gauge(thetas))))
    return worst


THEOREM = Theorem(
    id="margin.horizon",
    title="The horizon of a potential is the norm that the growth of its metric gives",
    # That there is a horizon, and that the direction of the flow is given by it: the paper. From the metric: own.
    source="pesme2024implicit, the horizon function; from the metric: own",
    statement=r"""g^{-1}(\theta)\sim c|\theta|^s,\ s<1:\ R(\theta)\sim\frac{|\theta|^{2-s}}{c\,(1-s)(2-s)};\quad
\text{HAM: } \alpha R_\alpha(\theta)\sim|\theta|\ln|\theta|,\quad m\odot w:\ 2R_\gamma(\theta)\sim|\theta|\ln|\theta|;
\quad \frac{\sum_iR(r\theta_i)}{\sum_iR(r\theta'_i)}\to1\ (r\to\infty)\ \text{if}\
\|\theta\|_\rho = \|\theta'\|_\rho,\ \rho = 2-s\ (1\ \text{for both})""",
    hypotheses="s ≤ 1; where s = 1, R is superlinear, that is, the mirror map is unbounded.",
    constants={"two": 2},
    check=check,
    tolerance=2e-2,
    why="logarithms: of s = 1 what is left is ln(θ)/ln(r), at ln r = 600",
    violate=violate,
    violated="s ≤ 1: the mirror map is bounded, and R grows linearly",
    mutations={"3 − s": {"two": 3}, "3/2 − s": {"two": sp.Rational(3, 2)}},
    prove=prove,
    special="g⁻¹ a power, HAM and m⊙w",
)
