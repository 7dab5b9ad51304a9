"""Woodworth et al. 2020, Figure 1a: the error against the scale of the initialization."""

from dataclasses import dataclass, replace

import numpy as np

import hamtheory as ht

from .._drawing import BLUE, GREEN, ORANGE
from .._reproduction import Comparison, Reproduction, chosen, stated, unstated
from ._woodworth import errors, limits, problem


@dataclass(frozen=True)
class Config:
    variance: float = stated(0.01, "of the noise")
    d: int = unstated(1000, "the size that the code of a later paper calls Woodworth's")
    samples: int = unstated(100, "the same")
    sparsity: int = unstated(5, "the same")
    alphas: tuple[float, float, int] = chosen((1e-4, 3.0, 28), "first, last, count; theirs are from 0.003 to 0.7")
    seeds: int = chosen(3)
    seed: int = chosen(0)


def compute(config: Config) -> dict[str, np.ndarray]:
    alphas, rows = np.geomspace(*config.alphas), []
    for i in range(config.seeds):
        one = problem(config.samples, config.d, config.sparsity, config.variance, config.seed + i)
        rows.append(
            [errors(one, limits(one, alphas)), errors(one, ht.basis_pursuit(one)), errors(one, ht.min_norm(one))]
        )
    along, least_l1, least_l2 = (np.array([row[k] for row in rows]) for k in range(3))
    return {"alpha": alphas, "error": along, "least_l1": least_l1, "least_l2": least_l2}


def compare(config: Config, numbers) -> list[Comparison]:
    error = numbers["error"]
    steps = np.diff(error, axis=1) / numbers["least_l2"][:, None]
    return [
        Comparison(
            says="largest fall of the error as α grows, over the error of least L2 norm",
            theirs="it rises with α",
            origin="claim",
            ours=float(np.max(-steps)),
            high=0.02,
            tolerance="2 %: on one draw neither end is extremal exactly",
        ),
        Comparison(
            says="error at the largest α, over that of least L2 norm: worst deviation from 1",
            theirs="→ 0 (kernel regime)",
            origin="claim",
            ours=float(np.max(np.abs(error[:, -1] / numbers["least_l2"] - 1))),
            high=0.02,
            tolerance="2 %, of the order of (θ/α²)² there",
        ),
        Comparison(
            says="error at the smallest α, over that of least L1 norm: worst deviation from 1",
            theirs="→ 0 (rich regime)",
            origin="claim",
            ours=float(np.max(np.abs(error[:, 0] / numbers["least_l1"] - 1))),
            high=0.5,
            tolerance="1/2: the L1 end is reached like 1/ln(1/α)",
        ),
        Comparison(
            says="error of the rich over that of the kernel regime",
            theirs="far below 1",
            origin="claim",
            ours=float(np.max(error[:, 0] / error[:, -1])),
            high=0.1,
            tolerance="an order of magnitude, as drawn",
        ),
    ]


def draw(figure, config: Config, numbers) -> None:
    ax = figure.subplots()
    ax.plot(numbers["alpha"], numbers["error"].T, color=BLUE)
    ax.plot([], [], color=BLUE, label="limits")
    for name, colour, style, label in (
        ("least_l2", ORANGE, "--", "least L2 norm"),
        ("least_l1", GREEN, ":", "least L1 norm"),
    ):
        ax.axhline(float(np.median(numbers[name])), color=colour, linestyle=style, label=label)
    ax.set(xscale="log", yscale="log", xlabel="$\\alpha$", ylabel="$\\|\\beta - \\beta^*\\|^2$")
    ax.legend()


CONFIG = Config()
REPRODUCTION = Reproduction(
    name="woodworth-error",
    source="woodworth2020kernel",
    place="Figure 1a",
    title="From kernel to rich: the error against α",
    claim="As the scale α of the initialization falls, the error of the limit falls from that of least L2 norm to that "
    "of least L1 norm.",
    config=CONFIG,
    smoke=replace(CONFIG, d=200, samples=60, sparsity=3, alphas=(1e-4, 3.0, 12), seeds=2),
    full=replace(CONFIG, seeds=10),
    compute=compute,
    compare=compare,
    draw=draw,
    caption="Errors of the limits on each draw of the data; broken: medians of the two ends.",
    size=(4.5, 2.8),
)
