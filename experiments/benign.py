"""Benign overfitting: the error of interpolators of noisy data against d/n, of both ends and of mixtures of them.

Rows of X are standard normal, `y = Xθ* + √n σξ`, k entries of θ* are ±a and the others 0. Per variance of the noise,
nσ², everything is a function of d/n, k/n and the signal `S = ‖θ*‖²/(nσ²)`: the *error*, ‖θ − θ*‖²/(nσ²), is what a new
row is predicted worse than by θ*, and S the error of θ = 0. The theory is `hamtheory.asymptotics`, for σ = 1.

Interpolators: of least L2 and of least L1 norm, the limits of HAM and of m⊙w at the best parameter, and those of
`SquaresAndLinear`, the sum of a product and of a linear weight. Estimators that need not interpolate: ridge and lasso
at the best weight decay.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tqdm
import xarray as xr

import hamtheory as ht
from hamtheory.geometry import AbstractGeometry, namespace

from . import store

INTERPOLATORS = ("L2", "L1", "HAM", "m*w", "squares")
TUNED = ("ridge", "lasso")
_END = 1e5  # of ln α: the L1 end
_ROUNDS = 2
_STEPS = 8
_SHARP = 50.0  # L, for squares that start at some e^(−25): near its limit, and smooth enough for its predictions


class SquaresAndLinear(AbstractGeometry):
    """Gradient descent on θ = w² − u² + λv from w = u = a, v = 0: `(R*)′(μ) = μ + M e^(−L) sinh(Lμ/M)`, for λ = 1.

    Below M it is that of the L2 norm, beyond it that of the L1 norm: as L → ∞, a → 0, R is Huber's function.

    Args:
        kink: M.
        sharpness: L.
    """

    kink: Any
    sharpness: float

    def _squares(self, mu):
        """θ − μ, and its derivative."""
        xp, z, size = namespace(mu), self.sharpness * mu / self.kink, np.exp(-self.sharpness)
        return self.kink * size * xp.sinh(z), self.sharpness * size * xp.cosh(z)

    def inverse_mirror_map(self, mu):
        return mu + self._squares(mu)[0]

    def mirror_map(self, theta):
        """By Newton's method: θ(μ) is convex for μ > 0, and the start above and near."""
        xp, size = namespace(theta), abs(theta)
        mu = xp.sign(theta) * xp.minimum(size, self.kink * (1 + xp.log1p(2 * size / self.kink) / self.sharpness))
        for _ in range(_STEPS):
            squares, slope = self._squares(mu)
            mu = mu - (mu + squares - theta) / (1 + slope)
        return mu

    def inverse_metric(self, theta):
        return 1 + self._squares(self.mirror_map(theta))[1]

    def conjugate(self, mu):
        half = namespace(mu).sinh(self.sharpness * mu / self.kink / 2)
        return mu**2 / 2 + 2 * np.exp(-self.sharpness) * (self.kink * half) ** 2 / self.sharpness

    def potential(self, theta):
        mu = self.mirror_map(theta)
        return mu * theta - self.conjugate(mu)


@dataclasses.dataclass(frozen=True)
class Config:
    """Problems of n rows, share n spikes (`share` = k/n), for each of the `signals` S and the ratios d/n.

    `curve` = (first, last, count) of the predicted ratios, in ratio; `path` of ln α, evenly, at `path_ratios` and the
    first signal. `ends`: ratios of basis pursuit alone, in ratio, at the shares `end_shares`; the law of its error is
    fitted within the `windows`. `map_shares`, `map_signals`, in ratio: HAM against both ends at `map_ratio`.
    """

    n: int = 150
    share: float = 0.02
    signals: tuple[float, ...] = (10.0, 1.0)
    ratios: tuple[float, ...] = (1.5, 2.0, 3.0, 5.0, 10.0, 30.0)
    draws: int = 12
    curve: tuple[float, float, int] = (1.3, 1000.0, 21)
    path: tuple[float, float, int] = (-4.0, 20.0, 49)
    path_ratios: tuple[float, ...] = (2.0, 5.0, 30.0)
    path_dots: tuple[float, ...] = (-2.0, 1.0, 4.0, 7.0, 10.0, 14.0)
    ends: tuple[float, float, int] = (10.0, 1e8, 15)
    end_shares: tuple[float, ...] = (1e-8, 0.002, 0.02)
    end_signal: float = 10.0
    windows: tuple[tuple[float, float], ...] = ((1e2, 1e4), (1e4, 1e6), (1e6, 1e8))
    map_ratio: float = 10.0
    map_shares: tuple[float, float, int] = (0.003, 3.0, 13)
    map_signals: tuple[float, float, int] = (0.1, 1e4, 13)
    tol: float = 1e-8
    seed: int = 0

    @classmethod
    def quick(cls) -> "Config":
        return cls(
            n=100,
            draws=6,
            curve=(1.3, 1000.0, 8),
            path=(-4.0, 20.0, 25),
            map_shares=(0.003, 3.0, 7),
            map_signals=(0.1, 1e4, 7),
        )

    @classmethod
    def smoke(cls) -> "Config":
        return cls(
            n=50,
            ratios=(2.0, 10.0),
            path_ratios=(2.0, 10.0),
            draws=4,
            curve=(1.3, 1000.0, 3),
            path=(-4.0, 20.0, 9),
            path_dots=(1.0, 7.0),
            map_shares=(0.003, 3.0, 3),
            map_signals=(0.1, 1e4, 3),
        )


def law(ratio: float, share: float, signal: float) -> dict[str, Any]:
    """The arguments of `predict` for σ = 1."""
    prior = ([0.0, (signal / share) ** 0.5], [1 - share / ratio, share / ratio])
    return {"delta": 1 / ratio, "sigma": 1.0, "prior": prior}


def predicted(geo: AbstractGeometry, ratio: float, share: float, signal: float, **more: Any) -> np.ndarray:
    """The predicted errors."""
    return ratio * np.asarray(ht.asymptotics.predict(geo, **law(ratio, share, signal), **more).mse)


def least(error: Callable[[np.ndarray], np.ndarray], first: float, last: float, count: int) -> tuple[float, float]:
    """The place of the least error of a grid and of finer ones, and the error there."""
    grid = np.linspace(first, last, count)
    found = error(grid)
    for _ in range(_ROUNDS):
        i = int(np.clip(np.argmin(found), 1, grid.size - 2))
        grid = np.linspace(grid[i - 1], grid[i + 1], 7)
        found = error(grid)
    return float(grid[np.argmin(found)]), float(found.min())


def member(name: str, place: Any) -> AbstractGeometry:
    """The geometry of an interpolator with a parameter: ln α, ln(2/γ) or ln M."""
    if name == "squares":
        return SquaresAndLinear(np.exp(place), _SHARP)
    return ht.HAM(log_alpha=place) if name == "HAM" else ht.Hypentropy(log_gamma=np.log(2) - place)


def best(name: str, ratio: float, share: float, signal: float) -> tuple[float, float]:
    """The predicted place and error of the best member of a family; the L1 end, if that is better."""
    at = (ratio, share, signal)
    if name in ("L2", "L1"):
        geo = ht.Euclidean() if name == "L2" else ht.HAM(log_alpha=_END)
        return np.nan, float(predicted(geo, *at))
    if name in TUNED:
        geo = ht.Euclidean() if name == "ridge" else ht.Hypentropy(gamma=1.0)
        return least(lambda logs: predicted(geo, *at, weight_decay=np.exp(logs), tol=1e-6), -9.0, 9.0, 13)
    first, last = (-8.0, 4.0) if name == "squares" else (-8.0, 40.0)
    place, error = least(lambda logs: predicted(member(name, logs), *at, tol=1e-6), first, last, 17)
    end = best("L1", *at)[1]
    return (place, error) if name == "squares" or error < end else (_END, end)


def problem(ratio: float, signal: float, config: Config, seed: list[int]) -> ht.LinearRegression:
    """One of the random problems, σ = 1."""
    rng, n, k = np.random.default_rng([config.seed, *seed]), config.n, max(round(config.share * config.n), 1)
    X, truth = rng.standard_normal((n, round(ratio * n))), np.zeros(round(ratio * n))
    truth[:k] = rng.choice([-1.0, 1.0], k) * np.sqrt(signal * n / k)
    return ht.LinearRegression(X, X @ truth + np.sqrt(n) * rng.standard_normal(n), truth)


def _error(one: ht.LinearRegression, theta: np.ndarray) -> float:
    return float(np.sum(np.square(theta - one.theta_star)) / one.n)


def _limit(one: ht.LinearRegression, name: str, place: float, tol: float) -> tuple[float, float, int]:
    """The error of the limit, its residual (of an estimator that does not interpolate, 0) and status."""
    if name == "L2":
        theta = ht.min_norm(one)
        return _error(one, theta), float(ht.metrics.relative_residual(one, theta)), 0
    if name in TUNED:
        geo, decay = ht.Euclidean() if name == "ridge" else ht.Hypentropy(gamma=1.0), np.exp(place)
        end = ht.solve_limit(one, geo, weight_decay=decay, tol=tol, throw=False)
        return _error(one, end.theta), 0.0, int(end.result)
    geo = ht.HAM(log_alpha=_END) if name == "L1" else member(name, place)
    end = ht.solve_limit(one, geo, tol=tol, throw=False)
    return _error(one, end.theta), float(end.residual), int(end.result)


def _measured(config: Config, places: np.ndarray):
    """Errors, residuals and status of all estimators, (signal, ratio, draw, estimator), and of paths of HAM."""
    names, shape = (*INTERPOLATORS, *TUNED), (len(config.signals), len(config.ratios), config.draws)
    error, residual, status = (np.zeros((*shape, len(names)), kind) for kind in (float, float, np.int8))
    along = np.empty((len(config.path_ratios), config.draws, len(config.path_dots)))
    ended = np.zeros(along.shape, np.int8)
    cases = list(np.ndindex(shape))
    for s, r, i in tqdm.tqdm(cases, desc="benign", leave=False, delay=2):
        ratio = config.ratios[r]
        one = problem(ratio, config.signals[s], config, [s, r, i])
        for m, name in enumerate(names):
            error[s, r, i, m], residual[s, r, i, m], status[s, r, i, m] = _limit(one, name, places[s, r, m], config.tol)
        if s == 0 and ratio in config.path_ratios:
            at = config.path_ratios.index(ratio), i
            path = ht.limit_path(one, ht.HAM, config.path_dots, tol=config.tol, throw=False)
            along[at] = [_error(one, theta) for theta in path.thetas]
            ended[at] = path.result
    return error, residual, status, along, ended


def _bests(config: Config, ratios: Sequence[float], names: Sequence[str]) -> np.ndarray:
    """The best places and their predicted errors, (place and error, signal, ratio, estimator)."""
    found = [[[best(name, r, config.share, s) for name in names] for r in ratios] for s in config.signals]
    return np.moveaxis(np.array(found), -1, 0)


def _gain(config: Config, shares: np.ndarray, signals: np.ndarray) -> np.ndarray:
    """Predicted errors at `map_ratio`: (share, signal, of L2, L1 and HAM)."""
    at = config.map_ratio
    return np.array([[[best(name, at, k, s)[1] for name in INTERPOLATORS[:3]] for s in signals] for k in shares])


def fit(ratios: np.ndarray, errors: np.ndarray, first: float, last: float) -> tuple[float, float, float]:
    """c and b of the law `c/(ln(d/n) + b)` for the errors between two ratios, and the largest relative deviation."""
    inside = (ratios >= first * (1 - 1e-9)) & (ratios <= last * (1 + 1e-9))
    logs, errors = np.log(ratios[inside]), errors[inside]
    slope, offset = np.polyfit(logs, 1 / errors, 1)
    return 1 / slope, offset / slope, float(np.max(np.abs(1 / (slope * logs + offset) / errors - 1)))


def run(config: Config) -> xr.Dataset:
    """Errors against d/n, along ln α, of basis pursuit alone, and where mixtures gain."""
    ratios, logs, names = np.geomspace(*config.curve), np.linspace(*config.path), (*INTERPOLATORS, *TUNED)
    places, dots = _bests(config, config.ratios, names)
    _, curve = _bests(config, ratios.tolist(), names)
    error, residual, status, along, ended = _measured(config, places)
    pursuit, ends = ht.HAM(log_alpha=_END), np.geomspace(*config.ends)
    at = [(r, config.share, config.signals[0]) for r in config.path_ratios]
    path = [predicted(ht.HAM(log_alpha=logs), *one) for one in at]
    sides = [[predicted(geo, *one) for geo in (ht.Euclidean(), pursuit)] for one in at]
    alone = np.array([[predicted(pursuit, r, k, config.end_signal) for r in ends] for k in config.end_shares])
    fits = [[fit(ends, row, *window) for window in config.windows] for row in alone]
    shares, signals = np.geomspace(*config.map_shares), np.geomspace(*config.map_signals)
    every, mean, of_path = ("signal", "ratio", "draw", "estimator"), ("signal", "ratio", "estimator"), ("path_ratio",)
    return xr.Dataset(
        {
            "error": store.variable(every, error, "excess test error over the variance of the noise"),
            "residual": store.variable(every, residual, "relative residual of the interpolators"),
            "status": store.status(every, status),
            "predicted": store.variable(mean, dots, "predicted error"),
            "place": store.variable(mean, places, "the best ln of alpha, of 2/gamma, of M or of the weight decay"),
            "curve": store.variable(("signal", "curve_ratio", "estimator"), curve, "predicted error"),
            "path_error": store.variable((*of_path, "draw", "dot"), along, "error along ln alpha"),
            "path_status": store.status((*of_path, "draw", "dot"), ended),
            "path_curve": store.variable((*of_path, "log_alpha"), path, "predicted error along ln alpha"),
            "path_end": store.variable((*of_path, "end"), sides, "predicted error of both ends"),
            "pursuit": store.variable(("end_share", "end_ratio"), alone, "predicted error of basis pursuit"),
            "fit": store.variable(("end_share", "window", "number"), fits, "c, b of c/(ln(d/n) + b); deviation"),
            "gain": store.variable(
                ("map_share", "map_signal", "interpolator"), _gain(config, shares, signals), "predicted error"
            ),
        },
        coords={
            "signal": store.variable("signal", config.signals, "squared norm of the truth over variance of the noise"),
            "ratio": store.variable("ratio", config.ratios, "columns over rows"),
            "estimator": list(names),
            "interpolator": list(INTERPOLATORS[:3]),
            "curve_ratio": store.variable("curve_ratio", ratios, "columns over rows"),
            "path_ratio": store.variable("path_ratio", config.path_ratios, "columns over rows"),
            "log_alpha": store.variable("log_alpha", logs, "ln alpha"),
            "dot": store.variable("dot", config.path_dots, "ln alpha"),
            "end": list(INTERPOLATORS[:2]),
            "end_share": store.variable("end_share", config.end_shares, "spikes over rows"),
            "end_ratio": store.variable("end_ratio", ends, "columns over rows"),
            "window": [f"{first:g} to {last:g}" for first, last in config.windows],
            "number": ["constant", "offset", "deviation"],
            "map_share": store.variable("map_share", shares, "spikes over rows"),
            "map_signal": store.variable("map_signal", signals, "signal"),
        },
        attrs={"map_ratio": config.map_ratio, "share": config.share, "rows": config.n},
    )
