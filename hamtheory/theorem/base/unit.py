"""What the unit of the loss does to HAM around a base other than gradient descent."""

import jax.numpy as jnp
import numpy as np
import sympy as sp

import hamtheory as ht

from .._expansions import data, relative, signed
from .._theorem import Step, Theorem


def prove(power):
    x, a, h, c, q = sp.symbols("x alpha eta c q", positive=True)  # |θ|, α, η, the factor of the loss, the exponent
    g = sp.Symbol("g", positive=True)
    steps = []
    for s in (1, -1):  # the sign of θ times that of g
        move = lambda g, a, h: (s * x - h * g ** (q - 1)) * sp.exp(-h * a * s * g)  # noqa: B023, E731
        steps.append(
            Step(
                f"sign {s}: a step of c f with ηc^(1−q) and αc^(q−2) is the step of f with η and α",
                sp.powsimp(
                    sp.expand(sp.log(move(c * g, a * c ** (-power * (2 - q)), h * c ** (1 - q)) / move(g, a, h)))
                ),
            )
        )
    return steps


def check(rng, power):
    return _error(rng, power, 10 ** rng.uniform(-3, 3))


def violate(rng, power):
    return _error(rng, power, 10 ** rng.uniform(-3, 3), eps=0.1)


def _error(rng, power, c, eps=0.0):
    """The relative distance of two runs, on f and on c f. `eps`: of Adam without memory, around which they are."""
    alpha, q, n, d = 10 ** rng.uniform(-1, 1), (1.0 if eps else rng.uniform(1, 2)), 4, 9
    X, y = data(rng, n, d)
    eta = 0.02 / (alpha * np.abs(X.T @ y / n).max() + 1)
    ends = []
    for factor in (1.0, c):
        problem = ht.LinearRegression(np.sqrt(factor) * X, np.sqrt(factor) * y)
        rule = ht.HAMStep(alpha * factor ** (-float(power) * (2 - q)), base=_base(q, eps))
        end = ht.run(problem, rule, jnp.asarray(signed(np.random.default_rng(0), d)), steps=40, save_every=40,
                     learning_rate=eta * factor ** (1 - q), progress=False)  # fmt: skip
        ends.append(np.asarray(end.theta))
    return relative(*ends)


def _base(q, eps):
    import optax

    return optax.adam(1.0, b1=0.0, b2=0.0, eps=eps) if eps else ht.algorithm.SteepestDescent(q)


THEOREM = Theorem(
    id="base.unit",
    title="Around signs, the unit of the loss is part of α",
    source="own",
    statement=r"""\dot\theta = -\operatorname{sign}(\nabla f)|\nabla f|^{q-1} - \alpha|\theta|\odot\nabla f:\quad
(c f, \alpha)\ \text{and}\ (f, c^{2-q}\alpha)\ \text{have the same trajectories, in other times;}\quad
q < 2 \Rightarrow\ \text{no potential that knows of}\ \theta\ \text{and}\ \alpha\ \text{alone says where they end}""",
    hypotheses="c > 0, 1 ≤ q ≤ 2. The same is true of the steps of `HYP` and `HAMStep` around steepest descent, "
    "exactly, with ηc^(1−q) on c f; and of Adam with ε = 0.",
    constants={"power": 1},
    check=check,
    tolerance=1e-9,
    why="rounding of 40 steps, in which differences grow by e^(ηα|∇f|) each at most; a sign of a gradient of the size "
    "of rounding would differ",
    violate=violate,
    violated="the base is homogeneous (Adam's ε is not 0)",
    mutations={"the unit does not matter": {"power": 0}, "twice the power": {"power": 2}},
    prove=prove,
    special="one step; not that the ends differ, which the figure shows",
)
