"""The hyperbolic step alone projects its start on the interpolators with its signs, in relative entropy."""

import jax.numpy as jnp
import numpy as np
import sympy as sp

import hamtheory as ht

from .._expansions import data, dual_solution, relative, signed
from .._theorem import Step, Theorem

ROWS, COLUMNS, STEPS = 3, 7, 20_000


def prove(entropy):
    x, first, a, h, u = sp.symbols("x x_0 alpha eta u", positive=True)
    g, nu, z = sp.symbols("g nu z", real=True)
    divergence = x * sp.log(x / first) - x + first
    shifted = first * sp.exp(nu)  # |θ_∞| of a coordinate, ν standing for (Xᵀν)ᵢ sᵢ
    other = shifted + z  # |θ| of another interpolator with the same signs
    of = lambda at, start: at * sp.log(at / start) - entropy * at + entropy * start  # noqa: E731
    return [
        Step("a step adds −ηα s g to ln|θ|: s⊙ln|θ/θ₀| stays in the row space", sp.log(x * sp.exp(-h * a * g) / x)
             + h * a * g),
        Step("the slope of the divergence is ln(x/x₀)", sp.diff(divergence, x) - sp.log(x / first)),
        Step("D(θ, θ₀) − D(θ_∞, θ₀) − D(θ, θ_∞) = ν z, whose sum is ν·X(θ − θ_∞) = 0",
             sp.expand_log(of(other, first) - of(shifted, first) - (other * sp.log(other / shifted) - other + shifted)
                           - nu * z, force=True)),
        Step("and D ≥ 0: it is 0 at x = x₀", divergence.subs(x, first)),
        Step("and convex", sp.diff(divergence, x, 2) - 1 / x),
        Step("HAM's potential is it in the limit: αR″ → 1/θ", sp.limit(a / (1 + a * u), a, sp.oo) - 1 / u),
    ]  # fmt: skip


def check(rng, entropy):
    return _error(rng, entropy, gradient_below=0.0)


def violate(rng, entropy):
    return _error(rng, entropy, gradient_below=1e9)


def _error(rng, entropy, gradient_below):
    """The relative distance of where HYP* without its gradient step ends from the projection, by Newton's method.

    `gradient_below`: the gradient step is taken where |θ| is below. With an `entropy` of 1 the divergence is
    |θ| ln|θ/θ₀| − |θ| + |θ₀|; else the stationary points of |θ| ln|θ/θ₀| − entropy (|θ| − |θ₀|).
    """
    alpha, (X, _) = 10 ** rng.uniform(-0.5, 2), data(rng, ROWS, COLUMNS)
    start = signed(rng, COLUMNS) * 10 ** rng.uniform(-1, 1)
    y = X @ (start * 3 ** rng.uniform(-1, 1, COLUMNS))
    centre = start * np.exp(float(entropy) - 1)
    limit, _ = dual_solution(
        X, y, lambda m: centre * np.exp(np.sign(start) * m), lambda m: np.abs(centre) * np.exp(np.sign(start) * m)
    )
    curvature = np.linalg.eigvalsh((X * np.maximum(np.abs(limit), np.abs(start))) @ X.T / ROWS)
    end = ht.run(
        ht.LinearRegression(X, y),
        ht.HAMStep(alpha, gradient_below=gradient_below),
        jnp.asarray(start),
        learning_rate=rng.uniform(0.3, 1) / (alpha * curvature[-1]),
        steps=STEPS,
        save_every=STEPS,
        progress=False,
        throw=False,
    )
    return relative(end.theta, limit)


THEOREM = Theorem(
    id="ham.hyperbolic-step",
    title="The hyperbolic step alone is a projection in relative entropy",
    source="own",  # as a mirror step in the entropy: nemirovski1983problem; the projection: bregman1967relaxation
    statement=r"""\theta_{k+1} = \theta_k\odot e^{-\eta_k\alpha s\odot g_k},\ g_k\in\operatorname{row}(X),\
s = \operatorname{sign}\theta_0:\quad s\odot\ln|\theta_k/\theta_0|\in\operatorname{row}(X),\quad
\theta_k\to\theta_\infty,\ X\theta_\infty = y \;\Rightarrow\; \theta_\infty
= \operatorname*{argmin}\Bigl\{\sum_i|\theta_i|\ln\frac{|\theta_i|}{|\theta_{0,i}|} - |\theta_i| + |\theta_{0,i}| :
X\theta = y,\ s\odot\theta > 0\Bigr\},\ \text{for every}\ \alpha\ \text{and any steps}""",
    hypotheses="HYP or HYP* without its gradient step and without weight decay, from a start without zeros; any steps "
    "and mini-batches that end at an interpolator.",
    constants={"entropy": 1},
    check=check,
    tolerance=1e-11,
    why="rounding, times the condition of X: 20,000 steps of 0.3 to 1 of the stable ones leave nothing else",
    violate=violate,
    violated="without the gradient step",
    mutations={"Σ|θ| ln|θ/θ₀| alone": {"entropy": 0}},
    prove=prove,
)
