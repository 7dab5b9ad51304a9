"""F32: which margin is robust to which attack, and what α does to a regression and to a classification of one X."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from .certified import certified
from .flows import DIAMOND, band, diamond, flow_legend, flow_styles
from .style import THEORY, panel_label, shades

NUMBER = "F32"
TITLE = "Attacks, and what α does: margins and flows on samples held out"
SOURCE = "[tsilivis2024price] for which margin an attack asks for; flows and what α does to them: own"
CAPTION = (
    "Accuracy where every sample held out is moved by the attack that is worst for it: {a linear classifier loses "
    "ε‖θ‖_q of each margin, q dual to the norm of the attack}(attacks.exact). Means over draws or splits, bands from "
    "10 to 90 % of them. (a–c) Directions of the largest margin over ℓ_ρ, of (a) classes that a sparse vector says (40 "
    "samples to train, 3 of 100 entries are ±1; attacks of size 0.1 in ℓ_∞, 0.3 in ℓ_2), (b) two Gaussian classes, 40 "
    "samples, with means at a distance of 4 in a random direction (0.05, 0.5), (c) 4 and 9 of MNIST, 100 images (0.1, "
    "1, in units of the root mean square deviation of a pixel). {On images a ρ near 1 is best against ℓ_∞ attacks, and "
    "one near 2 against ℓ_2 attacks: each loses more than 5 points to the other}(attacks.images). {With a sparse truth "
    "ρ = 1 is best against both and without any, at half and at twice the size too}(attacks.sparse); {with a dense one "
    "it is best in no case}(attacks.dense): which norm an attack asks for is not all that counts. (d, e) Flows from 0 "
    "under the ℓ_∞ attacks, and the largest margins (diamonds). {With a sparse truth HAM with α = 10⁶ is best at "
    "losses of 10⁻¹ to 10⁻³, by more than 8 points better than the largest L1 margin that it goes to}"
    "(attacks.transient). {On images gradient descent is most robust at such a loss, and loses more than 3 points "
    "until the end; HAM with α = 1 and m ⊙ w, which begin like it, end above their early best}(attacks.images-late). "
    "(f) Two problems with the X and the sparse θ* of (a), HAM: {the limit of the regression y = Xθ* goes with α from "
    "the L2 end to θ*}(attacks.regression) (dashed: √3); {the largest margin of the classes sign y is the same for "
    "every α, but the flow to it at losses of e⁻⁵ to e⁻³⁰⁰ is denser for a small α, and for a large one sparser and "
    "nearer to the direction of θ* than its own limit}(attacks.alpha)."
)
TITLES = {"sparse": "sparse teacher", "mixture": "two Gaussians", "mnist-4-9": "MNIST"}
ATTACKS = (
    (0.0, "ℓ∞", "#000000", "no attack"),
    (1.0, "ℓ∞", "#E69F00", "$\\ell_\\infty$"),
    (1.0, "ℓ2", "#56B4E9", "$\\ell_2$"),
)


def _margins(ax, dataset: xr.Dataset) -> None:
    for part, norm, colour, label in ATTACKS:
        band(
            ax, dataset["inverse"].values, 100 * dataset["margins"].sel(part=part, norm=norm), color=colour, label=label
        )
    ticks = {"1": 1, "1.25": 0.8, "2": 0.5, "5": 0.2, "∞": 0}
    ax.set_xticks(list(ticks.values()), list(ticks))
    ax.set(xlim=(1.03, -0.03), xlabel="largest margin over $\\ell_\\rho$: ρ")


def _flows(ax, dataset: xr.Dataset) -> None:
    loss, one, styles = dataset["loss"].values, dataset.sel(part=1.0, norm="ℓ∞"), flow_styles(dataset)
    for flow, (colour, _) in styles.items():
        band(ax, loss, 100 * one["flows"].sel(flow=flow), color=colour)
    for inverse, flow, at in ((1.0, "HAM 1e+06", 9e3), (0.5, "GD", 2.7e4)):
        diamond(ax, at, 100 * one["margins"].sel(inverse=inverse, method="nearest"), styles[flow][0])
    ax.set(xscale="log", xlabel="$-\\ln L$", xlim=(loss[0], 6e4))
    ax.set_xticks([1, 10, 100, 1000, 9e3, 2.7e4], ["1", "10", "100", "$10^3$", "$\\ell_1$", "$\\ell_2$"])
    ax.minorticks_off()


def _alpha(ax, dataset: xr.Dataset) -> None:
    alpha, lines, colours = dataset["alpha"].values, dataset["ratio"], shades("other", len(dataset.attrs["seen"]))
    band(ax, alpha, lines.sel(line="regression"), color="#CC79A7", label="regression, limit")
    for seen, colour in zip(dataset.attrs["seen"], colours, strict=True):
        band(ax, alpha, lines.sel(line=f"{seen:g}"), color=colour, label=f"classes, $L = e^{{-{seen:g}}}$")
    band(ax, alpha, lines.sel(line="margin"), color=colours[-1], linestyle="-.", label="classes, limit")
    ax.axhline(np.sqrt(dataset.attrs["k"]), **THEORY)
    ax.set(xscale="log", xlabel="α", ylabel="$\\Vert\\theta\\Vert_1 / \\Vert\\theta\\Vert_2$", ylim=(1, 9))
    ax.legend(loc="upper right", fontsize=6)


def draw(dataset: xr.Dataset) -> Figure:
    """Accuracy under attacks against ρ, and along flows; and the sparsity of what α leads to."""
    import matplotlib.pyplot as plt

    dataset = certified(dataset)
    certified(dataset.assign(status=dataset["alpha_status"]))
    figure, axes = plt.subplots(2, 3, figsize=(6.75, 4.9))
    for ax, name in zip(axes[0], TITLES, strict=True):
        _margins(ax, dataset.sel(case=name))
        ax.set_title(f"    {TITLES[name]}")
    axes[0, 0].set_ylabel("accuracy on samples held out (%)")
    axes[0, 2].legend(title="attack", loc="lower left")
    for ax, name in zip(axes[1], ("sparse", "mnist-4-9"), strict=False):
        _flows(ax, dataset.sel(case=name))
        ax.set_title(f"    {TITLES[name]}")
    axes[1, 0].set_ylabel("accuracy under $\\ell_\\infty$ attacks (%)")
    _alpha(axes[1, 2], dataset)
    for ax, letter in zip(axes.flat, "abcdef", strict=True):
        panel_label(ax, letter)
    flow_legend(figure, dataset, {"largest margin": DIAMOND}, ncols=6)
    return figure
