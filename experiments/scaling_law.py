"""Which α of HAM is best, and how does it scale with the size of the problem?

*Homogeneity.* R_α(cθ) = c² R_{cα}(θ), and X(cθ) = c y if and only if Xθ = y: the limit from zero for (X, c y) and α is
c times that for (X, y) and c α. So α* ∝ 1/‖θ*‖, exactly, for a fixed shape of θ* and a fixed ratio of noise to signal.
What is left are n, d, k and the noise: sparse regressions with spikes of ±1, in a star around one setting.

Two answers an instance. *Best*: the α that minimises e(α) = ‖θ_∞(α) − θ*‖; it may be at an end, 0 or ∞. *Needed*: the
smallest α from which little is left to gain, `e(α) ≤ e_min + share (e(0) − e_min)`; without noise, where α → ∞ is best
if basis pursuit finds θ*, it is the one that remains.

*What theory says.* For Gaussian X, as n, d, k → ∞ in proportion, e concentrates on `hamtheory.asymptotics.predict`, a
fixed point of the state evolution of approximate message passing [donoho2009message], [bayati2011dynamics]. So α* is a
function of n/d, k/d and noise²/n, and not of the size. Without noise, an instance's e falls like α^(−m), m the margin
of basis pursuit (`ht.certify_basis_pursuit`), so that `ln α ~ 1/m`.
"""

import dataclasses

import numpy as np
import xarray as xr

import hamtheory as ht

from . import store
from ._swept import swept

MEANINGS = {"d": "columns", "n": "rows", "k": "spikes", "noise": "standard deviation of the noise"}
FACTORS = tuple(MEANINGS)
ANSWERS = ("best", "needed")
RULES = ("power law", "state evolution", "one α", "L2 end", "L1 end")


@dataclasses.dataclass(frozen=True)
class Config:
    """The centre n, d, k, noise, and the other values of each on its line; with noise and without.

    The problems on the line of d are there a second time, all in proportion, at the d of the centre. `fine`, `coarse`
    (evenly spaced), `far` (in ratio) = (first, last, count) of ln α: a best α beyond `coarse` counts as ∞, and an end
    of the grid that is as good up to `tie`, relatively, as an end. `share`: see above. `margins` of so many instances
    a setting; the theory at so many `places` of each line.
    """

    n: int = 40
    d: int = 100
    k: int = 4
    noise: float = 1.5
    ds: tuple[int, ...] = (50, 200)
    ns: tuple[int, ...] = (20, 80)
    ks: tuple[int, ...] = (1, 2, 8, 12)
    noises: tuple[float, ...] = (0.3, 0.5, 0.7, 1.0, 2.0, 3.0)
    instances: int = 36
    margins: int = 7
    fine: tuple[float, float, int] = (-4.0, 12.0, 17)
    coarse: tuple[float, float, int] = (14.0, 24.0, 6)
    far: tuple[float, float, int] = (30.0, 400.0, 6)
    share: float = 0.1
    tie: float = 1e-6
    places: int = 11
    resamples: int = 1000
    tol: float = 1e-10
    seed: int = 0

    @classmethod
    def quick(cls) -> "Config":
        return cls(instances=14, margins=4, resamples=300)

    @classmethod
    def smoke(cls) -> "Config":
        few = {"ds": (), "ns": (), "ks": (2, 8), "noises": (1.0, 2.0)}  # one shape to compile
        return cls(**few, instances=6, places=5, resamples=50)


@dataclasses.dataclass(frozen=True)
class Setting:
    """One kind of problem, and the line of the star that it is on."""

    line: str
    n: int
    d: int
    k: int
    noise: float


def settings(config: Config) -> list[Setting]:
    """The star with noise, then that without, whose instances are others."""
    made = []
    for noise in (config.noise, 0.0):
        centre = Setting("centre", config.n, config.d, config.k, noise)
        lines: dict[str, tuple] = {"d": config.ds, "n": config.ns, "k": config.ks}
        if noise:
            lines["noise"] = config.noises
        made.append(centre)
        made += [dataclasses.replace(centre, line=f, **{f: value}) for f, values in lines.items() for value in values]
        for c in (config.d / d for d in config.ds):
            made.append(Setting("proportion", round(c * config.n), config.d, round(c * config.k), noise * c**0.5))
    return made


def grid(config: Config) -> np.ndarray:
    """The values of ln α."""
    return np.concatenate([np.linspace(*config.fine), np.linspace(*config.coarse), np.geomspace(*config.far)])


def specification(config: Config) -> ht.SweepSpec:
    """The sweep: a chunk a setting, and no seed twice, so that all instances are independent."""
    count = config.instances
    return ht.SweepSpec(
        problems=[
            ht.sweeps.Sparse(s.n, s.d, s.k, s.noise, range(config.seed + i * count, config.seed + (i + 1) * count))
            for i, s in enumerate(settings(config))
        ],
        geometries=[ht.sweeps.Geometries("ham", {"log_alpha": grid(config).tolist()})],
        quantity=ht.sweeps.Path(tol=config.tol),
        chunk=count,
    )


def best(logs: np.ndarray, errors: np.ndarray, tie: float, last: float) -> float:
    """ln α of the least error, on the parabola through the least three; ∞ beyond `last` or if as good, −∞ likewise."""
    i = int(np.argmin(errors))
    if logs[i] >= last or errors[-1] <= errors[i] * (1 + tie):
        return np.inf
    if errors[0] <= errors[i] * (1 + tie):
        return -np.inf
    (a, b, c), (x, y, z) = errors[i - 1 : i + 2], logs[i - 1 : i + 2]
    left, right = (b - a) / (y - x), (c - b) / (z - y)
    return float((x + y) / 2 - left * (z - x) / 2 / (right - left))


def needed(logs: np.ndarray, errors: np.ndarray, share: float) -> float:
    """The least ln α whose error is within a share of what there is to gain; −∞ if the first of the grid is."""
    level = errors.min() + share * (errors[0] - errors.min())
    i = int(np.argmax(errors <= level))
    if i == 0:
        return -np.inf
    return float(logs[i] - (logs[i] - logs[i - 1]) * (level - errors[i]) / (errors[i - 1] - errors[i]))


def state_evolution(setting: Setting, logs: np.ndarray) -> np.ndarray:
    """The error that the limits concentrate on, for every ln α."""
    share = setting.k / setting.d
    given = {"delta": setting.n / setting.d, "sigma": setting.noise / np.sqrt(setting.n)}
    prior = ([0.0, 1.0], [1 - share, share])
    found = ht.asymptotics.predict(ht.HAM(log_alpha=logs), prior=prior, tol=1e-6, **given)
    return np.sqrt(setting.d * found.mse)


def quartiles(values: np.ndarray) -> np.ndarray:
    """The quartiles along the last axis, which becomes the first, of numbers that may be ±∞."""
    found = np.quantile(np.clip(values, -1e9, 1e9), [0.25, 0.5, 0.75], axis=-1)
    return np.where(np.abs(found) > 1e3, np.sign(found) * np.inf, found)


def _coefficients(design: np.ndarray, medians: np.ndarray) -> np.ndarray:
    """Least squares over the settings whose median is finite."""
    sound = np.isfinite(medians)
    return np.linalg.lstsq(design[sound], medians[sound], rcond=None)[0]


def fit(design: np.ndarray, values: np.ndarray, rng: np.random.Generator, resamples: int) -> dict[str, np.ndarray]:
    """A power law for the medians (rows of `values`: instances of a setting), and its coefficients by the bootstrap.

    Instances are drawn anew within each setting. `misfit`: mean square of the deviations of the medians from the law in
    units of their standard errors, for the degrees of freedom: 1 if the law holds.
    """
    medians = quartiles(values)[1]
    picks = rng.integers(values.shape[1], size=(resamples, *values.shape))
    again = quartiles(np.take_along_axis(values[None], picks, axis=2))[1]
    coefficients = _coefficients(design, medians)
    sound = np.isfinite(medians)
    errors = np.array([np.std(column[np.isfinite(column)]) for column in again.T[sound]])
    deviations = (medians - design @ coefficients)[sound]
    return {
        "coefficients": coefficients,
        "resampled": np.array([_coefficients(design, row) for row in again]),
        "r2": 1 - np.sum(deviations**2) / np.sum((medians[sound] - medians[sound].mean()) ** 2),
        "misfit": np.sum((deviations / errors) ** 2) / (sound.sum() - design.shape[1]),
    }


def deviation(medians: np.ndarray, model: np.ndarray) -> tuple[float, float]:
    """Root mean square and median of the absolute differences, where both are finite."""
    off = np.abs(
        np.subtract(medians, model, where=np.isfinite(medians) & np.isfinite(model), out=np.full(model.shape, np.nan))
    )
    return float(np.sqrt(np.nanmean(off**2))), float(np.nanmedian(off))


def margin_law(margin: np.ndarray, logs: np.ndarray) -> tuple[np.ndarray, float]:
    """The quartiles of m ln α, and which part of the variance of ln ln α the law `ln α = constant/m` explains."""
    known = margin > 0
    margin, logs = margin[known], logs[known]
    found = quartiles(margin * logs)
    return found, float(
        1 - np.sum(np.log(margin * logs / found[1]) ** 2) / np.sum((np.log(logs) - np.log(logs).mean()) ** 2)
    )


def _design(stars: list[Setting], factors: list[str]) -> np.ndarray:
    return np.array([[1.0, *(np.log(getattr(s, f)) for f in factors)] for s in stars])


def _answers(config: Config, logs: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """The best and the needed ln α."""
    top = best(logs, errors, config.tie, config.coarse[1])
    return np.array([top, min(top, needed(logs, errors, config.share))])  # the latter, by chords, errs upwards


def _theory_lines(config: Config, chosen: list[Setting], logs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The theory between the settings: places on the line of each factor, (factors, places), and its answers there."""
    at = np.empty((len(FACTORS), config.places))
    found = np.full((2, *at.shape, len(ANSWERS)), np.nan)
    for f, factor in enumerate(FACTORS):
        values = [getattr(s, factor) for s in chosen if s.line in ("centre", factor) and s.noise > 0]
        at[f] = np.geomspace(min(values), max(values), config.places)
        for star, noise in enumerate((config.noise, 0.0)):
            centre = Setting(factor, config.n, config.d, config.k, noise)
            for place, value in enumerate(at[f] if noise or factor != "noise" else ()):
                curve = state_evolution(dataclasses.replace(centre, **{factor: value}), logs)
                found[star, f, place] = _answers(config, logs, curve)
    return at, found


def _margins(config: Config, chosen: list[Setting]) -> np.ndarray:
    """The margins of basis pursuit without noise, −1 where it does not find θ*; NaN where not asked for."""
    margins = np.full((len(chosen), config.instances), np.nan)
    for i, s in enumerate(chosen):
        for j in range(min(config.margins, config.instances) if s.noise == 0 else 0):
            problem = ht.sparse_regression(s.n, s.d, s.k, config.seed + i * config.instances + j)
            found = ht.certify_basis_pursuit(problem)
            recovers = found.is_unique and np.linalg.norm(found.theta - np.asarray(problem.theta_star)) < 1e-6
            margins[i, j] = found.margin if recovers else -1.0
    return margins


def _regrets(logs: np.ndarray, errors: np.ndarray, rules: np.ndarray) -> np.ndarray:
    """What the ln α of each rule, (rules, settings), cost: error over that of the best α of the grid, minus 1."""
    at = np.array([[[np.interp(x, logs, e) for e in of] for x, of in zip(rule, errors, strict=True)] for rule in rules])
    return at / errors.min(axis=-1) - 1


def run(config: Config) -> xr.Dataset:
    """Paths of limits, best and needed α, power laws and the theory for them."""
    chosen, logs = settings(config), grid(config)
    paths, shape = swept(specification(config), "scaling_law"), (len(chosen), config.instances, logs.size)
    error, residual, status = (
        paths[name].to_numpy().reshape(shape) for name in ("distance_to_theta_star", "residual", "status")
    )
    theory = np.array([state_evolution(s, logs) for s in chosen])
    answer = np.vectorize(lambda e: _answers(config, logs, e), signature="(p)->(a)")
    found, expected = np.moveaxis(answer(error), -1, 0), answer(theory).T

    rng, medians = np.random.default_rng(config.seed), quartiles(found)[1]
    noisy = np.array([s.noise > 0 for s in chosen])
    fitted = np.array([noisy, ~noisy]) & np.array([s.line != "proportion" for s in chosen])
    exponents, law = np.full((len(ANSWERS), len(FACTORS), 3), np.nan), np.full(expected.shape, np.nan)
    quality = np.empty((2, len(ANSWERS)))
    for a, star in enumerate((noisy, ~noisy)):
        own = np.flatnonzero(fitted[a])
        fitted[a] &= np.isfinite(medians[a])
        factors = [f for f in FACTORS if len({getattr(chosen[i], f) for i in own}) > 1]
        result = fit(_design([chosen[i] for i in own], factors), found[a, own], rng, config.resamples)
        low, high = np.quantile(result["resampled"], [0.025, 0.975], axis=0)
        exponents[a, [FACTORS.index(f) for f in factors]] = np.stack([result["coefficients"], low, high], axis=1)[1:]
        law[a, star] = (
            _design([s for s, is_in in zip(chosen, star, strict=True) if is_in], factors) @ result["coefficients"]
        )
        quality[:, a] = result["r2"], result["misfit"]
    off = np.array(
        [
            [deviation(m[f], model[f]) for m, f, model in zip(medians, fitted, models, strict=True)]
            for models in (law, expected)
        ]
    )
    margin = _margins(config, chosen)
    product, explained = margin_law(margin, found[1])
    places, lines = _theory_lines(config, chosen, logs)
    rules = np.stack([law[0], expected[0], np.full(len(chosen), medians[0, 0]), *np.full((2, len(chosen)), np.inf)])
    rules[-2] *= -1
    rules = np.clip(rules[:, noisy], logs[0], logs[-1])

    cases, case = ("setting", "instance", "log_alpha"), ("setting", "instance")
    pick = lambda name: [getattr(s, name) for s in chosen]  # noqa: E731
    return xr.Dataset(
        {
            "error": store.variable(cases, error, "distance of the limit to the truth"),
            "residual": store.variable(cases, residual, "relative residual"),
            "status": store.status(cases, status),
            "answer_log": store.variable(("answer", *case), found, "ln of the best and of the needed alpha"),
            "quartiles": store.variable(("quartile", "answer", "setting"), quartiles(found), "their quartiles"),
            "margin": store.variable(case, margin, "margin of basis pursuit, -1 without recovery"),
            "theory_error": store.variable(("setting", "log_alpha"), theory, "error of the state evolution"),
            "theory_log": store.variable(("answer", "setting"), expected, "ln of alpha by the state evolution"),
            "law_log": store.variable(("answer", "setting"), law, "ln of alpha by the power law"),
            "fitted": store.variable(("answer", "setting"), fitted, "whether the power law was fitted to its median"),
            "exponent": store.variable(
                ("answer", "factor", "bound"), exponents, "exponent of the power law, with 95 %"
            ),
            "r2": store.variable("answer", quality[0], "R squared of the power law, at the medians"),
            "misfit": store.variable("answer", quality[1], "reduced chi squared of the power law, at the medians"),
            "rms": store.variable(("model", "answer"), off[..., 0], "rms deviation of the medians of ln alpha"),
            "deviation": store.variable(("model", "answer"), off[..., 1], "median absolute deviation of the medians"),
            "margin_product": store.variable("quartile", product, "margin times ln of the needed alpha"),
            "margin_r2": store.variable((), explained, "share of the variance of ln ln alpha explained by the margin"),
            "theory_place": store.variable(("factor", "place"), places, "value of the factor"),
            "theory_line_log": store.variable(
                ("star", "factor", "place", "answer"), lines, "ln of alpha by the theory"
            ),
            "regret": store.variable(
                ("rule", "noisy_setting", "instance"),
                _regrets(logs, error[noisy], rules),
                "error over the best, minus 1",
            ),
        },
        coords={
            "setting": np.arange(len(chosen)),
            "noisy_setting": np.flatnonzero(noisy),
            "line": ("setting", pick("line")),
            **{name: store.variable("setting", pick(name), meaning) for name, meaning in MEANINGS.items()},
            "log_alpha": store.variable("log_alpha", logs, "ln alpha"),
            "answer": list(ANSWERS),
            "factor": list(FACTORS),
            "bound": ["estimate", "low", "high"],
            "quartile": [0.25, 0.5, 0.75],
            "rule": list(RULES),
            "model": list(RULES[:2]),
            "star": ["noisy", "noise-free"],
        },
        attrs={"last": config.coarse[1], "share": config.share},
    )
