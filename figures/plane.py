"""F3: one equation, two unknowns."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from .certified import certified
from .style import COLOURS, LABELS, panel_label

NUMBER = "F3"
TITLE = "One equation, two unknowns"
SOURCE = "HAM [jacobs2026ham], Theorem 4.6; [li2022implicit]; [gunasekar2018characterizing]"
CAPTION = (
    "Each flow (lines; dots at every 0.05 of time) {goes from its start (circles) to the point of the line of "
    "interpolators (grey) where a level set of the divergence D(θ, θ₀) from its start (shaded) first "
    "touches}(flow.bregman-projection): the limit, found by Newton's method without integrating. {Gradient descent "
    "goes straight.}(geometry.gd) {With m⊙w a parameter slows down where it would have to change its "
    "sign}(geometry.mw), and {the path hugs the axes: from the lower right it ends before the sign of θ₂ has "
    "changed}(plane.mw-keeps-the-sign). {HAM is never slower than gradient descent, at zero too}(ham.comparison): {it "
    "changes that sign, and still ends near an axis}(plane.ham-changes-the-sign). ({With γ = 1/α the metric of m⊙w is "
    "HAM's within a factor of √2, but for the unit of time}(geometry.sandwich).)"
)
MARGIN = 0.55


def window(dataset: xr.Dataset) -> tuple[tuple[float, float], tuple[float, float]]:
    """A square that shows all starts and limits."""
    points = np.concatenate([dataset["theta0"].values, dataset["limit"].values.reshape(-1, 2)])
    low, high = points.min(axis=0) - MARGIN, points.max(axis=0) + MARGIN
    middle, half = (low + high) / 2, np.max(high - low) / 2
    (left, bottom), (right, top) = (middle - half).tolist(), (middle + half).tolist()
    return (left, right), (bottom, top)


def draw(dataset: xr.Dataset) -> Figure:
    """One panel a geometry, all in the same window and from the same starts."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset)
    names = dataset["geometry"].values.tolist()
    figure, axes = plt.subplots(1, len(names), figsize=(2.25 * len(names), 2.7), sharex=True, sharey=True)
    (a, b), target = dataset["row"].values, float(dataset["target"])
    xlim, ylim = window(dataset)
    x = np.array(xlim)
    for ax, name, letter in zip(axes, names, "abcd", strict=False):
        case, colour = dataset.sel(geometry=name), COLOURS[name]
        ax.axhline(0, color="0.8", linewidth=0.6, zorder=0)
        ax.axvline(0, color="0.8", linewidth=0.6, zorder=0)
        ax.plot(x, (target - a * x) / b, color="0.5", linewidth=2.2, zorder=1)
        for start in range(dataset.sizes["start"]):
            one = case.isel(start=start)
            level = one["level_set"].transpose("axis", ...).values
            ax.fill(*level, facecolor=colour, alpha=0.07, zorder=0)
            ax.plot(*level, color=colour, alpha=0.45, linewidth=0.6)
            ax.plot(*one["path"].transpose("axis", ...).values, color=colour)
            ax.plot(*one["marks"].transpose("axis", ...).values, "o", color=colour, markersize=2.2)
            ax.plot(*one["theta0"].values, "o", color=colour, markerfacecolor="white", markersize=5, zorder=4)
            ax.plot(*one["limit"].values, "o", color=colour, markersize=5)
        ax.set(xlim=xlim, ylim=ylim, aspect="equal", xlabel="$\\theta_1$")
        ax.locator_params(nbins=5, integer=True)
        ax.set_title(f"{LABELS[name]}\n$g^{{-1}}(\\theta)$ = {case['inverse_metric'].item()}")
        panel_label(ax, letter, lines=2)
    axes[0].set_ylabel("$\\theta_2$")
    return figure
