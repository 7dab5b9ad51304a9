"""Pesme and Flammarion 2023, Figure 1: from saddle to saddle."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import hamtheory as ht

from .._drawing import BLUE, GREEN, ORANGE, PINK, SKY, THEIRS
from .._reproduction import Comparison, Reproduction, chosen, unstated
from ._saddles import saddles


@dataclass(frozen=True)
class Config:
    n: int = unstated(15)
    d: int = unstated(30)
    k: int = unstated(3)
    logs: tuple[float, float] = unstated((200.0, 800.0), "ln(1/γ) of the starts, γ = 2α²")
    gap: float = chosen(40.0, "times 1/ln(1/γ): between jumps that are looked at one by one")
    points: int = chosen(1500, "times")
    instances: int = chosen(3)
    seed: int = chosen(0)


def jumps(taus: np.ndarray, thetas: np.ndarray, times: np.ndarray, visited: np.ndarray) -> np.ndarray:
    """When, from half-way after the jump before to half-way to the next, the flow comes nearer to the next saddle."""
    apart = np.linalg.norm(thetas[:, None] - visited, axis=2)
    middles = np.concatenate([[0], (times[1:] + times[:-1]) / 2, [taus[-1]]])
    seen = []
    for i in range(times.size):
        within = np.flatnonzero((taus >= middles[i]) & (taus <= middles[i + 1]))
        nearer = within[apart[within, i + 1] < apart[within, i]]
        seen.append(taus[nearer[0]] if nearer.size else np.inf)
    return np.array(seen)


def compute(config: Config) -> dict[str, np.ndarray]:
    found: dict[str, Any] = {name: [] for name in ("jump_error", "saddle_error", "last_error", "jumps")}
    for i in range(config.instances):
        problem = ht.sparse_regression(config.n, config.d, config.k, seed=config.seed + i)
        times, visited = saddles(problem)
        taus = np.linspace(times[0] * 0.5, times[-1] * 1.15, config.points)
        rows = {name: [] for name in ("jump_error", "saddle_error")}
        for log in config.logs:
            geo = ht.Hypentropy(log_gamma=-log)
            flow = ht.solve_flow(problem, geo, ts=taus * log / 2, rtol=1e-9)
            gone = np.diff(times) > config.gap / log
            alone = np.concatenate([[True], gone]) & np.concatenate([gone, [True]])
            seen = np.abs(jumps(taus, flow.thetas, times, visited) / times - 1)
            rows["jump_error"].append(np.max(seen[alone]) if alone.any() else np.nan)
            middle = [np.argmin(np.abs(taus - t)) for t in (times[:-1] + times[1:])[gone] / 2]
            apart = np.linalg.norm(flow.thetas[middle] - visited[1:-1][gone], axis=1)
            rows["saddle_error"].append(np.max(apart / np.linalg.norm(visited[-1]), initial=0))
            if i == 0:
                found[f"path {log:g}"] = flow.thetas
        if i == 0:
            found |= {"taus": taus, "times": times, "visited": visited}
        for name, row in rows.items():
            found[name].append(row)
        least = ht.basis_pursuit(problem)
        found["last_error"].append(np.linalg.norm(visited[-1] - least) / np.linalg.norm(least))
        found["jumps"].append(times.size)
    return {name: np.asarray(values) for name, values in found.items()}


def compare(config: Config, numbers) -> list[Comparison]:
    far, near = config.logs
    error = numbers["jump_error"]
    return [
        Comparison(says="times of the jumps over those of their algorithm, worst deviation from 1, at the smallest α",
                   theirs="→ 0", origin="claim", ours=float(error[:, 1].max()), high=20 / near,
                   tolerance="20/ln(1/γ): the time to grow from γ to 1 is ln(1/γ) up to a constant"),
        Comparison(says="the same error, over that of the larger α", theirs="falls like 1/ln(1/α)", origin="claim",
                   ours=float(error[:, 1].max() / error[:, 0].max()), high=2 * far / near,
                   tolerance="twice the ratio of the logarithms"),
        Comparison(says="distance from the saddles of their algorithm half-way between the jumps, relative, worst",
                   theirs="→ 0", origin="claim", ours=float(numbers["saddle_error"][:, 1].max()), high=1e-2,
                   tolerance="1 %, of jumps that are far enough apart"),
        Comparison(says="distance of the last saddle from least L1 norm, relative, worst", theirs="0", origin="claim",
                   ours=float(numbers["last_error"].max()), high=1e-6, tolerance="of the solvers"),
    ]  # fmt: skip


def draw(figure, config: Config, numbers) -> None:
    axes = figure.subplots(1, 2, sharey=True)
    active = np.flatnonzero(np.any(numbers["visited"] != 0, axis=0))
    colours = (BLUE, ORANGE, GREEN, PINK, SKY)
    for ax, log in zip(axes, config.logs, strict=True):
        for j, entry in enumerate(active):
            ax.plot(numbers["taus"], numbers[f"path {log:g}"][:, entry], color=colours[j % len(colours)])
            steps = np.concatenate([[0], numbers["times"], numbers["taus"][-1:]])
            held = np.concatenate([numbers["visited"][:, entry], numbers["visited"][-1:, entry]])
            ax.step(steps, held, where="post", **THEIRS)
        ax.set(title=f"$\\ln(1/\\gamma)$ = {log:g}", xlabel="$2t/\\ln(1/\\gamma)$", xlim=numbers["taus"][[0, -1]])
    axes[0].set_ylabel("entries of $\\beta$")


CONFIG = Config()
REPRODUCTION = Reproduction(
    name="pesme-saddles",
    source="pesme2023saddle",
    place="Figure 1; Algorithm 1",
    title="From saddle to saddle, at times that are known",
    claim="From a vanishing initialization the flow jumps from saddle to saddle, at times and to points that a "
    "recursive algorithm gives, until the interpolator of least L1 norm.",
    config=CONFIG,
    smoke=replace(CONFIG, instances=1, points=600),
    full=replace(CONFIG, instances=10),
    compute=compute,
    compare=compare,
    draw=draw,
    caption="Entries of the flow in rescaled time, from two initializations; dashed: what their algorithm says.",
)
