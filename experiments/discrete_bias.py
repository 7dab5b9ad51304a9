"""How far the discrete limits of HAM are from that of its flow, and what sparsity costs in steps.

*Theory*, to first order in η, with full gradients from zero. A step is `R'(θ⁺) − R'(θ) = −η∇f + ½ κ(θ) η² (∇f)²` up to
O(η³) in mirror coordinates (`ht.symbolic.ito_drift`): κ is `α sign(θ)/(1 + α|θ|)` for HYP and HYP*, `−α sign(θ)` for
the natural gradient, and 0 for mirror descent, at any η. So the limit is the Bregman projection from the start whose
mirror coordinates are `½ η ∫ κ(θ) (∇f(θ))² dt`, along the flow. HYP differs from HYP* in its first step, from where θ
has no sign: by `sign(∇f) [ln(1 + u eᵘ) − ln(1 + u)]/α`, u = αη|∇f|, which is O(η²) and added to its theory, as it is.

*Budget*: the residual falls like `exp(−η λ_min⁺ k)` at last, and η is below `η* = 2/λ_max`, of X diag(g⁻¹(θ_∞)) Xᵀ/n:
about `ln(1/tol) λ_max/(2 λ_min⁺)` steps, or fewer where the residual has little of the slowest mode.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import xarray as xr

import hamtheory as ht

from . import _draws, store
from ._limits import limits_of
from ._swept import swept

RULES = {"published": "HYP*", "hyp": "HYP", "natural": "natural gradient"}
# By family: the name and the parameter in a sweep, that parameter of a strength α or 2/γ, and the geometry.
FAMILIES: dict[str, tuple[str, str, Callable, Callable]] = {
    "HAM": ("ham", "alpha", lambda strength: strength, lambda alpha: ht.HAM(alpha=alpha)),
    "m*w": ("mw", "gamma", lambda strength: 2 / strength, lambda gamma: ht.Hypentropy(gamma=gamma)),
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`problems` random problems of n rows, d columns and k spikes of ±1; learning rates are in units of η*.

    Bias: HAM at `alphas` and `rates` (mirror descent: `mirror_rates`) to a relative residual of `tol`; the integral
    along the flow by Euler's method at `fine` and 2 `fine`, to `fine_tol`, extrapolated to 0. Such a run has `margin`
    times the steps that theory says.
    Budget: HAM and m⊙w at `strengths`, α or 2/γ, first, last and how many evenly in the logarithm, and `budget_rates`,
    to `budget_tol`; `budgets`, first, last and how many, are numbers of steps.
    """

    n: int = 40
    d: int = 100
    k: int = 5
    problems: int = 5
    alphas: tuple[float, ...] = (1.0, 10.0, 100.0, 1000.0)
    rates: tuple[float, ...] = (0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 0.8, 0.95)
    mirror_rates: tuple[float, ...] = (0.16, 0.64, 0.95)
    tol: float = 1e-7
    fine: float = 0.02
    fine_tol: float = 1e-4
    margin: float = 1.5
    strengths: tuple[float, float, int] = (1.0, 1e7, 19)
    budget_rates: tuple[float, ...] = (0.5, 0.75, 0.95)
    budgets: tuple[float, float, int] = (10**2.5, 1e5, 11)
    budget_tol: float = 1e-6
    checks: int = 5000
    limit_tol: float = 1e-12
    seed: int = 0

    @classmethod
    def quick(cls) -> "Config":
        return cls(rates=(0.04, 0.16, 0.32, 0.64, 0.95), fine=0.04, strengths=(1.0, 1e7, 10))

    @classmethod
    def smoke(cls) -> "Config":
        few: dict[str, Any] = {"n": 10, "d": 30, "k": 2, "problems": 3, "alphas": (2.0, 50.0), "checks": 2000}
        few |= {"mirror_rates": (0.16, 0.8), "strengths": (1.0, 1e4, 3), "budget_rates": (0.5, 0.95)}
        return cls(**few, budgets=(1e2, 1e4, 5))


def _flows(config: Config, problems: list, family: str, strengths: np.ndarray) -> dict[str, np.ndarray]:
    """Limits of the flows from zero, (strengths, problems, ...), η* and λ_min⁺/n there, and how the solutions ended."""
    _, _, parameter, geometry = FAMILIES[family]
    cases = [(problem, geometry(value)) for value in parameter(strengths) for problem in problems]
    thetas, codes = limits_of([(*case, None) for case in cases], config.limit_tol)
    ends = [(*case, theta) for case, theta in zip(cases, thetas, strict=True)]
    rates = {"stable": ht.metrics.stable_learning_rate, "slowest": ht.metrics.asymptotic_rate}
    found = {"theta": thetas, "codes": codes} | {
        name: np.array([rate(*end) for end in ends]) for name, rate in rates.items()
    }
    shape = (len(strengths), len(problems))
    return {name: np.asarray(values).reshape(*shape, *values.shape[1:]) for name, values in found.items()}


def second_moments(problem, algorithm, theta, learning_rate):
    """κ (∇f)² of HYP and HYP*, and of the natural gradient."""
    rules = ht.HAMStep(algorithm.geometry.alpha), algorithm
    return jnp.stack([rule.mirror_drift(theta) * jnp.square(problem.gradient(theta)) for rule in rules])


def _integrals(config: Config, problems: list, flows: dict[str, np.ndarray]):
    """∫ κ (∇f)² dt of both kinds, (alphas, problems, 2, d), at `fine` extrapolated to 0, and how the runs ended."""
    found, codes = [], []
    for i, alpha in enumerate(config.alphas):
        ends = ht.run_many(
            problems,
            ht.algorithm.NaturalGradient(ht.HAM(alpha=alpha)),
            which=np.tile(np.arange(len(problems)), 2),
            learning_rate=np.outer([config.fine, 2 * config.fine], flows["stable"][i]).ravel(),
            steps=_steps(config, flows, i, config.fine, config.fine_tol),
            tol=config.fine_tol,
            integrand=second_moments,
            progress=False,
        )
        fine, coarse = ends.integral.reshape(2, len(problems), 2, config.d)
        found.append(2 * fine - coarse)
        codes.append(ends.result.reshape(2, len(problems)).max(axis=0))
    return np.array(found), np.array(codes)


def _steps(config: Config, flows: dict[str, np.ndarray], i: int, rate: float, tol: float) -> int:
    """`margin` times the steps to `tol` of the slowest problem, a multiple of `checks`."""
    least = np.log(1 / tol) / (rate * flows["stable"][i] * flows["slowest"][i]).min()
    return config.checks * int(np.ceil(config.margin * least / config.checks))


def _swept(config: Config, family: str, strength: float, **how) -> dict[str, np.ndarray]:
    """θ, steps and status of runs of all problems at some rates, (problems, rates, ...)."""
    name, parameter, value, _ = FAMILIES[family]
    seeds = range(config.seed, config.seed + config.problems)
    spec = ht.SweepSpec(
        problems=[ht.sweeps.Sparse(config.n, config.d, config.k, 0.0, seeds)],
        geometries=[ht.sweeps.Geometries(name, {parameter: float(value(strength))})],
        quantity=ht.sweeps.Run(relative=True, checks=config.checks, **how),
        chunk=config.problems,
        keep_theta=True,
    )
    data = swept(spec, "discrete_bias").squeeze(("batch_size", "draw"))
    return {name: data[name].values for name in ("theta", "steps", "status")}


def _biased(config: Config, flows: dict[str, np.ndarray], rule: str, rates: tuple[float, ...]) -> dict[str, np.ndarray]:
    """Runs of a rule at all alphas, (alphas, problems, rates, ...)."""
    parts = [
        _swept(
            config,
            "HAM",
            alpha,
            steps=_steps(config, flows, i, min(rates), config.tol),
            learning_rate=list(rates),
            rule=rule,
            tol=config.tol,
        )
        for i, alpha in enumerate(config.alphas)
    ]
    return {name: np.stack([part[name] for part in parts]) for name in parts[0]}


def first_step(alpha, step):
    """Where HYP's first step from zero ends in mirror coordinates, less where HYP*'s does; `step` is η∇f(0)."""
    u = alpha * np.abs(step)
    return np.sign(step) * (np.log1p(u * np.exp(u)) - np.log1p(u)) / alpha


def _predicted(config: Config, problems: list, rule: str, stable: np.ndarray, integrals: np.ndarray):
    """The limits of theory, (alphas, problems, rates, d), and how their solutions ended."""
    shape = (len(config.alphas), len(problems), len(config.rates))
    eta = stable[:, :, None, None] * np.array(config.rates)[:, None]
    moved = eta / 2 * integrals[:, :, None, :]
    if rule == "hyp":
        gradient = np.array([problem.gradient(np.zeros(config.d)) for problem in problems])
        moved += first_step(np.array(config.alphas)[:, None, None, None], eta * gradient[:, None])
    cases = []
    for i, problem, rate in np.ndindex(shape):
        geometry = ht.HAM(alpha=config.alphas[i])
        cases.append((problems[problem], geometry, geometry.inverse_mirror_map(moved[i, problem, rate])))
    thetas, codes = limits_of(cases, config.limit_tol)
    return thetas.reshape(*shape, config.d), codes.reshape(shape)


def reached(excess: np.ndarray, steps: np.ndarray, strengths: np.ndarray, budgets: np.ndarray):
    """The least excess of the runs, (strengths, problems, rates), within each budget, (problems, budgets), with the
    place of its rate and its strength; NaN and −1 without a run. `excess` is NaN for runs that have not converged."""
    within = np.where(steps[..., None] <= budgets, excess[..., None], np.inf)
    within = np.where(np.isnan(within), np.inf, within)
    within = np.moveaxis(within, 1, 0).reshape(excess.shape[1], -1, len(budgets))
    best, least = within.argmin(axis=1), within.min(axis=1)
    none, rates = np.isinf(least), excess.shape[2]
    strength = np.where(none, np.nan, strengths[best // rates])
    return np.where(none, np.nan, least), strength, np.where(none, -1, best % rates)


def run(config: Config) -> xr.Dataset:
    """Limits of the three discretisations with theory; steps; and the least excess within a budget, HAM and m⊙w."""
    drawn = _draws.labelled_problems(config.n, config.d, config.k, config.problems, config.seed)
    problems = [problem.without_truth() for problem in drawn.values()]
    least = np.array([np.abs(ht.basis_pursuit(problem)).sum() for problem in problems])

    flows = _flows(config, problems, "HAM", np.array(config.alphas))
    integrals, integral_codes = _integrals(config, problems, flows)
    flow, norm = flows["theta"][:, :, None, :], np.linalg.norm(flows["theta"], axis=-1)[:, :, None]
    flow_l1 = np.abs(flow).sum(axis=-1)

    def compared(theta):
        """The distance to the limits of the flow, relative to their norm; the change of the excess L1 norm likewise."""
        change = (np.abs(theta).sum(axis=-1) - flow_l1) / (flow_l1 - least[:, None])
        return np.linalg.norm(theta - flow, axis=-1) / norm, change

    rows: dict[str, list] = {}
    for rule in RULES:
        kind = int(rule == "natural")
        ends = _biased(config, flows, rule, config.rates)
        theory, codes = _predicted(config, problems, rule, flows["stable"], integrals[:, :, kind])
        codes = np.maximum(codes, np.maximum(flows["codes"], integral_codes)[:, :, None])
        (distance, change), (distance_theory, change_theory) = compared(ends["theta"]), compared(theory)
        row = {
            "distance": distance,
            "distance_theory": distance_theory,
            "remainder": np.linalg.norm(ends["theta"] - theory, axis=-1) / norm,
            "change": change,
            "change_theory": change_theory,
            "steps": ends["steps"],
            "status": np.where(ends["status"] > 0, ends["status"], codes),
        }
        for name, values in row.items():
            rows.setdefault(name, []).append(values)
    of = {name: np.array(values) for name, values in rows.items()}
    mirror = _biased(config, flows, "mirror", config.mirror_rates)
    mirror_distance, mirror_change = compared(mirror["theta"])
    bias, at, exact = ("rule", "alpha", "problem", "rate"), ("alpha", "problem"), ("alpha", "problem", "mirror_rate")
    data = {
        "distance": store.variable(
            bias, of["distance"], "distance of the limit from the flow's, over the norm of that"
        ),
        "distance_theory": store.variable(bias, of["distance_theory"], "the same by theory"),
        "remainder": store.variable(bias, of["remainder"], "distance of the limit from that of theory, likewise"),
        "change": store.variable(bias, of["change"], "change of the excess L1 norm, over that of the flow"),
        "change_theory": store.variable(bias, of["change_theory"], "the same by theory"),
        "steps": store.variable(bias, of["steps"], "steps to convergence"),
        "status": store.status(bias, of["status"]),
        "condition": store.variable(at, 2 / (flows["stable"] * flows["slowest"]), "λ_max/λ_min⁺ at the flow's limit"),
        "stable": store.variable(at, flows["stable"], "largest stable learning rate η*"),
        "mirror_distance": store.variable(exact, mirror_distance, "distance as above, of mirror descent"),
        "mirror_change": store.variable(exact, mirror_change, "change as above, of mirror descent"),
        "mirror_status": store.status(exact, mirror["status"]),
    }
    return xr.Dataset(
        data | _budget(config, problems, least),
        coords={
            "rule": list(RULES.values()),
            "alpha": np.array(config.alphas),
            "problem": config.seed + np.arange(config.problems),
            "rate": store.variable("rate", config.rates, "learning rate over the largest stable one"),
            "mirror_rate": store.variable("mirror_rate", config.mirror_rates, "learning rate over the largest stable"),
            "family": list(FAMILIES),
            "strength": store.variable("strength", np.geomspace(*config.strengths), "α, or 2/γ"),
            "budget_rate": store.variable("budget_rate", config.budget_rates, "learning rate over the largest stable"),
            "budget": store.variable("budget", np.geomspace(*config.budgets), "number of steps"),
        },
        attrs={"tol": config.tol, "budget_tol": config.budget_tol},
    )


def _budget(config: Config, problems: list, least: np.ndarray) -> dict[str, xr.Variable]:
    """What converges within how many steps, by family."""
    strengths, budgets = np.geomspace(*config.strengths), np.geomspace(*config.budgets)
    rows: dict[str, list] = {}
    for family in FAMILIES:
        flows = _flows(config, problems, family, strengths)
        how = {"steps": round(config.budgets[1]), "learning_rate": list(config.budget_rates), "tol": config.budget_tol}
        parts = [_swept(config, family, strength, **how) for strength in strengths]
        ends = {name: np.stack([part[name] for part in parts]) for name in parts[0]}
        excess = np.abs(ends["theta"]).sum(axis=-1) / least[:, None] - 1
        sound = np.where(ends["status"] == 0, excess, np.nan)
        best, strength, place = reached(sound, ends["steps"], strengths, budgets)
        row = {
            "run_excess": excess,
            "run_steps": ends["steps"],
            "run_status": ends["status"],
            "flow_excess": np.abs(flows["theta"]).sum(axis=-1) / least - 1,
            "flow_condition": 2 / (flows["stable"] * flows["slowest"]),
            "flow_status": flows["codes"],
            "reached": best,
            "reached_strength": strength,
            "reached_rate": np.where(place < 0, np.nan, np.array(config.budget_rates)[place]),
        }
        for name, values in row.items():
            rows.setdefault(name, []).append(values)
    of = {name: np.array(values) for name, values in rows.items()}
    runs, flow, best = (
        ("family", "strength", "problem", "budget_rate"),
        ("family", "strength", "problem"),
        ("family", "problem", "budget"),
    )
    return {
        "run_excess": store.variable(runs, of["run_excess"], "relative excess of the L1 norm at the end of a run"),
        "run_steps": store.variable(runs, of["run_steps"], "steps of the run"),
        "run_status": store.status(runs, of["run_status"]),
        "flow_excess": store.variable(flow, of["flow_excess"], "relative excess of the L1 norm of the flow's limit"),
        "flow_condition": store.variable(flow, of["flow_condition"], "λ_max/λ_min⁺ there"),
        "flow_status": store.status(flow, of["flow_status"]),
        "reached": store.variable(best, of["reached"], "least excess of runs converged within so many steps"),
        "reached_strength": store.variable(best, of["reached_strength"], "α or 2/γ of that run"),
        "reached_rate": store.variable(best, of["reached_rate"], "learning rate of that run over the largest stable"),
    }
