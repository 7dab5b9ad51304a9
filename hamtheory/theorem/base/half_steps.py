"""How much it matters in which order the base and the hyperbolic factor take their half-steps."""

import jax.numpy as jnp
import numpy as np
import sympy as sp

import hamtheory as ht

from .._expansions import coefficient, extrapolated, signed
from .._theorem import Step, Theorem


def prove(leading):
    x, a, h = sp.symbols("x alpha eta", positive=True)  # |θ|, α, η
    p, g = sp.symbols("p g", real=True)
    steps = []
    for s in (1, -1):
        theta, factor = s * x, sp.exp(-h * a * s * g)
        base_first, factor_first = (theta - h * p) * factor, theta * factor - h * p
        between = base_first - factor_first
        steps += [
            Step(f"sign {s}: their difference is ηp(1 − factor)", sp.simplify(between - h * p * (1 - factor))),
            Step(f"sign {s}: nothing at first order", coefficient(between, h, 1)),
            Step(f"sign {s}: α sign(θ)pg at second", coefficient(between, h, 2) - leading * a * s * p * g),
        ]
    return steps


def check(rng, leading):
    return _error(rng, leading, again=False)


def violate(rng, leading):
    return _error(rng, leading, again=True)


def _error(rng, leading, again):
    """The error of the coefficient of η², over the largest one. `again`: the second half-step has a new gradient."""
    alpha, d, q = 10 ** rng.uniform(-1, 2), 6, rng.uniform(1, 2)
    theta, y = signed(rng, d), 3 * signed(rng, d)
    gradient = lambda at: at - y  # noqa: E731
    rule = ht.HYP(alpha, base=ht.algorithm.SteepestDescent(q))
    g = gradient(theta)

    def between(eta):
        one = np.asarray(rule.step(jnp.asarray(theta), jnp.asarray(g), jnp.asarray(eta)))
        scaled = theta * np.exp(-eta * alpha * np.sign(theta) * g)
        late = gradient(scaled) if again else g
        return (one - (scaled - eta * np.sign(late) * np.abs(late) ** (q - 1))) / eta**2

    unit = 0.05 / (alpha * np.abs(g).max())
    found = extrapolated([between(unit / 2**k) for k in range(6)])
    expected = alpha * np.sign(theta) * np.abs(g) ** q
    return np.abs(found - float(leading) * expected).max() / expected.max()


THEOREM = Theorem(
    id="base.half-steps",
    title="The two half-steps of HAM commute to second order",
    source="own",
    statement=r"""(\theta-\eta p)\,e^{-\eta\alpha\operatorname{sign}(\theta)g}
- \bigl(\theta\,e^{-\eta\alpha\operatorname{sign}(\theta)g} - \eta p\bigr)
= \eta^2\alpha\operatorname{sign}(\theta)\,p\,g + O(\eta^3),\quad
\text{which is}\ \eta^2\alpha\operatorname{sign}(\theta)|g|^q\ \text{of}\ p = \operatorname{sign}(g)|g|^{q-1}""",
    hypotheses="Both half-steps have the gradient g at θ, and neither crosses zero; p is any direction of the base. "
    "With p g > 0 the base first, as HAM is published, ends farther from zero.",
    constants={"leading": 1},
    check=check,
    tolerance=2e-6,
    why="six halvings of ηα|g| ≤ 0.05; rounding, 1e-16 over (ηαg)² of 2e-6 at most",
    violate=violate,
    violated="both half-steps have the gradient at θ (the base has a new one)",
    mutations={"they commute": {"leading": 0}, "the factor first is farther from zero": {"leading": -1}},
    prove=prove,
)
