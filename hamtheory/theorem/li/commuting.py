"""A parametrisation with commuting gradients is a mirror flow: m⊙w, u^L − v^L, and one that is not separable."""

import numpy as np
import sympy as sp
from scipy.linalg import expm

import hamtheory as ht

from .._expansions import data, dual_solution, end_of_flow, relative, signed
from .._theorem import Step, Theorem


def _bracket(one, other, variables):
    """The Lie bracket of the gradients of two functions."""
    fields = [sp.Matrix([sp.diff(f, x) for x in variables]) for f in (one, other)]
    return fields[1].jacobian(variables) * fields[0] - fields[0].jacobian(variables) * fields[1]


def prove(quarter, twist):
    m, w = sp.symbols("m1 m2", real=True), sp.symbols("w1 w2", real=True)
    u, v = sp.symbols("u1 u2", positive=True), sp.symbols("v1 v2", positive=True)
    L = sp.Symbol("L", positive=True, integer=True)
    x, y, a, b, c, d = sp.symbols("x y a b c d", real=True)
    of = {
        "m⊙w": ([m[i] * w[i] for i in range(2)], (*m, *w)),
        "u² − v²": ([u[i] ** 2 - v[i] ** 2 for i in range(2)], (*u, *v)),
        "u^L − v^L": ([u[i] ** L - v[i] ** L for i in range(2)], (*u, *v)),
        # quadratic forms with the same axes, on shared parameters: not separable
        "a(x² + y²)/2 + bxy": ([a * (x**2 + y**2) / 2 + b * x * y,
                                c * (x**2 + (1 + twist) * y**2) / 2 + d * x * y], (x, y)),
    }  # fmt: skip
    steps = [
        Step(f"{name}: entry {i + 1} of the Lie bracket of ∇θ₁ and ∇θ₂", entry)
        for name, (forms, variables) in of.items()
        for i, entry in enumerate(_bracket(forms[0], forms[1], variables))
    ]
    # What is constant along the flows, and the metric |∇θ|² by it
    uL, vL = u[0] ** L, v[0] ** L
    along = lambda F, forms, variables: sp.Add(  # noqa: E731
        *(sp.diff(F, z) * sp.diff(forms[0], z) for z in variables)
    )
    kept = u[0] ** (2 - L) + v[0] ** (2 - L)
    mw = of["m⊙w"]
    steps += [
        Step("m² − w² is constant along the flow of m⊙w", along(m[0] ** 2 - w[0] ** 2, *mw)),
        Step("its metric: (m² + w²)² = 4θ² + (m² − w²)²",
             along(mw[0][0], *mw) ** 2 - 4 * mw[0][0] ** 2 - (m[0] ** 2 - w[0] ** 2) ** 2),
        Step("u^(2−L) + v^(2−L) is constant along the flow of u^L − v^L", along(kept, [uL - vL], (u[0], v[0]))),
        Step("its metric is L²(u^(2L−2) + v^(2L−2))", along(uL - vL, [uL - vL], (u[0], v[0]))
             - L**2 * (u[0] ** (2 * L - 2) + v[0] ** (2 * L - 2))),
    ]  # fmt: skip
    # The conjugate of the quadratic forms is R*(μ) = ¼|exp(μ₁A₁ + μ₂A₂)x|²: in their common axes it is a sum of these.
    p, q, mu, nu, z = sp.symbols("lambda_1 lambda_2 mu_1 mu_2 z", real=True)
    conjugate = quarter * z**2 * sp.exp(2 * (mu * p + nu * q))
    moved = z * sp.exp(mu * p + nu * q)
    return [
        *steps,
        Step("its derivative is θ₁ = ½λx² at the point moved to", sp.diff(conjugate, mu) - p * moved**2 / 2),
    ]


def check(rng, quarter, twist):
    return max(_error(rng, 0.0, quarter, twist), _separable(rng))


def violate(rng, quarter, twist):
    return _error(rng, rng.uniform(0.5, 1.5), quarter, twist)


def _error(rng, turned, quarter, twist):
    """The relative distance of the end of gradient flow on the parameters x of θᵢ = ½xᵀAᵢx from (R*)′(Xᵀν), Xθ = y.

    `turned`: by what angle the axes of one of the Aᵢ are turned against the others'.
    """
    size, d, n = 5, 3, 2
    Q = np.linalg.qr(rng.normal(size=(size, size)))[0]
    spin = rng.normal(size=(size, size))
    spin = expm((turned + twist) * (spin - spin.T) / np.linalg.norm(spin))
    A = np.stack([(Q * rng.normal(size=size)) @ Q.T for _ in range(d)])
    A[0] = spin @ A[0] @ spin.T
    start = rng.normal(size=size)
    theta_of = lambda x: np.einsum("i,kij,j->k", x, A, x) / 2  # noqa: E731
    # A target that a flow reaches: θ of a point of the orbit, not too far away
    X = rng.normal(size=(n, d))
    moved = lambda mu: expm(np.tensordot(mu, A, 1)) @ start  # noqa: E731
    y = X @ theta_of(moved(X.T @ rng.normal(size=n) * 0.2))
    metric = lambda x: (A @ x) @ (A @ x).T  # noqa: E731
    scale = 4 * float(quarter)
    wanted, mu = dual_solution(X, y, lambda mu: scale * theta_of(moved(mu)), lambda mu: scale * metric(moved(mu)))

    def field(x):
        g = X.T @ (X @ theta_of(x) - y) / n
        return -np.einsum("k,kij,j->i", g, A, x)

    slowest = min(np.linalg.eigvalsh(X @ metric(x) @ X.T / n)[0] for x in (start, moved(mu)))
    return relative(theta_of(end_of_flow(field, start, 100 / slowest)), wanted)


def _separable(rng):
    """The relative distance of the end of gradient flow on m and w, and on u and v, from the library's limits."""
    n, d, depth = 2, 5, int(rng.integers(2, 5))
    X, y = data(rng, n, d)
    m, w = signed(rng, d, 1.2), signed(rng, d, 0.1)
    a = rng.uniform(0.7, 1.3, d)
    cases = (
        (ht.Hypentropy(np.abs(m**2 - w**2) / 2), np.concatenate([m, w]), lambda x: x[:d] * x[d:],
         lambda x: (x[d:], x[:d])),
        (ht.DiagonalNetwork(depth, a), np.concatenate([a, a]), lambda x: x[:d] ** depth - x[d:] ** depth,
         lambda x: (depth * x[:d] ** (depth - 1), -depth * x[d:] ** (depth - 1))),
    )  # fmt: skip
    errors = []
    for geometry, start, theta_of, slopes in cases:
        limit = ht.solve_limit(ht.LinearRegression(X, y), geometry, theta_of(start), tol=1e-13).theta
        rate = ht.metrics.asymptotic_rate(ht.LinearRegression(X, y), geometry, limit)
        field = lambda x, of=theta_of, by=slopes: -np.concatenate(by(x)) * np.tile(X.T @ (X @ of(x) - y) / n, 2)  # noqa: E731
        errors.append(relative(theta_of(end_of_flow(field, start, 60 / float(rate))), limit))
    return max(errors)


THEOREM = Theorem(
    id="li.commuting",
    title="Commuting gradients make a parametrisation a mirror flow",
    source="li2022implicit, Section 4",
    statement=r"""\theta = G(x),\ \dot x = -\nabla(f\circ G)(x),\quad
[\nabla G_i,\nabla G_j] = (\nabla^2G_j)\nabla G_i - (\nabla^2G_i)\nabla G_j = 0\ \forall i,j
\;\Rightarrow\; d\nabla R(\theta) = -\nabla f\,dt,\quad \nabla^2R = \bigl(\partial G\,\partial G^\top\bigr)^{-1};\quad
\text{so}\ m\odot w,\ u^2-v^2,\ u^L-v^L,\ \text{and}\ G_i = \tfrac12x^\top A_ix\ \text{with commuting}\ A_i:\
R^*(\mu) = \tfrac14\bigl\|e^{\sum_i\mu_iA_i}x_0\bigr\|^2""",
    hypotheses="x of any dimension; symmetric Aᵢ with common eigenvectors. Of u^L − v^L: u, v > 0, any integer L ≥ 1.",
    constants={"quarter": sp.Rational(1, 4), "twist": 0},
    check=check,
    tolerance=1e-9,
    why="the flow is integrated to 1e-11 a step for a hundred times its slowest time constant at the start or the end",
    violate=violate,
    violated="the Aᵢ commute",
    mutations={"forms with other axes": {"twist": 1}, "½ in the conjugate": {"quarter": sp.Rational(1, 2)}},
    prove=prove,
    special="the examples, two entries of each; not that commuting gradients always make a mirror flow",
)
