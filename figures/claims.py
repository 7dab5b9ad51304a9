"""T1: what is claimed of HAM in training, claim by claim."""

import math

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .certified import certified
from .style import panel_label

NUMBER = "T1"
TITLE = "HAM in dense and sparse training, claim by claim"
SOURCE = (
    "claims and published values: [jacobs2026ham] (ResNet-50, ImageNet); methods: [peste2021acdc], [evci2020rigging], "
    "[kusupati2020str], [ziyin2023spred], [jacobs2025mask], [gadhikar2025signin], [foret2021sharpness]"
)
CAPTION = (
    "Differences of test accuracy, in points, between two ways to train the same networks: mean over pairs of seeds "
    "and its 95 % interval. Wide bars: {where the search for hyperparameters could have led, had the trials of its "
    "second part been others}(claims.search), by the search's own seeds; an interval over seeds does not know of it. "
    "Blue: {both are above 0, the claim is replicated; vermilion: both are below, contradicted; grey: nothing can be "
    "said at this scale}(claims.verdicts). Diamonds: {the published differences, of another network and data "
    "set}(claims.published). {Both arms start from one search for the base, and go on with equally many trials, of "
    "the same learning rates and decays; HAM's have an α and a β besides.}(claims.same-search) The number at the end "
    "of a name is the sparsity. Rows of the last group are not claimed. A network that diverged counts with the "
    "accuracy of a guess. Axes are linear up to one point, and logarithmic beyond."
)
COLOURS = {1: "#0072B2", 0: "0.55", -1: "#D55E00"}
WORDS = {1: "replicated", 0: "not at this scale", -1: "contradicted"}


def draw(dataset: xr.Dataset) -> Figure:
    """T1 from the data set of the experiment `sparse_training`."""
    import matplotlib.pyplot as plt

    certified(dataset, mask_failures=True)
    accuracies = dataset.isel(claim=dataset["group"].values != "sign flips")
    groups = list(dict.fromkeys(accuracies["group"].values))
    heights, y = [], 0.0
    for i, group in enumerate(accuracies["group"].values):
        if i == 0 or group != accuracies["group"].values[i - 1]:
            y += 1.6
        heights.append(y)
        y += 1.0
    heights = np.array(heights)
    names = list(dataset["data"].values)
    figure, axes = plt.subplots(
        1, len(names), figsize=(6.9, 0.115 * y + 1.3), sharey=True, sharex=True, layout="constrained", squeeze=False
    )
    for ax, data, letter in zip(axes[0], names, "abcdef", strict=False):
        here = accuracies.sel(data=data)
        for i, height in enumerate(heights):
            row = here.isel(claim=i)
            middle, low, high = row["difference"].values
            colour = COLOURS[int(row["verdict"])]
            ax.plot(row["search"].values[1:], [height, height], color="0.8", linewidth=3, solid_capstyle="butt")
            ax.plot([low, high], [height, height], color=colour, linewidth=1.1)
            ax.plot([middle], [height], "o", color=colour, markersize=2.6)
            if not math.isnan(row["published"].item()):
                ax.plot(
                    [row["published"].item()], [height], "D", color="black", markersize=2.8, fillstyle="none", mew=0.6
                )
        ax.axvline(0, color="0.3", linewidth=0.6)
        ax.set_xscale("symlog", linthresh=1, linscale=1)
        ax.set(xlabel="difference of test accuracy, points", xlim=_limits(accuracies))
        ticks = [t for t in (-30, -10, -3, -1, 0, 1, 3, 10, 30) if ax.get_xlim()[0] <= t <= ax.get_xlim()[1]]
        ax.set_xticks(ticks, [f"{t:+d}" if t else "0" for t in ticks])
        ax.set_title(str(data))
        panel_label(ax, letter)
        ax.tick_params(axis="y", length=0)
        for group in groups:
            first = heights[list(accuracies["group"].values).index(group)]
            ax.text(
                0.005,
                first - 0.75,
                group,
                transform=ax.get_yaxis_transform(),
                fontsize=5.5,
                style="italic",
                va="center",
            )
    axes[0][0].set_yticks(heights, accuracies["claim"].values, fontsize=5)
    axes[0][0].set_ylim(y, 0)
    handles = [Line2D([], [], color=COLOURS[v], marker="o", markersize=3, label=WORDS[v]) for v in (1, 0, -1)]
    handles.append(Line2D([], [], color="0.8", linewidth=3, label="of the search"))
    handles.append(
        Line2D([], [], color="black", marker="D", markersize=3, fillstyle="none", linestyle="", label="published")
    )
    figure.legend(handles=handles, loc="outside lower center", ncols=5)
    return figure


def _limits(accuracies: xr.Dataset) -> tuple[float, float]:
    """Ends of the axis that show all means, and intervals as far as 40 points."""
    shown = np.nan_to_num(accuracies["difference"].values)
    ends = max(-shown.min(), shown.max(), np.nanmax(accuracies["published"].values, initial=1.0))
    ends = 1.15 * min(max(ends, 3.0), 40.0)
    return -ends, ends
