"""The look of the gallery: Okabe and Ito's palette, one colour a method."""

from pathlib import Path
from typing import Any

from ._reproduction import Numbers, Reproduction

BLACK, BLUE, ORANGE, GREEN, PINK, YELLOW, SKY = (
    "#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
)  # fmt: skip
THEIRS = {"color": "0.45", "linestyle": (0, (4, 2)), "linewidth": 0.9}
_LOOK: Any = {
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "lines.linewidth": 1.3,
    "lines.markersize": 3.5,
}


def save(one: Reproduction, config: Any, numbers: Numbers, path: Path) -> None:
    """Draw a reproduction into a file."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_LOOK):
        figure = Figure(figsize=one.size, layout="constrained")
        FigureCanvasAgg(figure)
        one.draw(figure, config, numbers)
        figure.savefig(path, dpi=200)
