"""Sign flips over time, of every algorithm: with all samples, with mini-batches, and under label noise.

*Theory.* A step of m⊙w takes `m² − w²` to `(m² − w²)(1 − η²gᵢ²)`, whatever the gradient g. So |m| = |w| remains, θ is
multiplied by a square, and no sign ever changes; and γ shrinks by this factor, under label noise of standard deviation
δ by `exp(−η²δ²hᵢ/n)` a step, `h = diag(XᵀX/n)`. Sign-In's reset restores it.

At an interpolator θ̂ label noise keeps every entry in motion. There, with `D = diag(g⁻¹(θ̂))`, a step of any of the rules
is linear, up to higher orders: `z⁺ = (I − ηA) z + noise` for `z = D^(−1/2)(θ − θ̂)`, `A = D^(1/2) XᵀX D^(1/2)/n`, and
noise of the covariance `η²δ²A/n`. The stationary covariance of z is `Σ_h c_h v_h v_hᵀ` over the eigenpairs of A, with
`c_h = ηδ²/(n(2 − ηh))`, and that of two successive steps has `(1 − ηh) c_h` instead. An entry of standard deviation σ
and correlation ρ then changes its sign with the probability `4T(θ̂/σ, √((1 − ρ)/(1 + ρ)))`, T Owen's function. Of
gradient descent this is exact. An entry near zero has `σ² ≈ ηδ² g⁻¹(0)/2n`: it flips for ever, unless g⁻¹(0) vanishes
or θ̂ goes away from zero.
"""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from scipy.special import owens_t

import hamtheory as ht

from . import store
from ._limits import limits_of

NOISES = ("all samples", "mini-batches", "label noise")
STARTS = ("wrong", "random")
MEANINGS = {
    "gross": "sign flips so far, of all entries",
    "net": "entries with another sign than at first",
    "flipped_back": "entries that have flipped and have their first sign again",
    "agreement": "fraction of the support of theta_star with its sign",
    "loss": "loss |X theta - y|^2 / (2 n)",
    "log_gamma": "mean of ln gamma over the entries, NaN without factors",
}
_NEVER = 2**30  # steps between two resets
_TINY = 1e-4  # the γ of the flow that stands for that of 0, where a learning rate is chosen
_FLAT = 1e-300  # the α with which HYP* is gradient descent, to the bit


@dataclasses.dataclass(frozen=True)
class Config:
    """`problems` random problems of n rows, d columns and k spikes of ±1; `draws` of start and noise each.

    Starts of size `scale`: ±scale, with all signs of θ* wrong; or normal, of this standard deviation. `steps` steps at
    `rate` times the learning rate that is the largest stable one at the limit of the flow from the start, looked at
    after `looks` numbers of steps, evenly spaced in ratio. Mini-batches of `batch_size`; label noise of standard
    deviation `noise`, on all samples. `gammas` of m⊙w; Sign-In resets its factors every `reset_every` steps to those of
    the γ `reset_gamma`, and begins with balanced ones. The rate of flips in the end: since `recent` looks before.
    """

    n: int = 40
    d: int = 100
    k: int = 5
    problems: int = 3
    draws: int = 4
    scale: float = 0.3
    alpha: float = 20.0
    gammas: tuple[float, ...] = (0.5, 0.1, 0.01)
    rate: float = 0.2
    steps: int = 8000
    looks: int = 60
    recent: int = 4
    batch_size: int = 20
    noise: float = 1.0
    reset_every: int = 100
    reset_gamma: float = 0.5
    seed: int = 0

    @classmethod
    def quick(cls) -> "Config":
        return cls(draws=2)

    @classmethod
    def smoke(cls) -> "Config":
        few = {"n": 8, "d": 20, "k": 2, "problems": 2, "gammas": (0.5, 0.1)}
        return cls(**few, scale=0.6, steps=2000, looks=30, batch_size=4)


@dataclasses.dataclass(frozen=True)
class Setting:
    """A rule with its parameters; those of one `kind` run side by side.

    `gamma`: that of the start; `settled`: that of the flow that it follows in the end.
    """

    kind: str
    alpha: float = 1.0
    gamma: float = 0.0
    settled: float = 0.0
    reset_every: int = _NEVER

    @property
    def flips(self) -> bool:
        """Whether it can."""
        return self.kind != "exponentiated" and (self.kind != "product" or self.settled > 0)


def settings(config: Config) -> dict[str, Setting]:
    """By name."""
    hams = {name: Setting(name, config.alpha) for name in ("HYP", "HYP*", "natural gradient", "mirror descent")}
    return {
        "GD": Setting("HYP*", _FLAT),
        **hams,
        **{f"m*w {gamma:g}": Setting("product", gamma=gamma, settled=gamma) for gamma in config.gammas},
        "m*w 0": Setting("product"),
        "Sign-In": Setting("product", settled=config.reset_gamma, reset_every=config.reset_every),
        "exponentiated": Setting("exponentiated"),
    }


def _rule(config: Config, kind: str, theta0, alpha, gamma, every):
    """The rule, and the start that it is to be run from. The factors are balanced to the bit where γ is 0."""
    if kind == "product":
        m = jnp.sqrt(jnp.hypot(theta0, gamma) + gamma)
        w = jnp.where(gamma == 0, jnp.sign(theta0) * m, theta0 / m)
        rule = ht.ProductGD(m0=m, w0=w, reset_every=1, reset_gamma=config.reset_gamma)
        return eqx.tree_at(lambda rule: rule.reset_every, rule, every), jnp.zeros_like(theta0)
    rules = {
        "HYP": ht.HYP,
        "HYP*": ht.HAMStep,
        "natural gradient": lambda alpha: ht.algorithm.NaturalGradient(ht.HAM(alpha)),
        "mirror descent": lambda alpha: ht.algorithm.MirrorDescent(ht.HAM(alpha)),
        "exponentiated": lambda alpha: ht.Exponentiated(),
    }
    return rules[kind](alpha), theta0


def looks_of(config: Config) -> np.ndarray:
    """The numbers of the steps at which it is looked, from 0."""
    return np.union1d(0, np.round(np.geomspace(1, config.steps, config.looks)).astype(int))


@eqx.filter_jit
def _runs(config: Config, kind: str, problems, truths, cases, batch_size: int | None):
    """What is looked at of all runs, (problems, runs, looks), and their ends. `cases`: θ₀, α, γ, resets, η, δ, key.

    The runs of a problem share the products with its X. With mini-batches there is no label noise.
    """

    def one(problem, truth, theta0, alpha, gamma, every, rate, noise, key):
        rule, start = _rule(config, kind, theta0, alpha, gamma, every)
        end = ht.run(
            problem,
            ht.signs.FlipCounter(rule),
            start,
            learning_rate=rate,
            steps=config.steps,
            batch_size=batch_size,
            label_noise=noise if batch_size is None else 0.0,
            key=key,
            save_every=looks_of(config),
            throw=False,
        )
        flips = end.states.flips
        gammas = jnp.full_like(end.thetas, jnp.nan)
        if kind == "product":
            m, w = (jnp.abs(factor) for factor in (end.states.rule.m, end.states.rule.w))
            gammas = jnp.abs(m - w) * (m + w) / 2
        found = {
            "gross": flips.gross.sum(axis=1),
            "net": flips.net.sum(axis=1),
            "flipped_back": flips.flipped_back.sum(axis=1),
            "agreement": ht.signs.agreement(end.thetas, jnp.broadcast_to(truth, end.thetas.shape)),
            "loss": end.loss,
            "log_gamma": jnp.mean(jnp.log(gammas), axis=1),
        }
        return found, {"theta": end.theta, "gamma": gammas[-1], "codes": end.result}

    return jax.vmap(jax.vmap(one, (None, None, *[0] * 7)))(problems, truths, *cases)


def _limits(setting: Setting, problems, thetas, gammas) -> tuple[np.ndarray, ...]:
    """The limits of the flows from here, (problems, runs, d), the largest stable rates at them, and the codes.

    `gammas`: of m⊙w, one of each entry.
    """
    has_gamma, found = setting.kind in ("product", "exponentiated"), []
    for X, y, starts, own in zip(np.asarray(problems.X), np.asarray(problems.y), thetas, gammas, strict=True):
        problem = ht.LinearRegression(X, y)
        geometries = [ht.Hypentropy(gamma) if has_gamma else ht.HAM(setting.alpha) for gamma in own]
        limits, codes = limits_of([(problem, *case) for case in zip(geometries, starts, strict=True)])
        rates = [ht.metrics.stable_learning_rate(problem, *case) for case in zip(geometries, limits, strict=True)]
        found.append((limits, rates, codes))
    return tuple(map(np.array, zip(*found, strict=True)))


def flips_per_step(X: np.ndarray, metric: np.ndarray, theta: np.ndarray, rate: float, noise: float) -> np.ndarray:
    """The probability that an entry changes its sign in a step, at an interpolator θ̂ under label noise: theory."""
    root = X * np.sqrt(metric / len(X))
    _, sizes, vectors = np.linalg.svd(root, full_matrices=False)
    modes = rate * noise**2 / (len(X) * (2 - rate * sizes**2))
    variance = metric * (modes @ vectors**2)
    correlation = metric * ((1 - rate * sizes**2) * modes @ vectors**2) / variance
    return 4 * owens_t(theta / np.sqrt(variance), np.sqrt((1 - correlation) / (1 + correlation)))


def starts(config: Config, truth: np.ndarray, seed: int) -> np.ndarray:
    """Both starts of each draw, (starts, draws, d)."""
    rng = np.random.default_rng([seed, 1])
    shape = (config.draws, config.d)
    wrong = config.scale * np.where(truth == 0, rng.choice([-1.0, 1.0], shape), -np.sign(truth))
    return np.stack([wrong, config.scale * rng.standard_normal(shape)])


def _inner(config: Config, values: np.ndarray) -> np.ndarray:
    """(problems, runs, ...) as (starts, problems, draws, ...)."""
    return np.moveaxis(values.reshape(config.problems, len(STARTS), config.draws, *values.shape[2:]), 1, 0)


def _of_kind(config: Config, kind: str, problems, truths, theta0s, rates) -> dict[str, tuple[dict, dict]]:
    """The looks and the ends of all settings of a kind, (noises, starts, problems, draws, ...), by name.

    They run side by side, all samples with and without label noise; then with mini-batches.
    """
    own = {name: setting for name, setting in settings(config).items() if setting.kind == kind}
    shape = theta0s.shape[:2]
    keys = jax.random.split(jax.random.key(config.seed), shape)

    def ran(noises, batch):
        parts = []
        for name, setting in own.items():
            for noise in noises:
                values = setting.alpha, setting.gamma, setting.reset_every, rates[name], noise
                parts.append((theta0s, *(np.broadcast_to(value, shape) for value in values), keys))
        cases = tuple(jnp.concatenate(list(map(jnp.asarray, part)), axis=1) for part in zip(*parts, strict=True))
        ends = jax.tree.map(np.asarray, _runs(config, kind, problems, truths, cases, batch))
        outer = (config.problems, len(own), len(noises), len(STARTS), config.draws)
        return jax.tree.map(lambda x: np.moveaxis(x.reshape(*outer, *x.shape[2:]), 0, 3), ends)

    def in_order(alone, small):  # that of NOISES
        return np.stack([alone[:, 0], small[:, 0], alone[:, 1]], axis=1)

    together = jax.tree.map(in_order, ran((0.0, config.noise), None), ran((0.0,), config.batch_size))
    return {name: jax.tree.map(lambda x: x[i], together) for i, name in enumerate(own)}  # noqa: B023


def _expected(config: Config, setting: Setting, problems, ends, rates) -> tuple[np.ndarray, np.ndarray]:
    """Flips a step in the end under label noise, by theory, (starts, problems, draws), and the codes of the limits.

    At the γ in the middle between two resets, if there are any.
    """
    flat = (config.problems, len(STARTS) * config.draws, config.d)
    label, Xs = NOISES.index("label noise"), np.asarray(problems.X)
    thetas, gammas = (np.moveaxis(ends[name][label], 0, 1).reshape(flat) for name in ("theta", "gamma"))
    if setting.reset_every < _NEVER:
        decay = (rates[..., None] * config.noise) ** 2 * np.mean(np.square(Xs), axis=1)[:, None, :] / config.n
        gammas = config.reset_gamma * np.exp(-decay * setting.reset_every / 2)
    limits, _, codes = _limits(setting, problems, thetas, gammas)
    sizes = np.abs(limits)
    metric = 2 * np.hypot(sizes, gammas) if setting.kind == "product" else 1 + setting.alpha * sizes
    cases = np.ndindex(flat[:2])
    expected = [flips_per_step(Xs[at[0]], metric[at], limits[at], rates[at], config.noise).sum() for at in cases]
    return _inner(config, np.reshape(expected, flat[:2])), _inner(config, codes)


def run(config: Config) -> xr.Dataset:
    """Counts of flips and the agreement with θ* over time; rates of flips in the end, measured and by theory."""
    made = [ht.sparse_regression(config.n, config.d, config.k, seed=config.seed + i) for i in range(config.problems)]
    problems = jax.tree.map(lambda *x: jnp.stack(x), *(ht.LinearRegression(p.X, p.y) for p in made))
    truths = jnp.stack([jnp.asarray(p.theta_star) for p in made])
    theta0s = np.stack([starts(config, np.asarray(truth), config.seed + i) for i, truth in enumerate(truths)])
    theta0s = theta0s.reshape(config.problems, -1, config.d)
    chosen, rates, codes = settings(config), {}, {}
    for name, setting in chosen.items():
        gammas = np.full(theta0s.shape, max(setting.settled, _TINY))
        _, largest, codes[name] = _limits(setting, problems, theta0s, gammas)
        rates[name] = config.rate * largest
    ran: dict[str, tuple[dict, dict]] = {}
    for kind in dict.fromkeys(setting.kind for setting in chosen.values()):
        ran |= _of_kind(config, kind, problems, truths, theta0s, rates)

    label = NOISES.index("label noise")
    status = np.stack([ran[name][1]["codes"] for name in chosen])
    status = np.where(status == ht.NAMES.index("nonfinite"), status, 0)
    expected = np.zeros((len(chosen), len(STARTS), config.problems, config.draws))
    for i, (name, setting) in enumerate(chosen.items()):
        status[i] = np.maximum(status[i], _inner(config, codes[name]))
        if setting.flips:
            expected[i], found = _expected(config, setting, problems, ran[name][1], rates[name])
            status[i, label] = np.maximum(status[i, label], found)
    case, alone = ("rule", "noise", "start", "problem", "draw"), ("rule", "start", "problem", "draw")
    data = {
        name: store.variable((*case, "step"), np.stack([ran[of][0][name] for of in chosen]), meaning)
        for name, meaning in MEANINGS.items()
    }
    steps = looks_of(config)
    gross = data["gross"].values[:, label]
    measured = (gross[..., -1] - gross[..., -1 - config.recent]) / (steps[-1] - steps[-1 - config.recent])
    data |= {
        "per_step": store.variable(alone, measured, "sign flips a step in the end, under label noise"),
        "per_step_theory": store.variable(
            alone, expected, "sign flips a step in the end, under label noise, by theory"
        ),
        "learning_rate": store.variable(
            alone, np.stack([_inner(config, rates[name]) for name in chosen]), "learning rate"
        ),
        "status": store.status(case, status.astype(int)),
    }
    coords = {
        "rule": list(chosen),
        "noise": list(NOISES),
        "start": list(STARTS),
        "problem": config.seed + np.arange(config.problems),
        "step": store.variable("step", steps, "number of steps"),
    }
    return xr.Dataset(data, coords, attrs={"delta": config.noise, "rows": config.n, "gammas": list(config.gammas)})
