"""HAM around a base other than gradient descent conserves nothing."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import sympy as sp

import hamtheory as ht

from .._expansions import data, signed
from .._theorem import Step, Theorem


def prove(directions):
    # Two rows and three columns; a function that no motion changes has a gradient orthogonal to all motions at θ.
    a, c = sp.symbols("alpha c", positive=True)
    theta = sp.symbols("t1 t2 t3", positive=True)
    u = sp.symbols("u1 u2 u3", positive=True)  # three gradients of the row space with different signs
    v = sp.symbols("v1 v2", positive=True)
    moves = lambda g, signs: [s + a * t * x for s, t, x in zip(signs, theta, g, strict=True)]  # noqa: E731
    # In the row space of X = ((1, 0, 1), (0, 1, −1)): (g1, g2, g1 − g2), which can have any signs but (+ − −), (− + +).
    one = moves((u[0] + u[1], u[1], u[0]), (1, 1, 1))
    two = moves((v[0], v[0] + v[1], -v[1]), (1, 1, -1))
    three = moves((c, -c, 2 * c), (1, -1, 1))
    small: Any = sp.Matrix([one, two, three]).subs(a, 0).det()
    limit = sp.Integer(4) if directions == 3 else sp.Integer(0)
    return [Step("as α → 0 three motions span all of space: their determinant is 4", sp.Abs(small) - limit)]


def check(rng, directions):
    return _error(rng, directions, q=rng.uniform(1.0, 1.8))


def violate(rng, directions):
    return _error(rng, directions, q=2.0)


def _error(rng, directions, q):
    """By how much the rank of the motions at one θ, over all labels, misses d = 3 directions; as a whole number."""
    n, d, alpha = 2, 3, 10 ** rng.uniform(-1, 1)
    X, _ = data(rng, n, d)
    theta = signed(rng, d)
    rule = ht.HYP(alpha, base=ht.algorithm.SteepestDescent(q))
    motions = []
    for _ in range(40):
        g = X.T @ rng.normal(size=n)
        eta = 1e-7
        after = np.asarray(rule.step(jnp.asarray(theta), jnp.asarray(g), jnp.asarray(eta)))
        motions.append((after - theta) / eta)
    values = np.linalg.svd(motions, compute_uv=False)
    return float(abs(np.sum(values > 1e-4 * values[0]) - directions))


THEOREM = Theorem(
    id="base.invariants",
    title="Around signs HAM conserves nothing",
    source="own; what gradient descent conserves: flow.dual-coordinates",
    statement=r"""q < 2,\ n \ge 2:\quad \operatorname{span}\bigl\{\operatorname{sign}(g)|g|^{q-1}
+ \alpha|\theta|\odot g : g\in\operatorname{range}X^\top\bigr\} = \mathbb{R}^d\ \text{in general},\quad
\text{so that}\ I(\theta_t) = I(\theta_0)\ \text{for all}\ y\ \text{makes}\ I\ \text{constant};\quad
q = 2:\ \text{the span has}\ n\ \text{dimensions, and}\ d - n\ \text{functions are conserved}""",
    hypotheses="X is in general position, 2 ≤ n < d; I is differentiable, and may depend on X, α and q.",
    constants={"directions": 3},
    check=check,
    tolerance=0.5,
    why="a rank is a whole number; of 40 motions, with singular values above 1e-4 of the largest, where the error of a "
    "difference quotient is 1e-5",
    violate=violate,
    violated="q < 2",
    mutations={"as many as the rows": {"directions": 2}},
    prove=prove,
    special="n = 2, d = 3, one X",
)
