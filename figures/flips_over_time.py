"""F19: sign flips over time."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .certified import certified
from .style import COLOURS, THEORY, panel_label, shades

NUMBER = "F19"
TITLE = "Sign flips over time: mini-batches add none in the end, and under label noise some rules never rest"
SOURCE = (
    "own derivation: stationary flips of linearised steps, and m² − w² of m⊙w, which a step multiplies by 1 − η²g²; "
    "HYP and HYP*: [jacobs2026ham]; the resets: Sign-In [gadhikar2025signin]"
)
CAPTION = (
    "Sparse regressions (n = 40, d = 100, five spikes of ±1) from starts of size 0.3; HAM with α = 20; every rule at "
    "a fifth of its largest stable learning rate; three problems with a few draws of start and noise each. (a–c) Sign "
    "flips of all entries so far, from starts with all signs of θ* wrong; medians and quartiles. {Balanced m⊙w (γ = "
    "0) and the exponentiated gradient never flip.}(ham.exponentiated) {With all samples flips end with the "
    "descent}(flips_over_time.all-samples), and {HYP and HYP* (which covers it) hardly "
    "differ}(flips_over_time.hyp-and-hyp-star); {mini-batches of twenty add flips back and "
    "forth}(flips_over_time.mini-batches). {Under label noise gradient descent, mirror descent, the natural gradient "
    "and Sign-In flip for ever; HYP and HYP* all but stop}(flips_over_time.label-noise), as {their drift takes the "
    "entries away from zero}(ham.ito-drift); and {m⊙w flips less and less often}(flips_over_time.mw), as {noise takes "
    "away its imbalance}(pesme.effective-gamma). (d–f) Share of the support of θ* with its sign, mean and standard "
    "error: {label noise brings the natural gradient, m⊙w and Sign-In nearer to the truth, and HYP* "
    "not}(flips_over_time.truth). (g) In the end, mean over both kinds of start: flips (open) and entries with "
    "another sign than at first (filled); circles: all samples, squares: mini-batches, triangles: label noise. (h) "
    "Flips a step at the end of the runs under label noise, one mark a run, against {theory without a free parameter: "
    "exact for gradient descent, to first order for the others, too low where σ is above "
    "γ}(flips_over_time.stationary); in the corner: fewer than 10⁻³. (i) The geometric mean of γ under label noise; "
    "dashed: {its decay by exp(−η²δ²/n) a step}(flips_over_time.decay). {Sign-In resets it to ½ every hundred steps, "
    "and goes on flipping.}(flips_over_time.sign-in)"
)
_NEVER = ("m*w 0", "exponentiated")
_LOOK = {
    "GD": (COLOURS["GD"], "-", "gradient descent"),
    "HYP": ("#56B4E9", "--", "HAM, HYP"),
    "HYP*": (COLOURS["HAM"], "-", "HAM, HYP*"),
    "natural gradient": (COLOURS["other"], "-", "HAM, natural gradient"),
    "mirror descent": ("#CC79A7", "-", "HAM, mirror descent"),
    "Sign-In": ("#E6B800", "-", "Sign-In"),
    "m*w 0": ("0.55", "-", "$m\\odot w$, $\\gamma=0$"),
    "exponentiated": ("0.55", ":", "exponentiated"),
}
_MARKS = {"all samples": "o", "mini-batches": "s", "label noise": "^"}
_LANES = ("problem", "draw")


def look(dataset: xr.Dataset, rule: str) -> tuple[str, Any, str]:
    """Colour, line style and name of a rule."""
    gammas = sorted(dataset.attrs["gammas"])
    if rule.startswith("m*w") and rule not in _NEVER:
        gamma = float(rule.split()[1])
        return shades("m*w", len(gammas))[gammas.index(gamma)], "-", f"$m\\odot w$, $\\gamma={gamma:g}$"
    return _LOOK[rule]


def _curves(ax, dataset: xr.Dataset, name: str, noise: str) -> None:
    for rule in dataset["rule"].values:
        colour, style, _ = look(dataset, rule)
        values = dataset[name].sel(rule=rule, noise=noise, start="wrong").isel(step=slice(1, None))
        if name == "gross":
            low, middle, high = values.quantile([0.25, 0.5, 0.75], _LANES).values
        else:  # of five spikes there are few values
            error = values.std(_LANES) / np.sqrt(values.sizes["problem"] * values.sizes["draw"])
            low, middle, high = (values.mean(_LANES) + shift * error for shift in (-1, 0, 1))
        ax.fill_between(values["step"], low, high, color=colour, alpha=0.15, linewidth=0)
        ax.plot(values["step"], middle, style, color=colour, linewidth=1.1)
    ax.set(xscale="log", xlim=(1, dataset["step"].values[-1]), xlabel="step")


def _ends(ax, dataset: xr.Dataset) -> None:
    rules = [rule for rule in dataset["rule"].values if rule not in _NEVER]
    for i, rule in enumerate(rules):
        for j, (noise, mark) in enumerate(_MARKS.items()):
            at = dataset.sel(rule=rule, noise=noise).isel(step=-1)
            style = {"marker": mark, "color": look(dataset, rule)[0], "markersize": 3.5, "linestyle": ""}
            for name, fill in (("gross", "white"), ("net", None)):
                ax.plot(i + 0.22 * (j - 1), at[name].mean(), **style, markerfacecolor=fill or style["color"])
    ax.set(yscale="log", ylabel="flips; net flips", xlim=(-0.6, len(rules) - 0.4))
    short = {"natural gradient": "natural", "mirror descent": "mirror"}
    ax.set_xticks(range(len(rules)), [short.get(rule, rule.replace("m*w", "γ =")) for rule in rules], rotation=60)


def _rates(ax, dataset: xr.Dataset) -> None:
    floor = 1e-3
    for rule in dataset["rule"].values:
        if rule not in _NEVER:
            theory, measured = (dataset[name].sel(rule=rule).values.ravel() for name in ("per_step_theory", "per_step"))
            style = {"color": look(dataset, rule)[0], "markersize": 2.2, "linestyle": "", "marker": "o", "alpha": 0.7}
            ax.plot(np.maximum(theory, floor), np.maximum(measured, floor), **style)
    ends = np.array([floor, 20])
    ax.plot(ends, ends, **THEORY, zorder=0)
    ax.set(xscale="log", yscale="log", xlim=(0.7 * floor, 20), ylim=(0.7 * floor, 20))
    ax.set(xlabel="flips a step, theory", ylabel="flips a step, measured")


def _gammas(ax, dataset: xr.Dataset) -> None:
    steps = dataset["step"].values[1:]
    for rule in dataset["rule"].values:
        if rule in _NEVER or not rule.startswith(("m*w", "Sign")):
            continue
        colour = look(dataset, rule)[0]
        logs = dataset["log_gamma"].sel(rule=rule, noise="label noise").isel(step=slice(1, None))
        own = np.where(np.isfinite(logs), logs, np.nan)
        finite = np.isfinite(own).all(axis=(0, 1, 2))
        ax.plot(steps[finite], np.exp(own[..., finite].mean(axis=(0, 1, 2))), color=colour, linewidth=1.1)
        if rule.startswith("m*w"):
            decay = dataset.attrs["delta"] ** 2 / dataset.attrs["rows"] * dataset["learning_rate"].sel(rule=rule) ** 2
            line = float(rule.split()[1]) * np.exp(-decay.mean().item() * steps)
            ax.plot(steps, line, **THEORY | {"color": colour}, zorder=1)
    ax.set(yscale="log", xlim=(0, steps[-1]), ylim=(3e-4, 2), xlabel="step", ylabel="imbalance $\\gamma$")


def draw(dataset: xr.Dataset) -> Figure:
    """Nine panels: flips and agreement over time, for three kinds of gradients; ends; rates by theory; imbalances."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset)
    figure, axes = plt.subplots(3, 3, figsize=(6.75, 6.6))
    for column, noise in enumerate(dataset["noise"].values):
        flips, agreement = axes[:2, column]
        _curves(flips, dataset, "gross", noise)
        _curves(agreement, dataset, "agreement", noise)
        flips.set_yscale("symlog", linthresh=1, linscale=0.4)
        flips.set(ylim=(-0.2, 1.5 * float(dataset["gross"].max())), title=noise)
        agreement.set(ylim=(-0.03, 1.03))
    axes[0, 0].set(ylabel="sign flips so far")
    axes[1, 0].set(ylabel="right signs of $\\theta^*$")
    _ends(axes[2, 0], dataset)
    _rates(axes[2, 1], dataset)
    _gammas(axes[2, 2], dataset)
    for ax, letter in zip(axes.flat, "abcdefghi", strict=True):
        panel_label(ax, letter)
    handles: dict[str, Line2D] = {}
    for rule in dataset["rule"].values:
        colour, style, name = look(dataset, rule)
        handles[name] = Line2D([], [], color=colour, linestyle=style)
    handles["theory"] = Line2D([], [], **THEORY)
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4)
    return figure
