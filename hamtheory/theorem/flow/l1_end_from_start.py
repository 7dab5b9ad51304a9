"""From a start that does not shrink, the L1 end keeps signs first, then relative entropy: it is no basis pursuit."""

import numpy as np
import sympy as sp
from scipy.optimize import linprog, nnls

import hamtheory as ht

from .._expansions import coefficient, data, dual_solution, extrapolated, signed
from .._theorem import Step, Theorem

ROWS, COLUMNS = 4, 6


def prove(less, quarter):
    # One coordinate with θ₀ > 0, r = |θ̂|/|θ₀| = e^m; h = 1/α, or γ²; k is what Xᵀν changes by, of order h
    x, m, h, k = sp.symbols("theta_0 m h k", positive=True)
    r = sp.exp(m)
    ham = ((1 + x / h) * sp.exp(m + h * k) - 1) * h  # (R*)′(R′(θ₀) + m) = (e^(α(…)) − 1)/α
    root = sp.sqrt(x**2 + h)
    mw = ((x + root) * sp.exp(m + h * k) + (x - root) * sp.exp(-m - h * k)) / 2  # γ sinh(asinh(θ₀/γ) + m)
    a, s = sp.symbols("alpha s", positive=True)
    cost = lambda of, at: (a * of * sp.log((1 + a * of) / (1 + a * at)) - a * (of - at)) / a**2  # noqa: E731
    return [
        Step("γ sinh(asinh(θ₀/γ) + m)",
             sp.simplify(mw.subs(k, 0) - (x * sp.cosh(m) + root * sp.sinh(m)).rewrite(sp.exp))),
        Step("HAM: r θ₀ is left as α → ∞", sp.limit(sp.expand(ham), h, 0) - r * x),
        Step("HAM: and then (r − 1 + r θ₀ k)/α", sp.expand(coefficient(sp.expand(ham), h, 1) - (r - less + r * x * k))),
        Step("m⊙w: r θ₀ is left as γ → 0", sp.simplify(mw.subs(h, 0) - r * x)),
        Step("m⊙w: and then γ²((r − 1/r)/4θ₀ + r θ₀ k)",
             sp.simplify(coefficient(mw, h, 1) - quarter * (r - 1 / r) / x - r * x * k)),
        Step("αD_R(θ, θ₀)/ln α tends to 0 on the side of θ₀", sp.limit(a * cost(x, s) / sp.log(a), a, sp.oo)),
        Step("and to 2|θ| on the other, as R′ changes its sign", sp.limit(
            (x * (sp.log(1 + a * x) + sp.log(1 + a * s))) / sp.log(a), a, sp.oo) - 2 * x),
    ]  # fmt: skip


def check(rng, less, quarter):
    return max(_reached(rng, less, quarter, kept=True), _not_reached(rng))


def violate(rng, less, quarter):
    return _reached(rng, less, quarter, kept=False)


def _reached(rng, less, quarter, kept):
    """The largest relative error of what is left of first order, of both geometries. Not `kept`: from other signs."""
    X, _ = data(rng, ROWS, COLUMNS)
    start = signed(rng, COLUMNS)
    s, size = np.sign(start), np.abs(start)
    y = X @ (start * 2 ** rng.uniform(-1, 1, COLUMNS))
    best, _ = dual_solution(X, y, lambda m: start * np.exp(s * m), lambda m: size * np.exp(s * m))
    r, W = np.abs(best) / size, np.abs(best)
    shift = lambda b: b - W * (X.T @ np.linalg.solve((X * W) @ X.T, X @ b))  # noqa: E731
    theta0 = start if kept else start * np.where(np.arange(COLUMNS) == 0, -1, 1)
    worst = 0.0
    for family, b in ((lambda h: ht.HAM(1 / h), s * (r - less)),
                      (lambda h: ht.Hypentropy(np.sqrt(h)), float(quarter) * s * (r - 1 / r) / size)):  # fmt: skip
        steps = 0.003 / 2.0 ** np.arange(5)
        found = extrapolated([
            (np.asarray(ht.solve_limit(ht.LinearRegression(X, y), family(h), theta0, tol=1e-13, throw=False).theta)
             - best) / h
            for h in steps
        ])  # fmt: skip
        worst = max(worst, np.abs(found - shift(b)).max() / np.abs(shift(b)).max())
    return float(worst)


def _not_reached(rng):
    """The relative difference of the mass on the wrong side to the least, by a linear programme, at ln α = 1000."""
    while True:
        X, y = rng.normal(size=(ROWS, COLUMNS)), rng.normal(size=ROWS)
        start = signed(rng, COLUMNS)
        s = np.sign(start)
        if nnls(X * s, y)[1] < 1e-9:
            continue
        least = linprog(np.repeat([0.0, 1.0], COLUMNS), A_eq=np.hstack([X * s, -X * s]), b_eq=y).fun
        theta = ht.solve_limit(ht.LinearRegression(X, y), ht.HAM(log_alpha=1000.0), start, throw=False).theta
        return abs(np.maximum(-s * np.asarray(theta), 0).sum() / least - 1)


THEOREM = Theorem(
    id="flow.l1-end-from-start",
    title="From a start that does not shrink, the L1 end is not basis pursuit",
    source="own",
    statement=r"""\theta_0\ne0\ \text{fixed},\ s = \operatorname{sign}\theta_0:\quad
\hat\theta = \operatorname*{argmin}\Bigl\{\sum_i|\theta_i|\ln\frac{|\theta_i|}{|\theta_{0,i}|}-|\theta_i| : X\theta=y,\
s\odot\theta>0\Bigr\}\ \text{exists} \;\Rightarrow\; \theta_\infty = \hat\theta + hP b + O(h^2),\quad
P = I - WX^\top(XWX^\top)^{-1}X,\ W = \operatorname{diag}|\hat\theta|,\ r = |\hat\theta|/|\theta_0|;\quad
\text{HAM}:\ h = 1/\alpha,\ b = s\odot(r-1);\quad m\odot w:\ h = \gamma^2,\ b = s\odot\frac{r-1/r}{4|\theta_0|};\quad
\text{if no interpolator has the signs}\ s:\ \sum_{s_i\theta_{\infty,i}<0}|\theta_{\infty,i}| \to
\min_{X\theta=y}\sum_{s_i\theta_i<0}|\theta_i|\ (\alpha\to\infty)""",
    hypotheses="θ₀ has no zeros, and does not depend on α or γ. X has rank n. For θ̂: its signs are those of the start.",
    constants={"less": 1, "quarter": sp.Rational(1, 4)},
    check=check,
    tolerance=1e-6,
    why="five halvings of h = 0.003, of limits to 1e-13, and of the mass at ln α = 1000",
    violate=violate,
    violated="the signs of θ̂ are those of the start: one is not",
    mutations={"without the 1 of 1 + α|θ|": {"less": 0}, "a half": {"quarter": sp.Rational(1, 2)}},
    prove=prove,
    special="one coordinate of the expansion; not that the multipliers have one, nor the last limit",
)
