"""One equation, two unknowns: where the flows go, and the level sets of the divergence that say why.

python -m experiments plane --custom "1 + 3*theta**2"       with a fourth geometry, of your own
"""

import dataclasses

import numpy as np
import xarray as xr
from scipy.interpolate import CubicHermiteSpline

import hamtheory as ht

from . import store
from ._contours import circle, directions, level_radii


@dataclasses.dataclass(frozen=True)
class Config:
    """The equation `row · θ = target`, the geometries and the starting points."""

    row: tuple[float, float] = (1.0, 2.0)
    target: float = 2.0
    alpha: float = 10.0
    gamma: float = 1e-3
    custom: str = ""  # any even, positive inverse metric of theta, as text
    starts: tuple[tuple[float, float], ...] = ((0.0, 0.0), (-1.4, -0.5), (0.7, -0.3), (-1.0, 2.2))
    angles: int = 721
    marks: tuple[float, int] = (0.05, 40)  # the time between two marks on a path, and how many there are
    tol: float = 1e-6  # of the agreement of flow, limit and level set
    seed: int = -1  # nothing is drawn

    @classmethod
    def smoke(cls) -> "Config":
        return cls(angles=73, starts=((0.0, 0.0), (-1.4, -0.5)))


def geometries(config: Config) -> dict[str, tuple[ht.geometry.AbstractGeometry, str]]:
    """The geometries with their inverse metrics in words."""
    cases: dict[str, tuple[ht.geometry.AbstractGeometry, str]] = {
        "GD": (ht.Euclidean(), "1"),
        "m*w": (ht.Hypentropy(gamma=config.gamma), f"2√(θ² + {config.gamma:g}²)"),
        "HAM": (ht.HAM(alpha=config.alpha), f"1 + {config.alpha:g}|θ|"),
    }
    if config.custom:
        import hamtheory.symbolic  # SymPy takes a second to import

        cases["other"] = (hamtheory.symbolic.geometry(config.custom), _in_words(config.custom))
    return cases


def _in_words(expression: str) -> str:
    for python, symbol in (("theta", "θ"), ("**2", "²"), ("**", "^"), ("*", " ")):
        expression = expression.replace(python, symbol)
    return expression


def _at(problem: ht.LinearRegression, geo, flow: ht.FlowResult, times: np.ndarray) -> np.ndarray:
    """The flow at given times, interpolated to fourth order with its exact velocity; at rest after its end."""
    velocity = -geo.inverse_metric(flow.thetas) * problem.gradient(flow.thetas)
    return CubicHermiteSpline(flow.ts, flow.thetas, velocity)(np.minimum(times, flow.ts[-1]))


def _case(problem: ht.LinearRegression, geo, theta0, angles, times, tol: float) -> dict[str, np.ndarray]:
    """One flow, its limit, the level set of the divergence through it, and how well the three agree."""
    flow = ht.solve_flow(problem, geo, theta0, throw=False)
    limit = ht.solve_limit(problem, geo, theta0, throw=False)
    level = ht.bregman_divergence(geo, limit.theta, theta0)
    radii, deviation = level_radii(lambda step: ht.bregman_divergence(geo, theta0 + step, theta0), level, angles)
    normal = geo.mirror_map(limit.theta) - geo.mirror_map(theta0)  # the gradient of the divergence at the limit
    row = problem.X[0]
    tangency = np.abs(normal[0] * row[1] - normal[1] * row[0]) / (np.linalg.norm(normal) * np.linalg.norm(row))
    gap = np.max(np.abs(flow.theta - limit.theta)) / np.max(np.abs(limit.theta))
    code = int(flow.result) or int(limit.result)
    agree = max(float(gap), float(deviation), float(tangency)) <= tol
    return {
        "path": np.asarray(flow.thetas),
        "time": np.asarray(flow.ts),
        "marks": _at(problem, geo, flow, times),
        "limit": np.asarray(limit.theta),
        "level_set": np.asarray(theta0[None, :] + radii[:, None] * directions(angles)),
        "gap": np.asarray(gap),
        "tangency": np.asarray(tangency),
        "deviation": np.asarray(deviation),
        "status": np.asarray(code if code or agree else ht.NAMES.index("stalled")),
    }


def run(config: Config) -> xr.Dataset:
    """The paths, limits and level sets of every geometry from every start."""
    problem = ht.LinearRegression([list(config.row)], [config.target])
    cases, angles = geometries(config), circle(config.angles)
    starts, times = np.asarray(config.starts), config.marks[0] * np.arange(1, config.marks[1] + 1)
    table = [[_case(problem, geo, start, angles, times, config.tol) for start in starts] for geo, _ in cases.values()]
    longest = max(len(case["time"]) for cases_of_one in table for case in cases_of_one)

    def collect(key):
        """All instances of a variable; paths are continued by their last point to the length of the longest one."""
        values = [[case[key] for case in cases_of_one] for cases_of_one in table]
        if key in ("path", "time"):
            values = [[np.concatenate([v, np.repeat(v[-1:], longest - len(v), 0)]) for v in row] for row in values]
        return np.array(values)

    dims = ("geometry", "start")
    return xr.Dataset(
        {
            "path": store.variable((*dims, "step", "axis"), collect("path"), "θ along the flow"),
            "time": store.variable((*dims, "step"), collect("time"), "time along the flow"),
            "marks": store.variable((*dims, "mark", "axis"), collect("marks"), "θ at evenly spaced times"),
            "limit": store.variable((*dims, "axis"), collect("limit"), "limit of the flow, by Newton's method"),
            "level_set": store.variable((*dims, "angle", "axis"), collect("level_set"), "D(θ, θ₀) = D(θ_∞, θ₀)"),
            "theta0": store.variable(("start", "axis"), starts, "start of the flow"),
            "gap": store.variable(dims, collect("gap"), "largest relative difference of the flow's end and the limit"),
            "tangency": store.variable(dims, collect("tangency"), "sine between the level set and the line"),
            "deviation": store.variable(dims, collect("deviation"), "largest relative deviation from the level"),
            "row": store.variable("axis", problem.X[0], "coefficients of the equation"),
            "target": store.variable((), problem.y[0], "right-hand side of the equation"),
            "status": store.status(dims, collect("status")),
        },
        coords={
            "geometry": list(cases),
            "inverse_metric": ("geometry", [text for _, text in cases.values()]),
            "mark": store.variable("mark", times, "time"),
            "angle": store.variable("angle", angles, "direction from the start", "rad"),
            "axis": ["θ₁", "θ₂"],
        },
    )
