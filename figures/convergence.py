"""F6: how fast the flows converge."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from .certified import certified
from .recovery import flow_styles
from .style import panel_label

NUMBER = "F6"
TITLE = "Loss against time, with the bounds of theory and the asymptotic rate"
SOURCE = "HAM, Theorem 4.3; THEORY, section 3"
CAPTION = (
    "(a) Loss along the flows from zero on one random problem (lines), and the bounds f(θ₀) exp(−κt) that hold for it "
    "(dashed, in the same colour; gradient descent and HAM share theirs): κ = 2Λ for gradient descent and HAM, κ = 4γΛ "
    "for m⊙w, with Λ the smallest nonzero eigenvalue of XXᵀ/n. (b) Rate of decay of the slowest mode of the loss, fitted "
    "to its tail, against the asymptotic rate 2 λ_min⁺(X diag(g⁻¹(θ_∞)) Xᵀ)/n, for every random problem; dashed: equality."
)


def draw(dataset: xr.Dataset) -> Figure:
    """Two panels: losses and bounds of the first problem; measured against predicted rates of all."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset)
    figure, axes = plt.subplots(1, 2, figsize=(6.75, 3.1))
    one = dataset.isel(instance=0)
    end = 0.0
    for flow, (colour, label) in flow_styles(dataset).items():
        lane = one.sel(flow=flow)
        time = lane["time"].values
        axes[0].plot(time[1:], lane["loss"][1:], color=colour, label=label)
        axes[0].plot(time[1:], lane["bound"][1:], color=colour, linestyle=(0, (4, 2)), linewidth=0.9)
        end = max(end, time[-1])
        axes[1].plot(
            dataset["predicted_rate"].sel(flow=flow), dataset["mode_rate"].sel(flow=flow), "o",
            color=colour, markersize=3, alpha=0.7, markeredgewidth=0,
        )  # fmt: skip
    axes[0].set(xscale="log", yscale="log", xlim=(1e-3, end), ylim=(1e-20, 4))
    axes[0].set(xlabel="time $t$", ylabel="loss $f(\\theta_t) / f(\\theta_0)$")
    rates = dataset["predicted_rate"].values
    ends = [0.7 * rates.min(), 1.4 * rates.max()]
    axes[1].plot(ends, ends, color="0.45", linestyle=(0, (4, 2)), linewidth=0.9, zorder=0)
    axes[1].set(xscale="log", yscale="log", xlabel="asymptotic rate of the loss", ylabel="rate fitted to the slowest mode")
    worst = float(np.abs(dataset["mode_rate"] / dataset["predicted_rate"] - 1).max())
    text = f"largest relative difference: {worst:.1e}\n{np.prod(rates.shape)} flows"
    axes[1].text(0.97, 0.05, text, transform=axes[1].transAxes, ha="right", fontsize=7)
    for ax, letter in zip(axes, "ab", strict=True):
        panel_label(ax, letter)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure
