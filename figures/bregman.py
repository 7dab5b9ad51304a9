"""F41: who finds the support first, and who is at the least L1 norm, exactly."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from .certified import certified
from .style import COLOURS, panel_label

NUMBER = "F41"
TITLE = "The linearized Bregman iteration and HAM at equal cost: steps to the support, and to the least L1 norm"
SOURCE = "Yin, Osher, Goldfarb, Darbon (2008); Friedlander, Tseng (2007); the comparison is our own"
CAPTION = (
    "Sparse regressions (n = 40, d = 100, five spikes of ±1) from zero. Both rules take half of the largest stable "
    "learning rate at the limits of their flows, {2n/(δ λ_max(X_S X_Sᵀ))}(yin.stability) and {2n/λ_max(X diag(1 + "
    "α|θ|) Xᵀ)}(ham.stability), and a step of either costs two products with X. Lines and bands: medians and quartiles "
    "over random problems; open marks: medians beyond the last step. (a, b) Steps from which on the five largest "
    "entries are the support. {At its best parameter either has it within a dozen steps, with noise and without, and "
    "they are within three steps of each other}(bregman.a-dozen-steps); {beyond, the steps grow in proportion to λδ, "
    "but only like ln α}(bregman.proportional). Dotted: t* (medians): {from there on the limit is basis pursuit's "
    "solution}(yin.exact). (c) Without noise: excess of the L1 norm over basis pursuit's (λδ = 1 is below t* in some). "
    "{With λδ = 3, which is above t*, the iteration comes to the least norm, to rounding; no α up to 10⁶ leaves HAM "
    "with less than a thousandth in excess after 3000 steps}(bregman.exactly-there). (d, e) Share of problems in which "
    "at some step the entries that are not 0 are the support; of HAM, which has no zeros, those above 1 % of the "
    "largest. {With noise HAM has this pattern in less than one problem in five, the iteration in about half of them, "
    "and keeps it in none}(bregman.pattern). (f) As (c), with noise: {t* is more than ten times as large, as the "
    "solution then has n entries and its certificate a small margin, and neither is there after 3000 "
    "steps}(bregman.noisy-threshold)."
)
_NOISE = ("-", "--")
_EXCESSES = ((1.0, 3.0, 30.0), (1e2, 1e4, 1e6))
_RULE_COLOURS = (COLOURS["other"], COLOURS["HAM"])
_PARAMETERS = ("$\\lambda\\delta$", "$\\alpha$")
_FLOOR = 1e-12


def _shades(colour: str, count: int) -> list[str]:
    return [to_hex(1 - share * (1 - np.array(to_rgb(colour)))) for share in np.linspace(0.4, 1, count)]


def quartiles(values: xr.DataArray) -> np.ndarray:
    """(3, places) of the instances, those that never found it last; infinite, if it is one of these."""
    return np.quantile(values.fillna(np.inf), [0.25, 0.5, 0.75], axis=values.get_axis_num("instance"), method="nearest")


def _steps(ax, dataset: xr.Dataset, rule: int) -> None:
    """Panels (a, b)."""
    x, top = dataset["parameter"].isel(rule=rule).values, 3e3
    for noise, line in zip(range(dataset.sizes["noise"]), _NOISE, strict=True):
        found = dataset["found"].isel(rule=rule, noise=noise).transpose("instance", "place")
        low, middle, high = np.where(np.isfinite(bands := quartiles(found)), bands, top)
        colour = _RULE_COLOURS[rule]
        ax.plot(x, np.where(middle < top, middle, np.nan), line, color=colour, marker="o", markersize=3)
        ax.plot(x[middle == top], middle[middle == top], "o", color=colour, markersize=3, markerfacecolor="none")
        ax.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
        if rule == 0:
            threshold = float(dataset["threshold"].isel(noise=noise).median())
            ax.axvline(threshold, color="0.6", linestyle=":", linewidth=0.9)
            text, side = (("$t^*$", "left"), ("$t^*$, noise ", "right"))[noise]
            ax.text(threshold * 1.05, 1.15, text, color="0.4", fontsize=6.5, ha=side)
    ax.set(xscale="log", yscale="log", ylim=(1, 2 * top), yticks=[1, 10, 100, 1000], xlabel=_PARAMETERS[rule])


def _excess(ax, dataset: xr.Dataset, noise: int) -> None:
    """Panels (c, f)."""
    for rule, chosen in enumerate(_EXCESSES):
        for value, colour in zip(chosen, _shades(_RULE_COLOURS[rule], len(chosen)), strict=True):
            place = int(np.argmin(np.abs(dataset["parameter"].isel(rule=rule).values / value - 1)))
            path = abs(dataset["excess"].isel(rule=rule, noise=noise, place=place)).clip(min=_FLOOR)
            low, middle, high = path.isel(step=slice(1, None)).quantile([0.25, 0.5, 0.75], "instance").values
            steps = dataset["step"].values[1:]
            ax.plot(steps, middle, color=colour)
            ax.fill_between(steps, low, high, color=colour, alpha=0.15, linewidth=0)
    ax.set(xscale="log", yscale="log", xlim=(1, dataset["step"].values[-1]), xlabel="steps")


def draw(dataset: xr.Dataset) -> Figure:
    """Steps to the support, its pattern, and the excess of the L1 norm."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset)
    figure, axes = plt.subplots(2, 3, figsize=(6.75, 4.7))
    for rule in range(2):
        _steps(axes[0, rule], dataset, rule)
        x, ax = dataset["parameter"].isel(rule=rule).values, axes[1, rule]
        for noise, line in zip(range(dataset.sizes["noise"]), _NOISE, strict=True):
            share = dataset["pattern_ever"].isel(rule=rule, noise=noise).mean("instance")
            ax.plot(x, share, line, color=_RULE_COLOURS[rule], marker="o", markersize=3)
        ax.set(xscale="log", ylim=(-0.04, 1.04))
        ax.set_xlabel(_PARAMETERS[rule])
    axes[0, 0].set(ylabel="steps to the support", title="linearized Bregman")
    axes[0, 1].set(title="HAM")
    axes[1, 0].set_ylabel("share with the pattern")
    for noise, ax in enumerate(axes[:, 2]):
        _excess(ax, dataset, noise)
        ax.set_ylabel("$|\\,\\|\\theta\\|_1/\\|\\theta_{\\mathrm{BP}}\\|_1 - 1\\,|$")
    axes[0, 2].set(ylim=(_FLOOR / 2, 5), title="without noise", yticks=10.0 ** np.arange(-12, 1, 3))
    axes[1, 2].set(ylim=(1e-4, 5), title="with noise")
    axes[0, 2].yaxis.set_minor_locator(LogLocator(numticks=20))
    axes[0, 2].yaxis.set_minor_formatter(NullFormatter())
    for ax, letter in zip(axes.flat, "abcdef", strict=True):
        panel_label(ax, letter)
    noise = float(dataset["noise"].values[1])
    style: dict[str, Any] = {"color": "0.3"}
    entries = [
        (Line2D([], [], linestyle="-", **style), "without noise (a, b, d, e)"),
        (Line2D([], [], linestyle="--", **style), f"noise of {noise:g} (a, b, d, e)"),
    ]
    for rule, names in enumerate(_PARAMETERS):
        for value, colour in zip(_EXCESSES[rule], _shades(_RULE_COLOURS[rule], 3), strict=True):
            text = f"{value:g}" if value < 100 else f"$10^{{{np.log10(value):.0f}}}$"
            entries.append((Line2D([], [], color=colour), f"{names} = {text}"))
    handles, labels = zip(*entries, strict=True)
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    return figure
