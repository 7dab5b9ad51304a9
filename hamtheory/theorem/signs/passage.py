"""When a coordinate with the wrong sign reaches zero: closed forms of the three flows."""

import numpy as np
import sympy as sp
from scipy.integrate import solve_ivp

import hamtheory as ht

from .._flows import euclidean, ham, product
from .._theorem import Step, Theorem


def prove(metric, shift):
    a, y, g, c = sp.symbols("a y gamma alpha", positive=True)
    gd = sp.log(1 + a / y)
    of_ham = (sp.log(1 + c * a) - sp.log(1 + a / y)) / (c * y - shift)
    rho = sp.sqrt(y**2 + g**2)
    of_mw = (sp.asinh(g / y) - sp.asinh((g**2 - y * a) / (g * (y + a)))) / (metric * rho)
    root = sp.sqrt(a**2 + g**2)
    e = sp.Symbol("e")
    numerator = (sp.log(1 + c * a) - sp.log(1 + a / y)).subs(c, (1 + e) / y)
    return [
        Step("GD: dT/da = 1/(y + a)", gd.diff(a) - 1 / (y + a)),
        Step("GD: T(0) = 0", sp.expand(gd.subs(a, 0))),
        Step("HAM: dT/da = 1/((1 + αa)(y + a))", sp.cancel(of_ham.diff(a) * (1 + c * a) * (y + a)) - 1),
        Step("HAM: T(0) = 0", sp.expand(of_ham.subs(a, 0))),
        # at αy = 1 + e the numerator over e: by l'Hôpital's rule
        Step("HAM: 0/0 at αy = 1", (numerator.subs(e, 0)).expand()),
        Step("HAM: T → a/(y + a) there", sp.expand(numerator.diff(e).subs(e, 0)) - a / (y + a)),
        Step("m⊙w: dT/da = 1/(2√(a² + γ²)(y + a)), squared", sp.cancel((of_mw.diff(a) * 2 * root * (y + a)) ** 2) - 1),
        Step("m⊙w: positive, for at a = 0 it is 1/(2γy)", of_mw.diff(a).subs(a, 0) - 1 / (2 * g * y)),
        Step("m⊙w: T(0) = 0", sp.expand(of_mw.subs(a, 0))),
    ]


def _crossing(t, x):
    return x[0]


_crossing.terminal = True  # type: ignore[attr-defined]


def check(rng, metric, shift):
    return _error(rng, metric, shift, 0.0)


def violate(rng, metric, shift):
    return _error(rng, metric, shift, 10 ** rng.uniform(-1, 0.5))


def _error(rng, metric, shift, weight_decay):
    """The largest relative difference of the formulas to integrated flows and to the library's times."""
    a, y = 10 ** rng.uniform(-1, 1, 2)
    alpha, gamma = 10 ** rng.uniform(-1, 2), 10 ** rng.uniform(-3, 1)
    while abs(alpha * y - 1) < 0.05:
        alpha *= 1.2
    asinhs = np.arcsinh(gamma / y) - np.arcsinh((gamma**2 - y * a) / (gamma * (y + a)))
    times = (
        (euclidean(), np.log1p(a / y)),
        (ham(alpha), (np.log1p(alpha * a) - np.log1p(a / y)) / (alpha * y - shift)),
        (product(gamma), asinhs / (metric * np.hypot(y, gamma))),
    )
    errors = []
    for flow, time in times:
        metric_of = flow.inverse_metric
        solution = solve_ivp(
            lambda t, x, of=metric_of: -of(x) * (x - y) - weight_decay * x,
            (0, 1e3),
            [-a],
            method="DOP853",
            events=_crossing,
            rtol=1e-12,
            atol=1e-15,
        )
        measured = solution.t_events[0][0]
        errors += [measured / time - 1, float(ht.signs.first_passage_time(flow.geo, a, y)) / time - 1]
    return float(np.abs(errors).max())


THEOREM = Theorem(
    id="signs.passage",
    title="First-passage times of gradient descent, HAM and m⊙w",
    source="own",
    statement=r"""T = \int_0^a\frac{ds}{g^{-1}(s)(y+s)}:\quad T_{\mathrm{GD}} = \ln(1+a/y),\quad
T_{\mathrm{HAM}} = \frac{\ln(1+\alpha a)-\ln(1+a/y)}{\alpha y-1},\quad
T_{m\odot w} = \frac{1}{2\rho}\Bigl[\operatorname{asinh}\frac{\gamma}{y}
-\operatorname{asinh}\frac{\gamma^2-ya}{\gamma(y+a)}\Bigr],\ \rho=\sqrt{y^2+\gamma^2}""",
    hypotheses="One dimension, f = (θ − y)²/2, from θ₀ = −a < 0 < y to 0; α, γ > 0 (T_HAM is a/(y + a) at αy = 1); no "
    "weight decay.",
    constants={"metric": 2, "shift": 1},
    check=check,
    tolerance=1e-10,
    why="the event's time, by the integrator's dense output at a tolerance of 1e-12; differences of "
    "logarithms near αy = 1",
    violate=violate,
    violated="no weight decay",
    mutations={
        "m⊙w without the 2 of its metric": {"metric": 1},
        "HAM's time at large α, for every α": {"shift": 0},
    },
    prove=prove,
)
