"""F26: HAM's gain over α and β."""

from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

import hamtheory.train as htt

from .certified import certified
from .style import panel_label

NUMBER = "F26"
TITLE = "HAM's α and β: much to gain where the base's learning rate is too small, and nothing found where it is good"
SOURCE = "own experiment; HAM: [jacobs2026ham]; AC/DC: [peste2021acdc]"
CAPTION = (
    "Test accuracy with HAM less that of the base, which is α = β = 0 (same initial weights, masks and order of the "
    "images), of a multilayer perceptron on digits: means of five seeds, in points; in the titles the learning rate η "
    "and the base's accuracy; SGD with momentum and a cosine, eight epochs. Bold, framed: the 95 % interval of the "
    "paired differences is not over 0 (of so many cells, a few are so by chance). Hatched: some networks are not "
    "finite in the end; their number, of five, is in the corner, and the mean is that of the others, if these are two "
    "at least. (a–c) Dense, with a random mask and with AC/DC at a sparsity of 0.9, at learning rates that are good "
    "for the base: {by its accuracy on the validation part they are not beaten by half of them, nor by twice as "
    "much}(alpha_beta.good-rates). {Any stable α and small β do as well as the base}(alpha_beta.no-gain); {with ηα of "
    "about 2 networks begin to fail, and with 3 and more nearly all do}(alpha_beta.failures). (d) With a tenth of the "
    "learning rate of (b) {HAM gains the more, the larger its α}(alpha_beta.small-rate), {since it makes larger "
    "steps}(alpha_beta.larger-steps): but {the best of these cells stays below the base in "
    "(b)}(alpha_beta.below-the-base). {A β of 0.1 takes some of it away.}(alpha_beta.large-beta)"
)
_NAMES = {"dense": "dense", "random": "random", "acdc": "AC/DC"}


class Gains(NamedTuple):
    """Of the cells of a map, (alphas, betas): means, ends of the intervals, and how many networks failed."""

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    failed: np.ndarray

    @property
    def differ(self) -> np.ndarray:
        """Where the interval is not over 0."""
        return (self.low > 0) | (self.high < 0)


def gains(dataset: xr.Dataset, place: int) -> Gains:
    """Paired differences to the base of a map, in points, of the networks that did not fail; NaN for less than two."""
    own = dataset.isel(map=place).transpose("alpha", "beta", "seed", ...)
    sound = (own["status"] == 0).values
    accuracy = np.where(sound, 100 * own["test_accuracy"].values.astype(float), np.nan)
    found = htt.paired(accuracy, np.broadcast_to(accuracy[0, 0], accuracy.shape))
    enough = found.pairs >= 2
    mean, low, high = (np.where(enough, x, np.nan) for x in found[:3])
    return Gains(mean, low, high, (~sound).sum(axis=-1))


def _map(ax, dataset: xr.Dataset, place: int, largest: float) -> Any:
    """A cell each, with what is written in it."""
    from matplotlib.patches import Rectangle

    found, own = gains(dataset, place), dataset.isel(map=place)
    image = ax.imshow(found.mean, cmap="RdBu", vmin=-largest, vmax=largest, origin="lower", aspect="auto")
    centred = {"ha": "center", "va": "center", "fontsize": 6}
    for (i, j), mean in np.ndenumerate(found.mean):
        if found.failed[i, j]:
            ax.add_patch(Rectangle((j - 0.5, i - 0.5), 1, 1, fill=False, hatch="////", edgecolor="0.75", linewidth=0))
            box = {"boxstyle": "square,pad=0.15", "facecolor": "white", "edgecolor": "none"}
            corner = {"ha": "right", "va": "top", "fontsize": 5, "color": "#B03A00", "fontweight": "bold"}
            ax.text(j + 0.42, i + 0.4, f"{found.failed[i, j]}", bbox=box, **corner)
        colour = "white" if abs(mean) > 0.55 * largest else "black"
        weight = "bold" if found.differ[i, j] else "normal"
        if (i, j) == (0, 0):
            ax.text(j, i, "base", **centred)
        elif np.isfinite(mean):
            ax.text(j, i, _points(mean), color=colour, weight=weight, **centred)
        if found.differ[i, j]:
            ax.add_patch(Rectangle((j - 0.44, i - 0.44), 0.88, 0.88, fill=False, edgecolor=colour, linewidth=0.8))
    ax.set_xticks(range(own.sizes["beta"]), [f"{x:g}" for x in own["beta"].values])
    ax.set_yticks(range(own.sizes["alpha"]), [f"{x:g}" for x in own["alphas"].values])
    ax.set(xlabel="β")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    base = 100 * own["test_accuracy"].isel(alpha=0, beta=0).mean().item()
    rate = own["learning_rate"].item()
    ax.set_title(f"{_NAMES[own['method'].item()]}\nη = {rate:g}, base {base:.1f} %", fontsize=7.5)
    return image


def _points(value: float) -> str:
    """Signed, but for 0.0."""
    text = f"{value:+.1f}"
    return "0.0" if float(text) == 0 else text.replace("-", "−")


def draw(dataset: xr.Dataset) -> Figure:
    """A map each: at good learning rates with one colour bar, at small ones with another."""
    import matplotlib.pyplot as plt

    certified(dataset, mask_failures=True)  # failed networks are hatched and counted
    small = dataset["small"].values
    figure, axes = plt.subplots(1, len(small), figsize=(6.75, 2.9), squeeze=False)
    for group in (False, True):
        places = np.flatnonzero(small == group).tolist()
        if not places:
            continue
        largest = max(np.nanmax(np.abs(shown(gains(dataset, place)))) for place in places)
        scale = max(1.0, float(np.ceil(largest)))
        images = [_map(axes[0, place], dataset, place, scale) for place in places]
        bar = figure.colorbar(
            images[-1], ax=[axes[0, place] for place in places], location="bottom", aspect=30, shrink=0.8
        )
        bar.set_label("accuracy less the base's,\npoints" if group else "test accuracy less the base's, points")
        bar.outline.set_visible(False)
    axes[0, 0].set_ylabel("α")
    for ax, letter in zip(axes[0], "abcdefgh", strict=False):
        panel_label(ax, letter, lines=2)
    return figure


def shown(found: Gains) -> np.ndarray:
    """The means that the colours have to tell apart: of cells without failures."""
    return np.where(found.failed == 0, found.mean, 0.0)
