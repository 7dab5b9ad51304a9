"""Even et al. 2023, Figure 4: large steps on data that are not centred."""

from dataclasses import dataclass, replace

import numpy as np

from .._reproduction import Comparison, Reproduction, chosen, stated, unstated
from ._even import at_largest, sweep
from .even_steps import draw_sweep

READ = {"flow": 1e-2, "GD": 1e-5, "SGD": 1e-5}  # the ends of their axis


@dataclass(frozen=True)
class Config:
    n: int = stated(20)
    d: int = stated(30)
    k: int = stated(3)
    alpha: float = stated(0.1)
    mean: float = stated(5.0, "of the data")
    spikes: float = unstated(1.0, "the size of the entries of β*, of either sign")
    single: float = chosen(2.0, "by what the steps of single samples are smaller than those of full gradients")
    count: int = chosen(24, "of step sizes")
    steps: int = chosen(100_000)
    tol: float = chosen(1e-3, "relative residual of a run that has converged")
    instances: int = chosen(4)
    seed: int = chosen(0)


def compute(config: Config) -> dict[str, np.ndarray]:
    return sweep(config)


def compare(config: Config, numbers) -> list[Comparison]:
    gd, sgd = np.nanmedian(at_largest(numbers, "error", config.tol), axis=1)
    on, off = (np.nanmedian(at_largest(numbers, name, config.tol), axis=1) for name in ("gain_on", "gain_off"))
    flow = float(np.median(numbers["flow"]))
    return [
        Comparison(says="error of gradient descent at its largest step, over that of the flow", theirs="far below 1",
                   origin="claim", ours=float(gd / flow), high=0.1, tolerance="an order of magnitude, as drawn"),
        Comparison(says="error of SGD at its largest step, over that of the flow", theirs="far below 1",
                   origin="claim", ours=float(sgd / flow), high=0.1, tolerance="an order of magnitude, as drawn"),
        Comparison(says="gain on over off the support of gradient descent at its largest step",
                   theirs="about 1", origin="claim", ours=float(on[0] / off[0]), low=0.5, high=2.0,
                   tolerance="a factor of 2; on centred data it is far above"),
        Comparison(says="error of the flow", theirs=f"{READ['flow']:g}", origin="figure", ours=flow,
                   low=READ["flow"] / 10, high=READ["flow"] * 10, tolerance="a factor of 10 between draws",
                   why="their draw and the size of β* are not known"),
    ]  # fmt: skip


def draw(figure, config: Config, numbers) -> None:
    draw_sweep(figure, config, numbers, {})


CONFIG = Config()
REPRODUCTION = Reproduction(
    name="even-uncentred",
    source="even2023sgd",
    place="Figure 4",
    title="On data that are not centred large steps help both",
    claim="If the data have a mean, large steps lower the error of gradient descent as they lower that of SGD.",
    config=CONFIG,
    smoke=replace(CONFIG, count=8, steps=15_000, instances=2),
    full=replace(CONFIG, count=48, steps=300_000, instances=10),
    compute=compute,
    compare=compare,
    draw=draw,
    caption="Squared distances to the truth of the runs that converged, one line a draw, against the step "
    "over the largest that is stable for GD near the flow's limit; dashed: the flow's limit, "
    "median.",
)
