"""Donoho, Maleki and Montanari 2009: the phase transition of least L1 norms."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.stats import norm

import hamtheory as ht

from .._drawing import BLUE, ORANGE, THEIRS
from .._reproduction import Comparison, Reproduction, chosen


@dataclass(frozen=True)
class Config:
    shares: tuple[float, ...] = chosen((0.003, 0.01, 0.03, 0.1, 0.2, 0.35, 0.5), "of entries that are not zero")
    deltas: tuple[float, ...] = chosen((0.25, 0.5, 0.75), "n/d of the draws")
    offsets: tuple[float, ...] = chosen((-0.12, -0.08, -0.04, 0.0, 0.04, 0.08, 0.12), "k/n less that of the curve")
    d: int = chosen(120)
    draws: int = chosen(12, "of each point")
    seed: int = chosen(0)


def curve(delta: float) -> float:
    """Theirs, of either sign: ρ(δ), the largest of (1 − (2/δ)T(z))/(1 + z² − 2T(z)), T = (1 + z²)Φ(−z) − zφ(z)."""

    def lost(z):
        tail = (1 + z**2) * norm.cdf(-z) - z * norm.pdf(z)
        return -(1 - 2 / delta * tail) / (1 + z**2 - 2 * tail)

    best: Any = minimize_scalar(lost, bounds=(0.0, 10.0), method="bounded", options={"xatol": 1e-10})
    return -float(best.fun)


def compute(config: Config) -> dict[str, np.ndarray]:
    geo = ht.HAM(log_alpha=1e5)
    delta = np.array([ht.asymptotics.transition(geo, ([0.0, 1.0], [1 - e, e])) for e in config.shares])
    rng, share = np.random.default_rng(config.seed), np.empty((len(config.deltas), len(config.offsets)))
    for i, j in np.ndindex(share.shape):
        n = round(config.deltas[i] * config.d)
        k = round((curve(config.deltas[i]) + config.offsets[j]) * n)
        problems = [ht.sparse_regression(n, config.d, k, seed=int(rng.integers(2**31))) for _ in range(config.draws)]
        off = [np.abs(ht.basis_pursuit(p) - p.theta_star).max() for p in problems]
        share[i, j] = np.mean(np.array(off) < 1e-6)
    return {
        "delta": delta,
        "rho": np.array(config.shares) / delta,
        "theirs": np.array([curve(x) for x in delta]),
        "share": share,
    }


def compare(config: Config, numbers) -> list[Comparison]:
    offsets = np.array(config.offsets)
    # Where the share of recoveries would fall to one half, of a step of the shape that was seen.
    half = [np.trapezoid(row, offsets) + offsets[0] for row in numbers["share"]]
    return [
        Comparison(
            says="the transition of limits of HAM at ln α = 10⁵, relative to their curve: worst error",
            theirs="ρ(δ) in closed form",
            origin="claim",
            ours=float(np.max(np.abs(numbers["rho"] / numbers["theirs"] - 1))),
            high=2e-3,
            tolerance="1e-4 of the finite α and 1e-3 of the level of recovery, magnified by the slope of ρ",
        ),
        Comparison(
            says="where half the draws are recovered, k/n less ρ(δ): largest",
            theirs="0",
            origin="claim",
            ours=float(np.max(np.abs(half))),
            high=0.04,
            tolerance="the width of the transition at this d, and the draws",
        ),
    ]


def draw(figure, config: Config, numbers) -> None:
    left, right = figure.subplots(1, 2)
    fine = np.linspace(0.02, 0.98, 97)
    left.plot(fine, [curve(x) for x in fine], **THEIRS, label="Donoho et al.")
    left.plot(numbers["delta"], numbers["rho"], "o", color=BLUE, label="limits, $\\ln\\alpha = 10^5$")
    left.set(xlabel="$\\delta = n/d$", ylabel="$\\rho = k/n$ at the transition")
    left.legend()
    for row, delta, style in zip(numbers["share"], config.deltas, ("-", "--", ":"), strict=False):
        right.plot(config.offsets, row, style, color=ORANGE, marker="o", label=f"$\\delta$ = {delta:g}")
    right.axvline(0, **THEIRS)
    right.set(xlabel="$k/n - \\rho(\\delta)$", ylabel=f"share recovered, $d$ = {config.d}")
    right.legend()


CONFIG = Config()
REPRODUCTION = Reproduction(
    name="donoho-transition",
    source="donoho2009message",
    place="Figure 1",
    title="The phase transition of least L1 norms",
    claim="A k-sparse vector is recovered from n Gaussian samples by least L1 norm up to k/n = ρ(n/d), a curve in "
    "closed form, and not beyond.",
    config=CONFIG,
    smoke=replace(CONFIG, shares=(0.1,), deltas=(0.5,), offsets=(-0.12, 0.0, 0.12), d=80, draws=4),
    full=replace(CONFIG, d=300, draws=40),
    compute=compute,
    compare=compare,
    draw=draw,
    caption="Left: the transition of limits at the L1 end as state evolution predicts it. Right: shares of random "
    "draws that basis pursuit recovers; dashed: theirs.",
)
