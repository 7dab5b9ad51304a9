"""Boursier, Pesme and Dragomir 2025, Figure 4: grokking of a diagonal network."""

from dataclasses import dataclass, replace

import numpy as np

import hamtheory as ht

from .._drawing import BLUE, ORANGE, THEIRS
from .._reproduction import Comparison, Reproduction, chosen, stated

FITTED, GENERALIZES = 1e2, 1e5  # times at which their errors are about zero


@dataclass(frozen=True)
class Config:
    n: int = stated(12)
    frequency: int = stated(30, "1, cos(kπx/2) and sin(kπx/2) up to this k: d = 61")
    teacher: tuple[tuple[str, int], ...] = stated((("cos", 0), ("cos", 6), ("sin", 21)), "1 + cos(6πx/2) + sin(21πx/2)")
    decay: float = stated(1e-4, "λ/2 (‖u‖² + ‖v‖²)")
    variance: float = stated(0.1, "of the factors at the start")
    times: tuple[float, float, int] = chosen((1e-1, 3e5, 79), "first, last, count")
    draws: int = chosen(10)
    seed: int = chosen(0)


def features(x, frequency: int) -> np.ndarray:
    """Those of the points, (points, 2·frequency + 1)."""
    angles = np.outer(x, np.arange(1, frequency + 1) * np.pi / 2)
    return np.concatenate([np.ones((len(x), 1)), np.cos(angles), np.sin(angles)], axis=1)


def compute(config: Config) -> dict[str, np.ndarray]:
    truth = np.zeros(2 * config.frequency + 1)
    truth[[k + config.frequency * (kind == "sin") for kind, k in config.teacher]] = 1
    rng, ts = np.random.default_rng(config.seed), np.geomspace(*config.times)
    everywhere, train, test = features(np.linspace(-1, 1, 401), config.frequency), [], []
    for _ in range(config.draws):
        X = features(rng.uniform(-1, 1, config.n), config.frequency)
        problem = ht.LinearRegression(X, X @ truth)
        m0, w0 = np.sqrt(config.variance) * rng.standard_normal((2, truth.size))
        thetas = ht.product_flow(problem, m0, w0, weight_decay=config.decay / 2, ts=ts).thetas
        train.append(np.mean((thetas @ X.T - problem.y) ** 2, axis=1) / np.mean(problem.y**2))
        off = (thetas - truth) @ everywhere.T
        test.append(np.mean(off**2, axis=1) / np.mean((everywhere @ truth) ** 2))
    return {"ts": ts, "train": np.array(train), "test": np.array(test)}


def compare(config: Config, numbers) -> list[Comparison]:
    ts = numbers["ts"]
    train, test = (np.median(numbers[name], axis=0) for name in ("train", "test"))
    at = lambda values, t: float(np.interp(np.log(t), np.log(ts), values))  # noqa: E731
    delays = [ts[np.argmax(far < 0.1)] / ts[np.argmax(near < 0.01)] if (far < 0.1).any() else np.inf
              for near, far in zip(numbers["train"], numbers["test"], strict=True)]  # fmt: skip
    return [
        Comparison(says="median test error at t = 1e2, relative", theirs="of the order of 1", origin="claim",
                   ours=at(test, FITTED), low=0.2, tolerance="no generalization yet"),
        Comparison(says="time to a test error of 0.1, over that to a training error of 0.01, median",
                   theirs="orders of magnitude", origin="claim", ours=float(np.median(delays)), low=100.0, high=1e6),
        Comparison(says="median training error at t = 1e2, relative", theirs="about 0", origin="figure",
                   ours=at(train, FITTED), high=0.01, tolerance="1 %, as well as it can be seen"),
        Comparison(says="median test error at t = 1e5, relative", theirs="about 0", origin="figure",
                   ours=at(test, GENERALIZES), high=0.1, tolerance="10 %, as well as it can be seen"),
    ]  # fmt: skip


def draw(figure, config: Config, numbers) -> None:
    ax = figure.subplots()
    for name, colour, label in (("train", ORANGE, "training"), ("test", BLUE, "test")):
        ax.plot(numbers["ts"], numbers[name].T, color=colour, alpha=0.25, linewidth=0.8)
        ax.plot(numbers["ts"], np.median(numbers[name], axis=0), color=colour, label=label)
    for t in (FITTED, GENERALIZES):
        ax.axvline(t, **THEIRS)
    ax.set(xscale="log", xlabel="time", ylabel="error, relative", ylim=(-0.05, 2))
    ax.legend()


CONFIG = Config()
REPRODUCTION = Reproduction(
    name="boursier-grokking",
    source="boursier2025theoretical",
    place="Figure 4",
    title="Grokking of a diagonal network",
    claim="With small weight decay the training error is gone by t = 1e2, and the test error only by t = 1e5, as the "
    "flow drifts along the interpolators.",
    config=CONFIG,
    smoke=replace(CONFIG, draws=3, times=(1e-1, 3e5, 20)),
    full=replace(CONFIG, draws=100),
    compute=compute,
    compare=compare,
    draw=draw,
    caption="Errors of the flow on the factors, one faint line a draw, and medians; dashed: when theirs are gone.",
    size=(4.5, 2.8),
)
