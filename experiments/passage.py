"""First-passage times over all γ and α: closed forms and quadrature against flows in every coordinates, and rules."""

import dataclasses
import math

import numpy as np
import tqdm
import xarray as xr

import hamtheory as ht

from . import store
from ._one_dimension import STALLED, crossing, factors, imbalance, path, product_path, spring


@dataclasses.dataclass(frozen=True)
class Config:
    """From −a to y for every pair (a, y); `gammas`, `alphas`, `customs`: exponents of ten, first, last and how many.

    `customs` are the c of `custom` and, of them those up to 1, the scales of a diagonal network of that `depth`. Rules
    have the learning rates `largest` and its halvings, the first pair, `rule_alpha` and `rule_gamma`.
    """

    pairs: tuple[tuple[float, float], ...] = ((0.7, 1.0), (3.0, 0.2), (0.05, 4.0))
    gammas: tuple[float, float, int] = (-12.0, 0.0, 13)
    alphas: tuple[float, float, int] = (-3.0, 6.0, 19)
    coordinates: tuple[str, ...] = ("dual", "primal")
    custom: str = "1 + c*theta**2"  # any even, positive inverse metric of theta with the parameter c, as text; "": none
    depth: int = 3
    customs: tuple[float, float, int] = (-2.0, 4.0, 13)
    largest: float = 2.0**-7
    halvings: int = 7
    points: int = 181  # of the curves of theory
    rule_alpha: float = 20.0
    rule_gamma: float = 1e-2
    seed: int = -1  # nothing is drawn

    @classmethod
    def smoke(cls) -> "Config":
        return cls(
            gammas=(-12.0, 0.0, 4), alphas=(-3.0, 6.0, 4), coordinates=("dual",), custom="", customs=(-2.0, 1.0, 4)
        )


RULES = ("GD", "HYP", "HYP*", "m*w")
UNIT = float(np.finfo(float).eps)


def _passages(families, pairs, coordinates, bar) -> dict[str, np.ndarray]:
    """Times of theory and of flows in these coordinates, (pairs, geometries, coordinates)."""
    rows: dict[str, list] = {"theory": [], "simulated": [], "status": []}
    for a, y in pairs:
        problem = spring(y)
        for geo in families:
            time = float(ht.signs.first_passage_time(geo, a, y))
            ends = [crossing(path(problem, geo, a, 1.5 * time, name)) for name in coordinates]
            rows["theory"].append([time] * len(ends))
            rows["simulated"].append([end for end, _ in ends])
            rows["status"].append([code for _, code in ends])
            bar.update()
    shape = (len(pairs), len(families), len(coordinates))
    return {name: np.array(values).reshape(shape) for name, values in rows.items()}


def _products(gammas, pairs, bar) -> dict[str, np.ndarray]:
    """The same for flows of the factors, (pairs, geometries, 1). Theory: at the γ and the a of the factors as rounded.

    `rounding`: by how much one rounding unit of a factor moves T, relative: `dT/d ln γ = −1/2ρ` at most, ρ ≥ y.
    """
    rows: dict[str, list] = {"theory": [], "simulated": [], "status": [], "rounding": []}
    for a, y in pairs:
        problem = spring(y)
        for gamma in gammas:
            m, w = factors(a, gamma)
            time = float(ht.signs.first_passage_time(ht.Hypentropy(imbalance(m, w)), -m * w, y))
            end, code = crossing(product_path(problem, m, w, 1.5 * time))
            for name, value in zip(rows, (time, end, code, UNIT * a / gamma / (2 * y * time)), strict=True):
                rows[name].append(value)
            bar.update()
    return {name: np.array(values).reshape(len(pairs), len(gammas), 1) for name, values in rows.items()}


def _steps(config: Config) -> tuple[np.ndarray, np.ndarray]:
    """T of theory of every rule's flow, and the steps times η until its iterates are zero, (rules, rates)."""
    a, y = config.pairs[0]
    problem, (m, w) = spring(y), factors(a, config.rule_gamma)
    ham = ht.HAM(config.rule_alpha)
    cases = {
        "GD": (ht.GD(), ht.Euclidean()),
        "HYP": (ht.HYP(config.rule_alpha), ham),
        "HYP*": (ht.HAMStep(config.rule_alpha), ham),
        "m*w": (ht.ProductGD(m0=[m], w0=[w]), ht.Hypentropy(imbalance(m, w))),
    }
    theory = np.array([float(ht.signs.first_passage_time(geo, a, y)) for _, geo in cases.values()])
    rates, measured = config.largest * 0.5 ** np.arange(config.halvings), []
    for (rule, _), time in zip(cases.values(), theory, strict=True):
        for rate in rates:
            start = None if isinstance(rule, ht.ProductGD) else [-a]
            steps = math.ceil(1.5 * time / rate) + 20
            end = ht.run(problem, ht.signs.FlipCounter(rule), start, learning_rate=rate, steps=steps, throw=False)
            number, thetas = int(end.states.flips.first[-1, 0]), np.asarray(end.thetas)[:, 0]
            if number < 1:
                measured.append(np.nan)
                continue
            before, after = thetas[number - 1 : number + 1]
            measured.append(rate * (number - after / (after - before)))
    return theory, np.array(measured).reshape(len(cases), len(rates))


def run(config: Config) -> xr.Dataset:
    """Passage times of theory and simulation, an instance a geometry and coordinates, for every pair; and of rules."""
    gammas, alphas, customs = (10.0 ** np.linspace(*grid) for grid in (config.gammas, config.alphas, config.customs))
    scales, pairs = customs[customs <= 1], config.pairs
    families = {
        "m*w": (gammas, [ht.Hypentropy(gamma=gamma) for gamma in gammas], config.coordinates),
        "HAM": (alphas, [ht.HAM(alpha=alpha) for alpha in alphas], config.coordinates),
        "network": (scales, [ht.DiagonalNetwork(config.depth, scale) for scale in scales], ("dual",)),
    }
    if config.custom:
        import hamtheory.symbolic  # SymPy takes a second to import

        of_text = [hamtheory.symbolic.geometry(config.custom, c=c) for c in customs]
        families |= {"custom": (customs, of_text, ("primal",))}
    count = len(pairs) * (len(gammas) + sum(len(values) for values, _, _ in families.values()))
    cases = []
    with tqdm.tqdm(total=count, desc="passage", leave=False, delay=2) as bar:
        for family, (values, geos, coordinates) in families.items():
            cases.append((family, values, coordinates, _passages(geos, pairs, coordinates, bar)))
        cases.append(("m*w", gammas, ("product",), _products(gammas, pairs, bar)))
    theory, measured = _steps(config)

    flat = lambda of: of.reshape(len(pairs), -1)  # noqa: E731
    of = {
        name: np.concatenate([flat(part.get(name, np.zeros_like(part["theory"]))) for *_, part in cases], axis=1)
        for name in ("theory", "simulated", "status", "rounding")
    }
    case = [
        (family, value, name)
        for family, values, coordinates, _ in cases
        for value in values.tolist()
        for name in coordinates
    ]
    y, a = (np.array([pair[i] for pair in pairs])[:, None] for i in (1, 0))
    parameter = np.array([value for _, value, _ in case])
    family = np.array([name for name, _, _ in case])
    asymptote = np.where(
        family == "m*w",
        np.log(2 * a * y / (parameter * (a + y))) / (2 * y),
        np.where(family == "HAM", np.log(parameter * a * y / (y + a)) / (parameter * y), np.nan),
    )
    fine = {
        "gamma": 10.0 ** np.linspace(*config.gammas[:2], config.points),
        "alpha": 10.0 ** np.linspace(*config.alphas[:2], config.points),
    }
    curves = {
        "gamma": ht.signs.first_passage_time(ht.Hypentropy(gamma=fine["gamma"][None]), a, y),
        "alpha": ht.signs.first_passage_time(ht.HAM(alpha=fine["alpha"][None]), a, y),
    }
    dims = ("pair", "case")
    status = np.concatenate([of["status"], np.full((len(pairs), 1), 0)], axis=1).astype(np.int8)
    status[0, -1] = 0 if np.isfinite(measured).all() else STALLED
    return xr.Dataset(
        {
            "theory": store.variable(dims, of["theory"], "first-passage time, closed form or quadrature", "time"),
            "simulated": store.variable(dims, of["simulated"], "time at which the flow crosses zero", "time"),
            "theory_gamma": store.variable(("pair", "gamma"), curves["gamma"], "first-passage time of m*w", "time"),
            "theory_alpha": store.variable(("pair", "alpha"), curves["alpha"], "first-passage time of HAM", "time"),
            "difference": store.variable(dims, abs(of["simulated"] / of["theory"] - 1), "their relative difference"),
            "rounding": store.variable(dims, of["rounding"], "what a rounding unit of a factor changes, relative"),
            "asymptote": store.variable(dims, asymptote, "leading terms as gamma vanishes, as alpha grows", "time"),
            "rule_theory": store.variable("rule", theory, "first-passage time of the rule's flow", "time"),
            "rule_measured": store.variable(("rule", "rate"), measured, "steps until zero times their size", "time"),
            "status": store.status(("pair", "run"), status),
        },
        coords={
            "a": store.variable("pair", a[:, 0], "distance of the start from zero"),
            "y": store.variable("pair", y[:, 0], "target"),
            "family": ("case", family),
            "parameter": store.variable("case", parameter, "gamma (m*w), alpha (HAM), c (custom), scale (network)"),
            "coordinates": ("case", [name for *_, name in case]),
            "gamma": store.variable("gamma", fine["gamma"], "gamma"),
            "alpha": store.variable("alpha", fine["alpha"], "alpha"),
            "rule": list(RULES),
            "rate": store.variable("rate", config.largest * 0.5 ** np.arange(config.halvings), "learning rate", "time"),
        },
    )
