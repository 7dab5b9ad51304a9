"""Woodworth et al. 2020, Figure 1b and Theorem 2: the norms against the scale of the initialization."""

from dataclasses import dataclass, replace

import numpy as np

import hamtheory as ht

from .._drawing import BLUE, ORANGE
from .._reproduction import Comparison, Reproduction, chosen, stated, unstated
from ._woodworth import limits, problem


@dataclass(frozen=True)
class Config:
    variance: float = stated(0.01, "of the noise")
    d: int = unstated(1000, "the size that the code of a later paper calls Woodworth's")
    samples: int = unstated(100, "the same")
    sparsity: int = unstated(5, "the same")
    alphas: tuple[float, float, int] = chosen((1e-4, 10.0, 33), "first, last, count")
    seeds: int = chosen(3)
    seed: int = chosen(0)


def compute(config: Config) -> dict[str, np.ndarray]:
    alphas, found = np.geomspace(*config.alphas), {"excess_l1": [], "excess_l2": [], "least_l2": []}
    for i in range(config.seeds):
        one = problem(config.samples, config.d, config.sparsity, config.variance, config.seed + i)
        thetas, shortest = limits(one, alphas), np.linalg.norm(ht.min_norm(one))
        least = np.abs(ht.basis_pursuit(one)).sum()
        found["excess_l1"].append(ht.metrics.relative_excess(np.abs(thetas).sum(axis=1), least))
        found["excess_l2"].append(ht.metrics.relative_excess(np.linalg.norm(thetas, axis=1), shortest))
        found["least_l2"].append(shortest)
    return {"alpha": alphas} | {name: np.array(values) for name, values in found.items()}


def compare(config: Config, numbers) -> list[Comparison]:
    l1, l2, alphas = numbers["excess_l1"], numbers["excess_l2"], numbers["alpha"]
    # Theorem 2: α ≥ √(2(1 + ε)(1 + 2/ε)‖β₂*‖) gives ‖β‖² ≤ (1 + ε)‖β₂*‖²; the least ε that an α allows.
    grid = np.geomspace(1e-4, 1e8, 4001)
    needed = np.sqrt(2 * (1 + grid) * (1 + 2 / grid) * numbers["least_l2"][:, None])
    excess = (1 + l2) ** 2 - 1
    allowed = np.stack([[np.min(grid[row <= alpha], initial=np.inf) for alpha in alphas] for row in needed])
    crossings = np.sum(np.diff(np.sign(l1 - l2), axis=1) != 0, axis=1)
    return [
        Comparison(says="ends of the path at which the excess L1 norm (small α) or L2 norm (large α) is largest",
                   theirs="→ 0", origin="claim", ours=float(max(l1[:, 0].max(), l2[:, -1].max())), high=0.02,
                   tolerance="2 %: at α = 1e-4 and 10 neither limit is reached"),
        Comparison(says="how often the two curves cross, most", theirs="1", origin="figure",
                   ours=float(crossings.max()), low=1.0, high=1.0),
        Comparison(says="how often the two curves cross, least", theirs="1", origin="claim",
                   ours=float(crossings.min()), low=1.0, tolerance="the ends differ, so they cross"),
        Comparison(says="excess of ‖β‖₂² over the ε that Theorem 2 allows, largest", theirs="at most 1", origin="claim",
                   ours=float(np.max(excess / allowed)), high=1.0),
    ]  # fmt: skip


def draw(figure, config: Config, numbers) -> None:
    ax = figure.subplots()
    for name, colour, label in (("excess_l1", BLUE, "L1 norm"), ("excess_l2", ORANGE, "L2 norm")):
        ax.plot(numbers["alpha"], numbers[name].T, color=colour)
        ax.plot([], [], color=colour, label=label)
    ax.set(xscale="log", yscale="log", ylim=(1e-4, None), xlabel="$\\alpha$", ylabel="excess over the least norm")
    ax.legend()


CONFIG = Config()
REPRODUCTION = Reproduction(
    name="woodworth-norms",
    source="woodworth2020kernel",
    place="Figure 1b; Theorem 2",
    title="From kernel to rich: the norms against α",
    claim="The limit has least L1 norm as α → 0 and least L2 norm as α → ∞, within (1 + ε) from an α on that Theorem 2 "
    "gives.",
    config=CONFIG,
    smoke=replace(CONFIG, d=200, samples=60, sparsity=3, alphas=(1e-4, 10.0, 12), seeds=2),
    full=replace(CONFIG, seeds=10),
    compute=compute,
    compare=compare,
    draw=draw,
    caption="Norms of the limits over the least ones, less 1, on each draw of the data.",
    size=(4.5, 2.8),
)
