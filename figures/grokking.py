"""F35: grokking is the limit path."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from .certified import certified
from .style import COLOURS, LABELS, THEORY, panel_label

NUMBER = "F35"
TITLE = "Grokking of m⊙w is its limit path, and HAM's weight decay has none"
SOURCE = (
    "own, on the set-up of [boursier2025theoretical] (their Figure 4); the moving geometry of m⊙w: [jacobs2025mirror]"
)
CAPTION = (
    "Fourier features up to frequency 30 (d = 61), a teacher of three of them, n = 12 points, weight decay λ = 2β; "
    "medians and the middle 80 % of the draws. {θ_t is at every time the limit of γ_t = γ₀e^(−4βt) with its own "
    "image}(mw.grokking), {which factors that are integrated on their own keep to 1e-8}(grokking.invariant). (a, b) "
    "λ = 1e-4, from θ = 0 with γ₀ = 0.1, and from normal factors of variance 0.1, the published start. Dotted: when "
    "the published training and test errors are about 0; {so are ours, in the median}(grokking.published). {Gradient "
    "descent with η = 0.05 and λ = 1e-3 stays within 2 % of its flow}(grokking.descent). {Once the flow interpolates, "
    "its test error is that of the limit of γ_t (dashed).}(grokking.one-curve) (c) From θ = 0, how far θ_t is from "
    "it: {at the same λt of the order of λ}(grokking.order); dashed: to first order in λ, {which holds "
    "where 4β is far below the rate of fitting there}(grokking.leading). (d) Test errors of the flow and of the limit, "
    "of every draw, start and λ, at λt = 0.01, 1, 3, 6, 10; {from λt = 1 on they are more than 0.1 apart only where 4β "
    "is above that rate}(grokking.lag). (e) L1 norm: {grokking is the way to basis pursuit}"
    "(grokking.l1) (dashed, grey). (f) HAM with α = 1/γ₀ from 0, β = 1e-3: {its flow drifts down its own penalty "
    "(dashed)}(ham.decay-drift), {and most of the test error stays}(grokking.plateau); {were α to grow as αe^(βt), it "
    "would follow its limits (dashed)}(ham.moving-alpha)."
)
_FLOW, _TRAIN, _GROWING = COLOURS["m*w"], "0.55", COLOURS["other"]
_SPOTS = (0.01, 1.0, 3.0, 6.0, 10.0)
_PUBLISHED = (1e2, 1e5)  # times at which training and test error are about zero in the published figure


def _band(ax, x, values: xr.DataArray, colour: str) -> None:
    """Median over the draws, and the middle 80 %."""
    low, middle, high = values.quantile([0.1, 0.5, 0.9], "draw").values
    ax.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)
    ax.plot(x, middle, color=colour, linewidth=1.1)


def _errors(ax, own: xr.Dataset, decay: float) -> None:
    t = own["scaled"] / decay
    _band(ax, t, own["train"], _TRAIN)
    _band(ax, t, own["flow_test"], _FLOW)
    ax.plot(t, own["limit_test"].median("draw"), "--", color="black", linewidth=1)
    for at in _PUBLISHED:
        ax.axvline(at, color="0.3", linestyle=":", linewidth=0.9, zorder=0)
    ax.set(xscale="log", ylim=(0, None), xlabel="time $t$", ylabel="error")


def _gaps(ax, own: xr.Dataset) -> None:
    for decay, colour in zip(own["decay"].values, (_FLOW, COLOURS["cosh"]), strict=True):
        one = own.sel(decay=decay)
        _band(ax, own["scaled"], one["gap"], colour)
        ax.plot(own["scaled"], one["predicted"].median("draw"), "--", color=colour, linewidth=0.9)
    ax.set(xscale="log", yscale="log", ylim=(1e-4, 2), xlabel="$\\lambda t$", ylabel="relative distance to the limit")
    handles = [Line2D([], [], color=c) for c in (_FLOW, COLOURS["cosh"])]
    ax.legend(handles, [f"λ = {x:g}" for x in own["decay"].values], loc="upper right")


def _pairs(ax, dataset: xr.Dataset) -> None:
    for start, marker, colour in (("zero", "o", _FLOW), ("normal", "x", "black")):
        own = dataset.sel(start=start).isel(time=np.isin(dataset["scaled"], _SPOTS))
        x, y = own["limit_test"].values.ravel(), own["flow_test"].values.ravel()
        ax.plot(x, y, marker, color=colour, markersize=2.2, markerfacecolor="none", linestyle="", label=start)
    ax.axline((1, 1), slope=1, **THEORY, zorder=0)
    ax.set(xscale="log", yscale="log", xlim=(1e-7, 10), ylim=(1e-7, 10))
    ax.set(xlabel="test error of the limit", ylabel="of the flow")
    ax.legend(loc="upper left", title="start")


def _norms(ax, own: xr.Dataset) -> None:
    _band(ax, own["scaled"], own["flow_l1"], _FLOW)
    ax.plot(own["scaled"], own["limit_l1"].median("draw"), "--", color="black", linewidth=1)
    ax.axhline(float(own["least_l1"].median()), **THEORY)
    ax.set(xscale="log", xlabel="$\\lambda t$", ylabel="$\\|\\theta\\|_1$")


def _hyperbolic(ax, dataset: xr.Dataset) -> None:
    x = dataset["ham_scaled"]
    _band(ax, x, dataset["ham_growing_test"], _GROWING)
    _band(ax, x, dataset["ham_flow_test"].isel(ham_decay=-1), COLOURS["HAM"])
    for name in ("ham_drift_test", "ham_limit_test"):
        ax.plot(x, dataset[name].median("draw"), "--", color="black", linewidth=1)
    ax.set(xscale="log", ylim=(0, None), xlabel="$\\beta t$", ylabel="test error", title=LABELS["HAM"])


def draw(dataset: xr.Dataset) -> Figure:
    """Errors from two starts, distances to the limit, both errors of every draw, norms, and HAM."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset)
    if (dataset["ham_status"] != 0).any():
        raise ValueError("flows or limits of HAM failed; they are not drawn")
    figure, axes = plt.subplots(2, 3, figsize=(6.75, 4.7))
    decay = float(dataset["decay"].min())
    zero = dataset.sel(start="zero")
    for ax, start, title in zip(axes[0], ("zero", "normal"), ("from $\\theta = 0$", "normal factors"), strict=False):
        _errors(ax, dataset.sel(start=start, decay=decay), decay)
        ax.set_title(title)
    _gaps(axes[0, 2], zero)
    _pairs(axes[1, 0], dataset)
    _norms(axes[1, 1], zero.sel(decay=decay))
    _hyperbolic(axes[1, 2], dataset)
    for ax, letter in zip(axes.flat, "abcdef", strict=True):
        panel_label(ax, letter)
    handles = {
        "flow, $m\\odot w$": Line2D([], [], color=_FLOW),
        "training residual, relative": Line2D([], [], color=_TRAIN),
        "limit of $\\gamma_t$ (f: drift, limits)": Line2D([], [], color="black", linestyle="--"),
        "flow, HAM": Line2D([], [], color=COLOURS["HAM"]),
        "HAM, α growing": Line2D([], [], color=_GROWING),
        "80 % of the draws": Patch(color="0.8", linewidth=0),
    }
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3)
    return figure
