"""Ali, Kolter and Tibshirani 2019: gradient flow, stopped, against ridge regression."""

from dataclasses import dataclass, replace

import numpy as np

import hamtheory as ht

from .._drawing import BLUE, GREEN, ORANGE, THEIRS
from .._reproduction import Comparison, Reproduction, chosen, stated, unstated

PRIOR = ([-1.0, 1.0], [0.5, 0.5])


@dataclass(frozen=True)
class Config:
    path: float = stated(1.69, "the bound along the path")
    best: float = stated(1.22, "the bound at the best, of an earlier version")
    deltas: tuple[float, ...] = unstated((0.5, 1.0, 2.0), "n over the number of columns")
    noises: tuple[float, ...] = unstated((0.3, 1.0, 3.0), "σ/‖θ*‖ times √n")
    times: tuple[float, float, int] = chosen((1e-3, 1e4, 99), "first, last, count")
    clock: float = stated(1.0, "t = 1/λ")
    rows: int = chosen(200, "of a draw")
    seed: int = chosen(0)


def compute(config: Config) -> dict[str, np.ndarray]:
    ts = np.geomspace(*config.times)
    how = {"delta": np.array(config.deltas)[:, None, None], "prior": PRIOR, "sigma": np.array(config.noises)[:, None]}
    flow = ht.asymptotics.predict_gradient_flow(ts, **how).mse
    ridge = ht.asymptotics.predict(ht.Euclidean(), weight_decay=config.clock / ts, **how).mse
    # One draw, at the middle of both.
    delta, noise = config.deltas[len(config.deltas) // 2], config.noises[len(config.noises) // 2]
    d = round(config.rows / delta)
    rng, truth = np.random.default_rng(config.seed), np.ones(d)
    X = rng.standard_normal((config.rows, d))
    problem = ht.LinearRegression(X, X @ truth + np.sqrt(config.rows) * noise * rng.standard_normal(config.rows))
    looks = ts[ts > 0.05][::4]
    path = ht.regularization_path(problem, ht.Euclidean(), config.clock / looks).thetas
    along = ht.solve_flow(problem, ht.Euclidean(), ts=looks).thetas
    drawn = np.array([np.mean((np.asarray(thetas) - truth) ** 2, axis=1) for thetas in (along, path)])
    return {"ts": ts, "flow": flow, "ridge": ridge, "looks": looks, "drawn": drawn}


def compare(config: Config, numbers) -> list[Comparison]:
    flow, ridge = numbers["flow"], numbers["ridge"]
    ratio, best = flow / ridge, flow.min(axis=-1) / ridge.min(axis=-1)
    return [
        Comparison(says="risk of the flow at t over that of ridge at λ = 1/t, largest", theirs=f"{config.path:g}",
                   origin="claim", ours=float(ratio.max()), high=config.path),
        Comparison(says="best risk of the flow over the best of ridge, largest", theirs=f"{config.best:g}",
                   origin="claim", ours=float(best.max()), high=config.best),
        Comparison(says="best risk of the flow over the best of ridge, least", theirs="ridge is Bayes: at least 1",
                   origin="claim", ours=float(best.min()), low=1 - 1e-3, tolerance="the grid of times"),
        Comparison(says="the two risks of one draw, apart in parts of that of ridge: largest",
                   theirs="nearly the same curves", origin="claim",
                   ours=float(np.max(numbers["drawn"][0] / numbers["drawn"][1])), high=config.path),
    ]  # fmt: skip


def draw(figure, config: Config, numbers) -> None:
    left, right = figure.subplots(1, 2)
    i, j = len(config.deltas) // 2, len(config.noises) // 2
    for name, colour, k in (("flow", BLUE, 0), ("ridge", ORANGE, 1)):
        label = "gradient flow at $t$" if name == "flow" else "ridge at $\\lambda = 1/t$"
        left.plot(numbers["ts"], numbers[name][i, j], color=colour, label=label)
        left.plot(numbers["looks"], numbers["drawn"][k], "o", color=colour, markersize=2.5)
    left.set(xscale="log", yscale="log", xlabel="$t$", ylabel="risk of a coordinate")
    left.legend()
    for a, colour in enumerate((BLUE, GREEN, ORANGE)[: len(config.deltas)]):
        right.plot(numbers["ts"], (numbers["flow"][a] / numbers["ridge"][a]).T, color=colour, linewidth=0.9)
        right.plot([], [], color=colour, label=f"$\\delta$ = {config.deltas[a]:g}")
    right.axhline(config.path, **THEIRS)
    right.set(xscale="log", xlabel="$t$", ylabel="risk of the flow over that of ridge")
    right.legend(loc="lower right")


CONFIG = Config()
REPRODUCTION = Reproduction(
    name="ali-risk",
    source="ali2019continuous",
    place="abstract, the bounds along the path and at the best",
    title="Gradient flow, stopped, against ridge",
    claim="At t = 1/λ the risk of gradient flow is at most 1.69 times that of ridge, and at the best of both at most "
    "1.22 times.",
    config=CONFIG,
    smoke=replace(CONFIG, times=(1e-3, 1e4, 45), rows=100),
    full=replace(CONFIG, rows=1000),
    compute=compute,
    compare=compare,
    draw=draw,
    caption="Left: risks as predicted in high dimension, and of one draw (dots). Right: the ratio, for every noise; "
    "dashed: their bound.",
)
