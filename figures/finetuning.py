"""F36: what a coordinate costs after pretraining, and how many samples fine-tuning takes."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from .certified import certified
from .style import THEORY, panel_label

NUMBER = "F36"
TITLE = "Fine-tuning: the regimes of a coordinate, and what pretraining saves"
SOURCE = (
    "Lippl, Lindsey [lippl2024inductive]: the set-up; the state evolution of message passing [bayati2011dynamics]; the "
    "potential, its exponents, the joint law and the simulation: own"
)
CAPTION = (
    "A diagonal network is pretrained from the scale c, ends at β, and its readouts are reset to 0: fine-tuning is the "
    "flow of m⊙w with a γ for each coordinate, and its limit the least sum of potentials R(θ; β). (a) ∂ln R/∂ln|θ|: "
    "{2, of ridge, where |θ| is small against the larger of c and |β|; towards 1, of L1, like a logarithm where it is "
    "large}(finetuning.own). (b) ∂ln R/∂ln|β|: {0 where |β| is small against c, and −1 where it is large and |θ| "
    "is small against it}(finetuning.pretrained). (c–e) 100 entries, of which 8 are ±1 in the truth, and 8 in β: the "
    "error of the limit by the number of Gaussian samples without noise, median and quartiles of the draws (marks), "
    "not below 10⁻⁴, and what high dimension predicts of the joint law of the truth and γ (lines). {For the two larger "
    "c the medians are within a fifth of it}(finetuning.theory); with the smallest one 100 entries smear a "
    "transition. {With a small c and the same support it takes less than half of the samples of a network that was "
    "not pretrained}(finetuning.same); {with another support it takes more}(finetuning.another); {with a large c "
    "pretraining makes no difference}(finetuning.lazy)."
)
_FLOOR = 1e-4
OVERLAPS = {"the same": ("#0072B2", "o"), "half of it": ("#009E73", "s"), "another": ("#D55E00", "^")}


def _map(figure, ax, values: xr.DataArray, levels, title: str, cmap: str) -> None:
    mesh = ax.pcolormesh(values["size"], values["pretrained_size"], values, cmap=cmap, rasterized=True)
    mesh.set_clim(levels[0], levels[-1])
    places = values["size"], values["pretrained_size"]
    lines = ax.contour(*places, values, levels=levels[1:-1], colors="0.6", linewidths=0.8, linestyles="solid")
    ax.plot(values["size"], values["size"], **THEORY | {"color": "0.8"})
    ax.set(xscale="log", yscale="log", xlabel="$|\\theta|/c$", ylabel="$|\\beta|/c$", title=title)
    figure.colorbar(mesh, ax=ax, ticks=levels).add_lines(lines)


def draw(dataset: xr.Dataset) -> Figure:
    """Two maps of exponents, and the errors at each scale."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset)
    figure = plt.figure(figsize=(6.75, 4.9))
    top, bottom = figure.add_gridspec(2, 1)
    maps = [figure.add_subplot(place) for place in top.subgridspec(1, 2)]
    exponent = dataset["exponent"]
    slope = "$\\partial\\ln R/\\partial\\ln"
    _map(figure, maps[0], exponent.sel(of="theta"), [1, 1.1, 1.3, 1.7, 2], f"{slope}|\\theta|$", "viridis")
    _map(figure, maps[1], exponent.sel(of="beta"), [-1, -0.9, -0.5, -0.1, 0], f"{slope}|\\beta|$", "magma")
    first = None
    places = bottom.subgridspec(1, dataset.sizes["scale"])
    for column, scale in enumerate(dataset["scale"].values):
        first = ax = figure.add_subplot(places[0, column], sharey=first)
        one = dataset.sel(scale=scale)
        kinds = {"not pretrained": (one["scratch"], one["predicted_scratch"], "0.3", "x")}
        for name, style in OVERLAPS.items():
            at = one.sel(overlap=name)
            kinds[name] = at["error"], at["predicted"], *style
        for name, (values, theory, colour, marker) in kinds.items():
            low, middle, high = np.maximum(values.quantile([0.25, 0.5, 0.75], "instance").values, _FLOOR)
            ax.plot(one["rows"], np.maximum(theory, _FLOOR), color=colour, linewidth=0.9)
            bars = [middle - low, high - middle]
            ax.errorbar(one["samples"], middle, bars, fmt=marker, color=colour, markersize=3, linewidth=0.8, label=name)
        exponent_of = round(float(np.log10(scale)))
        ax.set(yscale="log", ylim=(_FLOOR, 2), xlabel="samples $n$", title=f"$c = 10^{{{exponent_of}}}$")
    axes = figure.axes
    panels = [maps[0], maps[1], *[ax for ax in axes if ax.get_xlabel() == "samples $n$"]]
    panels[2].set_ylabel("error, relative")
    for ax in panels[3:]:
        ax.tick_params(labelleft=False)
    panels[-1].legend(title="support of $\\beta$:", loc="lower left")
    for ax, letter in zip(panels, "abcde", strict=True):
        panel_label(ax, letter)
    return figure
