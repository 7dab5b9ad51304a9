"""Gradient descent stopped in time costs hardly more than the best ridge, whatever the data."""

import numpy as np
import sympy as sp

import hamtheory as ht

from .._flows import regression
from .._theorem import Step, Theorem

WORST = 3.2136  # x = s/β, of all eigenvalues: there the bound is attained


def prove(clock, most, along):
    # One eigenvector of XᵀX/n, of eigenvalue s; p = E(θ*)² in its direction, v = the variance of a row's noise over n.
    s, t, b, p, v, x = sp.symbols("s t beta p v x", positive=True)
    flow = lambda t: p * sp.exp(-2 * s * t) + v * (1 - sp.exp(-s * t)) ** 2 / s  # noqa: E731
    ridge = lambda b: (p * b**2 + v * s) / (s + b) ** 2  # noqa: E731
    z, mode = sp.symbols("z", real=True), 1 - sp.exp(-s * t)
    best = sp.log(1 + clock * p * s / v) / s
    ratio = flow(clock * p / v).subs(s, x * v / p) / ridge(v / p).subs(s, x * v / p)
    return [
        Step("the mode is 1 − e^(−s·t) of that of the least squares", sp.diff(z * mode, t) - s * (z - z * mode)),
        Step("ridge: the risk falls down to β = v/p, and rises from there",
             sp.diff(ridge(b), b) - 2 * s * (p * b - v) / (s + b) ** 3),
        Step("the flow: the slope is 2(v(e^(s·t) − 1) − ps)/e^(2s·t)",
             sp.diff(flow(t), t) - 2 * sp.exp(-2 * s * t) * (v * (sp.exp(s * t) - 1) - p * s)),
        Step("so it falls down to t = ln(1 + ps/v)/s, and rises from there", v * (sp.exp(s * best) - 1) - p * s),
        Step("where it is the best ridge's, in one mode", flow(best) - ridge(v / p)),
        Step("at t = p/v it is more, by a factor that depends on x = ps/v alone",
             ratio - (1 + x) * (sp.exp(-2 * x) + (1 - sp.exp(-x)) ** 2 / x)),
        Step("at t = 1/β, x = s/β: the parts without noise have the ratio (e^(−x)(1 + x))²",
             flow(clock / b).coeff(p).subs(s, x * b) / (1 / (1 + x)) ** 2 - (sp.exp(-x) * (1 + x)) ** 2),
        Step("at most 1, as the slope of e^(−x)(1 + x) is −x e^(−x)",
             sp.diff(sp.exp(-x) * (1 + x), x) + x * sp.exp(-x)),
        Step("those of noise, ((1 − e^(−x))(1 + x)/x)²",
             sp.expand(flow(clock / b).coeff(v)).subs(s, x * b) / (x / b / (1 + x) ** 2)
             - ((1 - sp.exp(-x)) * (1 + x) / x) ** 2),
    ]  # fmt: skip


def check(rng, clock, most, along):
    d = int(rng.integers(4, 8))
    X, _ = regression(rng, 4, d, 10 ** rng.uniform(0, 0.5))
    basis = np.linalg.qr(rng.normal(size=(6, 3)))[0]
    error = _error(rng, X, np.ones(d), 10 ** rng.uniform(-1.5, 1), clock, most, along)
    return max(error, _error(rng, np.sqrt(6 * WORST) * basis, np.ones(3), 1.0, clock, most, along))


def violate(rng, clock, most, along):
    X, _ = regression(rng, 4, 6)
    return _error(rng, X, rng.uniform(0, 2, 6), 10 ** rng.uniform(-1, 0.5), clock, most, along)


def _error(rng, X, powers, best, clock, most, along):
    """The relative errors of the risks of the spectral form, and by how much its consequences are violated.

    `powers`: E(θᵢ*)²; `best`: β*, the variance of a row's noise over n.
    """
    n, d = X.shape
    values = np.maximum(np.linalg.eigvalsh(X.T @ X / n), 0)
    on = values > 1e-10 * values[-1]
    beta = best * 10 ** rng.uniform(-1, 1)
    times = np.array([clock / best, clock / beta])
    flow, ridge = _flow(X, times), _ridge(X, np.array([best, beta, best / 1.2, best * 1.2]))
    risk = lambda maps: np.array([powers @ np.sum((np.eye(d) - A @ X) ** 2, axis=0) + best * n * np.sum(A**2)  # noqa: E731
                                  for A in maps])  # fmt: skip
    flow, ridge = risk(flow), risk(ridge)
    s = np.where(on, values, 1.0)
    of_flow = np.array([np.sum(np.exp(-2 * values * t) + best * on * (1 - np.exp(-s * t)) ** 2 / s)
                        for t in (1 / best, 1 / beta)])  # fmt: skip
    of_ridge = np.array([np.sum((b**2 + best * values) / (values + b) ** 2) for b in (best, beta)])
    ends = np.log1p(s[on] / best) / s[on]
    slope = lambda t: np.sum(np.exp(-2 * s[on] * t) * (best * np.expm1(s[on] * t) - s[on]))  # noqa: E731
    return max(np.abs(flow / of_flow - 1).max(), np.abs(ridge[:2] / of_ridge - 1).max(),
               flow[0] / ridge[0] / most - 1, flow[1] / ridge[1] / along - 1, np.max(ridge[0] / ridge[2:] - 1),
               slope(ends.min()) / n, -slope(ends.max()) / n)  # fmt: skip


def _flow(X, times):
    """The matrices A with θ_t = A y, column by column."""
    ends = [ht.solve_flow(ht.LinearRegression(X, unit), ht.Euclidean(), ts=sorted(times), rtol=1e-11, atol=1e-13).thetas
            for unit in np.eye(len(X))]  # fmt: skip
    return np.moveaxis(np.array(ends), 0, -1)[np.argsort(np.argsort(times))]


def _ridge(X, betas):
    """Those of the limits under weight decay."""
    ends = [[ht.solve_limit(ht.LinearRegression(X, unit), ht.Euclidean(), weight_decay=beta, tol=1e-12).theta
             for unit in np.eye(len(X))] for beta in betas]  # fmt: skip
    return np.swapaxes(np.array(ends), 1, 2)


THEOREM = Theorem(
    id="ali.early-stopping",
    title="Gradient descent stopped in time against the best ridge",
    source="ali2019continuous, the bounds 1.69 along the path and 1.22 at its best; that the latter is attained at t = "
    "1/β*, and the bracket of the best time: own",
    statement=r"""\mathbb{E}\theta^*\theta^{*\top} = pI,\ y = X\theta^*+\xi,\ \mathbb{E}\xi\xi^\top = nv\,I,\ s_j =
\lambda_j(X^\top X/n):\quad
r(t) = \mathbb{E}\|\theta_t-\theta^*\|^2 = \sum_j pe^{-2s_jt}+\tfrac{v}{s_j}(1-e^{-s_jt})^2,\quad
q(\beta) = \mathbb{E}\|\theta_\beta-\theta^*\|^2 = \sum_j\tfrac{p\beta^2+vs_j}{(s_j+\beta)^2}\ge q(\beta^*),\
\beta^* = \tfrac vp,\quad
r(1/\beta)\le1.6860\,q(\beta),\quad r(1/\beta^*)\le1.2147\,q(\beta^*),\quad
\arg\min r\in\bigl[\min_j\tfrac1{s_j}\ln(1+\tfrac{ps_j}v),\ \max_j\tfrac1{s_j}\ln(1+\tfrac{ps_j}v)\bigr]""",
    hypotheses="Gradient descent's flow from zero, and ridge with β‖θ‖²/2 beside f; any X. Of modes with s = 0 there "
    "is p in both sums, and they have no best time. The bounds are the maxima of functions of one variable, evaluated.",
    constants={"clock": 1, "most": 1.2147, "along": 1.6860},
    check=check,
    tolerance=1e-8,
    why="the integrator's 1e-11 and the limit's 1e-12, squared and summed",
    violate=violate,
    violated="θ* has the same power in every direction",
    mutations={"a smaller bound": {"most": 1.2}, "twice the time": {"clock": 2}},
    prove=prove,
    special="all but the maxima over x of (1 + x)(e^(−2x) + (1 − e^(−x))²/x) and of ((1 − e^(−x))(1 + x)/x)², which "
    "are evaluated",
)
