"""F30: how slowly the margin comes to its best, and what α has to do with it."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from .certified import certified
from .flows import flow_legend, flow_styles
from .style import THEORY, panel_label

NUMBER = "F30"
TITLE = "The margin over the largest one, against the loss"
SOURCE = "[pesme2024implicit] has the limits; how fast: own, with the rate of gradient descent in [soudry2018implicit]"
CAPTION = (
    "Gaussian samples in the classes that a sparse vector says (3 of d entries are ±1), flows from 0; margins in the "
    "norm of the geometry's own horizon, over the largest one: medians, bands from 10 to 90 % of the instances. (a) "
    "The gap to 1 for n × d = 15 × 30. {In every flow that separates the classes by now, the bound that its own dual "
    "weights prove is above the gap}(margins.certificate) (dash-dotted: its median for HAM, α = 100). {Gradient "
    "descent comes like C/(−ln L)}(margins.gd-law) (dashed), C = Σ λ_i ln(max λ/λ_i) with the weights λ of the best "
    "margin: the support vectors get margins that differ by ln(λ_i/λ_j). {That part is the same for (1 + |θ|)^s, and "
    "with s = ¾ little of the gap}(margins.uneven): {its direction is off by a multiple of (−ln L)^(s−1), which costs"
    " the square of it}(margins.powers), (−ln L)^(−½) (dotted). {The L1 margin is reached by none: from a loss of "
    "e⁻³⁰⁰⁰ to one of e^(−10⁶), where the gap of gradient descent becomes 330 times smaller, that of HAM and m⊙w does"
    " not even become 10 times smaller}(margins.slow). (b) The gap at e⁻³⁰⁰⁰ for three n × d. (c) What α = 10⁶ has "
    "more of the margin than α = 100, in the same instances: {more or less, depending on the instance and the "
    "loss}(margins.alpha). (d) In how many instances it is less, at each loss (lines), and at all losses from e⁻⁵ to "
    "e⁻³⁰⁰⁰ (points, with 95 % intervals): {that α from 100 to 10⁶ lowers the margin is so in most instances of 40 × "
    "40, and no rule in those of 10 × 100}(margins.no-rule)."
)
LATE = 3000.0
PROVED = "HAM 100"  # the flow whose certificate is drawn
ALL = 2e7  # where points stand for all losses
SHAPES = ("#000000", "#E69F00", "#56B4E9")  # black, orange, sky blue: of n × d, no geometry's


def advantage(dataset: xr.Dataset) -> xr.DataArray:
    """What the larger α has more of the margin than the smaller one."""
    few, many = (dataset["gap"].sel(flow=f"HAM {alpha:g}") for alpha in dataset.attrs["alphas"])
    return few.drop_vars(["flow", "family", "parameter", "rho"]) - many


def draw(dataset: xr.Dataset) -> Figure:
    """Gaps against the loss and for every shape; what α changes, and how often it is for the worse."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset)
    figure, axes = plt.subplots(2, 2, figsize=(6.75, 5.6))
    (gaps, shapes), (change, often) = axes
    loss, styles = dataset["loss"].values, flow_styles(dataset)
    first = dataset.isel(shape=0)
    for flow, (colour, _) in styles.items():
        low, middle, high = first["gap"].sel(flow=flow).quantile([0.1, 0.5, 0.9], "instance").values
        gaps.plot(loss, middle, color=colour)
        gaps.fill_between(loss, low, high, color=colour, alpha=0.12, linewidth=0)
    proved = first["certificate"].sel(flow=PROVED).median("instance")
    gaps.plot(loss, proved, color=styles[PROVED][0], linestyle="-.", linewidth=0.9)
    law = float(first["entropy"].sel(flow="GD").median("instance"))
    gaps.plot(loss[loss > 3], law / loss[loss > 3], **THEORY)
    steep = first["gap"].sel(flow="power 0.75").median("instance").values
    tail = loss >= 1e3
    gaps.plot(loss[tail], 0.5 * steep[-1] * (loss[tail] / loss[-1]) ** -0.5, **THEORY | {"linestyle": ":"})
    gaps.axvline(LATE, color="0.8", linewidth=0.6, zorder=0)
    gaps.set(xscale="log", yscale="log", ylim=(2e-7, 1.5), xlabel="$-\\ln L$", ylabel="1 − margin / largest margin")
    places = np.arange(dataset.sizes["shape"])
    for i, (flow, (colour, _)) in enumerate(styles.items()):
        low, middle, high = (
            dataset["gap"]
            .sel(flow=flow, loss=LATE)
            .quantile([0.1, 0.5, 0.9], "instance")
            .transpose("quantile", "shape")
        ).values
        at = places + 0.09 * (i - (len(styles) - 1) / 2)
        shapes.errorbar(at, middle, (middle - low, high - middle), fmt="o", color=colour, markersize=3.5, linewidth=1)
    shapes.set(yscale="log", ylabel="gap at $L = e^{-3000}$", xlabel="n × d")
    shapes.set_xticks(places, dataset["shape"].values)
    more = advantage(dataset)
    for i, (name, colour) in enumerate(zip(dataset["shape"].values.tolist(), SHAPES, strict=False)):
        low, middle, high = more.sel(shape=name).quantile([0.1, 0.5, 0.9], "instance").values
        change.plot(loss, middle, color=colour, label=f"n × d = {name}")
        change.fill_between(loss, low, high, color=colour, alpha=0.15, linewidth=0)
        often.plot(loss, 100 * (more.sel(shape=name) < 0).mean("instance"), color=colour)
        estimate, low, high = 100 * dataset["lower_share"].sel(shape=name).values
        often.errorbar(
            [ALL * 2.0 ** (i - 1)],
            [estimate],
            [[estimate - low], [high - estimate]],
            fmt="o",
            color=colour,
            markersize=4,
        )
    gaps.set_title(f"n × d = {first['shape'].item()}")
    for ax in (change, often):
        ax.set(xscale="log", xlabel="$-\\ln L$")
        ax.axvline(LATE, color="0.8", linewidth=0.6, zorder=0)
    change.axhline(0, color="0.6", linewidth=0.6, zorder=0)
    change.set(ylim=(-0.32, 0.22), ylabel="share of the margin, $\\alpha = 10^6$ less $\\alpha = 100$")
    change.legend(loc="lower right")
    often.set(ylabel="instances where it is less (%)", ylim=(-3, 103))
    often.set_xticks([*(10.0 ** np.arange(0, 7, 2)), ALL], [*(f"$10^{{{k}}}$" for k in range(0, 7, 2)), "all"])
    often.minorticks_off()
    for ax, letter in zip(axes.flat, "abcd", strict=True):
        panel_label(ax, letter)
    flow_legend(figure, dataset, ncols=4)
    return figure
