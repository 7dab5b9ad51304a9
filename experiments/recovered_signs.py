"""Signs of θ* recovered by the flows from starts that have them all wrong: how many, and when.

The start is `θ₀ᵢ = −s sign(θ*ᵢ)`, and ±s at random off the support; X is Gaussian, of n rows and d columns.

*At the limit*, a Bregman projection. For n, d, k → ∞ in proportion, by `ht.asymptotics.predict`: it is distributed
as the θ with `θ + λ(R′(θ) − R′(θ₀)) = θ* + τz`, z standard normal, where `n τ² = E‖θ − θ*‖²` and
`Σ E[1/(1 + λR″(θ))] = n`. So a sign comes right with the probability `Φ((1 − λR′(s))/τ)`. Of gradient descent
`λ = d/n − 1` and `τ² = (1 − n/d)‖θ₀ − θ*‖²/n`: it loses the signs from s = n/(d − n) on.

*No flip is needed to fit*, as long as the columns of X, times the signs of the start, lie in no half-space: then there
is an interpolator with these signs. By Wendel (1962) this has the probability `P(Binomial(d − 1, ½) ≥ n)`, a half at
n/d = ½. Where a flow pays for crossing zero, it stays there.

*On the way*. If XᵀX/n were the identity, entry i would move as in one dimension, from −s towards y = 1, and reach zero
at `ht.signs.first_passage_time`. The other entries add to its drive, 1 + s at first, a crosstalk of the standard
deviation `‖θ₀ − θ*‖/√n`.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from scipy.optimize import nnls
from scipy.stats import binom, norm

import hamtheory as ht

from . import store

_FLAT = 1e-12  # the α of gradient descent


@dataclasses.dataclass(frozen=True)
class Config:
    """Sparse regressions of d columns: `instances` a point, with starts of their own.

    The *map*: rows `ns` below d and spikes in these `proportions` to them. The *line*: k spikes and all of `ns`. The
    *scales*: k spikes, n rows, and all `alphas` and `gammas`, of which the map and the line take `few`. Starts of size
    `scale` where it does not vary. Wendel's probability is measured with `orthants` problems a point.
    """

    d: int = 50
    n: int = 20
    k: int = 3
    ns: tuple[int, ...] = (10, 15, 20, 25, 30, 40, 100, 400, 1600)
    proportions: tuple[float, ...] = (0.1, 0.2, 0.3, 0.5)
    scale: float = 0.3
    scales: tuple[float, ...] = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
    alphas: tuple[float, ...] = (1.0, 10.0, 100.0, 1000.0)
    gammas: tuple[float, ...] = (1.0, 0.1, 0.01, 0.001)
    few: tuple[str, ...] = ("GD", "HAM 10", "HAM 1000", "m*w 0.1", "m*w 0.001")
    instances: int = 12
    few_instances: int = 6
    orthants: int = 100
    places: int = 13
    tol: float = 1e-6
    seed: int = 0

    @classmethod
    def quick(cls) -> "Config":
        return cls(instances=6, few_instances=3)

    @classmethod
    def smoke(cls) -> "Config":
        return cls(
            d=20,
            n=8,
            k=2,
            ns=(4, 8, 12, 400),
            proportions=(0.25,),
            scales=(0.01, 0.3, 3.0),
            alphas=(10.0, 1000.0),
            gammas=(0.1, 0.001),
            instances=8,
            few_instances=3,
            orthants=60,
            places=5,
        )


def geometries(config: Config) -> dict[str, tuple[str, float]]:
    """The family and the parameter of each, by label. Gradient descent is HAM with an α of nothing."""
    hams = {f"HAM {alpha:g}": ("HAM", alpha) for alpha in config.alphas}
    return {"GD": ("HAM", _FLAT)} | hams | {f"m*w {gamma:g}": ("m*w", gamma) for gamma in config.gammas}


def _geometry(family: str, parameter):
    return ht.HAM(parameter) if family == "HAM" else ht.Hypentropy(parameter)


@dataclasses.dataclass(frozen=True)
class Case:
    """A flow: where it belongs, and what it is of."""

    part: str
    label: str
    n: int
    k: int
    scale: float
    instance: int


def cases_of(config: Config) -> list[Case]:
    """All flows."""
    made = []
    for label in config.few:
        for n in config.ns:
            made += [Case("line", label, n, config.k, config.scale, i) for i in range(config.instances)]
            for share in config.proportions if n < config.d else ():
                k = max(1, round(share * n))
                made += [Case("map", label, n, k, config.scale, i) for i in range(config.few_instances)]
    for label in geometries(config):
        for scale in config.scales:
            made += [Case("scales", label, config.n, config.k, scale, i) for i in range(config.instances)]
    return made


def square(problem: ht.LinearRegression) -> ht.LinearRegression:
    """A problem of d rows with the same loss, for a y that is Xθ: with rows of zeros, or the triangle of X's QR.

    So flows of any n are of one shape, and are compiled once.
    """
    X, y, (n, d) = np.asarray(problem.X), np.asarray(problem.y), problem.X.shape
    if n > d:
        Q, X = np.linalg.qr(X)
        y = Q.T @ y
    rows = min(n, d)
    X, y = np.vstack([X, np.zeros((d - rows, d))]), np.concatenate([y, np.zeros(d - rows)])
    return ht.LinearRegression(np.sqrt(d / n) * X, np.sqrt(d / n) * y)


def wrong_signs(config: Config, truth: np.ndarray, seed: int) -> np.ndarray:
    """The signs of a start."""
    rng = np.random.default_rng([config.seed, seed, 1])
    return np.where(truth == 0, rng.choice([-1.0, 1.0], truth.size), -np.sign(truth))


@functools.cache
def _problem(config: Config, n: int, k: int, instance: int) -> ht.LinearRegression:
    return ht.sparse_regression(n, config.d, k, seed=config.seed + instance)


def _solved(config: Config, cases: list[Case]) -> dict[str, np.ndarray]:
    """What comes of the flows."""
    keys = list(dict.fromkeys((case.n, case.k, case.instance) for case in cases))
    originals = [_problem(config, *key) for key in keys]
    problems, which = [square(p) for p in originals], np.array([keys.index((v.n, v.k, v.instance)) for v in cases])
    truths = np.stack([np.asarray(p.theta_star) for p in originals])
    signs = np.stack([wrong_signs(config, truth, key[2]) for truth, key in zip(truths, keys, strict=True)])
    theta0s = np.array([case.scale for case in cases])[:, None] * signs[which]
    families, parameters = (np.array(part) for part in zip(*(geometries(config)[v.label] for v in cases), strict=True))
    count, most = len(cases), max(case.k for case in cases)
    found: dict[str, np.ndarray] = {name: np.zeros(count) for name in MEANINGS}
    found |= {"status": np.zeros(count, int), "first": np.full((count, most), np.nan)}
    for family in np.unique(families):
        own = np.flatnonzero(families == family)
        truth = truths[which[own]]
        geometry = _geometry(str(family), jnp.asarray(parameters[own]))
        how = {"share": False, "tol": config.tol, "width": 64, "flips": True}
        ends = ht.solve_flows(problems, geometry, theta0s[own], which=which[own], **how)
        flips = ends.flips
        assert flips is not None
        found["status"][own] = ends.result
        found["recovered"][own] = np.asarray(ht.signs.agreement(flips.sign, truth))
        found["recovery_time"][own] = np.asarray(ht.signs.recovery_time(flips, truth))
        for name, values in (("gross", flips.gross), ("net", flips.net), ("flipped_back", flips.flipped_back)):
            found[name][own] = values.sum(axis=1)
        metric = np.asarray(jax.vmap(lambda geo, theta: geo.inverse_metric(theta))(geometry, jnp.asarray(ends.theta)))
        Xs = np.stack([np.asarray(problems[i].X) for i in which[own]])
        found["largest_rate"][own] = 2 * config.d / np.linalg.norm(Xs * np.sqrt(metric)[:, None, :], 2, (1, 2)) ** 2
        for i, case in enumerate(own):
            found["first"][case, : cases[case].k] = flips.first[i, truth[i] != 0]
    return found


MEANINGS = {
    "recovered": "fraction of the support of theta_star with its sign at the limit",
    "recovery_time": "time at which the last sign came right, infinite if never",
    "gross": "sign flips of all entries",
    "net": "entries that end with another sign than at first",
    "flipped_back": "entries that flipped and have their first sign again",
    "largest_rate": "largest stable learning rate at the limit",
}


def state_evolution(geo: ht.geometry.AbstractGeometry, n: float, d: float, k: float, scale: float) -> float:
    """The probability that a sign of the support is right at the limit; 1 from n = d on."""
    if n >= d:
        return 1.0
    prior, start = ([1.0, 0.0], [k / d, 1 - k / d]), [-scale, scale]  # off the support both signs are alike
    found = ht.asymptotics.predict(geo, delta=n / d, prior=prior, start=start, tol=1e-6)
    return float(norm.cdf((1 - found.kappa * geo.mirror_map(scale)) / found.tau))


def _theory(config: Config, label: str, n: float, scale: float) -> float:
    return state_evolution(_geometry(*geometries(config)[label]), n, config.d, config.k, scale)


def _orthants(config: Config, n: int) -> float:
    """Of so many problems and starts, the share that has an interpolator with the signs of the start."""
    rng, found = np.random.default_rng([config.seed, n]), 0
    for _ in range(config.orthants):
        X, truth = rng.standard_normal((n, config.d)), np.zeros(config.d)
        truth[: config.k] = 1
        signs = np.where(truth == 0, rng.choice([-1.0, 1.0], config.d), -1)
        found += nnls(X * signs, X @ truth)[1] <= 1e-8 * np.linalg.norm(X @ truth)
    return found / config.orthants


def run(config: Config) -> xr.Dataset:
    """Signs recovered, times, and what theory says of them."""
    cases = cases_of(config)
    found = _solved(config, cases)
    labels = list(geometries(config))
    passage = {}
    for label in labels:
        family, parameter = geometries(config)[label]
        for scale in {config.scale, *config.scales}:
            passage[label, scale] = float(ht.signs.first_passage_time(_geometry(family, parameter), scale, 1.0))
    crosstalk = [np.sqrt((v.k * (1 + v.scale) ** 2 + (config.d - v.k) * v.scale**2) / v.n) for v in cases]
    below = [n for n in config.ns if n < config.d]
    ends = np.full((2, len(below), len(config.proportions), config.few_instances), np.nan)
    for at in np.ndindex(ends.shape[1:]):
        problem = _problem(config, below[at[0]], max(1, round(config.proportions[at[1]] * below[at[0]])), at[2])
        for i, end in enumerate((ht.min_norm(square(problem)), ht.basis_pursuit(problem))):
            theta = np.where(np.abs(np.asarray(end)) > 1e-9, np.asarray(end), 0)
            ends[(i, *at)] = float(ht.signs.agreement(theta, np.asarray(problem.theta_star)))

    fine = np.geomspace(config.scales[0], config.scales[-1], config.places)
    rows = np.linspace(min(below), max(below), config.places)
    few, case = list(config.few), ("case",)
    data = {name: store.variable(case, found[name], meaning) for name, meaning in MEANINGS.items()}
    data |= {
        "first": store.variable(("case", "spike"), found["first"], "time of the first flip of each of the support"),
        "passage": store.variable(case, [passage[v.label, v.scale] for v in cases], "the same in one dimension"),
        "crosstalk": store.variable(case, np.array(crosstalk) / [1 + v.scale for v in cases], "crosstalk over drive"),
        "status": store.status(case, found["status"]),
        "scale_theory": store.variable(
            ("label", "fine_scale"),
            [[_theory(config, label, config.n, s) for s in fine] for label in few],
            "signs recovered by state evolution",
        ),
        "row_theory": store.variable(
            ("label", "rows"),
            [[_theory(config, label, n, config.scale) for n in rows] for label in few],
            "signs recovered by state evolution",
        ),
        "orthant": store.variable("below", [_orthants(config, n) for n in below], "share that no flip is needed for"),
        "wendel": store.variable("rows_of_wendel", binom.sf(np.arange(1, config.d), config.d - 1, 0.5), "by Wendel"),
        "ends": store.variable(
            ("end", "below", "proportion", "instance"), ends, "signs recovered by the ends of the families, from zero"
        ),
    }
    of = lambda name: [getattr(v, name) for v in cases]  # noqa: E731
    coords = {
        "part": ("case", of("part")),
        "geometry": ("case", of("label")),
        "n": store.variable(case, of("n"), "rows"),
        "k": store.variable(case, of("k"), "spikes"),
        "scale": store.variable(case, of("scale"), "size of the start"),
        "label": few,
        "fine_scale": store.variable("fine_scale", fine, "size of the start"),
        "rows": store.variable("rows", rows, "rows"),
        "below": store.variable("below", below, "rows"),
        "rows_of_wendel": store.variable("rows_of_wendel", 1 + np.arange(1, config.d), "rows"),
        "proportion": store.variable("proportion", list(config.proportions), "spikes over rows"),
        "end": ["minimum norm", "basis pursuit"],
    }
    return xr.Dataset(data, coords, attrs={"columns": config.d, "rows": config.n, "start": config.scale})
