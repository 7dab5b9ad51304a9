"""E5: where label noise drives the algorithms."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .certified import certified
from .style import RULES, THEORY, panel_label

NUMBER = "E5"
TITLE = "Label noise drives m⊙w and the natural gradient to the L1 end, and HAM as published away from it"
SOURCE = "Own derivation, Itô's correction in mirror coordinates; m⊙w: Pesme, Pillaud-Vivien, Flammarion (2021)"
CAPTION = (
    "Labels with noise of standard deviation 1, anew at every step, at 0.07 of the largest stable learning rate, from "
    "zero, three random problems (n = 40, d = 100, five spikes of ±1), α = 20, γ = 0.1. (a) Excess L1 norm of the "
    "limit that is reached when the noise is taken away after so many steps; {gradient descent stays at the L2 "
    "end}(flow.dual-coordinates). Marks: means over the draws, for each problem; dashed: {the slow flow of theory, "
    "without any run and without a free parameter}(label_noise.slow-flow). (b) {What HYP*, which is HAM as published, "
    "ascends by this theory: Σ hᵢ ln(1+α|θᵢ|), h = diag(XᵀX/n)}(ham.ito-drift), over its value at the first look. (c) "
    "L1 norm with the weights h, over the least possible: {what the natural gradient step of the same flow "
    "descends}(ham.ito-drift); {below about 2 % entries chatter about zero, in theory as well, where the steps are "
    "smaller}(label_noise.chatter). (d) Sizes of the entries of these limits after the last step, from the largest "
    "on; medians over problems and draws."
)


def _lines(ax, dataset: xr.Dataset, name: str, over: xr.DataArray, offset: float, rules=tuple(RULES)) -> None:
    """A quantity over another one, less an offset: measured and by theory."""
    for rule in rules:
        colour, marker, _ = RULES[rule]
        measured = (dataset[name] / over).sel(rule=rule).mean("draw") - offset
        theory = (dataset[f"{name}_theory"] / over).sel(rule=rule) - offset
        for problem in dataset["problem"].values:
            style = {"color": colour, "marker": marker, "markersize": 2.5, "linestyle": ""}
            ax.plot(dataset["step"], measured.sel(problem=problem), **style)
            ax.plot(dataset["step"], theory.sel(problem=problem), **THEORY | {"color": colour})
    ax.set(xscale="log", xlabel="steps with noise")


def draw(dataset: xr.Dataset) -> Figure:
    """Four panels: the excess, what HAM's two discretisations optimise, and the entries at the end."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset)
    figure, ((excess, spread), (weighted, profile)) = plt.subplots(2, 2, figsize=(6.75, 5.0))
    _lines(excess, dataset, "l1", dataset["least_l1"], 1)
    excess.set(yscale="log", ylabel="excess of the L1 norm")
    first = dataset["spread"].isel(step=0).mean("draw")
    _lines(spread, dataset, "spread", first, 0, ("HYP*", "natural gradient"))
    spread.set(ylabel="$\\sum_i h_i\\,\\ln(1+\\alpha|\\theta_i|)$, over the first")
    _lines(weighted, dataset, "weighted_l1", dataset["least_weighted"], 1, ("m*w", "HYP*", "natural gradient"))
    weighted.set(yscale="log", ylabel="excess of $\\sum_i h_i|\\theta_i|$")
    for rule, (colour, marker, _) in RULES.items():
        sizes = dataset["profile"].sel(rule=rule).median(("problem", "draw"))
        profile.plot(dataset["entry"], np.maximum(sizes, 1e-6), color=colour, marker=marker, markersize=2, markevery=4)
    profile.set(yscale="log", xlabel="entry, from the largest on", ylabel="size  $|\\theta_i|$")
    for ax, letter in zip(figure.axes, "abcd", strict=True):
        panel_label(ax, letter)
    handles = {
        label: Line2D([], [], color=colour, marker=marker, markersize=3, linestyle="")
        for colour, marker, label in RULES.values()
    }
    handles["theory"] = Line2D([], [], **THEORY)
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=5)
    return figure
