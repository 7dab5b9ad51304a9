"""Where steepest descent of an exponent below 2 ends: in a cycle around the limit."""

import jax.numpy as jnp
import numpy as np
import sympy as sp

import hamtheory as ht

from .._theorem import Step, Theorem


def prove(half, slope):
    q, x = sp.symbols("q x", positive=True)
    ln_h, ln_eta = sp.symbols("ln_h ln_eta", real=True)
    ln_radius = (ln_eta + (q - 1) * ln_h - sp.log(half)) / (2 - q)
    moved = lambda x: sp.exp(ln_eta + (q - 1) * (ln_h + sp.log(x)))  # noqa: E731
    ratio = ln_eta + (q - 1) * (ln_h + ln_radius) - sp.log(2) - ln_radius
    ln_slope = sp.log(sp.diff(moved(x), x) / (q - 1)).subs(x, sp.exp(ln_radius))
    multiplied = 1 - (q - 1) * sp.exp(sp.simplify(sp.expand_log(ln_slope, force=True)))
    return [
        Step("a step is 2|θ| = η(h|θ|)^(q−1): θ goes to −θ", sp.simplify(ratio)),
        Step("there it multiplies a small perturbation by 3 − 2q", multiplied - (1 - slope * (q - 1))),
    ]


def check(rng, half, slope):
    return _error(rng, half, slope, steps=4000)


def violate(rng, half, slope):
    return _error(rng, half, slope, steps=3)


def _error(rng, half, slope, steps):
    """Of a run: the relative error of its last radius, and of the factor that multiplies a perturbation of it."""
    h, eta, q = 10 ** rng.uniform(-2, 2), 10 ** rng.uniform(-4, -1), rng.uniform(1.2, 1.8)
    radius = (eta * h ** (q - 1) / float(half)) ** (1 / (2 - q))
    rule, problem = ht.algorithm.SteepestDescent(q), ht.LinearRegression([[np.sqrt(h)]], [0.0])
    start = jnp.asarray([radius * rng.uniform(0.4, 2)])
    end = ht.run(problem, rule, start, learning_rate=eta, steps=steps, save_every=steps, progress=False)
    near = radius * (1 + 1e-6 * np.array([1.0, -1.0]))
    ends = [float(rule.step(jnp.asarray([x]), jnp.asarray([h * x]), jnp.asarray(eta))[0]) for x in near]
    factor = (ends[0] - ends[1]) / (near[0] - near[1])
    return max(abs(abs(float(end.theta[0])) / radius - 1), abs(factor - (1 - float(slope) * (q - 1))))


THEOREM = Theorem(
    id="base.cycle",
    title="Steepest descent below q = 2 ends in a cycle",
    source="own",
    statement=r"""f = \tfrac{h}{2}\theta^2,\ 1 < q < 2:\quad \theta^+ = \theta - \eta\operatorname{sign}(f')|f'|^{q-1}
\ \text{has the cycle}\ \theta \leftrightarrow -\theta,\ |\theta| = \Bigl(\frac{\eta h^{q-1}}{2}\Bigr)^{\frac{1}{2-q}},
\ \text{which attracts: a perturbation is multiplied by}\ 3 - 2q\in(-1, 1);\quad
\theta = 0\ \text{repels for every}\ \eta > 0""",
    hypotheses="One dimension; η is constant. Of q = 1 every |θ| ≤ η/2 lies on a cycle.",
    constants={"half": 2, "slope": 2},
    check=check,
    tolerance=1e-6,
    why="|3 − 2q| ≤ 0.6 to the power of 4000; a difference quotient over 1e-6 of the radius",
    violate=violate,
    violated="the run is long (it has three steps)",
    mutations={"the radius of gradient descent's bound": {"half": 1}, "the perturbation stays": {"slope": 0}},
    prove=prove,
)
