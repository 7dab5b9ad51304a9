"""Results in numbers: for machines a flat dictionary, for people a table."""

from pathlib import Path
from typing import Any

import numpy as np

import hamtheory as ht

from .. import metrics
from ._data import Data
from ._output import provenance
from ._row import row

LARGEST_PROGRAMME = 500_000  # entries of X up to which basis pursuit takes seconds
_FAR_OUT, _PROVEN = 5000.0, 1e-9  # ln α, and how far from least, relative
_SHOWN = 5  # entries of theta in the table


def describe(data: Data, geometry: str, start: str, result, scalars: dict[str, Any]) -> dict[str, Any]:
    """All that is worth knowing of a result, in plain numbers and text."""
    problem, theta = data.problem, result.theta
    summary = {
        "data": data.name,
        "data_sha256": data.sha256,
        "target": data.response,
        "n": problem.n,
        "d": problem.d,
        "rank": int(problem.rank),
        "consistent": bool(problem.is_consistent),
        "distance": float(problem.distance),
        "geometry": geometry,
        "start": start,
        "dtype": str(problem.dtype),
        "result": result.result.name,
        "message": result.result.message,
        "relative_residual": float(result.residual),
        "duality_gap": float(result.duality_gap),
        "relative_duality_gap": float(result.stats["relative_gap"]),
        "loss": float(problem.loss(theta)),
        **scalars,
        **_measured("", theta),
        **_measured("min_norm_", ht.min_norm(problem)),
    }
    if problem.X.size <= LARGEST_PROGRAMME:
        try:
            summary |= _measured("basis_pursuit_", _least_l1(problem))
        except RuntimeError as error:
            summary["basis_pursuit_note"] = str(error)
    else:
        summary["basis_pursuit_note"] = f"not computed: X has more than {LARGEST_PROGRAMME:,} entries"
    if problem.theta_star is not None:
        summary["distance_to_theta_star"] = float(metrics.distance(theta, problem.theta_star))
    return summary | {"largest": largest(theta, data.columns)} | provenance()


def _least_l1(problem: ht.LinearRegression) -> np.ndarray:
    """An interpolator of least L1 norm: HAM's limit far out, if its dual point proves it, else by linear programming.

    Of `max bᵀλ` over `|Qᵀλ| ≤ 1`, λ over its largest |Qᵀλ| is a point, so that its value is a lower bound.
    """
    space, limit = problem.row_space, _far_out(problem)
    coordinates = space.coordinates(limit.dual)
    largest = np.max(np.abs(coordinates @ space.basis))
    bound = space.target @ coordinates / (largest or 1.0)
    proven = limit.residual <= _PROVEN and bound >= (1 - _PROVEN) * np.sum(np.abs(limit.theta))
    return limit.theta if proven else ht.basis_pursuit(problem)


def _far_out(problem: ht.LinearRegression) -> ht.LimitResult:
    within = max(1e-10, 32 * float(np.finfo(problem.dtype).eps))
    return ht.solve_limit(problem, ht.HAM(log_alpha=_FAR_OUT), tol=within, throw=False)


def _measured(prefix: str, theta) -> dict[str, Any]:
    return {
        f"{prefix}l1_norm": float(np.sum(np.abs(theta))),
        f"{prefix}l2_norm": float(np.linalg.norm(theta)),
        f"{prefix}entries_99": int(metrics.entries_carrying(theta, 0.99)),
    }


def table(summary: dict[str, Any], data: Data, theta: np.ndarray, out: Path | None) -> str:
    """The summary for a person: aligned, in about twenty lines."""
    off = f"no solution: y is {summary['distance']:.4g} away from the range of X"
    of_y = "has solutions" if summary["consistent"] else off
    rows = [
        ("data", named(summary)),
        ("X theta = y", f"n = {summary['n']}, d = {summary['d']}, rank {summary['rank']}; {of_y}"),
        ("geometry", summary["geometry"]),
        ("start", summary["start"]),
        ("result", summary["message"]),
        ("relative residual", f"{summary['relative_residual']:.2e}"),
        ("duality gap", _gap(summary)),
        ("loss", f"{summary['loss']:.4g}"),
        ("steps", _steps(summary)),
    ]
    if "time" in summary:
        rows.append(("time reached", f"{summary['time']:.6g}"))
    if "flips_gross" in summary:
        rows.append(("sign flips", _flips(summary)))
    rows += [("", ""), *_comparison(summary)]
    if "distance_to_theta_star" in summary:
        rows.append(("|theta - theta_star|", f"{summary['distance_to_theta_star']:.4g}"))
    rows += [("", ""), *largest_entries(summary)]
    if out is not None:
        rows.append(("written", str(out)))
    rows.append(("took", f"{summary['seconds']:.1f} s in {summary['dtype']}"))
    return "\n".join(row(name, text) for name, text in rows)


def _gap(summary) -> str:
    gap = f"{summary['duality_gap']:.2e}, relative {summary['relative_duality_gap']:.2e}"
    if summary.get("weight_decay"):
        known = "none with weight decay" if np.isnan(summary["duality_gap"]) else gap
        return f"{known}; violation of the optimality condition {summary['violation']:.2e}"
    return gap


def _steps(summary) -> str:
    if "evaluations" in summary:
        if summary.get("weight_decay"):
            return f"{summary['steps']} of the interior-point method"
        return f"{summary['steps']} of Newton's method, {summary['evaluations']} evaluations of the dual gradient"
    return f"{summary['steps']}, of which {summary['rejected']} were rejected"


def _flips(summary) -> str:
    gross, net, entries, back, never = (
        summary[f"flips_{name}"] for name in ("gross", "net", "entries", "flipped_back", "never")
    )
    return f"{gross}: {net} of {entries} entries have changed their sign, {back} have flipped back, {never} never have"


def _comparison(summary) -> list[tuple[str, str]]:
    """The norms of the result beside those of the two ends."""
    ends = [("", "theta"), ("min_norm_", "least L2")]
    if "basis_pursuit_l1_norm" in summary:
        ends.append(("basis_pursuit_", "least L1"))
    rows = columns_of(
        summary, dict(ends), {"L1 norm": "l1_norm", "L2 norm": "l2_norm", "entries, 99 % of L1": "entries_99"}
    )
    if "basis_pursuit_note" in summary:
        rows.append(("least L1", summary["basis_pursuit_note"]))
    return rows


def columns_of(summary: dict[str, Any], ends: dict[str, str], labels: dict[str, str]) -> list[tuple[str, str]]:
    """A column for each prefix of `ends`, under its title, and a row for each of the labels, with its key."""
    rows = [("", "".join(f"{title:>12}" for title in ends.values()))]
    for label, key in labels.items():
        rows.append((label, "".join(f"{summary[prefix + key]:>12.5g}" for prefix in ends)))
    return rows


def named(summary: dict[str, Any]) -> str:
    """The data, and which column of a file is y."""
    if summary["target"] is None:
        return summary["data"]
    last = " (the last column)" if summary["config"]["target"] is None else ""
    return f"{summary['data']}, y = {summary['target']}{last}"


def largest(theta: np.ndarray, columns: np.ndarray | None) -> list[dict[str, Any]]:
    """The largest entries of θ, each with the name of its column, or its place."""
    places = np.argsort(-np.abs(theta), kind="stable")[:_SHOWN].tolist()
    return [{"column": i if columns is None else str(columns[i]), "theta": float(theta[i])} for i in places]


def largest_entries(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """The same as rows of the table."""
    rows = []
    for entry in summary["largest"]:
        name = entry["column"] if isinstance(entry["column"], str) else f"theta[{entry['column']}]"
        rows.append(("" if rows else "largest entries", f"{entry['theta']:>12.5g}  {name}"))
    return rows
