"""F37: how norms of interpolators grow with n."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .certified import certified
from .style import COLOURS, LABELS, THEORY, panel_label, shades

NUMBER = "F37"
TITLE = "How the norms of interpolators of noisy data grow with n: least ℓ_p norm, HAM, m⊙w"
SOURCE = (
    "the dual ray, its threshold r* = 2(p − 1) and its exponents [zhang2025closed]; the predicted norms: state "
    "evolution [bayati2011dynamics]"
)
CAPTION = (
    "Interpolators of y = Xθ* + σξ with standard normal rows, θ* one spike of 1, σ = 0.1. (a–d) Norms of order r, d "
    "fixed: instances (dots) and {what state evolution predicts}(random.state-evolution), {which holds to 10 %, one "
    "spike though it is}(norm_scaling.agreement); dashed: of the point on the dual ray through y, from which the "
    "published exponents are derived. {For p = 1.5 and 1.9, where the spike is not found yet, the ray has the norms "
    "to 10 %}(norm_scaling.before); {for p = 1.1 its L1 norm is at rest, and that of the interpolator "
    "grows}(norm_scaling.ray). (e) Exponents of n with d = 10n: fitted over these n (dots, with twice their standard "
    "errors), of the prediction (lines), and published beyond the elbow for p = 1.1 (dashed; for p = 1.5 the same). "
    "(f) Exponents of the L1 norm from n to n, with d = 10n: {as n grows they all go to 1/r − 1/2, that of the noise, "
    "whatever p is}(norm_scaling.far), and on the ray, once beyond the elbow, to 0 (dashed; p = 1.9 is not there); "
    "{of HAM, α = 100, and m⊙w, γ = 0.02, they are there sooner than for p = 1.1 and 1.5}(norm_scaling.ham)."
)
_ORDERS = dict(zip((1.0, 1.25, 1.5, 2.0), reversed(shades("GD", 4)), strict=True))
_LIMIT = THEORY | {"linestyle": (0, (1, 1.5)), "linewidth": 1.4}
_POWERS = ("#CC79A7", "#009E73", "#E69F00")
_ROWS = "rows $n$"


def _norms(ax, dataset: xr.Dataset, name: str, power: float | None) -> None:
    """Norms against n, d fixed: of instances, by theory, and on the ray."""
    own = dataset.sel(kind="fixed d", truth="spike", interpolator=name)
    for order, colour in _ORDERS.items():
        one = own.sel(order=order)
        ax.plot(dataset["rows"], one["theory"], color=colour, linewidth=1)
        for i in range(dataset.sizes["instance"]):
            ax.plot(dataset["rows"], one["norm"].isel(instance=i), "o", color=colour, markersize=2.2, alpha=0.7)
        if power is not None:
            on_ray = dataset["ray"].sel(kind="fixed d", power=power, order=order)
            ax.plot(dataset["rows"], on_ray, "--", color=colour, linewidth=0.9)
    ax.set(xscale="log", yscale="log", xlabel=_ROWS)
    ax.set_xticks(dataset["rows"].values, [f"{n}" for n in dataset["rows"].values])
    ax.minorticks_off()
    low, high = ax.get_ylim()
    if high / low < 20:
        inside = [x for x in (0.5, 1, 2, 5) if low < x < high]
        ax.set_yticks(inside, [f"{x:g}" for x in inside])


def _exponents(ax, dataset: xr.Dataset) -> None:
    """Exponents against the order, n/d fixed: measured, by theory, published, and for n → ∞."""
    orders = dataset["order"].values
    for power, colour in zip(dataset["power"].values, _POWERS, strict=False):
        one = dataset["exponent"].sel(kind="fixed n/d", truth="spike", interpolator=f"p = {power:g}")
        bar = 2 * one.sel(number="error")
        ax.errorbar(orders, one.sel(number="measured"), bar, fmt="o", color=colour, markersize=2.5, linewidth=0.8)
        ax.plot(orders, one.sel(number="theory"), color=colour, linewidth=1, label=f"$p = {power:g}$")
    published = dataset["published"].sel(power=dataset["power"].values[0])
    ax.plot(orders, published, "--", color=_POWERS[0], linewidth=0.9)
    ax.plot(orders, 1 / orders - 1 / 2, **_LIMIT)
    ax.set(xlabel="order $r$ of the norm", ylabel="exponent of $n$")
    ax.legend(loc="upper right")


def local(far: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Exponents between two n, and the n between."""
    return np.sqrt(far[1:] * far[:-1]), np.diff(np.log(values)) / np.diff(np.log(far))


def _far(ax, dataset: xr.Dataset) -> None:
    """Local exponents of the L1 norm, n/d fixed, by theory and on the ray."""
    far = dataset["far"].values
    for power, colour in zip(dataset["power"].values, _POWERS, strict=False):
        ax.plot(*local(far, dataset["far_theory"].sel(interpolator=f"p = {power:g}", order=1.0).values), color=colour)
        ax.plot(*local(far, dataset["far_ray"].sel(power=power, order=1.0).values), "--", color=colour, linewidth=0.9)
    for name in ("HAM", "m*w"):
        ax.plot(*local(far, dataset["far_theory"].sel(interpolator=name, order=1.0).values), color=COLOURS[name])
    ax.axhline(1 / 2, **_LIMIT)
    ax.set(xscale="log", ylim=(-0.05, 0.55), xlabel=_ROWS, ylabel="exponent of the L1 norm")


def draw(dataset: xr.Dataset) -> Figure:
    """Norms against n, their exponents, and where these go."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset)
    figure, axes = plt.subplots(2, 3, figsize=(6.75, 4.7))
    for ax, power in zip(axes[0], dataset["power"].values, strict=False):
        _norms(ax, dataset, f"p = {power:g}", float(power))
        ax.set_title(f"$p = {power:g}$")
    _norms(axes[1, 0], dataset, "HAM", None)
    axes[1, 0].set_title(f"HAM, $\\alpha = {dataset.attrs['alpha']:g}$")
    for ax in axes[:, 0]:
        ax.set_ylabel("norm")
    _exponents(axes[1, 1], dataset)
    _far(axes[1, 2], dataset)
    for ax, letter in zip(axes.flat, "abcdef", strict=True):
        panel_label(ax, letter)
    handles = [Line2D([], [], color=colour, label=f"$r = {order:g}$") for order, colour in _ORDERS.items()]
    handles += [
        Line2D([], [], color="0.4", label="state evolution"),
        Line2D([], [], color="0.4", linestyle="--", linewidth=0.9, label="on the ray"),
        Line2D([], [], label="$1/r - 1/2$", **_LIMIT),
        *(Line2D([], [], color=COLOURS[name], label=LABELS[name]) for name in ("HAM", "m*w")),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=9, columnspacing=1.0, handlelength=1.6)
    return figure
