"""F42: how close the engines are to the machine."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from .certified import certified
from .style import panel_label

NUMBER = "F42"
TITLE = "How close the engines are to the machine"
SOURCE = "measured; the flow and its limits: [jacobs2026ham]"
CAPTION = (
    "Limits of HAM's flow from zero, α from 10⁻² to 10⁴, trajectories to a residual of 10⁻⁸, α to 10³, both "
    "evenly in ln α, and a step of many runs of HAM (n = 40, d = 100, five spikes; float64). (a) The time of an "
    "instance, in parts: what its operations take by themselves, in the shapes that they have there, counted in "
    "compiled programs or in calls of NumPy; control, the rest within the solver, which judges steps and "
    "chooses between branches; outside, what is around it, checks and results. {The parts add up to the "
    "time.}(roofline.whole) Black: the bound, if every operation were as fast as the fastest of its kind, and "
    "all that control reads and writes as the fastest bytes (unknown of NumPy's control: 0). {By the table and "
    "one by one, most of the time is no operation of linear algebra and no exponential, but control and what is "
    "outside.}(roofline.control) (b) Rates of products, of Cholesky's factors and of triangular solves by "
    "themselves, by NumPy on one core (open) and by XLA on all (filled), those that take 5 % or more of the "
    "time of an engine numbered, with that share; stars: engines in all. {Factors and solves of 40 rows are "
    "below a quarter of the rate of the fastest product}(roofline.factors), {and exponentials by XLA are slower "
    "than those by NumPy, of 25,600 numbers}(roofline.exponentials). Where it was measured is said below."
)
COLOURS = {
    "products": "#0072B2",
    "Cholesky": "#D55E00",
    "triangular solves": "#E69F00",
    "exponentials": "#009E73",
    "control": "0.62",
    "outside": "0.85",
}
_DARK = ("products", "Cholesky", "exponentials")
_ALGEBRA = ("products", "Cholesky", "triangular solves")
_STYLES = {"NumPy": "--", "JAX": "-"}
_INTENSITIES = 0.08, 60.0  # FLOP a byte
_LISTED = 0.05  # of the time of an engine


def draw(dataset: xr.Dataset) -> Figure:
    """Where the time of each engine goes, and what is under the roofs of the machine."""
    import matplotlib.pyplot as plt

    points = certified(dataset).to_dataframe()
    figure, axes = plt.subplots(2, 1, figsize=(6.75, 6.4), height_ratios=(1, 1.75))
    _shares(axes[0], points[points.kind == "engine"])
    _roofs(axes[1], points)
    for ax, letter in zip(axes, "ab", strict=True):
        panel_label(ax, letter)
    return figure


def _shares(ax, engines) -> None:
    """A bar an engine: the shares of its parts. One that is below 0, by noise, is not drawn."""
    names = list(dict.fromkeys(engines.name))
    for height, name in enumerate(names):
        own, left = engines[engines.name == name], 0.0
        for line in own.to_dict("records"):
            share = max(line["share"], 0.0)
            ax.barh(height, share, left=left, color=COLOURS[line["part"]], height=0.62, linewidth=0)
            if share >= 0.05:
                colour = "white" if line["part"] in _DARK else "black"
                ax.text(
                    left + share / 2,
                    height,
                    f"{share:.0%}",
                    ha="center",
                    va="center",
                    fontsize=6,
                    color=colour,
                    clip_on=True,
                )
            left += share
        allowed = own.bound.sum() / own.seconds.sum()
        for edge in (-0.4, 0.4):  # not across the numbers
            ax.plot([allowed, allowed], [height + 0.55 * edge, height + 1.15 * edge], color="black", linewidth=1.6)
    labels = [f"{name}\n{_readable(engines[engines.name == name].seconds.sum())}" for name in names]
    ax.set_yticks(range(len(names)), labels)
    ax.set(xlim=(0, 1.01), ylim=(len(names) - 0.45, -0.55), title="time of an instance")
    ax.tick_params(axis="y", length=0)
    ax.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    handles: list = [Patch(color=colour, label=part) for part, colour in COLOURS.items()]
    handles.append(Line2D([], [], color="black", linewidth=1.6, label="bound"))
    ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.42, -0.12), ncols=7, columnspacing=1.0,
              handlelength=1.0)  # fmt: skip


def _readable(seconds: float) -> str:
    return f"{1e6 * seconds:.3g} µs" if seconds < 1e-3 else f"{1e3 * seconds:.3g} ms"


def _roofs(ax, points) -> None:
    """Rates of products, factors and solves, alone and of the engines in all, against the FLOP for each byte."""
    x = np.geomspace(*_INTENSITIES, 200)
    for library, style in _STYLES.items():
        own = points[(points.kind == "pace") & (points.library == library)].set_index("name").seconds
        away = points[(points.kind == "machine") & (points.name == "copy, out of cache") & (points.library == library)]
        for name, byte, shade in (
            ("in cache", own["byte"], "0.25"),
            ("out of cache", (away.seconds / away.bytes).iloc[0], "0.65"),
        ):
            roof = 1e-9 / np.maximum(own["flop"], byte / x)
            ax.plot(x, roof, style, color=shade, linewidth=0.9, label=f"{library}, {name}")
    operations = points[(points.kind == "operation") & (points.part != "exponentials")]
    listed: list[str] = []
    numbered: dict[tuple[float, float], list[str]] = {}
    for line in operations.sort_values("share", ascending=False).to_dict("records"):
        place, colour = (line["work"] / line["bytes"], 1e-9 * line["work"] / line["seconds"]), COLOURS[line["part"]]
        face = "white" if line["library"] == "NumPy" else colour
        ax.plot(*place, "o", color=colour, markerfacecolor=face, markersize=4)
        if line["share"] >= _LISTED:
            listed.append(f"{len(listed) + 1}: {line['name']}, {line['share']:.0%}")
            near = next((other for other in numbered if np.abs(np.log(other) - np.log(place)).max() < 0.15), place)
            numbered.setdefault(near, []).append(str(len(listed)))
    for place, numbers in numbered.items():
        line = {"arrowstyle": "-", "linewidth": 0.5, "color": "0.4", "shrinkA": 0, "shrinkB": 2}
        _label(ax, place, ", ".join(numbers), (9, -13), arrowprops=line)
    ax.text(0.99, 0.02, "\n".join(listed), transform=ax.transAxes, ha="right", va="bottom", fontsize=6)
    engines = points[points.kind == "engine"]
    for name in dict.fromkeys(engines.name):
        own = engines[engines.name == name]
        algebra = own[own.part.isin(_ALGEBRA)]
        place = algebra.work.sum() / algebra.bytes.sum(), 1e-9 * algebra.work.sum() / own.seconds.sum()
        ax.plot(*place, "*", color="black", markersize=7)
        _label(ax, place, name, (5, -2), weight="bold")
    ax.set(xscale="log", yscale="log", xlim=_INTENSITIES, xlabel="FLOP for each byte", ylabel="GFLOP/s")
    ax.set_title("products, factors and solves")
    ax.grid(True)
    ax.legend(loc="upper left", fontsize=6.5)


def _label(ax, place: tuple[float, float], text: str, beside: tuple[float, float], **style) -> None:
    """A text so many points beside a place."""
    ax.annotate(text, place, xytext=beside, textcoords="offset points", fontsize=6, **style)
