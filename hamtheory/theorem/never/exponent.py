"""How singular the potential of balanced factors is at zero, and when it is one."""

import numpy as np
import sympy as sp

import hamtheory as ht

from .._flows import NODES, WEIGHTS
from .._theorem import Step, Theorem


def prove(less):
    q, x = sp.symbols("q x", positive=True)
    steps = []
    for count in (2, 3, 4):
        m = q * (count - less) / count
        size = x ** sp.Rational(1, count)
        mirror = x ** (1 - m) / (count * (1 - m))
        steps += [
            Step(f"L = {count}: 1/R″ = Σ ∏ |w_j|^q = L θ^m", count * size ** (q * (count - 1)) - count * x**m),
            Step(f"L = {count}: R′ = θ^(1−m)/(L(1 − m))", sp.simplify(mirror.diff(x) - 1 / (count * x**m))),
        ]
    return steps


def check(rng, less):
    return _error(rng, less, 0.0)


def violate(rng, less):
    return _error(rng, less, 0.3)


def _error(rng, less, imbalance):
    """R′ at both ends of a flow of balanced factors, which passes no zero, against the integral of the force."""
    q, count = rng.uniform(1.1, 2), int(rng.integers(2, 5))
    m = q * (count - float(less)) / count
    size, x = rng.uniform(0.3, 0.8), rng.uniform(0.5, 1.5)
    factors = np.full((count, 1), size)
    factors[1:] *= 1 + imbalance
    y = x * size**count * rng.uniform(3, 5)
    end = 0.2
    ts = np.append(end * (1 + NODES) / 2, end)
    flow = ht.steepest_flow(ht.LinearRegression([[x]], [y]), factors, q=q, ts=ts, rtol=1e-12)
    force = (x * (y - x * flow.thetas[:-1, 0])) ** (q - 1)
    pushed = end / 2 * WEIGHTS @ force
    start, last = float(np.prod(factors)), float(flow.theta[0])
    rise = (last ** (1 - m) - start ** (1 - m)) / (count * (1 - m))
    return abs(rise - pushed) / pushed


THEOREM = Theorem(
    id="never.exponent",
    title="The potential of balanced factors at zero",
    source="jacobs2026never, balanced factors",
    statement=r"""|w_1| = \dots = |w_L|:\qquad R''(\theta) = \frac{1}{L|\theta|^m},\quad m = \frac{q(L-1)}{L};\qquad
R'(\theta) = \frac{\operatorname{sign}(\theta)|\theta|^{1-m}}{L(1-m)}:\quad
R'\ \text{is unbounded at infinity iff}\ m \le 1,\ \text{bounded at zero iff}\ m < 1""",
    hypotheses="θ = ∏ w_i, all |w_i| equal, no weight decay, 1 < q ≤ 2; R′ for m ≠ 1, at which it is a logarithm.",
    constants={"less": 1},
    check=check,
    tolerance=1e-9,
    why="the library's tolerance, 1e-12, over what the flow moves, with a factor of 100",
    violate=violate,
    violated="all |w_i| equal: all but one are larger by 30 %",
    mutations={"m = q": {"less": 0}, "of one factor less": {"less": 2}},
    prove=prove,
    special="L = 2, 3 and 4",
)
