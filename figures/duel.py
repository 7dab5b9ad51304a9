"""F20: the duel of HAM and imbalanced m⊙w at matched bias."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter, NullLocator

from .certified import certified
from .style import COLOURS, THEORY, panel_label

NUMBER = "F20"
TITLE = "The duel: HAM and imbalanced m⊙w at the same bias, in the same units"
SOURCE = (
    "the question of reviewers of HAM [jacobs2026ham]; own derivation: |θ| + γ is √(θ² + γ²) up to a factor from 1 to "
    "√2; the limits of m⊙w: [woodworth2020kernel]"
)
CAPTION = (
    "For every α, m⊙w with the γ whose limit from the same start has the L1 norm of HAM's limit; solid: starts at "
    "zero, dashed: all signs wrong; random sparse problems of several n/d, k and noise. (a) The match: median and "
    "10th to 90th percentile of αγ; grey: {1, where the metrics are most alike}(duel.most-alike), and {2, where the "
    "potentials are at the L1 end}(geometry.ham-l1, geometry.mw-l1). (b–d) Ratios HAM / m⊙w of pairs, medians with 95 "
    "% intervals; below 1 HAM is better. (b) Flows: time to a millionth of the loss, in steps of the largest stable "
    "size and in units of one over the mean inverse metric at the limit, and the condition number there: {all within "
    "a factor of √2}(duel.flows) in the median, though {at these γ the metrics may differ by more}(geometry.sandwich). "
    "(c) Discrete runs, HYP* and gradient descent on m and w: steps to that loss, at shares of the largest stable "
    "learning rate η and at the best of these for each. (d) From wrong signs: when the last sign of θ* came right, in "
    "flows (in stable steps) and runs. (e) Share of pairs that HAM wins, of those that are no tie, with Wilson's 95 % "
    "intervals. (f) Share of runs that diverged or ran out of their budget, at the largest rate."
)
STARTS = {"zero": "-", "wrong signs": (0, (4, 1.5))}
FLOWS = {"flow_steps": "#56B4E9", "flow_mean_time": "#009E73", "condition": "#CC79A7"}
_RATES, _BEST = ("#E69F00", "#A0522D", "#000000"), "0.6"
LABELS = {"flow_steps": "time, stable steps", "flow_mean_time": "time · mean $g^{-1}$", "condition": "condition number"}


def rates(dataset: xr.Dataset, name: str) -> dict[str, tuple[str, str]]:
    """The numbers of `name` at each share of the largest rate: their colours and labels."""
    found = {}
    for fraction, colour in zip(dataset["fraction"].values, _RATES, strict=False):
        found[f"{name}_{fraction:g}"] = colour, f"run, {fraction:g} η"
    return found


def missing(dataset: xr.Dataset) -> xr.DataArray:
    """Which share of the runs of pairs that are matched did not arrive."""
    sound = (dataset["status"] == 0).all("side")
    return (dataset["run_status"] != 0).where(sound).mean("instance")


def _band(ax, dataset: xr.Dataset, what: str, number: str, start: str, colour: str) -> None:
    """An estimate against α, with its interval; where it is infinite it ends."""
    here = dataset[what].sel(number=number, start=start)
    middle, low, high = (here.sel(bound=bound).values for bound in ("estimate", "low", "high"))
    x, known = dataset["alpha"].values, np.isfinite(middle)
    ax.fill_between(x[known], low[known], np.minimum(high[known], 1e6), color=colour, alpha=0.15, linewidth=0)
    ax.plot(x[known], middle[known], color=colour, linestyle=STARTS[start], marker="o", markersize=2.5)


def _ratios(ax, label: str) -> None:
    ax.axhline(1, color="0.4", linewidth=0.7, zorder=0)
    ax.set(xscale="log", ylabel=label)


def _octaves(ax) -> None:
    ax.set(yscale="log", ylim=(0.8, 2.9))
    ax.set_yticks([0.8, 1, 1.4, 2, 2.8], ["0.8", "1", "1.4", "2", "2.8"])


def draw(dataset: xr.Dataset) -> Figure:
    """Six panels: the match, flows, runs, recovery of the signs, wins, and runs that did not arrive."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset, mask_failures=True)
    figure, axes = plt.subplots(2, 3, figsize=(6.75, 5.0))
    match, flows, runs, recovery, wins, lost = axes.flat
    x, starts = dataset["alpha"].values, [str(start) for start in dataset["start"].values]

    product = dataset["alpha"] * np.exp(dataset["log_gamma"])
    for start in starts:
        low, middle, high = product.sel(start=start).quantile([0.1, 0.5, 0.9], dim="instance").values
        match.fill_between(x, low, high, color=COLOURS["m*w"], alpha=0.15, linewidth=0)
        match.plot(x, middle, color=COLOURS["m*w"], linestyle=STARTS[start], marker="o", markersize=2.5)
    for value in (1, 2):
        match.axhline(value, **THEORY, zorder=0)
    match.set(xscale="log", yscale="log", ylabel="$\\alpha\\gamma$ of the match")
    match.set_yticks([0.5, 1, 2, 4], ["0.5", "1", "2", "4"])

    for number, colour in FLOWS.items():
        for start in starts:
            _band(flows, dataset, "median", number, start, colour)
    _ratios(flows, "flows: HAM / $m\\odot w$")

    at = {"run_steps_best": (_BEST, "run, best of these")} | rates(dataset, "run_steps")
    for number, (colour, _) in at.items():
        for start in starts:
            _band(runs, dataset, "median", number, start, colour)
    _octaves(runs)
    _ratios(runs, "steps of runs: HAM / $m\\odot w$")

    of_signs = {"flow_recovery": (FLOWS["flow_steps"], "")} | rates(dataset, "run_recovery")
    for number, (colour, _) in of_signs.items():
        _band(recovery, dataset, "median", number, starts[-1], colour)
    _octaves(recovery)
    _ratios(recovery, "last right sign: HAM / $m\\odot w$")

    few = [number for number in at if number != "run_steps_best"][-2:]
    for number, colour in {"flow_steps": FLOWS["flow_steps"], **{k: at[k][0] for k in few}}.items():
        for start in starts:
            _band(wins, dataset, "wins", number, start, colour)
    wins.axhline(0.5, color="0.4", linewidth=0.7, zorder=0)
    wins.set(xscale="log", ylim=(-0.02, 1.02), ylabel="pairs that HAM wins")

    share = missing(dataset)
    fraction = dataset["fraction"].values[-1]
    for side in dataset["side"].values:
        for start in starts:
            y = share.sel(side=side, start=start, fraction=fraction).values
            colour = COLOURS[str(side)]
            lost.plot(x, y, color=colour, linestyle=STARTS[start], marker="os"[side == "m*w"], markersize=3)
    lost.set(xscale="log", ylim=(-0.02, None), ylabel=f"lost runs, at {fraction:g} η")

    for ax, letter in zip(axes.flat, "abcdef", strict=True):
        ax.set_xticks(x, [f"{value:g}" for value in x])
        ax.set(xlabel="α")
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_minor_locator(NullLocator())
            axis.set_minor_formatter(NullFormatter())
        panel_label(ax, letter)
    line: Any = lambda colour, **style: Line2D([], [], color=colour, **style)  # noqa: E731
    handles = {f"flow: {LABELS[number]}": line(colour) for number, colour in FLOWS.items()}
    handles |= {label: line(colour) for colour, label in at.values()}
    handles |= {f"from {start}" if start == "zero" else start: line("0.3", linestyle=STARTS[start]) for start in starts}
    handles |= {"HAM (f)": line(COLOURS["HAM"], marker="o", markersize=3)}
    handles |= {"$m\\odot w$ (a, f)": line(COLOURS["m*w"], marker="s", markersize=3)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=5)
    return figure
