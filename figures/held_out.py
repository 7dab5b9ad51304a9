"""F31: does anyone ever see the largest margin? Flows on images that they were not trained on."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .certified import certified
from .flows import DIAMOND, band, diamond, flow_legend, flow_styles
from .style import panel_label

NUMBER = "F31"
TITLE = "Flows and their largest margins on images held out"
SOURCE = "own; that all these flows go to the largest margin, [soudry2018implicit] and [pesme2024implicit]"
CAPTION = (
    "Random splits of MNIST (4 and 9) and of the 8 × 8 digits (3 and 8), of which n images train and all others are "
    "held out; flows from 0. Lines: means, bands: 10 to 90 % of the splits; grey: losses of 10⁻² and 10⁻³; diamonds: "
    "the largest margins, over ℓ_1 for HAM and m ⊙ w, ℓ_1.5, and ℓ_2 for gradient descent. (a, b) Accuracy, for n "
    "below and near the number of pixels that vary, some 460 and 50. {The L1 margin is less accurate than the L2 "
    "one}(held_out.l1-worse), and {down to 10⁻³ HAM with α = 1 and m ⊙ w with γ = 1 are within a point of gradient "
    "descent}(held_out.alike). (c) How many images a flow and its limit class differently, as in (a). {Gradient "
    "descent at 10⁻³ and its limit do so with less than 3.5 % for every n}(held_out.gd-arrives); {on MNIST HAM and "
    "m ⊙ w at e⁻³⁰⁰⁰ still with more than gradient descent at 10⁻³}(held_out.never). (d) {With α = 1 and γ = 1 there "
    "are as many entries as with gradient descent at 10⁻³, up to 5 %, and at e⁻³⁰⁰⁰ more than five times those of the "
    "limit; with α = 10⁶ there are fewer than those of the limit at first, and more later}(held_out.entries). (e) {At "
    "10⁻³ the margin of HAM and m ⊙ w is less than 70 % of the largest, that of gradient descent more than "
    "75 %}(held_out.share). (f) By how much a flow at 10⁻³ is more accurate than its limit (bars: two standard errors; "
    "the splits share images, so that they are too small). {From 50 images on HAM with α = 1 is, on average, and "
    "α = 10⁶ is not by more than its bars; gradient descent is within a point of its limit}(held_out.cost)."
)
SHOWN = ("mnist-4-9, 100", "digits-3-8, 50")
COMPARED = ("GD", "HAM 1", "HAM 1e+06")
NAMES = {"mnist-4-9": ("MNIST", "o", "-"), "digits-3-8": ("digits", "s", "--")}
LIMITS = {"HAM 1e+06": (9e3, "1"), "power 0.5": (2.7e4, "1.5"), "GD": (8.1e4, "2")}  # where they stand, and ρ


def _along(ax, dataset: xr.Dataset, name: str, ends: str | None = None, factor: float = 1) -> None:
    """A variable along the flows, and that of the largest margins."""
    loss = dataset["loss"].values
    for flow, (colour, _) in reversed(flow_styles(dataset).items()):
        band(ax, loss, factor * dataset[name].sel(flow=flow), color=colour, strength=0.08)
        if ends and flow in LIMITS:
            diamond(ax, LIMITS[flow][0], factor * dataset[ends].sel(flow=flow), colour)
    for trained in dataset.attrs["trained"]:
        ax.axvline(-np.log(trained), color="0.75", linewidth=0.6, zorder=0)
    ticks = {1: "1", 10: "10", 100: "100", 1000: "$10^3$"}
    ticks |= {at: f"$\\ell_{{{rho}}}$" for at, rho in LIMITS.values()} if ends else {}
    ax.set(xscale="log", xlabel="$-\\ln L$", xlim=(loss[0], 1.6e5 if ends else loss[-1]))
    ax.set_xticks(list(ticks), list(ticks.values()))
    ax.minorticks_off()
    ax.set_title(f"  {NAMES[dataset['data'].item()][0]}, n = {dataset['n'].item()}")


def draw(dataset: xr.Dataset) -> Figure:
    """Accuracy, disagreement, entries and margins along the flows; and what the limit costs, against the images."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset)
    figure, axes = plt.subplots(2, 3, figsize=(6.75, 4.9))
    apart, entries, share, cost = axes[0, 2], *axes[1]
    first, second = (dataset.sel(case=one) for one in SHOWN)
    for ax, one in zip(axes[0], (first, second), strict=False):
        _along(ax, one, "accuracy", "limit_accuracy", 100)
        ax.set_ylabel("accuracy on images held out (%)")
    _along(apart, first, "disagreement", factor=100)
    apart.set(ylabel="classed otherwise by the limit (%)", ylim=(0, 16))
    _along(entries, first, "entries", "limit_entries")
    entries.set(yscale="log", ylabel="entries with 99 % of the L1 norm")
    entries.set_yticks([10, 20, 50, 100, 200, 400], ["10", "20", "50", "100", "200", "400"])
    entries.minorticks_off()
    _along(share, first, "share")
    share.set(ylabel="margin / largest margin", ylim=(-0.3, 1.03))
    trained = -np.log(dataset.attrs["trained"][-1])
    more = 100 * (dataset["accuracy"].sel(loss=trained, method="nearest") - dataset["limit_accuracy"])
    error = 2 * more.std("instance", ddof=1) / np.sqrt(dataset.sizes["instance"])
    styles, handles = flow_styles(dataset), {}
    for name, (label, marker, line) in NAMES.items():
        look = {"marker": marker, "linestyle": line, "markersize": 3.5}
        handles[label] = Line2D([], [], color="0.4", **look)
        part = {"case": np.flatnonzero(dataset["data"] == name)}
        for i, flow in enumerate(COMPARED):
            n = dataset["n"].isel(part).values * 1.06 ** (i - 1)
            mean, bars = (values.isel(part).sel(flow=flow).values for values in (more.mean("instance"), error))
            cost.errorbar(n, mean, bars, color=styles[flow][0], **look)
    cost.axhline(0, color="0.6", linewidth=0.6, zorder=0)
    cost.set(
        xscale="log", xlabel="images to train, n", ylabel="accuracy at $L = 10^{-3}$\nless that of the limit (points)"
    )
    cost.set_xticks([20, 50, 100, 200, 500], ["20", "50", "100", "200", "500"])
    cost.minorticks_off()
    for ax, letter in zip(axes.flat, "abcdef", strict=True):
        panel_label(ax, letter)
    flow_legend(figure, dataset, handles | {"largest margin": DIAMOND}, ncols=4)
    return figure
