"""How many sign patterns have an interpolator: as many as there are sequences of d coins with n heads or more."""

import itertools
import math

import numpy as np
import sympy as sp

import hamtheory as ht

from .._theorem import Step, Theorem


def prove(more, fewer):
    # N(d, m): the cells that d hyperplanes in general position make of a space of m dimensions. The last of them is cut
    # by the others into N(d − 1, m − 1) pieces, each of which halves a cell: N(d, m) = N(d − 1, m) + N(d − 1, m − 1).
    d, k, n = sp.symbols("d k n", positive=True, integer=True)
    pascal = sp.binomial(d, k) - sp.binomial(d - 1, k) - sp.binomial(d - 1, k - 1)
    mirrored = sp.binomial(d + n, n) - sp.binomial(d + n, d)
    cells = lambda of, m: sp.Integer(_count(of, of - m, more, fewer))  # noqa: E731
    return [
        Step("C(d, k) = C(d − 1, k) + C(d − 1, k − 1): sums over k ≤ m satisfy this",
             sp.simplify(pascal)),
        Step("C(d, k) = C(d, d − k): Σ_{k ≤ d − n} C(d, k) is Σ_{k ≥ n} C(d, k)",
             sp.simplify(mirrored)),
        *(Step(f"N({of}, {m}) = N({of - 1}, {m}) + N({of - 1}, {m - 1})",
               cells(of, m) - cells(of - 1, m) - cells(of - 1, m - 1)) for of in range(3, 7) for m in range(1, of - 1)),
        *(Step(f"{of} points make {of + 1} cells of a line", cells(of, 1) - of - 1) for of in range(2, 7)),
        *(Step(f"{of} hyperplanes leave a point one cell", cells(of, 0) - 1) for of in range(2, 7)),
    ]  # fmt: skip


def _count(d, n, more, fewer):
    """Σ_{k ≥ n} C(d, k), if `more` and `fewer` are 0."""
    return sum(math.comb(d - fewer, k) for k in range(n + more, d + 1))


def check(rng, more, fewer):
    d = int(rng.integers(4, 10))
    n = int(rng.integers(1, d))
    return _error(rng.normal(size=(n, d)), rng.normal(size=n), more, fewer)


def violate(rng, more, fewer):
    X = rng.normal(size=(3, 8))
    return _error(X, X[:, 0], more, fewer)


def _error(X, y, more, fewer):
    """The share by which the number of patterns that interpolate is not the count.

    With `θ = θ_p + Nc` they are the dichotomies of the d points (N_i, θ_p,i) and of (0, 1), by hyperplanes through 0.
    """
    n, d = X.shape
    kernel, particular = np.linalg.svd(X)[2][n:].T, np.linalg.lstsq(X, y, rcond=None)[0]
    points = np.vstack([np.column_stack([kernel, particular]), np.append(np.zeros(d - n), 1.0)])
    classes = np.resize([1.0, -1.0], d + 1)  # both, whatever the pattern: that is in the points
    reached = 0
    for signs in itertools.product([-1.0, 1.0], repeat=d):
        rows = (np.append(signs, 1.0) * classes)[:, None] * points
        reached += ht.BinaryClassification(rows, classes).is_separable is True
    return abs(reached / _count(d, n, more, fewer) - 1)


THEOREM = Theorem(
    id="random.cover",
    title="How many sign patterns have an interpolator",
    source="cover1965geometrical, the count of half-spaces; for affine ones: own",
    statement=r"""\#\bigl\{s\in\{-1,1\}^d : \exists\theta,\ X\theta = y,\ s\odot\theta > 0\bigr\}
= \sum_{k=n}^{d}\binom dk:\quad
\text{of uniformly random signs, the probability is}\ \mathbb{P}\bigl(\operatorname{Bin}(d,\tfrac12)\ge n\bigr),\
\text{whatever}\ X\ \text{and}\ y""",
    hypotheses="General position: any d − n of the hyperplanes θᵢ = 0 meet the interpolators in one point, and no more "
    "do; y ≠ 0. Random X and y with a density are so with probability 1.",
    constants={"more": 0, "fewer": 0},
    check=check,
    tolerance=0.0,
    why="they are whole numbers; each pattern is decided with a proof",
    violate=violate,
    violated="general position: y is a column of X",
    mutations={"more than n": {"more": 1}, "d − 1 coins": {"fewer": 1}},
    prove=prove,
    special="the recursion and its solution; that cells of hyperplanes satisfy it is said in words",
)
