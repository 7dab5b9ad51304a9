"""The quantities that there are: limits, paths of limits, and flows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from .. import metrics
from .._array import norm
from .._flips import Flips
from .._grid import grid, number
from .._validate import count, tolerance
from ..geometry import AbstractGeometry, named
from ..signs import agreement, recovery_time
from ._batch import Batch
from ._declaration import Variable
from ._geometries import Geometries
from ._quantity import Quantity, register

REACH = 16  # units of rounding, as in solve_limit and solve_flow

MEASURED = {
    "l1_norm": Variable("L1 norm of theta"),
    "l2_norm": Variable("L2 norm of theta"),
    "entries_99": Variable("number of entries that carry 99 % of the L1 norm", dtype="int32"),
    "distance_to_theta_star": Variable("L2 distance to the ground truth, NaN where there is none"),
    "residual": Variable("relative residual |X theta - y| / |y|"),
    "duality_gap": Variable("duality gap of the Bregman projection"),
    "relative_gap": Variable("duality gap relative to the divergence from the start"),
    "steps": Variable("steps of the solver", dtype="int32"),
}

FLIPS = {
    "gross_flips": Variable("sign flips of all entries", dtype="int32"),
    "net_flips": Variable("entries that end with another sign than at first", dtype="int32"),
    "flipped_back": Variable("entries that flipped and have their first sign again", dtype="int32"),
    "signs_recovered": Variable("fraction of the support of theta_star with its sign at the end, NaN without one"),
    "recovery_time": Variable("when the last sign of theta_star came right, infinite if never, NaN without one"),
}


@register
@dataclass(frozen=True)
class Limit(Quantity):
    """The limit of each flow, `ht.solve_limit`.

    Attributes:
        tol: As in `ht.solve_limit`; left out: 1e-10, in float32 1e-5.
        max_steps: As in `ht.solve_limit`.
        weight_decay: As in `ht.solve_limit`.

    References:
        As of `ht.solve_limit`.

    ```python
    >>> import hamtheory as ht
    >>> problems = {"kind": "sparse", "n": 4, "d": 8, "k": 2, "seeds": range(10)}
    >>> geometries = {"family": "ham", "log_alpha": [0.0, 5.0, 10.0]}
    >>> spec = ht.SweepSpec(problems, geometries, quantity=ht.sweeps.Limit(tol=1e-8))
    >>> spec.instances, list(spec.quantity.variables())[:2]
    (30, ['l1_norm', 'l2_norm'])

    ```
    """

    name: ClassVar[str] = "limit"
    few: ClassVar[int] = 2000
    tol: float | None = None
    max_steps: int = 2000
    weight_decay: float = 0.0

    def settled(self, dtype: str) -> "Limit":
        tol = tolerance_of(self.tol, "tol", dtype, 1e-10, 1e-5)
        return replace(self, tol=tol, max_steps=count(self.max_steps, "max_steps"), weight_decay=decay(self))

    def check(self, geometries: Sequence[Geometries], starts: Sequence[Any]) -> None:
        decays_to_a_known_penalty(self.weight_decay, geometries)

    def variables(self) -> dict[str, Variable]:
        return MEASURED

    def compute(self, instances: Batch) -> dict[str, np.ndarray]:
        ends = instances.limits(tol=_known(self.tol), max_steps=self.max_steps, weight_decay=self.weight_decay)
        return _stored(ends, instances)


@register
@dataclass(frozen=True)
class Path(Quantity):
    """The limits along the whole grid of a geometry, each from its neighbour: `ht.limit_path`. A curve is one instance.

    Attributes:
        tol: As in `ht.limit_path`; left out: 1e-10, in float32 1e-5.
        max_steps: As in `ht.limit_path`.

    References:
        As of `ht.limit_path`.

    ```python
    >>> import hamtheory as ht
    >>> problems = {"kind": "sparse", "n": 4, "d": 8, "k": 2, "seeds": range(10)}
    >>> geometries = {"family": "ham", "log_alpha": [0.0, 5.0, 10.0]}
    >>> spec = ht.SweepSpec(problems, geometries, quantity=ht.sweeps.Path())
    >>> spec.instances, spec.lengths()
    (10, {'point': 3})

    ```
    """

    name: ClassVar[str] = "path"
    curves: ClassVar[bool] = True
    few: ClassVar[int] = 5000
    tol: float | None = None
    max_steps: int = 2000

    def settled(self, dtype: str) -> "Path":
        tol = tolerance_of(self.tol, "tol", dtype, 1e-10, 1e-5)
        return replace(self, tol=tol, max_steps=count(self.max_steps, "max_steps"))

    def check(self, geometries: Sequence[Geometries], starts: Sequence[Any]) -> None:
        for block in geometries:
            if not hasattr(named(block.family), "at_log"):
                raise ValueError(f"a path follows ham or mw from one parameter to the next; got {block.family!r}")
        sizes = {len(block) for block in geometries}
        if len(sizes) > 1:
            raise ValueError(f"the grids of a path must have one length; got {', '.join(map(str, sorted(sizes)))}")

    def variables(self) -> dict[str, Variable]:
        curve = {name: replace(variable, dims=("point",)) for name, variable in MEASURED.items()}
        log = Variable("natural logarithm of the parameter: alpha (ham), gamma (mw)", dims=("point",), dtype="float64")
        return curve | {"log_parameters": log}

    def sizes(self, geometries: Sequence[Geometries]) -> dict[str, int]:
        return {"point": len(geometries[0])}

    def compute(self, instances: Batch) -> dict[str, np.ndarray]:
        geometry: Any = instances.geometry
        ends = instances.paths(tol=_known(self.tol), max_steps=self.max_steps)
        return _stored(ends, instances) | {"log_parameters": np.asarray(geometry.parameter, np.float64)}


@register
@dataclass(frozen=True)
class Flow(Quantity):
    """The flow until it has converged, with the loss at the times `ts`: `ht.solve_flows`.

    With weight decay, `ht.solve_flow`, which ends at the last of the times if there are any.

    Attributes:
        rtol: As in `ht.solve_flows`; left out: 1e-6, in float32 1e-4.
        tol: As in `ht.solve_flows`; left out: 1e-8, in float32 1e-4.
        max_steps: As in `ht.solve_flows`.
        weight_decay: As in `ht.solve_flow`.
        ts: A list or a grid.
        flips: Also count its sign flips, at their true times.

    References:
        As of `ht.solve_flows`.

    ```python
    >>> import hamtheory as ht
    >>> problems = {"kind": "sparse", "n": 4, "d": 8, "k": 2, "seeds": range(10)}
    >>> geometries = {"family": "ham", "log_alpha": [0.0, 5.0, 10.0]}
    >>> spec = ht.SweepSpec(problems, geometries, quantity=ht.sweeps.Flow(ts=[1.0, 10.0]))
    >>> spec.instances, spec.lengths()
    (30, {'t': 2})

    ```
    """

    name: ClassVar[str] = "flow"
    few: ClassVar[int] = 200
    rtol: float | None = None
    tol: float | None = None
    max_steps: int = 100_000
    weight_decay: float = 0.0
    ts: Any = None
    flips: bool = False

    def settled(self, dtype: str) -> "Flow":
        rtol = tolerance_of(self.rtol, "rtol", dtype, 1e-6, 1e-4)
        tol = tolerance_of(self.tol, "tol", dtype, 1e-8, 1e-4)
        ts = None if self.ts is None else grid(self.ts, "ts")
        if ts is not None and (np.min(np.asarray(ts)) < 0 or np.any(np.diff(np.asarray(ts)) <= 0)):
            raise ValueError(f"ts must be increasing times that are at least 0; got {np.asarray(ts)}")
        if not isinstance(self.flips, bool):
            raise TypeError(f"flips must be true or false; got {self.flips!r}")
        if self.flips and decay(self):
            raise ValueError("flips are counted without weight decay only; leave one of them out")
        steps = count(self.max_steps, "max_steps")
        return replace(self, rtol=rtol, tol=tol, max_steps=steps, weight_decay=decay(self), ts=ts)

    def check(self, geometries: Sequence[Geometries], starts: Sequence[Any]) -> None:
        for block in geometries if self.weight_decay else ():
            try:
                _first(block).decayed(0.0, self.weight_decay)
            except ValueError as error:
                raise ValueError(f"weight_decay must be 0 for the family {block.family!r}: {error}") from None

    def variables(self) -> dict[str, Variable]:
        own = {
            "time": Variable("time at which the flow ended"),
            "rejected": Variable("rejected steps of the solver", dtype="int32"),
        }
        loss = {"loss": Variable("loss |X theta - y|^2 / (2 n) at the times", ("t",))}
        return MEASURED | own | (loss if self.ts is not None else {}) | (FLIPS if self.flips else {})

    def coordinates(self) -> dict[str, tuple[Variable, np.ndarray]]:
        return {} if self.ts is None else {"t": (Variable("time"), np.asarray(self.ts))}

    def compute(self, instances: Batch) -> dict[str, np.ndarray]:
        ends = instances.flows(
            rtol=_known(self.rtol),
            tol=_known(self.tol),
            max_steps=self.max_steps,
            ts=None if self.ts is None else np.asarray(self.ts),
            weight_decay=self.weight_decay,
            flips=self.flips,
        )
        found = {} if ends.loss is None else {"loss": ends.loss}
        if ends.flips is not None:
            found |= flips_of(ends.flips, instances.truths[instances.which])
        own: dict[str, Any] = {"time": ends.time, "rejected": ends.rejected}
        return _stored(ends, instances) | own | found


def _stored(ends: Any, instances: Batch) -> dict[str, np.ndarray]:
    """What is measured of θ, with the certificate and the status."""
    theta = ends.theta
    curve = theta.reshape(len(instances), -1, theta.shape[-1])
    truths = np.repeat(instances.truths[instances.which], curve.shape[1], axis=0)
    points = measured_of(curve.reshape(-1, theta.shape[-1]), truths)
    measured = {name: values.reshape(theta.shape[:-1]) for name, values in points.items()}
    certificate = {name: getattr(ends, name) for name in ("residual", "duality_gap", "relative_gap", "steps")}
    return measured | certificate | {"status": np.asarray(ends.result, np.int8), "theta": theta}


def measured_of(theta: np.ndarray, truths: np.ndarray) -> dict[str, np.ndarray]:
    """What is measured of each row of `theta`.

    Args:
        theta: (rows, d).
        truths: θ* of each row, (rows, d), NaN if unknown.

    Returns:
        The first four variables of `MEASURED`, (rows,) each.
    """
    return {
        "l1_norm": np.abs(theta).sum(axis=1),
        "l2_norm": norm(theta, axis=1),
        "entries_99": metrics.entries_carrying(theta, 0.99),
        "distance_to_theta_star": norm(theta - truths, axis=1),
    }


def flips_of(flips: Flips, truths: np.ndarray) -> dict[str, np.ndarray]:
    """What is stored of the sign flips of instances.

    Args:
        flips: Of every entry, (instances, d).
        truths: θ* of each instance, (instances, d), NaN if unknown.

    Returns:
        The variables of `FLIPS`, (instances,) each.
    """
    truths = np.nan_to_num(truths)
    count = lambda of_entries: np.asarray(of_entries).sum(axis=-1, dtype=np.int32)  # noqa: E731
    return {
        "gross_flips": count(flips.gross),
        "net_flips": count(flips.net),
        "flipped_back": count(flips.flipped_back),
        "signs_recovered": np.asarray(agreement(flips.sign, truths)),
        "recovery_time": np.asarray(recovery_time(flips, truths)),
    }


def tolerance_of(value: Any, name: str, dtype: str, double: float, single: float, reach: float = REACH) -> float:
    """A tolerance, filled in for a precision."""
    if value is None:
        value = double if dtype == "float64" else single
    return tolerance(number(value, name), name, np.dtype(dtype), reach)


def decay(quantity: Any) -> float:
    value = number(quantity.weight_decay, "weight_decay")
    if value < 0:
        raise ValueError(f"weight_decay must not be negative; got {value:g}")
    return value


def decays_to_a_known_penalty(weight_decay: float, geometries: Sequence[Geometries]) -> None:
    """An error for geometries of which the limit under weight decay is not known."""
    for block in geometries if weight_decay else ():
        if _first(block).penalty(weight_decay, np.float64) is None:
            raise ValueError(
                f"weight_decay must be 0 for the family {block.family!r}, of which the limit under it is not known"
            )


def _first(block: Geometries) -> AbstractGeometry:
    """The first geometry of a block."""
    return block.build(block.at(np.zeros((), int)))


def _known(value: float | None) -> float:
    if value is None:
        raise ValueError("a tolerance is not filled in: use the quantity of a SweepSpec")
    return value
