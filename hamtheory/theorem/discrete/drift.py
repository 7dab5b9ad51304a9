"""HYP with any step: a Bregman projection in HAM's own potential, from a centre that has drifted outwards."""

import jax.numpy as jnp
import numpy as np
import sympy as sp

import hamtheory as ht

from .._expansions import coefficient, data, dual_solution, relative, signed
from .._theorem import Step, Theorem

ROWS, COLUMNS, STEPS = 3, 8, 4000


def prove(drift, linear):
    x, a, h = sp.symbols("theta alpha eta", positive=True)
    g = sp.Symbol("g", real=True)
    z = sp.Symbol("z", real=True)
    steps = []
    for s in (1, -1):
        # θ = s x, and z = αη sign(θ) g; R' = s ln(1 + α|θ|)/α, and |θ⁺| = (x − ηsg) e^(−z)
        grown = 1 + a * (x - z / a) * sp.exp(-z)
        # the exponential of α s times what R' moves by beyond −ηg
        excess = 1 + drift * (sp.exp(z) - 1 - linear * z) / (1 + a * x)
        after = (s * x - h * g) * sp.exp(-h * a * s * g)
        steps += [
            Step(f"sign {s}: |θ⁺| by z", s * after - ((grown - 1) / a).subs(z, a * h * s * g)),
            Step(f"sign {s}: R'(θ⁺) − R'(θ) + ηg = sign(θ) ln(1 + (e^z − 1 − z)/(1 + α|θ|))/α",
                 grown / (1 + a * x) * sp.exp(z) - excess),
        ]  # fmt: skip
    drifted = sp.log(1 + (sp.exp(a * h * g) - 1 - a * h * g) / (1 + a * x)) / a
    found = ht.symbolic.ito_drift(ht.symbolic.HAM, "(theta - eta*g) * exp(-eta*alpha*g)")
    return [
        *steps,
        Step("e^z − 1 − z is 0 at 0", (sp.exp(z) - 1 - z).subs(z, 0)),
        Step("with slope 0 there", sp.diff(sp.exp(z) - 1 - z, z).subs(z, 0)),
        Step("and convex, so that it is ≥ 0: outwards", sp.diff(sp.exp(z) - 1 - z, z, 2) - sp.exp(z)),
        Step("its leading order is ½ κ η²g², κ = α/(1 + α|θ|)",
             coefficient(drifted, h, 2) - a * g**2 / (1 + a * x) / 2),
        Step("κ of Itô's formula", found - a / (1 + a * x)),
    ]  # fmt: skip


def check(rng, drift, linear):
    return _error(rng, 0.0, drift, linear)


def violate(rng, drift, linear):
    return _error(rng, 10 ** rng.uniform(-2, -1), drift, linear)


def _error(rng, beta, drift, linear):
    """The relative distance of the end of HYP, with steps near the largest stable one, from the projection of the
    centre that the sum over its steps gives. `beta`: weight decay.
    """
    alpha = 10 ** rng.uniform(-1, 1.5)
    X, _ = data(rng, ROWS, COLUMNS)
    while True:
        start = signed(rng, COLUMNS)
        y = X @ (start * rng.uniform(0.7, 1.4, COLUMNS))
        metric = (X * (1 + alpha * np.abs(start))) @ X.T / ROWS
        eta = rng.uniform(0.2, 0.9) / np.linalg.eigvalsh(metric)[-1]
        run = ht.run(ht.LinearRegression(X, y), ht.HYP(alpha, beta), jnp.asarray(start), learning_rate=eta, steps=STEPS,
                     progress=False)  # fmt: skip
        theta = np.asarray(run.thetas)
        g = (theta @ X.T - y) @ X / ROWS
        if np.all(theta * start > 0):
            break
    s, sizes = np.sign(start), np.abs(theta[:-1])
    z = alpha * eta * s * g[:-1]
    shift = s * np.log1p(drift * (np.expm1(z) - linear * z) / (1 + alpha * sizes)).sum(axis=0) / alpha
    centre = np.asarray(ht.HAM(alpha).mirror_map(jnp.asarray(start))) + shift
    inverse = lambda mu: np.sign(mu + centre) * np.expm1(alpha * np.abs(mu + centre)) / alpha  # noqa: E731
    limit, _ = dual_solution(X, y, inverse, lambda mu: np.exp(alpha * np.abs(mu + centre)))
    return relative(theta[-1], limit)


THEOREM = Theorem(
    id="discrete.drift",
    title="HYP with any steps: the projection of a centre that drifts outwards",
    source="own; HAM's counterpart of even2023sgd, Theorem 1",
    statement=r"""R'(\theta^+) = R'(\theta) - \eta g + \frac{\operatorname{sign}\theta}{\alpha}
\ln\Bigl(1 + \frac{e^{z}-1-z}{1+\alpha|\theta|}\Bigr),\quad z = \alpha\eta\operatorname{sign}(\theta)g;\quad
\text{the last term is}\ \tfrac12\,\frac{\alpha\operatorname{sign}\theta}{1+\alpha|\theta|}\,\eta^2g^2 + O(\eta^3),
\ \text{never inwards, and, with}\ c_k\ \text{for it},\quad
\theta_k\to\theta_\infty,\ X\theta_\infty = y \;\Rightarrow\;
\theta_\infty = \operatorname*{argmin}_{X\theta=y} D_R(\theta,\tilde\theta_0),\quad
R'(\tilde\theta_0) = R'(\theta_0) + \sum_k c_k""",
    hypotheses="HYP with α > 0, β = 0 and any steps and mini-batches that end at an interpolator; no entry crosses "
    "zero. (Of a sum over the steps only what is off the row space of X moves the limit.)",
    constants={"drift": 1, "linear": 1},
    check=check,
    tolerance=1e-12,
    why="rounding, over the steps and by the condition of X; the end interpolates to it",
    violate=violate,
    violated="β = 0",
    mutations={
        "the bias of the flow": {"drift": 0},
        "inwards, as the natural gradient": {"drift": -1},
        "e^z − 1": {"linear": 0},
    },
    prove=prove,
)
