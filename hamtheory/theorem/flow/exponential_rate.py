"""How the limits of HAM and m⊙w come to basis pursuit: for supports of any size, and from starts near zero."""

import numpy as np
import sympy as sp
from scipy.linalg import null_space
from scipy.optimize import linprog

import hamtheory as ht

from .._flows import regression
from .._theorem import Step, Theorem

ROWS, COLUMNS = 4, 9


def prove(power, entropy, start, two):
    # For S = {1} with θ*₁ > 0 and J = {2, 3} with weights w and 1 − w. The columns of J, and q there, are times the
    # signs of c: z = (v, w, 1 − w), and p = x·ν₁ for each of the three.
    a, theta, w, t, q, g = sp.symbols("alpha theta w t q gamma", positive=True)
    v, q1, q2, q3, m = sp.symbols("v q1 q2 q3 m", real=True)
    logarithm = (-v * sp.log(theta) - entropy * (w * sp.log(w) + (1 - w) * sp.log(1 - w))
                 + start * (v * q1 + w * q2 + (1 - w) * q3))  # fmt: skip
    second, third = sp.log(w) + logarithm - q2, sp.log(1 - w) + logarithm - q3
    first = -(w * second + (1 - w) * third) / v  # for Xz = 0
    size = sp.exp((1 - m) * sp.log(a) + sp.log(w * t)) / a
    return [
        Step("|θ_j| = |z_j| t α^(−m) on J, and Xz = 0, leave θ*₁ where S has it",
             sp.expand(v * (first - sp.log(theta) + q1))),
        Step("HAM: αR′(ζ/α) = ln(1 + ζ) = q", sp.log(1 + a * (q / a)) - sp.log(1 + q)),
        Step("HAM: on S, αR′(θ) = ln α + ln θ + o(1)", sp.limit(sp.log(1 + a * theta) - sp.log(a * theta), a, sp.oo)),
        Step("m⊙w: 2R′(θ) = ln(2/γ) + ln θ + o(1)",
             sp.limit(sp.asinh(theta * a) - sp.log(two * a * theta), a, sp.oo)),
        Step("and (γ/2)e^s is γ sinh s up to γe^(−s)/2", g * sp.sinh(q).rewrite(sp.exp) - g / two * sp.exp(q)
             + g * sp.exp(-q) / 2),
        Step("on J, e^s/α with s = (1 − m) ln α + ln w + ln t is w t α^(−m)", size - w * t * a ** (-power * m)),
    ]  # fmt: skip


def check(rng, power, entropy, start, two):
    ks = int(rng.integers(1, ROWS)), ROWS
    return max(_error(_instance(rng, k), rng, power, entropy, start, two, near=True) for k in ks)


def violate(rng, power, entropy, start, two):
    return _error(_instance(rng, int(rng.integers(1, ROWS))), rng, power, entropy, start, two, near=False)


def _instance(rng, k):
    """X, y, θ* of k entries, its certificate c of largest margin, z, where J is, and the margin.

    Drawn until the terms that are left out are small.
    """
    while True:
        X, y = regression(rng, ROWS, COLUMNS)
        if k < ROWS:
            y = X[:, :k] @ (rng.choice([-1.0, 1.0], k) * rng.uniform(0.5, 2, k))
        theta = np.asarray(ht.basis_pursuit(ht.LinearRegression(X, y)))
        on = np.abs(theta) > 1e-9
        if on.sum() != k or np.abs(theta[on]).min() < 0.1:
            continue
        # min t with |x_j·ν| ≤ t off the support, and x_i·ν = sign θ*_i on it
        rows = np.hstack([np.vstack([X[:, ~on].T, -X[:, ~on].T]), -np.ones((2 * (COLUMNS - k), 1))])
        equal = np.hstack([X[:, on].T, np.zeros((k, 1))])
        found = linprog(np.eye(ROWS + 1)[-1], rows, np.zeros(len(rows)), equal, np.sign(theta[on]), (None, None))
        if found.status != 0 or not 0.6 < found.x[-1] < 0.95:
            continue
        c = X.T @ found.x[:-1]
        held = ~on & (np.abs(c) > found.x[-1] - 1e-7)
        rest = np.abs(c[~on & ~held]).max(initial=0.0)
        margin = 1 - found.x[-1]
        if held.sum() == ROWS - k + 1 and 1 - rest > 2 * margin:
            z = np.zeros(COLUMNS)
            z[on | held] = null_space(X[:, on | held])[:, 0]
            z /= np.sum(np.sign(c[held]) * z[held])
            if np.abs(z).max() < 3 and np.abs(z[held]).min() > 0.05:
                return X, y, theta, c, z, held, margin


def _error(instance, rng, power, entropy, start, two, near):
    """The relative error of the excess of both geometries, where α^−m is 1e-10; and of the library's margin."""
    X, y, theta, c, z, held, margin = instance
    problem, on = ht.LinearRegression(X, y), np.abs(theta) > 1e-9
    worst = abs(float(ht.certify_basis_pursuit(problem).margin) / margin - 1)
    weights, size, zeta = np.abs(z[held]), np.abs(theta[on]), rng.normal(size=COLUMNS)
    log = np.log(1e10) / margin
    for family in (ht.HAM, ht.Hypentropy):
        ham = family is ht.HAM
        at = log if ham else log - np.log(2)  # α is 2/γ, and what it is said to be enters below
        geometry = ht.HAM(log_alpha=at) if ham else ht.Hypentropy(log_gamma=-at)
        theta0 = zeta * np.exp(-at) if near else zeta
        q = np.sign(zeta) * np.log1p(np.abs(zeta)) if ham else np.arcsinh(zeta)
        end = np.asarray(ht.solve_limit(problem, geometry, theta0, tol=1e-13, throw=False).theta)
        excess = np.sum(np.abs(end[~on]) - c[~on] * end[~on])  # ‖θ‖₁ − ‖θ*‖₁, without cancellation
        exponent = start * z @ q - np.sum(z[on] * np.sign(theta[on]) * np.log(size))
        exponent -= entropy * np.sum(weights * np.log(weights))
        said = at if ham else at + np.log(two)
        worst = max(worst, abs(excess / (margin * np.exp(exponent - power * margin * said)) - 1))
    return float(worst)


THEOREM = Theorem(
    id="flow.exponential-rate",
    title="HAM and m⊙w come to basis pursuit like α to the power of minus the margin",
    source="own",  # which certificate is selected: cominetti1994asymptotic
    statement=r"""\|\theta_\infty(\alpha)\|_1 - \|\theta^*\|_1 = (1+o(1))\,m\,t\,\alpha^{-m},\quad
m = \max\{1 - \|X_{S^c}^\top\nu\|_\infty : X_S^\top\nu = \operatorname{sign}\theta^*_S\},\quad
Xz = 0,\ z_i = 0\ \text{off}\ S\cup J,\ J = \{j\notin S: |c_j| = 1-m\},\
\operatorname{sign}z_J = \operatorname{sign}c_J,\ \|z_J\|_1 = 1,\quad
\ln t = z^\top q - \sum_{i\in S}z_i\operatorname{sign}(\theta^*_i)\ln|\theta^*_i| - \sum_{j\in J}|z_j|\ln|z_j|;\quad
\text{of HAM from}\ \theta_0 = \zeta/\alpha,\ q = \operatorname{sign}(\zeta)\ln(1+|\zeta|);\quad
\text{of}\ m\odot w\ \text{from}\ \theta_0 = \gamma\zeta,\ \alpha = 2/\gamma,\ q = \operatorname{asinh}\zeta""",
    hypotheses="X has rank n; θ* is the only solution of basis pursuit, with |S| ≤ n entries; the certificate c = Xᵀν "
    "of largest margin m, 0 < m < 1, is the only one, J has n − |S| + 1 entries, and z none that is 0 on J: so it is "
    "for data in general position. The start shrinks with 1/α.",
    constants={"power": 1, "entropy": 1, "start": 1, "two": 2},
    check=check,
    tolerance=1e-5,
    why="the next terms, of order α^−m = 1e-10 relative to these, as every other margin is at least 2m, with "
    "factors that depend on the problem; of the limit, a residual of 1e-15 over excesses of 1e-10",
    violate=violate,
    violated="the start shrinks with 1/α: it is fixed",
    mutations={
        "twice the margin": {"power": 2},
        "without the entropy": {"entropy": 0},
        "the start does not matter": {"start": 0},
        "α is 1/γ": {"two": 1},
    },
    prove=prove,
    special="|S| = 1 and n = 2, term by term; not that the rest is of lower order",
)
