"""F34: benign overfitting."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .certified import certified
from .style import COLOURS, THEORY, panel_label, shades

NUMBER = "F34"
TITLE = "Benign overfitting: interpolators of noisy data between L2 and L1, against what is tuned"
SOURCE = (
    "that neither norm is the best and a mixture is better [zhou2023implicit]; the rate of basis pursuit "
    "[wang2022tight]; predictions: state evolution [bayati2011dynamics], [donoho2009message]"
)
CAPTION = (
    "Interpolators of y = Xθ* + √n σξ with k = 0.02n spikes, against d/n. The error is the excess test error over the "
    "variance of the noise, and S = ‖θ*‖²/(nσ²) that of θ = 0. Lines: {what state evolution "
    "predicts}(random.state-evolution); dots: means over problems with twice their standard errors, {off by what "
    "chance allows}(benign.agreement). (a, b) {Neither end is the best interpolator: the limit of squares and a "
    "linear weight, w² − u² + λv, is better than both}(benign.neither); {the best HAM, and m⊙w within 2 % of it, "
    "gains less, and nothing over L1 for S = 10 from d/n = 100 on}(benign.one-parameter); {lasso at its best weight "
    "decay is better than all of them}(benign.tuned). (c) Along ln α, with both ends (dashed), and four fifths of the "
    "problems (bands). (d) {The errors of L1 and of the mixtures come from more than 25 times that of the best of "
    "ridge and lasso down to 1.3 times}(benign.gap). (e) Basis pursuit: {where k/n → 0 its error is 1.03 to 1.06 over "
    "ln(d/n); at k = 0.02n it is not of that order, and grows}(benign.rate). (f) At d/n = 10, how far the error of "
    "the best HAM is below that of the better end: {a third and more where k/n is least, from S = 1 on, and less than "
    "1 % from k = n on}(benign.map)."
)
_LOOKS: dict[str, tuple[str, Any, str]] = {
    "L2": (COLOURS["GD"], "-", "least L2 norm"),
    "L1": ("#E69F00", "-", "least L1 norm"),
    "HAM": (COLOURS["HAM"], "-", "best HAM"),
    "squares": (COLOURS["other"], "-", "best with squares"),
    "ridge": (COLOURS["GD"], ":", "best ridge"),
    "lasso": ("#E69F00", ":", "best lasso"),
}
_MARKS = ("o", "s", "^")


def _errors(ax, dataset: xr.Dataset, signal: float) -> None:
    """Predicted and measured errors of all estimators against d/n."""
    curve, own = dataset["curve"].sel(signal=signal), dataset["error"].sel(signal=signal)
    for name, (colour, style, _) in _LOOKS.items():
        ax.plot(dataset["curve_ratio"], curve.sel(estimator=name), style, color=colour, linewidth=1)
        dots = own.sel(estimator=name)
        bar = 2 * dots.std("draw", ddof=1) / np.sqrt(dots.sizes["draw"])
        ax.errorbar(
            dataset["ratio"], dots.mean("draw"), bar, fmt="o", color=colour, markersize=2.2, linewidth=0.8, zorder=3
        )
    ax.set(xscale="log", yscale="log", ylim=(0.05, 15), title=f"$S = {signal:g}$", xlabel="$d/n$")


def _path(ax, dataset: xr.Dataset) -> None:
    """Errors along ln α at some d/n."""
    for i, colour in enumerate(shades("HAM", dataset.sizes["path_ratio"])):
        one = dataset.isel(path_ratio=i)
        ax.plot(dataset["log_alpha"], one["path_curve"], color=colour, linewidth=1)
        first, last = dataset["log_alpha"].values[[0, -1]]
        for end, at in zip(one["path_end"].values, ((first - 2.5, first), (last, last + 2.5)), strict=True):
            ax.plot(at, (end, end), **THEORY)
        low, high = (one["path_error"].quantile(q, "draw") for q in (0.1, 0.9))
        ax.fill_between(dataset["dot"], low, high, color=colour, alpha=0.15, linewidth=0)
        mean = one["path_error"].mean("draw")
        bar = 2 * one["path_error"].std("draw", ddof=1) / np.sqrt(dataset.sizes["draw"])
        label = f"$d/n = {float(one['path_ratio']):g}$"
        ax.errorbar(dataset["dot"], mean, bar, fmt=_MARKS[i], color=colour, markersize=2.5, linewidth=0.8, label=label)
    ax.set(yscale="log", xlabel="$\\ln\\,\\alpha$", title=f"$S = {float(dataset['signal'][0]):g}$")
    ax.legend(loc="upper right")


def _gap(ax, dataset: xr.Dataset) -> None:
    """Predicted errors over that of the best of ridge and lasso."""
    curve = dataset["curve"]
    tuned = curve.sel(estimator=["ridge", "lasso"]).min("estimator")
    for name in ("L2", "L1", "HAM", "squares"):
        for signal, style in zip(dataset["signal"].values, ("-", "--"), strict=False):
            one = (curve.sel(estimator=name) / tuned).sel(signal=signal)
            ax.plot(dataset["curve_ratio"], one, style, color=_LOOKS[name][0], linewidth=1)
    ax.axhline(1, **THEORY)
    ax.set(xscale="log", yscale="log", xlabel="$d/n$", ylabel="error / best tuned")
    styles = zip(dataset["signal"].values, ("-", "--"), strict=False)
    ax.legend(handles=[Line2D([], [], color="0.4", linestyle=style, label=f"$S = {x:g}$") for x, style in styles])


def gain(dataset: xr.Dataset) -> xr.DataArray:
    """By how much the error of the best HAM is below that of the better end, relatively."""
    errors = dataset["gain"]
    return 1 - errors.sel(interpolator="HAM") / errors.sel(interpolator=["L2", "L1"]).min("interpolator")


def _edges(values: np.ndarray) -> np.ndarray:
    """Between values that are evenly spaced in ratio, and half as far beyond."""
    half = np.sqrt(values[1] / values[0])
    return np.append(values / half, values[-1] * half)


def _map(ax, dataset: xr.Dataset, figure) -> None:
    shown = 100 * gain(dataset).transpose("map_signal", "map_share")
    edges = (_edges(dataset[name].values) for name in ("map_share", "map_signal"))
    mesh = ax.pcolormesh(*edges, shown, cmap="viridis", vmin=0)
    ax.set(xscale="log", yscale="log", xlabel="$k/n$", ylabel="signal $S$")
    figure.colorbar(mesh, ax=ax, label="gain of HAM (%)")


def _rate(ax, dataset: xr.Dataset) -> None:
    """Error of basis pursuit times ln d/n."""
    logs = np.log(dataset["end_ratio"])
    for i, colour in enumerate(("#000000", "#56B4E9", "#E69F00")[: dataset.sizes["end_share"]]):
        share = float(dataset["end_share"][i])
        label = "$k/n \\to 0$" if share < 1e-4 else f"$k/n = {share:g}$"
        ax.plot(dataset["end_ratio"], dataset["pursuit"].isel(end_share=i) * logs, color=colour, label=label)
    own = dataset["error"].isel(signal=0).sel(estimator="L1")
    own = own.isel(ratio=np.flatnonzero(own["ratio"] >= float(dataset["end_ratio"][0])))
    factor = np.log(own["ratio"])
    bar = 2 * own.std("draw", ddof=1) / np.sqrt(own.sizes["draw"])
    ax.errorbar(own["ratio"], own.mean("draw") * factor, bar * factor, fmt="o", color="#E69F00", markersize=2.5)
    ax.axhline(1, **THEORY)
    ax.set(xscale="log", ylim=(0.8, 4), xlabel="$d/n$", ylabel="error × $\\ln(d/n)$")
    ax.legend(loc="upper right")


def draw(dataset: xr.Dataset) -> Figure:
    """Errors against d/n, along ln α and over what is tuned, the rate of basis pursuit, and where HAM gains."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset)
    figure, axes = plt.subplots(2, 3, figsize=(6.75, 4.7))
    for ax, signal in zip(axes[0], dataset["signal"].values, strict=False):
        _errors(ax, dataset, float(signal))
    axes[0, 0].set_ylabel("error")
    _path(axes[0, 2], dataset)
    _gap(axes[1, 0], dataset)
    _rate(axes[1, 1], dataset)
    _map(axes[1, 2], dataset, figure)
    for ax, letter in zip(axes.flat, "abcdef", strict=True):
        panel_label(ax, letter)
    handles = [
        Line2D([], [], color=colour, linestyle=style, marker="o", markersize=2.2, label=label)
        for colour, style, label in _LOOKS.values()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=6)
    return figure
