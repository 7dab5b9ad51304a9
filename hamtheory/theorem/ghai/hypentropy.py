"""EG± is mirror descent with the hypentropy, at any step size."""

import jax
import jax.numpy as jnp
import numpy as np
import sympy as sp

import hamtheory as ht

from .._expansions import data
from .._theorem import Step, Theorem

ROWS, COLUMNS, STEPS = 4, 9, 30


def prove(rate, quarter):
    x, z = sp.symbols("theta z", real=True)
    c, u, v = sp.symbols("gamma u v", positive=True)
    root = sp.sqrt(x**2 + c**2)
    up, down = (root + x) / 2, (root - x) / 2
    # asinh in its logarithmic form: asinh(θ/γ) = ln((θ + √(θ² + γ²))/γ), so that γ sinh(asinh(θ/γ) − s) is this.
    mirrored = lambda s: (  # noqa: E731
        c / 2 * ((x + root) / c * sp.exp(-s) - c / (x + root) * sp.exp(s))
    )
    return [
        Step("u − v = θ", up - down - x),
        Step("uv = γ²/4", up * down - quarter * c**2),
        Step("a mirror step in R' = ½ asinh(θ/γ) is u e^(−2z) − v e^(2z)",
             sp.radsimp(mirrored(2 * z)) - (up * sp.exp(-rate * z) - down * sp.exp(rate * z))),
        Step("a step of EG± keeps uv, so that the next is one", u * sp.exp(-rate * z) * v * sp.exp(rate * z) - u * v),
        Step("R'' = 1/(2√(θ² + γ²)): R' is the hypentropy's, halved",
             sp.diff(sp.log((x + root) / c) / 2, x) - 1 / (2 * root)),
    ]  # fmt: skip


def check(rng, rate, quarter):
    return _error(rng, 1.0, rate, quarter)


def violate(rng, rate, quarter):
    return _error(rng, 10 ** rng.uniform(0.1, 1), rate, quarter)


def _error(rng, unequal, rate, quarter):
    """The largest relative distance, over a run with mini-batches and large steps, of EG± from mirror descent.

    `unequal`: uv at the start over what γ asks for.
    """
    gamma = 10 ** rng.uniform(-3, 1)
    X, y = data(rng, ROWS, COLUMNS)
    theta = rng.normal(size=COLUMNS)
    # near the largest step that is stable for every sample
    eta = rng.uniform(0.1, 0.5) / np.square(X).sum(axis=1).max() / (2 + gamma)
    key = jax.random.key(int(rng.integers(2**31)))
    run = ht.run(ht.LinearRegression(X, y), ht.algorithm.MirrorDescent(ht.Hypentropy(gamma)), jnp.asarray(theta),
                 learning_rate=eta, steps=STEPS, batch_size=1, key=key, progress=False)  # fmt: skip
    found = np.asarray(run.thetas)
    samples = _samples(key)
    product = float(quarter) * gamma**2 * unequal
    root = np.sqrt(theta**2 + 4 * product)
    u, v = (root + theta) / 2, (root - theta) / 2
    # The smaller of the two again from their product: a difference would lose its digits.
    u, v = np.where(theta < 0, product / np.maximum(v, 1e-300), u), np.where(theta < 0, v, product / u)
    worst = 0.0
    for k in range(STEPS):
        g = X[samples[k]] * (X[samples[k]] @ (u - v) - y[samples[k]])
        u, v = u * np.exp(-rate * eta * g), v * np.exp(rate * eta * g)
        worst = max(worst, np.abs(u - v - found[k + 1]).max() / np.abs(found[: k + 2]).max())
    return worst


def _samples(key):
    """The sample of every step of `ht.run`, as it documents its draws."""
    batch_key, _ = jax.random.split(key)
    return [int(jax.random.randint(jax.random.fold_in(batch_key, k), (1,), 0, ROWS)[0]) for k in range(STEPS)]


THEOREM = Theorem(
    id="ghai.hypentropy",
    title="EG± is mirror descent in the hypentropy, exactly",
    source="ghai2020exponentiated, Section 2",
    statement=r"""\theta_0 = u_0 - v_0,\ u_0 v_0 = \tfrac{1}{4}\gamma^2,\quad
u_{k+1} = u_k e^{-2\eta g_k},\ v_{k+1} = v_k e^{2\eta g_k} \;\Rightarrow\;
\theta_k = u_k - v_k:\quad R'(\theta_{k+1}) = R'(\theta_k) - \eta g_k,\quad
R'(\theta) = \tfrac12\operatorname{asinh}(\theta/\gamma),\quad \text{at every}\ \eta,\ \text{for any}\ g_k""",
    hypotheses="u₀, v₀ > 0 with u₀v₀ = γ²/4, without normalisation; any gradients, stochastic ones too.",
    constants={"rate": 2, "quarter": sp.Rational(1, 4)},
    check=check,
    tolerance=1e-12,
    why="rounding, which thirty steps at the edge of stability magnify",
    violate=violate,
    violated="u₀v₀ = γ²/4",
    mutations={"the rate of R' = asinh(θ/γ)": {"rate": 1}, "u₀v₀ = γ²": {"quarter": 1}},
    prove=prove,
)
