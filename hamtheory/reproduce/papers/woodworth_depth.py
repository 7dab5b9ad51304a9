"""Woodworth et al. 2020, Figure 3b and Theorem 3: the potential of deeper networks."""

from dataclasses import dataclass, replace

import numpy as np

import hamtheory as ht

from .._drawing import BLUE, GREEN, ORANGE, PINK, THEIRS
from .._reproduction import Comparison, Reproduction, chosen, stated, unstated


@dataclass(frozen=True)
class Config:
    depths: tuple[int, ...] = chosen((2, 3, 4, 6), "D = 2 and some larger ones")
    d: int = unstated(100, "the one for which the ratio falls to 0.1, as it does in their figure")
    alphas: tuple[float, float, int] = chosen((1e-6, 1e3, 91), "first, last, count")
    ends: tuple[float, float] = stated((1.0, 0.1), "of the ratio, read off")


def compute(config: Config) -> dict[str, np.ndarray]:
    alphas, spread = np.geomspace(*config.alphas), 1 / np.sqrt(config.d)
    rows = [
        [float(geo.potential(1.0)) / (config.d * float(geo.potential(spread)))
         for geo in (ht.DiagonalNetwork(depth, float(alpha)) for alpha in alphas)]
        for depth in config.depths
    ]  # fmt: skip
    return {"alpha": alphas, "ratio": np.array(rows)}


def compare(config: Config, numbers) -> list[Comparison]:
    alphas, ratio = numbers["alpha"], numbers["ratio"]
    excess = ratio * np.sqrt(config.d) - 1  # over the ratio of the L1 norms
    powers = []
    for row in excess[1:]:
        within = (row > 1e-6) & (row < 1e-2)
        powers.append(np.polyfit(np.log(alphas[within]), np.log(row[within]), 1)[0])
    theory = np.array(config.depths[1:]) - 2
    logs = excess[0] * np.log(1 / alphas**2)
    small = alphas < 1e-4
    return [
        Comparison(
            says="Q(e₁)/Q(1/√d) at the largest α, D = 2 … : worst deviation from 1",
            theirs="1: the L2 norm",
            origin="claim",
            ours=float(np.max(np.abs(ratio[:, -1] - 1))),
            high=0.01,
            tolerance="1 %, of the order of α^(−2D) there",
        ),
        Comparison(
            says="Q(e₁)/Q(1/√d) at the smallest α, D ≥ 3",
            theirs="0.1",
            origin="figure",
            ours=float(ratio[1:, 0].max()),
            low=0.095,
            high=0.105,
            tolerance="5 %, as well as it can be read",
        ),
        Comparison(
            says="power of α in the distance from the L1 norm, D ≥ 3, less D − 2: worst",
            theirs="polynomial in α",
            origin="claim",
            ours=float(np.max(np.abs(np.array(powers) - theory))),
            high=0.15,
            tolerance="the next term of the expansion, of relative size α^(D−2)",
        ),
        Comparison(
            says="that distance times ln(1/α²) for D = 2, largest over least below α = 1e-4",
            theirs="logarithmic in α",
            origin="claim",
            ours=float(logs[small].max() / logs[small].min()),
            high=1.5,
            tolerance="the next term, of relative size 1/ln(1/α²)",
        ),
    ]


def draw(figure, config: Config, numbers) -> None:
    left, right = figure.subplots(1, 2)
    for row, depth, colour in zip(numbers["ratio"], config.depths, (BLUE, ORANGE, GREEN, PINK), strict=False):
        left.plot(numbers["alpha"], row, color=colour, label=f"$D$ = {depth}")
        right.plot(numbers["alpha"], row * np.sqrt(config.d) - 1, color=colour)
    for end in config.ends:
        left.axhline(end, **THEIRS)
    left.set(xscale="log", xlabel="$\\alpha$", ylabel="$Q(e_1)/Q(\\mathbf{1}/\\sqrt{d})$")
    left.legend()
    right.set(xscale="log", yscale="log", ylim=(1e-7, 20), xlabel="$\\alpha$", ylabel="$\\sqrt{d}$ · ratio − 1")


CONFIG = Config()
REPRODUCTION = Reproduction(
    name="woodworth-depth",
    source="woodworth2020kernel",
    place="Figure 3b; Theorem 3",
    title="Deeper networks are rich from a larger α on",
    claim="The potential of depth D goes from the squared L2 norm to the L1 norm as α falls, like a power of α for "
    "D ≥ 3 and like 1/ln(1/α) for D = 2.",
    config=CONFIG,
    smoke=replace(CONFIG, alphas=(1e-6, 1e3, 37)),
    full=CONFIG,
    compute=compute,
    compare=compare,
    draw=draw,
    caption="Left: the potential of one coordinate over that of the same L2 norm on all of them; dashed: the ends. "
    "Right: the distance from the ratio of the L1 norms.",
)
