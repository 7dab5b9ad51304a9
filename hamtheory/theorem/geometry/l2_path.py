"""How limits leave the least L2 norm: to first order in α for HAM, and in 1/γ² for m⊙w."""

import numpy as np
import sympy as sp

import hamtheory as ht

from .._potentials import SHAPE, limits
from .._theorem import Step, Theorem


def prove(two, six):
    # one equation in two unknowns, whose interpolators are p + τz, with p = c(a, b) and z = (b, −a)
    a, b, c, g = sp.symbols("a b c epsilon", positive=True)
    tau = sp.symbols("tau", real=True)
    p, z = (c * a, c * b), (b, -a)
    squared = a**2 + b**2
    dot = lambda u: z[0] * u[0] + z[1] * u[1]  # noqa: E731
    slope_ham = lambda s: sp.log(1 + g * s) / g  # noqa: E731 α = ε
    slope_mw = lambda s: sp.asinh(g * s) / g  # noqa: E731 γ = 1/ε, and 2γR'
    coefficient = lambda slope, order: (  # noqa: E731
        sp.series(dot([slope(s + g**order * tau * k) for s, k in zip(p, z, strict=True)]), g, 0, order + 1)
        .removeO()
        .expand()
        .coeff(g, order)
    )
    # R'(θ) in the row space is orthogonal to z: order by order in ε
    return [
        Step("the limit of least L2 norm: z ⊥ p", dot(p)),
        Step(
            "HAM: τ = α z·p²/(2|z|²) to first order",
            coefficient(slope_ham, 1).subs(tau, dot([s**2 for s in p]) / (two * squared)),
        ),
        Step(
            "m⊙w: τ = z·p³/(6γ²|z|²) to first order in 1/γ²",
            coefficient(slope_mw, 2).subs(tau, dot([s**3 for s in p]) / (six * squared)),
        ),
    ]


def check(rng, two, six):
    return _error(rng, two, six, 0.0)


def violate(rng, two, six):
    return _error(rng, two, six, 1.0)


def _error(rng, two, six, from_elsewhere):
    """The first order, by Richardson's extrapolation from two members of each family, relative to what is predicted."""
    X, y = rng.normal(size=SHAPE), rng.normal(size=SHAPE[0]) * 10 ** rng.uniform(-3, 3)
    inverse = np.linalg.pinv(X)
    p = inverse @ y
    theta0 = from_elsewhere * np.abs(p).max() * rng.normal(size=SHAPE[1])
    p = p + theta0 - inverse @ (X @ theta0)
    problem, size = ht.LinearRegression(X, y), np.abs(p).max()
    errors = []
    for family, order, power, denominator in ((ht.HAM, 1, 2, two), (ht.Hypentropy, 2, 3, six)):
        small = 1e-3 / size**order  # α, or 1/γ²
        logs = np.log([small, 2 * small]) * (1 if family is ht.HAM else -0.5)
        near, far = limits(problem, family, logs, theta0)
        first = (4 * near - far - 3 * p) / (2 * small)
        along = np.sign(p) * np.abs(p) ** power
        want = (along - inverse @ (X @ along)) / denominator
        errors.append(np.linalg.norm(first - want) / np.linalg.norm(want))
    return max(errors)


THEOREM = Theorem(
    id="geometry.l2-path",
    title="How limits leave the least L2 norm",
    source="own",
    statement=r"""\theta_\infty(\alpha) = p + \tfrac{\alpha}{2}(I-P)(|p| \odot p) + O(\alpha^2) \ \text{(HAM)}, \qquad
\theta_\infty(\gamma) = p + \tfrac{1}{6\gamma^2}(I-P)\,p^{\odot 3} + O(\gamma^{-4}) \ (m \odot w), \qquad
p = X^+ y, \quad P = X^+X""",
    hypotheses="Flows from 0, X of full row rank.",
    constants={"two": 2, "six": 6},
    check=check,
    tolerance=5e-5,
    why="extrapolation leaves the second order in 1e-3, magnified where I − P leaves little of |p|⊙p",
    violate=violate,
    violated="flows from elsewhere: their limits at the L2 end are other interpolators, and D_R is not even about θ₀",
    mutations={
        "HAM: without the half": {"two": 1},
        "m⊙w: the third derivative, not its sixth": {"six": 3},
    },
    prove=prove,
    special="one equation in two unknowns, to first order: that the limit has an expansion is assumed",
)
