"""The limit of u² − v² from u = v = α: Woodworth's potential, and its ends."""

import numpy as np
import sympy as sp

import hamtheory as ht

from .._expansions import data, dual_solution, end_of_flow, relative
from .._theorem import Step, Theorem


def prove(scale):
    z, a, x, t = sp.symbols("z alpha beta tau", positive=True)
    q = 2 - sp.sqrt(4 + z**2) + z * sp.asinh(z / 2)
    # u = α e^(−2s), v = α e^(2s), s = ∫g dt: what du = −2ug dt, dv = 2vg dt lead to
    s = sp.Symbol("s", real=True)
    theta = a**2 * sp.exp(-4 * s) - a**2 * sp.exp(4 * s)
    ratio = sp.Symbol("k", positive=True)  # 1/α², of the scaled potentials
    small = q.subs(z, x * ratio) / ratio**2
    large = q.subs(z, x / t).rewrite(sp.log) * t
    return [
        Step("du = −2ug dt", sp.diff(a * sp.exp(-2 * s), s) + 2 * a * sp.exp(-2 * s)),
        Step("θ = 2α² sinh(−4s)", theta - (scale * a**2 * sp.sinh(-4 * s)).rewrite(sp.exp)),
        Step("q' = asinh(z/2)", sp.diff(q, z) - sp.asinh(z / scale)),
        Step("q(0) = 0", q.subs(z, 0)),
        Step("Q' = asinh(θ/2α²): α² q(θ/α²) is the potential of −4s",
             sp.diff(a**2 * q.subs(z, x / a**2), x) - sp.asinh(x / (scale * a**2))),
        Step("α → ∞: α²Q → ‖θ‖²/4", sp.limit(small, ratio, 0, "+") - x**2 / 4),
        Step("with relative error −θ²/48α⁴", sp.series(q, z, 0, 6).removeO() - z**2 / 4 * (1 - z**2 / 48)),
        Step("α → 0: Q = |θ| ln(1/α²) + |θ|(ln|θ| − 1) + o(1)",
             sp.limit(large - x * sp.log(1 / t) - x * (sp.log(x) - 1), t, 0, "+")),
    ]  # fmt: skip


def check(rng, scale):
    return _error(rng, 0.0, scale)


def violate(rng, scale):
    return _error(rng, 0.3, scale)


def _error(rng, off, scale):
    """The relative distance of the end of the flow from the θ = 2α² sinh(Xᵀν) with Xθ = y; and of the potential.

    `off`: u and v start at α(1 ± off).
    """
    n, d = ((2, 5), (3, 8))[int(rng.integers(2))]
    alpha = 10 ** rng.uniform(-0.7, 1)
    X, y = data(rng, n, d)
    gamma = scale * alpha**2
    theta, _ = dual_solution(X, y, lambda m: gamma * np.sinh(m), lambda m: gamma * np.cosh(m))

    def field(x):
        u, v = x[:d], x[d:]
        g = X.T @ (X @ (u**2 - v**2) - y) / n
        return 2 * np.concatenate([-u * g, v * g])

    start = alpha * np.concatenate([(1 + off) * np.ones(d), (1 - off) * np.ones(d)])
    slowest = np.linalg.eigvalsh(8 * alpha**2 * X @ X.T / n)[0]
    end = end_of_flow(field, start, 40 / slowest)
    end = end[:d] ** 2 - end[d:] ** 2
    z = theta / alpha**2
    # R of the library is half of α²q, as it is m⊙w's, in half the time.
    potential = alpha**2 * np.sum(2 - np.sqrt(4 + z**2) + z * np.arcsinh(z / scale)) / 2
    library = float(np.sum(ht.Hypentropy(2 * alpha**2).potential(end)))
    return max(relative(end, theta), abs(library / potential - 1))


THEOREM = Theorem(
    id="woodworth.theorem-1",
    title="The limit of a diagonal network, from L2 to L1",
    source="woodworth2020kernel, Theorem 1; the terms beside the limits: own",
    statement=r"""\theta = u^2 - v^2,\ u_0 = v_0 = \alpha\mathbf{1}:\quad
\theta_\infty = \operatorname*{argmin}_{X\theta = y} Q_\alpha(\theta),\quad
Q_\alpha(\theta) = \alpha^2\sum_i q(\theta_i/\alpha^2),\quad q(z) = 2 - \sqrt{4+z^2} + z\operatorname{asinh}(z/2);\quad
\alpha^2 Q_\alpha = \tfrac14\|\theta\|_2^2\bigl(1 - O(\alpha^{-4})\bigr)\ (\alpha\to\infty),\quad
Q_\alpha = \ln(\alpha^{-2})\|\theta\|_1 + \sum_i|\theta_i|(\ln|\theta_i| - 1) + o(1)\ (\alpha\to 0)""",
    hypotheses="Gradient flow on u, v; it converges to an interpolator; u₀ = v₀.",
    constants={"scale": 2},
    check=check,
    tolerance=1e-9,
    why="the flow is integrated to 1e-11 a step for forty times its slowest time constant at the start",
    violate=violate,
    violated="u₀ = v₀",
    mutations={"γ = α²": {"scale": 1}, "γ = 4α²": {"scale": 4}},
    prove=prove,
)
