"""At any step size, (S)GD on m⊙w ends at a Bregman projection: with another γ, and from another centre."""

import numpy as np
import sympy as sp

import hamtheory as ht

from .._expansions import data, dual_solution, relative
from .._theorem import Step, Theorem


def prove(square, centre):
    u, v = sp.symbols("u v", positive=True)
    # small enough a step first: |1 ± x| = 1 ± x; then one that changes the sign of u, x = 1 + k
    x, k = sp.symbols("x k", positive=True)
    steps = []
    for name, value, minus in (("x < 1", x, 1 - x), ("x = 1 + k > 1", 1 + k, k)):
        plus = 1 + value
        gain, skew = -sp.log(minus * plus), centre * (sp.log(plus) - sp.log(minus) - 2 * value)
        before, after = sp.log(2 * u * v), sp.log(2 * (u * minus) * (v * plus))
        ratio_before, ratio_after = sp.log(u / v), sp.log(u * minus / (v * plus))
        steps += [
            Step(f"{name}: ln γ falls by q", sp.expand_log(after - before + gain, force=True)),
            Step(f"{name}: q = −½ ln((1 − x²)²)",
                 sp.expand_log(gain + sp.log(minus**2 * plus**2) / square, force=True)),
            Step(f"{name}: (1 − x²)² is that product", (1 - value**2) ** 2 - minus**2 * plus**2),
            Step(f"{name}: ln|u/v| falls by 2x + r", sp.expand_log(ratio_after - ratio_before, force=True)
                 + 2 * value + sp.expand_log(skew, force=True)),
        ]  # fmt: skip
    theta, gamma = u**2 - v**2, 2 * u * v
    return [
        *steps,
        Step("ln(u/v) = asinh(θ/γ): γ sinh of it is θ", theta - (gamma * sp.sinh(sp.log(u / v))).rewrite(sp.exp)),
        Step("r = O(x³): to second order the centre stays", sp.series(sp.log(1 + x) - sp.log(1 - x) - 2 * x, x, 0, 3)
             .removeO()),
        Step("q = x² to leading order, Pesme's", sp.series(-sp.log(1 - x**2), x, 0, 4).removeO() - x**2),
    ]  # fmt: skip


def check(rng, square, centre):
    return _error(rng, square, centre)


def violate(rng, square, centre):
    return _error(rng, square, centre, stop=0.3)


def _error(rng, square, centre, stop=1e-12):
    """The relative distance of the end of (S)GD on u, v with large steps from the projection.

    `stop`: the relative residual at which the steps end.
    """
    n, d, batch = 3, 8, bool(rng.integers(2))
    X, y = data(rng, n, d)
    gamma = 10 ** rng.uniform(-1.5, 0.5)
    limit, _ = dual_solution(X, y, lambda m: gamma * np.sinh(2 * m), lambda m: 2 * gamma * np.cosh(2 * m))
    metric = 2 * np.sqrt(limit**2 + gamma**2)
    rows = ((X * metric) * X).sum(axis=1)
    largest = 1 / rows.max() if batch else 2 * n / np.linalg.eigvalsh((X * metric) @ X.T)[-1]
    eta = largest * rng.uniform(0.4, 0.9)
    u = v = np.full(d, np.sqrt(gamma / 2))
    gain, skew = np.zeros(d), np.zeros(d)
    for _ in range(100_000):
        residual = X @ (u**2 - v**2) - y
        if np.linalg.norm(residual) <= stop * np.linalg.norm(y):
            break
        i = int(rng.integers(n))
        x = eta * (X[i] * residual[i] if batch else residual @ X / n)
        u, v = u * (1 - x), v * (1 + x)
        gain -= np.log((1 - x**2) ** 2) / square
        skew += centre * (np.log(np.abs((1 + x) / (1 - x))) - 2 * x)
    end, reached = u**2 - v**2, gamma * np.exp(-gain)
    start = -reached * np.sinh(skew)
    mu0 = np.arcsinh(start / reached) / 2
    projected, _ = dual_solution(
        X, y, lambda m: reached * np.sinh(2 * (mu0 + m)), lambda m: 2 * reached * np.cosh(2 * (mu0 + m))
    )
    # The same by the library: R' of the end less R' of the centre is in the row space.
    problem, geometry = ht.LinearRegression(X, y), ht.Hypentropy(reached)
    off = ht.metrics.invariant_drift(problem, geometry, end, start)
    return max(relative(end, projected), float(off))


THEOREM = Theorem(
    id="even.large-steps",
    title="(S)GD on m⊙w with any steps: a projection with another γ and centre",
    source="even2023sgd, Theorem 1",
    statement=r"""\theta = u^2 - v^2,\ u_{k+1} = u_k(1-\eta g_k),\ v_{k+1} = v_k(1+\eta g_k),
\quad g_k\in\operatorname{row}(X),\ \theta_k\to\theta_\infty,\ X\theta_\infty=y:\quad
\theta_\infty = \operatorname*{argmin}_{X\theta=y} D_{R_{\gamma_\infty}}(\theta,\tilde\theta_0),\quad
\gamma_\infty = \gamma_0\, e^{-\sum_k q(\eta g_k)},\quad
\tilde\theta_0 = -\gamma_\infty\sinh\Bigl(\sum_k r(\eta g_k)\Bigr),\quad
q(x) = -\tfrac12\ln\bigl((1-x^2)^2\bigr),\quad r(x) = \ln\Bigl|\frac{1+x}{1-x}\Bigr| - 2x""",
    hypotheses="u₀ = v₀ > 0, γ₀ = 2u₀v₀; any steps and mini-batches, whose gradients are in the row space of X, that "
    "end at an interpolator; no ηg is ±1.",
    constants={"square": 2, "centre": 1},
    check=check,
    tolerance=1e-10,
    why="both ends interpolate to 1e-12; what is left is that over the smallest eigenvalue",
    violate=violate,
    violated="the end interpolates",
    mutations={"the gain ½ q": {"square": 4}, "the centre stays": {"centre": 0}},
    prove=prove,
)
