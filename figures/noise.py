"""F14: what mini-batches do to the bias."""

import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter, NullLocator

from .certified import certified
from .style import RULES, THEORY, panel_label

NUMBER = "F14"
TITLE = "What mini-batches do to the bias: sparser for m⊙w, denser for HAM"
SOURCE = "m⊙w: Pesme, Pillaud-Vivien, Flammarion (2021); HAM: own derivation, Itô's correction in mirror coordinates"
CAPTION = (
    "Change of the excess L1 norm ‖θ_∞‖₁ − ‖θ_BP‖₁ by the noise of the gradient, in units of the excess of the flow's "
    "limit; from zero, four random problems (n = 40, d = 100, five spikes of ±1), α = 20 and γ = 0.1. (a) "
    "Mini-batches of one sample, against the learning rate in units of the largest stable one at the limit. (b) "
    "Against the batch size, at the largest rate of (a); all 40: gradients without noise. (c) Discretisations of "
    "HAM's flow, as in (a): {HYP*, which is HAM as published, becomes less sparse, the natural gradient step "
    "sparser}(noise.apart); {mirror descent would stay at 0, whatever the noise}(flow.dual-coordinates, "
    "ham.ito-drift). Lines and bands: median and range over the problems of the mean over the draws. Dashed: {theory "
    "to first order in η, from the flow alone, without any run}(ham.ito-drift, even.large-steps). {It overrates HAM's "
    "shift: the signs of small entries are random while these are below the noise.}(noise.overrated)"
)


def _panel(ax, dataset: xr.Dataset, axis: str, curves: tuple[str, ...]) -> None:
    name = f"{axis}_curve"
    for curve in curves:
        colour, marker, _ = RULES[curve]
        change = 100 * dataset[f"{axis}_change"].sel({name: curve}).mean("draw")
        theory = 100 * dataset[f"{axis}_theory"].sel({name: curve}).median("problem")
        x = dataset[axis].values
        ax.fill_between(x, change.min("problem"), change.max("problem"), color=colour, alpha=0.15, linewidth=0)
        ax.plot(x, change.median("problem"), color=colour, marker=marker, markersize=3)
        ax.plot(x, theory, **THEORY | {"color": colour}, zorder=3)
    ax.set(xscale="log")
    ax.axhline(0, color="0.8", linewidth=0.6, zorder=0)


def draw(dataset: xr.Dataset) -> Figure:
    """Three panels: against the learning rate, against the batch size, and the discretisations of HAM."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset)
    figure, (rates, sizes, rules) = plt.subplots(1, 3, figsize=(6.75, 3.0))
    _panel(rates, dataset, "rate", ("GD", "m*w", "HYP*"))
    _panel(sizes, dataset, "batch", ("GD", "m*w", "HYP*"))
    _panel(rules, dataset, "rate", ("HYP*", "natural gradient"))
    for ax in (rates, rules):
        values = dataset["rate"].values
        ax.set_xticks(values, [f"{value:g}" for value in values])
        ax.set(xlabel="learning rate / largest stable one")
    values = dataset["batch"].values
    sizes.set_xticks(values, [*(f"{value:g}" for value in values[:-1]), f"all {values[-1]:g}"])
    sizes.set(xlabel="batch size")
    for ax, letter in zip(figure.axes, "abc", strict=True):
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_minor_formatter(NullFormatter())
        panel_label(ax, letter)
    rates.set(ylabel="change of the excess L1 norm (%)")
    handles = {
        label: Line2D([], [], color=colour, marker=marker, markersize=3) for colour, marker, label in RULES.values()
    }
    handles["theory"] = Line2D([], [], **THEORY)
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=5)
    return figure
