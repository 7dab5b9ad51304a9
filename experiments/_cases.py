"""Flows and the limits that they should reach, shared by the experiments."""

from typing import Any

import numpy as np
import xarray as xr

import hamtheory as ht

from . import store


def geometries(alphas: tuple[float, ...], gammas: tuple[float, ...]) -> dict[str, ht.geometry.AbstractGeometry]:
    """Gradient descent, HAM for each alpha and m*w for each gamma, by label."""
    flows: dict[str, ht.geometry.AbstractGeometry] = {"GD": ht.Euclidean()}
    flows |= {f"HAM {alpha:g}": ht.HAM(alpha=alpha) for alpha in alphas}
    return flows | {f"m*w {gamma:g}": ht.Hypentropy(gamma=gamma) for gamma in gammas}


def flow_coordinates(labels: list[str]) -> dict[str, xr.Variable | list[str]]:
    """The coordinates of the dimension `flow`: label, family and parameter of each geometry."""
    parameters = [float(label.split()[1]) if " " in label else np.nan for label in labels]
    return {
        "flow": labels,
        "family": xr.Variable("flow", [label.split()[0] for label in labels]),
        "parameter": store.variable("flow", parameters, "alpha (HAM), gamma (m*w)"),
    }


def stacked(rows: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """The numbers of several instances, by their names: one axis more, the first."""
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def ended(result, residual, tol: float) -> np.ndarray:
    """The codes of runs that took all steps: converged, if the relative residual is at most `tol`, or not."""
    codes, names = np.asarray(result), ht.NAMES
    within = np.where(np.asarray(residual) <= tol, names.index("converged"), names.index("reached_end"))
    return np.where(codes == names.index("nonfinite"), codes, within)


def flow_and_limit(problem, geo, theta0, tol: float, coordinates: str = "dual"):
    """The flow until converged to `tol`, saved evenly in log t; its limit by Newton's method; its status.

    The status is that of the flow or, if that converged, that of the limit.
    """
    problem = problem.without_truth()
    flow = ht.solve_flow(problem, geo, theta0, coordinates=coordinates, rtol=tol / 10, tol=tol, throw=False)
    limit = ht.solve_limit(problem, geo, theta0, throw=False)
    return flow, limit, int(flow.result) or int(limit.result)
