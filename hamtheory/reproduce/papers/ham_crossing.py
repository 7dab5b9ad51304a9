"""HAM, Figure 1: one coordinate from the wrong side of zero."""

from dataclasses import dataclass, replace

import numpy as np

import hamtheory as ht

from .._drawing import BLACK, BLUE, ORANGE, THEIRS
from .._reproduction import Comparison, Reproduction, chosen, stated, unstated


@dataclass(frozen=True)
class Config:
    alpha: float = stated(1.0)
    start: float = stated(-2.5)
    target: float = stated(2.5)
    curvature: float = unstated(1.0, "of the loss around the target; it scales the time of all three alike")
    gammas: tuple[float, ...] = chosen((1e-2, 1e-4, 1e-8), "starts of m⊙w close to balance")
    end: float = chosen(3.0, "the last time")
    points: int = chosen(121)


def compute(config: Config) -> dict[str, np.ndarray]:
    problem = ht.LinearRegression([[np.sqrt(config.curvature)]], [np.sqrt(config.curvature) * config.target])
    ts, start, half = np.linspace(0, config.end, config.points), [config.start], np.sqrt(abs(config.start))
    geometries = {"GD": ht.Euclidean(), "HAM": ht.HAM(config.alpha)}
    found = {name: ht.solve_flow(problem, geo, start, ts=ts).thetas[:, 0] for name, geo in geometries.items()}
    found["m*w"] = ht.product_flow(problem, [half], [np.sign(config.start) * half], ts=ts).thetas[:, 0]
    crossing = lambda geo: ht.signs.flip_times(ht.solve_flow(problem, geo, start))[0]  # noqa: E731
    geometries |= {f"gamma {gamma:g}": ht.Hypentropy(gamma) for gamma in config.gammas}
    passage = [
        ht.signs.first_passage_time(geo, abs(config.start), config.target) / config.curvature
        for geo in geometries.values()
    ]
    grid = np.linspace(-3, 3, 241)
    return found | {
        "ts": ts,
        "crossing": np.array([crossing(geo) for geo in geometries.values()]),
        "passage": np.array(passage),
        "grid": grid,
        "metric": np.stack([np.ones_like(grid), ht.HAM(config.alpha).inverse_metric(grid), np.abs(grid)]),
    }


def compare(config: Config, numbers) -> list[Comparison]:
    gd, ham, *product = numbers["crossing"]
    slope = np.polyfit(np.log(1 / np.array(config.gammas)), product, 1)[0]
    return [
        Comparison(
            says="time of HAM to zero, over that of gradient descent",
            theirs="sooner",
            origin="claim",
            ours=float(ham / gd),
            high=1.0,
        ),
        Comparison(
            says="the largest θ that balanced m⊙w reaches",
            theirs="never above zero",
            origin="claim",
            ours=float(numbers["m*w"].max()),
            high=0.0,
        ),
        Comparison(
            says="crossing times of the flows, relative to ∫dθ/(g⁻¹|∇f|) with the metrics drawn: worst error",
            theirs="g⁻¹ = 1, 1 + |θ|, |θ|",
            origin="figure",
            ours=float(np.max(np.abs(numbers["crossing"] / numbers["passage"] - 1))),
            high=1e-3,
            tolerance="the integrator's 1e-8, with room",
        ),
        Comparison(
            says="growth of the crossing time of m⊙w per ln(1/γ), times 2y",
            theirs="it does not cross at γ = 0",
            origin="claim",
            ours=float(slope * 2 * config.target * config.curvature),
            low=0.95,
            high=1.05,
            tolerance="the law ln(1/γ)/2y, and what is left of it at γ = 0.01",
        ),
    ]


def draw(figure, config: Config, numbers) -> None:
    left, right = figure.subplots(1, 2)
    names = ("GD", "HAM", "m*w")
    for name, metric, colour in zip(names, numbers["metric"], (BLACK, BLUE, ORANGE), strict=True):
        left.plot(numbers["grid"], metric, color=colour)
        label = {"GD": "gradient descent", "HAM": f"HAM, $\\alpha$ = {config.alpha:g}", "m*w": "$m\\odot w$, balanced"}
        right.plot(numbers["ts"], numbers[name], color=colour, label=label[name])
    right.axhline(0, **THEIRS)
    left.set(xlabel="$\\theta$", ylabel="inverse metric $g^{-1}(\\theta)$")
    right.set(xlabel="time", ylabel="$\\theta$")
    right.legend(loc="lower right", bbox_to_anchor=(1, 0.06))


CONFIG = Config()
REPRODUCTION = Reproduction(
    name="ham-crossing",
    source="jacobs2026ham",
    place="Figure 1",
    title="HAM moves through zero, balanced m⊙w does not",
    claim="From a wrong sign HAM crosses zero, sooner than gradient descent; m⊙w from a balanced start stays on its "
    "side.",
    config=CONFIG,
    smoke=replace(CONFIG, points=13),
    full=CONFIG,
    compute=compute,
    compare=compare,
    draw=draw,
    caption="Left: the inverse metrics. Right: their flows from θ = −2.5 to the target 2.5 of a quadratic loss; "
    "dashed: zero.",
)
