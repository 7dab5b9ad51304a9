"""The search of a duel: for each limit of HAM, the γ whose limit of m⊙w has the same L1 norm."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from hamtheory import NAMES
from hamtheory.sweeps import Ends

CONVERGED, LATE, STALLED = (NAMES.index(name) for name in ("converged", "reached_end", "stalled"))
_UNFINISHED = -1  # besides these: the match is being looked for
_ROUNDS, _CLUSTER = 6, 0.1  # of the search; the half-width of a cluster in brackets

PathOf = Callable[..., Ends]  # of ln γ, (instances, points), and the instances, if it is not all of them


class Match(NamedTuple):
    """The matches of instances and points, one after the other: ln γ, the limits (NaN where there are none), statuses,
    and how many there are on the grid."""

    log_gamma: np.ndarray
    thetas: np.ndarray
    codes: np.ndarray
    crossings: np.ndarray


def matched(
    path_of: PathOf,
    instance: np.ndarray,
    thetas: np.ndarray,
    codes: np.ndarray,
    logs: np.ndarray,
    cluster: int,
    tol: float,
) -> Match:
    """The match of each limit of HAM.

    Args:
        path_of: The limits of m⊙w along grids of ln γ of instances.
        instance: The instance of each limit, (instances · points,), increasing.
        thetas: The limits.
        codes: How they ended.
        logs: The grid, decreasing.
        cluster: See `_refine`.
        tol: Of ln ‖θ‖₁.

    Returns:
        A `Match`.
    """
    instances, target = int(instance[-1]) + 1, np.log(np.abs(thetas).sum(axis=1))
    path = path_of(np.tile(logs, (instances, 1)))
    off = _log_norms(path)[instance] - target[:, None]
    # Where the norm changes by no more than the tolerance, no γ is told from another: a zero of rounding.
    passes = _passes(off) & (np.abs(np.diff(off, axis=1)) > tol) & (codes == CONVERGED)[:, None]
    match = Match(
        np.full(len(target), np.nan, logs.dtype),
        np.full_like(thetas, np.nan),
        np.where(codes == CONVERGED, LATE, codes),
        passes.sum(axis=1, dtype=np.int32),
    )
    x, f = np.full((2, len(target)), np.nan, logs.dtype), np.full((2, len(target)), np.nan, logs.dtype)
    for i in np.flatnonzero(passes.any(axis=1)):
        there = np.flatnonzero(passes[i])
        left, right = off[i, there], off[i, there + 1]
        share, ends = left / (left - right), path.theta[instance[i]]
        chord = ends[there] + share[:, None] * (ends[there + 1] - ends[there])
        j = there[np.argmin(np.linalg.norm(chord - thetas[i], axis=1))]
        x[:, i], f[:, i], match.codes[i] = logs[j : j + 2], off[i, j : j + 2], _UNFINISHED
    _refine(path_of, instance, match, x, f, target, cluster, tol)
    return match


def _refine(
    path_of: PathOf,
    instance: np.ndarray,
    match: Match,
    x: np.ndarray,
    f: np.ndarray,
    target: np.ndarray,
    cluster: int,
    tol: float,
) -> None:
    """Close in on the roots of f between the two x, with a cluster of about that many points around each secant's root.

    All points of an instance are on one path.
    """
    points = len(target) // (int(instance[-1]) + 1)
    spread = np.linspace(-1, 1, cluster - 1 + cluster % 2, dtype=x.dtype)  # an odd number
    for _ in range(_ROUNDS):
        open_instances = np.unique(instance[match.codes == _UNFINISHED])
        if not open_instances.size:
            return
        root = x[0] - f[0] * (x[1] - x[0]) / (f[1] - f[0])
        place = root[:, None] + _CLUSTER * (x[1] - x[0])[:, None] * spread
        place = np.clip(place, x.min(axis=0)[:, None], x.max(axis=0)[:, None])
        place = np.where((match.codes == _UNFINISHED)[:, None], place, 0)
        grids = place.reshape(-1, points * spread.size)[open_instances]
        path = path_of(grids, open_instances)
        norms = _log_norms(path)
        for row, here in enumerate(open_instances):
            for point, i in enumerate(range(here * points, (here + 1) * points)):
                if match.codes[i] != _UNFINISHED:
                    continue
                some = slice(point * spread.size, (point + 1) * spread.size)
                value = norms[row, some] - target[i]
                if not np.all(np.isfinite(value)):
                    match.codes[i] = STALLED
                    continue
                best = int(np.argmin(np.abs(value)))
                if abs(value[best]) <= tol:
                    match.log_gamma[i], match.thetas[i] = grids[row, some][best], path.theta[row, some][best]
                    match.codes[i] = CONVERGED
                    continue
                at = np.concatenate([x[:1, i], grids[row, some], x[1:, i]])
                of = np.concatenate([f[:1, i], value, f[1:, i]])
                j = int(np.argmax(_passes(of[None])[0]))
                x[:, i], f[:, i] = at[j : j + 2], of[j : j + 2]
    match.codes[match.codes == _UNFINISHED] = STALLED


def _log_norms(path: Ends) -> np.ndarray:
    """ln of the L1 norms along paths, (instances, points), NaN where they failed."""
    return np.where(path.result == CONVERGED, np.log(np.abs(path.theta).sum(axis=-1)), np.nan)


def _passes(off: np.ndarray) -> np.ndarray:
    """Between which neighbours along the last axis a sequence passes zero."""
    with np.errstate(invalid="ignore"):
        return (off[..., :-1] * off[..., 1:] <= 0) & (off[..., :-1] != off[..., 1:])
