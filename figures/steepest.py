"""F38: steepest flows on factors, by their exponent and depth."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from .certified import certified
from .style import THEORY, panel_label

NUMBER = "F38"
TITLE = "Steepest flows on factors: soon there, but elsewhere"
SOURCE = "Jacobs, Zhou, Burkholz [jacobs2026never]: the flows and their exponent; the inclusion and the limits: own"
CAPTION = (
    "Steepest flows of exponent q, from sign flow (q = 1) to gradient flow (q = 2), on the factors of θ, of which one "
    "is 0 at the start and the others are 0.1, on sparse regressions without noise. (a) Three factors, one instance: "
    "the error along the flow, and (dots) where it has converged. {For q < 2 it arrives in finite time and rests, the "
    "sooner the smaller q is}"
    "(steepest.arrival). (b) The error of the limit, median and range of the instances: {it falls as q goes to 2, and "
    "for gradient flow with the number of factors; that of sign flow is at least a half}"
    "(steepest.recovery). (c) How far the limit is from the interpolator of least R, by its optimality condition: "
    "{0 for q = 2 alone}(steepest.kkt), while {the flow keeps its conserved quantities to rounding}"
    "(steepest.drift). (d) The powers that decoupled weight decay induces, fitted at the ends of flows on other "
    "problems: {2 − m in the mirror flow}(never.decay), but {what is stationary there has the power q*/L, the same "
    "for q = 2 alone}(never.decay)."
)
COLOURS = ("#0072B2", "#56B4E9", "#009E73", "#E69F00", "#D55E00")
DEPTHS = (("0.4", "o", "-"), ("#0072B2", "s", "--"), ("#D55E00", "^", "-"))


def _paths(ax, dataset: xr.Dataset) -> None:
    deepest = dataset["path"].isel(depth=-1)
    for q, colour in zip(dataset["q"].values, np.array(COLOURS)[_spread(dataset.sizes["q"])], strict=True):
        ax.plot(dataset["time"], deepest.sel(q=q), color=colour, label=f"{q:g}")
        arrival = float(dataset["arrival"].isel(instance=0, depth=-1).sel(q=q))
        ax.plot(arrival, float(deepest.sel(q=q)[-1]), "o", color=colour, markersize=4)
    ax.set(
        xscale="log",
        xlabel="time $t$",
        ylabel="error, relative",
        title=f"$L = {int(dataset['depth'][-1])}$",
        ylim=(0, None),
    )
    ax.legend(title="$q$", loc="lower left", ncols=1, handlelength=1.2)


def _spread(count: int) -> np.ndarray:
    return np.round(np.linspace(0, len(COLOURS) - 1, count)).astype(int)


def _by_depth(ax, values: xr.DataArray) -> None:
    for depth, (colour, marker, line) in zip(values["depth"].values, DEPTHS, strict=False):
        one = values.sel(depth=depth)
        low, middle, high = (one.quantile(level, "instance") for level in (0, 0.5, 1))
        ax.fill_between(one["q"], low, high, color=colour, alpha=0.12, linewidth=0)
        ax.plot(one["q"], middle, line, color=colour, marker=marker, markersize=4, label=f"{depth}")
    ax.set(xlabel="exponent $q$", xticks=[1, 1.25, 1.5, 1.75, 2])


def _powers(ax, dataset: xr.Dataset) -> None:
    kinds = (("own", "#0072B2", "o", "in the mirror flow: $2 - m$"), ("penalty", "#D55E00", "^", "stationary: $q^*/L$"))
    for kind, colour, marker, label in kinds:
        ax.plot(
            dataset[f"{kind}_theory"],
            dataset[f"{kind}_power"],
            marker,
            color=colour,
            markersize=4,
            fillstyle="none",
            label=label,
        )
    ends = [float(dataset["own_theory"].min()), float(dataset["penalty_theory"].max())]
    ax.plot(ends, ends, **THEORY)
    ax.set(xscale="log", yscale="log", xlabel="power, predicted", ylabel="power, fitted")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(FixedLocator([0.6, 0.8, 1, 1.5, 2, 3]))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_locator(NullLocator())
    ax.legend(loc="upper left")


def draw(dataset: xr.Dataset) -> Figure:
    """The ways, the errors and the optimality of the limits, and the powers."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset)
    figure, axes = plt.subplots(2, 2, figsize=(6.75, 5.2), layout="constrained")
    _paths(axes[0, 0], dataset)
    _by_depth(axes[0, 1], dataset["error"])
    axes[0, 1].set(ylabel="error of the limit, relative", ylim=(0, None))
    axes[0, 1].legend(title="factors $L$", loc="lower left")
    _by_depth(axes[1, 0], dataset["kkt"])
    axes[1, 0].set(ylabel="KKT residual of $\\mathrm{argmin}\\,R$", ylim=(-0.02, None))
    _powers(axes[1, 1], dataset)
    for ax, letter in zip(axes.flat, "abcd", strict=True):
        panel_label(ax, letter)
    return figure
