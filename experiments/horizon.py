"""Two parameters, and samples that can be told apart: the shape of the level sets far out says where the flows go.

The level sets of `R(θ₁) + R(θ₂)` grow, and rescaled they come to the unit ball of the horizon's norm. On the diagonal
of the set through (r, 0) this leaves, for large r, `ln 2/ln(αr)` of HAM, `ln 2/r` of 1/cosh θ.
"""

import dataclasses

import numpy as np
import xarray as xr

import hamtheory as ht

from . import store
from ._contours import circle, directions, level_radii
from .margins import Power


class Cosh(ht.geometry.AbstractGeometry):
    """`R = cosh θ − 1`, whose horizon is the ℓ_∞ norm."""

    def inverse_metric(self, theta):
        return 1 / ht.geometry.namespace(theta).cosh(theta)

    def mirror_map(self, theta):
        return ht.geometry.namespace(theta).sinh(theta)

    def inverse_mirror_map(self, mu):
        return ht.geometry.namespace(mu).arcsinh(mu)

    def potential(self, theta):
        return 2 * ht.geometry.namespace(theta).sinh(theta / 2) ** 2

    def mirror_bound(self):
        return np.inf


@dataclasses.dataclass(frozen=True)
class Config:
    """Samples of two classes, `−1` those that are given with it, and where the level sets cut the first axis.

    The first sample is the only support vector of every norm: (1, ½) has another best direction in each.
    """

    samples: tuple[tuple[float, float], ...] = ((1.0, 0.5), (1.6, 1.2), (-1.3, -1.5), (-1.7, -0.6))
    classes: tuple[int, ...] = (1, 1, -1, -1)
    alpha: float = 1.0
    gamma: float = 1.0
    power: float = 0.5
    radii: tuple[float, ...] = (0.1, 1.0, 10.0, 100.0)
    losses: tuple[float, float, int] = (1.0, 1e3, 61)  # beyond, sinh θ is no number
    angles: int = 721
    rtol: float = 1e-6
    tol: float = 1e-9
    seed: int = -1  # nothing is drawn

    @classmethod
    def smoke(cls) -> "Config":
        return cls(angles=73, losses=(1.0, 1e3, 31))


def geometries(config: Config) -> dict[str, tuple[ht.geometry.AbstractGeometry, str]]:
    """The geometries with their inverse metrics in words, by the exponent of their horizon."""
    return {
        "HAM": (ht.HAM(alpha=config.alpha), "1 + |θ|" if config.alpha == 1 else f"1 + {config.alpha:g}|θ|"),
        "m*w": (ht.Hypentropy(gamma=config.gamma), f"2√(θ² + {config.gamma**2:g})"),
        "power": (Power(config.power), "√(1 + |θ|)" if config.power == 0.5 else f"(1 + |θ|)^{config.power:g}"),
        "GD": (ht.Euclidean(), "1"),
        "cosh": (Cosh(), "1/cosh θ"),
    }


def case(problem, geo, config: Config, angles: np.ndarray, at: np.ndarray) -> dict[str, np.ndarray]:
    """Level sets that end at 1 on the axis, the ball that they come to, the best direction and that of the flow."""
    radii = np.array(config.radii)
    found = [
        level_radii(lambda x: np.sum(geo.potential(x), axis=-1), float(geo.potential(r)), angles) for r in config.radii
    ]
    shapes = np.stack([one for one, _ in found]) / radii[:, None]
    horizon, ways = geo.horizon(), directions(angles)
    ball = 1 / horizon.gauge(ways)
    best = ht.solve_margin(problem, geo, tol=config.tol, throw=False)
    flow = ht.solve_flow(problem, geo, log_loss=-at[-1], rtol=config.rtol, atol=config.rtol / 100, throw=False)
    angle = np.arctan2(*flow.thetas[1:, ::-1].T)
    end = float(np.arctan2(best.theta[1], best.theta[0]))
    reached = -flow.log_loss[1:]
    # What falls like 1/(−ln L) is nearly linear if multiplied by it.
    apart = np.interp(np.log(at), np.log(reached), reached * (angle - end)) / at
    code = int(best.result) or (0 if flow.result == ht.Result.reached_end else int(flow.result))
    drawn = max(deviation for _, deviation in found) <= 1e-6
    return {
        "level_set": shapes[..., None] * ways,
        "ball": ball[:, None] * ways,
        "deviation": np.max(np.abs(shapes / ball - 1), axis=1),
        "best": best.theta,
        "limit": np.asarray(end),
        "apart": apart,
        "rho": np.asarray(horizon.rho, float),
        "support": best.support_vectors,
        "status": np.asarray(code if code or drawn else ht.NAMES.index("stalled")),
    }


def run(config: Config) -> xr.Dataset:
    """Level sets, their limit shapes, and the angles of the flows, for every geometry."""
    problem = ht.BinaryClassification([list(row) for row in config.samples], config.classes)
    cases, angles, at = geometries(config), circle(config.angles), np.geomspace(*config.losses)
    table = [case(problem, geo, config, angles, at) for geo, _ in cases.values()]
    collect = lambda key: np.stack([row[key] for row in table])  # noqa: E731
    dims = ("geometry",)
    return xr.Dataset(
        {
            "level_set": store.variable(
                (*dims, "radius", "angle", "axis"), collect("level_set"), "R(θ₁) + R(θ₂) = R(r), over r"
            ),
            "ball": store.variable((*dims, "angle", "axis"), collect("ball"), "unit ball of the horizon's norm"),
            "deviation": store.variable(
                (*dims, "radius"), collect("deviation"), "largest relative deviation of the level set from the ball"
            ),
            "best": store.variable((*dims, "axis"), collect("best"), "θ of the largest margin, of norm 1"),
            "limit": store.variable(dims, collect("limit"), "its direction", "rad"),
            "apart": store.variable((*dims, "loss"), collect("apart"), "direction of the flow less that", "rad"),
            "support": store.variable((*dims, "sample"), collect("support"), "whether a sample is a support vector"),
            "signed": store.variable(("sample", "axis"), problem.signed, "samples times their class"),
            "status": store.status(dims, collect("status")),
        },
        coords={
            "geometry": list(cases),
            "inverse_metric": ("geometry", [text for _, text in cases.values()]),
            "rho": store.variable("geometry", collect("rho"), "exponent of the norm of the horizon"),
            "radius": store.variable("radius", config.radii, "r, where the level set cuts the axis"),
            "loss": store.variable("loss", at, "−ln L"),
            "angle": store.variable("angle", angles, "direction", "rad"),
            "axis": ["θ₁", "θ₂"],
        },
    )
