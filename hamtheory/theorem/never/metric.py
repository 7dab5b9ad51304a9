"""The metric of two factors under a steepest flow."""

import numpy as np
import sympy as sp

import hamtheory as ht

from .._flows import integrate
from .._theorem import Step, Theorem


def prove(four, power):
    m, w, q = sp.symbols("m w q", positive=True)
    g = sp.symbols("g", positive=True)
    speed = [-((g * x) ** (q - 1)) for x in (w, m)]
    moved = sp.diff(m * w, m) * speed[0] + sp.diff(m * w, w) * speed[1]
    metric = m**q + w**q
    return [
        Step(
            "dθ/dt = −(m^q + w^q) g^(q−1)",
            sp.simplify(sp.expand(sp.expand_power_base(moved + metric * g ** (q - 1)))),
        ),
        Step(
            "(m^q + w^q)² = 4(mw)^q + λ², λ = m^q − w^q",
            sp.powsimp(sp.expand(sp.expand_power_base(metric**2 - four * (m * w) ** q - (m**q - w**q) ** power))),
        ),
    ]


def check(rng, four, power):
    return _error(rng, four, power, 0.0)


def violate(rng, four, power):
    return _error(rng, four, power, 10 ** rng.uniform(-1, 0))


def _error(rng, four, power, weight_decay):
    """The flow on (m, w) against that of the metric on θ, through zero."""
    q = rng.uniform(1.1, 2)
    w0 = rng.uniform(0.2, 0.5) * rng.choice([-1.0, 1.0])
    lam = rng.uniform(0.2, 0.8)
    m0 = (lam + np.abs(w0) ** q) ** (1 / q)
    x, y = rng.uniform(0.5, 1.5), -np.sign(w0) * rng.uniform(2, 4)
    times = np.linspace(0, 0.4, 5)[1:]
    problem = ht.LinearRegression([[x]], [y])
    flow = ht.steepest_flow(problem, [[m0], [w0]], q=q, weight_decay=weight_decay, ts=times, rtol=1e-11)

    def field(t, s):
        g = x * (x * s - y)
        return -np.sqrt(four * np.abs(s) ** q + lam**power) * np.sign(g) * np.abs(g) ** (q - 1) - 4 * weight_decay * s

    path = integrate(field, [m0 * w0], times)
    return np.abs(flow.thetas - path).max() / abs(y / x)


THEOREM = Theorem(
    id="never.metric",
    title="The metric of two factors under a steepest flow",
    source="jacobs2026never, two factors",
    statement=r"""\dot\theta = -\frac{1}{R''(\theta)}\operatorname{sign}(\nabla f)|\nabla f|^{q-1},\qquad
R''(\theta) = \frac{1}{\sqrt{4|\theta|^q + \lambda^2}},\qquad \lambda = |m|^q - |w|^q""",
    hypotheses="θ = m⊙w without weight decay, 1 < q ≤ 2.",
    constants={"four": 4, "power": 2},
    check=check,
    tolerance=1e-8,
    why="the library's tolerance, 1e-11, and SciPy's, 1e-12, at the kink of |θ|^q, which the flow passes",
    violate=violate,
    violated="no weight decay: β of 0.1 to 1, with which λ shrinks",
    mutations={"without the factor": {"four": 1}, "λ not squared": {"power": 1}},
    prove=prove,
)
