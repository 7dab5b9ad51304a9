"""F16: how the best α scales."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullLocator

from .certified import certified
from .style import COLOURS, THEORY, panel_label, shades

NUMBER = "F16"
TITLE = "Which α is best, and is there a scaling law?"
SOURCE = (
    "the mirror flow's limit [jacobs2026ham]; homogeneity, R_α(cθ) = c² R_cα(θ), by which the best α for c times the "
    "data, noise included, is 1/c times as large; state evolution: that of approximate message passing "
    "[donoho2009message], [bayati2011dynamics], with the proximal map of R_α, at interpolation"
)
CAPTION = (
    "Limits of HAM from zero on sparse regressions, y = Xθ* + noise, around n = 40, d = 100, four spikes of ±1. Blue: "
    "the α of least error ‖θ − θ*‖, with noise (of deviation 1.5 where it does not vary). Green: the least α from "
    "which at most a tenth of what α can gain is missing; without noise, and with it in (e). Marks and bars: medians "
    "and quartiles of the instances. Grey lines: {state evolution, without a free "
    "parameter}(scaling_law.state-evolution). Dashed: the power law fitted to the medians in (b–e). Percentages "
    "(b–e): instances whose best α is at an end, above e²⁴ (top) or below e⁻⁴ (bottom); they count as such in the "
    "quartiles, and a median that is there (open triangle) is not fitted. (a) Median errors, with the noise on the "
    "right; dots: their least. (b–e) One factor varies: {the medians bend away from the power law in n, in k and in "
    "the noise, and at the two smallest noises half of the instances or more have no finite best "
    "α}(scaling_law.bend). (f) The problems of (b) (filled), and problems of the same n/d, k/d and noise²/n, but of d "
    "= 100 (open; dashed: the power law for these): {in state evolution they are the same}(scaling_law.proportions), "
    "and {the quartiles overlap}(scaling_law.overlap). (g) Without noise, one mark an instance that basis pursuit "
    "recovers: {its margin m tells the needed α}(scaling_law.margin) (R² is that of ln ln α). (h) What a rule for α "
    "costs: median of the error over the least of the instance, minus 1 (one α: the best one's median at the centre; "
    "where state evolution says ∞, it is the L1 end). (i) Exponents of the power laws, 95 % by the bootstrap; {a "
    "misfit (reduced χ² at the medians) far above 1 says that α is no product of powers}(scaling_law.misfit)."
)
_ANSWERS = {"best": COLOURS["HAM"], "needed": COLOURS["other"]}
_NAMES = {"d": "columns $d$", "n": "rows $n$", "k": "spikes $k$", "noise": "noise"}
_RULES = {
    "power law": ("0.0", "--"),
    "state evolution": ("0.45", "-"),
    "one α": (COLOURS["HAM"], ":"),
    "L2 end": (COLOURS["m*w"], "-"),
    "L1 end": (COLOURS["other"], "-"),
}
_WINDOW = (-4.5, 27.0)  # of ln α, with room for what is at an end


def _line(dataset: xr.Dataset, line: str, *, noisy: bool) -> xr.Dataset:
    """The settings on a line, with the centre, in the order of what varies."""
    on = dataset["line"].isin(["centre", line]) & ((dataset["noise"] > 0) == noisy)
    return dataset.isel(setting=np.flatnonzero(on)).sortby(line if line in _NAMES else "n")


def _marks(ax, x: np.ndarray, quartiles: np.ndarray, answer: str, **style) -> None:
    """Medians, and bars between the quartiles, up to the edge where these are infinite."""
    low, middle, high = np.clip(quartiles, -1e3, 1e3)
    bars = np.abs(np.stack([middle - np.maximum(low, _WINDOW[0]), np.minimum(high, _WINDOW[1]) - middle]))
    inside, colour = np.isfinite(quartiles[1]), _ANSWERS[answer]
    look = {"color": colour, "fmt": "o" if answer == "best" else "s", "markersize": 3.2, "elinewidth": 0.9} | style
    ax.errorbar(x[inside], middle[inside], bars[:, inside], **look)
    ax.plot(x[~inside], np.where(quartiles[1] > 0, 24.0, -4.0)[~inside], "^", color=colour, markersize=3.5, mfc="w")


def _shares(ax, x: np.ndarray, logs: xr.DataArray) -> None:
    """How many best α are at an end."""
    look = {"fontsize": 5, "ha": "center", "va": "center", "color": _ANSWERS["best"]}
    for height, end in ((25.6, np.inf), (-3.4, -np.inf)):
        for place, share in zip(x, (logs == end).mean("instance").values, strict=True):
            if share > 0:
                ax.text(place, height, f"{100 * share:.0f}%", bbox={"pad": 0.5, "fc": "w", "ec": "none"}, **look)


def _axis(ax, x: np.ndarray, label: str) -> None:
    ax.set(xscale="log", ylim=_WINDOW, xlabel=label)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticks(x, [f"{value:g}" for value in x])
    ax.set_xlim(x.min() / 1.25, x.max() * 1.25)


def _theory(ax, dataset: xr.Dataset, factor: str, answer: str, noisy: bool, x=None) -> None:
    """State evolution along the line of a factor, where it is finite."""
    line = dataset.sel(star="noisy" if noisy else "noise-free", factor=factor, answer=answer)
    curve, places = line["theory_line_log"].values, line["theory_place"].values
    ax.plot(
        places if x is None else x(places), np.where(np.isfinite(curve), curve, np.nan), color="0.45", linewidth=0.9
    )


def _scaling(ax, dataset: xr.Dataset, factor: str) -> None:
    """α against one factor."""
    for answer, noisy in (("best", True), ("needed", factor == "noise")):
        part = _line(dataset, factor, noisy=noisy).sel(answer=answer)
        x = part[factor].values.astype(float)
        _theory(ax, dataset, factor, answer, noisy)
        ax.plot(x, part["law_log"], color=_ANSWERS[answer], linestyle=(0, (4, 2)), linewidth=0.9)
        _marks(ax, x * (1.0 if answer == "best" else 0.97), part["quartiles"].values, answer)
        if answer == "best":
            _shares(ax, x, part["answer_log"])
    _axis(ax, x, _NAMES[factor])


def _proportions(ax, dataset: xr.Dataset) -> None:
    """α against n/d, along the line of d and at the d of the centre, all else in proportion."""
    for answer, noisy in (("best", True), ("needed", False)):
        centre = _line(dataset, "", noisy=noisy)
        _theory(ax, dataset, "d", answer, noisy, lambda d, n=centre["n"].values: n / d)
        for line, shift, style in (("d", 0.97, {}), ("proportion", 1.03, {"markerfacecolor": "white"})):
            part = _line(dataset, line, noisy=noisy).sel(answer=answer)
            x = (part["n"] / part["d"]).values
            _marks(ax, shift * x, part["quartiles"].values, answer, **style)
        ax.plot(x, part["law_log"], color=_ANSWERS[answer], linestyle=(0, (4, 2)), linewidth=0.9)
    _axis(ax, x, "$n/d$, all in proportion")


def draw(dataset: xr.Dataset) -> Figure:
    """Nine panels: errors; α against d, n, k, noise and all in proportion; the margin; regrets; exponents."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset)
    figure, axes = plt.subplots(3, 3, figsize=(6.75, 6.3))
    for ax, letter in zip(axes.flat, "abcdefghi", strict=True):
        panel_label(ax, letter)
    curves, margins, regrets, exponents = axes[0, 0], axes[2, 0], axes[2, 1], axes[2, 2]
    x, power = dataset["log_alpha"].values, FuncFormatter(lambda value, _: f"$e^{{{value:g}}}$")

    shown = dataset.isel(setting=np.flatnonzero(dataset["line"].isin(["centre", "noise"]))).sortby("noise")
    for i, colour in enumerate(shades("HAM", shown.sizes["setting"])):
        one = shown.isel(setting=i)
        middle = one["error"].median("instance").values
        curves.plot(x, middle, color=colour, linewidth=1)
        curves.plot(x, one["theory_error"], color="0.45", linewidth=0.6)
        least = int(np.argmin(middle))
        if least > 0 and x[least] < dataset.attrs["last"]:
            curves.plot(x[least], middle[least], "o", color=colour, markersize=3)
        curves.text(24.4, middle[np.searchsorted(x, 24)], f"{float(one['noise']):g}", fontsize=5.5, va="center")
    curves.text(1.0, 1.0, "noise", fontsize=5.5, transform=curves.transAxes, ha="left", va="bottom")
    curves.set(xlim=(-4, 24), xlabel="α", ylabel="$\\|\\theta_\\infty - \\theta^*\\|$", ylim=(0, None))
    curves.set_xticks([0, 10, 20])
    curves.xaxis.set_major_formatter(power)

    for ax, factor in zip(axes.flat[1:5], dataset["factor"].values, strict=True):
        _scaling(ax, dataset, factor)
    _proportions(axes[1, 2], dataset)
    for ax in axes.flat[1:6]:
        ax.set_yticks([0, 10, 20])
        ax.yaxis.set_major_formatter(power)
        ax.set_ylabel("α")

    margin, logs = dataset["margin"].values, dataset["answer_log"].sel(answer="needed").values
    known = margin > 0
    margins.plot(margin[known], logs[known], "s", color=_ANSWERS["needed"], markersize=2, alpha=0.6)
    ends = np.array([margin[known].min(), margin[known].max()])
    constant = float(dataset["margin_product"].sel(quartile=0.5))
    margins.plot(ends, constant / ends, color="k", linestyle="--", linewidth=0.9)
    margins.set(xscale="log", yscale="log", xlabel="margin $m$ of basis pursuit", ylabel="ln α needed")
    r2 = float(dataset["margin_r2"])
    margins.text(
        0.95, 0.93, f"ln α = {constant:.1f}/m\n$R^2$ = {r2:.2f}", transform=margins.transAxes, ha="right", va="top"
    )

    part = dataset.isel(setting=dataset["noisy_setting"].values)
    order = part["noise"].where(part["line"].isin(["centre", "noise"])).values
    kept = np.argsort(order)[: np.isfinite(order).sum()]
    for rule, (colour, style) in _RULES.items():
        cost = dataset["regret"].sel(rule=rule).median("instance").values
        regrets.plot(order[kept], cost[kept], style, color=colour, marker="o", markersize=2, linewidth=1)
        regrets.plot([], [], style, color=colour, label=rule)
    regrets.set(xscale="log", yscale="log", xlabel="noise", ylabel="excess of the error")
    regrets.xaxis.set_minor_locator(NullLocator())
    regrets.set_xticks(order[kept], [f"{value:g}" for value in order[kept]])
    regrets.set_ylim(1e-3, 100)
    regrets.legend(fontsize=5.5, loc="upper center", ncols=2, columnspacing=1)

    for a, (answer, colour) in enumerate(_ANSWERS.items()):
        estimate, low, high = dataset["exponent"].sel(answer=answer).values.T
        y = -np.arange(estimate.size) - 0.25 * a
        exponents.errorbar(
            estimate, y, xerr=np.abs([estimate - low, high - estimate]), color=colour, fmt="os"[a], markersize=3.2
        )
        r2, misfit = (float(dataset[name].sel(answer=answer)) for name in ("r2", "misfit"))
        text = f"$R^2$ = {r2:.2f}\nmisfit {misfit:.0f}"
        exponents.text(0.03 + 0.6 * a, 0.03, text, color=colour, fontsize=6, transform=exponents.transAxes)
    exponents.axvline(0, **THEORY)
    exponents.set(xlabel="exponent of α", yticks=-np.arange(len(_NAMES)) - 0.12, yticklabels=list(_NAMES.values()))
    exponents.set_ylim(-5, 0.5)
    handles = {
        "best α": Line2D([], [], color=_ANSWERS["best"], marker="o", markersize=3.2),
        "needed α": Line2D([], [], color=_ANSWERS["needed"], marker="s", markersize=3.2),
        "power law": Line2D([], [], color="k", linestyle="--", linewidth=0.9),
        "state evolution": Line2D([], [], color="0.45", linewidth=0.9),
    }
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4)
    return figure
