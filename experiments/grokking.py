"""Grokking of m⊙w is its limit path: the published set-up, and what HAM's weight decay does there.

Fourier features 1, cos(kπx/2), sin(kπx/2) up to k = `frequency`, a teacher of three of them, n points x ~ U[−1, 1],
loss ‖Xθ − y‖²/2n, and weight decay λ/2 (‖m‖² + ‖w‖²), so that β = λ/2. From a start at θ = 0 with one γ₀, and from
normal factors, the flow is compared at every time with the limit of the γ_t and the start that weight decay has left.
From some starts at zero the factors are integrated too, by an integrator that knows nothing of dual coordinates, and
from some normal ones gradient descent is run, as it was published.

HAM has from zero α = 1/γ₀. With a fixed α its decay drifts down its penalty; were α to grow as αe^(βt), it would follow
its own path of limits.
"""

import dataclasses

import numpy as np
import xarray as xr
from scipy.integrate import solve_ivp

import hamtheory as ht

from . import store

SPOTS = (0.01, 1.0, 3.0, 6.0, 10.0)  # λt of the table
TEACHER = (("cos", 0), ("cos", 6), ("sin", 21))


@dataclasses.dataclass(frozen=True)
class Config:
    """`draws` of x; times λt: `times` = (first, last, count) and `SPOTS`; βt of HAM likewise, from the first `spot`.

    `checked` draws have their factors integrated, and gradient descent with `learning_rate` run from normal ones, both
    with the largest of the `decays` λ. `path` = (last, count) of ln α/α₀
    along which the nearest limit of HAM is looked for.
    """

    n: int = 12
    frequency: int = 30
    draws: int = 100
    decays: tuple[float, ...] = (1e-4, 1e-3)
    gamma: float = 0.1
    variance: float = 0.1
    times: tuple[float, float, int] = (1e-4, 15.0, 49)
    ham_decays: tuple[float, ...] = (1e-4, 1e-3)
    ham_times: tuple[float, float, int] = (1e-3, 12.0, 25)
    path: tuple[float, int] = (14.0, 71)
    checked: int = 3
    learning_rate: float = 0.05
    points: int = 401
    rtol: float = 1e-10
    seed: int = 0

    @classmethod
    def quick(cls) -> "Config":
        return cls(draws=20)

    @classmethod
    def smoke(cls) -> "Config":
        return cls(draws=4, checked=1, times=(1e-3, 15.0, 9), ham_times=(1e-2, 12.0, 7), path=(14.0, 29))


def features(x, frequency: int) -> np.ndarray:
    """Those of the points, (points, 2·frequency + 1)."""
    angles = np.outer(x, np.arange(1, frequency + 1) * np.pi / 2)
    return np.concatenate([np.ones((len(x), 1)), np.cos(angles), np.sin(angles)], axis=1)


def teacher(frequency: int) -> np.ndarray:
    """θ*."""
    theta = np.zeros(2 * frequency + 1)
    for kind, k in TEACHER:
        theta[k + frequency * (kind == "sin")] = 1
    return theta


def grid(first: float, last: float, count: int) -> np.ndarray:
    """Times, with those of the table among them."""
    return np.unique(np.concatenate([np.geomspace(first, last, count), SPOTS]))


def _codes(*results) -> np.ndarray:
    """The worst of some codes; to have come to the end of the times is what was wanted."""
    found = np.broadcast_arrays(*map(np.asarray, results))
    return np.max([np.where(code == ht.NAMES.index("reached_end"), 0, code) for code in found], axis=0)


def _relative(rows, reference) -> np.ndarray:
    return np.linalg.norm(rows, axis=-1) / np.linalg.norm(reference, axis=-1)


def off_range(problem, mirrored) -> np.ndarray:
    """The part of rows off the range of Xᵀ, relative."""
    basis = np.linalg.qr(problem.X.T)[0]
    return _relative(mirrored - (mirrored @ basis) @ basis.T, mirrored)


def leading(problem, thetas, log_gammas, beta: float) -> tuple[np.ndarray, np.ndarray]:
    """What the flow lacks of each limit to first order in β, 4βn WXᵀ(XWXᵀ)⁻²y, and 4β over the rate κ there."""
    lacks, ratios = [], []
    for theta, log in zip(thetas, log_gammas, strict=True):
        metric = 2 * np.hypot(theta, np.exp(log))
        gram = (problem.X * metric) @ problem.X.T / problem.n
        twice = np.linalg.solve(gram, np.linalg.solve(gram, problem.y))
        lacks.append(4 * beta / problem.n * metric * (problem.X.T @ twice))
        ratios.append(4 * beta / np.linalg.eigvalsh(gram)[0])
    return np.array(lacks), np.array(ratios)


def factors(problem, factors0, beta: float, ts) -> np.ndarray:
    """m and w at times, (times, 2d), by SciPy's LSODA."""

    def velocity(_, state):
        m, w = np.split(state, 2)
        slope = problem.gradient(m * w)
        return -np.concatenate([w * slope + 2 * beta * m, m * slope + 2 * beta * w])

    found = solve_ivp(velocity, (0, ts[-1]), np.concatenate(factors0), "LSODA", ts, rtol=1e-12, atol=1e-14)
    return found.y.T


def descent(config: Config, problem, factors0, beta: float, ts) -> np.ndarray:
    """How far gradient descent on the factors is from their flow at the steps next to these times, relative."""
    (m0, w0), rate = factors0, config.learning_rate
    steps, back = np.unique(np.round(ts / rate).astype(int), return_inverse=True)
    runs = ht.run(
        problem,
        ht.ProductGD(beta, m0=m0, w0=w0),
        learning_rate=rate,
        steps=int(steps[-1]),
        save_every=steps,
        progress=False,
    )
    flow = ht.product_flow(problem, m0, w0, weight_decay=beta, ts=steps * rate, rtol=config.rtol)
    return _relative(np.asarray(runs.thetas)[1:] - flow.thetas, flow.thetas)[back]


def _product(config: Config, problem, factors0, decay: float, scaled) -> dict[str, np.ndarray]:
    """The flow of m⊙w and the limits along it, at times λt."""
    (m0, w0), beta, ts = factors0, decay / 2, scaled / decay
    flow = ht.product_flow(problem, m0, w0, weight_decay=beta, ts=ts, rtol=config.rtol, throw=False)
    log_gammas = np.log(np.abs(m0**2 - w0**2) / 2) - 4 * beta * ts[:, None]
    starts = m0 * w0 * np.exp(-4 * beta * ts[:, None])
    if not starts.any():
        path = ht.limit_path(problem, ht.Hypentropy, log_gammas[:, 0], throw=False)
        limits, codes = path.thetas, path.result
    else:
        ends = [
            ht.solve_limit(problem, ht.Hypentropy(log_gamma=log), start, throw=False)
            for log, start in zip(log_gammas, starts, strict=True)
        ]
        limits, codes = np.array([end.theta for end in ends]), np.array([end.result for end in ends], int)
    lacks, ratios = leading(problem, limits, log_gammas, beta)
    return {
        "flow": np.asarray(flow.thetas),
        "limit": np.asarray(limits),
        "train": _relative(flow.thetas @ problem.X.T - problem.y, problem.y),
        "predicted": _relative(lacks, limits),
        "slowness": ratios,
        "status": _codes(int(flow.result), codes),
    }


def drift(problem, geo, start, ts) -> np.ndarray:
    """The drift of HAM along the interpolators at βt, (times, d): −θ, projected in the metric."""
    X = problem.X

    def velocity(_, theta):
        weighted = X.T * geo.inverse_metric(theta)[:, None]
        return weighted @ np.linalg.solve(X @ weighted, X @ theta) - theta

    return solve_ivp(velocity, (0, ts[-1]), start, "DOP853", ts, rtol=1e-8, atol=1e-10).y.T


def growing(problem, geo, beta: float, ts) -> np.ndarray:
    """The flow from zero with the decay β of HAM whose α grows as αe^(βt), (times, d), in dual coordinates."""
    X = problem.X

    def theta(t, nu):
        return np.exp(-beta * t) * geo.inverse_mirror_map(X.T @ nu)

    def velocity(t, nu):
        return np.exp(beta * t) * (problem.y - X @ theta(t, nu)) / problem.n

    def jacobian(t, nu):
        return -(X * geo.inverse_metric(theta(t, nu) * np.exp(beta * t))) @ X.T / problem.n

    found = solve_ivp(velocity, (0, ts[-1]), np.zeros(problem.n), "LSODA", ts, jac=jacobian, rtol=1e-9, atol=1e-12)
    return np.array([theta(t, nu) for t, nu in zip(ts, found.y.T, strict=True)])


def _hyperbolic(config: Config, problem, scaled) -> dict[str, np.ndarray]:
    """The flows of HAM at βt, (decays, times, d), its drift, and the flow and the limits of a growing α."""
    log, beta = -np.log(config.gamma), max(config.ham_decays)
    geo = ht.HAM(log_alpha=log)
    flows = [
        ht.solve_flow(problem, geo, weight_decay=b, ts=scaled / b, rtol=config.rtol, throw=False)
        for b in config.ham_decays
    ]
    path = ht.limit_path(problem, ht.HAM, log + np.linspace(0, *config.path), throw=False)
    limits = ht.limit_path(problem, ht.HAM, log + scaled, throw=False)
    thetas = np.array([flow.thetas for flow in flows])
    distances = np.linalg.norm(thetas[:, :, None] - path.thetas, axis=-1).min(axis=-1)
    drifted = drift(problem, geo, path.thetas[0], scaled)
    return {
        "ham_flow": thetas,
        "ham_drift": drifted,
        "ham_growing": growing(problem, geo, beta, scaled / beta),
        "ham_limit": limits.thetas,
        "ham_nearest": distances / np.linalg.norm(thetas, axis=-1),
        "ham_gap": _relative(thetas - drifted, drifted),
        "ham_status": _codes(*(int(flow.result) for flow in flows), path.result.max(), limits.result.max()),
    }


def _of_draw(config: Config, draw: int, scaled, ham_scaled) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(config.seed + draw)
    X, truth = features(rng.uniform(-1, 1, config.n), config.frequency), teacher(config.frequency)
    problem, d = ht.LinearRegression(X, X @ truth), truth.size
    starts = {
        "zero": (np.zeros(d), np.full(d, np.sqrt(2 * config.gamma))),
        "normal": tuple(np.sqrt(config.variance) * rng.standard_normal((2, d))),
    }
    cases = [[_product(config, problem, start, decay, scaled) for decay in config.decays] for start in starts.values()]
    found = {name: np.array([[case[name] for case in row] for row in cases]) for name in cases[0][0]}
    found["gap"] = _relative(found["flow"] - found["limit"], found["limit"])
    found |= _hyperbolic(config, problem, ham_scaled)
    found["least_l1"] = np.abs(ht.basis_pursuit(problem)).sum()
    if draw < config.checked:
        decay = max(config.decays)
        states = factors(problem, starts["zero"], decay / 2, scaled / decay)
        thetas = states[:, :d] * states[:, d:]
        found["invariant"] = off_range(problem, np.arcsinh(thetas / (config.gamma * np.exp(-2 * scaled[:, None]))))
        found["descent"] = descent(config, problem, starts["normal"], decay / 2, scaled / decay)
        found["agreement"] = _relative(thetas - found["flow"][0, np.argmax(config.decays)], thetas)
    features_there = features(np.linspace(-1, 1, config.points), config.frequency)
    for name in ("flow", "limit", "ham_flow", "ham_drift", "ham_growing", "ham_limit"):
        thetas = found.pop(name)
        found[f"{name}_test"] = np.mean(np.square((thetas - truth) @ features_there.T), axis=-1)
        found[f"{name}_l1"] = np.abs(thetas).sum(axis=-1)
    return found


def run(config: Config) -> xr.Dataset:
    """Test errors, norms and distances of flows, limits and the drift; the invariant of the factors."""
    scaled, ham_scaled = grid(*config.times), grid(*config.ham_times)
    draws = [_of_draw(config, draw, scaled, ham_scaled) for draw in range(config.draws)]
    data = {}
    for name in draws[0]:
        values = np.array([draw[name] for draw in draws if name in draw])
        dims = ("checked" if name in _CHECKED else "draw", *_dims(name))
        status = name.endswith("status")
        data[name] = store.status(dims, values) if status else store.variable(dims, values, MEANINGS[name])
    coords = {
        "start": ["zero", "normal"],
        "decay": store.variable("decay", config.decays, "weight decay lambda"),
        "scaled": store.variable("time", scaled, "lambda times time"),
        "ham_decay": store.variable("ham_decay", config.ham_decays, "weight decay beta of HAM"),
        "ham_scaled": store.variable("ham_time", ham_scaled, "beta times time"),
    }
    return xr.Dataset(data, coords)


def _dims(name: str) -> tuple[str, ...]:
    """Those of a variable beside the draw."""
    if name in ("least_l1", "ham_status"):
        return ()
    if name in _CHECKED:
        return ("time",)
    if not name.startswith("ham"):
        return ("start", "decay", "time")
    return ("ham_decay", "ham_time") if name.startswith(("ham_flow", "ham_nearest", "ham_gap")) else ("ham_time",)


_CHECKED = ("invariant", "agreement", "descent")
_WHAT = {
    "flow": "of the flow of m*w",
    "limit": "of the limit of the gamma and the start that weight decay has left",
    "ham_flow": "of the flow of HAM",
    "ham_drift": "of the drift of HAM along the interpolators",
    "ham_growing": "of the flow of HAM with an alpha that grows",
    "ham_limit": "of the limit of the alpha that has grown",
}
MEANINGS = {
    **{f"{name}_test": f"mean square test error {what}" for name, what in _WHAT.items()},
    **{f"{name}_l1": f"L1 norm {what}" for name, what in _WHAT.items()},
    "train": "relative residual of the flow of m*w",
    "gap": "distance of the flow of m*w to its limit, relative",
    "predicted": "the same to first order in the weight decay",
    "slowness": "4 beta over the rate at which the residual falls at the limit",
    "ham_nearest": "distance of the flow of HAM to the nearest limit of HAM from zero, relative",
    "ham_gap": "distance of the flow of HAM to its drift, relative",
    "least_l1": "least L1 norm of an interpolator",
    "invariant": "part of asinh(theta/gamma) off the row space of X, of the factors' own flow, relative",
    "descent": "distance of gradient descent to the flow of m*w, relative",
    "agreement": "distance of the factors' own flow to that in dual coordinates, relative",
}
