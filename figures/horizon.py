"""F29: the shape of the level sets far out says which margin a flow maximises."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from .certified import certified
from .style import COLOURS, LABELS, THEORY, panel_label

NUMBER = "F29"
TITLE = "Which margin a geometry maximises: two parameters"
SOURCE = "Pesme, Dragomir, Flammarion [pesme2024implicit]; [soudry2018implicit] for gradient descent"
CAPTION = (
    "Four samples that can be told apart (crosses: each times its class, on a scale of its own). (a–e) Level sets of "
    "the potential that cut the axis at r = 0.1, 1, 10 and 100 (light to dark), all over r, and the unit ball of the "
    "horizon's norm (dashed), to which they come: {gradient descent at once; 1/cosh θ up to ln 2/r, on the diagonal; "
    "HAM and m⊙w like ln 2/ln r, so that at r = 100 they are still far from it}(horizon.shapes). Dots: {the direction "
    "of the largest margin over this norm; one support vector, and another direction for each "
    "norm}(horizon.directions); rings: where the flow from 0 is at a loss of e⁻¹⁰. (f) How far from the dot the flow "
    "is in direction. {There they all go, with an error like 1/(−ln L) of gradient descent and 1/cosh θ, and like its "
    "root of the others}(horizon.rates) (thin dashed lines): {at a loss of e⁻¹⁰⁰⁰, HAM and m⊙w are still more than a "
    "degree off}(horizon.late)."
)
EARLY = 10.0


def draw(dataset: xr.Dataset) -> Figure:
    """The level sets of each geometry in a panel, and the directions of all flows in one."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset)
    figure, axes = plt.subplots(2, 3, figsize=(6.75, 5.1))
    for ax, name, letter in zip(axes.flat, dataset["geometry"].values.tolist(), "abcde", strict=False):
        one, colour = dataset.sel(geometry=name), COLOURS[name]
        for line, strength in zip(one["level_set"].values, np.linspace(0.3, 1, dataset.sizes["radius"]), strict=True):
            ax.plot(*line.T, color=colour, alpha=strength, linewidth=1)
        ball = one["ball"].values
        ax.plot(*ball.T, **THEORY)
        early = float(one["limit"] + one["apart"].sel(loss=EARLY, method="nearest"))
        nearest = np.argmin(np.abs(dataset["angle"].values - early))
        ax.plot(*ball[nearest], "o", color=colour, markerfacecolor="white", markersize=5, zorder=3)
        ax.plot(*one["best"].values, "o", color=colour, markersize=5, zorder=3)
        ax.plot(*dataset["signed"].values.T, "+", color="0.4", markersize=4)
        ax.set(xlim=(-1.2, 1.8), ylim=(-1.2, 1.8), aspect="equal", xlabel="$\\theta_1/r$", ylabel="$\\theta_2/r$")
        ax.set(xticks=[-1, 0, 1], yticks=[-1, 0, 1])
        rho = float(one["rho"])
        norm = "\\infty" if np.isinf(rho) else f"{rho:g}"
        ax.set_title(f"$g^{{-1}}$ = {one['inverse_metric'].item()}\nhorizon: $\\ell_{{{norm}}}$")
        panel_label(ax, letter, lines=2)
    last, loss = axes.flat[-1], dataset["loss"].values
    for name in dataset["geometry"].values.tolist():
        last.plot(
            loss, np.degrees(np.abs(dataset["apart"].sel(geometry=name))), color=COLOURS[name], label=LABELS[name]
        )
    tail = loss[loss >= loss[-1] / 30]
    for power, level in ((1, 8), (0.5, 120)):
        last.plot(tail, level * tail**-power, **THEORY)
    last.set(xscale="log", yscale="log", xlabel="$-\\ln L$", ylabel="angle to the largest margin (degrees)")
    last.legend(loc="lower left")
    panel_label(last, "f")
    return figure
