"""How fast gradient descent comes to the largest L2 margin: the constant, by the weights of the best margin alone."""

import numpy as np
import sympy as sp

import hamtheory as ht

from .._theorem import Step, Theorem

ROWS, COLUMNS, LOG_LOSS = 6, 10, 1e4


def prove(one, power):
    # Two samples; q → λ, the weights of the best margin, of sum 1, λ₁ ≥ λ₂
    log, n, m = sp.symbols("l n m", positive=True)
    least, excess, along, across = sp.symbols("lambda_2 e b p", positive=True)
    q = sp.exp(-m) / (n * sp.exp(-log))
    weights = [least + excess, least]
    margins = [log - sp.log(n) - sp.log(w) for w in weights]
    uneven = sum(w * (one_margin - margins[0]) for w, one_margin in zip(weights, margins, strict=True))
    constant = one * sum(w * sp.log(weights[0] / w) ** power for w in weights)
    missing = 1 - along / sp.sqrt(along**2 + across**2)
    mean = sp.Add(*(w * each for w, each in zip(weights, margins, strict=True))).subs(excess, 1 - 2 * least)
    return [
        Step("mᵢ = ln(1/L) − ln n − ln qᵢ", sp.expand_log(log - sp.log(n) - sp.log(q) - m, force=True)),
        Step("Σλᵢ(mᵢ − min m) → Σλᵢ ln(max λ/λᵢ) = C", sp.simplify(sp.expand_log(uneven - constant, force=True))),
        Step("across v = Aᵀλ/γ the error of θ counts by its square alone",
             sp.limit(missing / across**2, across, 0) - 1 / (2 * along**2)),
        Step("Σλᵢmᵢ = γ⟨v, θ⟩ ~ ln(1/L), so that the gap is C/ln(1/L) in the end",
             sp.limit(sp.expand(mean) / log, log, sp.oo) - 1),
    ]  # fmt: skip


def check(rng, one, power):
    return _deviation(rng, one, power, ht.Euclidean())


def violate(rng, one, power):
    return _deviation(rng, one, power, ht.HAM(100.0))


def _deviation(rng, one, power, geo):
    """Of the gap at a loss from what the weights say, relative."""
    while True:
        X = rng.normal(size=(ROWS, COLUMNS))
        problem = ht.BinaryClassification(X, np.resize([1, -1], ROWS), "exponential")
        best = ht.solve_margin(problem, geo, tol=1e-12)
        held = best.dual[best.dual > 1e-9]
        # Of samples that hardly count the weights take longer to come to their own.
        if held.size > 1 and held.min() > 0.03:
            break
    flow = ht.solve_flow(problem, geo, log_loss=-LOG_LOSS, rtol=1e-11, atol=1e-13)
    norm = float(flow.horizon.rho)
    gap = 1 - float(ht.metrics.margin(problem, flow.theta, rho=norm)) / float(best.margin)
    constant = float(one) * np.sum(held * np.log(held.max() / held) ** float(power))
    return abs(gap * LOG_LOSS / constant - 1)


THEOREM = Theorem(
    id="margin.rate",
    title="What gradient descent lacks of the largest L2 margin, exactly",
    # 1/ln(1/L), as an order: the paper. The constant: own.
    source="soudry2018implicit, the order 1/ln(1/L); the constant: own",
    statement=r"""L = \frac1n\sum_ie^{-m_i},\ m = A\theta,\ \dot\theta = -\nabla L:\quad
1 - \frac{\min_im_i}{\gamma\|\theta\|_2} \sim \frac{C}{\ln(1/L)},\quad
C = \sum_i\lambda_i\ln\frac{\max_j\lambda_j}{\lambda_i},\quad
\lambda = \operatorname*{argmin}_{\lambda\ge0,\,\sum\lambda_i=1}\|A^\top\lambda\|_2""",
    hypotheses="Separable classes; the exponential loss; gradient flow; λ unique, λᵢ > 0 where the margin is least.",
    constants={"one": 1, "power": 1},
    check=check,
    tolerance=0.01,
    why="the next term is of order ln ln(1/L)/ln(1/L) at ln(1/L) = 10⁴, with constants of order ten",
    violate=violate,
    violated="gradient flow: it is HAM's, whose direction is off in the first order",
    mutations={"twice": {"one": 2}, "the square of the logarithm": {"power": 2}},
    prove=prove,
    special="two samples; that q → λ is the hypothesis of the limit",
)
