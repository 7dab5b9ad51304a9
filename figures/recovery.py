"""F5: distance to the truth along the flows."""

import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator

from .certified import certified
from .flows import flow_legend, flow_styles
from .style import THEORY, panel_label

NUMBER = "F5"
TITLE = "Along the flows: distance to the sparse truth, and error on held-out spectra"
SOURCE = "HAM, Theorem 4.6, with its Remarks 4.7 and 4.8; Jacobs et al., Mirror, Mirror of the Flow (positional bias)"
CAPTION = (
    "(a) {From zero, the larger α (or the smaller γ), the closer the limit is to the sparse ground "
    "truth}(recovery.from-zero) (n = 40, d = 100, five spikes of ±1). (b) {From random starts (Gaussian, variance "
    "1/√n) no flow gets near it without weight decay, whatever its parameter}(recovery.from-random-starts): {the "
    "limit is the interpolator of least divergence from the start (positional bias)}(flow.bregman-projection). (c) "
    "Infrared spectra, from zero: error of the predicted glucose on five held-out rows of 21; {there the limits "
    "towards the L1 end predict no better}(recovery.spectra). Lines and bands: medians and quartiles over random "
    "problems (a, b) or splits (c). Dots: medians at the limits, found by Newton's method without integrating. Time "
    "is that of dθ/dt = −g⁻¹(θ) ⊙ ∇f(θ): {m⊙w with γ = 1/α is biased nearly as HAM with α, but takes about α/2 times "
    "as long}(geometry.sandwich)."
)


def draw(dataset: xr.Dataset) -> Figure:
    """Three panels against time: distance from zero, distance from a random start, error on spectra."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset)
    figure, axes = plt.subplots(1, 3, figsize=(6.75, 3.1))
    distance, limit_distance = dataset["distance"], dataset["limit_distance"]
    panels = (
        ("from zero", distance.sel(start="zero"), limit_distance.sel(start="zero"), (1e-4, 2e4)),
        ("from random starts", distance.sel(start="random"), limit_distance.sel(start="random"), (1e-4, 2e4)),
        ("spectra, from zero", dataset["rmse"], dataset["limit_rmse"], (1e-4, 2e3)),
    )
    for ax, (title, values, limit, window), letter in zip(axes, panels, "abc", strict=True):
        for flow, (colour, _) in flow_styles(dataset).items():
            low, middle, high = values.sel(flow=flow).quantile([0.25, 0.5, 0.75], dim="instance").values
            ax.plot(dataset["time"], middle, color=colour)
            ax.fill_between(dataset["time"], low, high, color=colour, alpha=0.15, linewidth=0)
            end = limit.sel(flow=flow).median()
            ax.plot(window[1], end, "o", color=colour, markersize=3.5, clip_on=False, zorder=3)
        ax.set(xscale="log", title=title, xlabel="time $t$", xlim=window)
        panel_label(ax, letter)
    top = 1.1 * float(distance.quantile(0.75, dim="instance").max())
    axes[0].set(ylim=(0, top), ylabel="distance to the truth  $\\|\\theta_t - \\theta^*\\|_2$")
    axes[1].set(ylim=(0, top), yticklabels=[])
    axes[2].axhline(float(dataset["mean_rmse"].median()), **THEORY)
    axes[2].set(yscale="log", ylabel="root mean square error (g/L)")
    axes[2].yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes[2].yaxis.set_major_formatter("{x:g}")
    axes[2].yaxis.set_minor_formatter("")
    mean = {"mean of the training rows": Line2D([], [], **THEORY)}
    flow_legend(figure, dataset, mean, ncols=4)
    return figure
