"""What `flow`, `limit` and `margin` share: the options, the precision, and the order of work."""

import abc
import contextlib
import dataclasses
import shlex
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import tyro

import hamtheory as ht

from ..geometry import AbstractGeometry
from . import _class_summary, _summary
from ._data import Data, load_data, load_theta0
from ._geometry import GeometryOptions
from ._output import check_target, to_json, write

DATA = (
    f"{', '.join(ht.datasets.names())}; sparse:N,D,K (synthetic, with N rows, D columns and K spikes); a .npz or a .nc "
    "with the arrays X and y, and optionally theta_star and theta0; or a .csv, .tsv, .csv.gz, .parquet or .npy with y "
    "in its last column, header or not"
)
CLASSES = (
    f"{', '.join(ht.datasets.names('classification'))}; classes:N,D,K (synthetic, with N samples, D columns and a "
    "teacher of K spikes); mixture:N,D,S (two Gaussian classes, S apart)"
)
_PRECISION = tyro.conf.create_mutex_group(required=False, title="precision")


@dataclass(frozen=True)
class Outcome:
    """What a computation came to."""

    result: Any  # that of the library's function
    succeeded: bool  # whether the library's function would have returned it with throw=True
    arrays: dict[str, tuple[tuple[str, ...], np.ndarray]]  # name -> dimensions and values
    scalars: dict[str, Any]


@dataclass(frozen=True)
class Command(abc.ABC):
    data: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="DATA", help=DATA)]
    geometry: Annotated[GeometryOptions, tyro.conf.arg(name="geometry parameter")] = field(
        default_factory=GeometryOptions
    )
    target: Annotated[str | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="")] = None
    """Of a .csv or another table: y's column, by its name, or its number if there is no header. (default: the last)"""
    decimal: Annotated[str, tyro.conf.arg(metavar="MARK", help_behavior_hint="(default: .)")] = "."
    """Of a table of text: the mark before the decimal places, . or a comma."""
    seed: int = 0
    """Of synthetic data, and of normal:SCALE."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="PATH", help_behavior_hint="")] = None
    """Write the result: arrays to .npz, .zarr or .nc, the summary alone to .json"""
    json: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """Print the summary as JSON."""
    x64: Annotated[bool, _PRECISION, tyro.conf.arg(help_behavior_hint="(default)")] = False
    """Compute in float64."""
    x32: Annotated[bool, _PRECISION, tyro.conf.arg(help_behavior_hint="")] = False
    """Compute in float32."""

    description: ClassVar[str]

    @property
    def kind(self) -> str:
        """Of the problem: "regression", "classification", or "either", as the data say."""
        return "regression"

    def start(self, data: Data) -> tuple[np.ndarray, str]:
        """Where to start, and how to say so."""
        return np.zeros(data.problem.d), "zeros"

    def build(self) -> tuple[AbstractGeometry | None, str]:
        """The geometry, and how to write it on one line."""
        return self.geometry.build()

    @abc.abstractmethod
    def solve(self, problem: Any, geo: Any, theta0: np.ndarray) -> Outcome:
        """Compute, without raising on failure."""

    def run(self, words: list[str]) -> int:
        """Do what the command line `words` asks for: 0, or 1 if the computation failed."""
        check_target(self.out)
        with _note():
            started = time.monotonic()
            data = load_data(
                self.data, self.seed, self.target, np.float32 if self.x32 else np.float64, self.kind, self.decimal
            )
            geo, formula = self.build()
            theta0, origin = self.start(data)
            outcome = self.solve(data.problem, geo, theta0)
            of_classes = isinstance(data.problem, ht.BinaryClassification)
            text = _class_summary if of_classes else _summary
            summary = {
                "command": shlex.join(words),
                **text.describe(data, formula, origin, outcome.result, outcome.scalars),
                "seconds": round(time.monotonic() - started, 2),
                "config": _plain(dataclasses.asdict(self)),
            }
            arrays = outcome.arrays | _known(data, theta0)
            if self.out is not None:
                write(self.out, summary, arrays, data.columns)
        print(to_json(summary) if self.json else text.table(summary, data, arrays["theta"][1], self.out))
        if not outcome.succeeded:
            print(f"error: not converged: {summary['message']}", file=sys.stderr)
        return 0 if outcome.succeeded else 1

    def tolerances(self, x64: dict[str, float], x32: dict[str, float]) -> dict[str, float]:
        """The tolerances that were given, completed by defaults that the precision can reach."""
        return {
            name: default if getattr(self, name) is None else getattr(self, name)
            for name, default in (x32 if self.x32 else x64).items()
        }


@dataclass(frozen=True)
class FromStart(Command):
    theta0: Annotated[str | None, tyro.conf.arg(metavar="START", help_behavior_hint="(default: zeros)")] = None
    """Where to start: zeros, normal:SCALE, or a .npy, .npz, .csv or .txt file."""
    weight_decay: Annotated[float, tyro.conf.arg(metavar="B")] = 0.0
    """The paper's beta; of a regression."""

    def start(self, data: Data) -> tuple[np.ndarray, str]:
        return load_theta0(self.theta0, data, self.seed)


def succeeded(result, members) -> bool:
    """Whether a result is one of `members`."""
    return any(bool(result == member) for member in members)


def _known(data: Data, theta0: np.ndarray) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    known = {"theta0": (("column",), np.asarray(theta0, data.problem.dtype))}
    if data.problem.theta_star is not None:
        known["theta_star"] = (("column",), np.asarray(data.problem.theta_star))
    return known


def _plain(value):
    """A configuration in the types of JSON."""
    if isinstance(value, dict):
        return {name: _plain(entry) for name, entry in value.items()}
    return str(value) if isinstance(value, Path) else value


@contextlib.contextmanager
def _note(patience: float = 2.0) -> Iterator[None]:
    """Say that there is work going on, if there is any for longer than `patience` seconds."""
    text = "computing ..."
    timer = threading.Timer(patience, lambda: print(text, file=sys.stderr, flush=True))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
