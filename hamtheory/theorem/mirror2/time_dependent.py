"""Regularised reparametrisations as mirror flows whose potential moves, and when its range shrinks."""

import numpy as np
import sympy as sp

import hamtheory as ht

from .._expansions import relative
from .._flows import gradient, integrate, regression
from .._theorem import Step, Theorem


def prove(widens):
    t, u0 = sp.symbols("t u0", positive=True)
    k = sp.Symbol("k", positive=True) + 1
    A, G = sp.Function("A", real=True)(t), sp.Function("G", real=True)(t)  # ∫α, ∫∇f
    u, g, strength = sp.symbols("u g alpha", positive=True)
    # Φ(u) = ∫ du/φ′(u); here of any φ, with Φ′ = 1/φ′ and du/dt = −φ′(u)(∂f + α)
    phi, of = sp.Function("phi"), sp.Function("Phi")
    moved = of(u).diff(u) * (-phi(u).diff(u) * (g + strength))
    power = u ** (2 - 2 * k) / (2 * k * (2 - 2 * k))
    solved = (u0 ** (2 - 2 * k) + 2 * k * (2 * k - 2) * (G + widens * A)) ** (-1 / (2 * k - 2))
    return [
        Step("dΦ(u)/dt = −(∂f + α)", moved.subs(of(u).diff(u), 1 / phi(u).diff(u)) + g + strength),
        Step(
            "Φ = −u^(2−2k)/(4k(k−1)) for φ = u^(2k), k > 1: its supremum is 0, at u = ∞",
            power.diff(u) * (2 * k * u ** (2 * k - 1)) - 1,
        ),
        Step("Φ = u²/2 for φ = ln u: its infimum is 0, at u = 0", (u**2 / 2).diff(u) / u - 1),
        Step("u of k > 1 solves du/dt = −2k u^(2k−1)(∂f + α)", _flow(solved, k, G, A, t)),
        Step(
            "u = √(u₀² − 2(G + A)) solves du/dt = −(∂f + α)/u",
            sp.sqrt(u0**2 - 2 * (G + widens * A)).diff(t) * sp.sqrt(u0**2 - 2 * (G + widens * A)) + (G + A).diff(t),
        ),
        Step(
            "k = 1: u = u₀ e^(−2(G + A)) solves du/dt = −2u(∂f + α)",
            (u0 * sp.exp(-2 * (G + widens * A))).diff(t) + 2 * u0 * sp.exp(-2 * (G + widens * A)) * (G + A).diff(t),
        ),
    ]


def _flow(u, k, G, A, t):
    base = u.base  # of the power −1/(2k − 2): du/dt = u base′/((2 − 2k) base), and u^(2k−2) = 1/base
    return sp.simplify(base.diff(t) / (2 - 2 * k) + 2 * k * (G + A).diff(t))


# φ, φ′, Φ and its inverse
FAMILIES = {
    "u²": (lambda u: u**2, lambda u: 2 * u, lambda u: np.log(u) / 2, lambda s: np.exp(2 * s)),
    "u⁴": (lambda u: u**4, lambda u: 4 * u**3, lambda u: -(u**-2.0) / 8, lambda s: (-8 * s) ** -0.5),
    "u⁶": (lambda u: u**6, lambda u: 6 * u**5, lambda u: -(u**-4.0) / 24, lambda s: (-24 * s) ** -0.25),
    "ln u": (np.log, lambda u: 1 / u, lambda u: u**2 / 2, lambda s: np.sqrt(2 * s)),
}


def check(rng, widens):
    return max(
        *(_error(rng, family, widens) for family in FAMILIES), *(_network(rng, depth, widens) for depth in (2, 4, 6))
    )


def violate(rng, widens):
    return max(_error(rng, family, widens, weight_decay=True) for family in ("u⁴", "u⁶"))


def _error(rng, family, widens, weight_decay=False):
    """The largest relative error of u and v at the end of the flow of f(φ(u) − φ(v)) + α_t Σ φ(u) + φ(v).

    NaN, so infinite, where the formula is outside the range. `weight_decay`: with α_t Σ u² + v² instead.
    """
    mirror, inverse = FAMILIES[family][2:]
    d = int(rng.integers(2, 6))
    u, v = rng.uniform(0.8, 1.2, (2, d))
    state, integral, total = _end(rng, family, u, v, weight_decay)
    with np.errstate(invalid="ignore"):
        formula = [inverse(mirror(u) - integral - widens * total), inverse(mirror(v) + integral - widens * total)]
    return float(np.abs(np.concatenate(formula) / state - 1).max())


def _network(rng, depth, widens):
    """The relative error of x, from u₀ = v₀ = a, by the library's network of this depth, of a moved by A."""
    family = f"u{'²⁴⁶'[depth // 2 - 1]}"
    phi, _, mirror, inverse = FAMILIES[family]
    a = rng.uniform(0.8, 1.2, int(rng.integers(2, 6)))
    state, integral, total = _end(rng, family, a, a)
    u, v = (phi(part) for part in np.split(state, 2))
    with np.errstate(invalid="ignore"):
        moved = inverse(mirror(a) - widens * total)
    if np.isnan(moved).any():
        return np.inf
    return relative(ht.DiagonalNetwork(depth, moved).inverse_mirror_map(-integral), u - v)


def _end(rng, family, u, v, weight_decay=False):
    """u and v in one vector, ∫∇f and ∫α, at the end of the flow."""
    phi, slope = FAMILIES[family][:2]
    d = u.size
    X, y = regression(rng, int(rng.integers(1, d + 1)), d)
    total, end = rng.uniform(0.05, 0.1), rng.uniform(0.1, 0.3)

    def velocity(t, state):
        u, v = state[:d], state[d : 2 * d]
        strength = 2 * total * t / end**2
        force = gradient(X, 0.3 * y, phi(u) - phi(v))
        of_u, of_v = (2 * u, 2 * v) if weight_decay else (slope(u), slope(v))
        return np.concatenate([-slope(u) * force - strength * of_u, slope(v) * force - strength * of_v, force])

    state = integrate(velocity, np.concatenate([u, v, np.zeros(d)]), [end])[-1]
    return state[: 2 * d], state[2 * d :], total


THEOREM = Theorem(
    id="mirror2.time-dependent",
    title="Regularised reparametrisations: a potential that moves, and when its range shrinks",
    source="jacobs2025mirror, Theorem 3.1; the general form and the two ranges: own",
    statement=r"""x = \varphi(u)-\varphi(v),\ \text{flow of } f(x)+\alpha_t\sum_i\varphi(u_i)+\varphi(v_i),\
\Phi' = 1/\varphi',\ A=\int\alpha,\ \mu=-\int\nabla f:\quad \Phi(u_t)=\Phi(u_0)+\mu-A,\ \Phi(v_t)=\Phi(v_0)-\mu-A,
\quad\text{so } x_t = (\nabla R_{A_t}^*)(\mu_t).\quad
\varphi=u^{2k},\,k>1:\ -c_v-A<\mu<c_u+A,\ c_u=\tfrac{u_0^{2-2k}}{4k(k-1)}, \text{ a range that widens};\quad
\varphi=\ln u:\ -\tfrac12v_0^2+A<\mu<\tfrac12u_0^2-A, \text{ one that shrinks, to nothing at }
 A=\tfrac14(u_0^2+v_0^2)""",
    hypotheses="u, v > 0, φ increasing; f differentiable; the penalty is Σφ(u) + φ(v): for u^(2k) − v^(2k) with k > 1 "
    "that is not weight decay. (m⊙w is k = 1, where the range is all numbers.)",
    constants={"widens": 1},
    check=check,
    tolerance=1e-11,
    why="the integrator's tolerance of 1e-12, with powers up to 6",
    violate=violate,
    violated="the penalty is weight decay, Σu² + v², while k is 2 or 3",
    mutations={
        "the ranges the other way round": {"widens": -1},
        "the potential does not move": {"widens": 0},
    },
    prove=prove,
)
