"""F10: samples to recover a sparse vector."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .certified import certified
from .style import COLOURS, LABELS, THEORY, panel_label, shades

NUMBER = "F10"
TITLE = "Samples to recover a sparse vector, against the scale of the start"
SOURCE = "Woodworth et al. [woodworth2020kernel], Figure 1; the prediction: see F33"
CAPTION = (
    "Noisy samples y = Xθ* + ε of a vector with five equal entries of unit norm in 300 dimensions (noise variance "
    "0.01). The scale is where the geometry turns from L2 to L1: {1/α for HAM, γ/2 for m⊙w, a^L for a diagonal "
    "network θ = u^L − v^L of depth L that starts from u = v = a}(geometry.ham, woodworth.theorem-1, "
    "geometry.network, woodworth.depth). (a) Squared error of the limit for 60 samples (median over the seeds); "
    "dashed: basis pursuit; dash-dotted: the error that counts as recovered, 0.025. (b) The largest scale whose limit "
    "is within that error (line: median; marks: seeds; those that never get there are not drawn, and where they are "
    "the majority there is no line). {With HAM and m⊙w, fewer samples cost orders of magnitude in the scale; with "
    "depth, far less.}(samples.cost-in-scale) Dotted, in both: what high dimension predicts for n/300 rows a column "
    "with a share of 5/300 equal entries; {from 80 samples on, its largest scale is within a factor of e of the "
    "median}(samples.predicted)."
)


def _look(family: str, families: list[str]) -> tuple[str, str, Any]:
    """Colour, label and line style."""
    if family in COLOURS:
        return COLOURS[family], LABELS[family], "--" if family == "m*w" else "-"
    deep = [name for name in families if name.startswith("depth")]
    return shades("other", len(deep))[deep.index(family)], f"depth {family.split()[1]}", "-"


def draw(dataset: xr.Dataset) -> Figure:
    """Two panels: the error against the scale for one number of samples, and the largest scale that recovers."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset)
    figure, axes = plt.subplots(1, 2, figsize=(6.75, 3.1))
    families, bound = dataset["family"].values.tolist(), float(dataset.attrs["error_bound"])
    samples = dataset["samples"].values
    one = int(samples[min(np.searchsorted(samples, 60), samples.size - 1)])
    scale = np.exp(dataset["log_scale"].values)
    handles = {}
    for family in families:
        colour, label, style = _look(family, families)
        errors = (
            dataset["error"].sel(family=family, samples=one).where(dataset["computed"].sel(family=family, samples=one))
        )
        axes[0].plot(scale, errors.median("seed"), style, color=colour)
        largest = dataset["largest_log_scale"].sel(family=family)
        middle = np.exp(largest.median("seed").values)
        axes[1].plot(samples, np.where(middle > 0, middle, np.nan), style, color=colour)
        for seed in range(largest.sizes["seed"]):
            value = np.exp(largest.isel(seed=seed).values)
            axes[1].plot(samples, np.where(value > 0, value, np.nan), "o", color=colour, markersize=2, alpha=0.6)
        handles[label] = Line2D([], [], color=colour, linestyle=style)
    axes[0].axhline(float(dataset["basis_pursuit_error"].sel(samples=one).median()), **THEORY)
    axes[0].axhline(bound, color="0.45", linestyle="-.", linewidth=0.9)
    for family in families:
        dotted = {"color": _look(family, families)[0], "linestyle": ":", "linewidth": 0.8}
        expected = np.exp(dataset["predicted_log_scale"].sel(family=family).values)
        axes[0].plot(scale, dataset["predicted"].sel(family=family, samples=one), **dotted)
        axes[1].plot(samples, np.where(expected > 0, expected, np.nan), **dotted)
    axes[0].set(xscale="log", yscale="log", xlabel="scale", ylabel=f"$\\|\\theta_\\infty - \\theta^*\\|^2$,  n = {one}")
    axes[0].set_xlim(scale.min(), scale.max())
    axes[1].set(yscale="log", xlabel="number of samples $n$", ylabel="largest scale that recovers $\\theta^*$")
    handles["basis pursuit"] = Line2D([], [], **THEORY)
    handles["predicted"] = Line2D([], [], color="0.45", linestyle=":", linewidth=0.8)
    handles["recovered"] = Line2D([], [], color="0.45", linestyle="-.", linewidth=0.9)
    for ax, letter in zip(axes, "ab", strict=True):
        panel_label(ax, letter)
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=7)
    return figure
