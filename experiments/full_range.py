"""The whole interpolation, ln α from −30 to 10⁴, with the rate that the certificate of basis pursuit predicts."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import tqdm
import xarray as xr

import hamtheory as ht

from . import store
from ._draws import labelled_problems
from ._paths import FAMILIES, path_summary, path_variables, whole_range


@dataclasses.dataclass(frozen=True)
class Config:
    """`instances` random problems of n rows, d columns and k spikes of ±1 for each k in `ks`, and real `data`.

    `lowest`, `knee`, `highest`: of ln α and ln 1/γ, evenly spaced up to the knee, in the logarithm above. Rates are
    fitted where the relative excess of the L1 norm is within `window`: so far down that the slowest entry dominates,
    and above rounding.
    """

    n: int = 40
    d: int = 100
    ks: tuple[int, ...] = (5, 12)
    instances: int = 100
    lowest: float = -30.0
    knee: float = 60.0
    highest: float = 1e4
    points: tuple[int, int] = (91, 25)
    window: tuple[float, float] = (1e-9, 1e-5)
    data: tuple[str, ...] = ("fermentation", "mnist")
    seed: int = 0

    @classmethod
    def quick(cls) -> "Config":
        return cls(instances=30)

    @classmethod
    def smoke(cls) -> "Config":
        return cls(n=10, d=30, ks=(2,), instances=4, points=(46, 12), data=())


def _rate(sparsity: np.ndarray, excess: np.ndarray, window: tuple[float, float]) -> float:
    """Minus the slope of ln(excess) within the window; NaN for fewer than three points."""
    inside = (excess > window[0]) & (excess < window[1])
    return -np.polyfit(sparsity[inside], np.log(excess[inside]), 1)[0] if inside.sum() > 2 else np.nan


def run(config: Config) -> xr.Dataset:
    """Norms along the whole path, the ends, the margins of basis pursuit, and the fitted rates."""
    problems, spikes = {}, []
    for k in config.ks:
        drawn = labelled_problems(config.n, config.d, k, config.instances, config.seed)
        problems |= {f"{label}, k = {k}": problem for label, problem in drawn.items()}
        spikes += [k] * len(drawn)
    problems |= {name: ht.datasets.load(name) for name in config.data}
    spikes += [-1] * len(config.data)
    sparsity = whole_range(config.lowest, config.knee, config.highest, *config.points)
    cases, ends, certificates = [], [], []
    for problem in tqdm.tqdm(problems.values(), desc="full_range", leave=False, delay=2):
        certificate = ht.certify_basis_pursuit(problem)
        least = certificate.norm, float(jnp.linalg.norm(ht.min_norm(problem)))
        paths = [path_summary(problem, family, sparsity) for family in FAMILIES]
        rates = [_rate(sparsity, path[0] / least[0] - 1, config.window) for path in paths]
        cases.append(paths)
        ends.append((*least, float(jnp.sum(jnp.abs(ht.min_norm(problem))))))
        certificates.append((certificate.margin, certificate.is_unique, certificate.gap, *rates))
    least_l1, least_l2, dense_l1 = np.asarray(ends).T
    margin, unique, proof, *rates = np.asarray(certificates, float).T
    stacked = np.array([[[path[i] for path in paths] for paths in cases] for i in range(6)])
    dims = ("problem", "family", "sparsity")
    return xr.Dataset(
        {
            **path_variables(dims, stacked),
            "least_l1": store.variable("problem", least_l1, "least L1 norm of an interpolator, by HiGHS"),
            "least_l2": store.variable("problem", least_l2, "least L2 norm of an interpolator"),
            "dense_l1": store.variable("problem", dense_l1, "L1 norm of the interpolator of least L2 norm"),
            "margin": store.variable("problem", margin, "margin of the certificate of basis pursuit"),
            "proof": store.variable("problem", proof, "relative duality gap of basis pursuit"),
            "is_unique": store.variable("problem", unique.astype(bool), "whether basis pursuit is unique"),
            "rate": store.variable(("family", "problem"), rates, "fitted decay of the excess L1 norm"),
        },
        coords={
            "problem": list(problems),
            "family": list(FAMILIES),
            "sparsity": store.variable("sparsity", sparsity, "ln alpha (HAM), ln 1/gamma (m*w)"),
            "k": store.variable("problem", spikes, "number of spikes; -1 for real data"),
        },
    )
