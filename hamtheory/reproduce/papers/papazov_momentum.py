"""Papazov, Pesme and Flammarion 2024: step and momentum act through one number."""

from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np

import hamtheory as ht

from .._drawing import BLUE, ORANGE
from .._reproduction import Comparison, Reproduction, chosen, stated, unstated
from ._descent import errors


@dataclass(frozen=True)
class Config:
    power: float = stated(2.0, "λ = γ/(1 − β)²")
    n: int = unstated(20)
    d: int = unstated(30)
    k: int = unstated(3)
    alpha: float = unstated(0.1, "u = √2α, v = 0 at the start")
    lambdas: tuple[float, ...] = unstated((0.1, 1.0, 10.0, 30.0))
    momenta: tuple[float, ...] = unstated((0.9, 0.95, 0.97))
    time: float = chosen(1200.0, "steps times γ/(1 − β)")
    instances: int = chosen(2)
    seed: int = chosen(0)


class HeavyBall(ht.algorithm.AbstractAlgorithm):
    """Heavy-ball momentum on the factors of θ = m⊙w, from m = m₀ and w = 0."""

    start: float
    momentum: float

    def init(self, problem, theta0):
        m, w = jnp.full_like(theta0, self.start), jnp.zeros_like(theta0)
        return m, w, jnp.zeros_like(theta0), jnp.zeros_like(theta0)

    def step(self, state, gradient, learning_rate):
        m, w, dm, dw = state
        dm, dw = self.momentum * dm - learning_rate * w * gradient, self.momentum * dw - learning_rate * m * gradient
        return m + dm, w + dw, dm, dw

    def theta(self, state):
        return state[0] * state[1]


def compute(config: Config) -> dict[str, np.ndarray]:
    shape = config.instances, len(config.lambdas), len(config.momenta)
    ends, error = np.full((*shape, config.d), np.nan), np.full(shape, np.nan)
    residual, flow = np.full(shape, np.nan), np.empty((config.instances, config.d))
    for i in range(config.instances):
        made = ht.sparse_regression(config.n, config.d, config.k, seed=config.seed + i)
        problem = ht.LinearRegression(made.X, made.y)
        flow[i] = ht.solve_limit(problem, ht.Hypentropy(config.alpha**2)).theta
        for k, beta in enumerate(config.momenta):
            rates = np.array(config.lambdas) * (1 - beta) ** config.power
            steps = round(config.time / (rates.min() / (1 - beta)))
            runs = ht.run_many(problem, HeavyBall(float(np.sqrt(2) * config.alpha), beta),
                               np.zeros((rates.size, config.d)), learning_rate=rates, steps=steps, save_every=steps,
                               tol=1e-7, progress=False)  # fmt: skip
            ends[i, :, k], residual[i, :, k] = runs.theta, runs.residual
            error[i, :, k] = errors(made, runs.theta)
    return {"theta": ends, "error": error, "residual": residual, "flow": flow}


def compare(config: Config, numbers) -> list[Comparison]:
    theta, fine = numbers["theta"], numbers["residual"] < 1e-3
    fine = np.all(fine, axis=(0, 2))  # the λ at which all have converged
    # Apart between momenta of one λ, against apart between neighbouring λ of one momentum.
    size = np.linalg.norm(numbers["flow"], axis=1)[:, None]
    same = np.linalg.norm(theta[:, :, 0] - theta[:, :, -1], axis=-1) / size
    other = np.linalg.norm(theta[:, -1, :] - theta[:, 0, :], axis=-1) / size
    least = np.linalg.norm(theta[:, 0] - numbers["flow"][:, None], axis=-1) / size
    return [
        Comparison(says="apart at one λ for the least and the largest momentum, over apart between the λ",
                   theirs="λ alone decides", origin="claim", high=0.2,
                   ours=float(np.max(same[:, fine], initial=0) / np.median(other)),
                   tolerance="1/5: the flow is that of 1 − β → 0, here 1 − β ≤ 0.1"),
        Comparison(says="relative distance from the gradient flow's limit at the smallest λ, largest", theirs="λ → 0",
                   origin="claim", ours=float(least.max()), high=0.05, tolerance="of the order of λ"),
        Comparison(says="share of the λ at which all converged", theirs="1", origin="claim",
                   ours=float(fine.mean()), low=1.0),
    ]  # fmt: skip


def draw(figure, config: Config, numbers) -> None:
    left, right = figure.subplots(1, 2)
    for k, (beta, marker) in enumerate(zip(config.momenta, "os^D", strict=False)):
        rates = np.array(config.lambdas) * (1 - beta) ** config.power
        look = {"marker": marker, "markerfacecolor": "white", "label": f"$\\beta$ = {beta:g}"}
        error = np.median(numbers["error"][:, :, k], axis=0)
        left.plot(rates, error, color=ORANGE, **look)
        right.plot(config.lambdas, error, color=BLUE, **look)
    left.set(xscale="log", yscale="log", xlabel="step size $\\gamma$", ylabel="$\\|\\theta_\\infty - \\theta^*\\|_2^2$")
    right.set(xscale="log", yscale="log", xlabel="$\\lambda = \\gamma/(1 - \\beta)^2$")
    left.legend()
    right.legend()


CONFIG = Config()
REPRODUCTION = Reproduction(
    name="papazov-momentum",
    source="papazov2024leveraging",
    place="abstract, the intrinsic quantity",
    title="Step and momentum act through one number",
    claim="Gradient descent with a step γ and momentum β on a diagonal network is decided by λ = γ/(1 − β)² alone.",
    config=CONFIG,
    smoke=replace(CONFIG, lambdas=(0.3, 3.0, 30.0), momenta=(0.95, 0.97), time=1000.0, instances=1),
    full=replace(CONFIG, instances=10),
    compute=compute,
    compare=compare,
    draw=draw,
    caption="Squared distance of the ends to the truth, medians over the draws: against the step, and against λ.",
)
