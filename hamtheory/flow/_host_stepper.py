"""What an integrator on the host is given, and what it is."""

from typing import Any, Protocol, runtime_checkable

import numpy as np

Vector = Any  # a NumPy array


@runtime_checkable
class Field(Protocol):
    """A vector field in natural units, on states (..., m) at times (...)."""

    def initial(self) -> Vector: ...
    def velocity(self, t: Any, state: Vector) -> Vector: ...
    def linearise(self, t: float, state: Vector) -> Any: ...
    def weights(self, state: Vector) -> Vector: ...
    def norm(self, weighted: Vector) -> float: ...
    def error(self, error: Vector, weights: Vector) -> float: ...


class Stepper:
    """`reach`: the time not to step beyond. `accepted`, `rejected`, `evaluations`, `jacobians`: counts."""

    degree = 3

    def __init__(self, field: Field, first: float, reach: float):
        self.field, self.reach, self.h = field, reach, first
        self.t = self.t_old = 0.0
        self.state = field.initial()
        self.velocity = field.velocity(0.0, self.state)
        self.accepted = self.rejected = self.jacobians = 0
        self.evaluations = 1

    def step(self) -> bool:
        """One step, accepted; False if none can be made."""
        raise NotImplementedError

    def interpolate(self, times: Vector) -> Vector:
        """The states, (times, m), at times within the last step."""
        raise NotImplementedError

    def _is_too_short(self, h: float) -> bool:
        return not (h > 4 * np.finfo(float).eps * self.t and h > 0)

    def _to_reach(self, h: float) -> float:
        """h, or what is left; no crumb is left behind."""
        left = self.reach - self.t
        return left if h > 0.999 * left else h
