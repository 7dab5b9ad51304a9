"""The potentials of HAM and m*w between those of L2 and L1, and their unit balls in the plane."""

import dataclasses

import numpy as np
import xarray as xr

import hamtheory as ht

from . import store
from ._contours import circle, directions, grid, level_radii

FAMILIES = {"HAM": lambda log: ht.HAM(log_alpha=log), "m*w": lambda log: ht.Hypentropy(log_gamma=log)}


@dataclasses.dataclass(frozen=True)
class Config:
    """`decades`: log10 of α for HAM, and of 1/γ for m*w; beyond `tol` a contour does not count as found."""

    decades: tuple[float, ...] = (-2.0, 1.0, 3.0, 10.0, 100.0)
    reach: float = 1.5
    points: int = 601
    angles: int = 721
    tol: float = 1e-10
    seed: int = -1  # nothing is drawn

    @classmethod
    def smoke(cls) -> "Config":
        return cls(points=61, angles=73)


def _unit_ball(geo, angles):
    """The points with R(x) + R(y) = R(1), and how well they satisfy this."""
    radii, deviation = level_radii(lambda x: np.sum(geo.potential(x), axis=-1), geo.potential(1.0), angles)
    return radii[:, None] * directions(angles), deviation


def run(config: Config) -> xr.Dataset:
    """R(θ)/R(1), and the unit balls {R(x) + R(y) ≤ R(1)}, from L2 to L1."""
    theta = grid(config.reach, config.points)
    angles = circle(config.angles)
    logs = np.log(10.0) * np.asarray(config.decades)
    potential, balls, deviation = [], [], []
    for family, sign in (("HAM", 1.0), ("m*w", -1.0)):
        cases = [FAMILIES[family](sign * log) for log in logs]
        potential.append([geo.potential(theta) / geo.potential(1.0) for geo in cases])
        points, worst = zip(*(_unit_ball(geo, angles) for geo in cases), strict=True)
        balls.append(points)
        deviation.append(worst)
    potential, balls, deviation = (np.asarray(v) for v in (potential, balls, deviation))
    finite = np.isfinite(potential).all(axis=-1) & np.isfinite(balls).all(axis=(-1, -2))
    codes = np.where(deviation <= config.tol, 0, ht.NAMES.index("stalled"))
    dims = ("family", "decade")
    rays = directions(angles)
    return xr.Dataset(
        {
            "potential": store.variable((*dims, "theta"), potential, "potential, as a multiple of its value at 1"),
            "ball": store.variable((*dims, "angle", "axis"), balls, "boundary of the unit ball of the potential"),
            "deviation": store.variable(dims, deviation, "largest relative deviation from the level on the boundary"),
            "l2_ball": store.variable(("angle", "axis"), rays, "unit circle of the L2 norm"),
            "l1_ball": store.variable(
                ("angle", "axis"), rays / np.sum(np.abs(rays), axis=1, keepdims=True), "unit circle of the L1 norm"
            ),
            "status": store.status(dims, np.where(finite, codes, ht.NAMES.index("nonfinite"))),
        },
        coords={
            "family": list(FAMILIES),
            "decade": store.variable("decade", config.decades, "log10 of alpha (HAM) and of 1/gamma (m*w)"),
            "theta": store.variable("theta", theta, "parameter θ"),
            "angle": store.variable("angle", angles, "angle", "rad"),
            "axis": ["x", "y"],
        },
    )
