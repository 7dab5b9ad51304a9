"""What steepest flows conserve: the differences of the q-th powers of the factors."""

import numpy as np
import sympy as sp

import hamtheory as ht

from .._flows import integrate, regression
from .._theorem import Step, Theorem


def prove(power, rate):
    q, b, t, c = sp.symbols("q beta t c", positive=True)
    w = sp.symbols("w1 w2 w3", positive=True)
    g = sp.symbols("g", positive=True)
    theta = sp.prod(w)
    # At positive factors and a positive partial derivative; the signs of all others cancel.
    speed = [-((g * theta / x) ** (q - 1)) - 2 * b * x for x in w]
    raised = [x ** (power * q) for x in w]
    change = [sp.diff(r, x) * v for r, x, v in zip(raised, w, speed, strict=True)]
    # `d w^q = −q (gθ)^(q−1) − 2qβ w^q`, in which the first term is that of every factor.
    return [
        Step(
            f"d(w₁^q − w{i}^q)/dt = −2qβ(w₁^q − w{i}^q)",
            sp.powsimp(
                sp.expand(sp.expand_power_base(change[0] - change[i - 1] + 2 * q * b * (raised[0] - raised[i - 1])))
            ),
        )
        for i in (2, 3)
    ] + [
        Step(
            "which c e^(−2qβt) solves",
            (c * sp.exp(-rate * q * b * t)).diff(t) + 2 * q * b * c * sp.exp(-rate * q * b * t),
        )
    ]


def check(rng, power, rate):
    return _error(rng, power, rate, coupled=False)


def violate(rng, power, rate):
    return _error(rng, power, rate, coupled=True)


def _error(rng, power, rate, coupled):
    """Of the factors by SciPy: how far the differences are from the exponential, relative; and the library's from them.

    The gradient of each entry keeps its sign: then the right-hand side is smooth.
    """
    q, count = rng.uniform(1.1, 2), int(rng.integers(2, 5))
    X, y = regression(rng, 3, 6)
    w0 = rng.uniform(0.5, 1, (count, 6)) * rng.choice([-1.0, 1.0], (count, 6))
    beta, y = rng.uniform(0.2, 0.5), y + X @ (20 * rng.choice([-1.0, 1.0], 6))
    ts = np.linspace(0, 0.05, 4)[1:]

    def velocity(t, w):
        w = w.reshape(w0.shape)
        gradient = X.T @ (X @ np.prod(w, axis=0) - y) / 3
        pulled = np.stack([gradient * np.prod(np.delete(w, i, axis=0), axis=0) for i in range(count)])
        pulled = pulled + 2 * beta * w if coupled else pulled
        force = np.sign(pulled) * np.abs(pulled) ** (q - 1)
        return (-force - (0 if coupled else 2 * beta * w)).ravel()

    path = integrate(velocity, w0.ravel(), ts).reshape(3, *w0.shape)
    powers = lambda w: np.abs(w) ** (float(power) * q)  # noqa: E731
    found = powers(path)[:, :1] - powers(path)[:, 1:]
    decayed = np.exp(-float(rate) * q * beta * ts)[:, None, None]
    wanted = (powers(w0)[:1] - powers(w0)[1:]) * decayed
    flow = ht.steepest_flow(ht.LinearRegression(X, y), w0, q=q, weight_decay=beta, ts=ts, rtol=1e-11)
    own = np.abs(np.moveaxis(flow.factors, 0, 1) - path).max() if not coupled else 0.0
    return max(np.abs(found - wanted).max(), own)


THEOREM = Theorem(
    id="never.conservation",
    title="What a steepest flow on factors conserves",
    source="jacobs2026never, the balance of factors; the rate of the decay in its unit: own",
    statement=r"""\dot w_i = -\operatorname{sign}(\partial_i)|\partial_i|^{q-1} - 2\beta w_i,\quad
\partial_i = \nabla f(\theta)\odot\prod_{j\ne i} w_j:\qquad |w_i|^q - |w_j|^q = c_{ij}\,e^{-2q\beta t}""",
    hypotheses="θ = ∏ w_i entry by entry, f differentiable, 1 < q ≤ 2; the decay is decoupled, β ≥ 0 one for all.",
    constants={"power": 1, "rate": 2},
    check=check,
    tolerance=1e-8,
    why="the library's factors, of its tolerance 1e-11 with an amplification of up to 100",
    violate=violate,
    violated="the decay is decoupled: inside of the power it breaks the balance",
    mutations={
        "the power 2q": {"power": 2},
        "the decay of a factor": {"rate": 1},
        "nothing decays": {"rate": 0},
    },
    prove=prove,
    special="three positive factors and a positive partial derivative",
)
