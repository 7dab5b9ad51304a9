"""One hidden neuron, and wider students: from which signs do flows learn a teacher, if each layer has its geometry?

*Theory* (`ht.neuron.Neuron`). `I_a(|a|) − I_w(|w|)`, `I_h(x) = ∫₀ˣ s/h(s) ds`, is constant. `a σ(wz)` learns `σ(z)`
from w₀ > 0 and a₀ > 0, or a₀ < 0 with `I_a(|a₀|) < I_w(w₀)` and h_a(0) > 0, and from nowhere else. Of one geometry on
both layers this is |a₀| < w₀. The times to cross differ: those of HAM with α on both layers and of gradient descent by

    T_HAM − T_GD → ln(1 + αw₀) − 2α ∫₀^w₀ ds/((1 + αs)(1 + s²))    as |a₀| → w₀.

Of wider students in more dimensions, a neuron with `I_a(|a|) ≥ Σ_l I_w(|w_l|)` keeps the sign of a, whatever the others
do (`ht.neuron.can_change_sign`); whether another one changes it, is measured.
"""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import tqdm
import xarray as xr

import hamtheory as ht
from hamtheory.algorithm import ProductState
from hamtheory.neuron import Balanced, Neuron, Teacher, can_change_sign

from . import store

SOUND = ("converged", "stuck")  # ends of a flow that has been decided


@dataclasses.dataclass(frozen=True)
class Config:
    """HAM of `alpha`; m⊙w of `gamma` on both layers, and of `reset` = (γ_a, γ_w) as a reset of Sign-In leaves it.

    The grid has `cells` = (of a, of w) within ±`extent`: their numbers are coprime, so that no cell is on the diagonal.
    `draws` of (a₀, w₀), of every sign: half of them uniform within ±`extent`, half with sizes 10^u, u uniform in
    `decades`. `steps` of the discrete rules at `rate`, from the uniform ones. Crossing times are those from the w₀ in
    `sizes`, at `gaps` = (first, last, count) of 1 − |a₀|/w₀.

    `students` of each of the `widths` in p dimensions, with the output weights N(0, 1/√m) and the input weights
    N(0, I/(p√m)), that of the first neuron negative, learn one neuron with a random direction, until `end_time` or a
    loss of `learned` times that at zero.
    """

    alpha: float = 5.0
    gamma: float = 0.1
    reset: tuple[float, float] = (1.0, 0.1)
    extent: float = 2.0
    cells: tuple[int, int] = (61, 60)
    draws: int = 2000
    decades: tuple[float, float] = (-2.0, 1.0)
    rate: float = 0.02
    steps: int = 20_000
    sizes: tuple[float, ...] = (0.3, 1.0, 3.0, 10.0, 30.0)
    gaps: tuple[float, float, int] = (0.9, 1e-6, 25)
    p: int = 3
    widths: tuple[int, ...] = (1, 2, 4, 8)
    students: int = 100
    learned: float = 1e-2
    end_time: float = 200.0
    seed: int = 0

    @classmethod
    def quick(cls) -> "Config":
        return cls(cells=(31, 30), draws=1000, students=50, gaps=(0.9, 1e-6, 13))

    @classmethod
    def smoke(cls) -> "Config":
        return cls(cells=(15, 14), draws=1000, rate=0.05, steps=4000, gaps=(0.9, 1e-6, 9), widths=(2,), students=40)


def flows_of(config: Config) -> dict[str, Neuron]:
    """The pairs of geometries, by name."""
    one = {
        "GD": ht.Euclidean(),
        "m*w balanced": Balanced(),
        "m*w": ht.Hypentropy(config.gamma),
        "HAM": ht.HAM(config.alpha),
    }
    reset_a, reset_w = map(ht.Hypentropy, config.reset)
    pairs = {name: Neuron(layer, layer) for name, layer in one.items()}
    pairs |= {"Sign-In": Neuron(reset_a, reset_w), "HAM on a": Neuron(one["HAM"], one["GD"])}
    return {name: pairs[name] for name in FLOWS}


FLOWS = ("GD", "m*w balanced", "m*w", "Sign-In", "HAM", "HAM on a")


def rules_of(config: Config) -> dict[str, ht.algorithm.AbstractAlgorithm]:
    """A discrete rule for (a, w) of every flow, by its name."""
    almost_none = 1e-12
    return {
        "GD": ht.GD(),
        "m*w balanced": ht.ProductGD(),
        "m*w": ht.ProductGD(gamma=config.gamma),
        "Sign-In": ht.ProductGD(gamma=list(config.reset)),
        "HAM": ht.HAMStep(config.alpha),
        "HAM on a": ht.HAMStep([config.alpha, almost_none]),
    }


def wilson(successes, trials, z: float = 1.96) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's interval of a share, of 95 % by default."""
    share, extra = np.asarray(successes) / trials, z**2 / trials
    middle, half = share + extra / 2, z * np.sqrt(share * (1 - share) / trials + extra / (4 * trials))
    return (middle - half) / (1 + extra), (middle + half) / (1 + extra)


def limiting_delay(alpha: float, w0) -> np.ndarray:
    """`T_HAM − T_GD` as |a₀| → w₀, in closed form."""
    w0 = np.asarray(w0)
    integral = alpha * np.log1p(alpha * w0) - alpha / 2 * np.log1p(w0**2) + np.arctan(w0)
    return np.log1p(alpha * w0) - 2 * alpha / (1 + alpha**2) * integral


def _sound(result, names: tuple[str, ...] = SOUND) -> np.ndarray:
    """The codes, 0 for the outcomes that are none of a failure."""
    codes = np.asarray(result)
    return np.where(np.isin(codes, [ht.NAMES.index(name) for name in names]), 0, codes)


def starts_of(config: Config) -> tuple[np.ndarray, np.ndarray]:
    """a₀ and w₀ of the draws."""
    rng = np.random.default_rng(config.seed)
    near = rng.uniform(-config.extent, config.extent, (config.draws // 2, 2))
    shape = (config.draws - config.draws // 2, 2)
    far = rng.choice([-1.0, 1.0], shape) * 10 ** rng.uniform(*config.decades, shape)
    a0, w0 = np.concatenate([near, far]).T
    return a0, w0


@eqx.filter_jit
def _discrete(rule, neuron: Neuron, starts, rate, steps):
    """Where a rule takes (a, w) from these starts, (draws, 2)."""
    plane = ht.LinearRegression(jnp.eye(2), jnp.zeros(2))  # for its two parameters

    def run(start):
        def step(_, state):
            return rule.step(state, jnp.stack(neuron.gradient(*rule.theta(state))), rate)

        first = rule.init(plane, start)
        if isinstance(first, ProductState) and isinstance(neuron.geometry_a, Balanced):
            first = first._replace(
                w=jnp.sign(start) * first.m
            )  # to the last digit: an imbalance of rounding crosses, too
        return rule.theta(jax.lax.fori_loop(0, steps, step, first))

    return jax.vmap(run)(starts)


def _of_students(config: Config) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """What became of the students, (flow, width, student) or (flow, width), and the codes."""
    flows, found, codes = flows_of(config), [], []
    rng = np.random.default_rng(config.seed + 1)
    direction = rng.normal(size=config.p)
    teacher = Teacher([1.0], [direction / np.linalg.norm(direction)])
    for m in config.widths:
        a0 = rng.normal(size=(config.students, m)) * m**-0.25
        a0[:, 0] = -np.abs(a0[:, 0])
        w0 = rng.normal(size=(config.students, m, config.p)) * m**-0.25 / np.sqrt(config.p)
        for name in tqdm.tqdm(FLOWS, desc=f"neuron, width {m}", leave=False, delay=2):
            layers = flows[name].geometry_a, flows[name].geometry_w
            how = {"rtol": 1e-5, "atol": 1e-7, "tol": config.learned, "end_time": config.end_time, "max_steps": 8000}
            end = teacher.flow(*layers, a0, w0, **how)
            can = np.asarray(can_change_sign(*layers, a0, w0))
            changed = (np.asarray(end.a) > 0) & (a0 < 0) | (np.asarray(end.a) < 0) & (a0 > 0)
            found.append({
                "turned": changed[:, 0],
                "can_turn": can[:, 0],
                "reached": np.asarray(end.result) == 0,
                "forbidden_changes": np.sum(changed & ~can),
                "changes": np.sum(changed),
            })  # fmt: skip
            codes.append(_sound(end.result, (*SOUND, "reached_end")))
    order = (len(config.widths), len(FLOWS))
    stacked = {name: np.stack([row[name] for row in found]) for name in found[0]}
    by_flow = {name: values.reshape(*order, *values.shape[1:]).swapaxes(0, 1) for name, values in stacked.items()}
    return by_flow, np.stack(codes).reshape(*order, -1).swapaxes(0, 1)


def run(config: Config) -> xr.Dataset:
    """Phase diagrams with separatrices, draws against theory, crossing times, and wider students."""
    cells_a, cells_w = ((2 * (np.arange(n) + 0.5) / n - 1) * config.extent for n in config.cells)
    curve = np.linspace(0, config.extent, 201)
    a0, w0 = starts_of(config)
    near = config.draws // 2
    gaps, sizes = np.geomspace(*config.gaps), np.asarray(config.sizes)
    # All starts of a flow in one batch: compiled once, for all flows.
    timed_a, timed_w = -sizes[:, None] * (1 - gaps), np.broadcast_to(sizes[:, None], (sizes.size, gaps.size))
    grid_a, grid_w = np.meshgrid(cells_a, cells_w, indexing="ij")
    all_a, all_w = (np.concatenate([x.ravel() for x in xs]) for xs in ((grid_a, a0, timed_a), (grid_w, w0, timed_w)))
    drawn = slice(grid_a.size, grid_a.size + config.draws)
    rules, rows, codes = rules_of(config), [], []
    for name, neuron in flows_of(config).items():
        end = neuron.flow(all_a, all_w)
        end_a, end_w, learned = (np.asarray(x) for x in (end.a, end.w, end.recovered))
        terms = [
            neuron.invariant(a, 0.0) - neuron.invariant(0.0, w) for a, w in ((a0, w0), (end_a[drawn], end_w[drawn]))
        ]
        change = neuron.invariant(end_a[drawn], end_w[drawn]) - neuron.invariant(a0, w0)
        critical = np.asarray(neuron.critical_size(w0))
        with np.errstate(divide="ignore"):
            margin = np.where((a0 < 0) & (critical > 0), np.abs(np.log(np.abs(a0) / critical)), np.inf)
        ends = _discrete(
            rules[name], neuron, jnp.stack([a0[:near], w0[:near]], axis=1), config.rate, jnp.asarray(config.steps)
        )
        rows.append({
            "learned": learned[: grid_a.size].reshape(grid_a.shape),
            "separatrix": -np.asarray(neuron.critical_size(curve)),
            "drawn_learned": learned[drawn],
            "theory": np.asarray(neuron.recovers(a0, w0)),
            "margin": margin,
            "drift": np.abs(change) / np.maximum(*map(np.asarray, terms)),
            "discrete_learned": np.asarray(neuron.loss(*np.asarray(ends).T) < 0.125),
            "crossing_time": np.asarray(end.crossing_time)[drawn.stop :].reshape(timed_a.shape),
        })  # fmt: skip
        codes.append(_sound(end.result))
    of = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    wide, wide_codes = _of_students(config)
    codes = np.concatenate([np.stack(codes), wide_codes.reshape(len(FLOWS), -1)], axis=1)
    student, width = ("flow", "width", "student"), ("flow", "width")
    shares = {}
    for name, meaning in (("turned", "tagged neurons that became positive"), ("reached", "students that learned")):
        counts = wide[name].sum(axis=-1)
        for end, values in zip(("low", "high"), wilson(counts, config.students), strict=True):
            shares[f"{name}_{end}"] = store.variable(width, values, f"share of {meaning}, {end} end of its interval")
        shares[f"{name}_share"] = store.variable(width, counts / config.students, f"share of {meaning}")
    data = {
        "status": store.status(("flow", "case"), codes),
        "learned": store.variable(("flow", "a_start", "w_start"), of["learned"], "the flow learned the teacher"),
        "separatrix": store.variable(("flow", "curve"), of["separatrix"], "a0 at the separatrix"),
        "a_drawn": store.variable("draw", a0, "a0 of a draw"),
        "w_drawn": store.variable("draw", w0, "w0 of a draw"),
        "drawn_learned": store.variable(("flow", "draw"), of["drawn_learned"], "the flow learned the teacher"),
        "theory": store.variable(("flow", "draw"), of["theory"], "by theory it does"),
        "margin": store.variable(("flow", "draw"), of["margin"], "distance from the separatrix in ln |a0|"),
        "drift": store.variable(("flow", "draw"), of["drift"], "change of the invariant over the sum of its terms"),
        "discrete_learned": store.variable(("flow", "near"), of["discrete_learned"], "the discrete rule learned it"),
        "crossing_time": store.variable(
            ("flow", "size", "gap"), of["crossing_time"], "time at which a is zero", "time"
        ),
        "delay": store.variable("size", limiting_delay(config.alpha, sizes), "limit of T(HAM) - T(GD)", "time"),
        "turned": store.variable(student, wide["turned"], "the tagged neuron became positive"),
        "can_turn": store.variable(student, wide["can_turn"], "its invariant allows that"),
        "reached": store.variable(student, wide["reached"], "the student learned the teacher"),
        "changes": store.variable(width, wide["changes"], "neurons whose a changed its sign"),
        "forbidden_changes": store.variable(width, wide["forbidden_changes"], "of these, by theory cannot"),
        **shares,
    }
    coords = {
        "flow": list(FLOWS),
        "a_start": store.variable("a_start", cells_a, "a0"),
        "w_start": store.variable("w_start", cells_w, "w0"),
        "curve": store.variable("curve", curve, "w0 of the separatrix"),
        "size": store.variable("size", sizes, "w0"),
        "gap": store.variable("gap", gaps, "1 - |a0|/w0"),
        "width": store.variable("width", np.asarray(config.widths), "neurons of the student"),
    }
    return xr.Dataset(data, coords)
