"""Sign-In, Theorems 5.1 to 5.4: from which signs one neuron learns."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.integrate import solve_ivp

import hamtheory as ht

from .._drawing import BLUE, ORANGE
from .._reproduction import Comparison, Reproduction, chosen, stated, unstated

SIGNS = ((1, 1), (-1, 1), (1, -1), (-1, -1))  # of a and w


@dataclass(frozen=True)
class Config:
    beta_a: float = stated(1.0, "the reset of m² − w²")
    beta_w: float = unstated(0.01, "only that it is less than that of a")
    draws: int = chosen(200, "of each sign case")
    sizes: tuple[float, float] = chosen((0.05, 2.0), "range of |a| = |w| at the start, log-uniform")
    end: float = chosen(300.0, "the last time")
    seed: int = chosen(0)


def compute(config: Config) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(config.seed)
    low, high = np.log(config.sizes)
    size = np.exp(rng.uniform(low, high, (len(SIGNS), config.draws)))
    a0, w0 = (np.array(SIGNS)[:, i : i + 1] * size for i in (0, 1))
    layers = {
        "plain": (ht.Euclidean(), ht.Euclidean()),
        "signin": (ht.Hypentropy(config.beta_a / 2), ht.Hypentropy(config.beta_w / 2)),
    }
    return {"a0": a0, "w0": w0} | {
        name: learns(of_a, of_w, a0, w0, config.end) for name, (of_a, of_w) in layers.items()
    }


def learns(of_a, of_w, a0: np.ndarray, w0: np.ndarray, end: float) -> np.ndarray:
    """Whether the flows with these geometries come to the teacher: all starts as one system."""

    def velocity(_, state):
        a, w = np.split(state, 2)
        slope = (a * w - (w > 0)) / 2  # the loss is (aw − 1)²/4 for w > 0, and (a²w² + 1)/4 for w ≤ 0
        return -np.concatenate([of_a.inverse_metric(a) * slope * w, of_w.inverse_metric(w) * slope * a])

    state = np.concatenate([a0.ravel(), w0.ravel()])
    a, w = np.split(solve_ivp(velocity, (0, end), state, "DOP853", rtol=1e-9, atol=1e-12).y[:, -1], 2)
    return ((w > 0) & (np.abs(a * w - 1) < 0.01)).reshape(a0.shape)


def compare(config: Config, numbers) -> list[Comparison]:
    plain, signin = (numbers[name].mean(axis=1) for name in ("plain", "signin"))
    how = "every start that was drawn"
    return [
        Comparison(says="plain flow, a > 0 and w > 0: share that learns", theirs="1 (Theorem 5.1)", origin="claim",
                   ours=float(plain[0]), low=1.0, tolerance=how),
        Comparison(says="plain flow, any other signs: share that learns", theirs="0 (Theorem 5.1)", origin="claim",
                   ours=float(plain[1:].max()), high=0.0, tolerance=how),
        Comparison(says="Sign-In, a > 0 and w > 0: share that learns", theirs="1 (Theorem 5.2)", origin="claim",
                   ours=float(signin[0]), low=1.0, tolerance=how),
        Comparison(says="Sign-In, a < 0 and w > 0: share that learns", theirs="1 (Theorem 5.2)", origin="claim",
                   ours=float(signin[1]), low=1.0, tolerance=how),
        Comparison(says="w < 0, either rule: share that learns", theirs="0 (Theorem 5.4)", origin="claim",
                   ours=float(max(plain[2:].max(), signin[2:].max())), high=0.0, tolerance=how),
    ]  # fmt: skip


def draw(figure, config: Config, numbers) -> None:
    axes = figure.subplots(1, 2, sharex=True, sharey=True)
    for ax, name, title in zip(axes, ("plain", "signin"), ("gradient flow", "Sign-In"), strict=True):
        for learned, colour, marker in ((True, BLUE, "o"), (False, ORANGE, "x")):
            at = numbers[name] == learned
            label = "learns" if learned else "does not"
            ax.plot(numbers["w0"][at], numbers["a0"][at], marker, color=colour, markersize=2.5, label=label)
        ax.axhline(0, color="0.8", linewidth=0.6, zorder=0)
        ax.axvline(0, color="0.8", linewidth=0.6, zorder=0)
        ax.set(title=title, xlabel="$w$ at the start")
    axes[0].set_ylabel("$a$ at the start")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center")


CONFIG = Config()
REPRODUCTION = Reproduction(
    name="signin-neuron",
    source="gadhikar2025signin",
    place="Theorems 5.1, 5.2 and 5.4",
    title="From which signs one neuron learns",
    claim="Gradient flow on aσ(wz) learns σ(z) from a > 0, w > 0 alone, Sign-In from a < 0, w > 0 too if its β of a "
    "is the larger one, and nothing that is continuous from w < 0.",
    config=CONFIG,
    smoke=replace(CONFIG, draws=12),
    full=replace(CONFIG, draws=2000),
    compute=compute,
    compare=compare,
    draw=draw,
    caption="Starts of one size, |a| = |w|, and whether the flow from there learns the teacher.",
    size=(6.75, 2.9),
)
