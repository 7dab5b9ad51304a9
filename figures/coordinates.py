"""E1: Euler's method in two coordinate systems."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from .certified import certified
from .recovery import flow_styles
from .style import THEORY, panel_label

NUMBER = "E1"
TITLE = "Even Euler's method keeps the bias in dual coordinates"
SOURCE = "THEORY, section 2: R′(θ) − R′(θ₀) stays in the row space of X"
CAPTION = (
    "Distance of the end of Euler's method from the limit of the flow, against the step size in units of the largest stable "
    "one. In dual coordinates (filled) the limit does not depend on the step; in primal coordinates (open) the end is "
    "an interpolator too, but another one, at a distance of first order in the step. Medians over random problems; bars: "
    "their range. Steps beyond stability fail and are left out (their number is in the panel)."
)


def draw(dataset: xr.Dataset) -> Figure:
    """One panel a geometry."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset, mask_failures=True)
    styles = flow_styles(dataset)
    figure, axes = plt.subplots(1, len(styles), figsize=(6.75, 2.8), sharey=True)
    scale = dataset["scale"].values
    for ax, (flow, (colour, label)), letter in zip(np.atleast_1d(axes), styles.items(), "abcd", strict=False):
        for coordinates, face in (("dual", colour), ("primal", "white")):
            error = dataset["error"].sel(flow=flow, coordinates=coordinates)
            seen = np.isfinite(error).any("instance").values
            low, middle, high = error[:, seen].quantile([0.0, 0.5, 1.0], dim="instance").values
            ax.errorbar(
                scale[seen], middle, np.stack([middle - low, high - middle]), fmt="o-", color=colour,
                markerfacecolor=face, markersize=4, linewidth=0.9, label=f"{coordinates} coordinates",
            )  # fmt: skip
            if coordinates == "primal":
                ax.plot(scale, 1.8 * middle[0] * scale / scale[0], **THEORY, label="slope 1")
        failed = int((dataset["status"].sel(flow=flow) != 0).sum())
        total = dataset["status"].sel(flow=flow).size
        ax.axvline(1, color="0.8", linewidth=0.8, zorder=0)
        ax.text(1.04, 0.45, "unstable", rotation=90, color="0.5", transform=ax.get_xaxis_transform(), fontsize=7)
        ax.set(xscale="log", yscale="log", title=label, xlabel="step size / largest stable step")
        ax.text(0.03, 0.97, f"{failed} of {total} runs failed", transform=ax.transAxes, va="top", fontsize=7)
        panel_label(ax, letter)
    np.atleast_1d(axes)[0].set_ylabel("$\\|\\theta_{\\mathrm{Euler}} - \\theta_\\infty\\| / \\|\\theta_\\infty\\|$")
    figure.legend(*np.atleast_1d(axes)[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure
