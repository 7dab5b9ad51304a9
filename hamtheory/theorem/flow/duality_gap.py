"""The duality gap of the Bregman projection, without cancellation."""

import numpy as np
import sympy as sp

import hamtheory as ht

from .._flows import any_of_three, regression
from .._theorem import Step, Theorem


def prove(weight):
    # Of any potential and its conjugate, a coordinate at a time: q = R′(θ₀), μ = q + (Xᵀν), φ = θ(ν) = (R*)′(μ), and
    # the values of R* from Fenchel's equality, R*(R′(x)) = x R′(x) − R(x).
    theta, first, phi, q, c = sp.symbols("theta theta_0 phi q c", real=True)  # c = (Xᵀν)ᵢ
    R = sp.Function("R")
    mu = q + c
    divergence = lambda x, at, slope: R(x) - R(at) - slope * (x - at)  # noqa: E731
    conjugate = lambda x, slope: x * slope - R(x)  # noqa: E731
    primal = lambda x: divergence(x, first, q) + conjugate(phi, mu) - conjugate(first, q)  # noqa: E731
    steps = [
        Step(
            "D(θ, θ₀) + R*(μ) − R*(R′(θ₀)) = D(θ, θ(ν)) + θᵀXᵀν: minus yᵀν, the gap",
            primal(theta) - divergence(theta, phi, mu) - weight * theta * c,
        ),
        Step("at θ = θ(ν) only νᵀXθ is left", primal(phi) - weight * phi * c),
    ]
    # and of the three potentials, where Fenchel's equality holds with the conjugates of the geometries
    x, a, g = sp.symbols("x alpha gamma", positive=True)
    for name, mirror, potential, dual in (
        ("GD", x, x**2 / 2, lambda m: m**2 / 2),
        (
            "HAM",
            sp.log(1 + a * x) / a,
            ((1 + a * x) * sp.log(1 + a * x) - a * x) / a**2,
            lambda m: (sp.exp(a * m) - 1 - a * m) / a**2,
        ),
        (
            "m⊙w",
            sp.asinh(x / g) / 2,
            (x * sp.asinh(x / g) - sp.sqrt(x**2 + g**2) + g) / 2,
            lambda m: g * (sp.cosh(2 * m) - 1) / 2,
        ),
    ):
        steps.append(Step(f"{name}: R*(R′(x)) = x R′(x) − R(x)", dual(mirror) - (x * mirror - potential)))
    return steps


def check(rng, weight):
    flow, X, y, theta0, theta, nu = _instance(rng)
    at = flow.geo.inverse_mirror_map(flow.mirror_map(theta0) + X.T @ nu)
    return max(
        _error(flow, X, y, theta0, at, nu, weight, 0.0),
        _error(flow, X, y, theta0, theta, nu, weight, ht.bregman_divergence(flow.geo, theta, at)),
    )


def violate(rng, weight):
    flow, X, y, theta0, theta, nu = _instance(rng)
    return _error(flow, X, y, theta0, theta, nu, weight, 0.0)  # as if θ were θ(ν)


def _instance(rng):
    n, d = int(rng.integers(1, 7)), 6
    size = 10 ** rng.uniform(-1, 0.5)
    X, y = regression(rng, n, d)
    nu = size * rng.normal(size=n) / np.linalg.norm(X, 2)
    return any_of_three(rng), X, y, size * rng.normal(size=d), size * rng.normal(size=d), nu


def _error(flow, X, y, theta0, theta, nu, weight, divergence):
    """The difference of primal and dual value to the formula, relative to the terms of the former."""
    geo = flow.geo
    mu = flow.mirror_map(theta0)
    before, slope = geo.conjugate(mu), mu
    mu = mu + X.T @ nu
    terms = np.concatenate(
        [geo.potential(theta), -geo.potential(theta0), -slope * (theta - theta0), geo.conjugate(mu), -before, -y * nu]
    )
    formula = float(divergence) + weight * nu @ (X @ theta) - nu @ y
    return abs(terms.sum() - formula) / np.abs(terms).sum()


THEOREM = Theorem(
    id="flow.duality-gap",
    title="The duality gap of the Bregman projection",
    source="own; from Fenchel's equality",
    statement=r"""D_R(\theta,\theta_0) + \sum_i\bigl[R^*(R'(\theta_{0,i}) + (X^\top\nu)_i) - R^*(R'(\theta_{0,i}))\bigr]
- y^\top\nu = D_R(\theta,\theta(\nu)) + \nu^\top(X\theta - y), \quad
\text{which is } \nu^\top(X\theta(\nu)-y)
\text{ at } \theta = \theta(\nu) = (\nabla R^*)(\nabla R(\theta_0)+X^\top\nu)""",
    hypotheses="Any X, y, θ₀, θ and ν; R is convex and differentiable. The second form needs θ = θ(ν). The gap alone "
    "proves nothing (it is 0 at ν = 0, θ = θ₀): with Xθ = y it bounds D_R(θ, θ₀) minus its minimum, and at θ(ν) it is "
    "then 0.",
    constants={"weight": 1},
    check=check,
    tolerance=2e-13,
    why="rounding of sums of up to 60 terms, relative to the sum of their sizes",
    violate=violate,
    violated="θ is not θ(ν)",
    mutations={"half of it, as for quadratics": {"weight": 0.5}, "another sign": {"weight": -1}},
    prove=prove,
)
