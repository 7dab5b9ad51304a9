"""What high dimension predicts, against limits of random problems: errors over geometries, δ, σ and laws of θ*.

X has independent entries of variance 1, `y = Xθ* + √n σξ`, the entries of θ* are drawn from a law, with random signs;
`hamtheory.asymptotics.predict` says what the limits from zero then tend to. Each family is drawn along ℓ, the logarithm
of its sparsity: ln α for HAM, ln(2/γ) for m⊙w, −3 ln a for the network u³ − v³ from u = v = a, ln √a for 1 + aθ².

At one δ, limits of growing problems: the deviation of one problem is noise of the order 1/√n, whatever the law of the
entries of X, as long as they are independent. Of columns that are correlated the limits tend elsewhere.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tqdm
import xarray as xr
from scipy.signal import lfilter
from scipy.stats import norm

import hamtheory as ht

from . import store

# The sizes of entries, and their weights: two sizes and many zeros, one size, and a normal law.
LAWS: dict[str, Any] = {
    "spikes": ([0.0, 1.0], [0.9, 0.1]),
    "two sizes": ([0.0, 0.3, 2.0], [0.6, 0.3, 0.1]),
    "normal": norm.pdf,
}
FAMILIES: dict[str, Callable] = {
    "HAM": lambda log: ht.HAM(log_alpha=log),
    "m*w": lambda log: ht.Hypentropy(log_gamma=np.log(2) - log),
    "depth 3": lambda log: ht.DiagonalNetwork(3, log_scale=-log / 3),
    "formula": lambda log: ht.symbolic.geometry("1 + a*theta**2", a=np.exp(2 * log)),
}


@dataclasses.dataclass(frozen=True)
class Config:
    """Problems of d columns and δd rows: `draws` a law, δ and σ, and limits of each family at its values of ℓ.

    `curves` = (first, last, count) of ℓ of the predicted ones. Errors below `floor`, the tolerance of limits, are 0.
    The *size*: one family at ℓ = `log`, δ = `delta`, noise `sigma`, `rows` growing, fewer draws the larger they are,
    with independent entries and with columns of the correlation `correlation` between neighbours. The *best* α: a map
    over δ and σ, and `searched` (δ, σ), with limits along a grid of ln α of this many draws.
    """

    d: int = 800
    deltas: tuple[float, ...] = (0.2, 0.5, 0.7, 0.9)
    sigmas: tuple[float, ...] = (0.0, 0.3, 1.0)
    draws: int = 24
    hams: tuple[float, ...] = (-4.6, 0.0, 2.3, 4.6, 9.2, 200.0)
    mws: tuple[float, ...] = (-2.0, 2.0, 7.6, 16.0)
    networks: tuple[float, ...] = (0.0, 3.6, 6.9)
    formulas: tuple[float, ...] = (0.55,)
    curves: tuple[float, float, int] = (-5.0, 20.0, 51)
    floor: float = 1e-7
    log: float = 2.3
    delta: float = 0.5
    sigma: float = 0.3
    rows: tuple[int, ...] = (100, 200, 400, 800, 2000)
    problems: int = 8000
    correlation: float = 0.5
    map_deltas: tuple[float, float, int] = (0.1, 0.9, 17)
    map_sigmas: tuple[float, float, int] = (0.05, 1.0, 14)
    searched: tuple[tuple[float, float], ...] = ((0.3, 0.1), (0.5, 0.2), (0.5, 0.4), (0.8, 0.3))
    grid: tuple[float, float, int] = (-4.0, 20.0, 49)
    search_draws: int = 20
    tol: float = 1e-8
    seed: int = 0

    @classmethod
    def quick(cls) -> "Config":
        return cls(
            d=240,
            deltas=(0.2, 0.5, 0.9),
            draws=10,
            rows=(50, 100, 200),
            problems=1600,
            map_deltas=(0.1, 0.9, 9),
            map_sigmas=(0.05, 1.0, 8),
            searched=((0.5, 0.2), (0.5, 0.4)),
            search_draws=10,
        )

    @classmethod
    def smoke(cls) -> "Config":
        return cls(
            d=60,
            deltas=(0.5, 0.9),
            sigmas=(0.0, 0.3),
            draws=8,
            curves=(-5.0, 20.0, 6),
            rows=(25, 50, 100),
            problems=1600,
            map_deltas=(0.2, 0.8, 3),
            map_sigmas=(0.1, 0.9, 3),
            searched=((0.5, 0.4),),
            grid=(-4.0, 20.0, 13),
            search_draws=4,
        )


def settings(config: Config) -> list[tuple[str, float]]:
    """The families with their ℓ."""
    logs = (config.hams, config.mws, config.networks, config.formulas)
    return [(family, log) for family, own in zip(FAMILIES, logs, strict=True) for log in own]


def entries(law: str, d: int, rng: np.random.Generator) -> np.ndarray:
    """θ*."""
    if callable(LAWS[law]):
        return rng.standard_normal(d)
    sizes, weights = LAWS[law]
    return np.asarray(rng.choice(sizes, d, p=weights)) * rng.choice([-1.0, 1.0], d)


def columns(kind: str, n: int, d: int, correlation: float, rng: np.random.Generator) -> np.ndarray:
    """X."""
    if kind == "Rademacher":
        return rng.choice([-1.0, 1.0], (n, d))
    X = rng.standard_normal((n, d))
    if kind == "correlated":
        X[:, 1:] *= np.sqrt(1 - correlation**2)
        return np.asarray(lfilter([1.0], [1.0, -correlation], X, axis=1))
    return X


def problem(law: str, kind: str, n: int, d: int, sigma: float, config: Config, seed: list[int]) -> ht.LinearRegression:
    """One of the random problems."""
    rng = np.random.default_rng([config.seed, *seed])
    X, truth = columns(kind, n, d, config.correlation, rng), entries(law, d, rng)
    return ht.LinearRegression(X, X @ truth + np.sqrt(n) * sigma * rng.standard_normal(n), truth)


def limits(one: ht.LinearRegression, family: str, logs: Sequence[float], tol: float):
    """The mean square errors along ℓ, the residuals and the status."""
    if family in ("HAM", "m*w"):
        own = np.array(logs) if family == "HAM" else np.log(2) - np.array(logs)
        path = ht.limit_path(one, ht.HAM if family == "HAM" else ht.Hypentropy, own, tol=tol, throw=False)
        return np.mean(np.square(path.thetas - one.theta_star), axis=1), path.residual, path.result
    ends = [ht.solve_limit(one, FAMILIES[family](log), tol=tol, throw=False) for log in logs]
    numbers = [(np.mean(np.square(end.theta - one.theta_star)), end.residual, int(end.result)) for end in ends]
    return tuple(np.array(column) for column in zip(*numbers, strict=True))


def _compared(config: Config):
    """Errors, residuals and status of all limits, (law, delta, sigma, draw, setting), and the predicted errors."""
    made = settings(config)
    shape = (len(LAWS), len(config.deltas), len(config.sigmas), config.draws, len(made))
    mse, residual, status = np.empty(shape), np.empty(shape), np.empty(shape, np.int8)
    predicted = np.empty((*shape[:3], shape[4]))
    own = {family: [i for i, (name, _) in enumerate(made) if name == family] for family in FAMILIES}
    cases = list(np.ndindex(shape[:4]))
    for case in tqdm.tqdm(cases, desc="prediction", leave=False, delay=2):
        law, delta, sigma = list(LAWS)[case[0]], config.deltas[case[1]], config.sigmas[case[2]]
        one = problem(law, "Gaussian", round(delta * config.d), config.d, sigma, config, [0, *case])
        for family, places in own.items():
            at = (*case, places)
            mse[at], residual[at], status[at] = limits(one, family, [made[i][1] for i in places], config.tol)
    for k, law in enumerate(LAWS):
        for i, (family, log) in enumerate(made):
            given = {"delta": np.array(config.deltas)[:, None], "sigma": np.array(config.sigmas), "prior": LAWS[law]}
            predicted[k, :, :, i] = ht.asymptotics.predict(FAMILIES[family](log), **given).mse
    return mse, residual, status, predicted


def _curves(config: Config) -> np.ndarray:
    """The predicted errors of spikes along ℓ, (family, delta, sigma, place); those of the first three families."""
    logs, given = np.linspace(*config.curves), {"prior": LAWS["spikes"]}
    found = np.empty((3, len(config.deltas), len(config.sigmas), logs.size))
    for f, family in enumerate(list(FAMILIES)[:3]):
        for i, j in np.ndindex(found.shape[1:3]):
            made = FAMILIES[family](logs)
            found[f, i, j] = ht.asymptotics.predict(made, delta=config.deltas[i], sigma=config.sigmas[j], **given).mse
    return found


def _growing(config: Config):
    """Mean and deviation of the mean square error over its prediction, (kind, size), with the number of problems."""
    kinds, sizes = ("Gaussian", "Rademacher", "correlated"), config.rows
    geo = ht.HAM(log_alpha=config.log)
    expected = ht.asymptotics.predict(geo, delta=config.delta, sigma=config.sigma, prior=LAWS["spikes"]).mse
    count = np.array([max(config.problems // n, 4) for n in sizes])
    mean, spread = np.empty((len(kinds), len(sizes))), np.empty((len(kinds), len(sizes)))
    status = np.zeros((len(kinds), len(sizes)), np.int8)
    for (k, kind), (s, n) in tqdm.tqdm(
        [(kind, size) for kind in enumerate(kinds) for size in enumerate(sizes)], desc="sizes", leave=False, delay=2
    ):
        found = []
        for i in range(count[s]):
            one = problem("spikes", kind, n, round(n / config.delta), config.sigma, config, [1, k, n, i])
            end = ht.solve_limit(one, geo, tol=config.tol, throw=False)
            found.append(np.mean(np.square(end.theta - one.theta_star)) / expected)
            status[k, s] = max(status[k, s], int(end.result))
        mean[k, s], spread[k, s] = np.mean(found), np.std(found, ddof=1)
    return kinds, count, mean, spread, status


def _best(delta: float, sigma: float) -> float:
    """ln of the predicted best α for spikes, infinite at the L1 end."""
    return float(np.mean(ht.asymptotics.best_parameter(ht.HAM, delta=delta, sigma=sigma, prior=LAWS["spikes"]).bracket))


def _searched(config: Config) -> np.ndarray:
    """By how much the mean error at the predicted best α exceeds the least one along the grid, one a case."""
    grid, excess = np.linspace(*config.grid), np.empty(len(config.searched))
    for c, (delta, sigma) in enumerate(config.searched):
        made = [
            problem("spikes", "Gaussian", round(delta * config.d), config.d, sigma, config, [2, c, i])
            for i in range(config.search_draws)
        ]
        mse = np.mean(
            [limits(one, "HAM", (*grid, np.clip(_best(delta, sigma), *grid[[0, -1]])), config.tol)[0] for one in made],
            axis=0,
        )
        excess[c] = mse[-1] / mse.min() - 1
    return excess


def run(config: Config) -> xr.Dataset:
    """Errors of limits and their predictions; limits of growing problems; the best α."""
    made, floor = settings(config), config.floor**2
    mse, residual, status, predicted = _compared(config)
    mean = np.mean(mse, axis=3)
    error = np.std(mse, axis=3, ddof=1) / np.sqrt(config.draws)
    zero = (mean <= floor) & (predicted <= floor)
    score = np.where(zero, 0.0, (mean - predicted) / np.where(zero, 1.0, error))
    kinds, count, size_mean, spread, size_status = _growing(config)
    deltas, sigmas = np.linspace(*config.map_deltas), np.geomspace(*config.map_sigmas)
    best = np.array([[_best(delta, sigma) for sigma in sigmas] for delta in deltas])
    dims, means = ("law", "delta", "sigma", "draw", "setting"), ("law", "delta", "sigma", "setting")
    return xr.Dataset(
        {
            "mse": store.variable(dims, mse, "mean square error of a coordinate of the limit"),
            "residual": store.variable(dims, residual, "relative residual"),
            "status": store.status(dims, status),
            "predicted": store.variable(means, predicted, "its prediction"),
            "standard_error": store.variable(means, error, "standard error of the mean over draws"),
            "score": store.variable(means, score, "mean over draws minus prediction, in standard errors"),
            "curve": store.variable(
                ("family", "delta", "sigma", "place"), _curves(config), "predicted mean square error"
            ),
            "size_mean": store.variable(("kind", "rows"), size_mean, "mean of the error over its prediction"),
            "size_spread": store.variable(("kind", "rows"), spread, "its standard deviation from problem to problem"),
            "size_problems": store.variable("rows", count, "problems"),
            "size_status": store.status(("kind", "rows"), size_status),
            "best_log": store.variable(("map_delta", "map_sigma"), best, "ln of the predicted best alpha"),
            "excess": store.variable(
                "case", _searched(config), "error at the predicted best alpha over the least, minus 1"
            ),
        },
        coords={
            "law": list(LAWS),
            "delta": store.variable("delta", config.deltas, "rows over columns"),
            "sigma": store.variable("sigma", config.sigmas, "noise"),
            "setting": [f"{family} {log:g}" for family, log in made],
            "setting_family": ("setting", [family for family, _ in made]),
            "setting_log": store.variable("setting", [log for _, log in made], "ln of the sparsity"),
            "family": list(FAMILIES)[:3],
            "place": store.variable("place", np.linspace(*config.curves), "ln of the sparsity"),
            "kind": list(kinds),
            "rows": store.variable("rows", config.rows, "rows"),
            "map_delta": store.variable("map_delta", deltas, "rows over columns"),
            "map_sigma": store.variable("map_sigma", sigmas, "noise"),
            "case": [f"{delta:g} {sigma:g}" for delta, sigma in config.searched],
        },
    )
