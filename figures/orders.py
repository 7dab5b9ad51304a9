"""F11: the orders of all rules."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter

from .certified import certified
from .style import COLOURS, THEORY, panel_label, shades

NUMBER = "F11"
TITLE = "Order of every rule towards its own flow"
SOURCE = "HAM [jacobs2026ham], Theorems 3.1 and 4.2"
CAPTION = (
    "Largest error of an entry, against {the flow that a rule discretises}(ham.flow, mw.gamma) (α = 5, weight decay "
    "0.1, but none for gradient descent), as the learning rate is halved, for 40 random problems of each kind (n = 6, "
    "d = 10). Lines and bands: medians and quartiles; HYP* lies on HYP, {from which it differs at a crossing "
    "alone}(ham.hyp-star). (a), (b) After a run of unit time. (d), (e) After one step. Left: {starts whose flows stay "
    "away from zero}(orders.away). Right: starts near zero, from where {about three entries of ten change their sign "
    "in a run, and cross the kink of HAM's metric}(orders.across); {with EXP, and with m⊙w from balanced factors (γ = "
    "0), none does}(ham.exponentiated). (c) {Theorem 3.1: the difference between one step of EXP and one of gradient "
    "descent on balanced factors}(ham.exponentiated). (f) {The slopes fitted to each problem's errors, less 1 for "
    "runs and 2 for steps}(orders.slopes); bars: medians; dotted: ±0.05."
)
_LABELS = {
    "GD": "gradient descent",
    "HYP": "HYP",
    "HYP*": "HYP*",
    "EXP": "EXP",
    "balanced m*w": "$m\\odot w$, γ = 0",
    "m*w": "$m\\odot w$, γ = 0.3",
}
_COLOURS = {"GD": COLOURS["GD"]} | dict(zip(("HYP", "HYP*"), shades("HAM", 2), strict=True))
_COLOURS["EXP"] = COLOURS["other"]
_COLOURS |= dict(zip(("balanced m*w", "m*w"), shades("m*w", 2), strict=True))
_DASHED = ("HYP*", "m*w")  # they lie on others


def deviations(dataset: xr.Dataset) -> dict[str, xr.DataArray]:
    """Fitted slopes less the orders of theory, for runs, steps, and the differences of Theorem 3.1."""
    return {
        "run": dataset["run_order"] - 1,
        "step": dataset["step_order"] - 2,
        "distance": dataset["distance_order"] - 2,
    }


def _errors(ax, errors: xr.DataArray, colour: str, style: str) -> None:
    rate = errors["rate"]
    low, high = errors.quantile([0.25, 0.75], dim="instance").values
    ax.fill_between(rate, low, high, color=colour, alpha=0.15, linewidth=0)
    ax.plot(rate, errors.median("instance"), style, color=colour)


def _theory(ax, errors: xr.DataArray, order: int) -> None:
    """The slope of theory, below all that is drawn."""
    rate = errors["rate"].values
    level = float((errors / errors["rate"] ** order).min()) / 2
    ax.plot(rate, level * rate**order, **THEORY)
    ax.set(xscale="log", yscale="log", xlabel="learning rate $\\eta$")
    ax.set_xlim(0.8 * rate.min(), 1.25 * rate.max())
    ax.xaxis.set_minor_formatter(NullFormatter())


def _medians(ax, orders: xr.DataArray) -> None:
    """The median slopes, in the upper left corner."""
    values = orders.median("instance").values
    ends = dict.fromkeys(f"{end:.3f}" for end in (values.min(), values.max()))
    ax.text(0.04, 0.97, "median slopes\n" + " to ".join(ends), transform=ax.transAxes, va="top", fontsize=6.5)


def _all_slopes(ax, dataset: xr.Dataset) -> None:
    """A column a rule, and one for Theorem 3.1; within it runs, then steps, each away from zero and across it."""
    off, rng, ticks = deviations(dataset), np.random.default_rng(0), [*_LABELS.values(), "Theorem 3.1"]
    for column, rule in enumerate([*_COLOURS, None]):
        colour = _COLOURS[rule] if rule else _COLOURS["EXP"]
        groups = [(off["distance"], -0.1)]
        if rule:
            groups = [(off[name].sel(rule=rule), place) for name, place in (("run", -0.21), ("step", 0.21))]
        for values, place in groups:
            for start, side, face in (("away", -0.1, "none"), ("across", 0.1, colour)):
                middle, here = column + place + side + (0.1 if rule is None else 0), values.sel(start=start).values
                jitter = middle + 0.05 * rng.uniform(-1, 1, here.size)
                ax.plot(jitter, here, "o", color=colour, markerfacecolor=face, markersize=2, markeredgewidth=0.4)
                ax.plot([middle - 0.08, middle + 0.08], [np.median(here)] * 2, color="0.1", linewidth=1.2)
    ax.axhline(0, **THEORY, zorder=0)
    for bound in (-0.05, 0.05):
        ax.axhline(bound, color="0.45", linestyle=":", linewidth=0.8)
    ax.set(xticks=range(len(ticks)), xticklabels=ticks, xlim=(-0.55, len(ticks) - 0.45))
    reach = max(0.07, *(1.1 * float(abs(values).max()) for values in off.values()))
    for column in range(len(_COLOURS)):
        for place, name in ((-0.21, "runs"), (0.21, "steps")):
            ax.text(column + place, 0.93 * reach, name, ha="center", va="center", fontsize=6.5)
    ax.set(ylabel="fitted slope less that of theory", ylim=(-reach, reach))
    ax.tick_params(axis="x", length=0)


def draw(dataset: xr.Dataset) -> Figure:
    """Errors of runs and of steps from both kinds of starts, Theorem 3.1, and all fitted slopes."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset)
    figure, axes = plt.subplot_mosaic([["a", "b", "c"], ["d", "e", "legend"], ["f", "f", "f"]], figsize=(6.75, 6.4))
    starts = {"away": "away from zero", "across": "across zero"}
    for letters, name, order, label in (("ab", "run", 1, "error of a run"), ("de", "step", 2, "error of a step")):
        both = dataset[f"{name}_error"]
        for letter, (start, title) in zip(letters, starts.items(), strict=True):
            ax, errors = axes[letter], both.sel(start=start)
            for rule, colour in _COLOURS.items():
                _errors(ax, errors.sel(rule=rule), colour, "--" if rule in _DASHED else "-")
            _theory(ax, both, order)
            _medians(ax, dataset[f"{name}_order"].sel(start=start))
            ax.set(title=title, ylabel=label, ylim=(both.min() / 4, both.max() * 4))
    for start, style in zip(starts, ("-", ":"), strict=True):
        _errors(axes["c"], dataset["distance"].sel(start=start), _COLOURS["EXP"], style)
    _theory(axes["c"], dataset["distance"], 2)
    _medians(axes["c"], dataset["distance_order"])
    axes["c"].set(title="Theorem 3.1", ylabel="difference of a step")
    _all_slopes(axes["f"], dataset)
    for letter in "abcdef":
        panel_label(axes[letter], letter)
    marker = {"color": "0.3", "marker": "o", "linestyle": "", "markersize": 3, "markeredgewidth": 0.6}
    handles = {
        name: Line2D([], [], color=_COLOURS[rule], linestyle="--" if rule in _DASHED else "-")
        for rule, name in _LABELS.items()
    }
    handles["slope of theory"] = Line2D([], [], **THEORY)
    handles["(c), across zero"] = Line2D([], [], color=_COLOURS["EXP"], linestyle=":")
    handles["(f), away from zero"] = Line2D([], [], markerfacecolor="none", **marker)
    handles["(f), across zero"] = Line2D([], [], **marker)
    axes["legend"].axis("off")
    axes["legend"].legend(handles.values(), handles.keys(), loc="center")
    return figure
