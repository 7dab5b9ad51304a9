"""The look of the figures: one colour a geometry, one line style a role."""

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.colors import to_hex, to_rgb

matplotlib.use("Agg")  # before pyplot: the figures are files, on machines without a screen too

STYLE = str(Path(__file__).parent / "hamtheory.mplstyle")

# Okabe and Ito's palette.
COLOURS = {"GD": "#000000", "m*w": "#D55E00", "HAM": "#0072B2", "other": "#009E73"}
COLOURS |= {"power": COLOURS["other"], "cosh": "#CC79A7"}
LABELS = {"GD": "gradient descent", "m*w": "$m\\odot w$", "HAM": "HAM", "other": "custom"}
LABELS |= {"power": "$(1 + |\\theta|)^s$", "cosh": "$1/\\cosh\\,\\theta$"}
THEORY = {"color": "0.45", "linestyle": (0, (4, 2)), "linewidth": 0.9}


RULES = {  # colour, marker and label of the rules that noise is studied with
    "GD": (COLOURS["GD"], "s", LABELS["GD"]),
    "m*w": (COLOURS["m*w"], "o", LABELS["m*w"]),
    "HYP*": (COLOURS["HAM"], "D", "HAM (HYP*)"),
    "natural gradient": (COLOURS["other"], "v", "HAM, natural gradient"),
}


def panel_label(ax, letter: str, *, lines: int = 1) -> None:
    """(a), (b), … above the left corner of a panel, beside the first of the `lines` of its title."""
    ax.set_title(f"({letter})" + "\n" * (lines - 1), loc="left", fontweight="bold")


def shades(name: str, count: int) -> list[str]:
    """`count` colours of one geometry for its parameters: from light to its own."""
    colour = np.array(to_rgb(COLOURS[name]))
    return [to_hex(1 - share * (1 - colour)) for share in np.linspace(0.4 if count > 1 else 1, 1, count)]
