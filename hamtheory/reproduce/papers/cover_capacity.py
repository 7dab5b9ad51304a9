"""Cover 1965: the probability that random samples can be separated."""

from dataclasses import dataclass, replace
from math import comb

import numpy as np

import hamtheory as ht

from .._drawing import BLUE, GREEN, ORANGE, THEIRS
from .._reproduction import Comparison, Reproduction, chosen


@dataclass(frozen=True)
class Config:
    dimensions: tuple[int, ...] = chosen((5, 20, 60))
    ratios: tuple[float, ...] = chosen((1.0, 1.4, 1.6, 1.8, 2.0, 2.2, 2.4, 2.6, 3.0), "N/d")
    draws: int = chosen(100, "of samples and classes at each point")
    seed: int = chosen(0)


def probability(samples: int, d: int) -> float:
    """Theirs: C(N, d)/2^N, with `C(N, d) = 2 Σ_{k<d} binom(N − 1, k)`."""
    return 2 * sum(comb(samples - 1, k) for k in range(d)) / 2**samples


def compute(config: Config) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(config.seed)
    shape = len(config.dimensions), len(config.ratios)
    share, theirs = np.empty(shape), np.empty(shape)
    for i, d in enumerate(config.dimensions):
        for j, ratio in enumerate(config.ratios):
            samples = round(ratio * d)
            # Gaussian samples are their own reflections: classes in turn are as good as random ones.
            z = np.where(np.arange(samples) % 2, 1.0, -1.0)
            drawn = rng.standard_normal((config.draws, samples, d))
            share[i, j] = np.mean([bool(ht.BinaryClassification(X, z).is_separable) for X in drawn])
            theirs[i, j] = probability(samples, d)
    return {"share": share, "theirs": theirs}


def compare(config: Config, numbers) -> list[Comparison]:
    share, theirs = numbers["share"], numbers["theirs"]
    spread = np.sqrt(theirs * (1 - theirs) / config.draws) + 0.5 / config.draws
    at = config.ratios.index(2.0)
    return [
        Comparison(
            says="largest deviation from C(N, d)/2^N, in standard errors",
            theirs="C(N, d)/2^N",
            origin="claim",
            ours=float(np.max(np.abs(share - theirs) / spread)),
            high=4.0,
            tolerance="4, of the number of points that are compared: by chance in less than 1 run of 500",
        ),
        Comparison(
            says="share at N = 2d, over all dimensions",
            theirs="1/2: the capacity is 2d",
            origin="claim",
            ours=float(share[:, at].mean()),
            low=0.5 - 4 * 0.5 / np.sqrt(config.draws * len(config.dimensions)),
            high=0.5 + 4 * 0.5 / np.sqrt(config.draws * len(config.dimensions)),
            tolerance="4 standard errors",
        ),
    ]


def draw(figure, config: Config, numbers) -> None:
    ax = figure.subplots()
    for i, (d, colour) in enumerate(zip(config.dimensions, (GREEN, ORANGE, BLUE), strict=False)):
        fine = np.arange(d, round(max(config.ratios) * d) + 1)
        ax.plot(fine / d, [probability(int(n), d) for n in fine], **THEIRS)
        ax.plot(config.ratios, numbers["share"][i], "o", color=colour, label=f"$d$ = {d}")
    ax.set(xlabel="samples over dimensions, $N/d$", ylabel="share that can be separated")
    ax.plot([], [], **THEIRS, label="Cover's $C(N, d)/2^N$")
    ax.legend()


CONFIG = Config()
REPRODUCTION = Reproduction(
    name="cover-capacity",
    source="cover1965geometrical",
    place="function counting theorem",
    title="How many random samples a hyperplane can tell apart",
    claim="N samples in general position with random classes are separable through the origin with probability "
    "C(N, d)/2^N: 1/2 at N = 2d, and steeper with d.",
    config=CONFIG,
    smoke=replace(CONFIG, dimensions=(5, 10), draws=40),
    full=replace(CONFIG, draws=1000),
    compute=compute,
    compare=compare,
    draw=draw,
    caption="Shares of random draws that are separable, by linear programmes; dashed: Cover's probability.",
    size=(4.5, 2.8),
)
