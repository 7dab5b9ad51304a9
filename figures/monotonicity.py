"""E2: what is monotone along the path."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .certified import certified
from .style import COLOURS, panel_label

NUMBER = "E2"
TITLE = "The optimal values are monotone along the path, the norms are not"
SOURCE = "R_α falls and α R_α rises in α at every θ, hence so do their minima; the counterexamples: here"
CAPTION = (
    "(a) {A counterexample in the smallest integers}(monotonicity.smallest): X = [[1, 0, −2], [2, 1, 1]], y = [1, 0]. "
    "{The interpolators of least L2 and of least L1 norm are the same point, (1/5, 0, −2/5)}(monotonicity.one-point), "
    "but {HAM's limit from zero leaves it and comes back}(geometry.norms-not-monotone): {its L1 norm rises by 1.5 % "
    "(and its L2 norm, which rises too, falls again)}(monotonicity.rise). Line: in 50 digits, from the scalar "
    "equation in the kernel of X; circles: by Newton's method. {With one equation there is no counterexample for the "
    "L1 norm}(monotonicity.one-equation): the larger |Xᵢ|, the faster the entry grows relative to the others. (b) How "
    "often the L1 norm rises somewhere along ln α from −30 to 10⁴, or the L2 norm falls, by more than 1e-8 relative: "
    "shares of the random problems of each kind and shape. (c) By how much, for all problems where they do. On all "
    "these paths {min R_α never rises and α min R_α never falls, to the last digit}(geometry.monotone-values)."
)
KINDS = {"gaussian": "Gaussian", "uneven": "uneven columns", "correlated": "correlated", "signs": "± 1"}


def shares(dataset: xr.Dataset, change: str) -> np.ndarray:
    """The share of problems whose norm changes in the wrong direction, by shape (rows) and kind (columns)."""
    shapes = list(dict.fromkeys(zip(dataset["n"].values.tolist(), dataset["d"].values.tolist(), strict=True)))
    wrong = dataset[change].values > float(dataset.attrs["tol"])
    return np.array(
        [
            [
                wrong[(dataset["n"].values == n) & (dataset["d"].values == d) & (dataset["kind"].values == kind)].mean()
                for kind in KINDS
            ]
            for n, d in shapes
        ]
    )


def draw(dataset: xr.Dataset) -> Figure:
    """The counterexample; how often; by how much."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset)
    figure, axes = plt.subplots(1, 3, figsize=(6.75, 3.1))
    x = dataset["log_alpha"].values
    axes[0].plot(x, dataset["example_l1"], color=COLOURS["HAM"])
    axes[0].plot(x, dataset["example_solver_l1"], "o", color=COLOURS["HAM"], markerfacecolor="white", markersize=3)
    axes[0].set(xlabel="$\\ln\\alpha$", ylabel="$\\|\\theta_\\infty\\|_1$")
    shapes = list(dict.fromkeys(zip(dataset["n"].values.tolist(), dataset["d"].values.tolist(), strict=True)))
    colours = {"l1_rise": "#CC79A7", "l2_fall": "#56B4E9"}
    labels = {"l1_rise": "L1 norm rises", "l2_fall": "L2 norm falls"}
    markers = dict(zip(KINDS, "os^D", strict=True))
    for change, shift in (("l1_rise", -0.13), ("l2_fall", 0.13)):
        share = shares(dataset, change)
        for column, kind in enumerate(KINDS):
            at = np.arange(len(shapes)) + shift + 0.05 * (column - 1.5)
            axes[1].plot(share[:, column], at, markers[kind], color=colours[change], markersize=3.5)
        size = np.sort(dataset[change].values[dataset[change].values > float(dataset.attrs["tol"])])[::-1]
        axes[2].plot(size, np.arange(1, size.size + 1), color=colours[change], drawstyle="steps-post")
    axes[1].set(xlabel="share of problems", xlim=(-0.02, max(0.3, axes[1].get_xlim()[1])))
    axes[1].set_yticks(np.arange(len(shapes)), [f"{n} × {d}" for n, d in shapes])
    axes[1].set_ylabel("shape  n × d")
    axes[2].set(xscale="log", yscale="log", xlabel="relative change $\\geq$", ylabel="number of problems")
    for ax, letter in zip(axes, "abc", strict=True):
        panel_label(ax, letter)
    handles = {labels[change]: Line2D([], [], color=colours[change]) for change in colours}
    for kind, marker in markers.items():
        handles[KINDS[kind]] = Line2D([], [], marker=marker, color="0.3", linestyle="", markersize=3.5)
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=6)
    return figure
