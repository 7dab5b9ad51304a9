"""F40: which factors make a mirror flow, and of which potential."""

import re

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from .certified import certified
from .style import THEORY, panel_label

NUMBER = "F40"
TITLE = "Which factors make a mirror flow"
SOURCE = "Li and others [li2022implicit], Section 4: commuting gradients; the table and the exponents: own"
CAPTION = (
    "Gradient flow on factors, read off from their text. (a) What the flows of all losses conserve, and what follows. "
    "{One output alone always is a mirror flow, of R″ = 1/|∇G|²}(reparametrizations.alone); {several are one if their "
    "gradients commute}(li.commuting). R at 0: the exponent of the potential from a balanced start, whose curve ends "
    "there; R at ∞: that far away, from the starts of (b). {Where all terms have degree L both are 2/L}"
    "(reparametrizations.degree); {where L > 2 the mirror map is bounded (‡)}(reparametrizations.bounded). (b) g⁻¹ "
    "from starts that pass θ = 0; u − u³ ends at the critical value beyond the dot. (c) g²u, g²v driven along one "
    "gradient after the other, in both orders, from the circle: {two paths to one θ, the square, for which the outputs "
    "were driven by different sums}(reparametrizations.paths), which in a mirror flow are R′(θ) − R′(θ₀). {The "
    "velocities there are the same, those of xyz, x² − y² at such a θ are not}(reparametrizations.velocity)."
)
LINES = (
    ("#D55E00", "-"),
    ("#E69F00", "--"),
    ("#0072B2", "-"),
    ("#56B4E9", "--"),
    ("#009E73", "-"),
    ("#CC79A7", "-"),
    ("#000000", "-."),
    ("#7F7F7F", ":"),
)
COLUMNS = {"θ": 0.0, "conserved": 0.3, "g⁻¹(θ)": 0.545, "mirror flow": 0.795, "R at 0": 0.895, "R at ∞": 0.955}
SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def written(text: str) -> str:
    """A formula of SymPy's as one writes it."""
    text = re.sub(r"\*\*\((\d+)/(\d+)\)", lambda m: "^{" + f"{m[1]}/{m[2]}" + "}", text)
    text = re.sub(r"\*\*(\d+)", lambda m: m[1].translate(SUPERSCRIPT), text)
    text = re.sub(r"sqrt\(", "√(", text).replace("theta_1", "θ₁").replace("theta_2", "θ₂").replace("theta", "θ")
    text = text.replace("c1", "c").replace("*", "").replace("-", "−").replace("Matrix([[", "((").replace("]])", "))")
    text = text.replace("], [", "), (")
    return re.sub(r"\^\{(.*?)\}", lambda m: "$^{" + m[1] + "}$", text)


def _fraction(value: float) -> str:
    """An exponent as the fraction that it is."""
    best = min(((n, m) for m in (1, 2, 3) for n in range(-6, 7)), key=lambda f: abs(f[0] / f[1] - value))
    return f"{best[0]}" if best[1] == 1 else f"{best[0]}/{best[1]}"


def _row(one: xr.Dataset) -> list[tuple[str, str]]:
    """The cells of one case, each with its colour."""
    conserved, metric = str(one["invariants"].item()), str(one["metric"].item())
    alone = "," not in str(one["case"].item())
    is_flow = bool(one["verdict"].item())
    how = written(metric) if metric else "by numbers" if is_flow else f"bracket ({written(str(one['bracket'].item()))})"
    at_zero, far, bound = (float(one[name]) for name in ("at_zero", "at_infinity", "bound"))
    ends = [_fraction(x) if np.isfinite(x) else "–" for x in (at_zero, far)]
    return [
        (written(str(one["case"].item())), "0"),
        (written(conserved) or ("nothing" if alone else "–"), "0.25"),
        (how, "0.25"),
        ("yes" if is_flow else "no", "#009E73" if is_flow else "#D55E00"),
        (ends[0], "0.25"),
        (ends[1] + (" ‡" if np.isfinite(bound) else ""), "0.25"),
    ]


def _table(ax, dataset: xr.Dataset) -> None:
    count = dataset.sizes["case"]
    ax.set(xlim=(0, 1), ylim=(-0.5, count + 0.5))
    ax.axis("off")
    for name, x in COLUMNS.items():
        ax.text(x, count, name, fontsize=6.5, fontweight="bold", va="center")
    ax.plot([0, 1], [count - 0.5] * 2, color="0.3", linewidth=0.8)
    for row in range(count):
        for (text, colour), x in zip(_row(dataset.isel(case=row)), COLUMNS.values(), strict=True):
            ax.text(x, count - 1 - row, text, fontsize=5.8, va="center", color=colour)


def _paths(ax, dataset: xr.Dataset) -> None:
    for path, (colour, name) in enumerate(
        (("#0072B2", "$\\nabla\\theta_1$ first"), ("#D55E00", "$\\nabla\\theta_2$ first"))
    ):
        x, y = dataset["paths"].isel(path=path).values.T
        ax.plot(x, y, color=colour, label=name)
    ax.plot(*dataset["paths"].isel(path=0, step=0).values, "o", color="0.3", markersize=4)
    ax.plot(*dataset["paths"].isel(path=0, step=-1).values, "s", color="0.3", markersize=4)
    ax.set(xlabel="$\\theta_1 = g^2u$", ylabel="$\\theta_2 = g^2v$", title="two orders, one end")
    ax.legend(loc="lower right")


def draw(dataset: xr.Dataset) -> Figure:
    """The table, the metrics, and the two paths."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset)
    figure = plt.figure(figsize=(6.75, 5.2))
    top, bottom = figure.add_gridspec(2, 1, height_ratios=(1.25, 1))
    table = figure.add_subplot(top)
    left, right = (figure.add_subplot(place) for place in bottom.subgridspec(1, 2, width_ratios=(1.5, 1)))
    _table(table, dataset)
    shown = [row for row in range(dataset.sizes["case"]) if np.isfinite(dataset["inverse_metric"][row]).any()]
    for row, (colour, line) in zip(shown, LINES, strict=True):
        one = dataset["inverse_metric"].isel(case=row)
        left.plot(one["theta"], one, color=colour, linestyle=line, label=written(str(one["case"].item())))
        inside = one.dropna("theta")
        if inside.size < one.size:
            left.plot(inside["theta"][-1], inside[-1], "o", color=colour, markersize=3)
    left.plot(dataset["theta"], 2 * dataset["theta"], **THEORY, label="2|θ|: balanced $mw$")
    left.set(
        xscale="log", yscale="log", xlabel="$\\theta$", ylabel="inverse metric  $g^{-1}(\\theta)$", ylim=(0.03, 3e4)
    )
    left.legend(loc="upper left", fontsize=5.5, ncols=2)
    _paths(right, dataset)
    for ax, letter in zip((table, left, right), "abc", strict=True):
        panel_label(ax, letter)
    return figure
