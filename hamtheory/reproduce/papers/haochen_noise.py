"""HaoChen et al. 2021: label noise recovers a sparse vector, Gaussian noise does not."""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np

import hamtheory as ht

from .._drawing import BLACK, BLUE, ORANGE
from .._reproduction import Comparison, Reproduction, chosen, stated

NAMES = ("GD", "label noise", "Gaussian noise")


@dataclass(frozen=True)
class Config:
    d: int = stated(100, "code")
    n: int = stated(40, "code")
    k: int = stated(5, "code: entries of 1")
    start: float = stated(1.0, "code: every entry of v")
    noise: float = stated(1.0, "code: of a label, and of each entry of the gradient")
    rate: float = stated(0.01, "code; of label noise a tenth and a hundredth of it in the later thirds")
    steps: int = stated(300_000, "code")
    instances: int = chosen(1, "as theirs")
    looks: int = chosen(100)
    seed: int = chosen(0)


class Squares(ht.algorithm.AbstractAlgorithm):
    """Gradient descent on θ = v², with normal noise of a given size on the gradient of v.

    The loss is a quarter of the mean square: its gradient is ∇f ⊙ v.
    """

    start: float
    noise: float
    seed: int

    def init(self, problem, theta0):
        return jnp.full_like(theta0, self.start), jnp.zeros((), jnp.int32)

    def step(self, state, gradient, learning_rate):
        v, count = state
        key = jax.random.fold_in(jax.random.key(self.seed), count)
        drift = gradient * v + self.noise * jax.random.normal(key, v.shape, v.dtype)
        return v - learning_rate * drift, count + 1

    def theta(self, state):
        return state[0] ** 2


def compute(config: Config) -> dict[str, np.ndarray]:
    third = config.steps // 3
    annealed = lambda step: config.rate * jnp.where(step < third, 1, jnp.where(step < 2 * third, 0.1, 0.01))  # noqa: E731
    how = {"steps": config.steps, "save_every": config.steps // config.looks, "progress": False, "throw": False}
    error = np.empty((config.instances, len(NAMES), config.looks + 1))
    for i in range(config.instances):
        rng, truth = np.random.default_rng(config.seed + i), np.zeros(config.d)
        truth[: config.k] = 1
        X = rng.standard_normal((config.n, config.d))
        problem = ht.LinearRegression(X, X @ truth)
        key = jax.random.key(config.seed + i)
        plain, shaken = (Squares(config.start, noise, config.seed + i) for noise in (0.0, config.noise))
        # Theirs: one noisy label a step with the weight of all. All labels with √n of it have the same covariance.
        noisy = {"label_noise": float(config.noise * np.sqrt(config.n)), "key": key}
        ends = {
            "GD": ht.run(problem, plain, learning_rate=config.rate, **how),
            "label noise": ht.run(problem, plain, learning_rate=annealed, **noisy, **how),
            "Gaussian noise": ht.run(problem, shaken, learning_rate=config.rate, **how),
        }
        for j, name in enumerate(NAMES):
            error[i, j] = np.sum((np.asarray(ends[name].thetas) - truth) ** 2, axis=1)
    return {"error": error, "scale": np.array(config.k * 1.0)}


def compare(config: Config, numbers) -> list[Comparison]:
    gd, label, gaussian = (numbers["error"][:, j, -1] / numbers["scale"] for j in range(3))
    return [
        Comparison(says="‖v² − w*‖²/‖w*‖² of label noise at the end, largest", theirs="0", origin="claim",
                   ours=float(label.max()), high=0.01, tolerance="1 %, what the last learning rate leaves"),
        Comparison(says="that of gradient descent, least", theirs="does not recover", origin="claim",
                   ours=float(gd.min()), low=0.5),
        Comparison(says="that of Gaussian noise, least", theirs="does not recover", origin="claim",
                   ours=float(gaussian.min()), low=0.5),
    ]  # fmt: skip


def draw(figure, config: Config, numbers) -> None:
    ax = figure.subplots()
    steps = np.arange(config.looks + 1) * (config.steps // config.looks)
    for j, (name, colour) in enumerate(zip(NAMES, (BLACK, BLUE, ORANGE), strict=True)):
        ax.plot(steps, numbers["error"][:, j].T, color=colour, linewidth=0.9)
        ax.plot([], [], color=colour, label=name)
    ax.set(yscale="log", xlabel="steps", ylabel="$\\|v^2 - w^*\\|_2^2$")
    ax.legend(loc="lower left")


CONFIG = Config()
REPRODUCTION = Reproduction(
    name="haochen-noise",
    source="haochen2021shape",
    place="code, train_quadratic",
    title="The shape of the noise decides",
    claim="From a large start label noise leads to the sparse truth; gradient descent without noise and with Gaussian "
    "noise do not.",
    config=CONFIG,
    smoke=replace(CONFIG, d=20, n=10, k=1, rate=0.05, steps=30_000, instances=1, looks=20),
    full=replace(CONFIG, instances=10),
    compute=compute,
    compare=compare,
    draw=draw,
    caption="Squared distances to the truth along the steps, one line a draw.",
    size=(4.5, 2.8),
)
