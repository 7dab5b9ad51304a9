"""E4: the bias of SGD, predicted run by run."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import NullFormatter, NullLocator

from .certified import certified
from .style import COLOURS, LABELS, THEORY, panel_label

NUMBER = "E4"
TITLE = "The bias of SGD, predicted run by run, and the stochastic flows that follow it"
SOURCE = "Pesme, Pillaud-Vivien, Flammarion (2021), Proposition 1, for m⊙w; HAM: own derivation, Itô's correction"
CAPTION = (
    "Mini-batches of one sample, from zero, one random problem (n = 40, d = 100, five spikes of ±1), α = 20, γ = 0.1, "
    "many runs a point. (a) m⊙w: mean of ln(γ₀/γ_∞) over entries and runs, {predicted over measured, by the second "
    "moments of the gradients along each run}(effective_bias.second-moments) and {by its loss alone (Pesme et "
    "al.)}(pesme.effective-gamma); bars: 95 % intervals of the ratio. (b) Excess L1 norm of its limits over that of "
    "the flow; shaded: {where 95 % of the runs end}(effective_bias.norms); marks: their means; lines: means of the "
    "limits with the predicted γ; bars: 95 % intervals. (c) ln(γ₀/γ_∞) of each entry, mean over the runs, for all "
    "learning rates. (d) HAM: shift of R′(θ_∞) off the row space of X, measured over predicted (a least-squares fit "
    "to the entries of a run), mean and 95 % interval: {the prediction is of first order in η}(ham.ito-drift). (e) As "
    "(b), for HAM. (f) {Loss along gradient descent, m⊙w and HAM (dots: 5, 50 and 95 % of the runs) and along their "
    "stochastic differential equations (lines).}(effective_bias.in-law)"
)
_ITO, _PESME = "0.2", COLOURS["other"]


def interval(values: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """Mean over the runs, and half of its 95 % interval."""
    return values.mean("run"), 1.96 * values.std("run", ddof=1) / np.sqrt(values.sizes["run"])


def ratio(predicted: xr.DataArray, measured: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """Ratio of the means over the runs, and half of its 95 % interval, by the delta method."""
    value = predicted.mean("run") / measured.mean("run")
    return value, interval(predicted - value * measured)[1] / measured.mean("run")


def relative_excess(dataset: xr.Dataset, name: str, family: str) -> xr.DataArray:
    """‖θ‖₁ − ‖θ_BP‖₁ over that of the flow's limit."""
    least, flow = dataset["least_l1"], dataset["flow_l1"].sel(family=family)
    return (dataset[name] - least) / (flow - least)


def _bars(ax, x, value, half, **style) -> None:
    ax.errorbar(x, value, half, capsize=2, markersize=3.5, linewidth=0.9, **style)


def _excess(ax, dataset: xr.Dataset, prefix: str, family: str, predictions: dict[str, tuple[str, str]]) -> None:
    measured = relative_excess(dataset, f"{prefix}_l1_measured", family)
    x, (low, high) = dataset["rate"].values, measured.quantile([0.025, 0.975], "run").values
    ax.fill_between(x, low, high, color=COLOURS[family], alpha=0.2, linewidth=0)
    _bars(ax, x, *interval(measured), fmt="o", color=COLOURS[family])
    for name, (colour, style) in predictions.items():
        predicted = relative_excess(dataset, f"{prefix}_l1_{name}", family)
        value, half = interval(predicted)
        ax.errorbar(x, value, half, color=colour, linestyle=style, linewidth=0.9, capsize=2)
    ax.set(ylabel="excess L1 norm over the flow's", title=LABELS[family])


def draw(dataset: xr.Dataset) -> Figure:
    """Six panels: gains, norms of m⊙w, shifts, norms of HAM, gains of the entries, and losses in law."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset)
    for prefix in ("product", "ham"):
        if (dataset[f"{prefix}_status"] != 0).any():
            raise ValueError(f"runs of {prefix} failed; they are not drawn")
    figure, ((gains, product, entries), (shifts, ham, law)) = plt.subplots(2, 3, figsize=(6.75, 4.9))
    x = dataset["rate"].values
    for name, colour, marker in (("ito", _ITO, "o"), ("pesme", _PESME, "s")):
        value, half = ratio(dataset[f"product_gain_{name}"], dataset["product_gain_measured"])
        _bars(gains, x, value, half, fmt=marker, color=colour)
        each = dataset[f"product_gains_{name}"].values.ravel()
        entries.plot(each, dataset["product_gains_measured"].values.ravel(), marker, color=colour, markersize=1.5)
    gains.set(ylabel="$\\ln(\\gamma_0/\\gamma_\\infty)$, predicted / measured", title=LABELS["m*w"])
    _excess(product, dataset, "product", "m*w", {"ito": (_ITO, "-"), "pesme": (_PESME, "--")})
    measured = dataset["product_gains_measured"]
    ends = np.array([0.8 * float(measured.min()), 1.3 * float(measured.max())])
    entries.plot(ends, ends, **THEORY, zorder=0)
    entries.set(xscale="log", yscale="log", title=LABELS["m*w"])
    entries.set(xlabel="predicted $\\ln(\\gamma_0/\\gamma_\\infty)$ of an entry", ylabel="measured")
    _bars(shifts, x, *interval(dataset["ham_slope"]), fmt="o", color=_ITO)
    shifts.set(ylabel="shift, measured / predicted", title=LABELS["HAM"])
    _excess(ham, dataset, "ham", "HAM", {"ito": (_ITO, "-")})
    for ax in (gains, shifts):
        ax.axhline(1, **THEORY, zorder=0)
    for family in dataset["family"].values:
        runs, flow = (dataset["loss"].sel(family=family, kind=kind) for kind in ("algorithm", "stochastic flow"))
        for level, width in ((0.05, 0.6), (0.5, 1.2), (0.95, 0.6)):
            law.plot(dataset["step"], flow.quantile(level, "path"), color=COLOURS[family], linewidth=width)
            law.plot(dataset["step"], runs.quantile(level, "path"), "o", color=COLOURS[family], markersize=2)
    law.set(xscale="log", yscale="log", xlabel="step", ylabel="loss", title="in law", xlim=(300, 6000))
    law.set_xticks([300, 1000, 3000], ["300", "1000", "3000"])
    law.xaxis.set_minor_formatter(NullFormatter())
    for ax in (gains, product, shifts, ham):
        ax.set(xscale="log", xlabel="learning rate / largest stable one")
        ax.set_xticks(x, [f"{value:g}" for value in x])
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_minor_formatter(NullFormatter())
    for ax, letter in zip(figure.axes, "abcdef", strict=True):
        panel_label(ax, letter)
    handles = {
        "second moments (a–c), Itô (d, e)": Line2D([], [], color=_ITO, marker="o", markersize=3.5),
        "loss alone, Pesme et al. (a–c)": Line2D([], [], color=_PESME, marker="s", markersize=3.5, linestyle="--"),
        "95 % of the runs (b, e)": Patch(color="0.8", linewidth=0),
        **{LABELS[family]: Line2D([], [], color=COLOURS[family]) for family in dataset["family"].values},
    }
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3)
    return figure
