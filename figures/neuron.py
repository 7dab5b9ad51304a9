"""F21: from which signs one hidden neuron, and a wider student, learn a teacher."""

import numpy as np
import xarray as xr
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from .certified import certified
from .style import COLOURS, THEORY, panel_label, shades

NUMBER = "F21"
TITLE = "Signs that one hidden neuron, and wider students, recover from"
SOURCE = "Sign-In [gadhikar2025signin]; HAM [jacobs2026ham], Appendix E; the invariant: own derivation"
CAPTION = (
    "(a–f) The student a σ(wz) of the teacher σ(z), each layer with its inverse metric h: starts from which the "
    "integrated flow learns the teacher (coloured) or not (grey). Line: {the separatrix of theory, the negative a₀ "
    "with I_a(|a₀|) = I_w(w₀), I(x) = ∫₀ˣ s/h ds}(ham.neuron, signin.neuron). Dashed: |a₀| = w₀. {From w₀ ≤ 0 no flow "
    "learns it.}(neuron.negative-w) {Gradient descent, m⊙w and HAM, with one geometry on both layers, have the same "
    "basin}(ham.neuron, signin.neuron); {balanced m⊙w crosses no zero}(mw.balanced-no-flip); {a layer a that is "
    "faster than w (γ_a > γ_w, as a reset of Sign-In leaves it, or HAM on a alone) enlarges the basin}(ham.neuron, "
    "signin.neuron). (g) Time that HAM on both layers takes to reach a = 0, over that of gradient descent, against "
    "the distance from the separatrix, for several w₀. {Below the dashed line HAM is faster; from a large w₀ near it "
    "HAM is slower}(neuron.times), as {its invariant leads it closer to the saddle at zero}(neuron.saddle). (h) "
    "Students of m neurons with several inputs, and a teacher of one: share of neurons with a negative output weight "
    "(one of each student) that end with a positive one. Open: {share of those that theory allows to, I_a(|a|) < Σ_l "
    "I_w(|w_l|); no other neuron does}(neuron.wider-students). (i) Share of students that learn the teacher, to the "
    "share of the loss and by the time that the configuration says. Bars: Wilson intervals, 95 %."
)
_LIGHT, _DARK = (shades("m*w", 3)[i] for i in (0, 2))
STYLES = {  # colour, marker and label of a flow
    "GD": (COLOURS["GD"], "s", "gradient descent"),
    "m*w balanced": (_LIGHT, "o", "$m\\odot w$, balanced"),
    "m*w": (_DARK, "o", "$m\\odot w$, $\\gamma_a = \\gamma_w$"),
    "Sign-In": ("#CC79A7", "^", "$m\\odot w$, $\\gamma_a > \\gamma_w$"),
    "HAM": (COLOURS["HAM"], "D", "HAM on both layers"),
    "HAM on a": ("#56B4E9", "v", "HAM on $a$ alone"),
}


def _diagram(ax, case: xr.Dataset, colour: str, title: str) -> None:
    a, w = case["a_start"].values, case["w_start"].values
    half = (a[1] - a[0]) / 2, (w[1] - w[0]) / 2
    extent = (w[0] - half[1], w[-1] + half[1], a[0] - half[0], a[-1] + half[0])
    values = case["learned"].transpose("a_start", "w_start").values.astype(float)
    cmap = ListedColormap(["0.87", colour])
    ax.imshow(values, cmap=cmap, vmin=0, vmax=1, alpha=0.45, origin="lower", extent=extent, interpolation="nearest")
    ax.axhline(0, color="0.3", linewidth=0.5)
    ax.axvline(0, color="0.3", linewidth=0.5)
    ax.plot([0, w[-1]], [0, -w[-1]], **THEORY)
    inside = np.where(case["separatrix"].values >= extent[2], case["separatrix"].values, np.nan)
    ax.plot(case["curve"], inside, color="black", linewidth=1.4)
    ax.set(xlim=extent[:2], ylim=extent[2:], aspect="equal", title=title)
    ax.locator_params(nbins=4)


def draw(dataset: xr.Dataset) -> Figure:
    """Six phase diagrams; the ratio of crossing times; two shares against the width."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset)
    figure, axes = plt.subplots(3, 3, figsize=(6.75, 7.2))
    diagrams, (times, turned, reached) = axes[:2].ravel(), axes[2]
    for ax, (flow, (colour, _, label)) in zip(diagrams, STYLES.items(), strict=True):
        _diagram(ax, dataset.sel(flow=flow), colour, label)
    for ax in axes[1]:
        ax.set_xlabel("$w_0$")
    for ax in axes[:2, 0]:
        ax.set_ylabel("$a_0$")
    ratio = (dataset["crossing_time"].sel(flow="HAM") / dataset["crossing_time"].sel(flow="GD")).transpose(
        "size", "gap"
    )
    lines = [
        times.plot(ratio["gap"], values, color=colour, label=f"$w_0 = {size:g}$")[0]
        for values, size, colour in zip(ratio.values, ratio["size"].values, shades("HAM", len(ratio)), strict=True)
    ]
    times.legend(handles=lines[::-1], loc="upper left", fontsize=6, handlelength=1.2, labelspacing=0.25)
    times.axhline(1, **THEORY, zorder=0)
    times.set(xscale="log", yscale="log", xlabel="$1 - |a_0|/w_0$", ylabel="time to cross, HAM / GD")
    times.set_yticks([0.5, 1, 2], ["0.5", "1", "2"])
    times.minorticks_off()
    count = len(STYLES)
    for i, (flow, (colour, marker, _)) in enumerate(STYLES.items()):
        case = dataset.sel(flow=flow)
        x = case["width"].values * 2 ** (0.09 * (i - (count - 1) / 2))  # side by side
        for ax, name in ((turned, "turned"), (reached, "reached")):
            share, low, high = (case[f"{name}_{end}"].values for end in ("share", "low", "high"))
            bars = np.clip([share - low, high - share], 0, None)
            ax.errorbar(x, share, bars, color=colour, marker=marker, markersize=3.2, linewidth=0.7, elinewidth=0.8)
        allowed = case["can_turn"].mean("student")
        turned.plot(x, allowed, marker, color=colour, markerfacecolor="none", markersize=3.2, markeredgewidth=0.7)
    for ax, label in ((turned, "share turning positive"), (reached, "share that learns")):
        widths = dataset["width"].values
        ax.set_xscale("log", base=2)
        ax.set_xticks(widths, [str(m) for m in widths])
        ax.minorticks_off()
        ax.set(ylim=(-0.04, 1.04), xlabel="width $m$", ylabel=label)
    for ax, letter in zip(axes.ravel(), "abcdefghi", strict=True):
        panel_label(ax, letter)
    handles = {
        label: Line2D([], [], color=colour, marker=marker, markersize=3.5, linewidth=0.8)
        for colour, marker, label in STYLES.values()
    }
    handles |= {
        "separatrix (theory)": Line2D([], [], color="black", linewidth=1.4),
        "$|a_0| = w_0$; equal times": Line2D([], [], **THEORY),
        "does not learn": Patch(color="0.87"),
        "allowed by the invariant": Line2D(
            [], [], color="0.3", marker="o", markerfacecolor="none", linestyle="", markersize=3.5
        ),
    }
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4)
    return figure
