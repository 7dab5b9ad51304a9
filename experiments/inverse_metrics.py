"""The inverse metrics of gradient descent, m*w and HAM, and what they mean for a parameter that has to cross zero."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import xarray as xr

import hamtheory as ht

from . import store
from ._contours import grid


@dataclasses.dataclass(frozen=True)
class Config:
    """Parameters of the geometries, and the θ at which they are looked at; a unit force acts from −start to start."""

    alphas: tuple[float, ...] = (1.0, 4.0, 16.0)
    gammas: tuple[float, ...] = (1.0, 1e-1, 1e-3)
    reach: float = 3.0
    points: int = 601
    smallest: float = 1e-4
    largest: float = 1e2
    start: float = 2.5
    seed: int = -1  # nothing is drawn

    @classmethod
    def smoke(cls) -> "Config":
        return cls(points=61)


def geometries(config: Config) -> dict[tuple[str, float], ht.geometry.AbstractGeometry]:
    """The geometries by family and parameter; gradient descent has none, which is a NaN."""
    cases: dict[tuple[str, float], ht.geometry.AbstractGeometry] = {("GD", np.nan): ht.Euclidean()}
    cases |= {("m*w", gamma): ht.Hypentropy(gamma=gamma) for gamma in config.gammas}
    return cases | {("HAM", alpha): ht.HAM(alpha=alpha) for alpha in config.alphas}


def run(config: Config) -> xr.Dataset:
    """g⁻¹(θ) on [−reach, reach] and over decades of |θ|, and the time to cross zero under a unit force."""
    cases = geometries(config)
    theta = grid(config.reach, config.points)
    magnitude = jnp.geomspace(config.smallest, config.largest, config.points)
    ends = jnp.array([-config.start, config.start])
    metric = np.stack([geo.inverse_metric(theta) for geo in cases.values()])
    decades = np.stack([geo.inverse_metric(magnitude) for geo in cases.values()])
    # dθ/dt = g⁻¹(θ): the mirror map grows at rate one.
    crossing = np.array([np.diff(geo.mirror_map(ends))[0] for geo in cases.values()])
    checked = np.concatenate([metric, decades, crossing[:, None]], axis=1)
    sound = np.all(np.isfinite(checked) & (checked > 0), axis=1)
    return xr.Dataset(
        {
            "inverse_metric": store.variable(("geometry", "theta"), metric, "inverse metric"),
            "inverse_metric_decades": store.variable(("geometry", "magnitude"), decades, "inverse metric"),
            "balanced": store.variable("theta", 2 * jnp.abs(theta), "inverse metric of m*w as gamma vanishes"),
            "balanced_decades": store.variable("magnitude", 2 * magnitude, "inverse metric of m*w as gamma vanishes"),
            "crossing_time": store.variable("geometry", crossing, "time from -start to start under a unit force"),
            "start": store.variable((), config.start, "where the crossing starts, on the negative side"),
            "status": store.status(("geometry",), np.where(sound, 0, ht.NAMES.index("nonfinite"))),
        },
        coords={
            "family": ("geometry", [family for family, _ in cases]),
            "parameter": store.variable("geometry", [value for _, value in cases], "alpha (HAM), gamma (m*w)"),
            "theta": store.variable("theta", theta, "parameter θ"),
            "magnitude": store.variable("magnitude", magnitude, "size |θ| of the parameter"),
        },
    )
