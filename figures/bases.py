"""F39: HAM around gradient descent, signs and Adam."""

import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter

from .certified import certified
from .style import COLOURS, THEORY, panel_label

NUMBER = "F39"
TITLE = "HAM around gradient descent, signs and Adam"
SOURCE = "own derivation (ledger: base); HAM around Adam: HAM, Section 5 [jacobs2026ham]"
CAPTION = (
    "HAM's step from zero on random problems (n = 20, d = 50, three spikes of ±1, columns of the length √n), with a "
    "learning rate η that falls to 0; medians, bands: quartiles of the problems. Excess: of the L1 norm over that of "
    "basis pursuit, of the run of the smallest η that arrives. (a) {Around signs and Adam HAM still goes to the L1 "
    "end with α, and is behind}(bases.sparsifies): {they need five times the α of gradient descent or "
    "more}(bases.behind), whose runs end {at the limit of its flow}(bases.limit), dashed. (b) The loss times c, α = "
    "100. {Gradient descent's ends do not know c; those of the others move as if α were αc}(bases.collapse). (c) With "
    "noise of the labels, α = 100, σ that of an entry of the gradient; dashed: {HAM's limits at α' = ασ, of Adam, and "
    "ασ√(π/2), of signs}(bases.noise-limits). {Adam ends near them}(bases.noisy-adam); {signs leave them where σ is "
    "large: their noise is not in the row space, and nothing pulls it back}(bases.noisy-sign). (d) Steps to a "
    "residual of 0.1 at the η that is fastest. (e) {Signs flip most, Adam least}(bases.flips)."
)
_BASES = {
    "GD": (COLOURS["GD"], "s", "gradient descent"),
    "sign": (COLOURS["m*w"], "o", "signs"),
    "Adam": (COLOURS["HAM"], "D", "Adam"),
}


def _band(ax, values: xr.DataArray, x: str, dim: str, base: str) -> None:
    colour, marker, _ = _BASES[base]
    low, middle, high = values.quantile([0.25, 0.5, 0.75], dim)
    ax.fill_between(values[x], low, high, color=colour, alpha=0.15, linewidth=0)
    ax.plot(values[x], middle, color=colour, marker=marker, markersize=3)


def draw(dataset: xr.Dataset) -> Figure:
    """Excess against α, the unit and the noise; steps; flips."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset, mask_failures=True)
    figure, axes = plt.subplots(2, 3, figsize=(6.75, 4.6))
    excess, unit, noise, steps, flips, rest = axes.flat
    for base in _BASES:
        one = dataset.sel(base=base)
        _band(excess, one["excess"], "alpha", "problem", base)
        _band(unit, one["unit_excess"], "unit", "problem", base)
        _band(steps, one["fastest"], "alpha", "problem", base)
        _band(flips, one["flips"], "alpha", "problem", base)
    excess.plot(dataset["alpha"], dataset["limit"].median("problem"), **THEORY)
    for base in dataset["noisy_base"].values.tolist():
        one = dataset.sel(noisy_base=base)
        _band(noise, one["noisy_excess"], "sigma", "noisy", base)
        noise.plot(one["sigma"], one["noisy_limit"].median("noisy"), **THEORY | {"color": _BASES[base][0]})
    label = "excess $\\|\\theta\\|_1/\\|\\theta_{\\mathrm{BP}}\\|_1 - 1$"
    excess.set(xscale="log", yscale="log", xlabel="$\\alpha$", ylabel=label)
    unit.set(xscale="log", yscale="log", xlabel="factor $c$ of the loss", ylabel=label)
    noise.set(xscale="log", xlabel="noise $\\sigma$ of the gradient", ylabel=label)
    steps.set(xscale="log", xlabel="$\\alpha$", ylabel="steps to a residual of 0.1")
    flips.set(xscale="log", xlabel="$\\alpha$", ylabel="sign flips")
    for ax in (noise, steps, flips):
        ax.set_ylim(bottom=0)
    for ax in (excess, unit):
        ax.yaxis.set_minor_formatter(NullFormatter())
    rest.axis("off")
    lines = {name: Line2D([], [], color=c, marker=m, markersize=4) for c, m, name in _BASES.values()}
    lines["limit of HAM's flow"] = Line2D([], [], **THEORY)
    rest.legend(lines.values(), lines.keys(), loc="center", title="HAM around")
    for ax, letter in zip(axes.flat[:5], "abcde", strict=True):
        panel_label(ax, letter)
    return figure
