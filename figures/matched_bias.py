"""F8: matched bias."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .certified import certified
from .style import THEORY, panel_label

NUMBER = "F8"
TITLE = "Matched bias: m⊙w with the same limit as HAM, and what cannot be matched"
SOURCE = "the next order of the potentials: α R_α and 2 R_γ agree for γ = 2/α up to o(1) as α → ∞"
CAPTION = (
    "For every α, the γ whose limit of m⊙w from zero is nearest to HAM's. (a) That γ; dashed: {γ = 2/α, for which the "
    "two potentials agree at the L1 end to the next order, α R_α = |θ| ln α + |θ| ln|θ| − |θ| + o(1) = 2 "
    "R_γ}(geometry.ham-l1, geometry.mw-l1); dotted: slope −1/2, since {near the L2 end the limits deviate by O(α) "
    "with HAM and by O(γ⁻²) with m⊙w}(geometry.l2-path). (b) The distance that remains, relative to the L2 norm of "
    "the limit. Line: median of random sparse problems (n = 40, d = 100, five spikes), band: 10th to 90th percentile; "
    "dash-dotted: fermentation spectra. {As a bias, HAM is m⊙w with another initialisation, to a few percent at the "
    "worst α.}(matched_bias.few-percent)"
)


def remaining(dataset: xr.Dataset) -> xr.DataArray:
    """The distance of the nearest limit of m*w from HAM's, over the L2 norm of the latter."""
    return dataset["distance"] / dataset["l2"]


def log_gamma(dataset: xr.Dataset) -> xr.DataArray:
    """ln γ of the match."""
    return np.log(2) - dataset["log_sparsity"]


def draw(dataset: xr.Dataset) -> Figure:
    """Two panels: the matching γ, and the distance that remains."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset)
    figure, axes = plt.subplots(1, 2, figsize=(6.75, 3.0))
    x = dataset["log_alpha"].values
    drawn = dataset["is_real"].values
    for ax, values, letter in zip(axes, (log_gamma(dataset), remaining(dataset)), "ab", strict=True):
        low, middle, high = values.isel(problem=~drawn).quantile([0.1, 0.5, 0.9], dim="problem")
        ax.plot(x, middle, color="#0072B2")
        ax.fill_between(x, low, high, color="#0072B2", alpha=0.25, linewidth=0)
        for name in dataset["problem"].values[drawn]:
            ax.plot(x, values.sel(problem=name), "-.", color="#009E73", linewidth=1)
        ax.set(xlabel="$\\ln\\alpha$  (HAM)", xlim=(x[0], x[-1]))
        panel_label(ax, letter)
    axes[0].plot(x, np.log(2) - x, **THEORY)
    left = x[x <= 2]
    start = float(log_gamma(dataset).isel(problem=~drawn).median("problem")[0])
    axes[0].plot(left, start - (left - x[0]) / 2 + 0.7, color="0.45", linestyle=":", linewidth=1.1)
    axes[0].set_ylabel("$\\ln\\gamma$ of the nearest limit of $m\\odot w$")
    axes[1].set(yscale="log", ylabel="relative distance that remains")
    handles = {
        "random sparse problems": Line2D([], [], color="#0072B2"),
        **(
            {"fermentation spectra": Line2D([], [], color="#009E73", linestyle="-.", linewidth=1)}
            if drawn.any()
            else {}
        ),
        "$\\gamma = 2/\\alpha$": Line2D([], [], **THEORY),
        "slope $-1/2$": Line2D([], [], color="0.45", linestyle=":", linewidth=1.1),
    }
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4)
    return figure
