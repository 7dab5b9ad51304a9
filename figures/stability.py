"""F12: the largest stable learning rates."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.legend_handler import HandlerTuple
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import NullLocator

from .certified import certified
from .style import COLOURS, LABELS, THEORY, panel_label, shades

NUMBER = "F12"
TITLE = "The largest stable learning rate, near the limit and from zero"
SOURCE = "Linearisation at the limit; HAM [jacobs2026ham], Remarks 4.7 and 4.8"
CAPTION = (
    "(a) HAM, for one random problem (n = 10, d = 30, two spikes of ±1). Dashed: {theory, η* = 2/λ_max(X "
    "diag(g⁻¹(θ_∞)) Xᵀ/n) at the limit of the flow from zero}(ham.stability). Marks: the learning rate above which a "
    "small perturbation of that limit grows, found by bisection. Shaded: learning rates below the first at which HYP* "
    "from zero does not converge. Black: η* of gradient descent. (b) {The same for gradient descent on the factors of "
    "m⊙w, with imbalance γ.}(stability.product) (c) Relative difference of the measured η* to theory, for all "
    "problems, against the scale 1/α or γ/2; {gradient descent stands at infinity}(stability.ends-of-the-families). "
    "(d) Learning rate up to which all runs from zero converge (to a relative residual of 10⁻³ in 8000 steps; tried "
    "from η*/2 on), over η*. Lines: medians; bands and numbers: ranges over the problems. {Above η* the runs of m⊙w "
    "end at other interpolators, flatter ones, where they are stable.}(stability.flatter)"
)
_COLOURS = {"GD": COLOURS["GD"], "m*w": COLOURS["m*w"]} | dict(zip(("HYP", "HYP*"), shades("HAM", 2), strict=True))
_NAMES = {"GD": LABELS["GD"], "HYP": "HYP", "HYP*": "HYP*", "m*w": LABELS["m*w"]}
_DECADES = (1e-5, 1e-3, 1e-1, 1e1)
_MARKS = {"GD": "s", "HYP": "o", "HYP*": "x", "m*w": "o"}


def scale(dataset: xr.Dataset) -> np.ndarray:
    """Where each geometry turns from L2 to L1: 1/α or γ/2, NaN for gradient descent."""
    logs, product = dataset["log_parameter"].values, dataset["rule"].values == "m*w"
    return np.where(product, np.exp(logs) / 2, np.exp(-logs))


def _marker(rule: str) -> dict:
    face = _COLOURS[rule] if rule == "m*w" else "none"
    return {
        "marker": _MARKS[rule],
        "color": _COLOURS[rule],
        "markerfacecolor": face,
        "markersize": 3.5,
        "linestyle": "",
    }


def _plane(ax, one: xr.Dataset, members: tuple[str, ...], symbol: str, title: str) -> None:
    """Learning rate against parameter: theory, measured near the limit, and where the last of the rules converges."""
    rules = one["rule"].values
    case, gradient_descent = (one.isel(case=rules == rule) for rule in (members[-1], "GD"))
    x, floor = np.exp(case["log_parameter"].values), float(case["theory"].min()) / 3
    ax.fill_between(x, case["far"], floor, color=_COLOURS[members[-1]], alpha=0.15, linewidth=0)
    ax.axhline(float(gradient_descent["theory"].item()), color=COLOURS["GD"], linewidth=0.8)
    ax.plot(x, case["theory"], **THEORY)
    for rule in members:
        ax.plot(x, one["near"].isel(case=rules == rule), **_marker(rule))
    ax.set(xscale="log", yscale="log", xlim=(x.min() / 1.5, x.max() * 1.5), ylim=(floor, 8))
    ax.set(xlabel=f"${symbol}$", ylabel="learning rate $\\eta$", title=title)


def draw(dataset: xr.Dataset) -> Figure:
    """Four panels: the planes of HAM and of m⊙w for the first problem, differences to theory, and runs from zero."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset)
    figure, ((ham, product), (differences, runs)) = plt.subplots(2, 2, figsize=(6.75, 5.3))
    one, rules, scales = dataset.isel(instance=0), dataset["rule"].values, scale(dataset)
    _plane(ham, one, ("HYP", "HYP*"), "\\alpha", "HAM")
    _plane(product, one, ("m*w",), "\\gamma", LABELS["m*w"])
    off, far = abs(dataset["near"] / dataset["theory"] - 1), dataset["far"] / dataset["theory"]
    infinity = 30 * np.nanmax(scales)  # the place of gradient descent, the geometry of any scale above
    for rule, colour in _COLOURS.items():
        x, here = np.where(np.isnan(scales), infinity, scales)[rules == rule], far.isel(case=rules == rule)
        each = off.isel(case=rules == rule).values
        differences.plot(np.broadcast_to(x, each.shape).ravel(), each.ravel(), **_marker(rule))
        if rule == "GD":
            runs.plot(x, here.median("instance"), **_marker(rule))
            continue
        runs.plot(x, here.median("instance"), color=colour)
        runs.fill_between(x, here.min("instance"), here.max("instance"), color=colour, alpha=0.15, linewidth=0)
    differences.axhline(0.02, color="0.45", linestyle=":", linewidth=0.9)
    differences.text(infinity, 0.024, "2 %", ha="right", va="bottom", fontsize=7)
    differences.set(yscale="log", ylim=(1e-7, 0.3), ylabel="$|\\eta_{\\mathrm{measured}}\\, /\\, \\eta^* - 1|$")
    largest = f"largest of {off.size}: {100 * float(off.max()):.2f} %"
    differences.text(0.97, 0.03, largest, transform=differences.transAxes, ha="right", fontsize=7)
    runs.axhline(1, **THEORY, zorder=0)
    ends = {name: far.isel(case=rules == rule) for rule, name in _NAMES.items() if rule != "GD"}
    text = "\n".join(f"{name}: {float(of.min()):.2f} to {float(of.max()):.2f}" for name, of in ends.items())
    runs.text(0.03, 0.03, text, transform=runs.transAxes, fontsize=7)
    runs.set(ylim=(0.3, 1.05 * float(far.max())), ylabel="largest $\\eta$ from zero $/\\, \\eta^*$")
    for ax in (differences, runs):
        ax.set(xscale="log", xlabel="scale  ($1/\\alpha$ or $\\gamma/2$)")
        ax.set_xticks([*_DECADES, infinity], [f"$10^{{{np.log10(x):.0f}}}$" for x in _DECADES] + ["∞"])
        ax.xaxis.set_minor_locator(NullLocator())
    for ax, letter in zip(figure.axes, "abcd", strict=True):
        panel_label(ax, letter)
    handles: dict[str, Any] = {name: Line2D([], [], **_marker(rule)) for rule, name in _NAMES.items()}
    handles["theory"] = Line2D([], [], **THEORY)
    handles["GD, theory"] = Line2D([], [], color=COLOURS["GD"], linewidth=0.8)
    handles["converges from zero (HYP*, $m\\odot w$)"] = tuple(
        Patch(color=_COLOURS[rule], alpha=0.2, linewidth=0) for rule in ("HYP*", "m*w")
    )
    figure.legend(
        handles.values(),
        handles.keys(),
        loc="outside lower center",
        ncols=4,
        handler_map={tuple: HandlerTuple(ndivide=None)},
    )
    return figure
