"""From which sizes a ReLU neuron with a wrong outer sign learns its teacher, with HAM on both layers or on one."""

import numpy as np
import sympy as sp
from scipy.optimize import root_scalar

import hamtheory as ht

from .._expansions import first_zero
from .._theorem import Step, Theorem


def prove(half):
    s, t, a = sp.symbols("s t alpha", positive=True)
    loss, u = sp.Function("L"), sp.Symbol("u", real=True)
    moment = s / a - sp.log(1 + a * s) / a**2  # of HAM, at |a| = s
    steps = [
        Step("I' = s/(1+αs)", sp.diff(moment, s) - s / (1 + a * s)),
        Step("I(0) = 0", moment.subs(s, 0)),
        Step("I is GD's s²/2 as α → 0", sp.limit(moment, a, 0) - half * s**2),
    ]
    for i in (1, -1):
        # a = i s, w = t > 0, with HAM on layer a; |a| and w move by these.
        slope = sp.diff(loss(u), u).subs(u, i * s * t)
        ds, dw = -i * (1 + a * s) * t * slope, -i * s * slope
        one = sp.diff(moment, s) * ds - sp.diff(half * t**2, t) * dw
        both = sp.diff(moment, s) * ds - sp.diff(moment.subs(s, t), t) * (1 + a * t) * dw
        steps += [
            Step(f"sign of a {i}: I(|a|) − w²/2 stays, of any loss of aw", one),
            Step(f"sign of a {i}: I(|a|) − I(w) stays, with HAM on both", both),
        ]
    return steps  # I increases, so that with one geometry the boundary I(|a|) = I(w) is |a| = w


def check(rng, half):
    return _error(rng, 1.0, half)


def violate(rng, half):
    return _error(rng, -1.0, half)


def _moment(alpha, x):
    return x / alpha - np.log1p(alpha * x) / alpha**2


def _error(rng, sign, half):
    """Of flows from a₀ < 0 < w₀ next to the boundary, and farther away: by how much, as a share of |a₀|, one is on the
    wrong side of it; the relative difference of the library's boundary; and the error of w² where a crosses zero.

    `sign` = −1: from w₀ < 0.
    """
    alpha, w0 = 10 ** rng.uniform(-1, 2), 10 ** rng.uniform(-0.5, 0.5)
    found = root_scalar(lambda x: _moment(alpha, x) - half * w0**2, bracket=(0, 2 * w0 + alpha * w0**2), xtol=1e-15)
    critical = found.root
    on_a = lambda x: np.array([1 + alpha * abs(x[0]), 1.0])  # noqa: E731
    on_both = lambda x: 1 + alpha * np.abs(x)  # noqa: E731
    worst = 0.0
    for metric, layer, boundary in ((on_a, ht.Euclidean(), critical), (on_both, ht.HAM(alpha), 2 * half * w0)):
        found = ht.neuron.Neuron(ht.HAM(alpha), layer).critical_size(sign * w0)
        worst = max(worst, abs(float(found) / boundary - 1))
        for share in (-0.5, -1e-3, 1e-3, 0.5):
            end = first_zero(metric, -boundary * (1 + share), sign * w0)
            recovers = abs(end[0]) < 1e-9 < end[1]
            worst = max(worst, 0.0 if recovers == (share < 0) else abs(share))
    a0 = -critical * rng.uniform(0.1, 0.9)
    end = first_zero(on_a, a0, w0)
    return max(worst, abs(half * end[1] ** 2 / (half * w0**2 - _moment(alpha, -a0)) - 1))


THEOREM = Theorem(
    id="ham.neuron",
    title="One neuron: HAM on both layers has the basin of gradient descent",
    source="own; the setting and the four cases of signs: jacobs2026ham, Appendix E",
    statement=r"""a_0 < 0 < w_0,\ \text{student}\ a\,\sigma(wz),\ \text{teacher}\ \sigma(z):\quad
\dot a = -(1+\alpha|a|)\partial_a L,\ \dot w = -(1+\alpha|w|)\partial_w L\ \text{recovers} \iff |a_0| < w_0;\quad
\dot a = -(1+\alpha|a|)\partial_a L,\ \dot w = -\partial_w L\ \text{recovers} \iff
\tfrac{1}{\alpha}|a_0| - \tfrac{1}{\alpha^2}\ln(1+\alpha|a_0|) < \tfrac{1}{2}w_0^2""",
    hypotheses="L(a, w) = ½E(aσ(wz) − σ(z))², σ the ReLU, z ~ N(0, 1); α > 0; w₀ > 0.",
    constants={"half": 0.5},
    check=check,
    tolerance=1e-11,
    why="the flow is integrated to 1e-12 of its size, and w² at the crossing may be a thousandth of w₀²; starts "
    "as near as 1e-3 to the boundary are all on the right side",
    violate=violate,
    violated="w₀ > 0",
    mutations={"w₀² without its half": {"half": 1.0}, "a quarter of it": {"half": 0.25}},
    prove=prove,
    special="what the flow conserves; not that it goes on until it recovers, or can't",
)
