"""A quantity that costs nothing, for tests of everything around the numbers; workers import it by this name."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from hamtheory.sweeps import Batch, Quantity, Variable, register


@register
@dataclass(frozen=True)
class Toy(Quantity):
    """`theta = parameter · Xᵀy + theta0`. `delay` in seconds a batch. The process that finds no file `fatal` dies."""

    name: ClassVar[str] = "toy"
    delay: float = 0.0
    fatal: str = ""

    def variables(self) -> dict[str, Variable]:
        return {"largest": Variable("largest entry"), "positive": Variable("positive entries", dtype="int32")}

    def compute(self, instances: Batch) -> dict[str, np.ndarray]:
        time.sleep(self.delay)
        if self.fatal and not Path(self.fatal).exists():
            if not self.fatal.endswith("never"):
                Path(self.fatal).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        slopes = np.stack([problem.X.T @ problem.y for problem in instances.problems])
        theta = np.asarray(instances.geometry.parameter)[:, None] * slopes[instances.which]
        theta = theta if instances.theta0s is None else theta + instances.theta0s
        return {
            "theta": theta,
            "largest": theta.max(axis=1),
            "positive": (theta > 0).sum(axis=1),
            "status": np.zeros(len(instances), np.int8),
        }


@register
@dataclass(frozen=True)
class Probe(Quantity):
    """The geometry of each instance, seen at θ = 1."""

    name: ClassVar[str] = "probe"

    def variables(self) -> dict[str, Variable]:
        return {"metric": Variable("inverse metric"), "mirror": Variable("mirror map")}

    def compute(self, instances: Batch) -> dict[str, np.ndarray]:
        ones = np.ones(len(instances))
        metric, mirror = instances.geometry.inverse_metric(ones), instances.geometry.mirror_map(ones)
        return {"metric": np.asarray(metric), "mirror": np.asarray(mirror), "status": np.zeros(len(instances), np.int8)}


def spec(problems: int = 10, chunk: int = 7, **settings) -> dict:
    """30 instances unless told otherwise, in chunks that fit nothing."""
    return {
        "problems": {"kind": "sparse", "n": 4, "d": 8, "k": 2, "seeds": range(problems)},
        "geometries": {"family": "ham", "alpha": [1.0, 2.0, 3.0]},
        "quantity": {"name": "toy", **settings},
        "chunk": chunk,
        "keep_theta": True,
    }
