"""F33: what high dimension predicts."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.stats import t as student

from .certified import certified
from .style import COLOURS, LABELS, THEORY, panel_label, shades

NUMBER = "F33"
TITLE = "What high dimension predicts, against limits of random problems"
SOURCE = (
    "the fixed point of the state evolution of message passing [bayati2011dynamics] with the proximal map of the "
    "potential; for the L1 norm and with its phase transition [donoho2009message]"
)
CAPTION = (
    "Limits from zero of y = Xθ* + √n σξ, n = δd, with independent standard normal entries of X and entries of θ* "
    "drawn from a law: {their mean square error tends to a number that two equations give for any "
    "geometry}(random.state-evolution). (a–c) A tenth of the entries is ±1: predictions (lines; dotted: without "
    "noise) and means over draws with twice their standard errors (marks) along the logarithm of the sparsity, ln α "
    "for HAM, ln 2/γ for m⊙w, −3 ln a for the network u³ − v³ from u = v = a. (d) How far the means are from the "
    "prediction in standard errors, for all geometries (1 + aθ² too), δ, σ and three laws, one curve a law, against "
    "Student's law (dashed): {what they are off by is what chance allows}(prediction.scores). (e) The deviation of "
    "one problem from the prediction, HAM with α = 10 (marks: root mean square): {it falls like 1/√n (dashed), "
    "whatever the law of independent entries}(prediction.root-n); {columns that are correlated, ½ between neighbours,"
    " have another limit}(prediction.correlated). (f) The α of least predicted error: {the more noise, the "
    "smaller}(prediction.best-alpha); white: basis pursuit. {In limits its error is within 2 % of that of the best α "
    "of a grid}(prediction.excess)."
)
_FAMILIES = {
    "HAM": (COLOURS["HAM"], LABELS["HAM"]),
    "m*w": (COLOURS["m*w"], LABELS["m*w"]),
    "depth 3": (COLOURS["other"], "depth 3"),
}
_KINDS = {"Gaussian": ("#000000", "o"), "Rademacher": ("#E69F00", "s"), "correlated": ("#56B4E9", "v")}
_LAWS = {"spikes": "#000000", "two sizes": "#E69F00", "normal": "#56B4E9"}
_STYLES = (":", "-")  # of the first two σ
_RANGE = (-6.0, 14.0)  # of ln α in the map


def _errors(ax, dataset: xr.Dataset, family: str) -> None:
    """Predicted and measured errors of one family along ℓ, for every δ and two σ."""
    name = {"HAM": "HAM", "m*w": "m*w", "depth 3": "other"}[family]
    own = dataset.sel(law="spikes").isel(setting=np.flatnonzero(dataset["setting_family"] == family))
    inside = own.isel(setting=np.flatnonzero(own["setting_log"] <= float(dataset["place"].max())))
    for delta, colour in zip(dataset["delta"].values, shades(name, dataset.sizes["delta"]), strict=True):
        for sigma, style in zip(dataset["sigma"].values, _STYLES, strict=False):
            at = {"delta": delta, "sigma": sigma}
            curve = dataset["curve"].sel(family=family, **at)
            ax.plot(dataset["place"], curve.where(curve > 1e-7), style, color=colour, linewidth=1)
            one = inside.sel(at)
            mean = one["mse"].mean("draw")
            ax.errorbar(
                one["setting_log"],
                mean,
                2 * one["standard_error"],
                fmt="o",
                color=colour,
                markersize=2.5,
                linewidth=0.9,
            )
    ax.set(yscale="log", ylim=(1e-4, None), title=_FAMILIES[family][1], xlabel="ln of the sparsity")


def _scores(ax, dataset: xr.Dataset) -> None:
    """How often a deviation is at most so many standard errors."""
    x = np.linspace(0, 4, 200)
    for law, colour in _LAWS.items():
        own = np.sort(np.abs(dataset["score"].sel(law=law).values.ravel()))
        ax.step(own, np.arange(1, own.size + 1) / own.size, color=colour, where="post", label=law)
    ax.plot(x, 1 - 2 * student.sf(x, dataset.sizes["draw"] - 1), **THEORY)
    ax.set(xlim=(0, 4), ylim=(0, 1.02), xlabel="|mean − prediction| / standard error", ylabel="share of the cases")
    ax.legend(loc="lower right")


def _sizes(ax, dataset: xr.Dataset) -> None:
    """Root mean square deviation of one problem against its size."""
    rows = dataset["rows"].values
    off = ((dataset["size_mean"] - 1) ** 2 + dataset["size_spread"] ** 2) ** 0.5
    for kind, (colour, marker) in _KINDS.items():
        ax.plot(rows, off.sel(kind=kind), marker=marker, color=colour, markersize=3.5, linewidth=1, label=kind)
    ax.plot(rows, float(off.sel(kind="Gaussian")[0]) * np.sqrt(rows[0] / rows), **THEORY)
    ax.set(xscale="log", yscale="log", xlabel="rows $n$", ylabel="relative deviation")
    ax.minorticks_off()
    ax.set_yticks([0.05, 0.1, 0.2, 0.4], ["0.05", "0.1", "0.2", "0.4"])
    ax.set_xticks(rows, [f"{n}" for n in rows])
    ax.legend(loc="lower left")


def draw(dataset: xr.Dataset) -> Figure:
    """Errors of three families, their deviations, how these fall with the size, and the best α."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset)
    figure, axes = plt.subplots(2, 3, figsize=(6.75, 4.6))
    for ax, family in zip(axes[0], _FAMILIES, strict=True):
        _errors(ax, dataset, family)
    axes[0, 0].set_ylabel("mean square error")
    _scores(axes[1, 0], dataset)
    _sizes(axes[1, 1], dataset)
    best = dataset["best_log"].transpose("map_sigma", "map_delta")
    shown = np.ma.masked_where(best.values > _RANGE[1], np.maximum(best.values, _RANGE[0]))
    mesh = axes[1, 2].pcolormesh(
        best["map_delta"], best["map_sigma"], shown, cmap="viridis", vmin=_RANGE[0], vmax=_RANGE[1], shading="nearest"
    )
    axes[1, 2].set(yscale="log", xlabel="$\\delta = n/d$", ylabel="noise σ")
    figure.colorbar(mesh, ax=axes[1, 2], label="ln of the best α")
    for ax, letter in zip(axes.flat, "abcdef", strict=True):
        panel_label(ax, letter)
    grey = shades("GD", dataset.sizes["delta"])
    handles = {
        f"δ = {x:g}": Line2D([], [], color=c, marker="o", markersize=2.5)
        for x, c in zip(dataset["delta"].values, grey, strict=True)
    }
    for value, style in zip(dataset["sigma"].values, _STYLES, strict=False):
        handles[f"σ = {value:g}"] = Line2D([], [], color="0.4", linestyle=style)
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=6)
    return figure
