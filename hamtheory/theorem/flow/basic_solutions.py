"""How limits move with y: by an average of the basic solutions, whatever the geometry."""

from itertools import combinations

import numpy as np
import sympy as sp

import hamtheory as ht

from .._flows import any_of_three, regression
from .._theorem import Step, Theorem


def prove(power):
    # n = 2, d = 3: dθ/ds = W Xᵀ(X W Xᵀ)⁻¹ r for y + sr, W = diag g⁻¹(θ), by Cauchy and Binet
    X, w = sp.Matrix(2, 3, sp.symbols("x1:7", real=True)), sp.symbols("w1:4", positive=True)
    r = sp.Matrix(sp.symbols("r1:3", real=True))
    W, pairs = sp.diag(*w), list(combinations(range(3), 2))
    gram = X * W * X.T
    parts = [X.extract([0, 1], list(B)) for B in pairs]
    share = [part.det() ** power * w[B[0]] * w[B[1]] for part, B in zip(parts, pairs, strict=True)]
    basic = sp.zeros(3, 1)
    for part, B, weight in zip(parts, pairs, share, strict=True):
        found = weight / part.det() * (part.adjugate() * r)
        for i, row in enumerate(B):
            basic[row] += found[i]
    moved = W * X.T * gram.adjugate() * r
    steps = [
        Step(f"det(XWXᵀ) dθ_{i + 1} is Σ_B det(X_B)² Π_B w times the basic solution of B", sp.expand(sp.cancel(e)))
        for i, e in enumerate(moved - basic)
    ]
    return [*steps, Step("and det(XWXᵀ) = Σ_B det(X_B)² Π_B w", sp.expand(gram.det() - sum(share)))]


def check(rng, power):
    return max(_moved(rng, power), _at_the_end(rng))


def violate(rng, power):
    return _moved(rng, power, same_start=False)


def basic_solutions(X, r) -> np.ndarray:
    """Those of `Xz = r`, (bases, d), for an X all of whose square parts are regular."""
    n, d = X.shape
    bases = [list(B) for B in combinations(range(d), n)]
    found = np.zeros((len(bases), d))
    for z, B in zip(found, bases, strict=True):
        z[B] = np.linalg.solve(X[:, B], r)
    return found


def _moved(rng, power, same_start=True):
    """By how much the difference of two limits leaves the hull of the basic solutions, in 200 directions; relative.

    And how far its derivative in y, by differences, is from the average; the weights have det(X_B)^power.
    """
    X, y = regression(rng, 3, 6)
    flow = any_of_three(rng)
    start, far = rng.normal(size=(2, 6))
    r = (1 if same_start else 1e-3) * X @ rng.normal(size=6)

    def limit(at, start=start):
        return np.asarray(ht.solve_limit(ht.LinearRegression(X, at), flow.geo, start, tol=1e-13).theta)

    there = limit(y + r) if same_start else limit(y + r, far)
    basics, directions = basic_solutions(X, r), rng.normal(size=(200, 6))
    over = np.max(directions @ (there - limit(y)) - np.max(directions @ basics.T, axis=1)) / np.abs(basics).max()
    metric, step = flow.inverse_metric(limit(y)), 1e-4 / np.abs(r).max()
    weights = [np.abs(np.linalg.det(X[:, B])) ** power * np.prod(metric[list(B)]) for B in combinations(range(6), 3)]
    average = np.asarray(weights) @ basics / np.sum(weights)
    slope = (limit(y + step * r) - limit(y - step * r)) / (2 * step)
    return float(max(over, np.linalg.norm(slope - average) / np.linalg.norm(average)))


def _at_the_end(rng):
    """How far a small step at the L1 end is from the basic solution of the support, relative."""
    X, y = regression(rng, 3, 6)
    r = 1e-3 * X @ rng.normal(size=6)
    ends = [ht.solve_limit(ht.LinearRegression(X, at), ht.HAM(log_alpha=1e4)).theta for at in (y, y + r)]
    basics = basic_solutions(X, r)
    if not np.array_equal(*(np.abs(end) > 1e-6 for end in ends)):
        return 0.0  # the support changes on the way: an average of two
    return float(np.min(np.linalg.norm(basics - (ends[1] - ends[0]), axis=1)) / np.abs(basics).max())


THEOREM = Theorem(
    id="flow.basic-solutions",
    title="How far limits move with y, whatever the geometry",
    source="own, by the formula of Cauchy and Binet",
    statement=r"""\theta(y) = \arg\min\{D_R(\theta,\theta_0) : X\theta = y\}:\quad
\theta(y+r)-\theta(y) \in \operatorname{conv}\{z_B\},\ z_B \text{ the basic solutions of } Xz = r,
\quad\text{so } \|\theta(y+r)-\theta(y)\| \le \max_B\|X_B^{-1}r\| \text{ in every norm};
\quad \frac{d\theta}{dy}\,r = \frac{\sum_B \det(X_B)^2\prod_{i\in B}g^{-1}(\theta_i)\;z_B}
{\sum_B \det(X_B)^2\prod_{i\in B}g^{-1}(\theta_i)}""",
    hypotheses="R separable and strictly convex, X of rank n, B the n columns of its regular submatrices; one θ₀. The "
    "bound has no constant of the geometry, so that it holds at the L1 end too, where it is reached.",
    constants={"power": 2},
    check=check,
    tolerance=1e-6,
    why="differences of limits over 2e-4, of second order, over the kinks of HAM's metric",
    violate=violate,
    violated="one θ₀",
    mutations={"the weights of the determinants themselves": {"power": 1}, "equal weights": {"power": 0}},
    prove=prove,
    special="n = 2, d = 3",
)
