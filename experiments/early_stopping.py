"""Early stopping: the risk along the flow of noisy data, the best time, and what it is worth.

X has independent standard normal entries, y = Xθ* + sξ, θ* has k entries of ±1. Flows start from zero, and their time
is counted in R′(1), in which a slope of 1 takes a coordinate to 1: the *clock* of a flow, t/R′(1). The risk is
‖θ_t − θ*‖². A flow is stopped at the best time (the oracle), by the discrepancy principle, where ‖y − Xθ_t‖² = ns², or
at the time at which a flow on four fifths of the rows predicts the others best. Against it: its own limit, the best of
HAM's limits, lasso, ridge, and the proximal point of the potential, argmin f + R/t.
"""

import dataclasses
from typing import Any

import numpy as np
import tqdm
import xarray as xr
from sklearn.linear_model import lasso_path

import hamtheory as ht

from . import _stopping, store
from ._cases import flow_coordinates, geometries

PEERS = ("lasso", "lasso, held out", "lasso of theory", "ridge", "limit of the best α", "zero", "support")
ESTIMATES = ("HAM", "m*w", "lasso", "limit", "support")
FITTED = ESTIMATES[:3]


@dataclasses.dataclass(frozen=True)
class Config:
    """`draws` problems for each s of `noises`, and flows of all geometries on one grid of clocks.

    Lasso at the best of `strengths` penalties, over the largest |∇f(0)|; HAM's limits at the values `limits` of ln α.
    *Orthogonal* columns and *proximal* points have the noise `noise`, the first n columns, the second `points` times.
    The *rates*: that noise, and one of `rows`, `columns`, `spikes` another than the first. *Worst*:
    orthogonal columns, 10^e zeros to an entry, for α = 1/γ of `sizes` in units of the noise of a coordinate. The *map*
    of gradient descent over ridge: δ = n/d, and EΘ² over σ², the noise of a row over n.
    """

    n: int = 60
    d: int = 150
    k: int = 4
    noises: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0, 4.0)
    draws: int = 60
    alphas: tuple[float, ...] = (10.0, 1e3, 1e6)
    gammas: tuple[float, ...] = (1e-3, 1e-6)
    clocks: tuple[float, float, int] = (0.05, 15.0, 60)
    strengths: tuple[float, float, int] = (0.01, 1.0, 40)
    held: float = 0.2
    limits: tuple[float, float, int] = (-4.0, 20.0, 25)
    noise: float = 0.5
    orthogonal_draws: int = 60
    points: int = 16
    proximal_draws: int = 24
    rows: tuple[int, ...] = (200, 100, 140, 280, 400)
    columns: tuple[int, ...] = (300, 75, 150, 600, 1200)
    spikes: tuple[int, ...] = (4, 3, 6, 8)
    rate_draws: int = 24
    exponents: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7, 8)
    sizes: tuple[float, ...] = (1.0, 1e3, 1e6, 1e12)
    map_deltas: tuple[float, ...] = (0.2, 0.5, 1.0, 2.0, 5.0)
    map_powers: tuple[float, float, int] = (0.01, 100.0, 25)
    rtol: float = 1e-6
    seed: int = 0

    @classmethod
    def quick(cls) -> "Config":
        return cls(
            noises=(0.5, 1.0, 2.0, 4.0),
            draws=20,
            gammas=(1e-6,),
            clocks=(0.05, 15.0, 40),
            strengths=(0.02, 1.0, 24),
            orthogonal_draws=20,
            points=8,
            proximal_draws=10,
            rows=(200, 100, 400),
            columns=(300, 75, 900),
            spikes=(4, 3, 8),
            rate_draws=6,
            exponents=(1, 2, 4, 6, 8),
            map_deltas=(0.5, 1.0, 2.0),
            map_powers=(0.01, 100.0, 13),
        )

    @classmethod
    def smoke(cls) -> "Config":
        return cls(
            n=40,
            d=80,
            k=2,
            noises=(0.5, 4.0),
            draws=8,
            alphas=(10.0, 1e6),
            gammas=(1e-6,),
            clocks=(0.05, 15.0, 24),
            strengths=(0.02, 1.0, 12),
            orthogonal_draws=20,
            points=4,
            proximal_draws=4,
            rows=(100, 60),
            columns=(60, 120),
            spikes=(4, 6),
            rate_draws=6,
            exponents=(1, 4),
            sizes=(1.0, 1e6),
            map_deltas=(0.5, 2.0),
            map_powers=(0.1, 10.0, 3),
        )


def problem(n: int, d: int, k: int, noise: float, seed: list[int], *, orthogonal: bool = False) -> ht.LinearRegression:
    """One of the random problems; with orthogonal columns, XᵀX = nI."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    if orthogonal:
        X = np.sqrt(n) * np.linalg.qr(X)[0]
    truth = np.zeros(d)
    truth[rng.choice(d, k, replace=False)] = rng.choice([-1.0, 1.0], k)
    return ht.LinearRegression(X, X @ truth + noise * rng.standard_normal(n), truth)


def risks(one: ht.LinearRegression, thetas: np.ndarray) -> np.ndarray:
    """‖θ − θ*‖² of each."""
    return np.sum(np.square(thetas - one.theta_star), axis=-1)


def squares(one: ht.LinearRegression, thetas: np.ndarray) -> np.ndarray:
    """‖y − Xθ‖²/n of each."""
    return np.mean(np.square(thetas @ one.X.T - one.y), axis=-1)


def unit_of(geo: ht.geometry.AbstractGeometry) -> float:
    """R′(1): the time that the clock counts in."""
    return float(geo.mirror_map(1.0))


def flow(one: ht.LinearRegression, geo: ht.geometry.AbstractGeometry, clock: np.ndarray, rtol: float):
    """θ at all clocks, and the status."""
    found = ht.solve_flow(one.without_truth(), geo, ts=unit_of(geo) * clock, rtol=rtol, throw=False)
    return found.thetas, ended(found.result)


def ended(result: Any) -> int:
    """The status of a flow that was to go on to a time."""
    return 0 if result == ht.Result.reached_end else int(result)


def lasso(one: ht.LinearRegression, strengths: np.ndarray) -> np.ndarray:
    """argmin f + λ‖θ‖₁ for falling λ, by coordinate descent."""
    return lasso_path(one.X, one.y, alphas=strengths, tol=1e-6, max_iter=100_000)[1].T  # pyright: ignore


def ridge(one: ht.LinearRegression, strengths: np.ndarray) -> np.ndarray:
    """argmin f + β‖θ‖²/2 for each β."""
    left, singular, right = np.linalg.svd(one.X, full_matrices=False)
    return (singular / (singular**2 + one.n * strengths[:, None]) * (one.y @ left)) @ right


def supported(one: ht.LinearRegression) -> np.ndarray:
    """Least squares on the entries where θ* is not 0."""
    theta, on = np.zeros(one.d), one.theta_star != 0
    theta[on] = np.linalg.lstsq(one.X[:, on], one.y, rcond=None)[0]
    return theta


def split(one: ht.LinearRegression, share: float, seed: list[int]) -> tuple[ht.LinearRegression, ht.LinearRegression]:
    """The rows to fit, and those to validate."""
    rows = np.random.default_rng(seed).permutation(one.n)
    parts = rows[round(share * one.n) :], rows[: round(share * one.n)]
    fit, rest = (ht.LinearRegression(one.X[part], one.y[part], one.theta_star) for part in parts)
    return fit, rest


def others(one: ht.LinearRegression, noise: float, config: Config, seed: list[int]) -> np.ndarray:
    """The risks of `PEERS`."""
    largest = float(np.abs(one.gradient(np.zeros(one.d))).max())
    strengths = largest * np.geomspace(*config.strengths)[::-1]
    path = risks(one, lasso(one, strengths))
    fit, rest = split(one, config.held, seed)
    chosen = int(np.argmin(squares(rest, lasso(fit, strengths))))
    theory = lasso(one, np.array([noise * np.sqrt(2 * np.log(one.d) / one.n)]))
    betas = np.geomspace(1e-4, 1e4, 161) * noise**2 * one.d / (one.n * risks(one, np.zeros(one.d)))
    limits = ht.limit_path(one.without_truth(), ht.HAM, np.linspace(*config.limits), throw=False)
    thetas = theory[0], ridge(one, betas), limits.thetas, np.zeros(one.d), supported(one)
    return np.array([path.min(), path[chosen], *(risks(one, theta).min() for theta in thetas)])


def along(one: ht.LinearRegression, geo, noise: float, clock: np.ndarray, config: Config, seed: list[int]):
    """Along one flow: risks and residuals in units of the noise; by its rules and at its limit, and the status."""
    thetas, status = flow(one, geo, clock, config.rtol)
    risk, residual = risks(one, thetas), squares(one, thetas) / noise**2
    fit, rest = split(one, config.held, seed)
    part, other = flow(fit, geo, clock, config.rtol)
    held = int(np.argmin(squares(rest, part)))
    limit = ht.solve_limit(one.without_truth(), geo, throw=False)
    within = residual <= 1
    reached = int(np.argmax(within)) if within.any() else clock.size - 1
    end = float(risks(one, limit.theta))
    stopped = [min(risk.min(), end), risk[reached], risk[held], end]
    return risk, residual, np.array(stopped), max(status, other, int(limit.result))


RULES = ("oracle", "discrepancy", "held out", "limit")


def _simulated(config: Config, flows: dict, clock: np.ndarray):
    """Risks and residuals (noise, draw, flow, clock), (…, rule), those of `PEERS`, and the status."""
    shape = (len(config.noises), config.draws)
    risk, residual = (np.empty((*shape, len(flows), clock.size)) for _ in range(2))
    stopped, status = np.empty((*shape, len(flows), len(RULES))), np.empty((*shape, len(flows)), np.int8)
    rest = np.empty((*shape, len(PEERS)))
    for case in tqdm.tqdm(list(np.ndindex(*shape)), desc="early stopping", leave=False, delay=2):
        noise, seed = config.noises[case[0]], [config.seed, 0, *case]
        one = problem(config.n, config.d, config.k, noise, seed)
        for f, geo in enumerate(flows.values()):
            at = (*case, f)
            risk[at], residual[at], stopped[at], status[at] = along(one, geo, noise, clock, config, [*seed, 1])
        rest[case] = others(one, noise, config, [*seed, 1])
    return risk, residual, stopped, rest, status


def _orthogonal(config: Config, flows: dict, clock: np.ndarray):
    """Risks with orthogonal columns: simulated (draw, flow, clock), predicted (flow, clock), and the status."""
    n, found = config.n, np.empty((config.orthogonal_draws, len(flows), clock.size))
    predicted, status = np.empty(found.shape[1:]), np.empty(found.shape[:2], np.int8)
    deviation = config.noise / np.sqrt(n)
    for f, (label, geo) in enumerate(flows.items()):
        family, parameter = label.split()[0], float(label.split()[1]) if " " in label else np.nan
        of = _stopping.along(*_stopping.in_units(family, parameter, unit_of(geo) * clock, deviation))
        predicted[f] = deviation**2 * (config.k * of(1 / deviation) + (n - config.k) * of(0.0))
        for i in range(config.orthogonal_draws):
            one = problem(n, n, config.k, config.noise, [config.seed, 1, i], orthogonal=True)
            thetas, status[i, f] = flow(one, geo, clock, config.rtol)
            found[i, f] = risks(one, thetas)
    return found, predicted, status


def proximal(one: ht.LinearRegression, alpha: float, t: float):
    """argmin f + R_α/t of HAM, and its status: the limit of [X, √(n/t) I], whose last n columns are Euclidean."""
    wide = np.hstack([one.X, np.sqrt(one.n / t) * np.eye(one.n)])
    logs = np.concatenate([np.full(one.d, np.log(alpha)), np.full(one.n, -40.0)])
    found = ht.solve_limit(ht.LinearRegression(wide, one.y), ht.HAM(log_alpha=logs), tol=1e-8, throw=False)
    return found.theta[: one.d], int(found.result)


def _proximal(config: Config, flows: dict, clock: np.ndarray):
    """Risks of proximal points (alpha, draw, point), and their status; what weight decay is predicted to have."""
    at = np.linspace(0, clock.size - 1, config.points).round().astype(int)
    shape = (len(config.alphas), config.proximal_draws, config.points)
    found, status = np.empty(shape), np.empty(shape, np.int8)
    seeds = config.noises.index(config.noise)
    for i in range(config.proximal_draws):
        one = problem(config.n, config.d, config.k, config.noise, [config.seed, 0, seeds, i])
        for a, p in np.ndindex(shape[0], shape[2]):
            alpha = config.alphas[a]
            theta, status[a, i, p] = proximal(one, alpha, unit_of(ht.HAM(alpha)) * float(clock[at[p]]))
            found[a, i, p] = risks(one, theta)
    decayed = np.array([_decayed(config, geo, clock) for geo in flows.values()])
    return clock[at], found, status, decayed


def _law(config: Config) -> dict[str, Any]:
    """What the predictions take."""
    share = config.k / config.d
    return {"delta": config.n / config.d, "prior": ([0.0, 1.0], [1 - share, share])}


def _decayed(config: Config, geo, clock: np.ndarray) -> np.ndarray:
    """The predicted risk under weight decay whose penalty has the slope 1/clock at 1, as R/t has."""
    penalty = geo.penalty(1.0, np.float64)
    betas = 1 / (clock * float(penalty.derivative(np.float64(1.0))))
    sigma = config.noise / np.sqrt(config.n)
    return config.d * ht.asymptotics.predict(geo, weight_decay=betas, sigma=sigma, **_law(config)).mse


def _gradient_descent(config: Config, clock: np.ndarray) -> np.ndarray:
    """Its predicted risk, (noise, clock)."""
    sigma = np.array(config.noises)[:, None] / np.sqrt(config.n)
    return config.d * ht.asymptotics.predict_gradient_flow(clock, sigma=sigma, **_law(config)).mse


def best_over_ridge(delta: float, power: float) -> tuple[float, float]:
    """Gradient descent at its best time over the best ridge, with EΘ² = power and σ = 1; and that time.

    It is within the bracket of `ali.early-stopping`, between the best times of the largest and the least eigenvalue.
    """
    prior = ([np.sqrt(power)], [1.0])
    ends = [(1 + sign / np.sqrt(delta)) ** 2 for sign in (1, -1)]
    first, last = (np.log1p(power * s) / s if s > 0 else power for s in ends)
    ts = np.geomspace(first, last, 40)
    for _ in range(2):
        mse = ht.asymptotics.predict_gradient_flow(ts, delta=delta, prior=prior, sigma=1.0).mse
        i = int(np.argmin(mse))
        least, best = float(mse[i]), float(ts[i])
        ts = np.geomspace(ts[max(i - 1, 0)], ts[min(i + 1, ts.size - 1)], 12)
    given = {"delta": delta, "prior": prior, "sigma": 1.0, "weight_decay": 1 / power}
    return least / float(ht.asymptotics.predict(ht.Euclidean(), **given).mse), best


def settings(config: Config) -> list[tuple[int, int, int]]:
    """(n, d, k) on three lines through the first ones."""
    n, d, k = config.rows[0], config.columns[0], config.spikes[0]
    return [
        (n, d, k),
        *((other, d, k) for other in config.rows[1:]),
        *((n, other, k) for other in config.columns[1:]),
        *((n, d, other) for other in config.spikes[1:]),
    ]


def _rates(config: Config):
    """Risks of `ESTIMATES` at their best, (setting, draw, estimate), and the status."""
    clock = np.geomspace(0.8, 6.0, 24)
    flows = ht.HAM(config.alphas[-1]), ht.Hypentropy(config.gammas[-1])
    made = settings(config)
    found = np.empty((len(made), config.rate_draws, len(ESTIMATES)))
    status = np.empty((*found.shape[:2], 3), np.int8)
    for s, i in tqdm.tqdm(list(np.ndindex(found.shape[:2])), desc="rates", leave=False, delay=2):
        n, d, k = made[s]
        one = problem(n, d, k, config.noise, [config.seed, 2, s, i])
        paths, codes = zip(*(flow(one, geo, clock, config.rtol) for geo in flows), strict=True)
        largest = float(np.abs(one.gradient(np.zeros(one.d))).max())
        limit = ht.solve_limit(one.without_truth(), flows[0], throw=False)
        path = lasso(one, largest * np.geomspace(*config.strengths)[::-1])
        found[s, i] = [risks(one, theta).min() for theta in (*paths, path, limit.theta, supported(one))]
        status[s, i] = *codes, 0 if limit.result == ht.Result.infeasible else int(limit.result)
    return made, found, status


def expected(made: list[tuple[int, int, int]], found: np.ndarray, noise: float) -> np.ndarray:
    """Mean risks (setting, estimate), with what is known of least squares on the support as a control variate.

    Its risk is s²k/(n − k − 1), and what chance adds to it is in those of the others too.
    """
    n, _, k = np.transpose(made)
    support = found[..., -1:]
    return np.mean(found - support, axis=1) + (noise**2 * k / (n - k - 1))[:, None]


def exponents(made: list[tuple[int, int, int]], found: np.ndarray, noise: float, seed: int) -> np.ndarray:
    """Of n, ln d and k in the risk: least squares in logarithms, 95 % by the bootstrap, (fitted, factor, 3)."""
    n, d, k = np.log(made).T
    solve = np.linalg.pinv(np.stack([np.ones(n.size), n, np.log(d), k], axis=1))
    fit = lambda draws: (solve @ np.log(expected(made, draws, noise)[:, : len(FITTED)]))[1:].T  # noqa: E731
    rng, draws = np.random.default_rng([seed, 3]), found.shape[1]
    resampled = [fit(found[:, rng.integers(draws, size=draws)]) for _ in range(500)]
    return np.stack([fit(found), *np.quantile(resampled, [0.025, 0.975], axis=0)], axis=-1)


def _worst(config: Config) -> np.ndarray:
    """The largest risk over 2s²k ln(zeros)/n with orthogonal columns, of an entry to `zeros` zeros, (case, zeros)."""
    return np.transpose([_worst_of(config, zeros) for zeros in 10.0 ** np.array(config.exponents)])


def _worst_of(config: Config, zeros: float) -> list[float]:
    """Of lasso, HAM and m⊙w, in the order of `worst_case`."""
    unit = 2 * np.log(zeros)
    largest = np.sqrt(unit)
    clock, amplitudes = np.geomspace(0.005, 20 / largest, 120), np.geomspace(0.3, 100, 36)
    cases = [_stopping.thresholded(np.linspace(0, largest + 2, 100))]
    cases += [_stopping.along("HAM", size, clock * unit_of(ht.HAM(size))) for size in config.sizes]
    cases += [_stopping.along("m*w", 1 / size, clock * unit_of(ht.Hypentropy(1 / size))) for size in config.sizes]
    return [_stopping.worst(of, amplitudes, zeros) / unit for of in cases]


def run(config: Config) -> xr.Dataset:
    """Risks along the flows, by all rules and peers; predictions; rates; what is worst."""
    clock, flows = np.geomspace(*config.clocks), geometries(config.alphas, config.gammas)
    risk, residual, stopped, rest, status = _simulated(config, flows, clock)
    orthogonal, predicted, orthogonal_status = _orthogonal(config, flows, clock)
    points, near, near_status, decayed = _proximal(config, flows, clock)
    made, rates, rate_status = _rates(config)
    deltas, powers = np.array(config.map_deltas), np.geomspace(*config.map_powers)
    over = np.array([[best_over_ridge(delta, power) for power in powers] for delta in deltas])
    dims = ("noise", "draw", "flow")
    v = store.variable
    return xr.Dataset(
        {
            "risk": v((*dims, "clock"), risk, "squared distance of the flow to the truth"),
            "residual": v((*dims, "clock"), residual, "mean square residual over the variance of the noise"),
            "stopped": v((*dims, "rule"), stopped, "squared distance to the truth, stopped"),
            "other": v((*dims[:2], "peer"), rest, "squared distance to the truth"),
            "status": store.status(dims, status),
            "predicted": v(("noise", "clock"), _gradient_descent(config, clock), "predicted risk of gradient descent"),
            "orthogonal": v(("orthogonal_draw", "flow", "clock"), orthogonal, "risk with orthogonal columns"),
            "orthogonal_predicted": v(("flow", "clock"), predicted, "its expectation, an integral"),
            "orthogonal_status": store.status(("orthogonal_draw", "flow"), orthogonal_status),
            "proximal": v(("alpha", "proximal_draw", "point"), near, "risk of the proximal point of HAM"),
            "proximal_status": store.status(("alpha", "proximal_draw", "point"), near_status),
            "decayed": v(("flow", "clock"), decayed, "predicted risk under weight decay of the slope 1/clock at 1"),
            "over_ridge": v(("delta", "power"), over[..., 0], "best gradient flow over best ridge"),
            "best_time": v(("delta", "power"), over[..., 1], "best time of the gradient flow"),
            "rate": v(("setting", "rate_draw", "estimate"), rates, "risk at the best time or penalty"),
            "rate_status": store.status(("setting", "rate_draw", "run"), rate_status),
            "expected": v(
                ("setting", "estimate"), expected(made, rates, config.noise), "mean risk, by control variate"
            ),
            "exponent": v(
                ("fitted", "factor", "bound"), exponents(made, rates, config.noise, config.seed), "its exponents"
            ),
            "worst": v(("worst_case", "zeros"), _worst(config), "largest risk over 2 s² k ln(zeros)/n"),
        },
        coords={
            "noise": v("noise", config.noises, "standard deviation of the noise of a row"),
            "clock": v("clock", clock, "time over R′(1)"),
            "point": v("point", points, "time over R′(1)"),
            "rule": list(RULES),
            "peer": list(PEERS),
            "alpha": v("alpha", config.alphas, "alpha"),
            "delta": v("delta", deltas, "rows over columns"),
            "power": v("power", powers, "power of an entry over that of the noise"),
            "estimate": list(ESTIMATES),
            "fitted": list(FITTED),
            "factor": ["n", "ln d", "k"],
            "bound": ["estimate", "low", "high"],
            "setting_n": v("setting", [n for n, _, _ in made], "rows"),
            "setting_d": v("setting", [d for _, d, _ in made], "columns"),
            "setting_k": v("setting", [k for _, _, k in made], "spikes"),
            "worst_case": ["lasso", *(f"HAM {x:g}" for x in config.sizes), *(f"m*w {1 / x:g}" for x in config.sizes)],
            "zeros": v("zeros", 10.0 ** np.array(config.exponents), "zeros an entry"),
            **flow_coordinates(list(flows)),
        },
        attrs={"k": config.k, "shown": config.noise, "n": config.n, "d": config.d},
    )
