"""F4: from L2 to L1."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from .certified import certified
from .style import COLOURS, LABELS, panel_label

NUMBER = "F4"
TITLE = "From L2 to L1"
SOURCE = "HAM, Theorem 4.6; Woodworth et al., Theorem 1"
CAPTION = (
    "Norms of the limits from zero, relative to the least possible ones. From left to right, as α grows and γ shrinks, "
    "the excess of the L1 norm vanishes and that of the L2 norm appears. Thick lines: medians over random sparse problems; "
    "bands: their 10th to 90th percentiles; thin lines: real data sets. The approach to the L1 end takes decades in the "
    "parameter: it is exponential in its logarithm, at a rate that depends on the problem."
)
_DASHES = ("--", ":", "-.")
_WORDS = {
    "l1": "$\\|\\theta_\\infty\\|_1 / \\min\\|\\theta\\|_1 - 1$",
    "l2": "$\\|\\theta_\\infty\\|_2 / \\min\\|\\theta\\|_2 - 1$",
}


def draw(dataset: xr.Dataset) -> Figure:
    """Excess of the L1 norm (top) and of the L2 norm (bottom), for HAM against α (left) and for m*w against 1/γ."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset)
    figure, axes = plt.subplots(2, 2, figsize=(6.75, 4.2), sharex=True, sharey="row")
    scale = np.exp(dataset["log_parameter"].values)
    real = dataset["is_real"].values
    for row, norm in zip(axes, ("l1", "l2"), strict=True):
        excess = dataset[norm] / dataset[f"least_{norm}"] - 1
        for ax, family, x in zip(row, ("HAM", "m*w"), (scale, 1 / scale), strict=True):
            lane, colour = excess.sel(family=family), COLOURS[family]
            low, middle, high = lane[~real].quantile([0.1, 0.5, 0.9], dim="problem").values
            ax.plot(x, middle, color=colour, linewidth=1.8, label="random problems")
            ax.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
            for problem, dashes in zip(dataset["problem"].values[real], _DASHES, strict=False):
                values = lane.sel(problem=problem)
                ax.plot(x, values, color="0.25", linewidth=0.9, linestyle=dashes, label=str(problem))
            ax.set(xscale="log", yscale="log", ylim=(1e-5, 4))
    for ax, family, label in zip(axes[0], ("HAM", "m*w"), ("$\\alpha$", "$1/\\gamma$"), strict=True):
        ax.set_title(LABELS[family])
        axes[1][list(axes[0]).index(ax)].set_xlabel(label)
    for ax, norm in zip(axes[:, 0], ("l1", "l2"), strict=True):
        ax.set_ylabel(_WORDS[norm])
    for ax, letter in zip(axes.ravel(), "abcd", strict=True):
        panel_label(ax, letter)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure
