"""The exponentiated gradient step is that of balanced m⊙w, up to second order; neither ever changes a sign."""

import jax.numpy as jnp
import numpy as np
import sympy as sp

import hamtheory as ht

from .._expansions import coefficient, extrapolated, signed
from .._theorem import Step, Theorem


def prove(gradient, decay, second):
    g, b, h = sp.symbols("g beta eta", real=True)
    size = sp.Symbol("r", positive=True)  # √|θ|
    steps = []
    for s in (1, -1):
        m, w, theta = s * size, size, s * size**2
        new_m, new_w = m - h * (w * g + 2 * b * m), w - h * (m * g + 2 * b * w)
        exponential = theta * sp.exp(-h * (gradient * s * g + decay * b))
        x = s * g + 2 * b
        steps += [
            Step(f"sign {s}: m and w stay balanced, m⁺ = sign(θ) w⁺", new_m - s * new_w),
            Step(f"sign {s}: a step multiplies θ by the square (1 − ηx)², x = sign(θ)g + 2β", new_m * new_w
                 - theta * (1 - h * x) ** 2),
            Step(f"sign {s}: at η = 0 both are at θ", (new_m * new_w - exponential).subs(h, 0)),
            Step(f"sign {s}: the first orders are equal", coefficient(new_m * new_w - exponential, h, 1)),
            Step(f"sign {s}: the second orders differ by −x²θ",
                 coefficient(new_m * new_w - exponential, h, 2) + second * x**2 * theta),
        ]  # fmt: skip
    return steps


def check(rng, gradient, decay, second):
    return _error(rng, 0.0, gradient, decay, second)


def violate(rng, gradient, decay, second):
    return _error(rng, 10 ** rng.uniform(-3, 0), gradient, decay, second)


def _error(rng, imbalance, gradient, decay, second):
    """By how much η⁻² ln(m⁺w⁺/EXP) is not −x² as η → 0, in units of x²; 1 where a large step changed a sign."""
    d = (5, 20)[int(rng.integers(2))]
    theta = signed(rng, d) * 10 ** rng.uniform(-6, 3, d)
    # x = O(1), so that every entry, whatever its size, is seen by the error.
    x, beta = signed(rng, d), rng.uniform(0.1, 0.5)
    g = np.sign(theta) * (x - 2 * beta)
    gamma = imbalance * np.abs(theta).max()

    def product(eta):
        rule = ht.ProductGD(beta, gamma=gamma)
        state = rule.init(ht.LinearRegression(np.eye(g.size), theta), jnp.asarray(theta))
        return np.asarray(rule.theta(rule.step(state, jnp.asarray(g), jnp.asarray(eta))))

    def quotient(eta):
        exponentiated = theta * np.exp(-eta * (gradient * np.sign(theta) * g + decay * beta))
        return np.log(np.abs(product(eta) / exponentiated)) / eta**2

    # ln((1 − z)² e^(2z)) = −z² − 2z³/3 − z⁴/2 − …, z = ηx
    limit = extrapolated([quotient(4e-3 / 2**k) for k in range(4)])
    eta = 10 ** rng.uniform(-2, 2)
    exact = ht.Exponentiated(beta).step(jnp.asarray(theta), jnp.asarray(g), jnp.asarray(eta))
    # exp may leave nothing of an entry, but a sign it does not change.
    flipped = np.any(product(eta) * theta < 0) or np.any(np.asarray(exact) * theta < 0)
    return max(np.abs(limit / x**2 + second).max(), float(flipped))


THEOREM = Theorem(
    id="ham.exponentiated",
    title="Exponentiated gradient is balanced m⊙w, and keeps signs",
    source="jacobs2026ham, Theorem 3.1; the term of second order: own",
    statement=r"""m_0 = \operatorname{sign}(\theta_0)w_0 = \sqrt{|\theta_0|} \;\Rightarrow\;
m_1 w_1 = \theta_0\,(1-\eta x)^2 = \theta_0\, e^{-\eta(2\operatorname{sign}(\theta_0)\nabla f + 4\beta)}
\bigl(1 - \eta^2x^2 + O(\eta^3)\bigr),\quad x = \operatorname{sign}(\theta_0)\nabla f + 2\beta,
\quad m_1 = \operatorname{sign}(\theta_0)w_1\ \text{again; at no}\ \eta\ \text{does either change a sign}""",
    hypotheses="One step of gradient descent on (m, w) with the penalty β(‖m‖² + ‖w‖²), β ≥ 0, from a balanced start.",
    constants={"gradient": 2, "decay": 4, "second": 1},
    check=check,
    tolerance=3e-7,
    why="rounding, 1e-16 over η² of 1e-7 and over x² ≥ 0.09, magnified some times by the extrapolation",
    violate=violate,
    violated="an imbalanced start, m₀² ≠ w₀²",
    mutations={
        "the decay of the first version of the paper": {"decay": 1},
        "the metric |θ| without its factor": {"gradient": 1},
        "no second-order difference": {"second": 0},
        "twice that difference": {"second": 2},
    },
    prove=prove,
)
