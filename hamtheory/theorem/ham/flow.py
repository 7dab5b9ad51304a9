"""HYP follows the flow dθ = −((1 + α|θ|)∇f + βθ) dt to first order in its step."""

import jax.numpy as jnp
import numpy as np
import sympy as sp

import hamtheory as ht

from .._expansions import data, extrapolated, integrate, signed
from .._theorem import Step, Theorem

ROWS, COLUMNS, LEVELS = 3, 6, 5


def prove(slope, decay):
    x, a, b, h = sp.symbols("theta alpha beta eta", positive=True)
    g = sp.Symbol("g", real=True)
    steps = []
    for s in (1, -1):
        theta = s * x
        moved = (theta - h * g) * sp.exp(-h * (a * s * g + b))
        velocity = -((1 + slope * a * sp.Abs(theta)) * g + decay * b * theta)
        steps += [
            Step(f"sign {s}: a step of size 0 stays", moved.subs(h, 0) - theta),
            Step(f"sign {s}: its derivative there is the flow's velocity", sp.diff(moved, h).subs(h, 0) - velocity),
        ]
    return steps


def check(rng, slope, decay):
    return _error(rng, slope, decay, 1.0)


def violate(rng, slope, decay):
    return _error(rng, slope, decay, -4.0)


def _error(rng, slope, decay, away):
    """The distance of the limit of HYP's θ(t) as η → 0 from the flow's, over how far the flow has moved.

    `away` < 0: the target has other signs than the start, and is larger.
    """
    alpha, beta = 10 ** rng.uniform(-1, 1.5), rng.uniform(0, 0.5)
    X, _ = data(rng, ROWS, COLUMNS)
    start = signed(rng, COLUMNS)
    y = X @ (away * start * rng.uniform(0.5, 1.5, COLUMNS))
    curvature = np.linalg.eigvalsh((X * (1 + alpha * np.abs(start))) @ X.T / ROWS)[-1]
    t = (0.2 if away > 0 else 1.0) / curvature  # within which no entry comes near zero, but if it has to
    field = lambda v: -(1 + slope * alpha * np.abs(v)) * (X.T @ (X @ v - y) / ROWS) - decay * beta * v  # noqa: E731
    flow = integrate(field, start, t, tol=1e-13 if away > 0 else 1e-8)
    ends = []
    for k in range(LEVELS):
        steps = 64 * 2**k
        problem = ht.LinearRegression(X, y)
        end = ht.run(problem, ht.HYP(alpha, beta), jnp.asarray(start), learning_rate=t / steps, steps=steps,
                     save_every=steps, progress=False)  # fmt: skip
        ends.append(end.theta)
    return np.abs(extrapolated(ends) - flow).max() / np.abs(flow - start).max()


THEOREM = Theorem(
    id="ham.flow",
    title="HAM's step follows the flow of 1 + α|θ|",
    source="jacobs2026ham, Theorem 4.2",
    statement=r"""\theta_{k+1} = \bigl(\theta_k - \eta\nabla f(\theta_k)\bigr)\,
e^{-\eta(\alpha\operatorname{sign}(\theta_k)\nabla f(\theta_k) + \beta)}
\;\Rightarrow\; \max_{k\le t/\eta}|\theta_k - \theta(\eta k)| = O(\eta), \quad
\frac{d\theta}{dt} = -(1+\alpha|\theta|)\nabla f(\theta) - \beta\theta""",
    hypotheses="α > 0, β ≥ 0, a fixed time t; for an error that is a power series in η, that no entry crosses zero.",
    constants={"slope": 1, "decay": 1},
    check=check,
    tolerance=2e-11,
    why="the extrapolation of five runs, of up to 1024 steps, leaves the fifth "
    "power of a step times the curvature, 1/320 at most, and rounding; crossings leave far more",
    violate=violate,
    violated="no entry crosses zero",
    mutations={"the metric of m⊙w, twice the slope": {"slope": 2}, "the decay of m⊙w": {"decay": 4}},
    prove=prove,
    special="one step; not that the errors of t/η steps add up to O(η)",
)
