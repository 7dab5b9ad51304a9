"""`hamtheory margin`."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import tyro

import hamtheory as ht

from ..geometry import AbstractGeometry
from . import _names
from ._command import CLASSES, Command, Outcome, succeeded
from ._geometry import GeometryOptions

_DATA = f"{CLASSES}; a .npz with the arrays X and y; or a .csv with y in its last column. y has two values"


@dataclass(frozen=True)
class Margin(Command):
    description: ClassVar[str] = f"""{_names.Margin.description}

The flow of a geometry on the loss of classes goes to infinity, in the direction
of the largest margin over the geometry's horizon, a norm L_rho: rho is 2 for gd,
1 for ham and mw whatever their parameters. It is certified by duality. There is
no intercept: append a column of ones for one.

examples:
  hamtheory margin digits-3-8 --geometry ham
  hamtheory margin data.csv --target healthy --rho 1.5 --out margin.npz
  hamtheory margin mnist-4-9 --inverse-metric "sqrt(1 + theta**2)"
  hamtheory margin classes:40,100,5 --geometry gd --seed 3

Exit code 1: not converged, or the classes cannot be separated, which is proved
by weights that --out writes. Exit code 2: bad input."""

    data: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="DATA", help=_DATA)]
    rho: Annotated[float | None, tyro.conf.arg(metavar="RHO", help_behavior_hint="")] = None
    """The exponent of the norm, from 1 to inf, instead of a geometry."""
    tol: Annotated[float | None, tyro.conf.arg(help_behavior_hint="(default: 1e-9; with --x32, 1e-5)")] = None
    """The largest relative duality gap of a converged margin."""
    max_steps: int = 200
    """The budget of steps."""

    @property
    def kind(self) -> str:
        return "classification"

    def build(self) -> tuple[AbstractGeometry | None, str]:
        if self.rho is None:
            return self.geometry.build()
        if self.geometry != GeometryOptions():
            raise ValueError("--rho takes the place of a geometry; give one of them")
        return None, f"any with the horizon L_{self.rho:g}"

    def solve(self, problem: ht.BinaryClassification, geo: Any, theta0: np.ndarray) -> Outcome:
        tolerances: Any = self.tolerances(x64={"tol": 1e-9}, x32={"tol": 1e-5})
        found = ht.solve_margin(problem, geo, rho=self.rho, max_steps=self.max_steps, throw=False, **tolerances)
        return Outcome(
            found,
            succeeded(found.result, (ht.Result.converged,)),
            {
                "theta": (("column",), found.theta),
                "dual": (("row",), found.dual),
                "support_vectors": (("row",), found.support_vectors),
            },
            {
                "rho": float(geo.horizon().rho) if self.rho is None else self.rho,
                "margin": float(found.margin),
                "duality_gap": float(found.duality_gap),
                "relative_duality_gap": float(found.stats["relative_gap"]),
                "support_vectors": int(found.support_vectors.sum()),
                "steps": int(found.stats["steps"]),
            },
        )
