"""The metric of m⊙w in its imbalance m² − w² = β: not √(θ² + β), in any unit of time, unless β = 4."""

import numpy as np
import scipy.integrate
import sympy as sp

import hamtheory as ht

from .._theorem import Step, Theorem


def prove(four, power):
    m, w = sp.symbols("m w", positive=True)
    return [
        Step("m² − w² is conserved", sp.diff(m**2 - w**2, m) * w + sp.diff(m**2 - w**2, w) * m),
        Step(
            "(m² + w²)², by which the flow on m and w moves θ = mw, is 4θ² + β²",
            (sp.diff(m * w, m) * w + sp.diff(m * w, w) * m) ** 2 - four * (m * w) ** 2 - (m**2 - w**2) ** power,
        ),
    ]


def check(rng, four, power):
    return _error(rng, four, power, 0.0)


def violate(rng, four, power):
    return _error(rng, four, power, 10 ** rng.uniform(-2, -1))


def _error(rng, four, power, weight_decay):
    """The flow on (m, w) against that of the metric on θ, in the unit of time that is right at the start."""
    w0 = rng.uniform(0.1, 0.5) * rng.choice([-1.0, 1.0])
    beta = 10 ** rng.uniform(-1, 0.3)  # at β = 4 the published metric is right, up to a factor
    m0 = np.sqrt(beta + w0**2)
    x, y = rng.uniform(0.5, 1.5), -np.sign(w0) * rng.uniform(2, 4)
    metric = lambda s: np.sqrt(four * s**2 + beta**power)  # noqa: E731
    unit = (m0**2 + w0**2) / metric(m0 * w0)
    times = np.linspace(0, 1.5 / (beta + 1), 5)[1:]
    flow = ht.product_flow(
        ht.LinearRegression([[x]], [y]),
        [m0],
        [w0],
        weight_decay=weight_decay,
        ts=times,
        rtol=1e-12,
        atol=1e-13,
    )
    field = lambda t, s: -unit * metric(s) * x * (x * s - y) - 4 * weight_decay * s  # noqa: E731
    solved = scipy.integrate.solve_ivp(field, (0, times[-1]), [m0 * w0], "DOP853", times, rtol=1e-12, atol=1e-13)
    return np.abs(flow.thetas[:, 0] - solved.y[0]).max() / abs(y / x)


THEOREM = Theorem(
    id="geometry.imbalance",
    title="The metric of m⊙w in terms of its imbalance",
    source="gadhikar2025signin, the flow of θ = m⊙w",
    statement=r"""\dot\theta = -\sqrt{4\theta^2 + \beta^2}\,\nabla f = -2\sqrt{\theta^2 + (\beta/2)^2}\,\nabla f,
\qquad m^2 - w^2 = \beta""",
    hypotheses="Gradient flow on m and w without weight decay, θ = m⊙w; β of either sign.",
    constants={"four": 4, "power": 2},
    check=check,
    tolerance=1e-9,
    why="both flows are integrated to rtol = 1e-12, over up to ten times the size of their start",
    violate=violate,
    violated="weight decay of 0.01 to 0.1, with which β shrinks",
    mutations={
        "as published": {"four": 1, "power": 1},
        "the square, but not the factor": {"four": 1},
        "the factor, but not the square": {"power": 1},
    },
    prove=prove,
    is_erratum=True,
    published=r"\dot\theta = -\sqrt{\theta^2 + \beta}\,\nabla f, \qquad m^2 - w^2 = \beta",
    correction=(
        "The scale in the metric is β/2, half of the imbalance, and it enters squared. No unit of time repairs that: "
        "√(θ² + β) is proportional to √(4θ² + β²) for β = 4 alone. At β = 1, to which Sign-In resets it, the two agree "
        "at θ = 0 and differ by a factor of 2 far from it. With (m² − w²)²/4 for β "
        "it holds, but for a unit of time."
    ),
)
