"""Woodworth et al. 2020, Figure 1c: the scale that is needed, against the number of samples."""

from dataclasses import dataclass, replace

import numpy as np

from .._drawing import BLUE, THEIRS
from .._reproduction import Comparison, Reproduction, chosen, stated, unstated
from ._woodworth import errors, limits, problem

READ = {100: 1e-2, 500: 0.065}  # of their figure


@dataclass(frozen=True)
class Config:
    variance: float = stated(0.01, "of the noise")
    bound: float = stated(0.025, "of the error")
    d: int = unstated(1000, "the size that the code of a later paper calls Woodworth's")
    sparsity: int = unstated(5, "the same")
    samples: tuple[int, ...] = chosen((30, 50, 70, 100, 150, 250, 500), "they show up to 500")
    alphas: tuple[float, float, int] = chosen((1e-7, 1.0, 36), "first, last, count")
    seeds: int = chosen(3)
    seed: int = chosen(0)


def largest(alphas: np.ndarray, error: np.ndarray, bound: float) -> float:
    """The largest α up to which the error stays within the bound; 0 if there is none."""
    outside = np.flatnonzero(error > bound)
    if not outside.size:
        return float(alphas[-1])
    return float(alphas[outside[0] - 1]) if outside[0] else 0.0


def compute(config: Config) -> dict[str, np.ndarray]:
    alphas = np.geomspace(*config.alphas)
    error = np.empty((len(config.samples), config.seeds, alphas.size))
    for i, j in np.ndindex(error.shape[:2]):
        one = problem(config.samples[i], config.d, config.sparsity, config.variance, config.seed + j)
        error[i, j] = errors(one, limits(one, alphas))
    found = np.array([[largest(alphas, row, config.bound) for row in rows] for rows in error])
    return {"alpha": alphas, "largest": np.median(found, axis=1), "error": error}


def compare(config: Config, numbers) -> list[Comparison]:
    found, samples = numbers["largest"], np.array(config.samples)
    spacing = numbers["alpha"][1] / numbers["alpha"][0]
    known = found[found > 0]
    made = [
        Comparison(
            says="largest fall of the α that is needed as samples are added, as a factor",
            theirs="none: it rises",
            origin="claim",
            ours=float(np.max(known[:-1] / known[1:], initial=0.0)),
            high=float(spacing * 1.001),
            tolerance="one point of the grid of α",
        ),
        Comparison(
            says="least number of samples with which any α is small enough, over that with the fewest",
            theirs="with too few no α is",
            origin="claim",
            ours=float(samples[found > 0].min(initial=samples[-1] + 1) / samples[0]),
            low=1.01,
            tolerance="the fewest do not do",
        ),
        Comparison(
            says="the α for the most samples over that for the fewest that do",
            theirs="orders of magnitude",
            origin="claim",
            ours=float(known[-1] / known[0]) if known.size else np.nan,
            low=10.0,
        ),
    ]
    for count, theirs in READ.items():
        if count in config.samples:
            made.append(
                Comparison(
                    says=f"largest α with {count} samples",
                    theirs=f"{theirs:g}",
                    origin="figure",
                    ours=float(found[config.samples.index(count)]),
                    low=theirs / 2,
                    high=theirs * 2,
                    tolerance="a factor of 2: read off a logarithmic axis, and a few draws",
                    why="their d and r* are not known, and the α that is needed depends on both",
                )
            )
    return made


def draw(figure, config: Config, numbers) -> None:
    ax = figure.subplots()
    found, samples = numbers["largest"], np.array(config.samples)
    ax.plot(samples[found > 0], found[found > 0], "o-", color=BLUE, label="median of the draws")
    ax.plot(
        list(READ), list(READ.values()), "s", color=THEIRS["color"], markerfacecolor="white", label="read off theirs"
    )
    for count in samples[found == 0]:
        ax.annotate("none", (count, numbers["alpha"][0]), ha="center", fontsize=7, color=BLUE)
    ax.set(yscale="log", xlim=(0, None), ylim=(numbers["alpha"][0] / 2, 1), xlabel="samples $N$",
           ylabel=f"largest $\\alpha$ with error $\\leq$ {config.bound:g}")  # fmt: skip
    ax.legend()


CONFIG = Config()
REPRODUCTION = Reproduction(
    name="woodworth-samples",
    source="woodworth2020kernel",
    place="Figure 1c",
    title="The scale that is needed, against the number of samples",
    claim="The fewer the samples, the smaller α must be for a small error, by orders of magnitude; with too few no α "
    "is small enough.",
    config=CONFIG,
    smoke=replace(CONFIG, d=200, sparsity=3, samples=(8, 30, 60, 120), alphas=(1e-7, 1.0, 15), seeds=3),
    full=replace(CONFIG, seeds=10),
    compute=compute,
    compare=compare,
    draw=draw,
    caption="The largest α up to which the error of the limits stays within the bound; squares: read off theirs.",
    size=(4.5, 2.8),
)
