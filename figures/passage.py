"""F18: first-passage times."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .certified import certified
from .style import COLOURS, LABELS, THEORY, panel_label, shades

NUMBER = "F18"
TITLE = "First-passage times, theory over simulation"
SOURCE = "own derivation; the flows: HAM [jacobs2026ham], [woodworth2020kernel]"
CAPTION = (
    "The time in which a flow under f = (θ − y)²/2 gets from −a to zero, for three pairs (a, y), by shade. {(a) m⊙w "
    "against γ, (b) HAM against α: closed forms (lines)}(signs.passage), {their leading terms ln(2ay/(γ(a + y)))/2y "
    "and ln(αay/(a + y))/(αy) (dashed)}(passage.leading-terms), and the times at which the integrated flows cross "
    "zero: in dual coordinates (circles), in θ itself (crosses), and of the factors m and w (triangles). (c) The "
    "metrics 1 + cθ² and {of a diagonal network of depth three by its scale, for the first pair: quadrature (lines) "
    "and flows}(geometry.network, signs.passage). (d, e) {Relative differences of flows and theory, below 10⁻⁷ "
    "(dotted)}(passage.flows), for the factors at the γ that they have after rounding. (f) The same of rules, for the "
    "first pair, with the number of steps to zero times the learning rate in place of the time: {first order in η "
    "(dashed: slope one)}(passage.rules)."
)
MARKS = {"dual": "o", "primal": "x", "product": "^"}
WORDS = {"dual": "dual", "primal": "primal", "product": "factors"}
FLOOR = 1e-16
CUSTOM = {"custom": "metric 1 + cθ²", "network": "deep network"}
RULES = {  # colour, marker, label
    "GD": (COLOURS["GD"], "s", "gradient descent"),
    "HYP": (COLOURS["HAM"], "o", "HYP"),
    "HYP*": (COLOURS["HAM"], "D", "HYP*"),
    "m*w": (COLOURS["m*w"], "^", "$m\\odot w$"),
}


def cases(dataset: xr.Dataset, family: str, coordinates: str) -> xr.Dataset:
    """Those of a family in these coordinates."""
    return dataset.isel(case=(dataset["family"].values == family) & (dataset["coordinates"].values == coordinates))


def _marked(ax, x, y, coordinates: str, colour) -> None:
    face = colour if coordinates == "product" else "none"
    size = {"dual": 4.2, "primal": 3.2, "product": 2.4}[coordinates]
    ax.plot(x, y, MARKS[coordinates], color=colour, markerfacecolor=face, markersize=size, markeredgewidth=0.7)


def draw(dataset: xr.Dataset) -> Figure:
    """Times above, their differences from theory below."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset)
    figure, axes = plt.subplots(2, 3, figsize=(6.75, 4.6), height_ratios=(1.2, 1))
    pairs, used = dataset.sizes["pair"], dict.fromkeys(dataset["coordinates"].values.tolist())
    for column, (family, parameter) in enumerate((("m*w", "gamma"), ("HAM", "alpha"))):
        times, differences = axes[:, column]
        for pair, colour in enumerate(shades(family, pairs)):
            for coordinates in used:
                one = cases(dataset, family, coordinates).isel(pair=pair)
                if not one.sizes["case"]:
                    continue
                _marked(times, one["parameter"], one["simulated"], coordinates, colour)
                _marked(differences, one["parameter"], one["difference"].clip(FLOOR), coordinates, colour)
                if coordinates == "dual":
                    times.plot(dataset[parameter], dataset[f"theory_{parameter}"][pair], color=colour)
                    far = one["asymptote"] > 0.7 * one["theory"]
                    times.plot(one["parameter"][far], one["asymptote"][far], **THEORY)
    here = dataset["family"].values.tolist()
    custom = {name: colour for name, colour in (("custom", COLOURS["other"]), ("network", "#CC79A7")) if name in here}
    for name, colour in custom.items():
        coordinates = next(c for c in used if cases(dataset, name, c).sizes["case"])
        one = cases(dataset, name, coordinates).isel(pair=0)
        axes[0, 2].plot(one["parameter"], one["theory"], color=colour)
        _marked(axes[0, 2], one["parameter"], one["simulated"], coordinates, colour)
    for name, (colour, marker, _) in RULES.items():
        one = dataset.sel(rule=name)
        error = abs(one["rule_measured"] / one["rule_theory"] - 1)
        face = "none" if name == "HYP" else colour
        axes[1, 2].plot(one["rate"], error, marker, color=colour, markerfacecolor=face, markersize=3.4)
    rate = dataset["rate"].values
    axes[1, 2].plot(rate, rate, **THEORY)
    for ax, label in zip(axes[0], ("$\\gamma$", "$\\alpha$", "$c$, scale"), strict=True):
        ax.set(xscale="log", yscale="log", xlabel=label)
    axes[0, 0].set(yscale="log", ylabel="time of crossing zero")
    for ax, label in zip(axes[1], ("$\\gamma$", "$\\alpha$", "learning rate $\\eta$"), strict=True):
        ax.set(xscale="log", yscale="log", xlabel=label)
    for ax in axes[1, :2]:
        ax.axhline(1e-7, color="0.4", linestyle=":", linewidth=0.8)
        ax.set(ylim=(FLOOR / 2, 1e-3), yticks=10.0 ** np.arange(-16, -2, 3))
    axes[1, 0].set(ylabel="relative difference")
    for ax, title in zip(axes[0], (LABELS["m*w"], "HAM", "by quadrature"), strict=True):
        ax.set_title(title)
    for ax, letter in zip(axes.flat, "abcdef", strict=True):
        panel_label(ax, letter)
    _legend(figure, dataset, list(used), custom)
    return figure


def _legend(figure, dataset: xr.Dataset, used: list[str], custom: dict[str, str]) -> None:
    def mark(marker: str, colour: str, face: str) -> Line2D:
        style = {"linestyle": "", "markersize": 3.6, "markeredgewidth": 0.7}
        return Line2D([], [], marker=marker, color=colour, markerfacecolor=face, **style)

    pairs = zip(dataset["a"].values, dataset["y"].values, shades("GD", dataset.sizes["pair"]), strict=True)
    handles = {f"a = {a:g}, y = {y:g}": Line2D([], [], color=grey, linewidth=2) for a, y, grey in pairs}
    handles["leading terms, slope one"] = Line2D([], [], **THEORY)
    for name in used:
        handles[f"flow, {WORDS[name]}"] = mark(MARKS[name], "0.3", "0.3" if name == "product" else "none")
    handles |= {f"(c) {CUSTOM[name]}": Line2D([], [], color=colour) for name, colour in custom.items()}
    for name, (colour, marker, label) in RULES.items():
        handles[f"(f) {label}"] = mark(marker, colour, "none" if name == "HYP" else colour)
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=5, columnspacing=1.0)
