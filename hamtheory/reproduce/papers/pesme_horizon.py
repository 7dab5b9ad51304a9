"""Pesme, Dragomir and Flammarion 2024: which margin mirror descent maximises in two dimensions."""

from dataclasses import dataclass, replace

import numpy as np

import hamtheory as ht

from .._drawing import BLACK, ORANGE, PINK
from .._reproduction import Comparison, Reproduction, chosen, stated, unstated

NAMES = ("l2", "linf", "l1")
RHO = {"l2": 2.0, "linf": np.inf, "l1": 1.0}


@dataclass(frozen=True)
class Config:
    potentials: tuple[str, ...] = stated(("‖θ‖²", "Σ cosh θ", "hyperbolic entropy"))
    norms: tuple[str, ...] = stated(("ℓ₂", "ℓ_∞", "ℓ₁"), "the horizons")
    samples: tuple[tuple[float, float], ...] = unstated(
        ((1.0, 0.5), (1.6, 1.2), (-1.3, -1.5), (-1.7, -0.6)), "four, of which one is the support vector of all norms"
    )
    classes: tuple[int, ...] = unstated((1, 1, -1, -1))
    gamma: float = unstated(1.0, "of the hyperbolic entropy")
    loss: float = chosen(500.0, "−ln L at the end; theirs end at L = 1e-6")


class Cosh(ht.geometry.AbstractGeometry):
    """`R = cosh θ − 1`."""

    def inverse_metric(self, theta):
        return 1 / ht.geometry.namespace(theta).cosh(theta)

    def mirror_map(self, theta):
        return ht.geometry.namespace(theta).sinh(theta)

    def inverse_mirror_map(self, mu):
        return ht.geometry.namespace(mu).arcsinh(mu)


def compute(config: Config) -> dict[str, np.ndarray]:
    problem = ht.BinaryClassification([list(row) for row in config.samples], list(config.classes))
    geometries = {"l2": ht.Euclidean(), "linf": Cosh(), "l1": ht.Hypentropy(config.gamma)}
    found = {"samples": np.array(config.samples), "classes": np.array(config.classes)}
    for name, geo in geometries.items():
        flow = ht.solve_flow(problem, geo, log_loss=-config.loss, rtol=1e-7)
        best = ht.solve_margin(problem, rho=RHO[name])
        angle = lambda theta: np.arctan2(theta[..., 1], theta[..., 0])  # noqa: E731
        found |= {
            f"{name} theta": flow.thetas,
            f"{name} loss": -flow.log_loss,
            f"{name} apart": angle(flow.thetas[1:]) - angle(np.asarray(best.theta)),
            f"{name} best": np.asarray(best.theta),
        }
    return found


def compare(config: Config, numbers) -> list[Comparison]:
    angle = {name: np.arctan2(*numbers[f"{name} best"][::-1]) for name in NAMES}
    spread = min(abs(angle[a] - angle[b]) for a, b in (("l2", "linf"), ("l2", "l1"), ("linf", "l1")))
    made = [
        Comparison(says=f"{potential}: angle from the largest {norm} margin at the end, over the least between two",
                   theirs="→ 0", origin="claim", ours=float(np.abs(numbers[f"{name} apart"][-1]) / spread), high=0.15,
                   tolerance="15 %: the approach is like 1/ln t, and slower for the hyperbolic entropy")
        for name, potential, norm in zip(NAMES, config.potentials, config.norms, strict=True)
    ]  # fmt: skip
    early = {
        name: np.interp(np.log(1e6), numbers[f"{name} loss"][1:], np.abs(numbers[f"{name} apart"])) for name in NAMES
    }
    ratios = [np.abs(numbers[f"{name} apart"][-1]) / early[name] for name in NAMES]
    return [
        *made,
        Comparison(says="that angle at the end over that at a loss of 1e-6, largest", theirs="it falls",
                   origin="claim", ours=float(max(ratios)), high=0.5),
    ]  # fmt: skip


def draw(figure, config: Config, numbers) -> None:
    left, right = figure.subplots(1, 2)
    signed = numbers["samples"]
    for z, marker in ((1, "o"), (-1, "s")):
        left.plot(*signed[numbers["classes"] == z].T, marker, color="0.5", markersize=4)
    for name, colour, norm in zip(
        NAMES, (BLACK, PINK, ORANGE), ("$\\ell_2$", "$\\ell_\\infty$", "$\\ell_1$"), strict=True
    ):
        theta, best = numbers[f"{name} theta"], numbers[f"{name} best"]
        left.plot(*(1.9 * best / np.linalg.norm(best))[:, None] * [0, 1], color=colour, linestyle="--", linewidth=0.8)
        inside = np.linalg.norm(theta, axis=1) < 1.9
        left.plot(*theta[inside].T, color=colour)
        right.plot(numbers[f"{name} loss"][1:], np.abs(numbers[f"{name} apart"]), color=colour, label=norm)
    left.set(aspect="equal", xlabel="$\\theta_1$", ylabel="$\\theta_2$")
    right.axvline(np.log(1e6), color="0.8", linewidth=0.7)
    right.set(xscale="log", yscale="log", xlabel="$-\\ln L$", ylabel="angle from the largest margin", xlim=(0.7, None))
    right.legend()


CONFIG = Config()
REPRODUCTION = Reproduction(
    name="pesme-horizon",
    source="pesme2024implicit",
    place="the figure in two dimensions",
    title="Which margin mirror descent maximises",
    claim="On separable data the direction of mirror descent comes to the largest margin in the norm of the horizon of "
    "its potential: ℓ₂ of ‖θ‖², ℓ_∞ of Σ cosh θ, ℓ₁ of the hyperbolic entropy.",
    config=CONFIG,
    smoke=CONFIG,
    full=replace(CONFIG, loss=700.0),
    compute=compute,
    compare=compare,
    draw=draw,
    caption="Left: the samples, the flows near the start and the directions of the largest margins (dashed). Right: "
    "the angle between them as the loss falls; the vertical line: where theirs end.",
    size=(6.75, 3.0),
)
