"""Berthier 2025: the averaged trajectory is the lasso path."""

from dataclasses import dataclass, replace

import numpy as np

import hamtheory as ht

from .._drawing import BLUE, ORANGE, THEIRS
from .._reproduction import Comparison, Reproduction, chosen, unstated


@dataclass(frozen=True)
class Config:
    n: int = unstated(20)
    d: int = unstated(6)
    logs: tuple[float, float] = unstated((100.0, 400.0), "ln(1/γ) of the starts; γ is of the order of their ε")
    span: tuple[float, float] = chosen((1.2, 30.0), "of s, in units of where the lasso path leaves zero")
    points: int = chosen(1500, "times of the average")
    looks: int = chosen(40, "times of the comparison")
    instances: int = chosen(3, "of either kind")
    seed: int = chosen(0)


def lasso(problem, theta, penalty) -> np.ndarray:
    """Their objective, of rows and penalties."""
    fit = np.sum((theta @ problem.X.T - problem.y) ** 2, axis=-1) / (2 * problem.n)
    return fit + penalty * np.abs(theta).sum(axis=-1)


def path(problem, s) -> np.ndarray:
    """The lasso path at penalties 1/s, (s, d)."""
    return np.asarray(ht.regularization_path(problem, ht.Hypentropy(1.0), 1 / (2 * s)).thetas)


def averages(problem, log: float, taus) -> np.ndarray:
    """(1/τ)∫₀^τ θ along the flow from γ, (taus, d): the trapezoidal rule, on times from which nothing has moved yet."""
    flow = ht.solve_flow(problem, ht.Hypentropy(log_gamma=-log), ts=taus * log / 2, rtol=1e-9)
    pieces = np.diff(taus)[:, None] * (flow.thetas[1:] + flow.thetas[:-1]) / 2
    return np.concatenate([np.zeros((1, problem.d)), np.cumsum(pieces, axis=0)]) / taus[:, None]


def is_monotone(problem, s) -> bool:
    """Whether s · x(s) is monotone along the lasso path, entry by entry."""
    scaled = s[:, None] * path(problem, s)
    moves = np.diff(np.abs(scaled), axis=0)
    flips = np.any(np.sign(scaled[1:]) * np.sign(scaled[:-1]) < 0)
    return bool(np.all(moves >= -1e-6 * np.abs(scaled).max()) and not flips)


def drawn(config: Config):
    """Random problems with correlated columns, so many of either kind: (kind, problem)."""
    rng, left = np.random.default_rng(config.seed), {True: config.instances, False: config.instances}
    while any(left.values()):
        mixing = rng.standard_normal((config.d, config.d)) / np.sqrt(config.d)
        X = rng.standard_normal((config.n, config.d)) @ mixing
        problem = ht.LinearRegression(X, X @ rng.standard_normal(config.d) + 0.3 * rng.standard_normal(config.n))
        kind = is_monotone(problem, grid(config, problem, 80))
        if left[kind]:
            left[kind] -= 1
            yield kind, problem


def grid(config: Config, problem, count: int) -> np.ndarray:
    """Values of s."""
    first = 1 / np.abs(problem.gradient(np.zeros(problem.d))).max()
    return first * np.geomspace(*config.span, count)


def compute(config: Config) -> dict[str, np.ndarray]:
    found, shown, worst = {True: [], False: []}, {}, {True: -1.0, False: -1.0}
    for kind, problem in drawn(config):
        s = grid(config, problem, config.looks)
        least, row = lasso(problem, best := path(problem, s), 1 / s), []
        dense = np.concatenate([np.linspace(1e-3 * s[0], s[-1], config.points), s])
        taus, back = np.unique(dense, return_inverse=True)
        for log in config.logs:
            mean = averages(problem, log, taus)[back[config.points :]]
            row.append(np.max((lasso(problem, mean, 1 / s) - least) / least))
        if row[-1] > worst[kind]:
            worst[kind] = row[-1]
            shown |= {f"s {kind}": s, f"mean {kind}": mean, f"lasso {kind}": best}
        found[kind].append(row)
    return shown | {"monotone": np.array(found[True]), "other": np.array(found[False])}


def compare(config: Config, numbers) -> list[Comparison]:
    far, near = config.logs
    monotone, other = numbers["monotone"], numbers["other"]
    return [
        Comparison(says="relative suboptimality of the average for the lasso, monotone paths, worst, at the smaller ε",
                   theirs="→ 0 (Theorem 2.1)", origin="claim", ours=float(monotone[:, 1].max()), high=20 / near,
                   tolerance="20/ln(1/ε), the order of the correction to the rescaled time"),
        Comparison(says="the same, over that of the larger ε", theirs="falls with ln(1/ε)", origin="claim",
                   ours=float(np.median(monotone[:, 1] / monotone[:, 0])), high=2 * far / near,
                   tolerance="twice the ratio of the logarithms, if it falls like one over them"),
        Comparison(says="suboptimality of other paths over that of monotone ones, at the smaller ε, worst of each",
                   theirs="not exact: it stays", origin="claim",
                   ours=float(other[:, 1].max() / monotone[:, 1].max()), low=3.0),
        Comparison(says="suboptimality of the other path with the largest, over that at the larger ε",
                   theirs="it stays", origin="claim",
                   ours=float(other[np.argmax(other[:, 1]), 1] / other[np.argmax(other[:, 1]), 0]), low=0.5,
                   tolerance="where it vanished it would fall fourfold"),
    ]  # fmt: skip


def draw(figure, config: Config, numbers) -> None:
    axes = figure.subplots(1, 2)
    for ax, kind, title in zip(axes, (True, False), ("monotone lasso path", "another one"), strict=True):
        ax.plot(numbers[f"s {kind}"], numbers[f"mean {kind}"], color=BLUE if kind else ORANGE)
        ax.plot(numbers[f"s {kind}"], numbers[f"lasso {kind}"], **THEIRS)
        ax.plot([], [], **THEIRS, label="lasso path")
        ax.legend()
        ax.set(xscale="log", xlabel="$s = 2t/\\ln(1/\\gamma)$, one over the penalty", title=title)
    axes[0].set_ylabel("entries of the average")


CONFIG = Config()
REPRODUCTION = Reproduction(
    name="berthier-lasso",
    source="berthier2025diagonal",
    place="Theorem 2.1; Section 2.2",
    title="The averaged trajectory and the lasso path",
    claim="From a vanishing initialization the time average of the trajectory is the lasso path, its rescaled time one "
    "over the penalty: exactly if s·x(s) is monotone, and about so in general.",
    config=CONFIG,
    smoke=replace(CONFIG, instances=1, points=500, looks=15),
    full=replace(CONFIG, instances=10, points=3000),
    compute=compute,
    compare=compare,
    draw=draw,
    caption="Entries of the time average of the flow from the smaller start, on the problem of either kind that is "
    "farthest from its lasso path; dashed: that path.",
)
