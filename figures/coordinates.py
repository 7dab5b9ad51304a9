"""E1: Euler's method in two coordinate systems."""

import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .certified import certified
from .flows import flow_styles
from .style import THEORY, panel_label

NUMBER = "E1"
TITLE = "Even Euler's method keeps the bias in dual coordinates"
SOURCE = "Li et al., Theorem 4.17: R′(θ) − R′(θ₀) stays in the row space of X"
CAPTION = (
    "Distance of the end of Euler's method from {the limit of the flow, found by Newton's "
    "method}(flow.bregman-projection), against the step size in units of {the largest stable one, 2/λ_max(X "
    "diag(g⁻¹(θ_∞)) Xᵀ/n)}(coordinates.largest-step). {In dual coordinates (filled) the limit does not depend on the "
    "step}(flow.dual-coordinates). In primal coordinates (open) {the end is an interpolator too, but another one, at "
    "a distance of first order in the step}(coordinates.primal), and {its duality gap says so}(flow.duality-gap): {no "
    "such run is certified as the limit}(coordinates.not-certified). Lines: random problems (n = 40, d = 100, five "
    "spikes of ±1), from zero, with all runs that came to rest; the others, with steps beyond the largest stable one, "
    "are counted in the panels."
)


def draw(dataset: xr.Dataset) -> Figure:
    """One panel a geometry."""
    import matplotlib.pyplot as plt

    failed = dataset["status"] != 0
    dataset = certified(dataset, mask_failures=True)
    styles = flow_styles(dataset)
    figure, axes = plt.subplots(1, len(styles), figsize=(6.75, 3.0), sharey=True, squeeze=False)
    scale = dataset["scale"].values
    for ax, (flow, (colour, label)), letter in zip(axes[0], styles.items(), "abcd", strict=False):
        for coordinates, face in (("dual", colour), ("primal", "white")):
            for error in dataset["error"].sel(flow=flow, coordinates=coordinates).transpose("instance", "scale").values:
                ax.plot(scale, error, "o-", color=colour, markerfacecolor=face, markersize=3.2, linewidth=0.7)
        reference = float(dataset["error"].sel(flow=flow, coordinates="primal").isel(scale=0).min())
        ax.plot(scale, 0.5 * reference * scale / scale[0], **THEORY)
        ax.axvline(1, color="0.7", linewidth=0.8, zorder=0)
        counts = failed.sel(flow=flow).sum(("instance", "scale"))
        total = failed.sel(flow=flow, coordinates="dual").size
        left_out = " and ".join(f"{int(counts.sel(coordinates=c))} {c}" for c in ("dual", "primal"))
        ax.text(0.03, 0.5, f"left out: {left_out}\nof {total} runs each", transform=ax.transAxes, fontsize=7)
        ax.set(xscale="log", yscale="log", title=label, xlabel="step size / largest stable one", ylim=(1e-15, 10))
        panel_label(ax, letter)
    axes[0, 0].set_ylabel("$\\|\\theta_{\\mathrm{Euler}} - \\theta_\\infty\\|_2\\, /\\, \\|\\theta_\\infty\\|_2$")
    marker = {"color": "0.3", "marker": "o", "markersize": 3.2, "linewidth": 0.7}
    handles = {
        "primal coordinates": Line2D([], [], markerfacecolor="white", **marker),
        "dual coordinates": Line2D([], [], **marker),
        "slope 1": Line2D([], [], **THEORY),
        "largest stable step": Line2D([], [], color="0.7", linewidth=0.8),
    }
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4)
    return figure
