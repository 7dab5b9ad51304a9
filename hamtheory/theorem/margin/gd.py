"""How far gradient descent is from the largest L2 margin, once L ≤ 1/n."""

import numpy as np
import sympy as sp

import hamtheory as ht

from .._theorem import Step, Theorem

ROWS, COLUMNS = 6, 10


def prove(one, power):
    # Two samples and two unknowns
    m1, m2 = sp.symbols("m1 m2", real=True)
    log, length, gamma, n = sp.symbols("l N gamma n", positive=True)
    A = sp.Matrix(2, 2, sp.symbols("a11 a12 a21 a22", real=True))
    loss = (sp.exp(-m1) + sp.exp(-m2)) / 2
    q = sp.Matrix([sp.exp(-m1), sp.exp(-m2)]) / (2 * loss)
    pull = A.T * q
    change = A * pull  # dm/ds = A dθ/ds
    slope = -sum(sp.diff(sp.log(loss), m) * change[i] for i, m in enumerate((m1, m2)))
    bound = gamma * (1 - one * sp.log(n) / log**power)
    return [
        Step("the clock: dθ/ds = Aᵀq with weights of sum 1", sp.simplify(q[0] + q[1] - 1)),
        Step("−ln L grows at the rate ‖Aᵀq‖²", sp.simplify(slope - pull.dot(pull))),
        Step("mᵢ = −ln qᵢ − ln L − ln n ≥ −ln L − ln n",
             sp.simplify(sp.expand_log(m1 + sp.log(q[0]) + sp.log(loss) + sp.log(2), force=True))),
        Step("for ‖u‖ = 1 with Au ≥ γ: ‖Aᵀq‖ ≥ uᵀAᵀq ≥ γΣq, so ‖θ‖ ≤ ∫‖Aᵀq‖ds = ∫dℓ/‖Aᵀq‖ ≤ ℓ/γ = N",
             length.subs(length, log / gamma) - log / gamma),
        Step("(ℓ − ln n)/N = γ(1 − ln n/ℓ)", sp.simplify((log - sp.log(n)) / (log / gamma) - bound)),
    ]  # fmt: skip


def check(rng, one, power):
    return _violation(rng, one, power, ht.Euclidean())


def violate(rng, one, power):
    return _violation(rng, one, power, ht.HAM(100.0))


def _violation(rng, one, power, geo):
    """By how much the margin leaves its bounds along the flow, relative."""
    X = rng.normal(size=(ROWS, COLUMNS))
    problem = ht.BinaryClassification(X, np.resize([1, -1], ROWS), "exponential")
    best = float(ht.solve_margin(problem, rho=2.0, tol=1e-12).margin)
    flow = ht.solve_flow(problem, geo, log_loss=-2000.0)
    log = -flow.log_loss[1:]
    margins = ht.metrics.margin(problem, flow.thetas[1:], rho=2.0) / best
    late = log > np.log(ROWS)
    lower = 1 - float(one) * np.log(ROWS) / log ** float(power)
    return float(max(np.max((lower - margins)[late]), np.max(margins - 1)))


THEOREM = Theorem(
    id="margin.gd",
    title="Gradient descent is within ln(n)/ln(1/L) of the largest L2 margin",
    # The direction: the paper. The bound, with its constant: own.
    source="soudry2018implicit, the direction; the bound once L ≤ 1/n: own",
    statement=r"""L = \frac1n\sum_ie^{-m_i},\ m = A\theta,\ \theta_0 = 0,\ \dot\theta = -\nabla L:\quad
\gamma\Bigl(1-\frac{\ln n}{\ln(1/L)}\Bigr) \le \frac{\min_im_i}{\|\theta\|_2} \le \gamma
= \max_{\|u\|_2\le1}\min_i(Au)_i \quad\text{once}\ L\le1/n""",
    hypotheses="Separable classes, γ > 0; the exponential loss; gradient flow from 0.",
    constants={"one": 1, "power": 1},
    check=check,
    tolerance=1e-6,
    why="the integrator's relative error of 1e-8, over all of the flow",
    violate=violate,
    violated="gradient flow: it is HAM's",
    mutations={"the other sign": {"one": -1}, "the square of the logarithm": {"power": 2}},
    prove=prove,
    special="n = d = 2 for the rates; the bound of the norm is said in words",
)
