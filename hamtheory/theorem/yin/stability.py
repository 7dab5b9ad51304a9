"""Step sizes of the linearized Bregman iteration: from which it converges from everywhere, and near its limit."""

import jax.numpy as jnp
import numpy as np
import sympy as sp

import hamtheory as ht

from .._expansions import data
from .._theorem import Step, Theorem

ROWS, COLUMNS, STEPS = 3, 7, 8


def prove(limit, rest):
    h, k, d, g = sp.symbols("eta kappa delta g", positive=True)
    # Two columns, of which the first is in the support, and the dual ν of one sample.
    first, second, nu, n = sp.symbols("x1 x2 nu n", positive=True)
    lam = sp.Symbol("lambda", positive=True)
    theta = [d * (first * nu - lam), rest * d * (second * nu - lam)]
    moved = nu - h / n * (first * theta[0] + second * theta[1] - sp.Symbol("y"))
    on = 1 - h * d / n * first**2
    return [
        Step("dθ/dμ = δ on the support, 0 in the dead zone: dν⁺/dν = 1 − (ηδ/n) x_S x_Sᵀ", sp.diff(moved, nu) - on),
        Step("1 − ηκ = −1 at the limit", (1 - h * k).subs(h, limit / k) + 1),
        Step(
            "where the gradient has the Lipschitz constant κ, a step of η g lowers the dual by at least η(1 − ηκ/2)g²",
            -h * g**2 + k / 2 * (h * g) ** 2 + h * (1 - h * k / 2) * g**2,
        ),
        Step("which is positive below the limit", (1 - h * k / 2).subs(h, limit / k)),
    ]


def check(rng, limit, rest):
    problem, theta, delta = _problem(rng)
    eta = rng.uniform(0.2, 0.95) * 2 * ROWS / delta / np.linalg.norm(problem.X, 2) ** 2
    return max(_growth(rng, problem, theta, delta, 1e-7, limit, rest), _rise(rng, problem, delta, eta))


def violate(rng, limit, rest):
    return _growth(rng, *_problem(rng), 10 ** rng.uniform(0.5, 1.5), limit, rest)


def _problem(rng):
    X, _ = data(rng, ROWS, COLUMNS)
    theta = np.where(np.arange(COLUMNS) < 2, rng.choice([-1, 1], COLUMNS) * rng.uniform(0.5, 2, COLUMNS), 0)
    return ht.LinearRegression(X, X @ theta), theta, 10 ** rng.uniform(-1, 1)


def _growth(rng, problem, theta, delta, size, limit, rest):
    """How far from 1 a step multiplies a perturbation of a sparse interpolator at the limiting η, on average."""
    X = problem.X
    metric = delta * np.where(theta != 0, 1.0, rest)
    values, vectors = np.linalg.eigh((X * metric) @ X.T / ROWS)
    direction = np.where(theta != 0, X.T @ vectors[:, -1], 0)
    start = theta + size * np.abs(theta[theta != 0]).min() * direction / np.abs(direction).max()
    rule = ht.LinearizedBregmanStep(10 ** rng.uniform(-1, 1) / delta, delta)
    end = ht.run(problem, rule, jnp.asarray(start), learning_rate=limit / values[-1], steps=STEPS, save_every=STEPS,
                 progress=False, throw=False).theta  # fmt: skip
    before, after = X @ (start - theta), X @ (np.asarray(end) - theta)
    return float(abs((np.linalg.norm(after) / np.linalg.norm(before)) ** (1 / STEPS) - 1))


def _rise(rng, problem, delta, eta):
    """By how much the dual function decreases less than it must, relative to its least value, in any step from zero."""
    X, y, lam = problem.X, problem.y, 10 ** rng.uniform(-1, 1) / delta
    nu, kappa = np.zeros(ROWS), delta * np.linalg.norm(X, 2) ** 2 / ROWS
    thetas = ht.run(
        problem, ht.LinearizedBregmanStep(lam, delta), learning_rate=eta, steps=STEPS, progress=False
    ).thetas
    values, squares = [], []
    for theta in np.asarray(thetas):
        # ν by its own recursion, the value by the conjugate: nothing of the rule.
        u = X.T @ nu
        values.append(np.sum(delta / 2 * np.maximum(np.abs(u) - lam, 0) ** 2) - y @ nu)
        residual = X @ theta - y
        squares.append(residual @ residual / ROWS)
        nu = nu - eta / ROWS * residual
    least = eta * (1 - eta * kappa / 2) * np.array(squares[:-1])
    return float(np.max(np.diff(values) + least) / np.max(np.abs(values)))


THEOREM = Theorem(
    id="yin.stability",
    title="The stable steps of the linearized Bregman iteration",
    source="cai2009linearized, yin2010analysis; near the limit: own",
    statement=r"""\eta < \frac{2n}{\delta\,\lambda_{\max}(XX^\top)}:\
\varphi(\nu^+) \le \varphi(\nu) -
\tfrac{\eta}{n}\bigl(1 - \tfrac{\eta\delta}{2n}\lambda_{\max}(XX^\top)\bigr)\|X\theta - y\|^2,
\quad \varphi(\nu) = \tfrac{\delta}{2}\sum_i(|x_i^\top\nu| - \lambda)_+^2 - y^\top\nu;
\qquad\text{near a limit with the support } S:\ \text{stable} \iff
\frac{\eta\delta}{n}\lambda_{\max}(X_S X_S^\top) < 2""",
    hypotheses="All samples; near a limit: infinitesimal perturbations, |x_jᵀν| < λ off S.",
    constants={"limit": 2, "rest": 0},
    check=check,
    tolerance=1e-6,
    why="the perturbation is 1e-7, in which nothing is of second order; its rounding, 1e-9 of it, is that of θ",
    violate=violate,
    violated="perturbations are infinitesimal",
    mutations={"the limit of a monotone decay": {"limit": 1}, "all columns, not those of S": {"rest": 1}},
    prove=prove,
    special="n = 1, d = 2, and one step",
)
