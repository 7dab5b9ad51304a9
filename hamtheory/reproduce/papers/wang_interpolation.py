"""Wang, Donhauser and Yang 2022: what interpolating noise costs the least L1 norm."""

from dataclasses import dataclass, replace

import numpy as np

import hamtheory as ht

from .._drawing import BLUE, ORANGE, THEIRS
from .._reproduction import Comparison, Reproduction, chosen, unstated


@dataclass(frozen=True)
class Config:
    log_ratios: tuple[float, float, int] = chosen((1.0, 12.0, 23), "log₁₀ d/n of the prediction: first, last, count")
    n: int = unstated(80, "of the draws")
    ratios: tuple[int, ...] = unstated((5, 10, 20), "d/n of the draws")
    signal: float = chosen(
        1e-20, "share of entries of θ* that are 1, where a law of zeros alone has nothing to predict"
    )
    draws: int = chosen(5)
    seed: int = chosen(0)


def compute(config: Config) -> dict[str, np.ndarray]:
    logs = np.linspace(*config.log_ratios) * np.log(10)
    predict = lambda delta: ht.asymptotics.predict(  # noqa: E731
        ht.HAM(log_alpha=1e5), delta=delta, prior=([0.0, 1.0], [1 - config.signal, config.signal]), sigma=1.0
    )
    rng, drawn, norms = np.random.default_rng(config.seed), [], []
    for ratio in config.ratios:
        noise = [(rng.standard_normal((config.n, ratio * config.n)), rng.standard_normal(config.n))
                 for _ in range(config.draws)]  # fmt: skip
        drawn.append([np.sum(ht.basis_pursuit(ht.LinearRegression(X, y)) ** 2) for X, y in noise])
        least = [np.sum(ht.min_norm(ht.LinearRegression(X, y)) ** 2) for X, y in noise]
        norms.append(least)
    return {
        "log_ratio": logs,
        "risk": predict(np.exp(-logs)).mse * np.exp(logs),
        "drawn": np.array(drawn),
        "least_l2": np.array(norms),
        "predicted": predict(1 / np.array(config.ratios, float)).mse * np.array(config.ratios),
    }


def compare(config: Config, numbers) -> list[Comparison]:
    logs, risk = numbers["log_ratio"], numbers["risk"]
    far = logs >= logs[-1] - 4 * np.log(10)
    slope = np.polyfit(np.log(logs[far]), np.log(risk[far]), 1)[0]
    scaled = risk * logs
    return [
        Comparison(
            says="power of ln(d/n) in the risk, over the last four decades of d/n",
            theirs="−1",
            origin="claim",
            ours=float(slope),
            low=-1.15,
            high=-0.85,
            tolerance="15 %, what lower orders of 1/ln(d/n) leave of a slope",
        ),
        Comparison(
            says="risk · ln(d/n)/σ² at the largest d/n",
            theirs="1",
            origin="claim",
            ours=float(scaled[-1]),
            low=0.9,
            high=1.1,
            tolerance="10 %: it is tight up to terms that are negligible for d ≫ n",
        ),
        Comparison(
            says="risk of draws over the prediction, worst of the medians",
            theirs="1",
            origin="claim",
            ours=float(np.max(np.abs(np.median(numbers["drawn"], axis=1) / numbers["predicted"] - 1))),
            high=4 * np.sqrt(2 / config.n),
            tolerance="4√(2/n), the scatter of a sum of n squares",
        ),
    ]


def draw(figure, config: Config, numbers) -> None:
    left, right = figure.subplots(1, 2)
    logs, ratios = numbers["log_ratio"], np.array(config.ratios)
    left.plot(ratios, numbers["drawn"], "o", color=BLUE, alpha=0.5)
    left.plot(ratios, numbers["predicted"], color=BLUE, label="least L1 norm, predicted")
    left.plot(ratios, np.median(numbers["least_l2"], axis=1), color=ORANGE, label="least L2 norm")
    left.plot(ratios, 1 / np.log(ratios), **THEIRS, label="$\\sigma^2/\\ln(d/n)$")
    left.set(xscale="log", xlabel="$d/n$", ylabel="risk over $\\sigma^2$", yscale="log")
    left.set_xticks(ratios, [str(r) for r in ratios])
    left.minorticks_off()
    left.legend()
    right.plot(logs / np.log(10), numbers["risk"] * logs, color=BLUE)
    right.axhline(1, **THEIRS)
    right.set(xlabel="$\\log_{10}\\, d/n$", ylabel="risk $\\cdot\\ln(d/n)/\\sigma^2$")


CONFIG = Config()
REPRODUCTION = Reproduction(
    name="wang-interpolation",
    source="wang2022tight",
    place="abstract, the matching bounds",
    title="What interpolating noise costs the least L1 norm",
    claim="The interpolator of least L1 norm of noisy Gaussian data has the risk σ²/ln(d/n), up to terms that "
    "are negligible for d ≫ n.",
    config=CONFIG,
    smoke=replace(CONFIG, log_ratios=(1.0, 12.0, 12), n=60, ratios=(5, 10), draws=3),
    full=replace(CONFIG, n=300, draws=10),
    compute=compute,
    compare=compare,
    draw=draw,
    caption="Left: risks of pure noise, drawn (dots) and predicted; dashed: theirs. Right: the prediction over "
    "theirs, far beyond what can be drawn.",
)
