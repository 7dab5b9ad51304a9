"""F24: how times grow."""

import xarray as xr
from matplotlib.figure import Figure

from .certified import certified
from .style import panel_label
from .work_precision import line

NUMBER = "F24"
TITLE = "How times grow with instances, columns and rows"
SOURCE = "measured; the flow and its limits: [jacobs2026ham]; diffrax: [kidger2021on]"
CAPTION = (
    "Time of one instance. (a) Limits of HAM's flow from zero, α from 10⁻² to 10⁴ evenly in ln α, and (b) "
    "trajectories to a residual of 10⁻⁸, α from 10⁻² to 10³, against the number of instances (n = 40, d = 100, "
    "five spikes): many at once (filled) or one after the other (open). (c) One limit at α = 100 against the "
    "number of columns (n = 40), and (d) against the number of rows (d = 2,000; same lines); dashed: the L1 end, "
    "the limit at ln α = 30 and HiGHS's basis pursuit, {whose solutions differ by what F7 shows}(scaling.l1-end). "
    "{What would take more than 15 s, in proportion to the size, is left out, and so are solutions whose residual "
    "is above 10⁻⁶, and solvers that gave up.}(scaling.left-out) Where it was measured is said below."
)
_PANELS = {
    "limits": ("limits", "instances"),
    "flows": ("trajectories", "instances"),
    "columns": ("one limit, $n = 40$", "columns $d$"),
    "rows": ("one limit, $d = 2000$", "rows $n$"),
}
_LEGENDS = {"limits": "upper right", "flows": "lower left", "columns": "upper left"}  # rows: as columns


def draw(dataset: xr.Dataset) -> Figure:
    """One panel for each thing that grows."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset, mask_failures=True)
    figure, axes = plt.subplots(2, 2, figsize=(6.75, 5.8))
    for ax, (panel, (title, label)), letter in zip(axes.flat, _PANELS.items(), "abcd", strict=True):
        here = dataset.isel(point=dataset["panel"].values == panel)
        for solver in dict.fromkeys(here["solver"].values.tolist()):
            points = here.isel(point=here["solver"].values == solver)
            drawn = line(ax, points["size"].values, 1e3 * points["seconds"].values, solver)
            if solver.endswith("L1 end"):
                drawn.set_linestyle("--")
        ax.set(xscale="log", yscale="log", title=title, xlabel=label)
        ax.grid(True)
        if panel in _LEGENDS:
            ax.legend(loc=_LEGENDS[panel])
        panel_label(ax, letter)
    for ax in axes[:, 0]:
        ax.set_ylabel("time of an instance (ms)")
    return figure
