"""`hamtheory limit`."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import tyro

import hamtheory as ht

from ..geometry import AbstractGeometry
from . import _names
from ._command import FromStart, Outcome, succeeded


@dataclass(frozen=True)
class Limit(FromStart):
    description: ClassVar[str] = f"""{_names.Limit.description}

The limit is the Bregman projection of the start on the interpolators, found by
Newton's method on the dual problem. It is certified by its residual and its
duality gap, and compared with the interpolators of least L2 and least L1 norm.
With weight decay it is the minimiser of loss plus penalty: ridge for gd, the
lasso for mw, and a penalty between them for ham.

examples:
  hamtheory limit fermentation --geometry mw --gamma 1e-6
  hamtheory limit data.csv --target glucose --alpha 1e4 --out limit.npz
  hamtheory limit fermentation --log-alpha 5000
  hamtheory limit fermentation --geometry mw --weight-decay 0.01
  hamtheory limit mnist --inverse-metric "1 + a*theta**2" --parameter a=3.0
  hamtheory limit data.csv --geometry my_module:MyGeometry --parameter a=3.0

Exit code 1: not converged, or X theta = y has no solution; what was found is
reported and written all the same. Exit code 2: bad input."""

    tol: Annotated[float | None, tyro.conf.arg(help_behavior_hint="(default: 1e-10; with --x32, 1e-5)")] = None
    """The largest relative residual and relative duality gap of a converged limit."""
    max_steps: int = 2000
    """The budget of Newton steps."""

    def solve(self, problem: ht.LinearRegression, geo: AbstractGeometry, theta0: np.ndarray) -> Outcome:
        limit = ht.solve_limit(
            problem,
            geo,
            theta0,
            weight_decay=self.weight_decay,
            max_steps=self.max_steps,
            throw=False,
            **self.tolerances(x64={"tol": 1e-10}, x32={"tol": 1e-5}),
        )
        return Outcome(
            limit,
            succeeded(limit.result, (ht.Result.converged,)),
            {"theta": (("column",), np.asarray(limit.theta)), "dual": (("row",), np.asarray(limit.dual))},
            {"steps": int(limit.stats["steps"]), "evaluations": int(limit.stats["evaluations"])} | self._decay(limit),
        )

    def _decay(self, limit: ht.LimitResult) -> dict[str, float]:
        """What there is to say of a limit under weight decay alone."""
        if self.weight_decay == 0:
            return {}
        return {"weight_decay": self.weight_decay, "violation": float(limit.stats["stationarity"])}
