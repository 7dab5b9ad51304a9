"""F7: the whole interpolation."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .certified import certified
from .style import COLOURS, LABELS, THEORY, panel_label

NUMBER = "F7"
TITLE = "The whole way from L2 to L1, and the rate at which it ends"
SOURCE = "HAM [jacobs2026ham], Theorem 4.6; the rate: Cominetti and San Martín [cominetti1994asymptotic], and here"
CAPTION = (
    "The limits from zero for ln α (HAM) and ln 1/γ (m⊙w) from −30 to 10⁴, {from the least L2 norm to the least L1 "
    "norm}(geometry.l2-path, flow.exponential-l1, woodworth.theorem-1). (a) Relative excess of the L1 norm over that "
    "of basis pursuit; the axis is linear up to 60, logarithmic above (line: median of random sparse problems with n "
    "= 40, d = 100 and five spikes; band: 10th to 90th percentile). Dashed: {exp(−m ln α), with m the median margin "
    "of the certificate of basis pursuit}(flow.exponential-l1), 1 minus the largest |Xᵀν| off the support, from a "
    "linear programme; grey: 10th to 90th percentile of the margins. {Below 10⁻¹⁴ is rounding.}(full_range.rounding) "
    "Dash-dotted: {twelve spikes, with smaller margins; dotted: fermentation spectra, with a margin of a few "
    "thousandths}(full_range.margins). (b) Relative excess of the L2 norm over the least one, up to 60. (c) Decay "
    "rate of the excess L1 norm, fitted where it is between 10⁻⁹ and 10⁻⁵, against the margin (circles: five spikes, "
    "squares: twelve). {A window farther down would measure the solver's tolerance.}(full_range.window) {Marks off "
    "the dashed line: the path, a sequence of nearly straight pieces in the exponents, has not come to its last piece "
    "there.}(full_range.rate)"
)
FLOOR = 1e-16


def excess(dataset: xr.Dataset, norm: str) -> xr.DataArray:
    """The relative excess of a norm over the least one, at least `FLOOR`."""
    return (dataset[norm] / dataset[f"least_{norm}"] - 1).clip(min=FLOOR)


def position(sparsity: np.ndarray, knee: float = 60.0) -> np.ndarray:
    """Where ln α is drawn: at itself up to the knee, then with the logarithm."""
    sparsity = np.asarray(sparsity, float)
    return np.where(sparsity <= knee, sparsity, knee * (1 + 0.45 * np.log(np.maximum(sparsity, knee) / knee)))


TICKS = (-30, 0, 60, 300, 1000, 10000)


def _axis(ax) -> None:
    ax.set_xticks(position(np.array(TICKS)), ["−30", "0", "60", "300", "$10^3$", "$10^4$"])
    ax.set_xlabel("$\\ln\\alpha$,  $\\ln 1/\\gamma$")


def draw(dataset: xr.Dataset) -> Figure:
    """Excess L1 and L2 norm along the whole path, and fitted rates against margins."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset)
    figure, axes = plt.subplots(1, 3, figsize=(6.75, 3.1), width_ratios=(1.25, 1.25, 1))
    x = position(dataset["sparsity"].values)
    ks = [k for k in np.unique(dataset["k"].values) if k >= 0]
    real = "fermentation" if "fermentation" in dataset["problem"].values else None
    for ax, norm in ((axes[0], "l1"), (axes[1], "l2")):
        values = excess(dataset, norm)
        for family in ("m*w", "HAM"):
            case, colour = values.sel(family=family), COLOURS[family]
            for k, style in zip(ks, ("-", "-."), strict=False):
                low, middle, high = case.isel(problem=dataset["k"].values == k).quantile([0.1, 0.5, 0.9], dim="problem")
                ax.plot(x, middle, style, color=colour, linewidth=1.3 if k == ks[0] else 0.9)
                if k == ks[0]:
                    ax.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
            if real:
                ax.plot(x, case.sel(problem=real), ":", color=colour, linewidth=0.9)
        ax.set(yscale="log", ylim=(FLOOR, 10), xlim=(x[0], x[-1]), yticks=10.0 ** np.arange(-16, 1, 4))
        _axis(ax)
    axes[1].set(xlim=(x[0], 60), xticks=np.arange(-30, 61, 30))
    axes[1].set_xticklabels(["−30", "0", "30", "60"])
    margins = np.quantile(dataset["margin"].values[dataset["k"].values == ks[0]], [0.1, 0.5, 0.9])
    along = np.linspace(0, 150, 301)
    axes[0].fill_between(
        position(along), np.exp(-margins[2] * along), np.exp(-margins[0] * along), color="0.85", linewidth=0, zorder=0
    )
    axes[0].plot(position(along), np.exp(-margins[1] * along), **THEORY)
    axes[0].set_ylabel("relative excess of  $\\|\\theta_\\infty\\|_1$")
    axes[1].set_ylabel("relative excess of  $\\|\\theta_\\infty\\|_2$")
    largest = 0.0
    for family in ("m*w", "HAM"):
        for k, marker in zip(ks, ("o", "s"), strict=False):
            chosen = dataset["k"].values == k
            margin, rate = dataset["margin"].values[chosen], dataset["rate"].sel(family=family).values[chosen]
            axes[2].plot(
                margin, rate, marker, color=COLOURS[family], markersize=2.4, markerfacecolor="none", markeredgewidth=0.6
            )
            largest = max(largest, np.nanmax(np.append(rate, margin)))
    axes[2].plot([0, 1.05 * largest], [0, 1.05 * largest], **THEORY, zorder=0)
    axes[2].set(xlim=(0, 1.05 * largest), ylim=(0, 1.05 * largest))
    axes[2].set(xlabel="margin of basis pursuit", ylabel="rate of the excess L1 norm")
    for ax, letter in zip(axes, "abc", strict=True):
        panel_label(ax, letter)
    handles = {LABELS[family]: Line2D([], [], color=COLOURS[family]) for family in ("HAM", "m*w")}
    for k, style in zip(ks, ("-", "-."), strict=False):
        handles[f"k = {k}"] = Line2D([], [], color="0.3", linestyle=style, linewidth=1.3 if k == ks[0] else 0.9)
    if real:
        handles["spectra"] = Line2D([], [], color="0.3", linestyle=":", linewidth=0.9)
    handles["from the margin"] = Line2D([], [], **THEORY)
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=6)
    return figure
