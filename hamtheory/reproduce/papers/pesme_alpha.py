"""Pesme et al. 2021, Theorem 1: the effective initialization of SGD."""

from dataclasses import dataclass, replace

import numpy as np

import hamtheory as ht

from .._drawing import BLUE, ORANGE, THEIRS
from .._reproduction import Comparison, Reproduction, chosen, stated, unstated
from ._descent import descended, errors


@dataclass(frozen=True)
class Config:
    n: int = stated(40)
    d: int = stated(100)
    k: int = stated(5)
    alpha: float = stated(0.1, "of Figure 2")
    exponent: float = stated(2.0, "α∞ = α exp(−2γ diag(XᵀX/n)∫L)")
    rate: float = unstated(0.02, "the step γ; theirs is near the largest stable one")
    steps: int = chosen(40_000)
    runs: int = chosen(10)
    seed: int = chosen(0)


def loss_of(problem, algorithm, theta, learning_rate):
    """Theirs, a quarter of the mean square: half of ours."""
    return problem.loss(theta) / 2


def compute(config: Config) -> dict[str, np.ndarray]:
    problem = ht.sparse_regression(config.n, config.d, config.k, seed=config.seed)
    how = {"steps": config.steps, "seed": config.seed, "draws": config.runs, "integrand": loss_of}
    runs = descended(problem, 2 * config.alpha**2, [config.rate], batch_size=1, **how)
    weights = np.mean(np.square(np.asarray(problem.X)), axis=0)
    gain = config.exponent * config.rate * np.asarray(runs.integral).reshape(-1, 1) * weights
    ends = config.alpha * np.exp(-gain)  # α∞, of every run
    limits = [np.asarray(ht.solve_limit(problem, ht.Hypentropy(2 * end**2)).theta) for end in ends]
    flow = np.asarray(ht.solve_limit(problem, ht.Hypentropy(2 * config.alpha**2)).theta)
    apart = lambda other: np.linalg.norm(runs.theta - other, axis=1) / np.linalg.norm(runs.theta, axis=1)  # noqa: E731
    return {
        "theta": np.asarray(runs.theta),
        "to_predicted": apart(np.array(limits)),
        "to_flow": apart(flow),
        "predicted": np.array(limits),
        "flow": flow,
        "gain": gain,
        "error": errors(problem, runs.theta),
        "flow_error": errors(problem, flow),
        "residual": np.asarray(runs.residual),
    }


def compare(config: Config, numbers) -> list[Comparison]:
    closer = numbers["to_predicted"] / numbers["to_flow"]
    return [
        Comparison(says="distance of SGD to argmin φ_α∞, over that to argmin φ_α: largest", theirs="0",
                   origin="claim", ours=float(closer.max()), high=1 / 3,
                   tolerance="1/3: theirs is an SDE's, of first order in the step, and one run fluctuates around it"),
        Comparison(says="error of SGD over that of the flow, largest", theirs="below 1", origin="claim",
                   ours=float(np.max(numbers["error"] / numbers["flow_error"])), high=1.0),
        Comparison(says="α∞/α, largest over entries and runs", theirs="below 1", origin="claim",
                   ours=float(np.exp(-numbers["gain"].min())), high=0.99, tolerance="less by 1 % at least"),
        Comparison(says="relative residual of SGD, largest", theirs="interpolation", origin="claim",
                   ours=float(numbers["residual"].max()), high=1e-6, tolerance="where the sum ∫L has converged"),
    ]  # fmt: skip


def draw(figure, config: Config, numbers) -> None:
    left, right = figure.subplots(1, 2)
    left.plot(numbers["flow"], numbers["theta"][0], "o", color=ORANGE, label="$\\alpha$")
    left.plot(numbers["predicted"][0], numbers["theta"][0], "o", color=BLUE, label="$\\alpha_\\infty$ of the run")
    ends = [numbers["theta"].min(), numbers["theta"].max()]
    left.plot(ends, ends, **THEIRS)
    left.set(xlabel="entry of the limit of the flow from ...", ylabel="entry of the end of SGD")
    left.legend()
    right.plot(numbers["to_flow"], "o", color=ORANGE, label="from $\\alpha$")
    right.plot(numbers["to_predicted"], "o", color=BLUE, label="from $\\alpha_\\infty$")
    right.set(yscale="log", xlabel="run", ylabel="relative distance of SGD to the limit")
    right.legend()


CONFIG = Config()
REPRODUCTION = Reproduction(
    name="pesme-alpha",
    source="pesme2021implicit",
    place="Theorem 1; Figure 2",
    title="SGD ends where the flow from a smaller α does",
    claim="SGD converges to the limit of gradient flow from α∞ = α exp(−2γ diag(XᵀX/n) ∫L dt), which is less than α.",
    config=CONFIG,
    smoke=replace(CONFIG, rate=0.03, steps=20_000, runs=2),
    full=replace(CONFIG, runs=50),
    compute=compute,
    compare=compare,
    draw=draw,
    caption="Left: the entries of one run against those of the two limits. Right: relative distances of all runs.",
)
