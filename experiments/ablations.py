"""What each half of a HAM step does: the gradient step, which can cross zero, and the hyperbolic step, which cannot.

The hyperbolic step alone, θ ← θ exp(−ηα s⊙g) with the signs s of the start, keeps s, and s⊙ln|θ/θ₀| is in the row
space: whatever η, its limit is the interpolator of these signs that is nearest to θ₀ in Σ |θ| ln|θ/θ₀| − |θ| + |θ₀|. If
there is none, the loss tends to the least one of these signs. For labels in general position a random sign pattern
has an interpolator with probability P(Bin(d, ½) ≥ n), by the count of half-spaces of [cover1965geometrical].

With the gradient step where |θ| < τ only, the flow is that of g⁻¹ = 1[|θ| < τ] + α|θ|, whose mirror map is
ln((α + 1/τ)|θ|)/α from τ on: for τ below 1/α the bias of a larger α, α + 1/τ.
"""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize
import scipy.stats
import tqdm
import xarray as xr
from jaxtyping import Array

import hamtheory as ht
from hamtheory.geometry import namespace

from . import store
from ._cases import ended, stacked
from ._limits import limits_of


@dataclasses.dataclass(frozen=True)
class Config:
    """`instances` random problems of n rows, d columns and k spikes of ±1, and HAM with `alpha`.

    Starts: entries of ± `size` with random signs, of which a given number are wrong on the support; `alone_steps` of
    the size `alone_rate`. Sign patterns that can be reached: `patterns` random ones for each number of `rows` of
    `width` columns, with `reach_steps` of `reach_rate`; converged if the relative residual is within `reach_tol` of
    the least one of these signs. The gradient step below `thresholds` = (lowest, highest, count) only: from zero, with
    each of `rates`, for a time (step size times steps) of `gate_time`. HYP and HYP*: with `largest_rate` and its
    `halvings` for the time `time`, from zero and from normal entries of standard deviation `spread`. Converged: a
    relative residual of `tol`.
    """

    n: int = 40
    d: int = 100
    k: int = 5
    instances: int = 5
    alpha: float = 50.0
    size: float = 0.01
    alone_rate: float = 1e-3
    alone_steps: int = 60_000
    rows: tuple[int, ...] = (12, 16, 18, 20, 22, 24, 28)
    width: int = 40
    patterns: int = 50
    reach_rate: float = 2e-3
    reach_steps: int = 30_000
    reach_tol: float = 1e-2
    thresholds: tuple[float, float, int] = (1e-5, 10.0, 19)
    rates: tuple[float, ...] = (4e-3, 1e-3)
    gate_time: float = 60.0
    largest_rate: float = 8e-3
    halvings: int = 4
    time: float = 30.0
    spread: float = 0.3
    tol: float = 1e-3
    seed: int = 0

    @classmethod
    def smoke(cls) -> "Config":
        return cls(n=20, d=50, k=2, instances=2, rows=(14, 26), patterns=24, thresholds=(1e-4, 10.0, 11), halvings=3)


def _split(x) -> tuple[Array, Array]:
    """The sign, 1 at zero, and the size."""
    sign = namespace(x).where(x < 0, -1.0, 1.0)
    return sign, sign * x


class Gated(ht.geometry.AbstractGeometry):
    """`g⁻¹(θ) = 1[|θ| < τ] + α|θ|`: HAM's with the gradient step below τ only."""

    alpha: Any
    below: Any

    def inverse_metric(self, theta):
        _, size = _split(theta)
        return namespace(theta).where(size < self.below, 1 + self.alpha * size, self.alpha * size)

    def mirror_map(self, theta):
        xp, (sign, size) = namespace(theta), _split(theta)
        near, beyond = xp.minimum(size, self.below), xp.maximum(size / self.below, 1)
        return sign * (xp.log1p(self.alpha * near) + xp.log(beyond)) / self.alpha

    def inverse_mirror_map(self, mu):
        xp, (near, beyond) = namespace(mu), self._exponents(mu)
        return _split(mu)[0] * xp.expm1(near) / self.alpha * xp.exp(beyond)

    def potential(self, theta):
        mu = self.mirror_map(theta)
        return theta * mu - self.conjugate(mu)

    def conjugate(self, mu):
        xp, (near, beyond) = namespace(mu), self._exponents(mu)
        return (xp.expm1(near) - near) / self.alpha**2 + self.below * xp.expm1(beyond) / self.alpha

    def _exponents(self, mu):
        """α|μ|, up to where |θ| is the threshold, and the rest."""
        xp, s = namespace(mu), self.alpha * _split(mu)[1]
        edge = xp.log1p(self.alpha * self.below)
        return xp.minimum(s, edge), xp.maximum(s - edge, 0)

    def mirror_bound(self):
        return np.inf


class Count(NamedTuple):
    """The state of the inner rule, and how often each entry has changed its sign."""

    inner: Any
    flips: Array


class Counted(ht.algorithm.AbstractAlgorithm):
    """A rule, with a count of the sign changes of every entry."""

    inner: ht.algorithm.AbstractAlgorithm

    def init(self, problem, theta0):
        return Count(self.inner.init(problem, theta0), jnp.zeros_like(theta0))

    def step(self, state, gradient, learning_rate):
        inner = self.inner.step(state.inner, gradient, learning_rate)
        changed = self.theta(state) * self.inner.theta(inner) < 0
        return Count(inner, state.flips + jnp.where(changed, 1.0, 0.0))

    def theta(self, state):
        return self.inner.theta(state.inner)


def _ends(problem, rule, starts, rate: float, steps: int) -> ht.algorithm.RunResult:
    """Runs of a rule from these starts."""
    how: dict[str, Any] = {"learning_rate": rate, "steps": steps, "save_every": steps, "throw": False}
    return jax.vmap(lambda start: ht.run(problem, rule, start, **how))(jnp.asarray(starts))


def _starts(problem, wrong: int, size: float, rng) -> np.ndarray:
    """Entries of ± size with random signs, as many wrong ones on the support as asked for."""
    truth = np.asarray(problem.theta_star)
    signs = rng.choice([-1.0, 1.0], problem.d)
    support = rng.permutation(np.flatnonzero(truth))
    signs[support] = np.sign(truth[support]) * np.where(np.arange(support.size) < wrong, -1, 1)
    return size * signs


def _alone(problems, config: Config) -> dict[str, np.ndarray]:
    """From starts with wrong signs: gradient descent, HAM, and the hyperbolic step alone."""
    rules, rows = (ht.GD(), ht.HAMStep(config.alpha), ht.HAMStep(config.alpha, gradient_below=0.0)), []
    for i, problem in enumerate(problems):
        rng, bare = np.random.default_rng([config.seed, i]), problem.without_truth()
        truth = np.asarray(problem.theta_star)
        starts = np.array([_starts(problem, wrong, config.size, rng) for wrong in range(config.k + 1)])
        cases = []
        for rule in rules:
            end = _ends(bare, rule, starts, config.alone_rate, config.alone_steps)
            theta = np.asarray(end.theta)
            cases.append(
                {
                    "error": np.linalg.norm(theta - truth, axis=1),
                    "wrong_end": ((theta * truth <= 0) & (truth != 0)).sum(axis=1),
                    "crossed": (theta * starts <= 0).sum(axis=1),
                    "residual": end.residual,
                    "status": ended(end.result, end.residual, config.tol),
                }
            )
        rows.append(stacked(cases))
    return stacked(rows)


def _reached(config: Config) -> dict[str, np.ndarray]:
    """Residuals of the hyperbolic step alone from random signs, and the least ones of these signs."""
    rule, rows, most = ht.HAMStep(config.alpha, gradient_below=0.0), [], max(config.rows)
    for n in config.rows:
        rng = np.random.default_rng([config.seed, n])
        X, y = rng.standard_normal((n, config.width)), rng.standard_normal(n)
        signs = rng.choice([-1.0, 1.0], (config.patterns, config.width))
        # Rows of zeros, so that all are of one shape; the loss is a mean over them too.
        problem = ht.LinearRegression(np.pad(X, ((0, most - n), (0, 0))), np.pad(y, (0, most - n)))
        end = _ends(problem, rule, config.size * signs, config.reach_rate * most / n, config.reach_steps)
        least = np.array([scipy.optimize.nnls(X * s, y)[1] for s in signs]) / np.linalg.norm(y)
        status = ended(end.result, np.asarray(end.residual) - least, config.reach_tol)
        rows.append({"residual": end.residual, "least": least, "status": status})
    return stacked(rows)


def _gated(problems, config: Config) -> dict[str, np.ndarray]:
    """From zero, with the gradient step below a threshold only: excess L1 norms, of the flows too, and steps taken."""
    taus, rows, largest = jnp.asarray(np.geomspace(*config.thresholds)), [], max(config.rates)
    looks = np.unique(np.geomspace(10, config.gate_time / largest, 400).round().astype(int))
    for problem in problems:
        bare = problem.without_truth()
        thetas, flow = limits_of((bare, Gated(config.alpha, tau), None) for tau in np.asarray(taus))
        least = np.abs(ht.basis_pursuit(problem)).sum()
        cases = []
        for rate in config.rates:
            grid = looks * round(largest / rate)  # the same times for every rate
            how: dict[str, Any] = {"learning_rate": rate, "steps": int(grid[-1]), "save_every": grid, "throw": False}
            rule = lambda tau: ht.HAMStep(config.alpha, gradient_below=tau)  # noqa: E731
            end = jax.vmap(lambda tau, bare=bare, rule=rule, how=how: ht.run(bare, rule(tau), **how))(taus)
            within = np.sqrt(2 * problem.n * np.asarray(end.loss)) <= config.tol * np.linalg.norm(problem.y)
            taken = np.asarray(end.steps)[0][within.argmax(axis=1)]
            excess, flow_excess = (
                ht.metrics.relative_excess(np.abs(ends).sum(axis=1), least) for ends in (end.theta, thetas)
            )
            codes = ended(end.result, end.residual, config.tol)
            cases.append(
                {
                    "excess": excess,
                    "time": rate * np.where(within.any(axis=1), taken, np.nan),
                    "residual": end.residual,
                    "flow_excess": flow_excess,
                    "status": np.where(codes > 0, codes, flow),
                }
            )
        rows.append(stacked(cases))
    return stacked(rows)


def _variants(problems, config: Config) -> dict[str, np.ndarray]:
    """HYP and HYP* over step sizes, from zero and from a random start: where they end, and how often they cross."""
    rates, rows = config.largest_rate / 2.0 ** np.arange(config.halvings + 1), []
    rules = (ht.HYP(config.alpha), ht.HAMStep(config.alpha), ht.GD())
    for i, problem in enumerate(problems):
        rng, bare = np.random.default_rng([config.seed, i, 1]), problem.without_truth()
        starts = np.array([np.zeros(config.d), config.spread * rng.standard_normal(config.d)])
        flow = np.array([ht.solve_limit(bare, ht.HAM(alpha=config.alpha), start).theta for start in starts])
        scale, cases = np.linalg.norm(flow, axis=1), []
        for rate in rates:
            ends = [_ends(bare, Counted(rule), starts, rate, round(config.time / rate)) for rule in rules]
            theta = np.stack([end.theta for end in ends], axis=1)
            cases.append(
                {
                    "flips": np.stack([np.sum(end.states.flips[:, -1], axis=1) for end in ends], axis=1),
                    "residual": np.stack([np.asarray(end.residual) for end in ends], axis=1),
                    "status": np.stack([ended(end.result, end.residual, config.tol) for end in ends], axis=1),
                    "apart": np.linalg.norm(theta[:, 0] - theta[:, 1], axis=1) / scale,
                    "off": np.linalg.norm(theta - flow[:, None], axis=2) / scale[:, None],
                }
            )
        rows.append({name: np.moveaxis(values, 0, 1) for name, values in stacked(cases).items()})
    return {"rates": rates, **stacked(rows)}


def run(config: Config) -> xr.Dataset:
    """Four groups of runs, each with a status of its own: `status` is that of the first."""
    seeds = config.seed + np.arange(config.instances)
    problems = [ht.sparse_regression(config.n, config.d, config.k, seed=int(seed)) for seed in seeds]
    stages = tqdm.tqdm(total=4, desc="ablations", leave=False, delay=2)
    alone = _alone(problems, config)
    stages.update()
    reached = _reached(config)
    stages.update()
    gated = _gated(problems, config)
    stages.update()
    variants = _variants(problems, config)
    stages.close()
    first, second = ("instance", "rule", "wrong"), ("rows", "pattern")
    third, fourth = ("instance", "rate", "threshold"), ("instance", "start", "halving", "variant")
    equations = np.arange(1, config.width + 1)
    theory = scipy.stats.binom.sf(equations - 1, config.width, 0.5)
    return xr.Dataset(
        {
            "error": store.variable(first, alone["error"], "distance to the truth"),
            "wrong_end": store.variable(first, alone["wrong_end"], "entries of the support with the wrong sign"),
            "crossed": store.variable(first, alone["crossed"], "entries whose sign is not that of the start"),
            "residual": store.variable(first, alone["residual"], "relative residual"),
            "status": store.status(first, alone["status"]),
            "reach_residual": store.variable(second, reached["residual"], "relative residual"),
            "reach_least": store.variable(second, reached["least"], "least relative residual of the signs"),
            "reach_status": store.status(second, reached["status"]),
            "reach_theory": store.variable("equations", theory, "probability that the signs have an interpolator"),
            "gate_excess": store.variable(third, gated["excess"], "L1 norm over the least of an interpolator, minus 1"),
            "gate_flow_excess": store.variable(third, gated["flow_excess"], "the same, of the limit of the flow"),
            "gate_time": store.variable(third, gated["time"], "steps to a residual of tol, times the step", "time"),
            "gate_residual": store.variable(third, gated["residual"], "relative residual"),
            "gate_status": store.status(third, gated["status"]),
            "flips": store.variable(fourth, variants["flips"], "sign changes, of all entries and steps"),
            "off": store.variable(fourth, variants["off"], "relative distance to the limit of HAM's flow"),
            "apart": store.variable(fourth[:3], variants["apart"], "relative distance of HYP and HYP*"),
            "variant_residual": store.variable(fourth, variants["residual"], "relative residual"),
            "variant_status": store.status(fourth, variants["status"]),
        },
        coords={
            "instance": seeds,
            "rule": ["GD", "HAM", "hyperbolic"],
            "wrong": store.variable("wrong", np.arange(config.k + 1), "wrong signs on the support at the start"),
            "rows": store.variable("rows", config.rows, "equations"),
            "equations": equations,
            "rate": store.variable("rate", config.rates, "step size", "time"),
            "threshold": store.variable("threshold", np.geomspace(*config.thresholds), "gradient step below"),
            "start": ["zero", "random"],
            "halving": store.variable("halving", variants["rates"], "step size", "time"),
            "variant": ["HYP", "HYP*", "GD"],
        },
        attrs={"alpha": config.alpha, "width": config.width, "reach_tol": config.reach_tol, "spread": config.spread},
    )
