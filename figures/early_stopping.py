"""F43: early stopping."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from .certified import certified
from .flows import flow_styles
from .style import COLOURS, LABELS, THEORY, panel_label, shades

NUMBER = "F43"
TITLE = "Stopped early: the best time, what it is worth, and what can be predicted of it"
SOURCE = (
    "rates: [vaskevicius2019implicit]; gradient descent against ridge: [ali2019continuous]; HAM, the integrals and the "
    "comparisons: own"
)
CAPTION = (
    "y = Xθ* + sξ, X and ξ standard normal, θ* with a few entries of ±1. (a, b) ‖θ_t − θ*‖² along the flows for two "
    "s, medians and quartiles over draws; dots: their limits; dotted: lasso at the best λ of each draw. {Gradient "
    "descent comes to what high dimension predicts (dashed)}(early_stopping.gd). Time is counted in R′(1). (c) HAM "
    "with the largest α at its best time over others (ratios of means, 95 %; support: least squares on it): {it beats "
    "its own limit, and that of the best α, at every s}(early_stopping.limits), {lasso and ridge by a factor of 2 or "
    "more at s = 0.5, and neither at s = 4}(early_stopping.lasso). (d) What usable rules cost over the best: the "
    "discrepancy principle, and a fifth of the rows held out; {at s = 4 HAM stopped by either is worse than θ = 0 "
    "(crosses)}(early_stopping.rules). (e) Gradient descent at its best time over the best ridge, predicted: {at most "
    "1.2147 for any X}(ali.early-stopping), {and 1.04 for these}(early_stopping.over-ridge). (f) With orthogonal "
    "columns: {flows (marks, two standard errors) come to an integral (lines)}(early_stopping.orthogonal). (g) s = "
    "0.5, means, α = 10 and the largest: {with a large α, proximal points argmin f + R/t and weight decay of that "
    "slope (predicted) are no substitute for the flow}(early_stopping.proximal). (h) Exponents of the risk at its "
    "best, 95 %; grey: those of s²k/n and s²k ln d/n: {HAM and m⊙w do not see d, lasso does}(early_stopping.rates). "
    "(i) Orthogonal columns, the worst amplitude, over 2s²k ln(d/k)/n: {the rate takes an α that grows with "
    "d}(early_stopping.worst); {for α → ∞ the stopped flow is hard thresholding}(vaskevicius.early-stopping)."
)
_OTHERS = {  # what HAM is compared with, and its look
    "its limit": (COLOURS["HAM"], "o"),
    "limit of the best α": ("#56B4E9", "s"),
    "lasso": (COLOURS["other"], "D"),
    "ridge": (COLOURS["GD"], "v"),
    "support": ("#CC79A7", "^"),
    "zero": ("0.6", "x"),
}
_NAMES = {"support": "support of θ*", "zero": "θ = 0"}
_PREDICTED = {"color": "#E69F00", "linestyle": "--", "linewidth": 0.9}
_USABLE = ("discrepancy", "held out")


def _plain(axis, values: tuple[float, ...]) -> None:
    """These ticks, as they are written, on a logarithmic axis."""
    axis.set_minor_locator(NullLocator())
    axis.set_ticks(values, [f"{value:g}" for value in values])


def _line(ax, x, y, flow: str, colour: str) -> None:
    """A flow; m⊙w, on which HAM nearly lies, is wide and light."""
    wide = {"linewidth": 2.6, "alpha": 0.55, "zorder": 1.5} if flow.startswith("m*w") else {"linewidth": 1}
    ax.plot(x, y, color=colour, **wide)


def largest(dataset: xr.Dataset) -> str:
    """The HAM of the largest α."""
    own = dataset["flow"].where(dataset["family"] == "HAM", drop=True)
    return str(own[int(np.argmax(dataset["parameter"].sel(flow=own).values))].item())


def ratio(one: xr.DataArray, other: xr.DataArray) -> xr.DataArray:
    """Ratio of the means over the draws, with 95 % by the delta method in its logarithm."""
    value = one.mean("draw") / other.mean("draw")
    parts = one / one.mean("draw") - other / other.mean("draw")
    half = 1.96 * parts.std("draw", ddof=1) / np.sqrt(parts.sizes["draw"])
    sides = xr.DataArray([0.0, -1.0, 1.0], dims="bound", coords={"bound": ["estimate", "low", "high"]})
    return value * np.exp(sides * half)


def comparisons(dataset: xr.Dataset) -> dict[str, xr.DataArray]:
    """The ratios of the HAM of the largest α, at its best time, to others, (bound, noise)."""
    own = dataset["stopped"].sel(flow=largest(dataset))
    best, others = own.sel(rule="oracle"), {"its limit": own.sel(rule="limit")}
    others |= {name: dataset["other"].sel(peer=name) for name in _OTHERS if name != "its limit"}
    return {name: ratio(best, other) for name, other in others.items()}


def costs(dataset: xr.Dataset) -> dict[tuple[str, str], xr.DataArray]:
    """Of gradient descent, HAM and lasso, what rules cost over the best, (bound, noise)."""
    found = {}
    for flow in ("GD", largest(dataset)):
        own = dataset["stopped"].sel(flow=flow)
        found |= {(flow.split()[0], rule): ratio(own.sel(rule=rule), own.sel(rule="oracle")) for rule in _USABLE}
    other = dataset["other"]
    return found | {("lasso", "held out"): ratio(other.sel(peer="lasso, held out"), other.sel(peer="lasso"))}


def _bars(ax, x, values: xr.DataArray, **style) -> None:
    value, low, high = values.transpose("bound", ...).values
    ax.errorbar(x, value, [value - low, high - value], markersize=3, linewidth=0.9, elinewidth=0.9, **style)


def _risks(ax, dataset: xr.Dataset, noise: float) -> None:
    """Risks along the flows, their limits, and lasso."""
    own, clock = dataset.sel(noise=noise), dataset["clock"].values
    for flow, (colour, _) in flow_styles(dataset).items():
        low, middle, high = own["risk"].sel(flow=flow).quantile([0.25, 0.5, 0.75], "draw").values
        ax.fill_between(clock, low, high, color=colour, alpha=0.15, linewidth=0)
        _line(ax, clock, middle, flow, colour)
        end = own["stopped"].sel(flow=flow, rule="limit").median()
        ax.plot(1.35 * clock[-1], end, "o", color=colour, markersize=3, clip_on=False)
    ax.plot(clock, own["predicted"], **_PREDICTED)
    ax.axhline(float(own["other"].sel(peer="lasso").median()), color="0.3", linestyle=":", linewidth=1)
    ax.set(xscale="log", yscale="log", xlim=(clock[0], 1.35 * clock[-1]), title=f"s = {noise:g}")
    ax.set(xlabel="time $t/R'(1)$")
    low, high = ax.get_ylim()
    fine, coarse = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0), (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
    _plain(ax.yaxis, tuple(x for x in (fine if high < 10 * low else coarse) if low <= x <= high))


def _compared(ax, dataset: xr.Dataset) -> None:
    x = dataset["noise"].values
    for i, (name, values) in enumerate(comparisons(dataset).items()):
        colour, marker = _OTHERS[name]
        _bars(ax, x * 1.03 ** (i - 2.5), values, color=colour, fmt=marker + "-", label=_NAMES.get(name, name))
    ax.axhline(1, **THEORY)
    _noises(ax, x, "HAM, stopped, over …")
    ax.legend(fontsize=5.5, loc="upper left", ncols=2, columnspacing=0.8, handlelength=1.2)
    ax.set_ylim(1e-3, 400)


def _noises(ax, x: np.ndarray, label: str) -> None:
    ax.set(xscale="log", yscale="log", xlabel="noise $s$", ylabel=label)
    _plain(ax.xaxis, tuple(x))


def _rules(ax, dataset: xr.Dataset) -> None:
    colours = {"GD": COLOURS["GD"], "HAM": COLOURS["HAM"], "lasso": COLOURS["other"]}
    x = dataset["noise"].values
    for i, ((name, rule), values) in enumerate(costs(dataset).items()):
        style = "o-" if rule == "held out" else "s--"
        _bars(ax, x * 1.03 ** (i - 2), values, color=colours[name], fmt=style, label=f"{name}, {rule}")
    zero = dataset["other"].sel(peer="zero")
    oracle = dataset["stopped"].sel(flow=largest(dataset), rule="oracle")
    values = ratio(zero, oracle).isel(bound=0).values
    ax.plot(x, np.where(values < 7, values, np.nan), "x", color="0.5", markersize=4, label="HAM, θ = 0 instead")
    _noises(ax, x, "risk over the best")
    ax.set_ylim(0.9, 14)
    _plain(ax.yaxis, (1, 2, 4, 8))
    ax.legend(fontsize=5.5, loc="upper right")


def _over_ridge(ax, dataset: xr.Dataset) -> None:
    for delta, colour in zip(dataset["delta"].values, shades("GD", dataset.sizes["delta"]), strict=True):
        ax.plot(dataset["power"], dataset["over_ridge"].sel(delta=delta), color=colour, label=f"{delta:g}")
    ax.set(xscale="log", ylim=(0.999, None), xlabel="$E\\Theta^2/\\sigma^2$", ylabel="best GD over best ridge")
    ax.legend(title="n/d", fontsize=6, title_fontsize=6, loc="upper left")


def _orthogonal(ax, dataset: xr.Dataset) -> None:
    clock, draws = dataset["clock"].values, dataset.sizes["orthogonal_draw"]
    mean = dataset["orthogonal"].mean("orthogonal_draw")
    error = dataset["orthogonal"].std("orthogonal_draw", ddof=1) / np.sqrt(draws)
    for i, (flow, (colour, _)) in enumerate(flow_styles(dataset).items()):
        _line(ax, clock, dataset["orthogonal_predicted"].sel(flow=flow), flow, colour)
        at = slice(i, None, 6)
        own, half = mean.sel(flow=flow)[at], 2 * error.sel(flow=flow)[at]
        ax.errorbar(clock[at], own, half, color=colour, fmt="o", markersize=2.2, elinewidth=0.8)
    ax.set(xscale="log", yscale="log", xlabel="time $t/R'(1)$", title="orthogonal")
    _plain(ax.yaxis, (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2))


def _proximal(ax, dataset: xr.Dataset) -> None:
    styles, clock = flow_styles(dataset), dataset["clock"].values
    for alpha in (dataset["alpha"].values[0], dataset["alpha"].values[-1]):
        flow = f"HAM {alpha:g}"
        colour = styles[flow][0]
        risk = dataset["risk"].sel(noise=dataset.attrs["shown"], flow=flow).mean("draw")
        near = dataset["proximal"].sel(alpha=alpha).mean("proximal_draw")
        ax.plot(clock, risk, color=colour, linewidth=1.1)
        ax.plot(dataset["point"], near, "--", color=colour, marker="o", markersize=2.2, linewidth=0.9)
        ax.plot(clock, dataset["decayed"].sel(flow=flow), ":", color=colour, linewidth=1.1)
    looks = {"flow": {}, "proximal": {"linestyle": "--", "marker": "o", "markersize": 2.2}}
    looks |= {"weight decay": {"linestyle": ":"}}
    handles = [Line2D([], [], color=COLOURS["HAM"], linewidth=1, **look) for look in looks.values()]
    ax.legend(handles, list(looks), fontsize=6, loc="lower left")
    ax.set(xscale="log", yscale="log", xlabel="time $t/R'(1)$", title="substitutes")
    _plain(ax.yaxis, (0.05, 0.1, 0.2, 0.5, 1, 2))


def _exponents(ax, dataset: xr.Dataset) -> None:
    look = {"HAM": ("o", "HAM"), "m*w": ("s", LABELS["m*w"]), "lasso": ("D", "lasso")}
    colours = {"HAM": COLOURS["HAM"], "m*w": COLOURS["m*w"], "lasso": COLOURS["other"]}
    x = np.arange(dataset.sizes["factor"])
    for i, name in enumerate(dataset["fitted"].values):
        marker, label = look[name]
        _bars(
            ax, x + 0.18 * (i - 1), dataset["exponent"].sel(fitted=name), color=colours[name], fmt=marker, label=label
        )
    for place, values in zip(x, ((-1,), (0, 1), (1,)), strict=True):
        for value in values:
            ax.plot([place - 0.35, place + 0.35], [value, value], **THEORY, zorder=0)
    ax.set(xticks=x, xticklabels=["$n$", "$\\ln d$", "$k$"], ylabel="exponent of the risk")
    ax.legend(fontsize=6, loc="upper left")


def _worst(ax, dataset: xr.Dataset) -> None:
    cases = dataset["worst_case"].values
    sizes = [name for name in cases if name.startswith("HAM")]
    colours = {"lasso": COLOURS["other"]} | dict(zip(sizes, shades("HAM", len(sizes)), strict=True))
    for name, colour in colours.items():
        label = name if name == "lasso" else f"α = {_power(float(name.split()[1]))}"
        ax.plot(
            dataset["zeros"], dataset["worst"].sel(worst_case=name), "o-", color=colour, markersize=2.5, label=label
        )
    ax.set(xscale="log", yscale="log", xlabel="zeros to an entry $d/k$", ylabel="worst risk over the rate")
    ax.set_ylim(0.5, 2000)
    _plain(ax.yaxis, (1, 10, 100))
    ax.legend(fontsize=5.5, loc="upper left")


def _power(value: float) -> str:
    return "1" if value == 1 else f"$10^{{{np.log10(value):.0f}}}$"


def draw(dataset: xr.Dataset) -> Figure:
    """Nine panels: risks at two noises, comparisons, rules, ridge, orthogonal, proximal, exponents, the worst."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset)
    for name in ("orthogonal_status", "proximal_status", "rate_status"):
        if (dataset[name] != 0).any():
            raise ValueError(f"cases of {name} failed; they are not drawn")
    figure, axes = plt.subplots(3, 3, figsize=(6.75, 6.6))
    for ax, letter in zip(axes.flat, "abcdefghi", strict=True):
        panel_label(ax, letter)
    _risks(axes[0, 0], dataset, dataset.attrs["shown"])
    _risks(axes[0, 1], dataset, float(dataset["noise"][-2]))
    _compared(axes[0, 2], dataset)
    _rules(axes[1, 0], dataset)
    _over_ridge(axes[1, 1], dataset)
    _orthogonal(axes[1, 2], dataset)
    _proximal(axes[2, 0], dataset)
    _exponents(axes[2, 1], dataset)
    _worst(axes[2, 2], dataset)
    handles = {label: Line2D([], [], color=colour) for colour, label in flow_styles(dataset).values()}
    handles["gradient descent, predicted"] = Line2D([], [], **_PREDICTED)
    for ax in (axes[0, 0], axes[1, 2], axes[2, 0]):
        ax.set_ylabel("$\\|\\theta - \\theta^*\\|^2$")
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3)
    return figure
