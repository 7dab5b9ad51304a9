"""Where steepest flows with decoupled weight decay come to rest, and what is least there."""

import numpy as np
import scipy.optimize
import sympy as sp

import hamtheory as ht

from .._flows import regression
from .._theorem import Step, Theorem


def prove(shift):
    q, b, x, L = sp.symbols("q beta x L", positive=True)
    m = q * (L - 1) / L
    conjugate = q / (q - 1)
    own = x ** (2 - m) / (2 - m)
    # The force φ(|∇f|) = 2βθ^(1−m), so that |∇f| is the power 1/(q − 1) of it.
    slope = (2 * b * x ** (1 - m)) ** (1 / (q - 1))
    penalty = (2 * b) ** (conjugate - 1) * L / conjugate * x ** (conjugate / L + shift)
    decay = L * 2 * b * x / (L * x**m) - 2 * b * own.diff(x)
    sides = [sp.expand_log(sp.log(side), force=True) for side in (penalty.diff(x), slope)]
    return [
        Step("the decay of ∇R is that of 2βΨ, Ψ = Σ|θ|^(2−m)/(2 − m)", decay),
        Step("2 − m = (L(2 − q) + q)/L", sp.simplify(2 - m - (L * (2 - q) + q) / L)),
        Step("the slope of the penalty is |∇f| at rest: their logarithms", sp.simplify(sides[0] - sides[1])),
    ]


def check(rng, shift):
    return _error(rng, shift, decoupled=True)


def violate(rng, shift):
    return _error(rng, shift, decoupled=False)


def _error(rng, shift, decoupled):
    """The end of the library's flow against the least of f and the penalty by SciPy, relative; `q*/L > 1`: one minimum.

    Without the hypothesis, that of two factors is compared with the penalty of one more.
    """
    count = int(rng.integers(2, 4))
    q = rng.uniform(1.2, 1.8) if count == 2 else rng.uniform(1.2, 1.4)
    X, y = regression(rng, 3, 5)
    beta = rng.uniform(0.05, 0.2)
    w0 = rng.uniform(0.3, 1, (count if decoupled else count + 1, 5)) * rng.choice([-1.0, 1.0], 5)
    w0 = np.abs(w0) * np.array([rng.choice([-1.0, 1.0], 5), *np.ones((len(w0) - 1, 5))])
    problem = ht.LinearRegression(X, y)
    flow = ht.steepest_flow(problem, w0, q=q, weight_decay=beta, rtol=1e-9, throw=False)
    conjugate = q / (q - 1)
    power = conjugate / count + float(shift)

    def objective(theta):
        rest, size = X @ theta - y, np.abs(theta)
        weight = (2 * beta) ** (conjugate - 1) * count / conjugate
        slope = X.T @ rest / 3 + weight * power * np.sign(theta) * size ** (power - 1)
        return rest @ rest / 6 + weight * np.sum(size**power), slope

    least = scipy.optimize.minimize(
        objective,
        np.linalg.pinv(X) @ y,
        jac=True,
        method="L-BFGS-B",
        options={"ftol": 0.0, "gtol": 1e-11, "maxiter": 20000},
    )
    return float(np.linalg.norm(flow.theta - least.x) / np.linalg.norm(least.x))


THEOREM = Theorem(
    id="never.decay",
    title="What decoupled weight decay makes of a steepest flow",
    source="jacobs2026never, decoupled weight decay; what is least at rest: own",
    statement=r"""d\nabla R = -\operatorname{sign}(\nabla f)|\nabla f|^{q-1}dt - 2\beta\nabla\Psi\,dt,\quad
\Psi = \frac{L}{L(2-q)+q}\sum|\theta|^{2-m}\ \text{once the factors are balanced};\quad
\text{at rest}\ f + (2\beta)^{q^*-1}\frac{L}{q^*}\sum|\theta|^{q^*/L}\ \text{is stationary},\quad
q^* = \frac{q}{q-1}""",
    hypotheses="θ = ∏ w_i of L factors, 1 < q ≤ 2, decay −2βw_i, decoupled; m = q(L − 1)/L. For q = 2 it is one.",
    constants={"shift": 0},
    check=check,
    tolerance=1e-5,
    why="how far SciPy's L-BFGS comes where the penalty is flat, of entries near zero",
    violate=violate,
    violated="L factors: there is one more than in the penalty",
    mutations={"the power q*/L + 1/2": {"shift": sp.Rational(1, 2)}},
    prove=prove,
    special="one entry, of a positive sign",
)
