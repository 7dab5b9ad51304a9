"""F27: pruning of dense networks that were trained with and without HAM."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import hamtheory.train as htt

from .certified import certified
from .style import COLOURS, THEORY, panel_label

NUMBER = "F27"
TITLE = "Does HAM leave weights that prune better? Yes at the same learning rate and decay, no against larger ones"
SOURCE = "question of a referee of [jacobs2026ham]; own experiment; m⊙w: spred [ziyin2023spred]"
CAPTION = (
    "Dense multilayer perceptrons on digits, trained with SGD (momentum 0.9, a cosine, fifteen epochs, learning rate "
    "η = 0.1 and weight decay λ = 5e-4 if not said otherwise), or with HAM around it; then the smallest weights of "
    "all layers together are pruned, and it is not trained again. Ten seeds, the same for all; bands and bars: 95 % "
    "intervals. (a) Distribution of the weights: {decay moves it, α hardly}(prunability.weights). (b) Test error "
    "against the share that is pruned; {before, all accuracies are within a point of each other}(prunability.dense). "
    "(c) HAM less the base with the same η, λ and β, seed by seed: {HAM's weights prune better at η = 0.03 with α = "
    "30, and at η = 0.1 with α = 10 and β = 0.05}(prunability.same-rate); {with α = 10 alone it is not "
    "resolved}(prunability.alpha-alone). Dashed: HAM (α = 10, β = 0.05) less the base with η = 0.15 and λ = 0.005: "
    "{no difference is resolved; and no HAM here is better than this base at any sparsity}(prunability.best-base). "
    "(d) The smallest share of the weights that carries 99 % of the L1 norm, and accuracy at a sparsity of 0.9, a "
    "mark a setting: {the smaller, the better it prunes, by and large, with HAM (blue) as with the base "
    "(black)}(prunability.carriers); but {nowhere are the weights sparse}(prunability.not-sparse). (e) Accuracy at "
    "0.9 less that of the base with η = 0.1: {a larger learning rate or decay does what HAM "
    "does}(prunability.controls). {HAM at η = 0.03 and α = 30, whose effective rate is 0.04 at the start, is in the "
    "mean between the base at 0.04 and at 0.06.}(prunability.effective-rate) {m⊙w with κ = 0.001 does not start "
    "higher, and is ahead of every base at 0.98.}(prunability.product)"
)
_DECAY = 5e-4
_SHOWN: dict[str, tuple[dict[str, Any], str, Any]] = {  # hyperparameters, colour, line style
    "base, η = 0.03": ({"learning_rate": 0.03}, "0.6", "-"),
    "HAM, η = 0.03, α = 30": ({"learning_rate": 0.03, "alpha": 30.0}, "#56B4E9", "-"),
    "base, η = 0.1": ({}, COLOURS["GD"], "-"),
    "base, β = 0.05": ({"beta": 0.05}, COLOURS["GD"], ":"),
    "base, λ = 0.01": ({"weight_decay": 0.01}, COLOURS["GD"], "--"),
    "base, η = 0.15": ({"learning_rate": 0.15}, COLOURS["other"], "-"),
    "base, η = 0.15, λ = 0.005": ({"learning_rate": 0.15, "weight_decay": 0.005}, COLOURS["other"], "--"),
    "HAM, α = 10": ({"alpha": 10.0}, COLOURS["HAM"], "-"),
    "HAM, α = 10, β = 0.05": ({"alpha": 10.0, "beta": 0.05}, COLOURS["HAM"], ":"),
    "$m\\odot w$, κ = 0.001": ({"kappa": 1e-3}, COLOURS["m*w"], "-"),
}
_PAIRS = (  # what is compared with what
    ("HAM, η = 0.03, α = 30", "base, η = 0.03", "-"),
    ("HAM, α = 10", "base, η = 0.1", "-"),
    ("HAM, α = 10, β = 0.05", "base, β = 0.05", "-"),
    ("HAM, α = 10, β = 0.05", "base, η = 0.15, λ = 0.005", "--"),
)


def setting(dataset: xr.Dataset, **hyper: Any) -> xr.Dataset | None:
    """The one with these hyperparameters, and the usual ones otherwise; None if it is not there."""
    wanted = {"learning_rate": 0.1, "weight_decay": _DECAY, "alpha": 0.0, "beta": 0.0, "kappa": np.nan} | hyper
    same = [
        np.isclose(dataset[name].values, value, rtol=1e-6, atol=0, equal_nan=True) for name, value in wanted.items()
    ]
    places = np.flatnonzero(np.all(same, axis=0))
    return dataset.isel(setting=int(places[0])) if len(places) else None


def named(dataset: xr.Dataset) -> dict[str, xr.Dataset]:
    """Those that have a line, by name."""
    found = {name: setting(dataset, **hyper) for name, (hyper, *_) in _SHOWN.items()}
    return {name: own for name, own in found.items() if own is not None}


def difference(a: xr.Dataset, b: xr.Dataset) -> htt.Paired:
    """Of the accuracies at all sparsities, in points, seed by seed."""
    first, second = (100 * own["test_accuracy"].transpose("sparsity", "seed").values.astype(float) for own in (a, b))
    return htt.paired(first, second)


def label(own: xr.Dataset) -> str:
    """A setting in few characters."""
    if own["rule"].item() == "m*w":
        return f"$m\\odot w$, κ = {own['kappa'].item():g}"
    words = [own["rule"].item(), f"η = {own['learning_rate'].item():g}"]
    if not np.isclose(own["weight_decay"], _DECAY):
        words.append(f"λ = {own['weight_decay'].item():g}")
    words += [f"{sign} = {own[name].item():g}" for sign, name in (("α", "alpha"), ("β", "beta")) if own[name] > 0]
    return ", ".join(words)


def _colour(own: xr.Dataset) -> str:
    return {"base": COLOURS["GD"], "HAM": COLOURS["HAM"], "m*w": COLOURS["m*w"]}[own["rule"].item()]


def _densities(ax, dataset: xr.Dataset) -> None:
    for name, own in named(dataset).items():
        ax.plot(own["size"], own["density"], color=_SHOWN[name][1], linestyle=_SHOWN[name][2], linewidth=1)
    ax.set(xscale="log", xlim=(1e-4, 2), xlabel="|w| at the end", ylabel="density of lg |w|")
    ax.set_ylim(0, None)


def _axis(ax, dataset: xr.Dataset) -> None:
    """What is pruned, evenly in the logarithm of what is left."""
    sparsities = dataset["sparsity"].values[1:]
    ax.set(xscale="log", xlim=(1.04 * (1 - sparsities[0]), 0.96 * (1 - sparsities[-1])), xlabel="pruned, %")
    ticks = [s for s in (0.5, 0.7, 0.8, 0.9, 0.95, 0.98) if sparsities[0] <= s <= sparsities[-1]]
    ax.set_xticks([1 - s for s in ticks], [f"{100 * s:g}" for s in ticks])
    ax.set_xticks([], minor=True)


def _errors(ax, dataset: xr.Dataset) -> None:
    left = 1 - dataset["sparsity"].values[1:]
    for name, own in named(dataset).items():
        values = 100 * (1 - own["test_accuracy"].transpose("sparsity", "seed").values[1:])
        mean, low, high = htt.interval(values)
        ax.fill_between(left, np.maximum(low, 0.5), high, color=_SHOWN[name][1], alpha=0.08, linewidth=0)
        ax.plot(left, mean, color=_SHOWN[name][1], linestyle=_SHOWN[name][2], linewidth=1)
    _axis(ax, dataset)
    ax.set(yscale="log", ylim=(1.5, 100), ylabel="test error, %")
    ax.set_yticks([2, 5, 10, 20, 50, 100], ["2", "5", "10", "20", "50", "100"])
    ax.set_yticks([], minor=True)


def _differences(ax, dataset: xr.Dataset) -> None:
    left, there = 1 - dataset["sparsity"].values[1:], named(dataset)
    for ham, base, style in _PAIRS:
        if ham not in there or base not in there:
            continue
        found = difference(there[ham], there[base])
        colour = _SHOWN[ham][1] if style == "-" else COLOURS["other"]
        line = "--" if style == "--" else _SHOWN[ham][2]
        ax.fill_between(left, found.low[1:], found.high[1:], color=colour, alpha=0.15, linewidth=0)
        ax.plot(left, found.mean[1:], color=colour, linestyle=line, linewidth=1.1)
    ax.axhline(0, color="0.7", linewidth=0.7, zorder=0)
    _axis(ax, dataset)
    ax.set(ylabel="HAM less base, points")


def _carriers(ax, dataset: xr.Dataset) -> None:
    for place in range(dataset.sizes["setting"]):
        own = dataset.isel(setting=place)
        mark = {"base": "s", "HAM": "D", "m*w": "o"}[own["rule"].item()]
        at = 100 * own["carriers"].mean().item(), 100 * own["test_accuracy"].sel(sparsity=0.9).mean().item()
        ax.plot(*at, marker=mark, color=_colour(own), markersize=3.5, linestyle="")
    ax.set(xlabel="weights with 99 % of L1, %", ylabel="test accuracy at 90 %, %")


def _forest(ax, dataset: xr.Dataset) -> None:
    base, rows = named(dataset)["base, η = 0.1"], []
    place = int(np.argmin(np.abs(dataset["sparsity"].values - 0.9)))
    for number in range(dataset.sizes["setting"]):
        own = dataset.isel(setting=number)
        found = difference(own, base)
        rows.append((own, htt.Interval(found.mean[place], found.low[place], found.high[place])))
    rows.sort(key=lambda row: float(row[1].mean))
    for at, (own, found) in enumerate(rows):
        bar = [[found.mean - found.low], [found.high - found.mean]]
        mark = {"base": "s", "HAM": "D", "m*w": "o"}[own["rule"].item()]
        ax.errorbar(found.mean, at, xerr=bar, color=_colour(own), marker=mark, markersize=3.2, elinewidth=0.8)
    ax.axvline(0, **THEORY, zorder=0)
    ax.set_yticks(range(len(rows)), [label(own) for own, _ in rows], fontsize=6)
    ax.set(ylim=(-0.7, len(rows) - 0.3), xlabel="at 90 %, less base η = 0.1, points")


def draw(dataset: xr.Dataset) -> Figure:
    """Five panels: weights, accuracies after pruning, differences, a measure of sparsity, and all settings at 0.9."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset)
    figure = plt.figure(figsize=(6.75, 5.0))
    grid = figure.add_gridspec(2, 3, width_ratios=(1, 1, 0.9))
    cells = [grid[0, 0], grid[0, 1], grid[1, 0], grid[1, 1], grid[:, 2]]
    axes = [figure.add_subplot(cell) for cell in cells]
    for ax, panel, letter in zip(axes, (_densities, _errors, _differences, _carriers, _forest), "abcde", strict=True):
        panel(ax, dataset)
        panel_label(ax, letter)
    lines: dict[str, Line2D] = {}
    for name in named(dataset):
        _, colour, style = _SHOWN[name]
        lines[name] = Line2D([], [], color=colour, linestyle=style)
    figure.legend(lines.values(), lines.keys(), loc="outside lower center", ncols=4)
    return figure
