"""A parameter on the wrong side of zero: who crosses, when, and what keeps balanced factors where they are."""

import dataclasses
import math

import diffrax
import jax.numpy as jnp
import numpy as np
import xarray as xr

import hamtheory as ht

from . import store
from ._contours import grid
from ._one_dimension import STALLED, constant_drive, crossing, factors, path, product_path, spring


@dataclasses.dataclass(frozen=True)
class Config:
    """Flows from −start, under `f = (θ − start)²/2` until `ends[0]` and under a constant unit force until `ends[1]`.

    Rules take `steps` steps at `learning_rate`, HYP and HYP* with `rule_alpha`, the imbalanced ProductGD with
    `rule_gamma`. Factors −1 and 1 + ε, ε = 2⁻ᵏ for k in `bits` (first, last, step), go to the target 1 in a flow and
    in gradient descent at `small`; factors balanced to the bit, by integrators that do not know of the balance.
    `exponents`: ηα|g| of steps of HYP and HYP* across zero: largest, and how many.
    """

    start: float = 2.5
    alphas: tuple[float, ...] = (1.0, 16.0)
    gammas: tuple[float, ...] = (1e-1, 1e-3, 1e-6)
    ends: tuple[float, float] = (4.0, 18.0)
    reach: float = 3.0
    points: int = 301
    learning_rate: float = 0.02
    steps: int = 400
    rule_alpha: float = 16.0
    rule_gamma: float = 1e-3
    bits: tuple[int, int, int] = (4, 52, 2)
    small: float = 1e-3
    exponents: tuple[float, int] = (4.0, 9)
    seed: int = -1  # nothing is drawn

    @classmethod
    def smoke(cls) -> "Config":
        return cls(points=61, bits=(4, 52, 8), alphas=(1.0,), gammas=(1e-3,), small=4e-3)


FORCES = ("spring", "constant")
RULES = ("GD", "HYP", "HYP*", "m*w", "balanced m*w", "EXP")
RAW = ("Tsit5", "Kvaerno5")


def geometries(config: Config) -> dict[tuple[str, float], ht.geometry.AbstractGeometry]:
    """The geometries by family and parameter; the balanced flow of m*w, γ = 0, is none."""
    cases: dict[tuple[str, float], ht.geometry.AbstractGeometry] = {("GD", np.nan): ht.Euclidean()}
    cases |= {("HAM", alpha): ht.HAM(alpha=alpha) for alpha in config.alphas}
    return cases | {("m*w", gamma): ht.Hypentropy(gamma=gamma) for gamma in config.gammas}


def _flows(config: Config) -> dict[str, np.ndarray]:
    """Paths, times of crossing and inverse metrics; a row a flow, the last one the balanced one."""
    a, cases, theta = config.start, geometries(config), grid(config.reach, config.points)
    problems = {"spring": spring(a), "constant": constant_drive()}
    m = math.sqrt(a)
    rows: dict[str, list] = {"theta": [], "time": [], "theory": [], "simulated": [], "status": []}
    for force, end in zip(FORCES, config.ends, strict=True):
        flows = [path(problems[force], geo, a, end) for geo in cases.values()]
        flows.append(product_path(problems[force], m, -m, end))
        times = [crossing(flow, flow is not flows[-1]) for flow in flows]
        if force == "spring":
            theory = [float(ht.signs.first_passage_time(geo, a, a)) for geo in cases.values()]
        else:  # the mirror map grows at rate one
            theory = [float(geo.mirror_map(jnp.asarray(a))) for geo in cases.values()]
        rows["theta"].append([np.asarray(flow.thetas)[:, 0] for flow in flows])
        rows["time"].append(flows[0].ts)
        rows["theory"].append([*theory, np.inf])
        rows["simulated"].append([time for time, _ in times])
        rows["status"].append([code for _, code in times])
    metric = [np.asarray(geo.inverse_metric(theta)) for geo in cases.values()]
    through = [2 * float(geo.mirror_map(jnp.asarray(a))) for geo in cases.values()]
    return {name: np.array(values) for name, values in rows.items()} | {
        "metric": np.stack([*metric, 2 * np.abs(theta)]),
        "through": np.array([*through, np.inf]),
        "axis": np.asarray(theta),
    }


def _rules(config: Config) -> dict[str, np.ndarray]:
    """Iterates of the rules and the numbers of their first steps across zero, −1 if there is none; a row a rule."""
    a = config.start
    problem, root = spring(a), math.sqrt(a)
    m, w = factors(a, config.rule_gamma)
    rules = {
        "GD": ht.GD(),
        "HYP": ht.HYP(config.rule_alpha),
        "HYP*": ht.HAMStep(config.rule_alpha),
        "m*w": ht.ProductGD(m0=[m], w0=[w]),
        "balanced m*w": ht.ProductGD(m0=[root], w0=[-root]),
        "EXP": ht.Exponentiated(),
    }
    thetas, first, codes = [], [], []
    for name in RULES:
        start = None if name in ("m*w", "balanced m*w") else [-a]
        counter = ht.signs.FlipCounter(rules[name])
        end = ht.run(problem, counter, start, learning_rate=config.learning_rate, steps=config.steps, throw=False)
        thetas.append(np.asarray(end.thetas)[:, 0])
        first.append(int(end.states.flips.first[-1, 0]))
        sound = int(end.result) == ht.NAMES.index("reached_end")
        codes.append(0 if sound else int(end.result))
    return {"thetas": np.stack(thetas), "first": np.array(first), "status": np.array(codes)}


def _imbalances(config: Config) -> dict[str, np.ndarray]:
    """When factors −1 and 1 + ε cross zero on their way to 1: of theory, in a flow, and in gradient descent."""
    first, last, step = config.bits
    epsilon = 2.0 ** -np.arange(first, last + 1, step)
    problem, rate = spring(1.0), config.small
    theory = np.asarray(ht.signs.first_passage_time(ht.Hypentropy(epsilon * (1 + epsilon / 2)), 1 + epsilon, 1.0))
    steps = math.ceil(1.25 * theory.max() / rate)
    flows, rules, codes = [], [], []
    for value, time in zip(epsilon, theory, strict=True):
        flow, code = crossing(product_path(problem, 1 + value, -1.0, 1.5 * time))
        counter = ht.signs.FlipCounter(ht.ProductGD(m0=[1 + value], w0=[-1.0]))
        end = ht.run(problem, counter, learning_rate=rate, steps=steps, save_every=steps, progress=False, throw=False)
        number = int(end.states.flips.first[-1, 0])
        flows.append(flow)
        rules.append(number * rate if number > 0 else np.nan)
        codes.append(code or (0 if number > 0 else STALLED))
    return {
        "epsilon": epsilon,
        "theory": theory,
        "flow": np.array(flows),
        "rule": np.array(rules),
        "status": np.array(codes),
    }


def _unaware(solver: diffrax.AbstractSolver) -> float:
    """When an integrator of (m, w) from exactly 1 and −1, which knows nothing of m² − w², gets across zero; or NaN.

    The two derivatives are the same up to the sign, and rounded differently: written alike, it would depend on the
    compiler whether they are.
    """

    def velocity(t, factors, args):
        m, w = factors
        return -jnp.stack([w * (m * w - 1), m * w * m - m])

    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(velocity),
        solver,
        t0=0.0,
        t1=60.0,
        dt0=None,
        y0=jnp.array([1.0, -1.0]),
        stepsize_controller=diffrax.PIDController(rtol=1e-8, atol=1e-10),
        saveat=diffrax.SaveAt(steps=True),
        max_steps=4096,
        throw=False,
    )
    ts, states = np.asarray(solution.ts), np.asarray(solution.ys)
    across = np.flatnonzero(np.isfinite(ts) & (states.prod(axis=1) > 0))
    return float(ts[across[0]]) if across.size else np.nan


def _ratios(config: Config) -> tuple[np.ndarray, np.ndarray]:
    """ηα|g| of steps across zero, and what HYP* makes of them over what HYP does; the first is the catalogue's."""
    largest, count = config.exponents
    exponents = np.concatenate([[1.5], np.linspace(0, largest, count)[1:]])
    rate, force = jnp.asarray(0.01), 3.0
    alpha = jnp.asarray(exponents / (rate * force))
    theta, gradient = jnp.full(alpha.shape, -0.5 * rate * force), jnp.full(alpha.shape, -force)
    after = [rule(alpha).step(theta, gradient, rate) for rule in (ht.HAMStep, ht.HYP)]
    return exponents, np.asarray(after[0] / after[1])


def run(config: Config) -> xr.Dataset:
    """Flows, rules, imbalances and single steps across zero."""
    flows, rules, small = _flows(config), _rules(config), _imbalances(config)
    raw = np.array([_unaware(getattr(diffrax, name)()) for name in RAW])
    exponents, ratios = _ratios(config)
    cases = [*geometries(config), ("m*w", 0.0)]
    statuses = {f"{force} {i}": flows["status"][k, i] for k, force in enumerate(FORCES) for i in range(len(cases))}
    statuses |= dict(zip(RULES, rules["status"], strict=True))
    statuses |= {f"epsilon {k}": code for k, code in enumerate(small["status"])}
    statuses |= dict.fromkeys(RAW, 0)  # NaN where it stays
    both = ("force", "flow")
    return xr.Dataset(
        {
            "path": store.variable((*both, "point"), flows["theta"], "θ along the flow"),
            "time": store.variable(("force", "point"), flows["time"], "time of the flow"),
            "theory": store.variable(both, flows["theory"], "time of crossing zero, of theory", "time"),
            "simulated": store.variable(both, flows["simulated"], "time of crossing zero of the flow", "time"),
            "through": store.variable("flow", flows["through"], "time from -start to start under a unit force", "time"),
            "inverse_metric": store.variable(("flow", "theta"), flows["metric"], "inverse metric"),
            "iterates": store.variable(("rule", "step"), rules["thetas"], "θ along the steps of a rule"),
            "first_step": store.variable("rule", rules["first"], "number of the first step across zero, -1: never"),
            "epsilon_theory": store.variable("epsilon", small["theory"], "time of crossing zero, of theory", "time"),
            "epsilon_flow": store.variable("epsilon", small["flow"], "time of crossing zero of the flow", "time"),
            "epsilon_rule": store.variable("epsilon", small["rule"], "steps to cross zero times their size", "time"),
            "unaware": store.variable("integrator", raw, "time at which rounding got it across zero", "time"),
            "ratio": store.variable("exponent", ratios, "step of HYP* across zero over that of HYP"),
            "start": store.variable((), config.start, "distance of the start and of the target from zero"),
            "learning_rate": store.variable((), config.learning_rate, "learning rate of the rules", "time"),
            "status": store.status(("case",), np.array(list(statuses.values()), np.int8)),
        },
        coords={
            "force": list(FORCES),
            "family": ("flow", [family for family, _ in cases]),
            "parameter": store.variable("flow", [value for _, value in cases], "alpha (HAM), gamma (m*w)"),
            "theta": store.variable("theta", flows["axis"], "parameter θ"),
            "rule": list(RULES),
            "epsilon": store.variable("epsilon", small["epsilon"], "|m|/|w| - 1 at the start"),
            "integrator": list(RAW),
            "exponent": store.variable("exponent", exponents, "learning rate times alpha times the force"),
            "case": list(statuses),
        },
    )
