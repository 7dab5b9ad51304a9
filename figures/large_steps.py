"""E3: gradient descent on m⊙w with large steps, with full gradients and with single samples."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .certified import certified
from .style import COLOURS, THEORY, panel_label, shades

NUMBER = "E3"
TITLE = "Large steps on m⊙w: single samples lead closer to the truth, full gradients away from it"
SOURCE = "(S)GD over Diagonal Linear Networks [even2023sgd], Theorem 1 and Figures 1, 3 and 4"
CAPTION = (
    "Gradient descent on θ = m⊙w from zero, with full gradients (GD) and with one sample a step (SGD), to a relative "
    "residual of 10⁻³ or less. Step sizes are in units of the largest that is linearly stable near the limit of the "
    "flow: for GD, and in mean square for SGD. (a–c) Distance to the truth in three set-ups (n, d, nonzero entries of "
    "θ*; c: data of mean 5). Lines: medians, bands: ranges over the random problems whose runs converged, where these "
    "are at least half; dashed: the flow's limit. {On centred data the error of GD rises steeply above the stable "
    "step, and that of SGD falls by orders of magnitude; on uncentred data both fall.}(large_steps.errors) (d) Mean "
    "gain ln(γ at the start / at the end) on the support of the truth, over that off it (medians): {GD concentrates "
    "it on the support, unless the data are uncentred}(large_steps.support). (e) All converged runs: relative "
    "distance from the row space of asinh(θ/γ) − asinh(θ̃₀/γ), with γ and θ̃₀ of the end, which {by Theorem 1 is zero "
    "for any step size}(even.large-steps). (f) The first set-up: sum of the gains over its first-order value for "
    "single samples, η tr(XᵀX)/n · R_γ(θ_∞), against one over the batch size; dashed: {straight lines between GD and "
    "SGD, what independent samples give to first order}(large_steps.batches)."
)
STYLES: dict[str, dict[str, Any]] = {"GD": {"markerfacecolor": "white", "marker": "o"}, "SGD": {"marker": "s"}}
LABELS = {"GD": "full gradients (GD)", "SGD": "single samples (SGD)"}


def drawn(values: xr.DataArray) -> xr.DataArray:
    """What is drawn of the instances: low, middle and high over those that converged, if they are at least half."""
    enough = values.notnull().mean("instance") >= 0.5
    return values.where(enough, 0).quantile([0, 0.5, 1], dim="instance").where(enough)


def batch_gains(dataset: xr.Dataset) -> xr.DataArray:
    """The gains of mini-batches over the first-order gain of single samples."""
    slope = dataset["slope"].isel(setup=0)
    return (dataset["batch_gain"] / (dataset["batch_rate"] * slope)).where(dataset["batch_status"] == 0)


def _titles(dataset: xr.Dataset) -> list[str]:
    """The set-ups as titles of their panels."""
    parts = [str(name).split(", ") for name in dataset["setup"].values]
    return [f"({n}, {d}, {k})" + ("" if mean == "0" else ", uncentred") for n, d, k, _, mean in parts]


def draw(dataset: xr.Dataset) -> Figure:
    """Errors of each set-up in the first row; ratio of the gains, identity and mini-batches in the second."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset, mask_failures=True)
    titles = _titles(dataset)
    figure, grid = plt.subplots(2, 3, figsize=(6.75, 4.9), squeeze=False)
    colours: dict[str, str] = {"GD": shades("m*w", 3)[1], "SGD": COLOURS["other"]}
    lines = ["-", (0, (1, 1)), (0, (5, 1, 1, 1))]
    for i, title in enumerate(titles):
        here = dataset.isel(setup=i)
        for rule, style in STYLES.items():
            case, look = here.sel(rule=rule), style | {"color": colours[rule], "markersize": 3, "markeredgewidth": 0.7}
            low, middle, high = drawn(case["error"])
            grid[0, i].plot(case["fraction"], middle, **look)
            grid[0, i].fill_between(case["fraction"], low, high, color=colours[rule], alpha=0.18, linewidth=0)
            ratio = drawn(case["gain_on"] / case["gain_off"]).sel(quantile=0.5)
            grid[1, 0].plot(case["fraction"], ratio, linestyle=lines[i], **look)
            every = np.broadcast_to(case["fraction"].values, case["violation"].shape)
            grid[1, 1].plot(every, case["violation"], **look | {"linestyle": "", "markersize": 2})
        grid[0, i].axhline(float(here["flow_error"].median()), **THEORY, zorder=0)
        grid[0, i].set(yscale="log", ylim=(1e-8, 5))
        grid[0, i].set_title(title, loc="right")
    for ax in grid.flat[: len(titles)]:
        ax.axvline(1, color="0.8", linewidth=0.7, zorder=0)
    for ax in (*grid[0, : len(titles)], *grid[1, :2]):
        ax.set(xlim=(0, 1.05 * float(dataset["fraction"].max())), xlabel="step size / largest stable one")
    for ax in grid[0, len(titles) :]:
        ax.set_visible(False)
    grid[0, 0].set(ylabel="$\\|\\theta_\\infty - \\theta^*\\|_2^2$")
    grid[1, 0].axhline(1, **THEORY, zorder=0)
    grid[1, 0].set(yscale="log", ylabel="gain on / off the support", ylim=(0.7, 130))
    grid[1, 1].set(yscale="log", ylabel="distance from the row space", ylim=(1e-16, 1e-10))
    gains = batch_gains(dataset).median("instance")
    inverse = 1 / dataset["batch"].values
    ends = gains.isel(batch=inverse.argmin()), gains.isel(batch=inverse.argmax())
    for small, marker in zip(dataset["small"].values, "ov^", strict=False):
        first, last = (float(end.sel(small=small)) for end in ends)
        grid[1, 2].plot([0, 1], [first, last], **THEORY, zorder=0)
        look = {"color": colours["SGD"], "markersize": 3.5, "linestyle": "", "label": f"{small:g}"}
        grid[1, 2].plot(inverse, gains.sel(small=small), marker, **look)
    grid[1, 2].legend(title="step size / stable", title_fontsize=7, loc="upper left", handletextpad=0.1)
    grid[1, 2].set(xlabel="1 / batch size (0: GD)", ylabel="gain over first order", ylim=(0, None))
    for ax, letter in zip([ax for ax in grid.flat if ax.get_visible()], "abcdef", strict=False):
        panel_label(ax, letter)
    handles = {
        label: Line2D([], [], color=colours[rule], markersize=4, markeredgewidth=0.7, **STYLES[rule])
        for rule, label in LABELS.items()
    }
    handles |= {title: Line2D([], [], color="0.3", linestyle=line) for title, line in zip(titles, lines, strict=False)}
    handles["flow's limit (a–c), equal gains (d), theory (f)"] = Line2D([], [], **THEORY)
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3)
    return figure
