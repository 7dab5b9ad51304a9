"""F2: the potentials and their unit balls."""

import xarray as xr
from matplotlib.figure import Figure

from .certified import certified
from .style import LABELS, THEORY, panel_label, shades

NUMBER = "F2"
TITLE = "Potentials from L2 to L1"
SOURCE = "HAM [jacobs2026ham], Theorem 4.6; Woodworth et al. [woodworth2020kernel], Theorem 1"
CAPTION = (
    "(a, c) {The potentials R(θ)/R(1) of HAM lie between θ² and |θ| (dashed)}(geometry.ham, geometry.legendre), and "
    "{so do those of m⊙w}(potentials.mw-between); {both move from the first to the second as α grows or γ "
    "shrinks}(geometry.ham-l2, geometry.ham-l1, geometry.mw-l2, geometry.mw-l1). (b, d) Their unit balls R(x) + R(y) "
    "≤ R(1) {deform from the circle to the diamond}(potentials.unit-balls), {whose corners are what makes a limit "
    "sparse}(potentials.corners). The last step takes long: {on the diagonal the distance to the diamond falls like "
    "ln 2 / ln α}(geometry.ham-l1)."
)
SYMBOLS = {"HAM": "\\alpha", "m*w": "\\gamma"}


def label(family: str, decade: float) -> str:
    return f"${SYMBOLS[family]} = 10^{{{decade if family == 'HAM' else -decade:g}}}$"


def draw(dataset: xr.Dataset) -> Figure:
    """Potential and unit balls of HAM, then those of m*w, each pair with its legend."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset)
    figure = plt.figure(figsize=(6.75, 2.5))
    theta, decades = dataset["theta"], dataset["decade"].values.tolist()
    grid = figure.add_gridspec(1, 2)
    halves = [figure.add_subfigure(grid[0, column]) for column in range(2)]
    for half, family, letters in zip(halves, dataset["family"].values.tolist(), ("ab", "cd"), strict=True):
        potential, ball = half.subplots(1, 2)
        case = dataset.sel(family=family)
        for decade, colour in zip(decades, shades(family, len(decades)), strict=True):
            potential.plot(theta, case["potential"].sel(decade=decade), color=colour, label=label(family, decade))
            ball.plot(*case["ball"].sel(decade=decade).transpose("axis", ...).values, color=colour)
        for power in (1, 2):
            potential.plot(theta, abs(theta) ** power, **THEORY)
        for end in ("l1_ball", "l2_ball"):
            ball.plot(*dataset[end].transpose("axis", ...).values, **THEORY)
        potential.set(xlabel="$\\theta$", ylabel="$R(\\theta)\\,/\\,R(1)$", xlim=(-1.5, 1.5), ylim=(0, 2.25))
        ball.set(
            xlabel="$\\theta_1$",
            ylabel="$\\theta_2$",
            xlim=(-1.1, 1.1),
            ylim=(-1.1, 1.1),
            xticks=(-1, 0, 1),
            yticks=(-1, 0, 1),
        )
        for ax, letter in zip((potential, ball), letters, strict=True):
            ax.set_box_aspect(1)
            ax.set_title(LABELS[family])
            panel_label(ax, letter)
        half.legend(*potential.get_legend_handles_labels(), loc="outside lower center", ncols=3, columnspacing=1.2)
    return figure
