"""Shared factors, θ₁ = u₁u₂ and θ₂ = u₂u₃, do not commute: where their flow goes depends on the order of its moves."""

import numpy as np
import sympy as sp

import hamtheory as ht

from .._expansions import end_of_flow, extrapolated, integrate, signed
from .._theorem import Step, Theorem


def prove(factor):
    u = sp.symbols("u1 u2 u3", real=True)
    s, t = sp.symbols("s t", real=True)
    one, other = ([sp.diff(f, x) for x in u] for f in (u[0] * u[1], u[1] * u[2]))
    one, other = sp.Matrix(one), sp.Matrix(other)
    bracket = other.jacobian(u) * one - one.jacobian(u) * other
    # the flows of the two fields, which are linear, for times s and t
    first = lambda x: sp.Matrix(  # noqa: E731
        [x[0] * sp.cosh(s) + x[1] * sp.sinh(s), x[1] * sp.cosh(s) + x[0] * sp.sinh(s), x[2]]
    )
    second = lambda x: sp.Matrix(  # noqa: E731
        [x[0], x[1] * sp.cosh(t) + x[2] * sp.sinh(t), x[2] * sp.cosh(t) + x[1] * sp.sinh(t)]
    )
    x = sp.Matrix(u)
    gap = second(first(x)) - first(second(x))
    leading = gap.applyfunc(lambda e: sp.diff(e, s, t).subs({s: 0, t: 0}))
    wanted = factor * sp.Matrix([-u[2], 0, u[0]])
    at = lambda field, y: field.subs(dict(zip(u, y, strict=True)), simultaneous=True)  # noqa: E731
    steps = []
    for i in range(3):
        steps += [
            Step(f"entry {i + 1} of the bracket", bracket[i] - sp.Matrix([-u[2], 0, u[0]])[i]),
            Step(f"entry {i + 1}: a move along ∇θ₁", sp.diff(first(x)[i], s) - at(one, first(x))[i]),
            Step(f"entry {i + 1}: a move along ∇θ₂", sp.diff(second(x)[i], t) - at(other, second(x))[i]),
            Step(f"entry {i + 1}: the gap of the two orders is s t times the bracket", leading[i] - wanted[i]),
            Step(f"entry {i + 1}: it has no other term of second order",
                 sp.Add(*(sp.diff(gap[i], *k).subs({s: 0, t: 0}) for k in ((s,), (t,), (s, s), (t, t))))),
        ]  # fmt: skip
    return [
        *steps,
        Step("so θ₁ ends −s t u₂u₃ apart", (leading.T * one)[0] + factor * u[1] * u[2]),
        Step("and θ₂ s t u₁u₂", (leading.T * other)[0] - factor * u[0] * u[1]),
    ]


def check(rng, factor):
    return _error(rng, True, factor)


def violate(rng, factor):
    return _error(rng, False, factor)


def _error(rng, shared, factor):
    """The largest error, relative, of the gaps of x and θ over s t as both go to zero; and 1 if the limit of the flow
    on a regression, by weighted samples, is the same for all weights. Besides, how far those limits of m⊙w are, which
    is a mirror flow, by the library.

    Not `shared`: θ₂ = u₄u₃.
    """
    x = np.append(signed(rng, 3), signed(rng, 1))
    A = np.zeros((2, 4, 4))
    second = 1 if shared else 3
    A[0, 0, 1] = A[0, 1, 0] = A[1, second, 2] = A[1, 2, second] = 1
    move = lambda start, i, t: integrate(lambda z: A[i] @ z, start, t)  # noqa: E731
    theta = lambda z: np.array([z @ A[0] @ z, z @ A[1] @ z]) / 2  # noqa: E731
    ratio = rng.uniform(0.5, 2)

    def gap(t):
        s = ratio * t
        ends = move(move(x, 0, s), 1, t), move(move(x, 1, t), 0, s)
        return np.append(ends[0] - ends[1], theta(ends[0]) - theta(ends[1])) / (s * t)

    found = extrapolated([gap(0.1 / 2**k) for k in range(6)])
    wanted = float(factor) * np.array([-x[2], 0, x[0], 0, -x[1] * x[2], x[0] * x[1]])
    same = _distance_of_limits(rng, shared) < 1e-7
    return max(np.abs(found - wanted).max() / np.abs(x).max(), float(same), _distance_of_limits(rng, shared=False))


def _distance_of_limits(rng, shared):
    """Of two limits, by samples of weights 1, 1 and 1, 9, of two equations in θ = (u₁u₂, u₂u₃, u₃u₄), or of m⊙w."""
    X = rng.normal(size=(2, 3))
    start = signed(rng, 4 if shared else 6)
    theta = lambda u: u[:3] * u[1:] if shared else u[:3] * u[3:]  # noqa: E731
    y = X @ theta(start * rng.uniform(0.8, 1.2, start.size))

    def end(weights):
        if not shared:
            problem = ht.LinearRegression(weights[:, None] * X, weights * y)
            return ht.product_flow(problem, start[:3], start[3:], rtol=1e-11, atol=1e-13).theta

        def field(u):
            g = X.T @ (weights**2 * (X @ theta(u) - y)) / 2
            return -np.append(g * u[1:], 0) - np.append(0, g * u[:3])

        return theta(end_of_flow(field, start, 1e3))

    ends = [end(np.array(roots)) for roots in ((1.0, 1.0), (1.0, 3.0))]
    return np.abs(ends[0] - ends[1]).max() / np.abs(ends[0]).max()


THEOREM = Theorem(
    id="li.not-commuting",
    title="Shared factors do not commute, and are no mirror flow",
    source="own; the condition: li2022implicit, Section 4",
    statement=r"""\theta_1 = u_1u_2,\ \theta_2 = u_2u_3:\quad
[\nabla\theta_1,\nabla\theta_2] = (-u_3, 0, u_1) \ne 0;\quad
\Phi_2^t\Phi_1^s u - \Phi_1^s\Phi_2^t u = s\,t\,(-u_3, 0, u_1) + O\bigl((|s|+|t|)^3\bigr),\quad
\text{which moves}\ (\theta_1,\theta_2)\ \text{by}\ s\,t\,(-u_2u_3,\ u_1u_2):\quad
\theta\ \text{is no function of}\ \int\nabla f\,dt,\ \text{and a limit depends on the weights of the samples}""",
    hypotheses="Φᵢ the flow of ∇θᵢ; the factor u₂ is shared, u ≠ 0.",
    constants={"factor": 1},
    check=check,
    tolerance=1e-8,
    why="six halvings of s, t ≤ 0.2; the moves, integrated to 1e-12, over s t of 1e-5, times ten",
    violate=violate,
    violated="the factor is shared: with θ₂ = u₄u₃ both gaps vanish",
    mutations={
        "½, as in the series of Baker, Campbell and Hausdorff": {"factor": sp.Rational(1, 2)},
        "the other sign": {"factor": -1},
    },
    prove=prove,
    special="the gap of two moves; not that a limit depends on the weights",
)
