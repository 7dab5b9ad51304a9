"""Vaškevičius et al. 2019: early stopping and the size of the initialization."""

from dataclasses import dataclass, replace

import numpy as np

import hamtheory as ht

from .._drawing import BLUE, GREEN, ORANGE
from .._reproduction import Comparison, Reproduction, chosen, stated


@dataclass(frozen=True)
class Config:
    n: int = stated(100, "code")
    d: int = stated(10_000, "code")
    k: int = stated(5, "code: entries of 1")
    noise: float = stated(0.5, "code: its standard deviation")
    alphas: tuple[float, ...] = stated((1e-2, 1e-3, 1e-4), "code")
    rate: float = stated(0.05, "code: of ‖X(u² − v²) − y‖²/n, so that u is multiplied by 1 − 4ηg")
    steps: int = stated(1000, "code")
    instances: int = chosen(1, "theirs: 30")
    every: int = stated(10, "code: how often it is looked")
    seed: int = chosen(0)


def compute(config: Config) -> dict[str, np.ndarray]:
    shape = config.instances, len(config.alphas), config.steps // config.every + 1
    error = np.empty(shape)
    for i in range(config.instances):
        rng, truth = np.random.default_rng(config.seed + i), np.zeros(config.d)
        truth[: config.k] = 1
        X = rng.choice([-1.0, 1.0], (config.n, config.d))
        problem = ht.LinearRegression(X, X @ truth + config.noise * rng.standard_normal(config.n))
        for j, alpha in enumerate(config.alphas):
            rule, how = ht.ProductGD(gamma=2 * alpha**2), {"save_every": config.every, "progress": False}
            run = ht.run(problem, rule, learning_rate=4 * config.rate, steps=config.steps, **how)
            thetas = np.asarray(run.thetas)
            error[i, j] = np.sum((thetas - truth) ** 2, axis=1)
    return {"error": error}


def compare(config: Config, numbers) -> list[Comparison]:
    error, logs = numbers["error"], np.log(1 / np.array(config.alphas))
    best, when = error.min(axis=2), error.argmin(axis=2) * config.every
    return [
        Comparison(says="least error along the path, of each α over that of the one before: largest, of the medians",
                   theirs="a smaller α recovers better", origin="claim",
                   ours=float(np.max(np.median(best, axis=0)[1:] / np.median(best, axis=0)[:-1])), high=1.0),
        Comparison(says="best time at the smallest α over that at the largest", theirs="grows like ln(1/α)",
                   origin="claim", ours=float(np.median(when[:, -1] / when[:, 0])), low=1.0,
                   high=float(1.5 * logs[-1] / logs[0]), tolerance="half as much again as the ratio of the logarithms"),
        Comparison(says="error at the end over the least one, at the smallest α: least",
                   theirs="it must be stopped in time", origin="claim",
                   ours=float(np.min(error[:, -1, -1] / best[:, -1])), low=2.0),
    ]  # fmt: skip


def draw(figure, config: Config, numbers) -> None:
    ax = figure.subplots()
    steps = np.arange(numbers["error"].shape[2]) * config.every
    for j, (alpha, colour) in enumerate(zip(config.alphas, (ORANGE, GREEN, BLUE), strict=False)):
        ax.plot(steps, numbers["error"][:, j].T, color=colour, linewidth=0.9)
        ax.plot([], [], color=colour, label=f"$\\alpha$ = {alpha:g}")
    ax.set(yscale="log", xlabel="steps", ylabel="$\\|w_t - w^*\\|_2^2$")
    ax.legend()


CONFIG = Config()
REPRODUCTION = Reproduction(
    name="vaskevicius-scale",
    source="vaskevicius2019implicit",
    place="code, alpha_effect",
    title="Early stopping and the size of the initialization",
    claim="Stopped in time, gradient descent from a small α fits the sparse vector before the noise: the smaller α, "
    "the better it recovers, and the later, like ln(1/α).",
    config=CONFIG,
    smoke=replace(CONFIG, d=400, steps=500),
    full=replace(CONFIG, instances=30),
    compute=compute,
    compare=compare,
    draw=draw,
    caption="Squared distance to the truth along the steps, one line a draw.",
    size=(4.5, 2.8),
)
