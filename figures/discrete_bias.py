"""F13: the bias of discrete HAM, and the steps that sparsity takes."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from .certified import certified
from .style import COLOURS, LABELS, THEORY, panel_label, shades

NUMBER = "F13"
TITLE = "The bias of discrete HAM, and what sparsity costs in steps"
SOURCE = "own derivation (ito_drift, without noise); HAM, Theorem 4.6 and Remark 4.7"
CAPTION = (
    "Five random problems (n = 40, d = 100, five spikes of ±1), full gradients from zero; η* = 2/λ_max of X diag(g⁻¹) "
    "Xᵀ/n at the flow's limit. Marks: medians, bands: ranges. (a) Distance of the limit of HYP* (relative residual "
    "10⁻⁷) from that of HAM's flow. Dashed: {the Bregman projection from the start that is moved, in mirror "
    "coordinates, by ½η∫κ(∇f)²dt along the flow}(discrete.drift, ham.ito-drift). (b) Error of this theory relative to "
    "the distance that it predicts, α = 100: {it vanishes with η}(discrete_bias.first-order). {The theory of HYP "
    "includes its first step, which has no sign}(discrete_bias.first-step); {its error is largest where its bias "
    "changes sign}(discrete_bias.error-of-hyp). (c) Change of the excess L1 norm over that of the flow's limit, α = "
    "100 (logarithmic beyond ±10⁻³): {HYP* falls, the natural gradient step rises}(discrete_bias.signs), {HYP does "
    "either}(discrete_bias.either); {mirror descent ends at the flow's limit at any η at which it "
    "converges}(flow.dual-coordinates). (d) Steps of HYP*; dashed: {ln(10⁷)/(η λ_min⁺)}(flow.asymptotic-rate). (e) "
    "Least excess among runs of all α (HYP*) or γ (m⊙w) and of η ≤ 0.95 η* that converged to a residual of 10⁻⁶ "
    "within the budget; dashed: excess of HAM's limits against ln(10⁶) λ_max/(2 λ_min⁺). Runs that left the range of "
    "numbers are left out. (f) Lines: {the flows' limits, for both families nearly the same "
    "curve}(discrete_bias.one-curve); marks: runs at 0.95 η*, of strengths at which all converged. Why is HAM alone "
    "only mildly sparse? {Not by its discretisation, which changes the excess by a few percent in "
    "(c).}(discrete_bias.not-by-discretisation) But {with α the condition number grows, and the budget with it, by "
    "more than the excess falls}(discrete_bias.budget); {m⊙w pays about the same, though its large steps also add to "
    "the excess of its flow}(discrete_bias.budget-of-mw)."
)
_RULES: dict[str, tuple[str, str]] = {
    "HYP*": (COLOURS["HAM"], "o"),
    "HYP": (shades("HAM", 3)[0], "^"),
    "natural gradient": (COLOURS["other"], "s"),
}
_SLOPE: dict[str, Any] = THEORY | {"linestyle": ":"}
_LINEAR = 1e-3  # of the changes, which have both signs


def sound(dataset: xr.Dataset, group: str) -> xr.Dataset:
    """The dataset with what failed in a group of runs masked."""
    status = dataset[f"{group}status"]
    return certified(dataset.drop_vars("status").assign(status=status), mask_failures=True)


def least_steps(dataset: xr.Dataset, condition: str, tol: float) -> xr.DataArray:
    """`ln(1/tol) λ_max/(2 λ_min⁺)`: the steps at η* of theory."""
    return np.log(1 / tol) * dataset[condition] / 2


def _band(ax, values: xr.DataArray, x: str, colour: str, **style) -> None:
    """The median over the problems, where no run failed, and the range."""
    values = values.where(values.notnull().all("problem"))
    ax.plot(values[x], values.median("problem"), color=colour, markersize=3, markeredgewidth=0.7, **style)
    ax.fill_between(values[x], values.min("problem"), values.max("problem"), color=colour, alpha=0.15, linewidth=0)


def draw(dataset: xr.Dataset) -> Figure:
    """Bias of HYP* and of the others, with theory; steps; the least excess within a budget, and its price."""
    import matplotlib.pyplot as plt

    bias, mirror, runs = (sound(dataset, group) for group in ("", "mirror_", "run_"))
    figure, axes = plt.subplots(2, 3, figsize=(6.75, 4.9))
    (distance, error, change), (steps, reached, price) = axes
    alphas = dataset["alpha"].values
    middle, colours = float(alphas[len(alphas) // 2]), shades("HAM", len(alphas))
    for alpha, colour, marker in zip(alphas, colours, "o^sv", strict=False):
        case = bias.sel(alpha=alpha, rule="HYP*")
        _band(distance, case["distance"], "rate", colour, marker=marker, linestyle="", label=f"{alpha:g}")
        distance.plot(case["rate"], case["distance_theory"].median("problem"), **THEORY)
        _band(steps, case["steps"], "rate", colour, marker=marker, linestyle="")
        theory = least_steps(case, "condition", dataset.attrs["tol"]).median("problem") / case["rate"]
        steps.plot(case["rate"], theory, **THEORY)
    for rule, (colour, marker) in _RULES.items():
        case, style = bias.sel(alpha=middle, rule=rule), {"marker": marker, "linestyle": ""}
        _band(error, case["remainder"] / case["distance_theory"], "rate", colour, marker=marker)
        _band(change, case["change"], "rate", colour, **style)
        change.plot(case["rate"], case["change_theory"].median("problem"), **THEORY)
    rate = dataset["rate"].values
    slope = 0.4 * float(
        (bias["remainder"] / bias["distance_theory"]).sel(alpha=middle, rule="HYP*").median("problem")[0]
    )
    error.plot(rate, slope * rate / rate[0], **_SLOPE)
    _band(change, mirror["mirror_change"].sel(alpha=middle), "mirror_rate", COLOURS["GD"], marker="x", linestyle="")
    for family, marker in (("HAM", "o"), ("m*w", "s")):
        here, colour = runs.sel(family=family), COLOURS[family]
        _band(reached, here["reached"], "budget", colour, marker=marker)
        condition, fastest = here["flow_condition"].median("problem"), here["run_excess"].isel(budget_rate=-1)
        price.plot(condition, here["flow_excess"].median("problem"), "--" if family == "m*w" else "-", color=colour)
        fastest = fastest.where(fastest.notnull().all("problem")).median("problem")
        price.plot(condition, fastest, marker, color=colour, markersize=3, markerfacecolor="none")
    ham = runs.sel(family="HAM").median("problem")
    reached.plot(least_steps(ham, "flow_condition", dataset.attrs["budget_tol"]), ham["flow_excess"], **THEORY)
    for ax in (distance, error, change, steps):
        ax.set(xscale="log", xlabel="learning rate $\\eta\\,/\\,\\eta^*$", xlim=(rate[0] / 1.2, 1.2))
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        ax.xaxis.set_minor_locator(NullLocator())
    distance.set(
        yscale="log", ylabel="$\\|\\theta_\\eta - \\theta_{\\mathrm{flow}}\\|\\, /\\, \\|\\theta_{\\mathrm{flow}}\\|$"
    )
    error.set(yscale="log", ylabel="relative error of theory")
    change.set_yscale("symlog", linthresh=_LINEAR)
    change.axhline(0, color="0.8", linewidth=0.7, zorder=0)
    change.set(ylabel="relative change of excess")
    steps.set(yscale="log", ylabel=f"steps to residual $10^{{{np.log10(dataset.attrs['tol']):.0f}}}$")
    excess = "excess $\\|\\theta\\|_1/\\|\\theta_{\\mathrm{BP}}\\|_1 - 1$"
    reached.set(xscale="log", yscale="log", xlabel="budget (steps)", ylabel=excess)
    reached.set(xlim=(float(dataset["budget"][0]) / 1.2, 1.2 * float(dataset["budget"][-1])))
    reached.set(ylim=(float(runs["reached"].min()) / 1.5, 1.5 * float(runs["reached"].max())))
    price.set(xscale="log", yscale="log", xlabel="$\\lambda_{\\max}\\, /\\, \\lambda_{\\min}^+$", ylabel=excess)
    for ax, letter in zip(axes.flat, "abcdef", strict=True):
        panel_label(ax, letter)
    plain: dict[str, Any] = {"linestyle": "", "markersize": 4}
    handles: dict[str, Any] = {
        f"HYP*, α = {alpha:g} (a, d)": Line2D([], [], color=colour, marker=marker, **plain)
        for alpha, colour, marker in zip(alphas, colours, "o^sv", strict=False)
    }
    handles |= {f"{rule} (b, c)": Line2D([], [], color=c, marker=m, **plain) for rule, (c, m) in _RULES.items()}
    handles |= {
        "mirror descent (c)": Line2D([], [], color=COLOURS["GD"], marker="x", **plain),
        "HAM (e: HYP*, f)": Line2D([], [], color=COLOURS["HAM"], marker="o", markersize=4),
        f"{LABELS['m*w']} (e, f)": Line2D([], [], color=COLOURS["m*w"], marker="s", markersize=4),
        "theory": Line2D([], [], **THEORY),
        "slope 1": Line2D([], [], **_SLOPE),
    }
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4)
    return figure
