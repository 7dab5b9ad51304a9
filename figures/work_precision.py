"""F23: what accuracy costs."""

import xarray as xr
from matplotlib.figure import Figure

from .certified import certified
from .style import panel_label

NUMBER = "F23"
TITLE = "What accuracy costs"
SOURCE = "measured; the flow and its limits: [jacobs2026ham]; diffrax: [kidger2021on]"
CAPTION = (
    "Error against the time of one instance, each solver at a range of its tolerances; left and down is better. "
    "One random problem (n = 40, d = 100, five spikes of ±1), HAM's flow from zero, α from 10⁻² to 10³ evenly in "
    "ln α; the largest error over the instances. (a) Limits: the distance to a limit certified to 10⁻¹³, relative "
    "to its norm. {Newton's method on the dual costs about the same whatever the tolerance, as its last step "
    "squares the error.}(work_precision.newton) (b) Trajectories: the error of the loss along the way over the "
    "loss at 0, where an integrator with tolerance rtol runs until the residual is 10 rtol. Filled: all instances "
    "at once; open: one after the other. {Runs that did not arrive within their budget are not "
    "drawn.}(work_precision.drawn) Where it was measured is said below."
)

_STYLES = {
    "solve_limits": ("#0072B2", "o", True),
    "solve_limit": ("#56B4E9", "o", False),
    "solve_flows": ("#0072B2", "o", True),
    "HiGHS": ("#E69F00", "P", False),
    "NumPy Newton": ("#000000", "s", False),
    "Clarabel": ("#D55E00", "^", False),
    "LSODA": ("#009E73", "D", False),
    "diffrax Tsit5, vmap": ("#CC79A7", "v", True),
    "diffrax Dopri8, vmap": ("#E69F00", "<", True),
    "diffrax Kvaerno5, vmap": ("#56B4E9", ">", True),
}
_TITLES = {"limits": "limits", "flows": "trajectories"}


def line(ax, x, y, solver: str, label: str | None = None):
    """The line of a solver, in its style."""
    colour, marker, filled = _STYLES[solver.removesuffix(", L1 end").removesuffix(", 64 instances")]
    face = colour if filled else "white"
    style = {"color": colour, "marker": marker, "markerfacecolor": face, "markersize": 3.6, "linewidth": 1.0}
    return ax.plot(x, y, label=label or solver, **style)[0]


def draw(dataset: xr.Dataset) -> Figure:
    """One panel a task."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset, mask_failures=True)
    figure, axes = plt.subplots(1, 2, figsize=(6.75, 3.6))
    for ax, task, letter in zip(axes, ("limits", "flows"), "ab", strict=True):
        for solver in dict.fromkeys(dataset["solver"].values[dataset["task"].values == task]):
            points = dataset.isel(point=(dataset["task"].values == task) & (dataset["solver"].values == solver))
            line(ax, 1e3 * points["seconds"].values, points["error"].values.clip(1e-16), solver)
        ax.set(xscale="log", yscale="log", title=_TITLES[task], xlabel="time of an instance (ms)")
        ax.grid(True)
        panel_label(ax, letter)
    axes[0].set_ylabel("largest error")
    handles = {handle.get_label(): handle for ax in axes for handle in ax.get_lines()}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4)
    return figure
