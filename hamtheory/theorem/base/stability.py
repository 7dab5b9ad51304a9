"""The largest step size at which a limit of HAM around a base with momentum is linearly stable."""

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import sympy as sp

import hamtheory as ht

from .._expansions import data, signed
from .._theorem import Step, Theorem

ROWS, COLUMNS = 3, 6


class _Momentum(ht.algorithm.AbstractBase):
    """Adam's direction where v is fixed: a mean of gradients, over the root of v."""

    b: float
    root: np.ndarray

    def memory(self, theta0):
        return jnp.zeros_like(theta0)

    def direction(self, memory, gradient, theta):
        memory = self.b * memory + (1 - self.b) * gradient
        return memory / self.root, memory


def prove(limit, base):
    # To first order, with A = diag(α|θ|), m⁺ = b m + (1 − b)Hθ and θ⁺ = θ − η(P⁻¹m⁺ + AHθ); for an eigenvalue z of it
    # and its eigenvector θ, v = Hθ and u = v*H⁺v, the three numbers v*P⁻¹v/u, v*Av/u and z obey `p(z) = 0`.
    z, b, h = sp.Symbol("z"), sp.Symbol("b", positive=True), sp.Symbol("eta", positive=True)
    k, a = sp.symbols("k a", positive=True)  # v*P⁻¹v/u and v*Av/u
    size = sp.Symbol("h", positive=True)  # of one entry, where P⁻¹ is k/h and A is a/h
    jacobian = sp.Matrix([[1 - h * k * (1 - b) - h * a, -h * k * b / size], [(1 - b) * size, b]])
    p = (z - 1) * (z - b) + h * (z * (1 - b) * k + (z - b) * a)
    slow = (1 - b) / (1 + b) if base else 1
    bound = limit / h - a  # of slow·k
    return [
        Step("one entry: p is the polynomial of the Jacobian", sp.expand((z * sp.eye(2) - jacobian).det() - p)),
        Step("p(1) = η(1 − b)(k + a) > 0", sp.expand(p.subs(z, 1) - h * (1 - b) * (k + a))),
        Step("p(−1) = 0 at the bound, above which it is negative", sp.simplify(p.subs({z: -1, k: bound / slow}))),
        Step(
            "the product of the roots is b(1 − ηa), whose size is below b where ηa < 2",
            sp.expand(p.subs(z, 0) - b * (1 - h * a)),
        ),
    ]


def check(rng, limit, base):
    return _error(rng, limit, base, raw=True)


def violate(rng, limit, base):
    return _error(rng, limit, base, raw=False)


def _error(rng, limit, base, raw):
    """How far from −1 the least eigenvalue is at the limiting η, and how far out of the circle another is.

    `raw`: the factor has the gradient, as it has in `HYP` and `HAMStep`; otherwise it has the base's memory.
    """
    X, _ = data(rng, ROWS, COLUMNS)
    theta, root = signed(rng, COLUMNS), 10 ** rng.uniform(-1, 1, COLUMNS)
    alpha, b = 10 ** rng.uniform(-1, 1.5), rng.uniform(0.3, 0.95)
    slow = (1 - b) / (1 + b) if base else 1.0
    metric = slow / root + alpha * np.abs(theta)
    eta = float(limit) / np.linalg.eigvalsh((X * metric) @ X.T / ROWS)[-1]
    rule = (ht.HYP, ht.HAMStep)[int(rng.integers(2))](alpha, base=_Momentum(b, root) if raw else _Momentum(0.0, root))
    start, back = jax.flatten_util.ravel_pytree(ht.algorithm.BaseState(jnp.asarray(theta), jnp.zeros(COLUMNS)))

    def after(flat):
        state = back(flat)
        gradient = X.T @ (X @ (state.theta - theta)) / ROWS
        if not raw:
            gradient = b * state.memory + (1 - b) * gradient
        return jax.flatten_util.ravel_pytree(rule.step(state, gradient, eta))[0]

    values = np.linalg.eigvals(jax.jacfwd(after)(start))
    return float(abs(values.real.min() + 1) + max(np.abs(values).max() - 1, 0.0))


THEOREM = Theorem(
    id="base.stability",
    title="The largest stable step of HAM around momentum",
    source="own; of the base alone: cohen2022adaptive",
    statement=r"""m^+ = b\,m + (1-b)\nabla f,\ \theta^+ = (\theta - \eta P^{-1}m^+)\,
e^{-\eta\alpha\operatorname{sign}(\theta)\nabla f},\ X\theta = y:\quad
\text{linearly stable, up to motion along the interpolators,}\iff
\frac{\eta}{n}\lambda_{\max}\Bigl(X\bigl(\tfrac{1-b}{1+b}P^{-1}
+ \operatorname{diag}(\alpha|\theta|)\bigr)X^\top\Bigr) < 2""",
    hypotheses="HYP or HYP*, β = 0, all samples; 0 ≤ b < 1; P is diagonal, positive and fixed: Adam's root of v, if v "
    "does not change. Momentum damps the base's part, by 19 for b = 0.9, but not the factor's, which has the gradient.",
    constants={"limit": 2, "base": 1},
    check=check,
    tolerance=1e-9,
    why="rounding of eigenvalues, of matrices that are far from normal for the largest α",
    violate=violate,
    violated="the factor has the gradient (it has the mean of gradients)",
    mutations={"half the limit": {"limit": 1}, "momentum does not matter": {"base": 0}},
    prove=prove,
    special="the polynomial of one direction; that both conditions together are necessary and sufficient is Jury's",
)
