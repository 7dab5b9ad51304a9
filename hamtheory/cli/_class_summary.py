"""Results of classes in numbers: for machines a flat dictionary, for people a table."""

from pathlib import Path
from typing import Any

import numpy as np

import hamtheory as ht

from .. import metrics
from ._data import Data
from ._output import provenance
from ._row import row
from ._summary import LARGEST_PROGRAMME, columns_of, largest, largest_entries, named

_MESSAGES = {
    "reached_end": "reached the end that was asked for",
    "infeasible": "infeasible: no theta separates the classes",
}
_NORMS = {"l1": 1.0, "l2": 2.0}


def describe(data: Data, geometry: str, start: str, result, scalars: dict[str, Any]) -> dict[str, Any]:
    """All that is worth knowing of a result, in plain numbers and text."""
    problem, theta = data.problem, np.asarray(result.theta)
    summary = {
        "data": data.name,
        "data_sha256": data.sha256,
        "target": data.response,
        "n": problem.n,
        "d": problem.d,
        "positive": int(np.sum(problem.z > 0)),
        "geometry": geometry,
        "start": start,
        "dtype": str(problem.dtype),
        "result": result.result.name,
        "message": _MESSAGES.get(result.result.name, result.result.message),
        **scalars,
        **_measured("", problem, theta),
    }
    if problem.X.size > LARGEST_PROGRAMME:
        summary["ends_note"] = f"not computed: X has more than {LARGEST_PROGRAMME:,} entries"
    else:
        for name, rho in _NORMS.items():
            best = ht.solve_margin(problem, rho=rho, tol=1e-5 if problem.dtype == np.float32 else 1e-9, throw=False)
            if best.result == ht.Result.converged:
                summary |= _measured(f"largest_{name}_", problem, best.theta)
    if problem.theta_star is not None and theta.any():
        size = np.linalg.norm(theta) * np.linalg.norm(problem.theta_star)
        summary["cosine_to_theta_star"] = float(theta @ problem.theta_star / size)
    return summary | {"largest": largest(theta, data.columns)} | provenance()


def _measured(prefix: str, problem: ht.BinaryClassification, theta: np.ndarray) -> dict[str, Any]:
    margins = {f"{prefix}{name}_margin": float(metrics.margin(problem, theta, rho)) for name, rho in _NORMS.items()}
    return margins | {
        f"{prefix}errors": int(np.sum(problem.margins(theta) <= 0)),
        f"{prefix}entries_99": int(metrics.entries_carrying(theta, 0.99)),
    }


def table(summary: dict[str, Any], data: Data, theta: np.ndarray, out: Path | None) -> str:
    """The summary for a person: aligned, in about twenty lines."""
    n, positive, horizon = summary["n"], summary["positive"], summary["rho"]
    of_norm = "" if horizon is None else f"over L_{horizon:g}"
    rows = [
        ("data", named(summary)),
        ("samples", f"n = {n}, {positive} of the class 1 and {n - positive} of the other; d = {summary['d']}"),
        ("geometry", summary["geometry"]),
    ]
    if "log_loss" in summary:
        rows += [
            ("start", summary["start"]),
            ("result", summary["message"]),
            ("ln loss", f"{summary['log_loss']:.6g}"),
            ("ln time", f"{summary['log_time']:.6g}"),
        ]
        if horizon is None:
            rows.append(("margin", "over no norm: the geometry has no horizon"))
        else:
            rows.append(("margin", f"{summary['margin']:.6g}, {of_norm}; none is above {summary['margin_bound']:.6g}"))
        if summary["margin"] > 0:
            rows.append(("missing", f"at most {summary['margin_gap']:.2%} of the largest margin"))
    elif summary["result"] == "infeasible":
        proof = f"weights with which the samples cancel, up to {summary['duality_gap']:.2e}"
        rows += [("result", summary["message"]), ("proof", proof)]
    else:
        gap = f"{summary['duality_gap']:.2e}, relative {summary['relative_duality_gap']:.2e}"
        rows += [
            ("result", summary["message"]),
            ("margin", f"{summary['margin']:.6g}, {of_norm}"),
            ("duality gap", gap),
            ("support vectors", f"{summary['support_vectors']} samples hold the margin"),
        ]
    rows += [("steps", str(summary["steps"])), ("", ""), *_comparison(summary)]
    if "cosine_to_theta_star" in summary:
        rows.append(("cos to theta_star", f"{summary['cosine_to_theta_star']:.4g}"))
    rows += [("", ""), *largest_entries(summary)]
    if out is not None:
        rows.append(("written", str(out)))
    rows.append(("took", f"{summary['seconds']:.1f} s in {summary['dtype']}"))
    return "\n".join(row(name, text) for name, text in rows)


def _comparison(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """The margins of the result beside the largest ones."""
    ends = {"": "theta", "largest_l2_": "best for L2", "largest_l1_": "best for L1"}
    ends = {prefix: title for prefix, title in ends.items() if f"{prefix}errors" in summary}
    labels = {
        "margin over L1": "l1_margin",
        "margin over L2": "l2_margin",
        "errors": "errors",
        "entries, 99 % of L1": "entries_99",
    }
    rows = columns_of(summary, ends, labels)
    return [*rows, ("best", summary["ends_note"])] if "ends_note" in summary else rows
