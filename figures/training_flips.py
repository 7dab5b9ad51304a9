"""F25: sign flips over training."""

from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import hamtheory.train as htt

from .certified import certified
from .style import COLOURS, THEORY, panel_label, shades

NUMBER = "F25"
TITLE = "Sign flips over training: HAM flips fewer signs than the base with steps of the same size"
SOURCE = (
    "the claim that HAM flips more signs than Sign-In, and Sign-In more than the base: [jacobs2026ham], Figure 2a; "
    "Sign-In: [gadhikar2025signin]; effective learning rates: own"
)
CAPTION = (
    "A multilayer perceptron on digits, pruned at random at initialisation to 10 % of its weights (ERK); SGD with "
    "momentum μ = 0.9 and a cosine, sixteen epochs, ten seeds, the same for all; HAM with β = 0. Flips are per kept "
    "weight; lines and marks: means, bands and bars: 95 % intervals. (a, b) Sign flips so far, and of each epoch, at "
    "the learning rate 0.1; dashed: a control, the base at 0.2. (c) At 0.01, with the base at 0.03: {HAM's flips come "
    "earlier than the base's}(training_flips.earlier). (d) Flips, and weights whose sign is another than at first "
    "(open), against the effective learning rate, which is {η(1 + (1 − μ)α⟨|θ|⟩) with HAM, of the mean at the "
    "start}(training_flips.effective-rate). {The base and Sign-In flip the more the larger it "
    "is}(training_flips.larger-steps), and {HAM is below the base's line: larger steps would make more flips than HAM "
    "has}(training_flips.below-the-line). (e) Paired differences to the base at the same learning rate (filled), and "
    "at the same effective one (open; interpolated between rates, seed by seed), in per cent of its flips. {The "
    "published order, HAM above Sign-In above base, is not found: at large rates Sign-In flips more than the base, "
    "and HAM does not; at the smallest rate HAM flips a little more.}(training_flips.published-order) {At the same "
    "effective rate HAM flips less everywhere.}(training_flips.same-steps) (f) Flips and test accuracy, one mark a "
    "network: {at the smallest rate HAM is far more accurate, with about as many flips}(training_flips.accuracy)."
)
_LOOK = {"base": (COLOURS["GD"], "s"), "Sign-In": ("#E6B800", "o"), "HAM": (COLOURS["HAM"], "D")}
_CONTROL = {"color": "0.55", "linestyle": (0, (4, 2)), "linewidth": 1.1}


class Differences(NamedTuple):
    """Paired differences of the flips at the end, (runs,), to the base; NaN where there is no base to compare with."""

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def runs(dataset: xr.Dataset, rule: str, rate: float | None = None) -> xr.Dataset:
    """Those of a rule, at a learning rate or at all."""
    wanted = dataset["rule"].values == rule
    if rate is not None:
        wanted &= np.isclose(dataset["learning_rate"].values, rate)
    return dataset.isel(run=np.flatnonzero(wanted))


def differences(dataset: xr.Dataset, name: str = "gross", *, effective: bool = False) -> Differences:
    """Of all runs, in flips per kept weight: to the base at the same rate, or at the same effective one."""
    ends = dataset[name].isel(epoch=-1).values
    if effective:
        base = dataset[f"{name}_base"].values
    else:
        base = np.full(ends.shape, np.nan)
        for place, rate in enumerate(dataset["learning_rate"].values):
            same = runs(dataset, "base", rate)[name].isel(epoch=-1).values
            base[place] = same[0] if len(same) else np.nan
    found = htt.paired(ends, base)
    return Differences(found.mean, found.low, found.high)


def colours(dataset: xr.Dataset) -> list[str]:
    """Of the runs: HAM's are the darker, the stronger it is, in ηα."""
    levels = sorted(set(strengths(dataset)) - {0.0})
    own = dict(zip(levels, shades("HAM", len(levels)), strict=True))
    both = zip(dataset["rule"].values, strengths(dataset), strict=True)
    return [own[level] if rule == "HAM" else _LOOK[rule][0] for rule, level in both]


def strengths(dataset: xr.Dataset) -> list[float]:
    """ηα of the runs, to one digit."""
    return [float(f"{value:.1g}") for value in (dataset["alpha"] * dataset["learning_rate"]).values]


def _curve(ax, values: xr.DataArray, *, each: bool, **style: Any) -> None:
    counts = values.values
    if each:
        counts = np.diff(counts, axis=-1, prepend=0)
    mean, low, high = htt.interval(counts.T)
    ax.fill_between(values["epoch"], low, high, color=style["color"], alpha=0.15, linewidth=0)
    ax.plot(values["epoch"], mean, **style)


def _curves(ax, dataset: xr.Dataset, rate: float, control: float, *, each: bool) -> None:
    own = colours(dataset)
    for place in range(dataset.sizes["run"]):
        run = dataset.isel(run=place)
        if np.isclose(run["learning_rate"], rate):
            _curve(ax, run["gross"], each=each, color=own[place], linewidth=1.2)
    _curve(ax, runs(dataset, "base", control)["gross"].isel(run=0), each=each, **_CONTROL)
    ax.set(xlabel="epoch", xlim=(0.5, dataset.sizes["epoch"] + 0.5))
    ax.set_ylim(0, None)
    ax.set_ylabel("flips of an epoch" if each else "flips so far")
    ax.set_title(f"learning rate {rate:g}")


def _bars(ax, x, values, **style: Any) -> None:
    """Means with intervals, of (runs, seeds)."""
    mean, low, high = htt.interval(values)
    ax.errorbar(x, mean, [mean - low, high - mean], linestyle="", elinewidth=0.8, markersize=3.5, **style)


def _steps(ax, dataset: xr.Dataset) -> None:
    own = colours(dataset)
    base = runs(dataset, "base")
    for name in ("gross", "net"):
        ax.plot(base["effective_rate"], base[name].isel(epoch=-1).mean("seed"), color="0.6", linewidth=0.9, zorder=0)
        for place in range(dataset.sizes["run"]):
            run = dataset.isel(run=[place])
            style = {"color": own[place], "marker": _LOOK[run["rule"].item()][1]}
            filling = {} if name == "gross" else {"markerfacecolor": "white"}
            _bars(ax, run["effective_rate"], run[name].isel(epoch=-1).values, **style, **filling)
    ax.set(xscale="log", yscale="log", xlabel="effective learning rate", ylabel="flips; net flips (open)")
    ax.set_yticks([0.1, 0.2, 0.5, 1], ["0.1", "0.2", "0.5", "1"])
    ax.set_yticks([], minor=True)


def _name(run: xr.Dataset) -> str:
    alpha = f", α = {run['alpha'].item():g}" if run["rule"].item() == "HAM" else ""
    return f"{run['rule'].item()} {run['learning_rate'].item():g}{alpha}"


def _forest(ax, dataset: xr.Dataset) -> None:
    own, places = colours(dataset), np.flatnonzero(dataset["rule"].values != "base")
    order = sorted(places, key=lambda i: (dataset["learning_rate"].values[i], dataset["rule"].values[i] == "HAM"))
    for effective in (False, True):
        found = differences(dataset, effective=effective)
        for row, place in enumerate(order):
            same = (
                dataset["gross_base"].isel(run=place)
                if effective
                else dataset["gross"].isel(run=place, epoch=-1)  # of the base: flips less the difference
            )
            scale = 100 / (float(same.mean()) - (0.0 if effective else found.mean[place]))
            mean, low, high = (scale * value[place] for value in found)
            style = {"color": own[place], "marker": _LOOK[str(dataset["rule"].values[place])][1]}
            filling = {"markerfacecolor": "white"} if effective else {}
            at = row + (0.18 if effective else -0.18)
            bar = [[mean - low], [high - mean]]
            ax.errorbar(mean, at, xerr=bar, linestyle="", elinewidth=0.8, markersize=3.5, **style, **filling)
    ax.axvline(0, **THEORY, zorder=0)
    ax.set_yticks(range(len(order)), [_name(dataset.isel(run=i)) for i in order], fontsize=6)
    ax.set(ylim=(len(order) - 0.4, -0.6), xlabel="difference in flips to the base, %")


def _accuracies(ax, dataset: xr.Dataset) -> None:
    own = colours(dataset)
    for place in range(dataset.sizes["run"]):
        run = dataset.isel(run=place)
        style = {"color": own[place], "marker": _LOOK[run["rule"].item()][1], "markersize": 2.4, "alpha": 0.7}
        ax.plot(run["gross"].isel(epoch=-1), 100 * run["test_accuracy"], linestyle="", **style)
    ax.set(xscale="log", xlabel="flips per kept weight", ylabel="test accuracy, %")
    ax.set_xticks([0.1, 0.2, 0.5, 1], ["0.1", "0.2", "0.5", "1"])
    ax.set_xticks([], minor=True)


def draw(dataset: xr.Dataset) -> Figure:
    """Six panels: flips so far and an epoch, at two rates; against effective rates; differences; accuracies."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset)
    figure, axes = plt.subplots(2, 3, figsize=(6.75, 4.7))
    rates = np.sort(runs(dataset, "base")["learning_rate"].values)
    middle, slow = runs(dataset, "Sign-In")["learning_rate"].values, rates[0]
    rate = 0.1 if np.isclose(middle, 0.1).any() else middle[0]
    above = {wanted: rates[np.searchsorted(rates, wanted * 1.01)] for wanted in (rate, slow)}
    _curves(axes[0, 0], dataset, rate, above[rate], each=False)
    _curves(axes[0, 1], dataset, rate, above[rate], each=True)
    _curves(axes[0, 2], dataset, slow, above[slow], each=True)
    _steps(axes[1, 0], dataset)
    _forest(axes[1, 1], dataset)
    _accuracies(axes[1, 2], dataset)
    for ax, letter in zip(axes.flat, "abcdef", strict=True):
        panel_label(ax, letter)
    handles = {
        name: Line2D([], [], color=colour, marker=mark, markersize=3.5)
        for name, (colour, mark) in _LOOK.items()
        if name != "HAM"
    }
    own = dict(zip(strengths(dataset), colours(dataset), strict=True))
    for level in sorted(set(own) - {0.0}):
        handles[f"HAM, ηα ≈ {level:g}"] = Line2D([], [], color=own[level], marker=_LOOK["HAM"][1], markersize=3.5)
    handles["base, larger rate"] = Line2D([], [], **_CONTROL)
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=6)
    return figure
