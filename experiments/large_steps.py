"""Gradient descent on m⊙w with steps that are not small: where full gradients and single samples lead.

The set-ups of [even2023sgd]: Gaussian data with labels from a k-sparse truth, from θ = 0 with m = √2 α, w = 0, which is
γ₀ = α². With u = (m + w)/2, v = (m − w)/2 a step multiplies u by 1 − ηg and v by 1 + ηg. So after any of them
γ = 2|uv| = γ₀ exp(−Σ q) with the gain q(x) = −ln|1 − x²|, x = ηg, and asinh(θ/γ) = ln|u/v| = −2ηΣg − Σ r with
r(x) = ln|1 + x| − ln|1 − x| − 2x. The first part is in the row space: wherever the steps interpolate, that is at
argmin D_γ(θ, θ̃₀), with γ at the end, a vector, and θ̃₀ = −γ sinh(Σ r) (their Theorem 1; their α_∞² is γ).
"""

import dataclasses
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import tqdm
import xarray as xr
from jaxtyping import Array, Float

import hamtheory as ht

from . import store
from ._cases import ended, stacked


@dataclasses.dataclass(frozen=True)
class Config:
    """`setups`: n, d, k, α, the mean of the data, and how many steps; `instances` random problems of each.

    Step sizes are those of `fractions` (for GD, then for SGD with single samples) of the largest that is stable near
    the limit of the flow. A run has converged if its relative residual is at most `tol`. The gains of mini-batches of
    `batches` are those of the first set-up, at `small` fractions of SGD's largest step.
    """

    setups: tuple[tuple[int, int, int, float, float, int], ...] = (
        (20, 30, 3, 0.1, 0.0, 40_000),
        (50, 100, 2, 0.1, 0.0, 25_000),
        (20, 30, 3, 0.1, 5.0, 80_000),
    )
    instances: int = 5
    fractions: tuple[tuple[float, ...], tuple[float, ...]] = (
        (0.2, 0.33, 0.5, 0.8, 0.9, 1.0, 1.05, 1.1, 1.2, 1.3, 1.4, 1.5),
        (0.2, 0.33, 0.5, 0.65, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5),
    )
    tol: float = 1e-3
    batches: tuple[int, ...] = (1, 2, 4)
    small: tuple[float, ...] = (0.1, 0.2, 0.4)
    seed: int = 0

    @classmethod
    def quick(cls) -> "Config":
        return cls(instances=3)

    @classmethod
    def smoke(cls) -> "Config":
        setups = ((20, 30, 3, 0.1, 0.0, 50_000), (20, 30, 3, 0.1, 5.0, 50_000))
        return cls(setups=setups, instances=2, batches=(1, 4))


class Sums(NamedTuple):
    """The state of the inner rule, and Σ q and Σ r so far, (d,) each."""

    inner: Any
    gain: Float[Array, "*saves d"]
    skew: Float[Array, "*saves d"]


class Summed(ht.algorithm.AbstractAlgorithm):
    """m⊙w by gradient descent, adding up q(ηg) and r(ηg)."""

    inner: ht.ProductGD

    def init(self, problem, theta0):
        return Sums(self.inner.init(problem, theta0), jnp.zeros_like(theta0), jnp.zeros_like(theta0))

    def step(self, state, gradient, learning_rate):
        x = learning_rate * gradient
        plus, minus = jnp.log1p(x * (2 + x)) / 2, jnp.log1p(x * (x - 2)) / 2  # ln|1 + x|, ln|1 − x|
        inner = self.inner.step(state.inner, gradient, learning_rate)
        return Sums(inner, state.gain - plus - minus, state.skew + plus - minus - 2 * x)

    def theta(self, state):
        return self.inner.theta(state.inner)


def problem_of(n: int, d: int, k: int, mean: float, seed: int) -> ht.LinearRegression:
    """A sparse regression whose data have this mean."""
    centred = ht.sparse_regression(n, d, k, seed=seed)
    X, truth = np.asarray(centred.X) + mean, np.asarray(centred.theta_star)
    return ht.LinearRegression(X, X @ truth, truth)


def stable_steps(problem: ht.LinearRegression, geo: ht.geometry.AbstractGeometry, theta) -> tuple[float, float]:
    """The largest steps that are linearly stable near θ: of gradient descent, and of single samples in mean square.

    With the rows z = x √g⁻¹(θ) and H = mean zzᵀ: 2/λ_max(H), and the largest η with E[(1 − ηzzᵀ)M(1 − ηzzᵀ)] < M for
    some M > 0. That is one over the spectral radius of c ↦ z_iᵀ M z_i with HM + MH = mean c_j z_j z_jᵀ.
    """
    rows = np.asarray(problem.X) * np.sqrt(np.asarray(geo.inverse_metric(theta)))
    left, values, _ = np.linalg.svd(rows, full_matrices=False)
    z, spectrum = left * values, values**2 / problem.n
    pairs = np.einsum("ia,ja->ija", z, z)
    kernel = np.einsum("ija,ijb,ab->ij", pairs, pairs, 1 / np.add.outer(spectrum, spectrum), optimize=True)
    return 2 / spectrum[0], problem.n / np.abs(np.linalg.eigvals(kernel)).max()


@eqx.filter_jit
def _violations(problem, gamma, thetas, gains, skews):
    """How far each end is from the identity."""

    def case(theta, gain, skew):
        log_gamma = jnp.log(gamma) - gain
        # Past the point where it diverged nothing is asked of the sums.
        log_gamma = jnp.where(jnp.isfinite(log_gamma), log_gamma, 0)
        geo = ht.Hypentropy(log_gamma=log_gamma)
        return ht.metrics.invariant_drift(problem, geo, theta, -jnp.exp(log_gamma) * jnp.sinh(skew))

    return jax.vmap(case)(thetas, gains, skews)


def _cases(problem, gamma, rates, key, steps: int, batch_size: int | None, tol: float) -> dict[str, np.ndarray]:
    """The numbers of all rates of one problem."""
    bare, rule = problem.without_truth(), Summed(ht.ProductGD(gamma=gamma))
    how: dict[str, Any] = {"steps": steps, "save_every": steps, "batch_size": batch_size, "key": key, "throw": False}
    end = jax.vmap(lambda rate: ht.run(bare, rule, learning_rate=rate, **how))(jnp.asarray(rates))
    (m, w, _), gain, skew = jax.tree.map(lambda x: x[:, -1], end.states)
    theta, gain, truth = np.asarray(end.theta), np.asarray(gain), np.asarray(problem.theta_star)
    with np.errstate(divide="ignore", invalid="ignore"):
        known = np.abs(np.log(gamma / np.asarray(jnp.abs(m + w) * jnp.abs(m - w) / 2)) - gain).max(axis=1)
    return {
        "rate": np.asarray(rates),
        "error": np.square(theta - truth).sum(axis=1),
        "l1": np.abs(theta).sum(axis=1),
        "gain": np.abs(gain).sum(axis=1),
        "gain_on": gain[:, truth != 0].mean(axis=1),
        "gain_off": gain[:, truth == 0].mean(axis=1),
        "gain_difference": known,
        "violation": np.asarray(_violations(bare, jnp.asarray(gamma), end.theta, gain, skew)),
        "residual": np.asarray(end.residual),
        "status": ended(end.result, end.residual, tol),
    }


def run(config: Config) -> xr.Dataset:
    """Ends of gradient descent and of SGD over step sizes, and the gains of mini-batches."""
    flows, cases, batched = [], [], []
    every = [(s, i) for s in range(len(config.setups)) for i in range(config.instances)]
    for s, i in tqdm.tqdm(every, desc="large_steps", leave=False, delay=2):
        n, d, k, alpha, mean, steps = config.setups[s]
        problem, gamma = problem_of(n, d, k, mean, config.seed + i), np.full(d, alpha**2)
        geo = ht.Hypentropy(gamma)
        limit, key = ht.solve_limit(problem, geo).theta, jax.random.key(config.seed + i)
        largest = stable_steps(problem, geo, limit)
        trace, distance = np.square(np.asarray(problem.X)).sum() / n, float(geo.potential(limit).sum())
        error = np.square(np.asarray(limit) - np.asarray(problem.theta_star)).sum()
        flows.append({"error": error, "least": np.abs(ht.basis_pursuit(problem)).sum(), "slope": trace * distance})
        for step, fractions, batch in zip(largest, config.fractions, (None, 1), strict=True):
            rates = step * np.asarray(fractions)
            cases.append(_cases(problem, gamma, rates, key, steps, batch, config.tol))
        for batch in (*config.batches, None) if s == 0 else ():
            rates = largest[1] * np.asarray(config.small)
            batched.append(_cases(problem, gamma, rates, key, steps, batch, config.tol))
    setups = [f"{n}, {d}, {k}, {alpha:g}, {mean:g}" for n, d, k, alpha, mean, _ in config.setups]
    dims, few = ("setup", "instance", "rule", "step"), ("instance", "batch", "small")
    flow = {name: values.reshape(len(setups), -1) for name, values in stacked(flows).items()}
    of = {name: values.reshape(*flow["error"].shape, 2, -1) for name, values in stacked(cases).items()}
    by_batch = {
        name: values.reshape(config.instances, -1, len(config.small)) for name, values in stacked(batched).items()
    }
    excess = ht.metrics.relative_excess(of["l1"], flow["least"][..., None, None])
    return xr.Dataset(
        {
            "rate": store.variable(dims, of["rate"], "step size", "time"),
            "error": store.variable(dims, of["error"], "squared distance to the truth"),
            "excess": store.variable(dims, excess, "L1 norm over the least one of an interpolator, minus 1"),
            "gain": store.variable(dims, of["gain"], "sum over coordinates of |ln(gamma at the start / at the end)|"),
            "gain_on": store.variable(dims, of["gain_on"], "mean gain on the support of the truth"),
            "gain_off": store.variable(dims, of["gain_off"], "mean gain off the support of the truth"),
            "gain_difference": store.variable(
                dims, of["gain_difference"], "largest difference of the sum of q from the gain of the factors"
            ),
            "violation": store.variable(dims, of["violation"], "relative distance of the identity from the row space"),
            "residual": store.variable(dims, of["residual"], "relative residual at the end"),
            "flow_error": store.variable(dims[:2], flow["error"], "squared distance of the flow's limit to the truth"),
            "slope": store.variable(dims[:2], flow["slope"], "gain of single samples over the step, to first order"),
            "batch_gain": store.variable(few, by_batch["gain"], "sum over coordinates of |ln(gamma at start / end)|"),
            "batch_rate": store.variable(few, by_batch["rate"], "step size", "time"),
            "batch_status": store.status(few, by_batch["status"]),
            "status": store.status(dims, of["status"]),
        },
        coords={
            "setup": setups,
            "instance": config.seed + np.arange(config.instances),
            "rule": ["GD", "SGD"],
            "fraction": store.variable(
                ("rule", "step"), config.fractions, "step size over the largest that is stable near the flow's limit"
            ),
            "batch": store.variable("batch", [*config.batches, np.inf], "samples a step (infinity: the full gradient)"),
            "small": store.variable("small", config.small, "step size over SGD's largest stable one"),
        },
    )
