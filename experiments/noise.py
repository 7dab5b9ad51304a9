"""What mini-batches do to the bias of gradient descent, m⊙w and HAM, against learning rate and batch size.

*Theory*, to first order in η, before any run: along the flow, of time t, a mini-batch of b samples has the second
moments `E[gᵢ²] = Sᵢ/b + (1 − 1/b)(∇ᵢf)²`, with `Sᵢ = Σ_j r_j² x_ji²/n` and r the residual. They shrink γ of m⊙w to
`γ exp(−η∫E[g²]dt)`, and move the start of HAM, in mirror coordinates, from 0 to `½η∫κ(θ)E[g²]dt`, κ the drift
coefficient of its discretisation (`ht.symbolic.ito_drift`). The limit is the Bregman projection with these.
"""

import dataclasses

import jax.numpy as jnp
import numpy as np
import xarray as xr

import hamtheory as ht

from . import store
from ._limits import largest_rate, limits_from_mirror, limits_of_gammas
from ._swept import swept

RULES = {"published": "HYP*", "natural": "natural gradient"}


@dataclasses.dataclass(frozen=True)
class Config:
    """`problems` random problems of n rows, d columns and k spikes of ±1, from zero; `draws` of the mini-batches each.

    HAM by its published steps and by the natural gradient; of mirror descent nothing changes, whatever the noise.

    `rates`, in units of the largest stable learning rate at the limit of the flow, with mini-batches of one sample; and
    `batch_sizes` at the rate `at`. Runs end at a relative residual of `tol`, or after `times / rate` steps. The flow is
    followed in mirror coordinates at `fine` such units.
    """

    n: int = 40
    d: int = 100
    k: int = 5
    problems: int = 4
    alpha: float = 20.0
    gamma: float = 0.1
    draws: int = 8
    rates: tuple[float, ...] = (0.006, 0.0125, 0.025, 0.05)
    at: float = 0.05
    batch_sizes: tuple[int, ...] = (2, 4, 8, 0)
    times: float = 2000.0
    fine: float = 0.02
    tol: float = 1e-5
    seed: int = 0

    @classmethod
    def quick(cls) -> "Config":
        return cls(rates=(0.0125, 0.025, 0.05), draws=4)

    @classmethod
    def smoke(cls) -> "Config":
        return cls(n=10, d=20, k=2, problems=2, draws=8, rates=(0.02, 0.1), batch_sizes=(4, 0), fine=0.04, tol=1e-4)


def geometries(config: Config) -> dict[str, ht.geometry.AbstractGeometry]:
    """By family."""
    return {"GD": ht.Euclidean(), "m*w": ht.Hypentropy(config.gamma), "HAM": ht.HAM(config.alpha)}


CURVES = [("GD", "published"), ("m*w", "published"), *(("HAM", rule) for rule in RULES)]


def specification(config: Config, family: str, rule: str, rates: tuple[float, ...], sizes: tuple[int, ...]):
    """The sweep of one curve: all problems, rates, sizes and draws."""
    words = {"GD": ("gd", {}), "m*w": ("mw", {"gamma": config.gamma}), "HAM": ("ham", {"alpha": config.alpha})}
    name, parameters = words[family]
    return ht.SweepSpec(
        problems=[
            ht.sweeps.Sparse(config.n, config.d, config.k, 0.0, range(config.seed, config.seed + config.problems))
        ],
        geometries=[ht.sweeps.Geometries(name, parameters)],
        quantity=ht.sweeps.Run(
            steps=round(config.times / min(rates)),
            learning_rate=list(rates),
            relative=True,
            batch_size=list(sizes),
            draws=list(range(config.draws)),
            rule=rule,
            tol=config.tol,
            checks=1000,
        ),
        chunk=config.problems,
    )


def second_moments(problem, algorithm, theta, learning_rate):
    """S and (∇f)², as above, weighted by κ for both discretisations of HAM."""
    moments = jnp.stack([ht.metrics.gradient_second_moments(problem, theta, batch_size=b) for b in (1, None)])
    if algorithm.geometry.name != "ham":
        return moments
    published = ht.HAMStep(algorithm.geometry.alpha).mirror_drift(theta)
    natural = ht.algorithm.NaturalGradient(algorithm.geometry).mirror_drift(theta)
    return {"published": published[None, :] * moments, "natural": natural[None, :] * moments}


def _integrals(config: Config, problems, family: str):
    """∫ along the flow of what `second_moments` returns, for each problem; and whether it got to the limit."""
    geometry = geometries(config)[family]
    rates = [largest_rate(problem, geometry) for problem in problems]
    return ht.run_many(
        problems,
        ht.algorithm.MirrorDescent(geometry),
        np.zeros((len(problems), config.d)),
        which=range(len(problems)),
        learning_rate=config.fine * np.array(rates),
        steps=round(config.times / config.fine),
        tol=1e-8,
        integrand=second_moments,
        progress=False,
    )


def _predicted(config: Config, problems, family: str, rule: str, found, rates, sizes) -> tuple[np.ndarray, np.ndarray]:
    """The L1 norm of the predicted limits, (problems, rates, sizes), and the codes of their solutions."""
    geometry, norms, codes = geometries(config)[family], [], []
    for i, problem in enumerate(problems):
        moments = found.integral[rule] if family == "HAM" else found.integral
        share = np.array([1 / (size or np.inf) for size in sizes])
        weights = np.stack([share, 1 - share], axis=-1)
        eta = largest_rate(problem, geometry) * np.asarray(rates)
        effect = (eta[:, None, None] * (weights @ moments[i])).reshape(-1, config.d)
        if family == "GD":
            theta = np.broadcast_to(ht.min_norm(problem), effect.shape)
            code = np.zeros(len(effect), int)
        elif family == "m*w":
            theta, code = limits_of_gammas(problem, config.gamma * np.exp(-effect))
        else:
            theta, code = limits_from_mirror(problem, geometry, effect / 2)
        shape = (len(rates), len(sizes))
        norms.append(np.abs(np.asarray(theta)).sum(axis=1).reshape(shape))
        codes.append(np.asarray(code).reshape(shape))
    return np.array(norms), np.array(codes)


def _curve(config: Config, problems, family: str, rule: str, flow: ht.RunResult, rates, sizes):
    """The norms of the ends, (problems, points, draws), those of theory, (problems, points), and the statuses."""
    found = swept(specification(config, family, rule, rates, sizes), "noise")
    shape = (config.problems, len(rates) * len(sizes), config.draws)
    norms, status = (found[name].values.reshape(shape) for name in ("l1_norm", "status"))
    predicted, codes = (x.reshape(shape[:2]) for x in _predicted(config, problems, family, rule, flow, rates, sizes))
    codes = np.where(flow.result[:, None] > 0, flow.result[:, None], codes)
    return norms, predicted, np.where(status > 0, status, codes[:, :, None])


def run(config: Config) -> xr.Dataset:
    """The L1 norms of the limits, relative to the excess of the flow's, with theory, along both axes."""
    made = [ht.sparse_regression(config.n, config.d, config.k, seed=config.seed + i) for i in range(config.problems)]
    problems = [ht.LinearRegression(problem.X, problem.y) for problem in made]
    least = np.array([np.abs(ht.basis_pursuit(problem)).sum() for problem in problems])
    axes = {"rate": (config.rates, (1,)), "batch": ((config.at,), config.batch_sizes)}
    flows = {family: _integrals(config, problems, family) for family in geometries(config)}
    limits = {
        family: np.array([np.abs(np.asarray(ht.solve_limit(p, geometry).theta)).sum() for p in problems])
        for family, geometry in geometries(config).items()
    }
    data: dict = {}
    for axis, (rates, sizes) in axes.items():
        # Of the rules of HAM beside the published one, along the rates alone.
        curves = CURVES if axis == "rate" else CURVES[: len(flows)]
        found = [_curve(config, problems, *curve, flows[curve[0]], rates, sizes) for curve in curves]
        norms, predicted, statuses = (np.array(part) for part in zip(*found, strict=True))
        flow = np.array([limits[family] for family, _ in curves])[:, :, None]
        excess = flow - least[:, None]
        dims = (f"{axis}_curve", "problem", axis)
        change = (norms - flow[..., None]) / excess[..., None]
        data |= {
            f"{axis}_change": store.variable(
                (*dims, "draw"), change, "change of the excess L1 norm over that of the flow"
            ),
            f"{axis}_theory": store.variable(dims, (predicted - flow) / excess, "the same by theory"),
            f"{axis}_status": store.status((*dims, "draw"), statuses),
        }
    status = data["rate_status"].values.max(axis=(2, 3))
    status[: len(flows)] = np.maximum(status[: len(flows)], data["batch_status"].values.max(axis=(2, 3)))
    data["status"] = store.status(("rate_curve", "problem"), status)
    coords = {
        f"{axis}_curve": [family if family != "HAM" else RULES[rule] for family, rule in curves]
        for axis, curves in (("rate", CURVES), ("batch", CURVES[: len(flows)]))
    }
    return xr.Dataset(
        data,
        coords
        | {
            "problem": config.seed + np.arange(config.problems),
            "rate": store.variable("rate", config.rates, "learning rate in units of the largest stable one"),
            "batch": store.variable("batch", [size or config.n for size in config.batch_sizes], "size of mini-batches"),
        },
    )
