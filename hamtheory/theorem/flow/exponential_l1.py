"""The excess of HAM's limit over basis pursuit is a power of α, whose exponent is the margin of the certificate."""

import numpy as np
import sympy as sp

import hamtheory as ht

from .._flows import regression
from .._theorem import Step, Theorem


def prove(power, prefactor):
    # Here for n = 2, d = 3 and the support {1, 2}: ν₀ with X_Sᵀν₀ = sign θ*_S, and θ_∞ = θ* + z, Xz = 0.
    X, nu = sp.Matrix(2, 3, sp.symbols("x1:7", real=True)), sp.Matrix(sp.symbols("nu1:3", real=True))
    z, best = sp.Matrix(sp.symbols("z1:4", real=True)), sp.Matrix([*sp.symbols("t1:3", real=True), 0])
    c = X.T * nu  # its first two entries are the signs on the support
    a, theta, b = sp.symbols("alpha theta b", positive=True)
    corr = sp.Symbol("c", positive=True)  # below 1
    norm = sum(c[i] * (best[i] + z[i]) for i in range(2)) + sp.Abs(z[2])
    least = sum(c[i] * best[i] for i in range(2))
    s = corr * sp.log(a) + b
    return [
        Step(
            "‖θ‖₁ − ‖θ*‖₁ = |z₃| − c₃z₃ for interpolators with the signs of θ* on S",
            sp.expand(norm - least - (sp.Abs(z[2]) - c[2] * z[2]) - nu.dot(X * z)),
        ),
        Step(
            "on S, αXᵀν = ln(1 + αθ) = ln α + ln θ + o(1): αν = ν₀ ln α + ν₁ with X_Sᵀν₁ = ln θ*",
            sp.limit(sp.log(1 + a * theta) - sp.log(a), a, sp.oo) - sp.log(theta),
        ),
        Step(
            "elsewhere θ = (e^s − 1)/α at s = c ln α + b is e^b α^(c−1) − 1/α",
            (sp.exp(s) - 1) / a - sp.exp(prefactor * b) * a ** (power * (corr - 1)) + 1 / a,
        ),
    ]


def check(rng, power, prefactor):
    while True:  # until the next terms, α^−m and α^(m−1) times a power of the entries, are small
        X, y = regression(rng, 3, 6)
        theta, correlations, _ = _certificate(X, y)
        margin, sizes = 1 - np.abs(correlations).max(), np.abs(theta[theta != 0])
        if 0.05 < margin < 0.4 and sizes.min() > 0.1 * sizes.max():
            certified = ht.certify_basis_pursuit(ht.LinearRegression(X, y)).margin
            return max(_error(X, y, power, prefactor), abs(certified / margin - 1))


def violate(rng, power, prefactor):
    X, y = regression(rng, 3, 6)
    support = np.flatnonzero(ht.basis_pursuit(ht.LinearRegression(X, y)))
    X[:, np.setdiff1d(np.arange(6), support)[0]] = X[:, support[0]]
    return _error(X, y, power, prefactor)


def _certificate(X, y):
    """θ*, and for the entries off its support: Xᵀν₀ and Xᵀν₁."""
    theta = ht.basis_pursuit(ht.LinearRegression(X, y))
    on = np.abs(theta) > 1e-9 * np.abs(theta).max()
    signs = np.sign(theta[on])
    first, second = (np.linalg.lstsq(X[:, on].T, of)[0] for of in (signs, signs * np.log(np.abs(theta[on]))))
    return theta, X[:, ~on].T @ first, X[:, ~on].T @ second


def _error(X, y, power, prefactor):
    """The relative error of the excess, where α^−m is 1e-7."""
    theta, c, b = _certificate(X, y)
    size = np.abs(c)
    log = np.log(1e7) / (1 - size[size < 1 - 1e-9].max())
    limit = ht.solve_limit(ht.LinearRegression(X, y), ht.HAM(log_alpha=log), tol=1e-13, throw=False)
    excess = np.abs(limit.theta).sum() - np.abs(theta).sum()
    predicted = np.sum((1 - size) * np.exp(prefactor * np.sign(c) * b + power * (size - 1) * log))
    return abs(excess / predicted - 1)


THEOREM = Theorem(
    id="flow.exponential-l1",
    title="HAM's limit approaches basis pursuit like a power of α",
    source="own; the certificate that is selected: cominetti1994asymptotic",
    statement=r"""\|\theta_\infty(\alpha)\|_1 - \|\theta^*\|_1 = (1+o(1))\sum_{j\notin S}(1-|c_j|)\,
e^{\operatorname{sign}(c_j)\,x_j^\top\nu_1}\,\alpha^{|c_j|-1} \asymp \alpha^{-m}, \quad m = 1-\max_{j\notin S}|c_j|,
\quad c = X^\top\nu_0,\ X_S^\top\nu_0 = \operatorname{sign}\theta^*_S,\
X_S^\top\nu_1 = \operatorname{sign}(\theta^*_S)\ln|\theta^*_S|""",
    hypotheses="θ_∞(α) is the limit of HAM's flow from θ₀ = 0, X has rank n; θ* is the only solution of basis pursuit, "
    "its support S has n entries (so that the certificate ν₀ is unique), and 0 < m < 1.",
    constants={"power": 1, "prefactor": 1},
    check=check,
    tolerance=1e-4,
    why="the next terms, of order α^−m = 1e-7 and α^(m−1) relative to these, with factors "
    "that depend on the problem, and rounding of the norms",
    violate=violate,
    violated="θ* is not the only solution: a column of X occurs twice",
    mutations={
        "twice the margin": {"power": 2},
        "half the margin": {"power": 0.5},
        "no prefactor": {"prefactor": 0},
    },
    prove=prove,
    special="n = |S| = 2 and d = 3, term by term; not that the rest is of lower order",
)
