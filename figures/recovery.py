"""F5: distance to the truth along the flows."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from .certified import certified
from .style import LABELS, panel_label, shades

NUMBER = "F5"
TITLE = "Along the flows: distance to the sparse truth, and error on held-out spectra"
SOURCE = "HAM, Theorem 4.6; positional bias: THEORY, section 2 (the limit minimises the divergence from the start)"
CAPTION = (
    "(a) From zero, the larger α (or the smaller γ), the closer the limit to the sparse ground truth. (b) From a random "
    "start, variance 1/√n, no flow gets there without weight decay, whatever its parameter: the limit is the interpolator "
    "nearest to the start. (c) Real spectra, glucose, from zero: error on five held-out rows; dotted: the mean of the "
    "training rows. Lines: medians over random problems (a, b) or random splits (c); bands: 10th to 90th percentiles."
)


def flow_styles(dataset: xr.Dataset) -> dict[str, tuple[tuple[float, ...] | str, str]]:
    """Colour and legend of every flow: shades of one colour for the parameters of a family."""
    family, parameter = dataset["family"].values, dataset["parameter"].values
    styles = {}
    for name in dict.fromkeys(family.tolist()):
        # From the L2 end to the L1 end, light to dark.
        members = np.flatnonzero(family == name)
        members = members[np.argsort(parameter[members] if name == "HAM" else -parameter[members])]
        for member, colour in zip(members, shades(name, len(members)), strict=True):
            symbol = {"HAM": f", α = {parameter[member]:g}", "m*w": f", γ = {parameter[member]:g}"}.get(name, "")
            styles[str(dataset["flow"].values[member])] = (colour, LABELS[name] + symbol)
    return styles


def draw(dataset: xr.Dataset) -> Figure:
    """Three panels against time: from zero, from a random start, on spectra."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset)
    figure, axes = plt.subplots(1, 3, figsize=(6.75, 2.9), sharex=True)
    panels = {
        "from zero": dataset["distance"].sel(start="zero"),
        "from a random start": dataset["distance"].sel(start="random"),
        "spectra, held-out rows": dataset["rmse"],
    }
    styles = flow_styles(dataset)
    for ax, (title, values), letter in zip(axes, panels.items(), "abc", strict=True):
        for flow, (colour, label) in styles.items():
            low, middle, high = values.sel(flow=flow).quantile([0.1, 0.5, 0.9], dim="instance").values
            ax.plot(dataset["time"], middle, color=colour, label=label)
            ax.fill_between(dataset["time"], low, high, color=colour, alpha=0.12, linewidth=0)
        ax.set(xscale="log", title=title, xlabel="time $t$")
        ax.set_ylim(bottom=0)
        panel_label(ax, letter)
    axes[0].set_ylabel("distance to the truth $\\|\\theta_t - \\theta^*\\|_2$")
    axes[1].set_ylabel("distance to the truth $\\|\\theta_t - \\theta^*\\|_2$")
    axes[2].set_ylabel("root mean square error in g/L")
    axes[2].axhline(float(dataset["mean_rmse"].median()), color="0.45", linestyle=":", linewidth=1)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure
