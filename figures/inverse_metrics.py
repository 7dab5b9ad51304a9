"""F1: the inverse metrics."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from .certified import certified
from .style import COLOURS, LABELS, THEORY, panel_label, shades

NUMBER = "F1"
TITLE = "Who can move at zero"
SOURCE = "HAM [jacobs2026ham], Theorem 4.2 and Figure 1"
CAPTION = (
    "The inverse metric is the speed of a parameter per unit of force. (a) {That of m⊙w falls to 2γ at "
    "zero}(geometry.mw, geometry.imbalance), and {to 0 for a balanced initialisation (dashed: "
    "2|θ|)}(mw.balanced-no-flip); {HAM's is never below gradient descent's 1}(geometry.gd, ham.comparison). (b) The "
    "same over decades of |θ|: {HAM has the slope of m⊙w for large parameters}(geometry.sandwich) and {gradient "
    "descent's plateau for small ones}(inverse_metrics.plateau). (c) What it means for a change of sign: {the time in "
    "which a unit force moves a parameter from −s to s, which is R′(s) − R′(−s)}(geometry.gd, geometry.ham, "
    "geometry.mw)."
)
SYMBOLS = {"HAM": "α", "m*w": "γ"}


def colours(dataset: xr.Dataset) -> list:
    """One colour a geometry: that of its family, the darker the farther its parameter is from gradient descent."""
    families = dataset["family"].values.tolist()
    ramps = {name: iter(shades(name, families.count(name))) for name in dict.fromkeys(families)}
    return [next(ramps[name]) for name in families]


def label(family: str, parameter: float) -> str:
    return LABELS[family] if np.isnan(parameter) else f"{LABELS[family]}, {SYMBOLS[family]} = {parameter:g}"


def draw(dataset: xr.Dataset) -> Figure:
    """Three panels: g⁻¹ near zero, over decades, and the time to cross zero, whose row labels are the legend."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset)
    cases = list(
        zip(dataset["family"].values.tolist(), dataset["parameter"].values.tolist(), colours(dataset), strict=True)
    )
    figure, (linear, decades, times) = plt.subplots(1, 3, figsize=(6.75, 2.5), width_ratios=(1, 1, 0.85))
    for ax, x, suffix in ((linear, dataset["theta"], ""), (decades, dataset["magnitude"], "_decades")):
        for (_, _, colour), values in zip(cases, dataset["inverse_metric" + suffix].values, strict=True):
            ax.plot(x, values, color=colour)
        ax.plot(x, dataset["balanced" + suffix], **THEORY)
    linear.set(xlabel="$\\theta$", ylabel="inverse metric  $g^{-1}(\\theta)$", ylim=(0, 6.2), xlim=(-3, 3))
    linear.annotate(
        "balanced\n$m\\odot w$", (-0.08, 0.16), (-2.6, 0.5), color="0.35", fontsize=6.5, va="center", ha="left",
        arrowprops={"arrowstyle": "-", "color": "0.5", "linewidth": 0.6},
    )  # fmt: skip
    decades.set(xscale="log", yscale="log", xlabel="$|\\theta|$", ylabel="inverse metric  $g^{-1}(\\theta)$")
    decades.set(xlim=(dataset["magnitude"][0], dataset["magnitude"][-1]), ylim=(1e-3, 3e3))

    rows, start = np.arange(len(cases))[::-1], float(dataset["start"])
    for row, (_, _, colour), time in zip(rows, cases, dataset["crossing_time"].values, strict=True):
        times.plot([0, time], [row, row], color=colour, linewidth=1)
        times.plot([time], [row], "o", color=colour, markersize=4)
        times.text(time + 0.6, row, f"{time:.3g}", va="center", fontsize=6.5)
    times.set(
        xlabel=f"time from −{start:g} to {start:g}",
        xlim=(0, 1.2 * float(dataset["crossing_time"].max())),
        ylim=(-0.7, len(cases) - 0.3),
    )
    times.set_yticks(rows, [label(family, parameter) for family, parameter, _ in cases])
    for tick, (family, _, _) in zip(times.get_yticklabels(), cases, strict=True):
        tick.set_color(COLOURS[family])
    times.tick_params(axis="y", length=0)
    for ax, letter in zip((linear, decades, times), "abc", strict=True):
        panel_label(ax, letter)
    return figure
