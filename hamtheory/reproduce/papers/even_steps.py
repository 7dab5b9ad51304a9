"""Even et al. 2023, Figure 1: large steps with full gradients and with single samples."""

from dataclasses import dataclass, replace

import numpy as np

from .._drawing import BLUE, ORANGE, THEIRS
from .._reproduction import Comparison, Reproduction, chosen, stated, unstated
from ._even import RULES, at_largest, sweep

READ = {"flow": 6e-3, "GD": 1.0, "SGD": 1e-7}  # of their figure: small steps, and the largest that converge


@dataclass(frozen=True)
class Config:
    n: int = stated(20)
    d: int = stated(30)
    k: int = stated(3)
    alpha: float = stated(0.1)
    mean: float = stated(0.0, "of the data")
    spikes: float = unstated(1.0, "the size of the entries of β*, of either sign")
    single: float = chosen(4.0, "by what the steps of single samples are smaller than those of full gradients")
    count: int = chosen(24, "of step sizes")
    steps: int = chosen(60_000)
    tol: float = chosen(1e-3, "relative residual of a run that has converged")
    instances: int = chosen(4)
    seed: int = chosen(0)


def compute(config: Config) -> dict[str, np.ndarray]:
    return sweep(config)


def compare(config: Config, numbers) -> list[Comparison]:
    gd, sgd = np.nanmedian(at_largest(numbers, "error", config.tol), axis=1)
    on, off = (np.nanmedian(at_largest(numbers, name, config.tol), axis=1) for name in ("gain_on", "gain_off"))
    flow, open_ = float(np.median(numbers["flow"])), "their draw and the size of β* are not known"
    return [
        Comparison(says="error of gradient descent at its largest step, over that of the flow", theirs="far above 1",
                   origin="claim", ours=float(gd / flow), low=10.0, tolerance="an order of magnitude, as drawn"),
        Comparison(says="error of SGD at its largest step, over that of the flow", theirs="far below 1",
                   origin="claim", ours=float(sgd / flow), high=0.1, tolerance="an order of magnitude, as drawn"),
        Comparison(says="gain on over off the support at the largest step, gradient descent's over SGD's",
                   theirs="above 1 (Section 4: that of SGD is uniform)", origin="claim",
                   ours=float(on[0] / off[0] / (on[1] / off[1])), low=1.0),
        Comparison(says="error of the flow", theirs=f"{READ['flow']:g}", origin="figure", ours=flow,
                   low=READ["flow"] / 10, high=READ["flow"] * 10, tolerance="a factor of 10 between draws", why=open_),
        Comparison(says="error of gradient descent at its largest step", theirs=f"{READ['GD']:g}", origin="figure",
                   ours=float(gd), low=READ["GD"] / 10, high=READ["GD"] * 10, tolerance="a factor of 10", why=open_),
        Comparison(says="error of SGD at its largest step", theirs=f"{READ['SGD']:g}", origin="figure",
                   ours=float(sgd), low=0.0, high=READ["SGD"] * 10, tolerance="a factor of 10, or less", why=open_),
    ]  # fmt: skip


def draw_sweep(figure, config, numbers, read) -> None:
    """Errors against the step, with what is read off theirs."""
    axes = figure.subplots(1, 2, sharey=True)
    for r, (ax, rule, colour) in enumerate(zip(axes, RULES, (ORANGE, BLUE), strict=True)):
        for i in range(config.instances):
            fine = numbers["residual"][r, i] <= config.tol
            rates = numbers["rate"][r, i] / numbers["unit"][r, i]
            ax.plot(rates[fine], numbers["error"][r, i][fine], "o-", color=colour, markersize=2.5, alpha=0.7)
        ax.axhline(np.median(numbers["flow"]), **THEIRS)
        if rule in read:
            ax.axhline(read[rule], color="0.6", linestyle=":", linewidth=1)
        title = "full gradients (GD)" if rule == "GD" else "single samples (SGD)"
        ax.set(xscale="log", yscale="log", xlabel="step size / stable one of GD", title=title)
        ax.set_xlim(left=0.009)
    axes[0].set_ylabel("$\\|\\beta_\\infty - \\beta^*\\|^2$")


def draw(figure, config: Config, numbers) -> None:
    draw_sweep(figure, config, numbers, READ)


CONFIG = Config()
REPRODUCTION = Reproduction(
    name="even-steps",
    source="even2023sgd",
    place="Figure 1",
    title="Large steps help SGD, and harm gradient descent",
    claim="As the step grows to the largest that converges, the error of SGD falls by orders of magnitude, and that of "
    "gradient descent, whose gain concentrates on the support, rises.",
    config=CONFIG,
    smoke=replace(CONFIG, count=16, steps=15_000, instances=1),
    full=replace(CONFIG, count=48, steps=300_000, instances=10),
    compute=compute,
    compare=compare,
    draw=draw,
    caption="Squared distances to the truth of the runs that converged, one line a draw, against the step "
    "over the largest that is stable for GD near the flow's limit; dashed: the flow's limit, "
    "median; dotted: read off theirs at the largest step.",
)
