"""F2: the potentials and their unit balls."""

import xarray as xr
from matplotlib.figure import Figure

from .certified import certified
from .style import LABELS, THEORY, panel_label, shades

NUMBER = "F2"
TITLE = "Potentials from L2 to L1"
SOURCE = "HAM, Theorem 4.6; Woodworth et al., Theorem 1"
CAPTION = (
    "(a, b) The potentials R(θ)/R(1) of HAM and of m⊙w lie between θ² and |θ| (dashed), and move from the first to the "
    "second as α grows or γ shrinks. (c, d) Their unit balls R(x) + R(y) ≤ R(1) deform from the circle to the diamond, "
    "whose corners are what makes a limit sparse. The last step takes long: the distance to L1 falls like 1/ln α."
)
SYMBOLS = {"HAM": "\\alpha", "m*w": "\\gamma"}


def label(family: str, decade: float) -> str:
    return f"${SYMBOLS[family]} = 10^{{{decade if family == 'HAM' else -decade:g}}}$"


def draw(dataset: xr.Dataset) -> Figure:
    """Two rows, potentials and unit balls; two columns, HAM and m*w."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset)
    figure, axes = plt.subplots(1, 4, figsize=(6.75, 2.35))
    theta, decades = dataset["theta"], dataset["decade"].values.tolist()
    for family, potential, ball in zip(dataset["family"].values.tolist(), axes[:2], axes[2:], strict=True):
        lane = dataset.sel(family=family)
        for power in (1, 2):
            potential.plot(theta, abs(theta) ** power, **THEORY)
        for end in ("l1_ball", "l2_ball"):
            ball.plot(*dataset[end].transpose("axis", ...), **THEORY)
        for decade, colour in zip(decades, shades(family, len(decades)), strict=True):
            potential.plot(theta, lane["potential"].sel(decade=decade), color=colour, label=label(family, decade))
            ball.plot(*lane["ball"].sel(decade=decade).transpose("axis", ...), color=colour)
        potential.set(title=LABELS[family], xlabel="$\\theta$", ylabel="$R(\\theta)\\,/\\,R(1)$", ylim=(0, 2.25))
        ball.set(title=LABELS[family], xlabel="$x$", ylabel="$y$", aspect="equal", xticks=(-1, 0, 1), yticks=(-1, 0, 1))
    for ax, letter in zip(axes, "abcd", strict=True):
        panel_label(ax, letter)
    return figure
