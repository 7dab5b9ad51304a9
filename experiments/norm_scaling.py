"""How the norms of interpolators of noisy data grow with n: of least ℓ_p norm, of HAM and of m⊙w.

Rows of X are standard normal, `y = Xθ* + σξ`, θ* of norm 1 has k equal entries. For one spike the published law
[zhang2025closed] follows from the *ray*, the dual point that is a multiple of y: with `r* = 2(p − 1)`, norms of order
r > r* come to rest at that of the spike, and the others grow like `n^(1/r − 1/(2(p−1)))`, for n/d fixed.

The interpolator of least ℓ_p norm is a limit of `R = |θ|^p/p`: of `Power`, from a start on the ray. Any start whose
mirror coordinates are in the row space has the limit of 0, where the metric of `Power` vanishes.
"""

import dataclasses

import numpy as np
import tqdm
import xarray as xr
from scipy.special import gammaln, ndtr

import hamtheory as ht
from hamtheory.geometry import AbstractGeometry, namespace

from . import store

KINDS = ("fixed d", "fixed n/d")
ORDERS = (1.0, 1.1, 1.25, 1.5, 1.75, 2.0)
_NODES = 40_000
_LOGS = (-90.0, 6.0)  # of θ, in the integrals of the theory


class Power(AbstractGeometry):
    """`g⁻¹ = |θ|^(2−p)/(p − 1)`, that of R = |θ|^p/p; its metric vanishes at 0, where no flow begins.

    Args:
        p: Between 1 and 2.
    """

    p: float

    def inverse_metric(self, theta):
        return abs(theta) ** (2 - self.p) / (self.p - 1)

    def mirror_map(self, theta):
        return namespace(theta).sign(theta) * abs(theta) ** (self.p - 1)

    def inverse_mirror_map(self, mu):
        return namespace(mu).sign(mu) * abs(mu) ** (1 / (self.p - 1))

    def potential(self, theta):
        return abs(theta) ** self.p / self.p

    def conjugate(self, mu):
        dual = self.p / (self.p - 1)
        return abs(mu) ** dual / dual


@dataclasses.dataclass(frozen=True)
class Config:
    """`instances` of every n in `rows`: with d columns, and with `ratio` n; for one spike and for `flat` entries.

    `far` = (first, last, count) of n, in ratio: of the theory for one spike with `ratio` n columns.

    The size of the publication is `d=50_000, rows=(50, 100, 200, 500, 1000, 2000), instances=1`: all 120 limits take a
    quarter of an hour of one core, and 5.7 GiB; `experiments/benchmarks/results/norm_scaling_full.csv` has their norms.
    """

    d: int = 5000
    rows: tuple[int, ...] = (25, 50, 100, 200, 400)
    ratio: int = 10
    flat: int = 25
    sigma: float = 0.1
    ps: tuple[float, ...] = (1.1, 1.5, 1.9)
    alpha: float = 100.0
    gamma: float = 0.02
    instances: int = 10
    far: tuple[float, float, int] = (10.0, 1e8, 15)
    tol: float = 1e-9
    seed: int = 0

    @classmethod
    def quick(cls) -> "Config":
        return cls(instances=2)

    @classmethod
    def smoke(cls) -> "Config":
        return cls(d=1000, rows=(25, 50, 100), instances=2, far=(10.0, 1e8, 8))


def geometries(config: Config) -> dict[str, AbstractGeometry]:
    """The interpolators by their names."""
    powers: dict[str, AbstractGeometry] = {f"p = {p:g}": Power(p) for p in config.ps}
    return powers | {"HAM": ht.HAM(config.alpha), "m*w": ht.Hypentropy(config.gamma)}


def problem(n: int, d: int, k: int, sigma: float, seed: list[int]) -> ht.LinearRegression:
    """One of the random problems."""
    rng, truth = np.random.default_rng(seed), np.zeros(d)
    truth[:k] = rng.choice([-1.0, 1.0], k) / np.sqrt(k)
    X = rng.standard_normal((n, d))
    return ht.LinearRegression(X, X[:, :k] @ truth[:k] + sigma * rng.standard_normal(n), truth)


def ray(one: ht.LinearRegression, geo: Power) -> np.ndarray:
    """The θ of the dual point ty that maximises the dual function along y."""
    mu = one.y @ one.X
    theta = geo.inverse_mirror_map(mu / np.abs(mu).max())
    return theta * (one.y @ one.y) / (one.y @ (one.X @ theta))


def ray_norms(p: float, n: float, d: float, sigma: float) -> np.ndarray:
    """Those norms for one spike: Xᵀy is n there, and normal of variance `n(1 + σ²)` elsewhere."""
    power, spread = 1 / (p - 1), np.sqrt((1 + sigma**2) / n)  # over n
    bulk = lambda s: np.exp(s / 2 * np.log(2) + gammaln((s + 1) / 2) - gammaln(0.5)) * (d - 1) * spread**s  # noqa: E731
    scale = (1 + sigma**2) / (1 + bulk(power + 1))
    return np.array([scale * (1 + bulk(power * r)) ** (1 / r) for r in ORDERS])


def elbow(p: float, ratio: float, sigma: float) -> float:
    """n from which on the spike outweighs the bulk on the ray: `n^(q/2 − 1) = (d/n) (1 + σ²)^(q/2) E|Z|^q`."""
    q = p / (p - 1)
    moment = q / 2 * np.log(2) + gammaln((q + 1) / 2) - gammaln(0.5)
    return float(np.exp((np.log(ratio) + q / 2 * np.log(1 + sigma**2) + moment) / (q / 2 - 1)))


def norms(theta: np.ndarray) -> np.ndarray:
    """Those of all orders."""
    size = np.abs(theta).max()
    return np.array([size * np.sum((np.abs(theta) / size) ** r) ** (1 / r) for r in ORDERS])


def predicted(geo: AbstractGeometry, n: int, d: int, k: int, sigma: float) -> np.ndarray:
    """The norms by state evolution: `E|η|^r = ∫ r θ^(r−1) P(|η| > θ) dθ`, where |η| > θ if |Θ + τZ| > θ + κR′(θ)."""
    a, noise = 1 / np.sqrt(k), sigma / np.sqrt(n)
    found = ht.asymptotics.predict(geo, delta=n / d, sigma=noise, prior=([0.0, a], [1 - k / d, k / d]))
    logs = np.linspace(*_LOGS, _NODES)
    theta = np.exp(logs)
    value = theta + found.kappa * geo.mirror_map(theta)
    tails = [ndtr((s * b - value) / found.tau) for b in (0.0, a) for s in (1, -1)]
    above = (d - k) * (tails[0] + tails[1]) + k * (tails[2] + tails[3])
    step = logs[1] - logs[0]
    return np.array([(step * np.sum(r * theta**r * above)) ** (1 / r) for r in ORDERS])


def published(p: float, r: np.ndarray) -> np.ndarray:
    """The published exponents, for n/d fixed."""
    return np.where(r < 2 * (p - 1), 1 / r - 1 / (2 * (p - 1)), 0.0)


def slope(rows: np.ndarray, values: np.ndarray) -> tuple[float, float]:
    """The exponent of the values, (rows, instances), in n, and its standard error."""
    x = np.log(rows) - np.log(rows).mean()
    x = np.broadcast_to(x[:, None], values.shape).ravel()
    y = np.log(values).ravel()
    found = x @ y / (x @ x)
    off = y - y.mean() - found * x
    return float(found), float(np.sqrt(off @ off / max(off.size - 2, 1) / (x @ x)))


def _measured(config: Config, columns: np.ndarray, truths: dict[str, int]):
    """Norms of limits, status, residual and gap, (kind, truth, size, instance, interpolator)."""
    made = geometries(config)
    shape = (len(KINDS), len(truths), len(config.rows), config.instances, len(made))
    found, status = np.empty((*shape, len(ORDERS))), np.zeros(shape, np.int8)
    residual, gap = np.empty(shape), np.empty(shape)
    cases = list(np.ndindex(shape[:4]))
    for case in tqdm.tqdm(cases, desc="norm_scaling", leave=False, delay=2):
        kind, truth, size, _ = case
        n, d, k = config.rows[size], int(columns[kind, size]), list(truths.values())[truth]
        one = problem(n, d, k, config.sigma, [config.seed, *case])
        for m, geo in enumerate(made.values()):
            start = ray(one, geo) if isinstance(geo, Power) else None
            end = ht.solve_limit(one, geo, start, tol=config.tol, throw=False)
            at = (*case, m)
            found[at], status[at] = norms(end.theta), int(end.result)
            residual[at], gap[at] = end.residual, end.stats["relative_gap"]
    return found, status, residual, gap


def _exponents(rows: np.ndarray, found: np.ndarray, theory: np.ndarray) -> np.ndarray:
    """Exponents of n: measured, its standard error, and of the theory; (kind, truth, interpolator, order, number)."""
    exponent = np.empty((*theory.shape[:2], *theory.shape[3:], 3))
    for kind, truth, m, r in np.ndindex(exponent.shape[:-1]):
        own = exponent[kind, truth, m, r]
        own[:2] = slope(rows, found[kind, truth, :, :, m, r])
        own[2] = slope(rows, theory[kind, truth, :, m, r][:, None])[0]
    return exponent


def run(config: Config) -> xr.Dataset:
    """Norms against n, for d fixed and for n/d fixed, by theory and by the ray; and their exponents."""
    made, truths, sigma = geometries(config), {"spike": 1, "flat": config.flat}, config.sigma
    rows, far = np.array(config.rows), np.geomspace(*config.far)
    columns = np.array([np.full(rows.size, config.d), config.ratio * rows])
    found, status, residual, gap = _measured(config, columns, truths)
    sizes = [list(zip(rows, own, strict=True)) for own in columns]
    theory = np.array(
        [
            [[[predicted(geo, n, d, k, sigma) for geo in made.values()] for n, d in own] for k in truths.values()]
            for own in sizes
        ]
    )
    on_ray = [[[ray_norms(p, n, d, sigma) for p in config.ps] for n, d in own] for own in sizes]
    beyond = [[predicted(geo, n, config.ratio * n, 1, sigma) for geo in made.values()] for n in far]
    ray_beyond = [[ray_norms(p, n, config.ratio * n, sigma) for p in config.ps] for n in far]
    law = [published(p, np.array(ORDERS)) for p in config.ps]
    every = ("kind", "truth", "rows", "instance", "interpolator")
    mean, exponents = ("kind", "truth", "rows", "interpolator", "order"), ("kind", "truth", "interpolator", "order")
    return xr.Dataset(
        {
            "norm": store.variable((*every, "order"), found, "norm of the limit"),
            "status": store.status(every, status),
            "residual": store.variable(every, residual, "relative residual"),
            "gap": store.variable(every, gap, "relative duality gap"),
            "theory": store.variable(mean, theory, "norm by state evolution"),
            "ray": store.variable(("kind", "rows", "power", "order"), on_ray, "norm on the ray, for one spike"),
            "exponent": store.variable(
                (*exponents, "number"), _exponents(rows, found, theory), "exponent of n, its error, that of the theory"
            ),
            "far_theory": store.variable(("far", "interpolator", "order"), beyond, "norm by state evolution"),
            "far_ray": store.variable(("far", "power", "order"), ray_beyond, "norm on the ray"),
            "published": store.variable(("power", "order"), law, "published exponent beyond the elbow, n/d fixed"),
            "elbow": store.variable("power", [elbow(p, config.ratio, sigma) for p in config.ps], "n of the elbow"),
        },
        coords={
            "kind": list(KINDS),
            "truth": list(truths),
            "rows": store.variable("rows", rows, "rows"),
            "columns": store.variable(("kind", "rows"), columns, "columns"),
            "interpolator": list(made),
            "order": store.variable("order", ORDERS, "order of the norm"),
            "power": store.variable("power", config.ps, "p"),
            "far": store.variable("far", far, "rows"),
            "number": ["measured", "error", "theory"],
        },
        attrs={"ratio": config.ratio, "alpha": config.alpha},
    )
