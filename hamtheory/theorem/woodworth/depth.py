"""The limit of u^L − v^L from u = v = α, L ≥ 3: Woodworth's potential, and its L1 end."""

import numpy as np
import sympy as sp

import hamtheory as ht

from .._expansions import data, dual_solution, end_of_flow, relative
from .._theorem import Step, Theorem


def prove(gap, rate):
    # L = k + 2, for every real k > 0
    k, a, g = sp.symbols("k alpha g", positive=True)
    z = sp.Symbol("z", real=True)
    depth = k + 2
    p, r = sp.symbols("P M", positive=True)  # 1 − z and 1 + z
    exponent = 1 / (depth - gap)
    u, v = a * p**-exponent, a * r**-exponent
    dz = -depth * k * a**k * g  # z = −L(L−2) α^(L−2) ∫g dt
    h = p ** (-depth / k) - r ** (-depth / k)
    # At the L1 end 1 − z → 0: with |θ| = α^L h, R/bound = α^L (z h − ∫₀^z h) — to leading order in e = 1 − z.
    e = sp.Symbol("e", positive=True)
    head = e ** (-depth / k)  # h, but for a bounded term
    primitive = k / 2 * e ** (-2 / k)  # ∫h dz, but for a constant
    return [
        Step("du = −L u^(L−1) g dt", -sp.diff(u, p) * dz + depth * u ** (depth - 1) * g),
        Step("dv = +L v^(L−1) g dt", sp.diff(v, r) * dz - depth * v ** (depth - 1) * g),
        Step("θ = u^L − v^L = α^L h(z)", u**depth - v**depth - a**depth * h),
        Step("z(0) = 0 is θ = 0", h.subs({p: 1 - z, r: 1 + z}).subs(z, 0)),
        Step("∫ e^(−L/(L−2)) de", -sp.diff(primitive, e) - head),
        Step("h − (z h − ∫h) = (L/2) h^(2/L) at leading order, z = 1 − e",
             sp.powsimp(sp.expand(e * head + primitive), force=True)
             - sp.powdenest(rate * (k + 2) * (e ** (-depth / k)) ** (2 / depth), force=True)),
    ]  # fmt: skip


def check(rng, gap, rate):
    return _error(rng, 1.0, gap, rate)


def violate(rng, gap, rate):
    return _error(rng, 1.3, gap, rate)


def _error(rng, off, gap, rate):
    """The relative distance of the end of the flow in u and v from the α^L h(Xᵀν) with Xθ = y, and of its R′, by the
    library, from bound · Xᵀν; and 1e-4 of the relative error of the rate, whose next order is 1e-5. `off`: u₀/v₀.
    """
    depth, n, d = int(rng.integers(3, 5)), 2, 5
    alpha = 10 ** rng.uniform(-0.4, 0.3)
    X, y = data(rng, n, d)
    power = depth / (depth - gap)
    inside = lambda z: np.where(np.abs(z) < 1, z, np.nan)  # noqa: E731
    theta_of = lambda z: alpha**depth * ((1 - inside(z)) ** -power - (1 + inside(z)) ** -power)  # noqa: E731
    metric = lambda z: alpha**depth * power * ((1 - z) ** (-power - 1) + (1 + z) ** (-power - 1))  # noqa: E731
    theta, z = dual_solution(X, y, theta_of, metric)

    def field(x):
        u, v = x[:d], x[d:]
        g = X.T @ (X @ (u**depth - v**depth) - y) / n
        return depth * np.concatenate([-(u ** (depth - 1)) * g, v ** (depth - 1) * g])

    start = alpha * np.concatenate([off * np.ones(d), np.ones(d)])
    slowest = np.linalg.eigvalsh((X * (2 * depth**2 * alpha ** (2 * depth - 2))) @ X.T / n)[0]
    end = end_of_flow(field, start, 40 / slowest)
    flow = end[:d] ** depth - end[d:] ** depth
    geometry = ht.DiagonalNetwork(depth, alpha)
    mirrored = geometry.mirror_map(flow) / geometry.mirror_bound()
    # |θ| − R/bound = rate · L α^(L−2) |θ|^(2/L) + O(α^L)
    size, tiny = rng.uniform(0.5, 2), 1e-4 if depth == 3 else 3e-3
    small = ht.DiagonalNetwork(depth, tiny)
    missing = size - float(small.potential(size) / small.mirror_bound())
    measured = missing / (depth * tiny ** (depth - 2) * size ** (2 / depth))
    return max(relative(flow, theta), relative(mirrored, z), 1e-4 * abs(measured / float(rate) - 1))


THEOREM = Theorem(
    id="woodworth.depth",
    title="The limit of a diagonal network of any depth above two",
    source="woodworth2020kernel, Theorem 3; the rate of the L1 end: own",
    statement=r"""\theta = u^L - v^L,\ L\ge 3,\ u_0 = v_0 = \alpha\mathbf{1}:\quad
\theta_\infty = \operatorname*{argmin}_{X\theta=y}\alpha^L\sum_i q_L(\theta_i/\alpha^L),\quad q_L' = h_L^{-1},\quad
h_L(z) = (1-z)^{-L/(L-2)} - (1+z)^{-L/(L-2)};\quad
\alpha^L q_L(|\theta|/\alpha^L) = |\theta| - \tfrac{L}{2}\alpha^{L-2}|\theta|^{2/L} + O(\alpha^L)\ (\alpha\to 0)""",
    hypotheses="Gradient flow on u, v > 0; it converges to an interpolator; u₀ = v₀; any real L > 2.",
    constants={"gap": 2, "rate": sp.Rational(1, 2)},
    check=check,
    tolerance=1e-8,
    why="the flow is integrated to 1e-11 a step for forty times its slowest time constant at the start",
    violate=violate,
    violated="u₀ = v₀",
    mutations={"h with L/(L−1)": {"gap": 1}, "twice the rate to L1": {"rate": 1}},
    prove=prove,
    special="the limit for every L; of its L1 end the leading order, not the size of the rest",
)
