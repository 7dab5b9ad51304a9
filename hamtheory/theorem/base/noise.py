"""Noise of the gradient turns signs into gradients, and HAM around them into HAM."""

import jax.numpy as jnp
import numpy as np
import sympy as sp
from scipy.stats import norm

import hamtheory as ht

from .._expansions import signed
from .._theorem import Step, Theorem


def prove(strength):
    z, g, theta = sp.symbols("z g theta", real=True)
    sd, a = sp.symbols("sigma alpha", positive=True)
    density = sp.exp(-(z**2) / 2) / sp.sqrt(2 * sp.pi)
    mean = sp.integrate(density, (z, -g / sd, sp.oo)) - sp.integrate(density, (z, -sp.oo, -g / sd))
    slope = sp.diff(mean, g).subs(g, 0)
    factor = 1 + strength * a * sd * sp.sqrt(sp.pi / 2) * sp.Abs(theta)
    return [
        Step("E sign(g + σz) = erf(g/(σ√2))", sp.simplify(sp.expand_func(mean) - sp.erf(g / (sd * sp.sqrt(2))))),
        Step("whose slope at 0 is √(2/π)/σ", slope - sp.sqrt(2 / sp.pi) / sd),
        Step(
            "so that the mean velocity is that slope times HAM's, of α' = ασ√(π/2)",
            sp.simplify(slope * factor - (slope + a * sp.Abs(theta))),
        ),
    ]


def check(rng, strength):
    return _error(rng, strength, small=1e-4)


def violate(rng, strength):
    return _error(rng, strength, small=3.0)


def _error(rng, strength, small):
    """The relative error of the mean velocity, for a gradient of `small` times the noise."""
    alpha, sd = 10 ** rng.uniform(-1, 2), 10 ** rng.uniform(-2, 2)
    theta, g = float(signed(rng, 1)[0]), small * sd * float(signed(rng, 1)[0])
    rule, eta = ht.HYP(alpha, base=ht.algorithm.SteepestDescent()), 1e-6 / (alpha * sd + 1)
    nodes, weights = np.polynomial.legendre.leggauss(60)
    kink = abs(g / sd)
    ends = np.array([0.0, kink, *(kink + np.arange(1.0, 10.0))])
    z = (ends[:-1] + np.diff(ends) * (1 + nodes[:, None]) / 2).ravel()

    def moved(gradient):
        forward, back = (
            np.asarray(rule.step(jnp.full(z.size, theta), jnp.asarray(gradient), jnp.asarray(step)))
            for step in (eta, -eta)
        )
        return (forward - back) / (2 * eta)

    # The pairs ±z, so that the noise cancels before it is integrated.
    measure = (np.diff(ends) / 2 * weights[:, None]).ravel() * norm.pdf(z)
    found = measure @ (moved(g + sd * z) + moved(g - sd * z))
    alpha_of_noise = float(strength) * alpha * sd * np.sqrt(np.pi / 2)
    expected = -np.sqrt(2 / np.pi) * g / sd * (1 + alpha_of_noise * abs(theta))
    return abs(found / expected - 1)


THEOREM = Theorem(
    id="base.noise",
    title="Noise turns HAM around signs into HAM",
    source="own",
    statement=r"""z\sim\mathcal{N}(0,1),\ |g|\ll\sigma:\quad
\mathbb{E}\bigl[-\operatorname{sign}(g+\sigma z) - \alpha|\theta|(g+\sigma z)\bigr]
= -\sqrt{\tfrac{2}{\pi}}\,\frac{1}{\sigma}\,\bigl(1 + \alpha'|\theta|\bigr)\,g + O\bigl((g/\sigma)^3\bigr),\quad
\alpha' = \sqrt{\tfrac{\pi}{2}}\,\alpha\sigma""",
    hypotheses="The noise is normal; its σ may differ between entries, and so does α' then. Adam divides by the root "
    "of the mean square, σ, instead: α' = ασ.",
    constants={"strength": 1},
    check=check,
    tolerance=1e-5,
    why="(g/σ)²/6 of 1e-8, and rounding of steps of 1e-6",
    violate=violate,
    violated="|g| is much smaller than σ (it is larger)",
    mutations={"the metric is that of signs alone": {"strength": 0}, "twice": {"strength": 2}},
    prove=prove,
)
