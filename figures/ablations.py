"""F15: what each half of a HAM step does."""

from typing import Any

import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from .certified import certified
from .style import COLOURS, THEORY, panel_label, shades

NUMBER = "F15"
TITLE = "The halves of a HAM step: the hyperbolic step alone, the gradient step on small weights only, HYP and HYP*"
SOURCE = "HAM [jacobs2026ham], Algorithm 1 and Appendix D; the count of half-spaces: [cover1965geometrical]"
CAPTION = (
    "Medians and ranges over random problems, without the runs that did not converge. (a) From small starts of random "
    "signs: distance of the limit to the truth, against how many of its nonzero entries start with the wrong sign. "
    "{The hyperbolic step alone is nearest if all are right, and with wrong ones it interpolates far away, beyond "
    "gradient descent.}(ablations.hyperbolic-alone) (b) Share of random sign patterns, for random data of 40 columns, "
    "that have an interpolator (nonnegative least squares), and of those whose residual falls below 1 % by the "
    "hyperbolic step alone in the given number of steps; {dashed: Cover's count}(ablations.cover). (c) The gradient "
    "step only where |θ| < τ, from zero: excess of the L1 norm, of discrete runs (markers) and of the flow (dashed; α "
    "= 50, dotted: τ = 1/α). {Below 1/α it falls, with the bias of a larger α, until the step size ends "
    "it.}(ablations.threshold) (d) Time to a relative residual of 10⁻³ in the same runs. (e) Distance between the "
    "limits of HYP and HYP*, and of each to that of HAM's flow, relative to its norm: {they differ by about second "
    "order in the step size, and for small steps are off by first order}(ablations.hyp-and-hyp-star). (f) Sign "
    "changes of all entries."
)


def sound(dataset: xr.Dataset, group: str) -> xr.Dataset:
    """The dataset with what failed in a group of runs masked."""
    status = dataset[f"{group}_status"]
    return certified(dataset.drop_vars("status").assign(status=status), mask_failures=True)


def _band(ax, values: xr.DataArray, x: str, colour: str, **style) -> None:
    """The median over the problems, and the range."""
    ax.plot(values[x], values.median("instance"), color=colour, markersize=3.2, markeredgewidth=0.7, **style)
    low, high = values.min("instance"), values.max("instance")
    ax.fill_between(values[x], low, high, color=colour, alpha=0.15, linewidth=0)


def draw(dataset: xr.Dataset) -> Figure:
    """Starts with wrong signs and sign patterns; thresholds, their limits and times; HYP and HYP*, limits and flips."""
    import matplotlib.pyplot as plt

    first, gated, variants = (
        certified(dataset, mask_failures=True),
        sound(dataset, "gate"),
        sound(dataset, "variant"),
    )
    figure, axes = plt.subplots(2, 3, figsize=(6.75, 4.9))
    (alone, reach, excess), (time, apart, flips) = axes
    hyperbolic, alpha = shades("HAM", 3)[0], dataset.attrs["alpha"]
    rules = {
        "GD": ("gradient descent", COLOURS["GD"], "s"),
        "HAM": ("HAM", COLOURS["HAM"], "o"),
        "hyperbolic": ("hyperbolic step alone", hyperbolic, "^"),
    }
    for rule, (label, colour, marker) in rules.items():
        _band(alone, first["error"].sel(rule=rule), "wrong", colour, marker=marker, label=label)
    alone.set(
        yscale="log",
        xlabel=f"wrong signs at the start, of {dataset.sizes['wrong'] - 1}",
        ylabel="$\\|\\theta_\\infty - \\theta^*\\|_2$",
    )
    alone.legend(loc="upper left", handlelength=1.2, borderaxespad=0)
    alone.set(ylim=(0.1, 150))

    has = (dataset["reach_least"] < 1e-9).mean("pattern")
    fell = (dataset["reach_residual"] < dataset.attrs["reach_tol"]).mean("pattern")
    reach.plot(dataset["equations"], dataset["reach_theory"], **THEORY)
    reach.plot(dataset["rows"], has, "o", color="0.3", markerfacecolor="none", markersize=4, label="have one")
    reach.plot(dataset["rows"], fell, "^", color=hyperbolic, markersize=3.5, label="reached")
    reach.set(xlabel="equations", ylabel="share of sign patterns", ylim=(0, 1.03))
    reach.set(xlim=(float(dataset["rows"].min()) - 2, float(dataset["rows"].max()) + 2))
    reach.legend(loc="lower left")

    for i, colour in enumerate(shades("HAM", dataset.sizes["rate"])[::-1]):
        case, marker = gated.isel(rate=i), "ov^"[i]
        label = f"η = {float(case['rate']):g}"
        _band(excess, case["gate_excess"], "threshold", colour, marker=marker, linestyle="", label=label)
        _band(time, case["gate_time"], "threshold", colour, marker=marker, label=label)
    excess.plot(dataset["threshold"], dataset["gate_flow_excess"].isel(rate=0).median("instance"), **THEORY)
    for ax in (excess, time):
        ax.axvline(1 / alpha, color="0.7", linewidth=0.8, linestyle=":", zorder=0)
        ax.set(xscale="log", yscale="log", xlabel="threshold $\\tau$ of the gradient step")
    excess.set(ylabel="excess of the L1 norm")
    excess.legend(loc="lower right", handletextpad=0.1, borderaxespad=0)
    time.set(ylabel="time to residual $10^{-3}$", ylim=(1, 100))

    rates = dataset["halving"]
    starts = {"zero": "-", "random": (0, (1, 1))}
    for start, line in starts.items():
        case = variants.sel(start=start)
        both = case["apart"].where((dataset["variant_status"].sel(start=start) == 0).all("variant"))
        apart.plot(rates, both.median("instance"), "o", linestyle=line, color=COLOURS["other"], markersize=3)
        for variant, marker in (("HYP", "+"), ("HYP*", "x")):
            off = case["off"].sel(variant=variant).median("instance")
            apart.plot(rates, off, marker, linestyle=line, color=COLOURS["HAM"], markersize=4, linewidth=0.9)
        for variant, marker, colour in (("HYP", "+", "HAM"), ("HYP*", "x", "HAM"), ("GD", "s", "GD")):
            style = {"marker": marker, "linestyle": line, "color": COLOURS[colour], "markersize": 4, "linewidth": 0.9}
            flips.plot(rates, case["flips"].sel(variant=variant).mean("instance"), **style)
    middle = float(rates[len(rates) // 2])
    for order, name in ((1, "off"), (2, "apart")):
        level = variants[name].sel(start="zero").isel(halving=len(rates) // 2)
        level = float(level.sel(variant="HYP").median() if name == "off" else level.median())
        apart.plot(rates, 0.5 * level * (rates / middle) ** order, **THEORY, zorder=0)
    apart.set(
        xscale="log", yscale="log", xlabel="step size $\\eta$, in $10^{-3}$", ylabel="relative distance of limits"
    )
    flips.set(xscale="log", xlabel="step size $\\eta$, in $10^{-3}$", ylabel="mean number of sign changes")
    flips.set(ylim=(0, 1.15 * float(variants["flips"].mean("instance").max())))
    for ax in (apart, flips):
        ax.xaxis.set_minor_locator(NullLocator())
        ax.set_xticks(rates.values, [f"{1e3 * rate:g}" for rate in rates.values])
    for ax, letter in zip(axes.flat, "abcdef", strict=True):
        panel_label(ax, letter)
    plain: dict[str, Any] = {"linestyle": "", "markersize": 4}
    handles = {
        "HYP (e: to the flow)": Line2D([], [], marker="+", color=COLOURS["HAM"], **plain),
        "HYP* (e: to the flow)": Line2D([], [], marker="x", color=COLOURS["HAM"], **plain),
        "HYP to HYP* (e)": Line2D([], [], marker="o", color=COLOURS["other"], **plain),
        "gradient descent (f)": Line2D([], [], marker="s", color=COLOURS["GD"], **plain),
        "from zero (e, f)": Line2D([], [], color="0.3", linestyle=starts["zero"]),
        "from a random start (e, f)": Line2D([], [], color="0.3", linestyle=starts["random"]),
        "theory (b, c), slopes 1 and 2 (e)": Line2D([], [], **THEORY),
    }
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3)
    return figure
