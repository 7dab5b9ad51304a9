"""The largest margin over ℓ_ρ by a primal-dual interior-point method: one text for NumPy and JAX.

With the rows a_i = z_i x_i and levels b_i > 0 (1, if the rows are not scaled), the margin γ and its dual are

    γ = max { t : Aθ ≥ tb, ‖θ‖_ρ ≤ 1 } = min { ‖Aᵀλ‖_ρ′ : λ ≥ 0, bᵀλ = 1 },    1/ρ + 1/ρ′ = 1,

so that any λ and any θ bound it from both sides, at every step. The method needs a power between 1 and 2, whose third
derivative the logarithmic barrier of a split variable dominates, as self-concordance asks: with that it takes about
ten steps, and no more as ρ → 1 or ρ → ∞. One of ρ and ρ′ is such a power r:

* ρ ≤ 2: `min Σ φ(u₊) + φ(u₋)` with `A(u₊ − u₋) − s = b`, θ = u₊ − u₋ and φ(u) = u^r/r;
* ρ > 2: the same sum with `u₊ − u₋ = Aᵀλ`, `bᵀλ = 1`, and θ its multiplier.

Both are one system in n unknowns, `(A K Aᵀ + diag(s/λ)) Δλ = …` with a positive diagonal K, solved twice a step for
predictor and corrector. r = 1, a linear programme, is no special case.

References:
    [mehrotra1992implementation], [wright1997primal]; powers and barriers, [nesterov1994interior].
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .._array import Array, conjugate_exponent, namespace, p_norm

_BOUNDARY = 0.995  # the part of the way to the boundary that a step goes

Solver = Callable[[Array, Array], Array]


class Point(NamedTuple):
    """An interior point: u, w (2, d), the slacks s and λ, (n,); θ, (d,); the level t."""

    u: Array
    w: Array
    s: Array
    weights: Array
    theta: Array
    level: Array


class Bounds(NamedTuple):
    """The best of both sides so far: θ of ℓ_ρ norm 1 with its margin, and λ with bᵀλ = 1 and its bound."""

    theta: Array
    lower: Array
    weights: Array
    upper: Array


class Margin(NamedTuple):
    """The problem: A (n, d), b (n,), ρ, of size about 1."""

    rows: Array
    levels: Array
    rho: float

    @property
    def is_dual(self) -> bool:
        """Whether the split variable is Aᵀλ, not θ."""
        return self.rho > 2

    @property
    def power(self) -> float:
        """r, from 1 to 2."""
        return conjugate_exponent(self.rho) if self.is_dual else self.rho


def unbounded(problem: Margin) -> Bounds:
    """Before the first step: nothing is known."""
    xp = namespace(problem.rows)
    n, d = problem.rows.shape
    infinite = xp.asarray(np.inf, problem.rows.dtype)
    weights = xp.ones(n, problem.rows.dtype) / xp.sum(problem.levels)
    return Bounds(xp.zeros(d, problem.rows.dtype), -infinite, weights, infinite)


def start(problem: Margin, theta: Array | None = None) -> Point:
    """An interior point of about the right size; of ρ ≤ 2 from θ, if a separating one is given."""
    A, b, r = problem.rows, problem.levels, problem.power
    xp = namespace(A)
    two = lambda x: xp.stack([xp.maximum(x, 0), xp.maximum(-x, 0)])  # noqa: E731
    if problem.is_dual:
        weights = xp.ones_like(b) / xp.sum(b)
        image = weights @ A
        size = xp.mean(xp.abs(image))
        u = two(image) + 0.3 * xp.where(size > 0, size, 1)
        theta = xp.zeros_like(image)
        return Point(u, _slope(u, r), xp.ones_like(b) * xp.mean(b), weights, theta, -xp.ones_like(b[0]))
    if theta is None:
        theta = xp.sum(A, axis=0)
        theta = theta / xp.maximum(xp.max(xp.abs(theta)), np.finfo(A.dtype).tiny)
        margins = A @ theta / b
        sizes = xp.stack([xp.median(margins), 0.3 * xp.mean(xp.abs(margins)), 1e-3 * xp.max(xp.abs(margins))])
        theta = theta / xp.maximum(xp.max(sizes), 1e-8)
    u = two(theta) + 0.3 * xp.maximum(xp.mean(xp.abs(theta)), 1e-8)
    slope = xp.mean(_slope(u, r))
    weights = xp.ones_like(b)
    weights = weights * (slope / xp.maximum(xp.mean(xp.abs(weights @ A)), 1e-8))
    w = xp.maximum(_slope(u, r) - _signed(weights @ A), 0.3 * slope)
    return Point(u, w, xp.maximum(A @ (u[0] - u[1]) - b, 0.3 * xp.mean(b)), weights, u[0] - u[1], xp.ones_like(b[0]))


def _signed(x: Array) -> Array:
    return namespace(x).stack([x, -x])


def _slope(u: Array, r: float) -> Array:
    return u ** (r - 1)


def improved(problem: Margin, bounds: Bounds, point: Point) -> Bounds:
    """The bounds, or those of a point where they are better."""
    A, b, rho = problem
    xp = namespace(A)
    conjugate = conjugate_exponent(rho)
    image = point.weights @ A
    total = point.weights @ b
    upper = p_norm(image, conjugate) / total
    candidates = [point.theta]
    if problem.is_dual and np.isfinite(rho):
        size = xp.abs(image) / xp.maximum(xp.max(xp.abs(image)), np.finfo(A.dtype).tiny)
        candidates.append(xp.sign(image) * size ** (conjugate - 1))
    theta, lower = bounds.theta, bounds.lower
    for candidate in candidates:
        norm = p_norm(candidate, rho)
        unit = candidate / xp.where(norm > 0, norm, xp.ones_like(norm))
        margin = xp.min(A @ unit / b)
        better = (margin > lower) & xp.isfinite(xp.sum(candidate))  # of NaN the least need not be NaN on every device
        theta, lower = xp.where(better, unit, theta), xp.where(better, margin, lower)
    better = (upper < bounds.upper) & xp.isfinite(total)
    weights = xp.where(better, point.weights / total, bounds.weights)
    return Bounds(theta, lower, weights, xp.where(better, upper, bounds.upper))


def stepped(problem: Margin, point: Point, factor: Callable[[Array, Array], Solver]) -> Point:
    """The next point: Mehrotra's predictor and corrector. `factor(K, S)(h, q)` solves
    `(A diag(K) Aᵀ + diag(S)) x = −Ah − q`."""
    A, b, _ = problem
    xp, r, is_dual = namespace(A), problem.power, problem.is_dual
    u, w, s, weights, theta, level = point
    image = weights @ A
    inner = theta if is_dual else image
    mu = (xp.sum(u * w) + s @ weights) / (u.size + s.size)
    diagonal = 1 / ((r - 1) * u ** (r - 2) + w / u)  # of Δu
    total = diagonal[0] + diagonal[1]
    K = 1 / total if is_dual else total
    slack = s / weights
    solve = factor(K, slack)
    missing = _slope(u, r) - _signed(inner) - w
    equality = (u[0] - u[1] - image) if is_dual else None
    residual = A @ theta - level * b - s
    bordered = -solve(xp.zeros_like(K), b) if is_dual else None

    def direction(of_u, of_s):
        """For complementarity residuals over u and over λ."""
        g = missing + of_u
        first = diagonal[0] * g[0] - diagonal[1] * g[1]
        h = K * (first - equality) if is_dual else -first
        moved = solve(h, residual + of_s)
        if is_dual:
            d_level = (1 - weights @ b - moved @ b) / (bordered @ b)
            moved = moved + d_level * bordered
        else:
            d_level = xp.zeros_like(level)
        d_image = moved @ A
        d_theta = K * d_image + h
        du = diagonal * (_signed(d_theta if is_dual else d_image) - g)
        return Point(du, -of_u - w / u * du, -of_s - slack * moved, moved, d_theta, d_level)

    def longest(step):
        falls = [(step.u / u).min(), (step.w / w).min(), (step.s / s).min(), (step.weights / weights).min()]
        return 1 / xp.maximum(-xp.asarray(falls).min(), 1)

    predicted = direction(w, s)
    far = longest(predicted)
    after = xp.sum((u + far * predicted.u) * (w + far * predicted.w))
    after = after + (s + far * predicted.s) @ (weights + far * predicted.weights)
    centre = (after / (u.size + s.size) / mu) ** 3 * mu
    step = direction(
        w + (predicted.u * predicted.w - centre) / u, s + (predicted.s * predicted.weights - centre) / weights
    )
    far = xp.minimum(_BOUNDARY * longest(step), 1)
    moved = Point(*(now + far * change for now, change in zip(point, step, strict=True)))
    return moved if is_dual else moved._replace(theta=moved.u[0] - moved.u[1])
