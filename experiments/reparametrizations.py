"""Factors as text: what they conserve, whether they make a mirror flow, and what its potential is like at both ends.

Where the flow passes θ = 0, g⁻¹(0) > 0 and the potential is quadratic there. From a balanced start, whose curve ends at
θ = 0, it is a power. Far away it does not matter from where the flow started.
"""

import dataclasses

import numpy as np
import scipy.integrate
import sympy
import xarray as xr

import hamtheory as ht

from . import store

# Each with a start from which θ passes 0, and a balanced one where there is one.
CASES = (
    (("m*w",), (1.0, 0.0), (1.0, 1.0)),
    (("u**2 - v**2",), (0.5, 0.5), (1.0, 0.0)),
    (("u*v*w",), (1.0, 1.0, 0.0), (1.0, 1.0, 1.0)),
    (("u**3*w",), (1.0, 0.0), (3**0.5, 1.0)),
    (("u**3 - v**3",), (0.6, 0.6), (1.0, 0.0)),
    (("u**2*v - v**3/3",), (1.0, 0.0), (0.0, -1.0)),
    (("u**2 + w",), (1.0, -1.0), ()),
    (("u - u**3",), (0.0,), ()),
    (("u**2 + v**2", "2*u*v"), (), ()),
    (("g**2*u", "g**2*v"), (), ()),
    (("x*y*z", "x**2 - y**2"), (), ()),
    (("a**2 + b**2 - c**2 - d**2", "2*a*c + 2*b*d", "2*a*d - 2*b*c"), (), ()),
)
SHOWN = 9  # whose two paths are drawn


@dataclasses.dataclass(frozen=True)
class Config:
    """θ from `smallest` to `largest`, at `points`; the exponents are those of g⁻¹ over a decade from `near` and from
    `far`; the paths are drawn with `steps` points a piece.
    """

    smallest: float = 1e-3
    largest: float = 1e3
    points: int = 121
    near: float = 1e-6
    far: float = 1e12
    steps: int = 40
    seed: int = 0

    @classmethod
    def smoke(cls) -> "Config":
        return cls(points=13, steps=8)


def curve(text: str, start: tuple[float, ...]) -> ht.symbolic.CurveGeometry:
    """The geometry from a start."""
    found = ht.symbolic.reparametrization(text)
    return ht.symbolic.CurveGeometry(text, **dict(zip(map(str, found.variables), start, strict=True)))


def exponent(geo: ht.geometry.AbstractGeometry, theta: float) -> float:
    """2 − d ln g⁻¹/d ln θ: that of the potential where g⁻¹ is a power; NaN outside of the domain."""
    near, further = geo.inverse_metric(np.array([theta, 10 * theta]))
    return float(2 - np.log10(further / near))


def drawn_paths(config: Config, outputs: tuple[str, ...]) -> np.ndarray:
    """θ along the two paths of `two_paths`, (path, piece · steps, output)."""
    found = ht.symbolic.reparametrization(list(outputs))
    i, j = next(iter(found.brackets))
    slopes = [[sympy.diff(G, w) for w in found.variables] for G in found.outputs]
    value, slope = (sympy.lambdify(found.variables, form, "numpy") for form in (list(found.outputs), slopes))
    paths, lines = found.two_paths(config.seed), []
    for order, driven in zip(((i, j), (j, i)), paths.driven, strict=True):
        w, line = paths.start, []
        for k in order:
            drive = lambda _, w, k=k: np.array(slope(*w)[k], float)  # noqa: E731
            times = np.linspace(0, driven[k], config.steps)
            piece = scipy.integrate.solve_ivp(drive, (0, driven[k]), w, t_eval=times, rtol=1e-10, atol=1e-12).y
            line.append(np.stack(value(*piece), axis=-1))
            w = piece[:, -1]
        lines.append(np.concatenate(line))
    return np.stack(lines)


def run(config: Config) -> xr.Dataset:
    """The table, metrics of single outputs over decades of θ, and the two paths of one that is refused."""
    theta = np.geomspace(config.smallest, config.largest, config.points)
    count, names = len(CASES), ("at_zero", "at_infinity", "bound", "distance", "driven", "speeds")
    numbers = {name: np.full(count, np.nan) for name in names}
    metrics, texts = np.full((count, theta.size), np.nan), {"invariants": [], "metric": [], "bracket": []}
    verdict, status = np.zeros(count, int), np.zeros(count, int)
    for row, (outputs, start, balanced) in enumerate(CASES):
        found = ht.symbolic.reparametrization(list(outputs))
        verdict[row] = bool(found.mirror_flow)
        texts["invariants"].append(", ".join(map(str, found.invariants.values())))
        texts["metric"].append("" if found.metric is None else str(found.metric))
        first = next(iter(found.brackets.values()), ())
        texts["bracket"].append(", ".join(map(str, first)))
        if start:
            geo = curve(outputs[0], start)
            metrics[row] = geo.inverse_metric(theta)
            numbers["at_infinity"][row], numbers["bound"][row] = exponent(geo, config.far), geo.mirror_bound()
            status[row] = 0 if np.nanmin(metrics[row]) > 0 else ht.NAMES.index("nonfinite")
        if balanced:
            numbers["at_zero"][row] = exponent(curve(outputs[0], balanced), config.near)
        if not found.mirror_flow:
            paths, apart = found.two_paths(config.seed), lambda x: np.linalg.norm(x[0] - x[1]) / np.linalg.norm(x)
            numbers["distance"][row] = paths.distance
            numbers["driven"][row], numbers["speeds"][row] = apart(paths.driven), apart(paths.speeds)
    meanings = {
        "at_zero": "exponent of the potential at θ = 0 from a balanced start",
        "at_infinity": "2 minus the growth exponent of g⁻¹ at infinity",
        "bound": "supremum of the mirror map",
        "distance": "between the ends of two paths in θ, relative",
        "driven": "between the sums of what the two paths were driven by, relative",
        "speeds": "between the matrices of velocities at the two ends, relative",
    }
    return xr.Dataset(
        {
            "verdict": store.variable("case", verdict, "whether it is a mirror flow"),
            **{name: ("case", text) for name, text in texts.items()},
            "inverse_metric": store.variable(("case", "theta"), metrics, "inverse metric; NaN outside of the domain"),
            **{name: store.variable("case", numbers[name], meaning) for name, meaning in meanings.items()},
            "paths": store.variable(
                ("path", "step", "output"), drawn_paths(config, CASES[SHOWN][0]), f"θ of {', '.join(CASES[SHOWN][0])}"
            ),
            "status": store.status(("case",), status),
        },
        coords={
            "case": [", ".join(outputs) for outputs, *_ in CASES],
            "theta": store.variable("theta", theta, "parameter θ"),
        },
        attrs={"shown": SHOWN},
    )
