"""Vaškevičius et al. 2020: early-stopped mirror descent with the hyperbolic entropy and with the L2 norm."""

from dataclasses import dataclass, replace

import numpy as np

import hamtheory as ht

from .._drawing import BLUE, ORANGE, THEIRS
from .._reproduction import Comparison, Reproduction, chosen, stated


@dataclass(frozen=True)
class Config:
    n: int = stated(200, "code")
    d: int = stated(100, "code")
    k: int = stated(10, "code: entries of ±1")
    variance: float = stated(5.0, "code: of the noise")
    gamma: float = stated(1e-6, "code: of the hyperbolic entropy")
    points: int = chosen(200, "times")
    instances: int = chosen(5)
    seed: int = chosen(0)


def compute(config: Config) -> dict[str, np.ndarray]:
    rows = {name: [] for name in ("hypentropy", "l2", "least_squares")}
    times = {"hypentropy": np.geomspace(0.5, 1e4, config.points), "l2": np.geomspace(1e-2, 1e4, config.points)}
    for i in range(config.instances):
        noise = float(np.sqrt(config.variance))
        problem = ht.sparse_regression(config.n, config.d, config.k, seed=config.seed + i, noise=noise)
        for name, geo in (("hypentropy", ht.Hypentropy(config.gamma)), ("l2", ht.Euclidean())):
            thetas = ht.solve_flow(problem, geo, ts=times[name]).thetas
            rows[name].append(np.sum((thetas - problem.theta_star) ** 2, axis=1))
        full = np.linalg.lstsq(problem.X, problem.y, rcond=None)[0]
        rows["least_squares"].append(np.sum((full - problem.theta_star) ** 2))
    return {f"time_{name}": ts for name, ts in times.items()} | {name: np.array(row) for name, row in rows.items()}


def compare(config: Config, numbers) -> list[Comparison]:
    best = {name: numbers[name].min(axis=1) for name in ("hypentropy", "l2")}
    ends = [numbers[name][:, -1] / numbers["least_squares"] for name in ("hypentropy", "l2")]
    sparse = config.variance * config.k * np.log(config.d) / config.n
    return [
        Comparison(says="least error along the hyperbolic path, over that along the L2 path: largest",
                   theirs="below 1 for a sparse vector", origin="claim",
                   ours=float(np.max(best["hypentropy"] / best["l2"])), high=1.0),
        Comparison(says="least error along the hyperbolic path, over σ²k ln d/n: median",
                   theirs="of this order", origin="claim", ours=float(np.median(best["hypentropy"]) / sparse), high=2.0,
                   tolerance="a factor of 2: their constants are larger"),
        Comparison(says="error at the end over that of least squares, both paths: worst deviation from 1",
                   theirs="overfits without stopping", origin="claim",
                   ours=float(np.max(np.abs(np.array(ends) - 1))), high=0.01, tolerance="1 %, at the last time"),
        Comparison(says="least error over that at the end, hyperbolic path: largest", theirs="stopping helps",
                   origin="claim", ours=float(np.max(best["hypentropy"] / numbers["hypentropy"][:, -1])), high=0.5),
    ]  # fmt: skip


def draw(figure, config: Config, numbers) -> None:
    ax = figure.subplots()
    for name, colour, label in (("hypentropy", BLUE, "hyperbolic entropy"), ("l2", ORANGE, "L2 norm")):
        ax.plot(numbers[f"time_{name}"], numbers[name].T, color=colour, linewidth=0.9)
        ax.plot([], [], color=colour, label=label)
    ax.axhline(np.median(numbers["least_squares"]), **THEIRS, label="least squares")
    ax.set(xscale="log", yscale="log", xlabel="time of the flow", ylabel="$\\|\\theta_t - \\theta^*\\|_2^2$")
    ax.legend()


CONFIG = Config()
REPRODUCTION = Reproduction(
    name="vaskevicius-mirror",
    source="vaskevicius2020statistical",
    place="code, sparse vectors",
    title="Early-stopped mirror descent, hyperbolic and Euclidean",
    claim="Stopped in time, mirror descent with the hyperbolic entropy recovers a sparse vector at the rate of the "
    "lasso, better than gradient descent; both overfit in the end.",
    config=CONFIG,
    smoke=replace(CONFIG, instances=2, points=80),
    full=replace(CONFIG, instances=30),
    compute=compute,
    compare=compare,
    draw=draw,
    caption="Squared distances to the truth along the flows, one line a draw; dashed: least squares, median.",
    size=(4.5, 2.8),
)
