"""F9: from ridge to lasso."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .certified import certified
from .style import COLOURS, panel_label

NUMBER = "F9"
TITLE = "Under weight decay: from ridge to lasso"
SOURCE = "HAM [jacobs2026ham], Theorem 4.2 with β > 0; m⊙w: [jacobs2025mask], [jacobs2025mirror]"
CAPTION = (
    "Where the flows end under weight decay β: the minimisers of the loss plus {½β‖θ‖² for gradient "
    "descent}(ridge_to_lasso.ridge), {βΣ(α|θ| − ln(1 + α|θ|))/α² for HAM}(ham.stationarity), and {2β‖θ‖₁ for m⊙w, "
    "whatever γ}(mw.lasso). One random problem (n = 60, d = 20, noise of the size of the entries); one line a "
    "coefficient, colour where the truth is ±1 (ticks on the right), grey where it is 0. The axis is the slope of the "
    "penalty at |θ| = 1 over the largest |∇f(0)|, so that the panels can be compared; {lines that reach 0 there do so "
    "exactly only for the lasso}(ridge_to_lasso.zeros). Marks: {scikit-learn's ridge regression and lasso path by "
    "coordinate descent, which agree with the limits to the digits in the panels}(ridge_to_lasso.library). {Every "
    "point is certified by its duality gap and by the optimality condition of the flow, to "
    "1e-10.}(ridge_to_lasso.certified)"
)


def _title(flow: str) -> str:
    names = {"GD": "GD: ridge", "m*w": "$m\\odot w$: lasso"}
    return names.get(flow, f"HAM, α = {float(flow.split()[1]):g}" if " " in flow else flow)


def draw(dataset: xr.Dataset) -> Figure:
    """One panel a flow, in the order from ridge to lasso."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset)
    flows = dataset["flow"].values.tolist()
    columns = (len(flows) + 1) // 2
    figure, axes = plt.subplots(2, columns, figsize=(6.75, 4.2), sharex=True, sharey=True, squeeze=False)
    x, truth = dataset["strength"].values, dataset["truth"].values
    error = dict(zip(dataset["end"].values.tolist(), dataset["library_error"].values, strict=True))
    for ax, flow, letter in zip(axes.flat, flows, "abcdefgh", strict=False):
        theta = dataset["theta"].sel(flow=flow).values
        colour = COLOURS["HAM" if flow.startswith("HAM") else flow]
        for j in np.argsort(truth != 0, kind="stable"):
            real = truth[j] != 0
            ax.plot(x, theta[:, j], color=colour if real else "0.75", linewidth=1.1 if real else 0.7)
        end = {"GD": "ridge", "m*w": "lasso"}.get(flow)
        if end:
            every = slice(None, None, 6)
            ax.plot(x[every], dataset[end].values[every], "x", color="0.25", markersize=2.2, markeredgewidth=0.5)
            ax.text(0.03, 0.2, f"difference ≤ {error[end]:.0e}", transform=ax.transAxes, fontsize=6.5)
        ax.set(xscale="log", xlim=(x[0], x[-1]), title=_title(flow))
        ax.axhline(0, color="0.5", linewidth=0.5, zorder=0)
        for value in np.unique(truth[truth != 0]):
            ax.plot(
                [1.0], [value], marker=4, markersize=3, color="0.3", transform=ax.get_yaxis_transform(), clip_on=False
            )
        panel_label(ax, letter)
    for ax in axes.flat[len(flows) :]:
        ax.set_visible(False)
    for ax in axes[-1]:
        ax.set_xlabel("slope at $|\\theta| = 1$ over $|\\nabla f(0)|$")
    for ax in axes[:, 0]:
        ax.set_ylabel("coefficients $\\theta$")
    handles = {
        "spikes of the truth": Line2D([], [], color=COLOURS["HAM"]),
        "other coefficients": Line2D([], [], color="0.75"),
        "scikit-learn": Line2D([], [], marker="x", color="0.25", linestyle="", markersize=3),
    }
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3)
    return figure
