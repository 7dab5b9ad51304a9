"""From a flow to its trajectory, on the host: NumPy, SciPy at most, and integrators that know the Jacobian."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._array import quiet
from ._host_flows import Flow
from ._host_integrators import SCIPY, stepper
from ._host_stepper import Stepper

Array = Any
LOGARITHMIC_TIMES = 640  # about 30 a decade


@dataclass
class Trajectory:
    """`ts`, (times,); `states`, (times, m), and `thetas`, (times, d), there; `end_state`, `theta` and `end_time`.

    `ended`: "converged", "reached_end", "max_steps", "stuck", "stalled" or "nonfinite". `violation`: that of the
    convergence criterion at the end, if it was asked for. `counts`: steps, accepted, rejected, evaluations, jacobians.
    """

    ts: Array
    states: Array
    thetas: Array
    end_state: Array
    theta: Array
    end_time: float
    ended: str
    violation: float
    counts: dict[str, int]


def logarithmic_times(flow: Flow) -> Array:
    """0, then times evenly spaced in log t: from a thousandth of the fastest time constant to a horizon by which any
    flow that converges has done so, 10¹⁴ of the time constants of the direction in which X is smallest."""
    # The square of a rate may leave the range.
    fastest, slowest = (min(max(rate, 1e-280), 1e280) for rate in (flow.fastest_rate(), flow.slowest_rate()))
    times = np.geomspace(1e-3 / fastest, 1e14 / slowest, LOGARITHMIC_TIMES - 1)
    return np.concatenate([[0.0], times])


@quiet()
def integrate(
    flow: Flow,
    *,
    ts: Array | None = None,
    tol: float = 1e-8,
    violation: Callable[[float, Array, Array], float] | None = None,
    save: str = "log",
    max_steps: int = 100_000,
    method: str | None = None,
    dt: float | None = None,
    report: Callable[[float, float], None] | None = None,
    dense: Callable[[float, float, Stepper], None] | None = None,
) -> Trajectory:
    """Integrate from t = 0 to the last of `ts`, or until converged.

    Args:
        flow: What to integrate.
        ts: Increasing times. Left out: until converged, at times as `save` says.
        tol: Converged when the residual and the violation are at most this.
        violation: Called as `violation(t, state, theta)`.
        save: Without `ts`: at times even in log t ("log") or at the steps ("steps").
        max_steps: The budget of steps.
        method: Of `METHODS`; left out: the best.
        dt: A fixed step, of explicit methods.
        report: Called as `report(t, violation)` after every step.
        dense: Called as `dense(t0, t1, stepper)` after every step; `stepper.interpolate` takes natural times from t0 to
            t1.

    Returns:
        The `Trajectory`.
    """
    unit, until_converged = flow.time_unit, ts is None
    times = logarithmic_times(flow) if ts is None else np.asarray(ts, float) / unit
    reach = times[-1]
    if until_converged and dt is not None:
        reach = math.inf
    method = method if reach > 0 else None
    inner = stepper(method, flow, flow.first_step(), reach, flow.tolerance, None if dt is None else dt / unit)
    steps_only = save == "steps" and until_converged
    saved_times, saved = [], []
    k, ended, worst = 0, "reached_end", math.nan
    if steps_only or times[0] == 0:
        saved_times.append(np.zeros(1))
        saved.append(inner.state[None])
        k = 1

    steps, due = 0, 0

    def missing(final: bool = False) -> float:
        nonlocal due
        velocity = inner.velocity
        value = flow.residual(inner.state, velocity)
        if method in SCIPY and value <= 2 * tol:  # SciPy's last evaluation was near the state, not at it
            value = flow.residual(inner.state, flow.velocity(inner.t, inner.state))
        if value <= tol and violation is not None:
            if steps < due and not final:
                return worst
            theta = flow.points(inner.t, inner.state)
            value = violation(inner.t * unit, flow.physical_state(inner.state), theta)
            due = steps + 1 + steps // 50  # at rest at another interpolator, this is asked in vain at every step
        return value

    if until_converged or report is not None:
        worst = missing()
    while True:
        if until_converged and worst <= tol:
            ended = "converged"
            break
        if not np.isfinite(inner.state).all():
            ended = "nonfinite"
            break
        if inner.t >= reach:
            break
        if until_converged and flow.is_at_rest(flow.points(inner.t, inner.state)):
            ended = "stuck"
            break
        if not until_converged and steps >= max(due, 1):
            if flow.has_settled(inner.t, inner.state, inner.velocity):
                break
            due = steps + 1 + steps // 50
        if inner.accepted + inner.rejected >= max_steps:
            worst = missing(final=True) if until_converged else worst
            ended = "converged" if until_converged and worst <= tol else "max_steps"
            break
        if not inner.step():
            ended = "stalled" if np.isfinite(inner.velocity).all() else "nonfinite"
            break
        steps += 1
        if dense is not None:
            dense(inner.t_old, inner.t, inner)
        if until_converged or report is not None:
            worst = missing()
            if report is not None:
                report(inner.t * unit, worst)
        if steps_only:
            saved_times.append(np.array([inner.t]))
            saved.append(inner.state[None])
        else:
            end = int(np.searchsorted(times, inner.t, side="right"))
            if end > k:
                saved_times.append(times[k:end])
                saved.append(inner.interpolate(times[k:end]))
                k = end
    now, state = inner.t, inner.state
    if ended == "reached_end" and not until_converged and k < times.size:  # at rest: there it stays
        saved_times.append(times[k:])
        saved.append(np.broadcast_to(state, (times.size - k, state.size)))
        now = times[-1]
    at, path = np.concatenate(saved_times or [np.zeros(0)]), np.concatenate(saved or [np.zeros((0, state.size))])
    physical = at * unit if ts is None else np.asarray(ts, float)[: at.size]
    if at.size == 0 or at[-1] < now:
        at, path, physical = np.append(at, now), np.concatenate([path, state[None]]), np.append(physical, now * unit)
    theta = flow.points(now, state)
    if ended != "nonfinite" and not np.isfinite(theta).all():
        ended = "nonfinite"
    counts = {
        "steps": inner.accepted + inner.rejected,
        "accepted": inner.accepted,
        "rejected": inner.rejected,
        "evaluations": inner.evaluations,
        "jacobians": inner.jacobians,
    }
    return Trajectory(
        physical,
        flow.physical_state(path),
        _thetas(flow, at, path),
        flow.physical_state(state),
        theta,
        float(physical[-1]),
        ended,
        worst,
        counts,
    )


def _thetas(flow: Flow, times: Array, states: Array) -> Array:
    """In pieces that fit a cache."""
    piece = max(1, 100_000 // max(flow.lift.shape[1], 1))
    found = [flow.points(times[i : i + piece], states[i : i + piece]) for i in range(0, times.size, piece)]
    return np.concatenate(found)
