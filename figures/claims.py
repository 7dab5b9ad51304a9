"""T1: what is claimed of HAM in training, put to the test on several splits of the data."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments._claims import VERDICTS, percent

from .certified import certified
from .style import panel_label

NUMBER = "T1"
TITLE = "What is claimed of HAM in training, on several splits of the data"
SOURCE = (
    "claims and published values: [jacobs2026ham] (ResNet-50, ImageNet); methods: [peste2021acdc], [evci2020rigging], "
    "[kusupati2020str], [ziyin2023spred], [jacobs2025mask]"
)
CAPTION = (
    "(a) By how much the test error is smaller than that of the second of the two: mean over random splits of "
    "MNIST, 750 images to train, 250 to search and 4,000 to test, and its 95 % interval; dots: the splits, means over "
    "seeds. Comparisons, tests and margin were named before these splits were tested. {Tests take splits as random, "
    "and all rows of (a) for one family}(claims.splits). Diamonds: {the published reduction}(claims.published), of "
    "another network and data set. Shaded: the margin of differences that do not matter. {Replicated: better, as "
    "claimed, and of a compatible size; equivalent: surely within the margin; contradicted: worse}(claims.verdicts). "
    "At the right, {the probability to find an effect as published}(claims.power), as planned and with the variance "
    "that was reached. {On each split every arm has its own search, of as many trials; half of HAM's are its base, "
    "with α = 0}(claims.same-search). The number at the end of a name is the sparsity. (b) By how much sign flips are "
    "more, as is claimed too."
)
COLOURS: dict[str, str] = dict(zip(VERDICTS, ("0.55", "#0072B2", "#56B4E9", "#009E73", "#D55E00"), strict=True))


def draw(dataset: xr.Dataset) -> Figure:
    """T1 from the data set of the experiment `replication`."""
    import matplotlib.pyplot as plt

    certified(dataset, mask_failures=True)
    primary = dataset["primary"].values.astype(bool)
    parts = [dataset.isel(claim=part) for part in (primary, ~primary) if part.any()]
    rows = [part.sizes["claim"] for part in parts]
    figure, axes = plt.subplots(
        len(parts),
        1,
        figsize=(6.9, 0.3 * sum(rows) + 1.9),
        height_ratios=[count + 0.4 for count in rows],
        layout="constrained",
        squeeze=False,
    )
    margin = 100 * dataset.attrs["margin"]
    for ax, part, letter in zip(axes[:, 0], parts, "ab", strict=False):
        errors = bool(part["primary"].values[0])
        if errors:
            ax.axvspan(-margin, margin, color="0.93", linewidth=0)
        for height in range(part.sizes["claim"]):
            row = part.isel(claim=height)
            mean, low, high = percent(row["effect"].values, errors=errors)
            word = VERDICTS[int(row["verdict"])]
            splits = percent(row["in_split"].values, errors=errors)
            ax.plot(splits, np.full(len(splits), height), "o", color="0.7", markersize=2.2)
            ax.plot([low, high], [height, height], color=COLOURS[word], linewidth=1.3)
            ax.plot([mean], [height], "o", color=COLOURS[word], markersize=4)
            ax.plot([percent(row["published"].values)], [height], "D", color="black", markersize=4, fillstyle="none")
            planned, reached = row["power"].values
            words = f"{word}" + f"  ({planned:.2f}, {reached:.2f})" * errors
            ax.text(1.01, height, words, transform=ax.get_yaxis_transform(), va="center", fontsize=6)
        ax.axvline(0, color="0.3", linewidth=0.6)
        ax.set_yticks(range(part.sizes["claim"]), part["claim"].values, fontsize=6)
        ax.set_ylim(part.sizes["claim"] - 0.4, -0.6)
        ax.set_xlabel("reduction of the test error (%)" if errors else "more sign flips (%)")
        ax.tick_params(axis="y", length=0)
        panel_label(ax, letter)
    names = [word for word in VERDICTS if VERDICTS.index(word) in dataset["verdict"].values]
    handles = [Line2D([], [], color=COLOURS[word], marker="o", markersize=4, label=word) for word in names]
    handles.append(Line2D([], [], color="0.7", marker="o", markersize=2.2, linestyle="", label="a split"))
    handles.append(
        Line2D([], [], color="black", marker="D", markersize=4, fillstyle="none", linestyle="", label="published")
    )
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure
