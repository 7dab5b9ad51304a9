"""`hamtheory flow`."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import tyro

import hamtheory as ht

from .. import metrics
from ..geometry import AbstractGeometry
from . import _names
from ._command import CLASSES, DATA, FromStart, Outcome, succeeded


@dataclass(frozen=True)
class Flow(FromStart):
    description: ClassVar[str] = f"""{_names.Flow.description}

The flow is d theta/dt = -g^-1(theta) * grad f(theta), f = |X theta - y|^2 / (2 n).
It has converged when its residual and its duality gap are within tolerance.
Of classes f is the mean of ln(1 + exp(-margin)), and the flow goes on for ever:
it is followed down to --log-loss, with a bound on the largest margin.

examples:
  hamtheory flow sparse:40,100,5 --alpha 1e4 --out flow.zarr
  hamtheory flow data.npz --geometry gd --theta0 normal:0.1 --seed 7 --ts 0,1,10
  hamtheory flow sparse:40,100,5 --geometry mw --weight-decay 1e-3 --ts 0,1,10,100
  hamtheory flow sparse:40,100,5 --alpha 100 --theta0 normal:0.1 --flips
  hamtheory flow digits-3-8 --alpha 10 --log-loss -1000
  hamtheory flow data.csv --classes --geometry gd --ts 1,1e3,1e6

Exit code 1: not converged within the budget; the trajectory so far is reported
and written all the same. Exit code 2: bad input."""

    data: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="DATA", help=f"{DATA}. Of classes: {CLASSES}")]
    classes: bool = False
    """y of the file has two values, of which the larger is the class 1."""
    log_loss: Annotated[float | None, tyro.conf.arg(metavar="X", help_behavior_hint="(default: -300)")] = None
    """Of classes: until the logarithm of the loss is this."""
    tol: Annotated[float | None, tyro.conf.arg(help_behavior_hint="(default: that of --rtol)")] = None
    """The largest residual and duality gap of a converged flow, relative; with weight decay, of the violation of the
    limit's optimality condition."""
    ts: Annotated[str, tyro.conf.arg(metavar="TIMES")] = "log"
    """log or steps: until converged, saved evenly in log t or at the integrator's steps; or times such as 0,0.1,1."""
    rtol: Annotated[float | None, tyro.conf.arg(help_behavior_hint="(default: 1e-8; with --x32, 1e-5)")] = None
    """The integrator's relative tolerance."""
    atol: Annotated[float | None, tyro.conf.arg(help_behavior_hint="(default: 1e-10; with --x32, 1e-7)")] = None
    """The integrator's absolute tolerance."""
    coordinates: Annotated[Literal["auto", "primal", "dual"], tyro.conf.arg(metavar="WHICH")] = "auto"
    """primal (theta itself), dual (X^T nu = R'(theta) - R'(theta0)), or auto."""
    solver: Annotated[str, tyro.conf.arg(metavar="NAME")] = "auto"
    """heun, tsit5, dopri8; kvaerno3, kvaerno5 (implicit); euler (with --dt); or auto."""
    dt: Annotated[float | None, tyro.conf.arg(metavar="DT", help_behavior_hint="")] = None
    """A fixed step size."""
    max_steps: int = 100_000
    """The budget of steps."""
    flips: bool = False
    """Also find every sign flip of theta; --out then gets the times of the first and last flip of each entry."""

    @property
    def kind(self) -> str:
        return "classification" if self.classes else "either"

    def solve(self, problem: Any, geo: AbstractGeometry, theta0: np.ndarray) -> Outcome:
        if isinstance(problem, ht.BinaryClassification):
            return self._of_classes(problem, geo, theta0)
        if self.log_loss is not None:
            raise ValueError(
                f"--log-loss is for classes, which {self.data} has not; with --classes a file's y may be some"
            )
        tolerances = self.tolerances(x64={"rtol": 1e-8, "atol": 1e-10}, x32={"rtol": 1e-5, "atol": 1e-7})
        flow = ht.solve_flow(
            problem,
            geo,
            theta0,
            weight_decay=self.weight_decay,
            ts=_times(self.ts),
            save="steps" if self.ts == "steps" else "log",
            coordinates=None if self.coordinates == "auto" else self.coordinates,
            solver=None if self.solver == "auto" else self.solver,
            dt=self.dt,
            tol=self.tol,
            max_steps=self.max_steps,
            progress=True,
            throw=False,
            **tolerances,
        )
        events = ht.signs.flip_events(flow) if self.flips else None
        counts = {} if events is None else {f"flips_{name}": n for name, n in ht.signs.totals(events).items()}
        return Outcome(
            flow,
            succeeded(flow.result, (ht.Result.converged, ht.Result.reached_end, ht.Result.infeasible)),
            self._arrays(problem, geo, np.asarray(theta0, problem.dtype), flow, events),
            {
                "steps": int(flow.stats["steps"]),
                "accepted": int(flow.stats["accepted"]),
                "rejected": int(flow.stats["rejected"]),
                "time": float(flow.stats["time"]),
                "violation": float(flow.stats["violation"]),
                "weight_decay": self.weight_decay,
                **counts,
            },
        )

    def _of_classes(self, problem: ht.BinaryClassification, geo: AbstractGeometry, theta0: np.ndarray) -> Outcome:
        if self.flips:
            raise ValueError("--flips is for regressions; the flow of classes is saved at the integrator's steps")
        flow = ht.solve_flow(
            problem,
            geo,
            theta0,
            weight_decay=self.weight_decay,
            ts=_times(self.ts),
            log_loss=self.log_loss,
            coordinates=None if self.coordinates == "auto" else self.coordinates,
            solver=None if self.solver == "auto" else self.solver,
            dt=self.dt,
            tol=self.tol,
            max_steps=self.max_steps,
            throw=False,
            **self.tolerances(x64={"rtol": 1e-8, "atol": 1e-10}, x32={"rtol": 1e-5, "atol": 1e-7}),
        )
        rho = None if flow.horizon is None else float(flow.horizon.rho)
        norm = np.nan if flow.horizon is None else flow.horizon.gauge(flow.theta)
        arrays = {name: (("ts",), getattr(flow, name)) for name in ("log_ts", "clock", "log_loss", "margin_bound")}
        return Outcome(
            flow,
            succeeded(flow.result, (ht.Result.reached_end, ht.Result.infeasible)),
            {
                **arrays,
                "margin_gap": (("ts",), flow.margin_gap),
                "thetas": (("ts", "column"), flow.thetas),
                "theta": (("column",), flow.theta),
                "dual": (("ts", "row"), flow.dual),
            },
            {
                "rho": rho,
                "log_loss": float(flow.log_loss[-1]),
                "log_time": float(flow.log_ts[-1]),
                "margin": float(np.min(problem.margins(flow.theta)) / norm),
                "margin_bound": float(flow.margin_bound[-1]),
                "margin_gap": float(flow.margin_gap[-1]),
                "steps": int(flow.stats["steps"]),
            },
        )

    def _arrays(self, problem, geo, theta0, flow, events) -> dict[str, Any]:
        arrays = {
            "ts": (("ts",), np.asarray(flow.ts)),
            "thetas": (("ts", "column"), np.asarray(flow.thetas)),
            "loss": (("ts",), np.asarray(flow.loss)),
            "theta": (("column",), np.asarray(flow.theta)),
        }
        if self.weight_decay == 0 and geo.dead_zone() is None:  # in one, θ does not say where μ is
            coordinates = metrics.nearest_coordinates(problem, geo, flow.theta, theta0)
            arrays["dual"] = (("row",), np.asarray(problem.row_space.dual(coordinates)))
        if events is not None:
            for name in ("gross", "first", "last"):
                arrays[f"flips_{name}"] = (("column",), np.asarray(getattr(events, name)))
        return arrays


def _times(text: str) -> np.ndarray | None:
    if text in ("log", "steps"):
        return None
    try:
        return np.array([float(time) for time in re.split(r"[,\s]+", text.strip(" ,"))])
    except ValueError:
        raise ValueError(f"--ts must be log, steps, or increasing times such as 0,0.1,1; got {text!r}") from None
