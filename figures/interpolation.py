"""F4: from L2 to L1."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .certified import certified
from .style import COLOURS, LABELS, panel_label

NUMBER = "F4"
TITLE = "From L2 to L1"
SOURCE = "HAM [jacobs2026ham], Theorem 4.6; Woodworth et al. [woodworth2020kernel], Theorem 2"
CAPTION = (
    "How far the norms of the limit from zero are above the least possible ones, against α (HAM, lower axis) and γ "
    "(m⊙w, upper axis, from large to small): {from left to right the limit moves from the least L2 norm to the least "
    "L1 norm}(geometry.l2-path, flow.exponential-l1, woodworth.theorem-1). (a) On random sparse problems (n = 40, d = "
    "100, five spikes; line: median, band: 10th to 90th percentile) {HAM's excess L1 norm falls like a power of α, "
    "which is exponential in ln α}(flow.exponential-l1), and {that of m⊙w like one of γ}(interpolation.mw-power); {on "
    "the real data both fall more slowly}(interpolation.real-data). (b) {The excess L2 norm leaves zero like α² with "
    "HAM, whose metric has a kink at zero, and like γ⁻⁴ with m⊙w, whose metric is smooth}(geometry.l2-path). α is in "
    "units of 1/θ and γ in units of θ; {limits are certified to 1e-10}(interpolation.certified)."
)
REAL_STYLES = ("--", ":", "-.", (0, (6, 1, 1, 1, 1, 1)))
NORMS = {"l1": "\\|\\theta_\\infty\\|_1", "l2": "\\|\\theta_\\infty\\|_2"}
FLOOR = 1e-9


def excess(dataset: xr.Dataset, norm: str) -> xr.DataArray:
    """The relative excess of a norm over the least one that an interpolator has."""
    return dataset[norm] / dataset[f"least_{norm}"] - 1


def draw(dataset: xr.Dataset) -> Figure:
    """Two panels: excess L1 and excess L2 norm, for HAM against α and for m*w against 1/γ."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset)
    figure, axes = plt.subplots(1, 2, figsize=(6.75, 3.2))
    real = dict(zip(dataset["problem"].values[dataset["is_real"].values].tolist(), REAL_STYLES, strict=False))
    scale = np.exp(dataset["log_parameter"].values)
    for ax, norm, letter in zip(axes, NORMS, "ab", strict=True):
        values = excess(dataset, norm)
        for family, x in (("HAM", scale), ("m*w", 1 / scale)):
            case = values.sel(family=family)
            low, middle, high = case.isel(problem=~dataset["is_real"].values).quantile([0.1, 0.5, 0.9], dim="problem")
            ax.plot(x, middle, color=COLOURS[family])
            ax.fill_between(x, low, high, color=COLOURS[family], alpha=0.2, linewidth=0)
            for name, style in real.items():
                ax.plot(x, case.sel(problem=name), color=COLOURS[family], linestyle=style, linewidth=1)
        ax.set(xscale="log", yscale="log", xlim=(scale[0], scale[-1]))
        ax.set_xlabel("$\\alpha$  (HAM)", color=COLOURS["HAM"])
        ax.set_ylabel(f"relative excess of  ${NORMS[norm]}$")
        ax.set_xticks(10.0 ** np.arange(-6, 7, 2))
        upper = ax.twiny()  # γ where 1/γ is drawn
        upper.set(xscale="log", xlim=(1 / scale[0], 1 / scale[-1]))
        upper.set_xlabel("$\\gamma$  ($m\\odot w$)", color=COLOURS["m*w"])
        upper.set_xticks(10.0 ** np.arange(-6, 7, 2))
        upper.spines["top"].set_visible(True)
        panel_label(ax, letter)
    axes[1].set_ylim(FLOOR, 5)
    entries = {LABELS[family]: Line2D([], [], color=COLOURS[family]) for family in ("HAM", "m*w")}
    entries["random sparse problems"] = Line2D([], [], color="0.3")
    entries |= {name: Line2D([], [], color="0.3", linestyle=style, linewidth=1) for name, style in real.items()}
    axes[0].legend(entries.values(), entries.keys(), loc="lower left")
    return figure
