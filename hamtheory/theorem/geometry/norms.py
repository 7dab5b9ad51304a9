"""The L1 norm of HAM's limit need not fall with α: where the least L2 norm is of least L1 norm, it rises first."""

import numpy as np
import sympy as sp

import hamtheory as ht

from .._potentials import SHAPE, excess, limits
from .._theorem import Step, Theorem


def prove(two, rise):
    # X = (p; s) with p = (p₁, −p₂, 0) and s = (1, −1, σ): the interpolators of y = Xp are p + τz
    p1, p2, a = sp.symbols("p_1 p_2 alpha", positive=True)
    sigma, tau = sp.symbols("sigma tau", real=True)
    p, s = sp.Matrix([p1, -p2, 0]), sp.Matrix([1, -1, sigma])
    z = p.cross(s)
    shift = a * (z[0] * p1**2 - z[1] * p2**2) / (two * z.dot(z))  # τ to first order: α z·(|p|⊙p)/(2|z|²)
    theta = p + tau * z
    # R' to first order in α; the third coordinate is O(α), and its square another order
    slope = [theta[0] - a * theta[0] ** 2 / 2, theta[1] + a * theta[1] ** 2 / 2, theta[2]]
    stationary = z.dot(sp.Matrix(slope)).subs(tau, shift)
    size = sp.symbols("x", positive=True)
    rest = sp.sqrt(z[2] ** 2)
    return [
        Step("p + τz interpolates: p·z = 0", p.dot(z)),
        Step("p + τz interpolates: s·z = 0", s.dot(z)),
        Step("p is in the row space, so it is the limit for α → 0: z ⊥ R'(p) = p", z.dot(p)),
        Step(
            "R'(x) = x − αx²/2 + O(α²) for x > 0",
            sp.series(sp.log(1 + a * size) / a, a, 0, 2).removeO() - size + a * size**2 / 2,
        ),
        Step("R'(θ) ⊥ z to first order in α", stationary.diff(a).subs(a, 0)),
        Step(
            "‖p + τz‖₁ − ‖p‖₁ = |τz₃| − σ τz₃, for τ > 0; positive as |σ| < 1, and for all interpolators",
            (theta[0] - theta[1] + tau * rest - p1 - p2) - rise * tau * (rest - sigma * z[2]),
        ),
    ]


def check(rng, two, rise):
    return _error(rng, two, rise, True)


def violate(rng, two, rise):
    return _error(rng, two, rise, False)


def _error(rng, two, rise, certified):
    """The rise of ‖θ_∞‖₁ by extrapolation, what is left of it at ln α = 280, and whether the values are monotone."""
    d = SHAPE[1]
    support, sizes = rng.permutation(d)[:2], 10 ** rng.uniform(-2, 2) * np.array([1.0, rng.uniform(1.5, 4)])
    p, s = np.zeros(d), rng.uniform(-0.7, 0.7, d)
    p[support] = sizes * rng.choice([-1.0, 1.0], 2)
    s[support] = np.sign(p[support])
    other = s if certified else rng.normal(size=d)
    X = (rng.normal(size=(2, 2)) + 2 * np.eye(2)) @ np.stack([p / np.linalg.norm(p), other])
    small = 1e-4 / np.abs(p).max()
    logs = np.append(np.log(small) + np.append(np.log([1, 2]), np.arange(1, 21)), 280.0)
    thetas = limits(ht.LinearRegression(X, X @ p), ht.HAM, logs)
    norms = np.abs(thetas).sum(axis=1)
    slope = (4 * norms[0] - norms[1] - 3 * np.abs(p).sum()) / (2 * small)
    along = np.abs(p) * p
    shift = (along - np.linalg.pinv(X) @ (X @ along)) / two
    off = p == 0
    want = rise * np.sum(np.abs(shift[off]) - s[off] * shift[off])
    potentials = [ht.HAM(log_alpha=at).potential(t) for at, t in zip(logs, thetas, strict=True)]
    values = np.log(np.sum(potentials, axis=1))
    falling, rising = np.diff(values), np.diff(values + logs)
    return max(
        abs(slope - want) / np.abs(shift).sum(),
        abs(norms[-1] / np.abs(p).sum() - 1),
        excess(falling, -np.inf, 0, 1),
        excess(rising, 0, np.inf, 1),
    )


THEOREM = Theorem(
    id="geometry.norms-not-monotone",
    title="The L1 norm of HAM's limit may rise with α",
    source="own",
    statement=r"""\text{Let } s \in \partial\|p\|_1,\ |s_i| < 1 \text{ where } p_i = 0,\
\operatorname{row}(X) = \operatorname{span}(p, s),
\ y = Xp. \text{ Then }
\|\theta_\infty(\alpha)\|_1 = \|p\|_1 + \tfrac{\alpha}{2}\sum_{p_i = 0}(|k_i| - s_i k_i) + O(\alpha^2), \quad
k = (I - X^+X)(|p| \odot p), \quad
\|\theta_\infty(\alpha)\|_1 \ge \|p\|_1 = \lim_{\alpha \to 0} = \lim_{\alpha \to \infty}""",
    hypotheses="p is the interpolator of least L2 norm (it is in the row space), and the only one of least L1 norm (s "
    "is, and p has two entries that are not 0, of different sizes). min R_α and α min R_α, "
    "which are monotone on the same paths, are what interpolates.",
    constants={"two": 2, "rise": 1},
    check=check,
    tolerance=1e-6,
    why="extrapolation from α|p| = 1e-4 leaves 1e-7, and rounding of the norms 1e-11/1e-4; both magnified by 1/|k|",
    violate=violate,
    violated="s is not in the row space: p is not of least L1 norm",
    mutations={
        "the norm falls, as its limits suggest": {"rise": -1},
        "the norm does not move at first": {"rise": 0},
        "twice the shift": {"two": 1},
    },
    prove=prove,
    special="three unknowns, to first order in α: that the limit has an expansion is assumed, its ends are not derived",
)
