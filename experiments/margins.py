"""How slowly a flow comes to the largest margin, in the norm of its own horizon, on separable data.

With the best margin's weights λ, `g = max margin`, v = Aᵀλ/g and margins m = Aθ, weak duality splits what is missing:

    1 − min m/(g φ(θ)) = (1 − ⟨v, θ⟩/φ(θ)) + Σ λ_i (m_i − min m)/(g φ(θ)).

The weights of the flow, `e^(−m_i)` in parts, go to λ, so that the second part is `C/(−ln L)` in the end,
`C = Σ λ_i ln(max λ/λ_i)`. The first one, of the direction alone, is `Σ_j δ_j |θ_j|/φ(θ)` for ρ = 1, over the entries
that the best direction does not have, δ_j = 1 − |v_j|: of HAM and m⊙w it falls like `(−ln L)^(−δ)`, δ the least of
them, once `ln(−ln L)` is large against ln α and ln 1/γ; until then what the weights were at the start still counts.
For ρ > 1 it is of second order in the error of θ: that of gradient descent is 1/(−ln L), that of (1 + |θ|)^s the
constant that R′ ~ |θ|^(1−s) is off by, in parts.
"""

import dataclasses

import numpy as np
import tqdm
import xarray as xr
from scipy.stats import binomtest

import hamtheory as ht

from . import store
from ._cases import flow_coordinates, geometries


class Power(ht.geometry.AbstractGeometry):
    """`g⁻¹(θ) = (1 + |θ|)^s`, s < 1, whose horizon is the ℓ_ρ norm, ρ = 2 − s."""

    s: float

    def inverse_metric(self, theta):
        return (1 + abs(theta)) ** self.s

    def mirror_map(self, theta):
        xp = ht.geometry.namespace(theta)
        return xp.sign(theta) * xp.expm1((1 - self.s) * xp.log1p(abs(theta))) / (1 - self.s)

    def inverse_mirror_map(self, mu):
        xp = ht.geometry.namespace(mu)
        return xp.sign(mu) * xp.expm1(xp.log1p((1 - self.s) * abs(mu)) / (1 - self.s))


@dataclasses.dataclass(frozen=True)
class Config:
    """Gaussian samples in the classes that `sign⟨x, θ*⟩` says, where k of the d entries of θ* are ±1; flows from 0.

    `losses` = (first, last, a decade) of −ln L; `seen`: from where to where α is said to lower the margin.
    """

    shapes: tuple[tuple[int, int], ...] = ((15, 30), (10, 100), (40, 40))
    k: int = 3
    instances: int = 50
    alphas: tuple[float, ...] = (1.0, 100.0, 1e6)
    gammas: tuple[float, ...] = (1.0, 1e-6)
    powers: tuple[float, ...] = (0.5, 0.75)
    losses: tuple[float, float, int] = (1.0, 1e6, 10)
    table: tuple[float, ...] = (5.0, 30.0, 300.0, 3000.0)
    seen: tuple[float, float] = (5.0, 3000.0)
    rtol: float = 1e-6
    tol: float = 1e-9
    seed: int = 0

    @classmethod
    def quick(cls) -> "Config":
        return cls(instances=4)

    @classmethod
    def smoke(cls) -> "Config":
        return cls(shapes=((15, 30), (6, 12)), instances=2, losses=(1.0, 1e6, 5))


def flows(config: Config) -> dict[str, ht.geometry.AbstractGeometry]:
    """The geometries by label."""
    return geometries(config.alphas, config.gammas) | {f"power {s:g}": Power(s) for s in config.powers}


def problem(n: int, d: int, k: int, seed: int) -> ht.BinaryClassification:
    """Samples whose classes a sparse θ* tells apart."""
    drawn = ht.sparse_regression(n, d, k, seed=seed)
    return ht.BinaryClassification(drawn.X, np.sign(drawn.y))


def levels(config: Config) -> np.ndarray:
    """−ln L, increasing."""
    first, last, decade = config.losses
    count = round(decade * np.log10(last / first)) + 1
    return np.array(sorted({*np.geomspace(first, last, count).tolist(), *config.table}))


def share(problem, thetas: np.ndarray, best: ht.MarginResult, horizon: ht.geometry.Horizon) -> np.ndarray:
    """The margin over its best, both in the norm of `horizon`; of θ = 0 it is 0."""
    norms = horizon.gauge(thetas)
    margin = np.min(problem.margins(thetas), axis=-1)
    return margin / (best.margin * np.where(norms > 0, norms, 1))


def entropy(dual: np.ndarray) -> float:
    """`C = Σ λ_i ln(max λ/λ_i)`."""
    positive = dual[dual > 0]
    return float(np.sum(positive * np.log(positive.max() / positive)))


def case(problem, geo, sparse: ht.MarginResult, config: Config, at: np.ndarray) -> dict[str, float | np.ndarray]:
    """One flow, at the losses `at`: what its margin lacks, the parts of that, and what its certificate says of it."""
    flow = ht.solve_flow(problem, geo, log_loss=-at[-1], rtol=config.rtol, atol=config.rtol / 100, throw=False)
    best = ht.solve_margin(problem, geo, tol=config.tol, throw=False)
    reached = -flow.log_loss
    norms = np.maximum(flow.horizon.gauge(flow.thetas), np.finfo(float).tiny)
    margins = problem.margins(flow.thetas)
    uneven = (margins - margins.min(axis=-1, keepdims=True)) @ best.dual / (best.margin * norms)

    def along(values):
        """At the losses, from the steps of the flow: what falls like 1/(−ln L) is nearly linear if multiplied by it."""
        return np.interp(np.log(at), np.log(reached), reached * values) / at

    gap = 1 - share(problem, flow.thetas, best, flow.horizon)
    apart = gap < 1  # before, there is no margin to be bounded
    holds = np.all(flow.margin_gap[apart] >= gap[apart] - 2 * config.tol)
    code = int(best.result) or (0 if flow.result == ht.Result.reached_end else int(flow.result))
    return {
        "gap": along(gap),
        "uneven": along(uneven),
        "certificate": along(flow.margin_gap),
        "l1_share": 1 - along(1 - share(problem, flow.thetas, sparse, ht.geometry.Horizon(s=1))),
        "entropy": entropy(best.dual),
        "excess": float(np.max(uneven - gap)),
        "rho": float(flow.horizon.rho),
        "status": code if code or holds else ht.NAMES.index("stalled"),
    }


def run(config: Config) -> xr.Dataset:
    """Every flow on every instance, and how often the largest α has the smaller margin than the one before it."""
    cases, at = flows(config), levels(config)
    shapes = [f"{n} × {d}" for n, d in config.shapes]
    table = []
    for n, d in tqdm.tqdm(config.shapes, desc="shapes", leave=False, delay=2):
        for seed in config.seed + np.arange(config.instances):
            one = problem(n, d, config.k, int(seed))
            sparse = ht.solve_margin(one, rho=1.0, tol=config.tol, throw=False)
            table.append([case(one, geo, sparse, config, at) for geo in cases.values()])

    def collect(name):
        values = np.array([[numbers[name] for numbers in row] for row in table])
        return values.reshape(len(shapes), config.instances, len(cases), *values.shape[2:])

    gap = collect("gap")
    seen = (at >= config.seen[0]) & (at <= config.seen[1])
    before, last = (list(cases).index(f"HAM {alpha:g}") for alpha in config.alphas[-2:])
    lower = np.all((gap[:, :, last] > gap[:, :, before])[..., seen], axis=-1)
    counts = [binomtest(int(row.sum()), row.size) for row in lower]
    intervals = [(test.statistic, *test.proportion_ci(method="exact")) for test in counts]
    dims = ("shape", "instance", "flow")
    along = (*dims, "loss")
    return xr.Dataset(
        {
            "gap": store.variable(along, gap, "1 − margin over the largest one, in the norm of the horizon"),
            "uneven": store.variable(along, collect("uneven"), "the part of the gap from uneven margins"),
            "certificate": store.variable(along, collect("certificate"), "the bound on the gap that the flow proves"),
            "l1_share": store.variable(along, collect("l1_share"), "margin over the largest one, in the L1 norm"),
            "entropy": store.variable(dims, collect("entropy"), "Σ λ ln(max λ/λ) of the best margin's weights λ"),
            "excess": store.variable(dims, collect("excess"), "by how much the part exceeds the gap at most"),
            "lower": store.variable(
                dims[:2], lower, "whether the largest α has the smaller margin at all that is seen"
            ),
            "lower_share": store.variable(("shape", "bounds"), intervals, "share of such instances, 95 % interval"),
            "status": store.status(dims, collect("status")),
        },
        coords={
            "shape": shapes,
            "instance": config.seed + np.arange(config.instances),
            **flow_coordinates(list(cases)),
            "rho": store.variable("flow", collect("rho")[0, 0], "exponent of the norm of the horizon"),
            "loss": store.variable("loss", at, "−ln L"),
            "bounds": ["estimate", "low", "high"],
        },
        attrs={"seen": config.seen, "alphas": config.alphas[-2:]},
    )
