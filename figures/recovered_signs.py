"""F22: the signs that flows recover from starts with wrong ones."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from .certified import certified
from .style import COLOURS, THEORY, panel_label, shades

NUMBER = "F22"
TITLE = "Signs recovered from wrong ones: against the start, n/d, sparsity and geometry"
SOURCE = (
    "own derivation: state evolution of Bregman projections from a start, as in approximate message passing "
    "[bayati2011dynamics]; Wendel (1962) on random points in a half-space; first passages in one dimension"
)
CAPTION = (
    "Flows from starts of size s with all signs of θ* wrong; d = 50, spikes of ±1, three unless it is said. (a) Share "
    "of the support with its sign at the limit, against s, at n/d = 0.4; means and standard errors over the "
    "instances. Dashed: {state evolution, without a free parameter}(recovered_signs.state-evolution). {Gradient "
    "descent recovers the most signs; the more a geometry favours sparse limits, the smaller the start has to "
    "be.}(recovered_signs.geometries) (b) Against n/d, at s = 0.3; {from n = d on all recover all "
    "signs}(recovered_signs.many-rows). Grey line: {Wendel's probability that some interpolator has all the signs of "
    "the start, so that no flip is needed to fit; crosses: measured}(recovered_signs.wendel). {Where this is likely, "
    "for n/d well below ½, large α and small γ hardly flip}(recovered_signs.few-rows), and {balanced m⊙w (γ = 0), "
    "which never flips}(mw.balanced-no-flip), {fits; above, it cannot}(recovered_signs.balanced-fits). (c) Against "
    "sparsity, at n/d = 0.4 and s = 0.3, with the two ends of the families from zero: {there nearly all signs are "
    "right}(recovered_signs.from-zero). (d) HAM with α = 10, s = 0.3. (e, f) At n/d = 0.4, against s and α or γ. (g) "
    "First flips of the support, over {the time of one dimension, `first_passage_time`}(signs.passage): medians, and "
    "the range between the deciles for HAM with α = 10; dotted: 1 ± the crosstalk of the other entries over the "
    "drive. {One dimension is right for n ≫ d.}(recovered_signs.one-dimension) (h) Their distribution for HAM with α "
    "= 10; curves end at the share that flips. (i) Time until the last sign came right, s = 0.01, medians of the "
    "instances where all do: filled, in the time of the flow; open, in units of the largest stable learning rate at "
    "the limit; dashed: first passage in one dimension. {In its own time a larger α is faster; in stable steps it is "
    "slower.}(recovered_signs.times)"
)
_MARKS = {"GD": "s", "HAM": "D", "m*w": "o"}


def look(dataset: xr.Dataset, label: str) -> dict:
    """Colour and marker of a geometry: darker, the sparser its limits."""
    family, _, value = label.partition(" ")
    if not value:
        return {"color": COLOURS["GD"], "marker": "s"}
    same = [float(x.split()[1]) for x in dataset["label"].values if x.startswith(family)]
    same = sorted(same, reverse=family == "m*w")
    return {"color": shades(family, len(same))[same.index(float(value))], "marker": _MARKS[family]}


def name(label: str) -> str:
    """As it is written."""
    if label == "GD":
        return "gradient descent"
    family, value = label.split()
    return f"HAM, $\\alpha={value}$" if family == "HAM" else f"$m\\odot w$, $\\gamma={value}$"


def cases(dataset: xr.Dataset, **chosen) -> xr.Dataset:
    """The instances with these coordinates."""
    of = np.ones(dataset.sizes["case"], bool)
    for key, value in chosen.items():
        of &= dataset[key].values == value
    return dataset.isel(case=of)


def means(dataset: xr.Dataset, along: str, **chosen) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The values of a coordinate of instances, and mean and standard error of the share of signs recovered there."""
    some = cases(dataset, **chosen)
    values = np.unique(some[along])
    parts = [some["recovered"].values[some[along].values == value] for value in values]
    return (
        values,
        np.array([p.mean() for p in parts]),
        np.array([p.std(ddof=1) / np.sqrt(p.size) for p in parts]),
    )


def ratios(dataset: xr.Dataset, label: str, n: int) -> tuple[np.ndarray, int]:
    """First flips of the support over the passage in one dimension, and how many entries there are."""
    some = cases(dataset, part="line", geometry=label, n=n)
    found = (some["first"] / some["passage"]).values
    return np.sort(found[np.isfinite(found)]), int(some["k"].sum())


def _recovered(ax, dataset: xr.Dataset, along: str, unit: float, **chosen) -> None:
    for i, label in enumerate(dataset["label"].values):
        x, middle, error = means(dataset, along, geometry=label, **chosen)
        shift = 1.04 ** (i - 2)
        ax.errorbar(shift * x / unit, middle, error, **look(dataset, label), markersize=3, linestyle="", elinewidth=0.8)
    ax.set(xscale="log", ylim=(-0.03, 1.05), ylabel="signs recovered")


def _ratio_axis(ax) -> None:
    ax.set_xscale("log")
    ax.set_xticks([0.2, 0.5, 1, 3, 10, 30], ["0.2", "0.5", "1", "3", "10", "30"])
    ax.xaxis.set_minor_locator(NullLocator())


def _heat(ax, x, y, values, xlabel: str, ylabel: str) -> None:
    """A map of shares, with their numbers."""
    ax.imshow(values, origin="lower", aspect="auto", cmap="viridis", vmin=0, vmax=1)
    ax.set_xticks(range(len(x)), [f"{value:g}" for value in x], rotation=45)
    ax.set_yticks(range(len(y)), [f"{value:g}" for value in y])
    ax.set(xlabel=xlabel, ylabel=ylabel)
    for at, value in np.ndenumerate(values):
        ax.text(at[1], at[0], f"{value:.2f}".lstrip("0"), ha="center", va="center", fontsize=5.5,
                color="w" if value < 0.6 else "k")  # fmt: skip


def _family_heat(ax, dataset: xr.Dataset, family: str, symbol: str) -> None:
    labels = [x for x in dict.fromkeys(dataset["geometry"].values) if x.startswith(family)]
    labels = sorted(labels, key=lambda x: float(x.split()[1]))
    table = np.array([means(dataset, "scale", part="scales", geometry=label)[1] for label in labels])
    scales = means(dataset, "scale", part="scales", geometry=labels[0])[0]
    _heat(ax, scales, [float(x.split()[1]) for x in labels], table, "size of the start $s$", symbol)


def _places(dataset: xr.Dataset) -> dict[str, float]:
    """Where a geometry is between L1 (left) and L2: at 1/α or γ/2, and gradient descent beyond all."""
    found = {}
    for label in dict.fromkeys(dataset["geometry"].values):
        family, _, value = label.partition(" ")
        found[label] = 10.0 if not value else 1 / float(value) if family == "HAM" else float(value) / 2
    return found


def _times(ax, dataset: xr.Dataset) -> None:
    scale = dataset["scale"].values.min()
    drawn: dict[str, list[tuple[float, ...]]] = {}
    for label, place in _places(dataset).items():
        some = cases(dataset, part="scales", geometry=label, scale=scale)
        time = some["recovery_time"].values
        all_right = np.isfinite(time)
        if not all_right.any():
            continue
        raw = float(np.median(time[all_right]))
        stable = float(np.median((time / some["largest_rate"].values)[all_right]))
        drawn.setdefault(label.split()[0], []).append((place, raw, stable, float(some["passage"][0])))
    for family, rows in drawn.items():
        place, raw, stable, passage = np.array(sorted(rows)).T
        style = {"color": COLOURS[family], "marker": _MARKS[family], "markersize": 3.5, "linestyle": ""}
        ax.plot(place, raw, **style)
        ax.plot(place, stable, **style, markerfacecolor="white")
        ax.plot(place, passage, **THEORY | {"color": COLOURS[family]}, zorder=1)
    ax.set(xscale="log", yscale="log", xlabel="$1/\\alpha$ or $\\gamma/2$", ylabel="time to recover all signs")
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticks([1e-3, 1e-2, 1e-1, 1, 10], ["$10^{-3}$", "$10^{-2}$", "$10^{-1}$", "1", "GD"])


def draw(dataset: xr.Dataset) -> Figure:
    """Nine panels: signs recovered, against start, n/d and sparsity; maps; times."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset)
    d, n = (dataset.attrs[key] for key in ("columns", "rows"))
    labels = list(dataset["label"].values)
    one = next(label for label in labels if label.startswith("HAM"))
    figure, axes = plt.subplots(3, 3, figsize=(6.75, 6.9))
    (scales, rows, sparsity), (plane, hams, products), (passages, distribution, times) = axes

    _recovered(scales, dataset, "scale", 1, part="scales")
    _recovered(rows, dataset, "n", d, part="line")
    for label in labels:
        style = THEORY | {"color": look(dataset, label)["color"]}
        scales.plot(dataset["fine_scale"], dataset["scale_theory"].sel(label=label), **style)
        rows.plot(dataset["rows"] / d, dataset["row_theory"].sel(label=label), **style)
    rows.plot(dataset["rows_of_wendel"] / d, dataset["wendel"], color="0.65", linewidth=1.6, zorder=0)
    rows.plot(dataset["below"] / d, dataset["orthant"], "x", color="0.4", markersize=4)
    scales.set(xlabel="size of the start $s$")
    rows.set(xlabel="$n/d$")
    _ratio_axis(rows)
    rows.set_xlim(0.15, 45)

    _recovered(sparsity, dataset, "k", n, part="map", n=n)
    for end, line in zip(dataset["end"].values, ("-", "--"), strict=True):
        values = dataset["ends"].sel(end=end, below=n).mean("instance")
        sparsity.plot(values["proportion"], values, line, color="0.6", linewidth=1.1, label=end, zorder=0)
    proportions = dataset["proportion"].values
    sparsity.xaxis.set_minor_locator(NullLocator())
    sparsity.set_xticks(proportions, [f"{value:g}" for value in proportions])
    sparsity.set(xlabel="$k/n$")

    below = dataset["below"].values
    table = np.full((len(proportions), len(below)), np.nan)
    for i, j in np.ndindex(table.shape):
        k = max(1, round(float(proportions[i] * below[j])))
        table[i, j] = cases(dataset, part="map", geometry=one, n=below[j], k=k)["recovered"].mean()
    _heat(plane, below / d, proportions, table, "$n/d$", "$k/n$")
    _family_heat(hams, dataset, "HAM", "$\\alpha$ of HAM")
    _family_heat(products, dataset, "m*w", "$\\gamma$ of $m\\odot w$")

    ns = np.unique(cases(dataset, part="line")["n"])
    for label in labels:
        parts = [ratios(dataset, label, m)[0] for m in ns]
        found = [np.quantile(r, [0.1, 0.5, 0.9]) if r.size > 4 else np.full(3, np.nan) for r in parts]
        low, middle, high = np.transpose(found)
        passages.plot(ns / d, middle, **look(dataset, label), markersize=3, linewidth=0.9)
        if label == one:
            passages.fill_between(ns / d, low, high, color=look(dataset, label)["color"], alpha=0.15, linewidth=0)
    share = np.array([float(cases(dataset, part="line", geometry=one, n=m)["crosstalk"][0]) for m in ns])
    for sign in (-1, 1):
        passages.plot(ns / d, 1 + sign * share, ":", color="0.3", linewidth=1)
    passages.axhline(1, **THEORY, zorder=0)
    passages.set(xscale="log", yscale="log", xlabel="$n/d$", ylabel="flip time / one dimension", ylim=(0.2, 12))
    _ratio_axis(passages)
    passages.set_yticks([0.3, 1, 3, 10], ["0.3", "1", "3", "10"])
    passages.yaxis.set_minor_locator(NullLocator())

    picked = ns[np.unique(np.linspace(0, len(ns) - 1, 5).astype(int))]
    for m, colour in zip(picked, shades("HAM", len(picked)), strict=True):
        found, count = ratios(dataset, one, m)
        distribution.step(found, np.arange(1, found.size + 1) / count, color=colour, where="post", label=f"{m / d:g}")
    distribution.axvline(1, **THEORY)
    distribution.set(
        xscale="log",
        xlim=(0.3, 60),
        ylim=(0, 1.03),
        xlabel="flip time / one dimension",
        ylabel="share that has flipped",
    )
    distribution.set_xticks([0.3, 1, 3, 10, 30], ["0.3", "1", "3", "10", "30"])
    distribution.xaxis.set_minor_locator(NullLocator())
    distribution.legend(title="$n/d$", fontsize=6, title_fontsize=6, loc="lower right")
    _times(times, dataset)
    for ax, letter in zip(axes.flat, "abcdefghi", strict=True):
        panel_label(ax, letter)
    handles = {name(label): Line2D([], [], **look(dataset, label), markersize=3, linestyle="") for label in labels}
    handles["theory"] = Line2D([], [], **THEORY)
    handles["Wendel"] = Line2D([], [], color="0.65", linewidth=1.6)
    handles["minimum norm, from 0"] = Line2D([], [], color="0.6", linewidth=1.1)
    handles["basis pursuit"] = Line2D([], [], color="0.6", linewidth=1.1, linestyle="--")
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=5)
    return figure
