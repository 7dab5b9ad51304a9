"""The quantities of classifications: largest margins, and flows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax
import numpy as np

from .._batching import widest
from .._grid import grid, number
from .._validate import count
from ..limit import solve_margin, solve_margins
from ._batch import Batch, blocks_of, stacked
from ._declaration import Variable
from ._geometries import Geometries
from ._quantities import MEASURED, measured_of, tolerance_of
from ._quantity import Quantity, register
from ._starts import Zeros

_OF_THETA = ("l1_norm", "l2_norm", "entries_99")
_FIRST = 64  # geometries of a block that are asked for their horizon, before any work


@register
@dataclass(frozen=True)
class Margin(Quantity):
    """The largest margin over the horizon of each geometry, or over ℓ_ρ: `ht.solve_margin`.

    Attributes:
        rho: As in `ht.solve_margin`, at least 1; left out: that of the geometry's horizon.
        tol: As in `ht.solve_margin`; left out: 1e-9, in float32 1e-5.
        max_steps: As in `ht.solve_margin`.

    References:
        As of `ht.solve_margin`.

    ```python
    >>> import hamtheory as ht
    >>> problems = {"kind": "sparse-classification", "n": 6, "d": 9, "k": 2, "seeds": range(10)}
    >>> spec = ht.SweepSpec(problems, [{"family": "ham", "alpha": 1.0}, {"family": "gd"}], quantity="margin")
    >>> spec.instances, list(spec.quantity.variables())[:2]
    (20, ['margin', 'support'])

    ```
    """

    name: ClassVar[str] = "margin"
    classes: ClassVar[bool] = True
    few: ClassVar[int] = 500
    rho: float | None = None
    tol: float | None = None
    max_steps: int = 60

    def settled(self, dtype: str) -> "Margin":
        tol = tolerance_of(self.tol, "tol", dtype, 1e-9, 1e-5, reach=64)
        rho = None if self.rho is None else number(self.rho, "rho")
        if rho is not None and rho < 1:
            raise ValueError(f"rho must be at least 1; got {rho:g}, with which it is no norm")
        return replace(self, rho=rho, tol=tol, max_steps=count(self.max_steps, "max_steps"))

    def check(self, geometries: Sequence[Geometries], starts: Sequence[Any]) -> None:
        for block in geometries if self.rho is None else ():
            for place in np.unique(np.linspace(0, len(block) - 1, _FIRST).astype(int)):
                try:
                    block.build(block.at(np.asarray(place))).horizon()
                except ValueError as error:
                    raise ValueError(f"rho must be given for the family {block.family!r}: {error}") from None
        if any(not isinstance(block, Zeros) for block in starts):
            raise ValueError("starts must be left out: the largest margin has none")

    def variables(self) -> dict[str, Variable]:
        own = {
            "margin": Variable("largest margin, 0 where the classes cannot be separated"),
            "support": Variable("number of support vectors", dtype="int32"),
            "duality_gap": Variable("how much larger it may be at most"),
            "relative_gap": Variable("that, relative to the bound on the margin"),
        }
        return own | {name: MEASURED[name] for name in (*_OF_THETA, "steps")}

    def compute(self, instances: Batch) -> dict[str, np.ndarray]:
        found = _margins(instances, self.rho, {"tol": self.tol, "max_steps": self.max_steps})
        own = {"margin": found.margin, "support": found.support_vectors.sum(axis=1), "duality_gap": found.duality_gap}
        return own | _measured(found.theta, instances) | found.stats | _ended(found.theta, found.result)


@register
@dataclass(frozen=True)
class ClassificationFlows(Quantity):
    """The flow of a classification loss, with its margin where ln L is at each of `log_loss`: `ht.solve_flows`.

    Attributes:
        log_loss: As in `ht.solve_flows`; left out: −300.
        rtol: As in `ht.solve_flows`; left out: 1e-6, in float32 1e-4.
        max_steps: As in `ht.solve_flows`.

    References:
        As of `ht.solve_flows`.

    ```python
    >>> import hamtheory as ht
    >>> problems = {"kind": "mixture", "n": 6, "d": 9, "separation": 4.0, "seeds": range(10)}
    >>> quantity = {"name": "classification-flow", "log_loss": [-3.0, -30.0, -300.0]}
    >>> spec = ht.SweepSpec(problems, {"family": "ham", "alpha": [1.0, 100.0]}, quantity=quantity)
    >>> spec.instances, spec.lengths()
    (20, {'log_loss': 3})

    ```
    """

    name: ClassVar[str] = "classification-flow"
    classes: ClassVar[bool] = True
    log_loss: Any = -300.0
    rtol: float | None = None
    max_steps: int = 100_000

    def settled(self, dtype: str) -> "ClassificationFlows":
        rtol = tolerance_of(self.rtol, "rtol", dtype, 1e-6, 1e-4)
        levels = grid(self.log_loss, "log_loss")
        if np.any(np.diff(np.asarray(levels)) >= 0):
            raise ValueError(f"log_loss must be falling; got {np.asarray(levels)}")
        return replace(self, log_loss=levels, rtol=rtol, max_steps=count(self.max_steps, "max_steps"))

    def variables(self) -> dict[str, Variable]:
        along = {
            "log_loss_reached": "ln L there, or where the flow ended before",
            "log_t": "natural logarithm of the time",
            "margin_bound": "upper bound of the largest margin over the horizon, NaN without one",
            "margin_gap": "how far the margin may be from the largest one, in parts of the bound",
        }
        own = {name: Variable(text, ("log_loss",)) for name, text in along.items()}
        rejected = Variable("rejected steps of the solver", dtype="int32")
        return own | {name: MEASURED[name] for name in (*_OF_THETA, "steps")} | {"rejected": rejected}

    def coordinates(self) -> dict[str, tuple[Variable, np.ndarray]]:
        return {"log_loss": (Variable("natural logarithm of the loss"), np.asarray(self.log_loss, float))}

    def compute(self, instances: Batch) -> dict[str, np.ndarray]:
        same = ("margin_bound", "margin_gap", "steps", "rejected")
        found = instances.class_flows(
            (*same, "log_loss", "log_ts", "theta", "result"),
            log_loss=np.asarray(self.log_loss, float).tolist(),
            rtol=self.rtol,
            max_steps=self.max_steps,
        )
        own = {name: found[name] for name in same}
        own |= {"log_loss_reached": found["log_loss"], "log_t": found["log_ts"]}
        return own | _measured(found["theta"], instances) | _ended(found["theta"], found["result"])


def _margins(instances: Batch, rho: float | None, how: dict[str, Any]) -> Any:
    """A `MarginResult` with an axis of instances: over ℓ_ρ, or over the horizon of each geometry."""
    rhos: list[Any] = [rho] * len(instances)
    if rho is None:
        geos = jax.tree.map(np.asarray, instances.geometry)
        each = (jax.tree.map(lambda x: x[i] if np.ndim(x) else x, geos) for i in range(len(instances)))  # noqa: B023
        rhos = [float(geo.horizon().rho) for geo in each]
    cases = list(zip(instances.which.tolist(), rhos, strict=True))  # α does not matter
    found: dict[Any, Any] = {}
    for norm in dict.fromkeys(rhos):
        some = [place for place, own in dict.fromkeys(cases) if own == norm]
        for block, used in blocks_of(len(some), 1 if instances.on_host else widest(instances.problems[0].X.size, 32)):
            problems = [instances.problems[some[i]] for i in block]
            if instances.on_host:
                rows = [solve_margin(problems[0], rho=norm, throw=False, **how)]
            else:
                ends = solve_margins(problems, rho=norm, **how)
                rows = [jax.tree.map(lambda x: x[i], ends) for i in range(used)]  # noqa: B023
            found |= {(some[i], norm): row for i, row in zip(block[:used], rows, strict=True)}
    return stacked([found[case] for case in cases])


def _measured(theta: np.ndarray, instances: Batch) -> dict[str, np.ndarray]:
    found = measured_of(theta, instances.truths[instances.which])
    return {name: found[name] for name in _OF_THETA}


def _ended(theta: np.ndarray, result: np.ndarray) -> dict[str, np.ndarray]:
    return {"theta": theta, "status": np.asarray(result, np.int8)}
