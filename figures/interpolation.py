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
    "Excess of the norms of the limit from zero over the least possible ones, against the parameter of the geometry. "
    "As α grows (left to right), or γ shrinks, the limit moves from the least L2 norm to the least L1 norm. Lines: "
    "medians over random sparse problems, bands: their 10th to 90th percentiles; markers: real data sets. The approach "
    "to the L1 end is exponential in ln α where basis pursuit is unique."
)


def draw(dataset: xr.Dataset) -> Figure:
    """Two panels: excess L1 and excess L2 norm, for HAM against α and for m*w against 1/γ."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset)
    figure, axes = plt.subplots(1, 2, figsize=(6.75, 2.9))
    excess = {"l1": dataset["l1"] / dataset["least_l1"] - 1, "l2": dataset["l2"] / dataset["least_l2"] - 1}
    scale = np.exp(dataset["log_parameter"].values)
    floor = 1e-8
    for ax, (norm, values), letter in zip(axes, excess.items(), "ab", strict=True):
        for family, x in (("HAM", scale), ("m*w", 1 / scale)):
            lane = values.sel(family=family)
            synthetic = lane.where(~dataset["is_real"], drop=True)
            low, middle, high = np.maximum(synthetic.quantile([0.1, 0.5, 0.9], dim="problem").values, floor)
            ax.plot(x, middle, color=COLOURS[family], label=LABELS[family])
            ax.fill_between(x, low, high, color=COLOURS[family], alpha=0.2, linewidth=0)
        ax.set(xscale="log", yscale="log", xlabel="α (HAM), 1/γ ($m\\odot w$)", ylabel=norm)
        panel_label(ax, letter)
    axes[0].legend()
    return figure
