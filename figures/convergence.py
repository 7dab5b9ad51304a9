"""F6: how fast the flows converge."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .certified import certified
from .flows import flow_legend, flow_styles
from .style import THEORY, panel_label

NUMBER = "F6"
TITLE = "Loss against time, with the bounds of theory and the asymptotic rate"
SOURCE = "HAM, Theorem 4.3"
CAPTION = (
    "(a) Loss along the flows from zero on one random problem (lines), and the bounds f(θ₀) exp(−κt) on it (dashed): "
    "{κ = 2Λ for gradient descent and HAM, which share theirs (black), and κ = 4γΛ for m⊙w}(flow.gd-rate, "
    "ham.convergence, mw.rate), with Λ the smallest nonzero eigenvalue of XXᵀ/n. (b) Rate of decay fitted to the tail "
    "of the loss, from 10⁻¹⁶ to 10⁻²² of its start, against {the asymptotic rate 2 λ_min⁺(X diag(g⁻¹(θ_∞)) Xᵀ)/n at "
    "the limit}(flow.asymptotic-rate), for all random problems; dashed: equality. (c) Their relative difference, "
    "against the share of the loss that is not in the slowest mode where the fit begins. Open: {that share is above 1 "
    "%, so that the tail is not a single exponential yet}(convergence.mixed-tails). Crosses: the rate of the part of "
    "the loss in the slowest mode alone."
)


def differences(dataset: xr.Dataset) -> tuple[xr.DataArray, xr.DataArray]:
    """Relative differences to the asymptotic rate: of the fit to the loss, and to the loss in the slowest mode."""
    loss, mode = (abs(dataset[name] / dataset["predicted_rate"] - 1) for name in ("loss_rate", "mode_rate"))
    return loss, mode


def _power(value: xr.DataArray) -> str:
    """A small number, rounded up to one digit: 7·10⁻⁴."""
    number = float(value)
    exponent = np.floor(np.log10(number))
    return f"${np.ceil(number / 10**exponent):.0f}\\cdot 10^{{{exponent:.0f}}}$"


def draw(dataset: xr.Dataset) -> Figure:
    """Three panels: losses and bounds of the first problem; fitted against asymptotic rates of all; differences."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset)
    figure, axes = plt.subplots(1, 3, figsize=(6.75, 3.1))
    one, (of_loss, of_mode) = dataset.isel(instance=0), differences(dataset)
    settled = dataset["settled"].values.astype(bool)
    for flow, (colour, _) in flow_styles(dataset).items():
        case, here = one.sel(flow=flow), settled[:, dataset["flow"].values == flow].ravel()
        axes[0].plot(case["time"][1:], case["loss"][1:], color=colour)
        if flow == "GD" or case["family"] == "m*w":  # HAM has gradient descent's
            axes[0].plot(dataset["bound_time"], case["bound"], **THEORY | {"color": colour})
        of = {name: dataset[name].sel(flow=flow).values for name in ("predicted_rate", "loss_rate", "mixture")}
        for chosen, face in ((~here, "none"), (here, colour)):
            style = {"color": colour, "markerfacecolor": face, "markersize": 3.2, "markeredgewidth": 0.7}
            axes[1].plot(of["predicted_rate"][chosen], of["loss_rate"][chosen], "o", **style)
            axes[2].plot(of["mixture"][chosen], of_loss.sel(flow=flow).values[chosen], "o", **style)
        axes[2].plot(of["mixture"], of_mode.sel(flow=flow), "x", color=colour, markersize=2.8, markeredgewidth=0.6)
    axes[0].set(xscale="log", yscale="log", xlim=(1e-3, 2e4), ylim=(1e-24, 10))
    axes[0].set(xlabel="time $t$", ylabel="loss  $f(\\theta_t) / f(\\theta_0)$", xticks=10.0 ** np.arange(-2, 5, 2))
    rates = dataset["predicted_rate"]
    ends = np.array([0.5, 2.0]) * (float(rates.min()), float(rates.max()))
    axes[1].plot(ends, ends, **THEORY, zorder=0)
    axes[1].set(xscale="log", yscale="log", xlim=ends, ylim=ends)
    axes[1].set(xlabel="asymptotic rate (1/time)", ylabel="rate fitted to the loss (1/time)")
    axes[2].set(xscale="log", yscale="log", ylim=(3e-9, 300))
    axes[2].set(xlabel="share of the other modes", ylabel="relative difference of the rates")
    summary = (
        f"settled tails: ≤ {_power(of_loss.where(settled).max())} ({settled.sum()} of {settled.size})\n"
        f"slowest mode: ≤ {_power(of_mode.max())} (all {settled.size})"
    )
    axes[2].text(0.03, 0.99, summary, transform=axes[2].transAxes, va="top", fontsize=6.5)
    for ax, letter in zip(axes, "abc", strict=True):
        panel_label(ax, letter)
    marker = {"color": "0.3", "linestyle": "", "markersize": 3.2, "markeredgewidth": 0.7}
    extra = {
        "bound": Line2D([], [], **THEORY),
        "settled tail of the loss": Line2D([], [], marker="o", **marker),
        "mixed tail of the loss": Line2D([], [], marker="o", markerfacecolor="none", **marker),
        "slowest mode alone": Line2D([], [], marker="x", **marker),
    }
    flow_legend(figure, dataset, extra, ncols=4)
    return figure
