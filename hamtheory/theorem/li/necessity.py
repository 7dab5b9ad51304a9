"""Of quadratic parametrisations only those that commute are mirror flows: the order of two moves shows in θ."""

import numpy as np
import sympy as sp

from .._expansions import extrapolated, integrate
from .._theorem import Step, Theorem

SIZE = 5


def _bracket(one, other):
    return one * other - other * one if isinstance(one, sp.Matrix) else one @ other - other @ one


def prove(half, sign):
    # Of symmetric A, B, D of three dimensions, A diagonal by a choice of axes: Gᵢ = ½xᵀAx, Gⱼ = ½xᵀBx, G_k = ½xᵀDx,
    # and C = BA − AB. To second order the moves are I + sA + s²A²/2 and I + tB + t²B²/2.
    x, A = sp.Matrix(sp.symbols("x1:4", real=True)), sp.diag(*sp.symbols("a1:4", real=True))
    B, D = (sp.Matrix(3, 3, lambda i, j, of=name: sp.Symbol(f"{of}{min(i, j)}{max(i, j)}", real=True))
            for name in "bd")  # fmt: skip
    C = _bracket(B, A)
    apart = B * A * x - A * B * x  # by s t, of x; what else there is of second order is the same in both orders
    return [
        *(Step(f"x ends s t Cx apart: entry {i + 1}", sp.expand(of)) for i, of in enumerate((apart - C * x).flat())),
        Step("so θ_k, half (x + x⁺)ᵀD(x − x⁺), ends s t ½xᵀ[D, C]x apart",
             sp.expand(2 * half * (x.T * D * apart)[0] - (x.T * _bracket(D, C) * x)[0] / 2)),
        Step("which is ∇G_k·[∇Gᵢ, ∇Gⱼ]", sp.expand((x.T * _bracket(D, C) * x)[0] / 2 - ((D * x).T * C * x)[0])),
        Step("‖C‖² = −tr(B[A, C]): if [A, C] is 0, so is C",
             sp.expand((C.T * C).trace() - sign * (B * _bracket(A, C)).trace())),
    ]  # fmt: skip


def check(rng, half, sign):
    return _error(rng, half, sign, symmetric=True)


def violate(rng, half, sign):
    return _error(rng, half, sign, symmetric=False)


def _error(rng, half, sign, symmetric):
    """The largest relative error of the gap of the two orders, as both moves go to 0, and of ‖C‖² by the trace.

    The moves are the gradient flows on the losses −θᵢ and −θⱼ. Not `symmetric`: linear flows that are no gradients.
    """
    A, B, D = rng.normal(size=(3, SIZE, SIZE)) / SIZE
    if symmetric:
        A, B, D = (M + M.T for M in (A, B, D))
    x, C, ratio = rng.normal(size=SIZE), _bracket(B, A), rng.uniform(0.5, 2)
    move = lambda start, M, by: integrate(lambda z: M @ z, start, by)  # noqa: E731
    theta = lambda z: float(half) * np.array([z @ M @ z for M in (A, B, D)])  # noqa: E731

    def gap(by):
        ends = move(move(x, A, ratio * by), B, by), move(move(x, B, by), A, ratio * by)
        return (theta(ends[0]) - theta(ends[1])) / (ratio * by**2)

    found = extrapolated([gap(0.2 / 2**k) for k in range(6)])
    wanted = np.array([x @ _bracket(M, C) @ x for M in (A, B, D)]) / 2
    scale = np.abs(x @ x) * np.linalg.norm(C) * max(np.linalg.norm(M) for M in (A, B, D))
    trace = abs(sign * np.trace(B @ _bracket(A, C)) / np.linalg.norm(C) ** 2 - 1)
    return float(max(np.abs(found - wanted).max() / scale, trace))


THEOREM = Theorem(
    id="li.necessity",
    title="A quadratic parametrisation that does not commute is no mirror flow",
    # The condition on ∇G_k·[∇Gᵢ, ∇Gⱼ]: the paper. That it is commutation for quadratic forms: own.
    source="li2022implicit, Section 4, the necessary condition; of quadratic forms: own",
    statement=r"""\dot x = -\nabla(L_t\circ G)(x),\ \theta = G(x)\ \text{a mirror flow of one}\ R\ \text{for all}\ L_t
\;\Rightarrow\; \theta\ \text{is a function of}\ \int\nabla L_t\,dt \;\Rightarrow\;
\nabla G_k\cdot[\nabla G_i,\nabla G_j] = 0\ \forall i,j,k;\quad
G_i = \tfrac12x^\top A_ix:\ \nabla G_k\cdot[\nabla G_i,\nabla G_j] = \tfrac12x^\top[A_k,C]x,\
C = [A_j,A_i],\quad \|C\|_F^2 = -\operatorname{tr}(A_j[A_i,C]) \le \|A_j\|_F\|[A_i,C]\|_F:\quad
\text{they are 0 for all}\ i,j,k\ \text{and all}\ x\ \text{of an open set only if the}\ A_i\ \text{commute}""",
    hypotheses="Symmetric Aᵢ; the losses may depend on time, and the starts fill an open set. With li.commuting: if "
    "and only if.",
    constants={"half": sp.Rational(1, 2), "sign": -1},
    check=check,
    tolerance=1e-7,
    why="six halvings of the moves, which are integrated to 1e-12, over the square of the least of them, 4e-5",
    violate=violate,
    violated="symmetric Aᵢ: the moves are those of no gradient",
    mutations={"the bracket itself": {"half": 1}, "another sign of the trace": {"sign": 1}},
    prove=prove,
    special="x of three dimensions; that a mirror flow makes θ a function of ∫∇L dt is said in words",
)
