"""F28: accuracy against the cost of training."""

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter

from experiments._claims import TITLES

from .certified import certified
from .style import panel_label

NUMBER = "F28"
TITLE = "Test error against the cost of training"
SOURCE = "own, from the networks of T1"
CAPTION = (
    "Test error of the sparse networks of T1 against what their training costs: {multiplications by weights that are "
    "not masked, summed over the training, relative to dense training}(training_cost.cost) (forward and backward pass "
    "alike; dense gradients that RigL needs now and then, and the step of the optimizer, are left out: for HAM that "
    "is an exponential for each weight). A line is a method, its points the sparsities, the sparsest to the upper "
    "end; dashed, hollow: base optimizer; solid, filled: with HAM. Star: dense training. Means over seeds."
)


def draw(dataset: xr.Dataset) -> Figure:
    """F28 from the data set of the experiment `sparse_training`."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset, mask_failures=True)
    methods = [m for m in dict.fromkeys(dataset["method"].values) if m not in ("dense", "sam")]
    colours = dict(zip(methods, [*colormaps["tab10"](range(10)), "#1a1a6e", "#f0c000"][: len(methods)], strict=True))
    names = list(dataset["data"].values)
    figure, axes = plt.subplots(1, len(names), figsize=(6.9, 3.6), layout="constrained", squeeze=False)
    for ax, data, letter in zip(axes[0], names, "abcdef", strict=False):
        here = dataset.sel(data=data)
        error = 100 * (1 - here["test_accuracy"].mean("seed"))
        cost = here["cost"].mean("seed")
        for ham in (False, True):
            for method in methods:
                some = (here["method"].values == method) & (here["ham"].values == ham)
                order = np.argsort(here["sparsity"].values[some])
                ax.plot(
                    cost.values[some][order],
                    error.values[some][order],
                    marker="o",
                    linestyle="-" if ham else (0, (3, 2)),
                    color=colours[method],
                    fillstyle="full" if ham else "none",
                    markersize=3,
                    linewidth=0.9,
                )
            dense = (here["method"].values == "dense") & (here["ham"].values == ham)
            ax.plot(cost[dense], error[dense], "*", color="black", fillstyle="full" if ham else "none", markersize=7)
        ax.set(xscale="log", yscale="log", xlabel="multiplications, over dense training", ylabel="test error (%)")
        ax.set_title(str(data))
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_minor_formatter(NullFormatter())
        _ticks(ax.yaxis, (1, 2, 3, 5, 10, 20, 50), ax.get_ylim())
        _ticks(ax.xaxis, (0.02, 0.05, 0.1, 0.2, 0.5, 1), ax.get_xlim())
        panel_label(ax, letter)
    handles = [Line2D([], [], color=colours[m], label=TITLES[m]) for m in methods]
    handles += [
        Line2D([], [], color="0.3", marker="o", markersize=3, fillstyle="none", linestyle=(0, (3, 2)), label="base"),
        Line2D([], [], color="0.3", marker="o", markersize=3, label="+ HAM"),
        Line2D([], [], color="black", marker="*", linestyle="", markersize=6, label="dense"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=5)
    return figure


def _ticks(axis, values, limits) -> None:
    inside = [v for v in values if limits[0] <= v <= limits[1]]
    axis.set_ticks(inside, [f"{v:g}" for v in inside])
