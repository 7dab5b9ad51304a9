"""What unbiased noise of the gradient does to HAM's mirror coordinates, on average, in a step."""

import itertools

import jax.numpy as jnp
import numpy as np
import sympy as sp

import hamtheory as ht

from .._expansions import data, extrapolated, signed
from .._theorem import Step, Theorem


def prove(hyperbolic, natural):
    x, a, h = sp.symbols("theta alpha eta", positive=True)
    g = sp.Symbol("g", real=True)
    moved = {
        "HYP": ((x - h * g) * sp.exp(-h * a * g), hyperbolic * a / (1 + a * x)),
        "natural gradient": (x - h * (1 + a * x) * g, natural * a),
        "mirror step": (((1 + a * x) * sp.exp(-a * h * g) - 1) / a, sp.Integer(0)),
    }
    steps = []
    for name, (after, kappa) in moved.items():
        shift = (sp.log(1 + a * after) - sp.log(1 + a * x)) / a
        steps += [
            Step(f"{name}: R' moves by −ηg at first order", sp.diff(shift, h).subs(h, 0) + g),
            Step(f"{name}: and by ½κη²g² at second", sp.diff(shift, h, 2).subs(h, 0) - kappa * g**2),
        ]
    found = ht.symbolic.ito_drift(ht.symbolic.HAM, "(theta - eta*g) * exp(-eta*alpha*g)")
    return [*steps, Step("κ of HYP, by Itô's formula 2a/h − h'", found - hyperbolic * a / (1 + a * x))]


def check(rng, hyperbolic, natural):
    return _error(rng, hyperbolic, natural, shared=True)


def violate(rng, hyperbolic, natural):
    return _error(rng, hyperbolic, natural, shared=False)


def _error(rng, hyperbolic, natural, shared):
    """The largest error of κ from the mean of R′(θ⁺) − R′(θ) over all pairs of samples, as η → 0, in units of α; and
    that of the κ by which the library's stochastic flows drift.

    Not `shared`: from a θ that is smaller than any step, so that some batches cross zero.
    """
    alpha, n, d, batch = 10 ** rng.uniform(-2, 2), 4, (3, 8)[int(rng.integers(2))], 2
    X, y = data(rng, n, d)
    y = y + rng.normal(size=n)
    theta = signed(rng, d) * 10 ** rng.uniform(0, 1.5, d) / (alpha if shared else 1e9)
    problem, geometry = ht.LinearRegression(X, y), ht.HAM(alpha)
    residual = X @ theta - y
    g = np.stack([X[list(B)].T @ residual[list(B)] / batch for B in itertools.product(range(n), repeat=batch)])
    moments = np.asarray(ht.metrics.gradient_second_moments(problem, jnp.asarray(theta), batch_size=batch))
    before = np.asarray(geometry.mirror_map(jnp.asarray(theta)))
    unit = 0.1 / (alpha * np.abs(g).max())
    h = 1 + alpha * np.abs(theta)
    wanted = [
        (ht.HYP(alpha), hyperbolic * np.sign(theta) / h),
        (ht.HAMStep(alpha), hyperbolic * np.sign(theta) / h),
        (ht.algorithm.NaturalGradient(geometry), natural * np.sign(theta)),
        (ht.algorithm.MirrorDescent(geometry), 0.0),
    ]
    worst = 0.0
    for rule, kappa in wanted:

        def measured(eta, rule=rule):
            after = rule.step(jnp.asarray(theta)[None, :], jnp.asarray(g), jnp.asarray(eta))
            mean = (np.asarray(geometry.mirror_map(after)) - before).mean(axis=0)
            return 2 * (mean + eta * g.mean(axis=0)) / (eta**2 * moments * alpha)

        found = extrapolated([measured(unit / 2**k) for k in range(6)])
        declared = rule.mirror_drift(jnp.asarray(theta)) / alpha
        worst = max(worst, np.abs(found - kappa).max(), np.abs(declared - kappa).max())
    return worst


THEOREM = Theorem(
    id="ham.ito-drift",
    title="The drift of HAM's mirror coordinates in noise",
    source="own; of m⊙w, where noise moves γ instead: pesme2021implicit",
    statement=r"""\mathbb{E}\,R'(\theta^+) - R'(\theta) = -\eta\nabla f(\theta)
+ \tfrac{1}{2}\eta^2\kappa(\theta)\,\mathbb{E}[g^2] + O(\eta^3),\quad
\kappa = \frac{\alpha\operatorname{sign}\theta}{1+\alpha|\theta|}\ \text{of HYP and HYP*},\quad
\kappa = -\alpha\operatorname{sign}\theta\ \text{of}\ \theta-\eta(1+\alpha|\theta|)g,\quad
\kappa = 0\ \text{of mirror descent}""",
    hypotheses="g is a random gradient with mean ∇f, such as that of a mini-batch drawn with replacement; α > 0, "
    "β = 0; no entry crosses zero in the step.",
    constants={"hyperbolic": 1, "natural": -1},
    check=check,
    tolerance=2e-6,
    why="six halvings of ηα|g| ≤ 0.1 leave its sixth power; rounding, 1e-16 over (ηαg)² of 1e-5 at most, times 1e3",
    violate=violate,
    violated="no entry crosses zero in the step",
    mutations={
        "the drifts have one sign": {"hyperbolic": -1},
        "twice the drift": {"hyperbolic": 2},
        "the natural gradient has none": {"natural": 0},
        "the natural gradient's sign": {"natural": 1},
    },
    prove=prove,
)
