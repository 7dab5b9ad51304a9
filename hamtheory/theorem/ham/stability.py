"""The largest step size at which a limit of HAM's step is linearly stable."""

import itertools

import jax.numpy as jnp
import numpy as np
import sympy as sp

import hamtheory as ht

from .._expansions import data
from .._theorem import Step, Theorem

ROWS, COLUMNS, STEPS = 3, 7, 8


def prove(limit, slope):
    a, h, k = sp.symbols("alpha eta kappa", positive=True)
    # Two entries stand for any two of θ: each entry of the Jacobian involves no more.
    x, t = sp.symbols("x1 x2", positive=True), sp.symbols("t1 t2", real=True)
    held = sp.Matrix(2, 2, sp.symbols("H11 H12 H21 H22", real=True))
    steps = []
    for s in (1, -1):
        # To first order around θ = s x, where g = 0: g = H (t − θ).
        g = held * (sp.Matrix(t) - s * sp.Matrix(x))
        moved = [(t[i] - h * g[i]) * sp.exp(-h * a * s * g[i]) for i in range(2)]
        for i, j in itertools.product(range(2), repeat=2):
            entry = sp.diff(moved[i], t[j]).subs({t[0]: s * x[0], t[1]: s * x[1]})
            expected = (1 if i == j else 0) - h * (1 + slope * a * x[i]) * held[i, j]
            steps.append(Step(f"sign {s}: entry {i + 1}{j + 1} of the Jacobian is that of I − ηDH", entry - expected))
    # An eigenvector v of X D Xᵀ/n gives one, D Xᵀ v, of D XᵀX/n: two rows and two columns of any numbers.
    X = sp.Matrix(2, 2, sp.symbols("X11 X12 X21 X22", real=True))
    D, z = sp.diag(*(1 + a * xi for xi in x)), sp.Symbol("z")
    small, large = X * D * X.T, D * X.T * X
    steps += [
        Step(
            "D XᵀX and X D Xᵀ have the same eigenvalues", (small - z * sp.eye(2)).det() - (large - z * sp.eye(2)).det()
        ),
        Step("1 − ηκ = −1 at the limit", (1 - h * k).subs(h, limit / k) + 1),
    ]
    return steps


def check(rng, limit, slope):
    return _error(rng, 10 ** rng.uniform(-2, 3), lambda sizes: 1e-7 * sizes.min(), limit, slope)


def violate(rng, limit, slope):
    return _error(rng, 10 ** rng.uniform(1, 3), np.max, limit, slope)


def _error(rng, alpha, size, limit, slope):
    """How far from 1 a step multiplies a perturbation of an interpolator at the limiting η, on average of some."""
    X, _ = data(rng, ROWS, COLUMNS)
    theta = rng.normal(size=COLUMNS) * 10 ** rng.uniform(-1, 1)
    metric = 1 + slope * alpha * np.abs(theta)
    values, vectors = np.linalg.eigh((X * metric) @ X.T / ROWS)
    eta, direction = limit / values[-1], metric * (X.T @ vectors[:, -1])
    start = theta + size(np.abs(theta)) * direction / np.abs(direction).max()
    problem = ht.LinearRegression(X, X @ theta)
    rule = (ht.HYP, ht.HAMStep)[int(rng.integers(2))](alpha)
    end = ht.run(problem, rule, jnp.asarray(start), learning_rate=eta, steps=STEPS, save_every=STEPS, progress=False,
                 throw=False).theta  # fmt: skip
    # The residual, not θ: along the interpolators a perturbation neither grows nor decays.
    before, after = X @ (start - theta), X @ (np.asarray(end) - theta)
    return float(abs((np.linalg.norm(after) / np.linalg.norm(before)) ** (1 / STEPS) - 1))


THEOREM = Theorem(
    id="ham.stability",
    title="The largest stable step of HAM near a limit",
    source="own; that a large α needs a small step: jacobs2026ham, Remark 4.7",
    statement=r"""X\theta = y:\quad
\frac{\partial\theta^+}{\partial\theta} = I - \eta\operatorname{diag}(1+\alpha|\theta|)\tfrac{1}{n}X^\top X,
\quad\text{so that}\ \theta\ \text{is linearly stable, up to motion along the interpolators,}\iff
\frac{\eta}{n}\lambda_{\max}\bigl(X\operatorname{diag}(1+\alpha|\theta|)X^\top\bigr) < 2""",
    hypotheses="HYP or HYP*, β = 0, all samples; θ interpolates; infinitesimal perturbations.",
    constants={"limit": 2, "slope": 1},
    check=check,
    tolerance=3e-6,
    why="the perturbation is 1e-7 of the smallest entry: what is of second order in it, α times it included, remains",
    violate=violate,
    violated="perturbations are infinitesimal",
    mutations={"the limit of a monotone decay": {"limit": 1}, "gradient descent's": {"slope": 0}},
    prove=prove,
    special="n = d = 2",
)
