"""Flows of a classification loss, down to losses that no number can hold, on the host.

`dθ/dt = −g⁻¹(θ) ⊙ ∇L(θ)` takes t ~ 1/L to go on, so that the clock is `s = ∫ L dt` instead, in which no number leaves
the range: with a_i = z_i x_i, margins m = Aθ and the weights `q_i = |ℓ′(m_i)|/Σ_j ℓ(m_j)`,

    dν/ds = q,    R′(θ) = R′(θ₀) + Aᵀν,    d ln L/ds = −‖Aᵀq‖²  in the inverse metric,

n numbers whatever d. The weights are formed from differences of logarithms. t itself is `t = v/L` with
`dv/ds = 1 + v d ln L/ds`, v being of the size of a step of the clock, so that ln t is known at any loss.

What ν has grown by, over its sum, is a point of the dual of the margin problem: with it weak duality bounds how far the
direction is from the best margin, at every time.
"""

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._array import in_dtype, quiet
from .._result import Result, throw_unless
from .._threads import threads_for
from .._validate import count, fits, is_traced, start, times, tolerance
from ..geometry import AbstractGeometry, Horizon
from ..problem import BinaryClassification
from ._result import ClassificationFlow

_DEFAULT = -300.0  # of ln L, where there is neither `log_loss` nor `ts`
_REACH = 16
_SHARPER = 0.1  # the global error is a multiple of what is kept for each step
_EASED = 100.0  # ln t is known to ten times `rtol`, where it is not asked for
_REST = 1e-8  # the force, relative to its terms, at which the flow has come to rest
_FARTHEST = 1e300


@dataclass
class _Field:
    """The equations in the clock, in dual coordinates (ν, v) or with θ before them, all in units of their own."""

    problem: BinaryClassification
    geo: AbstractGeometry
    theta0: np.ndarray
    primal: bool

    def __post_init__(self):
        self.rows = np.asarray(self.problem.signed, float)
        self.n, self.d = self.rows.shape
        self.origin = np.asarray(self.geo.mirror_map(self.theta0), float)
        # The ν that makes margins of about 1.
        largest = float(np.max(np.abs(self.rows)))
        size = 1 / (largest * float(np.mean(np.sum(np.abs(self.rows) / largest, axis=1))))
        self.size = max(size, float(np.max(np.abs(self.theta0))))
        self.unit = float(np.max(self.geo.mirror_map(np.full(self.d, self.size)))) / largest
        if not 1e-307 < self.unit < 1e307:
            raise ValueError(
                f"X must have entries for which the flow of {self.geo!r} is in the range of numbers; the largest is "
                f"{largest:.3g}. Divide X by it"
            )

    def initial(self) -> np.ndarray:
        return np.concatenate([self.theta0 / self.size if self.primal else [], np.zeros(self.n + 1)])

    def theta(self, state: np.ndarray) -> np.ndarray:
        """θ, (..., d), at states (..., m)."""
        if self.primal:
            return self.size * state[..., : self.d]
        return self.geo.inverse_mirror_map(self.origin + self.nu(state) @ self.rows)

    def nu(self, state: np.ndarray) -> np.ndarray:
        return self.unit * state[..., -self.n - 1 : -1]

    def forces(self, margins: np.ndarray) -> tuple[np.ndarray, float]:
        """q and ln L at the margins of one θ: half of the time goes here."""
        losses, slopes = self.problem.log_losses(margins), self.problem.log_slopes(margins)
        largest = losses.max()
        sizes = np.exp(losses - largest)
        total = sizes.sum()
        q = sizes / total if self.problem.loss_name == "exponential" else np.exp(slopes - largest) / total
        return q, float(largest) + math.log(total / self.n) if total > 0 else math.nan

    def velocity(self, s: float, state: np.ndarray) -> np.ndarray:
        theta = self.theta(state)
        q, _ = self.forces(self.rows @ theta)
        pull = q @ self.rows
        moved = self.geo.inverse_metric(theta) * (self.unit * pull)
        end = 1 - state[-1] * (pull @ moved)
        return np.concatenate([moved / self.size, q, [end]] if self.primal else [q, [end]])

    def jacobian(self, s: float, state: np.ndarray) -> np.ndarray:
        """In dual coordinates."""
        theta, n = self.theta(state), self.n
        margins, metric = self.rows @ theta, self.geo.inverse_metric(theta)
        q = self.problem.weights_at(margins)
        curved = q if self.problem.loss_name == "exponential" else q * -np.expm1(self.problem.log_slopes(margins))
        found = np.zeros((n + 1, n + 1))
        metric = self.unit * metric
        found[:n, :n] = (np.outer(q, q) - np.diag(curved)) @ ((self.rows * metric) @ self.rows.T)
        pull = q @ self.rows
        found[n, n] = -(pull @ (metric * pull))
        return found

    def log_loss(self, state: np.ndarray) -> Any:
        return self.problem.log_loss(self.theta(state))

    def log_time(self, state: np.ndarray) -> Any:
        return np.log(state[..., -1]) + math.log(self.unit) - self.log_loss(state)


def solve_classification(
    problem: BinaryClassification,
    geo: AbstractGeometry,
    theta0: Any,
    *,
    log_loss: Any,
    ts: Any,
    rtol: float,
    atol: float,
    coordinates: str | None,
    max_steps: int,
    throw: bool,
    **others: Any,
) -> ClassificationFlow:
    """As `solve_flow`, which has its text."""
    for name, value in others.items():
        if value is not None and value != 0:
            raise ValueError(f"{name} is for regressions; a flow of a classification loss has none, got {value!r}")
    if is_traced(problem.X, theta0, geo):
        raise TypeError("a classification flow must be asked of concrete data; X, theta0 or geo is traced by JAX")
    if coordinates not in (None, "primal", "dual"):
        raise ValueError(f"coordinates must be 'primal', 'dual' or None; got {coordinates!r}")
    geo = in_dtype(geo, problem.dtype)
    fits(geo, problem.d)
    first = np.asarray(start(theta0, problem.d, problem.dtype), float)
    rtol = tolerance(rtol, "rtol", problem.dtype, _REACH)
    atol = tolerance(atol, "atol", np.float64, 0)  # in which it is integrated
    budget = count(max_steps, "max_steps")
    with quiet(), threads_for(problem.n, problem.d, least=0):
        field = _Field(problem, geo, first, coordinates == "primal")
        begin = float(problem.log_loss(first))
        if ts is None:
            goal = _DEFAULT if log_loss is None else _number(log_loss)
            if not -_FARTHEST < goal < begin:
                raise ValueError(f"log_loss must be below {begin:.6g}, that of the start, and finite; got {goal:g}")
            instants = None
        else:
            if log_loss is not None:
                raise ValueError("log_loss and ts both say where to end; give one of them")
            goal, instants = -math.inf, np.asarray(times(ts, np.float64))
        states, clock, ended, counts = _integrated(field, goal, instants, _SHARPER * rtol, _SHARPER * atol, budget)
        found = _result(field, states, clock, ended, counts, instants)
    if throw and found.result not in (Result.reached_end, Result.infeasible):
        throw_unless(found.result, (), None, "solve_flow", f"ln L = {float(found.log_loss[-1]):.6g}")
    return found


def _number(log_loss: Any) -> float:
    try:
        return float(log_loss)
    except (TypeError, ValueError):
        raise TypeError(f"log_loss must be a number; got {log_loss!r}") from None


def _integrated(field: _Field, goal: float, instants: np.ndarray | None, rtol: float, atol: float, budget: int):
    """States at the integrator's steps down to `goal`, or at `instants`; s there; how it ended; counts."""
    from scipy.integrate import LSODA
    from scipy.optimize import brentq

    state = field.initial()
    exact: Any = {} if field.primal else {"jac": field.jacobian}
    # v costs half of the steps, and no digit of θ unless it says where to stop.
    eased = np.append(np.ones(len(state) - 1), _EASED if instants is None else 1.0)
    relative: Any = eased * max(rtol, 3e-14)
    inner = LSODA(field.velocity, 0.0, state, np.inf, 0.01, rtol=relative, atol=atol, **exact)
    due = [] if instants is None else list(np.log(instants[instants > 0]))
    at_zero = instants is None or instants[0] == 0
    saved, clock = ([state], [0.0]) if at_zero else ([], [])
    ended, steps = Result.reached_end, 0

    def crossing(value, target):
        """s in the last step at which a rising function of the state is at its target."""
        path = inner.dense_output()
        gap = lambda s: max(value(path(s)) - target, -_FARTHEST)  # noqa: E731  (ln t is −∞ at the start)
        found: Any = brentq(gap, inner.t_old, inner.t, xtol=1e-300, maxiter=2000)
        return float(found)

    while instants is None or due:
        if steps >= budget:
            ended = Result.max_steps
            break
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # LSODA's: `result` says the same
            inner.step()
        steps += 1
        if inner.status != "running" or not np.isfinite(inner.y).all():
            ended = Result.stalled if np.isfinite(inner.y).all() else Result.nonfinite
            break
        theta = field.theta(inner.y)
        margins = field.rows @ theta
        now = -field.forces(margins)[1]
        if not np.isfinite(now):
            ended = Result.nonfinite
            break
        if instants is None:
            if now >= -goal:
                place = crossing(lambda x: -field.log_loss(x), -goal)
                saved.append(inner.dense_output()(place))
                clock.append(place)
                break
            saved.append(inner.y.copy())
            clock.append(inner.t)
        else:
            while due and field.log_time(inner.y) >= due[0]:
                place = crossing(field.log_time, due.pop(0))
                saved.append(inner.dense_output()(place))
                clock.append(place)
        # A saddle, which the flow leaves again, is no rest: of separable classes there is none.
        if margins.min() <= 0 and _rests(field, theta, margins) and not field.problem.is_separable:
            ended = Result.infeasible
            # There it stays: at all times that are still to come.
            saved += [inner.y.copy() for _ in due]
            clock += [inner.t for _ in due]
            break
    if not saved:
        saved, clock = [inner.y.copy()], [inner.t]
    counts = {"steps": np.int64(steps), "evaluations": np.int64(inner.nfev), "jacobians": np.int64(inner.njev)}
    return np.array(saved), field.unit * np.array(clock), ended, counts


def _rests(field: _Field, theta: np.ndarray, margins: np.ndarray) -> bool:
    """Whether the forces of the samples cancel: of classes that cannot be separated, at the minimum of the loss."""
    q, _ = field.forces(margins)
    metric = np.sqrt(field.geo.inverse_metric(theta))
    force = np.linalg.norm(metric * (q @ field.rows))
    terms = np.linalg.norm(metric * (q @ np.abs(field.rows)))
    return bool(np.isfinite(terms) and force <= _REST * terms)


def _result(field, states, clock, ended, counts, instants) -> ClassificationFlow:
    problem, dtype = field.problem, field.problem.dtype
    thetas = field.theta(states)
    log_loss = problem.log_loss(thetas)
    log_ts = np.where(states[:, -1] > 0, field.log_time(states), -np.inf)
    if ended in (Result.infeasible, Result.reached_end) and instants is not None:
        log_ts = np.log(instants)
    horizon, dual, bound, gap = _bounds(field, states, thetas, log_loss)
    if not np.isfinite(thetas).all() and ended == Result.reached_end:
        ended = Result.nonfinite
    return ClassificationFlow(
        log_ts=log_ts[: len(thetas)],
        clock=clock,
        thetas=thetas.astype(dtype),
        theta=thetas[-1].astype(dtype),
        log_loss=log_loss.astype(dtype),
        dual=dual.astype(dtype),
        margin_bound=bound.astype(dtype),
        margin_gap=gap.astype(dtype),
        horizon=horizon,
        result=ended,
        stats=counts,
    )


def _bounds(field, states, thetas, log_loss) -> tuple[Horizon | None, np.ndarray, np.ndarray, np.ndarray]:
    """The horizon; λ and the upper bound of the largest margin that it proves, the best until then at every state; and
    how far θ is from the bound, in parts."""
    nu = field.nu(states)
    halfway = np.searchsorted(-log_loss, -log_loss / 2)  # the early weights are those of all samples
    grown = nu - nu[np.minimum(halfway, np.arange(len(nu)))]
    candidates = np.stack([field.problem.weights_at(thetas @ field.rows.T), nu, grown])
    total = np.sum(candidates, axis=-1, keepdims=True)
    candidates = np.where(total > 0, candidates / np.where(total > 0, total, 1), 1 / field.n)
    try:
        horizon = field.geo.horizon()
    except ValueError:
        nothing = np.full(len(thetas), np.nan)
        return None, candidates[0], nothing, nothing
    bounds = horizon.dual_gauge(candidates @ field.rows)
    which, steps = np.argmin(bounds, axis=0), np.arange(len(thetas))
    bound = bounds[which, steps]
    best = np.maximum.accumulate(np.where(bound <= np.minimum.accumulate(bound), steps, 0))
    bound, dual = bound[best], candidates[which[best], best]
    norms = horizon.gauge(thetas)
    margin = np.min(thetas @ field.rows.T, axis=-1) / np.where(norms > 0, norms, 1)
    return horizon, dual, bound, np.where(bound > 0, 1 - margin / bound, np.nan)
