"""F17: crossing zero, or stuck there."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .certified import certified
from .style import COLOURS, LABELS, THEORY, panel_label, shades

NUMBER = "F17"
TITLE = "Crossing zero, or stuck there"
SOURCE = "HAM [jacobs2026ham], Theorem 3.1, Theorem 4.2, Figure 1 and Appendix D; passage times: own derivation"
CAPTION = (
    "(a) A parameter that starts on the wrong side of zero, under f = (θ − y)²/2, time upwards: flows (lines), {the "
    "times at which they cross zero (dots) and those of theory (bars)}(signs.passage). (d) Below, on the same axis, "
    "the inverse metrics: {who is slow at zero crosses late}(crossing.slow-is-late), and {balanced m⊙w (dashed), with "
    "g⁻¹(0) = 0, never does}(mw.balanced-no-flip). (b) The same under a constant unit force, as in Figure 1 of HAM, "
    "where the mirror map grows at rate one: {the way to the mirror image of the start takes twice the time to "
    "zero}(crossing.twice). {The metric of m⊙w is 2√(θ² + γ²) here, so that its times are half of those for √(θ² + "
    "γ²).}(geometry.mw, geometry.imbalance) (c) Rules at a finite learning rate; circles: the first iterate across "
    "zero. {HYP lets the step across shrink, HYP* lets it grow.}(ham.hyp-star) {Balanced factors and exponentiated "
    "gradient (dashed, on top of each other) stay.}(ham.exponentiated) (e) Being stuck is a matter of the last bit: "
    "{factors with |m| = (1 + ε)|w| cross at the first-passage time of γ = ε(1 + ε/2) (line)}(geometry.mw, "
    "signs.passage), {later only by ln(1/ε)/2y}(crossing.logarithm); dots: the flow, crosses: {gradient descent on "
    "the factors in small steps, to whose ε rounding adds near its unit}(crossing.rounding-of-factors) (dotted). "
    "Triangles: factors that are balanced to the bit, by integrators that do not know of it, and round their two "
    "derivatives differently: {that gets them across, though hardly before an ε of its unit "
    "would}(crossing.rounding-alone). (f) {HYP* over HYP after one step across zero, by the rules (dots), and "
    "exp(2ηα|g|) (line)}(ham.hyp-star)."
)
SYMBOLS = {"HAM": "α", "m*w": "γ"}
RULES = {  # colour, line style and label
    "GD": (COLOURS["GD"], "-", "gradient descent"),
    "HYP": (COLOURS["HAM"], (0, (1, 1)), "HYP"),
    "HYP*": (COLOURS["HAM"], "-", "HYP*"),
    "m*w": (COLOURS["m*w"], "-", "$m\\odot w$, imbalanced"),
    "balanced m*w": (COLOURS["m*w"], (0, (4, 2)), "$m\\odot w$, balanced"),
    "EXP": (COLOURS["other"], (2, (2, 4)), "exponentiated"),
}
UNIT = float(np.finfo(float).eps)


def power(value: float) -> str:
    """A parameter as it is set: 16, 0.1, 10⁻³."""
    exponent = np.log10(value)
    return f"10$^{{{exponent:.0f}}}$" if exponent == round(exponent) and exponent < -1 else f"{value:g}"


def styles(dataset: xr.Dataset) -> list[tuple[str, Any, str]]:
    """Colour, line style and label of every flow: the darker, the farther from gradient descent."""
    families, values = dataset["family"].values.tolist(), dataset["parameter"].values.tolist()
    ramps = {name: iter(shades(name, families.count(name))) for name in dict.fromkeys(families)}
    rows: list[tuple[str, Any, str]] = []
    for family, value in zip(families, values, strict=True):
        colour, label = next(ramps[family]), LABELS[family]
        if value == 0:
            rows.append((colour, (0, (4, 2)), f"{label}, balanced"))
        else:
            rows.append((colour, "-", label if np.isnan(value) else f"{label}, {SYMBOLS[family]} = {power(value)}"))
    return rows


def draw(dataset: xr.Dataset) -> Figure:
    """Flows over their metrics; the constant force; rules; the imbalance; a single step."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset)
    figure, axes = plt.subplots(2, 3, figsize=(6.75, 4.9), height_ratios=(1.25, 1))
    (spring, constant, rules), (metrics, late, ratio) = axes
    looks, a = styles(dataset), float(dataset["start"])
    metrics.sharex(spring)
    for ax, force in ((spring, "spring"), (constant, "constant")):
        one = dataset.sel(force=force)
        ax.axvline(0, color="0.8", linewidth=0.6, zorder=0)
        finite = np.isfinite(one["theory"].values)
        for flow, (colour, line, _) in enumerate(looks):
            case = one.isel(flow=flow)
            ax.plot(case["path"], case["time"], color=colour, linestyle=line)
        ax.plot(np.zeros(finite.sum()), one["theory"][finite], "_", color="0.35", markersize=13, markeredgewidth=0.8)
        for flow in np.flatnonzero(finite):
            ax.plot([0], [one["simulated"][flow]], "o", color=looks[flow][0], markersize=3.6, zorder=4)
        ax.set(xlabel="$\\theta$", ylabel="time $t$", xticks=(-a, 0, a), xlim=(-1.2 * a, 1.2 * a))
        ax.set(ylim=(0, 1.1 * float(one["theory"].where(finite).max())))
    spring.set_title("to the target $y$")
    constant.set_title("unit force")
    for values, (colour, line, _) in zip(dataset["inverse_metric"].values, looks, strict=True):
        metrics.plot(dataset["theta"], values, color=colour, linestyle=line)
    metrics.set(xlabel="$\\theta$", ylabel="inverse metric  $g^{-1}(\\theta)$", ylim=(0, 2.6 * a))

    steps = np.arange(dataset.sizes["step"])
    rules.axhline(0, color="0.8", linewidth=0.6, zorder=0)
    for name, (colour, line, label) in RULES.items():
        case = dataset.sel(rule=name)
        rules.plot(steps[1:], case["iterates"][1:], color=colour, linestyle=line, label=label)
        first = int(case["first_step"])
        if first > 0:
            face = "white" if name == "HYP" else colour
            rules.plot([first], case["iterates"][[first]], "o", color=colour, markerfacecolor=face, markersize=4)
    rules.set_yscale("symlog", linthresh=1e-2, linscale=0.7)
    rules.set(xscale="log", xlabel="step", ylabel="$\\theta$", xlim=(1, steps[-1]), ylim=(-1.5 * a, 1.5 * a))
    rules.set_title(f"η = {float(dataset['learning_rate']):g}")

    epsilon, colour = dataset["epsilon"], COLOURS["m*w"]
    late.plot(epsilon, dataset["epsilon_theory"], **THEORY)
    late.plot(epsilon, dataset["epsilon_flow"], "o", color=colour, markersize=3)
    late.plot(epsilon, dataset["epsilon_rule"], "x", color=COLOURS["GD"], markersize=3.4, markeredgewidth=0.7)
    late.axvline(UNIT, color="0.6", linestyle=":", linewidth=0.8)
    exact = np.full(dataset.sizes["integrator"], UNIT / 40)
    late.plot(exact, dataset["unaware"], "^", color=COLOURS["other"], markersize=4, clip_on=False)
    top = max(24, 1.1 * float(dataset["unaware"].max()))  # NaN where it never gets across
    late.set(xscale="log", xlim=(UNIT / 200, 1), ylim=(0, top), ylabel="time of crossing zero")
    late.set(xlabel="imbalance $\\varepsilon$ of the factors")
    late.set_xticks([UNIT / 40, 1e-12, 1e-8, 1e-4, 1], ["0", "10$^{-12}$", "10$^{-8}$", "10$^{-4}$", "1"])
    late.minorticks_off()
    late.legend(
        [
            Line2D([], [], **THEORY),
            Line2D([], [], linestyle="", marker="o", color=colour, markersize=3),
            Line2D([], [], linestyle="", marker="x", color=COLOURS["GD"], markersize=3.4, markeredgewidth=0.7),
            Line2D([], [], linestyle="", marker="^", color=COLOURS["other"], markersize=4),
        ],
        ["theory", "flow", "gradient descent", "rounding alone"],
        loc="lower left", fontsize=6.3, handlelength=1.5, borderaxespad=0.2, labelspacing=0.25,
    )  # fmt: skip

    order = dataset.sortby("exponent")
    exponents = np.linspace(0, float(order["exponent"].max()), 50)
    ratio.plot(exponents, np.exp(2 * exponents), **THEORY)
    ratio.plot(order["exponent"], order["ratio"], "o", color=COLOURS["HAM"], markersize=3.4)
    ratio.set(yscale="log", xlabel="$\\eta\\alpha|g|$", ylabel="HYP* over HYP", xlim=(0, None))
    ratio.locator_params(axis="x", nbins=5)
    for ax, letter in zip(axes.flat, "abcdef", strict=True):
        panel_label(ax, letter)

    handles = {label: Line2D([], [], color=colour, linestyle=line) for colour, line, label in looks}
    added = {f"(c) {RULES[name][2]}": RULES[name] for name in ("HYP", "HYP*", "EXP")}
    handles |= {label: Line2D([], [], color=colour, linestyle=line) for label, (colour, line, _) in added.items()}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=5, columnspacing=1.2)
    return figure
