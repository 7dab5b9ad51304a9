"""Colour and legend of every flow of an experiment."""

import numpy as np
import xarray as xr
from matplotlib.legend_handler import HandlerTuple
from matplotlib.lines import Line2D

from .style import LABELS, shades


def _number(value: float) -> str:
    """A number as it is set: 1000, 0.1, 10⁻³, 10⁶."""
    exponent = np.log10(value)
    return f"$10^{{{exponent:.0f}}}$" if exponent == round(exponent) and not -2 < exponent < 5 else f"{value:g}"


def flow_styles(dataset: xr.Dataset) -> dict[str, tuple[str, str]]:
    """Colour and label of every flow: shades of one colour for the parameters of a family, the L1 end the darkest."""
    family, parameter = dataset["family"].values, dataset["parameter"].values
    symbols, styles = {"HAM": "α", "m*w": "γ", "power": "s"}, {}
    for name in dict.fromkeys(family.tolist()):
        members = np.flatnonzero(family == name)
        members = members[np.argsort(-parameter[members] if name == "m*w" else parameter[members])]
        for member, colour in zip(members, shades(name, len(members)), strict=True):
            symbol = f", {symbols[name]} = {_number(float(parameter[member]))}" if name in symbols else ""
            styles[str(dataset["flow"].values[member])] = (colour, LABELS[name] + symbol)
    return styles


def flow_legend(figure, dataset: xr.Dataset, extra: dict | None = None, **options) -> None:
    """One legend of all flows below the panels, with `extra` handles by label."""
    handles = {label: Line2D([], [], color=colour) for colour, label in flow_styles(dataset).values()} | (extra or {})
    figure.legend(
        handles.values(),
        handles.keys(),
        loc="outside lower center",
        handler_map={tuple: HandlerTuple(ndivide=None)},
        **options,
    )


def band(ax, x, values: xr.DataArray, *, strength: float = 0.1, **options) -> None:
    """The mean over the instances, as a line, and a band from 10 to 90 % of them."""
    low, high = values.quantile([0.1, 0.9], "instance").values
    ax.fill_between(x, low, high, color=options["color"], alpha=strength, linewidth=0)
    ax.plot(x, values.mean("instance"), **options)


def diamond(ax, x: float, values: xr.DataArray, colour: str) -> None:
    """The mean over the instances of what has no loss, as a diamond, and a bar from 10 to 90 % of them."""
    ax.plot([x, x], values.quantile([0.1, 0.9], "instance"), color=colour, linewidth=1)
    ax.plot(x, values.mean("instance"), "D", color=colour, markersize=3.5)


DIAMOND = Line2D([], [], color="0.4", marker="D", linestyle="", markersize=3.5)
